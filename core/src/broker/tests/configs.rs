//! Settings that clients change: what is recorded of them, and what takes them over.

use super::*;
use crate::api::alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig};
use crate::api::incremental_alter_configs as incremental;
use crate::broker::image::ConfigResource;
use crate::config::limits::METADATA_OPERATION_RECORDS_MAX;
use crate::records::FeatureLevelRecord;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

/// What became of one resource.
type Outcome = (ErrorCode, Option<String>);

/// The settings that one resource is to get: key, operation and value.
type Change<'a> = (i8, &'a str, &'a [(&'a str, i8, Option<&'a str>)]);

fn request(changes: &[Change<'_>], validate_only: bool) -> RequestBody {
    let resources = changes.iter().map(|(resource_type, name, settings)| {
        let configs = settings.iter().map(|(name, config_operation, value)| {
            let value = value.map(ToString::to_string);
            incremental::AlterableConfig {
                name: name.to_string(),
                config_operation: *config_operation,
                value,
            }
        });
        incremental::AlterConfigsResource {
            resource_type: *resource_type,
            resource_name: name.to_string(),
            configs: configs.collect(),
        }
    });
    let request = incremental::IncrementalAlterConfigsRequest {
        resources: resources.collect(),
        validate_only,
    };
    RequestBody::IncrementalAlterConfigs { version: 1, request }
}

impl World {
    fn outcomes(&mut self) -> Vec<Outcome> {
        match self.responses.pop() {
            Some((_, ResponseBody::IncrementalAlterConfigs(answer))) => answer
                .responses
                .into_iter()
                .map(|one| (one.error_code, one.error_message))
                .collect(),
            Some((_, ResponseBody::AlterConfigs(answer))) => answer
                .responses
                .into_iter()
                .map(|one| (one.error_code, one.error_message))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Changes settings, and gives the answer when the change is durable.
    fn alter(&mut self, changes: &[Change<'_>]) -> Vec<Outcome> {
        self.ask(request(changes, false));
        self.settle();
        self.outcomes()
    }

    fn alter_one(&mut self, resource_type: i8, name: &str, key: &str, value: Option<&str>) {
        let operation = if value.is_some() { SET } else { DELETE };
        let outcomes = self.alter(&[(resource_type, name, &[(key, operation, value)])]);
        assert_eq!(outcomes, [DONE], "{key}");
    }

    fn replace(&mut self, resource_type: i8, name: &str, settings: &[(&str, &str)]) -> Outcome {
        let configs = settings.iter().map(|(name, value)| AlterableConfig {
            name: name.to_string(),
            value: Some(value.to_string()),
        });
        let resources = vec![AlterConfigsResource {
            resource_type,
            resource_name: name.to_string(),
            configs: configs.collect(),
        }];
        let request = AlterConfigsRequest { resources, validate_only: false };
        self.ask(RequestBody::AlterConfigs { version: 2, request });
        self.settle();
        self.outcomes().remove(0)
    }

    /// Records that a change has written.
    fn written(&mut self, changes: &[Change<'_>]) -> i64 {
        let before = self.broker.image().metadata_offset;
        let outcomes = self.alter(changes);
        assert!(outcomes.iter().all(|outcome| *outcome == DONE), "{outcomes:?}");
        self.broker.image().metadata_offset - before
    }

    fn set(&self, resource: &ConfigResource) -> Vec<(&str, &str)> {
        let settings = self.broker.image().configs.get(resource).into_iter().flatten();
        settings.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn topic_config(&self) -> &TopicConfig {
        &self.broker.image().topics_by_id[&TOPIC].config
    }
}

const DONE: Outcome = (ErrorCode::NONE, None);
const TOPIC_TYPE: i8 = ConfigResource::TOPIC;
const BROKER: i8 = ConfigResource::BROKER;

/// A cluster that elects leaders among eligible replicas.
fn with_elr() -> World {
    let mut records = topic(1);
    for (name, feature_level) in [("metadata.version", 30), ("eligible.leader.replicas.version", 1)]
    {
        records.push(FeatureLevelRecord { name: name.to_string(), feature_level }.into());
    }
    World::serving(disk(&records), config(&["/data"]))
}

#[test]
fn change_is_answered_when_it_is_durable_and_seen_then() {
    let mut world = World::ready(1);
    world.ask(request(&[(TOPIC_TYPE, "t", &[("retention.ms", SET, Some("5"))])], false));
    assert_eq!((world.responses.len(), world.topic_config().retention_ms), (0, 604_800_000));
    world.step_writes();
    assert_eq!((world.responses.len(), world.topic_config().retention_ms), (0, 604_800_000));
    world.settle();
    assert_eq!(world.outcomes(), [DONE]);
    assert_eq!(world.topic_config().retention_ms, 5);
}

#[test]
fn topics_logs_take_a_setting_over_and_give_it_back() {
    let mut world = World::ready(1);
    let roll = |world: &mut World, offset: i64| {
        world.produce(0, Acks::All, 1_000);
        world.settle();
        world.disk.get(&format!("/data/t-0/{offset:020}.log")).is_some()
    };
    assert!(roll(&mut world, 0), "the first segment");
    assert!(!roll(&mut world, 2), "in the same segment");
    world.alter_one(TOPIC_TYPE, "t", "internal.segment.bytes", Some("100"));
    assert!(roll(&mut world, 4), "a segment of its own");
    world.alter_one(TOPIC_TYPE, "t", "internal.segment.bytes", None);
    assert!(!roll(&mut world, 6));
}

#[test]
fn brokers_settings_reach_topics_that_say_nothing_and_are_there_after_a_restart() {
    let mut world = World::ready(1);
    world.alter_one(BROKER, "", "log.retention.ms", Some("7"));
    assert_eq!(world.topic_config().retention_ms, 7);
    world.alter_one(BROKER, "1", "log.retention.ms", Some("8"));
    assert_eq!(world.topic_config().retention_ms, 8);
    world.alter_one(TOPIC_TYPE, "t", "retention.ms", Some("9"));
    assert_eq!(world.topic_config().retention_ms, 9);
    let mut world = World::on(world.disk, config(&["/data"]));
    world.settle();
    assert_eq!(world.topic_config().retention_ms, 9);
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    world.alter_one(TOPIC_TYPE, "t", "retention.ms", None);
    assert_eq!(world.topic_config().retention_ms, 8);
    world.alter_one(BROKER, "1", "log.retention.ms", None);
    assert_eq!(world.topic_config().retention_ms, 7);
    world.alter_one(BROKER, "", "log.retention.ms", None);
    assert_eq!(world.topic_config().retention_ms, 604_800_000);
    assert_eq!(world.broker.image().configs.len(), 0);
}

#[test]
fn a_resource_fails_alone_and_with_all_that_is_asked_of_it() {
    let mut world = World::ready(1);
    let before = world.broker.image().metadata_offset;
    let outcomes = world.alter(&[
        (TOPIC_TYPE, "t", &[("retention.ms", SET, Some("5")), ("flush.ms", SET, Some("-1"))]),
        (BROKER, "", &[("message.max.bytes", SET, Some("9"))]),
        (TOPIC_TYPE, "other", &[("retention.ms", SET, Some("5"))]),
    ]);
    let words = "Invalid value -1 for configuration flush.ms: Value must be at least 0".to_string();
    assert_eq!(outcomes[0], (ErrorCode::INVALID_CONFIG, Some(words)));
    assert_eq!(outcomes[1], DONE);
    assert_eq!(outcomes[2].0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(world.set(&ConfigResource::topic("t")), []);
    assert_eq!(world.set(&ConfigResource::broker_default()), [("message.max.bytes", "9")]);
    assert_eq!(world.broker.image().metadata_offset, before + 1);
}

#[test]
fn only_changes_are_recorded_and_of_a_broker_everything() {
    let mut world = World::ready(1);
    let set: &[_] = &[("retention.ms", SET, Some("5"))];
    assert_eq!(world.written(&[(TOPIC_TYPE, "t", set)]), 1);
    assert_eq!(world.written(&[(TOPIC_TYPE, "t", set)]), 0);
    assert_eq!(world.written(&[(TOPIC_TYPE, "t", &[("flush.ms", DELETE, None)])]), 0);
    let set: &[_] = &[("message.max.bytes", SET, Some("5"))];
    assert_eq!(world.written(&[(BROKER, "1", set)]), 1);
    assert_eq!(world.written(&[(BROKER, "1", set)]), 1);
    world.ask(request(&[(TOPIC_TYPE, "t", &[("retention.ms", SET, Some("6"))])], true));
    assert_eq!((world.outcomes(), world.effects.len()), (vec![DONE], 0));
    assert_eq!(world.topic_config().retention_ms, 5);
}

#[test]
fn replacing_takes_back_what_is_not_named() {
    let mut world = World::ready(1);
    assert_eq!(world.replace(TOPIC_TYPE, "t", &[("retention.ms", "1"), ("flush.ms", "2")]), DONE);
    let before = world.broker.image().metadata_offset;
    assert_eq!(world.replace(TOPIC_TYPE, "t", &[("flush.ms", "2"), ("segment.ms", "3")]), DONE);
    let resource = ConfigResource::topic("t");
    assert_eq!(world.set(&resource), [("flush.ms", "2"), ("segment.ms", "3")]);
    assert_eq!(world.broker.image().metadata_offset, before + 2);
    assert_eq!(world.replace(TOPIC_TYPE, "t", &[]), DONE);
    assert_eq!(world.set(&resource), []);
}

#[test]
fn a_resource_named_twice_is_not_changed() {
    let mut world = World::ready(1);
    let twice = "Each resource must appear at most once.".to_string();
    let refused = (ErrorCode::INVALID_REQUEST, Some(twice));
    let set: &[_] = &[("retention.ms", SET, Some("5"))];
    let outcomes = world.alter(&[(TOPIC_TYPE, "t", set), (TOPIC_TYPE, "t", set)]);
    assert_eq!(outcomes, [refused.clone(), refused]);
}

#[test]
fn an_unknown_operation_is_refused_and_nothing_resigns() {
    let mut world = World::ready(1);
    let words = "Unknown operations type 9".to_string();
    let outcomes = world.alter(&[(TOPIC_TYPE, "t", &[("retention.ms", 9, Some("5"))])]);
    assert_eq!(outcomes, [(ErrorCode::INVALID_REQUEST, Some(words))]);
    world.alter_one(TOPIC_TYPE, "t", "retention.ms", Some("5"));
}

#[test]
fn minimum_of_in_sync_replicas_clears_who_is_eligible() {
    let mut world = with_elr();
    let set: &[_] = &[("min.insync.replicas", SET, Some("2"))];
    assert_eq!(world.written(&[(TOPIC_TYPE, "t", set)]), 2);
    assert_eq!(world.written(&[(BROKER, "", set)]), 2);
    let outcomes = world.alter(&[(BROKER, "1", set)]);
    let words = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
    assert_eq!(outcomes, [(ErrorCode::INVALID_CONFIG, Some(words.to_string()))]);
    let outcomes = world.alter(&[(BROKER, "", &[("min.insync.replicas", DELETE, None)])]);
    let words = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
    assert_eq!(outcomes, [(ErrorCode::INVALID_CONFIG, Some(words.to_string()))]);
    // Elsewhere it is a setting like any other.
    assert_eq!(World::ready(1).written(&[(BROKER, "1", set)]), 1);
}

#[test]
fn a_list_that_grows_too_long_is_refused() {
    let mut world = World::ready(1);
    let key = "leader.replication.throttled.replicas";
    let half: Vec<String> = (0..3_000).map(|index| format!("{index}:1")).collect();
    let more: Vec<String> = (3_000..6_000).map(|index| format!("{index}:1")).collect();
    world.alter_one(TOPIC_TYPE, "t", key, Some(&half.join(",")));
    let outcomes = world.alter(&[(TOPIC_TYPE, "t", &[(key, APPEND, Some(&more.join(",")))])]);
    let words = "The configuration value cannot be added because it exceeds the maximum value size \
                 of 32767 bytes.";
    assert_eq!(outcomes, [(ErrorCode::INVALID_CONFIG, Some(words.to_string()))]);
}

#[test]
fn what_would_be_no_batch_is_refused_as_a_whole() {
    let mut world = World::ready(1);
    let names: Vec<String> =
        (0..=METADATA_OPERATION_RECORDS_MAX).map(|index| format!("own.key.{index}")).collect();
    let settings: Vec<_> = names.iter().map(|name| (&**name, SET, Some("1"))).collect();
    let few: &[_] = &[("retention.ms", SET, Some("5"))];
    let outcomes = world.alter(&[(TOPIC_TYPE, "t", few), (BROKER, "1", &settings)]);
    let words = "Unable to perform excessively large batch operation.".to_string();
    let refused = (ErrorCode::POLICY_VIOLATION, Some(words));
    assert_eq!(outcomes, [refused.clone(), refused]);
    assert_eq!(world.topic_config().retention_ms, 604_800_000);
}

#[test]
fn a_key_of_older_versions_does_not_stand_in_the_way() {
    let mut records = topic(1);
    records.push(
        crate::records::ConfigRecord {
            resource_type: TOPIC_TYPE,
            resource_name: "t".to_string(),
            name: "message.format.version".to_string(),
            value: Some("3.0".to_string()),
        }
        .into(),
    );
    let mut world = World::serving(disk(&records), config(&["/data"]));
    world.alter_one(TOPIC_TYPE, "t", "retention.ms", Some("5"));
    assert_eq!(world.topic_config().retention_ms, 5);
}

#[test]
fn client_that_left_is_not_answered_and_the_change_stands() {
    let mut world = World::ready(1);
    world.ask(request(&[(TOPIC_TYPE, "t", &[("retention.ms", SET, Some("5"))])], false));
    world.broker.handle_disconnect(CLIENT, None, world.now);
    world.drain();
    world.settle();
    assert_eq!((world.responses.len(), world.topic_config().retention_ms), (0, 5));
}
