//! The checker of the promises: what clients were told must be what lies on the disk.
//!
//! | answered with success | killed | power loss |
//! |---|---|---|
//! | durable mode | there | there |
//! | page-cache mode | there | may be gone, unless the broker has stopped in good order since |
//!
//! A record that was sent and not answered, or answered with an error of storage or time, may be
//! there, once. One that was refused is not there. Offsets have no gaps and are given once.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::disk::Crash;
use crate::history::{AppendId, Entry, RecordId, TopicPartition};
use crate::reader::{StoredLog, StoredRecord};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// An acknowledged record is not where the answer said.
    #[error("{target} offset {offset}: record {expected} was acknowledged, there is {found}")]
    Lost {
        /// Where.
        target: TopicPartition,
        /// The offset that the answer named.
        offset: i64,
        /// The record.
        expected: RecordId,
        /// What is there.
        found: String,
    },
    /// Two acknowledged records have one offset.
    #[error("{target} offset {offset} was given to record {first} and to record {second}")]
    OffsetGivenTwice {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// Acknowledged first.
        first: RecordId,
        /// Acknowledged later.
        second: RecordId,
    },
    /// A record is there twice.
    #[error("{target}: record {record} lies at offset {first} and at offset {second}")]
    Duplicated {
        /// Where.
        target: TopicPartition,
        /// The record.
        record: RecordId,
        /// One offset.
        first: i64,
        /// The other.
        second: i64,
    },
    /// A record is there that nobody sent there, or that was refused.
    #[error("{target} offset {offset}: record {record} {why}")]
    Unasked {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// The record, 0 for none of ours.
        record: RecordId,
        /// What is wrong.
        why: &'static str,
    },
    /// A record is there, and not as it was sent or as its topic wants it.
    #[error("{target} offset {offset}: record {record} {why}")]
    Changed {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// The record.
        record: RecordId,
        /// What is wrong.
        why: &'static str,
    },
    /// A log that is in service cannot be read to its end.
    #[error("{target}: {fault}")]
    Unreadable {
        /// Which.
        target: TopicPartition,
        /// File, position and why.
        fault: String,
    },
    /// An append has two answers.
    #[error("append {} was answered twice", append.0)]
    AnsweredTwice {
        /// Which.
        append: AppendId,
    },
}

/// What a topic's settings make of the batches that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicFormat {
    /// The number of the codec that all are stored with, 0 for none; `None`: as they were sent.
    pub codec: Option<u8>,
    /// They are stamped with the broker's time.
    pub append_time: bool,
}

/// Follows a history, and judges the disk by it.
#[derive(Clone, Debug)]
pub struct Checker {
    page_cache: bool,
    /// By the topic's name; the default for others.
    formats: BTreeMap<String, TopicFormat>,
    appends: BTreeMap<AppendId, Append>,
    sent: BTreeMap<RecordId, AppendId>,
    /// What must be there, by place; true when a clean stop has made it durable in any mode.
    promised: BTreeMap<(TopicPartition, i64), (RecordId, bool)>,
    broken: Vec<Broken>,
}

#[derive(Clone, Debug)]
struct Append {
    target: TopicPartition,
    records: Vec<RecordId>,
    keyed: bool,
    sent_ms: i64,
    state: State,
    /// The time in the answer; -1 for none.
    append_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may have happened, once.
    Open,
    Acknowledged,
    /// It has not happened.
    Refused,
}

/// Errors after which records may be there all the same: KAFKA_STORAGE_ERROR, REQUEST_TIMED_OUT,
/// UNKNOWN_SERVER_ERROR, NOT_ENOUGH_REPLICAS_AFTER_APPEND.
const ERRORS_OF_UNKNOWN_END: [i16; 4] = [56, 7, -1, 20];

/// Bytes of a record's id, big-endian. A value is its id again and again, so that a wrong byte
/// anywhere makes it nobody's.
pub const RECORD_ID_BYTES: usize = 8;

