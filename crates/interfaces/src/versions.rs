use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use telemetry_models::{SelectorDefinition, SelectorName, StrategyDefinition};

/// Knows which version of its selector a definition is, so that what was learned of one version is
/// not held against the next.
///
/// Asked when a selector is met first and when it changed, not per operation, on the engine's
/// thread: an implementation answers from memory and waits for nothing. It cannot fail.
pub trait DefinitionVersions: Send + Sync {
    /// The version known for these strategies, or the next one when the selector's strategies are
    /// others than those known last; for a selector that is not known, 1. Never below
    /// `definition.version`, which is what the engine says.
    fn version_of(&self, definition: &SelectorDefinition) -> u32;
}

/// Counts versions in memory: they begin anew with the value.
#[derive(Debug, Default)]
pub struct MemoryVersions {
    known: Mutex<HashMap<SelectorName, (u32, Vec<StrategyDefinition>)>>,
}

impl MemoryVersions {
    /// Knows no selector yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over what was known before. Tells nobody.
    pub fn learn(&self, definition: SelectorDefinition) {
        let SelectorDefinition { name, version, strategies } = definition;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, (version, strategies));
    }

    /// As [`version_of`](DefinitionVersions::version_of), and whether that is news.
    pub fn settle(&self, definition: &SelectorDefinition) -> (u32, bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let least = match known.get(&definition.name) {
            Some((version, strategies)) if *strategies == definition.strategies => {
                if *version >= definition.version {
                    return (*version, false);
                }
                *version
            }
            Some((version, _)) => version.saturating_add(1),
            None => 1,
        };
        let version = definition.version.max(least);
        known.insert(definition.name.clone(), (version, definition.strategies.clone()));
        (version, true)
    }
}

impl DefinitionVersions for MemoryVersions {
    fn version_of(&self, definition: &SelectorDefinition) -> u32 {
        self.settle(definition).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_models::StrategyKind;

    fn title(version: u32, text: &str) -> SelectorDefinition {
        let name = SelectorName::new("title").unwrap();
        let strategies = vec![StrategyDefinition { kind: StrategyKind::Css, text: text.into() }];
        SelectorDefinition { name, version, strategies }
    }

    #[test]
    fn the_same_strategies_keep_their_version_and_others_get_the_next() {
        let versions = MemoryVersions::new();
        let asked = ["h1", "h1", "h2", "h2", "h1"].map(|text| versions.version_of(&title(1, text)));
        assert_eq!(asked, [1, 1, 2, 2, 3]);
    }

    #[test]
    fn an_engine_may_know_better() {
        let versions = MemoryVersions::new();
        assert_eq!(versions.settle(&title(7, "h1")), (7, true));
        assert_eq!(versions.settle(&title(1, "h1")), (7, false));
        assert_eq!(versions.settle(&title(8, "h1")), (8, true));
        assert_eq!(versions.settle(&title(2, "h2")), (9, true));
        assert_eq!(versions.settle(&title(20, "h3")), (20, true));
    }

    #[test]
    fn what_was_known_before_counts() {
        let versions = MemoryVersions::new();
        versions.learn(title(4, "h1"));
        assert_eq!(versions.settle(&title(1, "h1")), (4, false));
        assert_eq!(versions.settle(&title(1, "h2")), (5, true));
    }
}
