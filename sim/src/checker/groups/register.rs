//! A model of what a group has committed for one partition: all that it may be now.
//!
//! Each commit, and each deletion, takes hold at one moment between its request and its answer, or never when it has
//! none. What a reader is told was there at a moment between its request and its answer; from then on it stays, and
//! whatever must have been there before it does not come back.

use std::collections::BTreeMap;

use klamm_core::ids::Uuid;

use crate::groups::{CallId, Committed, ToldOffset};

/// One committed offset, over time. Times are in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Register {
    /// By what made it; the start of all things is `None`.
    writes: BTreeMap<Option<CallId>, Write>,
}

#[derive(Clone, Debug)]
struct Write {
    /// `None`: it took away what was there.
    value: Option<Committed>,
    /// Of the member that has committed it; -1 for nobody's.
    generation: i32,
    /// The topic that it was committed of, one that comes and goes; `None` when nobody knows.
    topic: Option<Uuid>,
    asked: u64,
    /// It took hold by then, or never.
    last: u64,
    /// From then on something else was there, for good.
    dead: u64,
    /// It was there, or something later was, when all was made durable.
    firm: bool,
    /// It was dead by then.
    dead_when_firm: bool,
}

const NEVER: u64 = u64::MAX;

impl Default for Register {
    fn default() -> Self {
        let first = Write { firm: true, ..Write::new(None, -1, 0, 0) };
        Self { writes: BTreeMap::from([(None, first)]) }
    }
}

impl Write {
    fn new(value: Option<Committed>, generation: i32, asked: u64, last: u64) -> Self {
        let (topic, dead, firm, dead_when_firm) = (None, NEVER, false, false);
        Self { value, generation, topic, asked, last, dead, firm, dead_when_firm }
    }
}

/// How somebody looks at what was committed of a topic that comes and goes.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// By its id; `None`: whatever topic has the name.
    pub id: Option<Uuid>,
    /// Whether it may be gone by now with its topic; with one that nobody knows, it may be.
    pub may_go: &'a dyn Fn(Option<Uuid>) -> bool,
}

impl Register {
    /// A commit, or a deletion, is asked for.
    pub(super) fn asked(
        &mut self,
        call: CallId,
        value: Option<Committed>,
        generation: i32,
        now: u64,
    ) {
        self.writes.insert(Some(call), Write::new(value, generation, now, NEVER));
    }

    /// It is of this topic.
    pub(super) fn is_of(&mut self, call: CallId, topic: Uuid) {
        if let Some(write) = self.writes.get_mut(&Some(call)) {
            write.topic = Some(topic);
        }
    }

    /// Something was there all the time since then.
    pub(super) fn holds_since(&self, asked: u64) -> bool {
        self.writes.values().all(|write| write.dead <= asked || write.value.is_some())
    }

    /// What was told can only be what was committed of topics that are deleted.
    pub(super) fn is_left_over(
        &self,
        told: &ToldOffset,
        asked: u64,
        is_over: impl Fn(Uuid) -> bool,
    ) -> bool {
        let fits = |write: &&Write| write.dead > asked && is_it(write.value.as_ref(), Some(told));
        self.writes.values().filter(fits).all(|write| write.topic.is_some_and(&is_over))
    }

    /// It has taken hold.
    pub(super) fn done(&mut self, call: CallId, now: u64) {
        let Some(write) = self.writes.get_mut(&Some(call)) else { return };
        write.last = write.last.min(now);
        let asked = write.asked;
        self.bury(Some(call), asked, now);
    }

    /// It has not. What was taken for a deletion's work has lived too long, where something may.
    pub(super) fn refused(&mut self, call: CallId, expires: bool) {
        let refused = self.writes.remove(&Some(call));
        let seen = refused.filter(|write| write.value.is_none() && write.last != NEVER);
        if let Some(write) = seen.filter(|_| expires) {
            self.writes.insert(None, write);
        }
    }

    /// Whatever took hold by `before` is followed by what `follower` did.
    fn bury(&mut self, follower: Option<CallId>, before: u64, now: u64) {
        for (call, write) in &mut self.writes {
            if *call != follower && write.last <= before {
                write.dead = write.dead.min(now);
            }
        }
    }

    /// The broker was asked at `asked`, and has told it at `now`. The error says what there may be.
    pub(super) fn told(
        &mut self,
        told: Option<&ToldOffset>,
        asked: u64,
        now: u64,
    ) -> Result<(), String> {
        self.told_of(None, told, asked, now)
    }

