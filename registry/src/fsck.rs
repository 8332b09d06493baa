//! Reading a whole registry again and recomputing everything it ever signed.
//!
//! Works on a stopped registry and on a serving one: it looks at the entries below the head it first reads, and those
//! never change.

mod entries;
mod sessions;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::Path;

use attest::checkpoint::{self, LogTrust, Unverified};
use attest::digest::Sha256;
use attest::merkle::{self, Frontier};
use attest::tile::{self, Edge, Tile};
use attest::trust::TrustedRoot;
use serde::Serialize;

use crate::folder::{self, FolderError};
use crate::server::{CHECKPOINT, DATABASE};
use crate::store::{Head, SessionStore, SqliteStore, Store, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    #[error("{path} is no registry's data: it has no {DATABASE}")]
    NoDatabase { path: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("`trusted_root.json` cannot be used: {0}")]
    Trust(#[from] attest::trust::TrustError),
    #[error("`trusted_root.json` is missing; without the log's keys no checkpoint can be checked")]
    NoTrust,
}

/// What was looked at, and everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FsckReport {
    pub origin: String,
    pub entries: u64,
    /// Derived from the entries alone.
    pub root: Option<Sha256>,
    pub tiles: u64,
    pub checkpoints: u64,
    /// Proof sessions.
    pub attempts: u64,
    /// Size of the checkpoint kept outside the database.
    pub outside: Option<u64>,
    /// Findings in the order found, at most [`MAX_FINDINGS`].
    pub findings: Vec<String>,
}

/// A registry with more damage than this needs a backup, not a longer list.
pub const MAX_FINDINGS: usize = 100;

/// Entries read at one time.
const CHUNK: u32 = 256;

impl FsckReport {
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, what: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(what.into());
        }
    }
}

impl fmt::Display for FsckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log          {}", self.origin)?;
        writeln!(f, "entries      {}", self.entries)?;
        match &self.root {
            Some(root) => writeln!(f, "root         {root} (derived from the entries)")?,
            None => writeln!(f, "root         not derivable")?,
        }
        writeln!(f, "tiles        {}", self.tiles)?;
        writeln!(f, "checkpoints  {}", self.checkpoints)?;
        writeln!(f, "attempts     {}", self.attempts)?;
        match self.outside {
            Some(size) => writeln!(f, "outside      checkpoint of {size} entries")?,
            None => writeln!(f, "outside      no checkpoint")?,
        }
        for finding in &self.findings {
            writeln!(f, "WRONG        {finding}")?;
        }
        match self.findings.len() {
            0 => f.write_str("sound        every entry, tile, checkpoint, attempt and proof agrees"),
            1 => f.write_str("NOT SOUND    1 finding"),
            count => write!(f, "NOT SOUND    {count} findings"),
        }
    }
}

/// Checks the registry in `folder`, whose outside checkpoint is in its default place.
pub fn fsck(folder: &Path) -> Result<FsckReport, FsckError> {
    fsck_with(folder, &folder.join(CHECKPOINT))
}

/// Checks the registry in `folder` against the outside checkpoint in another file.
pub fn fsck_with(folder: &Path, checkpoint_file: &Path) -> Result<FsckReport, FsckError> {
    let database = folder.join(DATABASE);
    if !database.exists() {
        return Err(FsckError::NoDatabase {
            path: folder.display().to_string(),
        });
    }
    // Outside first: on a serving registry the database may only be ahead of what was read before.
    let outside = folder::read_if_there(checkpoint_file)?;
    let root = folder::read_if_there(&folder.join("trusted_root.json"))?.ok_or(FsckError::NoTrust)?;
    let root = TrustedRoot::parse(root.as_bytes())?;
    let store = SqliteStore::open_read_only(&database)?;
    let mut check = Check {
        store: &store,
        sessions: &store,
        trust: None,
        outside: None,
        report: FsckReport::default(),
    };
    check.run(&root, outside.as_deref())?;
    Ok(check.report)
}

struct Check<'a> {
    store: &'a dyn Store,
    sessions: &'a dyn SessionStore,
    trust: Option<LogTrust>,
    /// Size and root of the outside checkpoint.
    outside: Option<(u64, Sha256)>,
    report: FsckReport,
}

