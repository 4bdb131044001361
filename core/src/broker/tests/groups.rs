//! The group coordinator: what clients are told, when, and after a restart.

use super::*;
use crate::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use crate::api::delete_groups::DeleteGroupsRequest;
use crate::api::delete_topics::DeleteTopicsRequest;
use crate::api::find_coordinator::FindCoordinatorRequest;
use crate::api::heartbeat::HeartbeatRequest;
use crate::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::api::list_groups::ListGroupsRequest;
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use crate::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use crate::request::JoinGroupCommand;

const OFFSETS_TOPIC: &str = "__consumer_offsets";

fn grouped() -> Config {
    let settings = [("offsets.topic.num.partitions".to_string(), "2".to_string())];
    Config { settings: Arc::new(settings.into()), ..config(&["/data"]) }
}

/// A broker whose coordinator serves.
fn coordinator() -> World {
    coordinator_as(grouped(), 2)
}

/// The same under these settings, with so many partitions of `t`.
fn coordinator_as(config: Config, partitions: i32) -> World {
    let mut world = World::ready_as(config, partitions);
    assert_eq!(world.find("g"), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    world.settle();
    assert_eq!(world.find("g"), ErrorCode::NONE);
    world
}

fn commit(group: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: group.to_string(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "t".to_string(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: offset,
                committed_leader_epoch: 3,
                committed_metadata: Some("note".to_string()),
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

fn join(group: &str, member: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.to_string(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: member.to_string(),
        protocol_type: "consumer".to_string(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_string(),
            metadata: bytes::Bytes::from_static(b"subscription"),
        }],
        ..JoinGroupRequest::default()
    }
}

impl World {
    /// The one answer that is not taken yet.
    fn take_response(&mut self) -> ResponseBody {
        assert_eq!(self.responses.len(), 1, "{:?}", self.responses);
        self.responses.remove(0).1
    }

    fn find(&mut self, group: &str) -> ErrorCode {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![group.to_string()],
            ..FindCoordinatorRequest::default()
        };
        self.ask(RequestBody::FindCoordinator { version: 4, request });
        let ResponseBody::FindCoordinator(found) = self.take_response() else { panic!() };
        found.coordinators[0].error_code
    }

    fn ask_commit(&mut self, request: OffsetCommitRequest) {
        self.ask(RequestBody::OffsetCommit { version: 8, request });
    }

    /// Commits, and waits for the answer.
    fn commit(&mut self, request: OffsetCommitRequest) -> ErrorCode {
        self.ask_commit(request);
        self.settle();
        self.committed()
    }

    fn committed(&mut self) -> ErrorCode {
        let ResponseBody::OffsetCommit(answer) = self.take_response() else { panic!() };
        answer.topics[0].partitions[0].error_code
    }

    /// What partition 0 of `t` is told to be at, or the group's error.
    fn fetch_offset(&mut self, group: &str) -> Result<i64, ErrorCode> {
        self.ask_offset(group);
        self.offset()
    }

    fn ask_offset(&mut self, group: &str) {
        let topics = vec![OffsetFetchRequestTopics {
            name: "t".to_string(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        }];
        let group = OffsetFetchRequestGroup {
            group_id: group.to_string(),
            topics: Some(topics),
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
        self.ask(RequestBody::OffsetFetch { version: 8, request });
    }

    fn offset(&mut self) -> Result<i64, ErrorCode> {
        let ResponseBody::OffsetFetch(answer) = self.take_response() else { panic!() };
        match answer.groups[0].error_code {
            ErrorCode::NONE => Ok(answer.groups[0].topics[0].partitions[0].committed_offset),
            error => Err(error),
        }
    }

    fn ask_join(&mut self, request: JoinGroupRequest) {
        let client_id = "client".to_string();
        self.ask(RequestBody::JoinGroup(JoinGroupCommand { version: 5, client_id, request }));
    }

    fn joined(&mut self) -> JoinGroupResponse {
        let ResponseBody::JoinGroup(answer) = self.take_response() else { panic!() };
        answer
    }

    /// A member alone in a stable group.
    fn stable_member(&mut self, group: &str) -> (String, i32) {
        self.ask_join(join(group, ""));
        self.settle();
        let member = self.joined().member_id;
        self.ask_join(join(group, &member));
        self.pass(Millis(3_001));
        let joined = self.joined();
        assert_eq!((joined.error_code, &joined.leader), (ErrorCode::NONE, &member));
        let request = SyncGroupRequest {
            group_id: group.to_string(),
            generation_id: joined.generation_id,
            member_id: member.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: member.clone(),
                assignment: bytes::Bytes::from_static(b"all of it"),
            }],
            ..SyncGroupRequest::default()
        };
        self.ask(RequestBody::SyncGroup { version: 3, request });
        assert!(self.responses.is_empty(), "the group's record is not safe yet");
        self.settle();
        let ResponseBody::SyncGroup(answer) = self.take_response() else { panic!() };
        assert_eq!(
            (answer.error_code, &answer.assignment[..]),
            (ErrorCode::NONE, &b"all of it"[..])
        );
        (member, joined.generation_id)
    }

    fn heartbeat(&mut self, group: &str, member: &str, generation_id: i32) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: group.to_string(),
            generation_id,
            member_id: member.to_string(),
            ..HeartbeatRequest::default()
        };
        self.ask(RequestBody::Heartbeat { version: 3, request });
        let ResponseBody::Heartbeat(answer) = self.take_response() else { panic!() };
        answer.error_code
    }

    fn groups_listed(&mut self) -> Result<Vec<(String, String)>, ErrorCode> {
        let request = ListGroupsRequest::default();
        self.ask(RequestBody::ListGroups { version: 4, request });
        let ResponseBody::ListGroups(answer) = self.take_response() else { panic!() };
        match answer.error_code {
            ErrorCode::NONE => {
                Ok(answer.groups.into_iter().map(|it| (it.group_id, it.group_state)).collect())
            }
            error => Err(error),
        }
    }

    fn delete_group(&mut self, group: &str) -> ErrorCode {
        let request = DeleteGroupsRequest { groups_names: vec![group.to_string()] };
        self.ask(RequestBody::DeleteGroups { version: 2, request });
        self.settle();
        let ResponseBody::DeleteGroups(answer) = self.take_response() else { panic!() };
        answer.results[0].error_code
    }

    /// Deletes topic `t`; what follows from it for groups has not been done.
    fn delete_topic(&mut self) {
        let topic_names = vec!["t".to_string()];
        let request = DeleteTopicsRequest { topic_names, timeout_ms: 1_000, topics: vec![] };
        self.ask(RequestBody::DeleteTopics { version: 5, request });
        self.settle();
        assert!(matches!(self.take_response(), ResponseBody::DeleteTopics(_)));
    }

    /// Makes topic `t`, and tells its id.
    fn create_topic(&mut self) -> Uuid {
        let topic = CreatableTopic {
            name: "t".to_string(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let (topics, timeout_ms, validate_only) = (vec![topic], 1_000, false);
        let request = CreateTopicsRequest { topics, timeout_ms, validate_only };
        self.ask(RequestBody::CreateTopics { version: 7, request });
        self.settle();
        let ResponseBody::CreateTopics(answer) = self.take_response() else { panic!() };
        assert_eq!(answer.topics[0].error_code, ErrorCode::NONE);
        answer.topics[0].topic_id
    }

    /// What is told of a topic by its id: of its partition 0, and of all that the group has.
    fn offsets_by_id(&mut self, topic_id: Uuid) -> (i64, Vec<(Uuid, i64)>) {
        let topic = OffsetFetchRequestTopics {
            topic_id,
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        };
        let told = [Some(vec![topic]), None].map(|topics| {
            let group_id = "g".to_string();
            let group =
                OffsetFetchRequestGroup { group_id, topics, ..OffsetFetchRequestGroup::default() };
            let groups = vec![group];
            let request = OffsetFetchRequest { groups, ..OffsetFetchRequest::default() };
            self.ask(RequestBody::OffsetFetch { version: 10, request });
            let ResponseBody::OffsetFetch(answer) = self.take_response() else { panic!() };
            let topics = answer.groups[0].topics.iter();
            topics.map(|it| (it.topic_id, it.partitions[0].committed_offset)).collect::<Vec<_>>()
        });
        let [one, all] = told;
        (one[0].1, all)
    }

    /// The same node, started on what is on the disk after a stop in good order or none.
    fn next_life(&self) -> Self {
        Self::serving(self.disk.clone(), grouped())
    }

    /// The same while its shards are loaded: the jobs of the start are done, those of the shards are held.
    fn next_life_loading(&self) -> Self {
        let mut held = Self::on(self.disk.clone(), grouped());
        held.holds_later_jobs = true;
        held.settle();
        let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
        held.broker.handle_connect(CLIENT, peer, held.now);
        held
    }
}

#[test]
fn the_topic_is_made_when_somebody_looks_for_a_coordinator() {
    let mut world = coordinator();
    let topic = &world.broker.image().topics[OFFSETS_TOPIC];
    assert_eq!((topic.partitions.len(), topic.config.deletes_old), (2, false));
    assert_eq!(world.groups_listed(), Ok(vec![]));
}

#[test]
fn without_the_topic_nobody_is_coordinated_here() {
    let mut world = World::ready_as(grouped(), 1);
    assert_eq!(world.commit(commit("g", 0, 5)), ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.fetch_offset("g"), Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.groups_listed(), Ok(vec![]));
}

#[test]
fn a_commit_is_answered_when_it_is_synced_and_told_to_nobody_before() {
    let mut world = coordinator();
    world.ask_commit(commit("g", 0, 5));
    world.step_writes();
    assert!(world.responses.is_empty(), "written, and not synced");
    world.ask_offset("g");
    assert!(world.responses.is_empty(), "a crash could still take it back");
    world.settle();
    let answers = core::mem::take(&mut world.responses);
    assert!(matches!(answers[0].1, ResponseBody::OffsetCommit(_)));
    world.responses = answers[1..].to_vec();
    assert_eq!(world.offset(), Ok(5));
    assert_eq!(world.fetch_offset("g"), Ok(5), "now at once");
}

#[test]
fn commits_outlive_the_process() {
    let mut world = coordinator();
    assert_eq!(world.commit(commit("g", 0, 5)), ErrorCode::NONE);
    assert_eq!(world.commit(commit("g", 0, 7)), ErrorCode::NONE);
    assert_eq!(world.commit(commit("h", 0, 9)), ErrorCode::NONE);
    let mut again = world.next_life();
    assert_eq!(again.fetch_offset("g"), Ok(7));
    assert_eq!(again.fetch_offset("h"), Ok(9));
    assert_eq!(again.fetch_offset("nobody"), Ok(-1));
}

#[test]
fn until_a_shard_is_loaded_it_says_so() {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    let mut held = world.next_life_loading();
    let loading = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    assert_eq!(held.fetch_offset("g"), Err(loading));
    assert_eq!(held.commit(commit("g", 0, 9)), loading);
    assert_eq!(held.groups_listed(), Err(loading));
    assert_eq!(held.heartbeat("g", "m", 1), ErrorCode::NONE, "its session has not begun");
    for (id, job) in core::mem::take(&mut held.jobs) {
        held.finish_job(id, job);
    }
    assert_eq!(held.fetch_offset("g"), Ok(5));
}

#[test]
fn a_stable_group_goes_on_in_the_next_life() {
    let mut world = coordinator();
    let (member, generation) = world.stable_member("g");
    assert_eq!(world.heartbeat("g", &member, generation), ErrorCode::NONE);
    assert_eq!(world.groups_listed(), Ok(vec![("g".to_string(), "Stable".to_string())]));
    let mut again = world.next_life();
    assert_eq!(again.heartbeat("g", &member, generation), ErrorCode::NONE);
    assert_eq!(again.heartbeat("g", &member, generation + 1), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(again.delete_group("g"), ErrorCode::NON_EMPTY_GROUP);
    again.pass(Millis(10_001));
    again.settle();
    assert_eq!(again.heartbeat("g", &member, generation), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_deleted_group_stays_deleted() {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    assert_eq!(world.delete_group("g"), ErrorCode::NONE);
    assert_eq!(world.delete_group("g"), ErrorCode::GROUP_ID_NOT_FOUND);
    let mut again = world.next_life();
    assert_eq!(again.fetch_offset("g"), Ok(-1));
    assert_eq!(again.groups_listed(), Ok(vec![]));
}

#[test]
fn offsets_are_deleted_one_by_one() {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    let request = OffsetDeleteRequest {
        group_id: "g".to_string(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "t".to_string(),
            partitions: vec![
                OffsetDeleteRequestPartition { partition_index: 0 },
                OffsetDeleteRequestPartition { partition_index: 9 },
            ],
        }],
    };
    world.ask(RequestBody::OffsetDelete { version: 0, request });
    world.settle();
    let ResponseBody::OffsetDelete(answer) = world.take_response() else { panic!() };
    let codes: Vec<_> = answer.topics[0].partitions.iter().map(|it| it.error_code).collect();
    assert_eq!(codes, [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NONE]);
    assert_eq!(world.fetch_offset("g"), Ok(-1));
}

#[test]
fn what_is_not_there_is_refused_beside_what_is() {
    let mut world = coordinator();
    let mut request = commit("g", 9, 5);
    request.topics.extend(commit("g", 0, 6).topics);
    world.ask_commit(request);
    world.settle();
    let ResponseBody::OffsetCommit(answer) = world.take_response() else { panic!() };
    let [topic] = &answer.topics[..] else { panic!("{answer:?}") };
    let told: Vec<_> =
        topic.partitions.iter().map(|it| (it.partition_index, it.error_code)).collect();
    assert_eq!(told, [(9, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), (0, ErrorCode::NONE)]);
    assert_eq!(world.fetch_offset("g"), Ok(6));
}

#[test]
fn more_than_a_batch_holds_is_refused_and_leaves_no_trace() {
    let mut world = coordinator();
    let mut request = commit("g", 0, 5);
    let one = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![one; 20_000];
    assert_eq!(world.commit(request), ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!(world.fetch_offset("g"), Ok(-1));
    assert_eq!(world.groups_listed(), Ok(vec![]));
}

/// What a batch may have, where that is little.
const SHORT_BATCH_BYTES: u32 = 250;

/// With short batches, and turns that look at few offsets.
fn cramped() -> Config {
    let settings = [("offsets.topic.num.partitions".to_string(), "1".to_string())];
    let topic_defaults =
        TopicConfig { message_bytes_max: SHORT_BATCH_BYTES, ..TopicConfig::default() };
    let limits = Limits { waits_per_turn_max: 7, ..Limits::default() };
    let settings = Arc::new(settings.into());
    Config { topic_defaults, limits, settings, ..config(&["/data"]) }
}

/// A group that has committed forty partitions, one by one.
fn with_many_offsets() -> World {
    let mut world = coordinator_as(cramped(), 40);
    let mut all = commit("g", 0, 5);
    all.topics[0].partitions =
        (0..40).flat_map(|it| commit("g", it, 5).topics.remove(0).partitions).collect();
    assert_eq!(world.commit(all), ErrorCode::UNKNOWN_SERVER_ERROR);
    for partition in 0..40 {
        assert_eq!(world.commit(commit("g", partition, 5)), ErrorCode::NONE);
    }
    world
}

impl World {
    /// The log of the only shard can be read again, and there is nothing in it any more.
    fn has_forgotten_all(&mut self) {
        let log = "/data/__consumer_offsets-0/00000000000000000000.log";
        let mut bytes = self.disk.get(log).expect("a log");
        let mut batches = 0;
        while let crate::batch::Step::Batch(batch) = crate::batch::next_batch(bytes, usize::MAX) {
            assert!(batch.size() <= SHORT_BATCH_BYTES as usize);
            batches += 1;
            bytes = &bytes[batch.size()..];
        }
        assert!(bytes.is_empty() && batches >= 45, "{batches} batches");
        assert_eq!(self.groups_listed(), Ok(vec![]));
        let mut again = Self::serving(self.disk.clone(), cramped());
        assert_eq!(again.fetch_offset("g"), Ok(-1));
        assert_eq!(again.groups_listed(), Ok(vec![]));
    }
}

#[test]
fn a_group_is_deleted_whose_tombstones_fill_many_batches() {
    let mut world = with_many_offsets();
    assert_eq!(world.delete_group("g"), ErrorCode::NONE);
    world.has_forgotten_all();
}

#[test]
fn a_group_of_many_old_offsets_is_forgotten_over_many_turns() {
    let mut world = with_many_offsets();
    world.now.wall_ms += 7 * 24 * 60 * 60 * 1_000;
    world.pass(Millis(600_000));
    world.settle();
    world.has_forgotten_all();
}

#[test]
fn long_words_are_refused() {
    let mut world = coordinator();
    let mut request = commit("g", 0, 5);
    request.topics[0].partitions[0].committed_metadata = Some("ü".repeat(4_097));
    assert_eq!(world.commit(request.clone()), ErrorCode::OFFSET_METADATA_TOO_LARGE);
    assert_eq!(world.groups_listed(), Ok(vec![]));
    request.topics[0].partitions[0].committed_metadata = Some("ü".repeat(4_096));
    assert_eq!(world.commit(request), ErrorCode::NONE);
}

#[test]
fn offsets_of_nobody_are_forgotten_after_their_time() {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    let week = 7 * 24 * 60 * 60 * 1_000;
    world.now.wall_ms += week - 1;
    world.pass(Millis(600_000));
    world.settle();
    assert_eq!(world.fetch_offset("g"), Ok(5));
    world.now.wall_ms += 1;
    world.pass(Millis(600_000));
    world.settle();
    assert_eq!(world.fetch_offset("g"), Ok(-1));
    assert_eq!(world.groups_listed(), Ok(vec![]), "nothing is left of the group");
}

#[test]
fn offsets_of_a_deleted_topic_go_and_a_new_one_of_its_name_has_none() {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    let old = world.broker.image().topics["t"].id;
    assert_eq!(world.offsets_by_id(old), (5, vec![(old, 5)]));
    world.delete_topic();
    let new = world.create_topic();
    assert_eq!(world.fetch_offset("g"), Ok(5), "nobody has looked for it yet");
    assert_eq!(world.offsets_by_id(new), (-1, vec![]), "but it is not the new topic's");
    world.pass(Millis(1));
    world.settle();
    assert_eq!(world.fetch_offset("g"), Ok(-1));
    assert_eq!(world.offsets_by_id(new), (-1, vec![]));
    world.commit(commit("g", 0, 7));
    assert_eq!(world.next_life().offsets_by_id(new), (7, vec![(new, 7)]));
}

/// A broker in which topic `t` is another one than the group has committed for, and whose shards are being loaded.
fn with_topic_made_anew() -> (World, Uuid) {
    let mut world = coordinator();
    world.commit(commit("g", 0, 5));
    let mut held = world.next_life_loading();
    held.delete_topic();
    let new = held.create_topic();
    (held, new)
}

#[test]
fn offsets_of_a_topic_that_was_deleted_while_its_shard_was_loaded_go_too() {
    let (mut held, new) = with_topic_made_anew();
    for (id, job) in core::mem::take(&mut held.jobs) {
        held.finish_job(id, job);
    }
    held.pass(Millis(1));
    held.settle();
    assert_eq!(held.fetch_offset("g"), Ok(-1));
    assert_eq!(held.offsets_by_id(new), (-1, vec![]));
    assert_eq!(held.next_life().fetch_offset("g"), Ok(-1));
}

#[test]
fn a_commit_whose_log_fails_is_not_acknowledged() {
    let mut world = coordinator();
    world.ask_commit(commit("g", 0, 5));
    world.fail_step();
    assert!(world.stopped.is_some(), "the only directory is gone");
    assert_eq!(world.committed(), ErrorCode::NOT_COORDINATOR);
}

#[test]
fn an_old_client_is_told_at_each_partition_that_its_coordinator_is_gone() {
    let mut world = coordinator();
    world.ask_commit(commit("g", 0, 5));
    let request = OffsetFetchRequest {
        group_id: "g".to_string(),
        topics: Some(vec![OffsetFetchRequestTopic {
            name: "t".to_string(),
            partition_indexes: vec![0, 1],
        }]),
        ..OffsetFetchRequest::default()
    };
    world.ask(RequestBody::OffsetFetch { version: 1, request });
    world.fail_step();
    assert_eq!(world.responses.len(), 2);
    world.responses.remove(0);
    let ResponseBody::OffsetFetch(answer) = world.take_response() else { panic!() };
    let told = answer.topics[0].partitions.iter();
    let told: Vec<_> = told.map(|it| (it.committed_offset, it.error_code)).collect();
    assert_eq!(told, [(-1, ErrorCode::NOT_COORDINATOR); 2]);
}

#[test]
fn who_waits_while_the_offsets_are_deleted_looks_for_its_coordinator_again() {
    let mut world = coordinator();
    assert_eq!(world.commit(commit("g", 0, 5)), ErrorCode::NONE);
    let mut anew = join("g", "");
    anew.protocols[0].metadata = bytes::Bytes::new();
    world.ask(RequestBody::JoinGroup(JoinGroupCommand {
        version: 3,
        client_id: "c".to_string(),
        request: anew,
    }));
    let request = DeleteTopicsRequest {
        topic_names: vec![OFFSETS_TOPIC.to_string()],
        timeout_ms: 1_000,
        ..DeleteTopicsRequest::default()
    };
    world.ask(RequestBody::DeleteTopics { version: 5, request });
    world.settle();
    let mut told = core::mem::take(&mut world.responses).into_iter().map(|(_, body)| body);
    let joined = told.find_map(|body| match body {
        ResponseBody::JoinGroup(joined) => Some(joined.error_code),
        _ => None,
    });
    assert_eq!(joined, Some(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.fetch_offset("g"), Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.groups_listed(), Ok(vec![]));
    // The topic is made anew, and knows of nothing that was in the old one.
    assert_eq!(world.find("g"), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    world.settle();
    assert_eq!(world.find("g"), ErrorCode::NONE);
    assert_eq!(world.fetch_offset("g"), Ok(-1));
    assert_eq!(world.commit(commit("g", 0, 7)), ErrorCode::NONE);
    let mut again = world.next_life();
    assert_eq!(again.fetch_offset("g"), Ok(7));
}
