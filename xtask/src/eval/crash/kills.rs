use anyhow::{Context, Result, anyhow, ensure};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use telemetry_runtime::interfaces::{
    Ack, Capabilities, Code, Durability, Error, ErrorKind, EventIter, EventSink, EventStore,
    Ledger, Maintenance, Query, StoreStats, VerifyLevel,
};
use telemetry_runtime::models::Event;
use telemetry_runtime::storage::{SegmentStore, StorageConfig};
use telemetry_runtime::{Telemetry, TelemetryConfig};
use telemetry_testkit::crash;

/// Writers over one store: each finds what the killed ones before it left behind.
const RUNS_PER_STORE: u64 = 10;
/// Longest time between the chosen acknowledgement and the kill.
const LATER_US: u64 = 5_000;
/// The last bytes of a sealed segment, see docs/specs/segment-format.md.
const TRAILER: &[u8] = b"\xF5TELEND\n";
const TRAILER_BYTES: usize = 56;
const LIMIT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Writer {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    seed: u64,
    /// Record through collector, pipeline and alerting instead of appending to the store
    #[arg(long)]
    record: bool,
}

fn config(path: &Path) -> StorageConfig {
    StorageConfig {
        durability: Durability::Batch,
        // Small, so that some writers are killed while they seal.
        segment_bytes: 64 << 10,
        ..StorageConfig::at(path)
    }
}

pub(crate) fn write(writer: &Writer) -> Result<()> {
    let told = &mut std::io::stdout();
    if writer.record {
        let mut whole = TelemetryConfig { storage: config(&writer.store), ..Default::default() };
        // What is read back is compared with what was recorded.
        whole.collector.privacy.redact = false;
        whole.collector.sample_process = false;
        whole.alerting.log = false;
        let recorder = Recorder(Telemetry::builder(whole).start()?);
        crash::write_until_killed(&recorder, writer.seed, told)?;
    } else {
        let store = SegmentStore::open(&config(&writer.store))?;
        crash::write_until_killed(&store, writer.seed, told)?;
    }
    Ok(())
}

/// The whole path as something to append to: a batch is acknowledged when a flush was complete.
struct Recorder(Telemetry);

impl EventStore for Recorder {
    fn backend(&self) -> &'static str {
        self.0.store().backend()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.store().capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<Ack, Error> {
        batch.iter().for_each(|event| self.0.collector().record(event.clone()));
        let flushed = self.0.flush(LIMIT);
        if !flushed.complete {
            let message = format!("a flush was not complete: {:?}", flushed.ledger);
            return Err(Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, message));
        }
        Ok(Ack { stored: batch.len() as u64, duplicates: 0, durability: Durability::Batch })
    }
    fn append_ledger(&self, ledger: &Ledger) -> Result<(), Error> {
        self.0.store().append_ledger(ledger)
    }
    fn ledgers(&self) -> Result<Vec<Ledger>, Error> {
        self.0.store().ledgers()
    }
    fn flush(&self) -> Result<(), Error> {
        self.0.store().flush()
    }
    fn query(&self, query: &Query) -> Result<EventIter<'_>, Error> {
        self.0.store().query(query)
    }
    fn stats(&self) -> Result<StoreStats, Error> {
        self.0.store().stats()
    }
    fn close(&self) -> Result<(), Error> {
        self.0.store().close()
    }
}

#[derive(Default)]
struct Figures {
    acknowledged: u64,
    there: u64,
    torn_made: u64,
    torn_found: u64,
    /// Kills after which a log was sealed and not yet in the manifest, or half sealed.
    while_sealing: u64,
    /// Kills after which an unfinished sorted segment lay there, or one beside its logs.
    while_compacting: u64,
    /// Sorted segments when the killed writers' stores were opened, over all runs.
    sorted: u64,
}

