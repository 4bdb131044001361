//! A model client that produces: it speaks the protocol by the core's codec, keeps several requests
//! on their way, and tells the history what it asked and what it was told.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::metadata::{MetadataRequest, MetadataResponse};
use klamm_core::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_core::batch::{BatchBuilder, Codec};
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_core::ids::{ConnectionId, Uuid};
use klamm_runtime::compression::compress;
use thiserror::Error;

use crate::checker::TopicFormat;
use crate::decisions::{Decisions, Purpose};
use crate::history::{AppendId, Entry, History, TopicPartition};
use crate::options::Options;

/// A topic as clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// What its settings make of batches.
    pub format: TopicFormat,
}

/// One model client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    left: u64,
    connection: Option<Session>,
    correlation: i32,
}

/// What belongs to one connection.
#[derive(Debug)]
struct Session {
    id: ConnectionId,
    input: BytesMut,
    unanswered: VecDeque<Sent>,
    half_closed: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Sent {
    correlation: i32,
    api: ApiKey,
    version: i16,
    appends: Vec<(TopicPartition, Uuid, AppendId)>,
}

/// An answer that no broker may give.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("client {client}, connection {}: {what}", connection.0)]
pub struct BadAnswer {
    /// Who got it.
    pub client: usize,
    /// On which connection.
    pub connection: ConnectionId,
    /// What is wrong.
    pub what: String,
}

/// What a client works with: the run's options, topics, choices and history, and the time.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The run's options.
    pub options: &'a Options,
    /// Topics that are there.
    pub topics: &'a [KnownTopic],
    /// Choices.
    pub decisions: &'a mut Decisions,
    /// Where it is told.
    pub history: &'a mut History,
    /// Microseconds since the run's start.
    pub now_micros: u64,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
}

/// A topic that nobody has made.
const UNKNOWN_TOPIC: &str = "nowhere";

impl Client {
    /// A client with `requests` to send.
    pub fn new(number: usize, requests: u64) -> Self {
        Self { number, left: requests, connection: None, correlation: 0 }
    }

