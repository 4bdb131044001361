//! A connection between a peer that is a buffer and a broker that is the test.

mod groups;
mod idle;
mod reads;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::api::api_versions::ApiVersionsRequest;
use crate::api::metadata::MetadataRequest;
use crate::api::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use crate::api::{ApiKey, produce};
use crate::batch::{BatchBuilder, ByteStream, Codec, CompressionError};
use crate::broker::image::{Partition, Topic};
use crate::codec::{Message, Reader};
use crate::config::{StoredCompression, TopicConfig};
use crate::error_code::ErrorCode;
use crate::frame::{
    FrameSizeError, HeaderError, RequestHeader, read_response_header, write_request,
};
use crate::ids::Uuid;
use crate::request::{Acks, AppendOutcome, ProduceCommand, Query, RequestBody, ResponseBody};
use crate::rng::Rng;
use crate::time::Millis;

/// Decompresses nothing, and takes what it is given as compressed.
#[derive(Debug)]
struct NoCompression;

impl Compression for NoCompression {
    fn decompress(
        &self,
        _: Codec,
        _: Bytes,
    ) -> Result<alloc::boxed::Box<dyn ByteStream>, CompressionError> {
        Err(CompressionError::Corrupt("none here".to_string()))
    }

    fn compress(
        &self,
        _: Codec,
        _: i32,
        input: &mut dyn ByteStream,
        output_bytes_max: usize,
    ) -> Result<Bytes, CompressionError> {
        let mut output = vec![0; 1_000];
        let length = input.read(&mut output)?;
        if length > output_bytes_max {
            return Err(CompressionError::OutputFull);
        }
        output.truncate(length);
        Ok(Bytes::from(output))
    }
}

fn topic(name: &str, id: u8, partitions: i32, config: TopicConfig) -> Arc<Topic> {
    Arc::new(Topic {
        name: Arc::from(name),
        id: Uuid([id; 16]),
        partitions: (0..partitions).map(|index| (index, Partition::default())).collect(),
        config,
    })
}

fn image() -> Image {
    let mut image = Image::default();
    let plain = TopicConfig::default;
    let lz4 = StoredCompression::Codec(Codec::Lz4);
    for topic in [
        topic("p", 1, 1, plain()),
        topic("p2", 2, 2, plain()),
        topic("small", 3, 1, TopicConfig { message_bytes_max: 100, ..plain() }),
        topic("keyed", 6, 2, TopicConfig { compacted: true, ..plain() }),
        topic("lz4", 4, 2, TopicConfig { compression: lz4, ..plain() }),
        topic("__consumer_offsets", 5, 1, plain()),
    ] {
        image.topics_by_id.insert(topic.id, topic.clone());
        image.topics.insert(topic.name.clone(), topic);
    }
    image
}

/// The connection, its driver, its peer and the budget.
struct Rig {
    connection: Connection,
    image: Arc<Image>,
    input: BytesMut,
    now: Now,
    charged: usize,
    errors: Vec<ConnectionError>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let connection = Connection::new(ConnectionId(1), limits, Arc::new(NoCompression));
        let now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };
        let (input, errors) = (BytesMut::new(), Vec::new());
        Self { connection, image: Arc::new(image()), input, now, charged: 0, errors }
    }

    /// Bytes arrive; what may go to the broker now.
    fn receive(&mut self, bytes: &[u8]) -> Vec<Request> {
        self.input.extend_from_slice(bytes);
        self.go_round()
    }

    fn go_round(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        loop {
            let taken = self.connection.handle_bytes(&mut self.input, self.now);
            self.errors.extend(taken.err());
            let wanted = self.connection.wants_charge();
            if wanted > 0 {
                self.charged += wanted;
                self.connection.handle_charged();
                continue;
            }
            match self.connection.poll_request(&self.image, self.now) {
                Some(Ok(request)) => requests.push(request),
                Some(Err(error)) => self.errors.push(error),
                None => break,
            }
        }
        self.charged -= self.connection.poll_discharge();
        requests
    }

    /// The broker answers; what may go to it next.
    fn answer(&mut self, request: &Request) -> Vec<Request> {
        self.answer_with(request, |_| outcome(0))
    }

    fn answer_with(
        &mut self,
        request: &Request,
        outcome: impl Fn(usize) -> AppendOutcome,
    ) -> Vec<Request> {
        let body = match &request.body {
            RequestBody::Produce(command) => {
                ResponseBody::Produce((0..command.partitions.len()).map(outcome).collect())
            }
            RequestBody::Query(query) => ResponseBody::Query {
                query: query.clone(),
                image: self.image.clone(),
                listener: Arc::from("PLAINTEXT"),
            },
            other => panic!("{other:?} is answered by its own test"),
        };
        self.connection.handle_response(Response { number: request.number, body });
        self.go_round()
    }

    /// All that leaves, as frames.
    fn sent(&mut self) -> Vec<Bytes> {
        let mut frames = Vec::new();
        while let Some(chunk) = self.connection.poll_transmit() {
            let Chunk::Bytes(bytes) = chunk else { panic!("no file is sent here") };
            frames.push(bytes);
        }
        self.connection.handle_transmitted(frames.len());
        frames
    }

    fn correlation_ids(&mut self) -> Vec<i32> {
        let id = |frame: &Bytes| i32::from_be_bytes(*frame[4..].first_chunk().unwrap());
        self.sent().iter().map(id).collect()
    }

    fn error(&mut self) -> ConnectionError {
        assert_eq!(self.errors.len(), 1, "{:?}", self.errors);
        self.errors.remove(0)
    }

    /// The connection has come to its end by itself, and holds nothing.
    fn assert_finished(&mut self) {
        assert!(self.connection.is_finished());
        assert_eq!(self.charged, 0, "the budget has leaked");
        self.connection.close();
        assert_eq!(self.connection.poll_discharge(), 0);
    }
}

