//! Effects under way: their operations start, take hold, fail, or are cut by a crash.

use bytes::Bytes;
use klamm_core::effect::{
    Completion, Effect, Entry, EntryKind, FileRef, IoError, IoErrorKind, Operation,
    OperationResult, Path, Space,
};
use klamm_core::ids::{EffectId, FileId};

use super::file::Snapshot;
use super::tree::{NOT_A_DIRECTORY, Node, NodeId, TreeError};
use super::{Disk, Progress, Violation, extension};
use crate::decisions::{Decisions, Purpose};

/// Room of a disk without a bound.
const UNLIMITED_BYTES: u64 = 1 << 40;

/// An effect that was submitted and has not completed.
#[derive(Clone, Debug)]
pub(super) struct OpenEffect {
    operations: Vec<Operation>,
    /// The members of a sync set have no order, and one that fails does not end it.
    is_set: bool,
    /// A set whose members all begin at once, as on many workers.
    together: bool,
    next: usize,
    started: bool,
    covered: Vec<Option<Cover>>,
    results: Vec<OperationResult>,
    error: Option<IoError>,
    failed_sync: Option<Path>,
}

/// What a sync that has begun covers, or why it covers nothing.
type Cover = Result<Covered, TreeError>;

#[derive(Clone, Debug)]
enum Covered {
    File(NodeId, Snapshot),
    Directory(NodeId, u64),
}

impl OpenEffect {
    pub(super) fn new(effect: Effect, decisions: &mut Decisions) -> Self {
        let (operations, is_set) = match effect {
            Effect::Operations(operations) => (operations, false),
            Effect::Sync(set) => {
                let files = set.files.into_iter().map(Operation::Sync);
                let directories = set.directories.into_iter().map(Operation::SyncDirectory);
                let mut members: Vec<Operation> = files.chain(directories).collect();
                shuffle(&mut members, decisions);
                (members, true)
            }
        };
        Self {
            covered: operations.iter().map(|_| None).collect(),
            operations,
            is_set,
            together: is_set && decisions.below(Purpose::DiskOrder, 2) == 1,
            next: 0,
            started: false,
            results: Vec::new(),
            error: None,
            failed_sync: None,
        }
    }

    /// One of its operations has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Where a sync has failed.
    pub(super) fn failed_sync(&self) -> Option<&Path> {
        self.failed_sync.as_ref()
    }

    pub(super) fn into_completion(self) -> Completion {
        let done = if self.is_set { Vec::new() } else { self.results };
        match self.error {
            None => Completion::Done(done),
            Some(error) => Completion::Failed { done, error },
        }
    }

    fn is_over(&self) -> bool {
        self.next == self.operations.len() || (self.error.is_some() && !self.is_set)
    }

    fn left(&self) -> &[Operation] {
        if self.is_over() { &[] } else { &self.operations[self.next..] }
    }

    /// Bytes that it may still write: path, first byte, behind the last byte.
    pub(super) fn writes_left(&self, disk: &Disk) -> Vec<(Path, u64, u64)> {
        let of_write = |operation: &Operation| match operation {
            Operation::Write { file, position, data } => {
                Some((disk.path_of(file), *position, position + length_of(data)))
            }
            _ => None,
        };
        self.left().iter().filter_map(of_write).collect()
    }

    /// Whether it may change a segment, or whose a directory is.
    pub(super) fn changes_logs(&self) -> bool {
        self.left().iter().any(changes_logs)
    }

    /// Paths that it may still sync.
    pub(super) fn synced_paths(&self, disk: &Disk) -> Vec<Path> {
        self.left().iter().filter_map(|operation| disk.synced_path(operation)).collect()
    }

