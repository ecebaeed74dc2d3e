use super::Check;
use crate::arguments::Global;
use crate::figures;
use crate::progress::Progress;
use crate::settings::{self, Settings};
use crate::state;
use std::path::Path;
use std::time::Duration;
use telemetry_runtime::interfaces::{Ledger, Result, StoreStats, VerifyLevel};
use telemetry_runtime::models::{Alert, AlertSource, ResolutionMethod, Timestamp};
use telemetry_runtime::storage::Store;
use telemetry_runtime::storage::disk::{Disk, OsDisk};

/// File in a store that its writer holds locked.
const LOCK: &str = "LOCK";
/// Clocks of different machines rarely differ by more.
const SKEW: Duration = Duration::from_secs(300);
/// Alerts of detectors are counted back so far.
const DETECTED_WITHIN: Duration = Duration::from_secs(30 * 86_400);
/// Producers whose ledgers get a line of their own when something is odd.
const LISTED: usize = 10;

/// Every check, in the order of dependence; what cannot be reached is not checked.
pub(super) fn all(global: &Global) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let now = settings::now();
    let mut promised = 0.0;
    let path = match Settings::load(global) {
        Ok(settings) => {
            checks.push(configuration(&settings));
            promised = settings.config.alerting.detection.false_alarms_per_day;
            settings.config.storage.path
        }
        Err(error) => {
            checks.push(Check::error("configuration", &error));
            match &global.store {
                Some(store) => store.clone(),
                // Which store is meant is a part of the configuration.
                None => return Ok(checks),
            }
        }
    };
    match settings::open_store(&path) {
        Ok(store) => of_store(&*store, &path, now, &mut checks),
        Err(error) => checks.push(Check::error("store", &error)),
    }
    if path.is_dir() {
        alerts(&path, &mut checks);
        if promised > 0.0 {
            detectors(&path, promised, now, &mut checks);
        }
    }
    Ok(checks)
}

fn configuration(settings: &Settings) -> Check {
    match &settings.file {
        Some(file) => Check::ok("configuration", format!("{} is valid", file.display())),
        None => Check::ok(
            "configuration",
            "no telemetry.toml here; defaults are used (`telemetry init` writes one)",
        ),
    }
}

fn of_store(store: &dyn Store, path: &Path, now: Timestamp, checks: &mut Vec<Check>) {
    let stats = store.stats();
    match &stats {
        Ok(stats) => checks.push(Check::ok(
            "store",
            format!(
                "{} at {}: {} in {}, {}",
                stats.backend,
                path.display(),
                figures::counted(stats.events, "event"),
                figures::counted(stats.files, "file"),
                figures::bytes(stats.bytes)
            ),
        )),
        Err(error) => checks.push(Check::error("store", error)),
    }
    checks.push(writer(path));
    checks.extend(integrity(store));
    let Ok(stats) = stats else { return };
    checks.push(newest(&stats, now));
    match store.ledgers() {
        Ok(found) => ledgers(&found, &stats, checks),
        Err(error) => checks.push(Check::error("ledgers", &error)),
    }
}

/// Whether a program writes to the store at this moment.
fn writer(path: &Path) -> Check {
    let lock = path.join(LOCK);
    match OsDisk.is_locked(&lock) {
        Ok(false) => Check::ok("writer", "no program writes to the store now"),
        Ok(true) => {
            let holder = std::fs::read_to_string(&lock).unwrap_or_default();
            let holder = match holder.trim() {
                "" => "a program",
                holder => holder,
            };
            Check::ok("writer", format!("{holder} writes to the store now"))
        }
        Err(error) => Check::fail(
            "writer",
            format!("cannot look at {}: {error}", lock.display()),
            "allow this user to read the store's directory",
        ),
    }
}

