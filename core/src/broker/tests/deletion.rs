//! DeleteRecords, retention, and the checkpoints that go with them.

use super::*;
use crate::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use crate::checkpoint::{LOG_START_FILE, OffsetCheckpoint, RECOVERY_POINT_FILE, REPLICATION_FILE};
use crate::ids::FileId;
use crate::log::Level;

const DAY_MS: i64 = 86_400_000;

/// The tests' own interval between looks at the logs.
const CHECK: Millis = Millis(1_000);

fn small_segments() -> Config {
    let mut config = config(&["/data"]);
    config.topic_defaults.segment_bytes = 200;
    config.topic_defaults.file_delete_delay_ms = 5_000;
    config.tasks.initial_delay_ms = 0;
    config.tasks.retention_check_interval_ms = CHECK.0;
    config
}

fn batch_at(timestamp_ms: i64) -> CheckedBatch {
    let mut batch = BatchBuilder::new();
    batch.append(timestamp_ms, None, Some(&[7; 60]));
    batch.build()
}

impl World {
    /// Segments of one record each, the last of them active.
    fn with_segments(config: Config, times_ms: &[i64]) -> Self {
        let mut world = Self::ready_as(config, 1);
        for time_ms in times_ms {
            world.produce_all(vec![(0, Some(batch_at(*time_ms)))], Acks::All, 1_000);
        }
        world.settle();
        world
    }

