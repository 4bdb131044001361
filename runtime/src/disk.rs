//! Effects carried out: operations in their order, up to the first failure.

use std::fs::File;
use std::sync::Arc;
use std::{iter, mem};

use bytes::Bytes;
use klamm_core::effect::{
    Completion, Effect, FileRef, IoError, Operation, OperationResult, SyncSet,
};
use klamm_core::ids::EffectId;

use crate::recorder::Recorder;
use crate::sync::assert_machine_unlocked;

/// What carries out file operations: [`Files`](crate::Files), or a test's own.
pub trait Disk: Send + Sync {
    /// Carries out one operation, on this thread, to its end.
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError>;

    /// The open file, to send ranges of.
    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError>;
}

/// A disk, and who watches it.
#[derive(Clone)]
pub(crate) struct WatchedDisk {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
}

impl WatchedDisk {
    /// Carries the whole effect out on this thread.
    pub(crate) fn carry_out(&self, id: EffectId, effect: Effect) -> Completion {
        match effect {
            Effect::Operations(operations) => self.carry_out_in_order(id, &operations),
            Effect::Sync(set) => match self.carry_out_in_order(id, &sync_operations(set)) {
                Completion::Done(_) => Completion::Done(Vec::new()),
                Completion::Failed { error, .. } => Completion::Failed { done: Vec::new(), error },
            },
        }
    }

    /// Carries the effects out on this thread, one after another. Writes that stand behind each other here and in
    /// their file are one call, whose failure is that of each.
    pub(crate) fn carry_out_all(
        &self,
        effects: Vec<(EffectId, Effect)>,
        mut complete: impl FnMut(EffectId, Completion),
    ) {
        let mut run = Vec::new();
        for (id, effect) in effects {
            match lone_write(effect) {
                Ok(write) => {
                    if !run.last().is_some_and(|(_, last)| goes_on_with(last, &write)) {
                        self.write_run(mem::take(&mut run), &mut complete);
                    }
                    run.push((id, write));
                }
                Err(effect) => {
                    self.write_run(mem::take(&mut run), &mut complete);
                    complete(id, self.carry_out(id, effect));
                }
            }
        }
        self.write_run(run, &mut complete);
    }

    fn write_run(
        &self,
        run: Vec<(EffectId, Operation)>,
        complete: &mut impl FnMut(EffectId, Completion),
    ) {
        let result = match &run[..] {
            [] => return,
            [(id, write)] => self.perform(*id, write),
            _ => self.perform_whole(run.iter().map(|(id, write)| (*id, write)), &joined(&run)),
        };
        for (id, _) in run {
            let completion = match &result {
                Ok(_) => Completion::Done(vec![OperationResult::Done]),
                Err(error) => Completion::Failed { done: Vec::new(), error: error.clone() },
            };
            complete(id, completion);
        }
    }

    /// Carries out one operation of an effect.
    pub(crate) fn perform(
        &self,
        id: EffectId,
        operation: &Operation,
    ) -> Result<OperationResult, IoError> {
        self.perform_whole(iter::once((id, operation)), operation)
    }

    /// Carries out one operation that stands for these parts. Who watches hears of each of them, as if it
    /// had been alone.
    fn perform_whole<'a>(
        &self,
        parts: impl Iterator<Item = (EffectId, &'a Operation)> + Clone,
        whole: &Operation,
    ) -> Result<OperationResult, IoError> {
        assert_machine_unlocked();
        let Some(recorder) = &self.recorder else { return self.disk.perform(whole) };
        parts.clone().for_each(|(id, part)| recorder.operation_started(id, part));
        let result = self.disk.perform(whole);
        parts.for_each(|(id, part)| recorder.operation_ended(id, part, &result));
        result
    }

    fn carry_out_in_order(&self, id: EffectId, operations: &[Operation]) -> Completion {
        let mut done = Vec::with_capacity(operations.len());
        for operation in operations {
            match self.perform(id, operation) {
                Ok(result) => done.push(result),
                Err(error) => return Completion::Failed { done, error },
            }
        }
        Completion::Done(done)
    }
}

/// The write that is all of the effect.
fn lone_write(effect: Effect) -> Result<Operation, Effect> {
    match effect {
        Effect::Operations(mut operations)
            if matches!(operations[..], [Operation::Write { .. }]) =>
        {
            Ok(operations.remove(0))
        }
        effect => Err(effect),
    }
}

/// True when `next` writes to the same file where `write` ends.
fn goes_on_with(write: &Operation, next: &Operation) -> bool {
    match (write, next) {
        (
            Operation::Write { file, position, data },
            Operation::Write { file: next_file, position: next_position, .. },
        ) => {
            let bytes: usize = data.iter().map(Bytes::len).sum();
            file.id == next_file.id && position + bytes as u64 == *next_position
        }
        _ => false,
    }
}

/// The writes as one; their first tells where it begins.
fn joined(run: &[(EffectId, Operation)]) -> Operation {
    let mut writes = run.iter().map(|(_, write)| write.clone());
    let mut whole = writes.next().expect("a run is not empty");
    if let Operation::Write { data, .. } = &mut whole {
        for write in writes {
            if let Operation::Write { data: more, .. } = write {
                data.extend(more);
            }
        }
    }
    whole
}

/// The set as operations, in any order.
pub(crate) fn sync_operations(set: SyncSet) -> Vec<Operation> {
    let files = set.files.into_iter().map(Operation::Sync);
    files.chain(set.directories.into_iter().map(Operation::SyncDirectory)).collect()
}

#[cfg(test)]
mod tests;
