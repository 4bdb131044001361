//! File operations on the real file system.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use klamm_core::effect::{
    Entry, EntryKind, FileRef, IoError, IoErrorKind, Operation, OperationResult, Path, Space,
};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::disk::Disk;
use crate::handles::{Handles, OpenMode, path_of};

/// The real file system. Shared by all threads of a node; calls on one file may run together.
#[derive(Debug)]
pub struct Files {
    handles: Handles,
}

impl Files {
    /// Keeps at most about `open_max` files open; those with unsynced writes stay open beyond it.
    pub fn new(open_max: usize) -> Self {
        Self { handles: Handles::new(open_max) }
    }
}

impl Disk for Files {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        self.try_perform(operation).map_err(|error| io_error(operation.path(), &error))
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        self.handles.reading(file).map_err(|error| io_error(&file.path, &error))
    }
}

impl Files {
    fn try_perform(&self, operation: &Operation) -> io::Result<OperationResult> {
        match operation {
            Operation::Open(file) => {
                let length = self.handles.reading(file)?.metadata()?.len();
                return Ok(OperationResult::Opened(length));
            }
            Operation::Create(file) => {
                self.handles.writing(file, OpenMode::Truncated)?;
            }
            Operation::Write { file, position, data } => {
                write_all(&*self.handles.writing(file, OpenMode::OrCreate)?, *position, data)?;
            }
            Operation::Read { file, position, length } => {
                let handle = self.handles.reading(file)?;
                return Ok(OperationResult::Read(read_up_to(
                    &handle,
                    *position,
                    *length as usize,
                )?));
            }
            Operation::SetLength { file, length } => {
                self.handles.resizing(file)?.set_len(*length)?;
            }
            Operation::Sync(file) => self.sync(file)?,
            Operation::SyncDirectory(path) => File::open(path_of(path))?.sync_all()?,
            Operation::Rename { from, to } => self.handles.rename(from, to)?,
            Operation::Unlink(path) => self.handles.unlink(path)?,
            Operation::MakeDirectory(path) => fs::create_dir_all(path_of(path))?,
            Operation::RemoveDirectory(path) => fs::remove_dir(path_of(path))?,
            Operation::List(path) => return Ok(OperationResult::Listed(list(path)?)),
            Operation::Space(path) => return Ok(OperationResult::Space(space(path)?)),
            Operation::Lock(file) => self.handles.lock_file(file)?,
            Operation::Close(file) => self.handles.close(file),
        }
        Ok(OperationResult::Done)
    }

    fn sync(&self, file: &FileRef) -> io::Result<()> {
        let (handle, mark) = self.handles.syncing(file)?;
        if mark.resized {
            handle.sync_all()?;
        } else {
            // A data sync covers a length that grew by writing.
            handle.sync_data()?;
        }
        self.handles.synced(file, &mark);
        Ok(())
    }
}

/// Reads up to `length` bytes; fewer at the file's end.
pub(crate) fn read_up_to(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    let mut out = Vec::with_capacity(length);
    while out.len() < length {
        let at = position + out.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut out), at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    out.truncate(length);
    Ok(out.into())
}

/// Writes all pieces one after another; a short write goes on where it stopped.
fn write_all(file: &File, mut position: u64, data: &[Bytes]) -> io::Result<()> {
    for pieces in data.chunks(PIECES_MAX) {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        // Drops empty pieces at the front: a call that has nothing to write would write 0 bytes.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match rustix::io::pwritev(file, left, position) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// IOV_MAX of every system that matters.
const PIECES_MAX: usize = 1024;

/// As `df` counts it: blocks kept for the superuser are not usable.
fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(path_of(path))?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { total_bytes: bytes(found.f_blocks), usable_bytes: bytes(found.f_bavail) })
}

fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in fs::read_dir(path_of(path))? {
        let found = found?;
        // A link counts as what it leads to; one that leads nowhere counts as itself.
        let metadata = match fs::metadata(found.path()).or_else(|_| found.metadata()) {
            // Gone since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let kind = match metadata.file_type() {
            kind if kind.is_file() => EntryKind::File,
            kind if kind.is_dir() => EntryKind::Directory,
            _ => EntryKind::Other,
        };
        entries.push(Entry {
            name: found.file_name().to_string_lossy().into_owned(),
            kind,
            length: if kind == EntryKind::File { metadata.len() } else { 0 },
            modified_ms: modified_ms(&metadata),
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn modified_ms(metadata: &fs::Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

/// What the operating system said, in the core's terms.
pub(crate) fn io_error(path: &Path, error: &io::Error) -> IoError {
    let kind = match error.kind() {
        ErrorKind::NotFound => IoErrorKind::NotFound,
        ErrorKind::WouldBlock => IoErrorKind::Locked,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => IoErrorKind::NoSpace,
        _ => IoErrorKind::Other,
    };
    IoError::new(path, kind, &error.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
