//! ListOffsets and OffsetForLeaderEpoch.

use super::*;
use crate::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::api::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

const T: i64 = 1_700_000_000_000;

fn timed(times_ms: &[i64]) -> CheckedBatch {
    let mut batch = BatchBuilder::new();
    for time_ms in times_ms {
        batch.append(*time_ms, None, Some(b"value"));
    }
    batch.build()
}

impl World {
    fn append(&mut self, partition: i32, times_ms: &[i64]) {
        self.produce_all(vec![(partition, Some(timed(times_ms)))], Acks::All, 1_000);
    }

    /// The log that the recorded answers are from.
    fn recorded(partitions: i32) -> Self {
        let mut world = Self::ready(partitions);
        for times_ms in [&[T, T + 50, T + 20][..], &[T + 1_000, T + 1_100], &[T + 500]] {
            world.append(0, times_ms);
        }
        world.settle();
        world
    }

    fn list(&mut self, version: i16, partitions: &[(i32, i64)]) -> u64 {
        let partitions = partitions.iter().map(|&(partition_index, timestamp)| {
            ListOffsetsPartition { partition_index, current_leader_epoch: -1, timestamp }
        });
        self.list_topics(version, 0, vec![("t", partitions.collect())])
    }

    fn list_topics(
        &mut self,
        version: i16,
        isolation_level: i8,
        topics: Vec<(&str, Vec<ListOffsetsPartition>)>,
    ) -> u64 {
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| ListOffsetsTopic { name: name.into(), partitions });
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level,
            topics: topics.collect(),
            timeout_ms: 1_000,
        };
        self.ask(RequestBody::ListOffsets { version, request })
    }

    /// The partitions of the last answer, over all topics.
    fn listed(&mut self) -> Vec<ListOffsetsPartitionResponse> {
        match self.responses.pop() {
            Some((_, ResponseBody::ListOffsets(response))) => {
                response.topics.into_iter().flat_map(|topic| topic.partitions).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Error, offset, timestamp and epoch of partition 0.
    fn offset_at(&mut self, version: i16, timestamp: i64) -> (i16, i64, i64, i32) {
        self.list(version, &[(0, timestamp)]);
        let [answer] = &self.listed()[..] else { panic!("one partition") };
        (answer.error_code.0, answer.offset, answer.timestamp, answer.leader_epoch)
    }
}

#[test]
fn answers_are_kafkas() {
    let mut world = World::recorded(2);
    let none = (0, -1, -1, -1);
    let unsupported = (35, -1, -1, -1);
    assert_eq!(world.offset_at(1, -1), (0, 6, -1, 0));
    assert_eq!(world.offset_at(11, -2), (0, 0, -1, 0));
    for (timestamp, since, answer) in [
        (-3, 7, (0, 4, T + 1_100, 0)),
        (-4, 8, (0, 0, -1, 0)),
        (-5, 9, none),
        (-6, 11, none),
        (-7, 99, none),
    ] {
        for version in 1..=11 {
            let expected = if version < since { unsupported } else { answer };
            assert_eq!(world.offset_at(version, timestamp), expected, "{timestamp} v{version}");
        }
    }
    assert_eq!(world.offset_at(7, 0), (0, 0, T, 0));
    assert_eq!(world.offset_at(7, T + 30), (0, 1, T + 50, 0));
    assert_eq!(world.offset_at(7, T + 600), (0, 3, T + 1_000, 0));
    assert_eq!(world.offset_at(7, i64::MAX), none);
}

#[test]
fn largest_timestamp_counts_below_the_start_of_the_log_too() {
    let mut world = World::recorded(1);
    let live = world.broker.logs.values_mut().find(|live| live.topic_id == TOPIC).unwrap();
    assert!(live.log.set_log_start(5));
    assert_eq!(world.offset_at(7, -3), (0, 4, T + 1_100, 0));
    assert_eq!(world.offset_at(7, T), (0, 5, T + 500, 0), "a search by time begins at the start");
}

#[test]
fn empty_log_has_two_ends_and_no_times() {
    let mut world = World::recorded(2);
    world.list(11, &[(1, -1)]);
    assert_eq!(world.listed()[0].leader_epoch, 0);
    for (timestamp, offset) in [(-1, 0), (-2, 0), (-4, 0), (-3, -1), (0, -1), (-5, -1)] {
        world.list(11, &[(1, timestamp)]);
        let answer = &world.listed()[0];
        assert_eq!((answer.error_code, answer.offset), (ErrorCode::NONE, offset), "{timestamp}");
    }
}

#[test]
fn each_partition_has_its_error() {
    let mut world = World::recorded(2);
    let asked = |partition_index, current_leader_epoch, timestamp| ListOffsetsPartition {
        partition_index,
        current_leader_epoch,
        timestamp,
    };
    let topics = vec![
        ("t", vec![asked(0, 0, -1), asked(1, 5, -1), asked(9, -1, -1), asked(1, 3, -1)]),
        ("t", vec![asked(0, 3, -2)]),
        ("nope", vec![asked(0, -1, 5)]),
    ];
    world.list_topics(11, 0, topics);
    let errors: Vec<_> =
        world.listed().iter().map(|it| (it.partition_index, it.error_code.0)).collect();
    assert_eq!(errors, [(0, 42), (1, 42), (9, 3), (0, 3)]);
    let epochs = vec![("t", vec![asked(0, 1, 0)]), ("t", vec![asked(1, 0, 0)])];
    world.list_topics(11, 0, epochs);
    let errors: Vec<_> = world.listed().iter().map(|it| it.error_code.0).collect();
    assert_eq!(errors, [75, 0]);
    world.list_topics(11, 5, vec![("t", vec![asked(0, -1, -1)])]);
    assert_eq!(world.listed()[0].error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
}

#[test]
fn what_is_not_visible_is_not_answered() {
    let mut world = World::recorded(1);
    world.append(0, &[T + 9_000]);
    assert_eq!(world.offset_at(11, -1).1, 6);
    assert_eq!(world.offset_at(11, T + 2_000).1, -1);
    // The largest timestamp is waited for.
    let number = world.list(11, &[(0, -3)]);
    assert!(world.responses.is_empty());
    world.settle();
    assert_eq!(world.responses[0].0, number);
    assert_eq!((world.listed()[0].offset, world.offset_at(11, -1).1), (6, 7));
    assert_eq!(world.offset_at(11, T + 2_000).1, 6);
}

#[test]
fn searches_run_a_few_at_a_time_and_are_answered_together() {
    let mut world = World::ready(20);
    for partition in 0..20 {
        world.append(partition, &[T + i64::from(partition)]);
    }
    world.settle();
    world.holds_jobs = true;
    let asked: Vec<_> = (0..20).map(|partition| (partition, T)).collect();
    world.list(11, &asked);
    let mut ran = 0;
    while let Some((id, job)) = world.jobs.pop() {
        assert!(world.jobs.len() < Limits::default().jobs_max);
        assert!(world.responses.is_empty());
        world.finish_job(id, job);
        ran += 1;
    }
    assert_eq!(ran, 20);
    let times: Vec<i64> = world.listed().iter().map(|answer| answer.timestamp).collect();
    assert_eq!(times, (0..20).map(|partition| T + partition).collect::<Vec<_>>());
}

#[test]
fn search_that_finds_no_place_runs_when_another_job_has_ended() {
    let mut old = World::recorded(1);
    let deleted = "/data/u-3.0123456789abcdef0123456789abcdef-delete";
    old.disk.put(&format!("{deleted}/00000000000000000000.log"), "records");
    let limits = Limits { jobs_max: 1, ..Limits::default() };
    let mut world = World::on(old.disk, Config { limits, ..config(&["/data"]) });
    world.holds_jobs = true;
    // Every job of the start; the next one takes the deleted directory away.
    while !world.ready {
        world.settle();
        if !world.ready {
            let (id, job) = world.jobs.pop().expect("a start that waits for it");
            world.finish_job(id, job);
        }
    }
    world.settle();
    assert_eq!(world.jobs.len(), 1);
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: "127.0.0.1:5".to_string() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    world.list(11, &[(0, T)]);
    let (id, removal) = world.jobs.remove(0);
    assert!(world.jobs.is_empty(), "there is no place");
    world.finish_job(id, removal);
    let (id, search) = world.jobs.pop().expect("the search has its turn");
    world.finish_job(id, search);
    assert_eq!(world.listed()[0].timestamp, T);
}

#[test]
fn nobody_is_searched_for_when_the_client_has_gone() {
    let mut world = World::ready(20);
    for partition in 0..20 {
        world.append(partition, &[T]);
    }
    world.settle();
    world.holds_jobs = true;
    let asked: Vec<_> = (0..20).map(|partition| (partition, T)).collect();
    world.list(11, &asked);
    let out = world.jobs.len();
    world.broker.handle_disconnect(CLIENT, None, world.now);
    world.drain();
    for (id, job) in core::mem::take(&mut world.jobs) {
        world.finish_job(id, job);
    }
    assert_eq!((out, world.jobs.len()), (Limits::default().jobs_max, 0));
    assert!(world.responses.is_empty());
}

#[test]
fn search_that_takes_too_long_is_answered_for_its_time() {
    let mut world = World::recorded(1);
    world.holds_jobs = true;
    world.list(10, &[(0, T)]);
    world.pass(Millis(9_000));
    assert!(world.responses.is_empty());
    world.pass(Millis(2_000));
    assert_eq!(world.listed()[0].error_code, ErrorCode::REQUEST_TIMED_OUT);
    let (id, job) = world.jobs.remove(0);
    world.finish_job(id, job);
    assert!(world.responses.is_empty());
}

#[test]
fn stop_answers_who_waits_for_a_search() {
    let mut world = World::recorded(1);
    world.holds_jobs = true;
    world.list(11, &[(0, T)]);
    world.broker.handle_shutdown(world.now);
    world.drain();
    assert_eq!(world.listed()[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    let (id, job) = world.jobs.remove(0);
    world.finish_job(id, job);
}

#[test]
fn failed_disk_and_deleted_file_are_told_apart() {
    let mut world = World::recorded(1);
    let at = "/data/t-0/00000000000000000000.log";
    let content = world.disk.get(at).expect("a log").to_vec();
    world.disk.apply(Effect::Operations(vec![Operation::Unlink(Path::new(at))]));
    assert_eq!(world.offset_at(11, T).0, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
    world.disk.put(at, content);
    assert_eq!(world.offset_at(11, T).1, 0);
    world.disk.fail_at = Some(0);
    assert_eq!(world.offset_at(11, T).0, ErrorCode::KAFKA_STORAGE_ERROR.0);
    assert!(matches!(world.stopped, Some(Exit::Failed(_))));
}

#[test]
fn leader_epochs_end_where_the_log_visibly_does() {
    let mut world = World::recorded(1);
    world.append(0, &[T]);
    let asked = |partition, current_leader_epoch, leader_epoch| OffsetForLeaderPartition {
        partition,
        current_leader_epoch,
        leader_epoch,
    };
    let partitions = vec![asked(0, -1, 0), asked(0, 0, 1), asked(0, 9, 0), asked(7, -1, 0)];
    let topics = vec![OffsetForLeaderTopic { topic: "t".into(), partitions }];
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    world.ask(RequestBody::OffsetForLeaderEpoch { version: 4, request });
    let Some((_, ResponseBody::OffsetForLeaderEpoch(response))) = world.responses.pop() else {
        panic!("an answer")
    };
    let answers: Vec<_> = response.topics[0]
        .partitions
        .iter()
        .map(|EpochEndOffset { error_code, partition, leader_epoch, end_offset }| {
            (error_code.0, *partition, *leader_epoch, *end_offset)
        })
        .collect();
    assert_eq!(answers, [(0, 0, 0, 6), (0, 0, -1, -1), (75, 0, -1, -1), (3, 7, -1, -1)]);
}
