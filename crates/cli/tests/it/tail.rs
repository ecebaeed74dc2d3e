use crate::setup::{Place, event, events};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use telemetry_runtime::models::{Outcome, json};
use telemetry_runtime::storage::Backend;

#[test]
fn the_latest_events_come_last() {
    let ran = Place::with_store().run_reading(&["tail", "--lines", "2"]).code(0);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert!(lines[0] < lines[1], "times ascend: {}", ran.out);
    let all = events();
    let latest = all.iter().max_by_key(|event| event.timestamp).unwrap();
    assert!(lines[1].contains(latest.selector.as_str()), "{}", ran.out);
}

/// What another process stores is shown, once, while it goes on recording.
#[test]
fn following_sees_what_is_stored_by_another_process() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        let store = place.open(backend);
        store.append(&events()).unwrap();
        let args = ["tail", "--follow", "--lines", "1", "--every-ms", "20", "--json"];
        let mut tail = place.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
        let mut next = || json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let latest = next();
        let fresh: Vec<_> =
            (200..260).map(|number| event(number, "shop.followed", Outcome::Success)).collect();
        for event in &fresh {
            assert!(event.timestamp > latest.timestamp);
        }
        let mut shown = Vec::new();
        for batch in fresh.chunks(7) {
            store.append(batch).unwrap();
            shown.extend(batch.iter().map(|_| next()));
        }
        assert_eq!(shown, fresh, "{backend}");
        tail.kill().unwrap();
        tail.wait().unwrap();
        store.close().unwrap();
    }
}
