//! One who commits for groups without being a member, looks at groups, deletes them and their offsets, takes members
//! out of them; and who forges and makes no sense, if the run wants that.

use std::collections::BTreeSet;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use klamm_core::api::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_core::api::list_groups::{ListGroupsRequest, ListGroupsResponse};
use klamm_core::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use klamm_core::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::commits::{self, Fetched};
use super::member::protocol::encode_part;
use super::member::{
    PendingCall, find, found, group_name, heartbeat, leave, told_heartbeat, told_leave,
};
use super::{Answer, Caller, Pending, Surroundings, per_mille};
use crate::decisions::Purpose;
use crate::groups::{CallId, Claim, Committed, GroupAsk, GroupTold, ListedGroup, ToldMember};
use crate::history::{TopicPartition, is_passing};
use crate::program::Wish;

/// A client that looks after groups.
#[derive(Debug)]
pub struct Overseer {
    /// The group that it commits for.
    group: String,
    left: u64,
    /// Faults have ended: a commit must go well, and then a look.
    must_commit: bool,
    must_look: bool,
    knows_coordinator: bool,
    /// Members that it was told of, with their groups.
    known: Vec<(String, ToldMember)>,
    sleeps_until: u64,
    asked_at: u64,
}

/// What it asks beside offsets.
#[derive(Debug)]
pub(super) enum PendingTask {
    Describe(Vec<(CallId, String)>),
    List(CallId),
    Delete(Vec<(CallId, String)>),
    DeleteOffsets(CallId, Vec<TopicPartition>),
}

/// What a coordinator says that is not there yet, or no longer.
const NO_COORDINATOR: [i16; 4] = [14, 15, 16, 56];

/// The first versions of ListGroups with states, and with types.
const LIST_STATES_VERSION: i16 = 4;
const LIST_TYPES_VERSION: i16 = 5;

/// What lists are asked for: states and types in any case, and words that are none.
const STATE_FILTERS: [&str; 7] =
    ["Stable", "stable", "Empty", "EMPTY", "PreparingRebalance", "completingrebalance", "Dead"];
const TYPE_FILTERS: [&str; 4] = ["classic", "Classic", "consumer", "nothing"];

/// Kafka's names of the states of a group.
const STATES: [&str; 5] = ["PreparingRebalance", "CompletingRebalance", "Stable", "Empty", "Dead"];

impl PendingTask {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        match self {
            Self::Describe(calls) | Self::Delete(calls) => {
                for (call, _) in calls {
                    around.group_is_silent(call);
                }
            }
            Self::DeleteOffsets(call, _) | Self::List(call) => around.group_is_silent(call),
        }
    }
}

