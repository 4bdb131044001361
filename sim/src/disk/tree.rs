//! Directories: entries as processes see them, and as a power loss leaves them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use klamm_core::effect::Path;

use super::file::File;
use crate::decisions::{Decisions, Purpose};

/// A file or directory, whatever it is called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(u64);

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

/// A directory's entries, and the changes to them that no sync has covered.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) entries: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
    pending: VecDeque<(u64, Change)>,
    changes: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, NodeId),
    Unlink(String, NodeId),
    /// To a new name; the old one follows from the node.
    Rename(String, NodeId),
}

impl Change {
    fn name(&self) -> &str {
        match self {
            Self::Link(name, _) | Self::Unlink(name, _) | Self::Rename(name, _) => name,
        }
    }

    fn node(&self) -> &NodeId {
        match self {
            Self::Link(_, node) | Self::Unlink(_, node) | Self::Rename(_, node) => node,
        }
    }

    fn apply(&self, entries: &mut BTreeMap<String, NodeId>) {
        match self {
            Self::Link(name, node) => {
                entries.insert(name.clone(), *node);
            }
            Self::Unlink(name, node) => {
                if entries.get(name) == Some(node) {
                    entries.remove(name);
                }
            }
            Self::Rename(to, node) => {
                entries.retain(|_, other| other != node);
                entries.insert(to.clone(), *node);
            }
        }
    }
}

impl Directory {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.entries);
        self.pending.push_back((self.changes, change));
        self.changes += 1;
    }

    /// A sync begins: it covers the changes counted so far.
    pub(super) fn snapshot(&self) -> u64 {
        self.changes
    }

    pub(super) fn synced(&mut self, covered: u64) {
        self.settle(covered, || true);
        debug_assert!(
            !self.pending.is_empty() || self.durable == self.entries,
            "without a change that waits what is there is durable"
        );
    }

    /// Each covered change is durable, or waits for another sync: a file system keeps what it could
    /// not write of its own structures, unlike what it could not write of a file's content. No change
    /// overtakes one of the same name or file.
    pub(super) fn sync_failed(&mut self, covered: u64, decisions: &mut Decisions) {
        let (mut names, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        for (number, change) in std::mem::take(&mut self.pending) {
            let overtakes = names.contains(change.name()) || nodes.contains(change.node());
            let may_be_durable = number < covered && !overtakes;
            if may_be_durable && decisions.below(Purpose::DiskFault, 2) == 0 {
                change.apply(&mut self.durable);
            } else {
                names.insert(change.name().to_owned());
                nodes.insert(*change.node());
                self.pending.push_back((number, change));
            }
        }
    }

    fn settle(&mut self, covered: u64, mut reaches_disk: impl FnMut() -> bool) {
        while self.pending.front().is_some_and(|(number, _)| *number < covered) {
            let Some((_, change)) = self.pending.pop_front() else { return };
            if reaches_disk() {
                change.apply(&mut self.durable);
            }
        }
    }

    fn power_lost(&mut self, decisions: &mut Decisions) {
        let changes = self.changes;
        self.settle(changes, || decisions.below(Purpose::Crash, 2) == 0);
        self.entries = self.durable.clone();
    }
}

/// All files and directories, from `/` on.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u64,
}

const ROOT: NodeId = NodeId(0);

impl Default for Tree {
    fn default() -> Self {
        let root = Node::Directory(Directory::default());
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: 1 }
    }
}

/// Why a path could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeError {
    NotFound,
    Wrong(&'static str),
}

/// A file stands where a directory should.
pub(super) const NOT_A_DIRECTORY: TreeError = TreeError::Wrong("not a directory");

/// And the other way round.
pub(super) const IS_A_DIRECTORY: TreeError = TreeError::Wrong("is a directory");

const NOT_EMPTY: TreeError = TreeError::Wrong("directory not empty");

impl Tree {
    /// What is at `path`. A file that stands where a directory should is another error than nothing
    /// at all.
    pub(super) fn resolve(&self, path: &Path) -> Result<NodeId, TreeError> {
        let mut node = ROOT;
        for part in parts(path) {
            let directory = self.directory(node).ok_or(NOT_A_DIRECTORY)?;
            node = *directory.entries.get(part).ok_or(TreeError::NotFound)?;
        }
        Ok(node)
    }

