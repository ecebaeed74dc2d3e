use crate::{Order, Query, Result};
use std::fmt;
use std::str::FromStr;
use telemetry_models::{Event, Invalid, Timestamp};

/// Where an answer was left off: give it to the same query as [`Query::after`], and the answer goes
/// on behind the last event that was taken, also in another process and after a compaction.
///
/// Events are told apart by their timestamp and their place among those of the same time. With the
/// oldest first nothing is left out and nothing comes twice, whatever is appended in between. With
/// the newest first, an event that is appended later *with the very nanosecond* at which the answer
/// was left off takes the place of one that was given.
///
/// ```
/// use telemetry_interfaces::{Continuation, EventStore, MemoryStore, Query};
///
/// let store = MemoryStore::new();
/// let mut query = Query { limit: Some(50), ..Query::all() };
/// loop {
///     let mut last = query.after;
///     for event in store.query(&query)? {
///         last = Some(Continuation::behind(last, &event?));
///     }
///     if last == query.after {
///         break;
///     }
///     query.after = last;
/// }
/// # Ok::<(), telemetry_interfaces::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Continuation {
    at: Timestamp,
    /// Events of this time that were taken.
    taken: u64,
}

impl Continuation {
    /// Behind an event that was taken after all those the one before is behind.
    pub fn behind(before: Option<Self>, event: &Event) -> Self {
        let at = event.timestamp;
        let same = before.filter(|it| it.at == at).map_or(0, |it| it.taken);
        Self { at, taken: same + 1 }
    }
}

/// As text without spaces, for command lines and addresses.
impl fmt::Display for Continuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_nanos(), self.taken)
    }
}

impl FromStr for Continuation {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        let parsed = text.split_once('.').and_then(|(at, taken)| {
            Some(Self { at: Timestamp::from_nanos(at.parse().ok()?), taken: taken.parse().ok()? })
        });
        parsed.ok_or_else(|| {
            let expected = "what an earlier answer said, as in 1767225600000000000.1";
            Invalid::new("after", format!("{text:?}"), expected)
        })
    }
}

impl Query {
    /// The query that a backend answers in place of one with [`after`](Self::after), and how many
    /// of its first events are to be left out: hand its answer to [`resume`].
    pub fn resumed(&self) -> (Self, Option<Continuation>) {
        let Some(after) = self.after else { return (self.clone(), None) };
        let mut query = Self { after: None, ..self.clone() };
        match self.order {
            Order::OldestFirst | Order::Any => {
                query.order = Order::OldestFirst;
                query.from = Some(query.from.map_or(after.at, |from| from.max(after.at)));
            }
            Order::NewestFirst => {
                // `to` is exclusive.
                let behind = after.at.as_nanos().checked_add(1).map(Timestamp::from_nanos);
                query.to = match (query.to, behind) {
                    (Some(to), Some(behind)) => Some(to.min(behind)),
                    (to, behind) => to.or(behind),
                };
            }
        }
        let taken = usize::try_from(after.taken).unwrap_or(usize::MAX);
        query.limit = self.limit.map(|limit| limit.saturating_add(taken));
        (query, Some(after))
    }
}

/// Leaves out what was taken before, and keeps to the limit.
pub fn resume<I: Iterator<Item = Result<Event>>>(
    answer: I,
    after: Option<Continuation>,
    limit: Option<usize>,
) -> impl Iterator<Item = Result<Event>> + use<I> {
    let mut taken = after.map_or(0, |it| it.taken);
    let at = after.map(|it| it.at);
    let mut left = limit.unwrap_or(usize::MAX);
    answer
        .filter(move |item| {
            let before = taken > 0
                && item.as_ref().is_ok_and(|event| at.is_some_and(|at| event.timestamp == at));
            taken -= u64::from(before);
            !before
        })
        .map_while(move |item| {
            if item.is_ok() {
                left = left.checked_sub(1)?;
            }
            Some(item)
        })
}
