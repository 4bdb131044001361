//! Runs the job over directories in memory.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::batch::{BatchBuilder, Codec};
use crate::event::{Event, Severity};
use crate::ids::Uuid;
use crate::job::Job;
use crate::job::testing::Disk;
use crate::records::{
    AbortTransactionRecord, BeginTransactionRecord, ControlRecord, EndTransactionRecord,
    FeatureLevelRecord, KRaftVersionRecord, LeaderChangeMessage, MetadataRecord, NoOpRecord,
    PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, SnapshotFooterRecord,
    SnapshotHeaderRecord, TopicRecord,
};
use crate::rng::Rng;

const DIRECTORY: &str = "/data/__cluster_metadata-0";

fn log(base_offset: i64) -> String {
    format!("{DIRECTORY}/{base_offset:020}.log")
}

fn snapshot(end_offset: i64, epoch: i32) -> String {
    format!("{DIRECTORY}/{end_offset:020}-{epoch:010}.checkpoint")
}

fn id(number: u8) -> Uuid {
    Uuid([number; 16])
}

fn topic(name: &str, number: u8) -> MetadataRecord {
    TopicRecord { name: name.to_string(), topic_id: id(number) }.into()
}

fn partition(number: u8, partition_id: i32) -> MetadataRecord {
    PartitionRecord {
        partition_id,
        topic_id: id(number),
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![id(99)],
        ..PartitionRecord::default()
    }
    .into()
}

fn leader_change(number: u8) -> MetadataRecord {
    PartitionChangeRecord { topic_id: id(number), partition_id: 0, leader: 1, ..Default::default() }
        .into()
}

fn no_op() -> MetadataRecord {
    NoOpRecord {}.into()
}

fn values(values: &[Bytes]) -> BatchBuilder {
    let mut batch = BatchBuilder::new();
    for value in values {
        batch.append(1_700_000_000_000, None, Some(value));
    }
    batch
}

fn batch(records: &[MetadataRecord]) -> BatchBuilder {
    let encoded: Vec<Bytes> = records.iter().map(|r| r.encode(r.version_max())).collect();
    values(&encoded)
}

fn control(records: &[ControlRecord]) -> BatchBuilder {
    let mut batch = BatchBuilder::new().control();
    for record in records {
        let (key, value) = record.encode();
        batch.append(1_700_000_000_000, Some(&key), Some(&value));
    }
    batch
}

fn snapshot_of(records: &[MetadataRecord]) -> Vec<u8> {
    let header = ControlRecord::SnapshotHeader(SnapshotHeaderRecord::default());
    let version = KRaftVersionRecord { version: 0, kraft_version: 1 };
    let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord::default());
    let mut bytes = control(&[header, ControlRecord::KRaftVersion(version)]).encode(0, 1);
    if !records.is_empty() {
        bytes.extend(batch(records).encode(2, 1));
    }
    bytes.extend(control(&[footer]).encode(2 + records.len() as i64, 1));
    bytes
}

fn base() -> Image {
    Image { node_id: 1, cluster_id: "cluster".into(), ..Image::default() }
}

fn run_with(disk: &mut Disk, limits: &Limits) -> JobResult {
    let directory = Path::new(DIRECTORY);
    let mut job = Job::load_metadata(JobId(7), directory, base(), TopicConfig::default(), limits);
    disk.run(&mut job)
}

fn run(disk: &mut Disk) -> JobResult {
    run_with(disk, &Limits::default())
}

fn loaded(result: JobResult) -> (LoadedMetadata, Vec<Event>) {
    match result.outcome {
        JobOutcome::MetadataLoaded(loaded) => (*loaded, result.events),
        other => panic!("not loaded: {other:?}"),
    }
}

fn quiet(result: JobResult) -> LoadedMetadata {
    let (loaded, events) = loaded(result);
    assert_eq!(events, []);
    loaded
}

