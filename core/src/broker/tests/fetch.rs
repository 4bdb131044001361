//! Fetch: waits and what ends them, look-ups in cold data, sessions, and that nothing is kept.

use super::*;
use crate::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData, Records,
};
use crate::broker::PartitionState;
use crate::effect::FileRange;

/// Bytes of a batch of two records, as [`World::produce`] appends them.
fn batch_bytes() -> u64 {
    u64::from(batch(2).info().size)
}

/// What is asked of partitions of topic `t`, by id.
#[derive(Clone, Copy)]
struct Ask<'a> {
    wait_ms: i32,
    bytes_min: i32,
    bytes_max: i32,
    isolation_level: i8,
    session: (i32, i32),
    /// Index, offset, most bytes.
    partitions: &'a [(i32, i64, i32)],
    forgotten: &'a [i32],
}

const ONE_MEG: i32 = 1 << 20;
const SESSIONLESS: (i32, i32) = (0, -1);

impl<'a> Ask<'a> {
    /// At once.
    fn now(partitions: &'a [(i32, i64, i32)]) -> Self {
        Self {
            wait_ms: 0,
            bytes_min: 1,
            bytes_max: 50 * ONE_MEG,
            isolation_level: 0,
            session: SESSIONLESS,
            partitions,
            forgotten: &[],
        }
    }

    /// With half a second's patience.
    fn later(partitions: &'a [(i32, i64, i32)]) -> Self {
        Self { wait_ms: 500, ..Self::now(partitions) }
    }

    fn request(&self) -> FetchRequest {
        let wanted =
            |&(partition, fetch_offset, partition_max_bytes): &(i32, i64, i32)| FetchPartition {
                partition,
                current_leader_epoch: -1,
                fetch_offset,
                last_fetched_epoch: -1,
                partition_max_bytes,
                ..FetchPartition::default()
            };
        let partitions: Vec<_> = self.partitions.iter().map(wanted).collect();
        let topics = vec![FetchTopic { topic_id: TOPIC, partitions, ..FetchTopic::default() }];
        let partitions = self.forgotten.to_vec();
        FetchRequest {
            max_wait_ms: self.wait_ms,
            min_bytes: self.bytes_min,
            max_bytes: self.bytes_max,
            isolation_level: self.isolation_level,
            session_id: self.session.0,
            session_epoch: self.session.1,
            topics: if self.partitions.is_empty() { Vec::new() } else { topics },
            forgotten_topics_data: vec![ForgottenTopic {
                topic_id: TOPIC,
                partitions,
                ..ForgottenTopic::default()
            }],
            ..FetchRequest::default()
        }
    }
}

impl World {
    fn fetch(&mut self, ask: &Ask<'_>) -> u64 {
        self.ask(RequestBody::Fetch { version: 17, request: ask.request() })
    }

