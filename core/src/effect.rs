//! What the core asks of the world's files, and what the world answers.
//!
//! An effect is carried out by the driver, outside every lock, and answered by one [`Completion`].
//! Effects that are out together have no order; a crash may cut each of them between or inside its
//! operations. Where one must follow another, the core emits it after the first one's completion.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::ids::FileId;

/// A path of the driver's file system, `/`-separated; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

impl Path {
    /// Takes the path as it is written.
    pub fn new(path: &str) -> Self {
        Self(Arc::from(path))
    }

    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry `name` inside this directory.
    pub fn join(&self, name: &str) -> Self {
        Self(Arc::from(format!("{}/{name}", self.0.trim_end_matches('/'))))
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory that holds it; `.` for a bare name.
    pub fn parent(&self) -> Self {
        match self.0.rsplit_once('/') {
            Some(("", _)) => Self::new("/"),
            Some((parent, _)) => Self::new(parent),
            None => Self::new("."),
        }
    }

    /// True for the path itself and for everything below it.
    pub fn is_within(&self, directory: &Path) -> bool {
        let root = directory.0.trim_end_matches('/');
        self.0.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file: its id, and the path that it was born with.
///
/// The driver binds the id at first use and follows renames from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Never reused.
    pub id: FileId,
    /// The path at the id's first use.
    pub path: Path,
}

/// A range of a file that leaves for a peer without passing through the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// The file, pinned until the response that carries the range has left.
    pub file: FileRef,
    /// First byte, from the file's start.
    pub position: u64,
    /// Bytes.
    pub length: u64,
}

/// A unit of file work with one completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Carried out in order by one worker, up to the first failure.
    Operations(Vec<Operation>),
    /// The sync of one log directory: a set without order, spread over workers as the driver likes.
    Sync(SyncSet),
}

impl Effect {
    /// True when the effect may take long (it syncs, lists or touches directory entries): it belongs
    /// to a worker. Writes and reads of up to [`QUICK_READ_BYTES_MAX`] are carried out where the turn ended.
    pub fn is_slow(&self) -> bool {
        match self {
            Self::Sync(_) => true,
            Self::Operations(operations) => !operations.iter().all(Operation::is_quick),
        }
    }
}

/// The largest read that a connection's own thread carries out.
pub const QUICK_READ_BYTES_MAX: u32 = 64 * 1024;

/// What one sync of a log directory covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSet {
    /// The log directory: it fails as a whole.
    pub directory: Path,
    /// Files whose completed writes must be durable.
    pub files: Vec<FileRef>,
    /// Directories whose entries must be durable (new files).
    pub directories: Vec<Path>,
}

/// One step of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opens an existing file. [`OperationResult::Opened`].
    Open(FileRef),
    /// Creates the file, or cuts an existing one to nothing.
    Create(FileRef),
    /// Writes all of `data`, one after another, at `position`; creates the file when it is missing,
    /// never cuts it.
    Write {
        /// Where to.
        file: FileRef,
        /// First byte, from the file's start.
        position: u64,
        /// Few pieces, written by one call.
        data: Vec<Bytes>,
    },
    /// Reads up to `length` bytes; fewer at the file's end. [`OperationResult::Read`].
    Read {
        /// Where from.
        file: FileRef,
        /// First byte, from the file's start.
        position: u64,
        /// Most bytes to read.
        length: u32,
    },
    /// Makes the file `length` bytes long. Recovery alone shortens a log.
    SetLength {
        /// Which.
        file: FileRef,
        /// Bytes.
        length: u64,
    },
    /// Makes the file's content and length durable.
    Sync(FileRef),
    /// Makes a directory's entries durable.
    SyncDirectory(Path),
    /// Renames a file or a directory, over an existing file if there is one; ids bound below `from` follow.
    Rename {
        /// Old path.
        from: Path,
        /// New path.
        to: Path,
    },
    /// Removes a file.
    Unlink(Path),
    /// Makes a directory, with its parents; fine when it is there.
    MakeDirectory(Path),
    /// Removes an empty directory.
    RemoveDirectory(Path),
    /// Lists a directory. [`OperationResult::Listed`].
    List(Path),
    /// Asks for the room of the file system that holds the path. [`OperationResult::Space`].
    Space(Path),
    /// Creates the file if missing and locks it against other processes (fcntl, as Java's `tryLock`)
    /// until it is closed. Fails at once with [`IoErrorKind::Locked`].
    Lock(FileRef),
    /// Closes the file and forgets its id.
    Close(FileRef),
}

impl Operation {
    /// The path that a failure of it is about.
    pub fn path(&self) -> &Path {
        match self.subject() {
            Ok(file) => &file.path,
            Err(path) => path,
        }
    }

    /// The file that it names by an id, if it does.
    pub fn file(&self) -> Option<&FileRef> {
        self.subject().ok()
    }

    /// The file with an id, or else the path.
    fn subject(&self) -> Result<&FileRef, &Path> {
        match self {
            Self::Open(file)
            | Self::Create(file)
            | Self::Write { file, .. }
            | Self::Read { file, .. }
            | Self::SetLength { file, .. }
            | Self::Sync(file)
            | Self::Lock(file)
            | Self::Close(file) => Ok(file),
            Self::Rename { from: path, .. }
            | Self::SyncDirectory(path)
            | Self::Unlink(path)
            | Self::MakeDirectory(path)
            | Self::RemoveDirectory(path)
            | Self::List(path)
            | Self::Space(path) => Err(path),
        }
    }

    fn is_quick(&self) -> bool {
        match self {
            Self::Write { .. } => true,
            Self::Read { length, .. } => *length <= QUICK_READ_BYTES_MAX,
            _ => false,
        }
    }
}

/// What one operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// Carried out; nothing to tell.
    Done,
    /// The file is open and this long, in bytes.
    Opened(u64),
    /// What was read; shorter than asked for at the file's end.
    Read(Bytes),
    /// The directory's entries, sorted by name.
    Listed(Vec<Entry>),
    /// The file system's room.
    Space(Space),
}

/// A file system's room, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total_bytes: u64,
    /// Free to this process.
    pub usable_bytes: u64,
}

/// One entry of a listed directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name alone.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes; 0 for what is no file.
    pub length: u64,
    /// Last modification, milliseconds since the Unix epoch.
    pub modified_ms: i64,
}

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// The answer to an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Every operation was carried out; one result each ([`OperationResult::Done`] alone for a sync set: an empty list).
    Done(Vec<OperationResult>),
    /// An operation failed; those before it gave `done`, those behind it were not tried.
    Failed {
        /// Results of the operations before the failed one.
        done: Vec<OperationResult>,
        /// What the failed one said.
        error: IoError,
    },
}

impl Completion {
    /// The results when everything went well, else the error.
    pub fn into_result(self) -> Result<Vec<OperationResult>, IoError> {
        match self {
            Self::Done(results) => Ok(results),
            Self::Failed { error, .. } => Err(error),
        }
    }
}

/// A failed file operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct IoError {
    /// What it was about.
    pub path: Path,
    /// What the core may need to tell apart.
    pub kind: IoErrorKind,
    /// The operating system's words.
    pub message: String,
}

impl IoError {
    /// An error about `path`.
    pub fn new(path: &Path, kind: IoErrorKind, message: &str) -> Self {
        Self { path: path.clone(), kind, message: message.to_owned() }
    }
}

/// Kinds of failed file operations that the core tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoErrorKind {
    /// No such file or directory.
    NotFound,
    /// Another process holds the lock.
    Locked,
    /// The disk is full, or a quota is.
    NoSpace,
    /// Everything else.
    Other,
}
