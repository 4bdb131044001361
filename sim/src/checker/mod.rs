//! The checker of the promises: what clients were told must be what lies on the disk, and what the
//! next one is told.
//!
//! | answered with success, or read | killed | power loss |
//! |---|---|---|
//! | durable mode | there | there |
//! | page-cache mode | there | may be gone, unless the broker has stopped in good order since |
//!
//! A record that was sent and not answered, or answered with an error of storage or time, may be
//! there, once, however often an idempotent producer sends it. One that was refused is not there.
//! Offsets have no gaps and are given once. What is below the log's start may be gone; and when the
//! broker has started since, so may be what it knew of a producer whose batches all lie there: then
//! a batch of its that lies there is accepted anew when it is sent again, as in Kafka.
//!
//! A topic that was deleted takes its records with it, from the request on; until then, they stay
//! whatever becomes of other topics. What is asked by a topic's name is judged when only one topic
//! can have been meant.

mod broken;
mod cluster;
mod compaction;
mod groups;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::Crash;
use crate::history::{
    AppendId, Entry, QuestionId, RecordId, SeenRecord, Sequence, TopicPartition, record_id,
};
use crate::metadata::Life;
use crate::oracle::{Conflict, ModelLog};
use crate::reader::StoredLog;
pub use broken::Broken;
use cluster::Cluster;
use groups::Groups;
use reads::Asked;

/// What a topic's settings make of the batches that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicFormat {
    /// The number of the codec that all are stored with, 0 for none; `None`: as they were sent.
    pub codec: Option<u8>,
    /// They are stamped with the broker's time.
    pub append_time: bool,
    /// How many keys its records have, if it is compacted; 0 for one that is not.
    pub keys: u64,
    /// How many of its records have no value.
    pub tombstones_per_mille: u64,
    /// How long those stay, in milliseconds.
    pub tombstone_ms: u64,
}

impl TopicFormat {
    /// Only the last record of each key has to stay.
    pub fn is_compacted(&self) -> bool {
        self.keys > 0
    }

    /// Whether a record that is sent there has no value.
    pub fn is_tombstone(&self, record: RecordId) -> bool {
        let spread = record.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        spread % 1_000 < self.tombstones_per_mille
    }

    /// The key of a record that is sent there, with one or without; none is empty.
    pub fn key_of(&self, record: RecordId, keyed: bool) -> Option<[u8; 8]> {
        match record.checked_rem(self.keys) {
            Some(key) => Some(key.to_be_bytes()),
            None => keyed.then(|| record.to_be_bytes()),
        }
    }
}

/// Follows a history, and judges answers and the disk by it.
#[derive(Clone, Debug)]
pub struct Checker {
    page_cache: bool,
    wall_steps: bool,
    /// By the topic's name; the default for others.
    formats: BTreeMap<String, TopicFormat>,
    appends: BTreeMap<AppendId, Append>,
    sent: BTreeMap<RecordId, AppendId>,
    logs: BTreeMap<TopicPartition, ModelLog>,
    asked: BTreeMap<QuestionId, Asked>,
    /// When each record was first known to be there, in microseconds.
    known_at: BTreeMap<RecordId, u64>,
    cluster: Cluster,
    groups: Groups,
    producers: BTreeSet<i64>,
    /// The latest that is known of the time, in microseconds.
    now_micros: u64,
    broken: Vec<Broken>,
}

#[derive(Clone, Debug)]
struct Append {
    target: TopicPartition,
    records: Vec<RecordId>,
    keyed: bool,
    sent_ms: i64,
    sequence: Option<Sequence>,
    by_name: bool,
    /// When it was sent last, in microseconds.
    sent_micros: u64,
    state: State,
    /// Sendings that have no answer yet.
    waiting: u32,
    /// How often it was sent.
    sendings: u32,
    /// A sending has ended, and nobody knows how.
    is_unsure: bool,
    /// The time in the answer; -1 for none.
    append_ms: i64,
}

