//! A client that appends: each batch once, or as an idempotent producer again and again, until it
//! has an answer that counts.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_core::api::metadata::{MetadataRequest, MetadataResponse};
use klamm_core::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_core::batch::{BatchBuilder, Codec, NewRecord};
use klamm_core::ids::Uuid;
use klamm_runtime::compression::compress;

use super::per_mille;
use super::{Answer, Caller, KnownTopic, Pending, Surroundings, UNKNOWN_ID, UNKNOWN_TOPIC};
use crate::checker::TopicFormat;
use crate::decisions::Purpose;
use crate::history::{AppendId, Entry, Sequence, TopicPartition};
use crate::options::Options;

/// A client that appends.
#[derive(Debug)]
pub struct Producer {
    client: usize,
    left: u64,
    /// `None` for one that sends each batch once.
    idempotence: Option<Idempotence>,
}

/// What an idempotent producer knows.
#[derive(Debug, Default)]
struct Idempotence {
    /// Its id and epoch, once it has them.
    identity: Option<(i64, i16)>,
    next: BTreeMap<TopicPartition, i32>,
    /// Batches without an answer that counts, in the order of their sequences.
    unresolved: Vec<Batch>,
    /// To be sent again, before anything new.
    again: VecDeque<AppendId>,
    /// One of the unresolved has failed, or its answer is lost.
    is_troubled: bool,
    /// The batch sent last.
    latest: Option<Batch>,
}

/// A batch as it is sent, each time.
#[derive(Clone, Debug)]
struct Batch {
    append: AppendId,
    target: TopicPartition,
    topic_id: Uuid,
    records: Bytes,
    sendings: u32,
    /// It will not be accepted, however often it is sent.
    is_hopeless: bool,
}

/// Appends that wait for their answer.
#[derive(Debug)]
pub(super) struct PendingAppends(Vec<(TopicPartition, Uuid, AppendId)>);

/// Sendings of one batch before its producer gives it up.
const SENDINGS_MAX: u32 = 8;

/// Batches of one producer that a partition remembers: more may not be under way.
const UNDER_WAY_MAX: u64 = 5;

/// Errors after which a batch may succeed when it is sent again: of the whole topic, storage, time
/// and replicas.
const RETRIABLE: [i16; 8] = [3, 100, 56, 7, 6, 19, 20, -1];

/// The first version of Produce whose answer to a batch of zstandard is not an error.
const ZSTD_VERSION: i16 = 7;

/// The first version that names topics by id.
const TOPIC_IDS_VERSION: i16 = 13;

impl PendingAppends {
    /// What was under way may have arrived or not.
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        for (_, _, append) in self.0 {
            around.history.push(around.now_micros, Entry::Unknown { append });
        }
    }
}

impl Producer {
    pub(super) fn new(client: usize, left: u64) -> Self {
        Self { client, left, idempotence: None }
    }

    pub(super) fn idempotent(client: usize, left: u64) -> Self {
        Self { client, left, idempotence: Some(Idempotence::default()) }
    }

    pub(super) fn is_done(&self) -> bool {
        let unresolved = self.idempotence.as_ref().is_some_and(|own| !own.unresolved.is_empty());
        self.left == 0 && !unresolved
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
    }

    pub(super) fn renew(&mut self) {
        if let Some(own) = &mut self.idempotence {
            *own = Idempotence::default();
        }
    }

    pub(super) fn disconnected(&mut self) {
        if let Some(own) = &mut self.idempotence {
            own.again.clear();
            own.is_troubled = !own.unresolved.is_empty();
        }
    }

    pub(super) fn wants_to_send(&self, out: u64, options: &Options) -> bool {
        let room = out < options.pipeline.max(1);
        let Some(own) = &self.idempotence else { return self.left > 0 && room };
        match own.identity {
            None => self.left > 0 && out == 0,
            Some(_) if own.is_troubled => out == 0,
            Some(_) => (self.left > 0 || !own.again.is_empty()) && room && out < UNDER_WAY_MAX,
        }
    }