/// Structure, and checksums where the backend has them, with one line for each kind of trouble.
fn integrity(store: &dyn Store) -> Vec<Check> {
    let verified = {
        let progress = Progress::bytes("checking");
        store.verify(VerifyLevel::Quick, &mut |done, all| progress.at(done, all))
    };
    let report = match verified {
        Ok(report) => report,
        Err(error) => return vec![Check::error("integrity", &error)],
    };
    let mut checks = Vec::new();
    match report.damage.first() {
        None => checks.push(Check::ok(
            "integrity",
            match store.backend() {
                "json" => format!(
                    "every line of {} is an event of its day; text has no checksums",
                    figures::counted(report.files, "file")
                ),
                _ => format!(
                    "structure and checksums of {} are right",
                    figures::counted(report.files, "file")
                ),
            },
        )),
        Some(first) => checks.push(Check::fail(
            "integrity",
            format!(
                "{}; the first: {} at byte {}: {}",
                figures::counted(report.damage.len() as u64, "damaged place"),
                first.file,
                first.offset,
                first.what
            ),
            "`telemetry store verify` lists all of them and says what to do",
        )),
    }
    let torn = |note: &&String| note.contains(".seg.torn-");
    if let Some(first) = report.notes.iter().find(torn).or(report.notes.first()) {
        let cure = if torn(&first) {
            "with durability interval or none, acknowledged events may be in a torn end: keep the \
             file; `telemetry store verify` lists all of them"
        } else {
            "no event is lost by it; `telemetry store verify` lists them"
        };
        checks.push(Check::warn(
            "files",
            format!("{}: {first}", figures::counted(report.notes.len() as u64, "unusual file")),
            cure,
        ));
    }
    checks
}

fn newest(stats: &StoreStats, now: Timestamp) -> Check {
    match stats.last {
        None => Check::warn(
            "newest event",
            "the store holds no events",
            "let a program record to it; see the example in the README",
        ),
        Some(last) if last > now.saturating_add(SKEW) => Check::warn(
            "newest event",
            format!("{last}, {} in the future", figures::age(last.since(now))),
            "set the clock of the machine that recorded it, or of this one",
        ),
        Some(last) => {
            Check::ok("newest event", format!("{last}, {} ago", figures::age(now.since(last))))
        }
    }
}

/// Whether every recorded operation is accounted for.
fn ledgers(ledgers: &[Ledger], stats: &StoreStats, checks: &mut Vec<Check>) {
    if ledgers.is_empty() {
        let message = "none: no program has said yet what it recorded";
        checks.push(if stats.events == 0 {
            Check::ok("ledgers", message)
        } else {
            Check::warn("ledgers", message, "losses of programs that keep no ledger stay unknown")
        });
        return;
    }
    let sum = |of: fn(&Ledger) -> u64| ledgers.iter().map(of).sum::<u64>();
    let stored = sum(|ledger| ledger.stored);
    let total = format!(
        "{}: {} recorded = {} stored + {} spooled + {} in flight + {} dropped",
        figures::counted(ledgers.len() as u64, "producer"),
        figures::count(sum(|ledger| ledger.recorded)),
        figures::count(stored),
        figures::count(sum(|ledger| ledger.spooled)),
        figures::count(sum(|ledger| ledger.in_flight)),
        figures::count(sum(Ledger::dropped_total)),
    );
    if let Some(wrong) = ledgers.iter().find(|ledger| !ledger.balances()) {
        checks.push(Check::fail(
            "ledgers",
            format!("{total}; the ledger of {} does not add up", name(wrong)),
            "a defect of the recorder; report it with the output of `telemetry doctor --json`",
        ));
    } else {
        checks.push(Check::ok("ledgers", total));
    }
    if stored > stats.events {
        checks.push(Check::warn(
            "stored events",
            format!(
                "ledgers count {} stored, the store holds {}",
                figures::count(stored),
                figures::count(stats.events)
            ),
            "events were removed, or lost with a loss of power (durability below batch)",
        ));
    }
    let odd =
        |ledger: &&Ledger| ledger.dropped_total() > 0 || ledger.spooled > 0 || ledger.in_flight > 0;
    checks.extend(ledgers.iter().filter(odd).take(LISTED).map(losses));
}