impl Overseer {
    pub(super) fn new(number: usize, left: u64) -> Self {
        Self {
            group: format!("simple{number}"),
            left,
            must_commit: false,
            must_look: false,
            knows_coordinator: false,
            known: Vec::new(),
            sleeps_until: 0,
            asked_at: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && !self.must_commit && !self.must_look
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
    }

    pub(super) fn settle(&mut self) {
        (self.must_commit, self.must_look, self.sleeps_until) = (true, true, 0);
    }

    pub(super) fn tidy_up(&mut self) {
        (self.left, self.must_look, self.sleeps_until) = (0, true, 0);
    }

    pub(super) fn disconnected(&mut self) {
        self.knows_coordinator = false;
    }

    pub(super) fn take_wish(&mut self, now_micros: u64, is_waiting: bool) -> Option<Wish> {
        if is_waiting || self.is_done() || self.asked_at > now_micros {
            return None;
        }
        self.asked_at = self.sleeps_until.max(now_micros + 1);
        Some(Wish::Later(self.asked_at - now_micros))
    }

    pub(super) fn next(
        &mut self,
        caller: Caller<'_>,
        around: &mut Surroundings<'_>,
    ) -> Option<Bytes> {
        if around.now_micros < self.sleeps_until || self.is_done() {
            return None;
        }
        if !self.knows_coordinator {
            return Some(find(caller, self.group.clone(), around));
        }
        if self.must_commit {
            return Some(self.commit(caller, around));
        }
        if self.left == 0 {
            return Some(self.look(caller, around));
        }
        self.left -= 1;
        let most = around.options.session_ms * 125;
        self.sleeps_until = around.now_micros + around.decisions.below(Purpose::Group, most);
        let hostile = per_mille(around.options.hostile_per_mille);
        if around.decisions.chance(Purpose::Group, hostile) {
            return Some(self.offend(caller, around));
        }
        Some(match around.decisions.below(Purpose::Group, 12) {
            0..=3 => self.commit(caller, around),
            4 | 5 => self.look(caller, around),
            6 | 7 => describe(caller, self.groups(around), around),
            8 => list(caller, around),
            9 | 10 => {
                let group = self.some_group(around);
                delete_offsets(caller, group, around)
            }
            _ => {
                let groups = self.groups(around);
                let at = around.decisions.below(Purpose::Group, groups.len() as u64 + 1) as usize;
                let groups = groups.get(at).map_or(groups.clone(), |group| vec![group.clone()]);
                delete(caller, groups, around)
            }
        })
    }

    fn groups(&self, around: &Surroundings<'_>) -> Vec<String> {
        let of_members = (0..around.options.groups.max(1)).map(group_name);
        of_members.chain([self.group.clone()]).collect()
    }

    fn some_group(&self, around: &mut Surroundings<'_>) -> String {
        let groups = self.groups(around);
        around.decisions.pick(Purpose::Group, &groups).clone()
    }

    fn commit(&self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let offsets = draw_offsets(around);
        commits::commit(caller, &self.group, &Claim::of_nobody(), offsets, around).0
    }

    fn look(&self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let groups = self.groups(around);
        let is_of_all = self.left == 0 || around.decisions.below(Purpose::Group, 2) == 0;
        let mut partitions = all_partitions(around);
        partitions.extend(passing_partitions(around));
        let wanted = (!is_of_all).then_some(partitions);
        let asked = groups.into_iter().map(|group| (group, wanted.clone())).collect();
        commits::fetch(caller, asked, around)
    }

    /// What nobody should do, and anybody can.
    fn offend(&self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let (group, claim) = self.forge(around);
        match around.decisions.below(Purpose::Group, 9) {
            0 | 1 => {
                let offsets = draw_offsets(around);
                commits::commit(caller, &group, &claim, offsets, around).0
            }
            2 => {
                let mut offsets = draw_offsets(around);
                for (_, committed) in &mut offsets {
                    committed.metadata = "x".repeat(5_000);
                }
                commits::commit(caller, &self.group, &Claim::of_nobody(), offsets, around).0
            }
            3 => {
                let (topic, partition) = (super::UNKNOWN_TOPIC.to_owned(), 0);
                let committed = Committed { offset: 5, leader_epoch: -1, metadata: String::new() };
                let offsets = vec![(TopicPartition { topic, partition }, committed)];
                commits::commit(caller, &self.group, &Claim::of_nobody(), offsets, around).0
            }
            4 | 5 => heartbeat(caller, &group, &claim, 4, around),
            6 => leave(caller, &group, vec![claim], 4, around),
            7 => sync(caller, &group, &claim, around),
            _ => join(caller, &group, &claim, around),
        }
    }

    /// Somebody that it was told of, in a generation that it guesses; or nobody at all.
    fn forge(&self, around: &mut Surroundings<'_>) -> (String, Claim) {
        let generation = around.decisions.below(Purpose::Group, 6) as i32 - 1;
        let at = around.decisions.below(Purpose::Group, self.known.len() as u64 + 2) as usize;
        if let Some((group, member)) = self.known.get(at) {
            let named = around.decisions.below(Purpose::Group, 3);
            let member_id = if named == 0 { String::new() } else { member.id.clone() };
            let instance = member.instance.clone().filter(|_| named != 1);
            return (group.clone(), Claim { generation, member: member_id, instance });
        }
        let (member, instance) = ("somebody".to_owned(), Some("someone".to_owned()));
        let instance = instance.filter(|_| around.decisions.below(Purpose::Group, 2) == 0);
        let group = match around.decisions.below(Purpose::Group, 4) {
            0 => "nobodys".to_owned(),
            1 => String::new(),
            _ => self.some_group(around),
        };
        (group, Claim { generation, member, instance })
    }

    pub(super) fn called(
        &mut self,
        pending: PendingCall,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match pending {
            PendingCall::Find(key) => {
                let error = found(&key, answer)?;
                self.knows_coordinator = error == 0;
                self.heed(error, around);
            }
            PendingCall::Join(call) => super::member::tell_joined(call, &answer.read()?, around),
            PendingCall::Sync(call, _) => super::member::tell_synced(call, &answer.read()?, around),
            PendingCall::Heartbeat(call) => drop(told_heartbeat(call, answer, around)?),
            PendingCall::Leave(call) => drop(told_leave(call, answer, around)?),
        }
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        pending: PendingTask,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match pending {
            PendingTask::List(call) => {
                let response: ListGroupsResponse = answer.read()?;
                let error = response.error_code.0;
                self.heed(error, around);
                let groups = response.groups.iter().map(|group| listed(group, answer.version));
                let told = GroupTold::Listed { groups: groups.collect(), error };
                around.told_group(call, told);
                let mut names: Vec<&str> =
                    response.groups.iter().map(|group| group.group_id.as_str()).collect();
                names.sort_unstable();
                match names.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => Err(format!("group {} is listed twice", pair[0])),
                    None => Ok(()),
                }
            }
            PendingTask::Describe(calls) => self.described(calls, answer, around),
            PendingTask::Delete(calls) => {
                let response: DeleteGroupsResponse = answer.read()?;
                for (call, group) in calls {
                    let told = response.results.iter().find(|told| told.group_id == group);
                    let told = told.ok_or_else(|| format!("nothing is said of group {group}"))?;
                    let error = told.error_code.0;
                    let done = if error == 0 { GroupTold::Done } else { GroupTold::Error(error) };
                    around.told_group(call, done);
                    self.heed(error, around);
                }
                Ok(())
            }
            PendingTask::DeleteOffsets(call, targets) => {
                let response: OffsetDeleteResponse = answer.read()?;
                let error = response.error_code.0;
                self.heed(error, around);
                if error != 0 {
                    around.told_group(call, GroupTold::Error(error));
                    return Ok(());
                }
                let mut told = Vec::new();
                for target in targets {
                    let topics = response.topics.iter();
                    let topics = topics.filter(|topic| topic.name == target.name());
                    let mut parts = topics.flat_map(|topic| &topic.partitions);
                    let part = parts.find(|part| part.partition_index == target.partition);
                    let part = part.ok_or_else(|| format!("nothing is said of {target}"))?;
                    told.push((target, part.error_code.0));
                }
                around.told_group(call, GroupTold::Partitions(told));
                Ok(())
            }
        }
    }

