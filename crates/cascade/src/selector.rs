use crate::Query;
use crate::similarity::squeeze;
use std::fmt;
use std::str::FromStr;

/// One way to find an element. How each reads its text is said at [`Query::compile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StrategyKind {
    /// A CSS selector, with `::text`, `::attr(name)` and `:contains("…")`.
    Css,
    /// An XPath expression.
    XPath,
    /// The element whose own text reads most like this one.
    Text,
    /// The value that stands next to a label text.
    TextAnchor,
    /// An attribute, by name or value.
    Attribute,
    /// An ARIA role, explicit or implied by the tag, and optionally an accessible name.
    Role,
    /// A test identifier (`data-testid` and its usual spellings).
    TestId,
    /// The form control that carries this label.
    Label,
}

impl StrategyKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 8] = [
        Self::Css,
        Self::XPath,
        Self::Text,
        Self::TextAnchor,
        Self::Attribute,
        Self::Role,
        Self::TestId,
        Self::Label,
    ];

    /// The kind's name in snake case: `css`, `xpath`, `text_anchor`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Css => "css",
            Self::XPath => "xpath",
            Self::Text => "text",
            Self::TextAnchor => "text_anchor",
            Self::Attribute => "attribute",
            Self::Role => "role",
            Self::TestId => "test_id",
            Self::Label => "label",
        }
    }

    /// How far a match of this kind is trusted before anything is checked, 0–1: identifiers
    /// made for machines first, visible text and position-bound paths last.
    pub fn base_confidence(self) -> f64 {
        match self {
            Self::TestId => 0.98,
            Self::Label | Self::Role => 0.92,
            Self::Css | Self::Attribute => 0.9,
            Self::XPath => 0.88,
            Self::TextAnchor => 0.85,
            Self::Text => 0.8,
        }
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StrategyKind {
    type Err = crate::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            crate::Error::Invalid(format!(
                "unknown strategy kind `{name}`; expected one of {}",
                known.join(", ")
            ))
        })
    }
}

/// How many elements a selector should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// At least this many (1 or more).
    pub min: usize,
    /// At most this many; `None` for no limit.
    pub max: Option<usize>,
}

impl Expected {
    /// Exactly `n` elements.
    pub fn exactly(n: usize) -> Self {
        Self { min: n, max: Some(n) }
    }

    /// `n` elements or more.
    pub fn at_least(n: usize) -> Self {
        Self { min: n, max: None }
    }

    /// How well `count` fits, 0–1: 1 inside the range, else the ratio to its nearer end.
    pub fn plausibility(&self, count: usize) -> f64 {
        match self.max {
            Some(max) if count > max => max as f64 / count as f64,
            _ if count < self.min => count as f64 / self.min as f64,
            _ => 1.0,
        }
    }
}

/// A check on the value of each found element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validator {
    /// The value holds something other than white space.
    NonEmptyText,
    /// The whole value is a number, give or take white space, a sign, a percent sign, currency
    /// signs or a three-letter currency code, and `.`, `,` or `'` between digits.
    ParsesAsNumber,
    /// The value contains this text, ignoring case.
    Contains(String),
}

impl Validator {
    /// Whether `value` passes.
    pub fn accepts(&self, value: &str) -> bool {
        match self {
            Self::NonEmptyText => !value.trim().is_empty(),
            Self::ParsesAsNumber => reads_as_number(value),
            Self::Contains(part) => {
                squeeze(value).to_lowercase().contains(&squeeze(part).to_lowercase())
            }
        }
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonEmptyText => f.write_str("text that is not empty"),
            Self::ParsesAsNumber => f.write_str("a number"),
            Self::Contains(part) => write!(f, "text containing {part:?}"),
        }
    }
}

fn reads_as_number(value: &str) -> bool {
    let value: String = value
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '€' | '£' | '$' | '¥' | '₹' | '%'))
        .collect();
    let code = |c: &[u8]| c.len() == 3 && c.iter().all(u8::is_ascii_uppercase);
    let mut bytes = value.as_bytes();
    if bytes.len() > 3 && code(&bytes[..3]) {
        bytes = &bytes[3..];
    } else if bytes.len() > 3 && code(&bytes[bytes.len() - 3..]) {
        bytes = &bytes[..bytes.len() - 3];
    }
    if let [b'-' | b'+', rest @ ..] = bytes {
        bytes = rest;
    }
    let digit = |b: Option<&u8>| b.is_some_and(u8::is_ascii_digit);
    digit(bytes.first())
        && digit(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'\''))
}

/// One strategy of a selector: what to look for and how far to trust it.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// How the text is read.
    pub kind: StrategyKind,
    /// The selector text.
    pub text: String,
    /// Trust in this strategy before anything is checked, 0–1.
    pub base_confidence: f64,
    /// How many elements it should find; overrides the selector's own expectation.
    pub expected: Option<Expected>,
}

impl Strategy {
    /// A strategy with its kind's usual trust.
    pub fn new(kind: StrategyKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), base_confidence: kind.base_confidence(), expected: None }
    }

    /// Sets the trust, clamped to 0–1.
    pub fn base_confidence(mut self, trust: f64) -> Self {
        self.base_confidence = trust.clamp(0.0, 1.0);
        self
    }

    /// Sets how many elements it should find.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Compiles the text.
    pub fn compile(&self) -> Result<Query, crate::Error> {
        Query::compile(self.kind, &self.text)
    }
}

/// A named selector: strategies in the order they are tried, and what a good result looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    /// The stable name, such as `shop.product.title`.
    pub name: String,
    /// The strategies, first choice first.
    pub strategies: Vec<Strategy>,
    /// The least confidence to accept, 0–1.
    pub threshold: f64,
    /// Finding nothing is normal.
    pub optional: bool,
    /// How many elements it should find.
    pub expected: Option<Expected>,
    /// The check on each found value.
    pub validate: Option<Validator>,
}

impl Selector {
    /// A required selector without strategies, threshold 0.8, nothing checked.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            strategies: Vec::new(),
            threshold: 0.8,
            optional: false,
            expected: None,
            validate: None,
        }
    }

    /// Appends a strategy with its kind's usual trust.
    pub fn strategy(self, kind: StrategyKind, text: impl Into<String>) -> Self {
        self.with(Strategy::new(kind, text))
    }

    /// Appends a strategy.
    pub fn with(mut self, strategy: Strategy) -> Self {
        self.strategies.push(strategy);
        self
    }

    /// Sets the least confidence to accept, clamped to 0–1.
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold.clamp(0.0, 1.0);
        self
    }

    /// Marks absence as normal.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Sets how many elements should be found.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Sets the check on found values.
    pub fn validate(mut self, validator: Validator) -> Self {
        self.validate = Some(validator);
        self
    }
}
