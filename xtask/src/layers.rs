//! Which crate may depend on which: the tables under `workspace.metadata` in the root manifest.
//!
//! Only direct dependencies are looked at, normal and build ones; dev-dependencies are free, a test
//! may use whatever it likes. Optional dependencies count: an arrow behind a feature is an arrow.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::{Member, Workspace};

#[derive(Deserialize)]
struct Rules {
    layers: BTreeMap<String, u32>,
    #[serde(default)]
    unlayered: Vec<String>,
    #[serde(default)]
    forbidden: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    confined: BTreeMap<String, Vec<String>>,
}

/// Fails with every violation found.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let violations = check(workspace)?;
    if violations.is_empty() {
        println!("layers: {} members, every arrow points down", workspace.members.len());
        return Ok(());
    }
    for violation in &violations {
        println!("layers: {violation}");
    }
    bail!("{} violation(s) of the layer rules", violations.len());
}

fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let rules: Rules = Rules::deserialize(&workspace.metadata).context(
        "expected a table [workspace.metadata.layers] in the root Cargo.toml, \
         with `crate = layer` for every layered member",
    )?;
    let mut violations = stale_names(workspace, &rules);
    for member in &workspace.members {
        violations.extend(listing(workspace, &rules, member));
        for dependency in &member.dependencies {
            if dependency.kind.as_deref() == Some("dev") {
                continue;
            }
            violations.extend(edge(workspace, &rules, member, &dependency.name));
        }
    }
    Ok(violations)
}

/// Every name in the tables must mean a member, or a rule protects nothing.
fn stale_names(workspace: &Workspace, rules: &Rules) -> Vec<String> {
    let layered = rules.layers.keys().map(|name| ("layers", name));
    let unlayered = rules.unlayered.iter().map(|name| ("unlayered", name));
    let forbidden = rules.forbidden.keys().map(|name| ("forbidden", name));
    let confined = rules.confined.values().flatten().map(|name| ("confined", name));
    layered
        .chain(unlayered)
        .chain(forbidden)
        .chain(confined)
        .filter(|(_, name)| !workspace.members.iter().any(|member| workspace.matches(name, member)))
        .map(|(table, name)| {
            format!(
                "`{name}` in workspace.metadata.{table} is not a member of the workspace. \
                 Cure: correct the name, or take it out of the table."
            )
        })
        .collect()
}

fn listing(workspace: &Workspace, rules: &Rules, member: &Member) -> Option<String> {
    let name = &member.name;
    let layered = rules.layers.contains_key(name);
    if layered && rules.unlayered.contains(name) {
        return Some(format!(
            "`{name}` is both in workspace.metadata.layers and in `unlayered`. \
             Cure: keep it in one of the two."
        ));
    }
    if layered || rules.unlayered.iter().any(|pattern| workspace.matches(pattern, member)) {
        return None;
    }
    Some(format!(
        "`{name}` ({}) is in no layer. Cure: add `{name} = <layer>` to workspace.metadata.layers \
         in the root Cargo.toml, or its name to `unlayered` if nothing but tests may use it.",
        workspace.relative(&member.manifest_path)
    ))
}

fn edge(workspace: &Workspace, rules: &Rules, from: &Member, to: &str) -> Option<String> {
    match workspace.members.iter().find(|member| member.name == to) {
        Some(to) => inner_edge(rules, from, to),
        None => outer_edge(workspace, rules, from, to),
    }
}

fn inner_edge(rules: &Rules, from: &Member, to: &Member) -> Option<String> {
    let (from, to) = (&from.name, &to.name);
    let from_layer = *rules.layers.get(from)?;
    let Some(&to_layer) = rules.layers.get(to) else {
        return Some(format!(
            "`{from}` (layer {from_layer}) depends on `{to}`, which is in no layer. \
             Cure: make it a dev-dependency, or move what is needed into a layered crate."
        ));
    };
    if to_layer < from_layer {
        return None;
    }
    let direction = if to_layer == from_layer { "a sideways" } else { "an upward" };
    let down = match from_layer {
        0 => String::new(),
        _ => format!("move what is needed into a crate below layer {from_layer}, or "),
    };
    Some(format!(
        "`{from}` (layer {from_layer}) depends on `{to}` (layer {to_layer}): {direction} edge, and \
         an arrow only ever points to a lower layer. Cure: {down}take it as a value or a trait that \
         a crate above both passes in."
    ))
}

fn outer_edge(workspace: &Workspace, rules: &Rules, from: &Member, to: &str) -> Option<String> {
    let name = &from.name;
    if rules.forbidden.get(name).is_some_and(|names| names.iter().any(|found| found == to)) {
        let layer = rules.layers.get(name).map_or("no layer".into(), |n| format!("layer {n}"));
        return Some(format!(
            "`{name}` ({layer}) depends on `{to}`, which workspace.metadata.forbidden keeps out of \
             it. Cure: do this work in a crate of a higher layer, behind a trait if need be."
        ));
    }
    let homes = rules.confined.get(to)?;
    if homes.iter().any(|pattern| workspace.matches(pattern, from)) {
        return None;
    }
    Some(format!(
        "`{name}` depends on `{to}`, which workspace.metadata.confined allows in {} only. \
         Cure: use what those crates offer, or move the code there.",
        homes.join(", ")
    ))
}