/// What a producer lost or left behind.
fn losses(ledger: &Ledger) -> Check {
    let mut parts: Vec<String> = ledger
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| {
            let reason = serde_json::to_value(reason).ok();
            let reason = reason.as_ref().and_then(|it| it.as_str()).unwrap_or("unknown");
            format!("{} dropped ({reason})", figures::count(*count))
        })
        .collect();
    if ledger.spooled > 0 {
        parts.push(format!("{} in the local spool", figures::count(ledger.spooled)));
    }
    if ledger.in_flight > 0 {
        parts.push(format!("{} in flight", figures::count(ledger.in_flight)));
    }
    let message = format!("{} at {}: {}", name(ledger), ledger.at, parts.join(", "));
    let cure = if ledger.dropped_total() > 0 {
        "queue_full: raise collector.queue_events, or set collector.back_pressure; store_failed: \
         see above why the store failed; docs/errors.md explains TEL-002"
    } else {
        "normal while the program runs; otherwise it ended without shutdown"
    };
    Check::warn("losses", message, cure)
}

fn name(ledger: &Ledger) -> String {
    let run = ledger.run.as_ref().map_or("-", |run| run.as_str());
    let producer = ledger.producer.as_ref().map_or("-", |producer| producer.as_str());
    format!("run {run}, producer {producer}")
}

/// What the detectors may raise falsely, and what people said was false.
fn detectors(store: &Path, promised: f64, now: Timestamp, checks: &mut Vec<Check>) {
    // What is wrong with the book is told by the line about alerts.
    let Ok(Some(book)) = state::book(store) else { return };
    let Ok(alerts) = book.list(&telemetry_runtime::alerting::AlertFilter::default()) else {
        return;
    };
    let recent = |alert: &&Alert| {
        alert.source == AlertSource::Detector
            && alert.fired_at.is_some_and(|at| now.since(at) < DETECTED_WITHIN)
    };
    let raised: Vec<_> = alerts.iter().filter(recent).collect();
    let said_false = |alert: &&&Alert| {
        let resolution = alert.handling.resolution.as_ref();
        resolution.is_some_and(|it| it.method == ResolutionMethod::FalsePositive)
    };
    let wrong = raised.iter().filter(said_false).count() as f64;
    let days = DETECTED_WITHIN.as_secs_f64() / 86_400.0;
    let found = format!(
        "promised at most {promised} false alarms a day over all selectors (and 0.012 once for each \
         new one); {} raised in {days:.0} days, {wrong} of them resolved as false_positive: {:.3} a day",
        raised.len(),
        wrong / days
    );
    checks.push(if wrong > promised * days + 1.0 {
        Check::warn("detectors", found, "lower `alerting.detection.false_alarms_per_day`")
    } else {
        Check::ok("detectors", found)
    });
}

/// Alerts, and notifications on their way.
fn alerts(store: &Path, checks: &mut Vec<Check>) {
    let book = match state::book(store) {
        Ok(Some(book)) => book,
        Ok(None) => {
            checks.push(Check::ok("alerts", "none are kept here"));
            return;
        }
        Err(error) => {
            checks.push(Check::error("alerts", &error));
            return;
        }
    };
    match book.list(&telemetry_runtime::alerting::AlertFilter::open()) {
        Ok(open) if open.is_empty() => checks.push(Check::ok("alerts", "none is open")),
        Ok(open) => checks.push(Check::warn(
            "alerts",
            format!("{} open", figures::count(open.len() as u64)),
            "`telemetry alerts list`",
        )),
        Err(error) => checks.push(Check::error("alerts", &error)),
    }
    match book.outbox() {
        Ok(waiting) if waiting.is_empty() => {
            checks.push(Check::ok("notifications", "none waits to be sent"));
        }
        Ok(waiting) => checks.push(Check::warn(
            "notifications",
            format!("{} waiting to be sent", figures::count(waiting.len() as u64)),
            "normal while a program runs; otherwise they are sent when it starts again",
        )),
        Err(error) => checks.push(Check::error("notifications", &error)),
    }
    match book.dead_letters() {
        Ok(dead) => {
            if let Some(last) = dead.iter().max_by_key(|it| it.notification.at) {
                let reason = last.error.as_deref().unwrap_or("no reason given");
                checks.push(Check::warn(
                    "dead letters",
                    format!(
                        "{} given up; the latest to {:?}: {reason}",
                        figures::counted(dead.len() as u64, "notification"),
                        last.channel
                    ),
                    "correct the channel in the configuration and try it with `telemetry alerts \
                     test`; `telemetry alerts list` shows what was not announced",
                ));
            }
        }
        Err(error) => checks.push(Check::error("dead letters", &error)),
    }
}
