//! What needs somebody: derived from the events, joined with open alerts.

use crate::alerts::Family;
use crate::change::{self, ShareChange, share};
use crate::collect::Row;
use crate::config::ReportingConfig;
use crate::rows::{ms, site_name};
use crate::text::{self, counted, millis, percent, rounded};
use telemetry_aggregation::{Bucket, SelectorSummary, Z_95, wilson};
use telemetry_models::report::{Finding, FindingKind, Measure};
use telemetry_models::{EventId, OutcomeClass, SelectorName, Severity, Signal, Timestamp};

const LOOK_AT_EVENTS: &str =
    "Open the page of one of the example events and adapt the selector to what is there now.";

/// Operations that show how it is now.
const LATEST: u64 = 20;

/// Judges one selector on one site.
pub(crate) fn of_row(
    config: &ReportingConfig,
    selector: &SelectorName,
    site: &str,
    row: &Row,
) -> Vec<Finding> {
    let judge = Judge { config, selector, site, row };
    let mut findings = Vec::new();
    match judge.working() {
        // How fast or sure something is that does not work says nothing more.
        Some(finding) if is_broken(&finding) => return vec![finding],
        finding => findings.extend(finding),
    }
    findings.extend(judge.fallback());
    findings.extend(judge.confidence());
    findings.extend(judge.duration());
    findings
}

/// Judges one site.
pub(crate) fn of_site(
    config: &ReportingConfig,
    site: &str,
    summary: &SelectorSummary,
) -> Option<Finding> {
    let spoilt = summary.of_class(OutcomeClass::EnvironmentFault);
    let n = summary.operations();
    if n < config.min_samples || wilson(spoilt, n, Z_95)?.low < config.site_trouble_share {
        return None;
    }
    let (outcome, most) = summary
        .outcomes
        .iter()
        .filter(|(outcome, _)| outcome.class() == OutcomeClass::EnvironmentFault)
        .max_by_key(|(_, count)| **count)?;
    let share = spoilt as f64 / n as f64;
    Some(Finding {
        kind: FindingKind::SiteTrouble,
        severity: if share >= 0.5 { Severity::High } else { Severity::Medium },
        selector: None,
        site: site_name(site),
        what: format!(
            "{} of {} ended without testing a selector, {} of them as {outcome}.",
            percent(share),
            counted(n, "operation"),
            text::count(*most),
        ),
        since: None,
        since_within_s: None,
        before: None,
        after: Some(Measure { signal: Signal::EnvironmentFaultRate, value: rounded(share, 6), n }),
        affected: spoilt,
        evidence: Vec::new(),
        url: None,
        likely_cause: None,
        suggestion: Some("Check whether the site is reachable and lets this client in.".into()),
        alerts: Vec::new(),
    })
}

/// Whether the finding means that the selector does not work.
pub(crate) fn is_broken(finding: &Finding) -> bool {
    match finding.kind {
        FindingKind::StoppedWorking | FindingKind::NeverWorked => true,
        FindingKind::SucceedsLess | FindingKind::Unreliable => finding.severity >= Severity::High,
        FindingKind::Alert => {
            finding.severity >= Severity::High
                && finding.after.is_some_and(|it| Family::of(it.signal) == Family::Success)
        }
        _ => false,
    }
}

/// Most urgent first; the same findings always come in the same order.
pub(crate) fn rank(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let urgency = |it: &Finding| (it.severity, is_broken(it), it.affected);
        urgency(b)
            .cmp(&urgency(a))
            .then_with(|| (&a.selector, &a.site, a.kind).cmp(&(&b.selector, &b.site, b.kind)))
    });
}

struct Judge<'a> {
    config: &'a ReportingConfig,
    selector: &'a SelectorName,
    site: &'a str,
    row: &'a Row,
}

