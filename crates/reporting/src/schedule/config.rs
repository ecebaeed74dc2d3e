use super::{Schedule, When, period};
use crate::ReportFormat;
use croner::Cron;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Timestamp;
use telemetry_models::report::ReportKind;

/// Most schedules.
const MOST: usize = 1_000;

/// One report that is made by itself: a `[[reporting.schedules]]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Letters, digits, `-` and `_`, at most 64: it begins the names of files.
    pub name: String,
    /// At this one time. One of `once`, `every` and `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub once: Option<Timestamp>,
    /// `hourly`, `daily`, `weekly`, `monthly`, or a length of time from one minute to 366 days, as
    /// `15m`, `6h` or `7d`, counted from 1970-01-01T00:00:00Z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Time of day for `daily` to `monthly`; of `hourly` only the minute counts. Midnight without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// For `weekly` the day of the week (`monday` without it), for `monthly` a day of the month, 1
    /// to 28, or `last` (1 without it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<ScheduleOn>,
    /// A cron expression of five fields: minute, hour, day of month, month, day of week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Name of the zone in the IANA time zone database that calendar times are meant in.
    pub time_zone: String,
    /// How much time a report covers, as `24h` or `7d`; without it, the time since the one before was
    /// due (with `once`, 24 hours).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// What it is about; everything without it.
    pub kind: ReportKind,
    /// Whether it is compared with the time right before, as long.
    pub compare: bool,
    /// Selectors it covers, with `*` and `?`; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Site it covers; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Forms it is written in, at least one; the first is the one delivered.
    pub formats: Vec<ReportFormat>,
    /// Directory it is written to; made when absent.
    pub directory: PathBuf,
    /// Reports that are kept there, of each form, 1 to 100,000; the oldest go first.
    pub keep: usize,
    /// What becomes of reports that fell due while nothing ran.
    pub catch_up: CatchUp,
    /// Names of webhook and e-mail channels it is delivered through.
    pub deliver: Vec<String>,
}

/// The day of a week or month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScheduleOn {
    /// Day of the month, 1 to 28.
    Day(i64),
    /// `monday` to `sunday`, or `last` for the last day of the month.
    Name(String),
}

/// What becomes of reports that fell due while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// The last of them is made; the others are counted.
    #[default]
    Latest,
    /// All are made, oldest first, at most the 100 last.
    All,
    /// None is made that is late by more than ten minutes; they are counted.
    None,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            once: None,
            every: None,
            at: None,
            on: None,
            cron: None,
            time_zone: "UTC".into(),
            period: None,
            kind: ReportKind::default(),
            compare: false,
            selector: None,
            site: None,
            formats: vec![ReportFormat::Html],
            directory: "./telemetry-reports".into(),
            keep: 30,
            catch_up: CatchUp::Latest,
            deliver: Vec::new(),
        }
    }
}

impl ScheduleConfig {
    /// Reads every field.
    ///
    /// # Errors
    /// TEL-004; names the schedule, the field, what was found and what was expected.
    pub fn schedule(&self) -> Result<Schedule> {
        let name_fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(name_fits) {
            let found = format!("{:?}", self.name);
            return Err(self.wrong("name", found, "1 to 64 letters, digits, - and _"));
        }
        if self.formats.is_empty() {
            return Err(self.wrong("formats", "none", "at least one, for instance [\"html\"]"));
        }
        if !(1..=100_000).contains(&self.keep) {
            return Err(self.wrong("keep", self.keep, "1 to 100000"));
        }
        let selector = self.selector.as_deref().map(|text| {
            text.parse().map_err(|error: telemetry_models::Invalid| {
                self.wrong("selector", format!("{text:?}"), "a pattern of names").source(error)
            })
        });
        Ok(Schedule {
            name: self.name.clone(),
            when: self.when()?,
            period: self.length("period", self.period.as_deref())?,
            kind: self.kind,
            compare: self.compare,
            selector: selector.transpose()?,
            site: self.site.clone(),
            formats: self.formats.clone(),
            directory: self.directory.clone(),
            keep: self.keep,
            catch_up: self.catch_up,
            deliver: self.deliver.clone(),
        })
    }

    fn when(&self) -> Result<When> {
        let given = [self.once.is_some(), self.every.is_some(), self.cron.is_some()];
        let when = match given.into_iter().filter(|it| *it).count() {
            1 => match (&self.once, &self.every, &self.cron) {
                (Some(at), ..) => When::Once(*at),
                (_, Some(every), _) => self.every(every)?,
                (.., cron) => self.calendar("cron", cron.as_deref().unwrap_or_default())?,
            },
            0 => return Err(self.wrong("every", "nothing", "one of once, every and cron")),
            _ => return Err(self.wrong("every", "more than one", "one of once, every and cron")),
        };
        let calendar =
            matches!(self.every.as_deref(), Some("daily" | "weekly" | "monthly" | "hourly"));
        if !calendar && self.at.is_some() {
            return Err(self.wrong("at", "a time", "nothing without hourly to monthly"));
        }
        if !matches!(self.every.as_deref(), Some("weekly" | "monthly")) && self.on.is_some() {
            return Err(self.wrong("on", "a day", "nothing without weekly or monthly"));
        }
        Ok(when)
    }

