//! Files of work that was cut short.

use super::*;

fn swap(base_offset: i64, suffix: FileSuffix) -> String {
    path(&format!("{}.swap", file_name(base_offset, suffix)))
}

fn cleaned(base_offset: i64, suffix: FileSuffix) -> String {
    path(&format!("{}.cleaned", file_name(base_offset, suffix)))
}

fn names(disk: &Disk) -> Vec<String> {
    disk.files().keys().map(|path| Path::new(path).name().to_string()).collect()
}

/// What compaction had made of both segments, with the suffix that stands for them.
fn compacted() -> Vec<u8> {
    [batch(0, 1), batch(8, 1)].concat()
}

/// Loads it whole, and again after a failure of each operation: every time the same comes of it.
fn load_cut_anywhere(disk: &Disk, expected: &[(i64, u64)]) -> Disk {
    let mut whole = disk.clone();
    let (_, log) = load(&mut whole, context());
    assert_eq!(segments(&log), expected);
    for fail_at in 0..whole.trace.len() {
        let mut cut = disk.clone();
        cut.fail_at = Some(fail_at);
        assert!(run(&mut cut, context()).1.is_err());
        cut.fail_at = None;
        let (_, log) = load(&mut cut, context());
        assert_eq!(segments(&log), expected, "cut at {fail_at}");
        assert_eq!(cut.files(), whole.files(), "cut at {fail_at}");
    }
    whole
}

#[test]
fn deleted_and_cleaned_files_go() {
    let mut disk = directory();
    for suffix in [FileSuffix::Log, FileSuffix::Index, FileSuffix::Snapshot] {
        disk.put(&path(&format!("{}.deleted", file_name(0, suffix))), "x");
        disk.put(&cleaned(6, suffix), "x");
    }
    disk.put(&path("00000000000000000006.index.tmp"), "x");
    let kept = ["00000000000000000000-0000000000.checkpoint.deleted", "notes.swap"];
    for name in kept {
        disk.put(&path(name), "x");
    }
    let whole = load_cut_anywhere(&disk, &[(0, 3 * size()), (6, 2 * size())]);
    let mut expected = names(&directory());
    expected.extend(kept.map(ToString::to_string));
    expected.sort();
    assert_eq!(names(&whole), expected);
}

#[test]
fn swap_takes_the_place_of_all_that_it_covers() {
    let mut disk = directory();
    disk.put(&log_path(10), batches(10..12));
    disk.put(&path(&file_name(6, FileSuffix::Index)), "");
    disk.put(&path(&file_name(6, FileSuffix::TransactionIndex)), "");
    disk.put(&path(&file_name(6, FileSuffix::Snapshot)), "");
    disk.put(&swap(0, FileSuffix::Log), compacted());
    disk.put(&swap(0, FileSuffix::Index), "");
    let whole = load_cut_anywhere(&disk, &[(0, 2 * size()), (10, size())]);
    assert_eq!(whole.get(&log_path(0)), Some(compacted().as_slice()));
    assert!(whole.get(&log_path(6)).is_none());
    assert!(whole.get(&path(&file_name(0, FileSuffix::Index))).is_some());
    assert!(whole.files().keys().all(|path| !path.contains(".swap")));

    let last_unlink = whole.trace.iter().rposition(|o| {
        matches!(o, Operation::Unlink(path)
        if path.as_str() == log_path(6))
    });
    let renamed = place(&whole, |o| matches!(o, Operation::Rename { .. }));
    let synced = |o: &Operation| *o == Operation::SyncDirectory(Path::new(DIRECTORY));
    let durable = whole.trace[..renamed].iter().rposition(synced);
    assert!(last_unlink.is_some() && durable > last_unlink, "one is durable before the other");
}

#[test]
fn split_that_was_complete_is_completed() {
    let mut disk = directory();
    disk.put(&log_path(0), batches(0..10));
    disk.put(&log_path(6), "");
    disk.put(&swap(0, FileSuffix::Log), batches(0..4));
    disk.put(&swap(4, FileSuffix::Log), batches(4..10));
    let whole = load_cut_anywhere(&disk, &[(0, 2 * size()), (4, 3 * size())]);
    assert!(whole.get(&log_path(6)).is_none());
}

#[test]
fn split_that_was_not_complete_is_undone() {
    let mut disk = Disk::default();
    disk.put(&path(PartitionMetadata::FILE), metadata(TOPIC_ID));
    disk.put(&path(LeaderEpochs::FILE), "0\n1\n1 0\n");
    disk.put(&log_path(0), batches(0..10));
    disk.put(&path(&file_name(0, FileSuffix::Index)), "");
    let before = names(&disk);
    disk.put(&swap(4, FileSuffix::Log), batches(4..10));
    disk.put(&cleaned(0, FileSuffix::Log), batches(0..2));
    let whole = load_cut_anywhere(&disk, &[(0, 5 * size())]);
    assert_eq!(names(&whole), before);
    let unlinked = |path: &str| place(&whole, |o| *o == Operation::Unlink(Path::new(path)));
    let swap = unlinked(&swap(4, FileSuffix::Log));
    let cleaned = unlinked(&cleaned(0, FileSuffix::Log));
    let synced = |o: &Operation| *o == Operation::SyncDirectory(Path::new(DIRECTORY));
    assert!(whole.trace[swap..cleaned].iter().any(synced), "the swap must be gone for good first");
}

#[test]
fn lone_swap_of_an_index_is_renamed() {
    let mut disk = directory();
    disk.put(&swap(0, FileSuffix::TimeIndex), "");
    let whole = load_cut_anywhere(&disk, &[(0, 3 * size()), (6, 2 * size())]);
    assert!(whole.get(&path(&file_name(0, FileSuffix::TimeIndex))).is_some());
}

#[test]
fn damaged_swap_replaces_nothing() {
    let mut disk = directory();
    let mut file = compacted();
    file[size() as usize + 70] ^= 1;
    disk.put(&swap(0, FileSuffix::Log), file);
    disk.put(&swap(0, FileSuffix::Index), "");
    let reason = fail(&mut disk, context());
    let place = format!("{}: damage at position {}: CRC", swap(0, FileSuffix::Log), size());
    assert!(reason.starts_with(&place), "{reason}");
}