    pub(super) fn next(
        &mut self,
        caller: Caller<'_>,
        around: &mut Surroundings<'_>,
    ) -> Option<Bytes> {
        if let Some(own) = &mut self.idempotence {
            own.settle();
            if own.identity.is_none() {
                return (self.left > 0).then(|| ask_for_identity(caller, around));
            }
            let batches = own.next_again(around.options.request_partitions_max);
            if !batches.is_empty() {
                return Some(send_again(caller, &batches, around));
            }
            if self.left == 0 {
                return None;
            }
            let resent = per_mille(around.options.resent_per_mille);
            if let Some(latest) = own.latest.clone()
                && around.decisions.chance(Purpose::Client, resent)
            {
                return Some(send_again(caller, &[latest], around));
            }
        }
        self.left -= 1;
        let queries = per_mille(around.options.query_per_mille);
        if around.decisions.chance(Purpose::Client, queries) {
            return Some(query(caller, around));
        }
        Some(self.produce(caller, around))
    }

    fn produce(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        // A batch that is sent again must not come to the next topic of the name.
        let is_lasting = self.idempotence.is_some() && around.options.passing_topics > 0;
        let low = if is_lasting { TOPIC_IDS_VERSION as u64 } else { 3 };
        let version = around.decisions.between(Purpose::Client, low, 13) as i16;
        let none = per_mille(around.options.acks_none_per_mille);
        let acks = if self.idempotence.is_some() {
            -1
        } else if around.decisions.chance(Purpose::Client, none) {
            0
        } else {
            1 - 2 * around.decisions.below(Purpose::Client, 2) as i16
        };
        let mut batches: Vec<Batch> = Vec::new();
        let parts = around.options.request_partitions_max.max(1);
        for _ in 0..around.decisions.between(Purpose::Client, 1, parts) {
            let (topic, index) = pick_partition(around);
            let target = topic.target(index);
            if batches.iter().all(|other| other.target != target) {
                batches.push(self.batch(around, version, target, topic.id));
            }
        }
        if acks == 0 {
            for Batch { append, .. } in &batches {
                around.history.push(around.now_micros, Entry::Unknown { append: *append });
            }
        }
        if let Some(own) = &mut self.idempotence {
            own.latest = batches.last().cloned();
            own.unresolved.extend(batches.iter().cloned());
        }
        send(caller, version, acks, &batches)
    }

    fn batch(
        &mut self,
        around: &mut Surroundings<'_>,
        version: i16,
        target: TopicPartition,
        topic_id: Uuid,
    ) -> Batch {
        let mut builder = BatchBuilder::new();
        let keyed = per_mille(around.options.keyed_per_mille);
        let keyed = around.decisions.chance(Purpose::Format, keyed);
        let format = around.format_of(&target);
        let keyed = keyed || format.is_compacted();
        let count = around.options.batch_records_max.max(1);
        let mut records = Vec::new();
        for _ in 0..around.decisions.between(Purpose::Client, 1, count) {
            let record = around.history.next_record();
            let room = around.options.value_bytes_max.max(8);
            let length = around.decisions.between(Purpose::Client, 8, room) as usize;
            // The id fills the value, so that a garbled byte anywhere spoils it.
            let value: Vec<u8> = record.to_be_bytes().into_iter().cycle().take(length).collect();
            let key = format.key_of(record, keyed);
            let key = key.as_ref().map(|key| &key[..]);
            let is_tombstone = format.is_tombstone(record);
            let told: [(&[u8], Option<&[u8]>); 1] = [(b"id", Some(&value))];
            // What is no value cannot say whose it is: a header does.
            builder.append_record(&NewRecord {
                timestamp_ms: around.wall_ms,
                key,
                value: Some(&value[..]).filter(|_| !is_tombstone),
                headers: if is_tombstone { &told } else { &[] },
            });
            records.push(record);
        }
        let append = around.history.next_append();
        let sequence = self.idempotence.as_mut().and_then(|own| own.number(&target, records.len()));
        let invoked = Entry::Invoke {
            append,
            client: self.client,
            target: target.clone(),
            records,
            keyed,
            sent_ms: around.wall_ms,
            sequence,
            by_name: version < TOPIC_IDS_VERSION && target.passing_id().is_some(),
        };
        around.history.push(around.now_micros, invoked);
        if let Some(Sequence { producer, epoch, first }) = sequence {
            builder = builder.producer(producer, epoch, first);
        }
        if let Some(codec) = pick_codec(around, version) {
            let body = compress(codec, builder.records());
            builder = builder.compressed(codec, body.into());
        }
        let records = Bytes::from(builder.encode(0, -1));
        Batch { append, target, topic_id, records, sendings: 1, is_hopeless: false }
    }

