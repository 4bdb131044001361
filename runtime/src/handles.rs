//! Open files by id: bound by path at first use, following renames, closed when long unused.
//!
//! A file with writes that no sync has covered is never closed behind the core's back: the error
//! of a later write-back would be reported to nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use klamm_core::effect::{FileRef, Path};
use klamm_core::ids::FileId;

use crate::lock_file::LockFile;

/// What to do when the file is not there, or is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMode {
    /// It must be there.
    Existing,
    /// Made when it is missing.
    OrCreate,
    /// Made when it is missing, cut to nothing when it is not.
    Truncated,
}

/// All files that a node knows. Shared by every thread; its locks are held for look-ups, and the
/// second one around `open` and `rename`, never around data.
#[derive(Debug)]
pub(crate) struct Handles {
    table: Mutex<Table>,
    /// Read while a path is opened, written while one is renamed: a path looked up stays true until
    /// it is open.
    paths: RwLock<()>,
}

#[derive(Debug)]
struct Table {
    files: HashMap<FileId, Bound>,
    by_path: BTreeMap<Path, BTreeSet<FileId>>,
    /// Files that may be closed, least recently used first.
    closable: BTreeMap<u64, FileId>,
    uses: u64,
    open: usize,
    open_max: usize,
}

#[derive(Debug)]
struct Bound {
    path: Path,
    handle: Option<Arc<File>>,
    lock: Option<LockFile>,
    last_use: u64,
    /// Changes begun, and how many of them a sync has covered.
    changes: u64,
    synced: u64,
    /// Its length was set: the next sync flushes all of its metadata.
    resized: bool,
}

/// What a sync has to cover, noted when it began.
#[derive(Debug)]
pub(crate) struct SyncMark {
    changes: u64,
    /// A data sync is not enough.
    pub(crate) resized: bool,
}

impl Handles {
    /// Keeps at most about `open_max` files open.
    pub(crate) fn new(open_max: usize) -> Self {
        let table = Table {
            files: HashMap::new(),
            by_path: BTreeMap::new(),
            closable: BTreeMap::new(),
            uses: 0,
            open: 0,
            open_max: open_max.max(1),
        };
        Self { table: Mutex::new(table), paths: RwLock::new(()) }
    }

    /// The open file, to read from.
    pub(crate) fn reading(&self, file: &FileRef) -> io::Result<Arc<File>> {
        self.open(file, OpenMode::Existing, Use::Read)
    }

    /// The open file, to write to; it counts as unsynced from here on.
    pub(crate) fn writing(&self, file: &FileRef, mode: OpenMode) -> io::Result<Arc<File>> {
        self.open(file, mode, Use::Write)
    }

    /// The same, to set its length.
    pub(crate) fn resizing(&self, file: &FileRef) -> io::Result<Arc<File>> {
        self.open(file, OpenMode::Existing, Use::Resize)
    }

    /// The open file, and what a sync that begins now will cover.
    pub(crate) fn syncing(&self, file: &FileRef) -> io::Result<(Arc<File>, SyncMark)> {
        // The mark comes first: what is written after it is not counted as covered.
        let mark = match self.lock().files.get(&file.id) {
            Some(bound) => SyncMark { changes: bound.changes, resized: bound.resized },
            // Not bound, so nothing is known of what was done to it.
            None => SyncMark { changes: 0, resized: true },
        };
        Ok((self.reading(file)?, mark))
    }

    /// A sync that began at `mark` has succeeded.
    pub(crate) fn synced(&self, file: &FileRef, mark: &SyncMark) {
        let mut table = self.lock();
        if let Some(bound) = table.files.get_mut(&file.id) {
            bound.synced = bound.synced.max(mark.changes);
            bound.resized &= bound.synced < bound.changes;
            table.settle(file.id);
        }
    }

    /// Locks the file until it is closed.
    pub(crate) fn lock_file(&self, file: &FileRef) -> io::Result<()> {
        let _paths = self.paths.read().expect("no thread panics while it renames");
        let bound = self.lock().files.get(&file.id).map(|bound| bound.path.clone());
        let held = LockFile::acquire(&path_of(bound.as_ref().unwrap_or(&file.path)))?;
        self.lock().bind(file).lock = Some(held);
        Ok(())
    }

    /// Renames, and lets the ids that were bound there follow.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _paths = self.paths.write().expect("no thread panics while it renames");
        std::fs::rename(path_of(from), path_of(to))?;
        if from != to {
            let mut table = self.lock();
            table.forget_path(to);
            table.move_paths(from, to);
        }
        Ok(())
    }

    /// Unlinks, and forgets the ids that were bound there.
    pub(crate) fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path_of(path))?;
        self.lock().forget_path(path);
        Ok(())
    }

    /// Closes the file and forgets its id.
    pub(crate) fn close(&self, file: &FileRef) {
        self.lock().forget(file.id);
    }

    #[cfg(test)]
    pub(crate) fn open_count(&self) -> usize {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no thread panics while it holds the table of files")
    }

    fn open(&self, file: &FileRef, mode: OpenMode, intent: Use) -> io::Result<Arc<File>> {
        if mode != OpenMode::Truncated
            && let Some(handle) = self.lock().handle(file, intent)
        {
            return Ok(handle);
        }
        let _paths = self.paths.read().expect("no thread panics while it renames");
        let path = self.lock().bind(file).path.clone();
        let opened = match open_path(&path, mode) {
            Err(error) if is_out_of_descriptors(&error) => {
                self.lock().close_all_closable();
                open_path(&path, mode)
            }
            opened => opened,
        };
        let mut table = self.lock();
        match opened {
            Ok(opened) => table.put(file, Arc::new(opened), mode),
            Err(error) => {
                table.forget_unused(file.id);
                return Err(error);
            }
        }
        let handle = table.handle(file, intent);
        Ok(handle.expect("the handle was put under this lock"))
    }
}

