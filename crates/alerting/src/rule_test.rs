use crate::operation_text::Operations;
use crate::{AlertingConfig, ThresholdEngine, duration_text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{AlertEngine, Code, Error, ErrorKind, Result};
use telemetry_models::{Alert, AlertState, Event, PageContext, SelectorName, Severity, Timestamp};

/// The longest a test may last, so that a slip does not run for hours.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// Steps of one test.
const MAX_STEPS: u64 = 1_000_000;

/// Tests of alert rules: what is recorded, and what is to be raised. Like `promtool test rules`,
/// with operations instead of series.
///
/// ```toml
/// [[tests]]
/// name = "the price disappears"
/// interval = "15s"
/// [[tests.input]]
/// selector = "shop.price"
/// site = "shop.example"
/// operations = ["success duration=20ms x20", "not_found x4", "none x2"]
/// [[tests.expect]]
/// at = "6m"
/// rule = "selector-broken"
/// state = "firing"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTests {
    /// The tests, each from nothing.
    pub tests: Vec<RuleTest>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTest {
    /// What it shows.
    pub name: String,
    /// From one operation, and one evaluation, to the next; 1 ms to 1 h.
    #[serde(with = "duration_text", default = "one_second")]
    pub interval: Duration,
    /// What is recorded; all inputs begin at 0 s.
    pub input: Vec<RuleInput>,
    /// What is to be raised.
    pub expect: Vec<RuleExpectation>,
}

/// Operations of one selector on one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleInput {
    /// The selector.
    pub selector: SelectorName,
    /// Host, with a port where there is one.
    #[serde(default)]
    pub site: Option<String>,
    /// Attributes that every operation has.
    #[serde(default)]
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
    /// One an interval: `OUTCOME [duration=…] [confidence=…] [matches=…] [fallback=…] [version=…]
    /// [xN]`; `none` for an interval without one.
    pub operations: Vec<String>,
}

/// What a rule is to say at one moment. All of the rule's alerts at that moment must be expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleExpectation {
    /// When, from the beginning.
    #[serde(with = "duration_text")]
    pub at: Duration,
    /// The rule's id.
    pub rule: Arc<str>,
    /// About this selector; about any when absent.
    #[serde(default)]
    pub selector: Option<SelectorName>,
    /// The alert's state; `inactive` for no alert.
    pub state: AlertState,
    /// The alert's severity.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// The alert's sentence.
    #[serde(default)]
    pub summary: Option<String>,
    /// Labels the alert has among others.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTestResult {
    /// The test's name.
    pub name: String,
    /// What was not as expected, one sentence each; empty when the test passed.
    pub failures: Vec<String>,
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}

/// Alerts by rule, selector and site.
type Raised = BTreeMap<(Arc<str>, Arc<str>, Option<Arc<str>>), Alert>;

impl RuleTests {
    /// Runs all tests against the rules in force, without channels, clocks or files.
    ///
    /// # Errors
    /// TEL-004 when the configuration is wrong, or a test is: names the test and the place.
    pub fn run(&self, config: &AlertingConfig) -> Result<Vec<RuleTestResult>> {
        let known: BTreeSet<Arc<str>> =
            config.effective_rules().into_iter().map(|rule| rule.id).collect();
        self.tests.iter().map(|test| test.run(config, &known)).collect()
    }
}

impl RuleTest {
    fn run(&self, config: &AlertingConfig, known: &BTreeSet<Arc<str>>) -> Result<RuleTestResult> {
        let events = self.events()?;
        self.validate(known)?;
        let mut engine = ThresholdEngine::new(config)?;
        let last = self.expect.iter().map(|it| it.at).max().unwrap_or_default();
        let (mut raised, mut failures) = (Raised::new(), Vec::new());
        let (mut now, mut events) = (Duration::ZERO, events.into_iter().peekable());
        let mut changes = Vec::new();
        loop {
            let at = moment(now);
            while let Some(event) = events.next_if(|event| event.timestamp <= at) {
                engine.observe(&[event], &mut changes);
            }
            engine.tick(at, &mut changes);
            for change in changes.drain(..) {
                note(&mut raised, change.alert);
            }
            for (place, expected) in self.expect.iter().enumerate() {
                if expected.at == now {
                    self.hold(place, expected, &raised, &mut failures);
                }
            }
            if now >= last {
                break;
            }
            now = self.next(now);
        }
        Ok(RuleTestResult { name: self.name.clone(), failures })
    }

    /// The next evaluation: an interval later, or when something is expected before.
    fn next(&self, now: Duration) -> Duration {
        let step = now.as_nanos() / self.interval.as_nanos() + 1;
        let next = self.interval.saturating_mul(u32::try_from(step).unwrap_or(u32::MAX));
        let expected = self.expect.iter().map(|it| it.at).filter(|at| *at > now);
        expected.chain([next]).min().unwrap_or(next)
    }

