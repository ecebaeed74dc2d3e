//! What every member's manifest says, and what the root folder holds.

use std::fs;

use anyhow::{Context, Result};

use super::Finding;
use crate::workspace::{Member, Workspace};

/// What the root may hold besides hidden files, build output and local data.
const ROOT: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "examples",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "xtask",
];

/// Present in a working copy, never committed.
const LOCAL: [&str; 4] = ["target", "telemetry-data", "telemetry-demo", "telemetry-report.html"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        workspace.members.iter().flat_map(|member| check_member(workspace, member)).collect();
    for member in workspace.members_in("crates") {
        let readme = workspace.relative(&member.dir().join("README.md"));
        if !workspace.root.join(&readme).is_file() {
            let message = format!(
                "`{}` has no README. Cure: write one, with the purpose, an example, the features, \
                 and what the crate does not do",
                member.name
            );
            findings.push(Finding::failure(readme, message));
        }
    }
    findings.extend(check_root(workspace));
    findings
}

fn check_member(workspace: &Workspace, member: &Member) -> Vec<Finding> {
    let place = workspace.relative(&member.manifest_path);
    let mut findings = Vec::new();
    if member.description.as_deref().unwrap_or_default().trim().is_empty() {
        let message =
            format!("`{}` has no description. Cure: say in a sentence what it is for", member.name);
        findings.push(Finding::failure(&place, message));
    }
    match inherits_lints(member) {
        Ok(true) => {}
        Ok(false) => {
            let message = "does not use the lints of the workspace. Cure: add `[lints]` with \
                           `workspace = true`";
            findings.push(Finding::failure(&place, message));
        }
        Err(error) => findings.push(Finding::failure(&place, format!("{error:#}"))),
    }
    findings
}

fn inherits_lints(member: &Member) -> Result<bool> {
    let text = fs::read_to_string(&member.manifest_path).context("cannot be read")?;
    let manifest: toml::Table = toml::from_str(&text).context("is not TOML")?;
    let workspace = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    Ok(workspace.and_then(toml::Value::as_bool) == Some(true))
}

fn check_root(workspace: &Workspace) -> Vec<Finding> {
    let names: Vec<String> = match fs::read_dir(&workspace.root) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect(),
        Err(error) => return vec![Finding::failure(".", format!("cannot be listed: {error}"))],
    };
    names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .filter(|name| !ROOT.contains(&name.as_str()) && !LOCAL.contains(&name.as_str()))
        .map(|name| {
            let message = "does not belong in the root folder. Cure: move it to the crate, example \
                           or document it belongs to";
            Finding::failure(name, message)
        })
        .collect()
}
