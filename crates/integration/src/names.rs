use parking_lot::RwLock;
use std::collections::HashMap;
use telemetry_interfaces::{SelectorHandle, SelectorObserver};
use telemetry_models::{SelectorDefinition, SelectorName, StrategyDefinition};

/// The name of what has none.
pub(crate) const UNNAMED: &str = "unnamed";

/// The named selectors an adapter has made known to its observer.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: RwLock<HashMap<SelectorName, (SelectorDefinition, SelectorHandle)>>,
}

impl Names {
    /// The handle of a named selector. Other strategies under the same name are its next version.
    pub(crate) fn named(
        &self,
        observer: &impl SelectorObserver,
        name: &str,
        strategies: Vec<StrategyDefinition>,
    ) -> SelectorHandle {
        let name = SelectorName::new(name)
            .or_else(|_| SelectorName::new(UNNAMED))
            .expect("a constant that is not blank");
        let mut names = self.names.write();
        let version = match names.get(&name) {
            Some((known, handle)) if known.strategies == strategies => return *handle,
            Some((known, _)) => known.version.saturating_add(1),
            None => 1,
        };
        let definition = SelectorDefinition { name: name.clone(), version, strategies };
        let handle = observer.selector(&definition);
        names.insert(name, (definition, handle));
        handle
    }
}
