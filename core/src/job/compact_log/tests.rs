//! Compactions of logs made by hand, against what must stay of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    CompactLogContext, CompactedSegment, CompactionReport, CompactionStep, PausedCompaction,
};
use crate::batch::testing::Stored;
use crate::batch::{BatchBuilder, BatchHeader, Codec, OpenBatch, Step, next_batch};
use crate::config::Limits;
use crate::effect::{Completion, Effect, FileRef, Operation, Path};
use crate::ids::{DirectoryIndex, FileId, JobId, Uuid};
use crate::job::testing::Disk;
use crate::job::{Job, JobOutcome, LoadLogContext};
use crate::log::{FileSuffix, Log, LogConfig, RemovedSegment, file_name, replacement};
use crate::records::{ControlRecord, EndTxnMarker};
use crate::rng::Rng;

pub(super) const DIRECTORY: &str = "/data/t-0";
const RETENTION_MS: u64 = 1_000;

/// A record, or a marker, as a reader finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) time_ms: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) producer_id: i64,
    pub(super) is_transactional: bool,
    pub(super) is_control: bool,
}

/// One partition on a disk.
pub(super) struct Bench {
    pub(super) disk: Disk,
    pub(super) log: Log,
    /// Every record that was ever written, by offset.
    pub(super) written: BTreeMap<i64, Told>,
    /// Those of aborted transactions.
    pub(super) aborted: BTreeSet<i64>,
    pub(super) cleaned: i64,
    jobs: u64,
    files: u64,
    pub(super) now_ms: i64,
    pub(super) limits: Limits,
    pub(super) map_bytes_max: usize,
    slice_bytes: u64,
}

/// What the batches of a history are made of.
pub(super) struct Writer {
    rng: Rng,
    pub(super) end: i64,
    sequences: BTreeMap<i64, i32>,
    /// Open transactions: the offsets of their records.
    open: BTreeMap<i64, Vec<i64>>,
    pub(super) aborted: BTreeSet<i64>,
    pub(super) time_ms: i64,
}

impl Writer {
    pub(super) fn new(seed: u8) -> Self {
        Self {
            rng: Rng::from_seed([seed; 32]),
            end: 0,
            sequences: BTreeMap::new(),
            open: BTreeMap::new(),
            aborted: BTreeSet::new(),
            time_ms: 1_000,
        }
    }

    /// The next batch.
    pub(super) fn batch(&mut self) -> Vec<u8> {
        self.time_ms += self.rng.below(20) as i64;
        let ended = self.open.keys().next().copied().filter(|_| self.rng.below(5) == 0);
        if let Some(producer_id) = ended {
            return self.marker(producer_id);
        }
        // 0: none; below 3: idempotent; then transactional.
        let producer_id = self.rng.below(6) as i64;
        let mut builder = BatchBuilder::new();
        let count = 1 + self.rng.below(4) as i32;
        if producer_id > 0 {
            let sequence = self.sequences.entry(producer_id).or_insert(0);
            builder = builder.producer(producer_id, 0, *sequence);
            *sequence += count;
        }
        if producer_id >= 3 {
            builder = builder.transactional();
            let offsets = self.end..self.end + i64::from(count);
            self.open.entry(producer_id).or_default().extend(offsets);
        }
        for at in 0..i64::from(count) {
            let key = format!("k{}", self.rng.below(12));
            let value = format!("value {}", self.end + at);
            let value = (self.rng.below(4) > 0).then_some(value.as_bytes());
            builder.append(self.time_ms + at, Some(key.as_bytes()), value);
        }
        if self.rng.below(3) == 0 {
            let records = Bytes::copy_from_slice(builder.records());
            builder = builder.compressed(Codec::Zstd, records);
        }
        let bytes = builder.encode(self.end, 0);
        self.end += i64::from(count);
        bytes
    }

    /// The end of an open transaction.
    fn marker(&mut self, producer_id: i64) -> Vec<u8> {
        let offsets = self.open.remove(&producer_id).unwrap_or_default();
        let marker = EndTxnMarker { version: 0, coordinator_epoch: 0 };
        let says = if self.rng.below(2) == 0 {
            self.aborted.extend(offsets);
            ControlRecord::Abort(marker)
        } else {
            ControlRecord::Commit(marker)
        };
        let (key, value) = says.encode();
        let mut builder =
            BatchBuilder::new().producer(producer_id, 0, -1).transactional().control();
        builder.append(self.time_ms, Some(&key), Some(&value));
        let bytes = builder.encode(self.end, 0);
        self.end += 1;
        bytes
    }

