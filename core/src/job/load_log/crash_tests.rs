//! Lives of one log: appends in any order, a stop or a crash anywhere, a load that may be cut anywhere
//! too, and on.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::LoadLogContext;
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::checkpoint::{LeaderEpochs, PartitionMetadata};
use crate::config::Limits;
use crate::effect::{Completion, Effect, Operation, Path, SyncSet};
use crate::ids::{DirectoryIndex, EffectId, JobId, Numbering, Uuid};
use crate::job::testing::Disk;
use crate::job::{Job, JobOutcome};
use crate::log::{FileSuffix, IndexedBatch, Indexes, Level, Log, LogConfig, file_name};
use crate::rng::Rng;
use crate::time::Now;

const DIRECTORY: &str = "/data/t-0";
const TOPIC_ID: Uuid = Uuid([7; 16]);
const PRODUCER: i64 = 5;
const SECTOR: usize = 32;
const INDEX_INTERVAL_BYTES: u32 = 100;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// The page cache stays; effects that are out stop anywhere.
    Killed,
    /// The page cache goes too, sector by sector.
    PowerLoss,
}

/// A batch that may be in the log.
struct Placed {
    end: i64,
    epoch: i32,
    bytes: Vec<u8>,
}

/// One partition over many lives.
struct Lives {
    rng: Rng,
    crash: Crash,
    disk: Disk,
    platter: Platter,
    batches: Vec<Placed>,
    /// What the checkpoints say.
    synced_end: i64,
    recovery_point: i64,
    /// The clean marker is there.
    is_clean: bool,
    /// What the last life must have left.
    kept_end: i64,
    epoch: i32,
    life: u64,
}

/// What survives the power.
#[derive(Default)]
struct Platter {
    /// Contents by path as the last sync left them.
    contents: BTreeMap<String, Vec<u8>>,
    /// Paths whose directory entries are there.
    entries: BTreeSet<String>,
    /// What stood under a path before a rename that is not durable.
    renamed_over: BTreeMap<String, Option<Vec<u8>>>,
}

#[test]
fn nothing_that_reached_its_level_is_lost() {
    let mut clean = 0;
    for seed in 0..16_u8 {
        for crash in [Crash::Killed, Crash::PowerLoss] {
            let mut lives = Lives::new(seed, crash);
            for _ in 0..8 {
                let log = lives.start();
                lives.live(log);
                clean += i32::from(lives.is_clean);
            }
            lives.start();
        }
    }
    assert!(clean > 40, "{clean}");
}

