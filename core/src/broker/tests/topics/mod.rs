//! Topics that come and go while the broker runs.

mod delete;
mod grow;

use super::*;
use crate::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
    CreateTopicsRequest,
};
use crate::effect::{EntryKind, OperationResult};
use crate::ids::DirectoryIndex;
use crate::log::Level;
use crate::records::FeatureLevelRecord;

/// A cluster of today's level with topic `t`.
fn records() -> Vec<MetadataRecord> {
    let feature = |name: &str, feature_level| {
        FeatureLevelRecord { name: name.to_string(), feature_level }.into()
    };
    let mut records =
        vec![feature("metadata.version", 30), feature("eligible.leader.replicas.version", 1)];
    records.extend(topic(1));
    records
}

fn on(disk: Disk, directories: &[&str]) -> World {
    World::serving(disk, config(directories))
}

fn modern() -> World {
    on(disk(&records()), &["/data"])
}

fn new_topic(name: &str, num_partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.to_string(),
        num_partitions,
        replication_factor: 1,
        assignments: vec![],
        configs: vec![],
    }
}

fn creation(topics: Vec<CreatableTopic>) -> RequestBody {
    let request = CreateTopicsRequest { topics, timeout_ms: 1_000, validate_only: false };
    RequestBody::CreateTopics { version: 7, request }
}