impl Figures {
    /// Tells from the files what the writer was at when it was killed.
    fn look(&mut self, store: &Path) -> Result<()> {
        let segments = store.join("segments");
        let mut names: Vec<String> = fs::read_dir(&segments)
            .with_context(|| format!("cannot read {}", segments.display()))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.sort();
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(store.join("telemetry-store.json"))?)?;
        let sealed = manifest["sealed"].as_array().cloned().unwrap_or_default();
        let number = |it: &serde_json::Value| it.as_u64().unwrap_or_default();
        let ends = sealed.iter().map(|it| number(&it["last"]).max(number(&it["segment"])));
        let last = ends.max().unwrap_or(0);
        let log = |name: &&String| {
            let number = name.strip_suffix(".seg").and_then(|stem| stem.parse::<u64>().ok());
            number.is_some_and(|it| it > last)
        };
        let unnamed: Vec<&String> = names.iter().filter(log).collect();
        let mut ended = false;
        for name in &unnamed {
            let bytes = fs::read(segments.join(name))?;
            let trailer = bytes.len().checked_sub(TRAILER_BYTES).and_then(|at| bytes.get(at..));
            ended |= trailer.is_some_and(|trailer| trailer.starts_with(TRAILER));
        }
        self.while_sealing += u64::from(ended || store.join("telemetry-store.tmp").exists());
        let sorted: Vec<&String> = names.iter().filter(|name| name.contains('-')).collect();
        self.sorted += sorted.iter().filter(|name| name.ends_with(".seg")).count() as u64;
        let in_manifest = |name: &str| {
            sealed.iter().any(|it| {
                let (first, last) = (number(&it["segment"]), number(&it["last"]));
                name == format!("{first:08}-{last:08}.seg")
            })
        };
        let beside = names.iter().any(|name| {
            let stem = name.strip_suffix(".seg").and_then(|stem| stem.parse::<u64>().ok());
            stem.is_some_and(|log| {
                sealed.iter().any(|it| {
                    it["last"].is_u64()
                        && (number(&it["segment"])..=number(&it["last"])).contains(&log)
                })
            })
        });
        let unfinished =
            sorted.iter().any(|name| !name.ends_with(".seg") || !in_manifest(name.as_str()));
        self.while_compacting += u64::from(unfinished || beside);
        Ok(())
    }
}

pub(super) fn run(runs: u64, seed: u64) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the stores")?;
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut random = fastrand::Rng::with_seed(seed);
    let base = seed;
    let mut figures = Figures::default();
    for run in 0..runs {
        let seed = base.wrapping_mul(1_000_003).wrapping_add(run);
        let path = folder.path().join((run / RUNS_PER_STORE).to_string());
        let mut writer = Command::new(&own);
        writer.args(["eval", "crash-writer", "--store"]).arg(&path);
        writer.args(["--seed", &seed.to_string()]);
        if run % 2 == 1 {
            writer.arg("--record");
        }
        let later = Duration::from_micros(random.u64(0..LATER_US));
        let said = crash::run_and_kill(writer, random.u64(1..60), later)
            .with_context(|| format!("run {run}"))?;
        figures.look(&path)?;
        let torn = random.bool() && tear(&path, &mut random)?;
        figures.torn_made += u64::from(torn);
        let store = SegmentStore::open(&config(&path))?;
        let recovery = store.recovery();
        ensure!(recovery.damage.is_empty(), "run {run}: damage: {:?}", recovery.damage);
        ensure!(!torn || !recovery.torn.is_empty(), "run {run}: a torn end was not reported");
        figures.torn_found += recovery.torn.len() as u64;
        let report = store.verify(VerifyLevel::Deep, &mut |_, _| {})?;
        ensure!(report.is_clean(), "run {run}: verify after recovery: {:?}", report.damage);
        figures.there +=
            crash::check(&store, seed, said).map_err(|text| anyhow!("run {run}: {text}"))?;
        figures.acknowledged += said;
    }
    println!("processes killed        {:>8}   half of them recording", runs);
    println!("  while sealing         {:>8}   by the files they left", figures.while_sealing);
    println!(
        "  while compacting      {:>8}   {} sorted segments seen",
        figures.while_compacting, figures.sorted
    );
    println!("events acknowledged     {:>8}", figures.acknowledged);
    println!("events read back        {:>8}   each equal to what was written", figures.there);
    println!("acknowledged and lost   {:>8}", figures.acknowledged.saturating_sub(figures.there));
    println!(
        "torn ends reported      {:>8}   {} of them made by hand after the kill",
        figures.torn_found, figures.torn_made
    );
    println!("store verify (deep)        clean   after each recovery");
    Ok(())
}

/// Adds what a block that was being written may leave behind: the beginning of a copy of an
/// earlier block, cut anywhere. Whether there was an open segment to do it to: nobody writes to a
/// sealed one.
fn tear(store: &Path, random: &mut fastrand::Rng) -> Result<bool> {
    let segments = store.join("segments");
    let mut files: Vec<PathBuf> = fs::read_dir(&segments)
        .with_context(|| format!("cannot read {}", segments.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == "seg"));
    files.sort();
    let Some(last) = files.pop() else { return Ok(false) };
    let bytes = fs::read(&last)?;
    let trailer = bytes.len().checked_sub(TRAILER_BYTES).and_then(|at| bytes.get(at..));
    if trailer.is_some_and(|trailer| trailer.starts_with(TRAILER)) {
        return Ok(false);
    }
    // After the file header (24 bytes) the first block begins; so little of it is never a whole one.
    let Some(block) = bytes.get(24..).filter(|block| block.len() > 64) else { return Ok(false) };
    let cut = random.usize(1..block.len().min(100));
    OpenOptions::new().append(true).open(&last)?.write_all(&block[..cut])?;
    Ok(true)
}