    /// Its connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection.as_ref().map(|session| session.id)
    }

    /// True when it has sent everything and has all its answers, or has given up waiting for them.
    pub fn is_done(&self) -> bool {
        self.left == 0 && self.unanswered() == 0
    }

    /// Requests that wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.connection.as_ref().map_or(0, |session| session.unanswered.len())
    }

    /// From now on it sends so many requests, whatever it had left.
    pub fn set_requests(&mut self, requests: u64) {
        self.left = requests;
    }

    /// A connection was opened for it.
    pub fn connected(&mut self, id: ConnectionId) {
        let (input, unanswered) = (BytesMut::new(), VecDeque::new());
        self.connection = Some(Session { id, input, unanswered, half_closed: false });
    }

    /// Its connection is gone: what was not answered never will be.
    pub fn disconnected(&mut self, around: &mut Surroundings<'_>) {
        let Some(session) = self.connection.take() else { return };
        for (_, _, append) in session.unanswered.into_iter().flat_map(|sent| sent.appends) {
            around.history.push(around.now_micros, Entry::Unknown { append });
        }
    }

    /// True when it may send another request now.
    pub fn wants_to_send(&self, options: &Options) -> bool {
        self.left > 0
            && self.connection.as_ref().is_some_and(|session| {
                !session.half_closed && (session.unanswered.len() as u64) < options.pipeline.max(1)
            })
    }

    /// The next request's frame, and whether the client ends its direction behind it.
    pub fn send(&mut self, around: &mut Surroundings<'_>) -> Option<(Bytes, AfterSending)> {
        if !self.wants_to_send(around.options) {
            return None;
        }
        self.left -= 1;
        self.correlation += 1;
        let mut frame = BytesMut::new();
        let sent = if around
            .decisions
            .chance(Purpose::Client, per_mille(around.options.query_per_mille))
        {
            Some(self.query(around, &mut frame))
        } else {
            self.produce(around, &mut frame)
        };
        let session = self.connection.as_mut()?;
        session.unanswered.extend(sent);
        let half_close = per_mille(around.options.half_close_per_mille);
        session.half_closed = around.decisions.chance(Purpose::Client, half_close);
        let after = if session.half_closed { AfterSending::HalfClose } else { AfterSending::Stay };
        Some((frame.freeze(), after))
    }

    fn query(&mut self, around: &mut Surroundings<'_>, frame: &mut BytesMut) -> Sent {
        let (api, newest) = *around
            .decisions
            .pick(Purpose::Client, &[(ApiKey::API_VERSIONS, 4), (ApiKey::METADATA, 13)]);
        let version = around.decisions.between(Purpose::Client, 0, newest) as i16;
        let header = self.header(api, version);
        if api == ApiKey::API_VERSIONS {
            let request = ApiVersionsRequest {
                client_software_name: "klamm-sim".to_owned(),
                client_software_version: "1".to_owned(),
            };
            write_request(frame, &header, &request);
        } else {
            write_request(frame, &header, &MetadataRequest::default());
        }
        Sent { correlation: self.correlation, api, version, appends: Vec::new() }
    }

    /// A Produce request; `None` when no answer comes.
    fn produce(&mut self, around: &mut Surroundings<'_>, frame: &mut BytesMut) -> Option<Sent> {
        let version = around.decisions.between(Purpose::Client, 3, 13) as i16;
        let none = per_mille(around.options.acks_none_per_mille);
        let acks = if around.decisions.chance(Purpose::Client, none) {
            0
        } else {
            1 - 2 * around.decisions.below(Purpose::Client, 2) as i16
        };
        let mut appends = Vec::new();
        let topic_data = self.topic_data(around, version, &mut appends);
        let request =
            ProduceRequest { transactional_id: None, acks, timeout_ms: 30_000, topic_data };
        write_request(frame, &self.header(ApiKey::PRODUCE, version), &request);
        if acks == 0 {
            for (_, _, append) in appends {
                around.history.push(around.now_micros, Entry::Unknown { append });
            }
            return None;
        }
        Some(Sent { correlation: self.correlation, api: ApiKey::PRODUCE, version, appends })
    }

    fn topic_data(
        &self,
        around: &mut Surroundings<'_>,
        version: i16,
        appends: &mut Vec<(TopicPartition, Uuid, AppendId)>,
    ) -> Vec<TopicProduceData> {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let parts = around.options.request_partitions_max.max(1);
        for _ in 0..around.decisions.between(Purpose::Client, 1, parts) {
            let (topic, index) = pick_partition(around);
            let target = TopicPartition { topic: topic.name.clone(), partition: index };
            if appends.iter().any(|(other, _, _)| *other == target) {
                continue;
            }
            let (append, records) = self.batch(around, version, &target);
            appends.push((target, topic.id, append));
            let data = PartitionProduceData { index, records: Some(records) };
            match topics.iter_mut().find(|data| data.name == topic.name) {
                Some(known) => known.partition_data.push(data),
                None => topics.push(TopicProduceData {
                    name: topic.name,
                    topic_id: topic.id,
                    partition_data: vec![data],
                }),
            }
        }
        topics
    }

    fn batch(
        &self,
        around: &mut Surroundings<'_>,
        version: i16,
        target: &TopicPartition,
    ) -> (AppendId, Bytes) {
        let mut builder = BatchBuilder::new();
        let keyed = per_mille(around.options.keyed_per_mille);
        let keyed = around.decisions.chance(Purpose::Format, keyed);
        let count = around.options.batch_records_max.max(1);
        let mut records = Vec::new();
        for _ in 0..around.decisions.between(Purpose::Client, 1, count) {
            let record = around.history.next_record();
            let room = around.options.value_bytes_max.max(8);
            let length = around.decisions.between(Purpose::Client, 8, room) as usize;
            // The id fills the value, so that a garbled byte anywhere spoils it.
            let value: Vec<u8> = record.to_be_bytes().into_iter().cycle().take(length).collect();
            let key = keyed.then(|| record.to_be_bytes());
            builder.append(around.wall_ms, key.as_ref().map(|key| &key[..]), Some(&value));
            records.push(record);
        }
        let append = around.history.next_append();
        let invoked = Entry::Invoke {
            append,
            client: self.number,
            target: target.clone(),
            records,
            keyed,
            sent_ms: around.wall_ms,
        };
        around.history.push(around.now_micros, invoked);
        if let Some(codec) = pick_codec(around, version) {
            let body = compress(codec, builder.records());
            builder = builder.compressed(codec, body.into());
        }
        (append, Bytes::from(builder.encode(0, -1)))
    }

    fn header(&self, api_key: ApiKey, api_version: i16) -> RequestHeader {
        let client_id = Some(format!("client-{}", self.number));
        RequestHeader { api_key, api_version, correlation_id: self.correlation, client_id }
    }

    /// Bytes came from the broker: the answers in them go to the history.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<(), BadAnswer> {
        let client = self.number;
        let Some(session) = self.connection.as_mut() else { return Ok(()) };
        session.input.extend_from_slice(bytes);
        while let Some(frame) = take_frame(&mut session.input) {
            let connection = session.id;
            let bad = |what: String| BadAnswer { client, connection, what };
            let sent = session.unanswered.pop_front();
            let sent = sent.ok_or_else(|| bad("an answer to nothing".to_owned()))?;
            read_answer(&sent, &frame, around).map_err(bad)?;
        }
        Ok(())
    }
}

