//! Snapshots of the metadata log: when they are written, and what goes then.

use super::*;
use crate::broker::metadata_log::Change;
use crate::checkpoint::SyncedCheckpoint;
use crate::event::Severity;
use crate::records::AccessControlEntryRecord;

const METADATA_DIRECTORY: &str = "/data/__cluster_metadata-0";
const HOUR: Millis = Millis(3_600_000);

/// No snapshot but by `snapshot_bytes`, and everything is kept.
fn kept(snapshot_bytes: u64) -> Config {
    let metadata_log = MetadataLogConfig {
        snapshot_bytes,
        snapshot_interval_ms: 0,
        segment_bytes: 600,
        retention_bytes: -1,
        retention_ms: -1,
        ..MetadataLogConfig::default()
    };
    Config { metadata_log, ..config(&["/data"]) }
}

/// The names in the metadata log's directory that end like this, without the ending.
fn names(disk: &Disk, ending: &str) -> Vec<String> {
    let files = disk.files().keys().filter_map(|path| path.strip_prefix(METADATA_DIRECTORY));
    files.filter_map(|name| Some(name[1..].strip_suffix(ending)?.to_string())).collect()
}

/// The end offsets of the snapshots that are there.
fn snapshots(disk: &Disk) -> Vec<i64> {
    let offset = |name: &String| name[..20].parse().expect("it is an offset");
    names(disk, ".checkpoint").iter().map(offset).collect()
}

/// The base offsets of the log's segments.
fn segments(disk: &Disk) -> Vec<i64> {
    let offset = |name: &String| name.parse().expect("it is an offset");
    names(disk, ".log").iter().map(offset).collect()
}

impl World {
    /// Changes the metadata by a record, without waiting for what follows.
    fn begin_change(&mut self) {
        self.broker.begin(self.now);
        self.broker.change_metadata(Change::ProducerIds);
        self.broker.settle();
        self.drain();
    }

    fn change(&mut self) {
        self.begin_change();
        self.settle();
    }

    fn metadata_end(&self) -> i64 {
        self.broker.image().metadata_offset + 1
    }

    /// A life on this directory that is ready.
    fn restarted(disk: Disk, config: Config) -> Self {
        let mut world = Self::on(disk, config);
        world.settle();
        assert!(world.ready && world.stopped.is_none(), "{:?}", world.events);
        world
    }

    fn warnings(&self) -> Vec<&Event> {
        let is_warning = |event: &&Event| event.severity() <= Severity::Warning;
        self.events.iter().filter(is_warning).collect()
    }
}

#[test]
fn snapshot_is_written_when_the_log_has_grown() {
    let mut world = World::ready_as(kept(1_500), 1);
    let begun_with = world.metadata_end();
    while snapshots(&world.disk).is_empty() {
        assert!(world.metadata_end() < begun_with + 40, "it is never written");
        world.change();
    }
    assert!(world.metadata_end() > begun_with + 2, "it is written too early");
    assert_eq!(snapshots(&world.disk), [world.metadata_end()]);
    world.change();
    assert_eq!(snapshots(&world.disk).len(), 1, "the next counts anew");
    assert_eq!(world.warnings(), Vec::<&Event>::new());
}

#[test]
fn what_a_start_finds_behind_the_last_snapshot_counts() {
    let world = World::ready_as(kept(100_000), 1);
    assert!(snapshots(&world.disk).is_empty());
    let world = World::restarted(world.disk, kept(1));
    assert_eq!(snapshots(&world.disk), [world.metadata_end()]);
}

#[test]
fn snapshot_is_written_an_hour_after_a_change() {
    let mut config = kept(1 << 30);
    config.metadata_log.snapshot_interval_ms = HOUR.0;
    let mut world = World::ready_as(config, 1);
    let first = world.metadata_end();
    world.pass(Millis(HOUR.0 - 1));
    assert!(snapshots(&world.disk).is_empty());
    world.pass(Millis(1));
    world.settle();
    assert_eq!(snapshots(&world.disk), [first]);
    for _ in 0..5 {
        world.pass(HOUR);
        world.settle();
    }
    assert_eq!(snapshots(&world.disk), [first], "nothing has changed");
    world.change();
    world.settle();
    assert_eq!(snapshots(&world.disk), [first, world.metadata_end()], "an hour is over");
    world.change();
    assert_eq!(snapshots(&world.disk).len(), 2);
}

#[test]
fn interval_of_zero_writes_none_by_time() {
    let mut world = World::ready_as(kept(1 << 30), 1);
    world.change();
    for _ in 0..100 {
        world.pass(HOUR);
        world.settle();
    }
    assert!(snapshots(&world.disk).is_empty());
}