impl Judge<'_> {
    fn working(&self) -> Option<Finding> {
        let summary = &self.row.summary;
        let (successes, verdicts) = (summary.successes(), summary.verdicts());
        if verdicts < self.config.min_samples.min(self.config.stopped_faults) {
            return None;
        }
        if successes == 0 {
            return (verdicts >= self.config.min_samples).then(|| self.never_worked(verdicts));
        }
        if let Some(finding) = self.stopped(successes, verdicts) {
            return Some(finding);
        }
        let less = change::of_share(&self.steps(), self.config.min_samples, false, |bucket| {
            (bucket.successes, bucket.verdicts)
        })
        .filter(|it| share(it.before) - share(it.after) >= self.config.success_drop);
        if let Some(change) = less {
            return Some(Finding {
                severity: severity_of_share(share(change.after)),
                since: Some(change.since),
                since_within_s: self.step_s(),
                before: measure(Signal::SuccessRate, change.before),
                after: measure(Signal::SuccessRate, change.after),
                affected: change.after.1 - change.after.0,
                evidence: self.faults(),
                suggestion: Some(LOOK_AT_EVENTS.into()),
                ..self.finding(
                    FindingKind::SucceedsLess,
                    format!(
                        "Succeeds less often: {} of {}, before {} of {}.",
                        percent(share(change.after)),
                        counted(change.after.1, "operation"),
                        percent(share(change.before)),
                        text::count(change.before.1),
                    ),
                )
            });
        }
        let surely_low = |(successes, n): (u64, u64)| {
            wilson(successes, n, Z_95).is_some_and(|it| it.high < self.config.reliable_share)
        };
        // What has recovered needs nobody.
        let counts: Vec<_> =
            self.steps().iter().map(|(_, step)| (step.successes, step.verdicts)).collect();
        let latest = change::tail(&counts, LATEST).unwrap_or((successes, verdicts));
        if verdicts < self.config.min_samples
            || !surely_low((successes, verdicts))
            || !surely_low(latest)
        {
            return None;
        }
        let rate = (successes, verdicts);
        Some(Finding {
            severity: severity_of_share(share(rate)),
            after: measure(Signal::SuccessRate, rate),
            affected: verdicts - successes,
            evidence: self.faults(),
            suggestion: Some(LOOK_AT_EVENTS.into()),
            ..self.finding(
                FindingKind::Unreliable,
                format!(
                    "Fails often: {} of {} succeeded.",
                    percent(share(rate)),
                    counted(verdicts, "operation")
                ),
            )
        })
    }

    fn never_worked(&self, verdicts: u64) -> Finding {
        Finding {
            severity: Severity::High,
            since: self.row.course.faults_since,
            after: measure(Signal::SuccessRate, (0, verdicts)),
            affected: verdicts,
            evidence: self.faults(),
            suggestion: Some(
                "Check whether the definition fits the pages it is used on; example events show \
                 where it was tried."
                    .into(),
            ),
            ..self.finding(
                FindingKind::NeverWorked,
                format!("Never worked in this period: 0 of {}.", counted(verdicts, "operation")),
            )
        }
    }

    /// A run of faults up to the end that chance does not explain: with the share of faults before
    /// it (by the rule of succession), a run as long comes by chance less than once in 1,000.
    fn stopped(&self, successes: u64, verdicts: u64) -> Option<Finding> {
        let course = &self.row.course;
        let run = course.fault_run;
        let before = verdicts.checked_sub(run)?;
        let fault_share = (before.saturating_sub(successes) + 1) as f64 / (before + 2) as f64;
        if run < self.config.stopped_faults
            || fault_share.powi(i32::try_from(run).unwrap_or(i32::MAX)) > 0.001
        {
            return None;
        }
        Some(Finding {
            severity: Severity::High,
            since: course.faults_since,
            before: measure(Signal::SuccessRate, (successes, before)),
            after: measure(Signal::SuccessRate, (0, run)),
            affected: run,
            evidence: course.first_faults.clone(),
            suggestion: Some(LOOK_AT_EVENTS.into()),
            ..self.finding(
                FindingKind::StoppedWorking,
                format!(
                    "Stopped working: {} in a row failed, after {} of {} had succeeded.",
                    counted(run, "operation"),
                    text::count(successes),
                    text::count(before),
                ),
            )
        })
    }

    fn fallback(&self) -> Option<Finding> {
        let change = change::of_share(&self.steps(), self.config.min_samples, true, |bucket| {
            (bucket.fallbacks, bucket.depths)
        })
        .filter(|it| share(it.after) - share(it.before) >= self.config.fallback_rise);
        let course = &self.row.course;
        let evidence: Vec<EventId> = course.recent_fallbacks.iter().cloned().collect();
        let suggestion = course.latest_fallback.as_ref().map(|(kind, text)| {
            let text = text.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
            format!("Put {kind}{text} first: it finds the element now.")
        });
        if let Some(change) = change {
            let (change, since_within_s) = match self.exact_fallback(&change) {
                Some(exact) => (exact, None),
                None => (change, self.step_s()),
            };
            return Some(Finding {
                severity: Severity::Medium,
                since: Some(change.since),
                since_within_s,
                before: measure(Signal::FallbackRate, change.before),
                after: measure(Signal::FallbackRate, change.after),
                affected: change.after.0,
                evidence,
                suggestion,
                ..self.finding(
                    FindingKind::FallbackTookOver,
                    format!(
                        "A fallback took over: needed in {} of {}, before in {} of {}.",
                        percent(share(change.after)),
                        counted(change.after.1, "operation"),
                        percent(share(change.before)),
                        text::count(change.before.1),
                    ),
                )
            });
        }
        let summary = &self.row.summary;
        let always = (summary.fallbacks(), summary.depths_known());
        if always.1 < self.config.min_samples || wilson(always.0, always.1, Z_95)?.low < 0.8 {
            return None;
        }
        Some(Finding {
            severity: Severity::Low,
            after: measure(Signal::FallbackRate, always),
            affected: always.0,
            evidence,
            suggestion,
            ..self.finding(
                FindingKind::FallbackTookOver,
                format!(
                    "Lives on a fallback: needed in {} of {}.",
                    percent(share(always)),
                    counted(always.1, "operation")
                ),
            )
        })
    }

    /// The same change, split between two events instead of two steps: possible when every success
    /// from the change on needed a fallback.
    fn exact_fallback(&self, change: &ShareChange) -> Option<ShareChange> {
        let steps = self.steps();
        let course = &self.row.course;
        let run = course.fallback_run;
        let since = course.fallbacks_since?;
        let earliest = steps.get(change.sides.before_end.checked_sub(1)?)?.0;
        let latest = change.since.saturating_add(self.row.summary.timeline.width());
        let all = steps
            .iter()
            .fold((0, 0), |sum, (_, step)| (sum.0 + step.fallbacks, sum.1 + step.depths));
        let before = (all.0.checked_sub(run)?, all.1.checked_sub(run)?);
        let min = self.config.min_samples;
        (earliest <= since && since < latest && run >= min && before.1 >= min)
            .then_some(ShareChange { since, before, after: (run, run), ..*change })
    }

    fn confidence(&self) -> Option<Finding> {
        let change = change::of_confidence(&self.steps(), self.config.min_samples)?;
        let (before, after) = (change.before.mean()?, change.after.mean()?);
        if before - after < self.config.confidence_drop {
            return None;
        }
        let measure = |value: f64, n: u64| {
            Some(Measure { signal: Signal::Confidence, value: rounded(value, 6), n })
        };
        Some(Finding {
            severity: if after < 0.5 { Severity::Medium } else { Severity::Low },
            since: Some(change.since),
            since_within_s: self.step_s(),
            before: measure(before, change.before.n),
            after: measure(after, change.after.n),
            affected: change.after.n,
            evidence: self.successes(),
            suggestion: Some(
                "Compare what an example event matched with what it should have matched.".into(),
            ),
            ..self.finding(
                FindingKind::ConfidenceFell,
                format!(
                    "Confidence fell to {after:.2} over {}, before {before:.2} over {}.",
                    counted(change.after.n, "operation"),
                    text::count(change.before.n),
                ),
            )
        })
    }

    fn duration(&self) -> Option<Finding> {
        let change = change::of_duration(&self.steps(), self.config.min_samples)?;
        let (before, after) = (ms(change.before.0), ms(change.after.0));
        if after < before * self.config.slow_ratio || after - before < self.config.slow_min_ms {
            return None;
        }
        let measure = |value: f64, n: u64| Some(Measure { signal: Signal::DurationMs, value, n });
        Some(Finding {
            severity: if after >= before * 3.0 { Severity::Medium } else { Severity::Low },
            since: Some(change.since),
            since_within_s: self.step_s(),
            before: measure(before, change.before.1),
            after: measure(after, change.after.1),
            affected: change.after.1,
            evidence: self.successes(),
            suggestion: Some("See in the strategy table which strategy takes the time.".into()),
            ..self.finding(
                FindingKind::Slowed,
                format!(
                    "Slowed: median {} over {}, before {} over {}.",
                    millis(after),
                    counted(change.after.1, "successful operation"),
                    millis(before),
                    text::count(change.before.1),
                ),
            )
        })
    }

    fn finding(&self, kind: FindingKind, what: String) -> Finding {
        let about_faults = matches!(
            kind,
            FindingKind::StoppedWorking
                | FindingKind::NeverWorked
                | FindingKind::SucceedsLess
                | FindingKind::Unreliable
        );
        let url = self.row.course.fault_url.as_deref().filter(|_| about_faults);
        Finding {
            kind,
            severity: Severity::Low,
            selector: Some(self.selector.clone()),
            site: site_name(self.site),
            what,
            since: None,
            since_within_s: None,
            before: None,
            after: None,
            affected: 0,
            evidence: Vec::new(),
            url: url.map(str::to_owned),
            likely_cause: None,
            suggestion: None,
            alerts: Vec::new(),
        }
    }

    fn steps(&self) -> Vec<(Timestamp, &Bucket)> {
        self.row.summary.timeline.buckets().collect()
    }

    fn step_s(&self) -> Option<u64> {
        Some(self.row.summary.timeline.width().as_secs())
    }

    fn faults(&self) -> Vec<EventId> {
        self.row.course.recent_faults.iter().cloned().collect()
    }

    fn successes(&self) -> Vec<EventId> {
        self.row.course.recent_successes.iter().cloned().collect()
    }
}

fn severity_of_share(share: f64) -> Severity {
    if share < 0.5 { Severity::High } else { Severity::Medium }
}

fn measure(signal: Signal, (count, n): (u64, u64)) -> Option<Measure> {
    (n > 0).then(|| Measure { signal, value: rounded(count as f64 / n as f64, 6), n })
}