impl Checker {
    /// A checker for a broker in the given mode.
    pub fn new(page_cache: bool) -> Self {
        Self {
            page_cache,
            formats: BTreeMap::new(),
            appends: BTreeMap::new(),
            sent: BTreeMap::new(),
            promised: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// With what topics' settings make of batches.
    pub fn with_formats(mut self, formats: BTreeMap<String, TopicFormat>) -> Self {
        self.formats = formats;
        self
    }

    /// Takes in what happened.
    pub fn observe(&mut self, entry: &Entry) {
        match entry {
            Entry::Invoke { append, target, records, keyed, sent_ms, .. } => {
                self.sent.extend(records.iter().map(|record| (*record, *append)));
                let invoked = Append {
                    target: target.clone(),
                    records: records.clone(),
                    keyed: *keyed,
                    sent_ms: *sent_ms,
                    state: State::Open,
                    append_ms: -1,
                };
                self.appends.insert(*append, invoked);
            }
            Entry::Ok { append, base_offset, append_ms } => {
                self.answered(*append, State::Acknowledged);
                if let Some(known) = self.appends.get_mut(append) {
                    known.append_ms = *append_ms;
                }
                self.promise(*append, *base_offset);
            }
            Entry::Error { append, error } if ERRORS_OF_UNKNOWN_END.contains(error) => {
                self.answered(*append, State::Open);
            }
            Entry::Error { append, .. } => self.answered(*append, State::Refused),
            Entry::Crashed(Crash::PowerLoss) if self.page_cache => {
                self.promised.retain(|_, (_, firm)| *firm);
            }
            Entry::Stopped => {
                self.promised.values_mut().for_each(|(_, firm)| *firm = true);
            }
            Entry::Unknown { .. } | Entry::Crashed(_) | Entry::Recovered => {}
        }
    }

    fn answered(&mut self, append: AppendId, state: State) {
        let Some(known) = self.appends.get_mut(&append) else { return };
        if known.state != State::Open {
            self.broken.push(Broken::AnsweredTwice { append });
        }
        known.state = state;
    }

    fn promise(&mut self, append: AppendId, base_offset: i64) {
        let Some(Append { target, records, .. }) = self.appends.get(&append) else { return };
        for (offset, &second) in (base_offset..).zip(records) {
            let place = (target.clone(), offset);
            if let Some((first, _)) = self.promised.insert(place, (second, false)) {
                let target = target.clone();
                self.broken.push(Broken::OffsetGivenTwice { target, offset, first, second });
            }
        }
    }

    /// The medium has damaged this log: what was promised of it cannot be kept.
    pub fn forgive(&mut self, damaged: &TopicPartition) {
        self.promised.retain(|(target, _), _| target != damaged);
    }

    /// Compares what was promised with what lies on the disk. `in_service` says which logs the
    /// broker serves: they must be readable to their ends.
    pub fn check(
        &mut self,
        logs: &BTreeMap<TopicPartition, StoredLog>,
        in_service: impl Fn(&TopicPartition) -> bool,
    ) {
        for ((target, offset), (expected, _)) in &self.promised {
            let log = logs.get(target);
            let first = log.and_then(|log| log.records.first()).map_or(0, |record| record.offset);
            let stored = usize::try_from(offset - first)
                .ok()
                .and_then(|index| log.and_then(|log| log.records.get(index)));
            let found = stored.map(|record| record_id(&record.value));
            if found == Some(*expected) {
                continue;
            }
            let fault = log.and_then(|log| log.fault.as_deref()).unwrap_or("the end of the log");
            self.broken.push(Broken::Lost {
                target: target.clone(),
                offset: *offset,
                expected: *expected,
                found: found.map_or_else(|| fault.to_owned(), |record| format!("record {record}")),
            });
        }
        for (target, log) in logs {
            self.check_log(target, log);
            if let Some(fault) = log.fault.clone().filter(|_| in_service(target)) {
                self.broken.push(Broken::Unreadable { target: target.clone(), fault });
            }
        }
    }

    fn check_log(&mut self, target: &TopicPartition, log: &StoredLog) {
        let format = self.formats.get(&target.topic).copied().unwrap_or_default();
        let mut seen: BTreeMap<RecordId, i64> = BTreeMap::new();
        for stored in &log.records {
            let (record, offset) = (record_id(&stored.value), stored.offset);
            if let Some(first) = seen.insert(record, offset) {
                let target = target.clone();
                self.broken.push(Broken::Duplicated { target, record, first, second: offset });
            }
            let append = self.sent.get(&record).and_then(|append| self.appends.get(append));
            let why = match append {
                None => "was sent by nobody",
                Some(append) if append.target != *target => "was sent elsewhere",
                Some(append) if append.state == State::Refused => "was refused",
                Some(append) => {
                    if let Some(why) = changed(append, format, record, stored) {
                        let target = target.clone();
                        self.broken.push(Broken::Changed { target, offset, record, why });
                    }
                    continue;
                }
            };
            let target = target.clone();
            self.broken.push(Broken::Unasked { target, offset, record, why });
        }
    }

    /// Broken promises found since the last call.
    pub fn take_broken(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.broken)
    }

    /// Records that must be there.
    pub fn promised(&self) -> usize {
        self.promised.len()
    }
}

/// What is wrong with a record that was sent there, beside its value.
fn changed(
    append: &Append,
    format: TopicFormat,
    record: RecordId,
    stored: &StoredRecord,
) -> Option<&'static str> {
    let key: &[u8] = if append.keyed { &record.to_be_bytes() } else { &[] };
    let acknowledged = append.state == State::Acknowledged;
    if stored.key != key {
        return Some("has another key");
    }
    if format.codec.is_some_and(|codec| codec != stored.codec) {
        return Some("is not stored with its topic's codec");
    }
    if format.append_time != stored.append_time {
        return Some("has a timestamp of the wrong type");
    }
    let answered = if stored.append_time { stored.timestamp_ms } else { -1 };
    if acknowledged && append.append_ms != answered {
        return Some("was answered with another time of the append");
    }
    let in_time = if format.append_time {
        stored.timestamp_ms >= append.sent_ms
    } else {
        stored.timestamp_ms == append.sent_ms
    };
    (!in_time).then_some("has another timestamp")
}

