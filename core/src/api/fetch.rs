//! Fetch (key 1): records of many partitions, in fetch sessions or without (KIP-227).
//!
//! Topics go by name up to version 12, by id from 13 on (KIP-516). Versions 0 to 3 went with Kafka 4.0.

use alloc::string::String;
use alloc::vec::Vec;

pub use super::produce::{LeaderIdAndEpoch, NodeEndpoint};
pub use crate::codec::Records;
use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::{FileId, Uuid};

message! {
    /// Asks for records.
    pub struct FetchRequest (versions: 4..=18, flexible: 12..) {
        /// The id of the cluster that the follower belongs to.
        cluster_id: Option<String> { versions: 12.., nullable: 12.., tag: 0 },
        /// The follower that asks; -1 for a consumer.
        replica_id: i32 { versions: 0..=14, default: -1 },
        /// The same since version 15 (KIP-903).
        replica_state: ReplicaState { versions: 15.., tag: 1 },
        /// How long to wait for `min_bytes`, in milliseconds.
        max_wait_ms: i32 { versions: 0.. },
        /// How many bytes of records are worth an answer before that time.
        min_bytes: i32 { versions: 0.. },
        /// The most bytes of records wanted.
        max_bytes: i32 { versions: 3.., default: i32::MAX },
        /// 0: all that is there; 1: only what is committed.
        isolation_level: i8 { versions: 4.. },
        /// The fetch session; 0 for none.
        session_id: i32 { versions: 7.. },
        /// The request's place in its session; 0 opens one, -1 goes without.
        session_epoch: i32 { versions: 7.., default: -1 },
        /// The topics.
        topics: Vec<FetchTopic> { versions: 0.. },
        /// Partitions that leave the session.
        forgotten_topics_data: Vec<ForgottenTopic> { versions: 7.. },
        /// Where the consumer stands.
        rack_id: String { versions: 11.. },
    }

    /// The follower that asks.
    pub struct ReplicaState {
        /// Its node id; -1 for a consumer.
        replica_id: i32 { versions: 15.., default: -1 },
        /// Its broker epoch; -1 for none.
        replica_epoch: i64 { versions: 15.., default: -1 },
    }

    /// A topic to read.
    pub struct FetchTopic {
        /// Its name.
        topic: String { versions: 0..=12 },
        /// Its id.
        topic_id: Uuid { versions: 13.. },
        /// The partitions.
        partitions: Vec<FetchPartition> { versions: 0.. },
    }

    /// A partition to read.
    pub struct FetchPartition {
        /// Its index.
        partition: i32 { versions: 0.. },
        /// The leader epoch that the reader knows; -1 for none (KIP-320).
        current_leader_epoch: i32 { versions: 9.., default: -1 },
        /// The offset to begin at.
        fetch_offset: i64 { versions: 0.. },
        /// The epoch of the record before it; -1 for none (KIP-595).
        last_fetched_epoch: i32 { versions: 12.., default: -1 },
        /// Where the follower's log starts.
        log_start_offset: i64 { versions: 5.., default: -1 },
        /// The most bytes of records wanted from this partition.
        partition_max_bytes: i32 { versions: 0.. },
        /// The follower's log directory (KIP-853).
        replica_directory_id: Uuid { versions: 17.., tag: 0 },
        /// The high watermark that the follower knows (KIP-1166).
        high_watermark: i64 { versions: 18.., tag: 1, default: i64::MAX },
    }

    /// Partitions that leave the session.
    pub struct ForgottenTopic {
        /// Their topic's name.
        topic: String { versions: 7..=12 },
        /// Its id.
        topic_id: Uuid { versions: 13.. },
        /// Their indexes.
        partitions: Vec<i32> { versions: 7.. },
    }

    /// The answer to a [`FetchRequest`].
    pub struct FetchResponse (versions: 4..=18, flexible: 12..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or why nothing at all was read.
        error_code: ErrorCode { versions: 7.. },
        /// The fetch session; 0 for none.
        session_id: i32 { versions: 7.. },
        /// The topics.
        responses: Vec<FetchableTopicResponse> { versions: 0.. },
        /// Where the leaders named in the partitions are reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint> { versions: 16.., tag: 0 },
    }

    /// A topic read.
    pub struct FetchableTopicResponse {
        /// Its name.
        topic: String { versions: 0..=12 },
        /// Its id.
        topic_id: Uuid { versions: 13.. },
        /// The partitions.
        partitions: Vec<PartitionData> { versions: 0.. },
    }

    /// A partition read.
    pub struct PartitionData {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// None, or why it was not read.
        error_code: ErrorCode { versions: 0.. },
        /// The end of what is visible; -1 when it was not looked at.
        high_watermark: i64 { versions: 0.. },
        /// The end of what is decided; -1 when it was not looked at.
        last_stable_offset: i64 { versions: 4.., default: -1 },
        /// Where the log starts; -1 when it was not looked at.
        log_start_offset: i64 { versions: 5.., default: -1 },
        /// Where the reader's history leaves this log's.
        diverging_epoch: EpochEndOffset { versions: 12.., tag: 0 },
        /// The leader that the reader should turn to.
        current_leader: LeaderIdAndEpoch { versions: 12.., tag: 1 },
        /// The snapshot to read instead, of the metadata log.
        snapshot_id: SnapshotId { versions: 12.., tag: 2 },
        /// Aborted transactions among the records; null unless they were asked for.
        aborted_transactions: Option<Vec<AbortedTransaction>> { versions: 4.., nullable: 4.. },
        /// Another replica to read from; -1 for none.
        preferred_read_replica: i32 { versions: 11.., default: -1 },
        /// Record batches, the last of them perhaps cut.
        records: Records { versions: 0.. },
    }

    /// A leader epoch and where it ends.
    pub struct EpochEndOffset {
        /// The epoch; -1 for none.
        epoch: i32 { versions: 12.., default: -1 },
        /// The offset behind its last record.
        end_offset: i64 { versions: 12.., default: -1 },
    }

    /// A snapshot of the metadata log.
    pub struct SnapshotId {
        /// The offset behind what it holds.
        end_offset: i64 { versions: 0.., default: -1 },
        /// The epoch of the last record in it.
        epoch: i32 { versions: 0.., default: -1 },
    }

    /// A transaction whose records are to be dropped, up to its marker.
    pub struct AbortedTransaction {
        /// Its producer.
        producer_id: i64 { versions: 4.. },
        /// The offset of its first record.
        first_offset: i64 { versions: 4.. },
    }
}

