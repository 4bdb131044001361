//! The group coordinator: groups, their members, and the offsets that they commit.
//!
//! A group lives in one partition of `__consumer_offsets`, and that partition's [`Shard`] is all that is known of it. A
//! shard is made by replaying the partition's log, and moves with each record that it appends there. Every
//! answer of a shard, reads too, leaves when all that the shard had appended by then has reached the
//! broker's level: nothing is told that could go back.

mod answers;
mod classic;
mod commit;
mod context;
mod find;
mod home;
mod host;
mod load;
mod membership;
mod offset_requests;
mod offsets;
mod several;
mod shard;
mod sweep;
mod timers;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::image::Image;
use super::{Broker, Phase};
use crate::batch::CheckedBatch;
use crate::config::Limits;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, LogId, RequestNumber, Uuid};
use crate::time::Instant;
use answers::OpenAnswers;
use context::{Asker, Context, Outbox};
pub(super) use load::ShardLoad;
pub(crate) use shard::Shard;
use sweep::Sweeps;

/// Where groups and their offsets are kept.
pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The coordinator of the groups that live here.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The topic's id, and up to which metadata record its partitions have been looked at.
    topic_id: Option<Uuid>,
    seen_offset: Option<i64>,
    shards: BTreeMap<i32, Slot>,
    /// Shards by their next deadline: every turn of the broker asks for the first.
    due: BTreeSet<(Instant, i32)>,
    open: OpenAnswers,
    sweeps: Sweeps,
}

/// A partition of `__consumer_offsets` whose log is here.
#[derive(Debug)]
struct Slot {
    log: LogId,
    leader_epoch: i32,
    state: SlotState,
    /// As it stands in [`Groups::due`].
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum SlotState {
    /// Its log is being replayed.
    Loading,
    /// It serves. `None` only while one of its own calls runs.
    Serving(Option<Box<Shard>>),
    /// Its log could not be replayed.
    Failed,
}

impl Groups {
    /// When a shard has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// True while there is work for a turn of its own.
    pub(super) fn has_more(&self) -> bool {
        self.sweeps.has_more()
    }

    /// Answers that wait.
    pub(super) fn waiting(&self) -> usize {
        self.open.count()
    }

    /// The next deadline of a shard may have moved.
    fn note_deadline(&mut self, index: i32, deadline: Option<Instant>) {
        let Some(slot) = self.shards.get_mut(&index) else { return };
        let before = core::mem::replace(&mut slot.deadline, deadline);
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.due.remove(&(at, index));
        }
        self.due.extend(deadline.map(|at| (at, index)));
    }

    fn insert(&mut self, index: i32, log: LogId, leader_epoch: i32, state: SlotState) {
        let slot = Slot { log, leader_epoch, state, deadline: None };
        let before = self.shards.insert(index, slot);
        debug_assert!(before.is_none(), "a partition has one shard");
    }

    fn remove(&mut self, index: i32) -> Option<Slot> {
        self.note_deadline(index, None);
        self.shards.remove(&index)
    }
}

impl Broker {
    /// The shard that a group lives in.
    fn shard_of(&self, group_id: &str) -> Result<i32, ErrorCode> {
        let topic = self.image.topics.get(OFFSETS_TOPIC).ok_or(ErrorCode::NOT_COORDINATOR)?;
        Ok(home::partition_for(group_id, topic.partitions.len() as i32))
    }