    fn delete(&mut self, offsets: &[(i32, i64)]) -> u64 {
        let partitions = offsets
            .iter()
            .map(|&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset });
        let topics =
            vec![DeleteRecordsTopic { name: "t".into(), partitions: partitions.collect() }];
        let request = DeleteRecordsRequest { topics, timeout_ms: 1_000 };
        self.ask(RequestBody::DeleteRecords { version: 2, request })
    }

    /// Error and low watermark of each partition of the last answer.
    fn deleted(&mut self) -> Vec<(i16, i64)> {
        match self.responses.pop() {
            Some((_, ResponseBody::DeleteRecords(response))) => response
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .map(|partition| (partition.error_code.0, partition.low_watermark))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn start_and_end(&self) -> (i64, i64) {
        let log = &self.broker.logs.values().find(|live| live.topic_id == TOPIC).unwrap().log;
        (log.log_start(), log.end(Level::Synced))
    }

    fn checkpointed(&self, file: &str) -> Option<i64> {
        let content = self.disk.get(&format!("/data/{file}"))?;
        OffsetCheckpoint::parse(content).unwrap().get("t", 0)
    }

    /// The segments' names on disk, `.deleted` ones with that suffix.
    fn log_files(&self) -> Vec<String> {
        let names = self.disk.files().keys().filter_map(|path| path.strip_prefix("/data/t-0/"));
        let logs = names.filter(|name| name.contains(".log"));
        logs.map(|name| name.trim_start_matches('0').to_string()).collect()
    }

    fn tick(&mut self) {
        self.pass(CHECK);
        self.settle();
    }
}

#[test]
fn answer_waits_for_the_durable_start() {
    let mut world = World::with_segments(config(&["/data"]), &[WALL_MS; 6]);
    world.delete(&[(0, 2)]);
    assert_eq!((world.responses.len(), world.start_and_end().0), (0, 0));
    world.settle();
    assert_eq!(world.deleted(), [(0, 2)]);
    assert_eq!((world.start_and_end().0, world.checkpointed(LOG_START_FILE)), (2, Some(2)));
}

#[test]
fn answers_are_kafkas() {
    let mut world = World::with_segments(config(&["/data"]), &[WALL_MS; 6]);
    let mut answer = |offset| {
        world.delete(&[(0, offset)]);
        world.settle();
        world.deleted()[0]
    };
    assert_eq!(answer(2), (0, 2));
    assert_eq!(answer(1), (0, 2), "below the start");
    assert_eq!(answer(7), (1, -1));
    assert_eq!(answer(-2), (1, -1));
    assert_eq!(answer(-1), (0, 6), "the high watermark");
    assert_eq!(answer(-1), (0, 6));
    world.delete(&[(0, 3), (9, 0), (0, 6)]);
    assert_eq!(world.deleted(), [(0, 6), (3, -1)]);
}

#[test]
fn compacted_topic_keeps_its_records() {
    let mut config = config(&["/data"]);
    config.topic_defaults.compacted = true;
    config.topic_defaults.deletes_old = false;
    let mut world = World::ready_as(config, 1);
    world.delete(&[(0, 0)]);
    assert_eq!(world.deleted(), [(44, -1)]);
}

#[test]
fn requests_that_come_while_the_file_is_written_share_the_next() {
    let mut world = World::with_segments(config(&["/data"]), &[WALL_MS; 6]);
    let first = world.delete(&[(0, 1)]);
    assert_eq!(world.effects.len(), 1);
    let rest = [world.delete(&[(0, 2)]), world.delete(&[(0, 4)]), world.delete(&[(0, 3)])];
    assert_eq!(world.effects.len(), 1, "one write of the file is out");
    world.step();
    assert_eq!((world.responses.len(), world.responses[0].0), (1, first));
    assert_eq!(world.effects.len(), 1, "one more for the three of them");
    world.step();
    let answered: Vec<u64> = world.responses[1..].iter().map(|(number, _)| *number).collect();
    assert_eq!(answered, rest);
    assert_eq!((world.start_and_end().0, world.effects.len()), (4, 0));
}

#[test]
fn start_that_takes_too_long_is_answered_for_its_time_and_moves_all_the_same() {
    let mut world = World::with_segments(config(&["/data"]), &[WALL_MS; 6]);
    world.delete(&[(0, 2)]);
    world.pass(Millis(9_000));
    assert!(world.responses.is_empty());
    world.pass(Millis(2_000));
    assert_eq!(world.deleted(), [(7, -1)]);
    world.settle();
    assert_eq!((world.start_and_end().0, world.responses.len()), (2, 0));
}

#[test]
fn failed_write_of_the_start_is_a_storage_error() {
    let mut world = World::with_segments(config(&["/data"]), &[WALL_MS; 6]);
    world.delete(&[(0, 2)]);
    world.fail_step();
    assert_eq!(world.deleted(), [(56, -1)]);
    assert!(matches!(world.stopped, Some(Exit::Failed(_))));
}

#[test]
fn old_segments_are_renamed_and_later_removed() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, old, WALL_MS, WALL_MS]);
    assert_eq!(world.log_files(), [".log", "1.log", "2.log", "3.log"]);
    world.tick();
    assert_eq!((world.start_and_end(), world.checkpointed(LOG_START_FILE)), ((2, 4), Some(2)));
    assert_eq!(world.log_files(), [".log.deleted", "1.log.deleted", "2.log", "3.log"]);
    world.pass(Millis(3_000));
    world.settle();
    assert_eq!(world.log_files().len(), 4, "the delay is not over");
    world.pass(Millis(3_000));
    world.settle();
    assert_eq!(world.log_files(), ["2.log", "3.log"]);
    let left = world.disk.files().keys().filter(|path| path.contains("deleted"));
    assert_eq!(left.count(), 0, "their companions are gone too");
}

#[test]
fn start_is_durable_before_the_first_rename() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, WALL_MS]);
    world.pass(CHECK);
    world.settle();
    let trace = &world.disk.trace;
    let renamed = |name: &str| {
        trace.iter().rposition(|operation| {
            matches!(operation, Operation::Rename { to, .. } if to.as_str().ends_with(name))
        })
    };
    let start = renamed(LOG_START_FILE).expect("the checkpoint");
    let first = trace.iter().position(|operation| {
        matches!(operation, Operation::Rename { to, .. } if to.as_str().ends_with(".deleted"))
    });
    assert!(matches!(trace[start + 1], Operation::SyncDirectory(_)));
    assert!(start + 1 < first.expect("a rename"));
}