fn outcome(base_offset: i64) -> AppendOutcome {
    AppendOutcome {
        error: ErrorCode::NONE,
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 7,
    }
}

fn failed(error: ErrorCode) -> AppendOutcome {
    AppendOutcome { error, base_offset: -1, log_append_time_ms: -1, log_start_offset: -1 }
}

fn frame<M: Message>(key: ApiKey, version: i16, correlation_id: i32, body: &M) -> Vec<u8> {
    let client_id = Some("test".to_string());
    let header = RequestHeader { api_key: key, api_version: version, correlation_id, client_id };
    let mut output = BytesMut::new();
    write_request(&mut output, &header, body);
    output.to_vec()
}

fn api_versions(correlation_id: i32) -> Vec<u8> {
    frame(ApiKey::API_VERSIONS, 0, correlation_id, &ApiVersionsRequest::default())
}

fn metadata(correlation_id: i32) -> Vec<u8> {
    frame(ApiKey::METADATA, 1, correlation_id, &MetadataRequest::default())
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(1_700_000_000_000, None, Some(b"value"));
    Bytes::from(builder.encode(0, -1))
}

fn damaged() -> Bytes {
    let mut bytes = batch().to_vec();
    bytes[20] ^= 1;
    Bytes::from(bytes)
}

fn data(name: &str, partitions: &[(i32, Bytes)]) -> TopicProduceData {
    let partition_data = partitions
        .iter()
        .map(|(index, records)| PartitionProduceData {
            index: *index,
            records: Some(records.clone()),
        })
        .collect();
    TopicProduceData { name: name.to_string(), partition_data, ..Default::default() }
}

fn request(acks: i16, topic_data: Vec<TopicProduceData>) -> ProduceRequest {
    ProduceRequest { acks, timeout_ms: 1_000, topic_data, ..Default::default() }
}

fn produce(correlation_id: i32, acks: i16, topic_data: Vec<TopicProduceData>) -> Vec<u8> {
    frame(ApiKey::PRODUCE, 11, correlation_id, &request(acks, topic_data))
}

fn good(correlation_id: i32) -> Vec<u8> {
    produce(correlation_id, -1, vec![data("p", &[(0, batch())])])
}

fn command(request: &Request) -> &ProduceCommand {
    match &request.body {
        RequestBody::Produce(command) => command,
        other => panic!("{other:?} instead of a Produce"),
    }
}

/// One Produce: what the broker sees of it, and the answer when its appends come out as `outcome` says.
fn exchange(
    version: i16,
    body: &ProduceRequest,
    outcome: impl Fn(usize) -> AppendOutcome,
) -> (ProduceCommand, ProduceResponse) {
    exchange_on(&mut Rig::new(), version, body, outcome)
}

fn exchange_on(
    rig: &mut Rig,
    version: i16,
    body: &ProduceRequest,
    outcome: impl Fn(usize) -> AppendOutcome,
) -> (ProduceCommand, ProduceResponse) {
    let requests = rig.receive(&frame(ApiKey::PRODUCE, version, 1, body));
    assert_eq!((requests.len(), rig.errors.len()), (1, 0));
    rig.answer_with(&requests[0], outcome);
    let [answer] = &rig.sent()[..] else { panic!("one answer") };
    let answer = answer.slice(4..);
    let mut reader = Reader::new(&answer);
    read_response_header(&mut reader, ApiKey::PRODUCE.api().unwrap(), version).unwrap();
    let response = ProduceResponse::read(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0);
    (command(&requests[0]).clone(), response)
}

