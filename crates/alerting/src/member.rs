use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::{Alert, AlertId, AlertSource, SelectorName, Severity, Signal, Timestamp};

/// What delivery remembers of an alert; everything else is read from the state when it is told.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: AlertId,
    pub(crate) fingerprint: Arc<str>,
    pub(crate) rule: Arc<str>,
    pub(crate) selector: SelectorName,
    pub(crate) site: Option<Arc<str>>,
    /// URL template of the page.
    pub(crate) template: Option<Arc<str>>,
    pub(crate) signal: Signal,
    pub(crate) severity: Severity,
    pub(crate) open: bool,
    pub(crate) fired_at: Timestamp,
    pub(crate) blocked: bool,
    pub(crate) labels: BTreeMap<String, String>,
    /// Somebody takes care of it: it is not repeated.
    pub(crate) acknowledged: bool,
    /// Nothing is told of it until then.
    pub(crate) suppressed_until: Option<Timestamp>,
    /// It is about the telemetry system itself: nothing keeps it quiet.
    pub(crate) system: bool,
    pub(crate) reopened: u32,
    /// It says that it still stands, in milliseconds since 1970.
    pub(crate) heartbeat: Option<i64>,
}

impl Member {
    pub(crate) fn of(alert: &Alert) -> Self {
        let text = |it: &Option<String>| it.as_deref().is_some_and(|it| it.contains("blocked"));
        Self {
            id: alert.id.clone(),
            fingerprint: Arc::clone(&alert.fingerprint),
            rule: Arc::clone(&alert.rule),
            selector: alert.selector.clone(),
            site: alert.site.clone(),
            template: alert.page_template.clone(),
            signal: alert.signal,
            severity: alert.severity,
            open: alert.state.is_open(),
            fired_at: alert.fired_at.unwrap_or(alert.since),
            blocked: text(&alert.evidence.now) || text(&alert.likely_cause),
            labels: alert.labels.clone(),
            acknowledged: alert.handling.acknowledged.is_some(),
            suppressed_until: alert.handling.suppressed.as_ref().map(|it| it.until),
            system: alert.source == AlertSource::System,
            reopened: alert.reopened,
            heartbeat: None,
        }
    }
}