#[test]
fn whole_log_may_go_and_goes_on_at_its_end() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, old]);
    for _ in 0..3 {
        world.tick();
    }
    assert_eq!(world.start_and_end(), (2, 2));
    assert_eq!(world.log_files(), [".log.deleted", "1.log.deleted", "2.log"]);
    world.produce_all(vec![(0, Some(batch_at(WALL_MS)))], Acks::All, 1_000);
    world.settle();
    assert_eq!(world.start_and_end(), (2, 3));
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    let mut again = World::on(world.disk, small_segments());
    again.settle();
    assert_eq!((again.ready, again.start_and_end()), (true, (2, 3)));
}

#[test]
fn segments_beyond_the_size_go() {
    let mut config = small_segments();
    config.topic_defaults.retention_bytes = 300;
    let mut world = World::with_segments(config, &[WALL_MS; 5]);
    world.tick();
    assert_eq!(world.start_and_end(), (2, 5));
}

#[test]
fn without_the_policy_only_what_is_below_the_start_goes() {
    let mut config = small_segments();
    config.topic_defaults.deletes_old = false;
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(config, &[old, old, old]);
    world.tick();
    assert_eq!((world.start_and_end(), world.log_files().len()), ((0, 3), 3));
}

#[test]
fn deleted_records_take_their_segments_along() {
    let mut world = World::with_segments(small_segments(), &[WALL_MS; 4]);
    world.delete(&[(0, 2)]);
    world.settle();
    world.tick();
    assert_eq!(world.log_files(), [".log.deleted", "1.log.deleted", "2.log", "3.log"]);
    world.delete(&[(0, -1)]);
    world.settle();
    world.tick();
    assert_eq!(world.start_and_end(), (4, 4));
    assert!(world.log_files().contains(&"3.log".to_string()), "the active one stays");
}

impl World {
    /// The first segment's file.
    fn first_file(&self) -> FileId {
        let live = self.broker.logs.values().find(|live| live.topic_id == TOPIC).unwrap();
        live.log.segments()[0].file.id
    }
}

#[test]
fn reader_holds_the_files_back() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, WALL_MS]);
    let file = world.first_file();
    world.broker.deletions.begin_read(&[file, file]);
    world.tick();
    assert_eq!(world.start_and_end().0, 1);
    assert_eq!(world.log_files(), [".log", "1.log"]);
    world.broker.end_read(&[file]);
    world.drain();
    assert_eq!(world.effects.len(), 0);
    world.broker.end_read(&[file]);
    world.drain();
    world.settle();
    assert_eq!(world.log_files(), [".log.deleted", "1.log"]);
}

#[test]
fn range_on_its_way_holds_rename_and_unlink_back() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, WALL_MS]);
    let file = world.first_file();
    let pin = |world: &mut World| {
        world.broker.pins.pin(CLIENT, world.requests, file);
        world.requests += 1;
    };
    pin(&mut world);
    world.tick();
    assert_eq!((world.start_and_end().0, world.log_files().len()), (1, 2));
    assert_eq!(world.log_files(), [".log", "1.log"]);
    // Tells that what was before it has left.
    world.delete(&[(9, 0)]);
    world.settle();
    assert_eq!(world.log_files(), [".log.deleted", "1.log"]);
    pin(&mut world);
    world.pass(Millis(9_000));
    world.settle();
    assert_eq!(world.log_files(), [".log.deleted", "1.log"]);
    world.delete(&[(9, 0)]);
    world.settle();
    assert_eq!(world.log_files(), ["1.log"]);
}

