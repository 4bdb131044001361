//! A clean stop, by the same effects as everything else.
//!
//! New requests are not taken; what was accepted is written, synced and answered; each directory's
//! synced checkpoint is written last.

use alloc::vec;

use super::{Broker, Exit, Phase, Purpose};
use crate::effect::{Effect, Operation};

/// A stop under way: each stage begins when the effects of the one before are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// What was accepted is written and synced.
    Draining,
    /// The synced checkpoints are written.
    Checkpointing,
    /// The locks are given back.
    Unlocking,
}

impl Broker {
    pub(super) fn begin_shutdown(&mut self) {
        match self.phase {
            Phase::Stopped | Phase::Stopping(_) => {}
            // Nothing was promised yet, and recovery is crash-safe wherever it is cut.
            Phase::Starting(_) => self.stop(Exit::Clean),
            Phase::Running => {
                self.checkpoint_due = None;
                self.phase = Phase::Stopping(Shutdown::Draining);
            }
        }
    }

    /// Takes the next step of a stop when the one before is done.
    pub(super) fn continue_shutdown(&mut self) {
        while let Phase::Stopping(stage) = self.phase {
            if !self.effects.is_empty() || self.waits.has_due() {
                return;
            }
            match stage {
                Shutdown::Draining => {
                    self.phase = Phase::Stopping(Shutdown::Checkpointing);
                    self.write_checkpoints();
                }
                Shutdown::Checkpointing => {
                    self.phase = Phase::Stopping(Shutdown::Unlocking);
                    self.unlock_directories();
                }
                Shutdown::Unlocking => self.stop(Exit::Clean),
            }
        }
    }

    fn unlock_directories(&mut self) {
        for index in 0..self.directories.len() {
            let directory = &self.directories[index];
            if directory.is_online() {
                let unlock = Effect::Operations(vec![Operation::Close(directory.lock.clone())]);
                self.emit(unlock, Purpose::Unlock);
            }
        }
    }
}
