//! The judge of what clients are told beside the ends of their appends: each answer is held against
//! the model of its log.
//!
//! What was known when the question was asked bounds the answer from below (nothing goes back), what
//! may have happened when it comes bounds it from above. Where no append and no deletion is open,
//! the two meet, and only one answer is right.

use super::{Broken, Checker};
use crate::history::{
    ActiveProducer, Fetched, Question, QuestionId, SeenRecord, Told, TopicPartition,
};
use crate::oracle::ModelLog;

/// A question, with what was known when it was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    target: TopicPartition,
    what: Question,
    by_name: bool,
    at_micros: u64,
    end: i64,
    start: i64,
    /// The first offset with the timestamp asked for.
    found: Option<i64>,
    /// The latest timestamp.
    latest_ms: Option<i64>,
    /// Acknowledged batches of idempotent producers: producer, epoch, last sequence number.
    producers: Vec<ActiveProducer>,
}

/// Kafka's special timestamps of ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;

/// An answer that is there may take so long to leave and arrive, and a wait so long to end.
const LATE_MICROS: u64 = 25_000_000;

impl Checker {
    pub(super) fn note(
        &mut self,
        question: QuestionId,
        target: &TopicPartition,
        (what, by_name): (Question, bool),
        at_micros: u64,
    ) {
        let producers = match what {
            Question::Producers => self.active_producers(target),
            _ => Vec::new(),
        };
        self.open_log(target);
        let log = self.logs.entry(target.clone()).or_default();
        let start_allowed = log.start().1;
        let found = match what {
            Question::Offset { timestamp_ms } if timestamp_ms >= 0 => {
                log.first_at(timestamp_ms, start_allowed)
            }
            _ => None,
        };
        let latest_ms = match what {
            Question::Offset { timestamp_ms: MAX_TIMESTAMP } => log.latest(start_allowed),
            _ => None,
        };
        if let Question::Delete { before } = what {
            log.deletion_begins(before);
        }
        let asked = Asked {
            target: target.clone(),
            what,
            by_name,
            at_micros,
            end: log.end().0,
            start: log.start().0,
            found,
            latest_ms,
            producers,
        };
        self.asked.insert(question, asked);
    }

    /// No answer will come: what was asked for may have been done.
    pub(super) fn give_up(&mut self, question: QuestionId) {
        let Some(asked) = self.asked.remove(&question) else { return };
        if let Question::Delete { before } = asked.what {
            self.logs.entry(asked.target).or_default().deletion_is_lost(before);
        }
    }

    pub(super) fn judge(&mut self, question: QuestionId, told: &Told, at_micros: u64) {
        let Some(asked) = self.asked.remove(&question) else { return };
        let target = asked.target.clone();
        if !self.is_meant(&target, asked.by_name, asked.at_micros) {
            return;
        }
        let presence = match told {
            Told::Error(error) => self.cluster.judge_refused(&target, asked.at_micros, *error),
            _ => self.cluster.judge_served(&target, asked.at_micros),
        };
        if let Some(what) = presence {
            self.broken.push(Broken::Misread { target, what });
            return;
        }
        let log = self.logs.entry(target.clone()).or_default();
        let wrong = match (asked.what, told) {
            (Question::Fetch { from }, Told::Fetched(fetched)) => {
                return self.judge_fetched(&asked, from, fetched, at_micros);
            }
            (Question::Fetch { from }, Told::Polled(records)) => {
                return self.judge_polled(&target, from, records, at_micros);
            }
            (
                Question::Offset { timestamp_ms },
                Told::Offset { offset, timestamp_ms: found_ms },
            ) => judge_offset(log, &asked, timestamp_ms, *offset, *found_ms),
            (Question::Delete { before }, Told::Start { offset }) => {
                let wrong = judge_deleted(log, &asked, before, *offset);
                log.deletion_ends(before);
                log.told_start(*offset);
                log.told_end(*offset);
                wrong
            }
            (Question::EpochEnd { .. }, Told::EpochEnd { offset }) => {
                let most = log.end().1;
                (*offset > most).then(|| format!("an epoch ends at {offset}, the log at {most}"))
            }
            (Question::Producers, Told::Producers(told)) => judge_producers(log, &asked, told),
            (what, Told::Error(error)) => {
                match what {
                    Question::Delete { before } if *error == OUT_OF_RANGE => {
                        log.deletion_ends(before);
                    }
                    // An error of time or storage may come behind the deed.
                    Question::Delete { before } => log.deletion_is_lost(before),
                    _ => {}
                }
                judge_error(log, &asked, *error)
            }
            (what, told) => Some(format!("{what:?} was answered with {told:?}")),
        };
        self.broken.extend(wrong.map(|what| Broken::Misread { target, what }));
    }

