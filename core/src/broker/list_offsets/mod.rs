//! ListOffsets: the ends of logs at once, offsets by timestamp mostly by a job.
//!
//! Nothing at or beyond the visible end is answered: that is the end of the broker's level, and the
//! last stable offset for who reads only what is committed.

mod search;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

pub(super) use search::{OffsetSearch, SearchedFor};

use super::Broker;
use super::lookup::LedPartition;
use super::open_requests::{OpenId, OpenRequest, OpenRequests};
use crate::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use crate::batch::TimedOffset;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::log::Log;
use crate::request::{Response, ResponseBody};
use crate::time::Instant;

/// The end (`ListOffsetsRequest`).
const LATEST: i64 = -1;
/// The start.
const EARLIEST: i64 = -2;
/// The record with the largest timestamp (KIP-734).
const MAX_TIMESTAMP: i64 = -3;
/// The start of what is not in a remote tier alone (KIP-405); here the start.
const EARLIEST_LOCAL: i64 = -4;
/// The end of what is in a remote tier (KIP-1005); here nothing is.
const LATEST_TIERED: i64 = -5;
/// The start of what is not in a remote tier yet (KIP-1023); Kafka answers nothing without one.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version that says how long to wait.
const TIMEOUT_SINCE: i16 = 10;

/// Where a partition's answer stands: topic, partition.
pub(super) type Slot = (usize, usize);

/// Requests whose searches are under way, and the searches that wait for a place.
#[derive(Debug, Default)]
pub(super) struct ListOffsets {
    open: OpenRequests<ListOffsetsResponse>,
    waiting: VecDeque<OffsetSearch>,
}

impl ListOffsets {
    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.count()
    }
}

/// What of a log a client may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Everything below the visible end.
    ReadUncommitted,
    /// Only what is below the last stable offset.
    ReadCommitted,
}

/// What becomes of one partition of a request.
enum Verdict {
    Answer(ListOffsetsPartitionResponse),
    Search(SearchedFor),
}

impl ListOffsets {
    /// The earliest moment at which a request is answered for its timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.deadline()
    }
}

