//! The broker over a disk in memory, each effect carried out when the test says so.

mod cluster;
mod compaction;
mod configs;
mod deletion;
mod features;
mod fetch;
mod groups;
mod list_offsets;
mod log_dirs;
mod partition_moves;
mod producer_ids;
mod producers;
mod quorum;
mod restart;
mod snapshots;
mod topics;
mod transactions;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::image::{Image, Topic};
use super::{Broker, Exit, Output, Peer};
use crate::batch::testing::Stored;
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::config::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use crate::connection::ConnectionError;
use crate::effect::{Completion, Effect, IoError, IoErrorKind, Operation, Path};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{ConnectionId, EffectId, JobId, RequestNumber, Uuid};
use crate::job::Job;
use crate::job::testing::Disk;
use crate::records::{MetadataRecord, PartitionRecord, TopicRecord};
use crate::request::{
    Acks, AppendOutcome, PartitionAppend, ProduceCommand, Request, RequestBody, ResponseBody,
};
use crate::time::{Instant, Millis, Now};

const TOPIC: Uuid = Uuid([7; 16]);
const CLIENT: ConnectionId = ConnectionId(1);
const METADATA: &str = "/data/__cluster_metadata-0/00000000000000000000.log";

/// A broker, its disk, and what came out of it.
struct World {
    broker: Broker,
    disk: Disk,
    now: Now,
    effects: Vec<(EffectId, Effect)>,
    answers: Vec<(u64, Vec<AppendOutcome>)>,
    /// Answers to everything but Produce.
    responses: Vec<(u64, ResponseBody)>,
    /// Jobs that are out; none while `holds_jobs` is false, which runs each at once.
    jobs: Vec<(JobId, Job)>,
    holds_jobs: bool,
    /// From when it is ready on.
    holds_later_jobs: bool,
    events: Vec<Event>,
    closed: Vec<ConnectionId>,
    ready: bool,
    stopped: Option<Exit>,
    requests: u64,
}

fn config(dirs: &[&str]) -> Config {
    let listener =
        Listener { name: "PLAINTEXT".to_string(), host: "localhost".to_string(), port: 9092 };
    Config {
        node_id: 1,
        listeners: vec![listener.clone()],
        advertised: vec![listener],
        controller: Listener::default_controller(),
        log_dirs: dirs.iter().map(|dir| Path::new(dir)).collect(),
        durability: Durability::Durable,
        topic_defaults: TopicConfig::default(),
        creation: CreationConfig::default(),
        tasks: TaskConfig::default(),
        groups: GroupConfig::default(),
        cleaner: CleanerConfig::default(),
        metadata_log: MetadataLogConfig::default(),
        limits: Limits::default(),
        settings: Arc::default(),
    }
}

fn meta_properties(node_id: i32, directory: u8) -> String {
    let id = Uuid([directory; 16]);
    format!("version=1\ncluster.id=abc\nnode.id={node_id}\ndirectory.id={id}\n")
}

/// Topic `t`, whose partitions this node leads.
fn topic(partitions: i32) -> Vec<MetadataRecord> {
    let mut records: Vec<MetadataRecord> =
        vec![TopicRecord { name: "t".to_string(), topic_id: TOPIC }.into()];
    records.extend((0..partitions).map(|index| partition(index).into()));
    records
}

fn partition(partition_id: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id,
        topic_id: TOPIC,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    }
}

/// When the tests are played.
const WALL_MS: i64 = 1_700_000_000_000;

/// A directory whose metadata log begins with these records.
fn disk(records: &[MetadataRecord]) -> Disk {
    let mut disk = Disk::default();
    disk.put("/data/meta.properties", meta_properties(1, 1));
    let mut batch = BatchBuilder::new();
    for record in records {
        batch.append(WALL_MS, None, Some(&record.encode(record.version_max())));
    }
    disk.put(METADATA, batch.encode(0, 1));
    disk
}

fn batch(records: i32) -> CheckedBatch {
    let mut batch = BatchBuilder::new();
    for _ in 0..records {
        batch.append(1_000, None, Some(b"value"));
    }
    batch.build()
}

impl World {
    /// A broker that has not been given the completion of anything.
    fn on(mut disk: Disk, config: Config) -> Self {
        disk.close_all();
        // Another one for each life on the same disk.
        let seed = [disk.trace.len() as u8 | 1; 32];
        let now = Now { mono: Instant::from_micros(1), wall_ms: WALL_MS };
        let mut world = Self {
            broker: Broker::new(config, seed, Arc::new(Stored), now),
            disk,
            now,
            effects: Vec::new(),
            answers: Vec::new(),
            responses: Vec::new(),
            jobs: Vec::new(),
            holds_jobs: false,
            holds_later_jobs: false,
            events: Vec::new(),
            closed: Vec::new(),
            ready: false,
            stopped: None,
            requests: 0,
        };
        world.drain();
        world
    }

