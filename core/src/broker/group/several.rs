//! Requests about several groups, which may live in several shards: each shard's part is told when it is
//! safe, and the answer leaves with the last.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::answers::Answer;
use super::asker;
use super::offset_requests::COMMIT_IDS_SINCE;
use crate::api::delete_groups::{DeletableGroupResult, DeleteGroupsRequest};
use crate::api::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use crate::api::list_groups::ListGroupsRequest;
use crate::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::broker::Broker;
use crate::broker::image::Image;
use crate::codec::{Count, Field, Form};
use crate::config::limits::GROUPS_ANSWER_BYTES_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};

impl Broker {
    pub(in crate::broker) fn handle_describe_groups(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: DescribeGroupsRequest,
    ) {
        let has_operations = request.include_authorized_operations;
        let mut room = Room::default();
        let (shards, groups): (Vec<_>, Vec<_>) = request
            .groups
            .into_iter()
            .map(|group_id| {
                if !room.is_left() {
                    return (None, undescribed(group_id, NO_ROOM));
                }
                let described =
                    self.with_group(&group_id, |shard, _| shard.describe_group(&group_id, version));
                match described {
                    Ok((index, mut told)) => {
                        if has_operations && told.error_code.is_none() {
                            told.authorized_operations = GROUP_OPERATIONS;
                        }
                        room.take(&told, version);
                        (Some(index), told)
                    }
                    Err(error_code) => (None, undescribed(group_id, error_code)),
                }
            })
            .unzip();
        self.answer_when_safe(asker(connection, number), Answer::Described(groups), shards);
    }

    pub(in crate::broker) fn handle_list_groups(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: &ListGroupsRequest,
    ) {
        let indexes: Vec<i32> = self.groups.shards.keys().copied().collect();
        let (mut shards, mut groups) = (Vec::new(), Vec::new());
        let mut error_code = ErrorCode::NONE;
        for index in indexes {
            let listed = self.with_shard(index, |shard, _| {
                shard.list_groups(&request.states_filter, &request.types_filter)
            });
            match listed {
                Ok(listed) => {
                    shards.push(Some(index));
                    groups.push(listed);
                }
                // What is not coordinated here is listed elsewhere.
                Err(ErrorCode::NOT_COORDINATOR) => {}
                Err(error) => error_code = error,
            }
        }
        let answer = Answer::Listed { groups, error_code };
        self.answer_when_safe(asker(connection, number), answer, shards);
    }

    pub(in crate::broker) fn handle_delete_groups(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: DeleteGroupsRequest,
    ) {
        let mut seen = BTreeSet::new();
        let (mut shards, mut results) = (Vec::new(), Vec::new());
        for group_id in request.groups_names {
            if !seen.insert(group_id.clone()) {
                continue;
            }
            let deleted =
                self.with_group(&group_id, |shard, context| shard.delete_group(context, &group_id));
            let (shard, result) = match deleted {
                Ok((index, result)) => (Some(index), result),
                Err(error_code) => (None, DeletableGroupResult { group_id, error_code }),
            };
            shards.push(shard);
            results.push(result);
        }
        self.answer_when_safe(asker(connection, number), Answer::Deleted(results), shards);
    }

    pub(in crate::broker) fn handle_offset_fetch(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: OffsetFetchRequest,
    ) {
        let requires_stable = request.require_stable;
        let groups = fetched_groups(request, version);
        let mut room = Room::default();
        let (shards, groups): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .map(|group| {
                if !room.is_left() {
                    return (None, group_error(version, group, NO_ROOM));
                }
                let (shard, told) = self.fetch_group(version, group, requires_stable);
                room.take(&told, version.max(SEVERAL_SINCE));
                (shard, told)
            })
            .unzip();
        let answer = Answer::Fetched { version, groups };
        self.answer_when_safe(asker(connection, number), answer, shards);
    }

