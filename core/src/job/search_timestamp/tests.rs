//! Searches on a disk in memory.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    FoundTimestamp, SearchStart, SearchTimestamp, SearchTimestampContext, SearchedSegment,
};
use crate::batch::testing::Stored;
use crate::batch::{BatchBuilder, BatchHeader, Codec, HEADER_BYTES};
use crate::config::Limits;
use crate::effect::{Completion, Effect, FileRef, IoErrorKind, Operation, Path};
use crate::event::Event;
use crate::ids::{FileId, JobId};
use crate::job::JobOutcome;
use crate::job::testing::Disk;

const T: i64 = 1_700_000_000_000;

/// A segment's files as they grow.
struct Files {
    base_offset: i64,
    next_offset: i64,
    log: Vec<u8>,
    times: Vec<u8>,
    offsets: Vec<u8>,
    max_timestamp_ms: i64,
}

impl Files {
    fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            next_offset: base_offset,
            log: Vec::new(),
            times: Vec::new(),
            offsets: Vec::new(),
            max_timestamp_ms: -1,
        }
    }

    /// Appends a batch with its index entries, as the index interval of 0 has them.
    fn batch(&mut self, times_ms: &[i64]) {
        let mut builder = BatchBuilder::new();
        for time_ms in times_ms {
            builder.append(*time_ms, None, Some(&[7; 50]));
        }
        let position = self.log.len() as i32;
        self.log.extend(builder.encode(self.next_offset, 3));
        self.next_offset += times_ms.len() as i64;
        let relative = (self.next_offset - 1 - self.base_offset) as i32;
        self.offsets.extend(relative.to_be_bytes());
        self.offsets.extend(position.to_be_bytes());
        let max = *times_ms.iter().max().expect("records");
        if max > self.max_timestamp_ms {
            self.max_timestamp_ms = max;
            self.times.extend(max.to_be_bytes());
            self.times.extend(relative.to_be_bytes());
        }
    }

    fn put(&self, disk: &mut Disk) -> SearchedSegment {
        let path = |suffix: &str| Path::new(&format!("/d/{:020}.{suffix}", self.base_offset));
        disk.put(path("log").as_str(), self.log.clone());
        disk.put(path("timeindex").as_str(), self.times.clone());
        disk.put(path("index").as_str(), self.offsets.clone());
        let id = FileId { owner: JobId::BROKER, number: self.base_offset as u64 };
        SearchedSegment {
            base_offset: self.base_offset,
            file: FileRef { id, path: path("log") },
            bytes: self.log.len() as u64,
            size: self.log.len() as u64,
            start: SearchStart::Indexes { times: path("timeindex"), offsets: path("index") },
        }
    }
}

struct Searched {
    found: FoundTimestamp,
    events: Vec<String>,
}

impl Searched {
    fn record(&self) -> Option<(i64, i64)> {
        let FoundTimestamp::Record(found) = &self.found else { panic!("{:?}", self.found) };
        found.map(|found| (found.offset, found.timestamp_ms))
    }
}

fn context(segments: &[SearchedSegment], timestamp_ms: i64) -> SearchTimestampContext {
    SearchTimestampContext {
        timestamp_ms,
        offset_min: 0,
        segments: VecDeque::from(segments.to_vec()),
        compression: Arc::new(Stored),
        limits: Limits { job_piece_bytes: 1 << 20, ..Limits::default() },
    }
}

fn search(disk: &mut Disk, context: SearchTimestampContext) -> Searched {
    let mut job = crate::job::Job::search_timestamp(JobId(5), context);
    let result = disk.run(&mut job);
    let JobOutcome::TimestampSearched(found) = result.outcome else { panic!("a search") };
    let events = result.events.into_iter().map(|event| match event {
        Event::Notice { text, .. } => text,
        other => format!("{other:?}"),
    });
    Searched { found, events: events.collect() }
}

fn bytes_read(disk: &Disk) -> u64 {
    let reads = disk.trace.iter().map(|operation| match operation {
        Operation::Read { length, .. } => u64::from(*length),
        _ => 0,
    });
    reads.sum()
}

/// The log that the recorded answers are from.
fn recorded() -> Files {
    let mut files = Files::new(0);
    files.batch(&[T, T + 50, T + 20]);
    files.batch(&[T + 1_000, T + 1_100]);
    files.batch(&[T + 500]);
    files
}