    fn judge_fetched(&mut self, asked: &Asked, from: i64, fetched: &Fetched, at_micros: u64) {
        let target = &asked.target;
        self.see(target, &fetched.records, at_micros);
        let late = self.judge_time(asked, from, fetched, at_micros);
        let missed = self.judge_records(asked, from, fetched);
        let log = self.logs.entry(target.clone()).or_default();
        let wrong = judge_bounds(log, asked, fetched).or(missed).or(late);
        if wrong.is_none() {
            log.told_end(fetched.high_watermark);
            log.told_start(fetched.log_start);
        }
        let target = target.clone();
        self.broken.extend(wrong.map(|what| Broken::Misread { target, what }));
    }

    /// Nobody has skipped a record, or gone back: but over what may be deleted.
    fn judge_polled(
        &mut self,
        target: &TopicPartition,
        from: i64,
        records: &[SeenRecord],
        at_micros: u64,
    ) {
        self.see(target, records, at_micros);
        let log = self.log(target);
        let allowed = log.map_or(0, |log| log.start().1);
        let may_miss = |from, to| {
            to <= allowed
                || log.is_some_and(|log| log.keeps_gap(from, to))
                || self.may_be_compacted(target, from, to)
        };
        let mut next = from;
        for seen in records {
            let is_next = seen.offset == next || next < seen.offset && may_miss(next, seen.offset);
            if !is_next {
                let what = format!("a consumer at {next} is given offset {}", seen.offset);
                self.broken.push(Broken::Misread { target: target.clone(), what });
                return;
            }
            next = seen.offset + 1;
        }
    }

    /// Records were shown: they are there for good.
    fn see(&mut self, target: &TopicPartition, records: &[SeenRecord], at_micros: u64) {
        for seen in records {
            self.check_record(target, seen);
            if self.sent.contains_key(&seen.record) {
                self.learn(at_micros, target, seen.offset, seen.record, seen.timestamp_ms);
            }
        }
    }

    /// The records of a fetch: the whole batch that holds the offset, then one after another.
    fn judge_records(&self, asked: &Asked, from: i64, fetched: &Fetched) -> Option<String> {
        let target = &asked.target;
        let log = self.log(target)?;
        let may_miss =
            |one, next| log.keeps_gap(one, next) || self.may_be_compacted(target, one, next);
        let offsets = || fetched.records.iter().map(|seen| seen.offset);
        let Some((first, last)) = offsets().next().zip(offsets().last()) else {
            let end = asked.end;
            // There are batches without records where a log is compacted.
            let next = fetched.next.unwrap_or(from);
            let withheld = from < end && !fetched.is_crowded && next <= from;
            if withheld || !may_miss(from, next) && next > from {
                return Some(format!(
                    "nothing from {from} on, {next} is next, and the log reaches to {end}"
                ));
            }
            return None;
        };
        let reaches = last.max(fetched.next.unwrap_or(0) - 1);
        if first > from && !may_miss(from, first) || reaches < from {
            return Some(format!("offsets {first} to {last} for a fetch from {from}"));
        }
        let pairs = offsets().zip(offsets().skip(1));
        let gap =
            pairs.into_iter().find(|(one, next)| *next != one + 1 && !may_miss(one + 1, *next));
        gap.map(|(one, next)| format!("offset {next} follows {one}"))
    }

    /// A fetch that waits for its first byte is answered when there is one, or its time is over.
    fn judge_time(
        &self,
        asked: &Asked,
        from: i64,
        fetched: &Fetched,
        at_micros: u64,
    ) -> Option<String> {
        let patience = fetched.patience_micros?;
        let waited = at_micros - asked.at_micros;
        let first = fetched.records.iter().find(|seen| seen.offset >= from);
        let known_at = first.and_then(|seen| self.known_at.get(&seen.record));
        let idle = known_at
            .map_or(0, |known_at| at_micros - (*known_at).clamp(asked.at_micros, at_micros));
        if waited > patience + LATE_MICROS {
            return Some(format!(
                "a fetch from {from} waited {waited} us, {patience} were asked for"
            ));
        }
        (idle > LATE_MICROS).then(|| {
            format!("a fetch from {from} was not woken for {idle} us though there was a record")
        })
    }

    /// What producers have had acknowledged in this partition, each one's last batch.
    fn active_producers(&self, target: &TopicPartition) -> Vec<ActiveProducer> {
        let log = self.logs.get(target);
        let of_append = |append: &super::Append| {
            let sequence = append.sequence?;
            let is_there =
                append.records.iter().all(|record| log.is_some_and(|log| log.holds(*record)));
            let counts =
                append.target == *target && append.state == super::State::Acknowledged && is_there;
            let last_sequence = sequence.first + append.records.len() as i32 - 1;
            let epoch = i32::from(sequence.epoch);
            counts.then_some(ActiveProducer { id: sequence.producer, epoch, last_sequence })
        };
        let mut last: Vec<ActiveProducer> = Vec::new();
        for active in self.appends.values().filter_map(of_append) {
            match last.iter_mut().find(|other| other.id == active.id) {
                Some(other) if other.last_sequence >= active.last_sequence => {}
                Some(other) => *other = active,
                None => last.push(active),
            }
        }
        last
    }
}

