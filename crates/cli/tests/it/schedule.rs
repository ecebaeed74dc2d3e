use crate::setup::Place;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use telemetry_runtime::interfaces::{StateChange, StateStore};
use telemetry_runtime::storage::SqliteState;

const ONCE: &str = "[[reporting.schedules]]\nname = \"all\"\nonce = \"2026-11-20T00:00:00Z\"\n\
                    period = \"3650d\"\nformats = [\"html\", \"json\"]\ndirectory = \"reports\"\n";

fn files(place: &Place) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(place.path("reports")) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Answers one request with a status and gives what was sent.
fn receiver(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut text, mut buffer) = (Vec::new(), [0; 65_536]);
        loop {
            let count = stream.read(&mut buffer).unwrap();
            text.extend_from_slice(&buffer[..count]);
            let seen = String::from_utf8_lossy(&text).into_owned();
            let Some((head, body)) = seen.split_once("\r\n\r\n") else { continue };
            let length: usize = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ").map(String::from)
                })
                .unwrap()
                .parse()
                .unwrap();
            if count == 0 || body.len() >= length {
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
                return seen;
            }
        }
    });
    (url, thread)
}

#[test]
fn a_report_that_is_due_is_made_once() {
    let place = Place::with_store();
    place.write("telemetry.toml", ONCE);
    let made = place.run(&["schedule", "run"]).code(0);
    assert!(made.out.contains("all of 2026-11-20T00:00:00Z"), "{}", made.out);
    assert_eq!(files(&place), ["all-20261120T000000Z.html", "all-20261120T000000Z.json"]);
    let json = std::fs::read_to_string(place.path("reports/all-20261120T000000Z.json")).unwrap();
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["generated_at"], "2026-11-20T00:00:00Z");
    let again = place.run(&["schedule", "run"]).code(0);
    assert_eq!(again.out, "");
    let listed = place.run(&["schedule", "list", "--json"]).code(0);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed["last"]["outcome"], &listed["next"]), (&"made".into(), &Value::Null));
    // The command it names makes the same report.
    let command = report["reproduce"].as_str().unwrap().replace('\'', "");
    let words: Vec<&str> = command.split_whitespace().skip(1).chain(["--json"]).collect();
    let same: Value = serde_json::from_str(&place.run(&words).code(0).out).unwrap();
    assert_eq!((&same["totals"], &same["selectors"]), (&report["totals"], &report["selectors"]));
}

#[test]
fn what_fell_due_while_nothing_ran_is_made_up_for_and_old_reports_go() {
    let place = Place::with_store();
    let config = "[[reporting.schedules]]\nname = \"daily\"\nevery = \"daily\"\nkeep = 2\n\
                  formats = [\"csv\"]\ncatch_up = \"all\"\ndirectory = \"reports\"\n";
    place.write("telemetry.toml", config);
    place.run(&["schedule", "run"]).code(0);
    assert_eq!(files(&place), Vec::<String>::new(), "a new schedule begins with its next due time");
    std::fs::create_dir(place.path("reports")).unwrap();
    place.write("reports/daily-20200101T000000Z.csv", "old");
    place.write("reports/daily.csv", "of somebody else");
    // As if it had been seen first four days ago.
    let state = SqliteState::open(&place.store()).unwrap();
    let (key, value) = state.list("report_schedules").unwrap().remove(0);
    let mut entry: Value = serde_json::from_str(&value).unwrap();
    let since: telemetry_runtime::models::Timestamp =
        entry["since"].as_str().unwrap().parse().unwrap();
    let earlier = since.saturating_sub(std::time::Duration::from_secs(4 * 86_400));
    entry["since"] = earlier.to_string().into();
    let collection = "report_schedules".to_owned();
    state.commit(&[StateChange::Put { collection, key, value: entry.to_string() }]).unwrap();
    drop(state);
    let made = place.run(&["schedule", "run", "--json"]).code(0);
    assert_eq!(made.out.lines().count(), 4, "{}", made.out);
    let left = files(&place);
    assert_eq!(left.len(), 3, "two are kept, and what is not ours: {left:?}");
    assert!(left.contains(&"daily.csv".to_owned()) && !left.iter().any(|it| it.contains("2020")));
}

