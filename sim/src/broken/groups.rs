//! Brokers that break what they promise of groups: of the offsets that are committed, of who is in which generation and
//! has which part, and of who is believed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use klamm_core::api::offset_fetch::{OffsetFetchResponse, OffsetFetchResponsePartitions};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::{ConnectionId, RequestNumber};
use klamm_core::request::{Request, RequestBody, Response, ResponseBody};

use crate::layer::Layer;

type At = (ConnectionId, RequestNumber);

/// The answer to a commit of which all is kept.
fn all_kept(request: &OffsetCommitRequest) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|part| OffsetCommitResponsePartition {
                partition_index: part.partition_index,
                error_code: ErrorCode::NONE,
            })
            .collect(),
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

/// Answers commits before they are safe: those of whoever is no member, at once.
#[derive(Debug, Default)]
pub struct AnswersCommitsEarly {
    answered: BTreeSet<At>,
    groups: BTreeSet<String>,
}

impl Layer for AnswersCommitsEarly {
    fn request(&mut self, from: ConnectionId, request: &mut Request) -> Option<Response> {
        let RequestBody::OffsetCommit { request: asked, .. } = &request.body else { return None };
        // What is not there, or who may not, is left to the broker.
        let is_plain = asked.group_id.starts_with("simple");
        if !is_plain || self.groups.insert(asked.group_id.clone()) {
            return None;
        }
        self.answered.insert((from, request.number));
        let body = ResponseBody::OffsetCommit(all_kept(asked));
        Some(Response { number: request.number, body })
    }

    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        if self.answered.remove(&(to, response.number)) { Vec::new() } else { vec![(to, response)] }
    }
}

/// Keeps nothing of each third commit, and says that it does.
#[derive(Debug, Default)]
pub struct DropsCommits {
    commits: u64,
    dropped: BTreeMap<At, OffsetCommitResponse>,
}

impl Layer for DropsCommits {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::OffsetCommit { request: asked, .. } = &mut request.body {
            self.commits += 1;
            if self.commits.is_multiple_of(3) {
                self.dropped.insert((from, request.number), all_kept(asked));
                asked.topics.clear();
            }
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let Some(told) = self.dropped.remove(&(to, response.number)) {
            response.body = ResponseBody::OffsetCommit(told);
        }
    }
}

/// Keeps what it has refused: a member's commit that is answered as one of an old generation.
#[derive(Debug, Default)]
pub struct RefusesCommitsItKeeps {
    commits: u64,
}

impl Layer for RefusesCommitsItKeeps {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::OffsetCommit(told) = &mut response.body {
            self.commits += 1;
            let parts = told.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for part in parts.filter(|part| part.error_code.is_none() && self.commits % 5 == 2) {
                part.error_code = ErrorCode::REBALANCE_IN_PROGRESS;
            }
        }
    }
}

/// Every committed offset of an answer, in the newest form, with its group; older answers are left as they are.
fn told_offsets(
    told: &mut OffsetFetchResponse,
) -> impl Iterator<Item = (String, &mut OffsetFetchResponsePartitions)> {
    told.groups.iter_mut().flat_map(|group| {
        let id = group.group_id.clone();
        group.topics.iter_mut().flat_map(move |topic| {
            let key = format!("{id} {} {}", topic.name, topic.topic_id);
            topic
                .partitions
                .iter_mut()
                .map(move |part| (format!("{key} {}", part.partition_index), part))
        })
    })
}

/// Tells now and then what a group had committed before.
#[derive(Debug, Default)]
pub struct TellsOlderOffsets {
    told: BTreeMap<String, OffsetFetchResponsePartitions>,
    answers: u64,
}

impl Layer for TellsOlderOffsets {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::OffsetFetch(told) = &mut response.body {
            self.answers += 1;
            for (key, part) in told_offsets(told) {
                if let Some(before) = self.told.insert(key, part.clone())
                    && self.answers.is_multiple_of(2)
                {
                    *part = before;
                }
            }
        }
    }
}

