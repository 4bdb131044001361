//! Which of our messages is which of theirs, field by field.

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::{BrokerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use klamm_core::api;
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
    i32 => BrokerId: |value| BrokerId(*value);
    ErrorCode => i16: |value| value.0;
    Uuid => uuid::Uuid: |value| uuid::Uuid::from_bytes(value.0);
    Bytes => Bytes: Bytes::clone;
    String => StrBytes: |value| StrBytes::from_string(value.clone());
    String => TopicName: |value| TopicName(value.same());
    String => TransactionalId: |value| TransactionalId(value.same());
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
