mod locate;
mod model;
mod retention;
mod roll;
mod seal;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::producers::{ProducerStates, Verdict};
use super::{
    Companions, FileSuffix, Indexes, Level, Log, LogConfig, LogParts, SegmentParts, parse_file_name,
};
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::checkpoint::LeaderEpochs;
use crate::effect::{Completion, Effect, Operation, Path, SyncSet};
use crate::ids::{DirectoryIndex, EffectId, JobId, Numbering};
use crate::job::testing::Disk;
use crate::rng::Rng;
use crate::time::Now;

/// A log with what the broker keeps around it, and a disk.
struct Fixture {
    log: Log,
    numbering: Numbering,
    /// Writes, and replacements of the epoch checkpoint.
    effects: Vec<(EffectId, Effect)>,
    /// What goes out beside finished segments.
    seals: Vec<(EffectId, Effect)>,
    disk: Disk,
    now: Now,
}

impl Fixture {
    fn new(segment_bytes: u32) -> Self {
        Self::with_epoch(segment_bytes, Some(0))
    }

    /// An empty log; batches of `epoch` need no new checkpoint.
    fn with_epoch(segment_bytes: u32, epoch: Option<i32>) -> Self {
        let mut epochs = LeaderEpochs::default();
        if let Some(epoch) = epoch {
            epochs.assign(epoch, 0);
        }
        Self::with_parts(LogParts { epochs, ..parts(config(segment_bytes)) })
    }

    fn with_parts(parts: LogParts) -> Self {
        let mut disk = Disk::default();
        disk.make_directory(parts.path.as_str());
        Self {
            log: Log::new(parts),
            numbering: Numbering::new(JobId::BROKER),
            effects: Vec::new(),
            seals: Vec::new(),
            disk,
            now: Now::default(),
        }
    }

    fn append(&mut self, records: i32, epoch: i32) -> (i64, i64) {
        self.append_in(batch(records), epoch)
    }

    fn append_batch(&mut self, batch: CheckedBatch) -> (i64, i64) {
        self.append_in(batch, 0)
    }

    fn append_in(&mut self, batch: CheckedBatch, epoch: i32) -> (i64, i64) {
        let (log, numbering) = (&mut self.log, &mut self.numbering);
        let appended = log.append(batch, epoch, self.now, numbering, &mut self.effects);
        self.set_seals_apart();
        (appended.base_offset, appended.last_offset)
    }

    fn roll_below_start(&mut self) {
        self.log.roll_below_start(self.now, &mut self.numbering, &mut self.effects);
        self.set_seals_apart();
    }

    fn seal_for_stop(&mut self) {
        self.log.seal_for_stop(&mut self.numbering, &mut self.seals);
    }

    fn set_seals_apart(&mut self) {
        self.seals.extend(self.effects.extract_if(.., |(_, effect)| is_seal(effect)));
    }

    fn complete(&mut self, at: usize) -> bool {
        let (id, effect) = self.effects.remove(at);
        assert!(matches!(self.disk.apply(effect), Completion::Done(_)));
        self.log.handle_written(id, &mut self.effects)
    }

    /// The seal that is out is carried out, and the next one goes out.
    fn complete_seal(&mut self) {
        let (id, effect) = self.seals.remove(0);
        assert!(matches!(self.disk.apply(effect), Completion::Done(_)));
        assert!(!self.log.handle_written(id, &mut self.effects));
        self.set_seals_apart();
    }

    fn complete_writes(&mut self) {
        while !self.effects.is_empty() {
            self.complete(0);
        }
    }

    fn complete_all(&mut self) {
        self.complete_writes();
        while !self.seals.is_empty() {
            self.complete_seal();
        }
    }

    /// Everything is written, sealed and synced.
    fn settle(&mut self) {
        self.complete_all();
        self.begin_sync();
        self.log.handle_synced();
    }

    fn carry_out(&mut self, operations: Vec<Operation>) {
        let done = self.disk.apply(Effect::Operations(operations));
        assert!(matches!(done, Completion::Done(_)), "{done:?}");
    }

    fn begin_sync(&mut self) -> SyncSet {
        let directory = Path::new("/data");
        let mut set = SyncSet { directory, files: Vec::new(), directories: Vec::new() };
        self.log.begin_sync(&mut set);
        set
    }

    fn ends(&self) -> (i64, i64, i64) {
        let log = &self.log;
        (log.accepted_end(), log.end(Level::Written), log.end(Level::Synced))
    }