impl Append {
    fn may_be_in(&self, target: &TopicPartition) -> bool {
        let of_name =
            || (self.target.name(), self.target.partition) == (target.name(), target.partition);
        self.target == *target || self.by_name && of_name()
    }
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

impl Checker {
    /// A checker for a broker in the given mode.
    pub fn new(page_cache: bool) -> Self {
        Self {
            page_cache,
            wall_steps: false,
            formats: BTreeMap::new(),
            appends: BTreeMap::new(),
            sent: BTreeMap::new(),
            logs: BTreeMap::new(),
            asked: BTreeMap::new(),
            known_at: BTreeMap::new(),
            cluster: Cluster::default(),
            groups: Groups::default(),
            producers: BTreeSet::new(),
            now_micros: 0,
            broken: Vec::new(),
        }
    }

    /// With what topics' settings make of batches.
    pub fn with_formats(mut self, formats: BTreeMap<String, TopicFormat>) -> Self {
        self.formats = formats;
        self
    }

    /// The wall clock may step: what is stamped later may bear an earlier time.
    pub fn with_wall_steps(mut self) -> Self {
        self.wall_steps = true;
        self
    }

    /// Committed offsets need not be kept longer than that where nobody reads.
    pub fn with_offsets_retention(mut self, retention_ms: u64) -> Self {
        let retention_ms = if self.wall_steps { 0 } else { retention_ms };
        self.groups = self.groups.with_retention(retention_ms * 1000);
        self
    }

    /// Disks, or what lies on them, may go bad: groups may be lost with them, and nobody is told.
    pub fn with_lost_groups(mut self) -> Self {
        self.groups = self.groups.that_may_fail();
        self
    }

    /// Takes in what happened, `micros` after the run's start.
    pub fn observe(&mut self, micros: u64, entry: &Entry) {
        self.pass_to(micros);
        if matches!(entry, Entry::Crashed(_) | Entry::Stopped | Entry::Recovered) {
            self.logs.values_mut().for_each(ModelLog::restarted);
        }
        self.observe_groups(micros, entry);
        match entry {
            Entry::Invoke { .. } => self.invoked(micros, entry),
            Entry::Resent { append } => {
                if let Some(known) = self.appends.get_mut(append) {
                    known.waiting += 1;
                    known.sendings += 1;
                    known.sent_micros = micros;
                    self.logs.entry(known.target.clone()).or_default().sent_again(&known.records);
                }
            }
            Entry::Ok { append, base_offset, append_ms } => {
                self.acknowledged(micros, *append, *base_offset, *append_ms);
            }
            Entry::Error { append, error } => self.failed(*append, *error),
            Entry::Unknown { append } => self.ended(*append, true),
            Entry::Asked { question, target, what, by_name } => {
                self.note(*question, target, (*what, *by_name), micros);
            }
            Entry::Told { question, told } => self.judge(*question, told, micros),
            Entry::Unanswered { question } => self.give_up(*question),
            Entry::Producer { id, .. } => {
                if !self.producers.insert(*id) {
                    self.broken.push(Broken::ProducerGivenTwice { id: *id });
                }
            }
            Entry::Changing { change, subject, what } => self.change_asked(*change, subject, what),
            Entry::Changed { change, outcome } => self.change_ended(*change, outcome, micros),
            Entry::Crashed(crash) => {
                self.cluster.broker_gone(micros);
                if self.page_cache && *crash == Crash::PowerLoss {
                    self.logs.values_mut().for_each(ModelLog::lost_soft);
                }
            }
            Entry::Stopped => {
                self.cluster.broker_gone(micros);
                self.logs.values_mut().for_each(ModelLog::made_firm);
            }
            Entry::Recovered
            | Entry::GroupAsked { .. }
            | Entry::GroupTold { .. }
            | Entry::GroupSilent { .. } => {}
        }
    }

    fn invoked(&mut self, micros: u64, entry: &Entry) {
        let Entry::Invoke { append, target, records, keyed, sent_ms, sequence, by_name, .. } =
            entry
        else {
            return;
        };
        self.sent.extend(records.iter().map(|record| (*record, *append)));
        self.open_log(target);
        if *by_name {
            self.may_be_in_others(target, records.len() as i64);
        }
        self.logs.entry(target.clone()).or_default().sent(records);
        let invoked = Append {
            target: target.clone(),
            records: records.clone(),
            keyed: *keyed,
            sent_ms: *sent_ms,
            sequence: *sequence,
            by_name: *by_name,
            sent_micros: micros,
            state: State::Open,
            waiting: 1,
            sendings: 1,
            is_unsure: false,
            append_ms: -1,
        };
        self.appends.insert(*append, invoked);
    }

