//! Each driver with readers: ranges of files reach whoever reads fast, slowly, together or not to
//! the end, byte for byte, and a file that is shorter than it should be is noticed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use klamm_core::Exit;
use klamm_core::api::ApiKey;
use klamm_core::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, Records};
use klamm_core::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_core::batch::{BatchBuilder, Step, next_batch};
use klamm_core::codec::{Message, Reader};
use klamm_core::event::Event;
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_runtime::{Handle, Observer, Options};
use klamm_tests::directory::NewTopic;
use klamm_tests::driver::{Driver, TempDir, connect, read_frame, stop};
use klamm_tests::on_each_driver;

const TOPIC: &str = "t";
const PRODUCE_VERSION: i16 = 11;
const FETCH_VERSION: i16 = 12;
const RECORD_BYTES: usize = 900_000;
const BATCHES: usize = 20;

on_each_driver! {
    sixteen_readers_get_every_byte,
    a_slow_reader_gets_every_byte,
    readers_that_leave_in_the_middle_harm_nobody,
    a_reader_waits_for_the_next_record,
    a_file_that_is_cut_short_ends_the_connection_and_the_directory,
    a_deleted_file_stays_until_its_reader_has_it,
}

fn sixteen_readers_get_every_byte(driver: Driver) {
    let (dir, handle) = filled(driver);
    let log = fs::read(segment(&dir)).unwrap();
    thread::scope(|scope| {
        for reader in 0..16 {
            let (handle, log) = (&handle, &log);
            // Limits that cut batches, and one range of all there is.
            let limit = [64 << 10, 1_000_003, 5_000_000, i32::MAX][reader % 4];
            scope.spawn(move || assert!(read_all(&mut connect(handle), limit) == *log, "{limit}"));
        }
    });
    stop(handle);
}

fn a_slow_reader_gets_every_byte(driver: Driver) {
    let (dir, handle) = filled(driver);
    let log = fs::read(segment(&dir)).unwrap();
    let mut stream = connect(&handle);
    stream.write_all(&fetch(0, i32::MAX, 0)).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    for (number, piece) in frame.chunks_mut(100_000).enumerate() {
        if number % 8 == 0 {
            thread::sleep(Duration::from_millis(20));
        }
        stream.read_exact(piece).unwrap();
    }
    assert!(records(frame) == log);
    stop(handle);
}

fn readers_that_leave_in_the_middle_harm_nobody(driver: Driver) {
    let (dir, handle) = filled(driver);
    for bytes in [0, 1, 30, 70_000, 3_000_000] {
        let mut stream = connect(&handle);
        stream.write_all(&fetch(0, i32::MAX, 0)).unwrap();
        stream.read_exact(&mut vec![0; bytes]).unwrap();
    }
    let log = fs::read(segment(&dir)).unwrap();
    assert!(read_all(&mut connect(&handle), i32::MAX) == log);
    stop(handle);
}

fn a_reader_waits_for_the_next_record(driver: Driver) {
    let (_dir, handle) = filled(driver);
    let (mut reader, mut writer) = (connect(&handle), connect(&handle));
    for number in 0..20 {
        let end = (BATCHES + number) as i64;
        reader.write_all(&fetch(end, i32::MAX, 15_000)).unwrap();
        if number % 2 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        produce(&mut writer, 100);
        let records = records(read_frame(&mut reader).unwrap());
        assert_eq!(end_of(&records), Some(end + 1));
    }
    // A wait does not keep the server from its stop.
    let end = (BATCHES + 20) as i64;
    reader.write_all(&fetch(end, i32::MAX, 60_000)).unwrap();
    thread::sleep(Duration::from_millis(50));
    handle.shutdown();
    assert!(records(read_frame(&mut reader).unwrap()).is_empty());
    assert_eq!(handle.wait(), Exit::Clean);
}

fn a_file_that_is_cut_short_ends_the_connection_and_the_directory(driver: Driver) {
    let dir = with_topic();
    let events = Arc::new(Events::default());
    let observer = Arc::clone(&events) as Arc<dyn Observer>;
    let options = Options { observer, ..Options::default() };
    let handle = driver.start(dir.config(), options).unwrap();
    fill(&handle);
    let file = File::options().write(true).open(segment(&dir)).unwrap();
    file.set_len(5 * RECORD_BYTES as u64).unwrap();
    let mut stream = connect(&handle);
    stream.write_all(&fetch(0, i32::MAX, 0)).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).ok();
    assert!(received.len() <= 6 * RECORD_BYTES, "{}", received.len());
    let Exit::Failed(reason) = handle.wait() else { panic!("no directory is left") };
    assert!(reason.contains("00000000000000000000.log"), "{reason}");
    let events = events.0.lock().unwrap();
    assert!(events.iter().any(|event| event.contains("is offline")), "{events:?}");
}

#[derive(Default)]
struct Events(Mutex<Vec<String>>);

impl Observer for Events {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

fn with_topic() -> TempDir {
    let dir = TempDir::new();
    dir.put_topics(&[NewTopic::new(TOPIC, 1)]);
    dir
}

/// A server with a log of some megabytes.
fn filled(driver: Driver) -> (TempDir, Handle) {
    let dir = with_topic();
    let handle = driver.serve(dir.config());
    fill(&handle);
    (dir, handle)
}

fn fill(handle: &Handle) {
    let mut stream = connect(handle);
    for number in 0..BATCHES {
        produce(&mut stream, RECORD_BYTES - number);
    }
}

fn segment(dir: &TempDir) -> PathBuf {
    dir.logs().join("t-0/00000000000000000000.log")
}

fn frame<M: Message>(api_key: ApiKey, api_version: i16, body: &M) -> BytesMut {
    let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id: None };
    let mut frame = BytesMut::new();
    write_request(&mut frame, &header, body);
    frame
}

