//! Topics that are deleted while somebody uses them, and created again.

use super::*;
use crate::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use crate::api::delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest};
use crate::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use crate::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

fn deletion(names: &[&str]) -> RequestBody {
    let request = DeleteTopicsRequest {
        topics: vec![],
        topic_names: names.iter().map(ToString::to_string).collect(),
        timeout_ms: 1_000,
    };
    RequestBody::DeleteTopics { version: 5, request }
}

fn deletion_of(topics: &[(Option<&str>, Uuid)]) -> RequestBody {
    let state = |(name, topic_id): &(Option<&str>, Uuid)| DeleteTopicState {
        name: name.map(String::from),
        topic_id: *topic_id,
    };
    let request = DeleteTopicsRequest {
        topics: topics.iter().map(state).collect(),
        topic_names: vec![],
        timeout_ms: 1_000,
    };
    RequestBody::DeleteTopics { version: 6, request }
}

fn records_deletion(topic: &str, offset: i64) -> RequestBody {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.to_string(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 1_000 };
    RequestBody::DeleteRecords { version: 2, request }
}

/// One whose topic has lines in the checkpoints of recovery points and of log starts.
fn with_lines() -> World {
    let mut world = modern();
    for _ in 0..3 {
        world.produce(0, Acks::All, 1_000);
    }
    world.settle();
    world.ask(records_deletion("t", 4));
    world.pass(Millis(61_000));
    world.settle();
    world
}

