//! Each driver with a disk that fails: who waits is told, the other log directory serves on, and what
//! was acknowledged is there when the disk is well again.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_core::batch::{BatchBuilder, Step, next_batch};
use klamm_core::codec::{Message, Reader};
use klamm_core::config::Config;
use klamm_core::effect::{FileRef, IoError, IoErrorKind, Operation, OperationResult, Path};
use klamm_core::event::Event;
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_core::{Exit, error_code::ErrorCode};
use klamm_runtime::{Disk, Files, Handle, Observer, Options};
use klamm_tests::directory::{NewTopic, make_all};
use klamm_tests::driver::{Driver, TempDir, connect, read_frame, stop};
use klamm_tests::on_each_driver;

/// The topic in the log directory that has the metadata log.
const FIRST: &str = "first";
/// The topic in the other one.
const SECOND: &str = "second";
/// Each of their partitions has one.
const SEGMENT: &str = "00000000000000000000.log";

const VERSION: i16 = 11;

on_each_driver! {
    a_failed_write_takes_its_directory_offline_alone,
    a_failed_sync_takes_its_directory_offline_and_is_not_repeated,
    a_failed_sync_of_a_directory_counts_like_one_of_a_file,
    a_torn_write_is_cut_off_by_the_next_start,
    a_failed_checkpoint_takes_its_directory_offline,
    a_directory_that_cannot_be_locked_is_offline_from_the_start,
    a_log_that_cannot_be_read_takes_its_directory_offline,
    a_failure_in_the_directory_of_the_metadata_ends_the_server,
}

fn a_failed_write_takes_its_directory_offline_alone(driver: Driver) {
    let fault = Fault { refuses: is_write, torn: false };
    second_fails(driver, fault, "000.log: Input/output error");
}

fn a_failed_sync_takes_its_directory_offline_and_is_not_repeated(driver: Driver) {
    let fault = Fault {
        refuses: |operation| matches!(operation, Operation::Sync(file) if is_segment(file)),
        torn: false,
    };
    let refused = second_fails(driver, fault, "000.log: Input/output error");
    assert_eq!(refused, 1);
}

fn a_failed_sync_of_a_directory_counts_like_one_of_a_file(driver: Driver) {
    let fault = Fault {
        refuses: |operation| matches!(operation, Operation::SyncDirectory(path) if path.as_str().ends_with("/second-1")),
        torn: false,
    };
    second_fails(driver, fault, "second-1: Input/output error");
}

fn a_torn_write_is_cut_off_by_the_next_start(driver: Driver) {
    let fault = Fault { refuses: is_write, torn: true };
    second_fails(driver, fault, "000.log: Input/output error");
}

fn a_failed_checkpoint_takes_its_directory_offline(driver: Driver) {
    let is_rename = |operation: &Operation| matches!(operation, Operation::Rename { .. });
    second_fails(driver, Fault { refuses: is_rename, torn: false }, "checkpoint.tmp: Input/output");
}

/// One life in which the second directory works at first and then fails, and one on the repaired disk.
/// Gives how many operations have failed.
fn second_fails(driver: Driver, fault: Fault, reason: &str) -> usize {
    let dir = TempDir::new();
    let [_, second] = log_directories(&dir);
    let mut broker = Broker::start(driver, config(&dir), &second, fault);
    for number in 0..3 {
        broker.must_take(FIRST, 0, number);
        broker.must_take(SECOND, 0, number);
    }
    broker.switch.fails.store(true, Ordering::Relaxed);
    // The partition's first record makes its file, so that there is something of each kind to do. A
    // failure beside it, of a checkpoint, is met by one of the next.
    let met = (0..400).find(|number| {
        std::thread::sleep(std::time::Duration::from_millis(u64::from(*number > 0) * 10));
        broker.produce(SECOND, 1, *number) == ErrorCode::KAFKA_STORAGE_ERROR
    });
    assert!(met.is_some(), "the failure is not told");
    assert_eq!(broker.produce(SECOND, 0, 9), ErrorCode::KAFKA_STORAGE_ERROR, "offline, all of it");
    broker.must_take(FIRST, 0, 9);
    let event = broker.events.directory_offline(&second);
    assert!(event.to_string().contains(reason), "{event}");

    let Broker { handle, switch, mut acknowledged, .. } = broker;
    stop(handle);
    let mut broker = Broker::start(driver, config(&dir), &second, fault);
    for (topic, partition) in [(FIRST, 0), (SECOND, 0), (SECOND, 1)] {
        broker.must_take(topic, partition, 99);
    }
    stop(broker.handle);
    acknowledged.extend(broker.acknowledged);
    check(&dir, &acknowledged);
    switch.refused.load(Ordering::Relaxed)
}

