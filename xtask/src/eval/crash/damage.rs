use anyhow::{Context, Result, anyhow, ensure};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use telemetry_runtime::interfaces::{
    Durability, Error, EventStore, Ledger, Query, RollupQuery, SelectorPattern, StoreStats,
    VerifyLevel,
};
use telemetry_runtime::models::rollup::{Rollup, RollupPeriod};
use telemetry_runtime::models::{Event, Timestamp};
use telemetry_runtime::storage::{JsonStore, SegmentStore, StorageConfig, Store};
use telemetry_testkit::disk::{Loss, Moment, SimDisk};
use telemetry_testkit::simulation::store_path;
use telemetry_testkit::{EventGenerator, GeneratorConfig};

/// Events of the small store.
const EVENTS: usize = 20;

/// Places that are printed; more of them say the same.
const SHOWN: usize = 10;

/// Everything a reader can ask.
#[derive(PartialEq)]
struct Answers {
    events: Vec<Event>,
    some: Vec<Event>,
    ledgers: Vec<Ledger>,
    stats: StoreStats,
    rollups: Vec<Rollup>,
    stale: Vec<Timestamp>,
}

/// How a store is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// By a writer that was killed.
    Open,
    /// Closed, as logs.
    Closed,
    /// Closed, sorted, with rollups beside it.
    Sorted,
    /// The same, with its events in Parquet files.
    Converted,
    /// As JSON Lines, days that are over compressed, with rollups beside them.
    Compressed,
}

impl Left {
    const ALL: [Self; 5] =
        [Self::Open, Self::Closed, Self::Sorted, Self::Converted, Self::Compressed];

    const fn is_rolled_up(self) -> bool {
        matches!(self, Self::Sorted | Self::Converted | Self::Compressed)
    }

    fn open(self, disk: &SimDisk) -> Result<Box<dyn Store>, Error> {
        let disk = Arc::new(disk.clone());
        Ok(match self {
            Self::Compressed => Box::new(JsonStore::open_on(disk, &config())?),
            _ => Box::new(SegmentStore::open_on(disk, &config())?),
        })
    }

    fn open_reader(self, disk: &SimDisk) -> Result<Box<dyn Store>, Error> {
        let disk = Arc::new(disk.clone());
        Ok(match self {
            Self::Compressed => Box::new(JsonStore::open_read_only_on(disk, &store_path())?),
            _ => Box::new(SegmentStore::open_read_only_on(disk, &store_path())?),
        })
    }

    /// Whether a file is under a checksum. Text is not, before it is compressed.
    fn is_summed(self, file: &Path) -> bool {
        self != Self::Compressed || file.extension().is_none_or(|it| it != "jsonl")
    }
}

#[derive(Default)]
struct Figures {
    tried: u64,
    /// An answer was an error.
    refused: u64,
    /// Every answer was right, and `store verify` objects.
    verified: u64,
    /// Every answer was right, and nothing objects.
    harmless: u64,
    silent: Vec<String>,
}

fn config() -> StorageConfig {
    StorageConfig {
        durability: Durability::Batch,
        segment_bytes: 4096,
        // A thread of its own would make calls that no seed reproduces.
        compact_in_background: false,
        ..StorageConfig::at(store_path())
    }
}

/// A store of a few segments with the lengths of its files.
fn small_store(seed: u64, left: Left) -> Result<(Moment, Vec<(PathBuf, usize)>)> {
    let disk = SimDisk::new(Path::new("/simulated"), seed);
    let settings = GeneratorConfig {
        events: EVENTS as u64,
        selectors: 4,
        sites: 2,
        sessions: 2,
        error_share: 0.1,
        // Several days of JSON Lines, of which all but the last are compressed.
        hours: if left == Left::Compressed { 72 } else { GeneratorConfig::default().hours },
        ..GeneratorConfig::default()
    };
    let store = left.open(&disk)?;
    let events: Vec<Event> = EventGenerator::new(seed, settings).collect();
    let ledger = Ledger {
        run: None,
        producer: None,
        at: events[0].timestamp,
        recorded: EVENTS as u64,
        stored: EVENTS as u64,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    };
    for batch in events.chunks(5) {
        store.append(batch)?;
    }
    store.append_ledger(&ledger)?;
    if left != Left::Open {
        store.close()?;
    }
    if left.is_rolled_up() {
        drop(store);
        let store = left.open(&disk)?;
        store.compact(&mut |_, _| {})?;
        if left == Left::Converted {
            let made = store.convert(None, &mut |_, _| {})?;
            ensure!(made.events == EVENTS as u64, "{} events are in Parquet files", made.events);
        }
        if let Some(rollups) = store.rollups() {
            rollups.roll_up(&mut |_, _| {})?;
        }
        store.close()?;
    }
    let moment = disk.moment();
    let files = SimDisk::after(&moment, Loss::Nothing, 0).files();
    let has_some = |(file, length): &(PathBuf, usize)| *length > 0 && left.is_summed(file);
    Ok((moment, files.into_iter().filter(has_some).collect()))
}

