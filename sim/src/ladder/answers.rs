//! Answers in one line each: errors by Kafka's names, offsets, records.

use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::AlterConfigsResponse;
use klamm_core::api::create_partitions::CreatePartitionsResponse;
use klamm_core::api::create_topics::CreateTopicsResponse;
use klamm_core::api::delete_groups::DeleteGroupsResponse;
use klamm_core::api::delete_records::DeleteRecordsResponse;
use klamm_core::api::delete_topics::DeleteTopicsResponse;
use klamm_core::api::describe_configs::DescribeConfigsResponse;
use klamm_core::api::describe_groups::DescribeGroupsResponse;
use klamm_core::api::describe_producers::DescribeProducersResponse;
use klamm_core::api::fetch::{FetchResponse, PartitionData};
use klamm_core::api::find_coordinator::FindCoordinatorResponse;
use klamm_core::api::heartbeat::HeartbeatResponse;
use klamm_core::api::incremental_alter_configs::IncrementalAlterConfigsResponse;
use klamm_core::api::init_producer_id::InitProducerIdResponse;
use klamm_core::api::join_group::JoinGroupResponse;
use klamm_core::api::leave_group::LeaveGroupResponse;
use klamm_core::api::list_groups::ListGroupsResponse;
use klamm_core::api::list_offsets::ListOffsetsResponse;
use klamm_core::api::metadata::MetadataResponse;
use klamm_core::api::offset_commit::OffsetCommitResponse;
use klamm_core::api::offset_delete::OffsetDeleteResponse;
use klamm_core::api::offset_fetch::OffsetFetchResponse;
use klamm_core::api::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
use klamm_core::api::produce::ProduceResponse;
use klamm_core::api::sync_group::SyncGroupResponse;
use klamm_core::codec::{Message, Reader, Records};

use super::requests::resource;
use super::words::{Names, Offsets, batches, error, list, outcome, pairs};

/// What stands in an answer's body; empty when there is no more to say than that it has come.
pub(super) fn answered(
    key: ApiKey,
    version: i16,
    body: &mut Reader<'_>,
    names: &mut Names,
) -> String {
    match key {
        ApiKey::PRODUCE => told::<ProduceResponse>(version, body, names),
        ApiKey::FETCH => told::<FetchResponse>(version, body, names),
        ApiKey::LIST_OFFSETS => told::<ListOffsetsResponse>(version, body, names),
        ApiKey::METADATA => told::<MetadataResponse>(version, body, names),
        ApiKey::CREATE_TOPICS => told::<CreateTopicsResponse>(version, body, names),
        ApiKey::DELETE_TOPICS => told::<DeleteTopicsResponse>(version, body, names),
        ApiKey::CREATE_PARTITIONS => told::<CreatePartitionsResponse>(version, body, names),
        ApiKey::DELETE_RECORDS => told::<DeleteRecordsResponse>(version, body, names),
        ApiKey::INIT_PRODUCER_ID => told::<InitProducerIdResponse>(version, body, names),
        ApiKey::OFFSET_FOR_LEADER_EPOCH => {
            told::<OffsetForLeaderEpochResponse>(version, body, names)
        }
        ApiKey::DESCRIBE_PRODUCERS => told::<DescribeProducersResponse>(version, body, names),
        ApiKey::DESCRIBE_CONFIGS => told::<DescribeConfigsResponse>(version, body, names),
        ApiKey::ALTER_CONFIGS => told::<AlterConfigsResponse>(version, body, names),
        ApiKey::INCREMENTAL_ALTER_CONFIGS => {
            told::<IncrementalAlterConfigsResponse>(version, body, names)
        }
        ApiKey::FIND_COORDINATOR => told::<FindCoordinatorResponse>(version, body, names),
        ApiKey::JOIN_GROUP => told::<JoinGroupResponse>(version, body, names),
        ApiKey::SYNC_GROUP => told::<SyncGroupResponse>(version, body, names),
        ApiKey::HEARTBEAT => told::<HeartbeatResponse>(version, body, names),
        ApiKey::LEAVE_GROUP => told::<LeaveGroupResponse>(version, body, names),
        ApiKey::OFFSET_COMMIT => told::<OffsetCommitResponse>(version, body, names),
        ApiKey::OFFSET_FETCH => told::<OffsetFetchResponse>(version, body, names),
        ApiKey::DESCRIBE_GROUPS => told::<DescribeGroupsResponse>(version, body, names),
        ApiKey::LIST_GROUPS => told::<ListGroupsResponse>(version, body, names),
        ApiKey::DELETE_GROUPS => told::<DeleteGroupsResponse>(version, body, names),
        ApiKey::OFFSET_DELETE => told::<OffsetDeleteResponse>(version, body, names),
        _ => String::new(),
    }
}

/// An answer that has words of its own.
pub(super) trait Tells: Message {
    fn words(&self, names: &mut Names) -> String;
}

fn told<M: Tells>(version: i16, body: &mut Reader<'_>, names: &mut Names) -> String {
    M::read(body, version).map_or_else(|error| error.to_string(), |answer| answer.words(names))
}

