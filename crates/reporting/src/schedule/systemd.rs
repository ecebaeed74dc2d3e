use super::{Schedule, When};
use croner::{Cron, CronComponent};
use jiff::tz::TimeZone;
use std::path::Path;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Timestamp;

/// A service and its timer, as systemd reads them (`systemd.service(5)`, `systemd.timer(5)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    /// Makes what is due, once.
    pub service: String,
    /// Starts the service whenever something may be due; after downtime at once (`Persistent=`).
    pub timer: String,
}

/// The units that make the reports of schedules without a process that waits for them.
///
/// `command` is the program with its arguments, `directory` where it runs, both absolute.
///
/// # Errors
/// Kind `Unsupported` for a cron expression with `#`, `W` or a weekday's `L`, which calendar events
/// (`systemd.time(7)`) cannot say; kind `Invalid` for an argument with a line break.
pub fn units(command: &[String], directory: &Path, schedules: &[Schedule]) -> Result<Units> {
    let mut timer =
        String::from("[Unit]\nDescription=Reports of selector telemetry are due\n\n[Timer]\n");
    for schedule in schedules {
        timer += &format!("# {}\n", schedule.name);
        for line in on_calendar(schedule)? {
            timer += &format!("OnCalendar={line}\n");
        }
    }
    // systemd skips a time of day that clocks set forward leave out.
    timer += "# Hourly: what a change of clocks left out\nOnCalendar=*-*-* *:01:00\n";
    timer += "Persistent=true\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n";
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect::<Result<_>>()?;
    let service = format!(
        "[Unit]\nDescription=Reports of selector telemetry\n\n[Service]\nType=oneshot\n\
         WorkingDirectory={}\nExecStart={}\n# A report that failed is tried again.\n\
         Restart=on-failure\nRestartSec=65\n",
        escaped(&directory.display().to_string())?,
        words.join(" "),
    );
    Ok(Units { service, timer })
}

fn on_calendar(schedule: &Schedule) -> Result<Vec<String>> {
    match &schedule.when {
        When::Once(at) => Ok(vec![second(*at)]),
        When::Every(length) => Ok(vec![every(*length)]),
        When::Calendar { cron, zone } => calendar(cron, zone).ok_or_else(|| {
            let message = "systemd has no calendar event for this cron expression";
            Error::new(ErrorKind::Unsupported, Code::Configuration, message)
                .with("schedule", &schedule.name)
                .with("cron", cron.as_str())
                .cure("let `telemetry schedule run --watch` wait for it, or say it without #, W and L")
        }),
    }
}

fn second(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..19).unwrap_or(&text).replace('T', " "))
}

/// The multiples of a length of time, where the calendar has them; every minute otherwise, when the
/// service mostly finds nothing due.
fn every(length: Duration) -> String {
    let minutes = length.as_secs() / 60;
    match (length.as_secs() % 60, minutes) {
        (0, 1) => "*-*-* *:*:00".into(),
        (0, 2..60) if 60 % minutes == 0 => format!("*-*-* *:00/{minutes}:00 UTC"),
        (0, 60) => "*-*-* *:00:00 UTC".into(),
        (0, 1_440) => "*-*-* 00:00:00 UTC".into(),
        (0, _) if minutes.is_multiple_of(60) && 24 % (minutes / 60) == 0 => {
            format!("*-*-* 00/{}:00:00 UTC", minutes / 60)
        }
        _ => "*-*-* *:*:00".into(),
    }
}

/// `None` for what calendar events cannot say. Two lines where cron means one of two kinds of day.
fn calendar(cron: &Cron, zone: &TimeZone) -> Option<Vec<String>> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let pattern = &cron.pattern;
    let zone = zone.iana_name().unwrap_or("UTC");
    let last_day = cron.as_str().split_whitespace().nth(2) == Some("L");
    if pattern.days_of_week.has_modifiers() || (pattern.days.has_modifiers() && !last_day) {
        return None;
    }
    let time = format!("{}:{}:00 {zone}", listed(&pattern.hours), listed(&pattern.minutes));
    let months = listed(&pattern.months);
    let date = match last_day {
        true => format!("*-{months}~01"),
        false => format!("*-{months}-{}", listed(&pattern.days)),
    };
    let by_date = last_day || !pattern.is_dom_wildcard();
    let weekdays: Vec<&str> = pattern
        .days_of_week
        .values()
        .into_iter()
        .map(|day| DAYS.get(usize::from(day % 7)).copied())
        .collect::<Option<_>>()?;
    let weekdays = weekdays.join(",");
    Some(match (by_date, pattern.is_dow_wildcard()) {
        (true, false) if pattern.matches_dom_and_dow() => vec![format!("{weekdays} {date} {time}")],
        (true, false) => vec![format!("{date} {time}"), format!("{weekdays} *-{months}-* {time}")],
        (_, true) => vec![format!("{date} {time}")],
        (false, false) => vec![format!("{weekdays} *-{months}-* {time}")],
    })
}

/// The values of a field; `*` for all.
fn listed(field: &CronComponent) -> String {
    let values = field.values();
    if values.len() > usize::from(field.max - field.min) {
        return "*".into();
    }
    values.iter().map(|value| format!("{value:02}")).collect::<Vec<_>>().join(",")
}

/// A word of a command line, as `systemd.syntax(7)` and `systemd.service(5)` want it.
fn quoted(word: &str) -> Result<String> {
    let escaped = escaped(word)?.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

/// A value in which `%` stands for itself.
fn escaped(value: &str) -> Result<String> {
    if value.contains(['\n', '\r', '\0']) {
        let message =
            format!("found {value:?}, expected a path or an argument without line breaks");
        return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message));
    }
    Ok(value.replace('%', "%%"))
}