fn answer<M: Message>(frame: Vec<u8>, key: ApiKey, version: i16) -> M {
    let frame = Bytes::from(frame);
    let mut reader = Reader::new(&frame);
    read_response_header(&mut reader, key.api().unwrap(), version).unwrap();
    M::read(&mut reader, version).unwrap()
}

/// One record of so many bytes.
fn produce(stream: &mut TcpStream, bytes: usize) {
    let value: Vec<u8> = (0..bytes).map(|at| (at * at % 251) as u8).collect();
    let mut batch = BatchBuilder::new();
    batch.append(1_000, None, Some(&value));
    let partition = PartitionProduceData { index: 0, records: Some(batch.encode(0, -1).into()) };
    let topic = TopicProduceData {
        name: TOPIC.to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let body = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    stream.write_all(&frame(ApiKey::PRODUCE, PRODUCE_VERSION, &body)).unwrap();
    let taken: ProduceResponse =
        answer(read_frame(stream).unwrap(), ApiKey::PRODUCE, PRODUCE_VERSION);
    assert_eq!(taken.responses[0].partition_responses[0].error_code.0, 0);
}

fn fetch(fetch_offset: i64, bytes_max: i32, max_wait_ms: i32) -> BytesMut {
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        partition_max_bytes: bytes_max,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: TOPIC.to_owned(),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    let body = FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: i32::MAX,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    frame(ApiKey::FETCH, FETCH_VERSION, &body)
}

fn records(frame: Vec<u8>) -> Bytes {
    let mut response: FetchResponse = answer(frame, ApiKey::FETCH, FETCH_VERSION);
    let partition = response.responses.remove(0).partitions.remove(0);
    assert_eq!(partition.error_code.0, 0);
    match partition.records {
        Records::Bytes(records) => records,
        Records::File(_) => panic!("bytes are decoded as bytes"),
    }
}

/// The offset behind the last whole batch, if there is one.
fn end_of(records: &[u8]) -> Option<i64> {
    whole(records).1
}

/// The whole batches' bytes, and the offset behind them.
fn whole(records: &[u8]) -> (usize, Option<i64>) {
    let (mut at, mut end) = (0, None);
    while let Step::Batch(batch) = next_batch(&records[at..], records.len()) {
        at += batch.size();
        end = Some(batch.header().last_offset() + 1);
    }
    (at, end)
}

/// Reads from offset 0 until nothing comes.
fn read_all(stream: &mut TcpStream, bytes_max: i32) -> Vec<u8> {
    let (mut log, mut next) = (Vec::new(), 0);
    loop {
        stream.write_all(&fetch(next, bytes_max, 0)).unwrap();
        let records = records(read_frame(stream).unwrap());
        let (bytes, end) = whole(&records);
        let Some(end) = end else { return log };
        log.extend_from_slice(&records[..bytes]);
        next = end;
    }
}

fn a_deleted_file_stays_until_its_reader_has_it(driver: Driver) {
    let dir = with_topic();
    let mut config = dir.config();
    config.topic_defaults.file_delete_delay_ms = 0;
    config.topic_defaults.segment_bytes = 5 * RECORD_BYTES as u32;
    let handle = driver.serve(config);
    fill(&handle);
    let log = fs::read(segment(&dir)).unwrap();
    let mut reader = connect(&handle);
    reader.write_all(&fetch(0, i32::MAX, 0)).unwrap();
    let mut size = [0; 4];
    reader.read_exact(&mut size).unwrap();
    delete_all(&mut connect(&handle));
    thread::sleep(Duration::from_millis(300));
    let files = || fs::read_dir(dir.logs().join("t-0")).unwrap().map(|entry| entry.unwrap().path());
    let is_there =
        || files().any(|path| path.to_string_lossy().contains("/00000000000000000000.log"));
    assert!(is_there(), "somebody reads it");
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    reader.read_exact(&mut frame).unwrap();
    assert!(records(frame) == log);
    // Its next request says that it has all.
    reader.write_all(&fetch(BATCHES as i64, i32::MAX, 0)).unwrap();
    assert!(records(read_frame(&mut reader).unwrap()).is_empty());
    assert!(
        (0..100).any(|_| {
            thread::sleep(Duration::from_millis(50));
            !is_there()
        }),
        "{:?}",
        files().collect::<Vec<_>>()
    );
    stop(handle);
}

fn delete_all(stream: &mut TcpStream) {
    let partition = DeleteRecordsPartition { partition_index: 0, offset: -1 };
    let topic = DeleteRecordsTopic { name: TOPIC.to_owned(), partitions: vec![partition] };
    let body = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 };
    stream.write_all(&frame(ApiKey::DELETE_RECORDS, 2, &body)).unwrap();
    let taken: DeleteRecordsResponse =
        answer(read_frame(stream).unwrap(), ApiKey::DELETE_RECORDS, 2);
    let partition = &taken.topics[0].partitions[0];
    assert_eq!((partition.error_code.0, partition.low_watermark), (0, BATCHES as i64));
}
