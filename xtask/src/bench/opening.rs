//! Opening a store of 100 GB after a crash, in a process of its own: time and memory, beside the same
//! opening when the footer of every segment has to be read.

use super::figures::{Bar, Figures, Table};
use super::process;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use telemetry_runtime::interfaces::{Durability, EventStore};
use telemetry_storage::synthetic::{Synthetic, sparse};
use telemetry_storage::{SegmentStore, StorageConfig};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

/// Length of all segments together, nearly all of it holes.
const BYTES: u64 = 100_000_000_000;
const BATCH: u64 = 4096;
const ROUNDS: usize = 7;
/// How much of a segment's room the writer fills before it is gone.
const TAIL: f64 = 0.95;
/// What is remembered of segments, beside the manifest.
const SUMMARIES: &str = "telemetry-store.summaries";

/// The processes that write and open.
#[derive(clap::Args)]
pub(crate) struct Child {
    store: PathBuf,
    /// Append to the store until its newest segment is nearly full, and end without a word
    #[arg(long)]
    abandon: bool,
    /// Open for reading
    #[arg(long, conflicts_with = "abandon")]
    read: bool,
}

/// What a process that opened the store tells.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Opened {
    ms: f64,
    /// The most that was resident, before and after.
    before_mib: f64,
    mib: f64,
    torn: usize,
    sealed: usize,
}

fn config(path: &Path) -> StorageConfig {
    StorageConfig {
        durability: Durability::None,
        // It would go on to sort what was left, which is not opening.
        compact_in_background: false,
        ..StorageConfig::at(path)
    }
}

fn generator(events: u64) -> EventGenerator {
    // The stream of `bench store`: 1 million events in 24 hours.
    EventGenerator::new(1, GeneratorConfig { events, ..GeneratorConfig::default() })
}

pub(super) fn run() -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let batch: Vec<_> = generator(1_000_000).take(BATCH as usize).collect();
    let made = sparse(&config(&store), BYTES, &batch)?;
    child(&store, &["--abandon"])?;
    let left = Left::of(&store, folder.path())?;
    let mut rows = Vec::new();
    let ways = [
        ("writer, after a crash", true, &[][..], ROUNDS),
        // Half a minute each.
        ("writer, every footer read", false, &[][..], 3),
        ("reader", true, &["--read"][..], ROUNDS),
    ];
    for (name, remembered, arguments, times) in ways {
        let mut rounds = Vec::new();
        for _ in 0..times {
            left.restore(&store, remembered)?;
            let said = child(&store, arguments)?.context("the process said nothing")?;
            let opened: Opened = serde_json::from_str(&said)?;
            ensure!(
                (opened.torn, opened.sealed) == if arguments.is_empty() { (1, 1) } else { (0, 0) },
                "the tail was not recovered: {opened:?}"
            );
            rounds.push(opened);
        }
        rounds.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        rows.push((name, rounds));
    }
    Ok(figures(&made, &left, &rows))
}

fn figures(made: &Synthetic, left: &Left, rows: &[(&str, Vec<Opened>)]) -> Figures {
    let mut figures = Figures::default();
    let title = format!(
        "opening {:.0} GB: {} sealed segments ({} blocks, {:.1} billion events), and one of {:.0} MiB \
         that was being written",
        made.bytes as f64 / 1e9,
        made.segments,
        made.blocks,
        made.events as f64 / 1e9,
        left.tail as f64 / f64::from(1 << 20),
    );
    let columns =
        ["opened by", "processes", "ms, median", "ms, worst", "MiB resident", "of it before"];
    let mut table = Table::new(&title, &columns);
    for (name, rounds) in rows {
        let most = |of: fn(&Opened) -> f64| rounds.iter().map(of).fold(0.0, f64::max);
        table.rows.push(vec![
            (*name).into(),
            rounds.len().to_string(),
            format!("{:.0}", rounds[rounds.len() / 2].ms),
            format!("{:.0}", rounds[rounds.len() - 1].ms),
            format!("{:.1}", most(|it| it.mib)),
            format!("{:.1}", most(|it| it.before_mib)),
        ]);
    }
    figures.tables.push(table);
    let median = |at: usize| rows[at].1[rows[at].1.len() / 2].ms;
    let most = |at: usize| rows[at].1.iter().map(|it| it.mib).fold(0.0, f64::max);
    figures.bars.extend([
        Bar::at_most("open after a crash, 100 GB", median(0) / 1e3, 1.0, "s"),
        Bar::at_most("memory of it", most(0), 64.0, "MiB"),
        Bar::at_most("of what reading every footer takes", median(0) / median(1), 1.0, "×"),
    ]);
    figures.notes.push(format!(
        "files in the page cache; every time the writer's last segment is found without an end, with \
         {} torn bytes, scanned, and written anew",
        Left::TORN
    ));
    figures.notes.push(format!(
        "the segments take {:.0} MiB of the disk, {SUMMARIES} {:.1} MiB of it",
        left.taken as f64 / f64::from(1 << 20),
        left.summaries.len() as f64 / f64::from(1 << 20),
    ));
    figures
}