fn failure(result: JobResult) -> MetadataFailure {
    match result.outcome {
        JobOutcome::MetadataFailed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn names(loaded: &LoadedMetadata) -> Vec<&str> {
    loaded.image.topics.keys().map(|name| &**name).collect()
}

fn append_at(file: String, position: usize) -> AppendPoint {
    AppendPoint { file: Path::new(&file), position: position as u64 }
}

#[test]
fn missing_directory_is_an_empty_log() {
    let loaded = quiet(run(&mut Disk::default()));
    let expected = LoadedMetadata {
        image: base(),
        end_offset: 0,
        last_epoch: -1,
        append_at: None,
        registrations: Vec::new(),
        ends_in_transaction: false,
        snapshot: None,
        snapshots: Vec::new(),
        leftovers: Vec::new(),
        bytes_since_snapshot: 0,
        has_unknown: false,
        fault: None,
    };
    assert_eq!(loaded, expected);
}

#[test]
fn empty_segment_is_appended_to_at_its_front() {
    let mut disk = Disk::default();
    disk.put(&log(0), []);
    let loaded = quiet(run(&mut disk));
    assert_eq!((loaded.end_offset, loaded.append_at), (0, Some(append_at(log(0), 0))));
}

/// As testers make one: offsets begin at 1 in a file named 0, there is no control batch, no broker,
/// no index, no snapshot, and record versions differ.
#[test]
fn hand_made_log_from_offset_1_is_loaded() {
    let feature = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 20 };
    let old = MetadataRecord::from(PartitionRecord {
        topic_id: id(2),
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        partition_id: 0,
        ..PartitionRecord::default()
    });
    let mut bytes = batch(&[feature.into()]).encode(1, 1);
    bytes.extend(batch(&[topic("foo", 1), partition(1, 0), partition(1, 1)]).encode(2, 1));
    bytes.extend(values(&[topic("bar", 2).encode(0), old.encode(0)]).encode(5, 1));
    let mut disk = Disk::default();
    let length = bytes.len();
    disk.put(&log(0), bytes);

    let loaded = quiet(run(&mut disk));
    assert_eq!(names(&loaded), ["bar", "foo"]);
    let foo = &loaded.image.topics["foo"];
    assert_eq!((foo.id, foo.partitions.len()), (id(1), 2));
    assert_eq!(foo.partitions[&1].directories, [id(99)]);
    assert!(loaded.image.topics["bar"].partitions[&0].directories.is_empty());
    assert!(std::sync::Arc::ptr_eq(foo, &loaded.image.topics_by_id[&id(1)]));
    assert_eq!(loaded.image.features["metadata.version"], 20);
    assert_eq!(loaded.image.registration(), None);
    assert_eq!(loaded.image.metadata_offset, 6);
    assert_eq!((loaded.end_offset, loaded.last_epoch), (7, 1));
    assert_eq!(loaded.append_at, Some(append_at(log(0), length)));
}

/// A batch whose bytes another program has written.
#[test]
fn foreign_batch_is_read() {
    let mut bytes =
        vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x4f, 0, 0, 0, 1, 2, 0xb0, 0x69, 0x45, 0x7c];
    bytes.extend([0; 6]);
    bytes.extend([0, 0, 1, 0x91, 0xe0, 0x5a, 0xf8, 0x18].repeat(2));
    bytes.extend([0xff; 14]);
    bytes.extend([0, 0, 0, 1, 0x3a, 0, 0, 0, 1, 0x2e, 1, 12, 0, 17]);
    bytes.extend(b"metadata.version\x00\x14\x00\x00");
    let mut disk = Disk::default();
    disk.put(&log(0), bytes);
    let loaded = quiet(run(&mut disk));
    assert_eq!((loaded.image.features["metadata.version"], loaded.end_offset), (20, 2));
}

#[test]
fn segment_named_1_begins_a_log() {
    let mut disk = Disk::default();
    disk.put(&log(1), batch(&[topic("foo", 1)]).encode(1, 0));
    assert_eq!(names(&quiet(run(&mut disk))), ["foo"]);
}