    /// The answer that has come, if one has.
    fn try_fetched(&mut self) -> Option<FetchResponse> {
        let (_, body) = self.responses.pop()?;
        assert!(self.responses.is_empty(), "one answer a request");
        match body {
            ResponseBody::Fetch(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    fn fetched(&mut self) -> FetchResponse {
        self.try_fetched().expect("an answer")
    }

    /// Index, error and bytes of each partition of an answer.
    fn fetch_now(&mut self, ask: &Ask<'_>) -> Vec<(i32, i16, u64)> {
        self.fetch(ask);
        self.settle();
        outline(&self.fetched())
    }

    /// Produces to partition 0 until its first segments are cold.
    fn with_cold_segments() -> Self {
        let mut config = config(&["/data"]);
        config.topic_defaults.segment_bytes = 2 * batch_bytes() as u32;
        let mut world = Self::ready_as(config, 2);
        for _ in 0..5 {
            world.produce(0, Acks::All, 0);
            world.settle();
        }
        world.answers.clear();
        world
    }

    fn connect(&mut self, id: ConnectionId) {
        let peer = Peer { listener: Arc::from("PLAINTEXT"), address: "127.0.0.1:6".to_string() };
        self.broker.handle_connect(id, peer, self.now);
        self.drain();
    }

    fn fetch_from(&mut self, from: ConnectionId, ask: &Ask<'_>) {
        let body = RequestBody::Fetch { version: 17, request: ask.request() };
        let request = Request { number: RequestNumber(0), transmitted: 0, body };
        self.broker.handle_request(from, request, self.now);
        self.drain();
    }

    fn disconnect(&mut self, id: ConnectionId) {
        self.broker.handle_disconnect(id, None, self.now);
        self.drain();
    }

    /// Lets the log of partition 0 begin later.
    fn start_log_at(&mut self, offset: i64) {
        let Some(PartitionState::Online(id)) = self.broker.partitions.get(&(TOPIC, 0)).copied()
        else {
            panic!("it is online");
        };
        let live = self.broker.logs.get_mut(&id).expect("an online partition has its log");
        assert!(live.log.set_log_start(offset));
        self.broker.fetches.log_moved(id);
    }

    /// Everything that was left to turns of their own.
    fn take_turns(&mut self) -> usize {
        let mut turns = 0;
        while self.broker.fetches.has_due() {
            self.pass_micros(1);
            turns += 1;
        }
        turns
    }

    fn pass_micros(&mut self, micros: u64) {
        self.now.mono = Instant::from_micros(self.now.mono.as_micros() + micros);
        self.broker.handle_timeout(self.now);
        self.drain();
    }
}

fn outline(response: &FetchResponse) -> Vec<(i32, i16, u64)> {
    partitions(response).map(|p| (p.partition_index, p.error_code.0, p.records.len())).collect()
}

fn partitions(response: &FetchResponse) -> impl Iterator<Item = &PartitionData> {
    response.responses.iter().flat_map(|topic| &topic.partitions)
}

fn range(partition: &PartitionData) -> &FileRange {
    match &partition.records {
        Records::File(range) => range,
        Records::Bytes(_) => panic!("records are in a file"),
    }
}

#[test]
fn a_reader_waits_until_the_records_are_synced() {
    let mut world = World::ready(1);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    world.produce(0, Acks::All, 0);
    world.step_writes();
    assert!(world.try_fetched().is_none(), "written is not enough");
    world.settle();
    let response = world.fetched();
    assert_eq!(outline(&response), [(0, 0, batch_bytes())]);
    let read = partitions(&response).next().expect("one partition");
    assert_eq!((read.high_watermark, read.last_stable_offset, read.log_start_offset), (2, 2, 0));
    assert_eq!(read.aborted_transactions, None);
    assert_eq!(range(read).position, 0);
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn page_cache_readers_do_not_wait_for_a_sync() {
    let mut config = config(&["/data"]);
    config.durability = Durability::PageCache;
    let mut world = World::ready_as(config, 1);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    world.produce(0, Acks::All, 0);
    world.step_writes();
    assert_eq!(outline(&world.fetched()), [(0, 0, batch_bytes())]);
}

#[test]
fn a_wait_ends_with_its_time_and_with_what_there_is() {
    let mut world = World::ready(2);
    world.produce(0, Acks::All, 0);
    world.settle();
    let ask = Ask { bytes_min: i32::MAX, ..Ask::later(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG)]) };
    world.fetch(&ask);
    world.pass(Millis(499));
    assert!(world.try_fetched().is_none());
    world.pass(Millis(1));
    assert_eq!(outline(&world.fetched()), [(0, 0, batch_bytes()), (1, 0, 0)]);
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn a_wait_ends_when_all_partitions_together_have_enough() {
    let mut world = World::ready(2);
    let ask = Ask {
        bytes_min: 2 * batch_bytes() as i32,
        ..Ask::later(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG)])
    };
    world.fetch(&ask);
    for partition in [1, 0] {
        assert!(world.try_fetched().is_none());
        world.produce(partition, Acks::All, 0);
        world.settle();
    }
    assert_eq!(outline(&world.fetched()), [(0, 0, batch_bytes()), (1, 0, batch_bytes())]);
}

#[test]
fn only_an_error_of_reading_ends_the_wait() {
    let mut world = World::ready(1);
    let asked = [(0, 0, ONE_MEG), (7, 0, ONE_MEG)];
    world.fetch(&Ask::later(&asked));
    assert!(world.try_fetched().is_none());
    world.pass(Millis(500));
    assert_eq!(outline(&world.fetched()), [(0, 0, 0), (7, 3, 0)]);
    world.fetch(&Ask::later(&asked[1..]));
    assert_eq!(outline(&world.fetched()), [(7, 3, 0)], "there is nothing to wait for");
    world.fetch(&Ask::later(&[(0, 5, ONE_MEG)]));
    assert_eq!(outline(&world.fetched()), [(0, 1, 0)]);
}

#[test]
fn offsets_and_limits_of_any_size_are_answered() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 0);
    world.settle();
    for offset in [i64::MIN, -2, -1, 3, i64::MAX] {
        assert_eq!(world.fetch_now(&Ask::now(&[(0, offset, i32::MAX)])), [(0, 1, 0)]);
    }
    for limit in [0, 1, i32::MAX] {
        let ask = Ask { bytes_max: limit, ..Ask::now(&[(0, 0, i32::MAX)]) };
        assert_eq!(world.fetch_now(&ask), [(0, 0, batch_bytes())]);
    }
    let ask = Ask { bytes_min: i32::MIN, wait_ms: i32::MAX, ..Ask::now(&[(0, 2, i32::MAX)]) };
    assert_eq!(world.fetch_now(&ask), [(0, 0, 0)]);
    let ask = Ask { bytes_max: i32::MIN, wait_ms: i32::MIN, ..Ask::now(&[(0, 0, 5)]) };
    assert_eq!(world.fetch_now(&ask), [(0, -1, 0)]);
}

