//! What a real driver did, played on the simulated disk.
//!
//! A [`Tracer`] watches a running driver. Afterwards a [`Playback`] carries the same operations out
//! on a [`Disk`], in the order in which they began and ended, and lets the power go at the instant of
//! each answer that promises something. A broker then starts on what is left, and everything that
//! was promised until then must be there ([`Pledges`]). So a driver is caught that answers before
//! its sync, which killing its process cannot show: the page cache survives that.
//!
//! The order is the recorder's: an operation takes hold when its end was told, and a sync covers
//! what had taken hold when its beginning was told. Both err towards losing more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{fs, io};

use klamm_core::config::Config;
use klamm_core::effect::{Completion, Effect, FileRef, IoError, Operation, OperationResult, Path};
use klamm_core::ids::{ConnectionId, EffectId, JobId, RequestNumber};
use klamm_core::request::{Request, Response};
use klamm_runtime::Recorder;

use crate::decisions::Decisions;
use crate::disk::{Crash, Disk, Violation};
use crate::pledges::{Asked, Pledges, Told};
use crate::restart::restart;

/// One thing that a driver did.
#[derive(Clone, Debug)]
pub enum Step {
    /// A file operation is about to be carried out.
    Started(EffectId, Operation),
    /// It has been; false when it failed.
    Ended(EffectId, Operation, bool),
    /// The broker is asked this by a request of this connection.
    Asked(ConnectionId, RequestNumber, Asked),
    /// It has answered; `None` when that promises nothing.
    Answered(ConnectionId, RequestNumber, Option<Told>),
}

/// Writes down what a driver does: give it to the driver as its recorder.
#[derive(Debug, Default)]
pub struct Tracer {
    steps: Mutex<Vec<Step>>,
}

impl Tracer {
    /// Takes everything so far out of it.
    pub fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut self.steps.lock().expect("no thread panics while it records"))
    }

    fn push(&self, step: Step) {
        self.steps.lock().expect("no thread panics while it records").push(step);
    }
}

impl Recorder for Tracer {
    fn asked(&self, connection: ConnectionId, request: &Request) {
        if let Some(asked) = Asked::of(&request.body) {
            self.push(Step::Asked(connection, request.number, asked));
        }
    }

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
        self.push(Step::Answered(connection, response.number, Told::by(&response.body)));
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
    /// A power loss has taken what was promised.
    #[error("power loss at answer {} of connection {}: {what}", request.0, connection.0)]
    Lost {
        /// Whose answer it was.
        connection: ConnectionId,
        /// To which request.
        request: RequestNumber,
        /// What is missed.
        what: String,
    },
}

/// How many answers promise more than was promised before.
pub fn promising(steps: &[Step]) -> u64 {
    let (mut pledges, nowhere) = (Pledges::default(), Disk::new());
    let mut count = 0;
    for step in steps {
        match step {
            Step::Asked(connection, number, asked) => {
                pledges.asked((*connection, *number), asked, &nowhere);
            }
            Step::Answered(connection, number, Some(told)) => {
                count += u64::from(pledges.told((*connection, *number), told));
            }
            _ => {}
        }
    }
    count
}

/// What there was in a trace that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// File operations.
    pub operations: u64,
    /// Answers.
    pub answers: u64,
    /// Those at which the power went.
    pub losses: u64,
}

/// A trace, and the disk that it is played on.
#[derive(Debug)]
pub struct Playback {
    disk: Disk,
    config: Config,
    decisions: Decisions,
    pledges: Pledges,
    /// The power goes at one of so many answers that promise something.
    one_loss_in: u64,
    /// Operations under way, by the driver's effect: each is an effect of its own here.
    under_way: BTreeMap<EffectId, Vec<(Operation, EffectId)>>,
    promises: u64,
    played: Played,
}

/// The wall clock of the starts, in milliseconds since the epoch.
const WALL_MS: i64 = 1_800_000_000_000;

impl Playback {
    /// On `disk`, which is as the driver found its own, for a broker of this configuration.
    pub fn new(disk: Disk, config: Config, seed: u64) -> Self {
        Self {
            disk,
            pledges: Pledges::new(config.log_dirs.clone()),
            config,
            decisions: Decisions::from_seed(seed),
            one_loss_in: 1,
            under_way: BTreeMap::new(),
            promises: 0,
            played: Played::default(),
        }
    }

    /// The power goes at one of `count` answers that promise something ([`promising`]), and not at each.
    pub fn with_one_loss_in(mut self, count: u64) -> Self {
        self.one_loss_in = count.max(1);
        self
    }

    /// Plays it all.
    pub fn play(mut self, steps: &[Step]) -> Result<Played, PlayError> {
        for step in steps {
            match step {
                Step::Started(effect, operation) => self.started(*effect, operation),
                Step::Ended(effect, operation, went_well) => {
                    self.ended(*effect, operation, *went_well)?;
                }
                Step::Asked(connection, number, asked) => {
                    self.pledges.asked((*connection, *number), asked, &self.disk);
                }
                Step::Answered(connection, number, told) => {
                    self.answered((*connection, *number), told.as_ref())?;
                }
            }
            if let Some(violation) = self.disk.take_violations().into_iter().next() {
                return Err(violation.into());
            }
        }
        Ok(self.played)
    }

    /// The members of a sync set run side by side: each operation is an effect here.
    fn started(&mut self, effect: EffectId, operation: &Operation) {
        let alone = EffectId { owner: JobId::BROKER, number: self.played.operations };
        self.played.operations += 1;
        let operations = Effect::Operations(vec![operation.clone()]);
        self.disk.submit(alone, operations, &mut self.decisions);
        self.disk.start(alone);
        self.under_way.entry(effect).or_default().push((operation.clone(), alone));
    }

    fn ended(
        &mut self,
        effect: EffectId,
        operation: &Operation,
        went_well: bool,
    ) -> Result<(), PlayError> {
        let not_started = || PlayError::NotStarted { operation: operation.clone() };
        let started = self.under_way.get_mut(&effect).ok_or_else(not_started)?;
        let at = started.iter().position(|(other, _)| other == operation);
        let (_, alone) = started.swap_remove(at.ok_or_else(not_started)?);
        if started.is_empty() {
            self.under_way.remove(&effect);
        }
        self.disk.take_hold(alone, WALL_MS, &mut self.decisions);
        match self.disk.complete(alone) {
            Completion::Failed { error, .. } if went_well => {
                Err(PlayError::Failed { operation: operation.clone(), error })
            }
            _ => Ok(()),
        }
    }

    fn answered(
        &mut self,
        at: (ConnectionId, RequestNumber),
        told: Option<&Told>,
    ) -> Result<(), PlayError> {
        self.played.answers += 1;
        let promises_more = told.is_some_and(|told| self.pledges.told(at, told));
        self.promises += u64::from(promises_more);
        if !promises_more || !self.promises.is_multiple_of(self.one_loss_in) {
            return Ok(());
        }
        self.played.losses += 1;
        let (connection, request) = at;
        self.lose_power().map_err(|what| PlayError::Lost { connection, request, what })
    }

    /// In a copy of the disk.
    fn lose_power(&mut self) -> Result<(), String> {
        let mut left = self.disk.clone();
        left.crash(Crash::PowerLoss, &mut self.decisions);
        let image = restart(&mut left, &self.config, WALL_MS, &mut self.decisions)?;
        self.pledges.check(&self.disk, &left, &image)
    }
}
