use crate::{duration_text, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_aggregation::WindowLimits;
use telemetry_interfaces::SelectorPattern;
use telemetry_models::{Aggregate, Comparison, Event, Severity, Signal};

/// A window by time holds at most the newest so many operations.
pub(crate) const MAX_SAMPLES: u32 = 1000;

/// When a signal of a selector is worth an alert.
///
/// In TOML, one `[[alerting.rules]]` table each:
///
/// ```toml
/// [[alerting.rules]]
/// id = "checkout-slow"
/// selector = "shop.checkout.*"
/// signal = "duration_ms"
/// aggregate = "p95"
/// within = "10m"
/// comparison = ">"
/// fire_at = 2000
/// clear_at = 1500
/// for = "1m"
/// severity = "medium"
/// steps = [{ at = 5000, severity = "critical" }]
/// labels = { team = "checkout" }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique name. A rule with the id of a profile's rule replaces that rule.
    pub id: Arc<str>,
    /// Which selectors; every selector by default.
    #[serde(default = "any_selector", with = "words::pattern")]
    pub selector: SelectorPattern,
    /// Only this site (host and port, without `www.`); every site by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// Only operations with these attributes; `*` for any value, as long as there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What is watched.
    #[serde(deserialize_with = "words::signal")]
    pub signal: Signal,
    /// How samples become one value; by default [`Signal::default_aggregate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// The window holds at most so many operations, 1 to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// The window holds only operations younger than this, 1 s to 24 h. Without `last` it holds at
    /// most the newest 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "duration_text::optional")]
    pub within: Option<Duration>,
    /// The relation of the value to `fire_at` that is trouble.
    pub comparison: Comparison,
    /// The alert fires from here; in the signal's unit, or a factor or difference, see `against`.
    pub fire_at: f64,
    /// Once firing, the alert goes on until the value passes this; `fire_at` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_at: Option<f64>,
    /// What `fire_at`, `clear_at` and `steps` are held against.
    #[serde(default)]
    pub against: Against,
    /// The selector's own past; only with an `against` that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The condition must hold so long before the alert fires.
    #[serde(rename = "for", default, with = "duration_text")]
    pub hold: Duration,
    /// The alert goes on firing so long after the condition first stopped to hold.
    #[serde(default, with = "duration_text")]
    pub keep_firing_for: Duration,
    /// Below so many operations in the window nothing is decided. By default `last`, or 3 when the
    /// window is by time alone. Does not apply to the frequency, where silence counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<u32>,
    /// Fires only when the true share is beyond `fire_at` with this confidence, by Wilson's
    /// one-sided bound: 0.9, 0.95, 0.99 or 0.999. Three failures of five are 60 %, and prove 27 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What it means when nothing is measured.
    #[serde(default, skip_serializing_if = "NoData::is_keep")]
    pub no_data: NoData,
    /// How much it matters, at least.
    #[serde(default = "medium")]
    pub severity: Severity,
    /// Whether the severity is one step higher when effect and evidence are strong, and when much
    /// of the site is affected. A rule with `steps` is graded by those alone.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub graded: bool,
    /// An alert that nobody acknowledged for so long becomes one step more severe, again and again.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "duration_text::optional")]
    pub escalate_after: Option<Duration>,
    /// Higher severities for worse values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<SeverityStep>,
    /// Labels for routing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The alert's sentence instead of the built-in one; may hold `{selector}`, `{site}`,
    /// `{rule}`, `{signal}`, `{value}`, `{threshold}`, `{samples}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Further texts for the alert, with the same placeholders as `summary`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where it is written down what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Says nothing about a selector while one of these rules fires for it, and starts afresh
    /// afterwards: a selector that is broken need not be called flaky as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_firing: Vec<Arc<str>>,
}

/// What it means when a rule has nothing to measure. In no case is a firing alert ended silently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// Nothing: the alert stays as it is, and says since when there is no data.
    #[default]
    Keep,
    /// That all is well: an alert ends, and says that it ended for want of data.
    Ok,
    /// An alert, when a selector that was measured before is not measured for so long; 1 s to 7
    /// days.
    AlertAfter(#[serde(with = "duration_text")] Duration),
}

