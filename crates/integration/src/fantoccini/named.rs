use crate::webdriver::strategy;
use fantoccini::Locator;
use telemetry_models::{Invalid, SelectorName, StrategyDefinition};

/// A selector with a name, and the locators it is looked for by, in order.
#[derive(Clone, Debug)]
pub struct NamedLocator<'a> {
    name: SelectorName,
    locators: Vec<Locator<'a>>,
    strategies: Vec<StrategyDefinition>,
    optional: bool,
}

impl<'a> NamedLocator<'a> {
    /// A selector that is looked for by `locator`.
    ///
    /// # Errors
    /// When the name is blank.
    pub fn new(name: &str, locator: Locator<'a>) -> Result<Self, Invalid> {
        let empty = Self {
            name: SelectorName::new(name)?,
            locators: Vec::new(),
            strategies: Vec::new(),
            optional: false,
        };
        Ok(empty.or(locator))
    }

    /// Looks for it by `locator` when nothing before found it.
    #[must_use]
    pub fn or(mut self, locator: Locator<'a>) -> Self {
        let (using, value) = words(&locator);
        self.strategies.push(strategy(using, value));
        self.locators.push(locator);
        self
    }

    /// The element need not be there: finding nothing is recorded as `expected_absent`.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The name.
    pub fn name(&self) -> &SelectorName {
        &self.name
    }

    pub(super) fn locators(&self) -> &[Locator<'a>] {
        &self.locators
    }

    pub(super) fn strategies(&self) -> &[StrategyDefinition] {
        &self.strategies
    }

    pub(super) fn is_optional(&self) -> bool {
        self.optional
    }
}

/// A locator's strategy and text, as the program wrote them.
pub(super) fn words<'a>(locator: &Locator<'a>) -> (&'static str, &'a str) {
    match locator {
        Locator::Css(text) => ("css selector", text),
        Locator::Id(text) => ("id", text),
        Locator::LinkText(text) => ("link text", text),
        Locator::XPath(text) => ("xpath", text),
    }
}