    /// Ends what is open.
    pub(super) fn end_all(&mut self) -> Vec<Vec<u8>> {
        let open: Vec<i64> = self.open.keys().copied().collect();
        open.into_iter().map(|producer_id| self.marker(producer_id)).collect()
    }
}

/// Puts segments of these batches there, each with so many of them.
pub(super) fn put_segments(disk: &mut Disk, batches: &[Vec<u8>], each: usize) {
    for segment in batches.chunks(each) {
        let base = BatchHeader::parse(&segment[0]).expect("a header").base_offset;
        let path = format!("{DIRECTORY}/{}", file_name(base, FileSuffix::Log));
        disk.put(&path, segment.concat());
    }
}

/// Loads the log, as behind a crash; all below `synced_end` was synced.
pub(super) fn load(disk: &mut Disk, job: u64, synced_end: i64, recovery_point: i64) -> Log {
    disk.close_all();
    let context = LoadLogContext {
        path: Path::new(DIRECTORY),
        log_directory: DirectoryIndex(0),
        topic: "t".into(),
        topic_id: Uuid([7; 16]),
        partition: 0,
        stray_id: None,
        exists: true,
        is_clean: false,
        recovery_point: Some(recovery_point),
        synced_end: Some(synced_end),
        log_start: None,
        config: LogConfig { index_interval_bytes: 100, ..LogConfig::default() },
        leader_epoch: 0,
        limits: Limits { job_piece_bytes: 256, ..Limits::default() },
    };
    match disk.run(&mut Job::load_log(JobId(job), context)).outcome {
        JobOutcome::LogLoaded(log) => *log,
        other => panic!("{other:?}"),
    }
}

impl Bench {
    pub(super) fn new(batches: &[Vec<u8>], each: usize) -> Self {
        let mut disk = Disk::default();
        put_segments(&mut disk, batches, each);
        let last = BatchHeader::parse(batches.last().expect("a batch")).expect("a header");
        let log = load(&mut disk, 1, last.last_offset() + 1, 0);
        let mut bench = Self {
            disk,
            log,
            written: BTreeMap::new(),
            aborted: BTreeSet::new(),
            cleaned: 0,
            jobs: 1,
            files: 0,
            now_ms: 10_000,
            limits: Limits::default(),
            map_bytes_max: 1 << 20,
            slice_bytes: 1 << 20,
        };
        bench.written = bench.records();
        bench
    }

    pub(super) fn context(&self) -> CompactLogContext {
        let log = &self.log;
        let end = log.segments().last().map_or(0, |active| active.base_offset);
        let segments = log.compacted_segments(end);
        let begun = segments.partition_point(|segment| segment.base_offset <= self.cleaned);
        let first = &segments[begun.saturating_sub(1)];
        CompactLogContext {
            directory: Path::new(DIRECTORY),
            first_dirty: self.cleaned,
            first_dirty_position: first.position_before(self.cleaned),
            aborted: log.producers().aborted().within(0, end).copied().collect(),
            last_records: log.producers().last_records(),
            segments: segments
                .iter()
                .map(|segment| CompactedSegment {
                    base_offset: segment.base_offset,
                    file: segment.file.clone(),
                    size: segment.size,
                })
                .collect(),
            end,
            now_ms: self.now_ms,
            delete_retention_ms: RETENTION_MS,
            segment_bytes: 900,
            index_interval_bytes: 100,
            secret: [1, 2],
            map_bytes_max: self.map_bytes_max,
            map_load_ppm: 900_000,
            piece_bytes: 200,
            slice_bytes: self.slice_bytes,
            compression: Arc::new(Stored),
            limits: self.limits.clone(),
        }
    }