    /// A broker with topic `t` of `partitions` partitions, ready, nothing under way.
    fn ready(partitions: i32) -> Self {
        Self::ready_as(config(&["/data"]), partitions)
    }

    fn ready_as(config: Config, partitions: i32) -> Self {
        Self::serving(disk(&topic(partitions)), config)
    }

    /// A broker that is ready, with a client.
    fn serving(disk: Disk, config: Config) -> Self {
        let mut world = Self::on(disk, config);
        world.settle();
        assert!(world.ready, "{:?} {:?}", world.stopped, world.events);
        let peer = Peer { listener: Arc::from("PLAINTEXT"), address: "127.0.0.1:5".to_string() };
        world.broker.handle_connect(CLIENT, peer, world.now);
        world.drain();
        world
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Effect(id, effect) => self.effects.push((id, effect)),
                Output::Job(id, job) if self.holds_jobs => self.jobs.push((id, job)),
                Output::Job(id, job) => {
                    self.drain();
                    self.finish_job(id, job);
                }
                Output::Response(_, response) => match response.body {
                    ResponseBody::Produce(outcomes) => {
                        self.answers.push((response.number.0, outcomes));
                    }
                    body => self.responses.push((response.number.0, body)),
                },
                Output::Close(id) => self.closed.push(id),
                Output::Event(event) => self.events.push(event),
                Output::Ready => {
                    self.ready = true;
                    self.holds_jobs |= self.holds_later_jobs;
                }
                Output::Stopped(exit) => self.stopped = Some(exit),
            }
        }
    }

    fn finish_job(&mut self, id: JobId, mut job: Job) {
        let result = self.disk.run(&mut job);
        self.broker.handle_job(id, result, self.now);
        self.drain();
    }

    /// Sends any other request than Produce.
    fn ask(&mut self, body: RequestBody) -> u64 {
        let number = self.requests;
        self.requests += 1;
        let request = Request { number: RequestNumber(number), transmitted: number, body };
        self.broker.handle_request(CLIENT, request, self.now);
        self.drain();
        number
    }

    fn complete(&mut self, id: EffectId, completion: Completion) {
        self.broker.handle_completion(id, completion, self.now);
        self.drain();
    }

    /// Carries out the oldest effect that is out.
    fn step(&mut self) {
        let (id, effect) = self.effects.remove(0);
        let completion = self.disk.apply(effect);
        self.complete(id, completion);
    }

    fn settle(&mut self) {
        while !self.effects.is_empty() {
            self.step();
        }
    }

    /// Fails the oldest effect that is out.
    fn fail_step(&mut self) {
        let (id, _) = self.effects.remove(0);
        let error = IoError::new(&Path::new("/data/x"), IoErrorKind::Other, "input/output error");
        self.complete(id, Completion::Failed { done: Vec::new(), error });
    }

    fn produce(&mut self, partition: i32, acks: Acks, timeout_ms: i32) -> u64 {
        self.produce_all(vec![(partition, Some(batch(2)))], acks, timeout_ms)
    }

    fn produce_all(
        &mut self,
        partitions: Vec<(i32, Option<CheckedBatch>)>,
        acks: Acks,
        timeout_ms: i32,
    ) -> u64 {
        let number = self.requests;
        self.requests += 1;
        let partitions = partitions
            .into_iter()
            .map(|(partition, batch)| PartitionAppend { topic_id: TOPIC, partition, batch })
            .collect();
        let body = RequestBody::Produce(ProduceCommand { acks, timeout_ms, partitions });
        let request = Request { number: RequestNumber(number), transmitted: number, body };
        self.broker.handle_request(CLIENT, request, self.now);
        self.drain();
        number
    }

    fn syncs_out(&self) -> usize {
        self.effects.iter().filter(|(_, effect)| matches!(effect, Effect::Sync(_))).count()
    }

    /// Carries out all effects that are out now, but no sync and nothing that follows.
    fn step_writes(&mut self) {
        let (syncs, writes) = core::mem::take(&mut self.effects)
            .into_iter()
            .partition(|(_, effect)| matches!(effect, Effect::Sync(_)));
        self.effects = syncs;
        for (id, effect) in writes {
            let completion = self.disk.apply(effect);
            self.complete(id, completion);
        }
    }

    fn pass(&mut self, wait: Millis) {
        self.now.mono = self.now.mono + wait;
        while self.broker.poll_timeout().is_some_and(|due| due <= self.now.mono) {
            self.broker.handle_timeout(self.now);
            assert!(self.broker.poll_timeout().is_none_or(|due| due > self.now.mono));
            self.drain();
            self.now.mono = Instant::from_micros(self.now.mono.as_micros() + 1);
        }
    }
}