    fn every(&self, every: &str) -> Result<When> {
        let (hour, minute) = self.time_of_day()?;
        match every {
            "hourly" => self.calendar("every", &format!("{minute} * * * *")),
            "daily" => self.calendar("every", &format!("{minute} {hour} * * *")),
            "weekly" => {
                let day = self.day_of_week()?;
                self.calendar("every", &format!("{minute} {hour} * * {day}"))
            }
            "monthly" => {
                let day = self.day_of_month()?;
                self.calendar("every", &format!("{minute} {hour} {day} * *"))
            }
            length => {
                let length = self.length("every", Some(length))?.unwrap_or(period::DAY);
                if length < Duration::from_secs(60) || length > period::DAY * 366 {
                    return Err(self.wrong("every", format!("{every:?}"), "1m to 366d"));
                }
                Ok(When::Every(length))
            }
        }
    }

    fn time_of_day(&self) -> Result<(i8, i8)> {
        let Some(at) = &self.at else { return Ok((0, 0)) };
        match Time::strptime("%H:%M", at) {
            Ok(time) => Ok((time.hour(), time.minute())),
            Err(_) => Err(self.wrong("at", format!("{at:?}"), "a time of day such as \"07:30\"")),
        }
    }

    fn day_of_week(&self) -> Result<usize> {
        const DAYS: [&str; 7] =
            ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
        let expected = "a day from \"monday\" to \"sunday\"";
        match &self.on {
            None => Ok(1),
            Some(ScheduleOn::Name(name)) => DAYS
                .iter()
                .position(|day| day.eq_ignore_ascii_case(name))
                .ok_or_else(|| self.wrong("on", format!("{name:?}"), expected)),
            Some(ScheduleOn::Day(day)) => Err(self.wrong("on", day, expected)),
        }
    }

    fn day_of_month(&self) -> Result<String> {
        match &self.on {
            None => Ok("1".into()),
            Some(ScheduleOn::Day(day)) if (1..=28).contains(day) => Ok(day.to_string()),
            Some(ScheduleOn::Name(name)) if name == "last" => Ok("L".into()),
            Some(ScheduleOn::Day(day)) => Err(self.wrong("on", day, "1 to 28, or \"last\"")),
            Some(ScheduleOn::Name(name)) => {
                Err(self.wrong("on", format!("{name:?}"), "1 to 28, or \"last\""))
            }
        }
    }

    fn calendar(&self, field: &str, expression: &str) -> Result<When> {
        let zone = TimeZone::get(&self.time_zone).map_err(|error| {
            let found = format!("{:?}", self.time_zone);
            self.wrong("time_zone", found, "a zone such as \"Europe/Vienna\"").source(error)
        })?;
        if expression.split_whitespace().count() != 5 {
            let expected = "five fields: minute, hour, day of month, month, day of week";
            return Err(self.wrong(field, format!("{expression:?}"), expected));
        }
        let cron = Cron::from_str(expression).map_err(|error| {
            let expected = "a cron expression such as \"0 7 * * 1-5\"";
            self.wrong(field, format!("{expression:?}"), expected).source(error)
        })?;
        let when = When::Calendar { cron: Box::new(cron), zone };
        // 30 February: well-formed, and never.
        if when.next_after(Timestamp::from_nanos(0)).is_none() {
            return Err(self.wrong(field, format!("{expression:?}"), "days that occur"));
        }
        Ok(when)
    }

    fn length(&self, field: &str, text: Option<&str>) -> Result<Option<Duration>> {
        let Some(text) = text else { return Ok(None) };
        let expected = match field {
            "every" => "hourly, daily, weekly, monthly, or a length of time such as \"6h\"",
            _ => "a length of time such as \"24h\" or \"7d\"",
        };
        match period::parse(text) {
            Some(length) => Ok(Some(length)),
            None => Err(self.wrong(field, format!("{text:?}"), expected)),
        }
    }

    fn wrong(&self, field: &str, found: impl Display, expected: &str) -> Error {
        Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("reporting.schedules.{field}: found {found}, expected {expected}"),
        )
        .with("schedule", &self.name)
    }
}

/// Checks schedules, also against each other.
///
/// # Errors
/// As [`ScheduleConfig::schedule`]; and for a name that occurs twice.
pub(crate) fn validate(schedules: &[ScheduleConfig]) -> Result<()> {
    if schedules.len() > MOST {
        let message = format!("reporting.schedules has {} tables, at most {MOST}", schedules.len());
        return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message));
    }
    for (at, schedule) in schedules.iter().enumerate() {
        schedule.schedule()?;
        if schedules[..at].iter().any(|other| other.name == schedule.name) {
            return Err(schedule.wrong("name", "a name used before", "another for each"));
        }
    }
    Ok(())
}
