use std::string::ToString;
use std::vec;

use super::*;
use crate::records::{
    AccessControlEntryRecord, ClearElrRecord, FenceBrokerRecord, KRaftVersionRecord,
    LeaderChangeMessage, NoOpRecord, ProducerIdsRecord, RemoveAccessControlEntryRecord,
    RemoveTopicRecord, UnfenceBrokerRecord, UnregisterBrokerRecord, Voter, VotersRecord,
};

const NODE: i32 = 1;

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn topic(name: &str, number: u8) -> MetadataRecord {
    TopicRecord { name: name.to_string(), topic_id: id(number) }.into()
}

fn partition(number: u8) -> MetadataRecord {
    PartitionRecord {
        partition_id: 0,
        topic_id: id(number),
        replicas: vec![1, 2],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 5,
        partition_epoch: 9,
        directories: vec![id(50), id(51)],
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![2]),
        ..PartitionRecord::default()
    }
    .into()
}

fn change(number: u8) -> PartitionChangeRecord {
    PartitionChangeRecord { partition_id: 0, topic_id: id(number), ..Default::default() }
}

fn config(resource: ConfigResource, name: &str, value: Option<&str>) -> MetadataRecord {
    ConfigRecord {
        resource_type: resource.resource_type,
        resource_name: resource.name,
        name: name.to_string(),
        value: value.map(ToString::to_string),
    }
    .into()
}

fn built(
    base: &Image,
    records: impl IntoIterator<Item = MetadataRecord>,
) -> (Image, Option<Event>) {
    let mut builder = ImageBuilder::new(base.clone(), TopicConfig::default());
    for record in records {
        builder.apply(record).unwrap();
    }
    builder.finish()
}

fn build(base: &Image, records: impl IntoIterator<Item = MetadataRecord>) -> Image {
    let (image, event) = built(base, records);
    assert_eq!(event, None);
    image
}

fn two_topics() -> Image {
    let base = Image { node_id: NODE, ..Image::default() };
    build(&base, [topic("a", 1), partition(1), topic("b", 2), partition(2)])
}

fn is_shared(one: &Image, other: &Image, name: &str) -> bool {
    Arc::ptr_eq(&one.topics[name], &other.topics[name])
}

#[test]
fn topics_that_do_not_change_are_shared() {
    let before = two_topics();
    let after = build(&before, [change(2).into()]);
    assert!(is_shared(&before, &after, "a"));
    assert!(!is_shared(&before, &after, "b"));
    assert!(Arc::ptr_eq(&after.topics["b"], &after.topics_by_id[&id(2)]));
    assert_eq!(before.topics["b"].partitions[&0].partition_epoch, 9);
}

#[test]
fn every_change_raises_the_partitions_epoch_and_a_leader_its_own() {
    let epochs = |record: PartitionChangeRecord| {
        let image = build(&two_topics(), [record.into()]);
        let partition = image.topics["a"].partitions[&0].clone();
        (partition.leader, partition.leader_epoch, partition.partition_epoch)
    };
    assert_eq!(epochs(PartitionChangeRecord { isr: Some(vec![1]), ..change(1) }), (1, 5, 10));
    assert_eq!(epochs(PartitionChangeRecord { leader: 1, ..change(1) }), (1, 6, 10));
    assert_eq!(epochs(PartitionChangeRecord { leader: -1, ..change(1) }), (-1, 6, 10));
}

#[test]
fn change_replaces_what_it_names() {
    let record = PartitionChangeRecord {
        isr: Some(vec![]),
        replicas: Some(vec![1]),
        removing_replicas: Some(vec![2]),
        adding_replicas: Some(vec![3]),
        eligible_leader_replicas: Some(vec![1]),
        leader_recovery_state: 1,
        ..change(1)
    };
    let image = build(&two_topics(), [record.into()]);
    let partition = &image.topics["a"].partitions[&0];
    assert!(partition.isr.is_empty() && partition.directories.is_empty());
    assert_eq!((partition.replicas.as_slice(), partition.elr.as_slice()), (&[1][..], &[1][..]));
    assert_eq!((partition.removing.as_slice(), partition.adding.as_slice()), (&[2][..], &[3][..]));
    assert_eq!(
        (partition.last_known_elr.as_slice(), partition.leader_recovery_state),
        (&[2][..], 1)
    );
}

#[test]
fn eligible_leaders_are_cleared_for_one_topic_or_all() {
    let before = two_topics();
    let clear = |name: &str| ClearElrRecord { topic_name: name.to_string() }.into();
    let one = build(&before, [clear("a"), clear("unknown")]);
    assert!(one.topics["a"].partitions[&0].elr.is_empty());
    assert!(is_shared(&before, &one, "b"));
    let all = build(&one, [clear("")]);
    assert!(all.topics["b"].partitions[&0].last_known_elr.is_empty());
    assert!(is_shared(&one, &all, "a"), "there was nothing to clear");
}