    /// Path and position of each write that is out.
    fn writes(&self) -> Vec<(&str, u64)> {
        let operations = self.effects.iter().map(|(_, effect)| match effect {
            Effect::Operations(operations) => operations.as_slice(),
            Effect::Sync(_) => panic!("a log syncs nothing by itself"),
        });
        operations
            .map(|operations| match operations {
                [Operation::Write { file, position, .. }] => (file.path.name(), *position),
                [Operation::Write { file, position: 0, .. }, begun @ ..] => {
                    assert_begins_index(begun, &file.path);
                    (file.path.name(), 0)
                }
                replacement => {
                    assert!(matches!(replacement.first(), Some(Operation::Create(_))));
                    (LeaderEpochs::FILE, 0)
                }
            })
            .collect()
    }
}

/// The index of a new segment is there from its first write.
fn assert_begins_index(operations: &[Operation], segment: &Path) {
    let [Operation::Write { file, position: 0, data }, Operation::Close(closed)] = operations
    else {
        panic!("{operations:?}");
    };
    assert_eq!((file, data.len()), (closed, 0));
    assert_eq!(file.path.as_str(), segment.as_str().replace(".log", ".index"));
}

fn is_seal(effect: &Effect) -> bool {
    let Effect::Operations(operations) = effect else { return false };
    let [Operation::Create(file) | Operation::Write { file, .. }, ..] = operations.as_slice()
    else {
        return false;
    };
    matches!(parse_file_name(file.path.name()), Some((_, suffix)) if suffix != FileSuffix::Log)
}

/// An empty log's.
fn parts(config: LogConfig) -> LogParts {
    LogParts {
        path: Path::new("/data/t-0"),
        log_directory: DirectoryIndex(0),
        segments: Vec::new(),
        log_start: 0,
        end: 0,
        epochs: LeaderEpochs::default(),
        producers: ProducerStates::default(),
        newest_snapshot: None,
        config,
    }
}

fn config(segment_bytes: u32) -> LogConfig {
    LogConfig { segment_bytes, ..LogConfig::default() }
}

fn found(log: &Log) -> SegmentParts {
    let segment = &log.segments()[0];
    SegmentParts {
        base_offset: segment.base_offset,
        file: segment.file.clone(),
        size: segment.size,
        indexes: Indexes::new(segment.base_offset),
        first_timestamp_ms: -1,
        modified_ms: 0,
        companions: Companions::default(),
    }
}

fn batch(records: i32) -> CheckedBatch {
    let mut builder = BatchBuilder::new();
    for at in 0..records {
        builder.append(1_000 + i64::from(at), None, Some(b"value"));
    }
    builder.build()
}

/// A batch with a record for each timestamp.
fn batch_at(timestamps_ms: &[i64]) -> CheckedBatch {
    let mut builder = BatchBuilder::new();
    for timestamp_ms in timestamps_ms {
        builder.append(*timestamp_ms, None, Some(b"value"));
    }
    builder.build()
}

fn size(records: i32) -> u64 {
    u64::from(batch(records).info().size)
}

fn file_names(set: &SyncSet) -> Vec<&str> {
    set.files.iter().map(|file| file.path.name()).collect()
}

#[test]
fn offsets_move_when_a_batch_is_accepted() {
    let mut log = Fixture::new(1 << 20);
    assert_eq!(log.append(3, 0), (0, 2));
    assert_eq!(log.append(1, 0), (3, 3));
    assert_eq!(log.ends(), (4, 0, 0));
    assert_eq!(
        log.writes(),
        [("00000000000000000000.log", 0), ("00000000000000000000.log", size(3)),]
    );
    assert_eq!(log.log.size(), size(3) + size(1));
    assert_eq!(log.log.segments()[0].max_timestamp().timestamp_ms, 1_002);
}

#[test]
fn written_batch_has_its_offset_and_epoch() {
    let mut log = Fixture::with_epoch(1 << 20, Some(7));
    log.append(2, 7);
    log.append(2, 7);
    let (_, Effect::Operations(operations)) = &log.effects[1] else { panic!("no operations") };
    let Operation::Write { data, .. } = &operations[0] else { panic!("no write") };
    let mut expected = BatchBuilder::new();
    expected.append(1_000, None, Some(b"value"));
    expected.append(1_001, None, Some(b"value"));
    assert_eq!(data.concat(), expected.encode(2, 7));
}

#[test]
fn written_end_moves_over_the_contiguous_prefix() {
    let mut log = Fixture::new(1 << 20);
    for _ in 0..3 {
        log.append(2, 0);
    }
    assert!(!log.complete(1));
    assert_eq!(log.ends(), (6, 0, 0));
    assert!(log.complete(0));
    assert_eq!(log.ends(), (6, 4, 0));
    assert!(log.complete(0));
    assert_eq!(log.ends(), (6, 6, 0));
    assert!(log.log.is_idle());
}

