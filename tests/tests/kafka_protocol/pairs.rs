//! Which of our messages is which of theirs, field by field.

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use klamm_core::api;
use klamm_core::api::fetch::Records;
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;
use klamm_core::records;
use klamm_core::rng::Rng;

use crate::arbitrary::Arbitrary;

/// The same value in another type.
pub(crate) trait Same<T> {
    fn same(&self) -> T;
}

macro_rules! values {
    ($($ours:ty => $theirs:ty: $convert:expr;)+) => {$(
        impl Same<$theirs> for $ours {
            fn same(&self) -> $theirs {
                let convert: fn(&$ours) -> $theirs = $convert;
                convert(self)
            }
        }
    )+};
}

values! {
    bool => bool: |value| *value;
    i16 => i16: |value| *value;
    i32 => i32: |value| *value;
    i64 => i64: |value| *value;
    u16 => u16: |value| *value;
    i8 => i8: |value| *value;
    i32 => BrokerId: |value| BrokerId(*value);
    i64 => ProducerId: |value| ProducerId(*value);
    ErrorCode => i16: |value| value.0;
    Uuid => uuid::Uuid: |value| uuid::Uuid::from_bytes(value.0);
    Bytes => Bytes: Bytes::clone;
    String => StrBytes: |value| StrBytes::from_string(value.clone());
    String => GroupId: |value| GroupId(value.same());
    String => TopicName: |value| TopicName(value.same());
    String => TransactionalId: |value| TransactionalId(value.same());
}

/// Records that were read are bytes.
impl Same<Option<Bytes>> for Records {
    fn same(&self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::File(range) => panic!("{range:?} is not in memory"),
        }
    }
}

impl<T: Same<U>, U> Same<Option<U>> for Option<T> {
    fn same(&self) -> Option<U> {
        self.as_ref().map(Same::same)
    }
}

impl<T: Same<U>, U> Same<Vec<U>> for Vec<T> {
    fn same(&self) -> Vec<U> {
        self.iter().map(Same::same).collect()
    }
}

/// Structures whose names and fields are the same on both sides.
macro_rules! structures {
    ($ours_in:path => $theirs_in:path; $($name:ident { $($field:ident),* $(,)? })+) => {
        renamed! { $ours_in => $theirs_in; $($name => $name { $($field => $field),* })+ }
    };
}

/// Structures where names differ: what is ours => what is theirs.
macro_rules! renamed {
    (
        $ours_in:path => $theirs_in:path;
        $($name:ident => $their_name:ident { $($field:ident => $their_field:ident),* })+
    ) => {$(
        const _: () = {
            use $ours_in as ours;
            use $theirs_in as their;

            impl Arbitrary for ours::$name {
                fn arbitrary(rng: &mut Rng) -> Self {
                    Self { $( $field: Arbitrary::arbitrary(rng) ),* }
                }
            }

            impl Same<their::$their_name> for ours::$name {
                fn same(&self) -> their::$their_name {
                    let mut value = their::$their_name::default();
                    $( value.$their_field = self.$field.same(); )*
                    value
                }
            }
        };
    )+};
}

mod cluster;
mod configs;
mod groups;
mod security;
mod topics;

structures! { api::produce => theirs::produce_request;
    ProduceRequest { transactional_id, acks, timeout_ms, topic_data }
    TopicProduceData { name, topic_id, partition_data }
    PartitionProduceData { index, records }
}

structures! { api::produce => theirs::produce_response;
    ProduceResponse { responses, throttle_time_ms, node_endpoints }
    TopicProduceResponse { name, topic_id, partition_responses }
    PartitionProduceResponse {
        index, error_code, base_offset, log_append_time_ms, log_start_offset, record_errors,
        error_message, current_leader,
    }
    BatchIndexAndErrorMessage { batch_index, batch_index_error_message }
    LeaderIdAndEpoch { leader_id, leader_epoch }
    NodeEndpoint { node_id, host, port, rack }
}

