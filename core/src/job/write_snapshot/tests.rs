//! Writes snapshots of images, and loads them again.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::batch::{BatchHeader, Step, next_batch};
use crate::broker::image_records::testing::random_records;
use crate::config::{Limits, TopicConfig};
use crate::event::Event;
use crate::ids::Uuid;
use crate::job::testing::Disk;
use crate::job::{Job, LoadedMetadata};
use crate::records::{ConfigRecord, MetadataRecord, TopicRecord, Voter, VotersRecord};
use crate::rng::Rng;

pub(super) const DIRECTORY: &str = "/data/__cluster_metadata-0";
const EPOCH: i32 = 4;
const APPENDED_MS: i64 = 1_700_000_000_000;
const NOW_MS: i64 = 1_700_000_009_000;

pub(super) fn log(base_offset: i64) -> String {
    format!("{DIRECTORY}/{base_offset:020}.log")
}

/// A log of these records, behind the quorum's.
pub(super) fn log_of(records: &[MetadataRecord]) -> Vec<u8> {
    let voters = vec![Voter { voter_id: 1, ..Voter::default() }];
    let mut quorum = BatchBuilder::new().control();
    for record in [
        ControlRecord::KRaftVersion(KRaftVersionRecord { version: 0, kraft_version: 1 }),
        ControlRecord::KRaftVoters(VotersRecord { version: 0, voters }),
    ] {
        let (key, value) = record.encode();
        quorum.append(APPENDED_MS, Some(&key), Some(&value));
    }
    let mut bytes = quorum.encode(0, EPOCH);
    for (at, record) in records.iter().enumerate() {
        let mut batch = BatchBuilder::new();
        batch.append(APPENDED_MS, None, Some(&record.encode(record.version_max())));
        bytes.extend(batch.encode(2 + at as i64, EPOCH));
    }
    bytes
}

/// A topic, and settings enough for several batches of a snapshot.
pub(super) fn many_settings() -> Vec<MetadataRecord> {
    let topic = TopicRecord { name: "t".to_string(), topic_id: Uuid([1; 16]) };
    let setting = |number: u32| ConfigRecord {
        resource_type: 16,
        resource_name: format!("metrics-{number}"),
        name: "interval.ms".to_string(),
        value: Some(number.to_string()),
    };
    let settings = (0..2_500).map(|number| setting(number).into());
    [topic.into()].into_iter().chain(settings).collect()
}

pub(super) fn load(disk: &mut Disk) -> (LoadedMetadata, Vec<Event>) {
    let base = Image { node_id: 1, ..Image::default() };
    let (defaults, limits) = (TopicConfig::default(), Limits::default());
    let mut job = Job::load_metadata(JobId(1), Path::new(DIRECTORY), base, defaults, &limits);
    let result = disk.run(&mut job);
    match result.outcome {
        JobOutcome::MetadataLoaded(loaded) => (*loaded, result.events),
        other => panic!("not loaded: {other:?}"),
    }
}

pub(super) fn context(image: Image) -> WriteSnapshotContext {
    WriteSnapshotContext {
        directory: Path::new(DIRECTORY),
        image: Arc::new(image),
        epoch: EPOCH,
        appended_ms: APPENDED_MS,
        now_ms: NOW_MS,
    }
}

fn write(disk: &mut Disk, image: Image) -> Result<WrittenSnapshot, IoError> {
    let result = disk.run(&mut Job::write_snapshot(JobId(2), context(image)));
    assert_eq!(result.events, []);
    match result.outcome {
        JobOutcome::SnapshotWritten(written) => written,
        other => panic!("no snapshot: {other:?}"),
    }
}

/// The batches of a file.
fn batches(mut bytes: &[u8]) -> Vec<BatchHeader> {
    let mut headers = Vec::new();
    while let Step::Batch(batch) = next_batch(bytes, bytes.len()) {
        assert_eq!(batch.verify_crc(), Ok(()));
        headers.push(*batch.header());
        bytes = &bytes[12 + batch.header().length as usize..];
    }
    assert!(bytes.is_empty(), "{} bytes behind the last batch", bytes.len());
    headers
}

