//! Which log is compacted next (`LogCleanerManager.grabFilthiestCompactedLog`).

use core::cmp::Ordering;

use super::Broker;
use crate::broker::LiveLog;
use crate::broker::offset_checkpoints::OffsetsKind;
use crate::ids::LogId;
use crate::log::{Cleanable, CompactionLags};
use crate::time::Millis;

/// A look over all logs, some in each turn.
#[derive(Debug)]
pub(super) struct Search {
    /// The one to go on with.
    next: LogId,
    /// The one with the largest share of what is new so far.
    best: Option<(LogId, Cleanable)>,
}

impl Broker {
    /// Looks at a bounded number of logs, and begins with the best when all have been looked at.
    pub(super) fn search_compaction(&mut self) {
        let now = self.now.mono;
        let is_due = self.compactions.due.is_some_and(|due| due <= now);
        if self.compactions.search.is_none() && is_due {
            self.compactions.due = None;
            self.compactions.search = Some(Search { next: LogId(0), best: None });
        }
        let Some(mut search) = self.compactions.search.take() else { return };
        let cleaner = self.image.cleaner(&self.config.cleaner);
        let backoff = now + Millis(cleaner.backoff_ms.max(1));
        let is_busy = self.compactions.running.len() >= cleaner.threads;
        if !cleaner.is_enabled || is_busy {
            // The end of one that runs makes it due.
            self.compactions.due = Some(backoff);
            return;
        }
        for _ in 0..self.config.limits.logs_per_turn_max {
            let Some((&id, _)) = self.logs.range(search.next..).next() else {
                let best = search.best;
                let begins = best.is_some_and(|(id, what)| self.begin_compaction(id, &what));
                self.compactions.due = Some(if begins { now } else { backoff });
                return;
            };
            search.next = LogId(id.0 + 1);
            if let Some(cleanable) = self.look_at_log(id)
                && search.best.is_none_or(|(_, best)| by_share(&cleanable, &best).is_gt())
            {
                search.best = Some((id, cleanable));
            }
        }
        self.compactions.search = Some(search);
    }

    /// What of a log is to be compacted, if it is worth it.
    fn look_at_log(&mut self, id: LogId) -> Option<Cleanable> {
        let LiveLog { log, topic_id, partition, .. } = self.logs.get(&id)?;
        let config = &self.image.topics_by_id.get(topic_id)?.config;
        let compactions = &self.compactions;
        let is_free = !compactions.is_running(id) && !compactions.refused.contains(&id);
        if !config.compacted || !is_free || self.metadata_log() == Some(id) {
            return None;
        }
        let index = log.log_directory();
        // Above the checkpointed end a start takes a gap for what a power loss has left.
        let directory = self.directory(index);
        let checkpointed = directory.checkpointed.as_ref().filter(|_| !directory.checkpoint_runs);
        let bound = checkpointed?.get(*topic_id, *partition)?.min(log.last_stable(self.level));
        let lags = CompactionLags {
            min_ms: config.compaction_lag_ms_min,
            max_ms: config.compaction_lag_ms_max,
        };
        let known = compactions.cleaned(id);
        let cleanable = log.cleanable(known, bound, lags, self.now.wall_ms)?;
        let total = cleanable.clean_bytes + cleanable.dirty_bytes;
        let is_overdue = cleanable.is_overdue && cleanable.dirty_bytes > 0;
        let is_dirty = u128::from(cleanable.dirty_bytes) * 1_000_000
            > u128::from(total) * u128::from(config.dirty_ppm_min);
        if known.is_some_and(|known| known != cleanable.first_dirty) {
            self.compactions.set_cleaned(id, cleanable.first_dirty);
            self.write_offset_checkpoint(index, OffsetsKind::Cleaned);
        }
        let is_worth_it = (is_overdue || is_dirty) && !self.deletions.has_replaced(id);
        is_worth_it.then_some(cleanable)
    }
}

fn by_share(one: &Cleanable, other: &Cleanable) -> Ordering {
    let total = |it: &Cleanable| u128::from(it.clean_bytes + it.dirty_bytes);
    let share = u128::from(one.dirty_bytes) * total(other);
    share.cmp(&(u128::from(other.dirty_bytes) * total(one)))
}