structures! { api::fetch => theirs::fetch_request;
    FetchRequest {
        cluster_id, replica_id, replica_state, max_wait_ms, min_bytes, max_bytes, isolation_level,
        session_id, session_epoch, topics, forgotten_topics_data, rack_id,
    }
    ReplicaState { replica_id, replica_epoch }
    FetchTopic { topic, topic_id, partitions }
    FetchPartition {
        partition, current_leader_epoch, fetch_offset, last_fetched_epoch, log_start_offset,
        partition_max_bytes, replica_directory_id, high_watermark,
    }
    ForgottenTopic { topic, topic_id, partitions }
}

structures! { api::fetch => theirs::fetch_response;
    FetchResponse { throttle_time_ms, error_code, session_id, responses, node_endpoints }
    FetchableTopicResponse { topic, topic_id, partitions }
    PartitionData {
        partition_index, error_code, high_watermark, last_stable_offset, log_start_offset,
        diverging_epoch, current_leader, snapshot_id, aborted_transactions, preferred_read_replica,
        records,
    }
    EpochEndOffset { epoch, end_offset }
    SnapshotId { end_offset, epoch }
    AbortedTransaction { producer_id, first_offset }
}

/// Structures of Produce, which the crate has a second time.
impl Same<theirs::fetch_response::LeaderIdAndEpoch> for api::fetch::LeaderIdAndEpoch {
    fn same(&self) -> theirs::fetch_response::LeaderIdAndEpoch {
        theirs::fetch_response::LeaderIdAndEpoch::default()
            .with_leader_id(self.leader_id.same())
            .with_leader_epoch(self.leader_epoch)
    }
}

impl Same<theirs::fetch_response::NodeEndpoint> for api::fetch::NodeEndpoint {
    fn same(&self) -> theirs::fetch_response::NodeEndpoint {
        theirs::fetch_response::NodeEndpoint::default()
            .with_node_id(self.node_id.same())
            .with_host(self.host.same())
            .with_port(self.port)
            .with_rack(self.rack.same())
    }
}

structures! { api::list_offsets => theirs::list_offsets_request;
    ListOffsetsRequest { replica_id, isolation_level, topics, timeout_ms }
    ListOffsetsTopic { name, partitions }
    ListOffsetsPartition { partition_index, current_leader_epoch, timestamp }
}

structures! { api::list_offsets => theirs::list_offsets_response;
    ListOffsetsResponse { throttle_time_ms, topics }
    ListOffsetsTopicResponse { name, partitions }
    ListOffsetsPartitionResponse { partition_index, error_code, timestamp, offset, leader_epoch }
}

structures! { api::offset_for_leader_epoch => theirs::offset_for_leader_epoch_request;
    OffsetForLeaderEpochRequest { replica_id, topics }
    OffsetForLeaderTopic { topic, partitions }
    OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch }
}

structures! { api::offset_for_leader_epoch => theirs::offset_for_leader_epoch_response;
    OffsetForLeaderEpochResponse { throttle_time_ms, topics }
    OffsetForLeaderTopicResult { topic, partitions }
    EpochEndOffset { error_code, partition, leader_epoch, end_offset }
}

structures! { api::delete_records => theirs::delete_records_request;
    DeleteRecordsRequest { topics, timeout_ms }
    DeleteRecordsTopic { name, partitions }
    DeleteRecordsPartition { partition_index, offset }
}

structures! { api::delete_records => theirs::delete_records_response;
    DeleteRecordsResponse { throttle_time_ms, topics }
    DeleteRecordsTopicResult { name, partitions }
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}

structures! { api::init_producer_id => theirs::init_producer_id_request;
    InitProducerIdRequest { transactional_id, transaction_timeout_ms, producer_id, producer_epoch }
}

structures! { api::init_producer_id => theirs::init_producer_id_response;
    InitProducerIdResponse { throttle_time_ms, error_code, producer_id, producer_epoch }
}

structures! { api::describe_producers => theirs::describe_producers_request;
    DescribeProducersRequest { topics }
    TopicRequest { name, partition_indexes }
}

