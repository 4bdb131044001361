//! The cluster and its brokers, logs and features.

use kafka_protocol::messages as theirs;
use klamm_core::api;
use klamm_core::rng::Rng;

use super::Same;
use crate::arbitrary::Arbitrary;

structures! { api::elect_leaders => theirs::elect_leaders_request;
    ElectLeadersRequest { election_type, topic_partitions, timeout_ms }
    TopicPartitions { topic, partitions }
}

structures! { api::elect_leaders => theirs::elect_leaders_response;
    ElectLeadersResponse { throttle_time_ms, error_code, replica_election_results }
    ReplicaElectionResult { topic, partition_result }
    PartitionResult { partition_id, error_code, error_message }
}

structures! { api::alter_partition_reassignments => theirs::alter_partition_reassignments_request;
    AlterPartitionReassignmentsRequest { timeout_ms, allow_replication_factor_change, topics }
    ReassignableTopic { name, partitions }
    ReassignablePartition { partition_index, replicas }
}

structures! { api::alter_partition_reassignments => theirs::alter_partition_reassignments_response;
    AlterPartitionReassignmentsResponse { throttle_time_ms, allow_replication_factor_change, error_code, error_message, responses }
    ReassignableTopicResponse { name, partitions }
    ReassignablePartitionResponse { partition_index, error_code, error_message }
}

structures! { api::list_partition_reassignments => theirs::list_partition_reassignments_request;
    ListPartitionReassignmentsRequest { timeout_ms, topics }
    ListPartitionReassignmentsTopics { name, partition_indexes }
}

structures! { api::list_partition_reassignments => theirs::list_partition_reassignments_response;
    ListPartitionReassignmentsResponse { throttle_time_ms, error_code, error_message, topics }
    OngoingTopicReassignment { name, partitions }
    OngoingPartitionReassignment { partition_index, replicas, adding_replicas, removing_replicas }
}

renamed! { api::describe_quorum => theirs::describe_quorum_request;
    DescribeQuorumRequest => DescribeQuorumRequest {
        topics => topics
    }
    TopicRequest => TopicData {
        topic_name => topic_name,
        partitions => partitions
    }
    PartitionRequest => PartitionData {
        partition_index => partition_index
    }
}

renamed! { api::describe_quorum => theirs::describe_quorum_response;
    DescribeQuorumResponse => DescribeQuorumResponse {
        error_code => error_code,
        error_message => error_message,
        topics => topics,
        nodes => nodes
    }
    TopicResponse => TopicData {
        topic_name => topic_name,
        partitions => partitions
    }
    PartitionResponse => PartitionData {
        partition_index => partition_index,
        error_code => error_code,
        error_message => error_message,
        leader_id => leader_id,
        leader_epoch => leader_epoch,
        high_watermark => high_watermark,
        current_voters => current_voters,
        observers => observers
    }
    ReplicaState => ReplicaState {
        replica_id => replica_id,
        replica_directory_id => replica_directory_id,
        log_end_offset => log_end_offset,
        last_fetch_timestamp => last_fetch_timestamp,
        last_caught_up_timestamp => last_caught_up_timestamp
    }
    Node => Node {
        node_id => node_id,
        listeners => listeners
    }
    Listener => Listener {
        name => name,
        host => host,
        port => port
    }
}

structures! { api::describe_cluster => theirs::describe_cluster_request;
    DescribeClusterRequest { include_cluster_authorized_operations, endpoint_type, include_fenced_brokers }
}

structures! { api::describe_cluster => theirs::describe_cluster_response;
    DescribeClusterResponse { throttle_time_ms, error_code, error_message, endpoint_type, cluster_id, controller_id, brokers, cluster_authorized_operations }
    DescribeClusterBroker { broker_id, host, port, rack, is_fenced }
}

structures! { api::unregister_broker => theirs::unregister_broker_request;
    UnregisterBrokerRequest { broker_id }
}

structures! { api::unregister_broker => theirs::unregister_broker_response;
    UnregisterBrokerResponse { throttle_time_ms, error_code, error_message }
}

structures! { api::describe_log_dirs => theirs::describe_log_dirs_request;
    DescribeLogDirsRequest { topics }
    DescribableLogDirTopic { topic, partitions }
}

structures! { api::describe_log_dirs => theirs::describe_log_dirs_response;
    DescribeLogDirsResponse { throttle_time_ms, error_code, results }
    DescribeLogDirsTopic { name, partitions }
    DescribeLogDirsPartition { partition_index, partition_size, offset_lag, is_future_key }
}

structures! { api::update_features => theirs::update_features_request;
    UpdateFeaturesRequest { timeout_ms, feature_updates, validate_only }
    FeatureUpdateKey { feature, max_version_level, allow_downgrade, upgrade_type }
}

structures! { api::update_features => theirs::update_features_response;
    UpdateFeaturesResponse { throttle_time_ms, error_code, error_message, results }
    UpdatableFeatureResult { feature, error_code, error_message }
}

/// They do not know the last field.
impl Arbitrary for api::describe_log_dirs::DescribeLogDirsResult {
    fn arbitrary(rng: &mut Rng) -> Self {
        Self {
            error_code: Arbitrary::arbitrary(rng),
            log_dir: Arbitrary::arbitrary(rng),
            topics: Arbitrary::arbitrary(rng),
            total_bytes: Arbitrary::arbitrary(rng),
            usable_bytes: Arbitrary::arbitrary(rng),
            is_cordoned: Arbitrary::arbitrary(rng),
        }
    }
}

impl Same<theirs::describe_log_dirs_response::DescribeLogDirsResult>
    for api::describe_log_dirs::DescribeLogDirsResult
{
    fn same(&self) -> theirs::describe_log_dirs_response::DescribeLogDirsResult {
        theirs::describe_log_dirs_response::DescribeLogDirsResult::default()
            .with_error_code(self.error_code.same())
            .with_log_dir(self.log_dir.same())
            .with_topics(self.topics.same())
            .with_total_bytes(self.total_bytes)
            .with_usable_bytes(self.usable_bytes)
    }
}
