//! Names and files: what programs see, and what a loss of power leaves.

use super::Loss;
use super::content::Content;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A whole file system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// By inode; never reused, because open files and pending names refer to them. Shared with the
    /// moments that were kept, until one of them changes.
    files: Vec<Arc<Content>>,
    now: Arc<Names>,
    durable: Arc<Names>,
    /// Changes of names since they were made durable, in order.
    pending: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
enum Change {
    Directory(PathBuf),
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf, usize),
}

impl Tree {
    /// Empty but for a durable directory and those above it.
    pub(super) fn with(root: &Path) -> Self {
        let mut tree = Self::default();
        Arc::make_mut(&mut tree.now).directories.extend(root.ancestors().map(Path::to_owned));
        tree.durable = tree.now.clone();
        tree
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        self.now.directories.contains(path)
    }

    pub(super) fn file(&self, path: &Path) -> Option<usize> {
        self.now.files.get(path).copied()
    }

    pub(super) fn content(&self, inode: usize) -> &Content {
        &self.files[inode]
    }

    pub(super) fn content_mut(&mut self, inode: usize) -> &mut Content {
        Arc::make_mut(&mut self.files[inode])
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if self.now.files.contains_key(path) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if !self.is_directory(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |it: &&PathBuf| it.parent() == Some(path);
        let files = self.now.files.keys().filter(inside);
        let directories = self.now.directories.iter().filter(inside);
        let name = |it: &PathBuf| it.file_name().map(|it| it.to_string_lossy().into_owned());
        let mut names: Vec<String> = files.chain(directories).filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Every file there is, with its length in bytes.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.now.files.iter().map(|(path, inode)| (path.as_path(), self.files[*inode].now.len()))
    }

    /// Bytes of all files that have a name.
    pub(super) fn bytes(&self) -> u64 {
        self.lengths().map(|(_, length)| length as u64).sum()
    }

    pub(super) fn make_directory(&mut self, path: &Path) -> io::Result<()> {
        self.needs_parent(path)?;
        self.change(Change::Directory(path.to_owned()));
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<usize> {
        self.needs_parent(path)?;
        if self.now.files.contains_key(path) || self.is_directory(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.files.push(Arc::default());
        let inode = self.files.len() - 1;
        self.change(Change::Link(path.to_owned(), inode));
        Ok(inode)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from).ok_or(io::ErrorKind::NotFound)?;
        self.needs_parent(to)?;
        self.change(Change::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path).ok_or(io::ErrorKind::NotFound)?;
        self.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn needs_parent(&self, path: &Path) -> io::Result<()> {
        let there = path.parent().is_some_and(|parent| self.is_directory(parent));
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn change(&mut self, change: Change) {
        change.apply(Arc::make_mut(&mut self.now));
        self.pending.push(change);
    }

    /// Makes the names in a directory durable, and with a move between directories what happened
    /// before in the other one: file systems keep such a move whole.
    pub(super) fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        if !self.is_directory(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut directories = BTreeSet::from([path.to_owned()]);
        let mut due = vec![false; self.pending.len()];
        for (at, change) in self.pending.iter().enumerate().rev() {
            let parents: Vec<&Path> = change.paths().filter_map(Path::parent).collect();
            if parents.iter().any(|parent| directories.contains(*parent)) {
                directories.extend(parents.into_iter().map(Path::to_owned));
                due[at] = true;
            }
        }
        let mut due = due.into_iter();
        let durable = Arc::make_mut(&mut self.durable);
        self.pending.retain(|change| {
            let its_turn = due.next().unwrap_or(false);
            if its_turn {
                change.apply(durable);
            }
            !its_turn
        });
        Ok(())
    }

    /// What a kill leaves: everything, but what a failed sync forgot may leave the cache.
    pub(super) fn evict(&mut self) {
        self.files.iter_mut().filter(|it| it.forgets()).for_each(|it| Arc::make_mut(it).evict());
    }

    /// What is there after a loss of power.
    pub(super) fn after(&self, loss: Loss, rng: &mut Rng) -> Self {
        let mut names = Names::clone(&self.durable);
        let kept = match loss {
            Loss::Unsynced => 0,
            Loss::Nothing | Loss::Scattered => self.pending.len(),
            Loss::Tail => rng.usize(..=self.pending.len()),
        };
        for change in &self.pending[..kept] {
            if loss != Loss::Scattered || rng.bool() {
                change.apply(&mut names);
            }
        }
        // What lies in a directory that was lost is lost with it.
        let directories = names.directories.clone();
        let reachable = |path: &Path| path.ancestors().skip(1).all(|it| directories.contains(it));
        names.files.retain(|path, _| reachable(path));
        names.directories.retain(|path| reachable(path));
        let mut files = vec![Arc::default(); self.files.len()];
        for inode in names.files.values() {
            files[*inode] = Arc::new(self.files[*inode].after(loss, rng));
        }
        let names = Arc::new(names);
        Self { files, now: Arc::clone(&names), durable: names, pending: Vec::new() }
    }
}

impl Change {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let (one, other) = match self {
            Self::Directory(path) | Self::Link(path, _) | Self::Unlink(path) => (path, None),
            Self::Rename(from, to, _) => (from, Some(to)),
        };
        std::iter::once(one).chain(other).map(PathBuf::as_path)
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Directory(path) => {
                names.directories.insert(path.clone());
            }
            Self::Link(path, inode) => {
                names.files.insert(path.clone(), *inode);
            }
            Self::Unlink(path) => {
                names.files.remove(path);
            }
            Self::Rename(from, to, inode) => {
                names.files.remove(from);
                names.files.insert(to.clone(), *inode);
            }
        }
    }
}