#[test]
fn what_is_not_visible_yet_reads_as_nothing() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 0);
    for offset in 0..=2 {
        assert_eq!(world.fetch_now_unsettled(&Ask::now(&[(0, offset, ONE_MEG)])), [(0, 0, 0)]);
    }
    assert_eq!(world.fetch_now_unsettled(&Ask::now(&[(0, 3, ONE_MEG)])), [(0, 1, 0)]);
    world.fetch(&Ask::later(&[(0, 2, ONE_MEG)]));
    world.settle();
    assert!(world.try_fetched().is_none(), "the reader stands at the end now");
    world.produce(0, Acks::All, 0);
    world.settle();
    assert_eq!(outline(&world.fetched()), [(0, 0, batch_bytes())]);
}

impl World {
    fn fetch_now_unsettled(&mut self, ask: &Ask<'_>) -> Vec<(i32, i16, u64)> {
        self.fetch(ask);
        outline(&self.fetched())
    }
}

#[test]
fn cold_data_is_found_by_a_read_of_its_own() {
    let mut world = World::with_cold_segments();
    for (offset, first) in [(0, 0), (1, 0), (3, 1), (5, 2), (9, 4)] {
        world.fetch(&Ask::now(&[(0, offset, ONE_MEG)]));
        let reads = world.effects.len();
        assert!(reads <= 1);
        world.settle();
        let response = world.fetched();
        let found = range(partitions(&response).next().expect("one partition"));
        let segment = format!("/data/t-0/{:020}.log", first / 2 * 4);
        assert_eq!(found.file.path.as_str(), segment, "offset {offset}");
        assert_eq!(found.position, (first % 2) as u64 * batch_bytes());
        assert_eq!(reads == 0, first == 4, "only the active segment's places are at hand");
    }
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn a_reader_of_an_older_segment_does_not_wait_for_more() {
    let mut world = World::with_cold_segments();
    let ask = Ask { bytes_min: i32::MAX, ..Ask::later(&[(0, 0, ONE_MEG)]) };
    assert_eq!(world.fetch_now(&ask), [(0, 0, 2 * batch_bytes())]);
}

#[test]
fn a_log_that_began_later_meanwhile_is_looked_at_anew() {
    let mut world = World::with_cold_segments();
    world.fetch(&Ask::now(&[(0, 1, ONE_MEG)]));
    assert_eq!(world.effects.len(), 1);
    world.start_log_at(4);
    world.settle();
    assert_eq!(outline(&world.fetched()), [(0, 1, 0)]);
}

#[test]
fn a_waiting_reader_hears_that_its_log_begins_later() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 0);
    world.settle();
    let ask = Ask { bytes_min: i32::MAX, ..Ask::later(&[(0, 0, ONE_MEG)]) };
    world.fetch(&ask);
    world.start_log_at(2);
    world.take_turns();
    assert_eq!(outline(&world.fetched()), [(0, 1, 0)]);
}