impl Tells for ProduceResponse {
    fn words(&self, names: &mut Names) -> String {
        let parts = pairs(&self.responses, |topic| &topic.partition_responses);
        list(parts.map(|(topic, part)| {
            let target = names.partition(&topic.name, topic.topic_id, part.index);
            outcome(&target, part.error_code, || format!(" at {}", part.base_offset))
        }))
    }
}

impl Tells for FetchResponse {
    fn words(&self, names: &mut Names) -> String {
        let parts = pairs(&self.responses, |topic| &topic.partitions);
        let words = parts.map(|(topic, part)| {
            let target = names.partition(&topic.topic, topic.topic_id, part.partition_index);
            outcome(&target, part.error_code, || fetched(part))
        });
        let session = match self.session_id {
            0 => String::new(),
            id => format!("session {id}, "),
        };
        if self.error_code.is_none() {
            format!("{session}{}", list(words))
        } else {
            error(self.error_code)
        }
    }
}

fn fetched(part: &PartitionData) -> String {
    let records = match &part.records {
        Records::Bytes(bytes) => batches(bytes, Offsets::Told),
        Records::File(range) => format!("{} bytes", range.length),
    };
    let start = match part.log_start_offset {
        0 | -1 => String::new(),
        start => format!(", log start {start}"),
    };
    format!(" {records}, high watermark {}{start}", part.high_watermark)
}

impl Tells for ListOffsetsResponse {
    fn words(&self, _: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let target = format!("{}-{}", topic.name, part.partition_index);
            outcome(&target, part.error_code, || format!(" at {}", part.offset))
        }))
    }
}

impl Tells for MetadataResponse {
    fn words(&self, names: &mut Names) -> String {
        for topic in &self.topics {
            names.learn(topic.topic_id, topic.name.as_deref().unwrap_or_default());
        }
        list(self.topics.iter().map(|topic| {
            let name = topic.name.as_deref().unwrap_or_default();
            let name = names.topic(name, topic.topic_id);
            outcome(&name, topic.error_code, || {
                format!(" has {} partitions", topic.partitions.len())
            })
        }))
    }
}

impl Tells for CreateTopicsResponse {
    fn words(&self, names: &mut Names) -> String {
        for topic in &self.topics {
            names.learn(topic.topic_id, &topic.name);
        }
        list(
            self.topics
                .iter()
                .map(|topic| outcome(&topic.name, topic.error_code, || " made".to_owned())),
        )
    }
}

impl Tells for DeleteTopicsResponse {
    fn words(&self, names: &mut Names) -> String {
        list(self.responses.iter().map(|topic| {
            let name = names.topic(topic.name.as_deref().unwrap_or_default(), topic.topic_id);
            outcome(&name, topic.error_code, || " deleted".to_owned())
        }))
    }
}

impl Tells for CreatePartitionsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(
            self.results
                .iter()
                .map(|topic| outcome(&topic.name, topic.error_code, || " has them".to_owned())),
        )
    }
}

impl Tells for DeleteRecordsResponse {
    fn words(&self, _: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let target = format!("{}-{}", topic.name, part.partition_index);
            outcome(&target, part.error_code, || format!(" starts at {}", part.low_watermark))
        }))
    }
}

impl Tells for InitProducerIdResponse {
    fn words(&self, _: &mut Names) -> String {
        let (id, epoch) = (self.producer_id, self.producer_epoch);
        outcome("producer", self.error_code, || format!(" {id}, epoch {epoch}"))
    }
}

impl Tells for OffsetForLeaderEpochResponse {
    fn words(&self, _: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let target = format!("{}-{}", topic.topic, part.partition);
            let told = || format!(" epoch {} ends at {}", part.leader_epoch, part.end_offset);
            outcome(&target, part.error_code, told)
        }))
    }
}

impl Tells for DescribeProducersResponse {
    fn words(&self, _: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let target = format!("{}-{}", topic.name, part.partition_index);
            outcome(&target, part.error_code, || {
                let known = part.active_producers.iter();
                let known = known.map(|one| {
                    let (id, epoch, last) =
                        (one.producer_id, one.producer_epoch, one.last_sequence);
                    format!(" producer {id} epoch {epoch} up to sequence {last}")
                });
                known.collect::<Vec<_>>().join(",")
            })
        }))
    }
}

impl Tells for DescribeConfigsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(self.results.iter().map(|one| {
            let name = resource(one.resource_type, &one.resource_name);
            outcome(&name, one.error_code, || format!(" has {} settings", one.configs.len()))
        }))
    }
}

impl Tells for AlterConfigsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(self.responses.iter().map(|one| {
            let name = resource(one.resource_type, &one.resource_name);
            outcome(&name, one.error_code, || " changed".to_owned())
        }))
    }
}

impl Tells for IncrementalAlterConfigsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(self.responses.iter().map(|one| {
            let name = resource(one.resource_type, &one.resource_name);
            outcome(&name, one.error_code, || " changed".to_owned())
        }))
    }
}
