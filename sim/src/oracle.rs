//! A model of one partition's log: what is known of it from answers, and so what the next answer
//! may say.
//!
//! Offsets have no gaps and each record is there once, so a log whose appends are all accounted for
//! has one end, and one answer to every question. What a fault has left open widens that to bounds:
//! from what was told, which stays true, to what may have happened.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::RecordId;

/// What is known of one log.
#[derive(Clone, Debug, Default)]
pub struct ModelLog {
    known: BTreeMap<i64, Known>,
    places: BTreeMap<RecordId, i64>,
    /// Sent, and perhaps there.
    open: BTreeSet<RecordId>,
    end_told: i64,
    end_firm: i64,
    start_told: i64,
    start_allowed: i64,
    /// Where the log may have started when its broker last did: a start reads no batch below it, so
    /// that a producer without a batch from there on may be unknown since
    /// (`UnifiedLog.rebuildProducerState`).
    forgotten_below: i64,
    /// Records that may have been appended once more because of that, or that were sent to another
    /// log and may have come here.
    copies: i64,
    /// Where requests under way may move the start to; -1 for the end.
    deletions: Vec<i64>,
    /// Its end may have been lost behind its start: the next offset is not the number of records.
    has_gap: bool,
    damaged: bool,
    /// What finds records by their time is damaged.
    times_damaged: bool,
    /// The gaps that its last start has kept; `None` while no start has had it, or one did without it.
    gaps: Option<Vec<(i64, i64)>>,
}

/// One record that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub record: RecordId,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// A stop in good order has made it durable in every mode.
    pub firm: bool,
}

/// What cannot be true together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The offset is another record's.
    Taken(RecordId),
    /// The record is at another offset.
    Elsewhere(i64),
}

impl ModelLog {
    /// Records were sent: from now on they may be there, once.
    pub fn sent(&mut self, records: &[RecordId]) {
        self.open.extend(records);
    }

    /// An idempotent producer sends them again. Where it may have been forgotten since they were
    /// appended, that may append them once more.
    pub fn sent_again(&mut self, records: &[RecordId]) {
        if self.forgotten_below > 0 {
            let may_be_below = |record: &&RecordId| {
                self.places.get(record).is_none_or(|offset| *offset < self.forgotten_below)
            };
            self.copies += records.iter().filter(may_be_below).count() as i64;
        }
    }

    /// So many records that were sent elsewhere may have come here.
    pub fn may_have(&mut self, records: i64) {
        self.copies += records;
    }

    /// The broker has gone, or come: what lies below the start it does not remember.
    pub fn restarted(&mut self) {
        let most = if self.damaged { self.start_allowed } else { self.start().1 };
        self.forgotten_below = self.forgotten_below.max(most);
    }

    /// Producers with no batch from there on may be unknown to the broker.
    pub fn forgotten_below(&self) -> i64 {
        self.forgotten_below
    }

    /// A record whose producer was forgotten has been appended once more: the later copy counts.
    pub fn forget_place(&mut self, record: RecordId) {
        self.places.remove(&record);
    }

    /// They were refused for good.
    pub fn refused(&mut self, records: &[RecordId]) {
        for record in records {
            self.open.remove(record);
        }
    }

    /// A record was seen at its offset, or acknowledged there.
    pub fn learn(
        &mut self,
        offset: i64,
        record: RecordId,
        timestamp_ms: i64,
    ) -> Result<(), Conflict> {
        match (self.known.get(&offset), self.places.get(&record)) {
            (Some(other), _) if other.record != record => Err(Conflict::Taken(other.record)),
            (_, Some(other)) if *other != offset => Err(Conflict::Elsewhere(*other)),
            (Some(_), _) => Ok(()),
            (None, _) => {
                self.known.insert(offset, Known { record, timestamp_ms, firm: false });
                self.places.insert(record, offset);
                self.open.remove(&record);
                self.end_told = self.end_told.max(offset + 1);
                Ok(())
            }
        }
    }

    /// The log reaches so far.
    pub fn told_end(&mut self, end: i64) {
        self.end_told = self.end_told.max(end);
    }

    /// It starts so late.
    pub fn told_start(&mut self, start: i64) {
        self.start_told = self.start_told.max(start);
        self.allow_start(start);
    }

    /// It may start so late.
    pub fn allow_start(&mut self, start: i64) {
        self.start_allowed = self.start_allowed.max(start);
    }

    /// A request is under way that may move the start to `before`, or to the end when that is -1.
    pub fn deletion_begins(&mut self, before: i64) {
        self.deletions.push(before);
    }

    /// It has ended, and what it has done is known.
    pub fn deletion_ends(&mut self, before: i64) {
        if let Some(at) = self.deletions.iter().position(|other| *other == before) {
            self.deletions.swap_remove(at);
        }
    }

    /// It has ended, and may have been carried out.
    pub fn deletion_is_lost(&mut self, before: i64) {
        self.allow_start(self.start_of_deletion(before));
        self.deletion_ends(before);
    }

    fn start_of_deletion(&self, before: i64) -> i64 {
        if before < 0 { self.end().1 } else { before }
    }

    /// The least and the greatest high watermark.
    pub fn end(&self) -> (i64, i64) {
        let most = (self.known.len() + self.open.len()) as i64 + self.copies;
        if self.damaged {
            (0, i64::MAX)
        } else if self.has_gap {
            (self.end_told, i64::MAX)
        } else {
            (self.end_told, most.max(self.end_told))
        }
    }

    /// The least and the greatest log start.
    pub fn start(&self) -> (i64, i64) {
        if self.damaged {
            return (0, i64::MAX);
        }
        let deletions = self.deletions.iter().map(|before| self.start_of_deletion(*before));
        (self.start_told, deletions.fold(self.start_allowed, i64::max))
    }

