//! Each promise of the model, shown.

use std::collections::BTreeSet;

use bytes::Bytes;
use klamm_core::effect::{
    Completion, Effect, FileRange, FileRef, IoErrorKind, Operation, OperationResult, Path, Space,
    SyncSet,
};
use klamm_core::ids::{EffectId, FileId, JobId};

use super::{Crash, Disk, Faults, Progress, SECTOR_BYTES, ServedLevel, Violation};
use crate::decisions::Decisions;

/// A disk with the directory `/d`, and the numbers of effects and files.
struct Bench {
    disk: Disk,
    decisions: Decisions,
    effects: u64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut disk = Disk::new();
        disk.put_directory(&Path::new("/d"));
        disk.set_log_directories(vec![Path::new("/d")]);
        Self { disk, decisions: Decisions::from_seed(seed), effects: 0 }
    }

    fn submit(&mut self, effect: Effect) -> EffectId {
        let id = EffectId { owner: JobId::BROKER, number: self.effects };
        self.effects += 1;
        self.disk.submit(id, effect, &mut self.decisions);
        id
    }

    fn finish(&mut self, id: EffectId) -> Completion {
        loop {
            self.disk.start(id);
            if self.disk.take_hold(id, 5, &mut self.decisions) == Progress::Finished {
                return self.disk.complete(id);
            }
        }
    }

    fn run(&mut self, operations: Vec<Operation>) -> Completion {
        let id = self.submit(Effect::Operations(operations));
        self.finish(id)
    }

    fn well(&mut self, operations: Vec<Operation>) -> Vec<OperationResult> {
        self.run(operations).into_result().expect("no fault is on")
    }

    fn lose_power(&mut self) {
        self.disk.crash(Crash::PowerLoss, &mut self.decisions);
    }

    fn content(&self, path: &str) -> Option<&[u8]> {
        self.disk.content(&Path::new(path))
    }
}

fn file(number: u64, path: &str) -> FileRef {
    FileRef { id: FileId { owner: JobId::BROKER, number }, path: Path::new(path) }
}

fn write(file: &FileRef, position: u64, data: &[u8]) -> Operation {
    Operation::Write { file: file.clone(), position, data: vec![Bytes::copy_from_slice(data)] }
}

fn read(file: &FileRef) -> Operation {
    Operation::Read { file: file.clone(), position: 0, length: 1 << 20 }
}

fn sync_all(file: &FileRef) -> Vec<Operation> {
    vec![Operation::Sync(file.clone()), Operation::SyncDirectory(Path::new("/d"))]
}

fn log() -> FileRef {
    file(1, "/d/0.log")
}

#[test]
fn what_is_written_reads_back_and_holes_are_zeros() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 3, b"abc")]);
    let results = bench.well(vec![Operation::Open(log()), read(&log())]);
    assert_eq!(results[0], OperationResult::Opened(6));
    assert_eq!(results[1], OperationResult::Read(Bytes::from_static(b"\0\0\0abc")));
}

#[test]
fn an_effect_ends_at_its_first_failure() {
    let mut bench = Bench::new(1);
    let missing = file(2, "/d/none");
    let completion =
        bench.run(vec![write(&log(), 0, b"a"), Operation::Open(missing), write(&log(), 0, b"b")]);
    let Completion::Failed { done, error } = completion else { panic!("{completion:?}") };
    assert_eq!((done, error.kind), (vec![OperationResult::Done], IoErrorKind::NotFound));
    assert_eq!(bench.content("/d/0.log"), Some(&b"a"[..]));
}

#[test]
fn listings_are_sorted_and_tell_kinds() {
    let mut bench = Bench::new(1);
    bench.well(vec![Operation::MakeDirectory(Path::new("/d/b/c")), write(&log(), 0, b"xy")]);
    let results = bench.well(vec![Operation::List(Path::new("/d"))]);
    let OperationResult::Listed(entries) = &results[0] else { panic!("{results:?}") };
    let names: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.length)).collect();
    assert_eq!(names, [("0.log", 2), ("b", 0)]);
    assert_eq!(entries[0].modified_ms, 5);
}