    /// Compacts it; `each` hears of each group that is in place.
    pub(super) fn compact_with(
        &mut self,
        mut each: impl FnMut(&mut Self),
    ) -> Result<CompactionReport, String> {
        self.jobs += 1;
        let mut job = Job::compact_log(JobId(self.jobs), self.context());
        loop {
            let JobOutcome::LogCompacted(step) = self.disk.run(&mut job).outcome else {
                panic!("it compacts a log")
            };
            let paused: PausedCompaction = match step {
                CompactionStep::Paused(paused) => paused,
                CompactionStep::Cleaned(paused, group) => {
                    let bases: Vec<i64> = group.segments.iter().map(|it| it.base_offset).collect();
                    let old = self.log.replaceable(group.from, group.to, &bases);
                    let operations = replacement(&Path::new(DIRECTORY), &group.segments, &old);
                    self.apply(operations);
                    let files = &mut self.files;
                    self.log.replace_segments(group.from, group.to, group.segments, |base| {
                        *files += 1;
                        let id = FileId { owner: JobId::BROKER, number: *files };
                        let name = file_name(base, FileSuffix::Log);
                        FileRef { id, path: Path::new(DIRECTORY).join(&name) }
                    });
                    let unlinks = old.iter().flat_map(RemovedSegment::unlinks).collect();
                    self.apply(unlinks);
                    each(self);
                    paused
                }
                CompactionStep::Done(report) => {
                    self.cleaned = report.end;
                    return Ok(report);
                }
                CompactionStep::Refused(reason) => return Err(reason),
                CompactionStep::Failed(error) => panic!("{error}"),
            };
            self.jobs += 1;
            job = Job::resume_compaction(JobId(self.jobs), paused);
        }
    }

    pub(super) fn compact(&mut self) -> Result<CompactionReport, String> {
        self.compact_with(|_| {})
    }

    fn apply(&mut self, operations: Vec<Operation>) {
        let done = self.disk.apply(Effect::Operations(operations));
        assert!(matches!(done, Completion::Done(_)), "{done:?}");
    }

    /// What the segments hold, in their order.
    pub(super) fn content(&self) -> Vec<u8> {
        content(&self.disk, &self.log)
    }

    pub(super) fn records(&self) -> BTreeMap<i64, Told> {
        records(&self.content())
    }

    /// Takes more batches, in segments of their own; the last one before is finished.
    pub(super) fn append(&mut self, batches: &[Vec<u8>], each: usize) {
        put_segments(&mut self.disk, batches, each);
        let last = BatchHeader::parse(batches.last().expect("a batch")).expect("a header");
        self.jobs += 1;
        self.log = load(&mut self.disk, self.jobs, last.last_offset() + 1, 0);
        let all = self.records();
        self.written.extend(all);
    }

    /// What must hold of any compacted log.
    pub(super) fn check(&self) {
        let kept = self.records();
        for (offset, told) in &kept {
            assert_eq!(Some(told), self.written.get(offset), "offset {offset}");
        }
        let is_data =
            |offset: &i64, told: &Told| !told.is_control && !self.aborted.contains(offset);
        let mut last: BTreeMap<&[u8], (i64, &Told)> = BTreeMap::new();
        for (offset, told) in self.written.iter().filter(|(offset, told)| is_data(offset, told)) {
            last.insert(told.key.as_deref().expect("a key"), (*offset, told));
        }
        for (key, (offset, told)) in &last {
            let is_kept = kept.contains_key(offset);
            let name = core::str::from_utf8(key).expect("text");
            let may_go = told.value.is_none() && *offset < self.cleaned;
            assert!(is_kept || may_go, "the last record of {name}, at {offset}, is gone");
            if !is_kept {
                let mut others = kept
                    .iter()
                    .filter(|(at, it)| is_data(at, it) && it.key.as_deref() == Some(*key));
                assert_eq!(others.next(), None, "{name} is there again");
            }
        }
        let mut seen = BTreeSet::new();
        for (offset, told) in kept.range(..self.cleaned).rev() {
            if is_data(offset, told) {
                assert!(seen.insert(&told.key), "{offset}: each key stands once");
            }
        }
    }