#[test]
fn damage_is_told_by_place_and_the_rest_is_served() {
    let mut world = World::with_cold_segments();
    let segment = "/data/t-0/00000000000000000000.log";
    let mut content = world.disk.get(segment).expect("it is there").to_vec();
    content[16] = 9;
    world.disk.put(segment, content);
    let asked = [(0, 0, ONE_MEG), (0, 0, 0), (1, 0, ONE_MEG)];
    assert_eq!(world.fetch_now(&Ask::later(&[asked[0], asked[2]])), [(0, 2, 0), (1, 0, 0)]);
    let told = world.events.iter().find_map(|event| match event {
        Event::LogDamaged { file, position, .. } => Some((file.as_str(), *position)),
        _ => None,
    });
    assert_eq!(told, Some((segment, 0)));
    assert_eq!(world.fetch_now(&Ask::now(&[(0, 4, ONE_MEG)])), [(0, 0, 2 * batch_bytes())]);
    for _ in 0..50 {
        world.fetch_now(&Ask::now(&[(0, 0, ONE_MEG)]));
    }
    let told = |event: &&Event| matches!(event, Event::LogDamaged { .. });
    assert_eq!(world.events.iter().filter(told).count(), 10, "a few a second");
    assert!(world.broker.logs.len() > 1, "the directory stays");
}

#[test]
fn a_failed_read_takes_the_directory_offline() {
    let mut world = World::with_cold_segments();
    world.fetch(&Ask::now(&[(0, 0, ONE_MEG)]));
    world.fail_step();
    assert!(world.events.iter().any(|event| matches!(event, Event::DirectoryOffline { .. })));
    assert!(matches!(world.stopped, Some(Exit::Failed(_))));
}

#[test]
fn a_read_for_a_client_that_has_left_changes_nothing() {
    let mut world = World::with_cold_segments();
    world.fetch(&Ask::now(&[(0, 0, ONE_MEG)]));
    world.disconnect(CLIENT);
    world.fail_step();
    assert!(world.events.is_empty() && world.stopped.is_none(), "{:?}", world.events);
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn readers_of_a_failed_directory_are_told() {
    let mut disk = disk(&topic(1));
    disk.put("/other/meta.properties", meta_properties(1, 2));
    let mut second = partition(0);
    second.directories = vec![Uuid([2; 16])];
    let mut records: Vec<MetadataRecord> =
        vec![TopicRecord { name: "t".to_string(), topic_id: TOPIC }.into()];
    records.push(second.into());
    let mut log = BatchBuilder::new();
    for record in &records {
        log.append(WALL_MS, None, Some(&record.encode(record.version_max())));
    }
    disk.put(METADATA, log.encode(0, 1));
    let mut world = World::on(disk, config(&["/data", "/other"]));
    world.settle();
    world.connect(CLIENT);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    assert!(world.try_fetched().is_none(), "{:?}", world.events);
    world.produce(0, Acks::All, 0);
    world.fail_step();
    assert_eq!(outline(&world.fetched()), [(0, 56, 0)]);
    let request = Ask::now(&[(0, 0, ONE_MEG)]).request();
    let by_name = FetchRequest {
        topics: vec![FetchTopic { topic: "t".to_string(), ..request.topics[0].clone() }],
        ..request
    };
    world.ask(RequestBody::Fetch { version: 5, request: by_name });
    assert_eq!(outline(&world.fetched()), [(0, 6, 0)], "old clients do not know 56");
}

#[test]
fn a_stop_answers_who_waits() {
    let mut world = World::ready(1);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    world.broker.handle_shutdown(world.now);
    world.drain();
    assert_eq!(outline(&world.fetched()), [(0, 0, 0)]);
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
}

#[test]
fn a_client_that_leaves_takes_its_wait_along() {
    let mut world = World::ready(2);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG)]));
    assert!(!world.broker.fetches.is_unused());
    world.disconnect(CLIENT);
    world.take_turns();
    assert!(world.broker.fetches.is_unused());
    world.produce_gone();
    assert!(world.responses.is_empty());
}

