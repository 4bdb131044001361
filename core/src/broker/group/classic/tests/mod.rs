//! The protocol, scene by scene: a shard is driven with a clock of its own.

mod describing;
mod golden;
mod joining;
mod leaving;
mod limits;
mod offsets;
mod random;
mod rejoining;
mod restart;
mod sessions;
mod static_members;
mod syncing;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{ClassicGroup, State, join_key, session_key, sync_key};
use crate::api::heartbeat::HeartbeatRequest;
use crate::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use crate::broker::group::context::{Asker, ClientDetails, Context, CoordinatorRecord, Outbox};
use crate::broker::group::shard::{Group, Shard};
use crate::config::GroupConfig;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::records::{GroupMetadataValue, OffsetsKey};
use crate::request::ResponseBody;
use crate::rng::Rng;
use crate::time::{Instant, Millis, Now};

/// The group of most scenes.
const G: &str = "g";

const SESSION_MS: i32 = 10_000;
const REBALANCE_MS: i32 = 60_000;
const DELAY_MS: u64 = 3_000;

/// A shard, its clock, its log, and what it has answered.
struct Scene {
    shard: Shard,
    now: Now,
    config: GroupConfig,
    batch_bytes_max: usize,
    rng: Rng,
    log: Vec<CoordinatorRecord>,
    asked: u64,
    waiting: BTreeSet<Asker>,
    answers: BTreeMap<Asker, ResponseBody>,
}

impl Scene {
    fn new() -> Self {
        Self {
            shard: Shard::default(),
            now: Now { mono: Instant::from_micros(1_000_000), wall_ms: 1_700_000_000_000 },
            config: GroupConfig::default(),
            batch_bytes_max: 1 << 20,
            rng: Rng::from_seed([7; 32]),
            log: Vec::new(),
            asked: 0,
            waiting: BTreeSet::new(),
            answers: BTreeMap::new(),
        }
    }