impl NoData {
    fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

/// What a value is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The number itself.
    #[default]
    Fixed,
    /// `fire_at` times the selector's own baseline.
    BaselineRatio,
    /// The selector's own baseline plus `fire_at`.
    BaselineDelta,
}

/// The selector's own past: the same aggregate over the samples that left the window. It never
/// contains what is tested, and it does not change while the alert is pending or open, so that it
/// cannot sink to the trouble's level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Baseline {
    /// Samples kept, 5 to 1,000.
    pub samples: u32,
    /// Without so many samples nothing is decided.
    pub min_samples: u32,
    /// The value must also differ from the baseline by this, in the signal's unit.
    pub min_change: f64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { samples: 100, min_samples: 10, min_change: 0.0 }
    }
}

/// A higher severity for a worse value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityStep {
    /// From here, in the unit of `fire_at`.
    pub at: f64,
    /// The alert has this severity.
    pub severity: Severity,
}

/// The standard normal quantile of a one-sided bound.
pub(crate) fn z_of(confidence: f64) -> Option<f64> {
    const KNOWN: [(f64, f64); 4] =
        [(0.9, 1.281_552), (0.95, 1.644_854), (0.99, 2.326_348), (0.999, 3.090_232)];
    KNOWN.into_iter().find(|(known, _)| *known == confidence).map(|(_, z)| z)
}

fn any_selector() -> SelectorPattern {
    SelectorPattern::new("*").expect("a star is not blank")
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_yes(answer: &bool) -> bool {
    *answer
}

const fn medium() -> Severity {
    Severity::Medium
}

impl Rule {
    /// A rule for every selector with severity medium; it still needs a window (`last` or
    /// `within`).
    pub fn new(id: &str, signal: Signal, comparison: Comparison, fire_at: f64) -> Self {
        Self {
            id: id.into(),
            selector: any_selector(),
            site: None,
            attributes: BTreeMap::new(),
            signal,
            aggregate: None,
            last: None,
            within: None,
            comparison,
            fire_at,
            clear_at: None,
            against: Against::Fixed,
            baseline: None,
            hold: Duration::ZERO,
            keep_firing_for: Duration::ZERO,
            min_samples: None,
            confidence: None,
            no_data: NoData::Keep,
            severity: medium(),
            graded: true,
            escalate_after: None,
            steps: Vec::new(),
            labels: BTreeMap::new(),
            summary: None,
            annotations: BTreeMap::new(),
            runbook: None,
            unless_firing: Vec::new(),
        }
    }

    /// How samples become one value.
    pub fn aggregate(&self) -> Aggregate {
        self.aggregate.unwrap_or_else(|| self.signal.default_aggregate())
    }

    /// How far back the rule looks.
    pub fn window(&self) -> WindowLimits {
        WindowLimits { last: self.last.unwrap_or(MAX_SAMPLES) as usize, within: self.within }
    }

    /// Below so many operations in the window nothing is decided.
    pub fn min_samples(&self) -> usize {
        self.min_samples.or(self.last).unwrap_or(3) as usize
    }

    /// Samples of the baseline; 0 without one.
    pub(crate) fn past_samples(&self) -> usize {
        match self.against {
            Against::Fixed => 0,
            _ => self.baseline.as_ref().map_or(100, |baseline| baseline.samples) as usize,
        }
    }

    /// Without so many samples there is no baseline.
    pub(crate) fn min_past(&self) -> usize {
        self.baseline.as_ref().map_or(10, |baseline| baseline.min_samples) as usize
    }

    /// The severity a value deserves, given as `fire_at` is.
    pub fn severity_of(&self, value: f64) -> Severity {
        let reached = self.steps.iter().filter(|step| self.comparison.holds(value, step.at));
        reached.map(|step| step.severity).max().unwrap_or(self.severity).max(self.severity)
    }

    /// Whether the rule covers a selector on a site.
    pub fn covers(&self, selector: &str, site: Option<&str>) -> bool {
        self.selector.matches(selector)
            && self.site.as_deref().is_none_or(|wanted| Some(wanted) == site)
    }

    /// Whether an operation has the attributes the rule looks at.
    pub(crate) fn counts(attributes: &BTreeMap<String, String>, event: &Event) -> bool {
        attributes.iter().all(|(key, wanted)| {
            event.attributes.get(key.as_str()).is_some_and(|it| wanted == "*" || **it == **wanted)
        })
    }
}