#[test]
fn checkpoints_are_written_when_they_have_changed() {
    let mut config = config(&["/data"]);
    config.tasks.initial_delay_ms = 10_000;
    config.tasks.recovery_point_interval_ms = 10_000;
    config.tasks.high_watermark_interval_ms = 5_000;
    let mut world = World::with_segments(config, &[WALL_MS; 3]);
    let writes = |world: &World, file: &str| {
        let of_file = |operation: &&Operation| matches!(operation, Operation::Rename { to, .. } if to.as_str().ends_with(file));
        world.disk.trace.iter().filter(of_file).count()
    };
    world.pass(Millis(5_001));
    world.settle();
    assert_eq!(world.checkpointed(REPLICATION_FILE), Some(3));
    assert_eq!(world.checkpointed(RECOVERY_POINT_FILE), None);
    world.pass(Millis(5_001));
    world.settle();
    assert_eq!(world.checkpointed(RECOVERY_POINT_FILE), Some(3));
    assert_eq!((writes(&world, REPLICATION_FILE), writes(&world, RECOVERY_POINT_FILE)), (1, 1));
    world.produce_all(vec![(0, Some(batch_at(WALL_MS)))], Acks::All, 1_000);
    world.settle();
    world.pass(Millis(10_001));
    world.settle();
    assert_eq!((writes(&world, REPLICATION_FILE), writes(&world, RECOVERY_POINT_FILE)), (2, 2));
    assert_eq!(world.checkpointed(REPLICATION_FILE), Some(4));
}

#[test]
fn page_cache_syncs_what_the_flush_settings_ask_for() {
    let mut config = config(&["/data"]);
    config.durability = Durability::PageCache;
    config.topic_defaults.flush_messages = 4;
    let mut world = World::ready_as(config.clone(), 1);
    world.produce(0, Acks::All, 1_000);
    world.step_writes();
    assert_eq!(world.syncs_out(), 0);
    world.produce(0, Acks::All, 1_000);
    world.step_writes();
    assert_eq!(world.syncs_out(), 1, "four records");
    world.settle();

    config.topic_defaults.flush_messages = 1_000;
    config.topic_defaults.flush_ms = 3_000;
    config.tasks.initial_delay_ms = 0;
    config.tasks.flush_scheduler_interval_ms = Some(1_000);
    let mut world = World::ready_as(config, 1);
    world.produce_all(vec![(0, Some(batch_at(WALL_MS)))], Acks::All, 1_000);
    world.step_writes();
    world.pass(Millis(2_000));
    assert_eq!(world.syncs_out(), 0);
    world.pass(Millis(2_000));
    assert_eq!(world.syncs_out(), 1, "three seconds");
}

#[test]
fn stop_leaves_what_is_not_removed_yet() {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, WALL_MS]);
    world.tick();
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    assert_eq!(world.log_files(), [".log.deleted", "1.log"]);
    assert_eq!(world.broker.poll_timeout(), None);
}

/// Deletes records, then old segments, on a disk whose operations fail from the `fail_at`th on. Gives
/// the start that was answered, and whether nothing failed.
fn delete_until(fail_at: usize) -> (Disk, Option<i64>, bool) {
    let old = WALL_MS - 8 * DAY_MS;
    let mut world = World::with_segments(small_segments(), &[old, old, WALL_MS, WALL_MS]);
    world.disk.fail_at = Some(world.disk.trace.len() + fail_at);
    world.delete(&[(0, 1)]);
    world.settle();
    let (error, start) = world.deleted()[0];
    for _ in 0..8 {
        if world.stopped.is_none() {
            world.tick();
        }
    }
    (world.disk, (error == 0).then_some(start), world.stopped.is_none())
}

#[test]
fn kill_at_any_operation_of_a_deletion_loses_nothing_above_the_start() {
    for fail_at in 0.. {
        let (mut disk, answered, is_complete) = delete_until(fail_at);
        disk.fail_at = None;
        let mut world = World::on(disk, config(&["/data"]));
        world.settle();
        assert!(world.ready, "{fail_at}: {:?}", world.events);
        let (start, end) = world.start_and_end();
        assert!([0, 1, 2].contains(&start) && end == 4, "{fail_at}: {start} to {end}");
        assert!(start >= answered.unwrap_or(0), "{fail_at}: {answered:?} was answered");
        let left = world.log_files();
        assert!(left.ends_with(&["2.log".to_string(), "3.log".to_string()]), "{left:?}");
        assert!(left.iter().all(|name| !name.contains("deleted")), "{left:?}");
        if is_complete {
            assert_eq!((start, left.len()), (2, 2));
            return;
        }
    }
}
