//! Produce (key 0): record batches to append.
//!
//! Versions 0 to 2 went with Kafka 4.0. They are still advertised, for librdkafka takes their
//! absence for a broker without compression (KAFKA-18659), but a request of them closes its
//! connection.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks to append record batches.
    pub struct ProduceRequest (versions: 3..=13, flexible: 9..) {
        /// The transactional id; null outside transactions.
        transactional_id: Option<String> { versions: 3.., nullable: 3.. },
        /// Which answer is wanted: 0 none, 1 the leader's, -1 that of all in-sync replicas.
        acks: i16 { versions: 0.. },
        /// How long to wait for replicas, in milliseconds.
        timeout_ms: i32 { versions: 0.. },
        /// The topics.
        topic_data: Vec<TopicProduceData> { versions: 0.. },
    }

    /// A topic to append to.
    pub struct TopicProduceData {
        /// Its name.
        name: String { versions: 0..=12 },
        /// Its id.
        topic_id: Uuid { versions: 13.. },
        /// The partitions.
        partition_data: Vec<PartitionProduceData> { versions: 0.. },
    }

    /// A partition to append to.
    pub struct PartitionProduceData {
        /// Its index.
        index: i32 { versions: 0.. },
        /// Record batches: a slice of the frame.
        records: Option<Bytes> { versions: 0.., nullable: 0.., default: None },
    }

    /// The answer to a [`ProduceRequest`].
    pub struct ProduceResponse (versions: 3..=13, flexible: 9..) {
        /// The topics.
        responses: Vec<TopicProduceResponse> { versions: 0.. },
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// Where the leaders named in the partitions are reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint> { versions: 10.., tag: 0 },
    }

    /// A topic appended to.
    pub struct TopicProduceResponse {
        /// Its name.
        name: String { versions: 0..=12 },
        /// Its id.
        topic_id: Uuid { versions: 13.. },
        /// The partitions.
        partition_responses: Vec<PartitionProduceResponse> { versions: 0.. },
    }

    /// A partition appended to.
    pub struct PartitionProduceResponse {
        /// Its index.
        index: i32 { versions: 0.. },
        /// None, or why nothing was appended.
        error_code: ErrorCode { versions: 0.. },
        /// The first record's offset; -1 when nothing was appended.
        base_offset: i64 { versions: 0.. },
        /// The broker's time when the topic is LogAppendTime, else -1.
        log_append_time_ms: i64 { versions: 2.., default: -1 },
        /// Where the log starts; -1 when it was not looked at.
        log_start_offset: i64 { versions: 5.., default: -1 },
        /// What is wrong with single records (KIP-467).
        record_errors: Vec<BatchIndexAndErrorMessage> { versions: 8.. },
        /// A sentence on why the batch was refused.
        error_message: Option<String> { versions: 8.., nullable: 8.. },
        /// The leader that the producer should turn to.
        current_leader: LeaderIdAndEpoch { versions: 10.., tag: 0 },
    }

    /// A record that was refused.
    pub struct BatchIndexAndErrorMessage {
        /// Its place in the batch.
        batch_index: i32 { versions: 8.. },
        /// Why.
        batch_index_error_message: Option<String> { versions: 8.., nullable: 8.. },
    }

    /// A partition's leader.
    pub struct LeaderIdAndEpoch {
        /// Its node id; -1 for none.
        leader_id: i32 { versions: 10.., default: -1 },
        /// The leader's epoch.
        leader_epoch: i32 { versions: 10.., default: -1 },
    }

    /// Where a node is reached.
    pub struct NodeEndpoint {
        /// Its id.
        node_id: i32 { versions: 10.. },
        /// Its host.
        host: String { versions: 10.. },
        /// The port there.
        port: i32 { versions: 10.. },
        /// Its rack, if it has one.
        rack: Option<String> { versions: 10.., nullable: 10.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::DecodeError;
    use crate::codec::testing::{encode, round_trip, round_trip_all};
    use crate::codec::{Message, Reader};

    fn request(name: &str, topic_id: Uuid) -> ProduceRequest {
        let records = [Some(Bytes::from_static(b"batch")), Some(Bytes::new()), None];
        let partition_data = records
            .into_iter()
            .zip(0..)
            .map(|(records, index)| PartitionProduceData { index, records })
            .collect();
        ProduceRequest {
            transactional_id: Some("transaction".into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![TopicProduceData { name: name.into(), topic_id, partition_data }],
        }
    }

    fn response() -> ProduceResponse {
        let partition = PartitionProduceResponse {
            index: 1,
            error_code: ErrorCode::INVALID_RECORD,
            base_offset: 7,
            log_append_time_ms: 8,
            log_start_offset: 9,
            record_errors: vec![BatchIndexAndErrorMessage {
                batch_index: 3,
                batch_index_error_message: Some("bad".into()),
            }],
            error_message: Some("worse".into()),
            current_leader: LeaderIdAndEpoch { leader_id: 1, leader_epoch: 2 },
        };
        ProduceResponse {
            responses: vec![TopicProduceResponse {
                name: String::new(),
                topic_id: Uuid([3; 16]),
                partition_responses: vec![partition],
            }],
            throttle_time_ms: 6,
            node_endpoints: vec![NodeEndpoint {
                node_id: 1,
                host: "h".into(),
                port: 9092,
                rack: None,
            }],
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&request("", Uuid([3; 16])));
        round_trip_all(&response());
        for version in 3..=12 {
            let by_name = request("t", Uuid::ZERO);
            assert_eq!(round_trip(&by_name, version), by_name);
        }
    }

    #[test]
    fn records_are_a_slice_of_the_frame() {
        let frame = encode(&request("t", Uuid::ZERO), 9);
        let decoded = ProduceRequest::read(&mut Reader::new(&frame), 9).unwrap();
        let records = decoded.topic_data[0].partition_data[0].records.clone().unwrap();
        assert_eq!(records, &b"batch"[..]);
        assert!(frame.as_ptr_range().contains(&records.as_ptr()));
    }

    #[test]
    fn a_healthy_answer_has_no_tagged_fields() {
        let healthy = PartitionProduceResponse::default();
        let answer = ProduceResponse {
            responses: vec![TopicProduceResponse {
                partition_responses: vec![healthy],
                ..Default::default()
            }],
            ..Default::default()
        };
        let expected = [&[2, 1, 2][..], &[0; 4 + 2 + 8], &[0xff; 16], &[1, 0, 0, 0], &[0; 4], &[0]];
        assert_eq!(encode(&answer, 10), expected.concat());
    }

    #[test]
    fn removed_versions_are_not_decoded() {
        for version in [0, 1, 2, 14] {
            let read = ProduceRequest::read(&mut Reader::new(&Bytes::new()), version);
            assert_eq!(read, Err(DecodeError::UnknownVersion(version)));
        }
    }
}
