use crate::outcome::words;
use crate::{Invalid, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const SECOND: i128 = 1_000_000_000;

words! {
    /// The stretch of UTC time a rollup covers.
    RollupPeriod, "period" {
        /// A full hour.
        Hour = "hour",
        /// A calendar day.
        Day = "day",
        /// A calendar month.
        Month = "month",
    }
}

impl RollupPeriod {
    /// When the period that holds `at` began. The first period of all begins at
    /// [`Timestamp::MIN`], in the middle of a calendar one.
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        let nanos = i128::from(at.as_nanos());
        match self {
            Self::Hour => saturated(nanos.div_euclid(3600 * SECOND) * 3600 * SECOND),
            Self::Day => saturated(nanos.div_euclid(86_400 * SECOND) * 86_400 * SECOND),
            Self::Month => {
                let date = at.date();
                month_start(date.year(), date.month())
            }
        }
    }

    /// When the period after the one that holds `at` begins; [`Timestamp::MAX`] after the last.
    pub fn end_of(self, at: Timestamp) -> Timestamp {
        let nanos = i128::from(at.as_nanos());
        match self {
            Self::Hour => saturated((nanos.div_euclid(3600 * SECOND) + 1) * 3600 * SECOND),
            Self::Day => saturated((nanos.div_euclid(86_400 * SECOND) + 1) * 86_400 * SECOND),
            Self::Month => {
                let date = at.date();
                match date.month() {
                    12 => month_start(date.year() + 1, 1),
                    month => month_start(date.year(), month + 1),
                }
            }
        }
    }

    /// Whether `at` is where a period begins.
    pub fn is_start(self, at: Timestamp) -> bool {
        self.start_of(at) == at
    }
}

fn month_start(year: i16, month: i8) -> Timestamp {
    let first = jiff::civil::date(year, month, 1).to_datetime(jiff::civil::Time::midnight());
    let zoned = first.to_zoned(jiff::tz::TimeZone::UTC);
    let zoned = zoned.expect("UTC has every instant of the years 1677 to 2262");
    saturated(zoned.timestamp().as_nanosecond())
}

fn saturated(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

#[cfg(test)]
mod tests {
    use super::RollupPeriod::{self, Day, Hour, Month};
    use crate::Timestamp;

    fn check(period: RollupPeriod, at: &str, start: &str, end: &str) {
        let at: Timestamp = at.parse().unwrap();
        assert_eq!(period.start_of(at).to_string(), start, "{period} of {at}");
        assert_eq!(period.end_of(at).to_string(), end, "{period} of {at}");
        assert!(period.is_start(start.parse().unwrap()), "{start}");
    }

    #[test]
    fn periods_follow_the_calendar() {
        let start = "2026-01-31T00:00:00Z";
        check(
            Hour,
            "2026-01-31T12:59:59.999999999Z",
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:00:00Z",
        );
        check(Day, "2026-01-31T23:59:59.9Z", start, "2026-02-01T00:00:00Z");
        check(Month, "2026-01-31T23:59:59.9Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        check(Month, "2024-12-05T00:00:00Z", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check(Hour, "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_ends_of_time_belong_to_a_period() {
        for period in RollupPeriod::ALL {
            assert_eq!(period.start_of(Timestamp::MIN), Timestamp::MIN);
            assert_eq!(period.end_of(Timestamp::MAX), Timestamp::MAX);
            assert!(period.start_of(Timestamp::MAX) < Timestamp::MAX);
        }
    }
}
