use crate::against::Against;
use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome, Stop};
use crate::files;
use crate::filter::Filter;
use crate::plain::plain;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::state;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use telemetry_runtime::alerting::AlertFilter;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Query, ReportRenderer, Result};
use telemetry_runtime::models::report::{Report, ReportKind};
use telemetry_runtime::models::{Alert, Timestamp};
use telemetry_runtime::reporting::schedule::Schedule;
use telemetry_runtime::reporting::{
    CsvRenderer, HtmlRenderer, JsonRenderer, JunitRenderer, MarkdownRenderer, ReportBuilder,
    ReportRequest, ReportingConfig, Source, TerminalRenderer,
};
use telemetry_runtime::storage::Store;

/// Where the HTML report goes when nothing else is said.
const DEFAULT_HTML: &str = "./telemetry-report.html";

/// Make a report: terminal text, JSON, HTML, Markdown, CSV or JUnit XML
#[derive(Args, Debug)]
#[command(after_help = "\
Terminal text and JSON go to the standard output unless --out names a file. HTML goes to
./telemetry-report.html unless --out names another, or - for the standard output.
A file is replaced in one step. Exit code 1 when the store is damaged (the report says where) or
its alerts cannot be read (the report goes on without them and says so).

Examples:
  telemetry report --since -24h
  telemetry report --format html --since 2026-11-01 --until 2026-11-08 --out week.html
  telemetry report --since -7d --compare previous --format markdown
  telemetry report --kind recommendations --since -14d
  telemetry report --json | jq .verdict")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    filter: Filter,

    /// Compare with: yesterday, last-week, previous, run:ID, FROM..TO
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    compare: Option<Against>,

    /// What it is about: summary (everything), performance, usage, health, trends,
    /// recommendations, data-quality
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<ReportKind>,

    /// Read rollups where they suffice (auto), events alone, or rollups wherever there are any;
    /// comparisons always read events
    #[arg(long, value_enum, value_name = "SOURCE", default_value = "auto")]
    from: From,

    /// The form; --json means json
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// The file to write; - for the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    #[default]
    Auto,
    Events,
    Rollups,
}