    fn fetch_group(
        &mut self,
        version: i16,
        mut group: OffsetFetchRequestGroup,
        requires_stable: bool,
    ) -> (Option<i32>, OffsetFetchResponseGroup) {
        let by_id = version >= COMMIT_IDS_SINCE;
        let mut unknown = Vec::new();
        if by_id && let Some(topics) = &mut group.topics {
            name_topics(&self.image, topics, &mut unknown);
        }
        let image = Arc::clone(&self.image);
        // A topic whose id nobody knows cannot be told of by it.
        let id_of = |topic: &str| if by_id { image.topic_id(topic) } else { Some(Uuid::ZERO) };
        let fetched = self.with_group(&group.group_id, |shard, _| {
            shard.fetch_offsets(&group, requires_stable, id_of)
        });
        match fetched {
            Ok((index, mut told)) => {
                told.topics.extend(unknown);
                (Some(index), told)
            }
            Err(error) => (None, group_error(version, group, error)),
        }
    }
}

/// What is left of an answer for the groups to come.
struct Room {
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: GROUPS_ANSWER_BYTES_MAX }
    }
}

impl Room {
    fn is_left(&self) -> bool {
        self.bytes > 0
    }

    /// Takes what is told of a group, which had room before.
    fn take<T: Field>(&mut self, told: &T, version: i16) {
        let mut count = Count::default();
        told.encode(&mut count, Form::new(version, true));
        self.bytes = self.bytes.saturating_sub(count.0);
    }
}

/// Of groups for which no room is left: clients ask again for these alone.
const NO_ROOM: ErrorCode = ErrorCode::COORDINATOR_NOT_AVAILABLE;

/// What a client without restrictions may do with a group (`AclEntry.supportedOperations`, as the bits of
/// `AclOperation`): read, delete, describe and both of configs.
const GROUP_OPERATIONS: i32 = 3400;

pub(super) fn undescribed(group_id: String, error_code: ErrorCode) -> DescribedGroup {
    DescribedGroup { error_code, group_id, ..DescribedGroup::default() }
}

/// From here on several groups are asked for at once.
const SEVERAL_SINCE: i16 = 8;

/// From here on an answer has an error of its own.
const ERROR_SINCE: i16 = 2;

/// The groups of a request, in the newest form.
fn fetched_groups(request: OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= SEVERAL_SINCE {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            topic_id: Uuid::ZERO,
            partition_indexes: topic.partition_indexes,
        });
        topics.collect()
    });
    alloc::vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    }]
}

/// Gives topics that are named by id their names; the unknown ones are taken out, and answered.
fn name_topics(
    image: &Image,
    topics: &mut Vec<OffsetFetchRequestTopics>,
    unknown: &mut Vec<OffsetFetchResponseTopics>,
) {
    topics.retain_mut(|topic| match image.topics_by_id.get(&topic.topic_id) {
        Some(known) => {
            topic.name = String::from(&*known.name);
            true
        }
        None => {
            unknown.push(refused_topic(topic, ErrorCode::UNKNOWN_TOPIC_ID));
            false
        }
    });
}

fn refused_topic(
    topic: &OffsetFetchRequestTopics,
    error_code: ErrorCode,
) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partition_indexes
            .iter()
            .map(|partition| refused_partition(*partition, error_code))
            .collect(),
    }
}

/// What a shard has told of a group is not told.
pub(super) fn refuse_fetched(
    version: i16,
    group: &mut OffsetFetchResponseGroup,
    error_code: ErrorCode,
) {
    group.error_code = error_code;
    if version >= ERROR_SINCE {
        group.topics.clear();
    }
    for partition in group.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        *partition = refused_partition(partition.partition_index, error_code);
    }
}

fn refused_partition(partition_index: i32, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        error_code,
        ..OffsetFetchResponsePartitions::default()
    }
}

/// The oldest answers have no place for it but at each partition.
fn group_error(
    version: i16,
    group: OffsetFetchRequestGroup,
    error_code: ErrorCode,
) -> OffsetFetchResponseGroup {
    let topics = if version < ERROR_SINCE {
        let asked = group.topics.iter().flatten();
        asked.map(|topic| refused_topic(topic, error_code)).collect()
    } else {
        Vec::new()
    };
    OffsetFetchResponseGroup { group_id: group.group_id, topics, error_code }
}

pub(super) fn fetch_response(
    version: i16,
    mut groups: Vec<OffsetFetchResponseGroup>,
) -> OffsetFetchResponse {
    if version >= SEVERAL_SINCE {
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let Some(group) = groups.pop() else { return OffsetFetchResponse::default() };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            })
            .collect(),
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}