impl World {
    fn produce_gone(&mut self) {
        self.connect(CLIENT);
        self.produce(0, Acks::All, 0);
        self.settle();
    }
}

#[test]
fn files_on_their_way_to_a_reader_are_pinned_until_they_are_sent() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 0);
    world.settle();
    world.fetch(&Ask::now(&[(0, 0, ONE_MEG)]));
    let response = world.fetched();
    let file = range(partitions(&response).next().expect("one partition")).file.id;
    let unlink = || Effect::Operations(vec![Operation::Unlink(Path::new("/data/t-0/x"))]);
    let index = crate::ids::DirectoryIndex(0);
    let retired = crate::broker::Freed {
        file,
        log: crate::ids::LogId(1),
        directory: index,
        effect: unlink(),
    };
    assert_eq!(world.broker.pins.retire(retired), None);
    world.fetch(&Ask::now(&[]));
    assert!(world.effects.iter().any(|(_, effect)| *effect == unlink()), "all is transmitted");
}

#[test]
fn a_fetch_of_a_hundred_thousand_partitions_takes_many_short_turns() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 0);
    world.settle();
    let partitions: Vec<_> = (0..100_000).map(|index| (index, 0, ONE_MEG)).collect();
    let ask = Ask { session: (0, 0), ..Ask::later(&partitions) };
    world.fetch(&ask);
    assert!(world.try_fetched().is_none());
    let turns = world.take_turns();
    assert!(turns > 50, "{turns}");
    let response = world.fetched();
    assert_eq!(outline(&response).len(), 100_000);
    assert_eq!(outline(&response)[..2], [(0, 0, batch_bytes()), (1, 3, 0)]);
    assert!(response.session_id > 0);

    world.fetch(&Ask { session: (response.session_id, 1), ..Ask::now(&[]) });
    world.take_turns();
    assert_eq!(outline(&world.fetched()).len(), 100_000, "errors are repeated");
    world.fetch(&Ask { session: (response.session_id, 2), ..Ask::now(&[]) });
    world.disconnect(CLIENT);
    world.take_turns();
    assert_eq!(world.broker.fetches.sessions_held(), (1, 100_000 * 256));
    world.pass(Millis(120_001));
    world.take_turns();
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn many_readers_are_woken_a_few_a_turn() {
    let mut config = config(&["/data"]);
    config.limits.fetch_steps_per_turn_max = 8;
    let mut world = World::ready_as(config, 1);
    for id in 0..20 {
        world.connect(ConnectionId(100 + id));
        world.fetch_from(ConnectionId(100 + id), &Ask::later(&[(0, 0, ONE_MEG)]));
    }
    world.take_turns();
    world.produce(0, Acks::All, 0);
    world.settle();
    assert!(world.responses.len() < 20);
    assert!(world.take_turns() > 3);
    assert_eq!(world.responses.len(), 20);
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn a_wait_that_would_take_too_much_memory_is_none() {
    let mut config = config(&["/data"]);
    config.limits.fetch_waiting_bytes_max = 1_000;
    let mut world = World::ready_as(config, 1);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    assert!(world.try_fetched().is_none());
    world.connect(ConnectionId(2));
    world.fetch_from(ConnectionId(2), &Ask::later(&[(0, 0, ONE_MEG)]));
    assert_eq!(outline(&world.fetched()), [(0, 0, 0)]);
    world.pass(Millis(500));
    assert_eq!(outline(&world.fetched()), [(0, 0, 0)]);
    world.fetch(&Ask::later(&[(0, 0, ONE_MEG)]));
    assert!(world.try_fetched().is_none(), "there is room again");
}

#[test]
fn a_session_tells_what_has_changed_and_looks_at_nothing_else() {
    let mut world = World::ready(3);
    let ask =
        Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG), (2, 0, ONE_MEG)]) };
    world.fetch(&ask);
    let full = world.fetched();
    assert_eq!(outline(&full), [(0, 0, 0), (1, 0, 0), (2, 0, 0)]);
    let session = full.session_id;
    assert_eq!(world.fetch_now(&Ask { session: (session, 1), ..Ask::now(&[]) }), []);
    world.produce(1, Acks::All, 0);
    world.settle();
    let size = batch_bytes();
    assert_eq!(world.fetch_now(&Ask { session: (session, 2), ..Ask::now(&[]) }), [(1, 0, size)]);
    assert_eq!(world.fetch_now(&Ask { session: (session, 3), ..Ask::now(&[]) }), [(1, 0, size)]);
    let advanced = Ask { session: (session, 4), ..Ask::later(&[(1, 2, ONE_MEG)]) };
    world.fetch(&advanced);
    assert!(world.try_fetched().is_none());
    world.produce(2, Acks::All, 0);
    world.settle();
    assert_eq!(outline(&world.fetched()), [(2, 0, size)]);
    let forget = Ask { session: (session, 5), forgotten: &[0, 1, 2], ..Ask::now(&[]) };
    world.fetch(&forget);
    assert_eq!(world.fetched().session_id, 0, "nothing is left of it");
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn whoever_goes_on_with_a_session_ends_the_request_before() {
    let mut world = World::ready(1);
    world.fetch(&Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG)]) });
    let session = world.fetched().session_id;
    world.fetch(&Ask { session: (session, 1), ..Ask::later(&[]) });
    world.connect(ConnectionId(2));
    world.fetch_from(ConnectionId(2), &Ask { session: (session, 2), ..Ask::later(&[]) });
    let superseded = world.fetched();
    assert_eq!((superseded.error_code.0, superseded.session_id), (71, session));
    world.produce(0, Acks::All, 0);
    world.settle();
    assert_eq!(outline(&world.fetched()), [(0, 0, batch_bytes())]);
}

