//! `cargo xtask store …`: the maintenance commands of the `telemetry` binary, without installing it.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process::cargo;
use crate::workspace::Workspace;

/// Builds and runs `telemetry store …` in the current directory, and ends with its exit code.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let status = cargo()
        .args(["run", "--quiet", "--package", "telemetry-cli", "--manifest-path"])
        .arg(workspace.root.join("Cargo.toml"))
        .args(["--", "store"])
        .args(arguments)
        .status()
        .context("cannot start cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}