impl World {
    /// What the last answer to CreateTopics says.
    fn created(&self) -> Vec<CreatableTopicResult> {
        match self.responses.last() {
            Some((_, ResponseBody::CreateTopics(answer))) => answer.topics.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Creates the topics and gives their results.
    fn create(&mut self, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
        self.ask(creation(topics));
        self.settle();
        self.created()
    }

    fn errors(&mut self, topic: CreatableTopic) -> (ErrorCode, String) {
        let mut results = self.create(vec![topic]);
        let result = results.pop().expect("one result");
        assert!(results.is_empty());
        (result.error_code, result.error_message.unwrap_or_default())
    }

    fn produce_to(&mut self, topic_id: Uuid, partition: i32) -> u64 {
        let number = self.requests;
        self.requests += 1;
        let partitions = vec![PartitionAppend { topic_id, partition, batch: Some(batch(2)) }];
        let command = ProduceCommand { acks: Acks::All, timeout_ms: 1_000, partitions };
        let body = RequestBody::Produce(command);
        let request = Request { number: RequestNumber(number), transmitted: number, body };
        self.broker.handle_request(CLIENT, request, self.now);
        self.drain();
        number
    }

    fn synced_metadata_end(&self) -> i64 {
        let log = self.broker.metadata.as_ref().expect("it is loaded").log();
        self.broker.logs[&log].log.end(Level::Synced)
    }
}

#[test]
fn a_topic_takes_records_as_soon_as_its_creation_is_answered() {
    let mut world = modern();
    world.ask(creation(vec![new_topic("new", 2)]));
    while world.responses.is_empty() {
        assert!(!world.broker.image().topics.contains_key("new"), "seen before it is there");
        world.step();
    }
    let created = world.created();
    assert_eq!((created[0].error_code, created[0].num_partitions), (ErrorCode::NONE, 2));
    let topic = world.broker.image().topics["new"].clone();
    assert_eq!(topic.id, created[0].topic_id);
    let partition = &topic.partitions[&1];
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (1, 0, 0));
    assert_eq!(partition.directories, [Uuid([1; 16])]);
    for index in 0..2 {
        let file = format!("/data/new-{index}/partition.metadata");
        let content = world.disk.get(&file).expect("it is there");
        assert_eq!(content, format!("version: 0\ntopic_id: {}", topic.id).as_bytes());
        assert_eq!(world.disk.get(&format!("{file}.tmp")), None);
        let number = world.produce_to(topic.id, index);
        world.settle();
        assert_eq!(world.answers.pop(), Some((number, vec![accepted(0)])));
    }
}

#[test]
fn created_topics_are_there_after_a_crash() {
    let mut world = modern();
    let results = world.create(vec![new_topic("a", 1), new_topic("b", 3)]);
    assert!(results.iter().all(|result| result.error_code == ErrorCode::NONE));
    let images = world.broker.image().topics.clone();
    world.produce_to(images["b"].id, 2);
    world.settle();
    let mut again = World::on(world.disk, config(&["/data"]));
    again.settle();
    assert!(again.ready, "{:?}", again.events);
    assert_eq!(again.broker.image().topics, images);
    let live = again.broker.logs.values().find(|live| &*live.topic == "b" && live.partition == 2);
    assert_eq!(live.expect("it is loaded").log.accepted_end(), 2);
}

/// What Kafka has written may have gaps; this log has begun here.
#[test]
fn created_log_keeps_no_hole_that_a_power_loss_has_left() {
    let mut world = modern();
    world.create(vec![new_topic("a", 1)]);
    let mut second = BatchBuilder::new();
    second.append(WALL_MS, None, Some(b"value"));
    world.disk.put("/data/a-0/00000000000000000000.log", Vec::new());
    world.disk.put("/data/a-0/00000000000000000002.log", second.encode(2, 0));
    let again = on(world.disk, &["/data"]);
    let live = again.broker.logs.values().find(|live| &*live.topic == "a");
    assert_eq!(live.expect("it is loaded").log.accepted_end(), 0);
}

#[test]
fn one_request_is_one_batch_and_none_is_seen_before_it_is_durable() {
    let mut world = modern();
    let (offset, end) = (world.broker.image().metadata_offset, world.synced_metadata_end());
    world.ask(creation(vec![new_topic("a", 2), new_topic("b", 1)]));
    world.step_writes();
    assert_eq!(world.synced_metadata_end(), end);
    assert_eq!(world.broker.image().metadata_offset, offset);
    assert!(!world.disk.has_directory("/data/a-0"), "directories follow the records");
    world.settle();
    assert_eq!(world.broker.image().metadata_offset, offset + 5);
}

#[test]
fn requests_that_come_meanwhile_share_the_next_sync() {
    let mut world = modern();
    let asked: Vec<u64> =
        (0..50).map(|n| world.ask(creation(vec![new_topic(&format!("t{n}"), 1)]))).collect();
    let mut syncs = 0;
    while !world.effects.is_empty() {
        syncs += usize::from(matches!(world.effects[0].1, Effect::Sync(_)));
        world.step();
    }
    let answered: Vec<u64> = world.responses.iter().map(|(number, _)| *number).collect();
    assert_eq!(answered, asked);
    assert_eq!(syncs, 6, "three for the first, three for the others");
    assert_eq!(world.broker.image().topics.len(), 51);
}

#[test]
fn what_cannot_be_created_is_refused_in_kafkas_words() {
    let mut world = modern();
    let end = world.synced_metadata_end();
    let placed = |assignments: &[(i32, &[i32])]| CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: assignments
            .iter()
            .map(|(partition_index, broker_ids)| CreatableReplicaAssignment {
                partition_index: *partition_index,
                broker_ids: broker_ids.to_vec(),
            })
            .collect(),
        ..new_topic("x", 1)
    };
    let manual = |reason| format!("The manual partition assignment includes {reason}");
    for (topic, error, message) in [
        (new_topic("t", 1), ErrorCode::TOPIC_ALREADY_EXISTS, "Topic 't' already exists.".into()),
        (
            new_topic("x", 0),
            ErrorCode::INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.".into(),
        ),
        (
            CreatableTopic { replication_factor: 0, ..new_topic("x", 0) },
            ErrorCode::INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.".into(),
        ),
        (
            new_topic("x", 10_001),
            ErrorCode::POLICY_VIOLATION,
            "Excessively large number of partitions per request.".into(),
        ),
        (
            new_topic("x", 10_000),
            ErrorCode::POLICY_VIOLATION,
            "Unable to perform excessively large batch operation.".into(),
        ),
        (
            placed(&[(0, &[1]), (0, &[1])]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "Found multiple manual partition assignments for partition 0".into(),
        ),
        (
            placed(&[(0, &[1]), (2, &[1])]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence".into(),
        ),
        (
            placed(&[(0, &[7])]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            manual("broker 7, but no such broker is registered."),
        ),
        (
            placed(&[(0, &[1, 1])]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            manual("the broker 1 more than once."),
        ),
        (
            placed(&[(0, &[])]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            manual("an empty replica list."),
        ),
        (
            CreatableTopic {
                configs: vec![CreatableTopicConfig { name: "retention.ms".into(), value: None }],
                ..new_topic("x", 1)
            },
            ErrorCode::INVALID_CONFIG,
            "Null value not supported for topic configs: retention.ms".into(),
        ),
    ] {
        assert_eq!(world.errors(topic), (error, message));
    }
    assert_eq!(world.synced_metadata_end(), end, "nothing is written");
    let results = world.create(vec![placed(&[(1, &[1]), (0, &[1])])]);
    assert_eq!((results[0].error_code, results[0].num_partitions), (ErrorCode::NONE, 2));
}

#[test]
fn a_topic_named_twice_is_refused_and_the_others_are_created() {
    let mut world = modern();
    let results = world.create(vec![new_topic("a", 1), new_topic("b", 1), new_topic("a", 1)]);
    let told: Vec<_> = results.iter().map(|it| (it.name.as_str(), it.error_code)).collect();
    assert_eq!(told, [("b", ErrorCode::NONE), ("a", ErrorCode::INVALID_REQUEST)]);
    assert!(!world.broker.image().topics.contains_key("a"));
}

#[test]
fn nothing_is_created_that_is_only_to_be_validated_or_has_no_time() {
    let mut world = modern();
    let request = CreateTopicsRequest {
        topics: vec![new_topic("a", 4)],
        timeout_ms: 1_000,
        validate_only: true,
    };
    world.ask(RequestBody::CreateTopics { version: 7, request: request.clone() });
    world.settle();
    let result = &world.created()[0];
    assert_eq!((result.error_code, result.num_partitions), (ErrorCode::NONE, 4));
    assert_ne!(result.topic_id, Uuid::ZERO);
    for timeout_ms in [0, -1] {
        let request = CreateTopicsRequest { timeout_ms, validate_only: false, ..request.clone() };
        world.ask(RequestBody::CreateTopics { version: 7, request });
        world.settle();
        let result = &world.created()[0];
        assert_eq!(
            (result.error_code, &result.error_message),
            (ErrorCode::REQUEST_TIMED_OUT, &None)
        );
    }
    assert_eq!(world.broker.image().topics.len(), 1);
}

#[test]
fn partitions_go_where_there_are_fewest() {
    let mut disk = disk(&records());
    disk.put("/more/meta.properties", meta_properties(1, 2));
    let mut world = on(disk, &["/data", "/more"]);
    world.create(vec![new_topic("a", 3), new_topic("b", 2)]);
    let in_more = |name: &str| world.disk.has_directory(&format!("/more/{name}"));
    // `t-0` is in the first one; the metadata log does not count.
    let placed: Vec<bool> = ["a-0", "a-1", "a-2", "b-0", "b-1"].map(in_more).to_vec();
    assert_eq!(placed, [true, false, true, false, true]);
    let directories = &world.broker.image().topics["a"].partitions[&2].directories;
    assert_eq!(*directories, [Uuid([2; 16])]);
}

#[test]
fn a_directory_that_fails_under_a_new_log_takes_itself_offline_and_no_other() {
    let mut disk = disk(&records());
    disk.put("/more/meta.properties", meta_properties(1, 2));
    let mut world = on(disk, &["/data", "/more"]);
    world.ask(creation(vec![new_topic("a", 3)]));
    while !world.effects.iter().any(|(_, effect)| makes(effect, "/more")) {
        world.step();
    }
    let at = world.effects.iter().position(|(_, effect)| makes(effect, "/more"));
    world.effects.swap(0, at.expect("it is out"));
    world.fail_step();
    world.settle();
    assert_eq!(world.created()[0].error_code, ErrorCode::NONE);
    let id = world.broker.image().topics["a"].id;
    let error = |world: &mut World, index| {
        world.produce_to(id, index);
        world.settle();
        world.answers.pop().expect("an answer").1[0].error
    };
    assert_eq!(error(&mut world, 0), ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(error(&mut world, 1), ErrorCode::NONE);
    assert_eq!(error(&mut world, 2), ErrorCode::KAFKA_STORAGE_ERROR);
    assert!(world.broker.directory(DirectoryIndex(0)).is_online());
}

fn makes(effect: &Effect, directory: &str) -> bool {
    let Effect::Operations(operations) = effect else { return false };
    let made = |operation: &Operation| match operation {
        Operation::MakeDirectory(path) => path.is_within(&Path::new(directory)),
        _ => false,
    };
    operations.iter().any(made)
}

#[test]
fn requests_that_wait_hold_a_bounded_amount_of_memory() {
    let mut world = modern();
    world.broker.config.limits.changes_waiting_bytes_max = 1_000;
    let topics = |front: &str| (0..5).map(|n| new_topic(&format!("{front}{n}"), 1)).collect();
    for front in ["first", "waits", "is-too-much"] {
        world.ask(creation(topics(front)));
    }
    assert_eq!(world.created()[0].error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(world.responses.len(), 1);
    world.settle();
    assert_eq!(world.responses.len(), 3);
    assert_eq!(world.broker.image().topics.len(), 11);
}

#[test]
fn settings_that_no_batch_should_hold_are_refused_with_all_of_the_request() {
    let mut world = modern();
    let end = world.synced_metadata_end();
    let long = |name: &str| {
        let replicas: Vec<String> = (0..4_000).map(|index| format!("{index}:1")).collect();
        let name_of = "leader.replication.throttled.replicas".to_string();
        let setting = CreatableTopicConfig { name: name_of, value: Some(replicas.join(",")) };
        CreatableTopic { configs: vec![setting], ..new_topic(name, 1) }
    };
    let results = world.create((0..300).map(|index| long(&format!("long-{index}"))).collect());
    assert!(results.iter().all(|result| result.error_code == ErrorCode::POLICY_VIOLATION));
    assert_eq!(results.len(), 300);
    assert_eq!(world.synced_metadata_end(), end);
}