#[test]
fn what_is_written_leaves_less_room() {
    let mut bench = Bench::new(1);
    let space = |bench: &mut Bench| match bench.well(vec![Operation::Space(Path::new("/d"))])[..] {
        [OperationResult::Space(space)] => space,
        ref other => panic!("{other:?}"),
    };
    let empty = space(&mut bench);
    bench.well(vec![write(&log(), 0, b"xyz")]);
    let used = Space { usable_bytes: empty.usable_bytes - 3, ..empty };
    assert_eq!(space(&mut bench), used);
    bench.disk.set_faults(Faults { capacity: Some(2), ..Faults::default() });
    assert_eq!(space(&mut bench), Space { total_bytes: 2, usable_bytes: 0 });
    let missing = bench.run(vec![Operation::Space(Path::new("/none"))]).into_result();
    assert_eq!(missing.unwrap_err().kind, IoErrorKind::NotFound);
}

#[test]
fn ids_follow_renames_of_the_file_and_of_its_directory() {
    let mut bench = Bench::new(1);
    let inner = file(2, "/d/t/a.tmp");
    bench.well(vec![Operation::MakeDirectory(Path::new("/d/t")), write(&inner, 0, b"1")]);
    let rename =
        |from: &str, to: &str| Operation::Rename { from: Path::new(from), to: Path::new(to) };
    bench.well(vec![rename("/d/t/a.tmp", "/d/t/a"), rename("/d/t", "/d/u")]);
    bench.well(vec![write(&inner, 1, b"2")]);
    assert_eq!(bench.content("/d/u/a"), Some(&b"12"[..]));
    assert_eq!(bench.disk.take_violations(), []);
}

#[test]
fn a_lock_is_held_until_closed_or_the_process_is_gone() {
    let mut bench = Bench::new(1);
    let (one, other) = (file(1, "/d/.lock"), file(2, "/d/.lock"));
    bench.well(vec![Operation::Lock(one.clone())]);
    let refused = bench.run(vec![Operation::Lock(other.clone())]).into_result().unwrap_err();
    assert_eq!(refused.kind, IoErrorKind::Locked);
    bench.well(vec![Operation::Close(one), Operation::Lock(other)]);
    bench.disk.crash(Crash::Killed, &mut bench.decisions);
    bench.well(vec![Operation::Lock(file(3, "/d/.lock"))]);
}

#[test]
fn killed_keeps_the_page_cache_and_cuts_a_write_at_any_byte() {
    let mut lengths = BTreeSet::new();
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        bench.well(vec![write(&log(), 0, b"base")]);
        let id = bench.submit(Effect::Operations(vec![write(&log(), 4, b"12345678")]));
        bench.disk.start(id);
        bench.disk.crash(Crash::Killed, &mut bench.decisions);
        let content = bench.content("/d/0.log").unwrap();
        assert_eq!(content, &b"base12345678"[..content.len()]);
        lengths.insert(content.len());
    }
    assert_eq!(lengths, (4..=12).collect());
}

#[test]
fn killed_leaves_what_had_started_done_or_not_and_forgets_ids() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        bench.well(vec![write(&log(), 0, b"x")]);
        let (from, to) = (Path::new("/d/0.log"), Path::new("/d/1.log"));
        let id = bench.submit(Effect::Operations(vec![Operation::Rename { from, to }]));
        bench.disk.start(id);
        bench.disk.crash(Crash::Killed, &mut bench.decisions);
        let there = (bench.content("/d/0.log").is_some(), bench.content("/d/1.log").is_some());
        outcomes.insert(there);
        let opened = bench.run(vec![Operation::Open(log())]).into_result();
        assert_eq!(opened.is_ok(), there.0, "the id stands for its path again");
    }
    assert_eq!(outcomes, BTreeSet::from([(true, false), (false, true)]));
}

#[test]
fn an_operation_that_has_not_started_never_happened() {
    let mut bench = Bench::new(3);
    bench.submit(Effect::Operations(vec![write(&log(), 0, b"x")]));
    bench.disk.crash(Crash::Killed, &mut bench.decisions);
    assert_eq!(bench.content("/d/0.log"), None);
}

