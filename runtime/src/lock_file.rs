//! Lock files: one holder, among processes and within this one.
//!
//! The lock is fcntl's, which is what Java's `FileChannel.tryLock` takes, so Apache Kafka and Klamm
//! refuse each other's directories. Such a lock belongs to the whole process, and the process loses
//! it when *any* of its descriptors of that file is closed: the registry is asked before opening.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// Lock files held by this process, by device and inode.
static HELD: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// A held lock; dropping it lets it go.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: Option<File>,
    identity: (u64, u64),
}

impl LockFile {
    /// Creates the file if it is missing and locks it, or fails at once.
    ///
    /// `ErrorKind::WouldBlock`: someone else holds it.
    pub(crate) fn acquire(path: &Path) -> io::Result<Self> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if identity_of(path)?.is_some_and(|identity| held.contains(&identity)) {
                return Err(in_use());
            }
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::ACCESS | Errno::AGAIN) => return Err(in_use()),
                Err(error) => return Err(error.into()),
            }
            let identity = identity(&file.metadata()?);
            // Whoever ends removes the file: a lock on one that has lost its name keeps nobody out.
            if identity_of(path)? == Some(identity) {
                held.insert(identity);
                return Ok(Self { file: Some(file), identity });
            }
        }
    }
}

/// `None` when nothing has that name.
fn identity_of(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match path.metadata() {
        Ok(found) => Ok(Some(identity(&found))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        // Closed first, inside the registry's lock: a close after the next holder's open would
        // take the lock away from it.
        self.file = None;
        held.remove(&self.identity);
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, "locked by another process or broker")
}

#[cfg(test)]
mod tests {
    use super::LockFile;
    use crate::files::tests::TempDir;
    use std::io::ErrorKind;

    #[test]
    fn second_lock_within_the_process_is_refused_until_the_first_is_dropped() {
        let dir = TempDir::new();
        let path = dir.path().join(".lock");
        let first = LockFile::acquire(&path).unwrap();
        assert_eq!(LockFile::acquire(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(first);
        LockFile::acquire(&path).unwrap();
    }

    #[test]
    fn lock_of_a_removed_file_keeps_the_next_one_waiting_for_nothing() {
        let dir = TempDir::new();
        let path = dir.path().join(".lock");
        let first = LockFile::acquire(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        drop(first);
        let second = LockFile::acquire(&path).unwrap();
        assert_eq!(LockFile::acquire(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(second);
    }
}
