//! An in-memory disk that carries out every [`Operation`] step by step, and loses what a disk may
//! lose.
//!
//! # The model
//!
//! - **Page cache and medium.** Reads see the page cache. Its content reaches the medium by sector
//!   of [`SECTOR_BYTES`], when a sync covers it; a file's length does so on its own.
//! - **A sync covers what was there when it began**: [`Operation::Sync`] one file's data and
//!   length, [`Operation::SyncDirectory`] one directory's entries (not what lies in them), a
//!   [`SyncSet`](klamm_core::effect::SyncSet) each of its members, in any order, from one moment or
//!   from several.
//! - **Steps.** An operation *starts*, then *takes hold*; the effect's completion is handed in
//!   later still. The world decides when. What a read or a listing answers is what is there as it
//!   takes hold.
//! - **Killed.** The process is gone at any point: the page cache stays, and an operation that had
//!   started has happened or not, a write up to any byte. Locks and open files are forgotten.
//! - **Power loss.** Beyond that, of what no sync covered: each sector is kept, dropped or garbled
//!   (noise or zeros; a byte that is durable and was rewritten with its own value keeps it); a
//!   length is the durable one, the last one, or one between, whatever became of the data; creates,
//!   renames and unlinks are lost one by one.
//! - **Faults** ([`Faults`]): failed operations, writes that fail half way, a full disk, bits
//!   flipped at rest ([`Disk::flip`]), and failed syncs: the content that such a sync covered is
//!   partly lost, reads back well until the power goes, and the next sync succeeds without writing
//!   it. Entries of a directory are not forgotten like that: the next sync covers them again.
//! - **Rules.** What the machine must never do to a disk is found here, as a [`Violation`].

mod effects;
mod faults;
mod file;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::effect::{Completion, Effect, FileRange, FileRef, Operation, Path};
use klamm_core::ids::{EffectId, FileId, JobId};

pub use faults::{Faults, Violation};
pub use file::SECTOR_BYTES;

use crate::decisions::{Decisions, Purpose};
use effects::OpenEffect;
use tree::{IS_A_DIRECTORY, NodeId, Tree, TreeError};

/// How a run of the broker ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: the page cache stays.
    Killed,
    /// The power goes, and with it what no sync has covered.
    PowerLoss,
}

/// What a range that leaves for a client must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServedLevel {
    /// Every byte was written by a write that has completed.
    Written,
    /// And would survive a power loss.
    Synced,
}

/// The disk of one simulated machine.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    tree: Tree,
    bound: BTreeMap<FileId, Bound>,
    locked: BTreeMap<FileId, NodeId>,
    pins: BTreeMap<FileId, u32>,
    /// Boxed: each step takes one out and puts it back.
    open: BTreeMap<EffectId, Box<OpenEffect>>,
    log_directories: Vec<Path>,
    failed_syncs: BTreeSet<Path>,
    /// Those of jobs whose ends the broker has not heard of.
    untold_syncs: Vec<(JobId, Path)>,
    violations: Vec<Violation>,
    live: bool,
    faults: Faults,
    changes: u64,
}

