use super::period;
use croner::Cron;
use jiff::tz::TimeZone;
use std::fmt;
use std::time::Duration;
use telemetry_models::Timestamp;

/// When something is due.
#[derive(Clone, Debug)]
pub enum When {
    /// At one time.
    Once(Timestamp),
    /// At every multiple of a length of time since 1970-01-01T00:00:00Z.
    Every(Duration),
    /// By the calendar of a time zone: a cron expression of five fields, as POSIX and Vixie cron
    /// have it (day of month *or* day of week when both are given), with `L`, `#` and `W` besides.
    ///
    /// Where clocks are set forward, a time of day that does not occur is made up for right after
    /// the gap; where they are set back, a time of day that occurs twice counts once. Expressions
    /// with `*` in minute or hour follow the time that passes instead.
    Calendar {
        /// The expression.
        cron: Box<Cron>,
        /// The zone it is meant in.
        zone: TimeZone,
    },
}

impl When {
    /// The first time after `time` at which something is due; `None` when there is none any more.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) => (*at > time).then_some(*at),
            Self::Every(length) => {
                let length = i64::try_from(length.as_nanos()).ok()?;
                let past = time.as_nanos().div_euclid(length).checked_mul(length)?;
                past.checked_add(length).map(Timestamp::from_nanos)
            }
            Self::Calendar { cron, zone } => {
                let second = whole_second(time, zone)?;
                // A fresh search may find the moment it starts from, by another name.
                let mut next = cron.find_next_occurrence(&second, false).ok()?;
                if next.timestamp() <= second.timestamp() {
                    next = cron.find_next_occurrence(&next, false).ok()?;
                }
                ours(&next).filter(|next| *next > time)
            }
        }
    }

    /// The last time up to `time`, which is included, at which something was due; `None` when there
    /// was none yet.
    pub fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) => (*at <= time).then_some(*at),
            Self::Every(length) => {
                let length = i64::try_from(length.as_nanos()).ok()?;
                time.as_nanos().div_euclid(length).checked_mul(length).map(Timestamp::from_nanos)
            }
            Self::Calendar { cron, zone } => {
                let second = whole_second(time, zone)?;
                let last = cron.find_previous_occurrence(&second, true).ok()?;
                ours(&last)
            }
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(at) => write!(f, "once, {at}"),
            Self::Every(length) => write!(f, "every {}", period::words(*length)),
            Self::Calendar { cron, zone } => {
                write!(f, "{} {}", cron.as_str(), zone.iana_name().unwrap_or("UTC"))
            }
        }
    }
}

fn whole_second(time: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
    let seconds = time.as_nanos().div_euclid(1_000_000_000);
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_zoned(zone.clone()))
}

fn ours(time: &jiff::Zoned) -> Option<Timestamp> {
    i64::try_from(time.timestamp().as_nanosecond()).ok().map(Timestamp::from_nanos)
}
