use super::drive::Tally;
use super::judge::Judgement;
use super::next::Next;
use super::shop::deed;
use super::wrap::wrap;
use crate::console::Tone;
use crate::figures::{bytes, count, counted};
use crate::plain::plain;
use std::path::PathBuf;

/// Columns of the whole; only a path or command that is longer may exceed it.
const WIDTH: usize = 80;
/// Most lines that explain what was not as expected.
const EXPLAINED: usize = 4;

/// What became of the events.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Operations executed.
    pub(crate) executed: u64,
    /// Events the store acknowledged.
    pub(crate) stored: u64,
    /// Events given up.
    pub(crate) dropped: u64,
    /// Events read from the store after it was opened again.
    pub(crate) read_back: u64,
    /// Bytes of the store's events.
    pub(crate) bytes: u64,
    /// The HTML report.
    pub(crate) html: PathBuf,
}

/// How the demo went.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    /// What was found.
    pub(crate) judgement: Judgement,
    /// What was done.
    pub(crate) tally: Tally,
    /// What became of the events.
    pub(crate) figures: Figures,
    /// Whether a part did not end in order.
    pub(crate) troubled: bool,
    /// What to try next.
    pub(crate) next: &'a Next,
}

impl Summary<'_> {
    /// Whether everything that had to raise an alert did, nothing else, and nothing was lost.
    pub(crate) fn passed(&self) -> bool {
        !self.tally.interrupted && !self.troubled && self.complaints().is_empty()
    }

    /// At most 24 lines with their tone.
    pub(crate) fn lines(&self) -> Vec<(Tone, String)> {
        let normal = |text: String| (Tone::Normal, text);
        let mut lines = vec![self.title(), normal(String::new())];
        lines.extend(self.rows());
        lines.push(normal(String::new()));
        let figures = &self.figures;
        let lost = figures.executed.saturating_sub(figures.read_back);
        lines.push(normal(format!(
            "  {}, {} stored, {} read back from disk, {} lost",
            counted(figures.executed, "operation"),
            counted(figures.stored, "event"),
            count(figures.read_back),
            count(lost),
        )));
        lines.push(normal(format!(
            "  {} fetched in {:.1} s; the events take {} on disk",
            counted(self.tally.pages, "page"),
            self.tally.elapsed.as_secs_f64(),
            bytes(figures.bytes),
        )));
        let complaints = self.complaints();
        if !complaints.is_empty() {
            lines.push(normal(String::new()));
            lines.extend(explained(&complaints).into_iter().map(|line| (Tone::Bad, line)));
        }
        let html = figures.html.display().to_string();
        lines.push(normal(String::new()));
        lines.push(normal(format!("  Report  {}", plain(&html))));
        lines.push(normal(String::new()));
        lines.push((Tone::Strong, "Try next".to_owned()));
        for command in [self.next.report(), self.next.failures(), self.next.alerts()] {
            lines.push(normal(format!("  {}", plain(&command))));
        }
        lines
    }

    fn title(&self) -> (Tone, String) {
        let (found, problems) = (self.judgement.found(), self.judgement.problems.len());
        let alarms = counted(self.judgement.false_alarms.len() as u64, "false alarm");
        if self.tally.interrupted {
            let title =
                format!("Interrupted: {found} of {problems} problems found by then, {alarms}");
            (Tone::Doubtful, title)
        } else if self.passed() {
            (Tone::Good, format!("All {problems} problems found, no false alarm, no event lost"))
        } else {
            let title = format!("Not as expected: {found} of {problems} problems found, {alarms}");
            (Tone::Bad, title)
        }
    }

    fn rows(&self) -> Vec<(Tone, String)> {
        let Some(changed_at) = self.tally.changed_at else {
            return vec![(Tone::Normal, "  The shop had not been redesigned yet".to_owned())];
        };
        let row = |name: &str, what: &str, said: &str| format!("  {name:<24} {what:<20} {said}");
        let judgement = &self.judgement;
        let mut rows = Vec::new();
        for problem in &judgement.problems {
            let (tone, said) = match &problem.alert {
                Some(alert) => {
                    let fired = alert.fired_at.unwrap_or(alert.updated_at);
                    let after = fired.since(changed_at).as_secs_f64();
                    let severity = alert.severity.as_str();
                    (Tone::Good, format!("{severity} alert after {after:.1} s"))
                }
                None if self.tally.interrupted => (Tone::Normal, "no alert yet".to_owned()),
                None => (Tone::Bad, "no alert".to_owned()),
            };
            rows.push((tone, row(problem.selector, deed(problem.fate), &said)));
        }
        let quiet = |name: &str| {
            let alarms = &judgement.false_alarms;
            !alarms.iter().any(|alert| alert.selector.as_str() == name)
        };
        for name in &judgement.absent {
            let (tone, said) = match quiet(name) {
                true => (Tone::Good, "no alert, rightly"),
                false => (Tone::Bad, "false alarm"),
            };
            let what = deed(shop_site::Fate::Absent);
            rows.push((tone, row(name, what, said)));
        }
        let changed = |name: &str| {
            judgement.problems.iter().any(|it| it.selector == name)
                || judgement.absent.contains(&name)
        };
        let alarms = judgement.false_alarms.iter();
        let alarms = alarms.filter(|alert| !changed(alert.selector.as_str())).count();
        let (tone, said) = match alarms {
            0 => (Tone::Good, "no alert, rightly".to_owned()),
            alarms => (Tone::Bad, counted(alarms as u64, "false alarm")),
        };
        let name = format!("{} other selectors", judgement.healthy);
        rows.push((tone, row(&name, "work as before", &said)));
        rows
    }

    /// What was not as expected, a sentence each.
    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let missing = self.judgement.problems.iter().filter(|it| it.alert.is_none());
        for problem in missing.filter(|_| !self.tally.interrupted) {
            complaints.push(format!(
                "{} {}, but no alert said so in {}",
                problem.selector,
                deed(problem.fate),
                counted(self.tally.visits_after, "visit"),
            ));
        }
        for alert in &self.judgement.false_alarms {
            complaints.push(format!("nobody expected {}: {}", alert.rule, alert.summary));
        }
        let figures = &self.figures;
        if figures.stored != figures.executed || figures.read_back != figures.executed {
            complaints.push(format!(
                "{} were executed, {} stored ({} given up) and {} read back: the numbers should \
                 be equal",
                counted(figures.executed, "operation"),
                counted(figures.stored, "event"),
                count(figures.dropped),
                count(figures.read_back),
            ));
        }
        if self.troubled {
            complaints.push("a part did not end in order; its error is shown above".to_owned());
        }
        complaints
    }
}