/// How the store was left, to be put back after each opening.
struct Left {
    /// The segment without an end, kept beside the store.
    kept: PathBuf,
    name: String,
    tail: u64,
    manifest: Vec<u8>,
    summaries: Vec<u8>,
    taken: u64,
}

impl Left {
    /// Bytes of a block that was not finished.
    const TORN: usize = 1000;

    fn of(store: &Path, beside: &Path) -> Result<Self> {
        let segments = store.join("segments");
        let mut taken = 0;
        for entry in fs::read_dir(&segments)? {
            taken += blocks_taken(&entry?.metadata()?);
        }
        let name = newest(store)?;
        let kept = beside.join("tail");
        fs::copy(segments.join(&name), &kept)?;
        let whole = fs::read(&kept)?;
        // The beginning of a block, as a write that was under way leaves it.
        let begun = whole.get(24..24 + Self::TORN).context("the tail is too short")?.to_vec();
        fs::write(&kept, [whole, begun].concat())?;
        Ok(Self {
            tail: fs::metadata(&kept)?.len(),
            kept,
            name,
            manifest: fs::read(store.join("telemetry-store.json"))?,
            summaries: fs::read(store.join(SUMMARIES))?,
            taken,
        })
    }

    fn restore(&self, store: &Path, remembered: bool) -> Result<()> {
        let segments = store.join("segments");
        for entry in fs::read_dir(&segments)? {
            let path = entry?.path();
            if path.to_string_lossy().contains(".torn-") {
                fs::remove_file(path)?;
            }
        }
        // Another file, as the one there was never synced.
        fs::remove_file(segments.join(&self.name))?;
        fs::copy(&self.kept, segments.join(&self.name))?;
        fs::write(store.join("telemetry-store.json"), &self.manifest)?;
        fs::remove_file(store.join(SUMMARIES)).ok();
        if remembered {
            fs::write(store.join(SUMMARIES), &self.summaries)?;
        }
        Ok(())
    }
}

fn newest(store: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store.join("segments"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.into_iter().max().context("there are no segments")
}

#[cfg(unix)]
fn blocks_taken(of: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(of) * 512
}

#[cfg(not(unix))]
fn blocks_taken(of: &fs::Metadata) -> u64 {
    of.len()
}

/// Runs a process on the store; what it printed, unless it was to end without a word.
fn child(store: &Path, arguments: &[&str]) -> Result<Option<String>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "opening-child"]).arg(store).args(arguments);
    let output = command.output().context("the process that opens cannot be started")?;
    if arguments.contains(&"--abandon") {
        ensure!(!output.status.success(), "the writer was to be gone in the middle of its work");
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            said.trim() == "full",
            "the writer failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        return Ok(None);
    }
    if !output.status.success() {
        bail!("the process that opens failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Some(String::from_utf8(output.stdout)?))
}

pub(super) fn in_child(arguments: &Child) -> Result<()> {
    if arguments.abandon {
        return abandon(&arguments.store);
    }
    let before_mib = mib(process::most_memory()?);
    let begun = Instant::now();
    let (store, recovery) = if arguments.read {
        (SegmentStore::open_read_only(&arguments.store)?, None)
    } else {
        let store = SegmentStore::open(&config(&arguments.store))?;
        let recovery = store.recovery().clone();
        (store, Some(recovery))
    };
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let opened = Opened {
        ms,
        before_mib,
        mib: mib(process::most_memory()?),
        torn: recovery.as_ref().map_or(0, |it| it.torn.len()),
        sealed: recovery.as_ref().map_or(0, |it| it.sealed.len()),
    };
    ensure!(recovery.is_none_or(|it| it.damage.is_empty()), "the store was found damaged");
    println!("{}", serde_json::to_string(&opened)?);
    drop(store);
    Ok(())
}

/// Appends until the newest segment is nearly full, and is gone.
fn abandon(path: &Path) -> Result<()> {
    let config = config(path);
    let store = SegmentStore::open(&config)?;
    let room = (config.segment_bytes as f64 * TAIL) as u64;
    let mut stream = generator(4_000_000);
    let mut segment = None;
    loop {
        let batch: Vec<_> = stream.by_ref().take(BATCH as usize).collect();
        ensure!(!batch.is_empty(), "the events do not fill a segment");
        store.append(&batch)?;
        let segment = match &segment {
            Some(segment) => segment,
            None => segment.insert(path.join("segments").join(newest(path)?)),
        };
        if fs::metadata(segment)?.len() >= room {
            println!("full");
            // Nothing is closed, flushed or removed.
            std::process::abort();
        }
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
