//! Lives of one log: appends in any order, a crash anywhere, a load, and on.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::LoadLogContext;
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::checkpoint::{LeaderEpochs, PartitionMetadata};
use crate::config::Limits;
use crate::effect::{Completion, Effect, Operation, Path, SyncSet};
use crate::ids::{DirectoryIndex, EffectId, JobId, Numbering, Uuid};
use crate::job::testing::Disk;
use crate::job::{Job, JobOutcome};
use crate::log::{Level, Log, LogConfig};
use crate::rng::Rng;
use crate::time::Now;

const DIRECTORY: &str = "/data/t-0";
const TOPIC_ID: Uuid = Uuid([7; 16]);
const SECTOR: usize = 32;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// The page cache stays; effects that are out stop anywhere.
    Killed,
    /// The page cache goes too, sector by sector.
    PowerLoss,
}

/// One partition over many lives.
struct Lives {
    rng: Rng,
    disk: Disk,
    /// What is on the platter: content by path, for files whose entry is there too.
    durable: BTreeMap<String, Vec<u8>>,
    /// Every batch that may be in the log: end, epoch, bytes.
    batches: Vec<(i64, i32, Vec<u8>)>,
    /// What the checkpoint says.
    synced_end: i64,
    /// What the last crash must have left.
    kept_end: i64,
    epoch: i32,
    life: u64,
}

#[test]
fn nothing_that_reached_its_level_is_lost() {
    for seed in 0..30_u8 {
        for crash in [Crash::Killed, Crash::PowerLoss] {
            let mut lives = Lives::new(seed);
            for _ in 0..6 {
                let log = lives.load();
                lives.live(log, crash);
            }
            lives.load();
        }
    }
}

