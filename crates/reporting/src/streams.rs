use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{Event, ProducerId, RunId, Timestamp};

/// Streams that are followed.
const MAX_STREAMS: usize = 256;
/// Gaps remembered for a stream; one with more is followed no further.
const MAX_RANGES: usize = 4_096;
/// Contradictions between sequence and timestamp up to this are those of threads and clocks.
const SLACK: Duration = Duration::from_secs(300);

/// What each recorder's sequence tells: events read twice, and time that ran backwards.
///
/// Memory is bounded; streams beyond the limits count as not followed.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: Vec<Stream>,
    by_name: BTreeMap<(RunId, ProducerId), usize>,
    latest: usize,
    pub(crate) sequenced: u64,
    pub(crate) duplicates: u64,
}

/// An event's place in its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) sequence: u64,
    /// Number of the stream, as whoever made it counts.
    pub(crate) stream: u32,
}

#[derive(Debug)]
struct Stream {
    run: RunId,
    producer: ProducerId,
    /// Sequences read: start and end (not included) of each range.
    read: BTreeMap<u64, u64>,
    followed: bool,
    highest: Option<(u64, Timestamp)>,
    disordered: bool,
}

impl Streams {
    /// Takes the next event; events come oldest first.
    pub(crate) fn add_event(&mut self, event: &Event) {
        if let (Some(run), Some(producer), Some(sequence)) =
            (&event.run, &event.producer, event.sequence)
        {
            self.add(run, producer, sequence, event.timestamp);
        }
    }

    /// Takes the next event by what its recorder said of it.
    pub(crate) fn add(
        &mut self,
        run: &RunId,
        producer: &ProducerId,
        sequence: u64,
        time: Timestamp,
    ) {
        let Some(at) = self.find(run, producer) else { return };
        let stream = &mut self.streams[at];
        if !stream.followed {
            return;
        }
        self.sequenced += 1;
        match stream.highest {
            Some((highest, seen)) if sequence < highest => {
                let passed = time.saturating_sub(SLACK);
                stream.disordered |= passed > seen;
            }
            _ => stream.highest = Some((sequence, time)),
        }
        if !insert(&mut stream.read, sequence) {
            self.duplicates += 1;
        }
        if stream.read.len() > MAX_RANGES {
            stream.followed = false;
            stream.read.clear();
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.streams.len() as u64
    }

    pub(crate) fn disordered(&self) -> u64 {
        self.streams.iter().filter(|it| it.disordered).count() as u64
    }

    fn find(&mut self, run: &RunId, producer: &ProducerId) -> Option<usize> {
        let is = |it: &Stream| it.run == *run && it.producer == *producer;
        if self.streams.get(self.latest).is_some_and(is) {
            return Some(self.latest);
        }
        let key = (run.clone(), producer.clone());
        let at = match self.by_name.get(&key) {
            Some(at) => *at,
            None if self.streams.len() >= MAX_STREAMS => return None,
            None => {
                self.streams.push(Stream {
                    run: run.clone(),
                    producer: producer.clone(),
                    read: BTreeMap::new(),
                    followed: true,
                    highest: None,
                    disordered: false,
                });
                self.by_name.insert(key, self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        self.latest = at;
        Some(at)
    }
}

/// Adds a number to a set of ranges; whether it was new.
fn insert(ranges: &mut BTreeMap<u64, u64>, at: u64) -> bool {
    let below = ranges.range(..=at).next_back().map(|(start, end)| (*start, *end));
    if below.is_some_and(|(_, end)| at < end) {
        return false;
    }
    let next = at.saturating_add(1);
    let end = ranges.remove(&next).unwrap_or(next);
    match below {
        Some((start, at_end)) if at_end == at => ranges.insert(start, end),
        _ => ranges.insert(at, end),
    };
    true
}

#[cfg(test)]
mod tests {
    use super::insert;
    use std::collections::BTreeMap;

    #[test]
    fn ranges_join() {
        let mut ranges = BTreeMap::new();
        for at in [5, 7, 6, 1, 0] {
            assert!(insert(&mut ranges, at), "{at}");
        }
        assert!(!insert(&mut ranges, 6) && !insert(&mut ranges, 0));
        assert_eq!(ranges.into_iter().collect::<Vec<_>>(), [(0, 2), (5, 8)]);
    }
}