impl FetchResponse {
    /// The files whose ranges the answer carries, one for each range.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        let partitions = self.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.filter_map(|partition| match &partition.records {
            Records::File(range) if range.length > 0 => Some(range.file.id),
            Records::File(_) | Records::Bytes(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::Bytes;

    use super::*;
    use crate::codec::testing::{encode, round_trip, round_trip_all};
    use crate::codec::{Message, Reader};
    use crate::effect::{FileRange, FileRef, Path};
    use crate::ids::JobId;

    fn request(name: &str, topic_id: Uuid) -> FetchRequest {
        FetchRequest {
            cluster_id: Some("cluster".into()),
            replica_id: -1,
            replica_state: ReplicaState { replica_id: 4, replica_epoch: 5 },
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 1 << 20,
            isolation_level: 1,
            session_id: 6,
            session_epoch: 7,
            topics: vec![FetchTopic {
                topic: name.into(),
                topic_id,
                partitions: vec![FetchPartition {
                    partition: 1,
                    current_leader_epoch: 2,
                    fetch_offset: 3,
                    last_fetched_epoch: 4,
                    log_start_offset: 5,
                    partition_max_bytes: 6,
                    replica_directory_id: Uuid([9; 16]),
                    high_watermark: 7,
                }],
            }],
            forgotten_topics_data: vec![ForgottenTopic {
                topic: name.into(),
                topic_id,
                partitions: vec![8, 9],
            }],
            rack_id: "rack".into(),
        }
    }

    fn partition(records: Records) -> PartitionData {
        PartitionData {
            partition_index: 1,
            error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
            high_watermark: 2,
            last_stable_offset: 3,
            log_start_offset: 4,
            diverging_epoch: EpochEndOffset { epoch: 5, end_offset: 6 },
            current_leader: LeaderIdAndEpoch { leader_id: 7, leader_epoch: 8 },
            snapshot_id: SnapshotId { end_offset: 9, epoch: 10 },
            aborted_transactions: Some(vec![AbortedTransaction {
                producer_id: 11,
                first_offset: 12,
            }]),
            preferred_read_replica: 13,
            records,
        }
    }

    fn response(records: Records) -> FetchResponse {
        FetchResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::INVALID_FETCH_SESSION_EPOCH,
            session_id: 2,
            responses: vec![FetchableTopicResponse {
                topic: String::new(),
                topic_id: Uuid([3; 16]),
                partitions: vec![partition(records)],
            }],
            node_endpoints: vec![NodeEndpoint {
                node_id: 1,
                host: "h".into(),
                port: 9092,
                rack: None,
            }],
        }
    }

    fn range(number: u64, length: u64) -> Records {
        let id = FileId { owner: JobId::BROKER, number };
        Records::File(FileRange {
            file: FileRef { id, path: Path::new("d/t-0/0.log") },
            position: 0,
            length,
        })
    }

    #[test]
    fn all_versions_round_trip() {
        let request_by_id = FetchRequest { replica_id: -1, ..request("", Uuid([3; 16])) };
        round_trip_all(&request_by_id);
        round_trip_all(&response(Records::Bytes(Bytes::from_static(b"batch"))));
        for version in 4..=12 {
            let by_name = round_trip(&request("t", Uuid::ZERO), version);
            assert_eq!(by_name.topics[0].topic, "t");
        }
    }

    #[test]
    fn the_replica_moved_into_a_tagged_field() {
        let follower = |replica_id, state| FetchRequest {
            replica_id,
            replica_state: ReplicaState { replica_id: state, replica_epoch: -1 },
            ..FetchRequest::default()
        };
        for version in 4..=14 {
            assert_eq!(round_trip(&follower(2, 3), version), follower(2, -1));
        }
        for version in 15..=18 {
            assert_eq!(round_trip(&follower(2, 3), version), follower(-1, 3));
        }
    }

    #[test]
    fn records_are_empty_never_null() {
        let answer = FetchResponse {
            responses: vec![FetchableTopicResponse {
                partitions: vec![PartitionData::default()],
                ..Default::default()
            }],
            ..Default::default()
        };
        assert!(encode(&answer, 4).ends_with(b"\xff\xff\xff\xff\0\0\0\0"), "no list, no records");
        assert!(encode(&answer, 13).ends_with(b"\0\xff\xff\xff\xff\x01\0\0\0"));
        let null = [&encode(&answer, 4)[..31 + 4], &[0xff; 4]].concat();
        assert!(FetchResponse::read(&mut Reader::new(&Bytes::from(null)), 4).is_err());
    }

    #[test]
    fn files_are_those_of_the_ranges() {
        let mut answer = response(range(7, 9));
        let partitions = &mut answer.responses[0].partitions;
        partitions.push(partition(Records::default()));
        partitions.push(partition(range(8, 0)));
        partitions.push(partition(range(7, 1)));
        let numbers: Vec<u64> = answer.files().map(|file| file.number).collect();
        assert_eq!(numbers, [7, 7]);
    }
}
