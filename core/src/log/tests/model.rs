//! Look-ups and ranges against a plain model: a list of batches.

use alloc::vec;
use alloc::vec::Vec;

use super::{Fixture, parts};
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::effect::{Completion, Effect, Operation, OperationResult};
use crate::log::{Level, Located, Log, LogConfig, Lookup, Place, SearchStep};
use crate::rng::Rng;

/// What was accepted, in order.
#[derive(Default)]
struct Model {
    batches: Vec<ModelBatch>,
}

struct ModelBatch {
    base_offset: i64,
    last_offset: i64,
    bytes: Vec<u8>,
}

impl Model {
    fn holding(&self, offset: i64) -> &ModelBatch {
        let at = self.batches.partition_point(|batch| batch.last_offset < offset);
        &self.batches[at]
    }

    /// The bytes of the batches from one base offset up to the end of a level.
    fn bytes(&self, from: i64, end: i64) -> Vec<u8> {
        let batches =
            self.batches.iter().filter(|it| it.base_offset >= from && it.last_offset < end);
        batches.flat_map(|batch| batch.bytes.iter().copied()).collect()
    }
}

impl Fixture {
    /// The batch that a look-up leads to, and how many reads that took.
    fn find(&mut self, offset: i64, bound: Place) -> (Option<Located>, usize) {
        let mut reads = 0;
        let mut search = match self.log.locate(offset, bound) {
            Lookup::Found(found) => return (Some(found), reads),
            Lookup::End => return (None, reads),
            Lookup::Search(search) => search,
        };
        loop {
            reads += 1;
            let bytes = self.read(search.read());
            search = match search.step(&bytes) {
                SearchStep::Found(found) => return (Some(found), reads),
                SearchStep::More(search) => search,
                SearchStep::End => return (None, reads),
                SearchStep::Corrupt { file, position, reason } => {
                    panic!("{file} at {position}: {reason}")
                }
            };
        }
    }

    fn read(&mut self, read: Operation) -> bytes::Bytes {
        let effect = Effect::Operations(vec![read]);
        assert!(!effect.is_slow(), "a look-up reads on the connection's thread");
        let Completion::Done(mut results) = self.disk.apply(effect) else { panic!("no such file") };
        let Some(OperationResult::Read(bytes)) = results.pop() else { panic!("no read") };
        bytes
    }
}

fn random_batch(rng: &mut Rng, clock_ms: &mut i64) -> CheckedBatch {
    let mut builder = BatchBuilder::new();
    let size = [10, 100, 3_000, 30_000][rng.below(4) as usize];
    for _ in 0..=rng.below(4) {
        *clock_ms += rng.below(100) as i64 - 20;
        let value = vec![7; rng.below(size) as usize];
        builder.append((*clock_ms).max(0), None, Some(&value));
    }
    builder.build()
}

fn random_config(rng: &mut Rng) -> LogConfig {
    LogConfig {
        segment_bytes: 1 << (8 + rng.below(14)),
        segment_ms: 1 << (4 + rng.below(20)),
        segment_jitter_ms: rng.below(200),
        index_interval_bytes: [0, 100, 4_096, 1 << 20][rng.below(4) as usize],
        segment_index_bytes: [4, 40, 1 << 20][rng.below(3) as usize],
    }
}

#[test]
fn every_offset_is_found_whatever_the_order_of_completions() {
    for seed in 0..16_u8 {
        let mut rng = Rng::from_seed([seed; 32]);
        let mut log = Fixture::with_parts(parts(random_config(&mut rng)));
        let mut model = Model::default();
        let mut clock_ms = 1_000;
        let mut syncs = false;
        for _ in 0..rng.below(200) {
            match rng.below(6) {
                0..3 => {
                    let batch = random_batch(&mut rng, &mut clock_ms);
                    let bytes = batch.clone().place(log.log.accepted_end(), 0).concat();
                    log.now.wall_ms = clock_ms + rng.below(1_000) as i64 - 500;
                    let (base_offset, last_offset) = log.append_batch(batch);
                    model.batches.push(ModelBatch { base_offset, last_offset, bytes });
                }
                3 if !log.effects.is_empty() => {
                    let at = rng.below(log.effects.len() as u64) as usize;
                    log.complete(at);
                }
                4 if !log.seals.is_empty() => log.complete_seal(),
                5 if syncs => {
                    log.log.handle_synced();
                    syncs = false;
                }
                5 => {
                    log.begin_sync();
                    syncs = true;
                }
                _ => check(&mut log, &model, &mut rng),
            }
        }
        log.complete_all();
        for _ in 0..20 {
            check(&mut log, &model, &mut rng);
        }
        check_sizes(&log.log, &model);
    }
}

/// Some offset is looked for, and some bytes from there.
fn check(log: &mut Fixture, model: &Model, rng: &mut Rng) {
    let level = [Level::Written, Level::Synced][rng.below(2) as usize];
    let bound = log.log.place(level);
    assert_eq!(log.find(bound.offset, bound).0, None);
    if bound.offset == 0 {
        return;
    }
    let offset = rng.below(bound.offset as u64) as i64;
    let (found, reads) = log.find(offset, bound);
    let found = found.expect("every offset below the end is in a batch");
    let expected = model.holding(offset);
    assert_eq!(
        (found.base_offset, found.last_offset, found.batch_bytes as usize),
        (expected.base_offset, expected.last_offset, expected.bytes.len())
    );
    assert!(reads <= 20, "{reads} reads");

    let after = model.bytes(found.base_offset, bound.offset);
    assert_eq!(log.log.readable_bytes(&found, bound), after.len() as u64);
    let bytes_max = rng.below(200_000);
    let range = log.log.range(&found, bound, bytes_max).expect("no segment has gone");
    assert!(range.length <= bytes_max);
    let in_segment = log.log.segments().iter().find(|it| it.base_offset == found.segment).unwrap();
    let is_whole = range.position + range.length == in_segment.size;
    let is_cut = range.length == bytes_max || range.length == after.len() as u64;
    assert!(is_whole || is_cut, "a range ends where it must");
    let content = log.disk.get(range.file.path.as_str()).unwrap_or_default();
    let (start, end) = (range.position as usize, (range.position + range.length) as usize);
    assert!(content[start..end] == after[..range.length as usize]);
}

/// Every byte has its place, in the order of the offsets.
fn check_sizes(log: &Log, model: &Model) {
    let size: usize = model.batches.iter().map(|batch| batch.bytes.len()).sum();
    assert_eq!(log.size(), size as u64);
    let segments = log.segments();
    assert!(segments.is_sorted_by(|a, b| a.base_offset < b.base_offset));
    for segment in segments {
        let is_base = model.batches.iter().any(|batch| batch.base_offset == segment.base_offset);
        assert!(is_base, "a segment has the name of its first batch");
    }
}
