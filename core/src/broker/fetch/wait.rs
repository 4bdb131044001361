//! When a fetch waits, and what ends its wait (`DelayedFetch`).

use super::read::{Outcome, Supply};
use super::set::{PartitionSet, SetId, Slot, Wanted};
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

    /// No reason to wait: there is nothing to wait for, or enough.
    pub(super) fn is_enough(&self, bytes_min: i64) -> bool {
        !self.has_known || self.has_bytes(bytes_min)
    }

    /// However the rest of the walk turns out, the fetch will not wait.
    fn has_bytes(&self, bytes_min: i64) -> bool {
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
}

impl OpenFetch {
    fn supply(&self, slot: Slot) -> Supply {
        match self.outcomes.get(&slot) {
            Some(Outcome::Read(read)) => read.supply,
            _ => Supply::Unknown,
        }
    }

    /// A partition has another supply now; true when there is no reason to wait any longer.
    fn note_supply(&mut self, slot: Slot, supply: Supply) -> bool {
        if let Some(Outcome::Read(read)) = self.outcomes.get_mut(&slot) {
            if let Supply::Bytes { bytes, .. } = read.supply {
                self.tally.supply -= bytes;
            }
            read.supply = supply;
            self.tally.add_supply(supply);
        }
        self.tally.is_enough(self.bytes_min)
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
        let may_wait = !fetch.is_last_walk && !fetch.tally.has_bytes(fetch.bytes_min);
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

    /// Room for a wait. A stop ends it, and so does a lack of memory.
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
        let Some(wanted) = set.get(slot).map(|entry| entry.wanted) else { return false };
        let supply = self.supply_now(log, fetch.terms, &wanted, fetch.supply(slot));
        if fetch.note_supply(slot, supply) {
            return true;
        }
        self.fetches.watch(log, fetch.set, set, slot);
        false
    }

    /// Tells those who watch the logs that moved.
    pub(super) fn wake_fetches(&mut self, budget: &mut usize) {
        while *budget > 0
            && let Some((log, set, slot)) = self.fetches.watches.poll()
        {
            *budget -= 1;
            if let Some((fetch, wanted)) = self.mark_moved(log, set, slot) {
                self.wake(fetch, log, set, slot, &wanted);
            }
        }
    }

    /// The partition is to be looked at; gives the fetch that waits for it, if one does.
    fn mark_moved(&mut self, log: LogId, set: SetId, slot: Slot) -> Option<(FetchId, Wanted)> {
        let set = self.fetches.sets.get_mut(&set)?;
        let entry = set.get_mut(slot)?;
        if entry.watched == Some(log) {
            entry.watched = None;
        }
        let wanted = entry.wanted;
        set.look_at(slot);
        let id = set.fetch?;
        let fetch = self.fetches.open.get_mut(&id)?;
        if matches!(fetch.stage, Stage::Wait) {
            return Some((id, wanted));
        }
        fetch.moved.push((slot, log));
        None
    }

    fn wake(&mut self, id: FetchId, log: LogId, set_id: SetId, slot: Slot, wanted: &Wanted) {
        let Some(fetch) = self.fetches.open.get(&id) else { return };
        let supply = self.supply_now(log, fetch.terms, wanted, fetch.supply(slot));
        let Some(fetch) = self.fetches.open.get_mut(&id) else { return };
        if fetch.note_supply(slot, supply) {
            self.end_fetch_wait(id);
            return;
        }
        let Some(mut set) = self.fetches.sets.remove(&set_id) else { return };
        self.fetches.watch(log, set_id, &mut set, slot);
        self.fetches.sets.insert(set_id, set);
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
