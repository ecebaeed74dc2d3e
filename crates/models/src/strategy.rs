use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

macro_rules! strategy_kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// How an element is looked for.
        ///
        /// The vocabulary is open: a name that is not listed is kept as [`StrategyKind::Other`].
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "Arc<str>", into = "Arc<str>")]
        pub enum StrategyKind {
            $($(#[$doc])* $variant,)+
            /// Any other name; never one of the listed ones when made by [`StrategyKind::new`].
            Other(Arc<str>),
        }

        impl StrategyKind {
            /// The listed kinds, in a fixed order.
            pub const LISTED: &'static [Self] = &[$(Self::$variant),+];

            /// From its name; unlisted names become [`StrategyKind::Other`].
            pub fn new(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }

            /// Its name.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(name) => name,
                }
            }
        }
    };
}

strategy_kinds! {
    /// A CSS selector.
    Css = "css",
    /// An XPath expression.
    XPath = "xpath",
    /// Visible text.
    Text = "text",
    /// Text that stands near the element.
    TextAnchor = "text_anchor",
    /// Presence of an attribute.
    Attribute = "attribute",
    /// An attribute's value.
    AttributeMatch = "attribute_match",
    /// A path from another element.
    DomRelationship = "dom_relationship",
    /// An ARIA role, with or without an accessible name.
    Role = "role",
    /// A test id attribute.
    TestId = "test_id",
    /// The text of a form label.
    Label = "label",
    /// An engine's own similarity search.
    Adaptive = "adaptive",
}

impl From<Arc<str>> for StrategyKind {
    fn from(name: Arc<str>) -> Self {
        Self::new(&name)
    }
}

impl From<StrategyKind> for Arc<str> {
    fn from(kind: StrategyKind) -> Arc<str> {
        match kind {
            StrategyKind::Other(name) => name,
            listed => listed.as_str().into(),
        }
    }
}

impl FromStr for StrategyKind {
    type Err = std::convert::Infallible;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(name))
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