/// What a client does behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSending {
    /// Nothing: the next request may follow.
    Stay,
    /// It says that it will send no more, and waits for its answers.
    HalfClose,
}

fn per_mille(rate: u64) -> u32 {
    rate.min(1000) as u32
}

fn pick_partition(around: &mut Surroundings<'_>) -> (KnownTopic, i32) {
    let unknown = per_mille(around.options.unknown_topic_per_mille);
    if around.topics.is_empty() || around.decisions.chance(Purpose::Client, unknown) {
        let (name, id) = (UNKNOWN_TOPIC.to_owned(), Uuid([9; 16]));
        let format = TopicFormat::default();
        return (KnownTopic { name, id, partitions: 1, format }, 0);
    }
    let topic = around.decisions.pick(Purpose::Client, around.topics).clone();
    let index = around.decisions.below(Purpose::Client, topic.partitions.max(1) as u64) as i32;
    (topic, index)
}

/// How the next batch is compressed; zstandard came with version 7.
fn pick_codec(around: &mut Surroundings<'_>, version: i16) -> Option<Codec> {
    const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let compressed = per_mille(around.options.compressed_per_mille);
    let codecs = if version < 7 { &CODECS[..3] } else { &CODECS };
    let decisions = &mut *around.decisions;
    let wanted = decisions.chance(Purpose::Format, compressed);
    wanted.then(|| *decisions.pick(Purpose::Format, codecs))
}

fn take_frame(input: &mut BytesMut) -> Option<Bytes> {
    let size = i32::from_be_bytes(*input.first_chunk::<4>()?) as usize;
    if input.len() < size + 4 {
        return None;
    }
    input.advance(4);
    Some(input.split_to(size).freeze())
}

fn read_answer(sent: &Sent, frame: &Bytes, around: &mut Surroundings<'_>) -> Result<(), String> {
    let api = sent.api.api().ok_or("an API that is not served")?;
    let mut reader = Reader::new(frame);
    let correlation = read_response_header(&mut reader, api, sent.version)
        .map_err(|error| format!("a header that cannot be read: {error}"))?;
    if correlation != sent.correlation {
        return Err(format!("answer to {correlation} before that to {}", sent.correlation));
    }
    let unreadable = |error| format!("{} {} cannot be read: {error}", api.name, sent.version);
    match sent.api {
        ApiKey::PRODUCE => {
            let answer = ProduceResponse::read(&mut reader, sent.version).map_err(unreadable)?;
            read_outcomes(sent, &answer, around)?;
        }
        ApiKey::METADATA => {
            MetadataResponse::read(&mut reader, sent.version).map_err(unreadable)?;
        }
        _ => {
            ApiVersionsResponse::read(&mut reader, sent.version).map_err(unreadable)?;
        }
    }
    match reader.remaining() {
        0 => Ok(()),
        left => Err(format!("{left} bytes behind the answer")),
    }
}

fn read_outcomes(
    sent: &Sent,
    answer: &ProduceResponse,
    around: &mut Surroundings<'_>,
) -> Result<(), String> {
    let mut answered = 0;
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            let named = |(target, id, _): &&(TopicPartition, Uuid, AppendId)| {
                let topic_is = if sent.version >= 13 {
                    topic.topic_id == *id
                } else {
                    topic.name == target.topic
                };
                topic_is && target.partition == partition.index
            };
            let asked = sent.appends.iter().find(named);
            let (_, _, append) = asked.ok_or("an answer for a partition not asked for")?;
            answered += 1;
            let error = partition.error_code.0;
            let entry = if error == 0 {
                Entry::Ok {
                    append: *append,
                    base_offset: partition.base_offset,
                    append_ms: partition.log_append_time_ms,
                }
            } else {
                Entry::Error { append: *append, error }
            };
            around.history.push(around.now_micros, entry);
        }
    }
    if answered != sent.appends.len() {
        return Err(format!("{answered} partitions answered of {}", sent.appends.len()));
    }
    Ok(())
}
