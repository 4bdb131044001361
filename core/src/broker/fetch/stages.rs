//! The stages of a fetch, a partition at a time.

use core::mem;

use super::answer::Answer;
use super::gather::Gathered;
use super::read::{Known, Look, Outcome, Sought, Start};
use super::room::Room;
use super::set::{PartitionSet, Slot};
use super::wait::Tally;
use super::{FetchId, Kinship, OpenFetch, Stage};
use crate::api::fetch::FetchResponse;
use crate::broker::{Broker, Phase, Purpose};
use crate::effect::{Completion, Effect, Operation, OperationResult};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::LogId;
use crate::log::{Place, Search, SearchStep};

/// Why a fetch goes no further now.
pub(super) enum Pause {
    /// Its part of the turn is used up.
    Turn,
    /// A read is out.
    Read,
    /// It waits for its logs.
    Wait,
    /// It is done.
    Answered(FetchResponse),
}

impl Broker {
    pub(super) fn run_fetch(&mut self, id: FetchId, budget: &mut usize) {
        let Some(mut fetch) = self.fetches.open.remove(&id) else { return };
        let set = self.fetches.sets.remove(&fetch.set);
        let mut set = set.expect("an open fetch has its set");
        let pause = self.advance_fetch(id, &mut fetch, &mut set, budget);
        let (connection, number, set_id) = (fetch.connection, fetch.number, fetch.set);
        if matches!(pause, Pause::Wait)
            && let Some(deadline) = fetch.deadline
        {
            self.fetches.deadlines.insert((deadline, id));
        }
        self.fetches.sets.insert(set_id, set);
        self.fetches.open.insert(id, fetch);
        match pause {
            Pause::Turn => self.fetches.runnable.push_back(id),
            Pause::Read | Pause::Wait => {}
            Pause::Answered(response) => {
                self.fetches.remove(id);
                self.respond_fetch(connection, number, response);
            }
        }
    }

    fn advance_fetch(
        &mut self,
        id: FetchId,
        fetch: &mut OpenFetch,
        set: &mut PartitionSet,
        budget: &mut usize,
    ) -> Pause {
        loop {
            if *budget == 0 {
                return Pause::Turn;
            }
            *budget -= 1;
            let paused = match &fetch.stage {
                Stage::Gather(_) => self.gather(fetch, set),
                Stage::Walk(..) => self.walk(id, fetch, set),
                Stage::Search(..) => Some(Pause::Read),
                Stage::Wait => Some(Pause::Wait),
                Stage::Answer(_) => self.answer_fetch(fetch, set),
            };
            if let Some(pause) = paused {
                return pause;
            }
        }
    }

    fn gather(&mut self, fetch: &mut OpenFetch, set: &mut PartitionSet) -> Option<Pause> {
        let Stage::Gather(gather) = &mut fetch.stage else { return None };
        match gather.step(&self.image, set) {
            Gathered::More => return None,
            Gathered::Unwatched(log, slot) => {
                self.fetches.watches.remove(log, fetch.set, slot);
                return None;
            }
            Gathered::All => {}
        }
        fetch.stage = Stage::Walk(Slot::FIRST, Known::default());
        let Kinship::Continues(session) = fetch.kinship else { return None };
        if set.is_empty() {
            self.fetches.sessions.close(session);
            set.session = None;
            fetch.kinship = Kinship::Sessionless;
        } else if !self.fetches.sessions.touch(session, set.extent(), self.now.mono)
            && set.session.is_some()
        {
            // All sessions together would take too much: the client begins anew, without one if need be.
            self.fetches.sessions.close(session);
            set.session = None;
            let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
            return Some(Pause::Answered(FetchResponse { error_code, ..FetchResponse::default() }));
        }
        None
    }

    /// Looks at one partition, or ends the walk.
    fn walk(
        &mut self,
        id: FetchId,
        fetch: &mut OpenFetch,
        set: &mut PartitionSet,
    ) -> Option<Pause> {
        let Stage::Walk(from, known) = fetch.stage else { return None };
        let next = set.next_to_look_at(from);
        let Some((slot, entry)) = next.and_then(|slot| Some((slot, set.get(slot)?))) else {
            return self.end_walk(fetch, set);
        };
        match self.look_at_partition(fetch.terms, entry, &fetch.room, known) {
            Look::Search(known, sought, search) => {
                self.begin_look_up(id, fetch, slot, known, sought, search);
                Some(Pause::Read)
            }
            Look::Seen(outcome, log) => {
                fetch.stage = Stage::Walk(slot.next(), Known::default());
                self.pin_range(fetch, &outcome);
                fetch.tally.add(&outcome);
                if !matches!(outcome, Outcome::Unknown(_)) {
                    fetch.room.take(outcome.bytes());
                }
                if let Outcome::Read(read) = &outcome
                    && let Some(entry) = set.get_mut(slot)
                {
                    entry.supply = read.supply;
                }
                if let Some(log) = log {
                    self.watch_seen(log, fetch, set, slot, &outcome);
                }
                fetch.outcomes.insert(slot, outcome);
                None
            }
        }
    }

