mod mend;

use crate::arguments::Global;
use crate::commands::event::Fields;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::plain::plain;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Subcommand;
use telemetry_runtime::interfaces::{
    Code, CompactReport, Damage, Error, ErrorKind, StoreStats, VerifyLevel, VerifyReport,
};
use telemetry_runtime::storage::{Backend, StorageConfig, Store, open};

/// Lines of a list in the overview.
const LISTED: usize = 20;
const CURE: &str = "keep a copy of the store; what is damaged is skipped and reported, the rest \
                    stays readable. An unfinished end is set aside when the program that \
                    records to this store starts again; for other damage restore the file from \
                    a backup, or take it out of use with `telemetry store quarantine`";

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// How much the store holds: by day, selector, site
    #[command(after_help = "\
Counts what can be read. Damage that is met on the way is named on the standard error; exit code 1
then. The check of every byte is `telemetry store verify`.

Example:
  telemetry store stats --json | jq .days")]
    Stats,
    /// Bring hourly, daily and monthly statistics up to date, or show them
    Rollup(crate::commands::rollup::RollupArgs),
    /// Check the store without changing it
    #[command(after_help = "\
Quick by default: structure and checksums. Damage is listed with file and byte offset.
Exit code 1 when something is damaged.

Example:
  telemetry store verify --deep")]
    Verify {
        /// Decode and validate every event as well
        #[arg(long)]
        deep: bool,
    },
    /// Take damaged files out of use and keep what can be read of them
    #[command(after_help = "\
Checks every event. What can be read of a damaged file stays in the store, in a new file; the file as
it was goes to a folder of its own under `quarantine`, with a report.json of what is lost. Afterwards
queries and checks find no damage. Needs the store for itself: end the program that records to it.
Exit code 1 when events are lost.

Example:
  telemetry store quarantine")]
    Quarantine,
    /// Make the store's manifest anew from its files
    #[command(after_help = "\
For when telemetry-store.json is lost or damaged. Reads every byte; nothing but the manifest is
written, and one that is there is kept under `quarantine`. A segment that is missing is missed by the
manifest alone: afterwards nobody does. Exit code 1 when damage was found on the way.

Example:
  telemetry store rebuild")]
    Rebuild,
    /// Sort what is not sorted yet and join small files
    #[command(after_help = "\
The answers stay the same; queries get faster and files smaller. Damaged files are left as they are.
Needs the store for itself: a program that records to it compacts by itself.

Example:
  telemetry store compact")]
    Compact,
    /// Move the events of sorted files to Parquet, for DuckDB, Spark and others
    #[command(after_help = "\
Sorts first what is not sorted yet. The events lie below parquet/ afterwards, in a folder for each day;
every command sees them as before. Needs the store for itself, and a build with the feature `parquet`.

Example:
  telemetry store convert --before -7d
  duckdb -c \"SELECT selector, count(*) FROM read_parquet('telemetry-data/parquet/*/*.parquet') GROUP BY 1\"")]
    Convert {
        /// Only files whose latest event is before this time
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        before: Option<crate::moment::Moment>,
    },
}

pub(crate) fn run(command: &StoreCommand, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    match command {
        StoreCommand::Stats => stats(&settings, global, console),
        StoreCommand::Rollup(args) => {
            crate::commands::rollup::run(args, &settings, global, console)
        }
        StoreCommand::Verify { deep } => verify(*deep, &settings, global, console),
        StoreCommand::Compact => compact(&settings, global, console),
        StoreCommand::Convert { before } => convert(*before, &settings, global, console),
        StoreCommand::Quarantine => mend::quarantine(&settings, global, console),
        StoreCommand::Rebuild => mend::rebuild(&settings, global, console),
    }
}

fn stats(settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    let stats = settings.open_store()?.stats()?;
    if global.json {
        console.json(&stats)?;
        return Ok(damage(&stats, console));
    }
    let mut fields = Fields(Vec::new());
    fields.add("store", settings.store_path().display());
    fields.add("backend", &stats.backend);
    fields.add("events", figures::count(stats.events));
    fields.add(
        "on disk",
        format_args!(
            "{} in {}",
            figures::bytes(stats.bytes),
            figures::counted(stats.files, "file")
        ),
    );
    if stats.events > 0 {
        let each = stats.bytes as f64 / stats.events as f64;
        fields.add("per event", format_args!("{each:.1} bytes"));
    }
    if stats.capped > 0 {
        let events = figures::counted(stats.capped, "event");
        fields.add("under __other__", format_args!("{events} (storage.max_selectors)"));
    }
    for tier in &stats.tiers {
        let events = figures::counted(tier.events, "event");
        let size = figures::bytes(tier.bytes);
        let files = figures::counted(tier.files, "file");
        fields.add(&tier.tier, format_args!("{events}, {size} in {files}"));
    }
    fields.maybe("earliest", stats.first.map(figures::time));
    fields.maybe("latest", stats.last.map(figures::time));
    fields.write(console)?;
    lists(&stats, console)?;
    Ok(damage(&stats, console))
}

/// Says what the numbers lack.
fn damage(stats: &StoreStats, console: &mut Console) -> Exit {
    for damage in stats.damage.iter().take(LISTED) {
        let (file, what) = (plain(&damage.file), plain(&damage.what));
        let lost = damage.events.filter(|it| *it > 0);
        let lost = lost.map(|it| format!("; {} lost", figures::counted(it, "event")));
        let (offset, lost) = (damage.offset, lost.unwrap_or_default());
        console.note(format_args!("TEL-007 {file} at byte {offset}: {what}{lost}"));
    }
    if !stats.damage.is_empty() {
        let places = figures::counted(stats.damage.len() as u64, "damaged place");
        console.note(format_args!(
            "the store has {places}, so these numbers lack events; see `telemetry store verify`"
        ));
    }
    Exit::fine_if(stats.damage.is_empty())
}

