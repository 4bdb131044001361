//! Requests about several groups, which may live in several shards: each shard's part is told when it is
//! safe, and the answer leaves with the last.

use alloc::string::String;
use alloc::vec::Vec;

use super::offset_requests::COMMIT_IDS_SINCE;
use crate::api::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};
use crate::api::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup};
use crate::api::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use crate::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::broker::image::Image;
use crate::broker::open_requests::{OpenId, OpenRequest, OpenRequests};
use crate::broker::{Broker, Waiter};
use crate::codec::{Count, Field, Form};
use crate::config::limits::GROUPS_ANSWER_BYTES_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::request::{Response, ResponseBody};

/// Requests whose parts wait.
pub(super) type SeveralGroups = OpenRequests<Answer>;

/// An answer as far as it is known: a slot for each part.
#[derive(Debug)]
pub(super) enum Answer {
    Described(Vec<Option<DescribedGroup>>),
    Listed { groups: Vec<Vec<ListedGroup>>, error_code: ErrorCode },
    Deleted(Vec<Option<DeletableGroupResult>>),
    Fetched { version: i16, groups: Vec<Option<OffsetFetchResponseGroup>> },
}

/// What one shard has to say to one slot.
#[derive(Debug)]
pub(super) struct Part {
    request: OpenId,
    slot: usize,
    told: Told,
}

#[derive(Debug)]
enum Told {
    Described(DescribedGroup),
    Listed(Result<Vec<ListedGroup>, ErrorCode>),
    Deleted(DeletableGroupResult),
    Fetched(OffsetFetchResponseGroup),
}

/// A part, and the shard that must be safe before it is told.
type Found = (Option<i32>, Told);

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
        let parts: Vec<Found> = request
            .groups
            .into_iter()
            .map(|group_id| {
                if !room.is_left() {
                    return (None, Told::Described(undescribed(group_id, NO_ROOM)));
                }
                let described =
                    self.with_group(&group_id, |shard, _| shard.describe_group(&group_id, version));
                match described {
                    Ok((index, mut told)) => {
                        if has_operations && told.error_code.is_none() {
                            told.authorized_operations = GROUP_OPERATIONS;
                        }
                        room.take(&told, version);
                        (Some(index), Told::Described(told))
                    }
                    Err(error_code) => (None, Told::Described(undescribed(group_id, error_code))),
                }
            })
            .collect();
        let answer = Answer::Described(parts.iter().map(|_| None).collect());
        self.answer_several(connection, number, answer, parts);
    }

    pub(in crate::broker) fn handle_list_groups(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: &ListGroupsRequest,
    ) {
        let indexes: Vec<i32> = self.groups.shards.keys().copied().collect();
        let mut parts: Vec<Found> = Vec::with_capacity(indexes.len());
        for index in indexes {
            let listed = self.with_shard(index, |shard, _| {
                shard.list_groups(&request.states_filter, &request.types_filter)
            });
            match listed {
                Ok(groups) => parts.push((Some(index), Told::Listed(Ok(groups)))),
                // What is not coordinated here is listed elsewhere.
                Err(ErrorCode::NOT_COORDINATOR) => {}
                Err(error) => parts.push((None, Told::Listed(Err(error)))),
            }
        }
        let groups = parts.iter().map(|_| Vec::new()).collect();
        let answer = Answer::Listed { groups, error_code: ErrorCode::NONE };
        self.answer_several(connection, number, answer, parts);
    }

    pub(in crate::broker) fn handle_delete_groups(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: DeleteGroupsRequest,
    ) {
        let mut seen = alloc::collections::BTreeSet::new();
        let mut parts: Vec<Found> = Vec::new();
        for group_id in request.groups_names {
            if !seen.insert(group_id.clone()) {
                continue;
            }
            let deleted =
                self.with_group(&group_id, |shard, context| shard.delete_group(context, &group_id));
            parts.push(match deleted {
                Ok((index, result)) => (Some(index), Told::Deleted(result)),
                Err(error_code) => {
                    (None, Told::Deleted(DeletableGroupResult { group_id, error_code }))
                }
            });
        }
        let answer = Answer::Deleted(parts.iter().map(|_| None).collect());
        self.answer_several(connection, number, answer, parts);
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
        let parts: Vec<Found> = groups
            .into_iter()
            .map(|group| {
                if !room.is_left() {
                    return (None, Told::Fetched(group_error(version, group, NO_ROOM)));
                }
                let found = self.fetch_group(version, group, requires_stable);
                if let (_, Told::Fetched(told)) = &found {
                    room.take(told, version.max(SEVERAL_SINCE));
                }
                found
            })
            .collect();
        let groups = parts.iter().map(|_| None).collect();
        self.answer_several(connection, number, Answer::Fetched { version, groups }, parts);
    }

    fn fetch_group(
        &mut self,
        version: i16,
        mut group: OffsetFetchRequestGroup,
        requires_stable: bool,
    ) -> Found {
        let by_id = version >= COMMIT_IDS_SINCE;
        let mut unknown = Vec::new();
        if by_id && let Some(topics) = &mut group.topics {
            name_topics(&self.image, topics, &mut unknown);
        }
        let is_all = group.topics.is_none();
        let fetched = self
            .with_group(&group.group_id, |shard, _| shard.fetch_offsets(&group, requires_stable));
        match fetched {
            Ok((index, mut told)) => {
                if by_id && is_all {
                    identify_topics(&self.image, &mut told.topics);
                }
                told.topics.extend(unknown);
                (Some(index), Told::Fetched(told))
            }
            Err(error) => (None, Told::Fetched(group_error(version, group, error))),
        }
    }

    fn answer_several(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        answer: Answer,
        parts: Vec<Found>,
    ) {
        let open = OpenRequest { connection, number, deadline: None, missing: parts.len(), answer };
        if open.missing == 0 {
            return self.end_several(open);
        }
        let request = self.groups.several.start(open);
        for (slot, (index, told)) in parts.into_iter().enumerate() {
            let part = Part { request, slot, told };
            match index.and_then(|index| self.unsafe_offset(index)) {
                None => self.settle_part(part, ErrorCode::NONE),
                Some((log, offset)) => {
                    let id = self.groups.held.hold_part(part);
                    self.waits.add(log, self.level, offset, Waiter::Group(id));
                }
            }
        }
    }

    /// A part is safe to tell, or its shard is gone.
    pub(super) fn settle_part(&mut self, part: Part, error: ErrorCode) {
        let Part { request, slot, told } = part;
        let told = if error.is_none() { told } else { told.refused(error) };
        let ended = self.groups.several.settle(request, |answer| answer.fill(slot, told));
        if let Some(open) = ended {
            self.end_several(open);
        }
    }

    fn end_several(&mut self, open: OpenRequest<Answer>) {
        let body = open.answer.into_body();
        self.respond(open.connection, Response { number: open.number, body });
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

impl Told {
    fn refused(self, error_code: ErrorCode) -> Self {
        match self {
            Self::Described(group) => Self::Described(undescribed(group.group_id, error_code)),
            Self::Listed(_) => Self::Listed(Err(error_code)),
            Self::Deleted(result) => Self::Deleted(DeletableGroupResult { error_code, ..result }),
            Self::Fetched(mut group) => {
                for partition in group.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    *partition = refused_partition(partition.partition_index, error_code);
                }
                Self::Fetched(OffsetFetchResponseGroup { error_code, ..group })
            }
        }
    }
}

