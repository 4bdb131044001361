//! OffsetCommit and OffsetDelete: what is not there is answered here, the rest goes to the group's shard
//! (`KafkaApis.handleOffsetCommitRequest`, `handleOffsetDeleteRequest`).

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
use crate::ids::{ConnectionId, RequestNumber};
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
        let group_id = request.group_id.clone();
        let names: Vec<OffsetCommitRequestTopic> = request.topics.clone();
        let committed = self.with_group(&group_id, |shard, context| {
            shard.commit_offsets(context, version, request)
        });
        match committed {
            Ok((index, Ok(topics))) => {
                self.answer_from(index, asker, body(merged(absent, topics, same_topic)));
            }
            Ok((index, Err(error))) => {
                let topics = refused_commit(names, error);
                self.answer_from(index, asker, body(merged(absent, topics, same_topic)));
            }
            Err(error) => {
                let topics = refused_commit(names, error);
                self.answer_group(asker, body(merged(absent, topics, same_topic)));
            }
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
        let group_id = request.group_id.clone();
        let deleted =
            self.with_group(&group_id, |shard, context| shard.delete_offsets(context, &request));
        match deleted {
            Ok((index, Ok(topics))) => {
                let topics = merged(absent, topics, |a, b| a.name == b.name);
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
    let Some(topic) = topic else { return (None, refused_commit(vec_of(asked), absence).pop()) };
    asked.name = String::from(&*topic.name);
    asked.topic_id = topic.id;
    let partitions = core::mem::take(&mut asked.partitions);
    let (there, missing): (Vec<_>, Vec<_>) = partitions
        .into_iter()
        .partition(|partition| topic.partitions.contains_key(&partition.partition_index));
    let split = |partitions| OffsetCommitRequestTopic { partitions, ..asked.clone() };
    let absent = (!missing.is_empty())
        .then(|| refused_commit(vec_of(split(missing)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
        .and_then(|mut topics| topics.pop());
    ((!there.is_empty()).then(|| split(there)), absent)
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

fn vec_of<T>(item: T) -> Vec<T> {
    alloc::vec![item]
}

fn refused_commit(
    asked: Vec<OffsetCommitRequestTopic>,
    error_code: ErrorCode,
) -> Vec<OffsetCommitResponseTopic> {
    let topics = asked.into_iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code,
            })
            .collect(),
    });
    topics.collect()
}

fn same_topic(a: &OffsetCommitResponseTopic, b: &OffsetCommitResponseTopic) -> bool {
    a.name == b.name && a.topic_id == b.topic_id
}

/// A topic of an answer.
trait AnsweredTopic {
    type Partition;
    fn partitions(&mut self) -> &mut Vec<Self::Partition>;
}

impl AnsweredTopic for OffsetCommitResponseTopic {
    type Partition = OffsetCommitResponsePartition;
    fn partitions(&mut self) -> &mut Vec<OffsetCommitResponsePartition> {
        &mut self.partitions
    }
}

impl AnsweredTopic for OffsetDeleteResponseTopic {
    type Partition = OffsetDeleteResponsePartition;
    fn partitions(&mut self) -> &mut Vec<OffsetDeleteResponsePartition> {
        &mut self.partitions
    }
}

/// What the shard answers stands behind what is absent, a topic's partitions together
/// (`OffsetCommitResponse.Builder.merge`).
fn merged<T: AnsweredTopic>(
    mut absent: Vec<T>,
    topics: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Vec<T> {
    if absent.is_empty() {
        return topics;
    }
    let absent_count = absent.len();
    for mut topic in topics {
        match absent[..absent_count].iter_mut().find(|it| is_same(it, &topic)) {
            Some(before) => before.partitions().append(topic.partitions()),
            None => absent.push(topic),
        }
    }
    absent
}