#[test]
fn removed_topic_takes_its_settings_along() {
    let setting = config(ConfigResource::topic("a"), "cleanup.policy", Some("compact"));
    let before = build(&two_topics(), [setting]);
    assert!(before.topics["a"].config.compacted);
    let again = build(&before, [RemoveTopicRecord { topic_id: id(1) }.into(), topic("a", 3)]);
    assert!(again.configs.is_empty() && !again.topics["a"].config.compacted);
    assert_eq!((again.topics["a"].id, again.topics_by_id.len()), (id(3), 2));
    assert!(again.topics["a"].partitions.is_empty());
}

#[test]
fn record_that_fits_nothing_changes_nothing() {
    let before = two_topics();
    let mut builder = ImageBuilder::new(before.clone(), TopicConfig::default());
    let unknown = Err(ApplyError::NoSuchTopic(id(9)));
    assert_eq!(builder.apply(partition(9)), unknown);
    assert_eq!(builder.apply(change(9).into()), unknown);
    assert_eq!(builder.apply(RemoveTopicRecord { topic_id: id(9) }.into()), unknown);
    let missing = PartitionChangeRecord { partition_id: 7, ..change(1) };
    let error = builder.apply(missing.into()).unwrap_err();
    assert_eq!(error.to_string(), "topic a has no partition 7");
    assert_eq!(builder.finish(), (before, None));
}

#[test]
fn settings_of_brokers_reach_the_topics_that_have_none() {
    let own = config(ConfigResource::topic("a"), "segment.bytes", Some("2000000"));
    let all = config(ConfigResource::broker_default(), "log.segment.bytes", Some("3000000"));
    let here = config(ConfigResource::broker(NODE), "log.segment.bytes", Some("4000000"));
    let other = config(ConfigResource::broker(2), "log.segment.bytes", Some("5000000"));
    let bytes = |image: &Image, name: &str| image.topics[name].config.segment_bytes;

    let image = build(&two_topics(), [own.clone(), all]);
    assert_eq!((bytes(&image, "a"), bytes(&image, "b")), (2_000_000, 3_000_000));
    let changed = build(&image, [here, other]);
    assert_eq!((bytes(&changed, "a"), bytes(&changed, "b")), (2_000_000, 4_000_000));
    assert!(is_shared(&image, &changed, "a"));

    let gone = config(ConfigResource::topic("a"), "segment.bytes", None);
    let changed = build(&changed, [gone]);
    assert_eq!(bytes(&changed, "a"), 4_000_000);
    assert!(!changed.configs.contains_key(&ConfigResource::topic("a")));
    // In a snapshot a topic's settings may stand before it.
    let fresh = build(&Image::default(), [own, topic("a", 1)]);
    assert_eq!(bytes(&fresh, "a"), 2_000_000);
}

#[test]
fn impossible_settings_are_told_of_once() {
    let bad = config(ConfigResource::broker_default(), "log.cleanup.policy", Some("burn"));
    let (image, event) = built(&two_topics(), [bad]);
    assert_eq!(image.topics["a"].config, TopicConfig::default());
    let text = event.unwrap().to_string();
    assert!(text.contains("topic a: log.cleanup.policy=burn"), "{text}");
    assert!(text.ends_with("and so in 1 more"), "{text}");
}

#[test]
fn settings_without_effect_are_told_of() {
    let set = |resource, key| config(resource, key, Some("1048576"));
    let own = set(ConfigResource::broker(1), "group.coordinator.cached.buffer.max.bytes");
    let made_up = set(ConfigResource::broker_default(), "made.up");
    let used = set(ConfigResource::broker_default(), "log.segment.bytes");
    let base = Image { node_id: 1, ..two_topics() };
    let (image, event) = built(&base, [own, made_up, used]);
    let text = event.unwrap().to_string();
    let told = "these settings have no effect: group.coordinator.cached.buffer.max.bytes, made.up";
    assert!(text.ends_with(told), "{text}");
    let (_, event) = built(&image, [config(ConfigResource::topic("a"), "segment.bytes", None)]);
    assert_eq!(event, None, "once");
}

#[test]
fn features_are_levels_above_zero() {
    let feature = |level| FeatureLevelRecord { name: "f".into(), feature_level: level }.into();
    let image = build(&Image::default(), [feature(2)]);
    assert_eq!(image.features["f"], 2);
    assert!(build(&image, [feature(0)]).features.is_empty());
}