impl Answer {
    fn fill(&mut self, slot: usize, told: Told) {
        match (self, told) {
            (Self::Described(groups), Told::Described(group)) => groups[slot] = Some(group),
            (Self::Listed { groups, .. }, Told::Listed(Ok(listed))) => groups[slot] = listed,
            (Self::Listed { error_code, .. }, Told::Listed(Err(error))) => *error_code = error,
            (Self::Deleted(results), Told::Deleted(result)) => results[slot] = Some(result),
            (Self::Fetched { version, groups }, Told::Fetched(mut group)) => {
                // An answer that has a place for an error has nothing beside it.
                if !group.error_code.is_none() && *version >= ERROR_SINCE {
                    group.topics.clear();
                }
                groups[slot] = Some(group);
            }
            _ => debug_assert!(false, "a part is of its request's kind"),
        }
    }

    fn into_body(self) -> ResponseBody {
        match self {
            Self::Described(groups) => {
                let groups = groups.into_iter().flatten().collect();
                ResponseBody::DescribeGroups(DescribeGroupsResponse { throttle_time_ms: 0, groups })
            }
            Self::Listed { groups, error_code } => {
                let groups = if error_code.is_none() { groups } else { Vec::new() };
                ResponseBody::ListGroups(ListGroupsResponse {
                    throttle_time_ms: 0,
                    error_code,
                    groups: groups.into_iter().flatten().collect(),
                })
            }
            Self::Deleted(results) => {
                let results = results.into_iter().flatten().collect();
                ResponseBody::DeleteGroups(DeleteGroupsResponse { throttle_time_ms: 0, results })
            }
            Self::Fetched { version, groups } => {
                let groups = groups.into_iter().flatten().collect();
                ResponseBody::OffsetFetch(fetch_response(version, groups))
            }
        }
    }
}

/// What a client without restrictions may do with a group (`AclEntry.supportedOperations`, as the bits of
/// `AclOperation`): read, delete, describe and both of configs.
const GROUP_OPERATIONS: i32 = 3400;

fn undescribed(group_id: String, error_code: ErrorCode) -> DescribedGroup {
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

/// A topic whose id nobody knows cannot be told of.
fn identify_topics(image: &Image, topics: &mut Vec<OffsetFetchResponseTopics>) {
    topics.retain_mut(|topic| {
        if topic.topic_id == Uuid::ZERO {
            topic.topic_id = image.topics.get(topic.name.as_str()).map_or(Uuid::ZERO, |it| it.id);
        }
        topic.topic_id != Uuid::ZERO
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

fn fetch_response(version: i16, mut groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
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
