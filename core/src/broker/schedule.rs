//! Periodic work of the broker, each kind at its own interval.

use alloc::collections::BTreeSet;

use super::offset_checkpoints::OffsetsKind;
use super::{Broker, Phase};
use crate::config::limits::METADATA_CLEAN_INTERVAL_MS;
use crate::config::{GroupConfig, TaskConfig};
use crate::ids::LogId;
use crate::time::{Instant, Millis};

/// What is done from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Retain,
    Flush,
    RecoveryPoints,
    HighWatermarks,
    LogStarts,
    ExpireProducers,
    CleanMetadata,
    ExpireOffsets,
}

/// What is due when.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    due: BTreeSet<(Instant, Task)>,
    /// A look at all logs is under way, and goes on with this one.
    retained: Option<LogId>,
    /// The same for their producers.
    expired: Option<LogId>,
}

impl Schedule {
    /// From when the broker serves.
    pub(super) fn new(tasks: &TaskConfig, groups: &GroupConfig, now: Instant) -> Self {
        let first = now + Millis(tasks.initial_delay_ms);
        let expiry = now + Millis(tasks.producer_id_expiration_check_interval_ms);
        let mut due = BTreeSet::from([
            (first, Task::Retain),
            (first, Task::RecoveryPoints),
            (first, Task::LogStarts),
            (now + Millis(tasks.high_watermark_interval_ms), Task::HighWatermarks),
            (expiry, Task::ExpireProducers),
            (now + Millis(METADATA_CLEAN_INTERVAL_MS), Task::CleanMetadata),
            (now + Millis(groups.offsets_check_interval_ms), Task::ExpireOffsets),
        ]);
        due.extend(tasks.flush_scheduler_interval_ms.map(|_| (first, Task::Flush)));
        Self { due, retained: None, expired: None }
    }

    /// When the next one is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// True when there is work for a turn of its own.
    pub(super) fn has_more(&self) -> bool {
        self.retained.is_some() || self.expired.is_some()
    }
}

impl Broker {
    /// Does what is due, and a bounded part of what takes long.
    pub(super) fn run_tasks(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        while let Some(&(at, task)) = self.schedule.due.first()
            && at <= self.now.mono
        {
            self.schedule.due.pop_first();
            let interval_ms = self.interval_ms(task);
            if interval_ms > 0 {
                self.schedule.due.insert((self.now.mono + Millis(interval_ms), task));
            }
            match task {
                Task::Retain => self.schedule.retained = Some(LogId(0)),
                Task::Flush => self.flush_old(),
                Task::RecoveryPoints => self.write_offset_checkpoints(OffsetsKind::RecoveryPoints),
                Task::HighWatermarks => self.write_offset_checkpoints(OffsetsKind::HighWatermarks),
                Task::LogStarts => self.write_offset_checkpoints(OffsetsKind::LogStarts),
                Task::ExpireProducers => self.schedule.expired = Some(LogId(0)),
                Task::CleanMetadata => self.clean_metadata(),
                Task::ExpireOffsets => self.expire_offsets(),
            }
        }
        if let Some(next) = self.schedule.retained.take() {
            self.schedule.retained = self.retain(next);
        }
        if let Some(next) = self.schedule.expired.take() {
            self.schedule.expired = self.expire_producers(next);
        }
        self.unlink_due();
        self.remove_left_directories();
    }

    fn interval_ms(&self, task: Task) -> u64 {
        let tasks = &self.config.tasks;
        match task {
            Task::Retain => tasks.retention_check_interval_ms,
            Task::Flush => tasks.flush_scheduler_interval_ms.unwrap_or(0),
            Task::RecoveryPoints => tasks.recovery_point_interval_ms,
            Task::HighWatermarks => tasks.high_watermark_interval_ms,
            Task::LogStarts => tasks.log_start_interval_ms,
            Task::ExpireProducers => tasks.producer_id_expiration_check_interval_ms,
            Task::CleanMetadata => METADATA_CLEAN_INTERVAL_MS,
            Task::ExpireOffsets => self.config.groups.offsets_check_interval_ms,
        }
    }
}
