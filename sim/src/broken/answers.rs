//! Brokers whose answers lie, or that hear something else than was asked.

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::api::fetch::{FetchResponse, PartitionData, Records};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::{ConnectionId, RequestNumber};
use klamm_core::request::{AppendOutcome, Request, RequestBody, Response, ResponseBody};

use crate::layer::Layer;

/// Applies a lie to each partition of a fetch's answer.
fn partitions(response: &mut Response) -> impl Iterator<Item = &mut PartitionData> {
    let fetched: Option<&mut FetchResponse> = match &mut response.body {
        ResponseBody::Fetch(fetched) => Some(fetched),
        _ => None,
    };
    let topics = fetched.into_iter().flat_map(|fetched| &mut fetched.responses);
    topics.flat_map(|topic| &mut topic.partitions)
}

fn is_empty(data: &PartitionData) -> bool {
    match &data.records {
        Records::Bytes(bytes) => bytes.is_empty(),
        Records::File(range) => range.length == 0,
    }
}

/// Lets the high watermark fall now and then.
#[derive(Debug, Default)]
pub struct LowersHighWatermark {
    answers: u64,
}

impl Layer for LowersHighWatermark {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        self.answers += 1;
        let lowers = self.answers.is_multiple_of(3);
        for data in partitions(response).filter(|data| lowers && is_empty(data)) {
            data.high_watermark = (data.high_watermark - 1).max(0);
            data.last_stable_offset = data.high_watermark;
        }
    }
}

/// Tells producers an offset that another one was told.
#[derive(Debug, Default)]
pub struct ReusesOffsets {
    last: i64,
    answers: u64,
}

impl Layer for ReusesOffsets {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Produce(outcomes) = &mut response.body {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.error == ErrorCode::NONE) {
                self.answers += 1;
                if self.answers.is_multiple_of(3) {
                    outcome.base_offset = self.last;
                }
                self.last = outcome.base_offset;
            }
        }
    }
}

/// Wakes no fetch that waits: it hears of one that waits for all bytes that there can be.
#[derive(Debug, Default)]
pub struct WakesNobody;

impl Layer for WakesNobody {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::Fetch { request, .. } = &mut request.body {
            request.min_bytes = i32::MAX;
        }
    }
}

/// Never ends a session: it hears of a fetch without one.
#[derive(Debug, Default)]
pub struct LeaksSessions;

impl Layer for LeaksSessions {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::Fetch { request, .. } = &mut request.body
            && request.session_epoch == -1
        {
            request.session_id = 0;
        }
    }
}

/// Refuses deletions beyond the end, and deletes up to the end all the same. For one partition alone.
#[derive(Debug, Default)]
pub struct DeletesWhatItRefuses {
    end: i64,
    beyond: BTreeMap<(ConnectionId, RequestNumber), i64>,
}

impl Layer for DeletesWhatItRefuses {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::DeleteRecords { request: asked, .. } = &mut request.body {
            for partition in asked.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                if partition.offset > self.end {
                    self.beyond.insert((from, request.number), partition.offset);
                    partition.offset = -1;
                }
            }
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        for data in partitions(response) {
            self.end = self.end.max(data.high_watermark);
        }
        let beyond = self.beyond.remove(&(to, response.number));
        if let (ResponseBody::DeleteRecords(told), Some(beyond)) = (&mut response.body, beyond) {
            let partitions = told.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in partitions.filter(|partition| partition.low_watermark < beyond) {
                partition.error_code = ErrorCode::OFFSET_OUT_OF_RANGE;
                partition.low_watermark = -1;
            }
        }
    }
}

/// Does not notice each second connection's end.
#[derive(Debug, Default)]
pub struct LeaksConnections {
    ends: u64,
}

impl Layer for LeaksConnections {
    fn end(&mut self, _: ConnectionId) -> bool {
        self.ends += 1;
        !self.ends.is_multiple_of(2)
    }
}

/// Takes a byte less back than was granted, each third time.
#[derive(Debug, Default)]
pub struct LeaksBudget {
    discharges: u64,
}

impl Layer for LeaksBudget {
    fn discharge(&mut self, bytes: usize) -> usize {
        self.discharges += u64::from(bytes > 0);
        bytes.saturating_sub(usize::from(self.discharges.is_multiple_of(3)))
    }
}

/// Says nothing, in a session, of a partition that has changed.
#[derive(Debug, Default)]
pub struct ForgetsInSession {
    incremental: BTreeSet<(ConnectionId, u64)>,
    answers: u64,
}

impl Layer for ForgetsInSession {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::Fetch { request: fetch, .. } = &request.body
            && fetch.session_epoch > 0
        {
            self.incremental.insert((from, request.number.0));
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if self.incremental.remove(&(to, response.number.0))
            && let ResponseBody::Fetch(fetched) = &mut response.body
        {
            self.answers += 1;
            if self.answers.is_multiple_of(2) {
                fetched.responses.pop();
            }
        }
    }
}

/// Answers a batch that it has seen before without waiting for the first one to be safe.
#[derive(Debug, Default)]
pub struct AnswersDuplicatesEarly {
    /// Base offsets by producer and first sequence number, as they were written.
    written: BTreeMap<(i64, i32), i64>,
    seen: BTreeSet<(i64, i32)>,
    answered: Vec<(ConnectionId, RequestNumber)>,
}

