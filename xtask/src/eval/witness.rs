use cascade::{Document, Found, Selector};
use std::sync::{Mutex, MutexGuard};
use telemetry_runtime::integration::CascadeEngine;
use telemetry_runtime::interfaces::{
    AttemptObserver, AttemptRecord, Clock, Resolution, SelectorEngine, SystemClock,
};
use telemetry_runtime::models::{Confidence, Outcome, PageContext, SelectorDefinition, Timestamp};

/// What one operation did, written down outside the path under evaluation.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) definition: SelectorDefinition,
    pub(crate) page: PageContext,
    /// Just before and just after the engine ran.
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) confidence: Option<Confidence>,
    pub(crate) elements: Option<u32>,
    pub(crate) validation_passed: Option<bool>,
    pub(crate) error: Option<String>,
}

/// The engine, with a notebook: it resolves as the engine does and keeps what it saw.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    engine: CascadeEngine,
    clock: SystemClock,
    notes: Mutex<Notes>,
}

/// What happens to an operation, apart from what the page holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    #[default]
    AsItIs,
    /// The page does not come.
    Environment,
    /// A page of the site that rightly lacks the element.
    Absent,
}

#[derive(Debug, Default)]
struct Notes {
    fate: Fate,
    page: PageContext,
    /// Operations in the order they ended.
    executed: Vec<Executed>,
}

impl Witness {
    /// Notes where the following operations take place.
    pub(crate) fn enter(&self, page: &PageContext) {
        self.notes().page = page.clone();
    }

    /// Decides what happens to the next operation.
    pub(crate) fn decide(&self, fate: Fate) {
        self.notes().fate = fate;
    }

    pub(crate) fn executed(&self) -> Vec<Executed> {
        std::mem::take(&mut self.notes().executed)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("no writer panics")
    }
}

impl SelectorEngine for Witness {
    type Page = Document;
    type Selector = Selector;
    type Found = Vec<Found>;

    fn name(&self) -> &str {
        self.engine.name()
    }

    fn definition(&self, selector: &Selector) -> SelectorDefinition {
        self.engine.definition(selector)
    }

    fn is_unchanged(&self, selector: &Selector, definition: &SelectorDefinition) -> bool {
        self.engine.is_unchanged(selector, definition)
    }

    fn selector_name<'a>(&self, selector: &'a Selector) -> &'a str {
        self.engine.selector_name(selector)
    }

    fn resolve(
        &self,
        page: &Document,
        selector: &Selector,
        attempts: &mut dyn AttemptObserver,
    ) -> Resolution<Vec<Found>> {
        let mut seen = Vec::new();
        let fate = std::mem::take(&mut self.notes().fate);
        let bare = (fate == Fate::Absent).then(|| Document::parse("<html><body></body></html>"));
        let page = bare.as_ref().unwrap_or(page);
        let began = self.clock.utc();
        let resolution = if fate == Fate::Environment {
            Resolution {
                outcome: Outcome::NavigationFailed,
                found: None,
                confidence: None,
                elements: None,
                validation_passed: None,
                error: None,
            }
        } else {
            self.engine.resolve(page, selector, &mut |attempt: AttemptRecord| {
                seen.push(attempt);
                attempts.attempt(attempt);
            })
        };
        let ended = self.clock.utc();
        let mut notes = self.notes();
        let page = notes.page.clone();
        notes.executed.push(Executed {
            definition: self.engine.definition(selector),
            page,
            began,
            ended,
            outcome: resolution.outcome,
            attempts: seen,
            confidence: resolution.confidence,
            elements: resolution.elements,
            validation_passed: resolution.validation_passed,
            error: resolution.error.clone(),
        });
        resolution
    }
}
