//! A client that reads all partitions: from the earliest record, the latest or a timestamp on, in a
//! fetch session or without, waiting or not, in large steps and tiny ones, now and then from
//! somewhere else.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData, Records,
};
use klamm_core::ids::Uuid;

use super::look::look;
use super::offsets::{self, EARLIEST, Found, LATEST};
use super::session::FetchSession;
use super::{Answer, Caller, Pending, Surroundings, per_mille};
use crate::decisions::Purpose;
use crate::history::{Entry, Fetched, Question, QuestionId, SeenRecord, Told, TopicPartition};
use crate::reader::read_fetched;
use crate::world::Excuse;

/// A client that reads.
#[derive(Debug)]
pub struct Consumer {
    left: u64,
    habits: Option<Habits>,
    positions: BTreeMap<TopicPartition, Position>,
    /// High watermarks as they were told last.
    ends: BTreeMap<TopicPartition, i64>,
    session: Option<FetchSession>,
    /// A session that may still be there, though nobody knows its epoch any more.
    stale_session: i32,
    is_catching_up: bool,
    is_caught_up: bool,
    is_tidying: bool,
    /// A topic that it reads is not there any more, as it seems.
    wants_look: bool,
}

/// How it reads, all its life.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// Of Fetch.
    version: i16,
    uses_sessions: bool,
    isolation_level: i8,
    /// Where it begins; see ListOffsets.
    begin_ms: i64,
}

/// Where it reads next in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// To be looked up by timestamp.
    Unknown(i64),
    At(i64),
    /// The medium has damaged it there, and perhaps beyond.
    Damaged,
}

/// A fetch that waits for its answer.
#[derive(Debug)]
pub(super) struct PendingFetch {
    asked: BTreeMap<TopicPartition, (QuestionId, i64)>,
    mode: Mode,
    limits: FetchLimits,
    sent_micros: u64,
    /// It was sent when nobody would append any more.
    was_quiet: bool,
}

/// What a fetch has to do with sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Sessionless,
    /// Begins one.
    Full,
    Incremental,
    /// Ends one.
    Closing,
}

#[derive(Clone, Copy, Debug)]
struct FetchLimits {
    wait_ms: i32,
    bytes_min: i32,
    bytes_max: i32,
    partition_bytes_max: i32,
}

/// The first version of Fetch with sessions.
const SESSIONS_VERSION: u64 = 7;

/// The first one that names topics by id.
const TOPIC_IDS_VERSION: i16 = 13;

/// The newest.
const FETCH_VERSION: u64 = 18;

/// How long a fetch waits when faults have ended and records are still to come.
const LONG_POLL_MS: i32 = 60_000;

/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;

