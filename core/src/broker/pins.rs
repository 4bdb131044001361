//! Pins: a file whose range is on its way to a peer is not unlinked.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::effect::Effect;
use crate::ids::{ConnectionId, DirectoryIndex, FileId, LogId};

/// Who still reads which file.
#[derive(Debug, Default)]
pub struct Pins {
    connections: BTreeMap<ConnectionId, VecDeque<(u64, FileId)>>,
    files: BTreeMap<FileId, u64>,
    held: BTreeMap<FileId, Freed>,
}

/// A file, and what has to wait until nobody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Which.
    pub file: FileId,
    /// The log that it was, or is, part of.
    pub log: LogId,
    /// The log directory that it lies in.
    pub directory: DirectoryIndex,
    /// Takes it away.
    pub effect: Effect,
}

impl Pins {
    /// The response `number` of `connection` carries a range of `file`.
    pub fn pin(&mut self, connection: ConnectionId, number: u64, file: FileId) {
        self.connections.entry(connection).or_default().push_back((number, file));
        *self.files.entry(file).or_insert(0) += 1;
    }

    /// `connection` has sent its first `transmitted` responses entirely; gives the effects that had
    /// to wait for that.
    #[must_use]
    pub fn release(&mut self, connection: ConnectionId, transmitted: u64) -> Vec<Freed> {
        let Some(pins) = self.connections.get_mut(&connection) else { return Vec::new() };
        let sent = pins.iter().take_while(|(number, _)| *number < transmitted).count();
        let files: Vec<FileId> = pins.drain(..sent).map(|(_, file)| file).collect();
        if pins.is_empty() {
            self.connections.remove(&connection);
        }
        self.unpin(files)
    }

    /// `connection` is gone; gives the effects that had to wait for that.
    #[must_use]
    pub fn release_all(&mut self, connection: ConnectionId) -> Vec<Freed> {
        let pins = self.connections.remove(&connection).unwrap_or_default();
        self.unpin(pins.into_iter().map(|(_, file)| file).collect())
    }

    /// Gives `retired`, whose effect takes the file away, back when nobody reads it, else keeps it until
    /// the last pin ends.
    #[must_use]
    pub fn retire(&mut self, retired: Freed) -> Option<Freed> {
        if !self.is_pinned(retired.file) {
            return Some(retired);
        }
        self.held.insert(retired.file, retired);
        None
    }

    /// Forgets what waits for pins of this log's files: they go with its directory.
    pub(super) fn drop_held(&mut self, log: LogId) {
        self.held.retain(|_, held| held.log != log);
    }

    /// Somebody reads the file.
    pub(super) fn is_pinned(&self, file: FileId) -> bool {
        self.files.contains_key(&file)
    }

    /// Files that somebody reads.
    pub(super) fn file_count(&self) -> usize {
        self.files.len()
    }

    fn unpin(&mut self, files: Vec<FileId>) -> Vec<Freed> {
        let mut freed = Vec::new();
        for file in files {
            let Some(count) = self.files.get_mut(&file) else { continue };
            *count -= 1;
            if *count == 0 {
                self.files.remove(&file);
                freed.extend(self.held.remove(&file));
            }
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{Freed, Pins};
    use crate::effect::{Effect, Operation, Path};
    use crate::ids::{ConnectionId, DirectoryIndex, FileId, JobId, LogId};

    const FILE: FileId = FileId { owner: JobId::BROKER, number: 3 };

    fn unlink() -> Effect {
        Effect::Operations(vec![Operation::Unlink(Path::new("d/t-0/0.log"))])
    }

    fn freed() -> Freed {
        Freed { file: FILE, log: LogId(7), directory: DirectoryIndex(0), effect: unlink() }
    }

    #[test]
    fn unlink_waits_for_the_last_pin() {
        let mut pins = Pins::default();
        pins.pin(ConnectionId(1), 4, FILE);
        pins.pin(ConnectionId(2), 0, FILE);
        assert_eq!(pins.retire(freed()), None);
        assert_eq!(pins.release(ConnectionId(1), 4), vec![]);
        assert_eq!(pins.release(ConnectionId(1), 5), vec![]);
        assert_eq!(pins.release_all(ConnectionId(2)), vec![freed()]);
        assert_eq!(pins.release_all(ConnectionId(2)), vec![]);
    }

    #[test]
    fn an_unpinned_file_is_unlinked_at_once() {
        let mut pins = Pins::default();
        assert_eq!(pins.retire(freed()), Some(freed()));
        pins.pin(ConnectionId(1), 0, FILE);
        assert_eq!(pins.release(ConnectionId(1), 1), vec![]);
        assert_eq!(pins.retire(freed()), Some(freed()));
    }
}