    /// One call of the shard. Whatever it does, its groups hang together afterwards.
    fn call<R>(&mut self, call: impl FnOnce(&mut Shard, &mut Context<'_>) -> R) -> R {
        let result = self.call_unchecked(call);
        self.check();
        result
    }

    /// The same without a look at the whole of every group: for large ones.
    fn call_unchecked<R>(&mut self, call: impl FnOnce(&mut Shard, &mut Context<'_>) -> R) -> R {
        let mut out = Outbox { next_offset: self.log.len() as i64, ..Outbox::default() };
        let mut context = Context {
            now: self.now,
            config: &self.config,
            batch_bytes_max: self.batch_bytes_max,
            rng: &mut self.rng,
            out: &mut out,
        };
        let result = call(&mut self.shard, &mut context);
        let batches = out.batches(self.now.wall_ms, self.batch_bytes_max);
        for batch in &batches {
            assert!(batch.info().size as usize <= self.batch_bytes_max, "it can be appended");
        }
        let are_tombstones = out.records.iter().all(|record| record.value.is_none());
        assert!(
            batches.len() <= 1 || are_tombstones,
            "the rest is there as a whole, or not at all"
        );
        self.log.extend(out.records);
        for (asker, body) in out.answers {
            assert!(self.waiting.remove(&asker), "{asker:?} is answered without asking, or twice");
            self.answers.insert(asker, body);
        }
        result
    }

    fn asker(&mut self) -> Asker {
        self.asked += 1;
        let asker = Asker { connection: ConnectionId(1), number: RequestNumber(self.asked) };
        self.waiting.insert(asker);
        asker
    }

    fn ask_join(&mut self, joining: Joining<'_>) -> Asker {
        let asker = self.asker();
        let client =
            ClientDetails { client_id: "c".to_string(), client_host: "/127.0.0.1".to_string() };
        let (version, request) = (joining.version, joining.request());
        self.call(|shard, context| shard.join_group(context, asker, version, client, request));
        asker
    }

    /// Asks, and is answered at once.
    fn join(&mut self, joining: Joining<'_>) -> JoinGroupResponse {
        let asker = self.ask_join(joining);
        self.joined(asker)
    }

    /// The answer, which has come.
    fn joined(&mut self, asker: Asker) -> JoinGroupResponse {
        match self.answers.remove(&asker) {
            Some(ResponseBody::JoinGroup(response)) => response,
            other => panic!("no answer to JoinGroup: {other:?}"),
        }
    }

    /// They are members of a generation.
    fn all_joined(&mut self, askers: &[Asker]) {
        for asker in askers {
            assert_eq!(self.joined(*asker).error_code, ErrorCode::NONE);
        }
    }

    fn ask_sync(&mut self, syncing: &Syncing<'_>) -> Asker {
        let asker = self.asker();
        let (version, request) = (syncing.version, syncing.request());
        self.call(|shard, context| shard.sync_group(context, asker, version, &request));
        asker
    }

    fn sync(&mut self, syncing: &Syncing<'_>) -> SyncGroupResponse {
        let asker = self.ask_sync(syncing);
        self.synced(asker)
    }

    fn synced(&mut self, asker: Asker) -> SyncGroupResponse {
        match self.answers.remove(&asker) {
            Some(ResponseBody::SyncGroup(response)) => response,
            other => panic!("no answer to SyncGroup: {other:?}"),
        }
    }

    fn waits(&self, asker: Asker) -> bool {
        self.waiting.contains(&asker)
    }

    fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        self.heartbeat_as(member_id, generation_id, None)
    }

    fn heartbeat_as(
        &mut self,
        member_id: &str,
        generation_id: i32,
        instance_id: Option<&str>,
    ) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: G.to_string(),
            generation_id,
            member_id: member_id.to_string(),
            group_instance_id: instance_id.map(String::from),
        };
        self.call(|shard, context| shard.heartbeat(context, &request))
    }

    fn leave(&mut self, members: &[(&str, Option<&str>)]) -> LeaveGroupResponse {
        let members = members.iter().map(|(member_id, instance_id)| MemberIdentity {
            member_id: member_id.to_string(),
            group_instance_id: instance_id.map(String::from),
            reason: None,
        });
        let request = LeaveGroupRequest {
            group_id: G.to_string(),
            members: members.collect(),
            ..LeaveGroupRequest::default()
        };
        self.call(|shard, context| shard.leave_group(context, 5, request))
    }

    fn commit(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        self.commit_as(9, &committing(G, member_id, generation, None))
    }

    fn commit_as(&mut self, version: i16, request: &OffsetCommitRequest) -> ErrorCode {
        let told = self.call(|shard, context| shard.commit_offsets(context, version, request));
        told.err().unwrap_or(ErrorCode::NONE)
    }

    /// Time passes, and what is due happens when it is due.
    fn pass(&mut self, ms: u64) {
        let end = self.now.mono + Millis(ms);
        while let Some(at) = self.shard.deadline().filter(|at| *at <= end) {
            self.move_to(at);
            while self.call(Shard::handle_timeout) {}
            let next = self.shard.deadline();
            assert!(next.is_none_or(|next| next > self.now.mono), "what is due is done");
        }
        self.move_to(end);
    }

    fn move_to(&mut self, at: Instant) {
        let at = at.max(self.now.mono);
        self.now.wall_ms += (at.micros_since(self.now.mono) / 1_000) as i64;
        self.now.mono = at;
    }

    /// The broker goes and comes back: what is not in the log is gone.
    fn restart(&mut self) {
        self.waiting.clear();
        self.shard = Shard::default();
        for (offset, record) in self.log.iter().enumerate() {
            let replayed =
                self.shard.replay(offset as i64, None, &record.key, record.value.as_ref());
            assert_eq!(replayed, Ok(()));
        }
        self.call(Shard::begin);
    }

    fn group(&self) -> &ClassicGroup {
        match self.shard.groups.get(G) {
            Some(Group::Classic(group)) => group,
            other => panic!("{other:?}"),
        }
    }

    fn state(&self) -> State {
        self.group().state
    }

    /// The last record of the group.
    fn last_record(&self) -> GroupMetadataValue {
        let record = self.log.last().expect("a record");
        assert_eq!(OffsetsKey::decode(&record.key), Ok(OffsetsKey::Group(G.to_string())));
        GroupMetadataValue::decode(record.value.as_ref().expect("no tombstone")).unwrap()
    }

    /// A member that has asked for its id, and joins with it.
    fn ask_join_anew(&mut self, joining: Joining<'_>) -> (String, Asker) {
        let id = self.join(joining.clone()).member_id;
        let asker = self.ask_join(Joining { member_id: &id, ..joining });
        (id, asker)
    }

    /// A stable group of so many members, in the order of their ids: the ids, and the generation.
    fn stable(&mut self, members: usize) -> (Vec<String>, i32) {
        let joining: Vec<_> = (0..members).map(|_| self.ask_join_anew(Joining::new())).collect();
        self.pass(2 * DELAY_MS);
        for (_, asker) in &joining {
            self.joined(*asker);
        }
        let mut ids: Vec<_> = joining.into_iter().map(|(id, _)| id).collect();
        ids.sort();
        let generation = self.stabilise(&ids);
        (ids, generation)
    }

    /// The members of a generation sync; each is to do what its id says.
    fn stabilise(&mut self, ids: &[String]) -> i32 {
        let (generation, leader) = (self.group().generation, self.leader());
        let parts: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
        let followers = ids.iter().filter(|id| **id != leader).map(String::as_str);
        let waiting: Vec<_> =
            followers.map(|id| self.ask_sync(&Syncing::new(id, generation))).collect();
        let told = self.sync(&Syncing { parts: &parts, ..Syncing::new(&leader, generation) });
        assert_eq!((told.error_code, &*told.assignment), (ErrorCode::NONE, leader.as_bytes()));
        for asker in waiting {
            assert_eq!(self.synced(asker).error_code, ErrorCode::NONE);
        }
        assert_eq!(self.state(), State::Stable);
        generation
    }

    /// A group of two whose members have joined, and not synced: the leader, the other, the generation.
    fn completing(&mut self) -> (String, String, i32) {
        let joining = [(); 2].map(|()| self.ask_join_anew(Joining::new()).1);
        self.pass(2 * DELAY_MS);
        self.all_joined(&joining);
        (self.leader(), self.followers().remove(0), self.group().generation)
    }

    fn leader(&self) -> String {
        self.group().leader.as_deref().expect("a leader").to_string()
    }

    /// The members that do not lead.
    fn followers(&self) -> Vec<String> {
        let ids = self.group().members.keys().map(ToString::to_string);
        ids.filter(|id| *id != self.leader()).collect()
    }

    /// What is true of every group at any time.
    fn check(&self) {
        for (id, group) in &self.shard.groups {
            let Group::Classic(group) = group else { continue };
            self.check_members(id, group);
            let has = |key| self.shard.timers.is_set(&key);
            let is_preparing = group.state == State::PreparingRebalance;
            assert_eq!(has(join_key(id)), is_preparing, "{group:?}");
            assert!(is_preparing || group.initial.is_none());
            assert_eq!(has(sync_key(id)), !group.unsynced.is_empty(), "{group:?}");
            if group.state == State::Empty {
                assert!(group.members.is_empty() && group.leader.is_none(), "{group:?}");
            } else if !is_preparing {
                assert!(!group.members.is_empty() && group.protocol_name.is_some(), "{group:?}");
            }
        }
    }

    fn check_members(&self, id: &Arc<str>, group: &ClassicGroup) {
        let is_member = |id: &Arc<str>| group.members.contains_key(id);
        assert!(group.leader.iter().all(is_member) && group.unsynced.iter().all(is_member));
        assert_eq!(group.leader.is_none(), group.members.is_empty());
        let joining = group.members.values().filter(|member| member.joining.is_some()).count();
        assert_eq!(group.joined, joining);
        assert!(joining == 0 || group.state == State::PreparingRebalance, "{group:?}");
        let is_static = |(id, instance): (&Arc<str>, &Arc<str>)| {
            group.members.get(id).is_some_and(|it| it.instance_id.as_ref() == Some(instance))
        };
        assert!(group.static_members.iter().all(|(instance, id)| is_static((id, instance))));
        let statics = group.members.values().filter(|member| member.instance_id.is_some());
        assert_eq!(statics.count(), group.static_members.len());
        let names = group.members.iter().map(|(id, member)| member.names_bytes(id));
        let said = group.members.values().map(|member| member.protocols.bytes());
        assert_eq!((group.names_bytes, group.supported.bytes()), (names.sum(), said.sum()));
        for (member_id, member) in &group.members {
            assert!(!group.pending.contains(member_id));
            assert!(member.syncing.is_none() || group.state == State::CompletingRebalance);
            assert!(
                self.shard.timers.is_set(&session_key(id, member_id)) || member.is_waiting(),
                "{member_id} would stay for ever: {group:?}"
            );
            let common = group.supported.have_common(&member.protocols, group.members.len());
            assert!(common, "{member_id} shares nothing with the others: {group:?}");
        }
        for member_id in group.pending.ids() {
            assert!(self.shard.timers.is_set(&session_key(id, member_id)), "{group:?}");
        }
    }
}

