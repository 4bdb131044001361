mod indexes;
mod leftovers;
mod producers;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::legacy_crc::LegacyCrc;
use super::{LoadLogContext, LoadLogFailure};
use crate::batch::BatchBuilder;
use crate::checkpoint::{LeaderEpochs, PartitionMetadata};
use crate::config::Limits;
use crate::effect::{Effect, Operation, Path};
use crate::event::{Event, Severity};
use crate::ids::{DirectoryIndex, JobId, Uuid};
use crate::job::testing::Disk;
use crate::job::{Job, JobOutcome};
use crate::log::producers::ProducerStates;
use crate::log::{FileSuffix, Level, Log, LogConfig, file_name};
use crate::rng::Rng;
use crate::time::Now;

const TOPIC_ID: Uuid = Uuid([7; 16]);
const DIRECTORY: &str = "/data/t-0";

fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

fn log_path(base_offset: i64) -> String {
    path(&file_name(base_offset, FileSuffix::Log))
}

fn metadata(topic_id: Uuid) -> String {
    PartitionMetadata { topic_id }.format()
}

/// Two records from `base_offset` on.
fn batch(base_offset: i64, epoch: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.append(1_000 + base_offset, None, Some(b"first value"));
    builder.append(1_001 + base_offset, None, Some(b"second value"));
    builder.encode(base_offset, epoch)
}

fn batches(range: core::ops::Range<i64>) -> Vec<u8> {
    range.step_by(2).flat_map(|base| batch(base, 1)).collect()
}

/// An entry of an offset index.
fn offset_entry(relative_offset: i32, position: u64) -> Vec<u8> {
    [relative_offset.to_be_bytes(), (position as i32).to_be_bytes()].concat()
}

/// An entry of a time index.
fn time_entry(timestamp_ms: i64, relative_offset: i32) -> Vec<u8> {
    [&timestamp_ms.to_be_bytes()[..], &relative_offset.to_be_bytes()].concat()
}

/// Bytes of one batch.
fn size() -> u64 {
    batch(0, 1).len() as u64
}

/// A directory as a running broker has it: offsets 0 to 9 in two segments, the second from 6 on. What
/// lies beside the first was written when it was finished.
fn directory() -> Disk {
    let mut disk = Disk::default();
    disk.put(&path(&file_name(0, FileSuffix::Index)), "");
    disk.put(&path(&file_name(0, FileSuffix::TimeIndex)), time_entry(1_005, 5));
    disk.put(&path(&file_name(6, FileSuffix::Index)), "");
    disk.put(&path(&file_name(6, FileSuffix::Snapshot)), ProducerStates::default().snapshot());
    disk.put(&path(PartitionMetadata::FILE), metadata(TOPIC_ID));
    disk.put(&path(LeaderEpochs::FILE), "0\n1\n1 0\n");
    disk.put(&log_path(0), batches(0..6));
    disk.put(&log_path(6), batches(6..10));
    disk
}

fn context() -> LoadLogContext {
    LoadLogContext {
        path: Path::new(DIRECTORY),
        log_directory: DirectoryIndex(0),
        topic: "t".into(),
        topic_id: TOPIC_ID,
        partition: 0,
        stray_id: Some(Uuid([0xab; 16])),
        exists: true,
        is_clean: false,
        recovery_point: None,
        synced_end: None,
        log_start: None,
        config: LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() },
        leader_epoch: 1,
        limits: Limits { job_piece_bytes: 80, ..Limits::default() },
    }
}

fn run(disk: &mut Disk, context: LoadLogContext) -> (Vec<Event>, Result<Log, LoadLogFailure>) {
    disk.close_all();
    disk.trace.clear();
    let result = disk.run(&mut Job::load_log(JobId(1), context));
    let outcome = match result.outcome {
        JobOutcome::LogLoaded(log) => Ok(*log),
        JobOutcome::LogFailed(failure) => Err(failure),
        other => panic!("{other:?}"),
    };
    (result.events, outcome)
}

fn load(disk: &mut Disk, context: LoadLogContext) -> (Vec<Event>, Log) {
    let (events, outcome) = run(disk, context);
    (events, outcome.unwrap())
}