    /// A path that this effect renames or unlinks and `other` uses, or a file that it closes and
    /// `other` uses by the same id. Who only reads a file may do so while it, or a directory above it, gets
    /// another name: what is open stays open. A file must be known by the reader's id before that, or be opened
    /// under it by this effect; what is not is not found.
    pub(super) fn meets(&self, other: &Self, disk: &Disk) -> Option<Path> {
        let ends = |left: &Operation| {
            matches!(left, Operation::Rename { .. } | Operation::Unlink(_) | Operation::Close(_))
        };
        if !self.left().iter().any(ends) {
            return None;
        }
        let is_read =
            |left: &&Operation| matches!(left, Operation::Open(_) | Operation::Read { .. });
        // Whoever finds no index, or another, reads the log.
        let is_index = |file: &FileRef| matches!(extension(&file.path), "index" | "timeindex");
        let follows = |file: &FileRef| {
            is_index(file)
                || disk.bound.contains_key(&file.id)
                || self
                    .left()
                    .iter()
                    .any(|it| matches!(it, Operation::Open(own) if own.id == file.id))
        };
        let used = other.left().iter().filter_map(|left| Some((is_read(&left), used_file(left)?)));
        let used: Vec<(Path, bool)> =
            used.map(|(reads, file)| (disk.path_of(file), reads && follows(file))).collect();
        let changed = other.left().iter().filter(|left| !is_read(left));
        let changed = changed.filter_map(used_file);
        let changed: Vec<Path> = changed.map(|file| disk.path_of(file)).collect();
        let ids: Vec<FileId> =
            other.left().iter().filter_map(used_file).map(|file| file.id).collect();
        self.left().iter().find_map(|operation| match operation {
            Operation::Rename { from: path, .. } | Operation::Unlink(path) => {
                let is_renamed = matches!(operation, Operation::Rename { .. });
                let is_met = |follows: bool| !(is_renamed && follows);
                let is_used = used.iter().any(|(file, follows)| file == path && is_met(*follows))
                    || changed.iter().any(|file| file.is_within(path));
                is_used.then(|| path.clone())
            }
            Operation::Close(file) => ids.contains(&file.id).then(|| disk.path_of(file)),
            _ => None,
        })
    }
}

/// The file whose content or entry the operation needs as it is.
fn used_file(operation: &Operation) -> Option<&FileRef> {
    match operation {
        Operation::Lock(_) | Operation::Close(_) => None,
        other => other.file(),
    }
}

impl Disk {
    /// The next operation starts: a sync covers what is there now.
    pub fn start(&mut self, id: EffectId) {
        let mut effect = self.open.remove(&id).expect("only a submitted effect starts");
        let members = if effect.together && effect.next == 0 {
            0..effect.operations.len()
        } else {
            effect.next..(effect.next + 1).min(effect.operations.len())
        };
        for member in members {
            if effect.covered[member].is_none() {
                effect.covered[member] = self.cover(&effect.operations[member]);
            }
        }
        effect.started = true;
        self.open.insert(id, effect);
    }

    /// The operation that has started takes hold, or fails. An effect without operations is
    /// finished at once.
    pub fn take_hold(&mut self, id: EffectId, wall_ms: i64, decisions: &mut Decisions) -> Progress {
        let mut effect = self.open.remove(&id).expect("only a submitted effect takes hold");
        if let Some(operation) = effect.operations.get(effect.next).cloned() {
            let covered = effect.covered[effect.next].take();
            self.changes += u64::from(changes_logs(&operation));
            match self.carry_out(&operation, covered, wall_ms, decisions) {
                Ok(result) => effect.results.push(result),
                Err(error) => {
                    if effect.failed_sync.is_none() {
                        effect.failed_sync = self.synced_path(&operation);
                    }
                    effect.error.get_or_insert(error);
                }
            }
            effect.next += 1;
            effect.started = false;
        }
        let progress = if effect.is_over() { Progress::Finished } else { Progress::More };
        if progress == Progress::Finished {
            effect.next = effect.operations.len();
        }
        self.open.insert(id, effect);
        progress
    }