impl Consumer {
    pub(super) fn new(left: u64) -> Self {
        Self {
            left,
            habits: None,
            positions: BTreeMap::new(),
            ends: BTreeMap::new(),
            session: None,
            stale_session: 0,
            is_catching_up: false,
            is_caught_up: false,
            is_tidying: false,
            wants_look: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        let is_tidy = !self.is_tidying || (self.session.is_none() && self.stale_session == 0);
        self.left == 0 && (!self.is_catching_up || self.is_caught_up) && is_tidy
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
        self.is_caught_up = false;
    }

    pub(super) fn catch_up(&mut self, from_start: bool) {
        self.is_catching_up = true;
        for position in self.positions.values_mut().filter(|_| from_start) {
            *position = Position::Unknown(EARLIEST);
        }
    }

    pub(super) fn tidy_up(&mut self) {
        self.is_tidying = true;
    }

    pub(super) fn disconnected(&mut self) {
        // The epoch of its session may have moved on without an answer.
        if let Some(session) = self.session.take() {
            self.stale_session = session.id;
        }
    }

    /// A look-up has found its offset.
    pub(super) fn found(
        &mut self,
        target: &TopicPartition,
        found: Found,
        around: &Surroundings<'_>,
    ) {
        let Some(position) = self.positions.get_mut(target) else { return };
        self.wants_look |= found == Found::Failed && target.passing_id().is_some();
        *position = match (found, *position) {
            (Found::At(offset), _) => Position::At(offset),
            (Found::Nowhere, _) => Position::Unknown(LATEST),
            (Found::Failed, _) if around.excuse(target).is_some() => Position::Damaged,
            (Found::Failed, unchanged) => unchanged,
        };
    }

    pub(super) fn next(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let habits = *self.habits.get_or_insert_with(|| draw_habits(around));
        self.left = self.left.saturating_sub(1);
        if std::mem::take(&mut self.wants_look) {
            return look(caller, around);
        }
        self.follow_topics(around, habits);
        let last = self.left == 0 && self.is_tidying && (self.is_caught_up || !self.is_catching_up);
        if last && (self.session.is_some() || self.stale_session != 0) {
            return self.close(caller, around, habits);
        }
        self.seek(around);
        let unknown: Vec<_> = self.unknown().collect();
        if !unknown.is_empty() {
            return offsets::ask(caller, &unknown, around);
        }
        self.fetch(caller, around, habits)
    }

    /// Reads the topics that are there as far as it knows.
    fn follow_topics(&mut self, around: &Surroundings<'_>, habits: Habits) {
        let known: BTreeSet<TopicPartition> = all_partitions(around).collect();
        let before = self.positions.len();
        self.positions.retain(|target, _| known.contains(target));
        self.ends.retain(|target, _| known.contains(target));
        // A session that goes by names cannot tell one topic from the next of its name.
        if self.positions.len() < before && habits.version < TOPIC_IDS_VERSION {
            self.disconnected();
        }
        for target in known {
            let begin_ms = if self.is_catching_up { EARLIEST } else { habits.begin_ms };
            self.positions.entry(target).or_insert(Position::Unknown(begin_ms));
        }
    }

    fn unknown(&self) -> impl Iterator<Item = (TopicPartition, i64)> {
        self.positions.iter().filter_map(|(target, position)| match position {
            Position::Unknown(timestamp_ms) => Some((target.clone(), *timestamp_ms)),
            _ => None,
        })
    }

    /// Now and then it goes somewhere else, into the middle of a batch as it may be.
    fn seek(&mut self, around: &mut Surroundings<'_>) {
        let seek = per_mille(around.options.seek_per_mille);
        if self.is_catching_up || !around.decisions.chance(Purpose::Reader, seek) {
            return;
        }
        let at = around.decisions.below(Purpose::Reader, self.ends.len() as u64) as usize;
        let Some((target, end)) = self.ends.iter().nth(at) else { return };
        let offset = around.decisions.below(Purpose::Reader, *end as u64 + 2) as i64;
        if let Some(position @ Position::At(_)) = self.positions.get_mut(target) {
            *position = Position::At(offset);
        }
    }

    fn fetch(
        &mut self,
        caller: Caller<'_>,
        around: &mut Surroundings<'_>,
        habits: Habits,
    ) -> Bytes {
        let wanted = self.wanted(around);
        let (mode, said, forgotten) = match &mut self.session {
            Some(session) => {
                let difference = session.want(&wanted);
                (Mode::Incremental, difference.changed, difference.forgotten)
            }
            None => {
                let mode = if habits.uses_sessions { Mode::Full } else { Mode::Sessionless };
                let all = wanted.iter().map(|(target, from)| (target.clone(), *from));
                (mode, all.collect(), Vec::new())
            }
        };
        let limits = self.draw_limits(around);
        let (session_id, session_epoch) = match (mode, &self.session) {
            (Mode::Incremental, Some(session)) => (session.id, session.epoch),
            (Mode::Full, _) => (std::mem::take(&mut self.stale_session), 0),
            _ => (0, -1),
        };
        let request = FetchRequest {
            max_wait_ms: limits.wait_ms,
            min_bytes: limits.bytes_min,
            max_bytes: limits.bytes_max,
            isolation_level: habits.isolation_level,
            session_id,
            session_epoch,
            topics: topics_of(&said, around, limits.partition_bytes_max),
            forgotten_topics_data: forgotten_of(&forgotten, around),
            ..FetchRequest::default()
        };
        let by_name = habits.version < TOPIC_IDS_VERSION;
        let asked = wanted.into_iter().map(|(target, from)| {
            let question = around.ask(&target, Question::Fetch { from }, by_name);
            (target, (question, from))
        });
        let pending = PendingFetch {
            asked: asked.collect(),
            mode,
            limits,
            sent_micros: around.now_micros,
            was_quiet: around.is_quiet,
        };
        caller.request(ApiKey::FETCH, habits.version, &request, Some(Pending::Fetch(pending)))
    }

    /// Most of the time all partitions; a session may be told to forget one for a while.
    fn wanted(&self, around: &mut Surroundings<'_>) -> BTreeMap<TopicPartition, i64> {
        let mut wanted: BTreeMap<TopicPartition, i64> = self
            .positions
            .iter()
            .filter_map(|(target, position)| match position {
                Position::At(offset) => Some((target.clone(), *offset)),
                _ => None,
            })
            .collect();
        let forget = per_mille(around.options.seek_per_mille);
        if !self.is_catching_up && around.decisions.chance(Purpose::Reader, forget) {
            wanted.pop_first();
        }
        wanted
    }

    fn draw_limits(&self, around: &mut Surroundings<'_>) -> FetchLimits {
        const BYTES: [i32; 5] = [1, 200, 5_000, 1 << 20, i32::MAX];
        let decisions = &mut *around.decisions;
        if self.is_catching_up {
            let wait_ms = if around.is_quiet { 100 } else { LONG_POLL_MS };
            let (bytes_max, partition_bytes_max) = (i32::MAX, 1 << 16);
            return FetchLimits { wait_ms, bytes_min: 1, bytes_max, partition_bytes_max };
        }
        let wait_ms = decisions.between(Purpose::Reader, 0, around.options.fetch_wait_ms_max);
        let bytes_min = *decisions.pick(Purpose::Reader, &[1, 1, 0, 3_000, i32::MAX]);
        let low = around.options.tiny_fetches.min(1) as usize;
        let sizes = if low == 1 { &BYTES[..] } else { &BYTES[2..] };
        FetchLimits {
            wait_ms: wait_ms as i32,
            bytes_min,
            bytes_max: *decisions.pick(Purpose::Reader, sizes),
            partition_bytes_max: *decisions.pick(Purpose::Reader, sizes),
        }
    }

    /// Ends its session, as consumers do when they are closed.
    fn close(
        &mut self,
        caller: Caller<'_>,
        around: &mut Surroundings<'_>,
        habits: Habits,
    ) -> Bytes {
        let known = self.session.as_ref().map_or(self.stale_session, |session| session.id);
        let limits =
            FetchLimits { wait_ms: 0, bytes_min: 0, bytes_max: i32::MAX, partition_bytes_max: 0 };
        let request =
            FetchRequest { session_id: known, session_epoch: -1, ..FetchRequest::default() };
        let pending = PendingFetch {
            asked: BTreeMap::new(),
            mode: Mode::Closing,
            limits,
            sent_micros: around.now_micros,
            was_quiet: false,
        };
        caller.request(ApiKey::FETCH, habits.version, &request, Some(Pending::Fetch(pending)))
    }

    /// The broker has answered a Fetch.
    pub(super) fn fetched(
        &mut self,
        pending: PendingFetch,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let response: FetchResponse = answer.read()?;
        let error = response.error_code.0;
        if error != 0 || pending.mode == Mode::Closing {
            return self.refused(&pending, error, around);
        }
        match (pending.mode, response.session_id) {
            (Mode::Sessionless | Mode::Full, 0) => {}
            (Mode::Full, id) if id > 0 => {
                let wanted =
                    pending.asked.iter().map(|(target, (_, from))| (target.clone(), *from));
                self.session = Some(FetchSession::new(id, &wanted.collect()));
            }
            (Mode::Incremental, id) if self.session.as_ref().is_some_and(|own| own.id == id) => {
                self.session.as_mut().into_iter().for_each(FetchSession::advance);
            }
            // A session without partitions is over.
            (Mode::Incremental, 0) if pending.asked.is_empty() => self.session = None,
            (mode, id) => return Err(format!("session {id} for a fetch that is {mode:?}")),
        }
        let parts = parts_of(&response, &pending, around, answer.version)?;
        pending.check_sizes(&parts)?;
        let with_data = parts.iter().filter(|(_, data)| records_of(data).is_some()).count();
        for (target, data) in &parts {
            if let Some(session) = &mut self.session {
                session.told(target, data);
            }
        }
        for (target, (question, from)) in &pending.asked {
            let data = parts.iter().find(|(other, _)| other == target).map(|(_, data)| *data);
            let others =
                with_data - usize::from(data.is_some_and(|data| records_of(data).is_some()));
            let told = match data {
                Some(data) => self.told(target, data, around)?,
                None if pending.mode == Mode::Incremental => match &self.session {
                    Some(session) => session.silent(target)?.map(Told::Fetched),
                    None => None,
                },
                None => return Err(format!("nothing is said of {target}")),
            };
            let Some(mut told) = told else {
                around.give_up(*question);
                continue;
            };
            if let Told::Fetched(fetched) = &mut told {
                pending.complete(fetched, others, around.now_micros);
                self.advance(target, *from, fetched);
            }
            let question = *question;
            around.history.push(around.now_micros, Entry::Told { question, told });
        }
        let at_end = |(target, position): (&TopicPartition, &Position)| match position {
            Position::At(offset) => self.ends.get(target).is_some_and(|end| offset >= end),
            Position::Damaged => true,
            Position::Unknown(_) => around.excuse(target).is_some(),
        };
        self.is_caught_up = pending.was_quiet && self.positions.iter().all(at_end);
        Ok(())
    }

    /// The answer is an error of the whole, or the end of a session.
    fn refused(
        &mut self,
        pending: &PendingFetch,
        error: i16,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        const SESSION_NOT_FOUND: i16 = 70;
        pending.lost(around);
        self.session = None;
        self.stale_session = 0;
        // What is kept for sessions has an end, and a start forgets them all.
        match (pending.mode, error) {
            (Mode::Incremental | Mode::Closing, SESSION_NOT_FOUND) | (Mode::Closing, 0) => Ok(()),
            (mode, error) => Err(format!("error {error} for a fetch that is {mode:?}")),
        }
    }

    /// What one partition of an answer tells; `None` for what is excused.
    fn told(
        &mut self,
        target: &TopicPartition,
        data: &PartitionData,
        around: &Surroundings<'_>,
    ) -> Result<Option<Told>, String> {
        let excuse = around.excuse(target);
        let error = data.error_code.0;
        if error != 0 {
            self.wants_look |= target.passing_id().is_some();
            if error == OUT_OF_RANGE {
                self.positions.insert(target.clone(), Position::Unknown(EARLIEST));
            } else if let Some(excuse) = excuse {
                self.step_over(excuse);
            }
            return Ok(Some(Told::Error(error)));
        }
        let is_compacted = around.format_of(target).is_compacted();
        let read = records_of(data).map(|bytes| read_fetched(bytes, is_compacted));
        let (records, next) = match read {
            None => (Vec::new(), None),
            Some(Ok(log)) => {
                (log.records.iter().map(SeenRecord::from).collect(), Some(log.end_offset))
            }
            Some(Err(what)) => {
                let excuse = excuse.ok_or(format!("{target}: {what}"))?;
                self.step_over(excuse);
                return Ok(None);
            }
        };
        check_aborted(self.habits, data).map_err(|what| format!("{target}: {what}"))?;
        Ok(Some(Told::Fetched(Fetched {
            high_watermark: data.high_watermark,
            last_stable: data.last_stable_offset,
            log_start: data.log_start_offset,
            records,
            next,
            ..Fetched::default()
        })))
    }

    /// What lies behind the damage is read, if it can be.
    fn step_over(&mut self, excuse: &Excuse) {
        let Excuse { target, last_offset } = excuse;
        let is_before = match self.positions.get(target) {
            Some(Position::At(offset)) => offset <= last_offset,
            _ => false,
        };
        let position = if is_before { Position::At(last_offset + 1) } else { Position::Damaged };
        self.positions.insert(target.clone(), position);
    }

    fn advance(&mut self, target: &TopicPartition, from: i64, fetched: &Fetched) {
        self.ends.insert(target.clone(), fetched.high_watermark);
        if let Some(next) = fetched.next
            && self.positions.get(target) == Some(&Position::At(from))
        {
            self.positions.insert(target.clone(), Position::At(next));
        }
    }
}

impl PendingFetch {
    pub(super) fn lost(&self, around: &mut Surroundings<'_>) {
        for (question, _) in self.asked.values() {
            around.give_up(*question);
        }
    }