    /// A start that replays all of it finds the same producers, and its readers the same aborted transactions.
    fn check_producers(&mut self) {
        let active: Vec<_> = self.log.producers().active().collect();
        let mut disk = self.disk.clone();
        disk.files_mut().retain(|path, _| path.strip_suffix(".log").is_some());
        let end = self.log.accepted_end();
        let loaded = load(&mut disk, 1_000, end, 0);
        for (found, expected) in loaded.producers().active().zip(&active) {
            assert_eq!(
                (found.producer_id, found.epoch, found.last_sequence, found.transaction_start),
                (
                    expected.producer_id,
                    expected.epoch,
                    expected.last_sequence,
                    expected.transaction_start
                )
            );
        }
        assert_eq!(loaded.producers().active().len(), active.len());
        let of = |log: &Log| log.producers().aborted().of_segment(0, end).to_vec();
        let kept = self.records();
        for (offset, told) in kept.iter().filter(|(offset, _)| self.aborted.contains(offset)) {
            for log in [&self.log, &loaded] {
                let mut aborted = of(log).into_iter();
                let covers = aborted.any(|it| {
                    it.producer_id == told.producer_id
                        && (it.first_offset..=it.last_offset).contains(offset)
                });
                assert!(covers, "the record at {offset} would pass for a committed one");
            }
        }
    }
}

pub(super) fn content(disk: &Disk, log: &Log) -> Vec<u8> {
    let segments = log.segments().iter().map(|segment| {
        let name = file_name(segment.base_offset, FileSuffix::Log);
        let content = disk.get(&format!("{DIRECTORY}/{name}")).expect("it is there");
        assert_eq!(content.len() as u64, segment.size, "{name}");
        content
    });
    segments.collect::<Vec<_>>().concat()
}

pub(super) fn records(content: &[u8]) -> BTreeMap<i64, Told> {
    let mut records = BTreeMap::new();
    let content = Bytes::copy_from_slice(content);
    let (mut at, mut next) = (0, 0);
    while let Step::Batch(view) = next_batch(&content[at..], usize::MAX) {
        assert_eq!(view.verify_crc(), Ok(()));
        let header = *view.header();
        assert!(header.base_offset >= next, "offsets rise");
        next = header.last_offset() + 1;
        let open = OpenBatch::open(&view, &content, &Stored, 1 << 20).expect("it can be opened");
        for record in open.records() {
            let record = record.expect("it is sound");
            let told = Told {
                time_ms: header.base_timestamp_ms + record.timestamp_delta,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                producer_id: header.producer_id,
                is_transactional: header.attributes.is_transactional(),
                is_control: header.attributes.is_control(),
            };
            records.insert(header.base_offset + i64::from(record.offset_delta), told);
        }
        at += view.size();
    }
    assert_eq!(at, content.len(), "batches without a gap between their bytes");
    records
}

pub(super) fn history(writer: &mut Writer, count: usize) -> Vec<Vec<u8>> {
    let mut batches: Vec<_> = (0..count).map(|_| writer.batch()).collect();
    batches.extend(writer.end_all());
    batches
}

/// One batch of each list of keys and values.
pub(super) fn plain(batches: &[&[(&str, Option<&str>)]]) -> Vec<Vec<u8>> {
    let mut base_offset = 0;
    let encoded = batches.iter().map(|records| {
        let mut builder = BatchBuilder::new();
        for (key, value) in *records {
            builder.append(1_000, Some(key.as_bytes()), value.map(str::as_bytes));
        }
        let bytes = builder.encode(base_offset, 0);
        base_offset += records.len() as i64;
        bytes
    });
    encoded.collect()
}

fn values(bench: &Bench) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let records = bench.records().into_iter();
    records.map(|(at, it)| (at, text(it.key.expect("a key")), it.value.map(text))).collect()
}

fn told(records: &[(i64, &str, Option<&str>)]) -> Vec<(i64, String, Option<String>)> {
    let owned = records
        .iter()
        .map(|(at, key, value)| (*at, (*key).to_string(), value.map(ToString::to_string)));
    owned.collect()
}

#[test]
fn last_record_of_each_key_stays_in_its_place() {
    let batches = plain(&[
        &[("a", Some("1")), ("b", Some("1"))],
        &[("a", Some("2"))],
        &[("c", Some("1")), ("a", Some("3"))],
        &[("b", Some("2"))],
    ]);
    let mut bench = Bench::new(&batches, 1);
    let report = bench.compact().expect("it is compacted");
    assert_eq!(report.end, 5, "the last segment is the active one");
    let expected =
        [(1, "b", Some("1")), (3, "c", Some("1")), (4, "a", Some("3")), (5, "b", Some("2"))];
    assert_eq!(values(&bench), told(&expected));
    let bases: Vec<_> = bench.log.segments().iter().map(|it| it.base_offset).collect();
    assert_eq!(bases, [0, 5], "small segments become one");
    assert_eq!(bench.compact().expect("once more").bytes_after, report.bytes_after);
}

