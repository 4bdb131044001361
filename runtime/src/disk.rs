//! Effects carried out: operations in their order, up to the first failure.

use std::fs::File;
use std::sync::Arc;

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

    /// Carries out one operation of an effect.
    pub(crate) fn perform(
        &self,
        id: EffectId,
        operation: &Operation,
    ) -> Result<OperationResult, IoError> {
        assert_machine_unlocked();
        let Some(recorder) = &self.recorder else { return self.disk.perform(operation) };
        recorder.operation_started(id, operation);
        let result = self.disk.perform(operation);
        recorder.operation_ended(id, operation, &result);
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

/// The set as operations, in any order.
pub(crate) fn sync_operations(set: SyncSet) -> Vec<Operation> {
    let files = set.files.into_iter().map(Operation::Sync);
    files.chain(set.directories.into_iter().map(Operation::SyncDirectory)).collect()
}