/// Loads, expects a failure without the disk's fault, and that no byte has changed.
fn fail(disk: &mut Disk, context: LoadLogContext) -> String {
    let before = disk.files().clone();
    let (_, outcome) = run(disk, context);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.error, None);
    assert_eq!(*disk.files(), before);
    failure.reason
}

fn segments(log: &Log) -> Vec<(i64, u64)> {
    log.segments().iter().map(|segment| (segment.base_offset, segment.size)).collect()
}

fn ends(log: &Log) -> (i64, i64) {
    assert_eq!(log.accepted_end(), log.end(Level::Written));
    assert_eq!(log.accepted_end(), log.end(Level::Synced));
    (log.log_start(), log.accepted_end())
}

fn warnings(events: &[Event]) -> Vec<String> {
    let warnings = events.iter().filter(|event| event.severity() == Severity::Warning);
    warnings.map(ToString::to_string).collect()
}

/// Position and length of each write to the file.
fn writes(disk: &Disk, written: &str) -> Vec<(u64, u64)> {
    let operations = disk.trace.iter().filter_map(|operation| match operation {
        Operation::Write { file, position, data } if file.path.as_str() == written => {
            Some((*position, data.concat().len() as u64))
        }
        _ => None,
    });
    operations.collect()
}

fn place(disk: &Disk, wanted: impl Fn(&Operation) -> bool) -> usize {
    disk.trace.iter().position(wanted).expect("the operation was carried out")
}

fn is_sync_of(operation: &Operation, path: &str) -> bool {
    matches!(operation, Operation::Sync(file) if file.path.as_str() == path)
}

#[test]
fn missing_directory_is_created() {
    let mut disk = Disk::default();
    disk.make_directory("/data");
    let (events, log) = load(&mut disk, LoadLogContext { exists: false, ..context() });
    assert!(events.is_empty());
    assert_eq!(ends(&log), (0, 0));
    assert_eq!(segments(&log), []);
    let content = metadata(TOPIC_ID);
    assert_eq!(disk.get(&path(PartitionMetadata::FILE)), Some(content.as_bytes()));
    assert_eq!(disk.files().len(), 1);
    assert_eq!(disk.trace.first(), Some(&Operation::MakeDirectory(Path::new(DIRECTORY))));
    assert_eq!(disk.trace.last(), Some(&Operation::SyncDirectory(Path::new("/data"))));
}

#[test]
fn missing_directory_of_a_synced_log_is_damage() {
    let mut disk = Disk::default();
    disk.make_directory("/data");
    let lost = LoadLogContext { exists: false, synced_end: Some(5), ..context() };
    assert_eq!(fail(&mut disk, lost), "/data/t-0 is missing; it was synced up to offset 5");
    let new = LoadLogContext { exists: false, synced_end: Some(0), ..context() };
    assert_eq!(ends(&load(&mut disk, new).1), (0, 0));
}

#[test]
fn whole_log_is_loaded() {
    let mut disk = directory();
    let before = disk.files().clone();
    let (events, log) = load(&mut disk, context());
    assert!(events.is_empty());
    assert_eq!(ends(&log), (0, 10));
    assert_eq!(segments(&log), [(0, 3 * size()), (6, 2 * size())]);
    assert_eq!(log.segments()[0].max_timestamp().timestamp_ms, 1_005);
    assert_eq!(log.epochs().format(), "0\n1\n1 0\n");
    assert_eq!(*disk.files(), before);
}

#[test]
fn unsynced_bytes_are_written_back_before_they_are_synced() {
    let mut disk = directory();
    load(&mut disk, LoadLogContext { synced_end: Some(4), ..context() });
    assert_eq!(writes(&disk, &log_path(0)), [(2 * size(), 80), (2 * size() + 80, size() - 80)]);
    let written: u64 = writes(&disk, &log_path(6)).iter().map(|(_, length)| length).sum();
    assert_eq!(written, 2 * size());
    let last_write = disk.trace.iter().rposition(|o| matches!(o, Operation::Write { .. })).unwrap();
    for base_offset in [0, 6] {
        assert!(place(&disk, |o| is_sync_of(o, &log_path(base_offset))) > last_write);
    }
    assert!(disk.trace.contains(&Operation::SyncDirectory(Path::new(DIRECTORY))));
}

