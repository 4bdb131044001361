//! What a real driver did, played on the simulated disk.
//!
//! A [`Tracer`] watches a running driver. Afterwards [`play`] carries the same operations out on a
//! [`Disk`], in the order in which they began and ended, and lets the power go at the instant of
//! each answer. So a driver is caught that answers before its sync, which killing its process
//! cannot show: the page cache survives that.
//!
//! The order is the recorder's: an operation takes hold when its end was told, and a sync covers
//! what had taken hold when its beginning was told. Both err towards losing more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{fs, io};

use klamm_core::effect::{Completion, Effect, FileRef, IoError, Operation, OperationResult, Path};
use klamm_core::ids::{ConnectionId, EffectId, JobId, RequestNumber};
use klamm_core::request::Response;
use klamm_runtime::Recorder;

use crate::decisions::Decisions;
use crate::disk::{Crash, Disk, Violation};

/// One thing that a driver did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file operation is about to be carried out.
    Started(EffectId, Operation),
    /// It has been; false when it failed.
    Ended(EffectId, Operation, bool),
    /// The broker has answered this request of this connection.
    Answered(ConnectionId, RequestNumber),
}

/// Writes down what a driver does: give it to the driver as its recorder.
#[derive(Debug, Default)]
pub struct Tracer {
    steps: Mutex<Vec<Step>>,
}

impl Tracer {
    /// Everything so far.
    pub fn steps(&self) -> Vec<Step> {
        self.steps.lock().expect("no thread panics while it records").clone()
    }

    fn push(&self, step: Step) {
        self.steps.lock().expect("no thread panics while it records").push(step);
    }
}

impl Recorder for Tracer {
    fn operation_started(&self, effect: EffectId, operation: &Operation) {
        self.push(Step::Started(effect, operation.clone()));
    }

    fn operation_ended(
        &self,
        effect: EffectId,
        operation: &Operation,
        result: &Result<OperationResult, IoError>,
    ) {
        self.push(Step::Ended(effect, operation.clone(), result.is_ok()));
    }

    fn answered(&self, connection: ConnectionId, response: &Response) {
        self.push(Step::Answered(connection, response.number));
    }

    // An answer counts from the moment at which the broker gave it: when it leaves is later still.
    fn sending(&self, _: ConnectionId, _: &[u8]) {}

    fn sending_range(&self, _: ConnectionId, _: &FileRef, _: u64, _: u64) {}

    fn sent(&self, _: ConnectionId, _: u64) {}
}

/// Puts a real directory on `disk` as it lies, with those of its files whose names are wanted, at
/// whatever depth.
pub fn put_directory(
    disk: &mut Disk,
    directory: &std::path::Path,
    is_wanted: impl Fn(&str) -> bool + Copy,
) -> io::Result<()> {
    let not_utf8 = || io::Error::new(io::ErrorKind::InvalidData, "a path that is not UTF-8");
    disk.put_directory(&Path::new(directory.to_str().ok_or_else(not_utf8)?));
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            put_directory(disk, &path, is_wanted)?;
        } else if is_wanted(name.to_str().ok_or_else(not_utf8)?) {
            let name = Path::new(path.to_str().ok_or_else(not_utf8)?);
            disk.put(&name, &fs::read(&path)?);
        }
    }
    Ok(())
}

/// How a trace and the simulated disk do not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// An operation ended that had not started.
    #[error("{operation:?} ended and had not started")]
    NotStarted {
        /// Which.
        operation: Operation,
    },
    /// An operation went well for the driver, and not here.
    #[error("{operation:?} went well for the driver and fails here: {error}")]
    Failed {
        /// Which.
        operation: Operation,
        /// As it fails here.
        error: IoError,
    },
    /// The driver broke a rule of the disk.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// What the caller found on the disk after a power loss.
    #[error("power loss at answer {} of connection {}: {what}", request.0, connection.0)]
    Lost {
        /// Whose answer it was.
        connection: ConnectionId,
        /// To which request.
        request: RequestNumber,
        /// In the caller's words.
        what: String,
    },
}

/// Plays `steps` on `disk`, which is as the driver found its own. At each answer the power goes, in
/// a copy; `check` judges what is left there. Gives how many answers there were.
pub fn play(
    steps: &[Step],
    mut disk: Disk,
    seed: u64,
    mut check: impl FnMut(ConnectionId, RequestNumber, &Disk) -> Result<(), String>,
) -> Result<u64, PlayError> {
    let mut decisions = Decisions::from_seed(seed);
    let mut under_way: BTreeMap<EffectId, Vec<(Operation, EffectId)>> = BTreeMap::new();
    let (mut begun, mut answers) = (0, 0);
    for step in steps {
        match step {
            Step::Started(effect, operation) => {
                // The members of a sync set run side by side: each operation is an effect here.
                let alone = EffectId { owner: JobId::BROKER, number: begun };
                begun += 1;
                let operations = Effect::Operations(vec![operation.clone()]);
                disk.submit(alone, operations, &mut decisions);
                disk.start(alone);
                under_way.entry(*effect).or_default().push((operation.clone(), alone));
            }
            Step::Ended(effect, operation, went_well) => {
                let started = under_way.get_mut(effect).and_then(|started| {
                    let at = started.iter().position(|(other, _)| other == operation)?;
                    Some(started.swap_remove(at))
                });
                let not_started = || PlayError::NotStarted { operation: operation.clone() };
                let (_, alone) = started.ok_or_else(not_started)?;
                disk.take_hold(alone, 0, &mut decisions);
                if let (Completion::Failed { error, .. }, true) = (disk.complete(alone), went_well)
                {
                    return Err(PlayError::Failed { operation: operation.clone(), error });
                }
            }
            Step::Answered(connection, request) => {
                answers += 1;
                let mut dark = disk.clone();
                dark.crash(Crash::PowerLoss, &mut decisions);
                check(*connection, *request, &dark).map_err(|what| PlayError::Lost {
                    connection: *connection,
                    request: *request,
                    what,
                })?;
            }
        }
        if let Some(violation) = disk.take_violations().into_iter().next() {
            return Err(violation.into());
        }
    }
    Ok(answers)
}
