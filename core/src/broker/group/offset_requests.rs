//! OffsetCommit and OffsetDelete: what is not there is answered here, the rest goes to the group's shard
//! (`KafkaApis.handleOffsetCommitRequest`, `handleOffsetDeleteRequest`).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::asker;
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::broker::Broker;
use crate::broker::image::Image;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::request::ResponseBody;

/// From here on topics are named by their ids.
pub(super) const COMMIT_IDS_SINCE: i16 = 10;

impl Broker {
    pub(in crate::broker) fn handle_offset_commit(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        mut request: OffsetCommitRequest,
    ) {
        let asker = asker(connection, number);
        let asked = core::mem::take(&mut request.topics);
        let mut absent: Vec<OffsetCommitResponseTopic> = Vec::new();
        for topic in asked {
            let (there, missing) = split_commit(&self.image, topic, version);
            request.topics.extend(there);
            absent.extend(missing);
        }
        let body = |topics| {
            ResponseBody::OffsetCommit(OffsetCommitResponse { throttle_time_ms: 0, topics })
        };
        if request.topics.is_empty() {
            return self.answer_group(asker, body(absent));
        }
        let committed = self.with_group(&request.group_id, |shard, context| {
            shard.commit_offsets(context, version, &request)
        });
        let refused = |error| request.topics.iter().map(|it| refused_commit(it, error)).collect();
        match committed {
            Ok((index, told)) => {
                let topics = told.unwrap_or_else(refused);
                self.answer_from(index, asker, body(merged(absent, topics)));
            }
            Err(error) => self.answer_group(asker, body(merged(absent, refused(error)))),
        }
    }

    pub(in crate::broker) fn handle_offset_delete(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        mut request: OffsetDeleteRequest,
    ) {
        let asker = asker(connection, number);
        let refusal = |error_code| {
            let response = OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
            ResponseBody::OffsetDelete(response)
        };
        if request.group_id.is_empty() {
            return self.answer_group(asker, refusal(ErrorCode::INVALID_GROUP_ID));
        }
        let asked = core::mem::take(&mut request.topics);
        let mut absent: Vec<OffsetDeleteResponseTopic> = Vec::new();
        for topic in asked {
            let (there, missing) = split_delete(&self.image, topic);
            request.topics.extend(there);
            absent.extend(missing);
        }
        let deleted = self.with_group(&request.group_id, |shard, context| {
            shard.delete_offsets(context, &request)
        });
        match deleted {
            Ok((index, Ok(topics))) => {
                let topics = merged(absent, topics);
                let response = OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() };
                self.answer_from(index, asker, ResponseBody::OffsetDelete(response));
            }
            Ok((index, Err(error))) => self.answer_from(index, asker, refusal(error)),
            Err(error) => self.answer_group(asker, refusal(error)),
        }
    }
}

/// A topic's partitions that are there, with its name and id, and those that are not, answered.
fn split_commit(
    image: &Image,
    mut asked: OffsetCommitRequestTopic,
    version: i16,
) -> (Option<OffsetCommitRequestTopic>, Option<OffsetCommitResponseTopic>) {
    let by_id = version >= COMMIT_IDS_SINCE;
    let (topic, absence) = if by_id {
        (image.topics_by_id.get(&asked.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
    } else {
        (image.topics.get(asked.name.as_str()), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    };
    let Some(topic) = topic else { return (None, Some(refused_commit(&asked, absence))) };
    asked.name = String::from(&*topic.name);
    asked.topic_id = topic.id;
    let partitions = core::mem::take(&mut asked.partitions);
    let (there, missing): (Vec<_>, Vec<_>) = partitions
        .into_iter()
        .partition(|partition| topic.partitions.contains_key(&partition.partition_index));
    let absent = (!missing.is_empty()).then(|| {
        let (name, topic_id) = (asked.name.clone(), asked.topic_id);
        let missing = OffsetCommitRequestTopic { name, topic_id, partitions: missing };
        refused_commit(&missing, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    });
    asked.partitions = there;
    ((!asked.partitions.is_empty()).then_some(asked), absent)
}

fn split_delete(
    image: &Image,
    asked: OffsetDeleteRequestTopic,
) -> (Option<OffsetDeleteRequestTopic>, Option<OffsetDeleteResponseTopic>) {
    let topic = image.topics.get(asked.name.as_str());
    let (there, missing): (Vec<_>, Vec<_>) = asked.partitions.into_iter().partition(|partition| {
        topic.is_some_and(|topic| topic.partitions.contains_key(&partition.partition_index))
    });
    let name = &asked.name;
    let absent = (!missing.is_empty() || topic.is_none()).then(|| OffsetDeleteResponseTopic {
        name: name.clone(),
        partitions: missing
            .iter()
            .map(|partition| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            })
            .collect(),
    });
    let there = (!there.is_empty())
        .then(|| OffsetDeleteRequestTopic { name: name.clone(), partitions: there });
    (there, absent)
}

fn refused_commit(
    asked: &OffsetCommitRequestTopic,
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partitions = asked.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code,
    });
    OffsetCommitResponseTopic {
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        partitions: partitions.collect(),
    }
}

/// A topic of an answer.
trait AnsweredTopic {
    type Partition;

    /// Its name and id.
    fn key(&self) -> (&str, Uuid);

    fn partitions(&mut self) -> &mut Vec<Self::Partition>;
}

impl AnsweredTopic for OffsetCommitResponseTopic {
    type Partition = OffsetCommitResponsePartition;

    fn key(&self) -> (&str, Uuid) {
        (&self.name, self.topic_id)
    }

    fn partitions(&mut self) -> &mut Vec<OffsetCommitResponsePartition> {
        &mut self.partitions
    }
}

impl AnsweredTopic for OffsetDeleteResponseTopic {
    type Partition = OffsetDeleteResponsePartition;

    fn key(&self) -> (&str, Uuid) {
        (&self.name, Uuid::ZERO)
    }

    fn partitions(&mut self) -> &mut Vec<OffsetDeleteResponsePartition> {
        &mut self.partitions
    }
}

/// What the shard answers stands behind what is absent, a topic's partitions together
/// (`OffsetCommitResponse.Builder.merge`).
fn merged<T: AnsweredTopic>(mut absent: Vec<T>, topics: Vec<T>) -> Vec<T> {
    if absent.is_empty() {
        return topics;
    }
    let mut places = BTreeMap::new();
    for (at, topic) in absent.iter().enumerate() {
        places.entry(topic.key()).or_insert(at);
    }
    let places: Vec<Option<usize>> =
        topics.iter().map(|topic| places.get(&topic.key()).copied()).collect();
    for (mut topic, place) in topics.into_iter().zip(places) {
        match place {
            Some(at) => absent[at].partitions().append(topic.partitions()),
            None => absent.push(topic),
        }
    }
    absent
}