impl World {
    fn deleted_topics(&self) -> Vec<DeletableTopicResult> {
        match self.responses.last() {
            Some((_, ResponseBody::DeleteTopics(answer))) => answer.responses.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn delete_topics(&mut self, names: &[&str]) -> Vec<DeletableTopicResult> {
        self.ask(deletion(names));
        self.settle();
        self.deleted_topics()
    }

    /// Directories of the log directory that are no metadata log's, the long id left out.
    fn directories(&self) -> Vec<String> {
        let list = Effect::Operations(vec![Operation::List(Path::new("/data"))]);
        let Completion::Done(results) = self.disk.clone().apply(list) else { panic!("it lists") };
        let [OperationResult::Listed(entries)] = &results[..] else { panic!("it lists") };
        let directories = entries.iter().filter(|entry| entry.kind == EntryKind::Directory);
        let named = directories.map(|entry| match entry.name.split_once('.') {
            Some((front, id)) => format!("{front}.{}", &id[32..]),
            None => entry.name.clone(),
        });
        named.filter(|name| name != "__cluster_metadata-0").collect()
    }
}

#[test]
fn a_deleted_topic_is_gone_and_its_directories_go_later() {
    let mut world = modern();
    let id = world.create(vec![new_topic("a", 2)])[0].topic_id;
    world.produce_to(id, 1);
    world.settle();
    let end = world.synced_metadata_end();
    let results = world.delete_topics(&["a"]);
    assert_eq!(results[0].error_code, ErrorCode::NONE);
    assert_eq!(world.synced_metadata_end(), end + 1, "the topic's record alone");
    assert!(!world.broker.image().topics.contains_key("a"));
    assert_eq!(world.directories(), ["a-0.-delete", "a-1.-delete", "t-0"]);
    world.pass(Millis(59_000));
    world.settle();
    assert_eq!(world.directories().len(), 3);
    world.pass(Millis(2_000));
    world.settle();
    assert_eq!(world.directories(), ["t-0"]);
}

#[test]
fn what_cannot_be_deleted_is_refused_in_kafkas_words() {
    let mut world = modern();
    let unknown = Uuid([9; 16]);
    let told = |world: &mut World, body| {
        world.ask(body);
        world.settle();
        let told = world
            .deleted_topics()
            .into_iter()
            .map(|it| (it.name, it.topic_id, it.error_code, it.error_message.unwrap_or_default()));
        told.collect::<Vec<_>>()
    };
    let invalid = ErrorCode::INVALID_REQUEST;
    let t = || Some("t".to_string());
    let no_id = Uuid::ZERO;
    for (body, expected) in [
        (
            deletion(&["no"]),
            (
                Some("no".to_string()),
                no_id,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "This server does not host this topic-partition.",
            ),
        ),
        (deletion(&["t", "t"]), (t(), no_id, invalid, "Duplicate topic name.")),
        (
            deletion_of(&[(None, unknown)]),
            (
                None,
                unknown,
                ErrorCode::UNKNOWN_TOPIC_ID,
                "This server does not host this topic ID.",
            ),
        ),
        (
            deletion_of(&[(Some("t"), TOPIC)]),
            (t(), TOPIC, invalid, "You may not specify both topic name and topic id."),
        ),
        (
            deletion_of(&[(None, no_id)]),
            (None, no_id, invalid, "Neither topic name nor id were specified."),
        ),
        (
            deletion_of(&[(None, TOPIC), (None, TOPIC)]),
            (None, TOPIC, invalid, "Duplicate topic id."),
        ),
        (
            deletion_of(&[(Some("t"), no_id), (None, TOPIC)]),
            (
                t(),
                TOPIC,
                invalid,
                "The provided topic name maps to an ID that was already supplied.",
            ),
        ),
    ] {
        let (name, id, error, message) = expected;
        let expected = vec![(name, id, error, message.to_string())];
        assert_eq!(told(&mut world, body), expected);
    }
    assert!(world.broker.image().topics.contains_key("t"));
    let deleted = vec![(t(), TOPIC, ErrorCode::NONE, String::new())];
    assert_eq!(told(&mut world, deletion_of(&[(None, TOPIC)])), deleted);
}

#[test]
fn who_produces_to_a_topic_that_goes_is_told() {
    let mut world = modern();
    let first = world.produce(0, Acks::All, 1_000);
    // Its write is not complete; everything else goes on.
    let write = world.effects.remove(0);
    world.delete_topics(&["t"]);
    let gone = vec![AppendOutcome::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
    assert_eq!(world.answers, [(first, gone.clone())]);
    assert_eq!(world.directories(), ["t-0"], "a write is out");
    let second = world.produce(0, Acks::All, 1_000);
    assert_eq!(world.answers[1], (second, gone));
    world.effects.push(write);
    world.settle();
    assert_eq!(world.directories(), ["t-0.-delete"]);
    world.pass(Millis(61_000));
    world.settle();
    assert_eq!(world.directories(), Vec::<String>::new());
}

#[test]
fn a_directory_waits_for_the_sync_of_its_log() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    world.step_writes();
    let sync = world.effects.remove(0);
    world.ask(deletion(&["t"]));
    world.step_writes();
    assert_eq!(world.syncs_out(), 0, "one sync of a directory at a time");
    assert!(world.responses.is_empty());
    world.effects.push(sync);
    world.settle();
    assert_eq!(world.deleted_topics()[0].error_code, ErrorCode::NONE);
    assert_eq!(world.directories(), ["t-0.-delete"]);
}

fn fetch(topic_id: Uuid, max_wait_ms: i32) -> RequestBody {
    let partitions = vec![FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset: 0,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    }];
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: i32::from(max_wait_ms > 0),
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic { topic_id, partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    RequestBody::Fetch { version: 13, request }
}

#[test]
fn who_waits_for_records_of_a_topic_that_goes_is_told_at_once() {
    let mut world = modern();
    let waiting = world.ask(fetch(TOPIC, 30_000));
    assert!(world.responses.is_empty());
    world.ask(deletion(&["t"]));
    world.settle();
    let fetched = world.responses.iter().find(|(number, _)| *number == waiting);
    let Some((_, ResponseBody::Fetch(answer))) = fetched else { panic!("it is answered") };
    let error = answer.responses[0].partitions[0].error_code;
    assert_eq!(error, ErrorCode::UNKNOWN_TOPIC_ID);
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn a_range_on_its_way_holds_the_removal_back_and_not_the_rename() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    world.settle();
    world.ask(fetch(TOPIC, 0));
    // Its client does not take the answer.
    let never = |body| Request { number: RequestNumber(99), transmitted: 0, body };
    world.broker.handle_request(CLIENT, never(deletion(&["t"])), world.now);
    world.drain();
    while world.directories() != ["t-0.-delete"] {
        let is_rename = |operation: &Operation| matches!(operation, Operation::Rename { .. });
        if let Effect::Operations(operations) = &world.effects[0].1
            && operations.iter().any(is_rename)
        {
            let opened = operations.iter().position(|it| matches!(it, Operation::Open(_)));
            assert!(opened < operations.iter().position(is_rename), "{operations:?}");
        }
        world.step();
    }
    world.settle();
    world.pass(Millis(100_000));
    world.settle();
    assert_eq!(world.directories(), ["t-0.-delete"]);
    world.broker.handle_disconnect(CLIENT, None, world.now);
    world.drain();
    world.pass(Millis(2_000));
    world.settle();
    assert_eq!(world.directories(), Vec::<String>::new());
}

#[test]
fn a_topic_of_the_same_name_has_nothing_of_the_old_one() {
    let mut world = modern();
    for _ in 0..3 {
        world.produce(0, Acks::All, 1_000);
    }
    world.settle();
    let asked = [world.ask(deletion(&["t"])), world.ask(creation(vec![new_topic("t", 1)]))];
    world.settle();
    let answered: Vec<u64> = world.responses.iter().map(|(number, _)| *number).collect();
    assert_eq!(answered, asked);
    let created = world.created()[0].clone();
    assert_eq!(created.error_code, ErrorCode::NONE);
    assert_ne!(created.topic_id, TOPIC);
    assert_eq!(world.directories(), ["t-0", "t-0.-delete"]);
    let number = world.produce_to(created.topic_id, 0);
    world.settle();
    assert_eq!(world.answers.last(), Some(&(number, vec![accepted(0)])));
    let again = on(world.disk, &["/data"]);
    let live = again.broker.logs.values().find(|live| &*live.topic == "t").expect("it is there");
    assert_eq!((live.topic_id, live.log.accepted_end()), (created.topic_id, 2));
}

#[test]
fn lines_of_a_deleted_topic_are_out_of_the_checkpoints_before_its_name_is_used_again() {
    let mut world = with_lines();
    let files = ["/data/log-start-offset-checkpoint", "/data/recovery-point-offset-checkpoint"];
    let line = |world: &World, file| {
        let content = world.disk.get(file).expect("it is written");
        String::from_utf8_lossy(content).lines().any(|line| line.starts_with("t 0 "))
    };
    assert!(files.iter().all(|file| line(&world, file)));
    // A crash between the deletion and the new topic.
    world.delete_topics(&["t"]);
    let mut world = on(world.disk, &["/data"]);
    assert!(files.iter().all(|file| line(&world, file)), "nobody has written them");
    world.ask(creation(vec![new_topic("t", 1)]));
    while !world.disk.has_directory("/data/t-0") {
        world.step();
    }
    assert!(!files.iter().any(|file| line(&world, file)));
    world.settle();
    assert_eq!(world.created()[0].error_code, ErrorCode::NONE);
}

/// A crash may come between the new topic's record and its directory: the next start makes that, and must
/// not find a line of the old topic's for it.
#[test]
fn a_crash_gives_a_topic_no_line_of_the_last_one_of_its_name() {
    let mut world = with_lines();
    world.ask(deletion(&["t"]));
    let asked = world.ask(creation(vec![new_topic("t", 1)]));
    let mut made = 0;
    while world.responses.last().is_none_or(|(number, _)| *number != asked) {
        world.step();
        let again = on(world.disk.clone(), &["/data"]);
        let Some(live) = again.broker.logs.values().find(|live| &*live.topic == "t") else {
            continue;
        };
        if live.topic_id != TOPIC {
            made += 1;
            assert_eq!((live.log.log_start(), live.log.accepted_end()), (0, 0));
        }
    }
    assert!(made > 1, "its record comes before its directory");
}

/// A line that goes stale while the checkpoint is written takes another write, behind what this one does.
#[test]
fn a_start_that_moves_while_a_name_becomes_free_is_answered() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    let moving = world.create(vec![new_topic("u", 1)])[0].topic_id;
    world.ask(records_deletion("t", 1));
    world.settle();
    world.produce_to(moving, 0);
    world.settle();
    let asked = world.ask(records_deletion("u", 1));
    let (id, write) = world.effects.pop().expect("the checkpoint is written");
    world.ask(deletion(&["t"]));
    world.ask(creation(vec![new_topic("t", 1)]));
    world.settle();
    let completion = world.disk.apply(write);
    world.complete(id, completion);
    world.settle();
    assert_eq!(world.created()[0].error_code, ErrorCode::NONE);
    let answer = world.responses.iter().find(|(number, _)| *number == asked);
    let Some((_, ResponseBody::DeleteRecords(answer))) = answer else { panic!("it is answered") };
    assert_eq!(answer.topics[0].partitions[0].low_watermark, 1);
}

#[test]
fn a_search_in_a_topic_that_goes_fails_no_directory() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    world.settle();
    world.holds_jobs = true;
    let asked = world.ask(RequestBody::ListOffsets {
        version: 7,
        request: ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "t".to_string(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: 0,
                    current_leader_epoch: -1,
                    timestamp: 5,
                }],
            }],
            ..ListOffsetsRequest::default()
        },
    });
    assert_eq!(world.jobs.len(), 1);
    world.delete_topics(&["t"]);
    assert_eq!(world.directories(), ["t-0.-delete"]);
    world.pass(Millis(61_000));
    world.settle();
    assert_eq!(world.directories(), ["t-0.-delete"], "a job reads in it");
    let (id, job) = world.jobs.remove(0);
    world.finish_job(id, job);
    let answer = world.responses.iter().find(|(number, _)| *number == asked);
    let Some((_, ResponseBody::ListOffsets(answer))) = answer else { panic!("it is answered") };
    let error = answer.topics[0].partitions[0].error_code;
    assert_eq!(error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert!(world.broker.directory(DirectoryIndex(0)).is_online());
}

