//! Requests in one line each: API, version, and what is asked of which partition.

use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::AlterConfigsRequest;
use klamm_core::api::create_partitions::CreatePartitionsRequest;
use klamm_core::api::create_topics::CreateTopicsRequest;
use klamm_core::api::delete_groups::DeleteGroupsRequest;
use klamm_core::api::delete_records::DeleteRecordsRequest;
use klamm_core::api::delete_topics::DeleteTopicsRequest;
use klamm_core::api::describe_configs::DescribeConfigsRequest;
use klamm_core::api::describe_groups::DescribeGroupsRequest;
use klamm_core::api::describe_producers::DescribeProducersRequest;
use klamm_core::api::fetch::FetchRequest;
use klamm_core::api::find_coordinator::FindCoordinatorRequest;
use klamm_core::api::heartbeat::HeartbeatRequest;
use klamm_core::api::incremental_alter_configs::IncrementalAlterConfigsRequest;
use klamm_core::api::join_group::JoinGroupRequest;
use klamm_core::api::leave_group::LeaveGroupRequest;
use klamm_core::api::list_groups::ListGroupsRequest;
use klamm_core::api::list_offsets::ListOffsetsRequest;
use klamm_core::api::metadata::MetadataRequest;
use klamm_core::api::offset_commit::OffsetCommitRequest;
use klamm_core::api::offset_delete::OffsetDeleteRequest;
use klamm_core::api::offset_fetch::OffsetFetchRequest;
use klamm_core::api::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use klamm_core::api::produce::ProduceRequest;
use klamm_core::api::sync_group::SyncGroupRequest;
use klamm_core::codec::{Message, Reader};

use super::words::{Names, Offsets, batches, list, pairs};

/// What stands in a request's body; empty when its API and version say it all, or when it cannot be
/// read.
pub(super) fn asked(key: ApiKey, version: i16, body: &mut Reader<'_>, names: &Names) -> String {
    match key {
        ApiKey::PRODUCE => told::<ProduceRequest>(version, body, names),
        ApiKey::FETCH => told::<FetchRequest>(version, body, names),
        ApiKey::LIST_OFFSETS => told::<ListOffsetsRequest>(version, body, names),
        ApiKey::METADATA => told::<MetadataRequest>(version, body, names),
        ApiKey::CREATE_TOPICS => told::<CreateTopicsRequest>(version, body, names),
        ApiKey::DELETE_TOPICS => told::<DeleteTopicsRequest>(version, body, names),
        ApiKey::CREATE_PARTITIONS => told::<CreatePartitionsRequest>(version, body, names),
        ApiKey::DELETE_RECORDS => told::<DeleteRecordsRequest>(version, body, names),
        ApiKey::OFFSET_FOR_LEADER_EPOCH => {
            told::<OffsetForLeaderEpochRequest>(version, body, names)
        }
        ApiKey::DESCRIBE_PRODUCERS => told::<DescribeProducersRequest>(version, body, names),
        ApiKey::DESCRIBE_CONFIGS => told::<DescribeConfigsRequest>(version, body, names),
        ApiKey::ALTER_CONFIGS => told::<AlterConfigsRequest>(version, body, names),
        ApiKey::INCREMENTAL_ALTER_CONFIGS => {
            told::<IncrementalAlterConfigsRequest>(version, body, names)
        }
        ApiKey::FIND_COORDINATOR => told::<FindCoordinatorRequest>(version, body, names),
        ApiKey::JOIN_GROUP => told::<JoinGroupRequest>(version, body, names),
        ApiKey::SYNC_GROUP => told::<SyncGroupRequest>(version, body, names),
        ApiKey::HEARTBEAT => told::<HeartbeatRequest>(version, body, names),
        ApiKey::LEAVE_GROUP => told::<LeaveGroupRequest>(version, body, names),
        ApiKey::OFFSET_COMMIT => told::<OffsetCommitRequest>(version, body, names),
        ApiKey::OFFSET_FETCH => told::<OffsetFetchRequest>(version, body, names),
        ApiKey::DESCRIBE_GROUPS => told::<DescribeGroupsRequest>(version, body, names),
        ApiKey::LIST_GROUPS => told::<ListGroupsRequest>(version, body, names),
        ApiKey::DELETE_GROUPS => told::<DeleteGroupsRequest>(version, body, names),
        ApiKey::OFFSET_DELETE => told::<OffsetDeleteRequest>(version, body, names),
        _ => String::new(),
    }
}

/// False for a Produce with acks=0.
pub(super) fn has_answer(key: ApiKey, version: i16, body: &mut Reader<'_>) -> bool {
    key != ApiKey::PRODUCE || ProduceRequest::read(body, version).is_ok_and(|one| one.acks != 0)
}

/// A request that has words of its own.
pub(super) trait Asks: Message {
    fn words(&self, names: &Names) -> String;
}

fn told<M: Asks>(version: i16, body: &mut Reader<'_>, names: &Names) -> String {
    M::read(body, version).map_or_else(|error| error.to_string(), |request| request.words(names))
}

impl Asks for ProduceRequest {
    fn words(&self, names: &Names) -> String {
        let parts = pairs(&self.topic_data, |topic| &topic.partition_data);
        let words = parts.map(|(topic, part)| {
            let target = names.partition(&topic.name, topic.topic_id, part.index);
            let records = part.records.as_ref().map_or(&[][..], |records| &records[..]);
            format!("{target} {}", batches(records, Offsets::ToCome))
        });
        let acks = if self.acks == -1 { "all".to_owned() } else { self.acks.to_string() };
        format!("acks={acks} {}", list(words))
    }
}

