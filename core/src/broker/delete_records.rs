//! DeleteRecords: moves the start of logs forward as clients ask for it (KIP-107).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Broker;
use super::log_starts::Target;
use super::open_requests::{OpenId, OpenRequest, OpenRequests};
use crate::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, LogId, RequestNumber};
use crate::query::topic_name::is_internal;
use crate::request::{Response, ResponseBody};

/// Stands for the high watermark (`DeleteRecordsRequest.HIGH_WATERMARK`).
const HIGH_WATERMARK: i64 = -1;

/// Requests whose starts are on their way.
pub(super) type DeleteRecords = OpenRequests<DeleteRecordsResponse>;

/// Where an answer stands: the request, topic, partition.
pub(super) type RecordsSlot = (OpenId, usize, usize);

impl Broker {
    pub(super) fn handle_delete_records(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: DeleteRecordsRequest,
    ) {
        // Of a partition that stands there twice the last counts.
        let mut asked = BTreeMap::new();
        for topic in &request.topics {
            let offsets = topic.partitions.iter();
            asked.extend(offsets.map(|it| ((topic.name.as_str(), it.partition_index), it.offset)));
        }
        let mut moves = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for &DeleteRecordsPartition { partition_index, .. } in &topic.partitions {
                let Some(offset) = asked.remove(&(topic.name.as_str(), partition_index)) else {
                    continue;
                };
                let slot = (topics.len(), partitions.len());
                let judged = self.judge_deletion(&topic.name, partition_index, offset);
                let (low_watermark, error_code) = match judged {
                    Ok(Deletion::Done(log_start)) => (log_start, ErrorCode::NONE),
                    Ok(Deletion::Move(log, start)) => {
                        moves.push((slot, log, start));
                        // As it stands when the time is up before the start is durable.
                        (-1, ErrorCode::REQUEST_TIMED_OUT)
                    }
                    Err(error) => (-1, error),
                };
                let result =
                    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code };
                partitions.push(result);
            }
            if !partitions.is_empty() {
                topics.push(DeleteRecordsTopicResult { name: topic.name.clone(), partitions });
            }
        }
        let answer = DeleteRecordsResponse { throttle_time_ms: 0, topics };
        let deadline = Some(self.waits_until(request.timeout_ms));
        let open = OpenRequest { connection, number, deadline, missing: moves.len(), answer };
        if open.missing == 0 {
            return self.answer_delete_records(open);
        }
        let id = self.delete_records.start(open);
        for ((topic, partition), log, start) in moves {
            let slot = (id, topic, partition);
            self.move_log_start(log, Target::Offset(start), Some(slot));
        }
    }

    /// What is to be done for one partition (`Partition.deleteRecordsOnLeader`).
    fn judge_deletion(&self, topic: &str, index: i32, offset: i64) -> Result<Deletion, ErrorCode> {
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let config = &self.image.topics.get(topic).ok_or(unknown)?.config;
        if is_internal(topic) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        let led = self.led_partition(topic, index, -1)?;
        if !config.deletes_old {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        let live = self.logs.get(&led.log).ok_or(ErrorCode::KAFKA_STORAGE_ERROR)?;
        let high_watermark = live.log.end(self.level);
        let start = if offset == HIGH_WATERMARK { high_watermark } else { offset };
        if start < 0 || start > high_watermark {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if start <= live.log.log_start() {
            return Ok(Deletion::Done(live.log.log_start()));
        }
        Ok(Deletion::Move(led.log, start))
    }

    /// The start of a slot's log is durable, or will not be.
    pub(super) fn settle_delete_records(
        &mut self,
        (id, topic, partition): RecordsSlot,
        log_start: Result<i64, ErrorCode>,
    ) {
        let ended = self.delete_records.settle(id, |answer| {
            let slot = &mut answer.topics[topic].partitions[partition];
            (slot.low_watermark, slot.error_code) = match log_start {
                Ok(log_start) => (log_start, ErrorCode::NONE),
                Err(error) => (-1, error),
            };
        });
        if let Some(open) = ended {
            self.answer_delete_records(open);
        }
    }

    pub(super) fn expire_delete_records(&mut self) {
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some(open) = self.delete_records.expire(self.now.mono) else { return };
            self.answer_delete_records(open);
        }
    }

    fn answer_delete_records(&mut self, open: OpenRequest<DeleteRecordsResponse>) {
        let body = ResponseBody::DeleteRecords(open.answer);
        self.respond(open.connection, Response { number: open.number, body });
    }
}

/// What becomes of a partition's records.
enum Deletion {
    /// The log starts there already, or later.
    Done(i64),
    /// The log is to start there.
    Move(LogId, i64),
}