#[test]
fn batch_that_reaches_over_the_synced_end_is_written_back() {
    let mut disk = directory();
    load(&mut disk, LoadLogContext { synced_end: Some(9), ..context() });
    assert_eq!(writes(&disk, &log_path(0)), []);
    assert_eq!(writes(&disk, &log_path(6)).first(), Some(&(size(), 80)));
}

#[test]
fn synced_log_is_only_read() {
    let mut disk = directory();
    load(&mut disk, LoadLogContext { recovery_point: Some(10), synced_end: Some(10), ..context() });
    assert!(disk.trace.iter().all(|operation| {
        matches!(operation, Operation::List(_) | Operation::Read { .. } | Operation::Close(_))
    }));
}

#[test]
fn flushed_log_of_a_kafka_is_not_written_back() {
    let mut disk = directory();
    load(&mut disk, LoadLogContext { recovery_point: Some(10), ..context() });
    assert!(!disk.trace.iter().any(|o| matches!(o, Operation::Write { .. })));
    assert!(disk.trace.contains(&Operation::SyncDirectory(Path::new("/data"))));
}

#[test]
fn missing_partition_metadata_is_written() {
    let mut disk = Disk::default();
    disk.put(&log_path(0), batches(0..4));
    let (events, log) = load(&mut disk, context());
    assert!(events.is_empty());
    assert_eq!(ends(&log), (0, 4));
    let content = metadata(TOPIC_ID);
    assert_eq!(disk.get(&path(PartitionMetadata::FILE)), Some(content.as_bytes()));
    assert!(disk.trace.contains(&Operation::SyncDirectory(Path::new("/data"))));
}

#[test]
fn empty_partition_metadata_is_written_with_a_warning() {
    let mut disk = directory();
    disk.put(&path(PartitionMetadata::FILE), "");
    let (events, _) = load(&mut disk, context());
    assert_eq!(warnings(&events), ["/data/t-0/partition.metadata is empty and is written anew"]);
    let content = metadata(TOPIC_ID);
    assert_eq!(disk.get(&path(PartitionMetadata::FILE)), Some(content.as_bytes()));
}

#[test]
fn directory_of_another_topic_becomes_a_stray_one() {
    let mut disk = directory();
    disk.put(&path(PartitionMetadata::FILE), metadata(Uuid([8; 16])));
    let (events, log) = load(&mut disk, context());
    let stray = format!("/data/t-0.{}-stray", "ab".repeat(16));
    assert_eq!(
        warnings(&events),
        [format!(
            "/data/t-0/partition.metadata names topic id CAgICAgICAgICAgICAgICA, \
             topic t has BwcHBwcHBwcHBwcHBwcHBw: it is kept as {stray}, and the partition is empty"
        )]
    );
    assert_eq!((ends(&log), segments(&log)), ((0, 0), vec![]));
    assert_eq!(disk.get(&path(PartitionMetadata::FILE)), Some(metadata(TOPIC_ID).as_bytes()));
    let kept = disk.get(&format!("{stray}/{}", file_name(6, FileSuffix::Log)));
    assert_eq!(kept, Some(batches(6..10).as_slice()));
    let renamed = place(&disk, |o| matches!(o, Operation::Rename { .. }));
    assert_eq!(disk.trace[renamed + 1], Operation::SyncDirectory(Path::new("/data")));
}

#[test]
fn directory_of_another_topic_stays_where_the_partition_may_not_be_made_anew() {
    let mut disk = directory();
    disk.put(&path(PartitionMetadata::FILE), metadata(Uuid([8; 16])));
    let before = disk.files().clone();
    let reason = fail(&mut disk, LoadLogContext { stray_id: None, ..context() });
    assert!(reason.ends_with("; its own log directory is not online"), "{reason}");
    assert_eq!(*disk.files(), before);
}

#[test]
fn directory_of_another_topic_is_left_alone_where_records_were_synced() {
    let mut disk = directory();
    disk.put(&path(PartitionMetadata::FILE), metadata(Uuid([8; 16])));
    let synced = LoadLogContext { synced_end: Some(3), ..context() };
    let reason = fail(&mut disk, synced);
    assert!(reason.ends_with("and was synced up to offset 3"), "{reason}");
    disk.put(&path(PartitionMetadata::FILE), "nonsense");
    assert!(fail(&mut disk, context()).starts_with("/data/t-0/partition.metadata is unreadable"));
}

