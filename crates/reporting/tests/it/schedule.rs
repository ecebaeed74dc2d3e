//! When reports are due, and what is remembered of them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use telemetry_interfaces::{MemoryState, StateStore};
use telemetry_models::Timestamp;
use telemetry_reporting::schedule::{
    CatchUp, LastRun, RunOutcome, Schedule, ScheduleConfig, ScheduleOn, Scheduler, When, units,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn config() -> ScheduleConfig {
    ScheduleConfig { name: "daily".into(), ..ScheduleConfig::default() }
}

fn cron(expression: &str, zone: &str) -> Schedule {
    let (cron, time_zone) = (Some(expression.into()), zone.into());
    ScheduleConfig { cron, time_zone, ..config() }.schedule().unwrap()
}

fn every(words: &str) -> Schedule {
    ScheduleConfig { every: Some(words.into()), ..config() }.schedule().unwrap()
}

fn following(when: &When, from: &str, count: usize) -> Vec<String> {
    let mut time = at(from);
    (0..count)
        .map(|_| {
            let next = when.next_after(time).unwrap();
            assert_eq!(when.last_until(next), Some(next), "it is its own last");
            assert!(next > time);
            time = next;
            next.to_string()
        })
        .collect()
}

fn run(due: Timestamp, ran: Timestamp, outcome: RunOutcome) -> LastRun {
    LastRun { due, ran, outcome, detail: String::new(), files: Vec::new(), missed: 0 }
}

#[test]
fn a_time_of_day_moves_with_the_clocks_of_its_zone() {
    let daily = ScheduleConfig {
        every: Some("daily".into()),
        at: Some("07:00".into()),
        time_zone: "Europe/Vienna".into(),
        ..config()
    };
    let when = daily.schedule().unwrap().when;
    assert_eq!(
        following(&when, "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T06:00:00Z", "2026-03-29T05:00:00Z", "2026-03-30T05:00:00Z"]
    );
}

#[test]
fn what_the_clock_skips_is_made_up_for_right_after_and_what_it_repeats_counts_once() {
    let half_past_two = cron("30 2 * * *", "Europe/Vienna").when;
    assert_eq!(
        following(&half_past_two, "2026-03-28T02:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        "02:30 does not occur on the 29th; 03:00 is the first time after"
    );
    assert_eq!(
        following(&half_past_two, "2026-10-24T02:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        "02:30 occurs twice on the 25th"
    );
    let hours = following(&cron("0 * * * *", "Europe/Vienna").when, "2026-10-24T23:30:00Z", 4);
    assert_eq!(
        hours,
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T03:00:00Z"
        ],
        "every hour that passes, whatever it is called"
    );
}

#[test]
fn forward_and_backward_agree_through_a_year_of_every_zone_that_matters() {
    let expressions = ["30 2 * * *", "0 * * * *", "*/20 1-3 * * *", "15 0 L * *", "5 4 1,15 * MON"];
    for zone in ["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
    {
        for expression in expressions {
            let when = cron(expression, zone).when;
            let mut time = at("2026-01-01T00:00:00Z");
            let end = at("2027-01-01T00:00:00Z");
            while let Some(next) = when.next_after(time).filter(|next| *next < end) {
                let before = next.saturating_sub(Duration::from_secs(1));
                assert!(next > time, "{expression} {zone} {time}");
                assert_eq!(when.last_until(next), Some(next), "{expression} {zone} {next}");
                let last = when.last_until(before).unwrap();
                assert!(
                    last <= time || time == at("2026-01-01T00:00:00Z"),
                    "{expression} {zone} {next}: {last} was left out"
                );
                time = next;
            }
        }
    }
}

#[test]
fn a_length_of_time_is_counted_from_1970() {
    assert_eq!(
        following(&every("6h").when, "2026-11-25T05:00:00.5Z", 2),
        ["2026-11-25T06:00:00Z", "2026-11-25T12:00:00Z"]
    );
    assert_eq!(following(&every("7m").when, "1970-01-01T00:00:00Z", 1), ["1970-01-01T00:07:00Z"]);
}

#[test]
fn weekly_and_monthly_have_their_day() {
    let weekly = ScheduleConfig {
        every: Some("weekly".into()),
        on: Some(ScheduleOn::Name("Sunday".into())),
        ..config()
    };
    let days = following(&weekly.schedule().unwrap().when, "2026-11-25T00:00:00Z", 2);
    assert_eq!(days, ["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]);
    let monthly = ScheduleConfig {
        every: Some("monthly".into()),
        on: Some(ScheduleOn::Name("last".into())),
        at: Some("06:15".into()),
        ..config()
    };
    let days = following(&monthly.schedule().unwrap().when, "2028-01-31T06:15:00Z", 2);
    assert_eq!(days, ["2028-02-29T06:15:00Z", "2028-03-31T06:15:00Z"]);
}

#[test]
fn a_report_covers_the_time_since_the_one_before_was_due() {
    let monthly = ScheduleConfig {
        every: Some("monthly".into()),
        time_zone: "Europe/Vienna".into(),
        compare: true,
        ..config()
    };
    let (query, baseline) = monthly.schedule().unwrap().query(at("2026-03-31T22:00:00Z"));
    assert_eq!(query.from, Some(at("2026-02-28T23:00:00Z")), "all of March, an hour less");
    let baseline = baseline.unwrap();
    assert_eq!(baseline.query.to, query.from);
    let week =
        ScheduleConfig { every: Some("daily".into()), period: Some("7d".into()), ..config() };
    let (query, baseline) = week.schedule().unwrap().query(at("2026-11-25T00:00:00Z"));
    assert_eq!((query.from, baseline.is_none()), (Some(at("2026-11-18T00:00:00Z")), true));
}

#[test]
fn each_due_time_is_dealt_with_once_over_restarts() {
    let schedules = [every("daily")];
    let state = MemoryState::new();
    let due = |now: &str| {
        let scheduler = Scheduler::new(&schedules, &state);
        let due = scheduler.due(at(now)).unwrap();
        due.iter().map(|it| (it.at.to_string(), it.missed)).collect::<Vec<_>>()
    };
    assert_eq!(due("2026-11-25T12:00:00Z"), [], "what was due before it was known is not made");
    assert_eq!(due("2026-11-25T23:59:59Z"), []);
    for now in ["2026-11-26T00:00:00Z", "2026-11-26T00:00:01Z"] {
        let first = ("2026-11-26T00:00:00Z".to_owned(), 0);
        assert_eq!(due(now), [first], "due until it is recorded");
    }
    let scheduler = Scheduler::new(&schedules, &state);
    let now = at("2026-11-26T00:00:01Z");
    let pending = scheduler.due(now).unwrap();
    scheduler.record(&pending[0], run(pending[0].at, now, RunOutcome::Made)).unwrap();
    assert_eq!(due("2026-11-26T00:00:02Z"), []);
    assert_eq!(due("2026-11-29T08:00:00Z"), [("2026-11-29T00:00:00Z".into(), 2)]);
}

#[test]
fn after_downtime_all_are_made_or_none_as_was_asked() {
    let start = at("2026-11-25T12:00:00Z");
    let now = at("2026-11-28T12:00:00Z");
    let with = |catch_up| ScheduleConfig { every: Some("daily".into()), catch_up, ..config() };
    let all = [with(CatchUp::All).schedule().unwrap()];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&all, &state);
    scheduler.due(start).unwrap();
    let due: Vec<String> = scheduler.due(now).unwrap().iter().map(|it| it.at.day()).collect();
    assert_eq!(due, ["2026-11-26", "2026-11-27", "2026-11-28"]);

    let none = [with(CatchUp::None).schedule().unwrap()];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&none, &state);
    scheduler.due(start).unwrap();
    assert!(scheduler.due(now).unwrap().is_empty());
    let last = scheduler.entry("daily").unwrap().unwrap().last.unwrap();
    assert_eq!(
        (last.outcome, last.missed),
        (RunOutcome::Failed, 3),
        "it is said that three are missing"
    );
    assert_eq!(
        scheduler.due(at("2026-11-29T00:05:00Z")).unwrap().len(),
        1,
        "a little late is fine"
    );
}

#[test]
fn what_failed_is_tried_three_times_and_then_left() {
    let schedules = [every("daily")];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&schedules, &state);
    scheduler.due(at("2026-11-25T12:00:00Z")).unwrap();
    let mut now = at("2026-11-26T00:00:00Z");
    let mut tries = Vec::new();
    while let Some(due) = scheduler.due(now).unwrap().first() {
        tries.push((due.tries, now.to_string()));
        scheduler.record(due, run(due.at, now, RunOutcome::Failed)).unwrap();
        assert!(scheduler.due(now).unwrap().is_empty(), "not at once");
        now = scheduler.next(now).unwrap().unwrap();
        if now.day() != "2026-11-26" {
            break;
        }
    }
    let when: Vec<&str> = tries.iter().map(|(_, at)| at.as_str()).collect();
    assert_eq!(when, ["2026-11-26T00:00:00Z", "2026-11-26T00:01:00Z", "2026-11-26T00:05:00Z"]);
    assert_eq!(now, at("2026-11-27T00:00:00Z"), "the next one is due as always");
}

#[test]
fn a_clock_that_was_years_ahead_does_not_end_the_reports() {
    let schedules = [every("daily")];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&schedules, &state);
    scheduler.due(at("2036-01-01T12:00:00Z")).unwrap();
    let ahead = at("2036-01-02T00:00:00Z");
    let due = scheduler.due(ahead).unwrap();
    scheduler.record(&due[0], run(ahead, ahead, RunOutcome::Made)).unwrap();
    assert!(scheduler.due(at("2026-11-25T12:00:00Z")).unwrap().is_empty(), "nothing is made twice");
    assert_eq!(scheduler.due(at("2026-11-26T00:00:00Z")).unwrap().len(), 1);
}

#[test]
fn once_is_made_late_rather_than_never() {
    let once = ScheduleConfig { once: Some(at("2026-11-01T00:00:00Z")), ..config() };
    let schedules = [once.schedule().unwrap()];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&schedules, &state);
    let now = at("2026-11-25T00:00:00Z");
    let due = scheduler.due(now).unwrap();
    assert_eq!(due.len(), 1);
    scheduler.record(&due[0], run(due[0].at, now, RunOutcome::Made)).unwrap();
    assert!(scheduler.due(at("2027-01-01T00:00:00Z")).unwrap().is_empty());
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let schedules = [every("daily")];
    let state = MemoryState::new();
    let scheduler = Scheduler::new(&schedules, &state);
    scheduler.due(at("2026-11-25T12:00:00Z")).unwrap();
    let (key, text) = state.list("report_schedules").unwrap().remove(0);
    let value = text.replace("\"version\":1", "\"version\":2");
    assert_ne!(value, text);
    let collection = "report_schedules".to_owned();
    state.commit(&[telemetry_interfaces::StateChange::Put { collection, key, value }]).unwrap();
    let error = scheduler.due(at("2026-11-25T12:00:00Z")).unwrap_err().to_string();
    assert!(error.contains("newer version") && error.contains("daily"), "{error}");
}