#[test]
fn one_snapshot_is_written_at_a_time() {
    let mut world = World::ready_as(kept(1_000_000), 1);
    world.broker.config.metadata_log.snapshot_bytes = 1;
    world.holds_jobs = true;
    world.change();
    assert_eq!(world.jobs.len(), 1);
    let first = world.metadata_end();
    world.change();
    world.change();
    assert_eq!(world.jobs.len(), 1);
    let (id, job) = world.jobs.remove(0);
    world.finish_job(id, job);
    world.settle();
    assert_eq!((snapshots(&world.disk), world.jobs.len()), (vec![first], 1));
    let (id, job) = world.jobs.remove(0);
    world.finish_job(id, job);
    world.settle();
    assert_eq!(snapshots(&world.disk), [first, world.metadata_end()]);
    assert!(world.jobs.is_empty());
}

#[test]
fn stop_leaves_a_snapshot_where_it_stands_and_the_next_start_takes_it_away() {
    let mut world = World::ready_as(kept(1_000_000), 1);
    world.broker.config.metadata_log.snapshot_bytes = 1;
    world.holds_jobs = true;
    world.change();
    let (_, mut job) = world.jobs.remove(0);
    let (_, effect) = job.poll_effect().expect("it writes");
    world.disk.apply(effect);
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    assert_eq!(names(&world.disk, ".checkpoint.part").len(), 1);

    let world = World::restarted(world.disk, kept(1_000_000));
    assert!(names(&world.disk, ".checkpoint.part").is_empty());
    assert_eq!(world.warnings(), Vec::<&Event>::new());
}

#[test]
fn start_from_a_snapshot_has_what_the_log_had() {
    let mut world = World::ready_as(kept(1), 2);
    world.change();
    let before = Arc::clone(world.broker.image());
    let mut disk = world.disk.clone();
    // The log without its beginning: only the snapshot has the topic.
    disk.files_mut().remove(METADATA);
    assert_eq!(snapshots(&disk).last(), Some(&world.metadata_end()));
    let world = World::restarted(disk, kept(1));
    let after = world.broker.image();
    assert_eq!(after.topics["t"].partitions.len(), 2);
    assert_eq!(after.next_producer_id, before.next_producer_id);
    assert_eq!(after.features, before.features);
    assert_eq!((after.kraft_version, &after.voters), (before.kraft_version, &before.voters));
}

#[test]
fn old_snapshots_and_segments_go_when_they_are_too_much() {
    let mut config = kept(1);
    config.metadata_log.retention_bytes = 0;
    let mut world = World::ready_as(config.clone(), 1);
    for _ in 0..30 {
        world.change();
    }
    let end = world.metadata_end();
    assert_eq!(snapshots(&world.disk), [end], "the last one stays, whatever it takes");
    let segments = segments(&world.disk);
    assert_eq!(segments.len(), 1, "all but the active one lie below it");
    assert!(segments[0] > 0);
    world.pass(Millis(1));
    world.settle();
    assert_eq!(names(&world.disk, ".log.deleted"), Vec::<String>::new());
    let log = world.broker.metadata_log().expect("it is loaded");
    assert_eq!(world.broker.logs[&log].log.log_start(), end);

    let mut world = World::restarted(world.disk, config);
    assert!(world.broker.image().topics.contains_key("t"));
    world.change();
    assert_eq!(snapshots(&world.disk), [world.metadata_end()]);
    assert_eq!(world.warnings(), Vec::<&Event>::new());
}

#[test]
fn what_fits_into_the_retention_stays() {
    let mut world = World::ready_as(kept(1), 1);
    for _ in 0..10 {
        world.change();
    }
    let all = (snapshots(&world.disk), segments(&world.disk));
    assert!(all.0.len() > 10 && all.1.len() > 2, "{all:?}");
    let bytes: usize = world
        .disk
        .files()
        .iter()
        .filter(|(path, _)| path.strip_prefix(METADATA_DIRECTORY).is_some())
        .filter(|(path, _)| {
            path.rsplit_once('.').is_some_and(|it| ["log", "checkpoint"].contains(&it.1))
        })
        .map(|(_, content)| content.len())
        .sum();
    world.broker.config.metadata_log.retention_bytes = bytes as i64;
    world.broker.clean_metadata();
    world.drain();
    world.settle();
    assert_eq!((snapshots(&world.disk), segments(&world.disk)), all);

    world.broker.config.metadata_log.retention_bytes = bytes as i64 - 1;
    world.broker.clean_metadata();
    world.drain();
    world.settle();
    assert_eq!(snapshots(&world.disk), all.0[1..], "one less is enough");
}