    fn described(
        &mut self,
        calls: Vec<(CallId, String)>,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let response: DescribeGroupsResponse = answer.read()?;
        for (call, name) in calls {
            let told = response.groups.iter().find(|told| told.group_id == name);
            let told = told.ok_or_else(|| format!("nothing is said of group {name}"))?;
            let error = told.error_code.0;
            self.heed(error, around);
            if error != 0 {
                around.told_group(call, GroupTold::Error(error));
                continue;
            }
            if !STATES.contains(&told.group_state.as_str()) {
                return Err(format!("group {name} is {}", told.group_state));
            }
            let is_stable = told.group_state == "Stable";
            let members: Vec<ToldMember> = told
                .members
                .iter()
                .map(|member| ToldMember {
                    id: member.member_id.clone(),
                    instance: member.group_instance_id.clone(),
                    says: if is_stable { member.member_assignment.clone() } else { Bytes::new() },
                })
                .collect();
            self.known.retain(|(group, _)| *group != name);
            self.known.extend(members.iter().map(|member| (name.clone(), member.clone())));
            let state = told.group_state.clone();
            around.told_group(call, GroupTold::Described { state, members });
        }
        Ok(())
    }

    pub(super) fn committed(&mut self, error: i16, around: &mut Surroundings<'_>) {
        if error == 0 {
            self.must_commit = false;
        }
        self.heed(error, around);
    }

