//! Bad input: a message that names the place and the cure, an exit code, and nothing changed.

use crate::setup::{Place, events, only};
use telemetry_runtime::storage::Backend;

#[test]
fn a_missing_store() {
    let place = Place::new();
    for command in [
        &["query"][..],
        &["stats"],
        &["report"],
        &["report", "--format", "html"],
        &["alerts", "list"],
        &["store", "stats"],
        &["store", "verify"],
    ] {
        let args = [command, &["--store", "nowhere"]].concat();
        place.run_reading(&args).code(2).says(&[
            "error: TEL-001",
            "nowhere",
            "what to do:",
            "--store DIR",
        ]);
    }
}

#[test]
fn a_directory_that_is_no_store() {
    let place = Place::new();
    place.write("thesis.txt", "ten years of work");
    place.run_reading(&["query", "--store", "."]).code(2).says(&["TEL-001", "thesis.txt"]);
}

#[test]
fn a_wrong_key() {
    let place = Place::with_store();
    place.write("telemetry.toml", "[storage]\npath = \"telemetry-data\"\nfsync = true\n");
    let where_it_is = ["error: TEL-004", "telemetry.toml", "line: 3", "fsync", "what to do:"];
    place.run_reading(&["config", "check"]).code(1).says(&where_it_is);
    place.run_reading(&["config", "check", "telemetry.toml"]).code(1).says(&where_it_is);
    for command in [&["query"][..], &["stats"], &["report"], &["alerts", "list"]] {
        place.run_reading(command).code(2).says(&where_it_is);
    }
    place.run_reading(&["doctor"]).code(1).shows(&["fail  configuration", "TEL-004", "line: 3"]);
    // The cure works although the configuration is wrong.
    place.run_reading(&["query"]).code(2).says(&["`telemetry config show --defaults`"]);
    let shown = place.run_reading(&["config", "show", "--defaults"]).code(0);
    assert_eq!(shown.out, telemetry_runtime::DEFAULT_FILE);
    let ran = place.run_reading(&["config", "check", "--json"]).code(1);
    assert!(ran.out.contains("\"valid\": false") && ran.out.contains("fsync"), "{}", ran.out);
}

#[test]
fn a_wrong_variable() {
    let place = Place::with_store();
    let mut command = place.command(&["query"]);
    command.env("TELEMETRY_STROAGE_PATH", "x");
    crate::setup::ran(command.output().unwrap()).code(2).says(&[
        "TEL-004",
        "TELEMETRY_STROAGE_PATH",
        "what to do:",
    ]);
}

#[test]
fn a_missing_configuration() {
    let place = Place::with_store();
    for command in [&["config", "check", "no.toml"][..], &["query", "--config", "no.toml"]] {
        place.run_reading(command).code(2).says(&["TEL-004", "no.toml", "telemetry init"]);
    }
}

#[test]
fn a_rule_with_an_unknown_signal() {
    let place = Place::with_store();
    place.write(
        "telemetry.toml",
        "[[alerting.rules]]\nid = \"slow\"\nselector = \"shop.*\"\nsignal = \"speed\"\n\
         comparison = \">\"\nfire_at = 2000\n",
    );
    let where_it_is = ["error: TEL-004", "telemetry.toml", "line: 4", "speed", "duration_ms"];
    place.run_reading(&["config", "check"]).code(1).says(&where_it_is);
    place.run_reading(&["query"]).code(2).says(&where_it_is);
}

#[test]
fn a_truncated_segment() {
    let place = Place::with_store();
    let segment = only(&place.store(), ".seg");
    let bytes = std::fs::read(&segment).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    for length in [bytes.len() - 3, bytes.len() / 2] {
        std::fs::write(&segment, &bytes[..length]).unwrap();
        place.run_reading(&["store", "verify"]).code(1).shows(&[
            "damaged",
            name,
            "at byte",
            "what to do",
        ]);
        place.run_reading(&["doctor"]).code(1).shows(&["fail  integrity", name]);
    }
    place.run_reading(&["query"]).code(1).says(&["TEL-007", name, "offset", "what to do:"]);
    place.run_reading(&["stats"]).code(1).says(&["damaged place", "telemetry store verify"]);
    place.run_reading(&["report"]).code(1);
    for length in [bytes.len() / 2, 0] {
        std::fs::write(&segment, &bytes[..length]).unwrap();
        let told = [name, "at byte", "damaged place", "telemetry store verify"];
        place.run_reading(&["store", "stats"]).code(1).says(&told);
        let ran = place.run_reading(&["store", "stats", "--json"]).code(1);
        assert!(ran.out.contains("\"damage\": [\n") && ran.out.contains(name), "{}", ran.out);
    }
}

/// Header of a segment of format version 9, number 9, as a later version may write it.
const FUTURE: [u8; 24] =
    [137, 84, 69, 76, 83, 69, 71, 10, 9, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 202, 13, 64, 37];

#[test]
fn a_segment_of_a_later_version_hides_no_other() {
    let place = Place::with_store();
    let segment = only(&place.store(), ".seg").with_file_name("00000009.seg");
    std::fs::write(&segment, [&FUTURE[..], b"what nobody can read yet"].concat()).unwrap();
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(1);
    assert_eq!(ran.out.lines().count(), 16, "the other segments are still answered");
    ran.says(&["00000009.seg", "newer version"]);
    place.run_reading(&["store", "verify"]).code(1).shows(&["00000009.seg", "newer version"]);
    place.run(&["store", "quarantine"]).code(0).shows(&["nothing is damaged"]);
    // A program can go on recording beside it.
    place.fill(Backend::Segment, &events());
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(1);
    assert_eq!(ran.out.lines().count(), 16, "and nothing was stored twice");
}

