//! Finds out from the segments alone what the manifest should say of them.

use super::frame;
use super::names::{self, SegmentId};
use super::recover;
use super::scan;
use crate::disk::{Disk, OpenMode};
use crate::fault;
use crate::marker::Sealed;
use std::io;
use std::path::Path;
use telemetry_interfaces::{Damage, Result};

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) damage: Vec<Damage>,
    /// Files that hold what another one holds too: opening the store for writing removes them.
    pub(crate) replaced: Vec<String>,
}

/// One segment, as far as its file tells.
struct Candidate {
    id: SegmentId,
    sealed: Sealed,
    /// Whether every byte is as it was sealed.
    whole: bool,
    /// A log without an end: recovery sees to it.
    open: bool,
    damage: Vec<Damage>,
}

/// Reads every byte of every segment. `progress` is called with bytes done and bytes in all.
pub(crate) fn sealed_of_files(
    disk: &dyn Disk,
    store: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found> {
    let directory = names::directory(store);
    let listed = match disk.list(&directory) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(fault::io("list", &directory, error)),
    };
    let ids: Vec<SegmentId> = listed.iter().filter_map(|name| SegmentId::of_name(name)).collect();
    let mut all = 0;
    for id in &ids {
        let path = names::path(store, *id);
        let size = disk.open(&path, OpenMode::Read).and_then(|file| file.size());
        all += size.map_err(|error| fault::io("measure", &path, error))?;
    }
    let mut done = 0;
    let mut candidates = Vec::new();
    for id in ids {
        progress(done, all);
        let candidate = look(disk, store, id)?;
        done += candidate.sealed.bytes;
        candidates.push(candidate);
    }
    progress(all, all);
    Ok(choose(candidates))
}

/// A whole sorted segment stands for all that it covers; where it is damaged and what it was made
/// of is there, that counts instead.
fn choose(mut candidates: Vec<Candidate>) -> Found {
    let mut found = Found::default();
    // What covers most comes first.
    candidates.sort_by_key(|it| (it.id.first, std::cmp::Reverse(it.id.last), !it.id.sorted));
    while !candidates.is_empty() {
        let one = candidates.remove(0);
        let parts: Vec<usize> =
            (0..candidates.len()).filter(|at| one.id.covers(candidates[*at].id)).collect();
        let ends = parts.first().zip(parts.last());
        let ends = ends.map(|(a, b)| (candidates[*a].id.first, candidates[*b].id.last));
        let parts_suffice = ends == Some((one.id.first, one.id.last))
            && parts.iter().all(|at| candidates[*at].whole);
        if !one.whole && parts_suffice {
            found.replaced.push(names::relative(one.id));
            continue;
        }
        for at in parts.into_iter().rev() {
            found.replaced.push(names::relative(candidates.remove(at).id));
        }
        found.damage.extend(one.damage);
        if !one.open {
            found.sealed.push(one.sealed);
        }
    }
    found.replaced.sort();
    found
}

fn look(disk: &dyn Disk, store: &Path, id: SegmentId) -> Result<Candidate> {
    let path = names::path(store, id);
    let reading = |error| fault::io("read the segment", &path, error);
    let file = disk.open(&path, OpenMode::Read).map_err(reading)?;
    let size = file.size().map_err(reading)?;
    let loaded = scan::load(&*file, id, size).map_err(reading)?;
    let mut damage: Vec<Damage> = Vec::new();
    if loaded.newer {
        damage.extend(loaded.gaps.iter().map(|gap| gap.damage(id)));
        let sealed = recover::sealed(&*file, &path, id, &loaded)?;
        // Named by no manifest of this version, and left where it is.
        return Ok(Candidate { id, sealed, whole: false, open: true, damage });
    }
    let by_block = scan::blocks(&*file, frame::header_len(id).min(size as usize) as u64, size)
        .map_err(reading)?;
    let header = loaded.gaps.iter().filter(|gap| gap.offset == 0);
    damage.extend(header.chain(&by_block.gaps).map(|gap| gap.damage(id)));
    let trailer = frame::Trailer::read(&*file, size).map_err(reading)?;
    let mut sealed = recover::sealed(&*file, &path, id, &loaded)?;
    sealed.bytes = size;
    let mut whole = loaded.sealed && damage.is_empty();
    if let Some(trailer) = &trailer {
        let end = size - frame::TRAILER_LEN as u64;
        let hash = frame::hash(&*file, end).map_err(reading)?.finalize();
        if hash != blake3::Hash::from_bytes(trailer.blake3) {
            whole = false;
            if damage.is_empty() {
                damage.push(Damage {
                    file: names::relative(id),
                    offset: 0,
                    length: Some(end),
                    events: None,
                    what: "the segment does not match its BLAKE3 hash".into(),
                });
            }
        }
    }
    // Without footer and trailer, a log was being written and a sorted segment is cut off.
    let open = !loaded.sealed && !id.sorted;
    if !loaded.sealed && id.sorted {
        damage.push(Damage {
            file: names::relative(id),
            offset: by_block.end,
            length: Some(size - by_block.end),
            events: None,
            what: "the segment has no end".into(),
        });
    }
    Ok(Candidate { id, sealed, whole, open, damage })
}
