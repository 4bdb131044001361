//! Which batches are looked at, and what the index files have to do with it.

use super::*;

fn index_path(base_offset: i64) -> String {
    path(&file_name(base_offset, FileSuffix::Index))
}

fn time_path(base_offset: i64) -> String {
    path(&file_name(base_offset, FileSuffix::TimeIndex))
}

/// A directory as a clean stop leaves it: every batch but the first of a segment has an entry.
fn closed() -> Disk {
    let mut disk = directory();
    disk.put(&index_path(0), [offset_entry(3, size()), offset_entry(5, 2 * size())].concat());
    disk.put(&time_path(0), [time_entry(1_003, 3), time_entry(1_005, 5)].concat());
    disk.put(&index_path(6), offset_entry(3, size()));
    disk.put(&time_path(6), time_entry(1_009, 3));
    disk.put(&path(&file_name(10, FileSuffix::Snapshot)), ProducerStates::default().snapshot());
    disk
}

fn dense() -> LogConfig {
    LogConfig { index_interval_bytes: 0, ..LogConfig::default() }
}

fn clean() -> LoadLogContext {
    LoadLogContext { is_clean: true, recovery_point: Some(10), config: dense(), ..context() }
}

fn unclean(recovery_point: i64) -> LoadLogContext {
    LoadLogContext { is_clean: false, recovery_point: Some(recovery_point), ..clean() }
}

/// Position and length of each read of the file.
fn reads(disk: &Disk, read: &str) -> Vec<(u64, u32)> {
    let operations = disk.trace.iter().filter_map(|operation| match operation {
        Operation::Read { file, position, length } if file.path.as_str() == read => {
            Some((*position, *length))
        }
        _ => None,
    });
    operations.collect()
}

/// The file is shorter than its pieces, so the scan of it takes several.
fn is_scanned(disk: &Disk, base_offset: i64) -> bool {
    reads(disk, &log_path(base_offset))
        .iter()
        .any(|(position, length)| (*position, *length) == (0, 80))
}

#[test]
fn closed_log_is_read_from_its_last_index_entry_on() {
    let mut disk = closed();
    let before = disk.files().clone();
    let (events, log) = load(&mut disk, clean());
    assert!(events.is_empty());
    assert_eq!((ends(&log), segments(&log)), ((0, 10), vec![(0, 3 * size()), (6, 2 * size())]));
    assert_eq!(reads(&disk, &log_path(0)), []);
    let rest = (size() - 80) as u32;
    let tail = [(size(), 80), (0, 61), (size() + 80, rest)];
    assert_eq!(reads(&disk, &log_path(6)), tail);
    assert_eq!(*disk.files(), before);
    assert!(
        !disk.trace.iter().any(|o| matches!(o, Operation::Sync(_) | Operation::SyncDirectory(_)))
    );
    let newest = log.segments()[1].max_timestamp();
    assert_eq!((newest.timestamp_ms, newest.offset), (1_009, 9));
    assert_eq!(log.segments()[0].max_timestamp().timestamp_ms, 1_005);
    assert_eq!(log.recovery_point(), 10);
    assert_eq!(log.epochs().format(), "0\n1\n1 0\n");
}

#[test]
fn closed_log_without_a_byte_in_its_last_segment_ends_at_its_base() {
    let mut disk = closed();
    disk.put(&log_path(10), "");
    let (events, log) = load(&mut disk, clean());
    assert_eq!((events, ends(&log)), (vec![], (0, 10)));
    assert_eq!(reads(&disk, &log_path(6)), []);
}

#[test]
fn segment_whose_index_is_missing_is_scanned_and_no_other() {
    for suffix in [FileSuffix::Index, FileSuffix::TimeIndex] {
        let whole = closed();
        let mut disk = directory();
        for (path, content) in whole.files() {
            if *path != super::path(&file_name(0, suffix)) {
                disk.put(path, content.clone());
            }
        }
        let missing = super::path(&file_name(0, suffix));
        disk.files_mut().remove(&missing);
        let (events, log) = load(&mut disk, clean());
        assert_eq!(
            warnings(&events),
            ["/data/t-0: an index file of segment 0 is missing: \
              the segment is scanned and its indexes are made anew"]
        );
        assert_eq!(ends(&log), (0, 10));
        assert!(is_scanned(&disk, 0) && !is_scanned(&disk, 6));
        assert_eq!(disk.files(), whole.files(), "{suffix:?}");
    }
}