    fn check_shard(&self, index: i32) -> Result<(), ErrorCode> {
        match self.groups.shards.get(&index).map(|slot| &slot.state) {
            Some(SlotState::Serving(_)) => Ok(()),
            Some(SlotState::Loading) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Some(SlotState::Failed) | None => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Lets the shard of a group do something, and does what follows from it. What `call` gives has not been told to
    /// anybody yet: answer with [`answer_from`](Self::answer_from).
    fn with_group<R>(
        &mut self,
        group_id: &str,
        call: impl FnOnce(&mut Shard, &mut Context<'_>) -> R,
    ) -> Result<(i32, R), ErrorCode> {
        let index = self.shard_of(group_id)?;
        Ok((index, self.with_shard(index, call)?))
    }

    fn with_shard<R>(
        &mut self,
        index: i32,
        call: impl FnOnce(&mut Shard, &mut Context<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        self.check_shard(index)?;
        let Some(Slot { log, state: SlotState::Serving(shard), .. }) =
            self.groups.shards.get_mut(&index)
        else {
            return Err(ErrorCode::NOT_COORDINATOR);
        };
        let live = self.logs.get(log).ok_or(ErrorCode::NOT_COORDINATOR)?;
        let mut shard = shard.take().expect("one call of a shard at a time");
        let mut out = Outbox { next_offset: live.log.accepted_end(), ..Outbox::default() };
        let batch_bytes_max = batch_bytes_max(&self.image, &self.config.limits);
        let mut context = Context {
            now: self.now,
            config: &self.config.groups,
            batch_bytes_max,
            rng: &mut self.rng,
            out: &mut out,
        };
        let result = call(&mut shard, &mut context);
        let slot = self.groups.shards.get_mut(&index).expect("nobody took it away");
        let deadline = shard.deadline();
        slot.state = SlotState::Serving(Some(shard));
        self.groups.note_deadline(index, deadline);
        self.append_batches(index, out.batches(self.now.wall_ms, batch_bytes_max));
        for (asker, body) in out.answers {
            self.answer_from(index, asker, body);
        }
        Ok(result)
    }

    /// Appends what a shard has decided.
    fn append_batches(&mut self, index: i32, batches: Vec<CheckedBatch>) {
        let Some(slot) = self.groups.shards.get(&index) else { return };
        let (log_id, epoch) = (slot.log, slot.leader_epoch);
        for batch in batches {
            let Some(live) = self.logs.get_mut(&log_id) else { return };
            let mut effects = core::mem::take(&mut self.log_effects);
            live.log.append(batch, epoch, self.now, &mut self.numbering, &mut effects);
            self.emit_log_effects(log_id, effects);
        }
    }

    /// Does what has become due in the shards: a bounded part of it.
    pub(super) fn run_groups(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let mut left = self.config.limits.waits_per_turn_max;
        while left > 0
            && let Some(&(at, index)) = self.groups.due.first()
            && at <= self.now.mono
        {
            left -= 1;
            // A shard with a deadline serves: the call is taken, and the deadline moves.
            if self.with_shard(index, Shard::handle_timeout).is_err() {
                self.groups.note_deadline(index, None);
            }
        }
        self.sweep_groups();
    }

    /// Nobody waits for these answers any more. Members stay until their sessions end, as in Kafka.
    pub(super) fn forget_group_answers(&mut self, connection: ConnectionId) {
        self.groups.open.forget(connection);
    }

    /// A stop: whoever waits for other members is told to look for its coordinator again.
    pub(super) fn end_group_waits(&mut self) {
        let indexes: Vec<i32> = self.groups.shards.keys().copied().collect();
        for index in indexes {
            // One that does not serve has nobody who waits.
            let _ended = self.with_shard(index, Shard::unload);
        }
        self.groups.sweeps = Sweeps::default();
    }

    /// The logs of a failed directory are gone, and with them what was known of their groups.
    pub(super) fn drop_lost_shards(&mut self) {
        let lost: Vec<i32> = self
            .groups
            .shards
            .iter()
            .filter(|(_, slot)| !self.logs.contains_key(&slot.log))
            .map(|(index, _)| *index)
            .collect();
        for index in lost {
            let Some(slot) = self.groups.remove(index) else { continue };
            let SlotState::Serving(Some(mut shard)) = slot.state else { continue };
            let mut out = Outbox::default();
            shard.unload(&mut Context {
                now: self.now,
                config: &self.config.groups,
                batch_bytes_max: 0,
                rng: &mut self.rng,
                out: &mut out,
            });
            for (asker, body) in out.answers {
                self.answer_group(asker, body);
            }
        }
    }
}

/// What a batch of the topic may have: no more than can be loaded again.
fn batch_bytes_max(image: &Image, limits: &Limits) -> usize {
    let topic = image.topics.get(OFFSETS_TOPIC);
    let bytes = topic.map_or(0, |it| it.config.message_bytes_max.min(it.config.segment_bytes));
    (bytes as usize).min(limits.stored_batch_bytes_max())
}

/// Who asked.
fn asker(connection: ConnectionId, number: RequestNumber) -> Asker {
    Asker { connection, number }
}
