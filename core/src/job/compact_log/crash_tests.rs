//! Cuts a compaction wherever a crash may, and loads what is left: each group of segments is the old one or the new,
//! or the new with old segments behind its last batch.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::tests::{Bench, Writer, content, history, load, plain};
use crate::effect::{Completion, Effect, Operation};
use crate::job::testing::Disk;
use crate::rng::Rng;

/// A compaction of a log with something of everything.
struct Compacted {
    before: Disk,
    operations: Vec<Operation>,
    /// The log's bytes before, and when each group was in place.
    states: Vec<Vec<u8>>,
    end: i64,
    recovery_point: i64,
    sequences: Vec<(i64, i32)>,
}

/// Histories of everything, and at last one of which every segment but the last is superseded.
const HISTORIES: u8 = 5;

fn compacted(seed: u8) -> Compacted {
    compact(uncompacted(seed))
}

fn uncompacted(seed: u8) -> Bench {
    if seed + 1 == HISTORIES {
        let pairs: &[(&str, Option<&str>)] = &[("a", Some("value")), ("b", Some("value"))];
        return Bench::new(&plain(&[pairs; 20]), 3);
    }
    let mut writer = Writer::new(seed);
    let mut batches = history(&mut writer, 30);
    let mut bench = Bench::new(&batches, 4);
    if seed.is_multiple_of(2) {
        // Tombstones and markers of the first go in the second.
        bench.compact().expect("it is compacted");
        bench.now_ms += 5_000;
        batches = history(&mut writer, 20);
        bench.append(&batches, 3);
    }
    bench.aborted = writer.aborted;
    bench
}

fn compact(mut bench: Bench) -> Compacted {
    let producers = bench.log.producers().active();
    let sequences = producers.map(|it| (it.producer_id, it.last_sequence)).collect();
    let (end, recovery_point) = (bench.log.accepted_end(), bench.log.recovery_point());
    let before = bench.disk.clone();
    bench.disk.trace.clear();
    let mut states = vec![bench.content()];
    bench.compact_with(|bench| states.push(bench.content())).expect("it is compacted");
    assert!(states.len() > 2, "there are some groups");
    Compacted { before, operations: bench.disk.trace, states, end, recovery_point, sequences }
}

fn apply(disk: &mut Disk, operations: &[Operation]) {
    let completion = disk.apply(Effect::Operations(operations.to_vec()));
    assert!(matches!(completion, Completion::Done(_)), "{completion:?}");
}

/// Whether `found` is `new` with a piece of `old` in one place more.
fn has_some_left(found: &[u8], old: &[u8], new: &[u8]) -> bool {
    let Some(more @ 1..) = found.len().checked_sub(new.len()) else { return false };
    let same = found.iter().zip(new).take_while(|(found, new)| found == new).count();
    let (left, behind) = found[same..].split_at(more);
    behind == &new[same..] && old.windows(more).any(|piece| piece == left)
}

impl Compacted {
    /// The number of the state with this content; that of the new one for a group that is partly there.
    fn state(&self, content: &[u8]) -> Option<usize> {
        let whole = self.states.iter().position(|state| state == content);
        let mut steps = self.states.windows(2);
        whole.or_else(|| {
            Some(1 + steps.position(|step| has_some_left(content, &step[0], &step[1]))?)
        })
    }

    /// Loads it, and gives which state it is in.
    fn check(&self, disk: &Disk, says: &str) -> usize {
        let mut found = BTreeSet::new();
        // The recovery point is checkpointed now and then, or never.
        for recovery_point in [0, self.recovery_point] {
            let mut disk = disk.clone();
            let log = load(&mut disk, 500, self.end, recovery_point);
            assert_eq!(log.accepted_end(), self.end, "{says}");
            let state = self.state(&content(&disk, &log));
            found.insert(state.unwrap_or_else(|| panic!("{says}: neither old nor new")));
            let producers = log.producers().active();
            let sequences: Vec<_> =
                producers.map(|it| (it.producer_id, it.last_sequence)).collect();
            assert_eq!(sequences, self.sequences, "{says}");
            let waste = disk.files().keys().filter(|path| {
                [".cleaned", ".swap", ".deleted"].iter().any(|it| path.strip_suffix(it).is_some())
            });
            assert_eq!(waste.count(), 0, "{says}");
        }
        assert_eq!(found.len(), 1, "{says}");
        found.pop_first().expect("one state")
    }
}

#[test]
fn kill_leaves_each_group_old_or_new() {
    for seed in 0..HISTORIES {
        let compacted = compacted(seed);
        let mut states = Vec::new();
        for cut in 0..=compacted.operations.len() {
            let mut disk = compacted.before.clone();
            apply(&mut disk, &compacted.operations[..cut]);
            states.push(compacted.check(&disk, &format!("seed {seed}, cut before {cut}")));
            let Some(Operation::Write { file, position, data }) = compacted.operations.get(cut)
            else {
                continue;
            };
            let data = data.concat();
            let part = Bytes::copy_from_slice(&data[..data.len() / 2]);
            let (file, position) = (file.clone(), *position);
            apply(&mut disk, &[Operation::Write { file, position, data: vec![part] }]);
            compacted.check(&disk, &format!("seed {seed}, operation {cut} cut"));
        }
        assert!(states.is_sorted(), "what is done stays done: {states:?}");
        assert_eq!(states.last(), Some(&(compacted.states.len() - 1)));
    }
}