/// Topic by topic, the partitions' indexes and errors.
fn errors(response: &ProduceResponse) -> Vec<(&str, Vec<(i32, i16)>)> {
    let partition = |p: &PartitionProduceResponse| (p.index, p.error_code.0);
    let topic = |t: &'_ produce::TopicProduceResponse| {
        t.partition_responses.iter().map(partition).collect()
    };
    response.responses.iter().map(|t| (&*t.name, topic(t))).collect()
}

// The order of requests and answers.

#[test]
fn produces_go_on_together_and_answers_in_reverse_leave_in_order() {
    let mut rig = Rig::new();
    let requests = rig.receive(&[good(1), good(2), good(3)].concat());
    assert_eq!(requests.len(), 3);
    assert!(rig.charged > 0);
    for request in requests.iter().rev() {
        assert!(rig.sent().is_empty());
        rig.answer(request);
    }
    assert_eq!(rig.correlation_ids(), [1, 2, 3]);
    assert_eq!(rig.charged, 0);
}

#[test]
fn any_other_request_is_alone() {
    let mut rig = Rig::new();
    let bytes = [good(1), good(2), metadata(3), good(4), api_versions(5), metadata(6)].concat();
    let mut waiting = rig.receive(&bytes);
    let mut together = vec![waiting.len()];
    while !waiting.is_empty() {
        let next: Vec<_> = waiting.iter().flat_map(|request| rig.answer(request)).collect();
        together.push(next.len());
        waiting = next;
    }
    assert_eq!(together, [2, 1, 1, 1, 1, 0]);
    assert_eq!(rig.correlation_ids(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(rig.charged, 0);
}

#[test]
fn what_waits_behind_a_query_is_not_charged() {
    let mut rig = Rig::new();
    let requests = rig.receive(&[metadata(1), good(2)].concat());
    assert_eq!((requests.len(), rig.charged), (1, 0));
    assert_eq!(rig.connection.wants_charge(), 0);
    let next = rig.answer(&requests[0]);
    assert_eq!((next.len(), rig.charged), (1, good(2).len() - 4));
}

#[test]
fn byte_by_byte_makes_no_difference() {
    let bytes = [good(1), good(2), metadata(3)].concat();
    let mut rig = Rig::new();
    let mut requests: Vec<_> = bytes.iter().flat_map(|&byte| rig.receive(&[byte])).collect();
    assert_eq!(requests.len(), 2);
    while !requests.is_empty() {
        requests = requests.iter().flat_map(|request| rig.answer(request)).collect();
    }
    assert_eq!(rig.correlation_ids(), [1, 2, 3]);
    rig.connection.handle_end_of_input();
    rig.assert_finished();
}

#[test]
fn no_more_requests_than_the_limit_are_unanswered() {
    let mut rig = Rig::with(Limits { requests_unanswered_max: 2, ..Limits::default() });
    let requests = rig.receive(&[good(1), good(2), good(3)].concat());
    assert_eq!(requests.len(), 2);
    assert_eq!((rig.connection.wants_charge(), rig.connection.wants_read()), (0, 0));
    assert_eq!(rig.answer(&requests[1]).len(), 0, "it still waits for the one before it");
    assert_eq!(rig.answer(&requests[0]).len(), 1);
}

#[test]
fn a_peer_that_does_not_read_is_not_read() {
    let mut rig = Rig::with(Limits { unsent_bytes_max: 10, ..Limits::default() });
    let requests = rig.receive(&[good(1), good(2)].concat());
    for request in &requests {
        rig.answer(request);
    }
    assert_eq!(rig.receive(&good(3)).len(), 0);
    assert_eq!((rig.connection.wants_charge(), rig.connection.wants_read()), (0, 0));
    assert_eq!(rig.correlation_ids(), [1, 2]);
    assert_eq!(rig.go_round().len(), 1);
}

#[test]
fn requests_tell_how_many_answers_have_left() {
    let mut rig = Rig::new();
    let requests = rig.receive(&[good(1), good(2)].concat());
    assert_eq!(requests[1].transmitted, 0);
    for request in &requests {
        rig.answer(request);
    }
    assert_eq!(rig.receive(&good(3))[0].transmitted, 0, "polled is not sent");
    rig.sent();
    assert_eq!(rig.receive(&good(4))[0].transmitted, 2);
}

// The end of a connection.

#[test]
fn a_bad_frame_ends_the_connection_after_the_answers_before_it() {
    let unknown = frame(ApiKey(255), 0, 2, &ApiVersionsRequest::default());
    let mut rig = Rig::new();
    let requests = rig.receive(&[good(1), unknown, good(3)].concat());
    assert_eq!(requests.len(), 1);
    assert!(rig.errors.is_empty(), "it waits for its turn");
    assert!(rig.answer(&requests[0]).is_empty());
    assert_eq!(rig.error(), HeaderError::UnknownKey(ApiKey(255)).into());
    assert!(!rig.connection.is_finished());
    assert_eq!(rig.correlation_ids(), [1]);
    assert!(rig.receive(&good(4)).is_empty());
    assert!(rig.input.is_empty());
    rig.assert_finished();
}

#[test]
fn a_bad_size_behind_a_good_request_leaves_it_its_answer() {
    let mut rig = Rig::new();
    let requests = rig.receive(&[good(1), (-1_i32).to_be_bytes().to_vec(), good(2)].concat());
    assert_eq!(rig.error(), FrameSizeError(-1).into());
    rig.answer(&requests[0]);
    assert_eq!(rig.correlation_ids(), [1]);
    rig.assert_finished();
}

#[test]
fn a_cut_body_ends_the_connection() {
    let mut bytes = metadata(1);
    bytes.truncate(bytes.len() - 2);
    let size = bytes.len() as i32 - 4;
    bytes[..4].copy_from_slice(&size.to_be_bytes());
    let mut rig = Rig::new();
    assert!(rig.receive(&bytes).is_empty());
    let error = rig.error();
    assert!(matches!(error, ConnectionError::Body { message: "MetadataRequest", version: 1, .. }));
    rig.assert_finished();
}

#[test]
fn a_half_closed_peer_still_gets_its_answers() {
    let mut rig = Rig::new();
    let mut requests =
        rig.receive(&[good(1), metadata(2), metadata(3), good(4)[..9].to_vec()].concat());
    rig.connection.handle_end_of_input();
    assert_eq!(rig.connection.wants_read(), 0);
    while !requests.is_empty() {
        assert!(!rig.connection.is_finished());
        requests = requests.iter().flat_map(|request| rig.answer(request)).collect();
    }
    assert!(!rig.connection.is_finished(), "the answers have not left");
    assert_eq!(rig.correlation_ids(), [1, 2, 3]);
    rig.assert_finished();
}

#[test]
fn a_stalled_frame_ends_the_connection_after_the_answers_before_it() {
    let mut rig = Rig::new();
    let requests = rig.receive(&[good(1), good(2)[..20].to_vec()].concat());
    let due = rig.connection.poll_timeout().unwrap();
    assert_eq!(due, Instant::ZERO + Millis(60_000));
    rig.now.mono = due;
    assert!(rig.connection.handle_timeout(rig.now).is_err());
    assert_eq!(rig.connection.poll_timeout(), None);
    rig.answer(&requests[0]);
    assert_eq!(rig.correlation_ids(), [1]);
    rig.assert_finished();
}

#[test]
fn a_connection_that_is_cut_gives_everything_back() {
    let bytes = [good(1), good(2), metadata(3), good(4)].concat();
    for length in 0..=bytes.len() {
        let mut rig = Rig::new();
        let requests = rig.receive(&bytes[..length]);
        if let Some(last) = requests.last() {
            rig.answer(last);
        }
        rig.connection.close();
        rig.charged -= rig.connection.poll_discharge();
        assert!(rig.sent().is_empty());
        rig.assert_finished();
        if let Some(first) = requests.first() {
            rig.answer(first);
            assert!(rig.sent().is_empty(), "nobody is there");
        }
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut rig = Rig::new();
    let requests = rig.receive(&good(1));
    rig.answer(&requests[0]);
    rig.sent();
    assert!(rig.input.is_empty());
    rig.input = BytesMut::new();
    drop(requests);
    assert_eq!(rig.idle_left_ms(), Some(600_000));
    assert!(core::mem::size_of::<Connection>() < 1024);
}

// ApiVersions.

#[test]
fn api_versions_of_a_version_not_served_is_answered() {
    for version in [-1_i16, 5, 99] {
        let mut bytes = frame(ApiKey::API_VERSIONS, 4, 1, &ApiVersionsRequest::default());
        bytes[6..8].copy_from_slice(&version.to_be_bytes());
        let mut rig = Rig::new();
        let requests = rig.receive(&bytes);
        let [Request { body: RequestBody::Query(Query::ApiVersions(error)), .. }] = &requests[..]
        else {
            panic!("{requests:?}")
        };
        assert_eq!(*error, ErrorCode::UNSUPPORTED_VERSION);
    }
}

#[test]
fn software_names_are_letters_and_digits_with_dots_and_dashes_between() {
    let cases = [
        ("golden", "1.0", 0),
        ("a.b-c", "1.2.3-rc1", 0),
        ("", "1", 42),
        ("x", "", 42),
        ("bad name", "1", 42),
        ("x", "1!", 42),
        ("-x", "1", 42),
        ("x-", "1", 42),
        ("a_b", "1", 42),
    ];
    for (name, version, expected) in cases {
        let body = ApiVersionsRequest {
            client_software_name: name.to_string(),
            client_software_version: version.to_string(),
        };
        let mut rig = Rig::new();
        let requests = rig.receive(&frame(ApiKey::API_VERSIONS, 3, 1, &body));
        let [Request { body: RequestBody::Query(Query::ApiVersions(error)), .. }] = &requests[..]
        else {
            panic!("{requests:?}")
        };
        assert_eq!(error.0, expected, "{name:?} {version:?}");
    }
}

// Produce.

const UNKNOWN_TOPIC: i16 = 3;

#[test]
fn a_good_batch_goes_to_the_broker_and_its_outcome_to_the_peer() {
    for version in 3..=12 {
        let body = request(-1, vec![data("p", &[(0, batch())])]);
        let (command, response) = exchange(version, &body, |_| outcome(42));
        assert_eq!((command.acks, command.timeout_ms), (Acks::All, 1_000));
        let [append] = &command.partitions[..] else { panic!("{command:?}") };
        assert_eq!((append.topic_id, append.partition), (Uuid([1; 16]), 0));
        assert_eq!(append.batch.clone().unwrap().place(0, -1).concat(), batch());
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (ErrorCode::NONE, 42));
        assert_eq!(partition.log_start_offset, if version < 5 { -1 } else { 7 });
    }
}

#[test]
fn topics_go_by_id_from_version_13_on() {
    let by_id = |id: u8| TopicProduceData { topic_id: Uuid([id; 16]), ..data("", &[(0, batch())]) };
    let body = request(1, vec![by_id(2), by_id(9), by_id(0)]);
    let (command, response) = exchange(13, &body, outcome_of);
    assert_eq!(command.partitions.len(), 1);
    let ids: Vec<_> = response.responses.iter().map(|topic| topic.topic_id.0[0]).collect();
    assert_eq!(ids, [2, 9, 0]);
    let codes: Vec<_> = errors(&response).into_iter().flat_map(|(_, errors)| errors).collect();
    assert_eq!(codes, [(0, 0), (0, 100), (0, 100)]);
}

fn outcome_of(index: usize) -> AppendOutcome {
    outcome(index as i64)
}

#[test]
fn unknown_topics_and_partitions_do_not_reach_the_broker() {
    let body = request(
        -1,
        vec![
            data("nope", &[(0, batch())]),
            data("p2", &[(1, batch()), (2, batch()), (-1, batch())]),
            data("", &[(0, damaged())]),
        ],
    );
    let (command, response) = exchange(11, &body, outcome_of);
    assert_eq!(command.partitions.len(), 1);
    assert_eq!(
        errors(&response),
        [
            ("nope", vec![(0, UNKNOWN_TOPIC)]),
            ("p2", vec![(1, 0), (2, UNKNOWN_TOPIC), (-1, UNKNOWN_TOPIC)]),
            ("", vec![(0, UNKNOWN_TOPIC)]),
        ]
    );
    let unknown = &response.responses[0].partition_responses[0];
    assert_eq!((unknown.base_offset, unknown.log_start_offset), (-1, -1));
}

#[test]
fn the_order_of_checks_is_kafkas() {
    let two = Bytes::from([batch(), batch()].concat());
    let cases = [
        ("nope", 0, two.clone(), 5, 3),
        ("p", 0, two.clone(), 5, 87),
        ("p", 0, damaged(), 5, 21),
        ("p", 0, batch(), -2, 21),
        ("__consumer_offsets", 0, two, -1, 87),
        ("__consumer_offsets", 0, damaged(), 5, 21),
        ("__consumer_offsets", 0, damaged(), -1, 17),
        ("__transaction_state", 0, batch(), -1, 3),
        ("small", 0, batch(), -1, 0),
        ("p", 0, damaged(), -1, 2),
    ];
    for (name, index, records, acks, expected) in cases {
        let body = request(acks, vec![data(name, &[(index, records)])]);
        let (command, response) = exchange(11, &body, outcome_of);
        assert_eq!(errors(&response), [(name, vec![(index, expected)])], "acks {acks}");
        let batches = command.partitions.iter().filter(|append| append.batch.is_some()).count();
        assert_eq!(batches, usize::from(expected == 0));
    }
}

#[test]
fn the_admin_client_may_write_to_internal_topics() {
    let body = request(-1, vec![data("__consumer_offsets", &[(0, batch())])]);
    let header = RequestHeader {
        api_key: ApiKey::PRODUCE,
        api_version: 11,
        correlation_id: 1,
        client_id: Some("__admin_client".to_string()),
    };
    let mut output = BytesMut::new();
    write_request(&mut output, &header, &body);
    let requests = Rig::new().receive(&output);
    assert_eq!(command(&requests[0]).partitions.len(), 1);
}

#[test]
fn a_refusal_in_the_log_names_the_logs_start() {
    let mut builder = BatchBuilder::new();
    builder.append(0, None, None);
    let at_5 = Bytes::from(builder.encode(5, -1));
    let body = request(-1, vec![data("p2", &[(0, at_5.clone()), (1, batch())])]);
    let (command, response) = exchange(11, &body, outcome_of);
    assert_eq!(command.partitions.len(), 2);
    assert!(command.partitions[0].batch.is_none());
    assert_eq!(errors(&response), [("p2", vec![(0, 87), (1, 0)])]);
    let partitions = &response.responses[0].partition_responses;
    assert_eq!((partitions[0].base_offset, partitions[0].log_start_offset), (-1, 7));
    assert_eq!(partitions[1].base_offset, 1);

    let gone = |_| failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let (_, response) = exchange(11, &body, gone);
    assert_eq!(errors(&response), [("p2", vec![(0, 3), (1, 3)])], "the broker has the last word");
}

#[test]
fn an_offline_partition_is_said_before_a_damaged_batch() {
    let body = request(-1, vec![data("p", &[(0, damaged())])]);
    let (_, response) = exchange(11, &body, |_| failed(ErrorCode::KAFKA_STORAGE_ERROR));
    assert_eq!(errors(&response), [("p", vec![(0, 56)])]);
    let (_, response) = exchange(11, &body, outcome_of);
    assert_eq!(errors(&response), [("p", vec![(0, 2)])]);
    assert_eq!(response.responses[0].partition_responses[0].log_start_offset, -1);
}

#[test]
fn the_last_of_equal_partitions_wins_and_equal_topics_merge() {
    let mut builder = BatchBuilder::new();
    builder.append(0, None, Some(b"another"));
    let last = Bytes::from(builder.encode(0, -1));
    let body = request(
        -1,
        vec![
            data("p2", &[(1, damaged()), (0, batch())]),
            data("p", &[(0, batch())]),
            data("p2", &[(1, last.clone())]),
        ],
    );
    let (command, response) = exchange(11, &body, outcome_of);
    assert_eq!(errors(&response), [("p2", vec![(1, 0), (0, 0)]), ("p", vec![(0, 0)])]);
    let first = command.partitions[0].batch.clone().unwrap();
    assert_eq!(first.place(0, -1).concat(), last);
}

#[test]
fn a_topic_without_partitions_vanishes() {
    for topics in [vec![], vec![data("p", &[])]] {
        let (command, response) = exchange(11, &request(-1, topics), outcome_of);
        assert!(command.partitions.is_empty() && response.responses.is_empty());
    }
}

#[test]
fn a_broken_head_refuses_the_whole_request() {
    let mut magic_3 = batch().to_vec();
    magic_3[16] = 3;
    let body = request(
        -1,
        vec![
            data("p", &[(0, batch())]),
            data("nope", &[(0, batch())]),
            data("p2", &[(1, Bytes::from(magic_3))]),
        ],
    );
    let (command, response) = exchange(11, &body, outcome_of);
    assert!(command.partitions.is_empty());
    assert_eq!(
        errors(&response),
        [("p", vec![(0, 2)]), ("nope", vec![(0, 2)]), ("p2", vec![(1, 2)])]
    );
    let message = response.responses[0].partition_responses[0].error_message.as_deref();
    assert_eq!(message, Some("Invalid magic found in record: 3"));
}

#[test]
fn a_transactional_batch_is_refused_in_every_version_and_its_neighbours_are_not() {
    let mut builder = BatchBuilder::new().producer(6, 0, 0).transactional();
    builder.append(1_700_000_000_000, None, Some(b"value"));
    let part = Bytes::from(builder.encode(0, -1));
    let body = |topic_id| ProduceRequest {
        transactional_id: Some("tx".to_string()),
        topic_data: vec![TopicProduceData {
            topic_id,
            ..data("p2", &[(0, part.clone()), (1, batch())])
        }],
        ..request(-1, vec![])
    };
    for version in 3..=13 {
        let body = body(Uuid([if version < 13 { 0 } else { 2 }; 16]));
        let (command, response) = exchange(version, &body, outcome_of);
        let appended: Vec<_> = command.partitions.iter().map(|p| p.batch.is_some()).collect();
        assert_eq!(appended, [false, true], "v{version}");
        let [refused, good] = &response.responses[0].partition_responses[..] else {
            panic!("two partitions")
        };
        let code = ErrorCode::NOT_ENOUGH_REPLICAS;
        assert_eq!((refused.error_code, good.error_code), (code, ErrorCode::NONE), "v{version}");
        assert_eq!((refused.base_offset, refused.log_start_offset), (-1, -1));
        let words = "Unable to verify the partition has been added to the transaction. \
                     Underlying error: COORDINATOR_NOT_AVAILABLE";
        assert_eq!(refused.error_message.as_deref(), (version >= 8).then_some(words));
    }
    let offline = |_| failed(ErrorCode::KAFKA_STORAGE_ERROR);
    let (_, response) = exchange(11, &body(Uuid::ZERO), offline);
    assert_eq!(errors(&response), [("p2", vec![(0, 56), (1, 56)])]);
}

#[test]
fn batches_written_anew_are_bounded_over_a_connection() {
    let limits = Limits { converted_bytes_max: 1, ..Limits::default() };
    let produce = |id, partitions: &[(i32, Bytes)]| {
        frame(ApiKey::PRODUCE, 11, id, &request(-1, vec![data("lz4", partitions)]))
    };
    let mut rig = Rig::with(limits);
    let both = produce(1, &[(0, batch()), (1, batch())]);
    let one = produce(2, &[(0, batch())]);
    let requests = rig.receive(&[both, one].concat());
    let [first] = &requests[..] else { panic!("the next one waits: {requests:?}") };
    let RequestBody::Produce(command) = &first.body else { panic!("a produce") };
    let passed: Vec<_> = command.partitions.iter().map(|append| append.batch.is_some()).collect();
    assert_eq!(passed, [true, false], "the first batch of a request is always allowed");
    let requests = rig.answer(first);
    let [second] = &requests[..] else { panic!("its turn has come: {requests:?}") };
    assert!(rig.answer(second).is_empty());
    assert_eq!(rig.correlation_ids(), [1, 2]);
    // What is abandoned holds nothing back either.
    let waiting = rig.receive(&produce(3, &[(0, batch())]));
    assert_eq!(waiting.len(), 1);
    rig.connection.close();
    assert_eq!(rig.connection.converted_bytes, 0);
}

#[test]
fn record_errors_are_bounded_over_the_whole_request() {
    let mut builder = BatchBuilder::new();
    for _ in 0..5 {
        builder.append(1_700_000_000_000, None, Some(b"without a key"));
    }
    let records = Bytes::from(builder.encode(0, -1));
    let body = request(-1, vec![data("keyed", &[(0, records.clone()), (1, records)])]);
    let mut rig = Rig::with(Limits { record_errors_max: 7, ..Limits::default() });
    let (_, response) = exchange_on(&mut rig, 11, &body, outcome_of);
    let partitions = &response.responses[0].partition_responses;
    let listed: Vec<_> =
        partitions.iter().map(|p| (p.error_code.0, p.record_errors.len())).collect();
    assert_eq!(listed, [(87, 5), (87, 2)]);
}

#[test]
fn null_records_are_refused() {
    let mut topic = data("p", &[(0, batch())]);
    topic.partition_data[0].records = None;
    let (_, response) = exchange(11, &request(-1, vec![topic]), outcome_of);
    assert_eq!(errors(&response), [("p", vec![(0, 87)])]);
}

// Acks 0.

#[test]
fn a_good_produce_without_acks_has_no_answer() {
    let mut rig = Rig::new();
    let silent = produce(1, 0, vec![data("p", &[(0, batch())])]);
    let requests = rig.receive(&[silent, metadata(2)].concat());
    assert_eq!(command(&requests[0]).acks, Acks::None);
    let next = rig.answer(&requests[0]);
    rig.answer(&next[0]);
    assert_eq!(rig.correlation_ids(), [2]);
    assert_eq!(rig.charged, 0);
}

#[test]
fn a_failed_produce_without_acks_closes_when_the_good_partitions_are_appended() {
    let mut rig = Rig::new();
    let silent = produce(2, 0, vec![data("nope", &[(0, batch())]), data("p", &[(0, batch())])]);
    let requests = rig.receive(&[good(1), silent, good(3)].concat());
    assert_eq!(requests.len(), 2, "nothing behind it is taken");
    assert_eq!(command(&requests[1]).partitions.len(), 1);
    rig.answer(&requests[1]);
    assert!(!rig.connection.is_finished());
    rig.answer(&requests[0]);
    let error = rig.error();
    assert_eq!(
        error,
        ConnectionError::UnacknowledgedProduce(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    );
    assert_eq!(rig.correlation_ids(), [1]);
    rig.assert_finished();
}

#[test]
fn a_failed_append_without_acks_closes_and_drops_what_is_behind_it() {
    let mut rig = Rig::new();
    let silent = produce(2, 0, vec![data("p", &[(0, batch())])]);
    let requests = rig.receive(&[good(1), silent, good(3), good(4)].concat());
    assert_eq!(requests.len(), 4);
    rig.answer(&requests[2]);
    rig.answer_with(&requests[1], |_| failed(ErrorCode::KAFKA_STORAGE_ERROR));
    rig.answer(&requests[0]);
    let error = rig.error();
    assert_eq!(error, ConnectionError::UnacknowledgedProduce(ErrorCode::KAFKA_STORAGE_ERROR));
    rig.answer(&requests[3]);
    assert_eq!(rig.correlation_ids(), [1]);
    rig.assert_finished();
}

// Everything at once.

/// Frames of every kind, with what the peer sees of each.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Answer,
    Nothing,
    End,
}

fn random_frame(rng: &mut Rng, correlation_id: i32) -> (Vec<u8>, Seen) {
    let to_p = |records| vec![data("p", &[(0, records)])];
    match rng.below(24) {
        0..12 => (good(correlation_id), Seen::Answer),
        12..15 => (metadata(correlation_id), Seen::Answer),
        15..18 => (produce(correlation_id, -1, to_p(damaged())), Seen::Answer),
        18..22 => (produce(correlation_id, 0, to_p(batch())), Seen::Nothing),
        22 => (produce(correlation_id, 0, to_p(damaged())), Seen::End),
        _ => (frame(ApiKey(77), 0, correlation_id, &ApiVersionsRequest::default()), Seen::End),
    }
}

/// Pieces of any size, answers in any order, charges and sends whenever: the peer sees the same.
#[test]
fn whatever_the_order_answers_match_and_no_charge_leaks() {
    for seed in 0..200_u8 {
        let mut rng = Rng::from_seed([seed; 32]);
        let frames: Vec<_> = (0..40).map(|id| random_frame(&mut rng, id)).collect();
        let end = frames.iter().position(|(_, seen)| *seen == Seen::End);
        let expected: Vec<i32> = frames[..end.unwrap_or(frames.len())]
            .iter()
            .enumerate()
            .filter(|(_, (_, seen))| *seen == Seen::Answer)
            .map(|(id, _)| id as i32)
            .collect();
        let bytes: Vec<u8> = frames.into_iter().flat_map(|(frame, _)| frame).collect();

        let limits =
            Limits { requests_unanswered_max: 1 + rng.below(8) as usize, ..Limits::default() };
        let mut rig = Rig::with(limits);
        let (mut rest, mut open, mut seen) = (&bytes[..], Vec::new(), Vec::new());
        let mut turns = 0;
        while !rig.connection.is_finished() {
            turns += 1;
            assert!(turns < 100_000, "seed {seed} does not end");
            match rng.below(4) {
                0 | 1 if rig.connection.wants_read() == 0 => {}
                0 | 1 if rest.is_empty() => rig.connection.handle_end_of_input(),
                0 | 1 => {
                    let piece = 1 + rng.below(200.min(rest.len() as u64)) as usize;
                    open.extend(rig.receive(&rest[..piece]));
                    rest = &rest[piece..];
                }
                2 if !open.is_empty() => {
                    let request = open.swap_remove(rng.below(open.len() as u64) as usize);
                    open.extend(rig.answer(&request));
                }
                _ => seen.extend(rig.correlation_ids()),
            }
            open.extend(rig.go_round());
        }
        assert_eq!(seen, expected, "seed {seed}");
        assert_eq!(rig.errors.len(), usize::from(end.is_some()), "seed {seed}: {:?}", rig.errors);
        rig.assert_finished();
    }
}