    /// Decides between the answer and the wait.
    fn end_walk(&mut self, fetch: &mut OpenFetch, set: &mut PartitionSet) -> Option<Pause> {
        let is_stopping = !matches!(self.phase, Phase::Running);
        let has_known = fetch.tally.has_known() || set.has_left_alone();
        let is_enough = fetch.tally.is_enough(fetch.bytes_min) || !has_known;
        if fetch.is_last_walk || is_stopping || is_enough {
            fetch.stage = Stage::Answer(Answer::default());
            return None;
        }
        for (slot, log) in mem::take(&mut fetch.moved) {
            if self.reconsider(fetch, set, slot, log) {
                walk_again(fetch);
                return None;
            }
        }
        if !self.reserve_wait(fetch, set) {
            fetch.stage = Stage::Answer(Answer::default());
            return None;
        }
        fetch.stage = Stage::Wait;
        Some(Pause::Wait)
    }

    /// A segment must not go between the look-up and the last byte sent.
    fn pin_range(&mut self, fetch: &OpenFetch, outcome: &Outcome) {
        if let Outcome::Read(read) = outcome
            && let Some(range) = &read.records
        {
            self.pins.pin(fetch.connection, fetch.number.0, range.file.id);
        }
    }

    fn begin_look_up(
        &mut self,
        id: FetchId,
        fetch: &mut OpenFetch,
        slot: Slot,
        known: Known,
        sought: Sought,
        search: Search,
    ) {
        let read = search.read();
        if let Operation::Read { file, .. } = &read {
            self.pins.pin(fetch.connection, fetch.number.0, file.id);
        }
        fetch.stage = Stage::Search(slot, known, sought, search);
        self.emit(Effect::Operations(alloc::vec![read]), Purpose::FetchRead(id));
    }

    /// The read of a look-up is complete. Nobody minds it when the fetch is gone.
    pub(in crate::broker) fn handle_fetch_read(&mut self, id: FetchId, result: Completion) {
        let Some(mut fetch) = self.fetches.open.remove(&id) else { return };
        let stage = mem::replace(&mut fetch.stage, Stage::Wait);
        let Stage::Search(slot, known, sought, search) = stage else {
            debug_assert!(false, "a read is out only during a search");
            return;
        };
        let is_there = known.log.is_some_and(|log| self.logs.contains_key(&log));
        match result.into_result() {
            // What it was looked up in is gone.
            _ if !is_there => fetch.stage = Stage::Walk(slot, Known::default()),
            Ok(results) => {
                let bytes = match results.as_slice() {
                    [OperationResult::Read(bytes)] => bytes.as_ref(),
                    _ => &[],
                };
                self.take_look_up_step(id, &mut fetch, slot, known, sought, search.step(bytes));
            }
            Err(error) => {
                if let Some(live) = known.log.and_then(|log| self.logs.get(&log)) {
                    let index = live.log.log_directory();
                    self.fail_directory(index, &error);
                }
                fetch.stage = Stage::Walk(slot, Known::default());
            }
        }
        if !matches!(fetch.stage, Stage::Search(..)) {
            self.fetches.runnable.push_back(id);
        }
        self.fetches.open.insert(id, fetch);
    }

    /// The next read would be of a segment that has left the log since: nobody keeps its file.
    fn is_search_stale(&self, log: Option<LogId>, search: &Search) -> bool {
        let Operation::Read { file, .. } = search.read() else { return false };
        let live = log.and_then(|log| self.logs.get(&log));
        let segments = live.map_or(&[][..], |live| live.log.segments());
        !self.pins.is_pinned(file.id) && !segments.iter().any(|it| it.file.id == file.id)
    }

    fn take_look_up_step(
        &mut self,
        id: FetchId,
        fetch: &mut OpenFetch,
        slot: Slot,
        known: Known,
        sought: Sought,
        step: SearchStep,
    ) {
        let known = match (step, sought) {
            (SearchStep::More(search), _) if self.is_search_stale(known.log, &search) => {
                Known::default()
            }
            (SearchStep::More(search), _) => {
                self.begin_look_up(id, fetch, slot, known, sought, search);
                return;
            }
            (SearchStep::Found(start), Sought::Start) => {
                Known { start: Some(Start::Batch(start)), ..known }
            }
            (SearchStep::End, Sought::Start) => Known { start: Some(Start::Gap), ..known },
            (SearchStep::Found(first), Sought::Bound(end)) => {
                let (segment, position) = (first.segment, first.position);
                Known { bound: Some(Place { segment, position, ..end }), ..known }
            }
            (SearchStep::End, Sought::Bound(end)) => Known { bound: Some(end), ..known },
            (SearchStep::Corrupt { file, position, reason }, _) => {
                self.tell_damage(Event::LogDamaged { file, position, reason });
                Known { start: Some(Start::Damaged), ..known }
            }
        };
        fetch.stage = Stage::Walk(slot, known);
    }
}

/// Once more from the first partition on, for the last time.
pub(super) fn walk_again(fetch: &mut OpenFetch) {
    fetch.is_last_walk = true;
    fetch.room = Room::new(fetch.bytes_max);
    fetch.tally = Tally::default();
    fetch.stage = Stage::Walk(Slot::FIRST, Known::default());
}
