//! When a fetch waits, and what ends its wait (`DelayedFetch`).

use super::read::{Outcome, Supply};
use super::set::{Entry, PartitionSet, SetId, Slot};
use super::stages::walk_again;
use super::{FetchId, Fetches, Kinship, OpenFetch, Stage};
use crate::broker::Broker;
use crate::ids::LogId;

/// What a fetch that waits holds for each partition it has looked at, about.
const OUTCOME_BYTES: usize = 256;

/// What the partitions of one walk have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Bytes of records that the answer would carry.
    bytes: u64,
    /// Bytes that the partitions have, each up to its own limit.
    supply: u64,
    /// There is a reason to answer at once.
    ends_wait: bool,
    /// Some partition is there.
    has_known: bool,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.bytes += outcome.bytes();
        match outcome {
            Outcome::Unknown(_) => return,
            Outcome::Failed(..) | Outcome::Diverging(..) => self.ends_wait = true,
            Outcome::Read(read) => self.add_supply(read.supply),
        }
        self.has_known = true;
    }

    /// Some partition is there that was looked at.
    pub(super) fn has_known(&self) -> bool {
        self.has_known
    }

    /// Reason enough not to wait, however the rest of the walk turns out.
    pub(super) fn is_enough(&self, bytes_min: i64) -> bool {
        let bytes = i64::try_from(self.bytes.max(self.supply)).unwrap_or(i64::MAX);
        self.ends_wait || bytes >= bytes_min
    }

    fn add_supply(&mut self, supply: Supply) {
        match supply {
            Supply::Unknown => {}
            Supply::Bytes { bytes, .. } => self.supply += bytes,
            Supply::Plenty => self.ends_wait = true,
        }
    }

    /// A partition has another supply than it had.
    fn change_supply(&mut self, before: Supply, now: Supply) {
        if let Supply::Bytes { bytes, .. } = before {
            self.supply = self.supply.saturating_sub(bytes);
        }
        self.add_supply(now);
    }
}

impl Fetches {
    /// A log has moved: its level's end, its last stable offset or its start; or it is gone.
    pub(in crate::broker) fn log_moved(&mut self, log: LogId) {
        self.watches.moved(log);
    }

    /// Has the partition told of its log's next move.
    fn watch(&mut self, log: LogId, set_id: SetId, set: &mut PartitionSet, slot: Slot) {
        let Some(entry) = set.get_mut(slot) else { return };
        if entry.watched == Some(log) {
            return;
        }
        if let Some(before) = entry.watched.replace(log) {
            self.watches.remove(before, set_id, slot);
        }
        self.watches.add(log, set_id, slot);
    }

    /// What a wait holds is bounded, over all fetches. False when there is no room for this one.
    fn reserve_wait(
        &mut self,
        fetch: &mut OpenFetch,
        set: &PartitionSet,
        bytes_max: usize,
    ) -> bool {
        let own = if set.session.is_some() { 0 } else { set.extent().bytes };
        let bytes = own + fetch.outcomes.len() * OUTCOME_BYTES;
        if self.waiting_bytes + bytes > bytes_max {
            return false;
        }
        self.waiting_bytes += bytes;
        fetch.waiting_bytes = bytes;
        true
    }
}

impl Broker {
    /// Watches the log of a partition that was looked at, where somebody will want to know.
    pub(super) fn watch_seen(
        &mut self,
        log: LogId,
        fetch: &OpenFetch,
        set: &mut PartitionSet,
        slot: Slot,
        outcome: &Outcome,
    ) {
        let may_wait = !fetch.is_last_walk && !fetch.tally.is_enough(fetch.bytes_min);
        let is_kept = set.session.is_some() || matches!(fetch.kinship, Kinship::Opens(_));
        let is_at_end = matches!(outcome, Outcome::Read(read) if read.is_at_end);
        let is_worth_it = may_wait || (is_kept && is_at_end);
        if !is_worth_it {
            return;
        }
        self.fetches.watch(log, fetch.set, set, slot);
        if is_at_end {
            set.leave_alone(slot);
        }
    }

    /// Room for a wait; false when there is none.
    pub(super) fn reserve_wait(&mut self, fetch: &mut OpenFetch, set: &PartitionSet) -> bool {
        let bytes_max = self.config.limits.fetch_waiting_bytes_max;
        self.fetches.reserve_wait(fetch, set, bytes_max)
    }

    /// The log of a partition has moved after the walk came by: true when that ends the wait. It is
    /// watched again if not.
    pub(super) fn reconsider(
        &mut self,
        fetch: &mut OpenFetch,
        set: &mut PartitionSet,
        slot: Slot,
        log: LogId,
    ) -> bool {
        let Some(entry) = set.get_mut(slot) else { return false };
        self.renew_supply(log, fetch, entry);
        if fetch.tally.is_enough(fetch.bytes_min) {
            return true;
        }
        self.fetches.watch(log, fetch.set, set, slot);
        false
    }

    fn renew_supply(&self, log: LogId, fetch: &mut OpenFetch, entry: &mut Entry) {
        let now = self.supply_now(log, fetch.terms, &entry.wanted, entry.supply);
        fetch.tally.change_supply(entry.supply, now);
        entry.supply = now;
    }

    /// Tells those who watch the logs that moved.
    pub(super) fn wake_fetches(&mut self, budget: &mut usize) {
        while *budget > 0
            && let Some((log, set, slot)) = self.fetches.watches.poll()
        {
            *budget -= 1;
            if let Some(fetch) = self.mark_moved(log, set, slot) {
                self.wake(fetch, log, set, slot);
            }
        }
    }

    /// The partition is to be looked at; gives the fetch that waits for it, if one does.
    fn mark_moved(&mut self, log: LogId, set: SetId, slot: Slot) -> Option<FetchId> {
        let set = self.fetches.sets.get_mut(&set)?;
        let entry = set.get_mut(slot)?;
        if entry.watched == Some(log) {
            entry.watched = None;
        }
        set.look_at(slot);
        let id = set.fetch?;
        let fetch = self.fetches.open.get_mut(&id)?;
        if matches!(fetch.stage, Stage::Wait) {
            return Some(id);
        }
        fetch.moved.push((slot, log));
        None
    }

    fn wake(&mut self, id: FetchId, log: LogId, set_id: SetId, slot: Slot) {
        let Some(mut fetch) = self.fetches.open.remove(&id) else { return };
        let set = self.fetches.sets.remove(&set_id);
        let mut set = set.expect("an open fetch has its set");
        let ends_wait = self.reconsider(&mut fetch, &mut set, slot, log);
        self.fetches.sets.insert(set_id, set);
        self.fetches.open.insert(id, fetch);
        if ends_wait {
            self.end_fetch_wait(id);
        }
    }

    /// The fetch is answered with what there is.
    pub(super) fn end_fetch_wait(&mut self, id: FetchId) {
        let fetches = &mut self.fetches;
        let Some(fetch) = fetches.open.get_mut(&id) else { return };
        if let Some(deadline) = fetch.deadline {
            fetches.deadlines.remove(&(deadline, id));
        }
        walk_again(fetch);
        fetches.runnable.push_back(id);
    }

    /// Asked to stop: nobody waits any longer.
    pub(in crate::broker) fn end_fetch_waits(&mut self) {
        while let Some(&(_, id)) = self.fetches.deadlines.first() {
            self.end_fetch_wait(id);
        }
    }
}
