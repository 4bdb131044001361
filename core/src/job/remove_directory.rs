//! Removes a directory and the files in it.

use alloc::vec;
use alloc::vec::Vec;

use super::{JobOutcome, JobResult};
use crate::effect::{
    Completion, Effect, EntryKind, IoError, IoErrorKind, Operation, OperationResult, Path,
};
use crate::ids::{EffectId, JobId, Numbering};

/// Unlinks of one effect: each may take the file system a while.
const UNLINKS_MAX: usize = 16;

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct RemoveDirectory {
    path: Path,
    numbering: Numbering,
    /// Files that are left, once they are known.
    files: Option<Vec<Path>>,
    is_empty: bool,
    out: Option<(EffectId, Effect)>,
    outcome: Option<Result<Path, IoError>>,
}

impl RemoveDirectory {
    pub(super) fn new(id: JobId, path: Path) -> Self {
        let mut numbering = Numbering::new(id);
        let list = Effect::Operations(vec![Operation::List(path.clone())]);
        let out = Some((numbering.effect(), list));
        Self { path, numbering, files: None, is_empty: false, out, outcome: None }
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, result: Completion) {
        match result.into_result() {
            Ok(_) if self.is_empty => self.outcome = Some(Ok(self.path.clone())),
            Ok(mut results) => self.go_on(results.pop()),
            Err(error) => self.outcome = Some(Err(error)),
        }
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        let outcome = JobOutcome::DirectoryRemoved(self.outcome.take()?);
        Some(JobResult { events: Vec::new(), outcome })
    }

    fn go_on(&mut self, result: Option<OperationResult>) {
        if let Some(OperationResult::Listed(entries)) = result {
            if let Some(entry) = entries.iter().find(|entry| entry.kind == EntryKind::Directory) {
                let path = self.path.join(&entry.name);
                let message = "a partition's directory has no directories in it";
                self.outcome = Some(Err(IoError::new(&path, IoErrorKind::Other, message)));
                return;
            }
            let paths = entries.iter().map(|entry| self.path.join(&entry.name));
            self.files = Some(paths.collect());
        }
        let files = self.files.get_or_insert_default();
        let part = files.split_off(files.len().saturating_sub(UNLINKS_MAX));
        let mut operations: Vec<_> = part.into_iter().map(Operation::Unlink).collect();
        if files.is_empty() {
            self.is_empty = true;
            operations.push(Operation::RemoveDirectory(self.path.clone()));
            operations.push(Operation::SyncDirectory(self.path.parent()));
        }
        self.out = Some((self.numbering.effect(), Effect::Operations(operations)));
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use crate::effect::Path;
    use crate::ids::JobId;
    use crate::job::testing::Disk;
    use crate::job::{Job, JobOutcome};

    const DIRECTORY: &str = "/data/t-0.0123456789abcdef0123456789abcdef-delete";

    fn run(disk: &mut Disk) -> bool {
        let result = disk.run(&mut Job::remove_directory(JobId(1), Path::new(DIRECTORY)));
        let JobOutcome::DirectoryRemoved(removed) = result.outcome else { panic!("it removes") };
        removed.is_ok()
    }

    #[test]
    fn directory_goes_with_its_files() {
        for files in [0, 1, 40] {
            let mut disk = Disk::default();
            disk.make_directory(DIRECTORY);
            disk.put("/data/t-0/kept", "x");
            for file in 0..files {
                disk.put(&format!("{DIRECTORY}/{file}"), "x");
            }
            assert!(run(&mut disk));
            assert!(!disk.has_directory(DIRECTORY));
            assert_eq!(disk.files().len(), 1);
        }
    }

    #[test]
    fn directory_in_it_is_left_alone() {
        let mut disk = Disk::default();
        disk.put(&format!("{DIRECTORY}/a"), "x");
        disk.make_directory(&format!("{DIRECTORY}/b"));
        assert!(!run(&mut disk));
        assert_eq!(disk.files().len(), 1);
    }
}