#[test]
fn index_that_makes_no_sense_is_made_anew() {
    let bad_offsets = [
        vec![0; 7],
        vec![0; 16],
        [offset_entry(5, size()), offset_entry(3, 2 * size())].concat(),
        [offset_entry(3, 2 * size()), offset_entry(5, size())].concat(),
        offset_entry(5, 3 * size()),
        offset_entry(6, size()),
        offset_entry(-1, size()),
    ];
    for content in bad_offsets {
        let mut disk = closed();
        disk.put(&index_path(0), content.clone());
        let (events, log) = load(&mut disk, clean());
        assert_eq!((warnings(&events).len(), ends(&log)), (1, (0, 10)), "{content:?}");
        assert_eq!(disk.files(), closed().files(), "{content:?}");
    }
    let bad_times = [
        vec![0; 11],
        [time_entry(1_005, 3), time_entry(1_003, 5)].concat(),
        time_entry(-5, 1),
        time_entry(1_005, 6),
    ];
    for content in bad_times {
        let mut disk = closed();
        disk.put(&time_path(0), content.clone());
        let (events, log) = load(&mut disk, clean());
        assert_eq!((warnings(&events).len(), ends(&log)), (1, (0, 10)), "{content:?}");
        assert_eq!(disk.files(), closed().files(), "{content:?}");
    }
}

#[test]
fn wrong_entry_at_the_end_of_the_last_index_is_no_damage() {
    for entry in [offset_entry(3, 5), offset_entry(2, size()), offset_entry(3, size() + 1)] {
        let mut disk = closed();
        disk.put(&index_path(6), entry);
        let (events, log) = load(&mut disk, clean());
        assert_eq!((warnings(&events).len(), ends(&log)), (1, (0, 10)));
        assert!(is_scanned(&disk, 6) && !is_scanned(&disk, 0));
        let left = disk.get(&index_path(6));
        assert_eq!(left, Some(&[][..]), "it is written when the segment is finished");
    }
}

#[test]
fn damage_behind_the_last_index_entry_is_named_after_a_clean_stop() {
    let mut disk = closed();
    disk.put(&index_path(6), "");
    let mut file = batches(6..10);
    file[size() as usize + 70] ^= 1;
    disk.put(&log_path(6), file);
    let closed = LoadLogContext { recovery_point: None, ..clean() };
    let reason = fail(&mut disk, closed);
    let place = format!("/data/t-0/00000000000000000006.log: damage at position {}", size());
    assert!(reason.starts_with(&place) && reason.ends_with("closed in good order"), "{reason}");
}

#[test]
fn what_comes_back_behind_the_end_of_a_closed_log_is_cut() {
    let behind = [vec![7], vec![0; 181], batches(10..11)];
    for tail in behind {
        let mut disk = closed();
        disk.put(&log_path(6), [batches(6..10), tail].concat());
        let closed = LoadLogContext { synced_end: Some(10), ..clean() };
        let (events, log) = load(&mut disk, closed);
        assert!(matches!(events.as_slice(), [Event::TornTailCut { .. }]), "{events:?}");
        assert_eq!((ends(&log), disk.get(&log_path(6))), ((0, 10), Some(&batches(6..10)[..])));
        let synced = |it: &Operation| matches!(it, Operation::Sync(file) if file.path.as_str() == log_path(6));
        assert!(disk.trace.iter().any(synced));
    }
}

#[test]
fn segment_that_ends_at_the_recovery_point_is_scanned_after_a_crash() {
    let mut disk = closed();
    disk.put(&time_path(0), "");
    let (_, log) = load(&mut disk, unclean(6));
    assert!(is_scanned(&disk, 0));
    assert_eq!(log.segments()[0].max_timestamp().timestamp_ms, 1_005);
    assert_eq!(disk.files().get(&time_path(0)), closed().files().get(&time_path(0)));
}

#[test]
fn segments_below_the_recovery_point_are_not_read_after_a_crash() {
    for (recovery_point, scanned) in
        [(0, [true, true]), (5, [true, true]), (6, [true, true]), (7, [false, true])]
    {
        let mut disk = closed();
        let (events, log) = load(&mut disk, unclean(recovery_point));
        assert_eq!((events, ends(&log)), (vec![], (0, 10)));
        let read = [0, 6].map(|base| !reads(&disk, &log_path(base)).is_empty());
        assert_eq!(read, scanned, "recovery point {recovery_point}");
    }
}

/// KAFKA-10101: what lies behind the recovery point is looked at, however good its index looks.
#[test]
fn stale_index_of_the_last_segment_is_not_trusted_after_a_crash() {
    let mut disk = closed();
    let mut file = batches(6..12);
    file[size() as usize * 2 + 70] ^= 1;
    disk.put(&log_path(6), file);
    let (events, log) = load(&mut disk, unclean(10));
    assert!(matches!(events.as_slice(), [Event::TornTailCut { .. }]));
    assert_eq!(ends(&log), (0, 10));
    assert_eq!((disk.get(&index_path(6)), disk.get(&time_path(6))), (Some(&[][..]), None));
}

