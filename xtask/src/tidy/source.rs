//! The text files of the repository.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A file's path from the root, with `/`, and its text.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// Folders that hold nothing anyone wrote by hand for this repository.
const SKIPPED_FOLDERS: [&str; 3] = ["target", ".git", "telemetry-data"];

/// Small workspaces that break the rules on purpose.
const FIXTURES: &str = "xtask/tests/fixtures";

const EXTENSIONS: [&str; 5] = ["rs", "md", "toml", "html", "sh"];

/// Every text file under `root`, in the order of their paths.
pub(super) fn collect(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    descend(root, "", &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn descend(folder: &Path, prefix: &str, sources: &mut Vec<Source>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) && path != FIXTURES {
                descend(&entry.path(), &format!("{path}/"), sources)?;
            }
        } else if kind.is_file() && is_text(&path) {
            let text = fs::read_to_string(entry.path())
                .with_context(|| format!("{path} is not readable as UTF-8"))?;
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

fn is_text(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.contains(&extension) || path == ".ci/run"
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(super) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether the whole file is tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}