#[test]
fn snapshots_go_by_the_age_of_their_last_record() {
    let mut config = kept(1);
    config.metadata_log.retention_ms = 1_000;
    let mut world = World::ready_as(config, 1);
    world.change();
    let (old, both) = (world.metadata_end(), snapshots(&world.disk).len());
    assert_eq!(both, 2);
    world.now.wall_ms += 900;
    world.change();
    world.now.wall_ms += 101;
    world.change();
    let last_two = [world.metadata_end() - 1, world.metadata_end()];
    assert_eq!(snapshots(&world.disk), last_two, "older ones than {old} and it are gone");
    // Without a change, the periodic look finds it.
    world.now.wall_ms += 5_000;
    world.pass(Millis(60_000));
    world.settle();
    assert_eq!(snapshots(&world.disk), last_two[1..]);
}

#[test]
fn failed_write_stops_the_broker() {
    let mut world = World::ready_as(kept(1_000_000), 1);
    world.broker.config.metadata_log.snapshot_bytes = 1;
    world.holds_jobs = true;
    world.change();
    let (id, job) = world.jobs.remove(0);
    world.disk.fail_at = Some(world.disk.trace.len() + 1);
    world.finish_job(id, job);
    assert!(matches!(world.stopped, Some(Exit::Failed(_))), "{:?}", world.stopped);
}

#[test]
fn log_with_unknown_records_is_not_put_into_a_snapshot() {
    let mut disk = disk(&topic(1));
    let mut bytes = disk.get(METADATA).expect("it is there").to_vec();
    let mut batch = BatchBuilder::new();
    // Frame 1, type 99, version 0.
    batch.append(WALL_MS, None, Some(&[1, 99, 0]));
    bytes.extend(batch.encode(2, 1));
    disk.put(METADATA, bytes);
    let mut world = World::on(disk, kept(1));
    world.settle();
    world.change();
    assert!(world.ready);
    assert!(snapshots(&world.disk).is_empty());
}

/// Kafka would let the log start at a snapshot that nobody has read.
#[test]
fn damaged_snapshot_takes_nothing_away() {
    let mut world = World::ready_as(kept(1), 1);
    world.change();
    let newest = *snapshots(&world.disk).last().expect("there are some");
    let mut disk = world.disk;
    for (path, content) in disk.files_mut() {
        if path.contains(&format!("{newest:020}-")) {
            content.truncate(content.len() - 1);
        }
    }
    let mut config = kept(1_000_000);
    config.metadata_log.retention_bytes = 0;
    let mut world = World::restarted(disk, config);
    let left = snapshots(&world.disk);
    assert_eq!(left.last(), Some(&newest), "it may yet be looked at");
    assert_eq!(left.len(), 2, "the one before it was read");
    assert!(world.broker.image().topics.contains_key("t"));
    world.broker.config.metadata_log.snapshot_bytes = 1;
    world.change();
    assert_eq!(snapshots(&world.disk), [world.metadata_end()]);
}

/// Nothing depends on the order in which deletions become durable, as long as older snapshots are
/// gone before the log is.
#[test]
fn every_part_of_a_removal_may_be_all_that_a_crash_leaves() {
    let mut world = World::ready_as(kept(1), 1);
    for _ in 0..8 {
        world.change();
    }
    let expected = Arc::clone(world.broker.image());
    let disk = world.disk;
    let olds = snapshots(&disk);
    let (newest, old) = olds.split_last().expect("there are some");
    let bases = segments(&disk);
    let covered = bases.iter().zip(&bases[1..]).filter(|(_, next)| *next <= newest);
    let covered: Vec<i64> = covered.map(|(base, _)| *base).collect();
    assert!(old.len() >= 8 && covered.len() >= 2, "{olds:?} {bases:?}");

    let without = |disk: &Disk, offset: i64, is_gone: &dyn Fn(&str) -> bool| {
        let mut disk = disk.clone();
        let prefix = format!("{METADATA_DIRECTORY}/{offset:020}");
        disk.files_mut().retain(|path, _| !path.strip_prefix(&prefix).is_some_and(is_gone));
        disk
    };
    let is_snapshot = |rest: &str| rest.starts_with('-');
    let is_segment = |rest: &str| rest.starts_with('.');
    let mut states = Vec::new();
    // Some of the first four snapshots are gone, the log is whole.
    for subset in 0..16 {
        let gone = old.iter().take(4).enumerate().filter(|(at, _)| subset >> at & 1 == 1);
        states.push(gone.fold(disk.clone(), |disk, (_, end)| without(&disk, *end, &is_snapshot)));
    }
    // All older ones are gone, and some of the segments.
    let last = old.iter().fold(disk.clone(), |disk, end| without(&disk, *end, &is_snapshot));
    for subset in 0..1 << covered.len() {
        let gone = covered.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1);
        states.push(gone.fold(last.clone(), |disk, (_, base)| without(&disk, *base, &is_segment)));
    }
    for synced in [true, false] {
        for state in &states {
            let mut state = state.clone();
            if !synced {
                // The checkpoint is older than the snapshot: what it says is below the gap.
                state.files_mut().retain(|path, _| !path.contains("klamm-synced"));
            }
            let left = (snapshots(&state), segments(&state));
            let mut config = kept(1_000_000);
            config.metadata_log.retention_bytes = 0;
            let world = World::restarted(state, config);
            let image = world.broker.image();
            assert_eq!(image.topics["t"].partitions.len(), 1, "{left:?}");
            assert_eq!(image.next_producer_id, expected.next_producer_id, "{left:?}");
            assert_eq!(snapshots(&world.disk), [*newest], "{left:?}");
            assert_eq!(world.warnings(), Vec::<&Event>::new(), "{left:?}");
        }
    }
}