impl Asks for FetchRequest {
    fn words(&self, names: &Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        let words = parts.map(|(topic, part)| {
            let target = names.partition(&topic.topic, topic.topic_id, part.partition);
            format!("{target} from {}", part.fetch_offset)
        });
        let forgotten = self.forgotten_topics_data.iter().flat_map(|topic| {
            let target = |partition| names.partition(&topic.topic, topic.topic_id, partition);
            topic.partitions.iter().map(move |&partition| format!("without {}", target(partition)))
        });
        let session = match (self.session_id, self.session_epoch) {
            (_, -1) => String::new(),
            (id, epoch) => format!("session {id} epoch {epoch}, "),
        };
        let committed = if self.isolation_level == 1 { "read_committed, " } else { "" };
        let (wait, least, most) = (self.max_wait_ms, self.min_bytes, self.max_bytes);
        let limits = format!("wait {wait} ms, {least} to {most} bytes");
        format!("{session}{committed}{limits}: {}", list(words.chain(forgotten)))
    }
}

impl Asks for ListOffsetsRequest {
    fn words(&self, _: &Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let of = match part.timestamp {
                -1 => "latest".to_owned(),
                -2 => "earliest".to_owned(),
                -3 => "max timestamp".to_owned(),
                -4 => "earliest local".to_owned(),
                timestamp => format!("timestamp {timestamp}"),
            };
            format!("{}-{} {of}", topic.name, part.partition_index)
        }))
    }
}

impl Asks for MetadataRequest {
    fn words(&self, names: &Names) -> String {
        let Some(topics) = &self.topics else { return "all topics".to_owned() };
        let words = topics
            .iter()
            .map(|topic| names.topic(topic.name.as_deref().unwrap_or_default(), topic.topic_id));
        let makes = if self.allow_auto_topic_creation { ", made if missing" } else { "" };
        format!("{}{makes}", list(words))
    }
}

/// What a request is that only tries.
fn only_tried(validate_only: bool) -> &'static str {
    if validate_only { ", validate only" } else { "" }
}

impl Asks for CreateTopicsRequest {
    fn words(&self, _: &Names) -> String {
        let words = self.topics.iter().map(|topic| {
            let settings = topic.configs.iter();
            let settings: String =
                settings.map(|one| setting(&one.name, one.value.as_deref())).collect();
            format!("{} with {} partitions{settings}", topic.name, topic.num_partitions)
        });
        format!("{}{}", list(words), only_tried(self.validate_only))
    }
}

impl Asks for DeleteTopicsRequest {
    fn words(&self, names: &Names) -> String {
        let named = self.topics.iter().map(|topic| {
            let name = topic.name.as_deref().unwrap_or_default();
            let id = topic.topic_id;
            if name.is_empty() {
                format!("{} by id {id}", names.topic("", id))
            } else {
                name.to_owned()
            }
        });
        list(self.topic_names.iter().cloned().chain(named))
    }
}

impl Asks for CreatePartitionsRequest {
    fn words(&self, _: &Names) -> String {
        let words = self.topics.iter().map(|topic| format!("{} to {}", topic.name, topic.count));
        format!("{}{}", list(words), only_tried(self.validate_only))
    }
}

impl Asks for DeleteRecordsRequest {
    fn words(&self, _: &Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            format!("{}-{} before {}", topic.name, part.partition_index, part.offset)
        }))
    }
}

impl Asks for OffsetForLeaderEpochRequest {
    fn words(&self, _: &Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            format!("{}-{} epoch {}", topic.topic, part.partition, part.leader_epoch)
        }))
    }
}

impl Asks for DescribeProducersRequest {
    fn words(&self, _: &Names) -> String {
        list(self.topics.iter().flat_map(|topic| {
            topic.partition_indexes.iter().map(|index| format!("{}-{index}", topic.name))
        }))
    }
}

impl Asks for DescribeConfigsRequest {
    fn words(&self, _: &Names) -> String {
        list(self.resources.iter().map(|one| resource(one.resource_type, &one.resource_name)))
    }
}

impl Asks for AlterConfigsRequest {
    fn words(&self, _: &Names) -> String {
        let words = self.resources.iter().map(|one| {
            let settings = one.configs.iter();
            let settings: String =
                settings.map(|one| setting(&one.name, one.value.as_deref())).collect();
            format!("{} has only{settings}", resource(one.resource_type, &one.resource_name))
        });
        format!("{}{}", list(words), only_tried(self.validate_only))
    }
}

impl Asks for IncrementalAlterConfigsRequest {
    fn words(&self, _: &Names) -> String {
        const OPERATIONS: [&str; 4] = ["SET", "DELETE", "APPEND", "SUBTRACT"];
        let words = self.resources.iter().map(|one| {
            let settings = one.configs.iter().map(|config| {
                let operation = OPERATIONS.get(config.config_operation as usize);
                let operation = operation.unwrap_or(&"UNKNOWN");
                format!(" {operation}{}", setting(&config.name, config.value.as_deref()))
            });
            let settings: String = settings.collect();
            format!("{}{settings}", resource(one.resource_type, &one.resource_name))
        });
        format!("{}{}", list(words), only_tried(self.validate_only))
    }
}

fn setting(name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| format!(" {name}"), |value| format!(" {name}={value}"))
}

/// A resource with settings, by Kafka's number of its type.
pub(super) fn resource(resource_type: i8, name: &str) -> String {
    match resource_type {
        2 => format!("topic {name}"),
        4 if name.is_empty() => "all brokers".to_owned(),
        4 => format!("broker {name}"),
        other => format!("resource {other} {name}"),
    }
}
