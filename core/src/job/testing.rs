//! A disk in memory and the loop that drives a job on it, for the tests of jobs.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Job, JobResult};
use crate::effect::{
    Completion, Effect, Entry, EntryKind, FileRef, IoError, IoErrorKind, Operation,
    OperationResult, Path, Space,
};
use crate::ids::FileId;

/// Files by path, and what was done to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    directories: BTreeSet<String>,
    open: BTreeMap<FileId, String>,
    /// Every operation that was carried out.
    pub(crate) trace: Vec<Operation>,
    /// The operation, counted from 0 over all effects, that fails; those behind it fail too.
    pub(crate) fail_at: Option<usize>,
}

impl Disk {
    /// Puts a file there, and its directories.
    pub(crate) fn put(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.make_directory(Path::new(path).parent().as_str());
        self.files.insert(path.to_owned(), content.into());
    }

    /// Makes a directory with its parents.
    pub(crate) fn make_directory(&mut self, path: &str) {
        let mut path = Path::new(path);
        while path.as_str() != "/" && path.as_str() != "." {
            self.directories.insert(path.as_str().to_owned());
            path = path.parent();
        }
    }

    /// A file's content.
    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Every file and its content.
    pub(crate) fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The same, to be changed.
    pub(crate) fn files_mut(&mut self) -> &mut BTreeMap<String, Vec<u8>> {
        &mut self.files
    }

    /// True when the directory is there.
    pub(crate) fn has_directory(&self, path: &str) -> bool {
        path == "/" || self.directories.contains(path)
    }

    /// The process has ended: a new one counts its file ids anew.
    pub(crate) fn close_all(&mut self) {
        self.open.clear();
    }

    /// Runs the job to its end.
    pub(crate) fn run(&mut self, job: &mut Job) -> JobResult {
        for _ in 0..1_000_000 {
            if let Some(result) = job.poll_done() {
                assert!(job.poll_effect().is_none(), "a job that is done wants nothing");
                return result;
            }
            let mut effects = Vec::new();
            while let Some(effect) = job.poll_effect() {
                effects.push(effect);
            }
            assert!(!effects.is_empty(), "a job that is not done waits for something");
            for (id, effect) in effects {
                let completion = self.apply(effect);
                job.handle_completion(id, completion);
            }
        }
        panic!("the job does not end");
    }

    /// Carries an effect out.
    pub(crate) fn apply(&mut self, effect: Effect) -> Completion {
        let operations = match effect {
            Effect::Operations(operations) => operations,
            Effect::Sync(_) => return Completion::Done(Vec::new()),
        };
        let mut done = Vec::new();
        for operation in operations {
            let result = if self.fail_at.is_some_and(|at| self.trace.len() >= at) {
                Err(IoError::new(&Path::new("/"), IoErrorKind::Other, "injected"))
            } else {
                self.trace.push(operation.clone());
                self.carry_out(operation)
            };
            match result {
                Ok(result) => done.push(result),
                Err(error) => return Completion::Failed { done, error },
            }
        }
        Completion::Done(done)
    }

