use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An instant in UTC, in nanoseconds since 1970-01-01T00:00:00Z (years 1677 to 2262).
///
/// Its text form is RFC 3339 with a `Z`. Durations are never differences of timestamps: they are
/// measured with a monotonic clock and kept as [`Duration`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest representable instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable instant.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the Unix epoch, saturating at the range's ends.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// `self + duration`, saturating.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::saturated(i128::from(self.0) + nanos(duration))
    }

    /// `self - duration`, saturating.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self::saturated(i128::from(self.0) - nanos(duration))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    /// The UTC calendar day, `YYYY-MM-DD`.
    pub fn day(self) -> String {
        self.jiff().strftime("%Y-%m-%d").to_string()
    }

    /// The UTC calendar date.
    pub(crate) fn date(self) -> jiff::civil::Date {
        self.jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    fn saturated(nanos: i128) -> Self {
        Self(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .expect("jiff covers the years -9999 to 9999, an i64 of nanoseconds less")
    }
}

/// A `Duration` holds less than 2^94 nanoseconds.
fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 2)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.jiff(), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    /// Reads RFC 3339 with any offset. A text without an offset (as the original Python system
    /// wrote with `datetime.utcnow().isoformat()`) is taken as UTC.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let nanos = match text.parse::<jiff::Timestamp>() {
            Ok(at) => Some(at.as_nanosecond()),
            Err(_) => text
                .parse::<jiff::civil::DateTime>()
                .ok()
                .and_then(|local| local.to_zoned(jiff::tz::TimeZone::UTC).ok())
                .map(|zoned| zoned.timestamp().as_nanosecond()),
        };
        nanos.and_then(|nanos| i64::try_from(nanos).ok()).map(Self).ok_or_else(|| {
            Invalid::new("timestamp", format!("{text:?}"), "RFC 3339, as in 2026-01-31T12:00:00Z")
        })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> String {
        at.to_string()
    }
}