#[test]
fn a_report_is_delivered_with_a_key_and_a_failure_is_told() {
    let place = Place::with_store();
    let (url, receiver) = receiver("204 No Content");
    let hook = format!("[[alerting.webhooks]]\nname = \"ops\"\nurl = \"{url}\"\n");
    place.write("telemetry.toml", format!("{ONCE}deliver = [\"ops\"]\n{hook}"));
    place.run(&["schedule", "run"]).code(0);
    let request = receiver.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("idempotency-key: report-all-"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&body["kind"], &body["media_type"]),
        (&"document".into(), &"text/html; charset=utf-8".into())
    );
    let written = std::fs::read_to_string(place.path("reports/all-20261120T000000Z.html")).unwrap();
    assert_eq!(body["text"].as_str().unwrap(), written);

    let place = Place::with_store();
    // Nobody listens on the port of tcpmux.
    let hook = "[[alerting.webhooks]]\nname = \"ops\"\nurl = \"http://127.0.0.1:1/s3cret\"\n";
    place.write("telemetry.toml", format!("{ONCE}deliver = [\"ops\"]\n{hook}"));
    let ran = place.run(&["schedule", "run"]).code(1);
    assert!(
        ran.out.contains("webhook did not answer") && !ran.out.contains("s3cret"),
        "{}",
        ran.out
    );
    let told =
        std::fs::read_to_string(place.path("reports/all-20261120T000000Z.failed.md")).unwrap();
    assert!(told.contains("try 1") && !told.contains("s3cret"), "{told}");
    let listed = place.run(&["schedule", "list"]).code(1);
    assert!(listed.out.contains("fail  all"), "{}", listed.out);
    assert_eq!(place.run(&["schedule", "run"]).code(0).out, "", "not again at once");
}

#[test]
fn what_is_wrong_with_a_schedule_is_said_before_it_is_due() {
    let place = Place::with_store();
    place.run(&["schedule", "run"]).code(2).says(&["no schedule", "telemetry init"]);
    place.write("telemetry.toml", format!("{ONCE}deliver = [\"obs\"]\n"));
    place.run(&["schedule", "run"]).code(2).says(&["obs", "alerting.webhooks"]);
    place.write(
        "telemetry.toml",
        ONCE.replace("once = \"2026-11-20T00:00:00Z\"", "cron = \"0 25 * * *\""),
    );
    place.run(&["config", "check"]).code(2).says(&["cron", "0 25 * * *"]);
    place.write("telemetry.toml", ONCE.replace("\"reports\"", "\"telemetry-data/reports\""));
    std::fs::create_dir(place.store().join("reports")).unwrap();
    let refused = place.run(&["schedule", "run"]).code(1);
    assert!(refused.out.contains("within the store's directory"), "{}", refused.out);
    place.run(&["schedule", "next", "weekly"]).code(2).says(&["\"weekly\"", "all"]);
    place.run(&["schedule", "next", "all"]).code(1);
    let elsewhere = Place::new();
    elsewhere.write("telemetry.toml", ONCE);
    elsewhere.run(&["schedule", "run"]).code(2).says(&["--store"]);
    assert!(!elsewhere.store().exists(), "a wrong path does not become a store");
}

#[test]
fn units_for_systemd_are_written_and_name_the_configuration() {
    let place = Place::with_store();
    place.write("telemetry.toml", "[[reporting.schedules]]\nname = \"weekly\"\nevery = \"weekly\"\nat = \"07:00\"\ntime_zone = \"Europe/Vienna\"\n");
    place.run(&["schedule", "systemd", "--out", "."]).code(0);
    let timer = std::fs::read_to_string(place.path("telemetry-reports.timer")).unwrap();
    assert!(timer.contains("OnCalendar=Mon *-*-* 07:00:00 Europe/Vienna"), "{timer}");
    let service = std::fs::read_to_string(place.path("telemetry-reports.service")).unwrap();
    let config = place.path("telemetry.toml");
    assert!(
        service.contains(&format!("\"--config\" \"{}\" \"schedule\" \"run\"", config.display())),
        "{service}"
    );
    let next = place.run(&["schedule", "next", "weekly", "--count", "3"]).code(0);
    assert_eq!(next.out.lines().count(), 3);
}