/// Forgets what clients have to say about their offsets.
#[derive(Debug, Default)]
pub struct ForgetsMetadata {
    commits: u64,
}

impl Layer for ForgetsMetadata {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::OffsetCommit { request: asked, .. } = &mut request.body {
            self.commits += 1;
            let parts = asked.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for part in parts.filter(|_| self.commits.is_multiple_of(3)) {
                part.committed_metadata = None;
            }
        }
    }
}

/// Says that nothing was committed while it still reads its log.
#[derive(Debug, Default)]
pub struct ForgetsWhileLoading {
    asked: BTreeMap<At, klamm_core::api::offset_fetch::OffsetFetchRequest>,
}

impl Layer for ForgetsWhileLoading {
    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        let asked = self.asked.remove(&(to, response.number));
        if let (ResponseBody::OffsetFetch(told), Some(asked)) = (&mut response.body, asked) {
            let loading = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
            for group in told.groups.iter_mut().filter(|group| group.error_code == loading) {
                let wanted = asked.groups.iter().find(|wanted| wanted.group_id == group.group_id);
                let topics = wanted.and_then(|wanted| wanted.topics.as_ref());
                // Of those who ask for all there is nothing to say.
                if topics.is_none() {
                    group.error_code = ErrorCode::NONE;
                }
            }
            if asked.groups.is_empty() && asked.topics.is_none() && told.error_code == loading {
                told.error_code = ErrorCode::NONE;
            }
        }
    }

    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::OffsetFetch { request: asked, .. } = &request.body {
            self.asked.insert((from, request.number), asked.clone());
        }
    }
}

/// Gives a member the part that it gave to the one before.
#[derive(Debug, Default)]
pub struct GivesPartsTwice {
    last: Option<Bytes>,
}

impl Layer for GivesPartsTwice {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::SyncGroup(told) = &mut response.body
            && told.error_code.is_none()
        {
            let own = told.assignment.clone();
            if let Some(last) = self.last.replace(own).filter(|last| !last.is_empty()) {
                told.assignment = last;
            }
        }
    }
}

/// Gives each member now and then what it had in the generation before.
#[derive(Debug, Default)]
pub struct GivesOldParts {
    members: BTreeMap<At, String>,
    parts: BTreeMap<String, Bytes>,
}

impl Layer for GivesOldParts {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::SyncGroup { request: asked, .. } = &request.body {
            self.members.insert((from, request.number), asked.member_id.clone());
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let ResponseBody::SyncGroup(told) = &mut response.body
            && let Some(member) = self.members.remove(&(to, response.number))
            && told.error_code.is_none()
            && let Some(before) = self.parts.insert(member, told.assignment.clone())
        {
            told.assignment = before;
        }
    }
}

/// Believes whoever claims an old generation: it hears of the newest that it has told of.
#[derive(Debug, Default)]
pub struct BelievesOldGenerations {
    asked: BTreeMap<At, String>,
    newest: BTreeMap<String, i32>,
}

impl Layer for BelievesOldGenerations {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        match &mut request.body {
            RequestBody::JoinGroup(asked) => {
                self.asked.insert((from, request.number), asked.request.group_id.clone());
            }
            RequestBody::Heartbeat { request: asked, .. } => {
                if let Some(newest) = self.newest.get(&asked.group_id) {
                    asked.generation_id = *newest;
                }
            }
            RequestBody::OffsetCommit { request: asked, .. } => {
                let newest = self.newest.get(&asked.group_id);
                let newest = newest.filter(|_| asked.generation_id_or_member_epoch >= 0);
                if let Some(newest) = newest {
                    asked.generation_id_or_member_epoch = *newest;
                }
            }
            _ => {}
        }
    }

    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        if let ResponseBody::JoinGroup(told) = &response.body
            && let Some(group) = self.asked.remove(&(to, response.number))
            && told.error_code.is_none()
        {
            self.newest.insert(group, told.generation_id);
        }
        vec![(to, response)]
    }
}