fn lists(stats: &StoreStats, console: &mut Console) -> std::io::Result<()> {
    let days: Vec<_> = stats.days.iter().rev().map(|it| (it.day.as_str(), it.events)).collect();
    let named = |list: &[(String, u64)]| -> Vec<(String, u64)> {
        let name = |name: &String| if name.is_empty() { "(none)".into() } else { name.clone() };
        list.iter().map(|(it, events)| (name(it), *events)).collect()
    };
    list("DAY (UTC)", &days, console)?;
    list("SELECTOR", &named(&stats.selectors), console)?;
    list("SITE", &named(&stats.sites), console)
}

fn list(
    title: &'static str,
    rows: &[(impl AsRef<str>, u64)],
    console: &mut Console,
) -> std::io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let mut table = Table::new([Column::long(title), Column::number("EVENTS")]);
    for (name, events) in rows.iter().take(LISTED) {
        let row = [Cell::from(name.as_ref()), figures::count(*events).into()];
        table.row(console, row)?;
    }
    table.end(console)?;
    match rows.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => console.line(format_args!("and {more} more (--json lists all)")),
    }
}

fn verify(deep: bool, settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    let level = if deep { VerifyLevel::Deep } else { VerifyLevel::Quick };
    let store = settings.open_store()?;
    let report = {
        let progress = Progress::bytes("checking");
        store.verify(level, &mut |done, all| progress.at(done, all))?
    };
    if global.json {
        console.json(&report)?;
    } else {
        print(&report, deep, console)?;
    }
    Ok(Exit::fine_if(report.is_clean()))
}

/// Opens the store for writing, for work that no other program may disturb.
fn open_alone(settings: &Settings, work: &str) -> Result<Box<dyn Store>, Error> {
    // Looked at first, so that nothing is made where no store is.
    let backend = settings.open_store()?.backend();
    let storage = StorageConfig { compact_in_background: false, ..settings.config.storage.clone() };
    let backend = match backend {
        "json" => Backend::Json,
        "segment" => Backend::Segment,
        other => {
            let message = format!("the store's backend {other} has nothing to {work}");
            return Err(Error::new(ErrorKind::Unsupported, Code::StorageUnavailable, message));
        }
    };
    open(&StorageConfig { backend, ..storage })
}

fn convert(
    before: Option<crate::moment::Moment>,
    settings: &Settings,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let before = before.map(|it| it.resolve(settings.now));
    let store = open_alone(settings, "convert")?;
    let report = {
        let progress = Progress::bytes("converting");
        let sorted = store.compact(&mut |done, all| progress.at(done, all))?;
        let report = store.convert(before, &mut |done, all| progress.at(done, all))?;
        // What could not be sorted is not offered to the conversion.
        CompactReport { damaged: report.damaged.max(sorted.damaged), ..report }
    };
    store.close()?;
    tell(&report, "convert", " of Parquet", global, console)
}

fn compact(settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    let store = open_alone(settings, "compact")?;
    let report = {
        let progress = Progress::bytes("compacting");
        store.compact(&mut |done, all| progress.at(done, all))?
    };
    store.close()?;
    tell(&report, "compact", "", global, console)
}

/// What became of files that were written anew; exit code 1 when some could not be read.
fn tell(
    report: &CompactReport,
    work: &str,
    kind: &str,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    if global.json {
        console.json(report)?;
    } else if report.replaced == 0 {
        console.line(format_args!("nothing to {work}"))?;
    } else {
        console.line(format_args!(
            "{} with {} became {}{kind}: {}, before {}",
            figures::counted(report.replaced, "file"),
            figures::counted(report.events, "event"),
            figures::counted(report.made, "file"),
            figures::bytes(report.bytes_after),
            figures::bytes(report.bytes_before),
        ))?;
    }
    if report.damaged > 0 {
        console.note(format_args!(
            "{} left as it is; see `telemetry store verify`",
            figures::counted(report.damaged, "damaged file")
        ));
    }
    Ok(Exit::fine_if(report.damaged == 0))
}

fn print_damage(damage: &Damage, console: &mut Console) -> std::io::Result<()> {
    let word = console.paint(Tone::Bad, "damaged");
    let length = damage.length.map(|it| format!(", {it} bytes")).unwrap_or_default();
    let lost = match damage.events {
        Some(0) => "; no events lost".to_owned(),
        Some(events) => format!("; {} lost", figures::counted(events, "event")),
        None => String::new(),
    };
    let (file, what) = (plain(&damage.file), plain(&damage.what));
    let offset = damage.offset;
    console.line(format_args!("{word}  {file} at byte {offset}{length}: {what}{lost}"))
}

fn print(report: &VerifyReport, deep: bool, console: &mut Console) -> std::io::Result<()> {
    for note in &report.notes {
        console.line(format_args!("{}  {}", console.paint(Tone::Faint, "note"), plain(note)))?;
    }
    for damage in &report.damage {
        print_damage(damage, console)?;
    }
    let read = format!(
        "{} in {}, {}, {}",
        figures::counted(report.events, "event"),
        figures::counted(report.blocks, "block"),
        figures::counted(report.files, "file"),
        figures::bytes(report.bytes),
    );
    if report.is_clean() {
        let how = if deep { "every event was decoded" } else { "--deep decodes every event too" };
        let word = console.paint(Tone::Good, "ok");
        return console.line(format_args!("{word}  {read}; {how}"));
    }
    let places = figures::counted(report.damage.len() as u64, "damaged place");
    let word = console.paint(Tone::Bad, "fail");
    console.line(format_args!("{word}  {places}; read {read}"))?;
    console.line(format_args!("what to do: {CURE}"))
}
