use super::{named, schedules};
use crate::arguments::Global;
use crate::commands::report;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome, Stop};
use crate::files;
use crate::plain::plain;
use crate::settings::{self, Settings};
use clap::Args;
use serde::Serialize;
use std::error::Error as _;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;
use telemetry_runtime::alerting::couriers;
use telemetry_runtime::interfaces::{Code, Document, Error, ErrorKind, Receipt, Result};
use telemetry_runtime::models::Timestamp;
use telemetry_runtime::models::report::Report;
use telemetry_runtime::reporting::schedule::{Due, LastRun, RunOutcome, Schedule, Scheduler};
use telemetry_runtime::storage::SqliteState;

/// Make the reports that are due, write and deliver them
#[derive(Args, Debug)]
#[command(after_help = "\
What was made is remembered beside the store: no report is made twice, and what fell due while
nothing ran is made up for as the schedule's catch_up says. A schedule that is new begins with its
next due time. A report that fails is tried again after one minute and after five; what went
wrong is written beside the reports (NAME-TIME.failed.md) and delivered like them.

Exit code 1 when a report failed or was not delivered.

Examples:
  telemetry schedule run                 what is due now, for cron or systemd
  telemetry schedule run --watch         until stopped
  telemetry schedule run --now daily     one now, whether due or not")]
pub(crate) struct RunArgs {
    /// Go on until stopped
    #[arg(long, conflicts_with = "now")]
    watch: bool,

    /// Make the report of this schedule now, up to now, without counting it as due
    #[arg(long, value_name = "NAME")]
    now: Option<String>,
}

/// How long `--watch` sleeps at most, so that it notices when the clock is set.
const NAP: Duration = Duration::from_secs(20);
/// How long a channel may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(args: &RunArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let schedules = schedules(&settings)?;
    for schedule in &schedules {
        // A name that no channel has is an error now, not when the report is due.
        couriers(&settings.config.alerting, &schedule.deliver)
            .map_err(|error| error.with("schedule", &schedule.name))?;
    }
    // Opened before the state is made: a wrong path must not become a store.
    settings.open_store()?;
    if let Some(name) = &args.now {
        let schedule = named(&schedules, name)?;
        let due = Due { schedule, at: settings.now, tries: 0, missed: 0 };
        let made = make(&due, &settings, global, console)?;
        return Ok(Exit::fine_if(made.outcome == RunOutcome::Made));
    }
    let Some(_lock) = lock(settings.store_path())? else {
        console.note("another process makes the reports of this store; nothing is done here");
        return Ok(Exit::Fine);
    };
    let state = SqliteState::open(settings.store_path())?;
    let scheduler = Scheduler::new(&schedules, &state);
    let mut exit = Exit::Fine;
    loop {
        let now = if args.watch { settings::now() } else { settings.now };
        let mut failed: Option<&str> = None;
        for due in scheduler.due(now)? {
            let name = due.schedule.name.as_str();
            if failed == Some(name) {
                // Later ones of the schedule wait, so that none is passed over.
                continue;
            }
            let made = make(&due, &settings, global, console)?;
            if made.outcome != RunOutcome::Made {
                failed = Some(name);
                exit = Exit::Failed;
            }
            scheduler.record(&due, made)?;
        }
        if !args.watch {
            return Ok(exit);
        }
        console.finish()?;
        let now = settings::now();
        let rest = scheduler.next(now)?.map_or(NAP, |next| next.since(now));
        std::thread::sleep(rest.clamp(Duration::from_millis(10), NAP));
    }
}

/// `None` when somebody else holds it.
fn lock(store: &Path) -> Result<Option<File>> {
    let path = store.join("state.db.schedules.lock");
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, "cannot lock the schedules")
            .with("file", path.display())
            .source(error)
            .cure("allow this user to write to the store's directory")
    };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[derive(Serialize)]
struct Told<'a> {
    schedule: &'a str,
    due: Timestamp,
    outcome: RunOutcome,
    detail: &'a str,
    files: &'a [String],
}

/// Makes, writes and delivers one report, or says what stands in the way.
fn make(
    due: &Due<'_>,
    settings: &Settings,
    global: &Global,
    console: &mut Console,
) -> std::result::Result<LastRun, Stop> {
    let mut files = Vec::new();
    let tried = attempt(due, settings, &mut files);
    let (outcome, error) = match tried {
        Ok(()) => (RunOutcome::Made, None),
        Err(error) if files.is_empty() => (RunOutcome::Failed, Some(error)),
        Err(error) => (RunOutcome::Undelivered, Some(error)),
    };
    let schedule = due.schedule;
    let failure = schedule.directory.join(schedule.file_name(due.at, "failed.md"));
    match &error {
        None if failure.exists() => {
            // Left behind by an earlier try of the same; a leftover does no harm.
            let _ = std::fs::remove_file(&failure);
        }
        None => {}
        Some(error) => {
            if let Err(second) = tell_failure(due, error, &failure, settings) {
                console.note(format_args!("the failure itself cannot be told: {second}"));
            }
        }
    }
    let detail = error.as_ref().map(chain).unwrap_or_default();
    let ran =
        LastRun { due: due.at, ran: settings::now(), outcome, detail, files, missed: due.missed };
    if global.json {
        console.json_line(&Told {
            schedule: &schedule.name,
            due: due.at,
            outcome,
            detail: &ran.detail,
            files: &ran.files,
        })?;
        return Ok(ran);
    }
    let (tone, word) = match outcome {
        RunOutcome::Made => (Tone::Good, "ok"),
        RunOutcome::Undelivered | RunOutcome::Failed => (Tone::Bad, "fail"),
    };
    let word = console.paint(tone, word);
    console.line(format_args!("{word}  {} of {}", schedule.name, due.at))?;
    for file in &ran.files {
        console.line(format_args!("    {}", plain(file)))?;
    }
    if !ran.detail.is_empty() {
        console.line(format_args!("    {}", plain(&ran.detail)))?;
    }
    if due.missed > 0 {
        let missed = due.missed;
        console.line(format_args!("    {missed} before it fell due while nothing ran"))?;
    }
    Ok(ran)
}

