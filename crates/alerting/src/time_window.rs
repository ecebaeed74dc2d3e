use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Timestamp;

/// Times of day on some days of the week, as the clocks of a place show them.
///
/// A moment is inside when the clock on the wall there shows a time from `from` (included) to `to`
/// (excluded). With `to` at or before `from` the window goes on past midnight and belongs to the day
/// it began on. When clocks are set back, an hour that comes twice counts twice; when they are set
/// forward, an hour that is left out is no time at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// The name by which routes and mutes refer to it.
    pub name: String,
    /// IANA time zone, for instance `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// `mon` to `sun`; every day when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// `HH:MM`, midnight by default.
    #[serde(default = "midnight")]
    pub from: String,
    /// `HH:MM`; by default midnight, the end of the day.
    #[serde(default = "midnight")]
    pub to: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn is(self, day: Weekday) -> bool {
        self as i8 == day.to_monday_zero_offset()
    }
}

fn utc() -> String {
    "UTC".into()
}

fn midnight() -> String {
    "00:00".into()
}

/// A window that is ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    zone: TimeZone,
    days: Vec<Day>,
    from: Time,
    to: Time,
}

impl TimeWindow {
    pub(crate) fn opening(&self) -> Result<Opening> {
        let zone = TimeZone::get(&self.zone).map_err(|_| {
            self.invalid("zone", &self.zone, "an IANA time zone such as Europe/Berlin")
        })?;
        let time = |field: &str, text: &str| {
            Time::strptime("%H:%M", text)
                .map_err(|_| self.invalid(field, text, "a time of day such as 22:00"))
        };
        Ok(Opening {
            zone,
            days: self.days.clone(),
            from: time("from", &self.from)?,
            to: time("to", &self.to)?,
        })
    }

    fn invalid(&self, field: &str, found: &str, expected: &str) -> Error {
        Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("a time window is wrong: found {found:?}, expected {expected}"),
        )
        .with("window", &self.name)
        .with("field", format!("alerting.delivery.times.{field}"))
    }
}

impl Opening {
    pub(crate) fn contains(&self, at: Timestamp) -> bool {
        let Ok(instant) = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())) else {
            return false;
        };
        let local = instant.to_zoned(self.zone.clone());
        let (time, day) = (local.time(), local.weekday());
        let on = |day: Weekday| self.days.is_empty() || self.days.iter().any(|it| it.is(day));
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&time);
        }
        (on(day) && time >= self.from) || (on(day.previous()) && time < self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(zone: &str, days: &[Day], from: &str, to: &str) -> Opening {
        let (name, zone) = ("w".into(), zone.into());
        TimeWindow { name, zone, days: days.to_vec(), from: from.into(), to: to.into() }
            .opening()
            .unwrap()
    }

    fn check(window: &Opening, at: &str, expected: bool) {
        assert_eq!(window.contains(at.parse().unwrap()), expected, "{at}");
    }

    #[test]
    fn past_midnight_it_belongs_to_the_day_it_began_on() {
        // Friday night in New York, UTC-5 in January 2026; the 2nd is a Friday.
        let night = window("America/New_York", &[Day::Fri], "22:00", "06:00");
        check(&night, "2026-01-03T02:59:59Z", false);
        check(&night, "2026-01-03T03:00:00Z", true);
        check(&night, "2026-01-03T10:59:59Z", true);
        check(&night, "2026-01-03T11:00:00Z", false);
        check(&night, "2026-01-02T05:30:00Z", false);
        check(&night, "2026-01-04T03:30:00Z", false);
    }

    #[test]
    fn the_wall_clock_counts_when_clocks_change() {
        let day = window("Europe/Berlin", &[], "09:00", "17:00");
        check(&day, "2026-03-28T08:00:00Z", true);
        check(&day, "2026-03-28T07:30:00Z", false);
        check(&day, "2026-03-30T07:30:00Z", true);
        check(&day, "2026-03-30T15:00:00Z", false);
        // 02:30 comes twice on 25 October 2026, and not at all on 29 March.
        let early = window("Europe/Berlin", &[], "02:00", "03:00");
        check(&early, "2026-10-25T00:30:00Z", true);
        check(&early, "2026-10-25T01:30:00Z", true);
        check(&early, "2026-10-25T02:00:00Z", false);
        for minute in 0..180 {
            let at: Timestamp = "2026-03-29T00:00:00Z".parse().unwrap();
            let at = at.saturating_add(std::time::Duration::from_secs(60 * minute));
            assert!(!early.contains(at), "{at}");
        }
    }

    #[test]
    fn whole_days_and_mistakes() {
        let weekend = window("Asia/Kolkata", &[Day::Sat, Day::Sun], "00:00", "00:00");
        check(&weekend, "2026-01-02T18:29:00Z", false);
        check(&weekend, "2026-01-02T18:30:00Z", true);
        check(&weekend, "2026-01-04T18:29:00Z", true);
        let mut wrong = TimeWindow {
            name: "w".into(),
            zone: "Europe/Atlantis".into(),
            days: Vec::new(),
            from: "7 pm".into(),
            to: "00:00".into(),
        };
        assert!(wrong.opening().unwrap_err().to_string().contains("Europe/Atlantis"));
        wrong.zone = "UTC".into();
        assert!(wrong.opening().unwrap_err().to_string().contains("alerting.delivery.times.from"));
    }
}