#[test]
fn a_stop_leaves_renamed_directories_to_the_next_start() {
    let mut world = modern();
    world.produce(0, Acks::All, 1_000);
    world.ask(deletion(&["t"]));
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    assert_eq!(world.directories(), ["t-0.-delete"]);
    let world = on(world.disk, &["/data"]);
    assert_eq!(world.directories(), Vec::<String>::new());
}

#[test]
fn a_directory_of_a_partition_that_was_not_loaded_goes_with_its_topic() {
    let mut disk = disk(&records());
    disk.put("/data/t-0/00000000000000000000.log", "x");
    disk.put("/data/t-0/partition.metadata", "nonsense");
    let mut world = on(disk, &["/data"]);
    world.produce(0, Acks::All, 1_000);
    assert_eq!(world.answers[0].1[0].error, ErrorCode::KAFKA_STORAGE_ERROR);
    world.delete_topics(&["t"]);
    assert_eq!(world.directories(), ["t-0.-delete"]);
}

#[test]
fn deletion_can_be_disabled() {
    let mut world = modern();
    world.create(vec![new_topic("a", 1)]);
    world.broker.config.creation.may_delete = false;
    for (version, error) in
        [(2, ErrorCode::INVALID_REQUEST), (5, ErrorCode::TOPIC_DELETION_DISABLED)]
    {
        let RequestBody::DeleteTopics { request, .. } = deletion(&["a"]) else { panic!("it is") };
        world.ask(RequestBody::DeleteTopics { version, request });
        let [result] = &world.deleted_topics()[..] else { panic!("one result") };
        assert_eq!((result.error_code, &result.error_message), (error, &None));
    }
    assert!(world.broker.image().topics.contains_key("a"));
}
