//! DescribeProducers: who has written to partitions of late (`ReplicaManager.activeProducerState`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Broker;
use crate::api::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use crate::config::limits::LOG_PRODUCERS_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::log::producers::ActiveProducer;
use crate::query::topic_name;
use crate::request::{Response, ResponseBody};

/// Producers that one answer may list: those of one partition always fit.
const LISTED_PRODUCERS_MAX: usize = LOG_PRODUCERS_MAX;

impl Broker {
    pub(super) fn handle_describe_producers(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: DescribeProducersRequest,
    ) {
        let mut room = LISTED_PRODUCERS_MAX;
        let topics = request.topics.into_iter().map(|topic| {
            let mut absence = self.topic_absence(&topic.name);
            let describe = |index: &i32| match &mut absence {
                // The words name the topic; once is enough.
                Some((error, message)) => refused(*index, *error, message.take()),
                None => self.describe_partition(&topic.name, *index, &mut room),
            };
            let partitions = topic.partition_indexes.iter().map(describe).collect();
            TopicResponse { name: topic.name, partitions }
        });
        let answer = DescribeProducersResponse { throttle_time_ms: 0, topics: topics.collect() };
        let body = ResponseBody::DescribeProducers(answer);
        self.respond(connection, Response { number, body });
    }

    /// Why there is no such topic, and in words.
    fn topic_absence(&self, name: &str) -> Option<(ErrorCode, Option<String>)> {
        if let Some(message) = topic_name::refusal(name) {
            return Some((ErrorCode::INVALID_TOPIC_EXCEPTION, Some(message)));
        }
        let unknown = "This server does not host this topic-partition.";
        let is_here = self.image.topics.contains_key(name);
        (!is_here).then(|| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(unknown.to_string())))
    }

    /// A partition's error has no words in Kafka.
    fn describe_partition(&self, topic: &str, index: i32, room: &mut usize) -> PartitionResponse {
        let led = match self.led_partition(topic, index, -1) {
            Ok(led) => led,
            Err(error) => return refused(index, error, None),
        };
        let Some(live) = self.logs.get(&led.log) else {
            return refused(index, ErrorCode::KAFKA_STORAGE_ERROR, None);
        };
        let active = live.log.producers().active();
        let Some(left) = room.checked_sub(active.len()) else {
            let message = format!(
                "The answer would list more than {LISTED_PRODUCERS_MAX} producers; ask for fewer \
                 partitions."
            );
            return refused(index, ErrorCode::INVALID_REQUEST, Some(message));
        };
        *room = left;
        PartitionResponse {
            partition_index: index,
            error_code: ErrorCode::NONE,
            error_message: None,
            active_producers: active.map(state).collect(),
        }
    }
}

fn refused(index: i32, error_code: ErrorCode, error_message: Option<String>) -> PartitionResponse {
    let active_producers = Vec::new();
    PartitionResponse { partition_index: index, error_code, error_message, active_producers }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp_ms,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start.unwrap_or(-1),
    }
}