/// The offsets of batches, and how many records each holds.
fn batches(bench: &Bench) -> Vec<(i64, i32)> {
    let content = Bytes::from(bench.content());
    let (mut batches, mut at) = (Vec::new(), 0);
    while let Step::Batch(view) = next_batch(&content[at..], usize::MAX) {
        batches.push((view.header().base_offset, view.header().record_count));
        at += view.size();
    }
    batches
}

/// To a consumer's poll that finds none at its offset, nothing has come.
#[test]
fn batches_without_records_go() {
    let pairs: &[(&str, Option<&str>)] = &[("a", Some("value")), ("b", Some("value"))];
    let mut bench = Bench::new(&plain(&[pairs; 20]), 3);
    bench.compact().expect("it is compacted");
    assert_eq!(batches(&bench), [(34, 2), (36, 2), (38, 2)]);
    let finished = bench.log.segments().iter().rev().skip(2);
    let sizes: Vec<_> = finished.map(|segment| segment.size).collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size == 0), "{sizes:?}");
    assert_eq!(bench.log.log_start(), 0);
}

/// Nothing else tells where the segments end that were compacted.
#[test]
fn last_batch_of_all_stays_without_records() {
    let mut written = plain(&[&[("a", Some("1"))], &[("a", None)], &[("b", Some("1"))]]);
    let more = written.split_off(2);
    let mut bench = Bench::new(&written, 1);
    bench.append(&more, 1);
    bench.compact().expect("it is compacted");
    bench.now_ms += RETENTION_MS as i64;
    bench.compact().expect("it is compacted");
    assert_eq!(batches(&bench), [(1, 0), (2, 1)]);
    let record: &[_] = &[("c", Some("1"))];
    bench.append(&plain(&[record; 4])[3..], 1);
    bench.compact().expect("it is compacted");
    assert_eq!(batches(&bench), [(2, 1), (3, 1)]);
}

#[test]
fn tombstone_stays_until_its_horizon() {
    let batches =
        plain(&[&[("a", Some("1"))], &[("a", None), ("b", Some("1"))], &[("c", Some("1"))]]);
    let mut bench = Bench::new(&batches, 1);
    let with = told(&[(1, "a", None), (2, "b", Some("1")), (3, "c", Some("1"))]);
    bench.compact().expect("it is compacted");
    assert_eq!(values(&bench), with);
    bench.now_ms += RETENTION_MS as i64 - 1;
    bench.compact().expect("it is compacted");
    assert_eq!(values(&bench), with, "the horizon is counted from the first compaction");
    bench.now_ms += 1;
    bench.compact().expect("it is compacted");
    assert_eq!(values(&bench), with[1..]);
}

#[test]
fn keys_that_find_no_room_are_compacted_the_next_time() {
    let batches: Vec<Vec<u8>> = {
        let keys: Vec<String> = (0..40).map(|at| format!("{}", at % 20)).collect();
        let records: Vec<Vec<(&str, Option<&str>)>> =
            keys.iter().map(|key| vec![(key.as_str(), Some("v"))]).collect();
        let lists: Vec<&[(&str, Option<&str>)]> = records.iter().map(Vec::as_slice).collect();
        plain(&lists)
    };
    let mut bench = Bench::new(&batches, 5);
    bench.map_bytes_max = 24 * 12;
    let mut rounds = 0;
    while bench.cleaned < 35 {
        let before = bench.cleaned;
        bench.compact().expect("it is compacted");
        assert!(bench.cleaned > before);
        rounds += 1;
        bench.check();
    }
    assert!(rounds > 2, "{rounds}");
    bench.map_bytes_max = 0;
    bench.cleaned = 0;
    let reason = bench.compact().expect_err("there is no room at all");
    assert!(reason.contains("log.cleaner.dedupe.buffer.size"), "{reason}");
}