#[test]
fn synced_bytes_survive_power_loss_even_beside_a_garbled_tail() {
    for seed in 0..300 {
        let mut bench = Bench::new(seed);
        let durable = vec![7_u8; SECTOR_BYTES + 100];
        bench.well([vec![write(&log(), 0, &durable)], sync_all(&log())].concat());
        bench.well(vec![write(&log(), durable.len() as u64, &[8; 900])]);
        bench.lose_power();
        assert_eq!(&bench.content("/d/0.log").unwrap()[..durable.len()], &durable[..], "{seed}");
    }
}

#[test]
fn unsynced_sectors_are_kept_dropped_or_garbled_and_lengths_go_their_own_way() {
    let (mut kept, mut zeros, mut noise, mut short, mut mixed) = (0, 0, 0, 0, 0);
    for seed in 0..300 {
        let mut bench = Bench::new(seed);
        bench.well([vec![write(&log(), 0, b"")], sync_all(&log())].concat());
        bench.well(vec![write(&log(), 0, &[7; 3 * SECTOR_BYTES])]);
        bench.lose_power();
        let content = bench.content("/d/0.log").unwrap();
        short += usize::from(content.len() < 3 * SECTOR_BYTES);
        let sectors: Vec<u8> = content.chunks_exact(SECTOR_BYTES).map(|s| s[9]).collect();
        for &byte in &sectors {
            match byte {
                7 => kept += 1,
                0 => zeros += 1,
                _ => noise += 1,
            }
        }
        mixed += usize::from(sectors.len() == 3 && sectors[0] != 7 && sectors[2] == 7);
    }
    assert!(kept > 50 && zeros > 50 && noise > 50 && short > 50 && mixed > 5);
}

#[test]
fn a_sync_covers_what_was_there_when_it_began() {
    let mut lost = 0;
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        bench.well([vec![write(&log(), 0, &[1; SECTOR_BYTES])], sync_all(&log())].concat());
        let sync = bench.submit(Effect::Operations(vec![Operation::Sync(log())]));
        bench.disk.start(sync);
        bench.well(vec![write(&log(), SECTOR_BYTES as u64, &[2; SECTOR_BYTES])]);
        bench.finish(sync);
        bench.lose_power();
        let content = bench.content("/d/0.log").unwrap();
        assert_eq!(content[..SECTOR_BYTES], [1; SECTOR_BYTES]);
        lost += usize::from(content.len() < 2 * SECTOR_BYTES || content[SECTOR_BYTES] != 2);
    }
    // `finish` starts the operation again, which must not make its sync cover more.
    assert!(lost > 20, "{lost}");
}

#[test]
fn a_sync_of_a_directory_covers_its_entries_as_it_began_and_not_what_lies_in_them() {
    let (mut late, mut empty) = (BTreeSet::new(), 0);
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        bench.well(vec![write(&log(), 0, b"x")]);
        let directory = Operation::SyncDirectory(Path::new("/d"));
        let sync = bench.submit(Effect::Operations(vec![directory]));
        bench.disk.start(sync);
        let other = file(2, "/d/1.log");
        bench.well(vec![write(&other, 0, b"y"), Operation::Sync(other)]);
        bench.finish(sync);
        bench.lose_power();
        let content = bench.content("/d/0.log").expect("its entry was there when the sync began");
        empty += usize::from(content != b"x");
        late.insert(bench.content("/d/1.log").is_some());
    }
    assert_eq!(late.len(), 2, "its entry came later: there or not");
    assert!(empty > 5, "no sync has covered its content");
}