/// As many complaints as there is room for, and how many there are beyond.
fn explained(complaints: &[String]) -> Vec<String> {
    let wrapped: Vec<_> = complaints.iter().map(|text| wrap("  - ", &plain(text), WIDTH)).collect();
    if wrapped.iter().map(Vec::len).sum::<usize>() <= EXPLAINED {
        return wrapped.concat();
    }
    let mut lines = Vec::new();
    for (shown, complaint) in wrapped.iter().enumerate() {
        if lines.len() + complaint.len() >= EXPLAINED {
            lines.push(format!("  - and {} more", complaints.len() - shown));
            break;
        }
        lines.extend_from_slice(complaint);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Figures, Summary};
    use crate::demo::drive::Tally;
    use crate::demo::folder::Folder;
    use crate::demo::judge::judge;
    use crate::demo::judge::tests::{alert, at};
    use crate::demo::next::Next;
    use expect_test::{Expect, expect};
    use shop_site::catalogue;
    use std::time::Duration;
    use telemetry_runtime::models::{Alert, Signal};
    use unicode_width::UnicodeWidthStr;

    const RIGHT: [(&str, Signal, i64); 4] = [
        ("shop.product.stock", Signal::ErrorRate, 10_420),
        ("shop.product.rating", Signal::FallbackRate, 10_560),
        ("shop.reviews.bodies", Signal::DurationMs, 12_000),
        ("shop.product.price", Signal::Confidence, 30_900),
    ];

    fn check(fired: &[Alert], change: impl FnOnce(&mut Summary<'_>), expected: Expect) -> bool {
        let next = Next::of("cargo run --release --", "telemetry-demo/run-12/store");
        let mut summary = Summary {
            judgement: judge(&catalogue(), fired, Some(at(10_000))),
            tally: Tally {
                operations: 4_004,
                pages: 1_716,
                visits_after: 143,
                elapsed: Duration::from_millis(20_040),
                changed_at: Some(at(10_000)),
                interrupted: false,
            },
            figures: Figures {
                executed: 4_004,
                stored: 4_004,
                dropped: 0,
                read_back: 4_004,
                bytes: 123_456,
                html: "telemetry-demo/run-12/report.html".into(),
            },
            troubled: false,
            next: &next,
        };
        change(&mut summary);
        let lines: Vec<_> = summary.lines().into_iter().map(|(_, line)| line).collect();
        assert!(lines.len() <= 24, "{}", lines.len());
        assert!(lines.iter().all(|line| line.width() <= 80), "{lines:#?}");
        expected.assert_eq(&lines.join("\n"));
        summary.passed()
    }

    fn right() -> Vec<Alert> {
        RIGHT.iter().map(|(selector, signal, ms)| alert(selector, *signal, *ms)).collect()
    }

    #[test]
    fn all_as_expected() {
        assert!(check(
            &right(),
            |_| {},
            expect![[r#"
            All 4 problems found, no false alarm, no event lost

              shop.product.stock       broke                high alert after 0.4 s
              shop.product.rating      fell back            high alert after 0.6 s
              shop.product.price       lost confidence      high alert after 20.9 s
              shop.reviews.bodies      slowed down          high alert after 2.0 s
              shop.product.sale_badge  went away, as it may no alert, rightly
              9 other selectors        work as before       no alert, rightly

              4,004 operations, 4,004 events stored, 4,004 read back from disk, 0 lost
              1,716 pages fetched in 20.0 s; the events take 120.6 KiB on disk

              Report  telemetry-demo/run-12/report.html

            Try next
              cargo run --release -- report --store telemetry-demo/run-12/store
              cargo run --release -- query --failed --store telemetry-demo/run-12/store
              cargo run --release -- alerts list --store telemetry-demo/run-12/store"#]]
        ));
    }

    #[test]
    fn everything_wrong_still_fits_a_screen() {
        let fired: Vec<_> =
            catalogue().iter().map(|shop| alert(shop.name, Signal::TimeoutRate, 5_000)).collect();
        let passed = check(
            &fired,
            |summary| {
                summary.figures.read_back = 4_000;
                summary.troubled = true;
            },
            expect![[r#"
                Not as expected: 0 of 4 problems found, 14 false alarms

                  shop.product.stock       broke                no alert
                  shop.product.rating      fell back            no alert
                  shop.product.price       lost confidence      no alert
                  shop.reviews.bodies      slowed down          no alert
                  shop.product.sale_badge  went away, as it may false alarm
                  9 other selectors        work as before       9 false alarms

                  4,004 operations, 4,004 events stored, 4,000 read back from disk, 4 lost
                  1,716 pages fetched in 20.0 s; the events take 120.6 KiB on disk

                  - shop.product.stock broke, but no alert said so in 143 visits
                  - shop.product.rating fell back, but no alert said so in 143 visits
                  - shop.product.price lost confidence, but no alert said so in 143 visits
                  - and 17 more

                  Report  telemetry-demo/run-12/report.html

                Try next
                  cargo run --release -- report --store telemetry-demo/run-12/store
                  cargo run --release -- query --failed --store telemetry-demo/run-12/store
                  cargo run --release -- alerts list --store telemetry-demo/run-12/store"#]],
        );
        assert!(!passed);
    }

    #[test]
    fn one_missing() {
        assert!(!check(
            &right()[..3],
            |_| {},
            expect![[r#"
            Not as expected: 3 of 4 problems found, 0 false alarms

              shop.product.stock       broke                high alert after 0.4 s
              shop.product.rating      fell back            high alert after 0.6 s
              shop.product.price       lost confidence      no alert
              shop.reviews.bodies      slowed down          high alert after 2.0 s
              shop.product.sale_badge  went away, as it may no alert, rightly
              9 other selectors        work as before       no alert, rightly

              4,004 operations, 4,004 events stored, 4,004 read back from disk, 0 lost
              1,716 pages fetched in 20.0 s; the events take 120.6 KiB on disk

              - shop.product.price lost confidence, but no alert said so in 143 visits

              Report  telemetry-demo/run-12/report.html

            Try next
              cargo run --release -- report --store telemetry-demo/run-12/store
              cargo run --release -- query --failed --store telemetry-demo/run-12/store
              cargo run --release -- alerts list --store telemetry-demo/run-12/store"#]]
        ));
    }

    #[test]
    fn a_lost_event_is_a_failure() {
        let mut summary_passed = true;
        check(
            &right(),
            |summary| {
                summary.figures.stored = 4_003;
                summary.figures.dropped = 1;
                summary.figures.read_back = 4_003;
                summary_passed = summary.passed();
            },
            expect![[r#"
                Not as expected: 4 of 4 problems found, 0 false alarms

                  shop.product.stock       broke                high alert after 0.4 s
                  shop.product.rating      fell back            high alert after 0.6 s
                  shop.product.price       lost confidence      high alert after 20.9 s
                  shop.reviews.bodies      slowed down          high alert after 2.0 s
                  shop.product.sale_badge  went away, as it may no alert, rightly
                  9 other selectors        work as before       no alert, rightly

                  4,004 operations, 4,003 events stored, 4,003 read back from disk, 1 lost
                  1,716 pages fetched in 20.0 s; the events take 120.6 KiB on disk

                  - 4,004 operations were executed, 4,003 events stored (1 given up) and 4,003
                    read back: the numbers should be equal

                  Report  telemetry-demo/run-12/report.html

                Try next
                  cargo run --release -- report --store telemetry-demo/run-12/store
                  cargo run --release -- query --failed --store telemetry-demo/run-12/store
                  cargo run --release -- alerts list --store telemetry-demo/run-12/store"#]],
        );
        assert!(!summary_passed);
    }

    #[test]
    fn interrupted_before_the_change() {
        let passed = check(
            &[],
            |summary| {
                summary.tally.interrupted = true;
                summary.tally.changed_at = None;
                summary.judgement = judge(&catalogue(), &[], None);
            },
            expect![[r#"
                Interrupted: 0 of 4 problems found by then, 0 false alarms

                  The shop had not been redesigned yet

                  4,004 operations, 4,004 events stored, 4,004 read back from disk, 0 lost
                  1,716 pages fetched in 20.0 s; the events take 120.6 KiB on disk

                  Report  telemetry-demo/run-12/report.html

                Try next
                  cargo run --release -- report --store telemetry-demo/run-12/store
                  cargo run --release -- query --failed --store telemetry-demo/run-12/store
                  cargo run --release -- alerts list --store telemetry-demo/run-12/store"#]],
        );
        assert!(!passed);
    }

    #[test]
    fn the_commands_name_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::create(directory.path()).unwrap();
        assert!(Next::new(&folder).alerts().contains("run-1"));
    }
}