/// KAFKA-13603: Kafka used to scan the whole log when the empty segment at its end had no index.
#[test]
fn empty_segment_behind_a_clean_stop_makes_nobody_scan() {
    let mut disk = closed();
    disk.put(&log_path(10), "");
    for context in [clean(), unclean(10)] {
        let is_clean = context.is_clean;
        let (events, log) = load(&mut disk, context);
        assert_eq!((events, ends(&log)), (vec![], (0, 10)));
        assert_eq!(reads(&disk, &log_path(0)), []);
        assert_eq!(reads(&disk, &log_path(6)).is_empty(), is_clean);
    }
}

/// KAFKA-16541: a leader-epoch checkpoint that a crash has left empty or torn.
#[test]
fn without_the_epochs_all_batches_are_walked() {
    for content in ["", "0\n2\n1 0\n", "0\n1\n1 8\n"] {
        let mut disk = closed();
        disk.put(&path(LeaderEpochs::FILE), content);
        let (_, log) = load(&mut disk, clean());
        assert_eq!(log.epochs().format(), "0\n1\n1 0\n");
        assert_eq!(disk.get(&path(LeaderEpochs::FILE)), Some("0\n1\n1 0\n".as_bytes()));
        assert!(is_scanned(&disk, 0) && is_scanned(&disk, 6));
    }
}

#[test]
fn index_files_without_a_segment_go() {
    let mut disk = closed();
    disk.put(&index_path(4), "");
    disk.put(&path(&file_name(8, FileSuffix::TransactionIndex)), "");
    load(&mut disk, clean());
    assert_eq!(disk.files(), closed().files());
}

#[test]
fn index_files_are_read_in_pieces() {
    let mut disk = closed();
    let small =
        LoadLogContext { limits: Limits { job_piece_bytes: 13, ..Limits::default() }, ..clean() };
    let (events, log) = load(&mut disk, small);
    assert_eq!((events, ends(&log)), (vec![], (0, 10)));
    assert_eq!(reads(&disk, &index_path(0)), [(0, 8), (8, 8)]);
    assert_eq!(reads(&disk, &time_path(0)), [(0, 12), (12, 12)]);
}

#[test]
fn loading_a_closed_log_that_is_cut_anywhere_is_completed_by_the_next() {
    let mut disk = closed();
    disk.put(&index_path(0), vec![0; 9]);
    disk.put(&path(&file_name(4, FileSuffix::Snapshot)), "");
    let mut whole = disk.clone();
    let (_, log) = load(&mut whole, clean());
    for fail_at in 0..whole.trace.len() {
        let mut cut = disk.clone();
        cut.fail_at = Some(fail_at);
        assert!(run(&mut cut, clean()).1.is_err());
        cut.fail_at = None;
        // The marker is gone by then.
        let (_, again) = load(&mut cut, unclean(10));
        assert_eq!((ends(&again), segments(&again)), (ends(&log), segments(&log)));
    }
}

#[test]
fn epochs_that_contradict_the_batches_are_made_anew() {
    for content in ["0\n1\n2 0\n", "0\n2\n0 0\n3 2\n"] {
        let mut disk = closed();
        disk.put(&path(LeaderEpochs::FILE), content);
        let (events, log) = load(&mut disk, clean());
        assert_eq!(log.epochs().format(), "0\n1\n1 0\n", "{content:?}");
        assert_eq!(warnings(&events).len(), 1, "{content:?}");
        assert_eq!(disk.get(&path(LeaderEpochs::FILE)), Some(&b"0\n1\n1 0\n"[..]));
    }
}

#[test]
fn flipped_bit_in_any_file_of_a_closed_log_is_survived_or_named() {
    let synced = LoadLogContext { synced_end: Some(10), ..clean() };
    let (_, whole) = load(&mut closed(), synced.clone());
    let mut refused = Vec::new();
    for (path, content) in closed().files().clone() {
        for at in 0..content.len() {
            let mut disk = closed();
            let mut flipped = content.clone();
            flipped[at] ^= 1 << (at % 8);
            disk.put(&path, flipped);
            match run(&mut disk, synced.clone()).1 {
                Ok(log) => {
                    assert_eq!(ends(&log), ends(&whole), "{path} {at}");
                    assert_eq!(segments(&log), segments(&whole), "{path} {at}");
                    assert_eq!(log.producers(), whole.producers(), "{path} {at}");
                    assert!(disk.get(&log_path(0)).is_some(), "nothing is lost");
                }
                Err(failure) => {
                    assert!(failure.reason.contains(&path), "{path} {at}: {}", failure.reason);
                    refused.push(Path::new(&path).name().to_string());
                }
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, ["00000000000000000006.log", "partition.metadata"]);
}