#[test]
fn answers_are_kafkas() {
    let mut disk = Disk::default();
    let segment = recorded().put(&mut disk);
    let mut at = |timestamp_ms| {
        search(&mut disk, context(core::slice::from_ref(&segment), timestamp_ms)).record()
    };
    assert_eq!(at(0), Some((0, T)));
    assert_eq!(at(T), Some((0, T)));
    assert_eq!(at(T + 30), Some((1, T + 50)));
    assert_eq!(at(T + 50), Some((1, T + 50)));
    assert_eq!(at(T + 600), Some((3, T + 1_000)));
    assert_eq!(at(T + 1_100), Some((4, T + 1_100)));
    assert_eq!(at(T + 1_101), None);
    assert_eq!(at(i64::MAX), None);
    assert_eq!(at(i64::MIN), Some((0, T)));
}

#[test]
fn start_of_the_log_may_lie_inside_a_batch() {
    let mut disk = Disk::default();
    let segment = recorded().put(&mut disk);
    let mut from = |offset_min, timestamp_ms| {
        let context = context(core::slice::from_ref(&segment), timestamp_ms);
        search(&mut disk, SearchTimestampContext { offset_min, ..context }).record()
    };
    assert_eq!(from(4, 0), Some((4, T + 1_100)));
    assert_eq!(from(2, 0), Some((2, T + 20)));
    assert_eq!(from(2, T + 30), Some((3, T + 1_000)));
    assert_eq!(from(5, T + 600), None);
}

#[test]
fn what_is_not_visible_is_not_looked_at() {
    let mut disk = Disk::default();
    let mut files = recorded();
    let visible = files.log.len() as u64;
    files.batch(&[T + 9_000]);
    let segment = SearchedSegment { bytes: visible, ..files.put(&mut disk) };
    let mut at = |timestamp_ms| {
        search(&mut disk, context(core::slice::from_ref(&segment), timestamp_ms)).record()
    };
    assert_eq!(at(T + 600), Some((3, T + 1_000)));
    assert_eq!(at(T + 2_000), None);
    assert_eq!(at(T + 9_001), None);
}

#[test]
fn later_segments_are_looked_at_when_the_first_has_none() {
    let mut disk = Disk::default();
    let first = recorded().put(&mut disk);
    let mut later = Files::new(6);
    later.batch(&[T + 700]);
    later.batch(&[T + 800, T + 2_000]);
    let segments = [first, later.put(&mut disk)];
    let at = |disk: &mut Disk, offset_min, timestamp_ms| {
        let context = context(&segments, timestamp_ms);
        search(disk, SearchTimestampContext { offset_min, ..context }).record()
    };
    assert_eq!(at(&mut disk, 5, T + 600), Some((6, T + 700)));
    assert_eq!(at(&mut disk, 5, T + 1_200), Some((8, T + 2_000)));
}

fn long() -> Files {
    let mut files = Files::new(100);
    for number in 0..5_000 {
        files.batch(&[T + number * 10, T + number * 10 + 5]);
    }
    files
}

#[test]
fn indexes_spare_reading_the_log() {
    let mut disk = Disk::default();
    let files = long();
    let segment = files.put(&mut disk);
    let found = search(&mut disk, context(&[segment], T + 40_001));
    assert_eq!(found.record(), Some((100 + 8_001, T + 40_005)));
    assert_eq!(found.events, Vec::<String>::new());
    assert!(bytes_read(&disk) < 32_000, "{} of {}", bytes_read(&disk), files.log.len());
    let closed = disk.trace.iter().filter(|it| matches!(it, Operation::Close(_))).count();
    assert_eq!(closed, 2, "the job's own files");
}

#[test]
fn missing_indexes_cost_a_walk_by_headers() {
    let mut disk = Disk::default();
    let mut files = long();
    let segment = files.put(&mut disk);
    for suffix in ["timeindex", "index"] {
        let mut other = Disk::default();
        other.put("/d/00000000000000000100.log", files.log.clone());
        if suffix == "index" {
            other.put("/d/00000000000000000100.timeindex", files.times.clone());
        }
        let found = search(&mut other, context(core::slice::from_ref(&segment), T + 40_001));
        assert_eq!(found.record(), Some((8_101, T + 40_005)), "without {suffix}");
    }
    files.times.clear();
    files.put(&mut disk);
    let found = search(&mut disk, context(&[segment], T + 40_001));
    assert_eq!(found.record(), Some((8_101, T + 40_005)));
}

#[test]
fn flipped_bits_in_an_index_change_no_answer() {
    let files = long();
    let mut disk = Disk::default();
    let segment = files.put(&mut disk);
    let expected = Some((8_101, T + 40_005));
    let mut told = 0;
    // Around the entries that the search lands on, every bit; elsewhere nothing is read.
    for (suffix, entry) in [("timeindex", 12 * 4_000), ("index", 8 * 4_000)] {
        for bit in 0..8 * 12 {
            let mut content =
                if suffix == "index" { files.offsets.clone() } else { files.times.clone() };
            content[entry + bit / 8] ^= 1 << (bit % 8);
            files.put(&mut disk);
            disk.put(&format!("/d/00000000000000000100.{suffix}"), content);
            let found = search(&mut disk, context(core::slice::from_ref(&segment), T + 40_001));
            assert_eq!(found.record(), expected, "bit {bit} of {suffix}");
            told += found.events.len();
        }
    }
    assert!(told > 0, "some lead astray, and are named");
}

