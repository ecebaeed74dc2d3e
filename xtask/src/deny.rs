//! Third-party crates: licences, sources, bans, known vulnerabilities, and unused dependencies.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{capture, cargo, cargo_in, in_ci, run, succeeds};
use crate::workspace::Workspace;

const DENY_VERSION: &str = "0.20.2";

/// Returns what could not be checked, for the summary.
pub(crate) fn run_all(workspace: &Workspace) -> Result<Option<String>> {
    if !succeeds(cargo().args(["deny", "--version"])) {
        bail!(
            "cargo-deny is not installed; `cargo install cargo-deny --locked --version \
             {DENY_VERSION}` installs it"
        );
    }
    let root = &workspace.root;
    let arguments = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
    let bans = run(&mut cargo_in(root, &arguments));
    let advisories = advisories(workspace);
    let unused = unused(workspace);
    bans?;
    let notes: Vec<String> = [advisories?, unused?].into_iter().flatten().collect();
    Ok((!notes.is_empty()).then(|| notes.join("; ")))
}

/// Known vulnerabilities, from the RustSec database: a fresh copy where it can be fetched, the copy
/// of an earlier run where it cannot, and a note where there is neither.
fn advisories(workspace: &Workspace) -> Result<Option<String>> {
    let root = &workspace.root;
    let fetch = capture(&mut cargo_in(root, &["deny", "fetch", "db"]))?;
    if fetch.status.success() {
        run(&mut cargo_in(root, &["deny", "--all-features", "check", "advisories"]))?;
        return Ok(None);
    }
    let (note, result) = if database_present() {
        let arguments = ["deny", "--all-features", "check", "--disable-fetch", "advisories"];
        let note = "advisories checked against an earlier copy: the RustSec advisory database \
                    could not be fetched";
        (note, run(&mut cargo_in(root, &arguments)))
    } else {
        let note = "advisories skipped: the RustSec advisory database could not be fetched and \
                    there is no earlier copy";
        (note, Ok(()))
    };
    println!("deny: {note}");
    result.map(|()| Some(note.to_owned()))
}

/// Whether cargo-deny has fetched the database before (its documented default place).
fn database_present() -> bool {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok())
        .is_some_and(|mut entries| entries.any(|entry| entry.is_ok_and(|e| e.path().is_dir())))
}

/// Dependencies that no source file names.
fn unused(workspace: &Workspace) -> Result<Option<String>> {
    // cargo-machete takes CARGO_PKG_NAME, which `cargo run` sets for this program, as a sign that
    // it was not called by cargo, and then reads its arguments differently.
    let machete = |arguments: &[&str]| {
        let mut command = cargo_in(&workspace.root, arguments);
        command.env_remove("CARGO_PKG_NAME");
        command
    };
    if succeeds(&mut machete(&["machete", "--version"])) {
        run(&mut machete(&["machete"]))?;
        return Ok(None);
    }
    let note = "unused dependencies not checked: cargo-machete is not installed";
    if in_ci() {
        bail!("{note}; `cargo install cargo-machete --locked` installs it");
    }
    println!("deny: {note}");
    Ok(Some(note.to_owned()))
}