#[test]
fn the_members_of_a_sync_set_have_no_order_and_begin_at_one_moment_or_at_several() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..60 {
        let mut bench = Bench::new(seed);
        let other = file(2, "/d/1.log");
        bench.well(vec![write(&log(), 0, b"aa"), write(&other, 0, b"bb")]);
        bench.well([sync_all(&log()), vec![Operation::Sync(other.clone())]].concat());
        let set = bench.submit(Effect::Sync(SyncSet {
            directory: Path::new("/d"),
            files: vec![log(), other.clone()],
            directories: vec![],
        }));
        bench.disk.start(set);
        bench.disk.take_hold(set, 0, &mut bench.decisions);
        // One member is over. What is written now, the other one covers if it has yet to begin.
        bench.well(vec![write(&log(), 0, b"cc"), write(&other, 0, b"dd")]);
        bench.finish(set);
        let is_durable = |bench: &mut Bench, file: &FileRef| {
            let range = FileRange { file: file.clone(), position: 0, length: 2 };
            bench.disk.serve(&range, ServedLevel::Synced);
            bench.disk.take_violations().is_empty()
        };
        outcomes.insert((is_durable(&mut bench, &log()), is_durable(&mut bench, &other)));
    }
    let expected = [(false, false), (false, true), (true, false)];
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[test]
fn a_read_and_a_listing_answer_what_is_there_as_they_take_hold() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 0, b"old")]);
    let list = Operation::List(Path::new("/d"));
    let reader = bench.submit(Effect::Operations(vec![read(&log())]));
    let lister = bench.submit(Effect::Operations(vec![list]));
    bench.disk.start(reader);
    bench.disk.start(lister);
    bench.well(vec![write(&log(), 0, b"newer"), write(&file(2, "/d/1.log"), 0, b"x")]);
    let seen = bench.finish(reader).into_result().expect("no fault is on");
    assert_eq!(seen, [OperationResult::Read(Bytes::from_static(b"newer"))]);
    let listed = bench.finish(lister).into_result().expect("no fault is on");
    let OperationResult::Listed(entries) = &listed[0] else { panic!("{listed:?}") };
    assert_eq!(entries.len(), 2);
}

#[test]
fn an_older_sync_does_not_bring_older_content_back() {
    let mut bench = Bench::new(1);
    bench.well([vec![write(&log(), 0, b"1")], sync_all(&log())].concat());
    bench.well(vec![write(&log(), 0, b"2")]);
    let older = bench.submit(Effect::Operations(vec![Operation::Sync(log())]));
    bench.disk.start(older);
    bench.well(vec![write(&log(), 0, b"3"), Operation::Sync(log())]);
    bench.disk.take_hold(older, 0, &mut bench.decisions);
    bench.lose_power();
    assert_eq!(bench.content("/d/0.log"), Some(&b"3"[..]));
}

#[test]
fn entries_without_a_directory_sync_are_lost_one_by_one() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let mut bench = Bench::new(seed);
        let (old, gone, moved) = (file(1, "/d/old"), file(2, "/d/gone"), file(3, "/d/moved"));
        for file in [&old, &gone, &moved] {
            bench.well(vec![write(file, 0, b"x"), Operation::Sync(file.clone())]);
        }
        bench.well(vec![Operation::SyncDirectory(Path::new("/d"))]);
        let new = file(4, "/d/new");
        bench.well(vec![write(&new, 0, b"y"), Operation::Sync(new)]);
        bench.well(vec![Operation::Unlink(Path::new("/d/gone"))]);
        let (from, to) = (Path::new("/d/moved"), Path::new("/d/old"));
        bench.well(vec![Operation::Rename { from, to }]);
        bench.lose_power();
        assert!(bench.content("/d/old").is_some(), "a rename never leaves neither");
        let there = |path: &str| bench.content(path).is_some();
        outcomes.insert((there("/d/new"), there("/d/gone"), there("/d/moved")));
    }
    assert_eq!(outcomes.len(), 8, "{outcomes:?}");
}

#[test]
fn a_renamed_file_whose_data_was_not_synced_may_be_empty() {
    let mut empty = 0;
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        let draft = file(1, "/d/a.tmp");
        let (from, to) = (Path::new("/d/a.tmp"), Path::new("/d/a"));
        bench.well(vec![write(&draft, 0, b"x"), Operation::Rename { from, to }]);
        bench.well(vec![Operation::SyncDirectory(Path::new("/d"))]);
        bench.lose_power();
        empty += usize::from(bench.content("/d/a").unwrap() != b"x");
    }
    assert!(empty > 5);
}

#[test]
fn a_sync_set_covers_all_its_members() {
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        let other = file(2, "/d/t/1.log");
        bench.well(vec![Operation::MakeDirectory(Path::new("/d/t")), write(&log(), 0, b"a")]);
        bench.well(vec![write(&other, 0, b"b")]);
        let id = bench.submit(Effect::Sync(SyncSet {
            directory: Path::new("/d"),
            files: vec![log(), other],
            directories: vec![Path::new("/d"), Path::new("/d/t")],
        }));
        assert_eq!(bench.finish(id), Completion::Done(vec![]));
        bench.lose_power();
        assert_eq!(bench.content("/d/0.log"), Some(&b"a"[..]));
        assert_eq!(bench.content("/d/t/1.log"), Some(&b"b"[..]));
    }
}

