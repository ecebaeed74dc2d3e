use crate::webdriver::strategy;
use std::sync::Arc;
use telemetry_models::{Invalid, SelectorName, StrategyDefinition};
use thirtyfour::common::command::Selector;
use thirtyfour::extensions::query::{ElementQuery, ElementQueryable};
use thirtyfour::session::handle::SessionHandle;
use thirtyfour::{By, WebElement};

/// A selector with a name, and the alternatives it is looked for by, in order.
#[derive(Clone, Debug)]
pub struct NamedQuery {
    name: SelectorName,
    alternatives: Vec<Alternative>,
    strategies: Vec<StrategyDefinition>,
    optional: bool,
}

#[derive(Clone, Debug)]
struct Alternative {
    by: By,
    /// As it will be on the wire.
    wire: Selector,
}

impl NamedQuery {
    /// A selector that is looked for by `by`.
    ///
    /// # Errors
    /// When the name is blank.
    pub fn new(name: &str, by: By) -> Result<Self, Invalid> {
        let empty = Self {
            name: SelectorName::new(name)?,
            alternatives: Vec::new(),
            strategies: Vec::new(),
            optional: false,
        };
        Ok(empty.or(by))
    }

    /// Looks for it by `by` when nothing before found it.
    #[must_use]
    pub fn or(mut self, by: By) -> Self {
        let wire = Selector::from(by.clone());
        self.strategies.push(strategy(&wire.name, &wire.query));
        self.alternatives.push(Alternative { by, wire });
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

    /// A query of `thirtyfour`'s own for this selector on the page; `&driver` will do. Conditions
    /// added to it hold for the last alternative, as always.
    pub fn query(&self, session: &Arc<SessionHandle>) -> ElementQuery {
        self.query_from(session)
    }

    /// A query of `thirtyfour`'s own for this selector below an element.
    pub fn query_within(&self, element: &WebElement) -> ElementQuery {
        self.query_from(element)
    }

    fn query_from(&self, root: &impl ElementQueryable) -> ElementQuery {
        let mut by = self.alternatives.iter().map(|alternative| alternative.by.clone());
        let first = by.next().expect("a selector begins with one alternative");
        by.fold(root.query(first), ElementQuery::or)
    }

    pub(super) fn strategies(&self) -> &[StrategyDefinition] {
        &self.strategies
    }

    pub(super) fn is_optional(&self) -> bool {
        self.optional
    }

    /// The texts on the wire, in order.
    pub(super) fn on_the_wire(&self) -> Vec<Selector> {
        self.alternatives.iter().map(|alternative| alternative.wire.clone()).collect()
    }
}