#[test]
fn snapshot_of_any_log_is_loaded_as_that_log() {
    for seed in 0..100_u64 {
        let mut seeds = [0; 32];
        seeds[0..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::from_seed(seeds);
        let count = 1 + rng.below(200) as usize;
        let mut disk = Disk::default();
        disk.put(&log(0), log_of(&random_records(&mut rng, count)));
        let (from_log, _) = load(&mut disk);
        let written = write(&mut disk, from_log.image.clone()).expect("nothing fails");

        let id = SnapshotId { end_offset: from_log.end_offset, epoch: EPOCH };
        assert_eq!((written.id, written.appended_ms), (id, APPENDED_MS));
        disk.files_mut().remove(&log(0));
        let (from_snapshot, _) = load(&mut disk);
        assert_eq!(from_snapshot.image, from_log.image, "seed {seed}");
        assert_eq!(from_snapshot.snapshot, Some(id));
        assert_eq!((from_snapshot.end_offset, from_snapshot.last_epoch), (id.end_offset, EPOCH));
        assert_eq!(from_snapshot.bytes_since_snapshot, 0);
        let [listed] = &from_snapshot.snapshots[..] else { panic!("there is one snapshot") };
        assert_eq!((listed.id, listed.length), (id, written.bytes));
        assert_eq!(listed.appended_ms, Some(APPENDED_MS));
    }
}

#[test]
fn file_is_batches_of_bounded_size_between_two_control_batches() {
    let mut disk = Disk::default();
    disk.put(&log(0), log_of(&many_settings()));
    let image = load(&mut disk).0.image;
    let written = write(&mut disk, image).expect("nothing fails");
    let name = format!("{DIRECTORY}/{}", written.id.file_name());
    assert!(name.ends_with("/00000000000000002503-0000000004.checkpoint"), "{name}");
    let headers = batches(disk.get(&name).expect("it is there"));

    let counts: Vec<i32> = headers.iter().map(|header| header.record_count).collect();
    assert_eq!(counts, [3, 1024, 1024, 453, 1]);
    let control: Vec<bool> = headers.iter().map(|it| it.attributes.is_control()).collect();
    assert_eq!(control, [true, false, false, false, true]);
    let mut next = 0;
    for header in &headers {
        assert_eq!((header.base_offset, header.leader_epoch), (next, EPOCH));
        assert_eq!((header.base_timestamp_ms, header.max_timestamp_ms), (NOW_MS, NOW_MS));
        next += i64::from(header.record_count);
    }
}

#[test]
fn batch_is_full_by_its_bytes_too() {
    let long = |number: u32| ConfigRecord {
        resource_type: 16,
        resource_name: number.to_string(),
        name: "match".to_string(),
        value: Some("x".repeat(32_767)),
    };
    let records: Vec<MetadataRecord> = (0..40).map(|number| long(number).into()).collect();
    let mut disk = Disk::default();
    disk.put(&log(0), log_of(&records));
    let image = load(&mut disk).0.image;
    let written = write(&mut disk, image).expect("nothing fails");
    let name = format!("{DIRECTORY}/{}", written.id.file_name());
    let headers = batches(disk.get(&name).expect("it is there"));
    let counts: Vec<i32> = headers.iter().map(|header| header.record_count).collect();
    assert_eq!(counts, [3, 16, 16, 8, 1]);
}

/// Kafka's reader takes voters of a static quorum for a fault.
#[test]
fn static_quorum_has_no_records() {
    let mut disk = Disk::default();
    disk.make_directory(DIRECTORY);
    let voters = Some(VotersRecord::default());
    let image = Image { metadata_offset: 9, kraft_version: 0, voters, ..Image::default() };
    let written = write(&mut disk, image).expect("nothing fails");
    let name = format!("{DIRECTORY}/{}", written.id.file_name());
    let headers = batches(disk.get(&name).expect("it is there"));
    let counts: Vec<i32> = headers.iter().map(|header| header.record_count).collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn failed_operation_is_the_jobs_failure() {
    let mut disk = Disk::default();
    disk.put(&log(0), log_of(&many_settings()));
    let (loaded, _) = load(&mut disk);
    let before = disk.trace.len();
    let operations = {
        let mut disk = disk.clone();
        write(&mut disk, loaded.image.clone()).expect("nothing fails");
        disk.trace.len() - before
    };
    for at in 0..operations {
        let mut disk = disk.clone();
        disk.fail_at = Some(before + at);
        write(&mut disk, loaded.image.clone()).expect_err("an operation fails");
    }
}