/// Two segments; one batch is larger than the smallest pieces, others span them.
fn long_log() -> (Disk, usize) {
    let mut first =
        control(&[ControlRecord::LeaderChange(LeaderChangeMessage::default())]).encode(0, 1);
    let many: Vec<_> = (0..40).map(|index| partition(1, index)).collect();
    first.extend(batch(&[topic("a", 1)]).encode(1, 1));
    first.extend(batch(&many).encode(2, 1));
    let mut second = batch(&[no_op(), topic("b", 2)]).encode(42, 2);
    second.extend(batch(&[leader_change(1)]).encode(44, 3));
    let length = second.len();
    let mut disk = Disk::default();
    disk.put(&log(0), first);
    disk.put(&log(42), second);
    (disk, length)
}

#[test]
fn size_of_pieces_makes_no_difference() {
    let expected = quiet(run(&mut long_log().0));
    assert_eq!(names(&expected), ["a", "b"]);
    let a = &expected.image.topics["a"];
    assert_eq!((a.partitions.len(), a.partitions[&0].leader_epoch), (40, 1));
    assert_eq!((expected.end_offset, expected.last_epoch), (45, 3));
    assert_eq!(expected.append_at, Some(append_at(log(42), long_log().1)));
    for job_piece_bytes in [1, 16, 61, 62, 500, 5_000] {
        let limits = Limits { job_piece_bytes, ..Limits::default() };
        assert_eq!(quiet(run_with(&mut long_log().0, &limits)), expected);
    }
}

#[test]
fn files_are_only_read_and_all_closed() {
    let (mut disk, _) = long_log();
    disk.put(&snapshot(0, 0), snapshot_of(&[]));
    let before = disk.files().clone();
    quiet(run(&mut disk));
    assert_eq!(*disk.files(), before);
    let closed = disk.trace.iter().filter(|done| matches!(done, Operation::Close(_))).count();
    // Of the snapshot, its head and all of it.
    assert_eq!(closed, 4);
}

#[test]
fn failed_operation_is_the_jobs_failure() {
    let operations = {
        let (mut disk, _) = long_log();
        run(&mut disk);
        disk.trace.len()
    };
    for at in 0..operations - 1 {
        let (mut disk, _) = long_log();
        disk.fail_at = Some(at);
        assert!(matches!(failure(run(&mut disk)), MetadataFailure::Io(_)), "{at}");
    }
    let (mut disk, _) = long_log();
    disk.fail_at = Some(operations - 1);
    quiet(run(&mut disk));
}

#[test]
fn log_continues_the_snapshot() {
    let mut disk = Disk::default();
    // The leader's epoch shows that each change counts once.
    let content = [topic("a", 1), partition(1, 0)];
    disk.put(&snapshot(3, 4), snapshot_of(&content));
    let mut bytes = batch(&[content[0].clone(), content[1].clone()]).encode(0, 4);
    bytes.extend(batch(&[leader_change(1), leader_change(1)]).encode(2, 4));
    disk.put(&log(0), bytes);

    let loaded = quiet(run(&mut disk));
    assert_eq!(loaded.image.topics["a"].partitions[&0].leader_epoch, 1);
    assert_eq!(loaded.image.kraft_version, 1);
    assert_eq!((loaded.image.metadata_offset, loaded.end_offset, loaded.last_epoch), (3, 4, 4));
}