fn accepted(base_offset: i64) -> AppendOutcome {
    AppendOutcome {
        error: ErrorCode::NONE,
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 0,
    }
}

#[test]
fn answer_waits_for_a_sync_that_began_after_the_write() {
    let mut world = World::ready(1);
    let first = world.produce(0, Acks::All, 1_000);
    assert_eq!((world.answers.len(), world.syncs_out()), (0, 0));
    world.step_writes();
    assert_eq!((world.answers.len(), world.syncs_out()), (0, 1));
    let second = world.produce(0, Acks::Leader, 1_000);
    world.step_writes();
    assert_eq!(world.syncs_out(), 1, "one sync of a directory at a time");
    world.step();
    assert_eq!(world.answers, [(first, vec![accepted(0)])], "the second write came too late");
    assert_eq!(world.syncs_out(), 1);
    world.step();
    assert_eq!(world.answers[1..], [(second, vec![accepted(2)])]);
    assert_eq!(world.effects, []);
}

#[test]
fn written_end_stops_at_a_hole() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    world.answers.clear();
    let first = world.produce(0, Acks::All, 1_000);
    let second = world.produce(0, Acks::All, 1_000);
    let hole = world.effects.remove(0);
    world.settle();
    assert_eq!(world.answers, []);
    world.effects.push(hole);
    world.settle();
    assert_eq!(world.answers, [(first, vec![accepted(2)]), (second, vec![accepted(4)])]);
}

#[test]
fn page_cache_answers_after_the_write_and_syncs_at_the_stop() {
    let mut config = config(&["/data"]);
    config.durability = Durability::PageCache;
    let mut world = World::ready_as(config, 1);
    world.produce(0, Acks::All, 1_000);
    world.step_writes();
    assert_eq!((world.answers.len(), world.syncs_out()), (1, 0));
    world.broker.handle_shutdown(world.now);
    world.drain();
    assert_eq!(world.syncs_out(), 1);
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
}

#[test]
fn acks_0_is_answered_at_once_and_written_all_the_same() {
    let mut world = World::ready(1);
    let number = world.produce(0, Acks::None, 0);
    assert_eq!(world.answers, [(number, vec![accepted(0)])]);
    world.settle();
    let file = world.disk.get("/data/t-0/00000000000000000000.log").map(<[u8]>::len);
    assert_eq!(file, Some(batch(2).info().size as usize));
}

#[test]
fn changed_settings_of_a_topic_reach_its_logs() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    let mut next = Image::clone(world.broker.image());
    let mut changed = Topic::clone(&next.topics_by_id[&TOPIC]);
    changed.config.segment_bytes = 100;
    next.topics_by_id.insert(TOPIC, Arc::new(changed));
    world.broker.apply_topic_configs(&next);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    assert!(world.disk.get("/data/t-0/00000000000000000002.log").is_some());
}

#[test]
fn each_partition_of_a_request_has_its_outcome() {
    let mut world = World::ready(2);
    let partitions = vec![(1, Some(batch(1))), (9, Some(batch(1))), (0, None), (1, Some(batch(1)))];
    world.produce_all(partitions, Acks::All, 1_000);
    world.settle();
    let unknown = AppendOutcome::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let asked = AppendOutcome { base_offset: -1, ..accepted(-1) };
    assert_eq!(world.answers[0].1, [accepted(0), unknown, asked, accepted(1)]);
}

#[test]
fn batch_larger_than_a_segment_is_refused() {
    let mut config = config(&["/data"]);
    config.topic_defaults.segment_bytes = 64;
    let mut world = World::on(disk(&topic(1)), config);
    world.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    world.produce(0, Acks::All, 1_000);
    let refused = AppendOutcome::refused(ErrorCode::RECORD_LIST_TOO_LARGE);
    assert_eq!(world.answers, [(0, vec![refused])]);
}