#[test]
fn full_segment_rolls_without_waiting() {
    let mut log = Fixture::new((2 * size(1)) as u32);
    for _ in 0..3 {
        log.append(1, 0);
    }
    assert_eq!(
        log.writes(),
        [
            ("00000000000000000000.log", 0),
            ("00000000000000000000.log", size(1)),
            ("00000000000000000002.log", 0),
        ]
    );
    assert!(!log.complete(2));
    assert_eq!(log.ends(), (3, 0, 0));
    log.complete_all();
    let set = log.begin_sync();
    assert_eq!(file_names(&set).len(), 2);
    assert_eq!(set.directories, [Path::new("/data/t-0")]);
}

#[test]
fn batch_larger_than_a_segment_gets_one_of_its_own() {
    let mut log = Fixture::new(10);
    log.append(1, 0);
    log.append(5, 0);
    log.append(1, 0);
    let names: Vec<_> = log.log.segments().iter().map(|s| s.base_offset).collect();
    assert_eq!(names, [0, 1, 6]);
}

#[test]
fn segment_rolls_before_a_relative_offset_overflows() {
    let mut log = Fixture::new(1 << 30);
    log.append(1, 0);
    log.complete_all();
    let mut parts = LogParts {
        segments: vec![found(&log.log)],
        end: i64::from(i32::MAX),
        epochs: log.log.epochs().clone(),
        ..parts(config(1 << 30))
    };
    log.log = Log::new(parts.clone());
    log.append(1, 0);
    assert_eq!(log.log.segments().len(), 1);
    log.append(1, 0);
    assert_eq!(log.log.segments()[1].base_offset, i64::from(i32::MAX) + 1);
    parts.segments[0].size = i32::MAX as u64 - size(1) + 1;
    parts.config = config(u32::MAX);
    parts.end = 1;
    log.log = Log::new(parts);
    log.append(1, 0);
    assert_eq!(log.log.segments()[1].base_offset, 1);
}

#[test]
fn sync_covers_what_was_written_when_it_began() {
    let mut log = Fixture::new(1 << 20);
    assert!(!log.log.is_dirty());
    log.append(1, 0);
    assert!(!log.log.is_dirty());
    log.complete_all();
    assert!(log.log.is_dirty());
    let set = log.begin_sync();
    assert_eq!(file_names(&set), ["00000000000000000000.log"]);
    assert_eq!(set.directories.len(), 1);
    assert!(!log.log.is_dirty());
    assert!(!log.log.is_idle());

    log.append(1, 0);
    log.complete_all();
    assert!(log.log.is_dirty());
    assert!(log.log.handle_synced());
    assert_eq!(log.ends(), (2, 2, 1));
    assert!(log.log.is_dirty());

    let set = log.begin_sync();
    assert_eq!(file_names(&set), ["00000000000000000000.log"]);
    assert!(set.directories.is_empty());
    assert!(log.log.handle_synced());
    assert_eq!(log.ends(), (2, 2, 2));
    assert!(!log.log.is_dirty());
}

#[test]
fn write_beyond_a_hole_is_synced_with_the_sync_that_follows_it() {
    let mut log = Fixture::new(size(1) as u32);
    log.append(1, 0);
    log.append(1, 0);
    log.complete(1);
    assert!(!log.log.is_dirty());
    log.complete(0);
    assert_eq!(log.begin_sync().files.len(), 2);
    log.log.handle_synced();
    assert_eq!(log.ends(), (2, 2, 2));
}

#[test]
fn first_batch_of_an_epoch_waits_for_the_checkpoint() {
    let mut log = Fixture::with_epoch(1 << 20, None);
    log.append(1, 4);
    log.append(1, 4);
    assert_eq!(
        log.writes(),
        [
            (LeaderEpochs::FILE, 0),
            ("00000000000000000000.log", 0),
            ("00000000000000000000.log", size(1)),
        ]
    );
    assert!(!log.complete(1));
    assert!(!log.complete(1));
    assert_eq!(log.ends(), (2, 0, 0));
    assert!(log.complete(0));
    assert_eq!(log.ends(), (2, 2, 0));
    assert_eq!(log.log.epochs().format(), "0\n1\n4 0\n");
}

#[test]
fn replacements_of_the_epoch_checkpoint_are_out_one_at_a_time() {
    let mut log = Fixture::with_epoch(1 << 20, Some(0));
    for epoch in 1..=3 {
        log.append(1, epoch);
    }
    let segment = "00000000000000000000.log";
    let names = |log: &Fixture| -> Vec<_> {
        log.writes().into_iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(&log), [LeaderEpochs::FILE, segment, segment, segment]);
    log.complete(1);
    log.complete(1);
    log.complete(1);
    assert_eq!(log.ends().1, 0);
    log.complete(0);
    assert_eq!(log.ends().1, 1);
    assert_eq!(names(&log), [LeaderEpochs::FILE]);
    log.complete(0);
    assert_eq!(log.ends().1, 2);
    log.complete(0);
    assert_eq!(log.ends().1, 3);
    assert!(log.effects.is_empty() && log.log.is_idle());
}