/// A JoinGroup to be.
#[derive(Clone)]
struct Joining<'a> {
    version: i16,
    group_id: &'a str,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    protocol_type: &'a str,
    protocols: &'a [(&'a str, &'a [u8])],
    session_ms: i32,
    rebalance_ms: i32,
}

impl Joining<'_> {
    fn new() -> Self {
        Self {
            version: 9,
            group_id: G,
            member_id: "",
            instance_id: None,
            protocol_type: "consumer",
            protocols: &[("range", SUBSCRIPTION)],
            session_ms: SESSION_MS,
            rebalance_ms: REBALANCE_MS,
        }
    }

    fn request(&self) -> JoinGroupRequest {
        let protocols = self.protocols.iter().map(|(name, metadata)| JoinGroupRequestProtocol {
            name: name.to_string(),
            metadata: Bytes::copy_from_slice(metadata),
        });
        JoinGroupRequest {
            group_id: self.group_id.to_string(),
            session_timeout_ms: self.session_ms,
            rebalance_timeout_ms: self.rebalance_ms,
            member_id: self.member_id.to_string(),
            group_instance_id: self.instance_id.map(String::from),
            protocol_type: self.protocol_type.to_string(),
            protocols: protocols.collect(),
            reason: Some("a test".to_string()),
        }
    }
}