    fn carry_out(&mut self, operation: Operation) -> Result<OperationResult, IoError> {
        match operation {
            Operation::Open(file) => {
                let length = self.content(&file)?.len() as u64;
                return Ok(OperationResult::Opened(length));
            }
            Operation::Create(file) => {
                let path = self.bind(&file);
                self.files.insert(path, Vec::new());
            }
            Operation::Lock(file) => {
                let path = self.bind(&file);
                self.files.entry(path).or_default();
            }
            Operation::Write { file, position, data } => {
                let path = self.bind(&file);
                let content = self.files.entry(path).or_default();
                let (start, data) = (position as usize, data.concat());
                content.resize(content.len().max(start + data.len()), 0);
                content[start..start + data.len()].copy_from_slice(&data);
            }
            Operation::Read { file, position, length } => {
                let content = self.content(&file)?;
                let start = (position as usize).min(content.len());
                let end = (start + length as usize).min(content.len());
                return Ok(OperationResult::Read(Bytes::copy_from_slice(&content[start..end])));
            }
            Operation::SetLength { file, length } => {
                self.content(&file)?.resize(length as usize, 0);
            }
            Operation::Sync(file) => {
                self.content(&file)?;
            }
            Operation::Rename { from, to } => self.rename(&from, &to)?,
            Operation::Unlink(path) => {
                self.files.remove(path.as_str()).ok_or_else(|| not_found(&path))?;
            }
            Operation::MakeDirectory(path) => self.make_directory(path.as_str()),
            Operation::RemoveDirectory(path) => {
                self.directories.take(path.as_str()).ok_or_else(|| not_found(&path))?;
            }
            Operation::SyncDirectory(path) => {
                if !self.has_directory(path.as_str()) {
                    return Err(not_found(&path));
                }
            }
            Operation::List(path) => return self.list(&path),
            Operation::Space(path) => {
                if !self.has_directory(path.as_str()) {
                    return Err(not_found(&path));
                }
                let space = Space { total_bytes: 1_000, usable_bytes: 400 };
                return Ok(OperationResult::Space(space));
            }
            Operation::Close(file) => {
                self.open.remove(&file.id).expect("a file that is closed was used");
            }
        }
        Ok(OperationResult::Done)
    }

    fn bind(&mut self, file: &FileRef) -> String {
        self.open.entry(file.id).or_insert_with(|| file.path.as_str().to_owned()).clone()
    }

    fn content(&mut self, file: &FileRef) -> Result<&mut Vec<u8>, IoError> {
        let path = self.open.get(&file.id).cloned().unwrap_or(file.path.as_str().to_owned());
        let content = self.files.get_mut(&path).ok_or_else(|| not_found(&file.path))?;
        self.open.insert(file.id, path);
        Ok(content)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), IoError> {
        if self.directories.contains(from.as_str()) {
            self.rename_directory(from, to);
            return Ok(());
        }
        let content = self.files.remove(from.as_str()).ok_or_else(|| not_found(from))?;
        self.files.insert(to.as_str().to_owned(), content);
        for path in self.open.values_mut().filter(|path| *path == from.as_str()) {
            to.as_str().clone_into(path);
        }
        Ok(())
    }

    fn rename_directory(&mut self, from: &Path, to: &Path) {
        let moved = |at: &str| {
            let is_within = Path::new(at).is_within(from);
            is_within.then(|| alloc::format!("{to}{}", &at[from.as_str().len()..]))
        };
        let paths = self.directories.iter();
        self.directories = paths.map(|at| moved(at).unwrap_or_else(|| at.clone())).collect();
        let files = core::mem::take(&mut self.files).into_iter();
        self.files = files.map(|(at, file)| (moved(&at).unwrap_or(at), file)).collect();
        for path in self.open.values_mut() {
            *path = moved(path).unwrap_or_else(|| path.clone());
        }
    }

    fn list(&self, path: &Path) -> Result<OperationResult, IoError> {
        if !self.has_directory(path.as_str()) {
            return Err(not_found(path));
        }
        let entry = |at: &String, kind, length| {
            let at = Path::new(at);
            let name = at.name().to_owned();
            (at.parent() == *path).then_some(Entry { name, kind, length, modified_ms: 0 })
        };
        let directories =
            self.directories.iter().filter_map(|at| entry(at, EntryKind::Directory, 0));
        let files = self.files.iter();
        let files = files.filter_map(|(at, f)| entry(at, EntryKind::File, f.len() as u64));
        let mut entries: Vec<Entry> = directories.chain(files).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(OperationResult::Listed(entries))
    }
}

fn not_found(path: &Path) -> IoError {
    IoError::new(path, IoErrorKind::NotFound, "no such file or directory")
}