fn judge_bounds(log: &ModelLog, asked: &Asked, fetched: &Fetched) -> Option<String> {
    let (end, stable) = (fetched.high_watermark, fetched.last_stable);
    let last = fetched.records.last().map_or(0, |seen| seen.offset + 1);
    // What this answer itself has told counts.
    if end < asked.end.min(log.end().0) {
        return Some(format!("high watermark {end}, {} was told before", asked.end));
    }
    if end > log.end().1 {
        return Some(format!("high watermark {end}, no more than {} were sent", log.end().1));
    }
    if stable != end {
        return Some(format!("last stable offset {stable}, high watermark {end}, no transactions"));
    }
    if last > end {
        return Some(format!("a record at {}, high watermark {end}", last - 1));
    }
    (fetched.log_start >= 0).then(|| judge_start(log, asked, fetched.log_start)).flatten()
}

fn judge_start(log: &ModelLog, asked: &Asked, start: i64) -> Option<String> {
    let most = log.start().1;
    if start < asked.start.min(log.start().0) {
        return Some(format!("log start {start}, {} was told before", asked.start));
    }
    (start > most).then(|| format!("log start {start}, and nothing beyond {most} may be deleted"))
}

fn judge_offset(
    log: &mut ModelLog,
    asked: &Asked,
    timestamp_ms: i64,
    offset: i64,
    found_ms: i64,
) -> Option<String> {
    let (least, most) = log.end();
    match timestamp_ms {
        LATEST => {
            let is_wrong = offset < asked.end.min(least) || offset > most;
            if !is_wrong {
                log.told_end(offset);
            }
            is_wrong
                .then(|| format!("latest offset {offset}, from {} to {most} are right", asked.end))
        }
        EARLIEST | EARLIEST_LOCAL => {
            let wrong = judge_start(log, asked, offset);
            if wrong.is_none() {
                log.told_start(offset);
            }
            wrong
        }
        _ if log.are_times_damaged() => {
            let is_outside = offset < -1 || offset >= most.max(1);
            is_outside.then(|| format!("a time is at {offset}, the log ends at {most}"))
        }
        MAX_TIMESTAMP => {
            let from = log.start().1;
            // Deletions may have taken what had the latest one when the question was asked.
            let known = asked.latest_ms.filter(|_| log.latest(from) >= asked.latest_ms);
            let early = known.is_some_and(|known| found_ms < known);
            early.then(|| format!("latest timestamp {found_ms} at {offset}, there is {known:?}"))
        }
        _ => judge_timestamp(log, asked, timestamp_ms, offset, found_ms),
    }
}

fn judge_timestamp(
    log: &ModelLog,
    asked: &Asked,
    timestamp_ms: i64,
    offset: i64,
    found_ms: i64,
) -> Option<String> {
    let start = log.start().1;
    let asked_for = format!("timestamp {timestamp_ms}");
    if offset < 0 {
        let missed = asked.found.filter(|found| *found >= start);
        return missed.map(|found| format!("{asked_for} is nowhere, {found} has it"));
    }
    let earlier = log.first_at(timestamp_ms, start).filter(|found| *found < offset);
    if let Some(found) = earlier {
        return Some(format!("{asked_for} is at {offset}, {found} comes first"));
    }
    let known = log.at(offset).filter(|known| known.timestamp_ms != found_ms);
    let wrong = found_ms < timestamp_ms || known.is_some();
    wrong.then(|| format!("{asked_for} is at {offset} with {found_ms}, there is {known:?}"))
}

fn judge_deleted(log: &ModelLog, asked: &Asked, before: i64, start: i64) -> Option<String> {
    let (_, most) = log.end();
    let low = if before < 0 { asked.end } else { before };
    let high = if before < 0 { most } else { before.max(log.start().1) };
    (start < low || start > high)
        .then(|| format!("deleted before {before}, the log starts at {start}"))
}

fn judge_producers(log: &ModelLog, asked: &Asked, told: &[ActiveProducer]) -> Option<String> {
    if log.is_damaged() {
        return None;
    }
    asked.producers.iter().find_map(|known| {
        let found = told.iter().find(|other| other.id == known.id);
        let later = |other: &ActiveProducer| {
            (other.epoch, other.last_sequence) >= (known.epoch, known.last_sequence)
        };
        (!found.is_some_and(later)).then(|| format!("{known:?} is known as {found:?}"))
    })
}

/// Of the errors, only the range of offsets is the model's business.
fn judge_error(log: &ModelLog, asked: &Asked, error: i16) -> Option<String> {
    let (start, (end, _)) = (log.start().1, log.end());
    let outside = |offset: i64| offset < start || offset > asked.end.min(end);
    let wrong = match asked.what {
        _ if error != OUT_OF_RANGE => false,
        Question::Fetch { from } => !outside(from),
        Question::Delete { before } => !outside(before),
        _ => true,
    };
    wrong.then(|| format!("{:?} is out of range, {start} to {end} are in it", asked.what))
}
