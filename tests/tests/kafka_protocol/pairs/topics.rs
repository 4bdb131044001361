//! Topics, made, grown and deleted.

use kafka_protocol::messages as theirs;
use klamm_core::api;
use klamm_core::rng::Rng;

use super::Same;
use crate::arbitrary::Arbitrary;

structures! { api::create_topics => theirs::create_topics_request;
    CreateTopicsRequest { topics, timeout_ms, validate_only }
    CreatableTopic { name, num_partitions, replication_factor, assignments, configs }
    CreatableReplicaAssignment { partition_index, broker_ids }
    CreatableTopicConfig { name, value }
}

structures! { api::create_topics => theirs::create_topics_response;
    CreateTopicsResponse { throttle_time_ms, topics }
    CreatableTopicResult {
        name, topic_id, error_code, error_message, topic_config_error_code, num_partitions,
        replication_factor, configs,
    }
    CreatableTopicConfigs { name, value, read_only, config_source, is_sensitive }
}

structures! { api::delete_topics => theirs::delete_topics_request;
    DeleteTopicsRequest { topics, topic_names, timeout_ms }
    DeleteTopicState { name, topic_id }
}

structures! { api::delete_topics => theirs::delete_topics_response;
    DeleteTopicsResponse { throttle_time_ms, responses }
    DeletableTopicResult { name, topic_id, error_code, error_message }
}

structures! { api::create_partitions => theirs::create_partitions_request;
    CreatePartitionsRequest { topics, timeout_ms, validate_only }
    CreatePartitionsTopic { name, count, assignments }
    CreatePartitionsAssignment { broker_ids }
}

structures! { api::create_partitions => theirs::create_partitions_response;
    CreatePartitionsResponse { throttle_time_ms, results }
    CreatePartitionsTopicResult { name, error_code, error_message }
}