fn attempt(due: &Due<'_>, settings: &Settings, files: &mut Vec<String>) -> Result<()> {
    let schedule = due.schedule;
    let report = report::scheduled(schedule, due.at, settings)?;
    report::refuse_store(&schedule.directory.join("report"), settings.store_path())?;
    std::fs::create_dir_all(&schedule.directory)
        .map_err(|error| unwritable(&schedule.directory, error))?;
    let mut first = None;
    for format in &schedule.formats {
        let text = format.render(&report)?;
        let name = schedule.file_name(due.at, format.extension());
        let path = schedule.directory.join(&name);
        files::replace(&path, text.as_bytes()).map_err(|error| unwritable(&path, error))?;
        files.push(path.display().to_string());
        first.get_or_insert((*format, name, text));
        forget(schedule, format.extension())?;
    }
    let Some((format, file_name, text)) = first else { return Ok(()) };
    let document = Document {
        key: format!("report-{}-{}", schedule.name, due.at.as_nanos()),
        title: title(schedule, &report),
        summary: summary(&report, files),
        file_name,
        media_type: format.media_type().into(),
        text,
    };
    deliver(&document, schedule, settings)
}

fn title(schedule: &Schedule, report: &Report) -> String {
    format!("{}: {}", schedule.name, one_line(&report.verdict.sentence))
}

fn summary(report: &Report, files: &[String]) -> String {
    let mut lines = vec![one_line(&report.verdict.sentence)];
    lines.extend(report.attention.iter().take(7).map(|it| format!("- {}", one_line(&it.what))));
    lines.extend(files.iter().map(|file| format!("File: {file}")));
    lines.join("\n")
}

/// Selectors and errors come from web pages: no line break may make a line of its own.
fn one_line(text: &str) -> String {
    plain(text).into_owned()
}

/// Hands a document to every channel of a schedule; the first failure is told when all were tried.
fn deliver(document: &Document, schedule: &Schedule, settings: &Settings) -> Result<()> {
    let couriers = couriers(&settings.config.alerting, &schedule.deliver)?;
    if couriers.is_empty() || settings.config.alerting.delivery.dry_run {
        return Ok(());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::Unavailable, Code::Processing, "cannot start tokio").source(error)
        })?;
    let mut first: Result<()> = Ok(());
    for courier in couriers {
        let sent: Result<Receipt> = runtime.block_on(async {
            match tokio::time::timeout(LIMIT, courier.deliver(document)).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::new(
                    ErrorKind::Unavailable,
                    Code::Processing,
                    "a channel did not answer within a minute",
                )
                .with("channel", courier.name())),
            }
        });
        if let Err(error) = sent {
            first = first.and(Err(error));
        }
    }
    first
}

/// Removes what goes beyond the number of reports that are kept. The names sort by due time.
fn forget(schedule: &Schedule, extension: &str) -> Result<()> {
    let directory = &schedule.directory;
    let entries = std::fs::read_dir(directory).map_err(|error| unwritable(directory, error))?;
    let mut own: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| schedule.is_own(name, extension))
        .collect();
    own.sort_unstable();
    let surplus = own.len().saturating_sub(schedule.keep);
    for name in own.iter().take(surplus) {
        let path = directory.join(name);
        std::fs::remove_file(&path).map_err(|error| unwritable(&path, error))?;
    }
    Ok(())
}

/// A report of the failure, beside the reports and through the same channels.
fn tell_failure(due: &Due<'_>, error: &Error, path: &Path, settings: &Settings) -> Result<()> {
    let schedule = due.schedule;
    let text = format!(
        "# The report `{}` failed\n\n- due: {}\n- tried: {} (try {})\n- what: {}\n{}\nStore: {}\n",
        schedule.name,
        due.at,
        settings::now(),
        due.tries + 1,
        one_line(&chain(error)),
        error
            .what_to_do()
            .map(|cure| format!("- what to do: {}\n", one_line(cure)))
            .unwrap_or_default(),
        settings.store_path().display(),
    );
    let document = Document {
        key: format!("report-{}-{}-failed-{}", schedule.name, due.at.as_nanos(), due.tries + 1),
        title: format!("{}: the report failed", schedule.name),
        summary: text.clone(),
        file_name: schedule.file_name(due.at, "failed.md"),
        media_type: "text/markdown; charset=utf-8".into(),
        text: text.clone(),
    };
    let told = deliver(&document, schedule, settings);
    std::fs::create_dir_all(&schedule.directory)
        .and_then(|()| files::replace(path, text.as_bytes()))
        .map_err(|error| unwritable(path, error))?;
    forget(schedule, "failed.md")?;
    told
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, Code::Processing, "a scheduled report cannot be written")
        .with("file", path.display())
        .source(error)
        .cure("name a directory that this user may write with `directory` of the schedule")
}