#[test]
fn an_evicted_session_still_answers_its_last_request() {
    let mut config = config(&["/data"]);
    config.limits.fetch_sessions_max = 1;
    let mut world = World::ready_as(config, 2);
    world.fetch(&Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG)]) });
    let session = world.fetched().session_id;
    world.fetch(&Ask { session: (session, 1), wait_ms: i32::MAX, ..Ask::now(&[]) });
    world.pass(Millis(120_001));
    world.connect(ConnectionId(2));
    let ask = Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG)]) };
    world.fetch_from(ConnectionId(2), &ask);
    assert!(world.fetched().session_id > 0);
    world.produce(0, Acks::All, 0);
    world.settle();
    let last = world.fetched();
    assert_eq!((last.session_id, outline(&last)), (session, vec![(0, 0, batch_bytes())]));
    world.fetch(&Ask { session: (session, 2), ..Ask::now(&[]) });
    assert_eq!(world.fetched().error_code.0, 70);
}

#[test]
fn sessions_that_outgrow_their_memory_begin_anew_without() {
    let mut config = config(&["/data"]);
    config.limits.fetch_session_bytes_max = 300;
    let mut world = World::ready_as(config, 2);
    world.fetch(&Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG)]) });
    let session = world.fetched().session_id;
    world.fetch(&Ask { session: (session, 1), ..Ask::now(&[(1, 0, ONE_MEG)]) });
    assert_eq!(world.fetched().error_code.0, 70);
    let both = Ask { session: (0, 0), ..Ask::now(&[(0, 0, ONE_MEG), (1, 0, ONE_MEG)]) };
    world.fetch(&both);
    let response = world.fetched();
    assert_eq!((response.session_id, outline(&response).len()), (0, 2));
    assert!(world.broker.fetches.is_unused());
}