#[test]
fn damage_is_told_and_what_was_begun_goes() {
    let batches = plain(&[&[("a", Some("1"))], &[("b", Some("1"))], &[("c", Some("1"))]]);
    let mut bench = Bench::new(&batches, 1);
    let path = format!("{DIRECTORY}/{}", file_name(1, FileSuffix::Log));
    let mut content = bench.disk.get(&path).expect("it is there").to_vec();
    *content.last_mut().expect("bytes") ^= 1;
    bench.disk.put(&path, content);
    let before = bench.disk.files().clone();
    let reason = bench.compact().expect_err("it is damaged");
    assert!(reason.contains("00000000000000000001.log: damage at position 0: CRC"), "{reason}");
    assert_eq!(bench.disk.files(), &before);
}

#[test]
fn what_an_earlier_compaction_has_left_is_taken_away_first() {
    let batches = plain(&[&[("a", Some("1"))], &[("a", Some("2"))], &[("c", Some("1"))]]);
    let mut bench = Bench::new(&batches, 1);
    let left = format!("{DIRECTORY}/00000000000000000001.log.cleaned");
    bench.disk.put(&left, b"half a segment".as_slice());
    bench.compact().expect("it is compacted");
    assert_eq!(bench.disk.get(&left), None);
    assert_eq!(values(&bench), told(&[(1, "a", Some("2")), (2, "c", Some("1"))]));
}

#[test]
fn old_formats_stay_and_keep_tombstones() {
    let mut legacy = vec![0_u8; 12 + 22 + 2];
    legacy[7] = 0;
    legacy[11] = 24;
    legacy[16] = 1;
    let mut batches = plain(&[&[("x", Some("1"))], &[("a", None)], &[("c", Some("1"))]]);
    let mut bench = Bench::new(&batches, 1);
    bench.compact().expect("it is compacted");
    // The first segment is of an old format, as far as the job can tell.
    batches[0] = legacy;
    bench.disk.put(&format!("{DIRECTORY}/{}", file_name(0, FileSuffix::Log)), {
        let kept = bench.content();
        let first = bench.log.segments()[0].size as usize;
        let mut old = batches[0].clone();
        old.extend_from_slice(&kept[BatchHeader::parse(&kept).expect("one").size()..first]);
        old
    });
    let mut context = bench.context();
    context.segments[0].size =
        bench.disk.get(&format!("{DIRECTORY}/{}", file_name(0, FileSuffix::Log))).unwrap().len()
            as u64;
    context.now_ms += 10 * RETENTION_MS as i64;
    let mut job = Job::compact_log(JobId(77), context);
    let JobOutcome::LogCompacted(CompactionStep::Cleaned(_, group)) =
        bench.disk.run(&mut job).outcome
    else {
        panic!("it is compacted")
    };
    let cleaned = format!("{DIRECTORY}/{}.cleaned", file_name(0, FileSuffix::Log));
    let content = bench.disk.get(&cleaned).expect("it is written");
    assert_eq!(&content[..batches[0].len()], &batches[0][..]);
    let kept = records(&content[batches[0].len()..]);
    assert_eq!(kept.keys().copied().collect::<Vec<_>>(), [1], "the tombstone may be needed");
    assert_eq!(group.segments[0].size, content.len() as u64);
}

#[test]
fn random_histories_keep_what_they_must() {
    for seed in 0..60 {
        let mut writer = Writer::new(seed);
        let mut rng = Rng::from_seed([seed ^ 0x5a; 32]);
        let batches = history(&mut writer, 10 + rng.below(40) as usize);
        let mut bench = Bench::new(&batches, 1 + rng.below(6) as usize);
        bench.slice_bytes = [1, 500, 1 << 20][rng.below(3) as usize];
        for _ in 0..4 {
            bench.aborted = writer.aborted.clone();
            if bench.log.segments().len() > 1 {
                if rng.below(3) == 0 {
                    bench.map_bytes_max = 24 * (8 + rng.below(12) as usize);
                }
                bench.compact().unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
                bench.check();
                bench.check_producers();
            }
            bench.now_ms += rng.below(2 * RETENTION_MS) as i64;
            let more = history(&mut writer, 1 + rng.below(20) as usize);
            bench.append(&more, 1 + rng.below(6) as usize);
        }
    }
}
