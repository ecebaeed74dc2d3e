//! The checks, run as a program on small workspaces that keep or break the rules on purpose.

#![allow(clippy::unwrap_used, reason = "set-up outside of test functions is part of the tests")]

mod corpora;
mod examples;
mod layers;
mod rules;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case)
}

fn xtask(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--root").arg(root).env_remove("TELEMETRY_CORPORA").env_remove("CARGO_TARGET_DIR");
    command
}

/// Exit code, standard output and standard error, as a user sees them.
fn report(output: Output) -> String {
    format!(
        "exit code {}\n{}{}",
        output.status.code().map_or("none".to_owned(), |code| code.to_string()),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
