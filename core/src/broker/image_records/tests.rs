use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::testing::random_records;
use super::*;
use crate::broker::image_builder::ImageBuilder;
use crate::config::TopicConfig;
use crate::records::{AccessControlEntryRecord, RegisterControllerRecord};
use crate::rng::Rng;

fn built(records: impl IntoIterator<Item = MetadataRecord>, offset: i64) -> Image {
    let base = Image { node_id: 1, ..Image::default() };
    let mut builder = ImageBuilder::new(base, TopicConfig::default());
    for record in records {
        // One that does not fit changes nothing.
        let _ = builder.apply(record);
    }
    builder.advance_to(offset);
    builder.finish().0
}

fn written(image: &Image) -> Vec<(MetadataRecord, i16)> {
    ImageRecords::new(Arc::new(image.clone())).collect()
}

fn partition(image: &Image) -> (PartitionRecord, i16) {
    let mut partitions = written(image).into_iter().filter_map(|(record, version)| match record {
        MetadataRecord::Partition(record) => Some((record, version)),
        _ => None,
    });
    partitions.next().expect("there is one")
}

#[test]
fn records_of_an_image_make_an_equal_one() {
    for seed in 0..500 {
        let mut seeds = [0; 32];
        seeds[0..8].copy_from_slice(&u64::to_le_bytes(seed));
        let mut rng = Rng::from_seed(seeds);
        let count = 1 + rng.below(150) as usize;
        let image = built(random_records(&mut rng, count), 7);
        let read = |(record, version): (MetadataRecord, i16)| {
            MetadataRecord::decode(&record.encode(version)).expect("it can be read")
        };
        let again = built(written(&image).into_iter().map(read), 7);
        assert_eq!(again, image, "seed {seed}");
    }
}

#[test]
fn order_is_that_of_kafkas_snapshots() {
    let topic_id = Uuid([1; 16]);
    let image = built(
        [
            AccessControlEntryRecord { id: topic_id, ..Default::default() }.into(),
            ProducerIdsRecord { broker_id: 1, broker_epoch: 9, next_producer_id: 1000 }.into(),
            setting(&ConfigResource::topic("t"), "retention.ms", "5").0,
            TopicRecord { name: "t".to_string(), topic_id }.into(),
            PartitionRecord { partition_id: 0, topic_id, ..Default::default() }.into(),
            RegisterControllerRecord { controller_id: 3, ..Default::default() }.into(),
            RegisterBrokerRecord { broker_id: 2, ..Default::default() }.into(),
            feature("group.version", 1).0,
            feature(METADATA_VERSION, 30).0,
        ],
        0,
    );
    let types: Vec<u32> = written(&image).iter().map(|(record, _)| record.record_type()).collect();
    assert_eq!(types, [12, 12, 0, 27, 18, 2, 3, 4, 15]);
    assert_eq!(written(&image)[0], feature(METADATA_VERSION, 30));
    assert_eq!(written(&image)[8], producer_ids(1000));
}

#[test]
fn empty_image_has_no_records() {
    assert_eq!(written(&Image::default()), []);
}

#[test]
fn versions_are_those_of_the_level() {
    let topic_id = Uuid([1; 16]);
    let at = |level, record: PartitionRecord| {
        partition(&built(
            [
                feature(METADATA_VERSION, level).0,
                TopicRecord { name: "t".to_string(), topic_id }.into(),
                PartitionRecord { topic_id, ..record }.into(),
            ],
            0,
        ))
        .1
    };
    let plain = PartitionRecord { replicas: vec![1], ..PartitionRecord::default() };
    assert_eq!([7, 16, 17, 22, 23, 30].map(|level| at(level, plain.clone())), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn what_a_level_has_no_field_for_is_written_all_the_same() {
    let topic_id = Uuid([1; 16]);
    let placed = PartitionRecord { topic_id, directories: vec![topic_id], ..Default::default() };
    let eligible = PartitionRecord { last_known_elr: Some(vec![1]), ..placed.clone() };
    let topic = TopicRecord { name: "t".to_string(), topic_id };
    let version = |record: &PartitionRecord| {
        let records: [MetadataRecord; 2] = [topic.clone().into(), record.clone().into()];
        partition(&built(records, 0)).1
    };
    assert_eq!([version(&placed), version(&eligible)], [1, 2]);

    let version = |record| written(&built([MetadataRecord::from(record)], 0))[0].1;
    let mut broker = RegisterBrokerRecord::default();
    assert_eq!(version(broker.clone()), 1);
    broker.is_migrating_zk_broker = true;
    assert_eq!(version(broker.clone()), 2);
    broker.log_dirs = vec![topic_id];
    assert_eq!(version(broker.clone()), 3);
    broker.cordoned_log_dirs = Some(vec![]);
    assert_eq!(version(broker), 4);
}
