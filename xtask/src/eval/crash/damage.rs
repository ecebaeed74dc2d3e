use anyhow::{Context, Result, anyhow, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_runtime::interfaces::{
    Durability, Error, EventStore, Ledger, Maintenance, Query, SelectorPattern, StoreStats,
    VerifyLevel,
};
use telemetry_runtime::models::Event;
use telemetry_runtime::storage::{SegmentStore, StorageConfig};
use telemetry_testkit::disk::{Loss, Moment, SimDisk};
use telemetry_testkit::simulation::store_path;
use telemetry_testkit::{EventGenerator, GeneratorConfig};

/// Everything a reader can ask.
#[derive(PartialEq)]
struct Answers {
    events: Vec<Event>,
    some: Vec<Event>,
    ledgers: Vec<Ledger>,
    stats: StoreStats,
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

/// A store of a few segments, closed or as a killed writer leaves it, with the lengths of its files.
fn small_store(seed: u64, closed: bool) -> Result<(Moment, Vec<(PathBuf, usize)>)> {
    let disk = SimDisk::new(Path::new("/simulated"), seed);
    let settings = GeneratorConfig {
        events: 30,
        selectors: 6,
        sites: 2,
        sessions: 2,
        error_share: 0.1,
        ..GeneratorConfig::default()
    };
    let store = SegmentStore::open_on(Arc::new(disk.clone()), &config())?;
    let events: Vec<Event> = EventGenerator::new(seed, settings).collect();
    let ledger = Ledger {
        run: None,
        producer: None,
        at: events[0].timestamp,
        recorded: 30,
        stored: 30,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    };
    for batch in events.chunks(5) {
        store.append(batch)?;
    }
    store.append_ledger(&ledger)?;
    if closed {
        store.close()?;
    }
    let moment = disk.moment();
    let files = SimDisk::after(&moment, Loss::Nothing, 0).files();
    Ok((moment, files.into_iter().filter(|(_, length)| *length > 0).collect()))
}

fn ask(disk: &SimDisk) -> Result<(Answers, bool), Error> {
    let store = SegmentStore::open_read_only_on(Arc::new(disk.clone()), &store_path())?;
    let some = Query { selector: SelectorPattern::new("*title*").ok(), ..Query::all() };
    let answers = Answers {
        events: store.query(&Query::all())?.collect::<Result<_, _>>()?,
        some: store.query(&some)?.collect::<Result<_, _>>()?,
        ledgers: store.ledgers()?,
        stats: store.stats()?,
    };
    let clean = store.verify(VerifyLevel::Deep, &mut |_, _| {})?.is_clean();
    Ok((answers, clean))
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

    fn print(&self, what: &str) {
        println!("{what:<23} {:>8}", self.tried);
        println!("  an error in the answer {:>7}", self.refused);
        println!("  found by store verify {:>8}   answers right", self.verified);
        println!("  harmless              {:>8}   answers right, nothing to report", self.harmless);
        println!("  a wrong answer        {:>8}", self.silent.len());
    }
}

pub(super) fn run(seed: u64) -> Result<()> {
    let mut flips = Figures::default();
    let mut cuts = Figures::default();
    for closed in [true, false] {
        let (moment, files) = small_store(seed, closed).context("cannot write a small store")?;
        let pristine = || SimDisk::after(&moment, Loss::Nothing, 0);
        let (right, clean) = ask(&pristine()).context("the small store cannot be read")?;
        ensure!(clean && right.events.len() == 30, "the small store is not as it was written");
        for (path, length) in files {
            for bit in 0..length * 8 {
                let disk = pristine();
                disk.flip(&path, bit);
                flips.take(ask(&disk), &right, format!("{} bit {bit}", path.display()));
            }
            for length in 0..length {
                let disk = pristine();
                disk.cut(&path, length);
                let place = format!("{} cut at {length}", path.display());
                if closed {
                    cuts.take(ask(&disk), &right, place);
                } else {
                    cut_while_open(&disk, &right).map_err(|what| anyhow!("{place}: {what}"))?;
                }
            }
        }
    }
    flips.print("single bits flipped");
    cuts.print("files cut short");
    for figures in [&flips, &cuts] {
        ensure!(figures.silent.is_empty(), "wrong answers: {:?}", figures.silent);
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
