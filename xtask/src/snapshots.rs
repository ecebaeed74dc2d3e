//! Whether the tests left the committed snapshot and golden files as they are in the last commit.

use anyhow::{Result, bail};

use crate::process::{capture, in_ci};
use crate::workspace::Workspace;

/// Where files live that tests compare with, and that a test run must not change.
const PLACES: [&str; 5] = [
    ":(glob)docs/schema/**",
    ":(glob)**/tests/**/fixtures/**",
    ":(glob)**/tests/**/golden/**",
    ":(glob)**/tests/**/snapshots/**",
    ":(glob)**/*.snap",
];

/// Returns a note when there is no git repository to compare with.
pub(crate) fn run(workspace: &Workspace) -> Result<Option<String>> {
    let mut command = std::process::Command::new("git");
    command.current_dir(&workspace.root).args(["status", "--porcelain", "--untracked-files=all"]);
    let output = capture(command.arg("--").args(PLACES))?;
    if !output.status.success() {
        let note = "snapshots not compared: git knows no repository here";
        if in_ci() {
            bail!("{note}:\n{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        println!("snapshots: {note}");
        return Ok(Some(note.to_owned()));
    }
    let changed = String::from_utf8_lossy(&output.stdout);
    if !changed.trim().is_empty() {
        bail!(
            "snapshot or golden files differ from the last commit:\n{}\nCommit them if the change \
             is meant; otherwise a test rewrote them (is UPDATE_EXPECT set?).",
            changed.trim_end()
        );
    }
    println!("snapshots: as committed");
    Ok(None)
}