fn ask(left: Left, disk: &SimDisk) -> Result<(Answers, bool), Error> {
    let store = left.open_reader(disk)?;
    let some = Query { selector: SelectorPattern::new("*title*").ok(), ..Query::all() };
    let mut rollups = Vec::new();
    let mut stale = Vec::new();
    for period in RollupPeriod::ALL {
        let Some(of) = store.rollups() else { break };
        let answer = of.query_rollups(&RollupQuery::all(*period))?;
        stale = answer.stale_days;
        rollups.extend(answer.rollups.collect::<Result<Vec<_>, _>>()?);
    }
    let answers = Answers {
        events: store.query(&Query::all())?.collect::<Result<_, _>>()?,
        some: store.query(&some)?.collect::<Result<_, _>>()?,
        ledgers: store.ledgers()?,
        stats: without_bytes(store.stats()?),
        rollups,
        stale,
    };
    let clean = store.verify(VerifyLevel::Deep, &mut |_, _| {})?.is_clean();
    Ok((answers, clean))
}

/// Of a file that was cut there are fewer bytes on the disk: that is no wrong answer.
fn without_bytes(mut stats: StoreStats) -> StoreStats {
    stats.bytes = 0;
    stats.tiers.iter_mut().for_each(|tier| tier.bytes = 0);
    stats
}

impl Figures {
    fn take(&mut self, asked: Result<(Answers, bool), Error>, right: &Answers, place: String) {
        self.tried += 1;
        match asked {
            Err(_) => self.refused += 1,
            Ok((answers, _)) if !answers.stats.damage.is_empty() => self.refused += 1,
            Ok((answers, _)) if answers != *right => self.silent.push(place),
            Ok((_, false)) => self.verified += 1,
            Ok((_, true)) => self.harmless += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.refused += other.refused;
        self.verified += other.verified;
        self.harmless += other.harmless;
        self.silent.extend(other.silent);
    }

    fn print(&self, what: &str) {
        println!("{what:<23} {:>8}", self.tried);
        println!("  an error in the answer {:>7}", self.refused);
        println!("  found by store verify {:>8}   answers right", self.verified);
        println!("  harmless              {:>8}   answers right, nothing to report", self.harmless);
        println!("  a wrong answer        {:>8}", self.silent.len());
    }
}

/// What is tried on one file.
fn file(
    moment: &Moment,
    right: &Answers,
    left: Left,
    path: &Path,
    bits: Range<usize>,
    lengths: Range<usize>,
) -> Result<[Figures; 2]> {
    let pristine = || SimDisk::after(moment, Loss::Nothing, 0);
    let (mut flips, mut cuts) = (Figures::default(), Figures::default());
    for bit in bits {
        let disk = pristine();
        disk.flip(path, bit);
        flips.take(ask(left, &disk), right, format!("{left:?} {} bit {bit}", path.display()));
    }
    for length in lengths {
        let disk = pristine();
        disk.cut(path, length);
        let place = format!("{left:?} {} cut at {length}", path.display());
        if left == Left::Open {
            cut_while_open(&disk, right).map_err(|what| anyhow!("{place}: {what}"))?;
        } else {
            cuts.take(ask(left, &disk), right, place);
        }
    }
    Ok([flips, cuts])
}

pub(super) fn run(seed: u64) -> Result<()> {
    let began = Instant::now();
    let mut figures = [Figures::default(), Figures::default()];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for left in Left::ALL {
        let (moment, files) = small_store(seed, left).context("cannot write a small store")?;
        let (right, clean) = ask(left, &SimDisk::after(&moment, Loss::Nothing, 0))
            .context("the small store cannot be read")?;
        ensure!(clean && right.events.len() == EVENTS, "the store is not as it was written");
        ensure!(right.rollups.is_empty() != left.is_rolled_up(), "rollups are missing");
        let bytes: usize = files.iter().map(|(_, length)| length).sum();
        println!("store, {:<16} {bytes:>8} bytes in {} files", format!("{left:?}"), files.len());
        for (path, length) in files {
            let share = |of: usize, at: usize| of * at / threads..of * (at + 1) / threads;
            let tried: Vec<Result<[Figures; 2]>> = std::thread::scope(|scope| {
                let begin = |at| {
                    let (moment, right, path) = (&moment, &right, &path);
                    scope.spawn(move || {
                        file(moment, right, left, path, share(length * 8, at), share(length, at))
                    })
                };
                let running: Vec<_> = (0..threads).map(begin).collect();
                let join = |it: std::thread::ScopedJoinHandle<'_, _>| {
                    it.join().unwrap_or_else(|_| Err(anyhow!("a reader panicked")))
                };
                running.into_iter().map(join).collect()
            });
            for tried in tried {
                for (all, one) in figures.iter_mut().zip(tried?) {
                    all.add(one);
                }
            }
        }
    }
    figures[0].print("single bits flipped");
    figures[1].print("files cut short");
    println!("seconds                 {:>8.1}", began.elapsed().as_secs_f64());
    for figures in &figures {
        let shown = &figures.silent[..figures.silent.len().min(SHOWN)];
        ensure!(figures.silent.is_empty(), "wrong answers, some of them: {shown:?}");
    }
    Ok(())
}

/// A file of a store that a killed writer left, cut anywhere: it opens with what is whole, or says
/// why not.
fn cut_while_open(disk: &SimDisk, right: &Answers) -> Result<(), String> {
    let Ok(store) = SegmentStore::open_on(Arc::new(disk.clone()), &config()) else {
        return Ok(());
    };
    let items = store.query(&Query::all()).map_err(|error| error.to_string())?;
    let found: Vec<Event> = items.filter_map(Result::ok).collect();
    if found.iter().any(|event| !right.events.contains(event)) {
        return Err("an event that was never written".into());
    }
    store.append(&right.events).map_err(|error| format!("it takes no append: {error}"))?;
    Ok(())
}