    pub(super) fn find(&self, path: &Path) -> Option<NodeId> {
        self.resolve(path).ok()
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(super) fn file(&self, id: NodeId) -> Option<&File> {
        match self.nodes.get(&id) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn file_mut(&mut self, id: NodeId) -> Option<&mut File> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn directory(&self, id: NodeId) -> Option<&Directory> {
        match self.nodes.get(&id) {
            Some(Node::Directory(directory)) => Some(directory),
            _ => None,
        }
    }

    pub(super) fn directory_mut(&mut self, id: NodeId) -> Option<&mut Directory> {
        match self.nodes.get_mut(&id) {
            Some(Node::Directory(directory)) => Some(directory),
            _ => None,
        }
    }

    /// Finds or makes the file at `path`; its directory must be there.
    pub(super) fn make_file(&mut self, path: &Path) -> Result<NodeId, TreeError> {
        match self.resolve(path) {
            Ok(id) if self.file(id).is_some() => Ok(id),
            Ok(_) => Err(IS_A_DIRECTORY),
            Err(TreeError::NotFound) => self.link(path, Node::File(File::default())),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory and its parents.
    pub(super) fn make_directory(&mut self, path: &Path) -> Result<(), TreeError> {
        let mut reached = Path::new("/");
        for part in parts(path) {
            reached = reached.join(part);
            match self.find(&reached).and_then(|id| self.nodes.get(&id)) {
                Some(Node::Directory(_)) => {}
                Some(Node::File(_)) => return Err(NOT_A_DIRECTORY),
                None => {
                    self.link(&reached, Node::Directory(Directory::default()))?;
                }
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, node: Node) -> Result<NodeId, TreeError> {
        let id = NodeId(self.next);
        self.parent(path)?.change(Change::Link(path.name().to_owned(), id));
        self.next += 1;
        self.nodes.insert(id, node);
        Ok(id)
    }

    /// Removes a file.
    pub(super) fn unlink(&mut self, path: &Path) -> Result<(), TreeError> {
        let id = self.resolve(path)?;
        self.file(id).ok_or(IS_A_DIRECTORY)?;
        self.parent(path)?.change(Change::Unlink(path.name().to_owned(), id));
        Ok(())
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&mut self, path: &Path) -> Result<(), TreeError> {
        let id = self.resolve(path)?;
        if !self.directory(id).ok_or(NOT_A_DIRECTORY)?.entries.is_empty() {
            return Err(NOT_EMPTY);
        }
        self.parent(path)?.change(Change::Unlink(path.name().to_owned(), id));
        Ok(())
    }

    /// Renames a file over another one or over nothing, a directory over an empty one or nothing.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), TreeError> {
        self.parent(from)?;
        self.parent(to)?;
        let id = self.resolve(from)?;
        if from == to {
            return Ok(());
        }
        if to.is_within(from) {
            return Err(TreeError::Wrong("into itself"));
        }
        if let Some(target) = self.find(to) {
            let (directory, taken) = (self.directory(id), self.directory(target));
            if taken.is_some_and(|taken| !taken.entries.is_empty()) {
                return Err(NOT_EMPTY);
            }
            if directory.is_some() != taken.is_some() {
                return Err(TreeError::Wrong("not of one kind"));
            }
        }
        if from.parent() == to.parent() {
            self.parent(from)?.change(Change::Rename(to.name().to_owned(), id));
            return Ok(());
        }
        self.parent(to)?.change(Change::Link(to.name().to_owned(), id));
        self.parent(from)?.change(Change::Unlink(from.name().to_owned(), id));
        Ok(())
    }

    fn parent(&mut self, path: &Path) -> Result<&mut Directory, TreeError> {
        let id = self.resolve(&path.parent())?;
        self.directory_mut(id).ok_or(NOT_A_DIRECTORY)
    }

    /// Every file that can be reached, with its path, in order.
    pub(super) fn files(&self) -> Vec<(Path, &File)> {
        let mut found = Vec::new();
        let mut open = vec![(Path::new("/"), ROOT)];
        while let Some((path, id)) = open.pop() {
            match self.nodes.get(&id) {
                Some(Node::File(file)) => found.push((path, file)),
                Some(Node::Directory(directory)) => {
                    open.extend(directory.entries.iter().map(|(name, id)| (path.join(name), *id)));
                }
                None => {}
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }

    /// The length of all files that can be reached.
    pub(super) fn used_bytes(&self) -> u64 {
        let mut used = 0;
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            match self.nodes.get(&id) {
                Some(Node::File(file)) => used += file.length(),
                Some(Node::Directory(directory)) => open.extend(directory.entries.values()),
                None => {}
            }
        }
        used
    }

    /// Makes everything durable.
    pub(super) fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => file.settle(),
                Node::Directory(directory) => directory.synced(u64::MAX),
            }
        }
    }

    pub(super) fn killed(&mut self) {
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.killed();
            }
        }
        self.forget_unreachable();
    }

    pub(super) fn power_lost(&mut self, decisions: &mut Decisions) {
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => file.power_lost(decisions),
                Node::Directory(directory) => directory.power_lost(decisions),
            }
        }
        self.forget_unreachable();
    }

    fn forget_unreachable(&mut self) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let Some(directory) = self.directory(id) else { continue };
            // What only the durable entries or a change name may still come back.
            let named = directory.entries.values().chain(directory.durable.values());
            let changed = directory.pending.iter().map(|(_, change)| change.node());
            open.extend(named.chain(changed).filter(|id| reached.insert(**id)));
        }
        self.nodes.retain(|id, _| reached.contains(id));
    }
}

fn parts(path: &Path) -> impl Iterator<Item = &str> {
    path.as_str().split('/').filter(|part| !part.is_empty() && *part != ".")
}
