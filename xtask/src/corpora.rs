//! The corpora: real input for evaluations, kept outside the repository.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::Workspace;

/// The variable that names the folder of the corpora.
const VARIABLE: &str = "TELEMETRY_CORPORA";
/// Where they are looked for otherwise, from the root of the workspace.
const BESIDE: &str = "../shared/corpora";
/// Says which archive the unpacked pages came from.
const STAMP: &str = ".unpacked-from";

/// Something needed is not on this machine; the program ends with exit code 2.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}

/// Where the drift corpus is, ready to be read.
pub(crate) struct Drift {
    /// One JSON object a line: a selector, its old and its new page, its label.
    pub(crate) pairs: PathBuf,
    /// The pages, `<hash>.html` each.
    pub(crate) pages: PathBuf,
    count: usize,
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let drift = drift(workspace)?;
    println!("corpora: drift pairs in {}", drift.pairs.display());
    println!("corpora: drift pages in {} ({} needed)", drift.pages.display(), drift.count);
    Ok(())
}

/// Finds the drift corpus and unpacks its pages under `target/corpora/drift/`, unless they are
/// there. Every page that a pair names is looked for.
pub(crate) fn drift(workspace: &Workspace) -> Result<Drift> {
    let source = folder(workspace)?.join("drift");
    let pairs = source.join("pairs.jsonl");
    let archive = source.join("pages.tar.zst");
    let needed = pages_named_in(&pairs)?;
    let pages = workspace.target.join("corpora/drift");
    let stamp = stamp_of(&archive)?;
    let unpacked = fs::read_to_string(pages.join(STAMP)).is_ok_and(|found| found == stamp);
    if !unpacked || first_missing(&needed, &pages).is_some() {
        unpack(&archive, &pages, &stamp)?;
    }
    if let Some(page) = first_missing(&needed, &pages) {
        bail!("{} names page {page}, which {} lacks", pairs.display(), archive.display());
    }
    Ok(Drift { pairs, pages, count: needed.len() })
}

/// The folder of the corpora.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    locate(workspace, std::env::var_os(VARIABLE).map(PathBuf::from))
}

fn locate(workspace: &Workspace, named: Option<PathBuf>) -> Result<PathBuf> {
    let beside = workspace.root.join(BESIDE);
    let (folder, which) = match named {
        Some(folder) => (folder, format!("{VARIABLE} points to")),
        None => (beside.clone(), format!("{VARIABLE} is not set, and beside the project there is")),
    };
    match folder.canonicalize() {
        Ok(folder) if folder.is_dir() => Ok(folder),
        _ => Err(Absent(format!(
            "the corpora are not on this machine: {which} no folder {}. Set {VARIABLE} to the \
             folder that holds `drift/`, or put it at {BESIDE}.",
            folder.display()
        ))
        .into()),
    }
}

#[derive(Deserialize)]
struct Pair {
    old: String,
    new: String,
}

fn pages_named_in(pairs: &Path) -> Result<BTreeSet<String>> {
    let file = File::open(pairs).with_context(|| format!("cannot read {}", pairs.display()))?;
    let mut pages = BTreeSet::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", pairs.display(), index + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let pair: Pair = serde_json::from_str(&line).with_context(place)?;
        pages.extend([pair.old, pair.new]);
    }
    Ok(pages)
}

fn first_missing<'a>(needed: &'a BTreeSet<String>, pages: &Path) -> Option<&'a String> {
    needed.iter().find(|page| !pages.join(format!("{page}.html")).is_file())
}

fn stamp_of(archive: &Path) -> Result<String> {
    let metadata =
        fs::metadata(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let modified = metadata.modified()?.duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(format!("{} bytes, modified {modified}\n", metadata.len()))
}

/// Unpacks beside the destination and renames, so that an interrupted run leaves nothing that
/// looks complete.
fn unpack(archive: &Path, pages: &Path, stamp: &str) -> Result<()> {
    let partial = pages.with_extension("partial");
    remove(&partial)?;
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let damaged = || format!("cannot unpack {}", archive.display());
    let reader = zstd::Decoder::new(File::open(archive).with_context(damaged)?)?;
    for entry in tar::Archive::new(reader).entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        if entry.header().entry_type().is_file() {
            entry.unpack_in(&partial).with_context(damaged)?;
        }
    }
    fs::write(partial.join(STAMP), stamp)?;
    remove(pages)?;
    fs::rename(&partial, pages)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), pages.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
