use crate::FineHistogram;
use crate::distinct::{Fingerprint, fingerprint};
use telemetry_models::{Event, Outcome};

/// Operations in groups that are independent of each other, so that a comparison can tell what
/// chance does.
///
/// Operations on one page in one run resemble each other: ten thousand of them on ten pages say
/// little more than ten. A cluster is what one run did on one page within an hour; clusters are
/// dealt to [`GROUPS`](Self::GROUPS) groups by a fixed hash, which keeps them whole and memory
/// bounded. Merging is exact and order-free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusteredSample {
    /// Empty, or one for each group.
    groups: Vec<ClusterGroup>,
}

/// The operations of some clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterGroup {
    /// Operations that tested the selector.
    pub verdicts: u64,
    /// Operations that succeeded.
    pub successes: u64,
    /// Successful operations whose fallback depth is known.
    pub depths: u64,
    /// Successful operations that needed a fallback.
    pub fallbacks: u64,
    /// Durations of the successful operations that report one.
    pub durations: FineHistogram,
}

/// Run, page and hour.
struct Cluster<'a> {
    run: &'a str,
    page: &'a str,
    hour: i64,
}

impl Fingerprint for Cluster<'_> {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.run.feed(take);
        self.page.feed(take);
        take(&self.hour.to_le_bytes());
    }
}

impl ClusteredSample {
    /// Groups that clusters are dealt to.
    pub const GROUPS: usize = 32;

    /// Adds an event to the group of its cluster.
    pub fn add(&mut self, event: &Event) {
        if self.groups.is_empty() {
            self.groups = vec![ClusterGroup::default(); Self::GROUPS];
        }
        let page = event.page.as_ref().and_then(|page| page.url.as_deref());
        let cluster = Cluster {
            run: event.run.as_ref().map_or("", |run| run.as_str()),
            page: page.unwrap_or(""),
            hour: event.timestamp.as_nanos().div_euclid(3_600_000_000_000),
        };
        let at = fingerprint(&cluster) % Self::GROUPS as u64;
        self.groups[at as usize].add(event);
    }

    /// Adds everything another sample holds.
    pub fn merge(&mut self, other: &Self) {
        if self.groups.is_empty() {
            self.groups.clone_from(&other.groups);
            return;
        }
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.verdicts += other.verdicts;
            own.successes += other.successes;
            own.depths += other.depths;
            own.fallbacks += other.fallbacks;
            own.durations.merge(&other.durations);
        }
    }

    /// The groups.
    pub fn groups(&self) -> &[ClusterGroup] {
        &self.groups
    }
}

impl ClusterGroup {
    fn add(&mut self, event: &Event) {
        self.verdicts += u64::from(event.outcome.is_verdict());
        if event.outcome != Outcome::Success {
            return;
        }
        self.successes += 1;
        if let Some(depth) = event.fallback_depth() {
            self.depths += 1;
            self.fallbacks += u64::from(depth > 0);
        }
        if let Some(duration) = event.duration() {
            self.durations.add(duration);
        }
    }
}