impl AnswersDuplicatesEarly {
    /// A batch is on its way to its log.
    fn note(&mut self, batch: &[u8]) {
        let Some(head) = batch.first_chunk::<57>() else { return };
        let base_offset = i64::from_be_bytes(head[..8].try_into().expect("8 bytes"));
        let producer = i64::from_be_bytes(head[43..51].try_into().expect("8 bytes"));
        let sequence = i32::from_be_bytes(head[53..57].try_into().expect("4 bytes"));
        self.written.entry((producer, sequence)).or_insert(base_offset);
    }
}

impl Layer for AnswersDuplicatesEarly {
    fn effect(
        &mut self,
        _: klamm_core::ids::EffectId,
        effect: &mut klamm_core::effect::Effect,
    ) -> crate::layer::Carry {
        for data in super::writes_of_logs(effect) {
            self.note(&data);
        }
        crate::layer::Carry::Honestly
    }

    fn request(&mut self, from: ConnectionId, request: &mut Request) -> Option<Response> {
        let RequestBody::Produce(command) = &request.body else { return None };
        let [append] = &command.partitions[..] else { return None };
        let info = append.batch.as_ref()?.info();
        let key = (info.producer_id, info.base_sequence);
        if info.producer_id < 0 || self.seen.insert(key) {
            return None;
        }
        let base_offset = *self.written.get(&key)?;
        self.answered.push((from, request.number));
        let outcome = AppendOutcome {
            error: ErrorCode::NONE,
            base_offset,
            log_append_time_ms: -1,
            log_start_offset: 0,
        };
        let body = ResponseBody::Produce(vec![outcome]);
        Some(Response { number: request.number, body })
    }

    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        let early = |(known, number): &(ConnectionId, RequestNumber)| {
            *known == to && *number == response.number
        };
        match self.answered.iter().position(early) {
            Some(at) => {
                self.answered.remove(at);
                Vec::new()
            }
            None => vec![(to, response)],
        }
    }
}

/// Answers one request in ten never: the answer is lost on its way.
#[derive(Debug, Default)]
pub struct ForgetsAnswers {
    answers: u64,
}

impl Layer for ForgetsAnswers {
    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        self.answers += 1;
        if self.answers.is_multiple_of(10) { Vec::new() } else { vec![(to, response)] }
    }
}

/// Appends now and then to the partition beside the one that was named.
#[derive(Debug, Default)]
pub struct AppendsElsewhere {
    appends: u64,
}

impl Layer for AppendsElsewhere {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        let RequestBody::Produce(command) = &mut request.body else { return };
        for append in &mut command.partitions {
            self.appends += 1;
            if self.appends.is_multiple_of(3) {
                append.partition ^= 1;
            }
        }
    }
}

/// Appends a batch, and says that its topic is not there; to its first clients alone.
#[derive(Debug, Default)]
pub struct RefusesWhatItTakes {
    answers: u64,
}

impl Layer for RefusesWhatItTakes {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Produce(outcomes) = &mut response.body {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.error == ErrorCode::NONE) {
                self.answers += 1;
                if self.answers.is_multiple_of(3) && self.answers < 12 {
                    outcome.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                }
            }
        }
    }
}

/// Gives every producer the id of the first.
#[derive(Debug, Default)]
pub struct GivesProducerIdsTwice {
    first: Option<i64>,
}

impl Layer for GivesProducerIdsTwice {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::InitProducerId(given) = &mut response.body
            && given.error_code == ErrorCode::NONE
        {
            given.producer_id = *self.first.get_or_insert(given.producer_id);
        }
    }
}

/// Finds the offset behind the right one, by some of the timestamps that can be asked for.
#[derive(Debug)]
pub struct MisplacesOffsets {
    by: fn(i64) -> bool,
    /// The timestamps of each request that has not been answered.
    asked: BTreeMap<(ConnectionId, u64), Vec<i64>>,
}

impl MisplacesOffsets {
    /// Those that a look-up `by` these timestamps finds.
    pub fn found(by: fn(i64) -> bool) -> Self {
        Self { by, asked: BTreeMap::new() }
    }
}

impl Layer for MisplacesOffsets {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::ListOffsets { request: asked, .. } = &request.body {
            let partitions = asked.topics.iter().flat_map(|topic| &topic.partitions);
            let timestamps = partitions.map(|partition| partition.timestamp).collect();
            self.asked.insert((from, request.number.0), timestamps);
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let ResponseBody::ListOffsets(found) = &mut response.body
            && let Some(timestamps) = self.asked.remove(&(to, response.number.0))
        {
            let partitions = found.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for (partition, timestamp_ms) in partitions.zip(timestamps) {
                if (self.by)(timestamp_ms) && partition.offset >= 0 {
                    partition.offset += 1;
                }
            }
        }
    }
}

/// Tells of epochs that end behind the log.
#[derive(Debug, Default)]
pub struct TellsLaterEpochEnds;

impl Layer for TellsLaterEpochEnds {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::OffsetForLeaderEpoch(told) = &mut response.body {
            let partitions = told.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in partitions.filter(|partition| partition.end_offset >= 0) {
                partition.end_offset += 1_000;
            }
        }
    }
}
