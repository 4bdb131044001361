//! Produce: appends are accepted here, answered when the broker's level has passed them. What a
//! producer repeats is answered like its original, and waits for the same offset.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Broker, PartitionState, Waiter};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, LogId, RequestNumber};
use crate::log::producers::Verdict;
use crate::request::{
    Acks, AppendOutcome, PartitionAppend, ProduceCommand, Response, ResponseBody,
};
use crate::time::Instant;

/// A produce request that waits, numbered by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProduceId(u64);

/// Produce requests whose answers wait.
#[derive(Debug, Default)]
pub(super) struct Produces {
    open: BTreeMap<ProduceId, OpenProduce>,
    by_connection: BTreeSet<(ConnectionId, ProduceId)>,
    deadlines: BTreeSet<(Instant, ProduceId)>,
    next: u64,
}

impl Produces {
    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }
}

#[derive(Debug)]
struct OpenProduce {
    connection: ConnectionId,
    number: RequestNumber,
    deadline: Instant,
    outcomes: Vec<AppendOutcome>,
    waiting: BTreeSet<usize>,
}

/// The log that a batch is for, and what its append goes by.
struct AppendTarget {
    log: LogId,
    leader_epoch: i32,
    segment_bytes: u32,
}

impl Produces {
    /// The earliest moment at which one of them is answered for its timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn start(&mut self, open: OpenProduce) -> ProduceId {
        let id = ProduceId(self.next);
        self.next += 1;
        self.by_connection.insert((open.connection, id));
        self.deadlines.insert((open.deadline, id));
        self.open.insert(id, open);
        id
    }

    /// One slot's wait has ended; gives the request when it was the last.
    fn settle(&mut self, id: ProduceId, slot: usize, error: ErrorCode) -> Option<OpenProduce> {
        let open = self.open.get_mut(&id)?;
        open.waiting.remove(&slot);
        if error != ErrorCode::NONE {
            open.outcomes[slot] = AppendOutcome::refused(error);
        }
        if open.waiting.is_empty() { self.remove(id) } else { None }
    }

    fn remove(&mut self, id: ProduceId) -> Option<OpenProduce> {
        let open = self.open.remove(&id)?;
        self.by_connection.remove(&(open.connection, id));
        self.deadlines.remove(&(open.deadline, id));
        Some(open)
    }

    /// Nobody waits for these answers any more. The records stay.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        let range = (connection, ProduceId(0))..=(connection, ProduceId(u64::MAX));
        let ids: Vec<ProduceId> = self.by_connection.range(range).map(|(_, id)| *id).collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// One request whose time is up: what still waits is answered REQUEST_TIMED_OUT, with its offset
    /// (`DelayedProduce.onExpiration`).
    fn expire(&mut self, now: Instant) -> Option<OpenProduce> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        let mut open = self.remove(id)?;
        for slot in core::mem::take(&mut open.waiting) {
            open.outcomes[slot].error = ErrorCode::REQUEST_TIMED_OUT;
        }
        Some(open)
    }
}

impl AppendOutcome {
    /// Nothing was appended, and the log was not looked at.
    pub const fn refused(error: ErrorCode) -> Self {
        Self { error, base_offset: -1, log_append_time_ms: -1, log_start_offset: -1 }
    }
}

impl Broker {
    pub(super) fn handle_produce(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        command: ProduceCommand,
    ) {
        let mut open = OpenProduce {
            connection,
            number,
            deadline: self.waits_until(command.timeout_ms),
            outcomes: Vec::with_capacity(command.partitions.len()),
            waiting: BTreeSet::new(),
        };
        let mut waits: Vec<(LogId, i64, usize)> = Vec::new();
        for (slot, append) in command.partitions.into_iter().enumerate() {
            let (outcome, wait) = self.append_produced(append);
            open.outcomes.push(outcome);
            if let Some((log, last_offset)) = wait
                && command.acks != Acks::None
            {
                open.waiting.insert(slot);
                waits.push((log, last_offset, slot));
            }
        }
        if open.waiting.is_empty() {
            self.answer_produce(open);
            return;
        }
        let id = self.produces.start(open);
        for (log, last_offset, slot) in waits {
            self.waits.add(log, self.level, last_offset, Waiter::Produce(id, slot));
        }
    }

    /// Accepts one batch, or finds that it was accepted before; gives the log and the offset to wait
    /// for.
    fn append_produced(
        &mut self,
        append: PartitionAppend,
    ) -> (AppendOutcome, Option<(LogId, i64)>) {
        let target = match self.append_target(&append) {
            Ok(target) => target,
            Err(error) => return (AppendOutcome::refused(error), None),
        };
        let log_id = target.log;
        let live = self.logs.get_mut(&log_id).expect("an online partition has its log");
        let log_start_offset = live.log.log_start();
        let in_log = |error| AppendOutcome { log_start_offset, ..AppendOutcome::refused(error) };
        let Some(batch) = append.batch else { return (in_log(ErrorCode::NONE), None) };
        if batch.info().size > target.segment_bytes {
            return (AppendOutcome::refused(ErrorCode::RECORD_LIST_TOO_LARGE), None);
        }
        let accepted = |base_offset, log_append_time_ms| AppendOutcome {
            base_offset,
            log_append_time_ms,
            ..in_log(ErrorCode::NONE)
        };
        match live.log.producers().check(batch.info()) {
            Verdict::Accept => {}
            Verdict::Refused(error) => return (in_log(error), None),
            Verdict::Duplicate { base_offset, last_offset, timestamp_ms } => {
                let is_safe = last_offset < live.log.end(self.level);
                let wait = (!is_safe).then_some((log_id, last_offset));
                return (accepted(base_offset, timestamp_ms), wait);
            }
        }
        let log_append_time_ms = batch.info().log_append_time_ms;
        let mut effects = core::mem::take(&mut self.log_effects);
        let epoch = target.leader_epoch;
        let appended = live.log.append(batch, epoch, self.now, &mut self.numbering, &mut effects);
        self.emit_log_effects(log_id, effects);
        let wait = Some((log_id, appended.last_offset));
        (accepted(appended.base_offset, log_append_time_ms), wait)
    }

    fn append_target(&self, append: &PartitionAppend) -> Result<AppendTarget, ErrorCode> {
        let topic = self.image.topics_by_id.get(&append.topic_id);
        let found = topic.and_then(|topic| Some((topic, topic.partitions.get(&append.partition)?)));
        let (topic, partition) = found.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let log = match self.partitions.get(&(append.topic_id, append.partition)) {
            Some(PartitionState::Online(log)) => *log,
            Some(PartitionState::Offline) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
            None => return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        };
        let leader_epoch = partition.leader_epoch;
        Ok(AppendTarget { log, leader_epoch, segment_bytes: topic.config.segment_bytes })
    }

    pub(super) fn settle_produce(&mut self, id: ProduceId, slot: usize, error: ErrorCode) {
        if let Some(open) = self.produces.settle(id, slot, error) {
            self.answer_produce(open);
        }
    }

    pub(super) fn expire_produces(&mut self, now: Instant) {
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some(open) = self.produces.expire(now) else { return };
            self.answer_produce(open);
        }
    }

    fn answer_produce(&mut self, open: OpenProduce) {
        let body = ResponseBody::Produce(open.outcomes);
        self.respond(open.connection, Response { number: open.number, body });
    }
}