    /// The first record that is known to be there from `from` on, with such a timestamp or a later
    /// one.
    pub fn first_at(&self, timestamp_ms: i64, from: i64) -> Option<i64> {
        let late = |(_, known): &(&i64, &Known)| known.timestamp_ms >= timestamp_ms;
        self.known.range(from..).find(late).map(|(offset, _)| *offset)
    }

    /// The latest timestamp that is known to be there from `from` on.
    pub fn latest(&self, from: i64) -> Option<i64> {
        self.known.range(from..).map(|(_, known)| known.timestamp_ms).max()
    }

    /// What must be there, by offset.
    pub fn promised(&self) -> impl Iterator<Item = (i64, Known)> {
        let from = self.start().1;
        self.known.range(from..).map(|(offset, known)| (*offset, *known))
    }

    /// What is known from one offset up to another.
    pub fn within(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, Known)> {
        let range = from..to.max(from);
        self.known.range(range).map(|(offset, known)| (*offset, *known))
    }

    /// True when the record must be there.
    pub fn holds(&self, record: RecordId) -> bool {
        self.places.get(&record).is_some_and(|offset| *offset >= self.start().1)
    }

    /// Where a record is known to be.
    pub fn place(&self, record: RecordId) -> Option<i64> {
        self.places.get(&record).copied()
    }

    /// What is known of one offset.
    pub fn at(&self, offset: i64) -> Option<Known> {
        self.known.get(&offset).copied()
    }

    /// All that is known is durable.
    pub fn made_firm(&mut self) {
        self.known.values_mut().for_each(|known| known.firm = true);
        self.end_firm = self.end_told;
    }

    /// What is not firm may be gone.
    pub fn lost_soft(&mut self) {
        let (places, open) = (&mut self.places, &mut self.open);
        self.known.retain(|_, known| {
            if !known.firm {
                places.remove(&known.record);
                open.insert(known.record);
            }
            known.firm
        });
        self.end_told = self.end_firm.max(self.start_told);
        self.has_gap |= self.start_allowed > self.end_firm;
    }

    /// The medium has damaged it: nothing that was promised can be asked for.
    pub fn damage(&mut self) {
        self.damaged = true;
        self.open.extend(self.places.keys());
        self.places.clear();
        self.known.clear();
    }

    /// The medium has damaged what finds its records by time: the records themselves are whole.
    pub fn damage_times(&mut self) {
        self.times_damaged = true;
    }

    /// True when a search by time may find something else.
    pub fn are_times_damaged(&self) -> bool {
        self.times_damaged
    }

    /// A broker has served without this log.
    pub fn pass_over(&mut self) {
        self.gaps = None;
    }

    /// The log has these gaps, and its broker serves it: the first that is new. Where it was not there
    /// at the last start, nobody knows up to where it was synced: a gap that a power loss has left is
    /// then kept, as Kafka keeps it.
    pub fn take_gaps(&mut self, gaps: &[(i64, i64)]) -> Option<(i64, i64)> {
        let known = self.gaps.replace(gaps.to_vec())?;
        let allowed = self.start().1;
        gaps.iter().copied().find(|gap| gap.1 > allowed && !known.contains(gap))
    }

    /// Whether all from `start` up to `end` is missing since before the last start.
    pub fn keeps_gap(&self, start: i64, end: i64) -> bool {
        let gaps = self.gaps.as_deref().unwrap_or_default();
        gaps.iter().any(|gap| gap.0 <= start && end <= gap.1)
    }

    /// True once it is damaged.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflict, ModelLog};

    fn of_two() -> ModelLog {
        let mut log = ModelLog::default();
        log.sent(&[7, 8, 9]);
        log.learn(0, 7, 50).unwrap();
        log.learn(1, 8, 60).unwrap();
        log
    }

    #[test]
    fn the_end_is_exact_when_every_append_is_accounted_for() {
        let mut log = of_two();
        assert_eq!(log.end(), (2, 3), "the third may be there");
        log.refused(&[9]);
        assert_eq!(log.end(), (2, 2));
    }

    #[test]
    fn an_offset_has_one_record_and_a_record_one_offset() {
        let mut log = of_two();
        assert_eq!(log.learn(1, 9, 60), Err(Conflict::Taken(8)));
        assert_eq!(log.learn(2, 8, 60), Err(Conflict::Elsewhere(1)));
        assert_eq!(log.learn(1, 8, 60), Ok(()));
    }

    #[test]
    fn what_was_not_firm_may_be_gone_and_its_offset_given_again() {
        let mut log = of_two();
        log.made_firm();
        log.learn(2, 9, 70).unwrap();
        log.lost_soft();
        assert_eq!((log.end(), log.at(2)), ((2, 3), None));
        log.sent(&[10]);
        assert_eq!(log.learn(2, 10, 80), Ok(()));
    }

    #[test]
    fn timestamps_are_found_as_they_lie_from_the_start_on() {
        let log = of_two();
        assert_eq!(log.first_at(50, 0), Some(0));
        assert_eq!(log.first_at(50, 1), Some(1));
        assert_eq!(log.first_at(61, 0), None);
        assert_eq!((log.latest(0), log.latest(2)), (Some(60), None));
    }

    #[test]
    fn the_start_is_between_what_was_told_and_what_is_allowed() {
        let mut log = of_two();
        log.allow_start(1);
        assert_eq!(log.start(), (0, 1));
        assert_eq!(log.promised().count(), 1);
        log.told_start(2);
        assert_eq!((log.start(), log.promised().count()), ((2, 2), 0));
    }
}