impl Broker {
    pub(super) fn handle_list_offsets(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: ListOffsetsRequest,
    ) {
        let isolation = match request.isolation_level {
            0 => Some(Isolation::ReadUncommitted),
            1 => Some(Isolation::ReadCommitted),
            _ => None,
        };
        let mut searches = Vec::new();
        let mut topics: Vec<ListOffsetsTopicResponse> = Vec::with_capacity(request.topics.len());
        let mut seen = Seen::of(&request);
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let index = partition.partition_index;
                let verdict = match (isolation, seen.take(&topic.name, index)) {
                    (None, _) => refused(index, ErrorCode::UNKNOWN_SERVER_ERROR),
                    (_, Occurrence::Again) => continue,
                    (_, Occurrence::FirstOfMany) => refused(index, ErrorCode::INVALID_REQUEST),
                    (Some(isolation), Occurrence::Only) => {
                        self.judge_list_offsets(&topic.name, partition, version, isolation)
                    }
                };
                let answer = match verdict {
                    Verdict::Answer(answer) => answer,
                    Verdict::Search(search) => {
                        searches.push(((topics.len(), partitions.len()), search));
                        // As it stands when the time is up before the search is.
                        let error_code = ErrorCode::REQUEST_TIMED_OUT;
                        ListOffsetsPartitionResponse { error_code, ..not_found(index) }
                    }
                };
                partitions.push(answer);
            }
            if !partitions.is_empty() {
                topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
            }
        }
        let answer = ListOffsetsResponse { throttle_time_ms: 0, topics };
        let missing = searches.len();
        let deadline = (version >= TIMEOUT_SINCE).then(|| self.waits_until(request.timeout_ms));
        let open = OpenRequest { connection, number, deadline, missing, answer };
        if missing == 0 {
            return self.answer_list_offsets(open);
        }
        let id = self.list_offsets.open.start(open);
        for (slot, searched) in searches {
            self.begin_search(OffsetSearch::new(id, slot, searched));
        }
        self.start_searches();
    }

    fn judge_list_offsets(
        &mut self,
        topic: &str,
        partition: &ListOffsetsPartition,
        version: i16,
        isolation: Isolation,
    ) -> Verdict {
        let index = partition.partition_index;
        if !is_supported(partition.timestamp, version) {
            return refused(index, ErrorCode::UNSUPPORTED_VERSION);
        }
        let found = self.led_partition(topic, index, partition.current_leader_epoch);
        let led = match found {
            Ok(led) => led,
            Err(error) => return refused(index, error),
        };
        let Some(live) = self.logs.get(&led.log) else {
            return refused(index, ErrorCode::KAFKA_STORAGE_ERROR);
        };
        let end_of = |offset, leader_epoch| {
            let answer = ListOffsetsPartitionResponse { offset, leader_epoch, ..not_found(index) };
            Verdict::Answer(answer)
        };
        match partition.timestamp {
            LATEST => end_of(self.visible_end(&live.log, isolation), led.leader_epoch),
            EARLIEST | EARLIEST_LOCAL => {
                end_of(live.log.log_start(), epoch_of_start(&live.log, led))
            }
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Verdict::Answer(not_found(index)),
            MAX_TIMESTAMP => Verdict::Search(SearchedFor { log: led.log, isolation, time: None }),
            timestamp_ms => {
                let time = Some(timestamp_ms);
                Verdict::Search(SearchedFor { log: led.log, isolation, time })
            }
        }
    }

    pub(super) fn visible_end(&self, log: &Log, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => log.end(self.level),
            Isolation::ReadCommitted => log.last_stable(self.level),
        }
    }

    /// One partition's search has ended.
    pub(super) fn settle_list_offsets(
        &mut self,
        id: OpenId,
        (topic, partition): Slot,
        result: Result<Option<TimedOffset>, ErrorCode>,
    ) {
        let ended = self.list_offsets.open.settle(id, |answer| {
            let slot = &mut answer.topics[topic].partitions[partition];
            slot.error_code = ErrorCode::NONE;
            match result {
                Ok(None) => {}
                Ok(Some(found)) => {
                    slot.timestamp = found.timestamp_ms;
                    slot.offset = found.offset;
                    slot.leader_epoch = found.leader_epoch;
                }
                Err(error) => slot.error_code = error,
            }
        });
        if let Some(open) = ended {
            self.answer_list_offsets(open);
        }
    }

    /// Nobody waits for this connection's answers any more.
    pub(super) fn forget_list_offsets(&mut self, connection: ConnectionId) {
        self.list_offsets.open.forget(connection);
    }

    pub(super) fn expire_list_offsets(&mut self) {
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some(open) = self.list_offsets.open.expire(self.now.mono) else { return };
            self.answer_list_offsets(open);
        }
    }

    fn answer_list_offsets(&mut self, open: OpenRequest<ListOffsetsResponse>) {
        let body = ResponseBody::ListOffsets(open.answer);
        self.respond(open.connection, Response { number: open.number, body });
    }
}

/// `ListOffsetsRequest` lets each version ask for one more.
fn is_supported(timestamp: i64, version: i16) -> bool {
    match timestamp {
        0.. | LATEST | EARLIEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        EARLIEST_PENDING_UPLOAD => version >= 11,
        _ => false,
    }
}

/// The epoch of the log's first record. An empty log will have its first one under the present epoch.
fn epoch_of_start(log: &Log, led: LedPartition) -> i32 {
    let start = log.log_start();
    let begun = log.epochs().entries().iter().rev().find(|entry| entry.start_offset <= start);
    match begun {
        Some(entry) => entry.epoch,
        None if start == log.accepted_end() => led.leader_epoch,
        None => -1,
    }
}

fn not_found(partition_index: i32) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: ErrorCode::NONE,
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
    }
}

fn refused(index: i32, error_code: ErrorCode) -> Verdict {
    Verdict::Answer(ListOffsetsPartitionResponse { error_code, ..not_found(index) })
}

/// How often each partition of a request occurs: one that does so more than once gets one error.
struct Seen<'a>(BTreeMap<(&'a str, i32), Occurrence>);

#[derive(Clone, Copy)]
enum Occurrence {
    Only,
    FirstOfMany,
    Again,
}

impl<'a> Seen<'a> {
    fn of(request: &'a ListOffsetsRequest) -> Self {
        let mut seen = BTreeMap::new();
        for topic in &request.topics {
            for partition in &topic.partitions {
                seen.entry((topic.name.as_str(), partition.partition_index))
                    .and_modify(|occurrence| *occurrence = Occurrence::FirstOfMany)
                    .or_insert(Occurrence::Only);
            }
        }
        Self(seen)
    }

    fn take(&mut self, topic: &'a str, index: i32) -> Occurrence {
        let Some(occurrence) = self.0.get_mut(&(topic, index)) else { return Occurrence::Only };
        core::mem::replace(occurrence, Occurrence::Again)
    }
}
