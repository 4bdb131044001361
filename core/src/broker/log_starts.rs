//! Moves the starts of logs forward: durable first, then to be seen.
//!
//! A start that a client has seen must not go back, so it counts once it stands in
//! `log-start-offset-checkpoint`. One write of that file is out for each log directory; whoever
//! comes meanwhile shares the next.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Broker;
use super::delete_records::RecordsSlot;
use super::offset_checkpoints::OffsetsKind;
use crate::error_code::ErrorCode;
use crate::ids::{DirectoryIndex, LogId};

/// The starts of one log directory's logs that are on their way.
#[derive(Debug, Default)]
pub(super) struct MovingStarts {
    /// For the next write.
    wanted: BTreeMap<LogId, Target>,
    /// In the write that is out.
    out: BTreeMap<LogId, Target>,
    /// Who waits, by the log and the start.
    waiters: Vec<(LogId, i64, RecordsSlot)>,
}

/// Where a log is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// At this offset.
    Offset(i64),
    /// At its end, which is this: even the active segment goes.
    End(i64),
}

impl Target {
    fn start(self) -> i64 {
        let (Self::Offset(start) | Self::End(start)) = self;
        start
    }
}

impl MovingStarts {
    /// Where the log is about to start; `None` when it does not move.
    pub(super) fn of(&self, log: LogId) -> Option<i64> {
        self.wanted.get(&log).or_else(|| self.out.get(&log)).map(|target| target.start())
    }

    /// The write that is about to go out has all of them.
    pub(super) fn take_up(&mut self) {
        debug_assert!(self.out.is_empty(), "one write is out");
        self.out = core::mem::take(&mut self.wanted);
    }

    fn want(&mut self, log: LogId, target: Target) {
        if self.of(log).is_none_or(|on_its_way| on_its_way < target.start()) {
            self.wanted.insert(log, target);
        }
    }
}

impl Broker {
    /// Moves the start of a log to a visible offset. `slot` is answered when it is durable.
    pub(super) fn move_log_start(&mut self, log: LogId, target: Target, slot: Option<RecordsSlot>) {
        let Some(live) = self.logs.get(&log) else { return };
        let index = live.log.log_directory();
        let moving = &mut self.directories[usize::from(index.0)].moving_starts;
        moving.want(log, target);
        moving.waiters.extend(slot.map(|slot| (log, target.start(), slot)));
        self.write_log_starts(index);
    }

    /// Writes the checkpoint if a start is to move and no write is out.
    fn write_log_starts(&mut self, index: DirectoryIndex) {
        if !self.directories[usize::from(index.0)].moving_starts.wanted.is_empty() {
            self.write_offset_checkpoint(index, OffsetsKind::LogStarts);
        }
    }

    /// A write of the checkpoint is durable.
    pub(super) fn handle_log_starts_written(&mut self, index: DirectoryIndex) {
        let moving = &mut self.directories[usize::from(index.0)].moving_starts;
        let moved = core::mem::take(&mut moving.out);
        for (log, target) in moved {
            let Some(live) = self.logs.get_mut(&log) else { continue };
            if !live.log.set_log_start(target.start()) {
                continue;
            }
            self.fetches.log_moved(log);
            if matches!(target, Target::End(_)) {
                let mut effects = core::mem::take(&mut self.log_effects);
                live.log.roll_below_start(self.now, &mut self.numbering, &mut effects);
                self.emit_log_effects(log, effects);
            }
            self.remove_segments(log);
        }
        self.settle_moved_starts(index);
        self.write_log_starts(index);
    }

    /// Answers who waits for a start that is there.
    fn settle_moved_starts(&mut self, index: DirectoryIndex) {
        let waiters =
            core::mem::take(&mut self.directories[usize::from(index.0)].moving_starts.waiters);
        let mut waiting = Vec::new();
        for (log, start, slot) in waiters {
            match self.logs.get(&log).map(|live| live.log.log_start()) {
                Some(now) if now < start => waiting.push((log, start, slot)),
                now => self.settle_delete_records(slot, now.ok_or_else(|| self.log_absence(log))),
            }
        }
        self.directories[usize::from(index.0)].moving_starts.waiters = waiting;
    }

    /// The log is gone: its start moves no more.
    pub(super) fn leave_moving_start(&mut self, index: DirectoryIndex, log: LogId) {
        let moving = &mut self.directories[usize::from(index.0)].moving_starts;
        moving.wanted.remove(&log);
        if moving.waiters.iter().any(|(waited_for, ..)| *waited_for == log) {
            self.settle_moved_starts(index);
        }
    }

    /// The directory is offline: nothing moves any more.
    pub(super) fn fail_moving_starts(&mut self, index: DirectoryIndex) {
        let moving = &mut self.directories[usize::from(index.0)].moving_starts;
        let failed = core::mem::take(moving);
        for (_, _, slot) in failed.waiters {
            self.settle_delete_records(slot, Err(ErrorCode::KAFKA_STORAGE_ERROR));
        }
    }
}