    /// The same, of the topic with this id.
    fn told_of(
        &mut self,
        id: Option<Uuid>,
        told: Option<&ToldOffset>,
        asked: u64,
        now: u64,
    ) -> Result<(), String> {
        let fits = |write: &Write| {
            write.dead > asked && is_it(write.value.as_ref(), told) && !write.is_of_other(id)
        };
        let found: Vec<Option<CallId>> =
            self.writes.iter().filter(|(_, write)| fits(write)).map(|(call, _)| *call).collect();
        match &found[..] {
            [] => {
                let may_be: Vec<String> = self
                    .writes
                    .values()
                    .filter(|write| write.dead > asked)
                    .map(|write| words(write.value.as_ref()))
                    .collect();
                let told = told.map_or("nothing".to_owned(), |told| format!("{told:?}"));
                Err(format!("{told} is told, there may be {}", may_be.join(", ")))
            }
            [call] => {
                if let Some(write) = self.writes.get_mut(call) {
                    write.last = write.last.min(now);
                }
                self.bury(*call, asked, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What a group has committed of a partition of a topic that comes and goes is told.
    pub(super) fn told_as(
        &mut self,
        view: View<'_>,
        told: Option<&ToldOffset>,
        asked: u64,
        now: u64,
    ) -> Result<(), String> {
        if told.is_some() {
            return self.told_of(view.id, told, asked, now);
        }
        let is_nothing = |write: &Write| write.value.is_none() || write.is_of_other(view.id);
        let alive = || self.writes.values().filter(|write| write.dead > asked);
        let is_explained = alive().any(is_nothing);
        if !is_explained && !alive().any(|write| (view.may_go)(write.topic)) {
            return self.told_of(view.id, told, asked, now);
        }
        if is_explained && view.id.is_some() {
            // Something of another topic may be there; nothing of this one is.
            for write in self.writes.values_mut() {
                if write.value.is_some() && write.topic == view.id && write.last <= asked {
                    write.dead = write.dead.min(now);
                }
            }
        } else {
            self.found_empty(asked, now);
        }
        Ok(())
    }

    /// Nothing is there at all: whatever was is gone for good.
    fn found_empty(&mut self, asked: u64, now: u64) {
        self.bury(None, asked, now);
        self.writes.insert(None, Write::new(None, -1, asked, now));
    }

    /// Nothing is told of what was there: it has lived too long. Where `reading` is the generation of members that
    /// are at work, what they have committed stays; and nothing goes before its time.
    pub(super) fn expired(
        &mut self,
        (asked, now): (u64, u64),
        retention_micros: u64,
        reading: Option<i32>,
    ) -> Result<(), String> {
        let may_go = |write: &&Write| {
            write.asked + retention_micros <= now && reading != Some(write.generation)
        };
        if !self.writes.values().filter(|write| write.dead > asked).any(|write| may_go(&write)) {
            return Err("nothing is told, and it is too early to forget what there was".to_owned());
        }
        self.found_empty(asked, now);
        Ok(())
    }

    /// The broker is gone: what was under way took hold by now, or never.
    pub(super) fn restarted(&mut self, now: u64) {
        for write in self.writes.values_mut() {
            write.last = write.last.min(now);
        }
        // What is dead is of no use any more, unless a loss may bring it back.
        self.writes.retain(|call, write| {
            call.is_none() || write.dead == NEVER || !(write.firm && write.dead_when_firm)
        });
    }

    /// All that is there now is durable in every mode.
    pub(super) fn made_firm(&mut self) {
        for write in self.writes.values_mut() {
            (write.firm, write.dead_when_firm) = (true, write.dead != NEVER);
        }
    }

    /// What is not firm may be gone, and what was there before it may be there again.
    pub(super) fn lost_soft(&mut self, now: u64) {
        for write in self.writes.values_mut() {
            if !(write.firm && write.dead_when_firm) {
                write.dead = NEVER;
            }
            write.last = write.last.min(now);
        }
    }
}

impl Write {
    /// It is surely not of the topic with this id.
    fn is_of_other(&self, id: Option<Uuid>) -> bool {
        id.is_some() && self.topic.is_some() && self.topic != id
    }
}

fn is_it(value: Option<&Committed>, told: Option<&ToldOffset>) -> bool {
    match (value, told) {
        (None, None) => true,
        (Some(value), Some(told)) => {
            value.offset == told.offset
                && value.metadata == told.metadata
                && told.leader_epoch.is_none_or(|epoch| epoch == value.leader_epoch)
        }
        _ => false,
    }
}

fn words(value: Option<&Committed>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |value| format!("{} ({:?}, epoch {})", value.offset, value.metadata, value.leader_epoch),
    )
}

#[cfg(test)]
mod tests {
    use klamm_core::ids::Uuid;

    use super::{Register, View};
    use crate::groups::{CallId, Committed, ToldOffset};

    fn value(offset: i64) -> Committed {
        Committed { offset, leader_epoch: 1, metadata: "m".to_owned() }
    }

    fn told(register: &mut Register, offset: i64, asked: u64, now: u64) -> bool {
        let told = ToldOffset { offset, leader_epoch: Some(1), metadata: "m".to_owned() };
        register.told(Some(&told).filter(|told| told.offset >= 0), asked, now).is_ok()
    }

    fn committed(register: &mut Register, call: u64, offset: i64, asked: u64, now: u64) {
        register.asked(CallId(call), Some(value(offset)), 3, asked);
        register.done(CallId(call), now);
    }

    #[test]
    fn what_was_committed_stays_and_what_was_before_does_not_come_back() {
        let mut register = Register::default();
        assert!(told(&mut register, -1, 1, 2));
        committed(&mut register, 1, 5, 10, 20);
        assert!(told(&mut register, -1, 15, 16), "it was told before");
        assert!(!told(&mut register.clone(), -1, 25, 30));
        committed(&mut register, 2, 6, 30, 40);
        assert!(!told(&mut register.clone(), 5, 45, 50));
        assert!(told(&mut register, 6, 45, 50));
        register.refused(CallId(9), false);
    }

    #[test]
    fn an_open_commit_may_be_there_and_stays_once_it_was_seen() {
        let mut register = Register::default();
        register.asked(CallId(1), Some(value(5)), 3, 10);
        assert!(told(&mut register.clone(), -1, 20, 30));
        assert!(told(&mut register, 5, 20, 30));
        assert!(!told(&mut register, -1, 40, 50));
    }

    #[test]
    fn a_restart_ends_what_was_under_way() {
        let mut register = Register::default();
        register.asked(CallId(1), Some(value(5)), 3, 10);
        register.restarted(20);
        assert!(told(&mut register, -1, 30, 40), "it never took hold");
        assert!(!told(&mut register, 5, 50, 60));
    }

    #[test]
    fn what_is_refused_is_not_there() {
        let mut register = Register::default();
        register.asked(CallId(1), Some(value(5)), 3, 10);
        register.refused(CallId(1), false);
        assert!(!told(&mut register, 5, 20, 30));
    }

    #[test]
    fn what_was_gone_before_a_deletion_was_refused_had_lived_too_long() {
        let mut register = Register::default();
        committed(&mut register, 1, 5, 10, 20);
        register.asked(CallId(2), None, -1, 25);
        assert!(told(&mut register, -1, 30, 40));
        let mut kept_for_ever = register.clone();
        kept_for_ever.refused(CallId(2), false);
        assert!(
            !told(&mut kept_for_ever, -1, 50, 60),
            "a deletion that is refused deletes nothing"
        );
        register.refused(CallId(2), true);
        assert!(told(&mut register, -1, 50, 60));
    }

    #[test]
    fn a_loss_takes_no_more_than_what_was_not_firm() {
        let mut register = Register::default();
        committed(&mut register, 1, 5, 10, 20);
        committed(&mut register, 2, 6, 30, 40);
        register.made_firm();
        committed(&mut register, 3, 7, 50, 60);
        register.restarted(70);
        register.lost_soft(70);
        assert!(!told(&mut register.clone(), 5, 80, 90));
        assert!(told(&mut register.clone(), 7, 80, 90));
        assert!(told(&mut register, 6, 80, 90));
        assert!(!told(&mut register, 7, 95, 99));
    }

    const OLD: Uuid = Uuid([1; 16]);
    const NEW: Uuid = Uuid([2; 16]);

    /// What may be told between 100 and 110 of a register in which the old topic's offset is 5, by id or name.
    fn told_as(register: &mut Register, id: Option<Uuid>, offset: i64, goes: bool) -> bool {
        let told = ToldOffset { offset, leader_epoch: Some(1), metadata: "m".to_owned() };
        let view = View { id, may_go: &|topic| goes && topic == Some(OLD) };
        register.told_as(view, Some(&told).filter(|told| told.offset >= 0), 100, 110).is_ok()
    }

    #[test]
    fn what_was_committed_of_a_topic_is_its_own_and_goes_with_it() {
        let mut register = Register::default();
        committed(&mut register, 1, 5, 10, 20);
        register.is_of(CallId(1), OLD);
        let as_told = |id, offset, goes| told_as(&mut register.clone(), id, offset, goes);
        assert!(as_told(Some(OLD), 5, false) && as_told(None, 5, false));
        assert!(!as_told(Some(NEW), 5, false) && as_told(Some(NEW), -1, false));
        assert!(!as_told(Some(OLD), -1, false) && !as_told(None, -1, false));
        assert!(as_told(Some(OLD), -1, true) && as_told(None, -1, true));
        assert!(told_as(&mut register, None, -1, true));
        assert!(!told(&mut register.clone(), 5, 120, 130), "it does not come back");
        assert!(told(&mut register, -1, 120, 130));
    }

    #[test]
    fn what_is_left_of_a_deleted_topic_is_known() {
        let mut register = Register::default();
        committed(&mut register, 1, 5, 10, 20);
        let five = ToldOffset { offset: 5, leader_epoch: Some(1), metadata: "m".to_owned() };
        assert!(!register.is_left_over(&five, 30, |_| true), "nobody knows whose it is");
        register.is_of(CallId(1), OLD);
        assert!(register.is_left_over(&five, 30, |id| id == OLD));
        assert!(!register.is_left_over(&five, 30, |id| id == NEW));
    }

    #[test]
    fn what_has_lived_too_long_may_go_unless_its_reader_is_there() {
        let mut register = Register::default();
        committed(&mut register, 1, 5, 10, 20);
        assert!(register.clone().expired((30, 40), 50, None).is_err(), "too early");
        assert!(register.clone().expired((80, 90), 50, Some(3)).is_err(), "it is read");
        assert!(register.expired((80, 90), 50, Some(4)).is_ok());
        assert!(!told(&mut register.clone(), 5, 95, 99));
        assert!(told(&mut register, -1, 95, 99));
    }
}