fn record_id(value: &[u8]) -> RecordId {
    let Some(id) = value.first_chunk::<RECORD_ID_BYTES>() else { return 0 };
    let is_whole = value.chunks(RECORD_ID_BYTES).all(|part| id.starts_with(part));
    if is_whole { u64::from_be_bytes(*id) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::{Broken, Checker, TopicFormat};
    use crate::disk::Crash;
    use crate::history::{AppendId, Entry, TopicPartition};
    use crate::reader::{StoredLog, StoredRecord};

    fn target() -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: 0 }
    }

    fn checker(page_cache: bool) -> Checker {
        let mut checker = Checker::new(page_cache);
        for append in 1..=3 {
            let records = vec![append * 10, append * 10 + 1];
            let (append, client) = (AppendId(append), 0);
            let (keyed, sent_ms) = (false, 5);
            let target = target();
            checker.observe(&Entry::Invoke { append, client, target, records, keyed, sent_ms });
        }
        checker
    }

    fn log(records: &[u64]) -> BTreeMap<TopicPartition, StoredLog> {
        let stored = |(offset, record): (i64, &u64)| StoredRecord {
            offset,
            key: Bytes::new(),
            value: Bytes::copy_from_slice(&record.to_be_bytes()),
            timestamp_ms: 5,
            append_time: false,
            codec: 0,
        };
        let records = (0..).zip(records).map(stored).collect();
        BTreeMap::from([(target(), StoredLog { records, ..StoredLog::default() })])
    }

    #[test]
    fn a_value_with_a_wrong_byte_is_nobodys() {
        assert_eq!(super::record_id(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0]), 7);
        assert_eq!(super::record_id(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 1]), 0);
        assert_eq!(super::record_id(&[0, 0]), 0);
    }

    fn judged(checker: &mut Checker, records: &[u64]) -> Vec<Broken> {
        checker.check(&log(records), |_| true);
        checker.take_broken()
    }

    fn ok(append: u64, base_offset: i64) -> Entry {
        Entry::Ok { append: AppendId(append), base_offset, append_ms: -1 }
    }

    #[test]
    fn what_was_acknowledged_is_there_and_what_was_not_may_be() {
        let mut checker = checker(false);
        checker.observe(&ok(2, 0));
        assert_eq!(judged(&mut checker, &[20, 21]), []);
        assert_eq!(judged(&mut checker, &[20, 21, 10, 11]), []);
        assert!(matches!(judged(&mut checker, &[20])[..], [Broken::Lost { offset: 1, .. }]));
        assert!(matches!(judged(&mut checker, &[21, 20])[..], [Broken::Lost { .. }, _]));
    }

    #[test]
    fn a_record_is_there_once_and_only_where_it_was_sent() {
        let mut checker = checker(false);
        checker.observe(&Entry::Error { append: AppendId(3), error: 3 });
        assert!(matches!(judged(&mut checker, &[10, 10])[..], [Broken::Duplicated { .. }]));
        assert!(matches!(
            judged(&mut checker, &[30])[..],
            [Broken::Unasked { why: "was refused", .. }]
        ));
        assert!(matches!(judged(&mut checker, &[99])[..], [Broken::Unasked { .. }]));
        let mut elsewhere = log(&[10]);
        let stored = elsewhere.remove(&target()).unwrap();
        elsewhere.insert(TopicPartition { topic: "u".to_owned(), partition: 0 }, stored);
        checker.check(&elsewhere, |_| true);
        assert!(matches!(
            checker.take_broken()[..],
            [Broken::Unasked { why: "was sent elsewhere", .. }]
        ));
    }

    #[test]
    fn an_error_of_storage_leaves_it_open_whether_it_happened() {
        let mut checker = checker(false);
        checker.observe(&Entry::Error { append: AppendId(1), error: 56 });
        assert_eq!(judged(&mut checker, &[10, 11]), []);
        assert_eq!(judged(&mut checker, &[]), []);
    }

    #[test]
    fn one_offset_is_given_once_and_one_append_answered_once() {
        let mut checker = checker(false);
        checker.observe(&ok(1, 0));
        checker.observe(&ok(2, 1));
        assert!(matches!(checker.take_broken()[..], [Broken::OffsetGivenTwice { offset: 1, .. }]));
        checker.observe(&ok(1, 7));
        assert_eq!(checker.take_broken(), [Broken::AnsweredTwice { append: AppendId(1) }]);
    }

    #[test]
    fn page_cache_mode_promises_nothing_beyond_a_power_loss_unless_stopped_well() {
        let mut checker = checker(true);
        checker.observe(&ok(1, 0));
        checker.observe(&Entry::Crashed(Crash::Killed));
        assert_eq!(judged(&mut checker, &[]).len(), 2);
        checker.observe(&Entry::Stopped);
        checker.observe(&ok(2, 2));
        checker.observe(&Entry::Crashed(Crash::PowerLoss));
        assert_eq!(judged(&mut checker, &[]).len(), 2, "the first is firm, the second is not");
        assert_eq!(judged(&mut checker, &[10, 11]), []);
    }

    #[test]
    fn a_record_is_stored_as_its_topic_wants_it() {
        let format = TopicFormat { codec: Some(4), append_time: true };
        let formats = BTreeMap::from([("t".to_owned(), format)]);
        let mut checker = checker(false).with_formats(formats);
        let answer = Entry::Ok { append: AppendId(1), base_offset: 0, append_ms: 9 };
        checker.observe(&answer);
        let mut why_changed = |key: &'static [u8], timestamp_ms, append_time, codec| {
            let mut logs = log(&[10, 11]);
            for stored in &mut logs.get_mut(&target()).unwrap().records {
                let (offset, value) = (stored.offset, stored.value.clone());
                let key = Bytes::from_static(key);
                *stored = StoredRecord { offset, key, value, timestamp_ms, append_time, codec };
            }
            checker.check(&logs, |_| true);
            checker.take_broken().into_iter().next().map(|broken| match broken {
                Broken::Changed { why, .. } => why,
                other => panic!("{other}"),
            })
        };
        assert_eq!(why_changed(b"", 9, true, 4), None);
        assert_eq!(why_changed(b"k", 9, true, 4), Some("has another key"));
        assert_eq!(why_changed(b"", 9, true, 0), Some("is not stored with its topic's codec"));
        assert_eq!(why_changed(b"", 9, false, 4), Some("has a timestamp of the wrong type"));
        assert_eq!(
            why_changed(b"", 8, true, 4),
            Some("was answered with another time of the append")
        );
    }

    #[test]
    fn without_a_stamp_a_record_keeps_the_time_it_was_sent_with() {
        let mut checker = checker(false);
        checker.observe(&ok(1, 0));
        let mut logs = log(&[10, 11]);
        logs.get_mut(&target()).unwrap().records[1].timestamp_ms = 6;
        checker.check(&logs, |_| true);
        assert!(matches!(
            checker.take_broken()[..],
            [Broken::Changed { record: 11, why: "has another timestamp", .. }]
        ));
    }

    #[test]
    fn a_log_in_service_is_readable_to_its_end() {
        let mut checker = checker(false);
        let mut logs = log(&[10]);
        logs.get_mut(&target()).unwrap().fault = Some("CRC".to_owned());
        checker.check(&logs, |_| false);
        assert_eq!(checker.take_broken(), []);
        checker.check(&logs, |_| true);
        assert!(matches!(checker.take_broken()[..], [Broken::Unreadable { .. }]));
    }
}