fn a_directory_that_cannot_be_locked_is_offline_from_the_start(driver: Driver) {
    let is_lock = |operation: &Operation| matches!(operation, Operation::Lock(_));
    second_is_offline_from_the_start(driver, Fault { refuses: is_lock, torn: false }, "/.lock: ");
}

fn a_log_that_cannot_be_read_takes_its_directory_offline(driver: Driver) {
    let fault = Fault {
        refuses: |operation| matches!(operation, Operation::Read { file, .. } if is_segment(file)),
        torn: false,
    };
    second_is_offline_from_the_start(driver, fault, "second-0/00000000000000000000.log: ");
}

fn second_is_offline_from_the_start(driver: Driver, fault: Fault, reason: &str) {
    let dir = TempDir::new();
    let [_, second] = log_directories(&dir);
    let mut broker = Broker::start(driver, config(&dir), &second, fault);
    broker.must_take(SECOND, 0, 1);
    let mut acknowledged = broker.acknowledged;
    stop(broker.handle);

    let switch = Switch { fails: true.into(), refused: 0.into() };
    let mut broker = Broker::start_with(driver, config(&dir), &second, fault, switch);
    for partition in 0..2 {
        assert_eq!(broker.produce(SECOND, partition, 2), ErrorCode::KAFKA_STORAGE_ERROR);
    }
    broker.must_take(FIRST, 0, 2);
    let event = broker.events.directory_offline(&second);
    assert!(event.to_string().contains(reason), "{event}");
    acknowledged.extend(broker.acknowledged);
    stop(broker.handle);

    let mut broker = Broker::start(driver, config(&dir), &second, fault);
    broker.must_take(SECOND, 0, 3);
    acknowledged.extend(broker.acknowledged);
    stop(broker.handle);
    check(&dir, &acknowledged);
}

fn a_failure_in_the_directory_of_the_metadata_ends_the_server(driver: Driver) {
    let dir = TempDir::new();
    let [first, _] = log_directories(&dir);
    let fault = Fault { refuses: is_write, torn: true };
    let mut broker = Broker::start(driver, config(&dir), &first, fault);
    broker.must_take(FIRST, 0, 0);
    broker.must_take(SECOND, 0, 0);
    broker.switch.fails.store(true, Ordering::Relaxed);
    assert_eq!(broker.produce(FIRST, 0, 1), ErrorCode::KAFKA_STORAGE_ERROR, "told before the end");
    assert_eq!(broker.client.read(&mut [0; 9]).unwrap(), 0, "then closed");
    let Exit::Failed(reason) = broker.handle.wait() else { panic!("it cannot go on") };
    let expected = format!(
        "log directory {first} failed: {first}/first-0/00000000000000000000.log: \
         Input/output error (os error 5)"
    );
    assert_eq!(reason, expected);

    let mut after = Broker::start(driver, config(&dir), &first, fault);
    after.must_take(FIRST, 0, 2);
    stop(after.handle);
    check(&dir, &broker.acknowledged);
    check(&dir, &after.acknowledged);
}

/// Which operations fail.
#[derive(Clone, Copy)]
struct Fault {
    refuses: fn(&Operation) -> bool,
    /// Half of a write is carried out before it fails.
    torn: bool,
}

fn is_write(operation: &Operation) -> bool {
    matches!(operation, Operation::Write { file, .. } if is_segment(file))
}

fn is_segment(file: &FileRef) -> bool {
    file.path.as_str().ends_with(SEGMENT)
}

/// The real files, of which one log directory fails while it is told to. Its locks go with it, so that
/// the server alone has it.
struct FaultyDisk {
    files: Files,
    directory: Path,
    fault: Fault,
    switch: Arc<Switch>,
}

#[derive(Default)]
struct Switch {
    fails: AtomicBool,
    /// Operations that have failed.
    refused: AtomicUsize,
}

impl Disk for FaultyDisk {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        let path = operation.path();
        let fails = self.switch.fails.load(Ordering::Relaxed)
            && path.is_within(&self.directory)
            && (self.fault.refuses)(operation);
        if !fails {
            return self.files.perform(operation);
        }
        if let Operation::Write { file, position, data } = operation
            && self.fault.torn
        {
            let whole = Bytes::from(data.concat());
            let half = vec![whole.slice(..whole.len() / 2)];
            let (file, position) = (file.clone(), *position);
            self.files.perform(&Operation::Write { file, position, data: half })?;
        }
        self.switch.refused.fetch_add(1, Ordering::Relaxed);
        let message = std::io::Error::from_raw_os_error(5).to_string();
        Err(IoError::new(path, IoErrorKind::Other, &message))
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        self.files.open(file)
    }
}

