//! Retention, and how segments leave.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::{Fixture, batch_at, size};
use crate::effect::{Operation, Path};
use crate::log::{FileSuffix, Level, Retention, file_name};
use crate::time::Now;

/// Segments of one batch each, with timestamps 1,000, 2,000 and so on; all sealed and synced.
fn segments(count: i64) -> Fixture {
    let mut log = Fixture::new(size(1) as u32);
    for at in 1..=count {
        log.append_batch(batch_at(&[at * 1_000]));
    }
    log.settle();
    log
}

fn start(log: &Fixture, retention: Retention, high_watermark: i64, wall_ms: i64) -> Option<i64> {
    log.log.start_after_retention(&retention, high_watermark, wall_ms)
}

fn by_age(age_ms: u64) -> Retention {
    Retention { age_ms: Some(age_ms), bytes: None }
}

fn by_size(bytes: u64) -> Retention {
    Retention { age_ms: None, bytes: Some(bytes) }
}

#[test]
fn old_segments_go_up_to_the_first_that_is_not() {
    let log = segments(4);
    assert_eq!(start(&log, Retention::default(), 4, i64::MAX), None);
    assert_eq!(start(&log, by_age(500), 4, 1_500), None);
    assert_eq!(start(&log, by_age(500), 4, 1_501), Some(1));
    assert_eq!(start(&log, by_age(500), 4, 3_501), Some(3));
    assert_eq!(start(&log, by_age(0), 4, 10_000), Some(4), "the active one too");
    assert_eq!(start(&log, by_age(0), 4, 0), None, "the clock has stepped back");
}

#[test]
fn nothing_at_or_above_the_high_watermark_goes() {
    let log = segments(4);
    assert_eq!(start(&log, by_age(0), 3, 10_000), Some(3));
    assert_eq!(start(&log, by_size(0), 2, 0), Some(2));
    assert_eq!(start(&log, by_size(0), 0, 0), None);
}

#[test]
fn segments_beyond_the_size_go_whole() {
    let log = segments(4);
    assert_eq!(start(&log, by_size(4 * size(1)), 4, 0), None);
    assert_eq!(start(&log, by_size(4 * size(1) - 1), 4, 0), None);
    assert_eq!(start(&log, by_size(3 * size(1)), 4, 0), Some(1));
    assert_eq!(start(&log, by_size(0), 4, 0), Some(4));
    let both = Retention { age_ms: Some(0), bytes: Some(3 * size(1)) };
    assert_eq!(start(&log, both, 4, 2_001), Some(2));
}

#[test]
fn records_without_timestamps_are_as_old_as_their_file() {
    let mut log = Fixture::new(size(1) as u32);
    log.now = Now { wall_ms: 7_000, ..Now::default() };
    log.append_batch(batch_at(&[-1]));
    log.settle();
    assert_eq!(start(&log, by_age(10), 1, 7_010), None);
    assert_eq!(start(&log, by_age(10), 1, 7_011), Some(1));
}

#[test]
fn start_moves_forward_only_and_takes_epochs_along() {
    let mut log = Fixture::with_epoch(size(1) as u32, None);
    for epoch in 0..4 {
        log.append(1, epoch);
    }
    log.settle();
    assert!(log.log.set_log_start(2));
    assert!(!log.log.set_log_start(1));
    assert!(!log.log.set_log_start(2));
    assert_eq!(log.log.log_start(), 2);
    assert_eq!(log.log.epochs().format(), "0\n2\n2 2\n3 3\n");
}

#[test]
fn removed_segments_leave_with_their_companions() {
    let mut log = segments(4);
    log.log.set_log_start(2);
    let removed = log.log.remove_below_start(1);
    assert_eq!(removed.iter().map(|it| it.base_offset).collect::<Vec<_>>(), [0]);
    let removed = log.log.remove_below_start(10);
    assert_eq!(removed.len(), 1);
    assert!(!log.log.has_removable());
    assert_eq!(log.log.segments()[0].base_offset, 2);

    let renamed: Vec<_> = removed[0]
        .renames()
        .into_iter()
        .map(|operation| {
            let Operation::Rename { from, to } = operation else { panic!("{operation:?}") };
            assert_eq!(to.to_string(), from.to_string() + ".deleted");
            from.name()[20..].to_string()
        })
        .collect();
    assert_eq!(renamed, [".index", ".timeindex", ".snapshot", ".log"]);
    let unlinked = removed[0].unlinks();
    assert_eq!(unlinked[0], Operation::Close(removed[0].file.clone()));
    assert_eq!(unlinked.len(), 5);
    for operation in removed[0].renames() {
        log.carry_out(vec![operation]);
    }
    log.carry_out(unlinked[1..].to_vec());
}

#[test]
fn segment_whose_indexes_are_being_written_stays() {
    let mut log = Fixture::new(size(1) as u32);
    log.append(1, 0);
    log.append(1, 0);
    log.complete_writes();
    log.log.set_log_start(1);
    assert!(log.log.remove_below_start(10).is_empty());
    log.complete_seal();
    assert_eq!(log.log.remove_below_start(10).len(), 1);
}

#[test]
fn whole_log_goes_once_the_active_segment_has_rolled() {
    let mut log = segments(2);
    assert!(log.log.set_log_start(2));
    log.roll_below_start();
    let bases = |log: &Fixture| -> Vec<_> {
        log.log.segments().iter().map(|segment| segment.base_offset).collect()
    };
    assert_eq!(bases(&log), [0, 1, 2]);
    log.roll_below_start();
    assert_eq!(bases(&log), [0, 1, 2], "an empty one is no second time begun");
    log.settle();
    assert_eq!(log.log.remove_below_start(10).len(), 2);
    assert_eq!(bases(&log), [2]);
    for suffix in [FileSuffix::Log, FileSuffix::Index] {
        let path = Path::new("/data/t-0").join(&file_name(2, suffix));
        assert!(log.disk.get(path.as_str()).is_some(), "{path}");
    }
    assert_eq!(log.log.end(Level::Synced), 2);
    assert_eq!(start(&log, by_age(0), 2, i64::MAX), None, "an empty active segment stays");
    log.append(1, 0);
    assert_eq!(bases(&log), [2]);
}