impl Lives {
    fn new(seed: u8) -> Self {
        let mut disk = Disk::default();
        disk.make_directory("/data");
        Self {
            rng: Rng::from_seed([seed; 32]),
            disk,
            durable: BTreeMap::new(),
            batches: Vec::new(),
            synced_end: 0,
            kept_end: 0,
            epoch: 0,
            life: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.rng.below(one_in) == 0
    }

    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |(end, ..)| *end)
    }

    /// Loads the log and checks it: whole batches, in order, as they were appended.
    fn load(&mut self) -> Log {
        self.life += 1;
        let exists = self.disk.has_directory(DIRECTORY);
        let context = LoadLogContext {
            path: Path::new(DIRECTORY),
            log_directory: DirectoryIndex(0),
            topic: "t".into(),
            topic_id: TOPIC_ID,
            partition: 0,
            stray_id: Uuid([0xab; 16]),
            exists,
            is_clean: false,
            recovery_point: None,
            synced_end: Some(self.synced_end),
            log_start: None,
            config: LogConfig { segment_bytes: 400, ..LogConfig::default() },
            leader_epoch: self.epoch,
            limits: Limits { job_piece_bytes: 128, ..Limits::default() },
        };
        self.disk.trace.clear();
        let result = self.disk.run(&mut Job::load_log(JobId(self.life), context));
        let JobOutcome::LogLoaded(log) = result.outcome else { panic!("{:?}", result.outcome) };
        let end = log.accepted_end();
        assert!(end >= self.kept_end, "{end} is below {}", self.kept_end);
        self.batches.retain(|(batch_end, ..)| *batch_end <= end);
        assert_eq!(self.end(), end);
        let expected: Vec<u8> = self.batches.iter().flat_map(|(.., b)| b.clone()).collect();
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
        for (batch_end, epoch, _) in &self.batches {
            epochs.assign(*epoch, start);
            start = *batch_end;
        }
        assert_eq!(*log.epochs(), epochs);
        self.take_over_synced();
        *log
    }

    /// What the load has synced is durable.
    fn take_over_synced(&mut self) {
        for operation in self.disk.trace.clone() {
            match operation {
                Operation::Sync(file) => self.make_durable(file.path.as_str()),
                Operation::SyncDirectory(path) if path.as_str() == DIRECTORY => {
                    let files = self.disk.files();
                    self.durable.retain(|path, _| files.contains_key(path));
                    for path in files.keys() {
                        self.durable.entry(path.clone()).or_default();
                    }
                }
                _ => {}
            }
        }
    }

    fn make_durable(&mut self, path: &str) {
        if let Some(content) = self.disk.get(path) {
            self.durable.insert(path.to_string(), content.to_vec());
        }
    }

    /// Appends, completes and syncs at random, and then crashes.
    fn live(&mut self, mut log: Log, crash: Crash) {
        let mut numbering = Numbering::new(JobId::BROKER);
        let mut effects = Vec::new();
        let mut syncing: Option<(BTreeMap<String, Vec<u8>>, bool)> = None;
        for _ in 0..self.rng.below(60) {
            match self.rng.below(5) {
                0 | 1 => {
                    self.epoch += i32::from(self.chance(8));
                    let records = 1 + self.rng.below(3) as i32;
                    let batch = new_batch(records, self.end());
                    let bytes = batch.clone().place(self.end(), self.epoch).concat();
                    let placed =
                        log.append(batch, self.epoch, Now::default(), &mut numbering, &mut effects);
                    self.batches.push((placed.last_offset + 1, self.epoch, bytes));
                }
                2 | 3 if !effects.is_empty() => {
                    let (id, effect) =
                        effects.remove(self.rng.below(effects.len() as u64) as usize);
                    assert!(matches!(self.disk.apply(effect), Completion::Done(_)));
                    log.handle_written(id, &mut effects);
                }
                4 if syncing.is_none() && log.is_dirty() => {
                    let mut set = SyncSet {
                        directory: Path::new("/data"),
                        files: Vec::new(),
                        directories: Vec::new(),
                    };
                    log.begin_sync(&mut set);
                    let contents = set.files.iter().map(|file| {
                        let path = file.path.as_str();
                        (path.to_string(), self.disk.get(path).unwrap_or_default().to_vec())
                    });
                    syncing = Some((contents.collect(), !set.directories.is_empty()));
                }
                4 => {
                    if let Some((contents, with_directory)) = syncing.take() {
                        for (path, content) in contents {
                            if with_directory || self.durable.contains_key(&path) {
                                self.durable.insert(path, content);
                            }
                        }
                        log.handle_synced();
                        if self.chance(3) {
                            self.synced_end = log.end(Level::Synced);
                        }
                    }
                }
                _ => {}
            }
        }
        let kept = match crash {
            Crash::Killed => log.end(Level::Written),
            Crash::PowerLoss => log.end(Level::Synced),
        };
        self.stop_anywhere(effects);
        self.disk.close_all();
        if crash == Crash::PowerLoss {
            self.lose_power();
        }
        self.kept_end = kept;
    }

    /// Carries a part of each effect out, a write to any byte.
    fn stop_anywhere(&mut self, effects: Vec<(EffectId, Effect)>) {
        for (_, effect) in effects {
            let Effect::Operations(mut operations) = effect else { panic!("a log syncs nothing") };
            operations.truncate(self.rng.below(operations.len() as u64 + 1) as usize);
            if let Some(Operation::Write { data, .. }) = operations.last_mut() {
                let whole = data.concat();
                let part = self.rng.below(whole.len() as u64 + 1) as usize;
                *data = Vec::from([whole[..part].to_vec().into()]);
            }
            assert!(matches!(self.disk.apply(Effect::Operations(operations)), Completion::Done(_)));
        }
    }

    /// Each sector of a log file that is not durable is kept, dropped or garbled; each entry that is
    /// not durable is kept or dropped. The small files are replaced durably.
    fn lose_power(&mut self) {
        let small = [PartitionMetadata::FILE, LeaderEpochs::FILE];
        let mut after = Disk::default();
        after.make_directory(DIRECTORY);
        let paths: BTreeSet<String> =
            self.disk.files().keys().chain(self.durable.keys()).cloned().collect();
        for path in paths {
            let cached = self.disk.get(&path).map(<[u8]>::to_vec);
            let durable = self.durable.get(&path).cloned();
            if small.contains(&Path::new(&path).name()) {
                after.put(&path, cached.unwrap_or_default());
                continue;
            }
            let content = match (durable, cached) {
                (None, Some(_)) if self.chance(2) => continue,
                (Some(durable), None) if self.chance(2) => durable,
                (_, None) => continue,
                (durable, Some(cached)) => self.mix(&durable.unwrap_or_default(), &cached),
            };
            after.put(&path, content.clone());
        }
        self.durable = after.files().clone();
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

fn new_batch(records: i32, salt: i64) -> CheckedBatch {
    let mut builder = BatchBuilder::new();
    for at in 0..i64::from(records) {
        builder.append(salt + at, None, Some(b"a value of some bytes"));
    }
    builder.build()
}
