//! What telemetry needs to know of the engine.

use crate::settings_reader::{Lookup, SettingsReader};
use std::time::Instant;
use telemetry_interfaces::{AttemptObserver, AttemptRecord, Resolution, SelectorEngine};
use telemetry_models::{
    AttemptOutcome, Outcome, SelectorDefinition, SelectorName, StrategyDefinition, StrategyKind,
};

/// The engine as a [`SelectorEngine`].
pub struct ReaderEngine(pub SettingsReader);

impl SelectorEngine for ReaderEngine {
    type Page = str;
    type Selector = Lookup;
    type Found = String;

    fn name(&self) -> &str {
        "settings-reader 1.0"
    }

    fn definition(&self, selector: &Lookup) -> SelectorDefinition {
        let strategies = selector.keys.iter().map(|key| StrategyDefinition {
            kind: StrategyKind::new("key"),
            text: key.as_str().into(),
        });
        SelectorDefinition {
            name: SelectorName::new(selector.name.as_str()).expect("lookups have names"),
            version: 1,
            strategies: strategies.collect(),
        }
    }

    fn is_unchanged(&self, selector: &Lookup, definition: &SelectorDefinition) -> bool {
        let known = definition.strategies.iter().map(|strategy| &*strategy.text);
        selector.keys.iter().map(String::as_str).eq(known)
    }

    fn selector_name<'a>(&self, selector: &'a Lookup) -> &'a str {
        &selector.name
    }

    fn resolve(
        &self,
        page: &str,
        selector: &Lookup,
        attempts: &mut dyn AttemptObserver,
    ) -> Resolution<String> {
        let mut found = None;
        for (strategy, key) in (0..).zip(&selector.keys) {
            let started = Instant::now();
            found = self.0.value(page, key).map(str::to_owned);
            let outcome =
                if found.is_some() { AttemptOutcome::Accepted } else { AttemptOutcome::Empty };
            attempts.attempt(AttemptRecord {
                elapsed: Some(started.elapsed()),
                elements: Some(found.is_some().into()),
                ..AttemptRecord::new(strategy, outcome)
            });
            if found.is_some() {
                break;
            }
        }
        Resolution {
            outcome: if found.is_some() { Outcome::Success } else { Outcome::NotFound },
            elements: Some(found.is_some().into()),
            confidence: None,
            validation_passed: None,
            error: None,
            found,
        }
    }
}