#[test]
fn damaged_batch_is_named_by_file_and_position() {
    let mut disk = Disk::default();
    let mut files = long();
    let at = files.log.len() / 5_000 * 4_000;
    *files.log.get_mut(at + HEADER_BYTES + 9).expect("a body") ^= 1;
    let segment = files.put(&mut disk);
    let found = search(&mut disk, context(core::slice::from_ref(&segment), T + 40_001));
    assert_eq!(found.found, FoundTimestamp::Corrupt);
    let expected = format!("/d/00000000000000000100.log: damage at position {at}: ");
    assert!(found.events[0].starts_with(&expected), "{:?}", found.events);
    let before = search(&mut disk, context(&[segment], T + 30_001));
    assert_eq!(before.record(), Some((6_101, T + 30_005)));
}

#[test]
fn file_that_is_too_short_is_damage() {
    let mut disk = Disk::default();
    let mut files = recorded();
    let mut segment = files.put(&mut disk);
    segment.start = SearchStart::Front;
    files.log.truncate(files.log.len() - 1);
    files.put(&mut disk);
    let found = search(&mut disk, context(&[segment], i64::MAX));
    // The last header is whole, and it is too early.
    assert_eq!(found.record(), None);
    let mut disk = Disk::default();
    let mut segment = files.put(&mut disk);
    segment.start = SearchStart::Front;
    segment.bytes += 500;
    segment.size += 500;
    let found = search(&mut disk, context(&[segment], i64::MAX));
    assert_eq!(found.found, FoundTimestamp::Corrupt);
}

#[test]
fn compressed_batches_are_looked_into() {
    let mut disk = Disk::default();
    let mut files = recorded();
    let mut header = BatchHeader::parse(&files.log).expect("a header");
    let body = HEADER_BYTES..header.size();
    header.attributes = header.attributes.with_codec(Some(Codec::Zstd));
    header.seal(&files.log[body]);
    files.log[..HEADER_BYTES].copy_from_slice(&header.write());
    let segment = files.put(&mut disk);
    assert_eq!(search(&mut disk, context(&[segment], T + 30)).record(), Some((1, T + 50)));
}

#[test]
fn deleted_segment_is_told_from_a_failing_disk() {
    let mut disk = Disk::default();
    let segment = recorded().put(&mut disk);
    let mut empty = Disk::default();
    let found = search(&mut empty, context(core::slice::from_ref(&segment), T));
    assert_eq!(found.found, FoundTimestamp::SegmentGone);
    // Behind the time index, whose first entry is later.
    disk.fail_at = Some(3);
    let found = search(&mut disk, context(&[segment], T));
    assert!(
        matches!(&found.found, FoundTimestamp::Failed(error) if error.kind == IoErrorKind::Other),
        "{:?}",
        found.found
    );
}

#[test]
fn old_formats_are_found_by_their_timestamps() {
    let mut entry = Vec::new();
    let value = b"old";
    entry.extend(40_i64.to_be_bytes());
    entry.extend((22 + value.len() as i32).to_be_bytes());
    entry.extend([0; 4]);
    entry.extend([1, 0]);
    entry.extend((T + 5).to_be_bytes());
    entry.extend((-1_i32).to_be_bytes());
    entry.extend((value.len() as i32).to_be_bytes());
    entry.extend(value);
    let mut disk = Disk::default();
    let mut files = Files::new(40);
    files.log = entry;
    files.next_offset = 41;
    files.batch(&[T + 10]);
    files.times.clear();
    let segment = files.put(&mut disk);
    let at = |disk: &mut Disk, time| {
        search(disk, context(core::slice::from_ref(&segment), time)).record()
    };
    assert_eq!(at(&mut disk, T), Some((40, T + 5)));
    assert_eq!(at(&mut disk, T + 6), Some((41, T + 10)));
}

#[test]
fn one_effect_is_out_at_a_time() {
    let mut disk = Disk::default();
    let segment = recorded().put(&mut disk);
    let mut job = SearchTimestamp::new(JobId(9), context(&[segment], T + 30));
    let (id, effect) = job.poll_effect().expect("the first");
    assert_eq!((id.owner, job.poll_effect()), (JobId(9), None));
    assert!(matches!(effect, Effect::Operations(_)));
    job.handle_completion(id, Completion::Done(vec![]));
    assert!(job.poll_effect().is_some());
    assert!(job.poll_done().is_none());
}
