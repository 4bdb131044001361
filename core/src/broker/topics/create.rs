//! CreateTopics: what of it is done, in which records, and what is answered
//! (`ControllerApis.createTopics`, `ReplicationControlManager.createTopics`).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::assignment::{Layout, Placement};
use super::names;
use crate::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
    CreateTopicsRequest, CreateTopicsResponse,
};
use crate::broker::image::{ConfigResource, Image};
use crate::broker::metadata_log::{
    AskedChange, Draft, EXCESSIVE, METADATA_TOPIC, Planned, Records, are_excessive, record_bytes,
};
use crate::broker::metadata_version::MetadataVersion;
use crate::broker::occurrences::occurrences;
use crate::broker::registration::{MIN_INSYNC_REPLICAS, has_elr};
use crate::broker::topic_config::Settings;
use crate::broker::{Broker, configs};
use crate::config::limits::REQUEST_PARTITIONS_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::query::topic_name;
use crate::records::{ClearElrRecord, ConfigRecord, MetadataRecord, TopicRecord};
use crate::refusal::Refusal;
use crate::request::{Response, ResponseBody};
use crate::time::Instant;

/// The first version whose answer says what the topic is like.
const DESCRIBES_SINCE: i16 = 5;

/// What an element of a list takes, about.
const ELEMENT_BYTES: usize = 64;

/// A CreateTopics request that waits for its turn.
#[derive(Debug)]
pub(in crate::broker) struct CreateTopics {
    version: i16,
    request: CreateTopicsRequest,
    deadline: Instant,
    /// What it holds, about.
    bytes: usize,
}

impl CreateTopics {
    /// What it holds while it waits, about.
    pub(in crate::broker) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The topics that are asked for.
    pub(in crate::broker) fn names(&self) -> impl Iterator<Item = &str> {
        self.request.topics.iter().map(|topic| topic.name.as_str())
    }
}

/// A topic that can be made.
#[derive(Debug)]
pub(super) struct NewTopic {
    pub(super) records: Records,
    result: CreatableTopicResult,
}

impl Broker {
    pub(in crate::broker) fn handle_create_topics(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: CreateTopicsRequest,
    ) {
        let Some(deadline) = self.change_deadline(request.timeout_ms) else {
            let body = refuse_all(&request, &Refusal::timed_out());
            return self.respond(from, Response { number, body });
        };
        let bytes = held_bytes(&request);
        if !self.has_room_for_change(bytes) {
            let body = refuse_all(&request, &Refusal::timed_out());
            return self.respond(from, Response { number, body });
        }
        let what = AskedChange::CreateTopics(CreateTopics { version, request, deadline, bytes });
        self.ask_for_change(from, number, what);
    }

    pub(in crate::broker) fn plan_create_topics(
        &mut self,
        asked: CreateTopics,
        draft: &Draft,
        placement: &mut Placement,
    ) -> Planned {
        let CreateTopics { version, request, deadline, .. } = asked;
        if deadline < self.now.mono {
            return Planned::nothing(refuse_all(&request, &Refusal::timed_out()));
        }
        let times = occurrences(request.topics.iter().map(|topic| topic.name.as_str()));
        let counted = request
            .topics
            .iter()
            .filter(|topic| times[topic.name.as_str()] == 1 && topic.name != METADATA_TOPIC);
        if let Err(refusal) = self.check_partition_count(counted) {
            return Planned::nothing(refuse_all(&request, &refusal));
        }
        let mut records = Records::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        let (mut twice, mut told) = (Vec::new(), BTreeSet::new());
        for topic in &request.topics {
            let judged = match times[topic.name.as_str()] {
                1 => self.plan_topic(topic, version, draft, placement),
                // Kafka puts those last.
                _ => {
                    if told.insert(topic.name.as_str()) {
                        twice.push(refused(&topic.name, Refusal::duplicate_name()));
                    }
                    continue;
                }
            };
            match judged {
                Ok(new) => {
                    records.extend(new.records);
                    topics.push(new.result);
                }
                Err(refusal) => topics.push(refused(&topic.name, refusal)),
            }
        }
        if let Err(refusal) = check_size(&records) {
            return Planned::nothing(refuse_all(&request, &refusal));
        }
        topics.append(&mut twice);
        let answer = CreateTopicsResponse { throttle_time_ms: 0, topics };
        let body = ResponseBody::CreateTopics(answer);
        if request.validate_only {
            Planned::nothing(body)
        } else {
            Planned { records, answer: body }
        }
    }