/// What the broker said.
#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Events {
    /// The one event of that directory.
    fn directory_offline(&self, wanted: &Path) -> Event {
        let events = self.0.lock().unwrap();
        let offline: Vec<&Event> =
            events.iter().filter(|event| matches!(event, Event::DirectoryOffline { .. })).collect();
        let [event @ Event::DirectoryOffline { directory, .. }] = offline[..] else {
            panic!("{events:?}")
        };
        assert_eq!(directory, wanted);
        event.clone()
    }
}

impl Observer for Events {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A record that was acknowledged: its topic, partition, offset and value.
type Acknowledged = (&'static str, i32, i64, Bytes);

/// A server, its disk, and a client of it.
struct Broker {
    handle: Handle,
    switch: Arc<Switch>,
    events: Arc<Events>,
    client: TcpStream,
    acknowledged: Vec<Acknowledged>,
}

impl Broker {
    fn start(driver: Driver, config: Config, fails: &Path, fault: Fault) -> Self {
        Self::start_with(driver, config, fails, fault, Switch::default())
    }

    fn start_with(
        driver: Driver,
        config: Config,
        fails: &Path,
        fault: Fault,
        switch: Switch,
    ) -> Self {
        let events = Arc::new(Events::default());
        let switch = Arc::new(switch);
        let disk = Arc::new(FaultyDisk {
            files: Files::new(100),
            directory: fails.clone(),
            fault,
            switch: switch.clone(),
        });
        let options = Options { observer: events.clone(), disk: Some(disk), ..Options::default() };
        let handle = driver.start(config, options).unwrap();
        let client = connect(&handle);
        Self { handle, switch, events, client, acknowledged: Vec::new() }
    }

    fn must_take(&mut self, topic: &'static str, partition: i32, number: u32) {
        assert_eq!(self.produce(topic, partition, number), ErrorCode::NONE, "{topic}-{partition}");
    }

    /// Sends one record and notes it when it is acknowledged.
    fn produce(&mut self, topic: &'static str, partition: i32, number: u32) -> ErrorCode {
        let value =
            Bytes::from(format!("{topic}-{partition} {number} {}", self.acknowledged.len()));
        let mut batch = BatchBuilder::new();
        batch.append(0, None, Some(&value));
        let body = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: topic.to_owned(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch.encode(0, -1).into()),
                }],
                ..TopicProduceData::default()
            }],
            ..ProduceRequest::default()
        };
        let header = RequestHeader {
            api_key: ApiKey::PRODUCE,
            api_version: VERSION,
            correlation_id: 1,
            client_id: None,
        };
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header, &body);
        self.client.write_all(&frame).unwrap();
        let answer = Bytes::from(read_frame(&mut self.client).unwrap());
        let mut reader = Reader::new(&answer);
        read_response_header(&mut reader, ApiKey::PRODUCE.api().unwrap(), VERSION).unwrap();
        let answer = ProduceResponse::read(&mut reader, VERSION).unwrap();
        let outcome = &answer.responses[0].partition_responses[0];
        if outcome.error_code == ErrorCode::NONE {
            self.acknowledged.push((topic, partition, outcome.base_offset, value));
        }
        outcome.error_code
    }
}

/// Two log directories, a topic of two partitions in each.
fn log_directories(dir: &TempDir) -> [Path; 2] {
    let topics =
        [NewTopic::new(FIRST, 2), NewTopic { log_directory: 1, ..NewTopic::new(SECOND, 2) }];
    let [first, second] = ["a", "b"].map(|name| dir.path().join(name));
    make_all(&[&first, &second], &topics).unwrap();
    [first, second].map(|path| Path::new(path.to_str().unwrap()))
}

fn config(dir: &TempDir) -> Config {
    let mut config = dir.config();
    let path = |name| Path::new(dir.path().join(name).to_str().unwrap());
    config.log_dirs = vec![path("a"), path("b")];
    config.limits.synced_checkpoint_interval_ms = 50;
    config
}

/// Reads the segments: whole batches without a gap, the acknowledged records in their places.
fn check(dir: &TempDir, acknowledged: &[Acknowledged]) {
    for (topic, partition, offset, value) in acknowledged {
        let directory = if *topic == FIRST { "a" } else { "b" };
        let segment = format!("{directory}/{topic}-{partition}/{SEGMENT}");
        let log = std::fs::read(dir.path().join(segment)).unwrap();
        let mut rest = &log[..];
        let mut values = Vec::new();
        while let Step::Batch(batch) = next_batch(rest, rest.len()) {
            assert_eq!(batch.header().base_offset, values.len() as i64);
            assert_eq!(batch.verify_crc(), Ok(()));
            values.extend(batch.records().unwrap().map(|record| record.unwrap().value.unwrap()));
            rest = &rest[batch.size()..];
        }
        assert!(rest.is_empty(), "{} bytes behind the last batch", rest.len());
        assert_eq!(values.get(*offset as usize), Some(&&value[..]), "{topic}-{partition} {offset}");
    }
}