#[test]
fn what_nobody_here_uses_outlives_the_log() {
    let acl = AccessControlEntryRecord { id: Uuid([3; 16]), ..Default::default() };
    let records: Vec<MetadataRecord> = topic(1).into_iter().chain([acl.into()]).collect();
    let mut config = kept(1);
    config.metadata_log.retention_bytes = 0;
    let mut world = World::restarted(super::disk(&records), config.clone());
    for _ in 0..20 {
        world.change();
    }
    assert!(segments(&world.disk)[0] > 0);
    let others = world.broker.image().others.clone();
    assert!(!others.is_empty());
    let world = World::restarted(world.disk, config);
    assert!(!world.broker.image().others.is_empty());
}

/// Whether what is missing was ever synced, the checkpoint tells: then it is damage.
#[test]
fn missing_segment_is_a_lost_tail_or_damage() {
    let mut world = World::ready_as(kept(1_000_000), 1);
    for _ in 0..8 {
        world.change();
    }
    world.pass(Millis(world.broker.config.limits.synced_checkpoint_interval_ms));
    world.settle();
    let bases = segments(&world.disk);
    let last = bases[bases.len() - 1];
    let mut whole = world.disk;
    let lost = format!("{METADATA_DIRECTORY}/{:020}.log", bases[bases.len() - 2]);
    whole.files_mut().remove(&lost);

    let mut disk = whole.clone();
    // As it was before any of the two was begun.
    let synced = SyncedCheckpoint::FILE;
    let checkpoint = disk.get(&format!("/data/{synced}")).expect("it is there").to_vec();
    let checkpoint = String::from_utf8(checkpoint).expect("it is text");
    let begun = format!(" {}\n", bases[bases.len() - 2]);
    let lines: Vec<String> = checkpoint
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((front, _)) if line.contains("__cluster_metadata") => format!("{front}{begun}"),
            _ => format!("{line}\n"),
        })
        .collect();
    disk.put(&format!("/data/{synced}"), lines.concat());
    let world = World::restarted(disk, kept(1_000_000));
    assert!(!segments(&world.disk).contains(&last), "{:?}", world.events);

    let mut world = World::on(whole, kept(1_000_000));
    world.settle();
    let Some(Exit::Failed(reason)) = &world.stopped else { panic!("{:?}", world.stopped) };
    assert!(reason.contains(&format!("{last:020}.log: damage at position 0")), "{reason}");
}

/// The synced checkpoint tells how far the log went: a snapshot does not stand for what is behind it.
#[test]
fn log_that_has_lost_what_followed_its_snapshot_is_refused() {
    let world = World::ready_as(kept(1), 1);
    let snapshot_end = world.metadata_end();
    let world = World::restarted(world.disk, kept(1_000_000));
    assert!(world.metadata_end() > snapshot_end);
    let mut disk = world.disk;
    for base in segments(&disk) {
        disk.files_mut().remove(&format!("{METADATA_DIRECTORY}/{base:020}.log"));
    }
    let mut world = World::on(disk, kept(1_000_000));
    world.settle();
    let Some(Exit::Failed(reason)) = &world.stopped else { panic!("{:?}", world.stopped) };
    assert!(reason.contains(&format!("ends at offset {snapshot_end}")), "{reason}");
}