    /// The first batch comes whole, whatever the limits; beyond it they hold.
    fn check_sizes(&self, parts: &[(TopicPartition, &PartitionData)]) -> Result<(), String> {
        let limits = &self.limits;
        let mut total = 0;
        for (target, data) in parts {
            let Some(records) = records_of(data) else { continue };
            let head = records.first_chunk::<12>().ok_or(format!("{target}: less than a batch"))?;
            let first = i32::from_be_bytes([head[8], head[9], head[10], head[11]]) as i64 + 12;
            let least = if total == 0 { first } else { 0 };
            let (length, most) = (records.len() as i64, i64::from(limits.partition_bytes_max));
            total += length;
            // A session's partition keeps the limit that it was named with.
            let is_too_long = self.mode != Mode::Incremental && length > most.max(least);
            if is_too_long || total > i64::from(limits.bytes_max).max(least) {
                return Err(format!("{target}: {length} bytes, {total} in all, for {limits:?}"));
            }
        }
        Ok(())
    }

    /// Adds what the checker has to know of the request.
    fn complete(&self, fetched: &mut Fetched, others_with_data: usize, now_micros: u64) {
        let wait_micros = self.limits.wait_ms as u64 * 1000;
        let waits_for_one = self.limits.bytes_min <= 1;
        // A stop answers what waits for more than there is with what it likes.
        let ended_early = !waits_for_one && now_micros - self.sent_micros < wait_micros;
        fetched.is_crowded = others_with_data > 0 || ended_early;
        fetched.patience_micros = waits_for_one.then_some(wait_micros);
    }
}

fn draw_habits(around: &mut Surroundings<'_>) -> Habits {
    let decisions = &mut *around.decisions;
    let sessions = per_mille(around.options.session_per_mille);
    let uses_sessions = decisions.chance(Purpose::Reader, sessions);
    let low = if uses_sessions { SESSIONS_VERSION } else { 4 };
    let begin_ms = match decisions.below(Purpose::Reader, 4) {
        0 | 1 => EARLIEST,
        2 => LATEST,
        _ => around.wall_ms - decisions.below(Purpose::Reader, 2_000) as i64,
    };
    Habits {
        version: decisions.between(Purpose::Reader, low, FETCH_VERSION) as i16,
        uses_sessions,
        isolation_level: decisions.below(Purpose::Reader, 2) as i8,
        begin_ms,
    }
}

fn all_partitions(around: &Surroundings<'_>) -> impl Iterator<Item = TopicPartition> {
    around
        .topics
        .iter()
        .flat_map(|topic| (0..topic.partitions).map(|partition| topic.target(partition)))
}

fn topic_id(around: &Surroundings<'_>, target: &TopicPartition) -> Uuid {
    let known = || around.topic(target).map_or(Uuid::ZERO, |topic| topic.id);
    target.passing_id().unwrap_or_else(known)
}

fn topics_of(
    said: &[(TopicPartition, i64)],
    around: &Surroundings<'_>,
    partition_max_bytes: i32,
) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (target, from) in said {
        let partition = FetchPartition {
            partition: target.partition,
            fetch_offset: *from,
            partition_max_bytes,
            ..FetchPartition::default()
        };
        let (topic, topic_id) = (target.name().to_owned(), topic_id(around, target));
        let is_same =
            |other: &&mut FetchTopic| (&other.topic, other.topic_id) == (&topic, topic_id);
        match topics.iter_mut().find(is_same) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic { topic, topic_id, partitions: vec![partition] }),
        }
    }
    topics
}