/// What is known to be written and synced, kept independently of the log: whole batches by end.
#[derive(Default)]
struct Model {
    /// End, effects that are not complete.
    batches: Vec<(i64, Vec<EffectId>)>,
}

impl Model {
    fn written(&self) -> i64 {
        let complete = self.batches.iter().take_while(|(_, open)| open.is_empty());
        complete.last().map_or(0, |(end, _)| *end)
    }
}

#[test]
fn ends_never_pass_a_hole_whatever_the_order() {
    for seed in 0..40_u8 {
        let mut rng = Rng::from_seed([seed; 32]);
        let mut log = Fixture::with_epoch((3 * size(2)) as u32, None);
        let mut model = Model::default();
        let mut noted = None;
        let (mut epoch, mut synced) = (0, 0);
        for step in 0..300 {
            match rng.below(if step < 200 { 10 } else { 6 }) {
                0..4 if !log.effects.is_empty() => {
                    let at = rng.below(log.effects.len() as u64) as usize;
                    let (id, _) = log.effects[at];
                    for (_, open) in &mut model.batches {
                        open.retain(|other| *other != id);
                    }
                    log.complete(at);
                }
                4 if noted.is_none() => {
                    noted = Some(model.written());
                    log.begin_sync();
                }
                5 if noted.is_some() => {
                    synced = noted.take().unwrap_or_default();
                    log.log.handle_synced();
                }
                6.. => {
                    epoch += i32::from(rng.below(8) == 0);
                    let before = log.effects.len();
                    let (_, last) = log.append(1 + rng.below(3) as i32, epoch);
                    // An epoch's replacement that waits is not among the effects yet; the batch
                    // then counts as written too early in the model, never too late.
                    let open = log.effects[before..].iter().map(|(id, _)| *id).collect();
                    model.batches.push((last + 1, open));
                }
                _ => {}
            }
            let (accepted, written, log_synced) = log.ends();
            assert!(written <= model.written(), "seed {seed} step {step}");
            assert!(log_synced <= synced, "seed {seed} step {step}");
            assert!(log_synced <= written && written <= accepted);
        }
        log.complete_all();
        if noted.is_some() {
            log.log.handle_synced();
        }
        log.begin_sync();
        log.log.handle_synced();
        let (accepted, written, log_synced) = log.ends();
        assert_eq!((written, log_synced), (accepted, accepted), "seed {seed}");
        assert!(log.log.is_idle() && !log.log.is_dirty());
    }
}

#[test]
fn append_notes_its_producer_and_the_last_stable_offset_its_transaction() {
    let mut log = Fixture::new(1 << 30);
    log.append(2, 0);
    let mut builder = BatchBuilder::new().producer(7, 0, 0).transactional();
    builder.append(1_000, None, None);
    let batch = builder.build();
    let info = *batch.info();
    assert_eq!(log.log.producers().check(&info), Verdict::Accept);
    let (numbering, effects) = (&mut log.numbering, &mut log.effects);
    log.log.append(batch, 0, Now::default(), numbering, effects);
    let duplicate = Verdict::Duplicate { base_offset: 2, last_offset: 2, timestamp_ms: 1_000 };
    assert_eq!(log.log.producers().check(&info), duplicate);
    assert_eq!(log.log.last_stable(Level::Written), 0, "nothing is written");
    log.append(1, 0);
    log.complete_all();
    assert_eq!(log.log.end(Level::Written), 4);
    assert_eq!(log.log.last_stable(Level::Written), 2);
    assert_eq!(log.log.last_stable(Level::Synced), 0);
}

#[test]
fn writes_of_one_log_touch_each_byte_once() {
    let mut log = Fixture::new(500);
    let mut rng = Rng::from_seed([9; 32]);
    for _ in 0..100 {
        log.append(1 + rng.below(4) as i32, 0);
    }
    let mut next = vec![0_u64; log.log.segments().len()];
    for (_, effect) in &log.effects {
        let Effect::Operations(operations) = effect else { panic!("no operations") };
        let Operation::Write { file, position, data } = &operations[0] else { panic!("no write") };
        let found = log.log.segments().iter().position(|segment| segment.file == *file);
        let at = found.expect("a segment of the log");
        assert_eq!(*position, next[at]);
        next[at] += data.concat().len() as u64;
    }
    let sizes: Vec<_> = log.log.segments().iter().map(|segment| segment.size).collect();
    assert_eq!(next, sizes);
    assert!(sizes.iter().all(|size| *size <= 500));
}