    fn acknowledged(&mut self, micros: u64, append: AppendId, base_offset: i64, append_ms: i64) {
        let Some(known) = self.answered(append) else { return };
        let Append { target, by_name, sent_micros, waiting, .. } = known.clone();
        // An earlier sending may have had this answer.
        let is_late = waiting == 0 && !by_name;
        let wrong = self.cluster.judge_served(&target, sent_micros).filter(|_| is_late);
        if let Some(what) = wrong {
            self.broken.push(Broken::Misread { target: target.clone(), what });
        }
        let is_meant = self.is_meant(&target, by_name, sent_micros);
        let Some(known) = self.appends.get_mut(&append) else { return };
        if !is_meant {
            known.is_unsure = true;
            return;
        }
        known.state = State::Acknowledged;
        known.append_ms = append_ms;
        let Append { target, records, sent_ms, .. } = known.clone();
        let format = self.format_of(&target);
        let timestamp_ms = if format.append_time { append_ms } else { sent_ms };
        for (offset, &record) in (base_offset..).zip(&records) {
            self.learn(micros, &target, offset, record, timestamp_ms);
        }
    }

    /// Something is asked of a log: from now on there is a model of it.
    fn open_log(&mut self, target: &TopicPartition) {
        if !self.logs.contains_key(target) {
            let place = (target.name().to_owned(), target.partition);
            let mut log = ModelLog::default();
            log.may_have(self.cluster.sent_by_name.get(&place).copied().unwrap_or(0));
            if self.format_of(target).is_compacted() {
                // What a time leads to may be gone.
                log.damage_times();
            }
            self.logs.insert(target.clone(), log);
        }
    }

    /// Records sent by a topic's name may be in any that has the name.
    fn may_be_in_others(&mut self, target: &TopicPartition, records: i64) {
        let place = (target.name().to_owned(), target.partition);
        for (other, log) in &mut self.logs {
            if other != target && (other.name(), other.partition) == (&place.0, place.1) {
                log.may_have(records);
            }
        }
        *self.cluster.sent_by_name.entry(place).or_default() += records;
    }

    /// A sending was answered with an error.
    fn failed(&mut self, append: AppendId, error: i16) {
        let Some(known) = self.appends.get(&append) else { return };
        let (target, sent_micros) = (known.target.clone(), known.sent_micros);
        if let Some(what) = self.cluster.judge_refused(&target, sent_micros, error) {
            self.broken.push(Broken::Misread { target: target.clone(), what });
        }
        // What a topic has taken that is being deleted goes with it.
        let is_going = target.passing_id().is_some() && self.life(&target) != Life::Sure;
        self.ended(append, ERRORS_OF_UNKNOWN_END.contains(&error) || is_going);
    }

    /// A sending has ended without success; perhaps it has had some all the same.
    fn ended(&mut self, append: AppendId, is_unsure: bool) {
        let Some(known) = self.answered(append) else { return };
        known.is_unsure |= is_unsure;
        if known.state == State::Open && !known.is_unsure && known.waiting == 0 {
            known.state = State::Refused;
            let (target, records) = (known.target.clone(), known.records.clone());
            self.logs.entry(target).or_default().refused(&records);
        }
    }

    fn answered(&mut self, append: AppendId) -> Option<&mut Append> {
        let known = self.appends.get_mut(&append)?;
        if known.waiting == 0 {
            self.broken.push(Broken::AnsweredTwice { append });
            return None;
        }
        known.waiting -= 1;
        Some(known)
    }

