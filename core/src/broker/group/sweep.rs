//! Walks over all groups, a bounded part of them in one turn: offsets that have lived too long, and those of
//! topics that are deleted, now or while nobody served the groups.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use super::offsets::OffsetName;
use crate::ids::Uuid;

/// Names of topics that are deleted, and their ids.
type DeletedTopics = Vec<(Arc<str>, Uuid)>;

/// Walks that wait, and the one under way.
#[derive(Debug, Default)]
pub(super) struct Sweeps {
    running: Option<Sweep>,
    waiting: VecDeque<Aim>,
}

/// What a walk takes away.
#[derive(Debug)]
enum Aim {
    /// What has lived too long.
    Expired,
    /// What was committed of these.
    Deleted(DeletedTopics),
    /// What was committed, in this shard, of topics that are not there: they were deleted before it was loaded.
    Absent(i32),
}

#[derive(Debug)]
struct Sweep {
    aim: Aim,
    /// The shard that is looked at.
    index: i32,
    /// The last group of it that was looked at, if any, and up to where while that goes on.
    group: Option<Arc<str>>,
    offset: Option<OffsetName>,
}

impl Sweep {
    /// From this shard on.
    fn begin(aim: Aim, index: i32) -> Self {
        Self { aim, index, group: None, offset: None }
    }
}

impl Sweeps {
    pub(super) fn has_more(&self) -> bool {
        self.running.is_some() || !self.waiting.is_empty()
    }

    pub(super) fn forget_topic(&mut self, name: &Arc<str>, id: Uuid) {
        // Those that are deleted together are forgotten in one walk.
        if let Some(Aim::Deleted(topics)) = self.waiting.back_mut() {
            topics.push((Arc::clone(name), id));
        } else {
            self.waiting.push_back(Aim::Deleted(vec![(Arc::clone(name), id)]));
        }
    }

    fn expire(&mut self) {
        if !self.waiting.iter().any(|aim| matches!(aim, Aim::Expired)) {
            self.waiting.push_back(Aim::Expired);
        }
    }

    /// A shard was loaded.
    pub(super) fn forget_absent(&mut self, index: i32) {
        self.waiting.push_back(Aim::Absent(index));
    }

    fn take(&mut self) -> Option<Sweep> {
        let begin = |aim| {
            let index = if let Aim::Absent(index) = aim { index } else { i32::MIN };
            Sweep::begin(aim, index)
        };
        self.running.take().or_else(|| self.waiting.pop_front().map(begin))
    }
}

impl Broker {
    /// `offsets.retention.check.interval.ms` has passed.
    pub(in crate::broker) fn expire_offsets(&mut self) {
        self.groups.sweeps.expire();
    }

    /// Goes on with the walk under way, or begins the next.
    pub(super) fn sweep_groups(&mut self) {
        let Some(mut sweep) = self.groups.sweeps.take() else { return };
        let mut left = self.config.limits.waits_per_turn_max;
        while left > 0 {
            let Some(index) = self.groups.shards.range(sweep.index..).next().map(|it| *it.0) else {
                return;
            };
            let is_of_one = matches!(sweep.aim, Aim::Absent(_));
            if index != sweep.index {
                if is_of_one {
                    return;
                }
                sweep = Sweep::begin(sweep.aim, index);
            }
            match self.sweep_group(&mut sweep, left) {
                Some(offsets) => left = left.saturating_sub(1 + offsets),
                None if is_of_one || index == i32::MAX => return,
                None => sweep = Sweep::begin(sweep.aim, index + 1),
            }
        }
        self.groups.sweeps.running = Some(sweep);
    }

    /// The next group of the shard, or more of the one before: how many offsets were looked at; `None` behind the last.
    fn sweep_group(&mut self, sweep: &mut Sweep, offsets_max: usize) -> Option<usize> {
        let image = Arc::clone(&self.image);
        let looked = self.with_shard(sweep.index, |shard, context| {
            let group = match (&sweep.offset, &sweep.group) {
                (Some(_), Some(group)) => Arc::clone(group),
                (_, before) => shard.next_group(before.as_ref())?,
            };
            let looked = match &sweep.aim {
                Aim::Expired => {
                    shard.expire_group(context, &group, sweep.offset.as_ref(), offsets_max)
                }
                Aim::Deleted(topics) => shard.forget_topics(context, &group, topics),
                Aim::Absent(_) => {
                    let bounds = (sweep.offset.as_ref(), offsets_max);
                    let id_of = |topic: &str| image.topic_id(topic);
                    shard.forget_absent_topics(context, &group, bounds, id_of)
                }
            };
            (sweep.group, sweep.offset) = (Some(group), looked.up_to);
            Some(looked.offsets)
        });
        // A shard that does not serve is passed over: it is looked at next time, or when it is loaded.
        looked.unwrap_or(None)
    }
}