    fn events(&self) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        for (at, input) in self.input.iter().enumerate() {
            let site = input.site.as_ref();
            let page = site.map(|site| Arc::new(PageContext::at(&format!("https://{site}/"))));
            let mut step = 0u32;
            for (place, text) in input.operations.iter().enumerate() {
                let operations = Operations::parse(text).map_err(|wrong| {
                    self.invalid(&format!("input[{at}].operations[{place}]"), &wrong)
                })?;
                for _ in 0..operations.times {
                    let time = moment(self.interval.saturating_mul(step));
                    let number = events.len() as u64;
                    if let Some(mut event) = operations.event(number, &input.selector, time) {
                        event.page.clone_from(&page);
                        event.attributes.clone_from(&input.attributes);
                        events.push(event);
                    }
                    step = step.saturating_add(1);
                }
            }
        }
        events.sort_by_key(|event| event.timestamp);
        Ok(events)
    }

    fn validate(&self, known: &BTreeSet<Arc<str>>) -> Result<()> {
        let allowed = Duration::from_millis(1)..=Duration::from_secs(3600);
        if !allowed.contains(&self.interval) {
            let found = duration_text::show(self.interval);
            return Err(self.invalid("interval", &format!("found {found}, expected 1ms to 1h")));
        }
        if self.input.is_empty() || self.expect.is_empty() {
            let wrong = "found no input or nothing expected, expected both";
            return Err(self.invalid("input, expect", wrong));
        }
        for (place, expected) in self.expect.iter().enumerate() {
            let field = |name: &str| format!("expect[{place}].{name}");
            let steps = expected.at.as_nanos() / self.interval.as_nanos();
            if expected.at > LONGEST || steps > u128::from(MAX_STEPS) {
                let found = duration_text::show(expected.at);
                let wrong =
                    format!("found {found}, expected at most 168h and {MAX_STEPS} intervals");
                return Err(self.invalid(&field("at"), &wrong));
            }
            if !known.contains(&expected.rule) {
                let names: Vec<_> = known.iter().map(|it| &**it).collect();
                let wrong = format!(
                    "found {:?}, expected the id of a rule in force: {}",
                    expected.rule,
                    names.join(", ")
                );
                return Err(self.invalid(&field("rule"), &wrong));
            }
        }
        Ok(())
    }

    /// Holds what was raised against what is expected.
    fn hold(
        &self,
        place: usize,
        expected: &RuleExpectation,
        raised: &Raised,
        failures: &mut Vec<String>,
    ) {
        let of_rule = || raised.values().filter(|alert| alert.rule == expected.rule);
        let wanted = |selector: &SelectorName| {
            expected.selector.as_ref().is_none_or(|wanted| wanted == selector)
        };
        let found: Vec<&Alert> = of_rule().filter(|alert| wanted(&alert.selector)).collect();
        let about = expected.selector.as_ref().map_or(String::new(), |it| format!(" of {it}"));
        let here =
            format!("at {}: {}{about}: expected ", duration_text::show(expected.at), expected.rule);
        let states: Vec<String> = found.iter().map(|alert| shown(alert)).collect();
        let got = if states.is_empty() { "no alert".to_owned() } else { states.join("; ") };
        if expected.state == AlertState::Inactive {
            if !found.is_empty() {
                failures.push(format!("{here}no alert, got {got}"));
            }
            return;
        }
        let Some(alert) = found.iter().find(|alert| alert.state == expected.state) else {
            failures.push(format!("{here}{}, got {got}", expected.state));
            return;
        };
        if let Some(severity) = expected.severity.filter(|it| *it != alert.severity) {
            failures.push(format!("{here}severity {severity}, got {}", alert.severity));
        }
        if let Some(summary) = expected.summary.as_ref().filter(|it| **it != alert.summary) {
            failures.push(format!("{here}summary {summary:?}, got {:?}", alert.summary));
        }
        for (key, value) in &expected.labels {
            let label = alert.labels.get(key);
            if label != Some(value) {
                failures.push(format!("{here}label {key} = {value:?}, got {label:?}"));
            }
        }
        // What nobody expects at this moment is told once, with the first expectation of the rule.
        let same = |it: &&RuleExpectation| it.at == expected.at && it.rule == expected.rule;
        if self.expect.iter().position(|it| same(&it)) != Some(place) {
            return;
        }
        let covered = |alert: &Alert| {
            let mut all = self.expect.iter().filter(same);
            all.any(|it| it.selector.as_ref().is_none_or(|wanted| *wanted == alert.selector))
        };
        for alert in of_rule().filter(|alert| !covered(alert)) {
            failures.push(format!("{here}no further alert, got {}", shown(alert)));
        }
    }

    fn invalid(&self, field: &str, wrong: &str) -> Error {
        let message = format!("a rule test is wrong: {wrong}");
        Error::new(ErrorKind::Invalid, Code::Configuration, message)
            .with("test", &self.name)
            .with("field", format!("tests.{field}"))
    }
}

fn note(raised: &mut Raised, alert: Alert) {
    let key = (Arc::clone(&alert.rule), alert.selector.shared(), alert.site.clone());
    match alert.state {
        AlertState::Inactive | AlertState::Closed => drop(raised.remove(&key)),
        _ => drop(raised.insert(key, alert)),
    }
}

fn moment(since: Duration) -> Timestamp {
    Timestamp::from_millis(0).saturating_add(since)
}

fn shown(alert: &Alert) -> String {
    let since = alert.state_since.unwrap_or(alert.updated_at).since(Timestamp::from_millis(0));
    let site = alert.site.as_deref().map_or(String::new(), |site| format!(" on {site}"));
    format!(
        "{}{site} {} since {} ({} {} {}, {} samples, {})",
        alert.selector,
        alert.state,
        duration_text::show(since),
        crate::explain::quantity(alert.signal, alert.value),
        alert.comparison,
        crate::explain::quantity(alert.signal, alert.threshold),
        alert.samples,
        alert.severity
    )
}