/// Loses each third answer to who wants to join.
#[derive(Debug, Default)]
pub struct LosesJoins {
    answers: u64,
}

impl Layer for LosesJoins {
    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        if let ResponseBody::JoinGroup(_) = &response.body {
            self.answers += 1;
            if self.answers.is_multiple_of(3) {
                return Vec::new();
            }
        }
        vec![(to, response)]
    }
}

/// Tells members that all is well, whatever happens to their group.
#[derive(Debug, Default)]
pub struct HidesRebalances;

impl Layer for HidesRebalances {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Heartbeat(told) = &mut response.body {
            told.error_code = ErrorCode::NONE;
        }
    }
}

/// Tells members without end to join again.
#[derive(Debug, Default)]
pub struct RebalancesForEver;

impl Layer for RebalancesForEver {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Heartbeat(told) = &mut response.body
            && told.error_code.is_none()
        {
            told.error_code = ErrorCode::REBALANCE_IN_PROGRESS;
        }
    }
}

/// Forgets offsets of another group than it was told to: of one of members.
#[derive(Debug, Default)]
pub struct DeletesOfAnother {
    meant: BTreeMap<At, String>,
}

impl Layer for DeletesOfAnother {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::DeleteGroups { request: asked, .. } = &mut request.body
            && let [group] = &mut asked.groups_names[..]
            && !group.starts_with("simple")
        {
            self.meant.insert((from, request.number), group.clone());
            "simple5".clone_into(group);
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let ResponseBody::DeleteGroups(told) = &mut response.body
            && let Some(meant) = self.meant.remove(&(to, response.number))
        {
            for result in &mut told.results {
                result.group_id.clone_from(&meant);
                result.error_code = ErrorCode::NON_EMPTY_GROUP;
            }
        }
    }
}

/// Tells a member whose place another has that all is well.
#[derive(Debug, Default)]
pub struct FencesNobody;

impl Layer for FencesNobody {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Heartbeat(told) = &mut response.body
            && told.error_code == ErrorCode::FENCED_INSTANCE_ID
        {
            told.error_code = ErrorCode::NONE;
        }
    }
}

/// Tells a member whose place another has that nobody knows it.
#[derive(Debug, Default)]
pub struct DisownsTheFenced;

impl Layer for DisownsTheFenced {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Heartbeat(told) = &mut response.body
            && told.error_code == ErrorCode::FENCED_INSTANCE_ID
        {
            told.error_code = ErrorCode::UNKNOWN_MEMBER_ID;
        }
    }
}

/// Tells a member of the generation before.
#[derive(Debug, Default)]
pub struct ReusesGenerations {
    answers: u64,
}

impl Layer for ReusesGenerations {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::JoinGroup(told) = &mut response.body
            && told.error_code.is_none()
        {
            self.answers += 1;
            if self.answers.is_multiple_of(4) {
                told.generation_id = (told.generation_id - 1).max(0);
            }
        }
    }
}

/// Tells everybody that it leads.
#[derive(Debug, Default)]
pub struct HasTwoLeaders;

impl Layer for HasTwoLeaders {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::JoinGroup(told) = &mut response.body
            && told.error_code.is_none()
        {
            told.leader.clone_from(&told.member_id);
        }
    }
}

/// Forgets its members once, when nothing has happened.
#[derive(Debug, Default)]
pub struct ForgetsMembers {
    beats: u64,
}

impl Layer for ForgetsMembers {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Heartbeat(told) = &mut response.body
            && told.error_code.is_none()
        {
            self.beats += 1;
            if self.beats.is_multiple_of(20) {
                told.error_code = ErrorCode::UNKNOWN_MEMBER_ID;
            }
        }
    }
}