    /// A crash comes: what has started has happened, wholly, in part, or not at all.
    pub(super) fn cut(&mut self, effect: OpenEffect, decisions: &mut Decisions) {
        let Some(operation) = effect.operations.get(effect.next).filter(|_| effect.started) else {
            return;
        };
        let covered = effect.covered.into_iter().nth(effect.next).flatten();
        match operation {
            Operation::Write { file, position, data } => {
                let flat = flat(data);
                let kept = decisions.between(Purpose::Crash, 0, flat.len() as u64) as usize;
                if kept > 0 {
                    let wall_ms = 0;
                    // A write cut by the crash answers nobody.
                    self.write(file, *position, &flat[..kept], wall_ms).ok();
                }
            }
            _ if decisions.below(Purpose::Crash, 2) == 0 => {
                let faults = std::mem::take(&mut self.faults);
                drop(self.carry_out(operation, covered, 0, decisions));
                self.faults = faults;
            }
            _ => {}
        }
    }

    /// What a sync covers that begins now; `None` for other operations.
    fn cover(&mut self, operation: &Operation) -> Option<Cover> {
        match operation {
            Operation::Sync(file) => {
                let bound = self.bind(file);
                Some(bound.and_then(|node| self.cover_node(node)))
            }
            Operation::SyncDirectory(path) => {
                let found = self.tree.resolve(path);
                Some(found.and_then(|node| self.cover_node(node)))
            }
            _ => None,
        }
    }

    fn cover_node(&mut self, node: NodeId) -> Cover {
        if let Some(file) = self.tree.file_mut(node) {
            return Ok(Covered::File(node, file.snapshot()));
        }
        let directory = self.tree.directory(node).ok_or(TreeError::NotFound)?;
        Ok(Covered::Directory(node, directory.snapshot()))
    }