impl Check<'_> {
    fn run(&mut self, root: &TrustedRoot, outside: Option<&str>) -> Result<(), StoreError> {
        let end = self.store.end()?;
        let Some(head) = self.store.head()? else {
            self.report
                .find("the database has no head: the log was never begun");
            return Ok(());
        };
        self.identify(&head, root);
        self.check_note(&head, "the head");
        if end > head.size {
            let last = end - 1;
            self.report.find(format!(
                "entries lie at or beyond the head of {} entries, up to {last}",
                head.size
            ));
        }
        self.read_outside(outside, head.size);
        self.walk(&head)?;
        self.all_sessions()
    }

    fn identify(&mut self, head: &Head, root: &TrustedRoot) {
        let origin = match Unverified::parse(&head.note) {
            Ok(note) => note.claimed().origin.clone(),
            Err(error) => return self.report.find(format!("the head's checkpoint: {error}")),
        };
        self.trust = root.log(&origin);
        if self.trust.is_none() {
            self.report
                .find(format!("trusted_root.json names no key of the log {origin:?}"));
        }
        self.report.origin = origin;
    }

    fn check_note(&mut self, head: &Head, what: &str) {
        let Some(trust) = &self.trust else { return };
        match checkpoint::open(&head.note, trust) {
            Ok(opened) if (opened.size, opened.root) == (head.size, head.root) => {}
            Ok(opened) => self.report.find(format!(
                "{what}: its checkpoint covers {} entries with root {}, not {} with root {}",
                opened.size, opened.root, head.size, head.root
            )),
            Err(error) => self.report.find(format!("{what}: {error}")),
        }
    }

    fn read_outside(&mut self, outside: Option<&str>, size: u64) {
        let (Some(note), Some(trust)) = (outside, &self.trust) else {
            if outside.is_none() {
                self.report
                    .find("the checkpoint kept outside the database is missing");
            }
            return;
        };
        match checkpoint::open(note, trust) {
            Ok(opened) => {
                self.report.outside = Some(opened.size);
                self.outside = Some((opened.size, opened.root));
                if opened.size > size {
                    let published = opened.size;
                    self.report.find(format!(
                        "the database holds {size} entries, behind the {published} of the outside checkpoint"
                    ));
                }
            }
            Err(error) => self
                .report
                .find(format!("the checkpoint kept outside the database: {error}")),
        }
    }

    /// Every entry in order: index, leaf, envelope; with them the tiles and every checkpoint on the way.
    fn walk(&mut self, head: &Head) -> Result<(), StoreError> {
        let mut edge = Edge::new();
        let mut frontier = Frontier::new();
        let mut notes = Notes::default();
        // The last tile of each level, which no later batch completes.
        let mut unfilled = BTreeMap::new();
        self.at_size(&frontier, &mut notes)?;
        while frontier.size() < head.size {
            let want = (head.size - frontier.size()).min(u64::from(CHUNK)) as u32;
            let leaves = self.store.leaves(frontier.size(), want)?;
            let mut hashes = Vec::with_capacity(leaves.len());
            for (index, leaf) in &leaves {
                if *index != frontier.size() {
                    break;
                }
                self.entry(*index, leaf)?;
                let hash = merkle::leaf_hash(leaf);
                hashes.push(hash);
                frontier.append(hash);
                self.at_size(&frontier, &mut notes)?;
            }
            if hashes.len() < want as usize {
                self.report.find(format!("entry {} is missing", frontier.size()));
                return Ok(());
            }
            for tile in edge.append(&hashes) {
                if tile.hashes.len() as u64 == tile::FULL {
                    unfilled.remove(&tile.id.level);
                    self.tile(&tile)?;
                } else {
                    unfilled.insert(tile.id.level, tile);
                }
            }
        }
        for tile in unfilled.values() {
            self.tile(tile)?;
        }
        self.report.entries = head.size;
        self.report.root = Some(frontier.root());
        if frontier.root() != head.root {
            let derived = frontier.root();
            self.report.find(format!(
                "the head's root is {}, the entries give {derived}",
                head.root
            ));
        }
        Ok(())
    }

    /// Whether the checkpoints of this size, inside and outside, agree with the entries so far.
    fn at_size(&mut self, frontier: &Frontier, notes: &mut Notes) -> Result<(), StoreError> {
        let size = frontier.size();
        if let Some(note) = notes.at(self.store, size)? {
            self.report.checkpoints += 1;
            let root = frontier.root();
            self.check_note(
                &Head { size, root, note },
                &format!("the checkpoint of {size} entries"),
            );
        }
        if let Some((_, root)) = self.outside.filter(|(outside, _)| *outside == size)
            && root != frontier.root()
        {
            self.report.find(format!(
                "the outside checkpoint of {size} entries has root {root}, the entries give {}",
                frontier.root()
            ));
        }
        Ok(())
    }

    fn tile(&mut self, tile: &Tile) -> Result<(), StoreError> {
        self.report.tiles += 1;
        let want = tile::encode(&tile.hashes);
        let path = tile.id.path();
        match self.store.tile(tile.id.level, tile.id.index)? {
            // A serving registry may have added to it meanwhile.
            Some(stored) if stored.starts_with(&want) => {}
            Some(_) => self.report.find(format!("{path} differs from the entries")),
            None => self.report.find(format!("{path} is missing")),
        }
        Ok(())
    }

    /// Whether the leaf at `index` is of what the database shows there.
    fn entry(&mut self, index: u64, leaf: &[u8]) -> Result<(), StoreError> {
        let (Some(entry), Some(signed)) = (self.store.entry(index)?, self.store.signed(index)?) else {
            self.report
                .find(format!("entry {index} has no payload or no key"));
            return Ok(());
        };
        let log_key = self.trust.as_ref().and_then(LogTrust::id);
        match entries::compare(leaf, &entry, &signed, log_key) {
            Ok(stated) => self.has_session(index, &stated)?,
            Err(what) => self.report.find(format!("entry {index}: {what}")),
        }
        Ok(())
    }
}

/// The stored checkpoints, read in order and in chunks.
#[derive(Default)]
struct Notes {
    ahead: VecDeque<(u64, String)>,
}

impl Notes {
    /// The checkpoint of this size. Sizes are asked for in ascending order.
    fn at(&mut self, store: &dyn Store, size: u64) -> Result<Option<String>, StoreError> {
        if self.ahead.is_empty() {
            self.ahead = store.notes(size, CHUNK)?.into();
        }
        Ok(self
            .ahead
            .pop_front_if(|(at, _)| *at == size)
            .map(|(_, note)| note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_database_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let error = fsck(dir.path()).expect_err("nothing there");
        assert!(error.to_string().contains("has no registry.sqlite"), "{error}");
    }
}