#[test]
fn failed_write_takes_the_directory_offline_and_stops_the_broker_that_has_no_other() {
    let mut world = World::ready(1);
    let number = world.produce(0, Acks::All, 1_000);
    world.fail_step();
    let offline = AppendOutcome::refused(ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(world.answers, [(number, vec![offline])]);
    assert!(matches!(world.events[..], [Event::DirectoryOffline { .. }]), "{:?}", world.events);
    let Some(Exit::Failed(reason)) = &world.stopped else { panic!("{:?}", world.stopped) };
    assert!(reason.contains("/data") && reason.contains("input/output error"), "{reason}");
    world.produce(0, Acks::All, 1_000);
    assert_eq!(world.closed, [CLIENT]);
}

#[test]
fn failed_sync_is_not_repeated() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.step_writes();
    world.fail_step();
    assert_eq!(world.syncs_out(), 0);
    assert!(matches!(world.stopped, Some(Exit::Failed(_))));
}

#[test]
fn second_directory_may_fail_alone() {
    let mut disk = disk(&topic(2));
    disk.put("/more/meta.properties", meta_properties(1, 2));
    disk.make_directory("/data/t-0");
    disk.make_directory("/more/t-1");
    let mut world = World::on(disk, config(&["/data", "/more"]));
    world.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    let lost = world.produce(1, Acks::All, 1_000);
    world.fail_step();
    world.effects.clear();
    let kept = world.produce(0, Acks::All, 1_000);
    world.settle();
    let offline = vec![AppendOutcome::refused(ErrorCode::KAFKA_STORAGE_ERROR)];
    assert_eq!(world.answers, [(lost, offline.clone()), (kept, vec![accepted(0)])]);
    let again = world.produce(1, Acks::All, 1_000);
    assert_eq!(world.answers.last(), Some(&(again, offline)));
    assert_eq!(world.stopped, None);
}

#[test]
fn start_without_the_metadata_directory_says_why_it_failed() {
    let mut disk = disk(&topic(1));
    disk.put("/more/meta.properties", meta_properties(1, 2));
    let mut world = World::on(disk, config(&["/data", "/more"]));
    world.fail_step();
    world.settle();
    let Some(Exit::Failed(reason)) = &world.stopped else { panic!("{:?}", world.stopped) };
    assert!(reason.contains("/data") && reason.contains("input/output error"), "{reason}");
}

#[test]
fn produce_that_waits_too_long_is_answered_and_its_records_stay() {
    let mut world = World::ready(1);
    let number = world.produce(0, Acks::All, 0);
    let at_least = Millis(Limits::default().produce_wait_ms_min);
    world.pass(Millis(at_least.0 - 1));
    assert_eq!(world.answers, []);
    world.pass(Millis(1));
    let late = AppendOutcome { error: ErrorCode::REQUEST_TIMED_OUT, ..accepted(0) };
    assert_eq!(world.answers, [(number, vec![late])]);
    world.settle();
    assert_eq!(world.answers.len(), 1, "one answer a request");
    world.produce(0, Acks::All, 0);
    world.settle();
    assert_eq!(world.answers[1].1, [accepted(2)]);
}

#[test]
fn answers_of_a_connection_that_left_are_dropped_and_its_records_stay() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.broker.handle_disconnect(
        CLIENT,
        Some(ConnectionError::FrameTimeout { wait_ms: 1, arrived: 0 }),
        world.now,
    );
    world.drain();
    assert!(matches!(world.events[..], [Event::PeerMisbehaved { connection: CLIENT, .. }]));
    world.settle();
    assert_eq!(world.answers, []);
    let file = world.disk.get("/data/t-0/00000000000000000000.log").map(<[u8]>::len);
    assert_eq!(file, Some(batch(2).info().size as usize));
}

#[test]
fn clean_stop_answers_what_was_accepted_and_checkpoints_last() {
    let mut world = World::ready(1);
    let number = world.produce(0, Acks::All, 1_000);
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.produce(0, Acks::All, 1_000);
    assert_eq!(world.closed, [CLIENT], "new requests are not taken");
    world.settle();
    assert_eq!(world.answers, [(number, vec![accepted(0)])]);
    assert_eq!(world.stopped, Some(Exit::Clean));
    let checkpoint = world.disk.get("/data/klamm-synced-checkpoint").expect("it was written");
    let text = core::str::from_utf8(checkpoint).expect("it is text");
    assert!(text.contains(&format!("{TOPIC} t 0 2")), "{text}");
    let last = world.disk.trace.last().expect("something was done");
    assert!(matches!(last, Operation::Close(lock) if lock.path.name() == ".lock"), "{last:?}");
}

