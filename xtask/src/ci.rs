//! Everything that must hold before a change is merged, in one run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{deny, examples, features, layers, lint, schema, snapshots, tidy};

type Check = fn(&Workspace) -> Result<Option<String>>;

/// In this order: the quick ones first, and those that build the same things next to each other.
const STEPS: [(&str, Check); 10] = [
    ("format", |w| lint::format(w).map(|()| None)),
    ("clippy", |w| lint::clippy(w).map(|()| None)),
    ("layers", |w| layers::run(w).map(|()| None)),
    ("tidy", |w| tidy::run(w).map(|()| None)),
    ("features", |w| features::run_all(w, &[]).map(|()| None)),
    ("docs", |w| lint::docs(w).map(|()| None)),
    ("examples", |w| examples::run(w).map(|()| None)),
    ("deny", deny::run_all),
    ("schema", |w| schema::run(w, true).map(|()| None)),
    ("snapshots", snapshots::run),
];

/// A step that ran before, outside this program: its name and its exit code.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    name: String,
    code: i32,
}

impl std::str::FromStr for Earlier {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, code) =
            text.split_once('=').context("expected NAME=EXIT_CODE, for example tests=0")?;
        let code = code.parse().with_context(|| format!("`{code}` is not an exit code"))?;
        Ok(Self { name: name.to_owned(), code })
    }
}

struct Row {
    name: String,
    passed: bool,
    took: Option<Duration>,
    note: String,
}

/// Runs every step even when one fails; the last line is `N passed, N failed`.
pub(crate) fn run(workspace: &Workspace, earlier: Vec<Earlier>) -> ExitCode {
    let mut rows: Vec<Row> = earlier.into_iter().map(Row::from).collect();
    for (name, check) in STEPS {
        println!("\n== {name}");
        let started = Instant::now();
        let result = check(workspace);
        let took = Some(started.elapsed());
        let (passed, note) = match result {
            Ok(note) => (true, note.unwrap_or_default()),
            Err(error) => {
                println!("{name}: {error:#}");
                (false, error.to_string().lines().next().unwrap_or_default().to_owned())
            }
        };
        rows.push(Row { name: name.to_owned(), passed, took, note });
    }
    print!("\n{}", table(&rows));
    if rows.iter().all(|row| row.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl From<Earlier> for Row {
    fn from(earlier: Earlier) -> Self {
        let passed = earlier.code == 0;
        let note = if passed { String::new() } else { format!("exit code {}", earlier.code) };
        Self { name: earlier.name, passed, took: None, note }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<12}{:<8}{:>9}\n", "step", "result", "seconds");
    for row in rows {
        let result = if row.passed { "passed" } else { "FAILED" };
        let took = row.took.map_or("-".to_owned(), |took| format!("{:.1}", took.as_secs_f64()));
        let line = format!("{:<12}{result:<8}{took:>9}  {}", row.name, row.note);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let passed = rows.iter().filter(|row| row.passed).count();
    text.push_str(&format!("{passed} passed, {} failed\n", rows.len() - passed));
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_table_ends_with_the_summary() {
        let rows = [
            Row::from("tests=101".parse::<Earlier>().unwrap()),
            Row {
                name: "deny".into(),
                passed: true,
                took: Some(Duration::from_millis(1250)),
                note: "advisories skipped".into(),
            },
        ];
        expect![[r#"
            step        result    seconds
            tests       FAILED          -  exit code 101
            deny        passed        1.2  advisories skipped
            1 passed, 1 failed
        "#]]
        .assert_eq(&table(&rows));
    }

    #[test]
    fn an_earlier_step_needs_a_name_and_a_code() {
        for text in ["tests", "tests=", "tests=ok"] {
            assert!(text.parse::<Earlier>().is_err(), "{text}");
        }
    }
}
