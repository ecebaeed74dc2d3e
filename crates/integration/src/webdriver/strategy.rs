use telemetry_models::{StrategyDefinition, StrategyKind};

/// The kind of a location strategy, by its keyword in the protocol (W3C WebDriver, section 12.3.1
/// "Locator strategies", and `testid selector`, which some servers add).
pub(crate) fn kind(using: &str) -> StrategyKind {
    match using {
        "css selector" => StrategyKind::Css,
        "xpath" => StrategyKind::XPath,
        "testid selector" => StrategyKind::TestId,
        other => StrategyKind::new(&other.replace(' ', "_")),
    }
}

/// A location strategy and its value as a strategy of a selector.
pub(crate) fn strategy(using: &str, value: &str) -> StrategyDefinition {
    StrategyDefinition { kind: kind(using), text: value.into() }
}
