//! Topics that grow, and topics that come about because somebody asked for them.

use super::*;
use crate::api::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use crate::api::metadata::{MetadataRequest, MetadataRequestTopic};
use crate::request::Query;

fn growth(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.to_string(), count, assignments: None }
}

fn placed(count: i32, brokers: &[&[i32]]) -> CreatePartitionsTopic {
    let assignments = brokers
        .iter()
        .map(|broker_ids| CreatePartitionsAssignment { broker_ids: broker_ids.to_vec() })
        .collect();
    CreatePartitionsTopic { assignments: Some(assignments), ..growth("t", count) }
}

impl World {
    fn grow(
        &mut self,
        topics: Vec<CreatePartitionsTopic>,
        validate_only: bool,
        timeout_ms: i32,
    ) -> Vec<(ErrorCode, String)> {
        let request = CreatePartitionsRequest { topics, timeout_ms, validate_only };
        self.ask(RequestBody::CreatePartitions { version: 3, request });
        self.settle();
        let Some((_, ResponseBody::CreatePartitions(answer))) = self.responses.last() else {
            panic!("it is answered")
        };
        let told = answer.results.iter().map(|it| (it.error_code, it.error_message.clone()));
        told.map(|(error, message)| (error, message.unwrap_or_default())).collect()
    }

    fn ask_for(&mut self, names: &[&str], allow_auto_topic_creation: bool) {
        let topic = |name: &&str| MetadataRequestTopic {
            name: Some(name.to_string()),
            topic_id: Uuid::ZERO,
        };
        let request = MetadataRequest {
            topics: Some(names.iter().map(topic).collect()),
            allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        self.ask(RequestBody::Query(Query::Metadata(request)));
    }
}

#[test]
fn a_topic_that_grows_keeps_its_records_and_takes_more() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    world.settle();
    let done = vec![(ErrorCode::NONE, String::new())];
    assert_eq!(world.grow(vec![growth("t", 3)], false, 1_000), done);
    assert_eq!(world.broker.image().topics["t"].partitions.len(), 3);
    assert_eq!(world.grow(vec![placed(4, &[&[1]])], false, 1_000), done);
    world.produce_to(TOPIC, 3);
    world.produce_to(TOPIC, 0);
    world.settle();
    let offsets: Vec<i64> =
        world.answers.iter().map(|(_, outcomes)| outcomes[0].base_offset).collect();
    assert_eq!(offsets, [0, 0, 2]);
    let again = on(world.disk, &["/data"]);
    assert_eq!(again.broker.image().topics["t"].partitions.len(), 4);
}

#[test]
fn growth_that_is_none_is_refused_in_kafkas_words() {
    let mut world = modern();
    let end = world.synced_metadata_end();
    let manual =
        "The manual partition assignment includes broker 7, but no such broker is registered.";
    for (topic, error, message) in [
        (growth("t", 1), ErrorCode::INVALID_PARTITIONS, "Topic already has 1 partition(s)."),
        (
            growth("t", 0),
            ErrorCode::INVALID_PARTITIONS,
            "The topic t currently has 1 partition(s); 0 would not be an increase.",
        ),
        (growth("no", 5), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ""),
        (
            placed(4, &[&[1]]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "Attempted to add 3 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (placed(2, &[&[7]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT, manual),
        (
            growth("t", i32::MAX),
            ErrorCode::POLICY_VIOLATION,
            "Unable to perform excessively large batch operation.",
        ),
    ] {
        let told = world.grow(vec![topic], false, 1_000);
        assert_eq!(told, [(error, message.to_string())]);
    }
    let twice = vec![growth("t", 2), growth("t", 3)];
    let refused = (ErrorCode::INVALID_REQUEST, "Duplicate topic name.".to_string());
    assert_eq!(world.grow(twice, false, 1_000), [refused]);
    let timed_out = (ErrorCode::REQUEST_TIMED_OUT, String::new());
    assert_eq!(world.grow(vec![growth("t", 2)], false, 0), [timed_out]);
    let valid = (ErrorCode::NONE, String::new());
    assert_eq!(world.grow(vec![growth("t", 2)], true, 1_000), [valid]);
    assert_eq!(world.synced_metadata_end(), end, "nothing is written");
}

#[test]
fn a_topic_that_is_asked_for_is_there_a_moment_later() {
    let mut world = modern();
    world.broker.config.creation.partitions = 2;
    world.ask_for(&["new", "new", "t"], true);
    assert_eq!(world.responses.len(), 1, "it is answered at once");
    let asked_again = world.synced_metadata_end();
    world.ask_for(&["new"], true);
    world.settle();
    assert_eq!(world.broker.image().topics["new"].partitions.len(), 2);
    assert_eq!(world.synced_metadata_end(), asked_again + 3, "once");
    let id = world.broker.image().topics["new"].id;
    let number = world.produce_to(id, 1);
    world.settle();
    assert_eq!(world.answers, [(number, vec![accepted(0)])]);
}

#[test]
fn nothing_comes_about_where_nobody_may_or_can_create_it() {
    let mut world = modern();
    let end = world.synced_metadata_end();
    world.ask_for(&["new"], false);
    world.ask_for(&["a/b", ""], true);
    world.broker.config.creation.is_automatic = false;
    world.ask_for(&["new"], true);
    world.settle();
    assert_eq!(world.synced_metadata_end(), end);
    world.broker.config.creation.is_automatic = true;
    world.ask_for(&["__cluster_metadata"], true);
    world.settle();
    assert_eq!(world.synced_metadata_end(), end);
    let told =
        |event: &&Event| matches!(event, Event::Notice { text, .. } if text.contains("refused"));
    assert_eq!(world.events.iter().filter(told).count(), 1, "{:?}", world.events);
    let names: Vec<String> = (0..10_001).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.ask_for(&names, true);
    world.settle();
    assert_eq!(world.synced_metadata_end(), end, "more than one request may create");
    assert!(world.broker.auto_creations.is_empty());
}

#[test]
fn the_brokers_own_topics_get_their_own_settings() {
    let mut world = modern();
    // On one node a partition has one replica, whatever is said.
    let settings =
        [("offsets.topic.replication.factor", "3"), ("offsets.topic.num.partitions", "3")];
    let settings = settings.map(|(key, value)| (key.to_string(), value.to_string()));
    world.broker.config.settings = Arc::new(settings.into());
    world.ask_for(&["__consumer_offsets"], true);
    world.settle();
    let topic = &world.broker.image().topics["__consumer_offsets"];
    assert_eq!(topic.partitions.len(), 3);
    assert!(topic.config.compacted && !topic.config.deletes_old);
    assert_eq!(topic.config.segment_bytes, 104_857_600);
}