structures! { api::describe_producers => theirs::describe_producers_response;
    DescribeProducersResponse { throttle_time_ms, topics }
    TopicResponse { name, partitions }
    PartitionResponse { partition_index, error_code, error_message, active_producers }
    ProducerState {
        producer_id, producer_epoch, last_sequence, last_timestamp, coordinator_epoch,
        current_txn_start_offset,
    }
}

structures! { api::metadata => theirs::metadata_request;
    MetadataRequest {
        topics, allow_auto_topic_creation, include_cluster_authorized_operations,
        include_topic_authorized_operations,
    }
    MetadataRequestTopic { topic_id, name }
}

structures! { api::metadata => theirs::metadata_response;
    MetadataResponse {
        throttle_time_ms, brokers, cluster_id, controller_id, topics,
        cluster_authorized_operations, error_code,
    }
    MetadataResponseBroker { node_id, host, port, rack }
    MetadataResponseTopic {
        error_code, name, topic_id, is_internal, partitions, topic_authorized_operations,
    }
    MetadataResponsePartition {
        error_code, partition_index, leader_id, leader_epoch, replica_nodes, isr_nodes,
        offline_replicas,
    }
}

structures! { api::api_versions => theirs::api_versions_request;
    ApiVersionsRequest { client_software_name, client_software_version }
}

structures! { api::api_versions => theirs::api_versions_response;
    ApiVersionsResponse {
        error_code, api_keys, throttle_time_ms, supported_features, finalized_features_epoch,
        finalized_features, zk_migration_ready,
    }
    ApiVersion { api_key, min_version, max_version }
    SupportedFeatureKey { name, min_version, max_version }
    FinalizedFeatureKey { name, max_version_level, min_version_level }
}

structures! { api::describe_topic_partitions => theirs::describe_topic_partitions_request;
    DescribeTopicPartitionsRequest { topics, response_partition_limit, cursor }
    TopicRequest { name }
    Cursor { topic_name, partition_index }
}

structures! { api::describe_topic_partitions => theirs::describe_topic_partitions_response;
    DescribeTopicPartitionsResponse { throttle_time_ms, topics, next_cursor }
    DescribeTopicPartitionsResponseTopic {
        error_code, name, topic_id, is_internal, partitions, topic_authorized_operations,
    }
    DescribeTopicPartitionsResponsePartition {
        error_code, partition_index, leader_id, leader_epoch, replica_nodes, isr_nodes,
        eligible_leader_replicas, last_known_elr, offline_replicas,
    }
}

/// The same structure in the response, where the crate has it a second time.
impl Same<theirs::describe_topic_partitions_response::Cursor>
    for api::describe_topic_partitions::Cursor
{
    fn same(&self) -> theirs::describe_topic_partitions_response::Cursor {
        theirs::describe_topic_partitions_response::Cursor::default()
            .with_topic_name(self.topic_name.same())
            .with_partition_index(self.partition_index)
    }
}

structures! { records => theirs::leader_change_message;
    LeaderChangeMessage { version, leader_id, voters, granting_voters }
}

renamed! { records => theirs::leader_change_message;
    ChangeVoter => Voter {
        voter_id => voter_id, voter_directory_id => voter_directory_id
    }
}

structures! { records => theirs::snapshot_header_record;
    SnapshotHeaderRecord { version, last_contained_log_timestamp }
}

structures! { records => theirs::snapshot_footer_record;
    SnapshotFooterRecord { version }
}

structures! { records => theirs::voters_record;
    VotersRecord { version, voters }
    KRaftVersionFeature { min_supported_version, max_supported_version }
}

renamed! { records => theirs::voters_record;
    Voter => Voter {
        voter_id => voter_id, voter_directory_id => voter_directory_id, endpoints => endpoints,
        kraft_version_feature => k_raft_version_feature
    }
    VoterEndpoint => Endpoint { name => name, host => host, port => port }
}

renamed! { records => theirs::k_raft_version_record;
    KRaftVersionRecord => KRaftVersionRecord {
        version => version, kraft_version => k_raft_version
    }
}