#[test]
fn a_missing_segment_is_named_and_the_rest_is_read() {
    let place = Place::new();
    place.fill(Backend::Segment, &events()[..8]);
    place.fill(Backend::Segment, &events()[8..]);
    std::fs::remove_file(only(&place.store(), "00000001.seg")).unwrap();
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(1);
    assert_eq!(ran.out.lines().count(), 8);
    ran.says(&["TEL-007", "00000001.seg", "missing", "8 events lost", "what to do:"]);
    place.run_reading(&["store", "verify"]).code(1).shows(&["00000001.seg", "missing", "8 events"]);
    place.run_reading(&["stats"]).code(1).says(&["telemetry store verify"]);
}

#[test]
fn a_manifest_from_the_future() {
    let place = Place::with_store();
    let manifest = place.store().join("telemetry-store.json");
    let future = r#"{"format":"telemetry-store","version":9,"backend":"segment","shards":[1]}"#;
    let own = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, future).unwrap();
    for command in
        [&["query"][..], &["store", "stats"], &["store", "rebuild"], &["store", "compact"]]
    {
        let told = ["TEL-001", "telemetry-store.json", "version 9", "use the newer version"];
        place.run_reading(command).code(2).says(&told);
    }
    // Nothing was lost: with its own manifest the store is as before.
    std::fs::write(&manifest, own).unwrap();
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(0);
    assert_eq!(ran.out.lines().count(), 16);
}

#[test]
fn foreign_files_in_a_store() {
    let place = Place::with_store();
    let expected = place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out;
    place.write("telemetry-data/notes.txt", "mine");
    place.write("telemetry-data/segments/00000001.seg.bak", "a copy");
    place.write("telemetry-data/segments/thesis.seg", "ten years of work");
    let files = ["notes.txt", "segments/00000001.seg.bak", "segments/thesis.seg"];
    place.run_reading(&["store", "verify"]).code(0).shows(&files).shows(&["not a file of"]);
    assert_eq!(place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out, expected);
    place.fill(Backend::Segment, &events());
    place.run(&["store", "compact"]).code(0);
    place.run(&["store", "quarantine"]).code(0);
    for file in files {
        assert!(place.store().join(file).exists(), "{file} is left alone");
    }
}

#[test]
fn a_torn_end_that_was_set_aside() {
    let place = Place::with_store();
    let segments = only(&place.store(), ".seg").parent().unwrap().to_owned();
    std::fs::write(segments.join("00000002.seg.torn-24"), [7; 37]).unwrap();
    let told = ["00000002.seg.torn-24: 37 bytes", "not yet on stable storage may be in it"];
    place.run_reading(&["store", "verify"]).code(0).shows(&told);
    let ran = place.run_reading(&["doctor"]).code(0).shows(&told);
    assert!(!ran.out.contains("nothing is lost"), "{}", ran.out);
}

#[test]
fn an_unfinished_end_names_what_sets_it_aside() {
    let place = Place::with_store();
    let segment = only(&place.store(), ".seg");
    let next = segment.with_file_name("00000002.seg");
    // More than the header of a segment, and no block.
    std::fs::write(next, "half of a block".repeat(3)).unwrap();
    let cure = "start the program that records to this store";
    place.run_reading(&["query"]).code(1).says(&["00000002.seg", cure]);
    place.run_reading(&["store", "verify"]).code(1).shows(&["00000002.seg", cure]);
    place.run_reading(&["store", "stats"]).code(1).says(&["00000002.seg", "interrupted"]);
}

#[test]
fn alerts_that_cannot_be_read() {
    let place = Place::with_store();
    place.write("telemetry-data/state.db", "this is no database, whatever its name".repeat(40));
    place.run_reading(&["alerts", "list"]).code(2).says(&["TEL-007", "state.db"]);
    let ran = place.run_reading(&["report"]).code(1).shows(&["alerts unreadable"]);
    ran.says(&["TEL-007", "state.db", "without them"]);
    let ran = place.run_reading(&["report", "--json"]).code(1);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(report["data_quality"]["alerts_unreadable"].as_str().unwrap().contains("TEL-007"));
    let ran = place.run_reading(&["report", "--format", "html", "--out", "-"]).code(1);
    ran.shows(&["The alerts could not be read"]);
}

#[test]
fn a_line_that_is_not_utf_8() {
    let place = Place::new();
    place.fill(Backend::Json, &events());
    let day = only(&place.store(), "2025-03-01.jsonl");
    let name = day.file_name().unwrap().to_str().unwrap();
    let mut bytes = std::fs::read(&day).unwrap();
    let second = bytes.iter().position(|it| *it == b'\n').unwrap() + 1;
    bytes[second + 40] = 0xff;
    std::fs::write(&day, &bytes).unwrap();
    let offset = second.to_string();
    place.run_reading(&["store", "verify"]).code(1).shows(&[
        "damaged",
        name,
        &format!("at byte {offset}"),
        "UTF-8",
    ]);
    place.run_reading(&["store", "stats"]).code(1).says(&[name, &offset, "1 event lost"]);
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(1);
    assert_eq!(ran.out.lines().count(), 15, "the other lines are still answered");
    ran.says(&["TEL-007", name, &offset, "UTF-8", "what to do:"]);
}

#[test]
fn json_where_there_is_none() {
    let place = Place::new();
    for command in [&["demo"][..], &["completions", "bash"]] {
        let args = [command, &["--json"]].concat();
        place.run_reading(&args).code(2).says(&["has no answer in JSON", "leave out --json"]);
    }
    assert_eq!(place.files().len(), 0);
}
