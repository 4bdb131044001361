//! What may be missing of a log that is compacted: a record of whose key there is a later one, and a
//! tombstone whose time is over, together with all that it stands for.

use super::{Checker, State, TopicFormat};
use crate::history::{RecordId, TopicPartition, record_id};
use crate::reader::StoredLog;

impl Checker {
    /// It is so late, in microseconds after the run's start.
    pub fn pass_to(&mut self, micros: u64) {
        self.now_micros = self.now_micros.max(micros);
    }

    pub(super) fn format_of(&self, target: &TopicPartition) -> TopicFormat {
        self.formats.get(&target.topic).copied().unwrap_or_default()
    }

    /// Whether a record that was at `offset` is rightly missing in a stored log.
    pub(super) fn is_compacted(
        &self,
        target: &TopicPartition,
        log: Option<&StoredLog>,
        offset: i64,
        record: RecordId,
    ) -> bool {
        let format = self.format_of(target);
        let Some(log) = log.filter(|_| format.is_compacted()) else { return false };
        let key = format.key_of(record, true);
        let of_key =
            log.records.iter().filter(|other| format.key_of(record_id(&other.value), true) == key);
        // The last one with its key is either a later one, or there is none at all.
        match of_key.map(|other| other.offset).max() {
            Some(last) => last > offset,
            None => self.ends_in_tombstone(target, offset, record),
        }
    }

    /// Whether a tombstone of the record's key, at `offset` or behind, has taken it and is over.
    fn ends_in_tombstone(&self, target: &TopicPartition, offset: i64, record: RecordId) -> bool {
        let (format, log) = (self.format_of(target), self.log(target));
        let key = format.key_of(record, true);
        let place = |other: &RecordId| log.and_then(|log| log.place(*other));
        let is_behind = |other: &&RecordId| {
            format.key_of(**other, true) == key && place(other).is_none_or(|at| at >= offset)
        };
        let appends = self
            .appends
            .values()
            .filter(|append| append.state != State::Refused && append.may_be_in(target));
        let mut later = appends.flat_map(|append| append.records.iter().filter(is_behind));
        later.any(|other| self.is_over(format, *other))
    }

    /// Whether all that is known from `from` up to `to` may be gone: not everybody is told of what comes later.
    pub(super) fn may_be_compacted(&self, target: &TopicPartition, from: i64, to: i64) -> bool {
        let format = self.format_of(target);
        let Some(log) = self.log(target).filter(|_| format.is_compacted()) else { return false };
        log.within(from, to).all(|(offset, known)| {
            let key = format.key_of(known.record, true);
            let is_later = |other: &RecordId| {
                format.key_of(*other, true) == key
                    && *other != known.record
                    && log.place(*other).is_none_or(|at| at > offset)
            };
            let mut appends = self
                .appends
                .values()
                .filter(|append| append.state != State::Refused && append.may_be_in(target));
            appends.any(|append| append.records.iter().any(is_later))
                || self.is_over(format, known.record)
        })
    }

    /// A tombstone that has stayed as long as it must. One that was sent again may have come with the first
    /// sending.
    fn is_over(&self, format: TopicFormat, record: RecordId) -> bool {
        let append = self.sent.get(&record).and_then(|append| self.appends.get(append));
        let Some(append) = append.filter(|_| format.is_tombstone(record)) else { return false };
        let until = append.sent_micros.saturating_add(format.tombstone_ms.saturating_mul(1_000));
        self.wall_steps || append.sendings > 1 || until <= self.now_micros
    }
}