impl<'a> Joining<'a> {
    fn with(member_id: &'a str) -> Self {
        Self { member_id, ..Joining::new() }
    }

    fn as_static(instance_id: &'a str) -> Self {
        Self { instance_id: Some(instance_id), ..Joining::new() }
    }
}

/// What a consumer of topic `t` says, in version 0.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";

/// The same of topic `u`.
const OTHER_SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01u\xff\xff\xff\xff";

/// A SyncGroup to be.
struct Syncing<'a> {
    version: i16,
    group_id: &'a str,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    generation: i32,
    protocol: (Option<&'a str>, Option<&'a str>),
    parts: &'a [(&'a str, &'a str)],
}

impl<'a> Syncing<'a> {
    fn new(member_id: &'a str, generation: i32) -> Self {
        Self {
            version: 5,
            group_id: G,
            member_id,
            instance_id: None,
            generation,
            protocol: (Some("consumer"), Some("range")),
            parts: &[],
        }
    }

    fn request(&self) -> SyncGroupRequest {
        let parts = self.parts.iter().map(|(member_id, part)| SyncGroupRequestAssignment {
            member_id: member_id.to_string(),
            assignment: Bytes::copy_from_slice(part.as_bytes()),
        });
        SyncGroupRequest {
            group_id: self.group_id.to_string(),
            generation_id: self.generation,
            member_id: self.member_id.to_string(),
            group_instance_id: self.instance_id.map(String::from),
            protocol_type: self.protocol.0.map(String::from),
            protocol_name: self.protocol.1.map(String::from),
            assignments: parts.collect(),
        }
    }
}

fn committing(
    group_id: &str,
    member_id: &str,
    generation: i32,
    instance_id: Option<&str>,
) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: group_id.to_string(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.to_string(),
        group_instance_id: instance_id.map(String::from),
        topics: vec![OffsetCommitRequestTopic {
            name: "t".to_string(),
            partitions: vec![OffsetCommitRequestPartition::default()],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}
