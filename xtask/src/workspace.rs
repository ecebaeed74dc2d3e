//! The workspace as `cargo metadata --no-deps` tells it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{self, cargo};

/// Root directory, target directory, members and `workspace.metadata`.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
    pub(crate) metadata: serde_json::Value,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) metadata: serde_json::Value,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
    #[serde(default)]
    metadata: serde_json::Value,
}

impl Workspace {
    /// Asks cargo about the workspace at `root`, or about the one the current directory is in.
    pub(crate) fn load(root: Option<&Path>) -> Result<Self> {
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        if let Some(root) = root {
            command.arg("--manifest-path").arg(root.join("Cargo.toml"));
        }
        let output = process::capture(&mut command)?;
        if !output.status.success() {
            bail!("cargo cannot read the workspace:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let found: Metadata = serde_json::from_slice(&output.stdout)
            .context("the output of `cargo metadata --format-version 1` has an unknown form")?;
        let mut members = found.packages;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: found.workspace_root,
            target: found.target_directory,
            members,
            metadata: found.metadata,
        })
    }

    /// A path as people write it: relative to the root, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// Whether `pattern` means `member`: its name, or `folder/*` for every member of a folder.
    pub(crate) fn matches(&self, pattern: &str, member: &Member) -> bool {
        match pattern.strip_suffix("/*") {
            Some(folder) => {
                member.dir().parent().is_some_and(|parent| self.relative(parent) == folder)
            }
            None => pattern == member.name,
        }
    }

    /// The members in one folder of the root, for example `crates`.
    pub(crate) fn members_in<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a Member> {
        let pattern = format!("{folder}/*");
        self.members.iter().filter(move |member| self.matches(&pattern, member))
    }
}

impl Member {
    /// The folder of the member's manifest.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().expect("a manifest path ends in /Cargo.toml")
    }
}