    pub(super) fn told_offsets(&mut self, fetched: &[Fetched], around: &mut Surroundings<'_>) {
        let error = fetched.iter().find_map(|fetched| fetched.as_ref().err()).copied().unwrap_or(0);
        if error == 0 {
            self.must_look = false;
        }
        self.heed(error, around);
    }

    /// The coordinator is not there, or not yet.
    fn heed(&mut self, error: i16, around: &mut Surroundings<'_>) {
        if NO_COORDINATOR.contains(&error) {
            self.knows_coordinator = false;
            let pause = around.decisions.between(Purpose::Group, 1_000, 50_000);
            self.sleeps_until = self.sleeps_until.max(around.now_micros + pause);
        }
    }
}

fn all_partitions(around: &Surroundings<'_>) -> Vec<TopicPartition> {
    let lasting = around.topics.iter().filter(|topic| !is_passing(&topic.name));
    let all = lasting.flat_map(|topic| (0..topic.partitions).map(|index| topic.target(index)));
    all.collect()
}

/// Now and then, those of topics that come and go.
pub(super) fn passing_partitions(around: &mut Surroundings<'_>) -> Vec<TopicPartition> {
    let rate = per_mille(around.options.passing_commits_per_mille);
    if rate == 0 || !around.decisions.chance(Purpose::Group, rate) {
        return Vec::new();
    }
    let passing = around.topics.iter().filter(|topic| is_passing(&topic.name));
    passing.flat_map(|topic| (0..topic.partitions).map(|index| topic.target(index))).collect()
}

/// Some partitions, at least one, and offsets.
fn draw_offsets(around: &mut Surroundings<'_>) -> Vec<(TopicPartition, Committed)> {
    let mut offsets = Vec::new();
    let passing = passing_partitions(around);
    for target in all_partitions(around).into_iter().chain(passing) {
        if offsets.is_empty() || around.decisions.below(Purpose::Group, 2) == 0 {
            offsets.push((target, draw_offset(around)));
        }
    }
    offsets
}

pub(super) fn draw_offset(around: &mut Surroundings<'_>) -> Committed {
    let offset = around.decisions.below(Purpose::Group, 1_000) as i64;
    let leader_epoch = around.decisions.below(Purpose::Group, 3) as i32 - 1;
    Committed { offset, leader_epoch, metadata: String::new() }
}

/// As the version of the answer tells it.
fn listed(group: &klamm_core::api::list_groups::ListedGroup, version: i16) -> ListedGroup {
    let since = |first, told: &String| (version >= first).then(|| told.clone());
    ListedGroup {
        id: group.group_id.clone(),
        protocol_type: group.protocol_type.clone(),
        state: since(LIST_STATES_VERSION, &group.group_state),
        group_type: since(LIST_TYPES_VERSION, &group.group_type),
    }
}

fn describe(caller: Caller<'_>, groups: Vec<String>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Group, 4, 6) as i16;
    let request = DescribeGroupsRequest { groups: groups.clone(), ..Default::default() };
    let calls = groups.into_iter().map(|group| {
        let call = around.history.next_call();
        around.ask_group(call, &group, GroupAsk::Describe);
        (call, group)
    });
    let pending = Pending::Task(PendingTask::Describe(calls.collect()));
    caller.request(ApiKey::DESCRIBE_GROUPS, version, &request, Some(pending))
}

fn list(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Group, 0, 5) as i16;
    let states = match around.decisions.below(Purpose::Group, 2) {
        1 if version >= LIST_STATES_VERSION => draw_words(&STATE_FILTERS, around),
        _ => Vec::new(),
    };
    let types = match around.decisions.below(Purpose::Group, 3) {
        2 if version >= LIST_TYPES_VERSION => draw_words(&TYPE_FILTERS, around),
        _ => Vec::new(),
    };
    let call = around.history.next_call();
    let request = ListGroupsRequest { states_filter: states.clone(), types_filter: types.clone() };
    around.ask_group(call, "", GroupAsk::List { states, types });
    let pending = Pending::Task(PendingTask::List(call));
    caller.request(ApiKey::LIST_GROUPS, version, &request, Some(pending))
}