#[test]
fn registration_is_this_nodes_last_one() {
    let register = |broker_id, number| RegisterBrokerRecord {
        broker_id,
        incarnation_id: id(number),
        broker_epoch: i64::from(number),
        ..RegisterBrokerRecord::default()
    };
    let base = two_topics();
    let image = build(&base, [register(NODE, 7).into(), register(2, 8).into()]);
    let registration = image.registration().unwrap();
    assert_eq!((registration.broker_epoch, registration.incarnation_id), (7, id(7)));
    assert!(registration.fenced && !registration.in_controlled_shutdown);

    let change = |broker_id, fenced, in_controlled_shutdown| BrokerRegistrationChangeRecord {
        broker_id,
        fenced,
        in_controlled_shutdown,
        ..BrokerRegistrationChangeRecord::default()
    };
    let state = |image: &Image| {
        image.registration().map(|now| (now.fenced, now.in_controlled_shutdown)).unwrap()
    };
    let image = build(&image, [change(NODE, -1, 0).into(), change(2, 1, 1).into()]);
    assert_eq!(state(&image), (false, false));
    let image = build(&image, [change(NODE, 0, 1).into()]);
    assert_eq!(state(&image), (false, true));
    let image = build(&image, [change(NODE, 1, 0).into()]);
    assert_eq!(state(&image), (true, true));

    let image = build(&image, [UnfenceBrokerRecord { id: NODE, epoch: 7 }.into()]);
    assert_eq!(state(&image), (false, true));
    let image = build(&image, [FenceBrokerRecord { id: NODE, epoch: 7 }.into()]);
    assert_eq!(state(&image), (true, true));
    let gone = |broker_id| UnregisterBrokerRecord { broker_id, broker_epoch: 7 }.into();
    assert!(build(&image, [gone(2)]).registration().is_some());
    assert_eq!(build(&image, [gone(NODE)]).registration(), None);
}

#[test]
fn producer_ids_go_on_behind_the_last_block() {
    let block = ProducerIdsRecord { next_producer_id: 3000, ..ProducerIdsRecord::default() };
    assert_eq!(build(&two_topics(), [block.into()]).next_producer_id, 3000);
}

#[test]
fn registration_has_what_changed_it_since() {
    let record = RegisterBrokerRecord {
        broker_id: 2,
        rack: Some("r".to_string()),
        log_dirs: vec![id(50)],
        ..RegisterBrokerRecord::default()
    };
    let image = build(&two_topics(), [record.clone().into()]);
    assert_eq!(*image.registrations[&2], record);

    let change = BrokerRegistrationChangeRecord { broker_id: 2, ..Default::default() };
    let directories = BrokerRegistrationChangeRecord {
        log_dirs: vec![id(50), id(51)],
        cordoned_log_dirs: Some(vec![id(51)]),
        ..change.clone()
    };
    let image = build(&image, [directories.into()]);
    let changed = RegisterBrokerRecord {
        log_dirs: vec![id(50), id(51)],
        cordoned_log_dirs: Some(vec![id(51)]),
        ..record
    };
    assert_eq!(*image.registrations[&2], changed);
    let image = build(&image, [change.clone().into()]);
    assert_eq!(*image.registrations[&2], changed);
    let emptied = BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(vec![]), ..change };
    let image = build(&image, [emptied.into()]);
    assert_eq!(image.registrations[&2].cordoned_log_dirs, Some(vec![]));
}

#[test]
fn quorum_says_its_version_and_voters_itself() {
    let feature = FeatureLevelRecord { name: "kraft.version".into(), feature_level: 1 };
    let image = build(&two_topics(), [feature.into()]);
    assert_eq!((image.features.len(), image.kraft_version), (0, 0));

    let voters = VotersRecord { version: 0, voters: vec![Voter::default()] };
    let mut builder = ImageBuilder::new(image, TopicConfig::default());
    let level = KRaftVersionRecord { version: 0, kraft_version: 1 };
    builder.apply_control(&ControlRecord::KRaftVersion(level));
    builder.apply_control(&ControlRecord::KRaftVoters(voters.clone()));
    builder.apply_control(&ControlRecord::LeaderChange(LeaderChangeMessage::default()));
    let (image, _) = builder.finish();
    assert_eq!((image.kraft_version, image.voters), (1, Some(voters)));
}

#[test]
fn what_nobody_uses_is_kept() {
    let before = two_topics();
    let image = build(&before, [NoOpRecord::default().into()]);
    assert_eq!(image, before);
    let acl = AccessControlEntryRecord { id: id(7), ..Default::default() };
    let image = build(&before, [acl.into()]);
    assert!(!image.others.is_empty());
    assert_eq!(build(&image, [RemoveAccessControlEntryRecord { id: id(7) }.into()]), before);
}