/// Old segments that a crash leaves behind new ones hold what later records have replaced or deleted.
#[test]
fn what_a_crash_leaves_is_compacted_to_its_end() {
    for seed in 0..HISTORIES {
        let compacted = compacted(seed);
        let operations = compacted.operations.iter().enumerate();
        for (cut, _) in operations.filter(|(_, it)| matches!(it, Operation::Rename { .. })) {
            let mut bench = uncompacted(seed);
            apply(&mut bench.disk, &compacted.operations[..cut]);
            bench.log = load(&mut bench.disk, 500, compacted.end, compacted.recovery_point);
            for _ in 0..3 {
                bench.compact().expect("it is compacted");
                bench.check();
                bench.now_ms += 5_000;
            }
        }
    }
}

/// Files, by what of them is durable.
#[derive(Clone, Default)]
struct Platter {
    /// Cached content and what a sync has covered.
    files: Vec<(Vec<u8>, Vec<u8>)>,
    entries: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// What was done to entries since the directory was synced.
    changes: Vec<Change>,
    open: BTreeMap<crate::ids::FileId, String>,
}

#[derive(Clone)]
enum Change {
    Make(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

impl Change {
    fn apply(&self, entries: &mut BTreeMap<String, usize>) {
        match self {
            Self::Make(path, file) => {
                entries.insert(path.clone(), *file);
            }
            Self::Rename(from, to, file) => {
                entries.remove(from);
                entries.insert(to.clone(), *file);
            }
            Self::Unlink(path) => {
                entries.remove(path);
            }
        }
    }
}

impl Platter {
    fn new(disk: &Disk) -> Self {
        let mut platter = Self::default();
        for (path, content) in disk.files() {
            platter.entries.insert(path.clone(), platter.files.len());
            platter.files.push((content.clone(), content.clone()));
        }
        platter.durable = platter.entries.clone();
        platter
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.entries);
        self.changes.push(change);
    }

    fn carry_out(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(file) | Operation::Write { file, .. } => {
                let path = self.path(file);
                let is_there = self.entries.contains_key(&path);
                if !is_there {
                    self.files.push(Default::default());
                    self.change(Change::Make(path.clone(), self.files.len() - 1));
                }
                let cached = &mut self.files[self.entries[&path]].0;
                if let Operation::Write { position, data, .. } = operation {
                    let (start, data) = (*position as usize, data.concat());
                    cached.resize(cached.len().max(start + data.len()), 0);
                    cached[start..start + data.len()].copy_from_slice(&data);
                } else {
                    cached.clear();
                }
            }
            Operation::Sync(file) => {
                let path = self.path(file);
                let (cached, durable) = &mut self.files[self.entries[&path]];
                durable.clone_from(cached);
            }
            Operation::SyncDirectory(_) => {
                self.durable = self.entries.clone();
                self.changes.clear();
            }
            Operation::Rename { from, to } => {
                let (from, to) = (from.as_str().to_string(), to.as_str().to_string());
                for path in self.open.values_mut().filter(|path| **path == from) {
                    path.clone_from(&to);
                }
                let file = self.entries[&from];
                self.change(Change::Rename(from, to, file));
            }
            Operation::Unlink(path) => self.change(Change::Unlink(path.as_str().to_string())),
            _ => {}
        }
    }

    fn path(&mut self, file: &crate::effect::FileRef) -> String {
        let path = || file.path.as_str().to_string();
        self.open.entry(file.id).or_insert_with(path).clone()
    }

    /// The power goes: each change that is not durable is there or not.
    fn lose(&self, rng: &mut Rng) -> Disk {
        let mut entries = self.durable.clone();
        for change in &self.changes {
            if rng.below(2) == 0 {
                change.apply(&mut entries);
            }
        }
        let mut disk = Disk::default();
        disk.make_directory("/data/t-0");
        for (path, file) in entries {
            let (cached, durable) = &self.files[file];
            let mut content = cached.clone();
            if cached != durable {
                match rng.below(3) {
                    0 => content = durable.clone(),
                    1 => content.fill(0),
                    _ => content.truncate(rng.below(content.len() as u64 + 1) as usize),
                }
            }
            disk.put(&path, content);
        }
        disk
    }
}

#[test]
fn power_loss_leaves_each_group_old_or_new() {
    for seed in 0..HISTORIES {
        let compacted = compacted(seed);
        let mut rng = Rng::from_seed([seed + 9; 32]);
        let mut platter = Platter::new(&compacted.before);
        for (at, operation) in compacted.operations.iter().enumerate() {
            platter.carry_out(operation);
            for round in 0..4 {
                let disk = platter.lose(&mut rng);
                compacted.check(&disk, &format!("seed {seed}, behind {at}, round {round}"));
            }
        }
    }
}

/// Recovery is cut too, again and again, before it comes to its end.
#[test]
fn recovery_may_be_cut_as_well() {
    let compacted = compacted(2);
    for cut in 0..=compacted.operations.len() {
        let mut disk = compacted.before.clone();
        apply(&mut disk, &compacted.operations[..cut]);
        let mut whole = disk.clone();
        whole.trace.clear();
        load(&mut whole, 400, compacted.end, 0);
        let recovery = whole.trace.clone();
        for part in [recovery.len() / 3, recovery.len() / 2] {
            let mut disk = disk.clone();
            disk.close_all();
            let done = disk.apply(Effect::Operations(recovery[..part].to_vec()));
            assert!(matches!(done, Completion::Done(_)));
            compacted.check(&disk, &format!("cut before {cut}, recovery before {part}"));
        }
    }
}