impl From {
    fn source(self) -> Source {
        match self {
            Self::Auto => Source::Auto,
            Self::Events => Source::Events,
            Self::Rollups => Source::Rollups,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// At most 24 lines
    Terminal,
    /// Everything, for machines (docs/schema/report.v1.json)
    Json,
    /// One self-contained file, for people
    Html,
    /// For pull requests and wikis
    Markdown,
    /// One line for each selector, for spreadsheets
    Csv,
    /// What is broken, for build servers
    Junit,
}

/// A report that is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) against: Option<&'a Against>,
    pub(crate) format: Option<Format>,
    pub(crate) out: Option<&'a Path>,
    /// The command, without what the other fields say.
    pub(crate) command: String,
    pub(crate) kind: ReportKind,
    pub(crate) from: From,
}

/// How and where to a report goes.
pub(crate) struct Target {
    format: Format,
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &ReportArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let asked = Asked {
        filter: &args.filter,
        against: args.compare.as_ref(),
        format: args.format,
        out: args.out.as_deref(),
        command: "report".into(),
        kind: args.kind.unwrap_or_default(),
        from: args.from,
    };
    let (report, target) = make(&asked, global, &settings, console)?;
    deliver(&report, &target, global, console)?;
    let quality = &report.data_quality;
    Ok(Exit::fine_if(quality.damaged_places == 0 && quality.alerts_unreadable.is_none()))
}

/// Reads the store into the report that is asked for.
pub(crate) fn make(
    asked: &Asked<'_>,
    global: &Global,
    settings: &Settings,
    console: &mut Console,
) -> Result<(Report, Target)> {
    let format = match asked.format {
        Some(format) => format,
        None if global.json => Format::Json,
        None => Format::Terminal,
    };
    let out = match asked.out {
        Some(path) if path.as_os_str() == "-" => None,
        Some(path) => Some(path),
        None => (format == Format::Html).then_some(Path::new(DEFAULT_HTML)),
    };
    if let Some(out) = out {
        refuse_store(out, settings.store_path())?;
    }
    let store = settings.open_store()?;
    let (alerts, unreadable) = match alerts(settings.store_path()) {
        Ok(alerts) => (alerts, None),
        Err(error) => {
            console.error(&error);
            console.note("the alerts cannot be read; the report goes on without them");
            (Vec::new(), Some(error.to_string()))
        }
    };
    let query = asked.filter.query(settings.now)?;
    let compare =
        asked.against.map(|against| against.baseline(&query, settings.now)).transpose()?;
    let reproduce = reproduce(asked, &query, settings, format);
    let progress = Progress::events("reading events");
    let request = ReportRequest {
        query,
        alerts: &alerts,
        now: settings.now,
        reproduce: Some(reproduce),
        compare,
        kind: asked.kind,
        source: asked.from.source(),
    };
    let mut report = ReportBuilder::new(settings.config.reporting.clone())?.build(
        &*store,
        &request,
        &mut |events| progress.done(events),
    )?;
    report.data_quality.alerts_unreadable = unreadable;
    Ok((report, Target { format, out: out.map(Path::to_owned) }))
}

/// The report of a schedule that was due at a time. Alerts that cannot be read are left out, and the
/// report says so.
///
/// # Errors
/// When the store cannot be read at all.
pub(crate) fn scheduled(
    schedule: &Schedule,
    due: Timestamp,
    settings: &Settings,
) -> Result<Report> {
    let store = settings.open_store()?;
    let (alerts, unreadable) = match alerts(settings.store_path()) {
        Ok(alerts) => (alerts, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let (query, compare) = schedule.query(due);
    let mut reproduce = format!(
        "telemetry report --store {}",
        quoted(&settings.store_path().display().to_string())
    );
    let options = [
        ("selector", query.selector.as_ref().map(ToString::to_string)),
        ("site", query.site.as_ref().map(ToString::to_string)),
        ("since", query.from.map(|at| at.to_string())),
        ("until", query.to.map(|at| at.to_string())),
        ("compare", schedule.compare.then(|| "previous".to_owned())),
        (
            "kind",
            (schedule.kind != ReportKind::default())
                .then(|| schedule.kind.as_str().replace('_', "-")),
        ),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            reproduce += &format!(" --{name} {}", quoted(&value));
        }
    }
    let request = ReportRequest {
        query,
        alerts: &alerts,
        now: due,
        reproduce: Some(reproduce),
        compare,
        kind: schedule.kind,
        source: Source::default(),
    };
    let builder = ReportBuilder::new(settings.config.reporting.clone())?;
    let mut report = builder.build(&*store, &request, &mut |_| {})?;
    report.data_quality.alerts_unreadable = unreadable;
    Ok(report)
}

/// Writes a report to where it goes.
pub(crate) fn deliver(
    report: &Report,
    target: &Target,
    global: &Global,
    console: &mut Console,
) -> Result<(), Stop> {
    let out = target.out.as_deref();
    let text = match target.format {
        Format::Json if out.is_none() && console.width().is_some() => {
            JsonRenderer::pretty().render(report)?
        }
        Format::Json => JsonRenderer::new().render(report)?,
        Format::Html => HtmlRenderer::new().render(report)?,
        Format::Markdown => MarkdownRenderer::new().render(report)?,
        Format::Csv => CsvRenderer::new().render(report)?,
        Format::Junit => JunitRenderer::new().render(report)?,
        Format::Terminal if out.is_some() => TerminalRenderer::new().render(report)?,
        Format::Terminal => TerminalRenderer::new()
            .width(console.width().unwrap_or(80))
            .color(console.color())
            .render(report)?,
    };
    match out {
        None => console.bytes(text.as_bytes())?,
        Some(path) => {
            files::replace(path, text.as_bytes()).map_err(|error| unwritable(path, error))?;
            let path = path.display().to_string();
            if global.json {
                console.json_line(&serde_json::json!({ "written": path }))?;
            } else {
                console.line(plain(&path))?;
            }
        }
    }
    if target.format == Format::Terminal && out.is_none() {
        console.note("`telemetry report --format html` writes the whole as one HTML file");
    }
    Ok(())
}

/// A kind as on the command line, with hyphens.
fn kind(text: &str) -> Result<ReportKind, String> {
    text.replace('-', "_").parse::<ReportKind>().map_err(|_| {
        let kinds: Vec<String> =
            ReportKind::ALL.iter().map(|it| it.as_str().replace('_', "-")).collect();
        format!("expected one of {}", kinds.join(", "))
    })
}

/// The alerts of a store, of any state.
fn alerts(store: &Path) -> Result<Vec<Alert>> {
    state::book(store)?.map_or_else(|| Ok(Vec::new()), |book| book.list(&AlertFilter::default()))
}

/// Reads the store into a report, with a counter on the terminal.
///
/// # Errors
/// When the store cannot be read at all.
pub(crate) fn build(
    store: &dyn Store,
    config: ReportingConfig,
    query: Query,
    alerts: &[Alert],
    now: Timestamp,
    reproduce: Option<String>,
) -> Result<Report> {
    let progress = Progress::events("reading events");
    let request = ReportRequest { query, alerts, now, reproduce, ..ReportRequest::default() };
    ReportBuilder::new(config)?.build(store, &request, &mut |events| progress.done(events))
}

/// The command that makes the report again: relative times are written out.
fn reproduce(asked: &Asked<'_>, query: &Query, settings: &Settings, format: Format) -> String {
    let store = settings.store_path().display().to_string();
    let mut command = format!("telemetry {} --store {}", asked.command, quoted(&store));
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.push_str(&format!(" --{name} {}", quoted(&value)));
        }
    };
    option("selector", query.selector.as_ref().map(ToString::to_string));
    option("site", query.site.as_ref().map(ToString::to_string));
    option("since", query.from.map(|at| at.to_string()));
    option("until", query.to.map(|at| at.to_string()));
    let (option_name, against) = match asked.command.as_str() {
        "report" => ("compare", asked.against),
        _ => ("against", asked.against),
    };
    option(option_name, against.map(|it| it.written(settings.now)));
    if asked.kind != ReportKind::Summary {
        option("kind", Some(asked.kind.as_str().replace('_', "-")));
    }
    if asked.from != From::Auto {
        option("from", asked.from.to_possible_value().map(|it| it.get_name().to_owned()));
    }
    option("format", format.to_possible_value().map(|it| it.get_name().to_owned()));
    command
}

/// For a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let harmless = |symbol: char| symbol.is_ascii_alphanumeric() || "-_./:+,=@".contains(symbol);
    if !text.is_empty() && text.chars().all(harmless) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A report must not replace a part of the store.
pub(crate) fn refuse_store(out: &Path, store: &Path) -> Result<()> {
    let directory = out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inside = match (directory.canonicalize(), store.canonicalize()) {
        (Ok(directory), Ok(store)) => directory.starts_with(store),
        // Without the one there is nothing to write to, without the other nothing to protect.
        _ => false,
    };
    if inside {
        return Err(Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            "the report's file lies within the store's directory",
        )
        .with("file", out.display())
        .cure("name a file elsewhere with --out; nothing was written"));
    }
    Ok(())
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, Code::Processing, "the report cannot be written")
        .with("file", path.display())
        .source(error)
        .cure("name a file in a directory that exists and that this user may write, with --out")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quoting() {
        assert_eq!(quoted("./data-1/x"), "./data-1/x");
        assert_eq!(quoted("shop.*"), "'shop.*'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