#[test]
fn padded_topic_id_is_the_same() {
    let mut disk = directory();
    disk.put(&path(PartitionMetadata::FILE), format!("{}==\n", metadata(TOPIC_ID)));
    assert_eq!(ends(&load(&mut disk, context()).1), (0, 10));
}

#[test]
fn torn_batch_is_cut() {
    let last = batch(10, 1);
    for torn in [1, 16, 17, 60, 61, last.len() - 1] {
        let mut disk = directory();
        let mut file = batches(6..10);
        file.extend(&last[..torn]);
        disk.put(&log_path(6), file);
        let (events, log) = load(&mut disk, LoadLogContext { synced_end: Some(10), ..context() });
        assert_eq!(ends(&log), (0, 10));
        let [Event::TornTailCut { file, from, to, .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!((file.as_str(), *from), (log_path(6).as_str(), 2 * size() + torn as u64));
        assert_eq!(*to, 2 * size());
        assert_eq!(disk.get(&log_path(6)), Some(batches(6..10).as_slice()));
        assert!(disk.trace.iter().any(|operation| is_sync_of(operation, &log_path(6))));
    }
}

#[test]
fn zeros_and_garbage_at_the_end_are_cut() {
    for garbage in [vec![0; 500], vec![0xff; 500], vec![b'x'; 3]] {
        let mut disk = directory();
        let mut file = batches(6..10);
        file.extend(garbage);
        disk.put(&log_path(6), file);
        assert_eq!(ends(&load(&mut disk, context()).1), (0, 10));
        assert_eq!(disk.get(&log_path(6)), Some(batches(6..10).as_slice()));
    }
}

#[test]
fn what_lies_behind_an_invalid_batch_goes() {
    let mut disk = directory();
    let mut first = batches(0..6);
    first[size() as usize + 70] ^= 1;
    disk.put(&log_path(0), first);
    disk.put(&log_path(10), batches(10..12));
    for offset in [0, 6, 10] {
        disk.put(&path(&file_name(offset, FileSuffix::Index)), "index");
        disk.put(&path(&file_name(offset, FileSuffix::TimeIndex)), "index");
        disk.put(&path(&file_name(offset, FileSuffix::TransactionIndex)), "index");
        let snapshot = ProducerStates::default().snapshot();
        disk.put(&path(&file_name(offset, FileSuffix::Snapshot)), snapshot);
    }
    disk.put(&path(&file_name(2, FileSuffix::Snapshot)), "snapshot");
    let (events, log) = load(&mut disk, LoadLogContext { synced_end: Some(2), ..context() });
    assert_eq!(ends(&log), (0, 2));
    assert_eq!(segments(&log), [(0, size())]);
    assert_eq!(events.len(), 3);
    let left: Vec<_> = disk.files().keys().map(|path| Path::new(path).name().to_string()).collect();
    let expected = [
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.snapshot",
        "00000000000000000002.snapshot",
        "leader-epoch-checkpoint",
        "partition.metadata",
    ];
    assert_eq!(left, expected);

    let unlink = |base| Operation::Unlink(Path::new(&log_path(base)));
    let last_first = [unlink(10), unlink(6)].map(|wanted| place(&disk, |o| *o == wanted));
    let synced = place(&disk, |o| *o == Operation::SyncDirectory(Path::new(DIRECTORY)));
    let shortened = place(&disk, |o| matches!(o, Operation::SetLength { .. }));
    assert!(last_first[0] < last_first[1] && last_first[1] < synced && synced < shortened);
}

#[test]
fn only_the_segment_that_is_appended_to_loses_its_indexes() {
    let mut disk = directory();
    let indexes = [FileSuffix::Index, FileSuffix::TimeIndex, FileSuffix::TransactionIndex];
    for (offset, suffix) in [0, 6].into_iter().zip([indexes; 2]) {
        for suffix in suffix {
            disk.put(&path(&file_name(offset, suffix)), "");
        }
    }
    disk.put(&path(&file_name(0, FileSuffix::TimeIndex)), time_entry(1_005, 5));
    disk.put(&path(&file_name(10, FileSuffix::Snapshot)), "snapshot");
    disk.put(&path(&file_name(11, FileSuffix::Snapshot)), "snapshot");
    disk.put(&path(&file_name(6, FileSuffix::Index)), offset_entry(3, size()));
    let synced = LoadLogContext { recovery_point: Some(7), synced_end: Some(10), ..context() };
    load(&mut disk, synced);
    for suffix in indexes {
        assert!(disk.get(&path(&file_name(0, suffix))).is_some());
    }
    assert_eq!(disk.get(&path(&file_name(6, FileSuffix::Index))), Some(&[][..]));
    let times = path(&file_name(6, FileSuffix::TimeIndex));
    assert!(disk.get(&times).is_none());
    assert!(disk.get(&path(&file_name(6, FileSuffix::TransactionIndex))).is_none());
    let gone = |o: &Operation| *o == Operation::Unlink(Path::new(&times));
    let durable =
        disk.trace.iter().rposition(|o| *o == Operation::SyncDirectory(Path::new(DIRECTORY)));
    assert!(durable > Some(place(&disk, gone)));
    assert!(disk.get(&path(&file_name(10, FileSuffix::Snapshot))).is_some());
    assert!(disk.get(&path(&file_name(11, FileSuffix::Snapshot))).is_none());
}

/// Kafka takes a segment without an offset index for damaged.
#[test]
fn active_segment_without_an_offset_index_gets_one() {
    for file in [batches(6..10), Vec::new()] {
        let mut disk = directory();
        disk.put(&log_path(6), file);
        disk.files_mut().remove(&path(&file_name(6, FileSuffix::Index)));
        for context in [LoadLogContext { is_clean: true, ..context() }, context()] {
            load(&mut disk, context);
            assert_eq!(disk.get(&path(&file_name(6, FileSuffix::Index))), Some(&[][..]));
        }
    }
}

/// All of it was deleted, the new segment's entry was not durable yet, and the rename of the old one was lost
/// with what no sync had taken up of it.
#[test]
fn log_that_ends_below_its_start_begins_anew_there() {
    let mut disk = directory();
    disk.put(&log_path(6), batches(6..8));
    let context = LoadLogContext {
        recovery_point: Some(6),
        synced_end: Some(10),
        log_start: Some(10),
        ..context()
    };
    let (_, log) = load(&mut disk, context);
    assert_eq!(ends(&log), (10, 10));
    assert!(disk.get(&log_path(6)).is_none());
}

/// Behind it lie records that were synced after the checkpoint was written.
#[test]
fn invalid_batch_below_the_start_is_damage() {
    let mut disk = directory();
    let mut file = batches(0..6);
    file[70] ^= 1;
    disk.put(&log_path(0), file);
    let reason =
        fail(&mut disk, LoadLogContext { synced_end: Some(6), log_start: Some(6), ..context() });
    assert!(reason.contains("damage at position 0"), "{reason}");
}

#[test]
fn invalid_batch_below_the_synced_end_is_damage() {
    let mut disk = directory();
    let mut file = batches(6..10);
    file[size() as usize + 70] ^= 1;
    disk.put(&log_path(6), file);
    let place = format!("/data/t-0/00000000000000000006.log: damage at position {}", size());
    for (synced_end, recovery_point) in [(Some(9), None), (None, Some(9)), (Some(2), Some(10))] {
        let context = LoadLogContext { recovery_point, synced_end, ..context() };
        let reason = fail(&mut disk, context);
        assert!(reason.starts_with(&place), "{reason}");
        assert!(disk.trace.iter().any(|o| matches!(o, Operation::Close(_))));
    }
    let above = LoadLogContext { synced_end: Some(8), recovery_point: Some(7), ..context() };
    assert_eq!(ends(&load(&mut disk, above).1), (0, 8));
}

#[test]
fn log_that_ends_below_the_synced_end_is_damage() {
    let mut disk = directory();
    let short = LoadLogContext { synced_end: Some(12), ..context() };
    let expected = format!(
        "/data/t-0/00000000000000000006.log ends at position {}, offset 10; \
         the log was synced up to offset 12",
        2 * size()
    );
    assert_eq!(fail(&mut disk, short), expected);
    let mut disk = Disk::default();
    disk.put(&path(PartitionMetadata::FILE), metadata(TOPIC_ID));
    let empty = LoadLogContext { synced_end: Some(1), ..context() };
    assert!(fail(&mut disk, empty).starts_with("/data/t-0 has no segment"));
}

#[test]
fn recovery_point_above_the_end_is_no_damage() {
    let stale = LoadLogContext { recovery_point: Some(12), ..context() };
    assert_eq!(ends(&load(&mut directory(), stale).1), (0, 10));
}

#[test]
fn segment_behind_a_lost_write_goes() {
    let mut disk = directory();
    disk.put(&log_path(0), batches(0..4));
    let lost = LoadLogContext { synced_end: Some(2), ..context() };
    let (events, log) = load(&mut disk, lost);
    assert_eq!(ends(&log), (0, 4));
    assert_eq!(disk.get(&log_path(6)), None);
    assert_eq!(
        events[0].to_string(),
        format!(
            "/data/t-0/00000000000000000006.log: cut from {} to 0 bytes: \
             offsets 4 to 5 before it are missing",
            2 * size()
        )
    );
}

#[test]
fn lost_first_segment_takes_the_log_with_it() {
    let mut disk = Disk::default();
    disk.put(&log_path(6), batches(6..10));
    let new = LoadLogContext { synced_end: Some(0), ..context() };
    let (events, log) = load(&mut disk, new.clone());
    assert_eq!(ends(&log), (0, 0));
    assert_eq!((events.len(), disk.get(&log_path(6))), (1, None));

    disk.put(&log_path(6), batches(6..10));
    let synced = LoadLogContext { synced_end: Some(4), ..new.clone() };
    assert!(fail(&mut disk, synced).contains("offsets 0 to 5 before it are missing"));
    let trimmed = [(Some(6), Some(0)), (None, Some(8)), (None, None)];
    for (log_start, synced_end) in trimmed {
        let context = LoadLogContext { synced_end, log_start, ..new.clone() };
        assert_eq!(ends(&load(&mut disk, context).1), (6, 10));
    }
}

#[test]
fn gaps_that_compaction_left_are_kept() {
    let mut disk = directory();
    let mut first = batch(0, 1);
    first.extend(batch(4, 1));
    disk.put(&log_path(0), first);
    disk.put(&log_path(6), batches(8..10));
    for synced_end in [None, Some(10)] {
        let (events, log) = load(&mut disk, LoadLogContext { synced_end, ..context() });
        assert!(events.is_empty());
        assert_eq!(ends(&log), (0, 10));
    }
    disk.put(&log_path(0), batch(0, 1));
    assert_eq!(ends(&load(&mut disk, context()).1), (0, 10));
}

#[test]
fn gap_below_the_start_is_what_a_crash_left_of_a_deletion() {
    // The middle one's rename was durable, the first one's was not.
    let mut disk = directory();
    disk.rename_to_deleted(6);
    disk.put(&log_path(10), batches(10..14));
    let deleted = LoadLogContext { log_start: Some(10), synced_end: Some(4), ..context() };
    let (events, log) = load(&mut disk, deleted.clone());
    assert_eq!((warnings(&events).len(), ends(&log)), (0, (10, 14)));
    let moved_less = LoadLogContext { log_start: Some(9), ..deleted };
    let mut disk = directory();
    disk.rename_to_deleted(6);
    disk.put(&log_path(10), batches(10..14));
    assert_eq!(ends(&load(&mut disk, moved_less).1), (9, 9));
}

impl Disk {
    fn rename_to_deleted(&mut self, base_offset: i64) {
        let from = Path::new(&log_path(base_offset));
        let to = Path::new(&format!("{from}.deleted"));
        self.apply(Effect::Operations(vec![Operation::Rename { from, to }]));
    }
}

#[test]
fn offsets_must_rise() {
    let mut disk = directory();
    let mut file = batches(6..10);
    file.extend(batch(9, 1));
    disk.put(&log_path(6), file);
    assert_eq!(ends(&load(&mut disk, context()).1), (0, 10));
    disk.put(&log_path(6), batches(4..10));
    let (_, log) = load(&mut disk, context());
    assert_eq!(ends(&log), (0, 6));
    assert_eq!(segments(&log), [(0, 3 * size()), (6, 0)]);
}

#[test]
fn old_formats_are_stepped_over() {
    let mut disk = directory();
    let mut file = Vec::new();
    for (offset, magic, length) in [(0_u8, 0_u8, 14_u8), (3, 1, 200)] {
        let mut entry = vec![0; 12 + usize::from(length)];
        (entry[7], entry[11], entry[16]) = (offset, length, magic);
        if magic == 1 {
            entry[18..26].copy_from_slice(&9_000_i64.to_be_bytes());
        }
        let crc = LegacyCrc::compute(&entry[16..]);
        entry[12..16].copy_from_slice(&crc.to_be_bytes());
        file.extend(entry);
    }
    file.extend(batch(4, 1));
    disk.put(&log_path(0), file.clone());
    let (events, log) = load(&mut disk, context());
    assert!(events.is_empty());
    assert_eq!(segments(&log)[0], (0, file.len() as u64));
    assert_eq!(ends(&log), (0, 10));
    assert_eq!(log.segments()[0].max_timestamp().timestamp_ms, 9_000);
}

#[test]
fn log_start_is_the_higher_of_checkpoint_and_first_segment() {
    let mut disk = directory();
    let started = LoadLogContext { log_start: Some(3), ..context() };
    assert_eq!(ends(&load(&mut disk, started.clone()).1), (3, 10));
    let mut disk = Disk::default();
    disk.put(&log_path(6), batches(6..10));
    let (_, log) = load(&mut disk, started);
    assert_eq!(ends(&log), (6, 10));
    assert_eq!(log.epochs().format(), "0\n1\n1 6\n");
}

#[test]
fn log_that_ends_below_its_start_begins_anew() {
    let mut disk = directory();
    let deleted = LoadLogContext { log_start: Some(20), synced_end: Some(10), ..context() };
    let (events, log) = load(&mut disk, deleted.clone());
    assert_eq!(
        warnings(&events),
        ["/data/t-0 ends at offset 10, below its start 20: it begins anew"]
    );
    assert_eq!(ends(&log), (20, 20));
    assert_eq!(segments(&log), []);
    assert_eq!(log.epochs().entries(), []);
    assert!(disk.files().keys().all(|path| !path.contains("0000")));
    let synced = LoadLogContext { synced_end: Some(25), ..deleted };
    assert!(fail(&mut directory(), synced).contains("synced up to offset 25"));
}

#[test]
fn missing_epoch_checkpoint_is_made_from_the_batches() {
    let mut file = batch(0, 1);
    file.extend(batch(2, 1));
    file.extend(batch(4, 4));
    for content in [None, Some("nonsense"), Some("0\n1\n1 0\n")] {
        let mut disk = Disk::default();
        disk.put(&path(PartitionMetadata::FILE), metadata(TOPIC_ID));
        disk.put(&log_path(0), file.clone());
        if let Some(content) = content {
            disk.put(&path(LeaderEpochs::FILE), content);
        }
        let (events, log) = load(&mut disk, LoadLogContext { leader_epoch: 4, ..context() });
        assert_eq!(log.epochs().format(), "0\n2\n1 0\n4 4\n");
        let written = disk.get(&path(LeaderEpochs::FILE));
        assert_eq!(written, Some("0\n2\n1 0\n4 4\n".as_bytes()));
        assert_eq!(warnings(&events).len(), usize::from(content == Some("nonsense")));
    }
}

#[test]
fn epochs_above_the_end_are_dropped() {
    let mut disk = directory();
    disk.put(&path(LeaderEpochs::FILE), "0\n2\n1 0\n2 10\n");
    let (_, log) = load(&mut disk, context());
    assert_eq!(log.epochs().format(), "0\n1\n1 0\n");
}

#[test]
fn epoch_above_that_of_the_metadata_is_warned_of() {
    let (events, _) = load(&mut directory(), LoadLogContext { leader_epoch: 0, ..context() });
    assert_eq!(warnings(&events), ["/data/t-0 has batches of leader epoch 1, above 0"]);
}

#[test]
fn failed_operation_takes_the_log_directory_with_it() {
    let mut disk = directory();
    load(&mut disk, context());
    let operations = disk.trace.len();
    for fail_at in 0..operations {
        let mut disk = directory();
        disk.fail_at = Some(fail_at);
        let (_, outcome) = run(&mut disk, context());
        let failure = outcome.unwrap_err();
        assert!(failure.error.is_some(), "operation {fail_at}");
        assert!(failure.reason.contains("injected"));
    }
}

#[test]
fn loading_that_is_cut_anywhere_is_completed_by_the_next() {
    let mut torn = directory();
    let mut first = batches(0..6);
    first[2 * size() as usize + 70] ^= 1;
    torn.put(&log_path(0), first);
    torn.put(&log_path(10), batches(10..12));
    torn.put(&path(&file_name(6, FileSuffix::Index)), "index");
    torn.put(&path(PartitionMetadata::FILE), "");
    torn.put(&path(LeaderEpochs::FILE), "");
    let context = LoadLogContext { synced_end: Some(0), ..context() };
    let mut whole = torn.clone();
    let (_, log) = load(&mut whole, context.clone());
    assert_eq!(ends(&log), (0, 4));
    let operations = whole.trace.len();
    for fail_at in 0..operations {
        let mut disk = torn.clone();
        disk.fail_at = Some(fail_at);
        assert!(run(&mut disk, context.clone()).1.is_err());
        disk.fail_at = None;
        let (_, again) = load(&mut disk, context.clone());
        assert_eq!(ends(&again), (0, 4), "cut at {fail_at}");
        assert_eq!(segments(&again), segments(&log));
        assert_eq!(disk.files(), whole.files(), "cut at {fail_at}");
    }
}

#[test]
fn loaded_log_goes_on_where_it_ended() {
    let mut disk = directory();
    let (_, mut log) = load(&mut disk, context());
    let mut numbering = crate::ids::Numbering::new(JobId::BROKER);
    let mut builder = BatchBuilder::new();
    builder.append(1_010, None, Some(b"first value"));
    builder.append(1_011, None, Some(b"second value"));
    let mut effects = Vec::new();
    log.append(builder.build(), 1, Now::default(), &mut numbering, &mut effects);
    let (id, effect) = effects.remove(0);
    disk.apply(effect).into_result().unwrap();
    assert!(log.handle_written(id, &mut effects));
    assert_eq!(disk.get(&log_path(6)), Some(batches(6..12).as_slice()));
    assert_eq!(ends(&load(&mut disk, context()).1), (0, 12));
}

/// The files that cannot be made anew from others.
fn underived(files: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, &[u8])> {
    let is_derived = |path: &str| path.ends_with("index") || path.ends_with("snapshot");
    let all = files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
    all.filter(|(path, _)| !is_derived(path)).collect()
}

#[test]
fn any_directory_is_loaded_or_refused_and_loading_it_again_changes_nothing() {
    let mut rng = Rng::from_seed([5; 32]);
    let mut refused = 0;
    for round in 0..400 {
        let mut disk = directory();
        disk.put(&log_path(10), batches(10..16));
        let paths: Vec<String> = disk.files().keys().cloned().collect();
        for _ in 0..=rng.below(3) {
            let path = &paths[rng.below(paths.len() as u64) as usize];
            let mut content = disk.get(path).unwrap_or_default().to_vec();
            match rng.below(4) {
                0 => content.truncate(rng.below(content.len() as u64 + 1) as usize),
                1 => content.extend((0..rng.below(200)).map(|_| rng.next_u64() as u8)),
                2 => content.extend(batches(0..4)),
                _ if content.is_empty() => {}
                _ => {
                    let at = rng.below(content.len() as u64) as usize;
                    content[at] = rng.next_u64() as u8;
                }
            }
            disk.put(path, content);
        }
        let mut offset = || (rng.below(2) == 0).then(|| rng.below(18) as i64);
        let (synced_end, recovery_point, log_start) = (offset(), offset(), offset());
        let context = LoadLogContext { recovery_point, synced_end, log_start, ..context() };
        let before = disk.files().clone();
        match run(&mut disk, context.clone()).1 {
            Err(failure) => {
                assert_eq!(failure.error, None);
                assert_eq!(underived(disk.files()), underived(&before), "round {round}");
                refused += 1;
            }
            Ok(log) => {
                assert!(log.accepted_end() >= synced_end.unwrap_or(0), "round {round}");
                assert!(log.accepted_end() >= log.log_start(), "round {round}");
                let after = disk.files().clone();
                let (_, again) = load(&mut disk, context);
                assert_eq!((ends(&again), segments(&again)), (ends(&log), segments(&log)));
                assert_eq!(again.epochs(), log.epochs(), "round {round}");
                assert_eq!(*disk.files(), after, "round {round}");
            }
        }
    }
    assert!((50..350).contains(&refused), "{refused}");
}