#[test]
fn registrations_know_what_was_made_after_them_and_which_directories_they_had() {
    let registration = |number: u8, log_dirs: &[u8]| -> MetadataRecord {
        RegisterBrokerRecord {
            broker_id: base().node_id,
            incarnation_id: id(number),
            log_dirs: log_dirs.iter().map(|number| id(*number)).collect(),
            ..RegisterBrokerRecord::default()
        }
        .into()
    };
    let mut disk = Disk::default();
    let content = [registration(10, &[1, 2]), topic("a", 1), partition(1, 0)];
    disk.put(&snapshot(3, 4), snapshot_of(&content));
    let later = [
        topic("b", 2),
        partition(2, 0),
        registration(11, &[1]),
        partition(2, 1),
        registration(12, &[1, 3]),
    ];
    disk.put(&log(3), batch(&later).encode(3, 4));
    let (loaded, _) = loaded(run(&mut disk));
    let made = loaded.registrations.iter().map(|it| Vec::from_iter(it.made.clone()));
    let made: Vec<_> = made.collect();
    assert_eq!(made, [vec![(id(2), 0)], vec![(id(2), 1)], vec![]], "a snapshot does not tell when");
    let user = |directory: Option<u8>| {
        loaded.since_last_user_of(directory.map(id)).first().map(|user| user.incarnation_id)
    };
    assert_eq!((user(Some(1)), user(Some(2))), (Some(id(12)), Some(id(10))));
    assert_eq!((user(Some(9)), user(None)), (Some(id(12)), Some(id(12))));
}

#[test]
fn snapshot_alone_is_a_log_that_begins_at_its_end() {
    let mut disk = Disk::default();
    disk.put(&snapshot(50, 6), snapshot_of(&[topic("a", 1)]));
    let loaded = quiet(run(&mut disk));
    assert_eq!(names(&loaded), ["a"]);
    assert_eq!((loaded.image.metadata_offset, loaded.end_offset), (49, 50));
    assert_eq!((loaded.last_epoch, loaded.append_at), (6, None));
}

#[test]
fn log_that_ends_below_the_snapshot_is_not_appended_to() {
    let mut disk = Disk::default();
    disk.put(&snapshot(50, 6), snapshot_of(&[topic("a", 1)]));
    disk.put(&log(0), batch(&[topic("b", 2)]).encode(0, 1));
    let loaded = quiet(run(&mut disk));
    assert_eq!((names(&loaded), loaded.end_offset), (vec!["a"], 50));
    assert_eq!(loaded.append_at, None);
}