#[test]
fn a_wrong_schedule_is_refused_with_what_is_expected() {
    let wrong = |change: &dyn Fn(&mut ScheduleConfig)| {
        let mut config = ScheduleConfig { every: Some("daily".into()), ..config() };
        change(&mut config);
        config.schedule().unwrap_err().to_string()
    };
    type Change = Box<dyn Fn(&mut ScheduleConfig)>;
    let cases: [(&str, Change); 12] = [
        ("letters, digits", Box::new(|it| it.name = "../etc".into())),
        ("one of once, every and cron", Box::new(|it| it.every = None)),
        ("one of once, every and cron", Box::new(|it| it.cron = Some("0 7 * * *".into()))),
        ("hourly, daily, weekly", Box::new(|it| it.every = Some("fortnightly".into()))),
        ("1m to 366d", Box::new(|it| it.every = Some("5s".into()))),
        ("a time of day", Box::new(|it| it.at = Some("25:00".into()))),
        ("without weekly or monthly", Box::new(|it| it.on = Some(ScheduleOn::Day(3)))),
        ("a zone such as", Box::new(|it| it.time_zone = "Mars/Olympus".into())),
        ("five fields", Box::new(|it| (it.every, it.cron) = (None, Some("0 7 * *".into())))),
        (
            "a cron expression",
            Box::new(|it| (it.every, it.cron) = (None, Some("0 77 * * *".into()))),
        ),
        ("days that occur", Box::new(|it| (it.every, it.cron) = (None, Some("0 7 30 2 *".into())))),
        ("a length of time", Box::new(|it| it.period = Some("-7d".into()))),
    ];
    for (expected, change) in &cases {
        let error = wrong(change);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn only_own_files_are_recognised() {
    let schedule = every("daily");
    let name = schedule.file_name(at("2026-11-25T07:00:00.25Z"), "html");
    assert_eq!(name, "daily-20261125T070000Z.html");
    assert!(schedule.is_own(&name, "html"));
    for other in [
        "daily-20261125T070000Z.json",
        "daily-2-20261125T070000Z.html",
        "daily.html",
        "daily-20261125T070000Z.failed.html",
    ] {
        assert!(!schedule.is_own(other, "html"), "{other}");
    }
}

/// systemd itself says when its timer elapses; outside of changes of clocks that is when we are due.
#[test]
fn systemd_reads_the_timer_as_it_was_meant() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "systemd-analyze is not installed");
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    let mut schedules = vec![every("1m"), every("15m"), every("6h"), every("1d"), every("hourly")];
    for (expression, zone) in [
        ("0 7 * * 1-5", "Europe/Vienna"),
        ("30 6 1,15 * FRI", "America/New_York"),
        ("*/20 8-17 * 6-8 *", "UTC"),
        ("0 0 L * *", "UTC"),
        ("0 0 13 * +FRI", "Asia/Tokyo"),
    ] {
        schedules.push(cron(expression, zone));
    }
    for schedule in &schedules {
        let units = units(
            &["/usr/bin/telemetry".into()],
            Path::new("/srv"),
            std::slice::from_ref(schedule),
        )
        .unwrap();
        let lines: Vec<&str> =
            units.timer.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).collect();
        let (_hourly, lines) = lines.split_last().unwrap();
        let mut elapses = Vec::new();
        for line in lines {
            let output = Command::new("systemd-analyze")
                .args(["calendar", "--base-time=2026-06-01 00:00:30 UTC", "--iterations=5", line])
                .env("TZ", "UTC")
                .env("LC_ALL", "C")
                .output()
                .unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            for line in text.lines().filter(|it| it.contains("elapse:") || it.contains("Iter. #")) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let time = &words[words.len() - 3..];
                elapses.push(format!("{}T{}Z", time[0], time[1]));
            }
        }
        elapses.sort();
        elapses.dedup();
        elapses.truncate(5);
        assert_eq!(
            elapses,
            following(&schedule.when, "2026-06-01T00:00:30Z", 5),
            "{}",
            schedule.when
        );
    }
}

#[test]
fn units_quote_what_systemd_would_expand() {
    let command = ["/opt/a b/telemetry".into(), "--store=/data/50%".into(), "$HOME".into()];
    let units = units(&command, Path::new("/srv/100%"), &[every("daily")]).unwrap();
    assert!(
        units.service.contains(r#"ExecStart="/opt/a b/telemetry" "--store=/data/50%%" "$$HOME""#),
        "{}",
        units.service
    );
    assert!(units.service.contains("WorkingDirectory=/srv/100%%"));
    let error = telemetry_reporting::schedule::units(&["a\nb".into()], Path::new("/"), &[]);
    assert!(error.unwrap_err().to_string().contains("line breaks"));
    let third_friday = [cron("0 7 * * FRI#3", "UTC")];
    let error = telemetry_reporting::schedule::units(&[], Path::new("/"), &third_friday);
    assert!(error.unwrap_err().to_string().contains("#3"));
}
