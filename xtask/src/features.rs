//! Every crate builds alone: without features, with its default ones, and with each by itself.
//!
//! A workspace build unifies features, so a crate that forgot to enable what it uses compiles there
//! by luck and fails for whoever depends on it alone.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{cargo_in, run};
use crate::workspace::{Member, Workspace};

pub(crate) fn run_all(workspace: &Workspace, only: &[String]) -> Result<()> {
    for name in only {
        if !workspace.members_in("crates").any(|member| member.name == *name) {
            bail!("`{name}` is not a crate under crates/; see `cargo metadata --no-deps`");
        }
    }
    let builds: Vec<(&Member, Vec<String>)> = workspace
        .members_in("crates")
        .filter(|member| only.is_empty() || only.contains(&member.name))
        .flat_map(|member| selections(member).into_iter().map(move |flags| (member, flags)))
        .collect();
    let mut failed = Vec::new();
    for (index, (member, flags)) in builds.iter().enumerate() {
        let started = Instant::now();
        let mut command = cargo_in(&workspace.root, &["check", "--quiet", "--package"]);
        command.arg(&member.name).args(flags);
        print!("[{}/{}] ", index + 1, builds.len());
        let result = run(&mut command);
        println!("        {:.1} s", started.elapsed().as_secs_f64());
        if let Err(error) = result {
            println!("        {error}");
            failed.push(format!("{} {}", member.name, flags.join(" ")));
        }
    }
    if failed.is_empty() {
        println!("features: {} builds", builds.len());
        return Ok(());
    }
    bail!("{} of {} builds fail:\n  {}", failed.len(), builds.len(), failed.join("\n  "));
}

/// The flags of each build that differs from the others.
fn selections(member: &Member) -> Vec<Vec<String>> {
    let none = || vec!["--no-default-features".to_owned()];
    let mut selections = vec![none()];
    if member.features.get("default").is_some_and(|enabled| !enabled.is_empty()) {
        selections.push(Vec::new());
    }
    for feature in member.features.keys().filter(|name| *name != "default") {
        let mut flags = none();
        flags.extend(["--features".to_owned(), feature.clone()]);
        selections.push(flags);
    }
    selections
}
