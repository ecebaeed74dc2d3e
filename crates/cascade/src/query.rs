use crate::css::CssQuery;
use crate::locate::Locator;
use crate::xpath::{self, XPathQuery};
use crate::{Document, Error, StrategyKind};
use scraper::ElementRef;

/// A compiled strategy text, for use on any number of pages.
#[derive(Debug)]
pub struct Query(Compiled);

#[derive(Debug)]
enum Compiled {
    Css(CssQuery),
    XPath(XPathQuery),
    Locate(Locator),
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matches {
    /// How many nodes match, all of them counted.
    pub count: usize,
    /// The first of them, up to the limit asked for, in document order.
    pub found: Vec<Found>,
    /// Mean likeness (0–1) of wanted and found text; `None` for kinds that compare no texts.
    pub similarity: Option<f64>,
}

/// One match, copied out of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value: the text of an element, or what `::text`, `::attr(…)`, `/text()` or `/@…` took.
    pub value: String,
    /// The element's tag, where the match is one or was taken from one by CSS.
    pub tag: Option<String>,
    /// The element's attributes; of an XPath attribute match, that attribute.
    pub attributes: Vec<(String, String)>,
    /// The element's outer HTML.
    pub html: Option<String>,
}

impl Found {
    pub(crate) fn plain(value: String) -> Self {
        Self { value, tag: None, attributes: Vec::new(), html: None }
    }

    pub(crate) fn element(element: ElementRef<'_>, value: String) -> Self {
        Self {
            value,
            tag: Some(element.value().name().to_owned()),
            attributes: element
                .value()
                .attrs()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            html: Some(element.html()),
        }
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

impl Query {
    /// Compiles a strategy text:
    ///
    /// | kind | text |
    /// |---|---|
    /// | `Css` | a selector list; a branch may end in `::text` or `::attr(name)` (as in parsel), and its last compound may hold `:contains("…")` (as in cssselect: substring of the element's text, case kept) |
    /// | `XPath` | XPath 3.1; string functions take the first of several nodes as in 1.0, `re:test` is known |
    /// | `Text` | the text; finds the innermost elements that read most like it (at least 0.6 alike) |
    /// | `TextAnchor` | `label`, for the value next to that label, or `label => css`, for the nearest match of the CSS selector around it |
    /// | `Attribute` | `name`, `name=value`, `name^=value`, `name$=value`, `name*=value`; a tag may stand in front: `span name=value` |
    /// | `Role` | `role` or `role "accessible name"` |
    /// | `TestId` | the identifier in `data-testid`, `data-test-id`, `data-test`, `data-qa` or `data-cy` |
    /// | `Label` | the label of a form control: `label`, `aria-label`, `aria-labelledby` or `placeholder` |
    ///
    /// # Errors
    /// [`Error::Invalid`], saying what is wrong with the text.
    pub fn compile(kind: StrategyKind, text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::Invalid(format!("the text of a {kind} strategy is empty")));
        }
        Ok(Self(match kind {
            StrategyKind::Css => Compiled::Css(CssQuery::compile(text)?),
            StrategyKind::XPath => Compiled::XPath(xpath::compile(text)?),
            _ => Compiled::Locate(Locator::compile(kind, text)?),
        }))
    }

    pub(crate) fn run(&self, doc: &Document, limit: usize) -> Result<Matches, Error> {
        match &self.0 {
            Compiled::Css(query) => Ok(query.run(&doc.parsed().html, limit)),
            Compiled::XPath(query) => query.run(doc.xpath_tree(query.names_tbody)?, limit),
            Compiled::Locate(locator) => Ok(locator.run(&doc.parsed().html, limit)),
        }
    }
}