    /// The broker has answered a Produce.
    pub(super) fn appended(
        &mut self,
        appends: &PendingAppends,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let response: ProduceResponse = answer.read()?;
        let mut answered = 0;
        for topic in &response.responses {
            for partition in &topic.partition_responses {
                let named = |(target, id, _): &&(TopicPartition, Uuid, AppendId)| {
                    let topic_is = if answer.version >= TOPIC_IDS_VERSION {
                        topic.topic_id == *id
                    } else {
                        topic.name == target.name()
                    };
                    topic_is && target.partition == partition.index
                };
                let asked = appends.0.iter().find(named);
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
                if let Some(own) = &mut self.idempotence {
                    own.answered(*append, error);
                }
            }
        }
        if answered != appends.0.len() {
            return Err(format!("{answered} partitions answered of {}", appends.0.len()));
        }
        Ok(())
    }

    /// The broker has answered an InitProducerId.
    pub(super) fn identified(
        &mut self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let response: InitProducerIdResponse = answer.read()?;
        let (id, epoch) = (response.producer_id, response.producer_epoch);
        if response.error_code.0 != 0 {
            return Ok(());
        }
        if id < 0 || epoch != 0 {
            return Err(format!("producer id {id}, epoch {epoch}"));
        }
        around.history.push(around.now_micros, Entry::Producer { id, epoch });
        if let Some(own) = &mut self.idempotence {
            own.identity = Some((id, epoch));
        }
        Ok(())
    }
}

impl Idempotence {
    /// The place of the next `count` records in what this producer sends to `target`.
    fn number(&mut self, target: &TopicPartition, count: usize) -> Option<Sequence> {
        let (producer, epoch) = self.identity?;
        let next = self.next.entry(target.clone()).or_default();
        let first = *next;
        *next += count as i32;
        Some(Sequence { producer, epoch, first })
    }

    fn answered(&mut self, append: AppendId, error: i16) {
        let Some(at) = self.unresolved.iter().position(|batch| batch.append == append) else {
            return;
        };
        if error == 0 {
            self.unresolved.remove(at);
            return;
        }
        self.is_troubled = true;
        self.unresolved[at].is_hopeless |= !RETRIABLE.contains(&error);
    }

    /// After trouble, everything that has no good answer is sent again in its order; when that is
    /// hopeless it is given up, and with it the identity under which it was numbered.
    fn settle(&mut self) {
        if !std::mem::take(&mut self.is_troubled) {
            return;
        }
        let spent = |batch: &Batch| batch.is_hopeless || batch.sendings >= SENDINGS_MAX;
        if self.unresolved.iter().any(spent) {
            *self = Self::default();
        } else {
            self.again = self.unresolved.iter().map(|batch| batch.append).collect();
        }
    }