/// Some of them.
fn draw_words(words: &[&str], around: &mut Surroundings<'_>) -> Vec<String> {
    let mut drawn = vec![(*around.decisions.pick(Purpose::Group, words)).to_owned()];
    if around.decisions.below(Purpose::Group, 2) == 0 {
        drawn.push((*around.decisions.pick(Purpose::Group, words)).to_owned());
    }
    drawn
}

fn delete(caller: Caller<'_>, groups: Vec<String>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Group, 0, 2) as i16;
    let request = DeleteGroupsRequest { groups_names: groups.clone() };
    let calls = groups.into_iter().map(|group| {
        let call = around.history.next_call();
        around.ask_group(call, &group, GroupAsk::Delete);
        (call, group)
    });
    let pending = Pending::Task(PendingTask::Delete(calls.collect()));
    caller.request(ApiKey::DELETE_GROUPS, version, &request, Some(pending))
}

fn delete_offsets(caller: Caller<'_>, group: String, around: &mut Surroundings<'_>) -> Bytes {
    let targets: Vec<TopicPartition> =
        draw_offsets(around).into_iter().map(|(target, _)| target).collect();
    let mut topics: Vec<OffsetDeleteRequestTopic> = Vec::new();
    for target in &targets {
        let partition = OffsetDeleteRequestPartition { partition_index: target.partition };
        match topics.iter_mut().find(|topic| topic.name == target.name()) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                let name = target.name().to_owned();
                topics.push(OffsetDeleteRequestTopic { name, partitions: vec![partition] });
            }
        }
    }
    let call = around.history.next_call();
    let request = OffsetDeleteRequest { group_id: group.clone(), topics };
    around.ask_group(call, &group, GroupAsk::DeleteOffsets { targets: targets.clone() });
    let pending = Pending::Task(PendingTask::DeleteOffsets(call, targets));
    caller.request(ApiKey::OFFSET_DELETE, 0, &request, Some(pending))
}

/// Whoever forges gives everybody nothing.
fn sync(caller: Caller<'_>, group: &str, claim: &Claim, around: &mut Surroundings<'_>) -> Bytes {
    let call = around.history.next_call();
    let parts = vec![(claim.member.clone(), encode_part(&BTreeSet::new(), call.0))];
    let assignments = parts.iter().map(|(member_id, assignment)| SyncGroupRequestAssignment {
        member_id: member_id.clone(),
        assignment: assignment.clone(),
    });
    let request = SyncGroupRequest {
        group_id: group.to_owned(),
        generation_id: claim.generation,
        member_id: claim.member.clone(),
        group_instance_id: claim.instance.clone(),
        assignments: assignments.collect(),
        ..SyncGroupRequest::default()
    };
    around.ask_group(call, group, GroupAsk::Sync { claim: claim.clone(), parts });
    let pending = Pending::Member(PendingCall::Sync(call, String::new()));
    caller.request(ApiKey::SYNC_GROUP, 4, &request, Some(pending))
}

/// With a protocol that nobody speaks.
fn join(caller: Caller<'_>, group: &str, claim: &Claim, around: &mut Surroundings<'_>) -> Bytes {
    let call = around.history.next_call();
    let protocols = vec![("forged".to_owned(), Bytes::from_static(b"forged"))];
    let session_ms = around.options.session_ms.max(100);
    let named = |(name, metadata): &(String, Bytes)| JoinGroupRequestProtocol {
        name: name.clone(),
        metadata: metadata.clone(),
    };
    let request = JoinGroupRequest {
        group_id: group.to_owned(),
        session_timeout_ms: session_ms as i32,
        rebalance_timeout_ms: session_ms as i32,
        member_id: claim.member.clone(),
        group_instance_id: claim.instance.clone(),
        protocol_type: "consumer".to_owned(),
        protocols: protocols.iter().map(named).collect(),
        reason: None,
    };
    let claim = claim.clone();
    around.ask_group(call, group, GroupAsk::Join { claim, protocols, session_ms });
    let pending = Pending::Member(PendingCall::Join(call));
    caller.request(ApiKey::JOIN_GROUP, 5, &request, Some(pending))
}