#[test]
fn newest_whole_snapshot_counts() {
    let whole = snapshot_of(&[topic("old", 1)]);
    let newest = snapshot_of(&[topic("new", 2)]);
    let mut garbled = newest.clone();
    *garbled.last_mut().unwrap() ^= 1;
    let headless = batch(&[topic("new", 2)]).encode(0, 1);
    let trailing = [newest.clone(), headless.clone()].concat();
    for broken in [newest[..newest.len() - 1].to_vec(), garbled, headless, trailing, vec![]] {
        let mut disk = Disk::default();
        disk.put(&snapshot(2, 1), whole.clone());
        disk.put(&snapshot(5, 1), broken);
        disk.put(&log(1), batch(&[no_op(), topic("b", 3), no_op(), no_op()]).encode(1, 1));
        let (loaded, events) = loaded(run(&mut disk));
        assert_eq!(names(&loaded), ["b", "old"]);
        let [Event::MetadataSnapshotRefused { file, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(file.as_str(), snapshot(5, 1));
    }
}

#[test]
fn unusable_snapshot_that_nothing_replaces_is_a_failure() {
    let mut disk = Disk::default();
    disk.put(&snapshot(5, 1), b"nothing".to_vec());
    assert!(matches!(failure(run(&mut disk)), MetadataFailure::Snapshot { .. }));

    disk.put(&log(4), batch(&[topic("b", 3)]).encode(4, 1));
    let gap = MetadataFailure::Gap { directory: Path::new(DIRECTORY), from: 0, to: 4 };
    assert_eq!(failure(run(&mut disk)), gap);
}

/// A crash leaves this too: a segment that was begun while writes before it were lost.
#[test]
fn log_ends_where_a_segment_is_missing() {
    let mut disk = Disk::default();
    let first = batch(&[topic("a", 1)]).encode(0, 1);
    let length = first.len();
    disk.put(&log(0), first);
    disk.put(&log(2), batch(&[topic("b", 2)]).encode(2, 1));
    let (loaded, events) = loaded(run(&mut disk));
    assert_eq!((names(&loaded), loaded.end_offset), (vec!["a"], 1));
    assert_eq!(loaded.append_at, Some(append_at(log(0), length)));
    let (file, reason) = (Path::new(&log(2)), "offsets 1 to 1 before it are missing".to_string());
    let fault = LogFault { file: file.clone(), position: 0, reason: reason.clone() };
    assert_eq!(loaded.fault, Some(fault));
    assert_eq!(events, [Event::MetadataLogEndsEarly { file, position: 0, reason }]);
}

#[test]
fn replay_stops_at_a_torn_tail() {
    let whole = batch(&[topic("a", 1)]).encode(0, 1);
    let torn = batch(&[topic("b", 2)]).encode(1, 1);
    for kept in 1..torn.len() {
        let mut disk = Disk::default();
        disk.put(&log(0), [&whole[..], &torn[..kept]].concat());
        let (loaded, events) = loaded(run(&mut disk));
        assert_eq!((names(&loaded), loaded.end_offset), (vec!["a"], 1));
        assert_eq!(loaded.append_at, Some(append_at(log(0), whole.len())));
        let [Event::MetadataLogEndsEarly { file, position, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!((file.as_str(), *position), (&*log(0), whole.len() as u64));
        assert_eq!(events[0].severity(), Severity::Warning);
    }
}

#[test]
fn everything_behind_an_invalid_batch_is_lost() {
    let first = batch(&[topic("a", 1)]).encode(0, 1);
    let mut bytes = [first.clone(), batch(&[topic("b", 2)]).encode(1, 1)].concat();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.extend(batch(&[topic("c", 3)]).encode(2, 1));
    let mut disk = Disk::default();
    disk.put(&log(0), bytes);
    disk.put(&log(3), batch(&[topic("d", 4)]).encode(3, 1));
    let (loaded, events) = loaded(run(&mut disk));
    assert_eq!((names(&loaded), events.len()), (vec!["a"], 1));
    assert_eq!(loaded.append_at, Some(append_at(log(0), first.len())));
}

#[test]
fn batch_above_the_limit_is_not_lost_in_silence() {
    let limits = Limits { metadata_batch_bytes_max: 100, ..Limits::default() };
    let large = batch(&[topic("a-topic-with-a-long-name", 1), topic("b", 2)]).encode(0, 1);
    let mut disk = Disk::default();
    disk.put(&log(0), large.clone());
    let failure = failure(run_with(&mut disk, &limits));
    assert!(matches!(failure, MetadataFailure::Batch { position: 0, .. }), "{failure}");

    // A length beyond the file's end is no batch at all.
    disk.put(&log(0), large[..large.len() - 1].to_vec());
    let (_, events) = loaded(run_with(&mut disk, &limits));
    assert!(matches!(&events[..], [Event::MetadataLogEndsEarly { .. }]));
}

#[test]
fn transaction_counts_at_its_end_or_never() {
    let begin = || MetadataRecord::from(BeginTransactionRecord::default());
    let mut disk = Disk::default();
    let mut bytes = batch(&[begin(), topic("kept", 1)]).encode(0, 1);
    bytes.extend(batch(&[partition(1, 0), EndTransactionRecord {}.into()]).encode(2, 1));
    bytes.extend(
        batch(&[begin(), topic("aborted", 2), AbortTransactionRecord::default().into()])
            .encode(4, 1),
    );
    bytes.extend(batch(&[begin(), topic("open", 3)]).encode(7, 1));
    disk.put(&log(0), bytes);
    let (loaded, events) = loaded(run(&mut disk));
    assert_eq!(names(&loaded), ["kept"]);
    assert_eq!(loaded.image.topics["kept"].partitions.len(), 1);
    assert_eq!((loaded.image.metadata_offset, loaded.end_offset), (6, 9));
    assert_eq!((events.len(), events[0].severity()), (1, Severity::Info));

    for records in [vec![begin(), begin()], vec![EndTransactionRecord {}.into()]] {
        let mut disk = Disk::default();
        disk.put(&log(0), batch(&records).encode(0, 1));
        assert!(matches!(failure(run(&mut disk)), MetadataFailure::Batch { .. }));
    }
}

#[test]
fn unknown_records_are_skipped_with_one_event_each_kind() {
    let unknown = Bytes::from_static(&[1, 99, 0, 7, 7]);
    let newer = Bytes::from_static(&[1, 2, 9, 7]);
    let known = topic("a", 1).encode(0);
    let mut disk = Disk::default();
    let all = [unknown.clone(), newer.clone(), unknown, newer, known];
    disk.put(&log(0), values(&all).encode(0, 1));
    let (loaded, events) = loaded(run(&mut disk));
    assert_eq!(names(&loaded), ["a"]);
    let event = |record_type, version, offset| Event::UnknownMetadataRecord {
        record_type,
        version,
        offset,
    };
    assert_eq!(events, [event(99, 0, 0), event(2, 9, 1)]);
}

#[test]
fn damaged_or_compressed_records_are_failures() {
    let mut cut = topic("a", 1).encode(0);
    cut.truncate(8);
    let damaged = values(&[cut]).encode(0, 1);
    let compressed = batch(&[topic("a", 1)]).compressed(Codec::Gzip, Bytes::from_static(b"x"));
    let mut tombstone = BatchBuilder::new();
    tombstone.append(0, None, None);
    for (bytes, word) in [
        (damaged, "offset 0 is damaged"),
        (compressed.encode(0, 1), "compressed"),
        (tombstone.encode(0, 1), "no value"),
    ] {
        let mut disk = Disk::default();
        disk.put(&log(0), bytes);
        let failure = failure(run(&mut disk)).to_string();
        assert!(failure.contains(word) && failure.contains(&log(0)), "{failure}");
    }
}

#[test]
fn records_that_fit_nothing_are_said_once_and_counted() {
    let mut disk = Disk::default();
    disk.put(&log(0), batch(&[partition(9, 0), topic("a", 1), partition(8, 0)]).encode(0, 1));
    let (loaded, events) = loaded(run(&mut disk));
    assert_eq!((names(&loaded), events.len()), (vec!["a"], 2));
}

#[test]
fn flipped_bits_never_become_topics() {
    let (disk, _) = long_log();
    let mut rng = Rng::from_seed([3; 32]);
    for _ in 0..200 {
        let mut disk = disk.clone();
        disk.put(&snapshot(2, 1), snapshot_of(&[topic("a", 1)]));
        let file = [log(0), log(42), snapshot(2, 1)][rng.below(3) as usize].clone();
        let mut bytes = disk.get(&file).unwrap().to_vec();
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << rng.below(8);
        disk.put(&file, bytes);
        // Offsets and epochs lie outside the CRC; a record that is loaded is one that was written.
        if let JobOutcome::MetadataLoaded(loaded) = run(&mut disk).outcome {
            assert!(names(&loaded).iter().all(|name| ["a", "b"].contains(name)));
        }
    }
}

#[test]
fn epoch_is_the_higher_one_of_log_and_quorum_state() {
    let state = |epoch| format!("{{\"leaderId\":1,\"leaderEpoch\":{epoch},\"data_version\":1}}");
    for (content, epoch) in [(state(9), 9), (state(2), 4), (String::from("{"), 4)] {
        let mut disk = Disk::default();
        disk.put(&log(0), batch(&[topic("a", 1)]).encode(0, 4));
        disk.put(&format!("{DIRECTORY}/quorum-state"), content.clone());
        let (loaded, events) = loaded(run(&mut disk));
        assert_eq!(loaded.last_epoch, epoch, "{content}");
        assert_eq!(events.len(), usize::from(content == "{"), "{events:?}");
    }
}