    /// A record is at an offset: for good, unless the mode lets a power loss take it.
    fn learn(
        &mut self,
        micros: u64,
        target: &TopicPartition,
        offset: i64,
        record: RecordId,
        timestamp_ms: i64,
    ) {
        self.known_at.entry(record).or_insert(micros);
        let is_forgotten = |first| self.is_forgotten(target, record, first);
        let first = self.log(target).and_then(|log| log.place(record));
        let moves = first.is_some_and(|first| first < offset && is_forgotten(first));
        let log = self.logs.entry(target.clone()).or_default();
        if moves {
            log.forget_place(record);
        }
        let target = target.clone();
        match log.learn(offset, record, timestamp_ms) {
            Ok(()) => {}
            Err(Conflict::Taken(first)) => {
                self.broken.push(Broken::OffsetGivenTwice {
                    target,
                    offset,
                    first,
                    second: record,
                });
            }
            Err(Conflict::Elsewhere(first)) => {
                self.broken.push(Broken::Duplicated { target, record, first, second: offset });
            }
        }
    }

    /// Whether the broker may have accepted a record anew that lies at `first`: an idempotent producer
    /// has sent it again, and a start has not seen the batch for it lies below the log's start.
    fn is_forgotten(&self, target: &TopicPartition, record: RecordId, first: i64) -> bool {
        let append = self.sent.get(&record).and_then(|append| self.appends.get(append));
        let is_again = append.is_some_and(|known| known.sequence.is_some() && known.sendings > 1);
        is_again && self.log(target).is_some_and(|log| first < log.forgotten_below())
    }

    /// Whether a stored log shows that the producer of a record was known when the record was
    /// appended at `second`: a later one of its lies before, and not below the log's start.
    fn shows_producer(
        &self,
        target: &TopicPartition,
        log: &StoredLog,
        record: RecordId,
        second: i64,
    ) -> bool {
        let sequence_of = |record: RecordId| {
            let append = self.appends.get(self.sent.get(&record)?)?;
            let place = append.records.iter().position(|other| *other == record)?;
            let Sequence { producer, epoch, first } = append.sequence?;
            Some((producer, epoch, first + place as i32))
        };
        let Some((producer, epoch, number)) = sequence_of(record) else { return false };
        let from = self.log(target).map_or(0, ModelLog::forgotten_below);
        let before = log.records.iter().filter(|other| (from..second).contains(&other.offset));
        before.filter_map(|other| sequence_of(record_id(&other.value))).any(
            |(other, other_epoch, later)| {
                (other, other_epoch) == (producer, epoch) && later >= number
            },
        )
    }

    /// The medium has damaged this log: what was promised of it cannot be kept.
    pub fn forgive(&mut self, damaged: &TopicPartition) {
        self.logs.entry(damaged.clone()).or_default().damage();
    }

    /// The medium has damaged what finds this log's records by their time.
    pub fn forgive_times(&mut self, damaged: &TopicPartition) {
        self.logs.entry(damaged.clone()).or_default().damage_times();
    }

    /// Retention may have moved the start of a log up to `start`.
    pub fn allow_start(&mut self, target: &TopicPartition, start: i64) {
        self.logs.entry(target.clone()).or_default().allow_start(start);
    }

    /// Every log that something is known of.
    pub fn targets(&self) -> impl Iterator<Item = &TopicPartition> {
        self.logs.keys()
    }

    /// What is known of a log.
    pub fn log(&self, target: &TopicPartition) -> Option<&ModelLog> {
        self.logs.get(target)
    }

    /// Compares what was promised with what lies on the disk. `in_service` says which logs the
    /// broker serves: they must be readable to their ends, without gaps.
    pub fn check(
        &mut self,
        logs: &BTreeMap<TopicPartition, StoredLog>,
        in_service: impl Fn(&TopicPartition) -> bool,
    ) {
        for (target, model) in &self.logs {
            if self.life(target) != Life::Sure {
                continue;
            }
            let log = logs.get(target);
            // What retention may have taken from a compacted log, and has not, has to be there like the rest.
            let (_, allowed) = model.start();
            let told = log.and_then(|log| log.start).filter(|_| !model.is_damaged());
            let start = told.map_or(allowed, |start| start.min(allowed));
            for (offset, known) in model.within(start, i64::MAX) {
                let found =
                    log.and_then(|log| log.at(offset)).map(|stored| record_id(&stored.value));
                let is_compacted =
                    found.is_none() && self.is_compacted(target, log, offset, known.record);
                if found == Some(known.record) || is_compacted {
                    continue;
                }
                let fault =
                    log.and_then(|log| log.fault.as_deref()).unwrap_or("the end of the log");
                self.broken.push(Broken::Lost {
                    target: target.clone(),
                    offset,
                    expected: known.record,
                    found: found
                        .map_or_else(|| fault.to_owned(), |other| format!("record {other}")),
                });
            }
        }
        for (target, log) in logs {
            self.check_log(target, log);
            if !in_service(target) {
                if let Some(model) = self.logs.get_mut(target) {
                    model.pass_over();
                }
            // What was deleted may still lie in a directory that is offline.
            } else if self.life(target) != Life::Over {
                self.check_gaps(target, log);
                if let Some(fault) = log.fault.clone() {
                    self.broken.push(Broken::Unreadable { target: target.clone(), fault });
                }
            }
        }
    }

