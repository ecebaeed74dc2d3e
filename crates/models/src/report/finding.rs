use crate::outcome::words;
use crate::{AlertId, EventId, Invalid, SelectorName, Severity, Signal, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What kind of trouble a finding is.
    FindingKind, "finding kind" {
        /// It worked in the period and then stopped.
        StoppedWorking = "stopped_working",
        /// It never succeeded in the period.
        NeverWorked = "never_worked",
        /// It succeeds less often than earlier in the period.
        SucceedsLess = "succeeds_less",
        /// It fails often, all through the period.
        Unreliable = "unreliable",
        /// Another strategy than the first finds the element now.
        FallbackTookOver = "fallback_took_over",
        /// The engine is less sure than earlier in the period.
        ConfidenceFell = "confidence_fell",
        /// It takes longer than earlier in the period.
        Slowed = "slowed",
        /// Site, network, browser or engine spoil many operations on a site.
        SiteTrouble = "site_trouble",
        /// An open alert says so.
        Alert = "alert",
    }
}

/// Something that needs somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What kind of trouble.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The selector; absent when it concerns a whole site.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub selector: Option<SelectorName>,
    /// Host and port, when known.
    pub site: Option<String>,
    /// One sentence: what is observed.
    pub what: String,
    /// Since when: the first affected event, or the start of the time step in which it changed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<Timestamp>,
    /// Absent when `since` is exact; otherwise the first affected event came at most so many
    /// seconds after it. Operations of that time count neither as before nor as after, where they
    /// are of both kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_within_s: Option<u64>,
    /// The signal before.
    pub before: Option<Measure>,
    /// The signal since.
    pub after: Option<Measure>,
    /// Operations affected.
    pub affected: u64,
    /// Events to look at, oldest first.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub evidence: Vec<EventId>,
    /// URL of a page where it happened.
    pub url: Option<String>,
    /// What probably caused it; only ever taken over from an alert.
    pub likely_cause: Option<String>,
    /// What to try next.
    pub suggestion: Option<String>,
    /// Open alerts that say the same.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub alerts: Vec<AlertId>,
}

/// A signal's value over a number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Measure {
    /// What was measured; fixes the unit.
    pub signal: Signal,
    /// The value: a share, a confidence, or milliseconds (the median).
    pub value: f64,
    /// Samples behind it; never 0.
    pub n: u64,
}
