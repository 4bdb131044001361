//! Searches: gaps, old formats, wrong index entries and damage.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::parts;
use crate::batch::BatchBuilder;
use crate::effect::{FileRef, Operation, Path};
use crate::ids::{FileId, JobId};
use crate::log::{
    Companions, IndexedBatch, Indexes, Level, Located, Log, LogParts, Lookup, Search, SearchStep,
    SegmentParts,
};

/// A log found on disk: its segments' bytes, and the log.
struct Found {
    files: Vec<Vec<u8>>,
    log: Log,
}

/// A segment's base offset; its batches, each with its last offset.
type Batches<'a> = (i64, &'a [(i64, Vec<u8>)]);

/// How a look-up ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Found(Located),
    End,
    Corrupt { name: String, position: u64, reason: String },
}

fn batch(base_offset: i64, records: i32, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.append(1_000, None, Some(&vec![7; value_bytes]));
    }
    builder.encode(base_offset, 0)
}

fn legacy(offset: i64, magic: u8) -> Vec<u8> {
    let mut bytes = vec![0; 12 + 30];
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[8..12].copy_from_slice(&30_i32.to_be_bytes());
    bytes[16] = magic;
    bytes
}

impl Found {
    fn new(segments: &[Batches<'_>], end: i64) -> Self {
        let mut files = Vec::new();
        let mut found = Vec::new();
        for (number, (base_offset, batches)) in segments.iter().enumerate() {
            let mut indexes = Indexes::new(*base_offset);
            let mut bytes = Vec::new();
            for (last_offset, batch) in *batches {
                let (position, size) = (bytes.len() as u64, batch.len() as u32);
                let last_offset = *last_offset;
                let noted = IndexedBatch { position, size, last_offset, max_timestamp_ms: -1 };
                indexes.note(&noted, 0);
                bytes.extend_from_slice(batch);
            }
            let id = FileId { owner: JobId::BROKER, number: number as u64 };
            let file = FileRef { id, path: Path::new(&alloc::format!("/data/t-0/{number}")) };
            found.push(SegmentParts {
                base_offset: *base_offset,
                file,
                size: bytes.len() as u64,
                indexes,
                first_timestamp_ms: -1,
                modified_ms: 0,
                companions: Companions::default(),
            });
            files.push(bytes);
        }
        let log = Log::new(LogParts { segments: found, end, ..parts(super::config(1 << 30)) });
        Self { files, log }
    }

    fn look_up(&self, offset: i64) -> Outcome {
        match self.log.locate(offset, self.log.place(Level::Synced)) {
            Lookup::Found(found) => Outcome::Found(found),
            Lookup::End => Outcome::End,
            Lookup::Search(search) => self.follow(search),
        }
    }

    fn follow(&self, mut search: Search) -> Outcome {
        for _ in 0..1_000 {
            let bytes = self.read(&search.read());
            search = match search.step(&bytes) {
                SearchStep::Found(found) => return Outcome::Found(found),
                SearchStep::End => return Outcome::End,
                SearchStep::More(search) => search,
                SearchStep::Corrupt { file, position, reason } => {
                    return Outcome::Corrupt { name: file.name().into(), position, reason };
                }
            };
        }
        panic!("the search does not end");
    }

    fn read(&self, read: &Operation) -> Bytes {
        let Operation::Read { file, position, length } = read else { panic!("no read") };
        let content = &self.files[file.id.number as usize];
        let start = (*position as usize).min(content.len());
        let end = (start + *length as usize).min(content.len());
        Bytes::copy_from_slice(&content[start..end])
    }

    fn base_offset(&self, offset: i64) -> i64 {
        match self.look_up(offset) {
            Outcome::Found(found) => found.base_offset,
            other => panic!("offset {offset}: {other:?}"),
        }
    }
}

/// `count` batches of two records and 20 kB, from `base_offset` on.
fn large_batches(base_offset: i64, count: i64) -> Vec<(i64, Vec<u8>)> {
    (0..count)
        .map(|at| (base_offset + 2 * at + 1, batch(base_offset + 2 * at, 2, 10_000)))
        .collect()
}

#[test]
fn offset_in_a_gap_gives_the_batch_behind_it() {
    let first = [(3, batch(2, 2, 5)), (9, batch(8, 2, 5))];
    let second = [(30, batch(30, 1, 5))];
    let found = Found::new(&[(0, &first), (20, &second)], 31);
    let bases = |offsets: &[i64]| -> Vec<i64> {
        offsets.iter().map(|offset| found.base_offset(*offset)).collect()
    };
    assert_eq!(bases(&[0, 1, 2, 3, 4, 7, 8, 9]), [2, 2, 2, 2, 8, 8, 8, 8]);
    assert_eq!(bases(&[10, 19, 20, 29, 30]), [30; 5]);
    assert_eq!(found.look_up(31), Outcome::End);
}

#[test]
fn offset_below_the_first_segment_gives_its_first_batch() {
    let found = Found::new(&[(5, &[(6, batch(5, 2, 5))])], 7);
    assert_eq!(found.base_offset(0), 5);
}

#[test]
fn empty_segment_is_stepped_over() {
    let found =
        Found::new(&[(0, &[(1, batch(0, 2, 5))]), (5, &[]), (8, &[(8, batch(8, 1, 5))])], 9);
    assert_eq!(found.base_offset(3), 8);
    assert_eq!(found.base_offset(6), 8);
    let at_end = Found::new(&[(0, &[(1, batch(0, 2, 5))]), (5, &[])], 5);
    assert_eq!(at_end.look_up(3), Outcome::End);
}

#[test]
fn old_formats_are_found_and_stepped_over() {
    let batches = [(0, legacy(0, 0)), (1, legacy(1, 1)), (3, batch(2, 2, 5)), (9, legacy(9, 1))];
    let found = Found::new(&[(0, &batches)], 10);
    let bases: Vec<_> = (0..10).map(|offset| found.base_offset(offset)).collect();
    assert_eq!(bases, [0, 1, 2, 2, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn indexed_batches_are_found_with_few_reads() {
    let batches = large_batches(0, 50);
    let found = Found::new(&[(0, &batches)], 100);
    for offset in 0..100 {
        let Lookup::Search(search) = found.log.locate(offset, found.log.place(Level::Synced))
        else {
            panic!("the tail of a loaded log is empty");
        };
        let bytes = found.read(&search.read());
        assert!(bytes.len() <= 45_000, "no more is read than up to the next entry");
        let SearchStep::Found(located) = search.step(&bytes) else { panic!("offset {offset}") };
        assert_eq!((located.base_offset, located.last_offset), (offset & !1, offset | 1));
        assert_eq!(located.position, (offset / 2) as u64 * u64::from(located.batch_bytes));
    }
}

#[test]
fn wrong_entries_of_an_index_are_not_believed() {
    let batches = large_batches(0, 50);
    let size = batches[0].1.len() as u32;
    let right = Found::new(&[(0, &batches)], 100);
    for (delta, position_delta) in [(0, 1), (0, -1), (1, 0), (-2, 0), (2, 0), (0, 7)] {
        let mut wrong = Found::new(&[(0, &batches)], 100);
        let segments = vec![SegmentParts {
            base_offset: 0,
            file: right.log.segments()[0].file.clone(),
            size: right.files[0].len() as u64,
            indexes: shifted(&batches, size, delta, position_delta),
            first_timestamp_ms: -1,
            modified_ms: 0,
            companions: Companions::default(),
        }];
        wrong.log = Log::new(LogParts { segments, end: 100, ..parts(super::config(1 << 30)) });
        for offset in 0..100 {
            assert_eq!(wrong.look_up(offset), right.look_up(offset), "offset {offset}");
        }
    }
}

/// An index whose entries are all a little off.
fn shifted(batches: &[(i64, Vec<u8>)], size: u32, delta: i64, position_delta: i64) -> Indexes {
    let mut indexes = Indexes::new(0);
    for (number, (last_offset, _)) in batches.iter().enumerate().skip(1) {
        let position = (number as u64 * u64::from(size)).saturating_add_signed(position_delta);
        let last_offset = last_offset + delta;
        indexes.note(&IndexedBatch { position, size, last_offset, max_timestamp_ms: -1 }, 0);
    }
    indexes
}

#[test]
fn damage_is_named_by_file_and_position() {
    let batches = [(1, batch(0, 2, 5)), (3, batch(2, 2, 5)), (5, batch(4, 2, 5))];
    let size = batches[0].1.len() as u64;
    let damaged = |at: u64, value: u8| -> Found {
        let mut found = Found::new(&[(0, &batches)], 6);
        found.files[0][at as usize] = value;
        found
    };
    let corrupt = |found: &Found, offset: i64| match found.look_up(offset) {
        Outcome::Corrupt { name, position, reason } => {
            assert_eq!(name, "0");
            (position, reason)
        }
        other => panic!("{other:?}"),
    };
    let magic = damaged(size + 16, 9);
    assert_eq!(corrupt(&magic, 2), (size, "magic 9 is unknown".into()));
    let length = damaged(size + 8, 1);
    assert_eq!(corrupt(&length, 3).0, size);
    let offset = damaged(size + 7, 200);
    assert!(corrupt(&offset, 3).1.contains("its offsets are 200 to 201, where 2 to 5 may be"));
    assert_eq!(corrupt(&damaged(2 * size + 16, 9), 5).0, 2 * size);
    let mut short = damaged(0, 0);
    short.files[0].truncate(2 * size as usize + 10);
    let (_, reason) = corrupt(&short, 5);
    assert!(reason.starts_with("the file ends at "), "{reason}");
}

#[test]
fn damaged_batch_takes_no_other_with_it() {
    let mut batches = large_batches(0, 3);
    batches.extend([(7, batch(6, 2, 100)), (9, batch(8, 2, 40_000)), (11, batch(10, 2, 100))]);
    let mut found = Found::new(&[(0, &batches), (12, &[(13, batch(12, 2, 5))])], 14);
    let right: Vec<_> = (0..14).map(|offset| found.look_up(offset)).collect();
    let mut begin = 0;
    for (last_offset, batch) in &batches {
        // All but the base offset's last byte, which may make it another one of this log.
        for bit in (0..8 * 7).chain(8 * 8..8 * 61).step_by(5) {
            let (at, mask) = (begin + bit / 8, 1 << (bit % 8));
            found.files[0][at] ^= mask;
            for offset in (0..14).filter(|offset| offset / 2 != last_offset / 2) {
                let looked_up = found.look_up(offset);
                assert_eq!(looked_up, right[offset as usize], "batch {last_offset} bit {bit}");
            }
            found.files[0][at] ^= mask;
        }
        begin += batch.len();
    }
}

#[test]
fn any_bytes_end_the_search() {
    let batches = large_batches(0, 10);
    let mut rng = crate::rng::Rng::from_seed([5; 32]);
    let mut found = Found::new(&[(0, &batches), (20, &large_batches(20, 3))], 26);
    let whole = found.files.clone();
    for _ in 0..200 {
        found.files.clone_from(&whole);
        for _ in 0..20 {
            let file = rng.below(2) as usize;
            let at = rng.below(found.files[file].len() as u64) as usize;
            // Headers more often than records.
            let at = at / batches[0].1.len() * batches[0].1.len() + rng.below(61) as usize;
            found.files[file][at] = rng.next_u64() as u8;
        }
        for offset in 0..26 {
            if let Outcome::Found(located) = found.look_up(offset) {
                assert!(located.last_offset >= offset);
            }
        }
    }
}

#[test]
fn range_of_a_removed_segment_is_none() {
    let found = Found::new(&[(5, &[(6, batch(5, 2, 5))])], 7);
    let bound = found.log.place(Level::Synced);
    let file = FileId { owner: JobId::BROKER, number: 0 };
    let from =
        Located { segment: 0, file, position: 0, base_offset: 0, last_offset: 1, batch_bytes: 70 };
    assert_eq!(found.log.range(&from, bound, 1_000), None);
}
