//! Cuts the writing of a snapshot wherever a crash may, and loads what is left.

use std::vec::Vec;

use super::tests::{DIRECTORY, context, load, log, log_of, many_settings};
use super::*;
use crate::job::Job;
use crate::job::testing::Disk;

/// The disk before, and every operation of the job.
fn written() -> (Disk, Vec<Operation>) {
    let mut disk = Disk::default();
    disk.put(&log(0), log_of(&many_settings()));
    let image = load(&mut disk).0.image;
    let before = disk.clone();
    disk.trace.clear();
    disk.run(&mut Job::write_snapshot(JobId(2), context(image)));
    (before, disk.trace)
}

fn apply(disk: &mut Disk, operations: &[Operation]) {
    let completion = disk.apply(Effect::Operations(operations.to_vec()));
    assert!(matches!(completion, Completion::Done(_)));
}

/// The image is the same, whatever of the snapshot is there; it counts only when it is whole.
fn check(mut disk: Disk, says: &str) -> bool {
    disk.close_all();
    let parts = disk.files().keys().filter(|it| it.strip_suffix(".part").is_some());
    let parts: Vec<Path> = parts.map(|it| Path::new(it)).collect();
    let (expected, _) = {
        let mut log_alone = disk.clone();
        log_alone.files_mut().retain(|path, _| *path == log(0));
        load(&mut log_alone)
    };
    let (loaded, events) = load(&mut disk);
    assert_eq!(events, [], "{says}");
    assert_eq!(loaded.image, expected.image, "{says}");
    assert_eq!((loaded.end_offset, &loaded.append_at), (2_503, &expected.append_at), "{says}");
    assert_eq!(loaded.leftovers, parts, "{says}");
    loaded.snapshot.is_some()
}

#[test]
fn kill_leaves_the_log_or_a_whole_snapshot() {
    let (before, operations) = written();
    let mut snapshots = 0;
    for cut in 0..=operations.len() {
        let mut disk = before.clone();
        apply(&mut disk, &operations[..cut]);
        snapshots += u32::from(check(disk.clone(), &format!("cut before {cut}")));
        let Some(Operation::Write { file, position, data }) = operations.get(cut) else { continue };
        let data = data.concat();
        for length in [1, data.len() / 2, data.len() - 1] {
            let mut disk = disk.clone();
            let data = vec![Bytes::copy_from_slice(&data[..length])];
            let torn = Operation::Write { file: file.clone(), position: *position, data };
            apply(&mut disk, &[torn]);
            check(disk, &format!("operation {cut} cut at {length} bytes"));
        }
    }
    // Behind the rename, and at the end.
    assert_eq!(snapshots, 2);
}

#[test]
fn power_loss_leaves_the_log_or_a_whole_snapshot() {
    let (before, operations) = written();
    let is_sync = |it: &Operation| matches!(it, Operation::Sync(_));
    let synced = operations.iter().position(is_sync).expect("it is synced");
    let part = format!("{DIRECTORY}/00000000000000002503-0000000004.checkpoint.part");
    let whole = part.strip_suffix(".part").expect("it ends so");

    // Before the sync, what was written may be there or not, zeros in its place; so may the entry.
    for cut in 1..=synced {
        let mut disk = before.clone();
        apply(&mut disk, &operations[..cut]);
        let content = disk.get(&part).expect("it was created").to_vec();
        let zeros = vec![0; content.len()];
        let half = [&content[..content.len() / 2], &zeros[content.len() / 2..]].concat();
        for content in [Vec::new(), zeros, half] {
            let mut disk = disk.clone();
            disk.put(&part, content);
            check(disk, &format!("cut before {cut}"));
        }
        disk.files_mut().remove(&part);
        check(disk, &format!("cut before {cut}, without entry"));
    }
    // Behind it the content is there, under either name or none until the directory is synced.
    let content = {
        let mut disk = before.clone();
        apply(&mut disk, &operations);
        disk.get(whole).expect("it has its name").to_vec()
    };
    for name in [Some(&part[..]), Some(whole), None] {
        let mut disk = before.clone();
        if let Some(name) = name {
            disk.put(name, content.clone());
        }
        assert_eq!(check(disk, "behind the sync"), name == Some(whole));
    }
}