impl Lives {
    fn new(seed: u8, crash: Crash) -> Self {
        let mut disk = Disk::default();
        disk.make_directory("/data");
        Self {
            rng: Rng::from_seed([seed; 32]),
            crash,
            disk,
            platter: Platter::default(),
            batches: Vec::new(),
            synced_end: 0,
            recovery_point: 0,
            is_clean: false,
            kept_end: 0,
            epoch: 0,
            life: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.rng.below(one_in) == 0
    }

    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.end)
    }

    /// Loads the log, at last without a crash in the middle, and checks it.
    fn start(&mut self) -> Log {
        while self.chance(3) {
            let cut_at = self.rng.below(40);
            if let Some(log) = self.load(Some(cut_at)) {
                return log;
            }
            // What is loaded anew was never appended to.
            self.crash();
        }
        self.load(None).expect("nothing cuts it")
    }

    /// Loads the log, up to an operation.
    fn load(&mut self, cut_at: Option<u64>) -> Option<Log> {
        self.life += 1;
        let context = LoadLogContext {
            path: Path::new(DIRECTORY),
            log_directory: DirectoryIndex(0),
            topic: "t".into(),
            topic_id: TOPIC_ID,
            partition: 0,
            stray_id: Some(Uuid([0xab; 16])),
            exists: self.disk.has_directory(DIRECTORY),
            // It goes before anything is loaded.
            is_clean: core::mem::take(&mut self.is_clean),
            recovery_point: Some(self.recovery_point),
            synced_end: Some(self.synced_end),
            log_start: None,
            config: LogConfig {
                segment_bytes: 400,
                index_interval_bytes: INDEX_INTERVAL_BYTES,
                ..LogConfig::default()
            },
            leader_epoch: self.epoch,
            limits: Limits { job_piece_bytes: 128, ..Limits::default() },
        };
        let mut job = Job::load_log(JobId(self.life), context);
        let mut left = cut_at.unwrap_or(u64::MAX);
        loop {
            if let Some(result) = job.poll_done() {
                let JobOutcome::LogLoaded(log) = result.outcome else {
                    panic!("{:?}", result.outcome)
                };
                self.check(&log);
                return Some(*log);
            }
            let (id, effect) = job.poll_effect().expect("a job that is not done wants something");
            let Effect::Operations(mut operations) = effect else { panic!("a job syncs no set") };
            operations.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left = left.saturating_sub(operations.len() as u64);
            let completion = self.apply(operations);
            if left == 0 {
                return None;
            }
            job.handle_completion(id, completion);
        }
    }

    /// Whole batches, in order, as they were appended, and all that is known of them.
    fn check(&mut self, log: &Log) {
        let end = log.accepted_end();
        assert!(end >= self.kept_end, "{end} is below {}", self.kept_end);
        self.batches.retain(|batch| batch.end <= end);
        assert_eq!(self.end(), end);
        let expected: Vec<u8> = self.batches.iter().flat_map(|b| b.bytes.clone()).collect();
        let contents = log.segments().iter().map(|segment| {
            let content = self.disk.get(segment.file.path.as_str()).unwrap_or_default();
            assert_eq!(content.len() as u64, segment.size);
            content
        });
        let found = contents.collect::<Vec<_>>().concat();
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!((found.len(), differs), (expected.len(), None));
        let mut epochs = LeaderEpochs::default();
        let mut start = 0;
        for batch in &self.batches {
            epochs.assign(batch.epoch, start);
            start = batch.end;
        }
        assert_eq!(*log.epochs(), epochs);
        let sequences = log.producers().active().map(|producer| producer.last_sequence);
        let expected = (end > 0).then(|| end as i32 - 1);
        assert!(sequences.eq(expected), "a producer's sequences are its offsets here");
        self.check_indexes(log);
    }

    /// What lies beside each finished segment is true of its batches. A clean stop adds an entry to the
    /// time index of a segment that is then appended to.
    fn check_indexes(&self, log: &Log) {
        let bases = log.segments().iter().map(|segment| segment.base_offset);
        for (base, next) in bases.clone().zip(bases.skip(1)) {
            let mut indexes = Indexes::new(base);
            let (mut position, mut times) = (0, Vec::new());
            for batch in self.batches.iter().filter(|it| base < it.end && it.end <= next) {
                let (size, last_offset) = (batch.bytes.len() as u32, batch.end - 1);
                let max_timestamp_ms = batch.end;
                let noted = IndexedBatch { position, size, last_offset, max_timestamp_ms };
                indexes.note(&noted, INDEX_INTERVAL_BYTES);
                position += u64::from(size);
                let relative_offset = (last_offset - base) as i32;
                times.push(
                    [&max_timestamp_ms.to_be_bytes()[..], &relative_offset.to_be_bytes()].concat(),
                );
            }
            let file = |suffix| {
                let path = Path::new(DIRECTORY).join(&file_name(base, suffix));
                self.disk.get(path.as_str()).map(<[u8]>::to_vec)
            };
            let expected = indexes.finish().expect("it was not finished yet").offsets.rest;
            assert_eq!(file(FileSuffix::Index), Some(expected), "segment {base}");
            let found = file(FileSuffix::TimeIndex).expect("it is there");
            let found: Vec<_> = found.chunks(12).map(<[u8]>::to_vec).collect();
            assert!(found.is_sorted() && found.iter().all(|entry| times.contains(entry)));
            assert_eq!(found.last(), times.last(), "segment {base}");
        }
    }

    /// Carries operations out, and notes what of it is durable.
    fn apply(&mut self, operations: Vec<Operation>) -> Completion {
        let mut results = Vec::new();
        for operation in operations {
            let before = match &operation {
                Operation::Rename { to, .. } => self.platter.contents.get(to.as_str()).cloned(),
                _ => None,
            };
            let effect = Effect::Operations(vec![operation.clone()]);
            let Completion::Done(done) = self.disk.apply(effect) else {
                panic!("{operation:?} fails")
            };
            results.extend(done);
            self.note(&operation, before);
        }
        Completion::Done(results)
    }

    fn note(&mut self, operation: &Operation, before: Option<Vec<u8>>) {
        match operation {
            Operation::Sync(file) => {
                let path = file.path.as_str();
                let content = self.disk.get(path).unwrap_or_default().to_vec();
                self.platter.contents.insert(path.to_string(), content);
            }
            Operation::Rename { from, to } => {
                let content = self.platter.contents.remove(from.as_str()).unwrap_or_default();
                self.platter.contents.insert(to.as_str().to_string(), content);
                let known = self.platter.entries.contains(to.as_str());
                let before = before.filter(|_| known);
                self.platter.renamed_over.insert(to.as_str().to_string(), before);
            }
            Operation::SyncDirectory(path) if path.as_str() == DIRECTORY => self.sync_directory(),
            _ => {}
        }
    }

    fn sync_directory(&mut self) {
        let Platter { contents, entries, renamed_over } = &mut self.platter;
        *entries = self.disk.files().keys().cloned().collect();
        contents.retain(|path, _| entries.contains(path));
        renamed_over.clear();
    }

    /// Appends, completes and syncs at random, and then stops or crashes.
    fn live(&mut self, mut log: Log) {
        let mut numbering = Numbering::new(JobId::BROKER);
        let mut effects = Vec::new();
        let mut syncing: Option<(BTreeMap<String, Vec<u8>>, bool)> = None;
        for _ in 0..self.rng.below(80) {
            match self.rng.below(5) {
                0 | 1 => self.append(&mut log, &mut numbering, &mut effects),
                2 | 3 if !effects.is_empty() => {
                    let at = self.rng.below(effects.len() as u64) as usize;
                    self.complete(&mut log, at, &mut effects);
                }
                4 if syncing.is_none() && log.is_dirty() => {
                    syncing = Some(self.begin_sync(&mut log));
                }
                4 => {
                    if let Some(begun) = syncing.take() {
                        self.end_sync(&mut log, begun);
                    }
                }
                _ => {}
            }
            if self.chance(10) {
                self.recovery_point = log.recovery_point();
            }
        }
        if self.chance(3) {
            return self.stop(log, numbering, effects, syncing);
        }
        self.kept_end = match self.crash {
            Crash::Killed => log.end(Level::Written),
            Crash::PowerLoss => log.end(Level::Synced),
        };
        self.stop_anywhere(effects);
        self.crash();
    }

    fn append(
        &mut self,
        log: &mut Log,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        self.epoch += i32::from(self.chance(8));
        let records = 1 + self.rng.below(3) as i32;
        let batch = new_batch(records, self.end());
        let bytes = batch.clone().place(self.end(), self.epoch).concat();
        let placed = log.append(batch, self.epoch, Now::default(), numbering, effects);
        self.batches.push(Placed { end: placed.last_offset + 1, epoch: self.epoch, bytes });
    }

    fn complete(&mut self, log: &mut Log, at: usize, effects: &mut Vec<(EffectId, Effect)>) {
        let (id, effect) = effects.remove(at);
        let Effect::Operations(operations) = effect else { panic!("a log syncs no set") };
        self.apply(operations);
        log.handle_written(id, effects);
    }

    /// What the sync will make durable: contents, and whether entries too.
    fn begin_sync(&self, log: &mut Log) -> (BTreeMap<String, Vec<u8>>, bool) {
        let mut set =
            SyncSet { directory: Path::new("/data"), files: Vec::new(), directories: Vec::new() };
        log.begin_sync(&mut set);
        let contents = set.files.iter().map(|file| {
            let path = file.path.as_str();
            (path.to_string(), self.disk.get(path).unwrap_or_default().to_vec())
        });
        (contents.collect(), !set.directories.is_empty())
    }

    fn end_sync(
        &mut self,
        log: &mut Log,
        (contents, with_directory): (BTreeMap<String, Vec<u8>>, bool),
    ) {
        if with_directory {
            self.platter.entries.extend(contents.keys().cloned());
        }
        self.platter.contents.extend(contents);
        log.handle_synced();
        if self.chance(3) {
            self.synced_end = log.end(Level::Synced);
        }
    }

    /// A clean stop; the power may go behind it.
    fn stop(
        &mut self,
        mut log: Log,
        mut numbering: Numbering,
        mut effects: Vec<(EffectId, Effect)>,
        syncing: Option<(BTreeMap<String, Vec<u8>>, bool)>,
    ) {
        if let Some(begun) = syncing {
            self.end_sync(&mut log, begun);
        }
        while !effects.is_empty() {
            self.complete(&mut log, 0, &mut effects);
        }
        while log.is_dirty() {
            let begun = self.begin_sync(&mut log);
            self.end_sync(&mut log, begun);
        }
        log.seal_for_stop(&mut numbering, &mut effects);
        while !effects.is_empty() {
            self.complete(&mut log, 0, &mut effects);
        }
        let end = log.accepted_end();
        assert_eq!(log.recovery_point(), end);
        (self.recovery_point, self.synced_end, self.kept_end) = (end, end, end);
        self.is_clean = true;
        self.crash();
    }

    fn crash(&mut self) {
        self.disk.close_all();
        if self.crash == Crash::PowerLoss {
            self.lose_power();
        }
    }

    /// Carries a part of each effect out, a write to any byte.
    fn stop_anywhere(&mut self, effects: Vec<(EffectId, Effect)>) {
        for (_, effect) in effects {
            let Effect::Operations(mut operations) = effect else { panic!("a log syncs no set") };
            operations.truncate(self.rng.below(operations.len() as u64 + 1) as usize);
            if let Some(Operation::Write { data, .. }) = operations.last_mut() {
                let whole = data.concat();
                let part = self.rng.below(whole.len() as u64 + 1) as usize;
                *data = Vec::from([whole[..part].to_vec().into()]);
            }
            self.apply(operations);
        }
    }

    /// Each sector of a file that is not durable is kept, dropped or garbled; each entry that is not
    /// durable is kept or dropped, a rename too. The small files are replaced durably.
    fn lose_power(&mut self) {
        let small = [PartitionMetadata::FILE, LeaderEpochs::FILE];
        let mut after = Disk::default();
        after.make_directory("/data");
        if self.disk.has_directory(DIRECTORY) {
            after.make_directory(DIRECTORY);
        }
        let Platter { contents, entries, renamed_over } = core::mem::take(&mut self.platter);
        let paths: BTreeSet<String> = self.disk.files().keys().chain(&entries).cloned().collect();
        for path in paths {
            let cached = self.disk.get(&path).map(<[u8]>::to_vec);
            if small.contains(&Path::new(&path).name()) {
                after.put(&path, cached.unwrap_or_default());
                continue;
            }
            let durable = contents.get(&path).cloned().unwrap_or_default();
            if let Some(before) = renamed_over.get(&path)
                && self.chance(2)
            {
                if let Some(before) = before {
                    after.put(&path, before.clone());
                }
                continue;
            }
            let content = match (entries.contains(&path), cached) {
                (false, Some(_)) if self.chance(2) => continue,
                (true, None) if self.chance(2) => durable,
                (_, None) => continue,
                (_, Some(cached)) => self.mix(&durable, &cached),
            };
            after.put(&path, content);
        }
        self.platter.contents = after.files().clone();
        self.platter.entries = after.files().keys().cloned().collect();
        self.disk = after;
    }

    fn mix(&mut self, durable: &[u8], cached: &[u8]) -> Vec<u8> {
        let mut mixed = cached.to_vec();
        for (at, sector) in mixed.chunks_mut(SECTOR).enumerate() {
            let old = durable.get(at * SECTOR..).unwrap_or_default();
            let old = &old[..old.len().min(sector.len())];
            match self.rng.below(3) {
                0 => {}
                1 => {
                    sector.fill(0);
                    sector[..old.len()].copy_from_slice(old);
                }
                _ if old.is_empty() => sector.fill(0xa5),
                _ => {}
            }
        }
        if self.chance(2) {
            let least = durable.len().min(mixed.len()) as u64;
            let length = least + self.rng.below(mixed.len() as u64 - least + 1);
            mixed.truncate(length as usize);
        }
        mixed
    }
}

/// Records whose sequences are their offsets, and the largest timestamp the batch's end.
fn new_batch(records: i32, base_offset: i64) -> CheckedBatch {
    let mut builder = BatchBuilder::new().producer(PRODUCER, 0, base_offset as i32);
    for at in 0..i64::from(records) {
        builder.append(base_offset + at + 1, None, Some(b"a value of some bytes"));
    }
    builder.build()
}
