//! Formatting, clippy and documentation: what the compiler's own tools can say.

use anyhow::Result;

use crate::process::{cargo_in, run};
use crate::workspace::Workspace;

/// Formatting, then clippy.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    format(workspace)?;
    clippy(workspace)
}

pub(crate) fn format(workspace: &Workspace) -> Result<()> {
    run(&mut cargo_in(&workspace.root, &["fmt", "--all", "--check"]))
}

pub(crate) fn clippy(workspace: &Workspace) -> Result<()> {
    let arguments =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run(&mut cargo_in(&workspace.root, &arguments))
}

pub(crate) fn docs(workspace: &Workspace) -> Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--all-features"];
    run(cargo_in(&workspace.root, &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

/// `cargo test --workspace` with further arguments.
pub(crate) fn test(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    run(cargo_in(&workspace.root, &["test", "--workspace"]).args(arguments))
}