#[test]
fn records_of_open_transactions_are_for_those_who_read_uncommitted() {
    let mut world = World::ready(1);
    let mut open = BatchBuilder::new().producer(7, 0, 0).transactional();
    open.append(1_000, None, Some(b"value"));
    world.produce(0, Acks::All, 0);
    world.produce_all(vec![(0, Some(open.build()))], Acks::All, 0);
    world.produce(0, Acks::All, 0);
    world.settle();
    let mut read = |offset, isolation_level, wait_ms| {
        let asked = [(0, offset, ONE_MEG)];
        world.fetch(&Ask { wait_ms, isolation_level, ..Ask::now(&asked) });
        world.settle();
        let response = world.try_fetched()?;
        let read = partitions(&response).next().expect("one partition").clone();
        Some((read.high_watermark, read.last_stable_offset, read.records.len()))
    };
    let size = batch_bytes();
    assert_eq!(read(0, 1, 500), Some((5, 2, size)));
    let all = read(0, 0, 500).expect("an answer");
    assert_eq!((all.0, all.1), (5, 2));
    assert!(all.2 > 2 * size);
    assert_eq!(read(3, 1, 0), Some((5, 2, 0)));
    assert_eq!(read(2, 1, 500), None, "it waits for the decision");
}

/// Leader epoch 5, two records.
fn world_in_epoch_five() -> World {
    let led = PartitionRecord { leader_epoch: 5, ..partition(0) };
    let topic = TopicRecord { name: "t".to_string(), topic_id: TOPIC };
    let mut world = World::on(disk(&[topic.into(), led.into()]), config(&["/data"]));
    world.settle();
    world.connect(CLIENT);
    world.produce(0, Acks::All, 0);
    world.settle();
    world
}

#[test]
fn readers_with_another_leader_epoch_are_sent_to_the_leader() {
    let mut world = world_in_epoch_five();
    let mut read = |replica_id, current_leader_epoch, version| {
        let mut request = Ask::now(&[(0, 0, ONE_MEG)]).request();
        request.replica_state.replica_id = replica_id;
        request.topics[0].partitions[0].current_leader_epoch = current_leader_epoch;
        world.ask(RequestBody::Fetch { version, request });
        let response = world.fetched();
        let answer = partitions(&response).next().expect("one partition").clone();
        let leader = (answer.current_leader.leader_id, answer.current_leader.leader_epoch);
        (answer.error_code.0, leader, response.node_endpoints.len())
    };
    assert_eq!(read(-1, 5, 17), (0, (-1, -1), 0));
    assert_eq!(read(-1, 4, 17), (74, (1, 5), 1));
    assert_eq!(read(-1, 4, 15), (74, (-1, -1), 0), "told since version 16");
    assert_eq!(read(-1, 6, 17), (75, (-1, -1), 0));
    assert_eq!(read(3, -1, 17), (6, (1, 5), 0), "followers know the nodes");
    assert_eq!(read(3, 5, 17), (75, (-1, -1), 0));
}

#[test]
fn readers_whose_history_is_another_are_told_where_it_leaves_this_one() {
    let mut world = world_in_epoch_five();
    let mut read = |fetch_offset, last_fetched_epoch| {
        let mut request = Ask::later(&[(0, fetch_offset, ONE_MEG)]).request();
        request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
        world.ask(RequestBody::Fetch { version: 17, request });
        let response = world.try_fetched()?;
        let answer = partitions(&response).next().expect("one partition").clone();
        let diverging = (answer.diverging_epoch.epoch, answer.diverging_epoch.end_offset);
        Some((answer.error_code.0, diverging, answer.high_watermark, !answer.records.is_empty()))
    };
    assert_eq!(read(1, 5), Some((0, (-1, -1), 2, true)));
    assert_eq!(read(3, 5), Some((0, (5, 2), 2, false)));
    assert_eq!(read(1, 4), Some((0, (4, 0), 2, false)));
    assert_eq!(read(1, 6), Some((1, (-1, -1), -1, false)));
    assert_eq!(read(-1, 4), Some((1, (-1, -1), -1, false)));
    assert_eq!(read(2, 5), None, "it stands at the end");
}