#[derive(Clone, Copy)]
enum Use {
    Read,
    Write,
    Resize,
}

impl Table {
    fn bind(&mut self, file: &FileRef) -> &mut Bound {
        self.files.entry(file.id).or_insert_with(|| {
            self.by_path.entry(file.path.clone()).or_default().insert(file.id);
            Bound {
                path: file.path.clone(),
                handle: None,
                lock: None,
                last_use: 0,
                changes: 0,
                synced: 0,
                resized: false,
            }
        })
    }

    /// The handle when it is open, marked as used.
    fn handle(&mut self, file: &FileRef, intent: Use) -> Option<Arc<File>> {
        let bound = self.files.get_mut(&file.id)?;
        let handle = bound.handle.clone()?;
        match intent {
            Use::Read => {}
            Use::Write => bound.changes += 1,
            Use::Resize => {
                bound.changes += 1;
                bound.resized = true;
            }
        }
        self.closable.remove(&bound.last_use);
        self.uses += 1;
        bound.last_use = self.uses;
        self.settle(file.id);
        Some(handle)
    }

    fn put(&mut self, file: &FileRef, handle: Arc<File>, mode: OpenMode) {
        let bound = self.bind(file);
        bound.resized |= mode == OpenMode::Truncated;
        let last_use = bound.last_use;
        // Two threads may open at once; the first handle stays.
        if bound.handle.is_none() {
            bound.handle = Some(handle);
            self.open += 1;
        }
        // It is about to be used: others are closed for it.
        self.closable.remove(&last_use);
        while self.open > self.open_max
            && let Some((_, id)) = self.closable.pop_first()
        {
            self.drop_handle(id);
        }
    }

    /// Puts the file where it belongs: among those that may be closed, or not.
    fn settle(&mut self, id: FileId) {
        let Some(bound) = self.files.get(&id) else { return };
        if bound.handle.is_some() && bound.synced == bound.changes {
            self.closable.insert(bound.last_use, id);
        } else {
            self.closable.remove(&bound.last_use);
        }
    }

    fn drop_handle(&mut self, id: FileId) {
        if let Some(bound) = self.files.get_mut(&id)
            && bound.handle.take().is_some()
        {
            self.open -= 1;
        }
    }

    fn close_all_closable(&mut self) {
        while let Some((_, id)) = self.closable.pop_first() {
            self.drop_handle(id);
        }
    }

    fn forget(&mut self, id: FileId) {
        let Some(bound) = self.files.remove(&id) else { return };
        self.closable.remove(&bound.last_use);
        self.open -= usize::from(bound.handle.is_some());
        if let Some(ids) = self.by_path.get_mut(&bound.path) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_path.remove(&bound.path);
            }
        }
    }

    /// Forgets an id that was never open: nobody will close it.
    fn forget_unused(&mut self, id: FileId) {
        if self.files.get(&id).is_some_and(|bound| bound.last_use == 0 && bound.lock.is_none()) {
            self.forget(id);
        }
    }

    fn forget_path(&mut self, path: &Path) {
        for id in self.by_path.get(path).cloned().unwrap_or_default() {
            self.forget(id);
        }
    }

    fn move_paths(&mut self, from: &Path, to: &Path) {
        // `a-b` sorts between `a` and `a/b`, so what lies below is a range of its own.
        let below = Path::new(&format!("{from}/"));
        let moved: Vec<Path> = self
            .by_path
            .range(below..)
            .map(|(path, _)| path)
            .take_while(|path| path.is_within(from))
            .chain(self.by_path.get_key_value(from).map(|(path, _)| path))
            .cloned()
            .collect();
        for old in moved {
            let Some(ids) = self.by_path.remove(&old) else { continue };
            let new = Path::new(&format!("{to}{}", &old.as_str()[from.as_str().len()..]));
            for id in &ids {
                if let Some(bound) = self.files.get_mut(id) {
                    bound.path = new.clone();
                }
            }
            self.by_path.entry(new).or_default().extend(ids);
        }
    }
}

/// The path in the form that std takes.
pub(crate) fn path_of(path: &Path) -> std::path::PathBuf {
    std::path::PathBuf::from(path.as_str())
}

fn open_path(path: &Path, mode: OpenMode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.create(mode != OpenMode::Existing).truncate(mode == OpenMode::Truncated);
    match options.open(path_of(path)) {
        // What cannot be written can still be read; a write to it will fail by itself.
        Err(error)
            if mode == OpenMode::Existing
                && matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ) =>
        {
            File::open(path_of(path))
        }
        opened => opened,
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(rustix::io::Errno::MFILE.raw_os_error())
        || code == Some(rustix::io::Errno::NFILE.raw_os_error())
}