#[test]
fn a_failed_sync_loses_its_sectors_though_they_read_well_and_the_next_sync_succeeds() {
    let (mut lost, mut rewritten) = (0, 0);
    for seed in 0..100 {
        let mut bench = Bench::new(seed);
        bench.well([vec![write(&log(), 0, b"")], sync_all(&log())].concat());
        bench.well(vec![write(&log(), 0, &[7; 600])]);
        bench.disk.set_faults(Faults { sync_per_mille: 1000, ..Faults::default() });
        assert!(bench.run(vec![Operation::Sync(log())]).into_result().is_err());
        bench.disk.set_faults(Faults::default());
        assert_eq!(bench.content("/d/0.log").unwrap(), [7; 600]);
        if seed % 2 == 0 {
            bench.well(vec![write(&log(), 0, &[7; 600])]);
        }
        bench.well(vec![Operation::Sync(log())]);
        bench.lose_power();
        let whole = bench.content("/d/0.log").unwrap() == [7; 600];
        lost += usize::from(!whole && seed % 2 == 1);
        rewritten += usize::from(whole && seed % 2 == 0);
    }
    assert!(lost > 20, "{lost}");
    assert_eq!(rewritten, 50, "what is written again is durable again");
}

#[test]
fn a_failed_sync_of_a_directory_is_made_good_by_the_next() {
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        bench.well(vec![write(&log(), 0, b"x"), Operation::Sync(log())]);
        let sync = || vec![Operation::SyncDirectory(Path::new("/d"))];
        bench.disk.set_faults(Faults { sync_per_mille: 1000, ..Faults::default() });
        assert!(bench.run(sync()).into_result().is_err());
        bench.disk.set_faults(Faults::default());
        bench.well(sync());
        bench.lose_power();
        assert_eq!(bench.content("/d/0.log"), Some(&b"x"[..]));
    }
}

#[test]
fn what_a_failed_sync_leaves_waiting_does_not_come_after_what_was_done_later() {
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        let (moved, sync) = (Path::new("/d/1.log"), Operation::SyncDirectory(Path::new("/d")));
        bench.well(vec![write(&log(), 0, b"x"), Operation::Sync(log())]);
        bench.well(vec![Operation::Rename { from: log().path, to: moved.clone() }]);
        bench.well(vec![Operation::Unlink(moved)]);
        bench.disk.set_faults(Faults { sync_per_mille: 1000, ..Faults::default() });
        assert!(bench.run(vec![sync.clone()]).into_result().is_err());
        bench.disk.set_faults(Faults::default());
        bench.well(vec![sync]);
        bench.lose_power();
        assert_eq!((bench.content("/d/0.log"), bench.content("/d/1.log")), (None, None));
    }
}

#[test]
fn a_failed_write_leaves_some_of_its_bytes_and_a_full_disk_what_fits() {
    let mut bench = Bench::new(1);
    bench.disk.set_faults(Faults { write_per_mille: 1000, ..Faults::default() });
    let error = bench.run(vec![write(&log(), 0, &[1; 100])]).into_result().unwrap_err();
    assert_eq!(error.kind, IoErrorKind::Other);
    assert!(bench.content("/d/0.log").unwrap().len() <= 100);
    bench.disk.set_faults(Faults { capacity: Some(150), ..Faults::default() });
    let error = bench.run(vec![write(&log(), 0, &[1; 200])]).into_result().unwrap_err();
    assert_eq!(error.kind, IoErrorKind::NoSpace);
    assert_eq!(bench.content("/d/0.log").unwrap().len(), 150);
}

