//! What is told of log directories.

use super::*;
use crate::api::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};

impl World {
    fn ask_log_dirs(&mut self, version: i16, topics: Option<&[(&str, &[i32])]>) {
        let named = |(topic, partitions): &(&str, &[i32])| DescribableLogDirTopic {
            topic: topic.to_string(),
            partitions: partitions.to_vec(),
        };
        let topics = topics.map(|topics| topics.iter().map(named).collect());
        let request = DescribeLogDirsRequest { topics };
        self.ask(RequestBody::DescribeLogDirs { version, request });
    }

    fn told_log_dirs(&mut self) -> Option<DescribeLogDirsResponse> {
        let (_, body) = self.responses.pop()?;
        match body {
            ResponseBody::DescribeLogDirs(answer) => Some(answer),
            other => panic!("{other:?}"),
        }
    }

    fn log_dirs(&mut self, topics: Option<&[(&str, &[i32])]>) -> Vec<DescribeLogDirsResult> {
        self.ask_log_dirs(5, topics);
        self.settle();
        let answer = self.told_log_dirs().expect("an answer");
        assert_eq!(answer.error_code, ErrorCode::NONE);
        answer.results
    }
}

/// Each topic, with its partitions and their sizes.
fn sizes(result: &DescribeLogDirsResult) -> Vec<(&str, Vec<(i32, i64)>)> {
    let topics = result.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            assert_eq!((partition.offset_lag, partition.is_future_key), (0, false));
            (partition.partition_index, partition.partition_size)
        });
        (topic.name.as_str(), partitions.collect())
    });
    topics.collect()
}

/// A broker with a second directory, which has partition 1 alone.
fn two_directories() -> World {
    let mut disk = disk(&topic(3));
    disk.put("/more/meta.properties", meta_properties(1, 2));
    disk.put("/more/t-1/00000000000000000000.log", Vec::new());
    World::serving(disk, config(&["/data", "/more"]))
}

#[test]
fn every_log_but_the_metadata_log_has_its_size() {
    let mut world = two_directories();
    world.produce(1, Acks::All, 1_000);
    world.produce(2, Acks::All, 1_000);
    world.settle();
    let written = world.disk.get("/more/t-1/00000000000000000000.log").expect("a log").len() as i64;
    assert!(written > 0);
    let results = world.log_dirs(None);
    let [data, more] = &results[..] else { panic!("{results:?}") };
    assert_eq!((data.log_dir.as_str(), more.log_dir.as_str()), ("/data", "/more"));
    assert_eq!(sizes(data), [("t", vec![(0, 0), (2, written)])]);
    assert_eq!(sizes(more), [("t", vec![(1, written)])]);
    for directory in [data, more] {
        assert_eq!((directory.total_bytes, directory.usable_bytes), (1_000, 400));
        assert_eq!((directory.error_code, directory.is_cordoned), (ErrorCode::NONE, false));
    }
}

#[test]
fn what_is_asked_for_is_told_once_and_what_is_not_there_is_left_out() {
    let mut world = two_directories();
    let asked: &[(&str, &[i32])] =
        &[("t", &[1, 1, 7, -1]), ("nope", &[0]), ("t", &[0]), ("__cluster_metadata", &[0])];
    let results = world.log_dirs(Some(asked));
    assert_eq!(sizes(&results[0]), [("t", vec![(0, 0)])]);
    assert_eq!(sizes(&results[1]), [("t", vec![(1, 0)])]);
    let results = world.log_dirs(Some(&[]));
    assert!(results.iter().all(|directory| directory.topics.is_empty()));
    assert_eq!(results[0].total_bytes, 1_000);
}

#[test]
fn versions_without_room_ask_no_file_system() {
    let mut world = World::ready(1);
    for version in [1, 3] {
        world.ask_log_dirs(version, None);
        let answer = world.told_log_dirs().expect("at once");
        assert_eq!((answer.results[0].total_bytes, answer.results[0].usable_bytes), (-1, -1));
        assert_eq!(sizes(&answer.results[0]), [("t", vec![(0, 0)])]);
    }
    assert_eq!(world.effects, []);
}

#[test]
fn directory_that_failed_is_offline_and_has_no_logs() {
    let mut world = two_directories();
    world.produce(1, Acks::All, 1_000);
    // It fails while its room is asked for.
    world.ask_log_dirs(5, None);
    world.fail_step();
    world.settle();
    let answers = [world.told_log_dirs().expect("an answer").results, world.log_dirs(None)];
    for results in answers {
        assert_eq!(sizes(&results[0]), [("t", vec![(0, 0), (2, 0)])]);
        let failed = DescribeLogDirsResult {
            error_code: ErrorCode::KAFKA_STORAGE_ERROR,
            log_dir: "/more".to_string(),
            ..DescribeLogDirsResult::default()
        };
        assert_eq!(results[1], failed);
        assert_eq!((failed.total_bytes, failed.usable_bytes), (-1, -1));
    }
}

#[test]
fn file_system_that_does_not_answer_fails_no_directory() {
    let mut world = World::ready(1);
    world.ask_log_dirs(5, None);
    world.fail_step();
    let result = world.told_log_dirs().expect("an answer").results.remove(0);
    assert_eq!(result.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!((result.topics.len(), result.total_bytes), (0, -1));
    world.produce(0, Acks::All, 1_000);
    world.settle();
    assert_eq!(world.answers.len(), 1);
}

#[test]
fn description_waits_for_nobody_who_has_left_and_not_beyond_a_stop() {
    let mut world = World::ready(1);
    world.ask_log_dirs(5, None);
    world.broker.handle_disconnect(CLIENT, None, world.now);
    world.settle();
    assert!(world.told_log_dirs().is_none());
    let mut world = World::ready(1);
    world.ask_log_dirs(5, None);
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert!(world.told_log_dirs().is_some());
    assert_eq!(world.stopped, Some(Exit::Clean));
}
