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
    fn response(
        &mut self,
        to: ConnectionId,
        mut response: Response,
    ) -> Vec<(ConnectionId, Response)> {
        self.answers += 1;
        let lowers = self.answers.is_multiple_of(3);
        for data in partitions(&mut response).filter(|data| lowers && is_empty(data)) {
            data.high_watermark = (data.high_watermark - 1).max(0);
            data.last_stable_offset = data.high_watermark;
        }
        vec![(to, response)]
    }
}

/// Tells producers an offset that another one was told.
#[derive(Debug, Default)]
pub struct ReusesOffsets {
    last: i64,
    answers: u64,
}

impl Layer for ReusesOffsets {
    fn response(
        &mut self,
        to: ConnectionId,
        mut response: Response,
    ) -> Vec<(ConnectionId, Response)> {
        if let ResponseBody::Produce(outcomes) = &mut response.body {
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.error == ErrorCode::NONE) {
                self.answers += 1;
                if self.answers.is_multiple_of(3) {
                    outcome.base_offset = self.last;
                }
                self.last = outcome.base_offset;
            }
        }
        vec![(to, response)]
    }
}

/// Wakes no fetch that waits: it hears of one that waits for all bytes that there can be.
#[derive(Debug, Default)]
pub struct WakesNobody;

impl Layer for WakesNobody {
    fn request(&mut self, _: ConnectionId, request: &mut Request) -> Option<Response> {
        if let RequestBody::Fetch { request, .. } = &mut request.body {
            request.min_bytes = i32::MAX;
        }
        None
    }
}

/// Never ends a session: it hears of a fetch without one.
#[derive(Debug, Default)]
pub struct LeaksSessions;

impl Layer for LeaksSessions {
    fn request(&mut self, _: ConnectionId, request: &mut Request) -> Option<Response> {
        if let RequestBody::Fetch { request, .. } = &mut request.body
            && request.session_epoch == -1
        {
            request.session_id = 0;
        }
        None
    }
}

/// Says nothing, in a session, of a partition that has changed.
#[derive(Debug, Default)]
pub struct ForgetsInSession {
    incremental: BTreeSet<(ConnectionId, u64)>,
    answers: u64,
}

impl Layer for ForgetsInSession {
    fn request(&mut self, from: ConnectionId, request: &mut Request) -> Option<Response> {
        if let RequestBody::Fetch { request: fetch, .. } = &request.body
            && fetch.session_epoch > 0
        {
            self.incremental.insert((from, request.number.0));
        }
        None
    }

    fn response(
        &mut self,
        to: ConnectionId,
        mut response: Response,
    ) -> Vec<(ConnectionId, Response)> {
        if self.incremental.remove(&(to, response.number.0))
            && let ResponseBody::Fetch(fetched) = &mut response.body
        {
            self.answers += 1;
            if self.answers.is_multiple_of(2) {
                fetched.responses.pop();
            }
        }
        vec![(to, response)]
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