    /// What goes into the next request of those to be sent again: one batch a partition.
    fn next_again(&mut self, partitions_max: u64) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        while let Some(append) = self.again.front() {
            let Some(batch) = self.unresolved.iter_mut().find(|batch| batch.append == *append)
            else {
                self.again.pop_front();
                continue;
            };
            let is_there = batches.iter().any(|other| other.target == batch.target);
            if is_there || batches.len() as u64 >= partitions_max.max(1) {
                break;
            }
            batch.sendings += 1;
            batches.push(batch.clone());
            self.again.pop_front();
        }
        batches
    }
}

fn query(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    let choices = [(ApiKey::API_VERSIONS, 4), (ApiKey::METADATA, 13)];
    let (api, newest) = *around.decisions.pick(Purpose::Client, &choices);
    let version = around.decisions.between(Purpose::Client, 0, newest) as i16;
    if api == ApiKey::METADATA {
        let request = MetadataRequest::default();
        return caller.request(api, version, &request, Some(Pending::Query));
    }
    let request = ApiVersionsRequest {
        client_software_name: "klamm-sim".to_owned(),
        client_software_version: "1".to_owned(),
    };
    caller.request(api, version, &request, Some(Pending::Query))
}

fn ask_for_identity(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Client, 0, 5) as i16;
    let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..Default::default() };
    caller.request(ApiKey::INIT_PRODUCER_ID, version, &request, Some(Pending::ProducerId))
}

/// The same bytes again, perhaps in another version.
fn send_again(caller: Caller<'_>, batches: &[Batch], around: &mut Surroundings<'_>) -> Bytes {
    for Batch { append, .. } in batches {
        around.history.push(around.now_micros, Entry::Resent { append: *append });
    }
    let is_passing = batches.iter().any(|batch| batch.target.passing_id().is_some());
    let low = if is_passing { TOPIC_IDS_VERSION } else { ZSTD_VERSION } as u64;
    let version = around.decisions.between(Purpose::Client, low, 13) as i16;
    send(caller, version, -1, batches)
}

fn send(caller: Caller<'_>, version: i16, acks: i16, batches: &[Batch]) -> Bytes {
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    for batch in batches {
        let (name, topic_id) = (batch.target.name().to_owned(), batch.topic_id);
        let index = batch.target.partition;
        let data = PartitionProduceData { index, records: Some(batch.records.clone()) };
        let is_same =
            |other: &&mut TopicProduceData| (&other.name, other.topic_id) == (&name, topic_id);
        match topic_data.iter_mut().find(is_same) {
            Some(known) => known.partition_data.push(data),
            None => {
                topic_data.push(TopicProduceData { name, topic_id, partition_data: vec![data] });
            }
        }
    }
    let appends = batches.iter();
    let appends = appends.map(|batch| (batch.target.clone(), batch.topic_id, batch.append));
    let pending = Pending::Appends(PendingAppends(appends.collect()));
    let request = ProduceRequest { transactional_id: None, acks, timeout_ms: 30_000, topic_data };
    caller.request(ApiKey::PRODUCE, version, &request, (acks != 0).then_some(pending))
}

fn pick_partition(around: &mut Surroundings<'_>) -> (KnownTopic, i32) {
    let unknown = per_mille(around.options.unknown_topic_per_mille);
    if around.topics.is_empty() || around.decisions.chance(Purpose::Client, unknown) {
        let (name, id, format) = (UNKNOWN_TOPIC.to_owned(), UNKNOWN_ID, TopicFormat::default());
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
    let codecs = if version < ZSTD_VERSION { &CODECS[..3] } else { &CODECS };
    let decisions = &mut *around.decisions;
    let wanted = decisions.chance(Purpose::Format, compressed);
    wanted.then(|| *decisions.pick(Purpose::Format, codecs))
}

/// An answer of which only the form matters.
pub(super) fn read_query(answer: &Answer) -> Result<(), String> {
    match answer.key {
        ApiKey::METADATA => answer.read::<MetadataResponse>().map(drop),
        _ => answer.read::<ApiVersionsResponse>().map(drop),
    }
}