#[test]
fn start_again_goes_on_behind_the_last_record() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    let disk = world.disk.clone();
    let mut again = World::on(disk, config(&["/data"]));
    again.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    again.broker.handle_connect(CLIENT, peer, again.now);
    again.produce(0, Acks::All, 1_000);
    again.settle();
    assert_eq!(again.answers[0].1, [accepted(2)]);
}

#[test]
fn damage_is_damage_at_every_start() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    let file = "/data/t-0/00000000000000000000.log";
    let mut damaged = world.disk.get(file).expect("it was written").to_vec();
    *damaged.last_mut().expect("it holds a batch") ^= 1;
    world.disk.put(file, damaged.clone());
    for start in 1..=3 {
        world = World::on(world.disk, config(&["/data"]));
        world.settle();
        world.pass(Millis(Limits::default().synced_checkpoint_interval_ms));
        world.settle();
        assert!(world.ready);
        let [Event::PartitionOffline { reason, .. }] = &world.events[..] else {
            panic!("start {start}: {:?}", world.events)
        };
        assert!(reason.contains(file), "start {start}: {reason}");
        assert_eq!(world.disk.get(file), Some(&damaged[..]), "start {start}");
    }
}

#[test]
fn checkpoint_follows_the_synced_end_and_only_when_it_moved() {
    let mut config = config(&["/data"]);
    config.tasks.high_watermark_interval_ms = 3_600_000;
    let mut world = World::ready_as(config, 1);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    let interval = Millis(Limits::default().synced_checkpoint_interval_ms);
    world.pass(interval);
    assert_eq!(world.effects.len(), 1);
    world.settle();
    world.pass(interval);
    world.pass(interval);
    assert_eq!(world.effects, []);
}

#[test]
fn directory_of_another_node_is_refused_with_both_ids() {
    let mut disk = disk(&topic(1));
    disk.put("/data/meta.properties", meta_properties(4, 1));
    let mut world = World::on(disk, config(&["/data"]));
    world.settle();
    let Some(Exit::Failed(reason)) = &world.stopped else { panic!("{:?}", world.stopped) };
    assert!(reason.contains("node.id 4") && reason.contains("node.id 1"), "{reason}");
    assert!(!world.ready);
}

#[test]
fn clean_marker_is_gone_durably_before_anything_is_loaded() {
    let mut disk = disk(&topic(1));
    disk.put("/data/.kafka_cleanshutdown", "{\"version\":0,\"brokerEpoch\":13}");
    let mut world = World::on(disk, config(&["/data"]));
    world.settle();
    assert!(world.ready);
    assert_eq!(world.disk.get("/data/.kafka_cleanshutdown"), None);
    let gone = Operation::Unlink(Path::new("/data/.kafka_cleanshutdown"));
    let at = world.disk.trace.iter().position(|operation| *operation == gone);
    let at = at.expect("it was removed");
    assert_eq!(world.disk.trace[at + 1], Operation::SyncDirectory(Path::new("/data")));
}

#[test]
fn missing_partition_of_a_directory_that_is_not_here_stays_offline() {
    let mut records = topic(0);
    records.push(PartitionRecord { directories: vec![Uuid([3; 16])], ..partition(0) }.into());
    let mut world = World::on(disk(&records), config(&["/data"]));
    world.settle();
    assert!(world.ready, "the rest serves");
    assert!(matches!(world.events[..], [Event::PartitionOffline { .. }]), "{:?}", world.events);
    assert!(!world.disk.has_directory("/data/t-0"), "no empty topic is made");
}

#[test]
fn append_time_of_a_batch_stands_in_its_answer() {
    let mut world = World::ready(1);
    let mut stamped = BatchBuilder::new().log_append_time(5_000);
    stamped.append(1_000, None, Some(b"value"));
    world.produce_all(vec![(0, Some(stamped.build()))], Acks::All, 1_000);
    world.settle();
    let answer = AppendOutcome { log_append_time_ms: 5_000, ..accepted(0) };
    assert_eq!(world.answers, [(0, vec![answer])]);
}

#[test]
fn same_inputs_give_the_same_outputs() {
    let run = || {
        let mut world = World::ready(2);
        for turn in 0..10 {
            world.produce(turn % 2, Acks::All, 1_000);
            if turn % 3 == 0 {
                world.step();
            }
        }
        world.settle();
        format!("{:?} {:?}", world.answers, world.disk.trace)
    };
    assert_eq!(run(), run());
}
