//! The demo, as somebody meets it who has just cloned the repository.

use shop_site::{Fate, catalogue};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use unicode_width::UnicodeWidthStr;

fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telemetry"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("TELEMETRY_") || name == "CARGO_PKG_NAME" {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).args(args);
    command
}

fn telemetry(directory: &Path, args: &[&str]) -> Output {
    command(directory, args).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What comes after the line that gives the verdict, that line included.
fn summary(out: &str) -> Vec<&str> {
    let lines: Vec<_> = out.lines().collect();
    let begin = lines.iter().rposition(|line| line.starts_with("All 4 problems found"));
    lines[begin.unwrap_or_else(|| panic!("no verdict in\n{out}"))..].to_vec()
}

#[test]
fn the_whole_path_works_from_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let run = telemetry(directory.path(), &["demo", "--seconds", "6", "--rate", "150"]);
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(0), "{out}\n{err}");

    let alerting: BTreeSet<&str> = catalogue()
        .iter()
        .filter(|shop| !matches!(shop.fate, Fate::Healthy | Fate::Absent))
        .map(|shop| shop.name)
        .collect();
    let announced: BTreeSet<&str> = out
        .lines()
        .filter(|line| line.starts_with("ALERT "))
        .filter_map(|line| line.split_whitespace().nth(2)?.strip_suffix(','))
        .collect();
    assert_eq!(announced, alerting, "{out}");
    for fact in ["  what ", "  since ", "  last good ", "  evidence ", "  before ", "  now "] {
        assert!(out.lines().filter(|line| line.starts_with(fact)).count() >= 4, "{fact} in\n{out}");
    }
    assert!(out.contains("s after the change"), "{out}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "no colours in a pipe");
    assert!(err.lines().any(|line| line.contains("stored, ")), "progress in {err}");

    // Called by its name, as one would, rather than by where the build put it.
    let out = out.replace(env!("CARGO_BIN_EXE_telemetry"), "telemetry");
    let summary = summary(&out);
    assert!(summary.len() <= 24, "{out}");
    assert!(out.lines().all(|line| line.width() <= 80), "{out}");

    let store = "telemetry-demo/run-1/store";
    let stats = telemetry(directory.path(), &["store", "stats", "--json", "--store", store]);
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    let operations = figure(&summary, " operations, ");
    assert!(operations >= 50 * catalogue().len() as u64, "{out}");
    assert_eq!(stats["events"].as_u64(), Some(operations), "{stats}");
    for other in [" events stored", " read back", "0 lost"] {
        assert!(summary.iter().any(|line| line.contains(other)), "{other} in\n{out}");
    }
    let verified = telemetry(directory.path(), &["store", "verify", "--store", store]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));

    let html = fs::read_to_string(directory.path().join("telemetry-demo/run-1/report.html"));
    self_contained(&html.unwrap());
    commands_work(directory.path(), &summary, &alerting);
}

/// The number before a word in the summary.
fn figure(summary: &[&str], before: &str) -> u64 {
    let line = summary.iter().find(|line| line.contains(before)).expect("the line is there");
    let number = line.split(before).next().unwrap_or_default().trim();
    number.replace(',', "").parse().expect("a number")
}

/// Nothing in the page is loaded from anywhere.
fn self_contained(html: &str) {
    assert!(html.contains("shop.product.stock") && html.contains("</html>"));
    for wanted in ["src=\"http", "src='http", "src=\"//", "@import", "url(http", "<link", "<iframe"]
    {
        assert!(!html.contains(wanted), "{wanted}");
    }
}

/// The last three lines are commands that work as they stand.
fn commands_work(directory: &Path, summary: &[&str], alerting: &BTreeSet<&str>) {
    let commands = &summary[summary.len() - 3..];
    assert_eq!(summary[summary.len() - 4], "Try next");
    let mut answers = String::new();
    for command in commands {
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("telemetry"), "{command}");
        let answer = telemetry(directory, &words.collect::<Vec<_>>());
        let (out, err) = (text(&answer.stdout), text(&answer.stderr));
        assert_eq!(answer.status.code(), Some(0), "{command}\n{out}\n{err}");
        answers.push_str(&out);
    }
    for selector in alerting {
        assert!(answers.contains(selector), "{selector} in\n{answers}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "mine").unwrap();
    let run = telemetry(directory.path(), &["demo", "--dir", "file/demo"]);
    let err = text(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{err}");
    assert!(err.contains("TEL-001") && err.contains("file/demo") && err.contains("--dir"), "{err}");
    assert_eq!(fs::read_to_string(directory.path().join("file")).unwrap(), "mine");
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for args in [["demo", "--seconds", "0"], ["demo", "--rate", "0"], ["demo", "--rate", "many"]] {
        let run = telemetry(directory.path(), &args);
        assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
    }
    assert!(!directory.path().join("telemetry-demo").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_order() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let directory = tempfile::tempdir().unwrap();
    let mut demo = command(directory.path(), &["demo", "--seconds", "4"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("The shop was redesigned")));
    let sent = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<_> = lines.collect();
    assert_eq!(demo.wait().unwrap().code(), Some(2), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("Interrupted: ")), "{rest:#?}");
    assert!(rest.iter().any(|line| line.ends_with(" 0 lost")), "{rest:#?}");
    assert!(directory.path().join("telemetry-demo/run-1/report.html").exists());
}