    /// `validateTotalNumberOfPartitions`: topics that the request names twice do not count.
    pub(super) fn check_partition_count<'a>(
        &self,
        topics: impl Iterator<Item = &'a CreatableTopic>,
    ) -> Result<(), Refusal> {
        let partitions = topics.map(|topic| match topic.assignments.len() {
            0 => self.partition_count(topic.num_partitions),
            assigned => assigned as i64,
        });
        if partitions.sum::<i64>() > REQUEST_PARTITIONS_MAX {
            let message = "Excessively large number of partitions per request.";
            return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, message));
        }
        Ok(())
    }

    /// -1 stands for the default; what else is below 0 is no number of partitions.
    fn partition_count(&self, asked: i32) -> i64 {
        match asked {
            -1 => i64::from(self.config.creation.partitions),
            count => i64::from(count.max(0)),
        }
    }

    pub(super) fn plan_topic(
        &mut self,
        topic: &CreatableTopic,
        version: i16,
        draft: &Draft,
        placement: &mut Placement,
    ) -> Result<NewTopic, Refusal> {
        check_name(&topic.name, draft)?;
        let own = check_settings(topic, draft.image())?;
        let layout = self.layout(draft);
        let count = match topic.assignments.as_slice() {
            [] => self.check_counts(topic)?,
            assignments => check_assignments(topic, assignments, layout)?,
        };
        let topic_id = self.rng.uuid();
        let name = topic.name.clone();
        let mut records = Records::new();
        records.push((MetadataRecord::from(TopicRecord { name, topic_id }), 0));
        records.extend(setting_records(&topic.name, &own, has_elr(draft.image())));
        for index in 0..count {
            let partition = layout.partition(topic_id, index, placement);
            records.push((partition.into(), layout.version.partition()));
        }
        let result = CreatableTopicResult { topic_id, ..made(&topic.name) };
        if version < DESCRIBES_SINCE {
            return Ok(NewTopic { records, result });
        }
        let configs = configs::describe_topic(draft.image(), None, &own);
        let result = CreatableTopicResult {
            num_partitions: count,
            replication_factor: 1,
            configs: Some(configs.into_iter().map(described).collect()),
            ..result
        };
        Ok(NewTopic { records, result })
    }

    pub(super) fn layout(&self, draft: &Draft) -> Layout {
        let version = MetadataVersion::of(draft.image());
        Layout { node_id: self.config.node_id, version }
    }

    /// How many partitions a topic without assignments gets.
    fn check_counts(&self, topic: &CreatableTopic) -> Result<i32, Refusal> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let message =
                "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let factor = match topic.replication_factor {
            -1 => self.config.creation.replication_factor,
            factor => i32::from(factor),
        };
        Layout::check_replication_factor(factor)?;
        Ok(match topic.num_partitions {
            -1 => self.config.creation.partitions,
            count => count,
        })
    }
}

/// What a decoded request takes in memory, about.
fn held_bytes(request: &CreateTopicsRequest) -> usize {
    let settings = |topic: &CreatableTopic| {
        let texts = topic.configs.iter().map(|config| {
            config.name.len() + config.value.as_ref().map_or(0, String::len) + ELEMENT_BYTES
        });
        texts.sum::<usize>()
    };
    let assigned = |topic: &CreatableTopic| {
        let brokers = topic.assignments.iter().map(|it| it.broker_ids.len() * 4 + ELEMENT_BYTES);
        brokers.sum::<usize>()
    };
    let topic =
        |it: &CreatableTopic| it.name.len() + 2 * ELEMENT_BYTES + settings(it) + assigned(it);
    request.topics.iter().map(topic).sum()
}

fn check_name(name: &str, draft: &Draft) -> Result<(), Refusal> {
    if name == METADATA_TOPIC {
        let message = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    }
    if draft.topic(name).is_some() {
        let message = format!("Topic '{name}' already exists.");
        return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
    }
    let invalid = |message: String| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message);
    if let Some(message) = topic_name::refusal(name) {
        return Err(invalid(message));
    }
    match names::colliding(name, |from| draft.topic_name_from(from)) {
        Some(other) => {
            Err(invalid(format!("Topic '{name}' collides with existing topic: {other}")))
        }
        None => Ok(()),
    }
}