fn forgotten_of(forgotten: &[TopicPartition], around: &Surroundings<'_>) -> Vec<ForgottenTopic> {
    let of_target = |target: &TopicPartition| ForgottenTopic {
        topic: target.name().to_owned(),
        topic_id: topic_id(around, target),
        partitions: vec![target.partition],
    };
    forgotten.iter().map(of_target).collect()
}

/// The partitions of an answer, in its order.
fn parts_of<'a>(
    response: &'a FetchResponse,
    pending: &PendingFetch,
    around: &Surroundings<'_>,
    version: i16,
) -> Result<Vec<(TopicPartition, &'a PartitionData)>, String> {
    let mut parts = Vec::new();
    for topic in &response.responses {
        let is_asked = |target: &&TopicPartition| {
            if version >= TOPIC_IDS_VERSION {
                topic_id(around, target) == topic.topic_id
            } else {
                target.name() == topic.topic
            }
        };
        for data in &topic.partitions {
            let partition = data.partition_index;
            let mut asked = pending.asked.keys().filter(|target| target.partition == partition);
            let target = asked.find(is_asked).cloned().ok_or_else(|| {
                format!("{} {}-{partition} was not asked for", topic.topic, topic.topic_id)
            })?;
            if parts.iter().any(|(other, _)| *other == target) {
                return Err(format!("{target} is answered twice"));
            }
            parts.push((target, data));
        }
    }
    Ok(parts)
}

/// The bytes of a partition's records; `None` for none.
fn records_of(data: &PartitionData) -> Option<&[u8]> {
    match &data.records {
        Records::Bytes(bytes) if !bytes.is_empty() => Some(bytes),
        _ => None,
    }
}

/// Without transactions, who reads what is committed is told that nothing was aborted, who does not
/// is told nothing.
fn check_aborted(habits: Option<Habits>, data: &PartitionData) -> Result<(), String> {
    let committed = habits.is_some_and(|habits| habits.isolation_level == 1);
    match &data.aborted_transactions {
        Some(list) if committed && list.is_empty() => Ok(()),
        None if !committed => Ok(()),
        other => Err(format!("aborted transactions {other:?}, committed alone: {committed}")),
    }
}