#[test]
fn an_operation_that_fails_changes_nothing_unless_it_writes() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 0, b"abc")]);
    let faults = Faults { read_per_mille: 1000, entry_per_mille: 1000, ..Faults::default() };
    bench.disk.set_faults(faults);
    let (from, to) = (Path::new("/d/0.log"), Path::new("/d/1.log"));
    let failing = [
        Operation::Open(log()),
        read(&log()),
        Operation::List(Path::new("/d")),
        Operation::Create(log()),
        Operation::SetLength { file: log(), length: 1 },
        Operation::Lock(file(2, "/d/.lock")),
        Operation::Rename { from, to },
        Operation::Unlink(Path::new("/d/0.log")),
        Operation::MakeDirectory(Path::new("/d/t")),
        Operation::RemoveDirectory(Path::new("/d/t")),
    ];
    for operation in failing {
        let error = bench.run(vec![operation]).into_result().unwrap_err();
        assert_eq!(error.kind, IoErrorKind::Other);
    }
    assert_eq!(bench.disk.files(), [(Path::new("/d/0.log"), &b"abc"[..])]);
    assert_eq!(bench.disk.directories_in(&Path::new("/d")), []);
}

#[test]
fn faults_strike_one_directory_of_several() {
    let mut bench = Bench::new(1);
    bench.disk.put_directory(&Path::new("/e"));
    let within = Some(Path::new("/d"));
    bench.disk.set_faults(Faults { within, write_per_mille: 1000, ..Faults::default() });
    assert!(bench.run(vec![write(&log(), 0, b"x")]).into_result().is_err());
    bench.well(vec![write(&file(2, "/e/1.log"), 0, b"x")]);
}

#[test]
fn a_bit_that_flips_at_rest_stays_flipped() {
    let mut bench = Bench::new(1);
    bench.disk.put(&Path::new("/d/0.log"), b"aaa");
    assert!(bench.disk.flip(&Path::new("/d/0.log"), 1, 1));
    assert!(!bench.disk.flip(&Path::new("/d/0.log"), 9, 1));
    bench.lose_power();
    assert_eq!(bench.content("/d/0.log"), Some(&b"aca"[..]));
}

#[test]
fn a_live_log_may_not_be_cut_and_recovery_may() {
    let mut bench = Bench::new(1);
    bench.disk.put(&Path::new("/d/0.log"), b"abc");
    bench.well(vec![Operation::SetLength { file: log(), length: 2 }]);
    assert_eq!(bench.disk.take_violations(), []);
    bench.disk.set_live();
    bench.well(vec![Operation::Create(log())]);
    let path = Path::new("/d/0.log");
    let expected = Violation::LiveLogTruncated { path, from: 2, to: 0 };
    assert_eq!(bench.disk.take_violations(), [expected]);
}

#[test]
fn a_directory_whose_sync_failed_may_not_be_synced_again() {
    let mut bench = Bench::new(1);
    bench.disk.put(&Path::new("/d/t/0.log"), b"abc");
    let log = file(1, "/d/t/0.log");
    bench.disk.set_faults(Faults { sync_per_mille: 1000, ..Faults::default() });
    assert!(bench.run(vec![Operation::Sync(log.clone())]).into_result().is_err());
    assert_eq!(bench.disk.take_violations(), []);
    bench.submit(Effect::Operations(vec![Operation::SyncDirectory(Path::new("/d"))]));
    let directory = Path::new("/d");
    assert_eq!(bench.disk.take_violations(), [Violation::SyncAfterFailedSync { directory }]);
}

#[test]
fn a_sync_that_failed_in_a_job_counts_from_its_end_on() {
    let mut bench = Bench::new(1);
    bench.disk.put(&Path::new("/d/t/0.part"), b"abc");
    bench.disk.set_faults(Faults { sync_per_mille: 1000, ..Faults::default() });
    let (owner, directory) = (JobId(1), Path::new("/d"));
    let part = file(1, "/d/t/0.part");
    let of_job = EffectId { owner, number: 0 };
    let effect = Effect::Operations(vec![Operation::Sync(part)]);
    bench.disk.submit(of_job, effect, &mut bench.decisions);
    assert!(bench.finish(of_job).into_result().is_err());
    let sync = || Effect::Operations(vec![Operation::SyncDirectory(Path::new("/d"))]);
    bench.submit(sync());
    assert_eq!(bench.disk.take_violations(), [], "the broker cannot know");
    bench.disk.job_ends(owner);
    bench.submit(sync());
    assert_eq!(bench.disk.take_violations(), [Violation::SyncAfterFailedSync { directory }]);
}