/// The settings that the topic gets: of a key that stands there twice the last value counts.
fn check_settings(topic: &CreatableTopic, image: &Image) -> Result<Settings, Refusal> {
    let invalid = |message: String| Refusal::new(ErrorCode::INVALID_CONFIG, message);
    let is_null = topic.configs.iter().filter(|config| config.value.is_none());
    let nulls: Vec<&str> = is_null.map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        let names = nulls.join(",");
        return Err(invalid(format!("Null value not supported for topic configs: {names}")));
    }
    let mut own = Settings::new();
    for config in &topic.configs {
        own.insert(config.name.clone(), config.value.clone().unwrap_or_default());
    }
    configs::check_topic_settings(&own, image).map_err(invalid)?;
    Ok(own)
}

/// How many partitions a topic gets whose replicas the client places.
fn check_assignments(
    topic: &CreatableTopic,
    assignments: &[CreatableReplicaAssignment],
    layout: Layout,
) -> Result<i32, Refusal> {
    let both = |what| {
        let message =
            format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
    };
    if topic.replication_factor != -1 {
        return both("replication factor");
    }
    if topic.num_partitions != -1 {
        return both("numPartitions");
    }
    let refused = |message: String| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
    let mut indexes = BTreeSet::new();
    for assignment in assignments {
        let index = assignment.partition_index;
        if !indexes.insert(index) {
            let reason = "Found multiple manual partition assignments for partition";
            return Err(refused(format!("{reason} {index}")));
        }
        layout.check_replicas(&assignment.broker_ids)?;
    }
    let count = indexes.len() as i32;
    if !indexes.into_iter().eq(0..count) {
        let reason = "partitions should be a consecutive 0-based integer sequence";
        return Err(refused(reason.to_string()));
    }
    Ok(count)
}

/// The records of a new topic's settings (`ConfigurationControlManager.incrementalAlterConfig`).
fn setting_records(topic: &str, own: &Settings, has_elr: bool) -> Records {
    let ConfigResource { resource_type, name } = ConfigResource::topic(topic);
    let record = |(key, value): (&String, &String)| {
        let record = ConfigRecord {
            resource_type,
            resource_name: name.clone(),
            name: key.clone(),
            value: Some(value.clone()),
        };
        (record.into(), 0)
    };
    let mut records: Records = own.iter().map(record).collect();
    if has_elr && own.contains_key(MIN_INSYNC_REPLICAS) {
        records.push((ClearElrRecord { topic_name: topic.to_string() }.into(), 0));
    }
    records
}

/// What Kafka's controller writes at once is bounded (`QuorumController.MAX_RECORDS_PER_USER_OP`).
pub(super) fn check_size(records: &Records) -> Result<(), Refusal> {
    if are_excessive(records.iter().map(|(record, _)| record_bytes(record))) {
        return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, EXCESSIVE));
    }
    Ok(())
}

fn described(setting: configs::Described) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: setting.name.to_string(),
        value: setting.value,
        read_only: setting.read_only,
        config_source: setting.source,
        is_sensitive: setting.is_sensitive,
    }
}

fn made(name: &str) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_string(),
        topic_id: Uuid::ZERO,
        error_code: ErrorCode::NONE,
        error_message: None,
        topic_config_error_code: ErrorCode::NONE,
        num_partitions: -1,
        replication_factor: -1,
        configs: Some(Vec::new()),
    }
}

fn refused(name: &str, Refusal { error, message }: Refusal) -> CreatableTopicResult {
    CreatableTopicResult { error_code: error, error_message: message, ..made(name) }
}

/// `CreateTopicsRequest.getErrorResponse`.
fn refuse_all(request: &CreateTopicsRequest, refusal: &Refusal) -> ResponseBody {
    let topics = request.topics.iter().map(|topic| refused(&topic.name, refusal.clone()));
    ResponseBody::CreateTopics(CreateTopicsResponse {
        throttle_time_ms: 0,
        topics: topics.collect(),
    })
}
