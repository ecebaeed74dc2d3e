use crate::StrategyKind;
use crate::id::name;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

name! {
    /// The stable name of a selector, for instance `shop.product.title`. Its history survives a
    /// repair because the name stays while the definition's version changes.
    SelectorName, "selector_name"
}

/// What a selector consists of at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectorDefinition {
    /// Its name.
    pub name: SelectorName,
    /// Counts up with every change of the strategies; the first definition is 1.
    pub version: u32,
    /// Strategies in the order they are tried.
    pub strategies: Vec<StrategyDefinition>,
}

/// One way to find a selector's element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyDefinition {
    /// How.
    pub kind: StrategyKind,
    /// With what: a CSS selector, an XPath expression, a text.
    pub text: Arc<str>,
}