    /// Offsets are missing below the log's start alone. Of a log that no client has heard of, nobody knows
    /// what may be deleted.
    fn check_gaps(&mut self, target: &TopicPartition, log: &StoredLog) {
        // Of what a compacted log lacks, each record has been judged.
        if self.format_of(target).is_compacted() {
            return;
        }
        let Some(model) = self.logs.get_mut(target) else { return };
        if let Some((start, end)) = model.take_gaps(&log.gaps) {
            let allowed = model.start().1;
            let fault = format!("offsets {start} to {end} are missing, {allowed} may be deleted");
            self.broken.push(Broken::Unreadable { target: target.clone(), fault });
        }
    }

    fn check_log(&mut self, target: &TopicPartition, log: &StoredLog) {
        let mut seen: BTreeMap<RecordId, i64> = BTreeMap::new();
        for stored in &log.records {
            let stored = SeenRecord::from(stored);
            if let Some(first) = seen.insert(stored.record, stored.offset)
                && (!self.is_forgotten(target, stored.record, first)
                    || self.shows_producer(target, log, stored.record, stored.offset))
            {
                let (target, record) = (target.clone(), stored.record);
                self.broken.push(Broken::Duplicated {
                    target,
                    record,
                    first,
                    second: stored.offset,
                });
            }
            self.check_record(target, &stored);
        }
    }

    /// A record that is there was sent there, was not refused, and is as it was sent.
    fn check_record(&mut self, target: &TopicPartition, stored: &SeenRecord) {
        let format = self.format_of(target);
        let (record, offset) = (stored.record, stored.offset);
        let append = self.sent.get(&record).and_then(|append| self.appends.get(append));
        let why = match append {
            None => "was sent by nobody",
            Some(append) if !append.may_be_in(target) => "was sent elsewhere",
            Some(append) if append.state == State::Refused => "was refused",
            Some(append) => {
                if let Some(why) = changed(append, format, stored, self.wall_steps) {
                    let target = target.clone();
                    self.broken.push(Broken::Changed { target, offset, record, why });
                }
                return;
            }
        };
        let target = target.clone();
        self.broken.push(Broken::Unasked { target, offset, record, why });
    }

    /// Broken promises found since the last call.
    pub fn take_broken(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.broken)
    }

    /// Records that must be there.
    pub fn promised(&self) -> usize {
        self.logs.values().map(|log| log.promised().count()).sum()
    }
}

/// What is wrong with a record that was sent there, beside its value.
fn changed(
    append: &Append,
    format: TopicFormat,
    stored: &SeenRecord,
    wall_steps: bool,
) -> Option<&'static str> {
    let key = format.key_of(stored.record, append.keyed);
    if stored.key != key.as_ref().map_or(&[][..], |key| &key[..]) {
        return Some("has another key");
    }
    if format.codec.is_some_and(|codec| codec != stored.codec) {
        return Some("is not stored with its topic's codec");
    }
    if format.append_time != stored.append_time {
        return Some("has a timestamp of the wrong type");
    }
    // A duplicate is answered with the time of its batch, whoever stamped it.
    let is_told = append.state == State::Acknowledged && append.sendings == 1;
    let answered = if stored.append_time { stored.timestamp_ms } else { -1 };
    if is_told && append.append_ms != answered {
        return Some("was answered with another time of the append");
    }
    let in_time = if format.append_time {
        wall_steps || stored.timestamp_ms >= append.sent_ms
    } else {
        stored.timestamp_ms == append.sent_ms
    };
    (!in_time).then_some("has another timestamp")
}
