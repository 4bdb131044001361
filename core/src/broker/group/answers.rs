//! Answers of shards: each leaves when all that the shards behind it had appended by then is safe.

use alloc::vec::Vec;

use super::context::Asker;
use super::several::{fetch_response, refuse_fetched, undescribed};
use crate::api::delete_groups::{DeletableGroupResult, DeleteGroupsResponse};
use crate::api::describe_groups::{DescribeGroupsResponse, DescribedGroup};
use crate::api::leave_group::LeaveGroupResponse;
use crate::api::list_groups::{ListGroupsResponse, ListedGroup};
use crate::api::offset_delete::OffsetDeleteResponse;
use crate::api::offset_fetch::OffsetFetchResponseGroup;
use crate::api::sync_group::SyncGroupResponse;
use crate::broker::open_requests::{OpenId, OpenRequest, OpenRequests};
use crate::broker::{Broker, Waiter};
use crate::error_code::ErrorCode;
use crate::ids::LogId;
use crate::request::{Response, ResponseBody};

/// Requests whose answers wait.
pub(super) type OpenAnswers = OpenRequests<Answer>;

/// An answer, by what each shard has to say: a slot for each.
#[derive(Debug)]
pub(super) enum Answer {
    /// One shard says all of it.
    Whole(ResponseBody),
    Described(Vec<DescribedGroup>),
    Listed {
        groups: Vec<Vec<ListedGroup>>,
        error_code: ErrorCode,
    },
    Deleted(Vec<DeletableGroupResult>),
    Fetched {
        version: i16,
        groups: Vec<OffsetFetchResponseGroup>,
    },
}

impl Broker {
    /// Answers a request by what a shard knows: as soon as that is safe.
    pub(super) fn answer_from(&mut self, index: i32, asker: Asker, body: ResponseBody) {
        self.answer_when_safe(asker, Answer::Whole(body), [Some(index)]);
    }

    /// The same of several shards, one for each slot of the answer; `None` where no shard was asked.
    pub(super) fn answer_when_safe(
        &mut self,
        asker: Asker,
        answer: Answer,
        shards: impl IntoIterator<Item = Option<i32>>,
    ) {
        let offsets = shards.into_iter().map(|index| self.unsafe_offset(index?));
        let waits: Vec<(usize, LogId, i64)> = offsets
            .enumerate()
            .filter_map(|(slot, wait)| wait.map(|(log, offset)| (slot, log, offset)))
            .collect();
        if waits.is_empty() {
            return self.answer_group(asker, answer.into_body());
        }
        let Asker { connection, number } = asker;
        let missing = waits.len();
        let open = OpenRequest { connection, number, deadline: None, missing, answer };
        let id = self.groups.open.start(open);
        for (slot, log, offset) in waits {
            self.waits.add(log, self.level, offset, Waiter::Group(id, slot));
        }
    }

    /// The last offset that the shard has appended, while it is not safe.
    fn unsafe_offset(&self, index: i32) -> Option<(LogId, i64)> {
        let slot = self.groups.shards.get(&index)?;
        let log = &self.logs.get(&slot.log)?.log;
        let end = log.accepted_end();
        (log.end(self.level) < end).then(|| (slot.log, end - 1))
    }

    /// What a slot waited for is safe; or will not be, and then nothing is told of it.
    pub(in crate::broker) fn settle_group(&mut self, id: OpenId, slot: usize, error: ErrorCode) {
        let ended = self.groups.open.settle(id, |answer| {
            if !error.is_none() {
                answer.refuse(slot, error);
            }
        });
        if let Some(OpenRequest { connection, number, answer, .. }) = ended {
            self.respond(connection, Response { number, body: answer.into_body() });
        }
    }

    /// Answers, if somebody is there to hear it.
    pub(super) fn answer_group(&mut self, asker: Asker, body: ResponseBody) {
        if self.connections.contains_key(&asker.connection) {
            self.respond(asker.connection, Response { number: asker.number, body });
        }
    }
}

impl Answer {
    /// What the shard of a slot has said is not told.
    fn refuse(&mut self, slot: usize, error: ErrorCode) {
        match self {
            Self::Whole(body) => refuse(body, error),
            Self::Described(groups) => {
                let group = &mut groups[slot];
                *group = undescribed(core::mem::take(&mut group.group_id), error);
            }
            Self::Listed { error_code, .. } => *error_code = error,
            Self::Deleted(results) => results[slot].error_code = error,
            Self::Fetched { version, groups } => refuse_fetched(*version, &mut groups[slot], error),
        }
    }

    fn into_body(self) -> ResponseBody {
        match self {
            Self::Whole(body) => body,
            Self::Described(groups) => {
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
                ResponseBody::DeleteGroups(DeleteGroupsResponse { throttle_time_ms: 0, results })
            }
            Self::Fetched { version, groups } => {
                ResponseBody::OffsetFetch(fetch_response(version, groups))
            }
        }
    }
}

/// Makes of an answer that of a coordinator that could not keep its word: nothing of what it decided is told.
fn refuse(body: &mut ResponseBody, error_code: ErrorCode) {
    match body {
        ResponseBody::JoinGroup(response) => {
            response.error_code = error_code;
            response.generation_id = -1;
            response.leader.clear();
            response.members.clear();
        }
        ResponseBody::SyncGroup(response) => {
            *response = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
        }
        ResponseBody::Heartbeat(response) => response.error_code = error_code,
        ResponseBody::LeaveGroup(response) => {
            *response = LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
        }
        ResponseBody::OffsetCommit(response) => {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in partitions.filter(|partition| partition.error_code.is_none()) {
                partition.error_code = error_code;
            }
        }
        ResponseBody::OffsetDelete(response) => {
            *response = OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
        }
        other => debug_assert!(false, "no shard answers by {other:?}"),
    }
}