#[test]
fn a_file_may_not_be_used_when_gone_nor_taken_away_when_used() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 0, b"x")]);
    let out = bench.submit(Effect::Operations(vec![write(&log(), 1, b"y")]));
    bench.well(vec![Operation::Unlink(Path::new("/d/0.log"))]);
    let path = Path::new("/d/0.log");
    assert_eq!(bench.disk.take_violations(), [Violation::FileInUse { path: path.clone() }]);
    bench.finish(out);
    assert_eq!(bench.disk.take_violations(), [Violation::FileGone { path }]);
}

#[test]
fn what_is_open_is_read_while_its_directory_is_renamed_and_not_closed_by_another_effect() {
    let mut bench = Bench::new(1);
    let inner = file(2, "/d/t/0.log");
    bench.well(vec![Operation::MakeDirectory(Path::new("/d/t")), write(&inner, 0, b"x")]);
    let reader = bench.submit(Effect::Operations(vec![read(&inner)]));
    let (from, to) = (Path::new("/d/t"), Path::new("/d/u"));
    bench.well(vec![Operation::Rename { from, to }]);
    assert_eq!(bench.disk.take_violations(), []);
    bench.submit(Effect::Operations(vec![Operation::Close(inner)]));
    let path = Path::new("/d/u/0.log");
    assert_eq!(bench.disk.take_violations(), [Violation::FileInUse { path }]);
    let seen = bench.finish(reader).into_result().expect("no fault is on");
    assert_eq!(seen, [OperationResult::Read(Bytes::from_static(b"x"))]);
}

#[test]
fn an_effects_number_is_given_once() {
    let mut bench = Bench::new(1);
    let id = bench.submit(Effect::Operations(vec![read(&log())]));
    bench.disk.submit(id, Effect::Operations(vec![read(&log())]), &mut bench.decisions);
    let expected = Violation::EffectReused { owner: JobId::BROKER.0, number: id.number };
    assert_eq!(bench.disk.take_violations(), [expected]);
}

#[test]
fn writes_without_order_may_not_overlap() {
    let mut bench = Bench::new(1);
    bench.submit(Effect::Operations(vec![write(&log(), 0, b"abcd")]));
    bench.submit(Effect::Operations(vec![write(&log(), 4, b"e")]));
    assert_eq!(bench.disk.take_violations(), []);
    bench.submit(Effect::Operations(vec![write(&log(), 2, b"x")]));
    let path = Path::new("/d/0.log");
    let expected = Violation::WritesOverlap { path, position: 2 };
    assert_eq!(bench.disk.take_violations(), [expected]);
}

#[test]
fn a_pinned_file_may_not_be_unlinked() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 0, b"x")]);
    bench.disk.pin(log().id);
    bench.well(vec![Operation::Unlink(Path::new("/d/0.log"))]);
    let path = Path::new("/d/0.log");
    assert_eq!(bench.disk.take_violations(), [Violation::PinnedUnlinked { path }]);
}

#[test]
fn what_is_served_was_written_and_in_durable_mode_synced() {
    let mut bench = Bench::new(1);
    bench.well(vec![write(&log(), 0, b"ab")]);
    let range = |length| FileRange { file: log(), position: 0, length };
    assert_eq!(bench.disk.serve(&range(3), ServedLevel::Written), None, "not there in full");
    let served = bench.disk.serve(&range(2), ServedLevel::Written);
    assert_eq!(served, Some(Bytes::from_static(b"ab")));
    assert_eq!(bench.disk.take_violations(), []);
    bench.disk.serve(&range(2), ServedLevel::Synced);
    assert_eq!(bench.disk.take_violations().len(), 1, "no sync has covered it");
    bench.well(vec![Operation::Sync(log())]);
    bench.disk.serve(&range(2), ServedLevel::Synced);
    assert_eq!(bench.disk.take_violations(), []);
    bench.well(vec![write(&log(), 4, b"ef")]);
    bench.disk.serve(&range(5), ServedLevel::Written);
    assert_eq!(bench.disk.take_violations().len(), 1, "bytes 2 and 3 were never written");
    bench.submit(Effect::Operations(vec![write(&log(), 0, b"xy")]));
    bench.disk.serve(&range(2), ServedLevel::Written);
    assert_eq!(bench.disk.take_violations().len(), 1, "a write is under way there");
}