/// What stands behind the last dot of a file's name.
pub fn extension(path: &Path) -> &str {
    path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// What an id stands for in this process.
#[derive(Clone, Debug)]
struct Bound {
    node: NodeId,
    path: Path,
}

/// What is left of an effect after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another operation is to start.
    More,
    /// All is done, or has failed: [`Disk::complete`] has the answer.
    Finished,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What goes wrong now.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Start-up and recovery are over: from now on no log may be cut.
    pub fn set_live(&mut self) {
        self.live = true;
    }

    /// The machine's log directories: each fails as a whole.
    pub fn set_log_directories(&mut self, directories: Vec<Path>) {
        self.log_directories = directories;
    }

    /// Counts what has changed of logs and their directories, or is about to: while it stays, so do all
    /// segments, and what says whose they are.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes an effect in. Then, for each of its operations, [`start`](Self::start) and
    /// [`take_hold`](Self::take_hold), and at last [`complete`](Self::complete).
    pub fn submit(&mut self, id: EffectId, effect: Effect, decisions: &mut Decisions) {
        let effect = OpenEffect::new(effect, decisions);
        if self.open.contains_key(&id) {
            self.violations.push(Violation::EffectReused { owner: id.owner.0, number: id.number });
        }
        self.check_submitted(id, &effect);
        self.changes += u64::from(effect.changes_logs());
        self.open.insert(id, Box::new(effect));
    }

    /// Effects that are out.
    pub fn open_effects(&self) -> impl Iterator<Item = EffectId> {
        self.open.keys().copied()
    }

    /// An operation has failed, and nobody was told yet.
    pub fn has_untold_failure(&self) -> bool {
        self.open.values().any(|effect| effect.has_failed())
    }

    /// The effect's answer; its operations are over.
    pub fn complete(&mut self, id: EffectId) -> Completion {
        let effect = self.open.remove(&id).expect("only a submitted effect completes");
        // From here on the machine knows, or the job does; a sync of the same directory that it asked
        // for earlier is fine.
        if let Some(path) = effect.failed_sync() {
            let of = |directory: &&Path| path.is_within(directory);
            let directory = self.log_directories.iter().find(of).unwrap_or(path).clone();
            if id.owner == JobId::BROKER {
                self.failed_syncs.insert(directory);
            } else {
                self.untold_syncs.push((id.owner, directory));
            }
        }
        effect.into_completion()
    }

    /// The broker hears how a job has ended, and of the syncs that failed in it.
    pub fn job_ends(&mut self, job: JobId) {
        let of_job = self.untold_syncs.extract_if(.., |(owner, _)| *owner == job);
        self.failed_syncs.extend(of_job.map(|(_, directory)| directory));
    }

    /// The process is gone, or the power is; open effects are cut wherever they are.
    pub fn crash(&mut self, crash: Crash, decisions: &mut Decisions) {
        for (_, effect) in std::mem::take(&mut self.open) {
            self.cut(*effect, decisions);
        }
        self.changes += 1;
        self.bound.clear();
        self.locked.clear();
        self.pins.clear();
        self.failed_syncs.clear();
        self.untold_syncs.clear();
        self.live = false;
        match crash {
            Crash::Killed => self.tree.killed(),
            Crash::PowerLoss => self.tree.power_lost(decisions),
        }
    }

    /// Broken rules found since the last call.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }

    /// A response that carries a range of this file is under way.
    pub fn pin(&mut self, file: FileId) {
        *self.pins.entry(file).or_default() += 1;
    }

    /// It has left.
    pub fn unpin(&mut self, file: FileId) {
        if let Some(count) = self.pins.get_mut(&file) {
            *count = count.saturating_sub(1);
        }
        self.pins.retain(|_, count| *count > 0);
    }

    /// Files with responses under way that carry ranges of them.
    pub fn pinned_files(&self) -> usize {
        self.pins.len()
    }

    /// Under how many ids that file is known which is known under the most.
    pub fn ids_of_one_file(&self) -> usize {
        let mut counts = BTreeMap::<NodeId, usize>::new();
        for bound in self.bound.values() {
            *counts.entry(bound.node).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }

    /// Reads a range as it leaves for a client, and checks that it might; `None` when it is not
    /// there in full.
    pub fn serve(&mut self, range: &FileRange, level: ServedLevel) -> Option<Bytes> {
        let node = self.bind(&range.file).ok()?;
        let file = self.tree.file(node)?;
        let (start, end) = (range.position, range.position + range.length);
        let content = file.read(start, range.length);
        let bytes =
            (content.len() as u64 == range.length).then(|| Bytes::copy_from_slice(content))?;
        let early = match level {
            ServedLevel::Written => {
                (!self.is_written(&range.file, start, end)).then_some("written")
            }
            ServedLevel::Synced => (!file.is_durable(start, end)).then_some("synced"),
        };
        if let Some(level) = early {
            let path = self.path_of(&range.file);
            self.violations.push(Violation::ServedTooEarly { path, start, end, level });
        }
        Some(bytes)
    }

    /// True when the reading of a range is to fail.
    pub fn range_fails(&self, range: &FileRange, decisions: &mut Decisions) -> bool {
        let (file, position, length) = (range.file.clone(), range.position, range.length as u32);
        self.fails(&Operation::Read { file, position, length }, decisions)
    }

    /// Files that are being written, and where each write ends: some are not there yet.
    pub fn being_written(&self) -> impl Iterator<Item = (Path, u64)> {
        let under_way = self.open.values().flat_map(|effect| effect.writes_left(self));
        under_way.map(|(path, _, end)| (path, end))
    }

    /// Flips one bit at rest. False when there is no such byte.
    pub fn flip(&mut self, path: &Path, position: u64, bit: u8) -> bool {
        let Some(file) = self.tree.find(path).and_then(|id| self.tree.file_mut(id)) else {
            return false;
        };
        let there = position < file.length();
        file.flip(position, bit);
        self.changes += 1;
        there
    }

    /// The file's content as reads see it.
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        self.tree.file(self.tree.find(path)?).map(file::File::content)
    }

    /// Every file, with its content, in the order of paths.
    pub fn files(&self) -> Vec<(Path, &[u8])> {
        self.tree.files().into_iter().map(|(path, file)| (path, file.content())).collect()
    }

    /// The files in a directory, by name, with their content.
    pub fn files_in(&self, path: &Path) -> impl Iterator<Item = (&str, &[u8])> {
        let directory = self.tree.find(path).and_then(|id| self.tree.directory(id));
        let entries = directory.into_iter().flat_map(|directory| &directory.entries);
        entries.filter_map(|(name, id)| Some((name.as_str(), self.tree.file(*id)?.content())))
    }

    /// The directories in a directory, in the order of paths.
    pub fn directories_in(&self, path: &Path) -> Vec<Path> {
        let directory = self.tree.find(path).and_then(|id| self.tree.directory(id));
        let entries = directory.iter().flat_map(|directory| &directory.entries);
        let inside = entries.filter(|(_, id)| self.tree.directory(**id).is_some());
        inside.map(|(name, _)| path.join(name)).collect()
    }

    /// True when there is a directory of this path.
    pub fn is_directory(&self, path: &Path) -> bool {
        self.tree.find(path).is_some_and(|id| self.tree.directory(id).is_some())
    }

    /// Puts a file there with its directories, as it was long before the run.
    pub fn put(&mut self, path: &Path, content: &[u8]) {
        self.put_directory(&path.parent());
        if let Some(file) = self.tree.make_file(path).ok().and_then(|node| self.tree.file_mut(node))
        {
            file.set_length(0);
            file.write(0, content);
        }
        self.tree.settle();
    }

    /// Puts a directory there, as it was long before the run.
    pub fn put_directory(&mut self, path: &Path) {
        self.changes += 1;
        self.tree.make_directory(path).expect("no file stands in the way");
        self.tree.settle();
    }

    /// The file behind an id: bound at first use by its path, then followed.
    fn bind(&mut self, file: &FileRef) -> Result<NodeId, TreeError> {
        if let Some(bound) = self.bound.get(&file.id) {
            let (node, path) = (bound.node, bound.path.clone());
            if self.tree.find(&path) != Some(node) {
                self.violations.push(Violation::FileGone { path });
                return Err(TreeError::NotFound);
            }
            return Ok(node);
        }
        let node = self.tree.resolve(&file.path)?;
        self.tree.file(node).ok_or(IS_A_DIRECTORY)?;
        self.bound.insert(file.id, Bound { node, path: file.path.clone() });
        Ok(node)
    }

    /// Where the file is now, as far as renames under its id tell.
    fn path_of(&self, file: &FileRef) -> Path {
        self.bound.get(&file.id).map_or_else(|| file.path.clone(), |bound| bound.path.clone())
    }

    fn is_written(&self, file: &FileRef, start: u64, end: u64) -> bool {
        let path = self.path_of(file);
        let under_way = self.open.values().flat_map(|effect| effect.writes_left(self));
        let met = |(other, from, to): (Path, u64, u64)| other == path && from < end && start < to;
        self.tree
            .find(&path)
            .and_then(|node| self.tree.file(node))
            .is_some_and(|file| file.is_written(start, end))
            && !under_way.into_iter().any(met)
    }

    fn check_submitted(&mut self, id: EffectId, effect: &OpenEffect) {
        let mut found = Vec::new();
        let directories = effect.synced_paths(self);
        for failed in &self.failed_syncs {
            // A job that runs does not hear of it; the broker does.
            let is_whole = self.log_directories.contains(failed);
            let again =
                directories.iter().any(|path| path == failed || is_whole && path.is_within(failed));
            if id.owner == JobId::BROKER && again {
                found.push(Violation::SyncAfterFailedSync { directory: failed.clone() });
            }
        }
        let writes = effect.writes_left(self);
        for other in self.open.values() {
            let others = if writes.is_empty() { Vec::new() } else { other.writes_left(self) };
            for (path, start, end) in &writes {
                let meets = |(their, from, to): &&(Path, u64, u64)| {
                    their == path && from < end && start < to
                };
                if let Some((_, position, _)) = others.iter().find(meets) {
                    let (path, position) = (path.clone(), *position.max(start));
                    found.push(Violation::WritesOverlap { path, position });
                }
            }
            let ours = effect.meets(other, self).or_else(|| other.meets(effect, self));
            found.extend(ours.map(|path| Violation::FileInUse { path }));
        }
        self.violations.append(&mut found);
    }

    fn used_bytes(&self) -> u64 {
        self.tree.used_bytes()
    }

    fn fails(&self, operation: &Operation, decisions: &mut Decisions) -> bool {
        let (path, per_mille) = match operation {
            Operation::Write { file, .. } => (self.path_of(file), self.faults.write_per_mille),
            Operation::Sync(file) => (self.path_of(file), self.faults.sync_per_mille),
            Operation::SyncDirectory(path) => (path.clone(), self.faults.sync_per_mille),
            Operation::Open(file) | Operation::Read { file, .. } => {
                (self.path_of(file), self.faults.read_per_mille)
            }
            Operation::List(path) => (path.clone(), self.faults.read_per_mille),
            Operation::Create(file) | Operation::SetLength { file, .. } | Operation::Lock(file) => {
                (self.path_of(file), self.faults.entry_per_mille)
            }
            Operation::Rename { from: path, .. }
            | Operation::Unlink(path)
            | Operation::MakeDirectory(path)
            | Operation::RemoveDirectory(path) => (path.clone(), self.faults.entry_per_mille),
            // Answered without the disk.
            Operation::Space(_) | Operation::Close(_) => return false,
        };
        self.faults.cover(&path) && decisions.chance(Purpose::DiskFault, per_mille)
    }
}

#[cfg(test)]
mod tests;
