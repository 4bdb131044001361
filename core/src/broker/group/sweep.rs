//! Walks over all groups, a bounded part of them in one turn: offsets that have lived too long, and those of
//! topics that are deleted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
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
}

#[derive(Debug)]
struct Sweep {
    aim: Aim,
    /// The shard, and the last group of it that was looked at.
    index: i32,
    after: Option<Arc<str>>,
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

    fn take(&mut self) -> Option<Sweep> {
        let begin = |aim| Sweep { aim, index: i32::MIN, after: None };
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
            if index != sweep.index {
                (sweep.index, sweep.after) = (index, None);
            }
            match self.sweep_group(&sweep) {
                Some((group, looked_at)) => {
                    sweep.after = Some(group);
                    left = left.saturating_sub(looked_at);
                }
                None if index == i32::MAX => return,
                None => (sweep.index, sweep.after) = (index + 1, None),
            }
        }
        self.groups.sweeps.running = Some(sweep);
    }

    /// The next group of the shard, and how much of it was looked at; `None` behind the last.
    fn sweep_group(&mut self, sweep: &Sweep) -> Option<(Arc<str>, usize)> {
        let looked = self.with_shard(sweep.index, |shard, context| {
            let group = shard.next_group(sweep.after.as_ref())?;
            let looked_at = match &sweep.aim {
                Aim::Expired => shard.expire_group(context, &group),
                Aim::Deleted(topics) => shard.forget_topics(context, &group, topics),
            };
            Some((group, looked_at))
        });
        // A shard that does not serve is passed over: it is looked at next time.
        looked.unwrap_or(None)
    }
}