    /// Where a sync makes things durable; `None` for other operations.
    fn synced_path(&self, operation: &Operation) -> Option<Path> {
        match operation {
            Operation::Sync(file) => Some(self.path_of(file)),
            Operation::SyncDirectory(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// An error is about the path that the operation was given, as a driver's is.
    fn carry_out(
        &mut self,
        operation: &Operation,
        covered: Option<Cover>,
        wall_ms: i64,
        decisions: &mut Decisions,
    ) -> Result<OperationResult, IoError> {
        let failure = self.fails(operation, decisions).then_some(decisions);
        self.try_out(operation, covered, wall_ms, failure)
            .map_err(|failed| io_error(failed, operation.path()))
    }

    /// Fails as `failure` decides, when there is one.
    fn try_out(
        &mut self,
        operation: &Operation,
        covered: Option<Cover>,
        wall_ms: i64,
        failure: Option<&mut Decisions>,
    ) -> Result<OperationResult, Failed> {
        match operation {
            Operation::Write { file, position, data } => {
                self.write_or_fail(file, *position, &flat(data), failure, wall_ms)?;
            }
            Operation::Sync(_) | Operation::SyncDirectory(_) => {
                self.end_sync(covered.unwrap_or(Err(TreeError::NotFound)), failure)?;
            }
            _ if failure.is_some() => return Err(SIMULATED),
            Operation::Open(file) => {
                let node = self.bind(file)?;
                let length = self.tree.file(node).map_or(0, super::file::File::length);
                return Ok(OperationResult::Opened(length));
            }
            Operation::Read { file, position, length } => {
                let node = self.bind(file)?;
                let held = self.tree.file(node).ok_or(TreeError::NotFound)?;
                let bytes = Bytes::copy_from_slice(held.read(*position, u64::from(*length)));
                return Ok(OperationResult::Read(bytes));
            }
            Operation::Create(file) => {
                self.created(file, wall_ms)?;
                self.resize(file, 0, wall_ms)?;
            }
            Operation::SetLength { file, length } => self.resize(file, *length, wall_ms)?,
            Operation::Rename { from, to } => self.rename(from, to)?,
            Operation::Unlink(path) => self.unlink(path)?,
            Operation::MakeDirectory(path) => self.tree.make_directory(path)?,
            Operation::RemoveDirectory(path) => self.tree.remove_directory(path)?,
            Operation::List(path) => return Ok(OperationResult::Listed(self.list(path)?)),
            Operation::Space(path) => return Ok(OperationResult::Space(self.space(path)?)),
            Operation::Lock(file) => self.lock(file, wall_ms)?,
            Operation::Close(file) => {
                self.bound.remove(&file.id);
                self.locked.remove(&file.id);
            }
        }
        Ok(OperationResult::Done)
    }

    /// The whole disk is one file system.
    fn space(&self, path: &Path) -> Result<Space, TreeError> {
        self.tree.resolve(path)?;
        let total_bytes = self.faults.capacity.unwrap_or(UNLIMITED_BYTES);
        let usable_bytes = total_bytes.saturating_sub(self.used_bytes());
        Ok(Space { total_bytes, usable_bytes })
    }

    fn write_or_fail(
        &mut self,
        file: &FileRef,
        position: u64,
        data: &[u8],
        failure: Option<&mut Decisions>,
        wall_ms: i64,
    ) -> Result<(), Failed> {
        let path = self.path_of(file);
        if let Some(decisions) = failure {
            let kept = decisions.below(Purpose::DiskFault, data.len() as u64 + 1) as usize;
            self.write(file, position, &data[..kept], wall_ms)?;
            return Err(SIMULATED);
        }
        let room =
            self.faults.capacity.filter(|_| self.faults.cover(&path)).map_or(u64::MAX, |all| {
                let length = self.content(&path).map_or(0, <[u8]>::len) as u64;
                length.saturating_sub(position) + all.saturating_sub(self.used_bytes())
            });
        if data.len() as u64 > room {
            self.write(file, position, &data[..room as usize], wall_ms)?;
            return Err(Failed(IoErrorKind::NoSpace, "no space left on device"));
        }
        self.write(file, position, data, wall_ms)?;
        Ok(())
    }

    fn write(
        &mut self,
        file: &FileRef,
        position: u64,
        data: &[u8],
        wall_ms: i64,
    ) -> Result<(), TreeError> {
        let node = self.created(file, wall_ms)?;
        let held = self.tree.file_mut(node).ok_or(TreeError::NotFound)?;
        held.write(position, data);
        held.modified_ms = wall_ms;
        Ok(())
    }

    fn created(&mut self, file: &FileRef, wall_ms: i64) -> Result<NodeId, TreeError> {
        match self.bind(file) {
            Err(TreeError::NotFound) if !self.bound.contains_key(&file.id) => {}
            bound => return bound,
        }
        let node = self.tree.make_file(&file.path)?;
        if let Some(held) = self.tree.file_mut(node) {
            held.modified_ms = wall_ms;
        }
        self.bind(file)
    }

    fn resize(&mut self, file: &FileRef, length: u64, wall_ms: i64) -> Result<(), TreeError> {
        let node = self.bind(file)?;
        let path = self.path_of(file);
        let held = self.tree.file_mut(node).ok_or(TreeError::NotFound)?;
        let before = held.length();
        held.set_length(length);
        held.modified_ms = wall_ms;
        if self.live && length < before && is_log(&path) {
            self.violations.push(Violation::LiveLogTruncated { path, from: before, to: length });
        }
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), TreeError> {
        self.tree.rename(from, to)?;
        for bound in self.bound.values_mut().filter(|bound| bound.path.is_within(from)) {
            let rest = &bound.path.as_str()[from.as_str().trim_end_matches('/').len()..];
            bound.path = Path::new(&format!("{}{rest}", to.as_str().trim_end_matches('/')));
        }
        Ok(())
    }

    fn unlink(&mut self, path: &Path) -> Result<(), TreeError> {
        let pinned =
            |(id, bound): (_, &super::Bound)| bound.path == *path && self.pins.contains_key(id);
        if self.bound.iter().any(pinned) {
            self.violations.push(Violation::PinnedUnlinked { path: path.clone() });
        }
        self.tree.unlink(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<Entry>, TreeError> {
        let node = self.tree.resolve(path)?;
        let directory = self.tree.directory(node).ok_or(NOT_A_DIRECTORY)?;
        let entry = |(name, node): (&String, &NodeId)| match self.tree.node(*node) {
            Some(Node::File(file)) => Entry {
                name: name.clone(),
                kind: EntryKind::File,
                length: file.length(),
                modified_ms: file.modified_ms,
            },
            Some(Node::Directory(_)) => {
                Entry { name: name.clone(), kind: EntryKind::Directory, length: 0, modified_ms: 0 }
            }
            None => Entry { name: name.clone(), kind: EntryKind::Other, length: 0, modified_ms: 0 },
        };
        Ok(directory.entries.iter().map(entry).collect())
    }

    /// A lock is on the file, whatever it is called, and nobody has it twice.
    fn lock(&mut self, file: &FileRef, wall_ms: i64) -> Result<(), Failed> {
        let there = self.tree.find(&self.path_of(file));
        if there.is_some_and(|there| self.locked.values().any(|locked| *locked == there)) {
            return Err(Failed(IoErrorKind::Locked, "locked by another process"));
        }
        let node = self.created(file, wall_ms)?;
        self.locked.insert(file.id, node);
        Ok(())
    }

    fn end_sync(&mut self, covered: Cover, failure: Option<&mut Decisions>) -> Result<(), Failed> {
        let fails = failure.is_some();
        match covered? {
            Covered::File(node, snapshot) => {
                let file = self.tree.file_mut(node).ok_or(TreeError::NotFound)?;
                match failure {
                    Some(decisions) => file.sync_failed(snapshot, decisions),
                    None => file.synced(snapshot),
                }
            }
            Covered::Directory(node, changes) => {
                let directory = self.tree.directory_mut(node).ok_or(TreeError::NotFound)?;
                match failure {
                    Some(decisions) => directory.sync_failed(changes, decisions),
                    None => directory.synced(changes),
                }
            }
        }
        if fails { Err(SIMULATED) } else { Ok(()) }
    }
}

/// Why an operation has failed: the kind, and the system's words.
struct Failed(IoErrorKind, &'static str);

/// Nothing but a fault that was drawn.
const SIMULATED: Failed = Failed(IoErrorKind::Other, "input/output error (simulated)");

impl From<TreeError> for Failed {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::NotFound => Self(IoErrorKind::NotFound, "no such file or directory"),
            TreeError::Wrong(message) => Self(IoErrorKind::Other, message),
        }
    }
}

fn io_error(Failed(kind, message): Failed, path: &Path) -> IoError {
    IoError::new(path, kind, message)
}

/// A log's segment, by its name.
fn is_log(path: &Path) -> bool {
    path.name().rsplit_once('.').is_some_and(|(_, extension)| extension == "log")
}

/// Whether it may change a segment, or whose a directory is.
fn changes_logs(operation: &Operation) -> bool {
    match operation {
        Operation::Open(_)
        | Operation::Read { .. }
        | Operation::Sync(_)
        | Operation::SyncDirectory(_)
        | Operation::List(_)
        | Operation::Space(_)
        | Operation::Lock(_)
        | Operation::Close(_) => false,
        Operation::Rename { from, to } => !is_beside_logs(from) || !is_beside_logs(to),
        other => !is_beside_logs(other.path()),
    }
}

/// What can be made again from logs, and checkpoints: by their names. And the metadata log, which
/// nothing is held against here.
fn is_beside_logs(path: &Path) -> bool {
    const KINDS: [&str; 4] = ["index", "timeindex", "txnindex", "snapshot"];
    KINDS.contains(&extension(path))
        || path.name().contains("-checkpoint")
        || path.as_str().contains("/__cluster_metadata-0/")
}

fn length_of(data: &[Bytes]) -> u64 {
    data.iter().map(|piece| piece.len() as u64).sum()
}

fn flat(data: &[Bytes]) -> Vec<u8> {
    data.concat()
}

fn shuffle(items: &mut [Operation], decisions: &mut Decisions) {
    for last in (1..items.len()).rev() {
        items.swap(last, decisions.between(Purpose::DiskOrder, 0, last as u64) as usize);
    }
}
