//! A Produce request: what of it the broker has to see, and what its answer is made of.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::decode::Context;
use super::transactional;
use crate::api::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use crate::batch::{
    CheckedBatch, Fault, ProduceRules, WholeRequestFault, check_produced, check_record_set,
    check_request_heads,
};
use crate::broker::image::{Image, Topic};
use crate::error_code::ErrorCode;
use crate::frame::RequestHeader;
use crate::ids::Uuid;
use crate::query::topic_name::is_internal;
use crate::request::{Acks, AppendOutcome, PartitionAppend, ProduceCommand};

/// From this version on topics go by id (KIP-516).
const TOPIC_ID_VERSION: i16 = 13;

/// The client id of Kafka's own tools, which alone may write to internal topics (`AdminUtils.ADMIN_CLIENT_ID`).
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// A Produce request as its answer needs it.
#[derive(Debug)]
pub(super) struct ProducePlan {
    topics: Vec<TopicPlan>,
    converted_bytes: usize,
}

#[derive(Debug)]
struct TopicPlan {
    name: String,
    id: Uuid,
    partitions: Vec<(i32, Verdict)>,
}

/// What the connection has found about one partition.
#[derive(Debug)]
enum Verdict {
    /// The broker need not see it.
    Refused(Fault),
    /// The broker may still find the partition gone or offline, which comes first, and adds where the log
    /// starts; its outcome has this index.
    RefusedInLog(Fault, usize),
    /// The broker decides; its outcome has this index.
    Passed(usize),
}

/// Checks a request, topic by topic in its order (`KafkaApis.handleProduceRequest`,
/// `ReplicaManager.appendRecords`).
pub(super) fn plan(
    header: &RequestHeader,
    request: ProduceRequest,
    context: &Context<'_>,
) -> (ProducePlan, ProduceCommand) {
    let ProduceRequest { transactional_id, acks, timeout_ms, topic_data } = request;
    let partitions = topic_data.iter().flat_map(|topic| &topic.partition_data);
    let records = partitions.map(|partition| partition.records.as_deref());
    let fault = check_request_heads(records, transactional_id.as_deref()).err();
    let acks = acks_of(acks);
    let mut checks = Checks {
        version: header.api_version,
        acks,
        may_write_internal: header.client_id.as_deref() == Some(ADMIN_CLIENT_ID),
        fault: fault.map(|WholeRequestFault { error, message }| Fault { message, ..bare(error) }),
        context,
        record_errors_left: context.limits.record_errors_max,
        converted_bytes: 0,
        appends: Vec::new(),
    };
    let topics = merge(topic_data).into_iter().map(|topic| checks.topic(topic)).collect();
    let Checks { appends: partitions, converted_bytes, .. } = checks;
    // Without a meaning of its acks no partition has passed, and every one has its error.
    let acks = acks.unwrap_or(Acks::Leader);
    (ProducePlan { topics, converted_bytes }, ProduceCommand { acks, timeout_ms, partitions })
}

fn acks_of(acks: i16) -> Option<Acks> {
    match acks {
        -1 => Some(Acks::All),
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        _ => None,
    }
}

fn bare(error: ErrorCode) -> Fault {
    Fault { error, message: None, record_errors: Vec::new(), knows_log_start: false }
}

impl ProducePlan {
    /// Bytes of batches that are no slices of the request, having been written anew.
    pub(super) fn converted_bytes(&self) -> usize {
        self.converted_bytes
    }

    /// The first error that the answer will have, whatever the broker says.
    pub(super) fn refusal(&self) -> Option<ErrorCode> {
        let mut partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.find_map(|(_, verdict)| match verdict {
            Verdict::Refused(fault) | Verdict::RefusedInLog(fault, _) => Some(fault.error),
            Verdict::Passed(_) => None,
        })
    }

    pub(super) fn answer(self, outcomes: &[AppendOutcome]) -> ProduceResponse {
        let responses = self.topics.into_iter().map(|topic| TopicProduceResponse {
            name: topic.name,
            topic_id: topic.id,
            partition_responses: topic
                .partitions
                .into_iter()
                .map(|(index, verdict)| verdict.answer(index, outcomes))
                .collect(),
        });
        ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() }
    }
}

impl Verdict {
    fn answer(self, index: i32, outcomes: &[AppendOutcome]) -> PartitionProduceResponse {
        let outcome =
            |at: usize| *outcomes.get(at).expect("invariant: one outcome for each append");
        match self {
            Self::Refused(fault) => refused(index, fault, NOT_LOOKED_AT),
            Self::RefusedInLog(fault, at) if outcome(at).error == ErrorCode::NONE => {
                let start = outcome(at).log_start_offset;
                let start = if fault.knows_log_start { start } else { NOT_LOOKED_AT };
                refused(index, fault, start)
            }
            Self::RefusedInLog(_, at) | Self::Passed(at) => decided(index, outcome(at)),
        }
    }
}

/// The log start in the answer for a partition whose log nobody looked at.
const NOT_LOOKED_AT: i64 = -1;

fn refused(index: i32, fault: Fault, log_start_offset: i64) -> PartitionProduceResponse {
    let record_errors = fault.record_errors.into_iter().map(|(batch_index, message)| {
        BatchIndexAndErrorMessage { batch_index, batch_index_error_message: message }
    });
    PartitionProduceResponse {
        index,
        error_code: fault.error,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset,
        record_errors: record_errors.collect(),
        error_message: fault.message,
        ..PartitionProduceResponse::default()
    }
}

fn decided(index: i32, outcome: AppendOutcome) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: outcome.error,
        base_offset: outcome.base_offset,
        log_append_time_ms: outcome.log_append_time_ms,
        log_start_offset: outcome.log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

/// A topic of the request, each partition once.
struct TopicData {
    name: String,
    id: Uuid,
    partitions: Vec<(i32, Option<Bytes>)>,
}

/// Brings topics and partitions that are named more than once together: the place of the first, the
/// records of the last.
fn merge(topic_data: Vec<TopicProduceData>) -> Vec<TopicData> {
    let mut topics: Vec<(TopicData, BTreeMap<i32, usize>)> = Vec::new();
    let mut places = BTreeMap::new();
    for TopicProduceData { name, topic_id: id, partition_data } in topic_data {
        if partition_data.is_empty() {
            continue;
        }
        let place = *places.entry((name, id)).or_insert_with_key(|(name, id)| {
            let topic = TopicData { name: name.clone(), id: *id, partitions: Vec::new() };
            topics.push((topic, BTreeMap::new()));
            topics.len() - 1
        });
        let (topic, indexes) = &mut topics[place];
        for partition in partition_data {
            let index = *indexes.entry(partition.index).or_insert(topic.partitions.len());
            match topic.partitions.get_mut(index) {
                Some(entry) => entry.1 = partition.records,
                None => topic.partitions.push((partition.index, partition.records)),
            }
        }
    }
    topics.into_iter().map(|(topic, _)| topic).collect()
}

struct Checks<'a> {
    version: i16,
    /// `None` for a number that means nothing.
    acks: Option<Acks>,
    may_write_internal: bool,
    /// What is wrong with the whole request.
    fault: Option<Fault>,
    context: &'a Context<'a>,
    record_errors_left: usize,
    converted_bytes: usize,
    appends: Vec<PartitionAppend>,
}

impl Checks<'_> {
    fn topic(&mut self, data: TopicData) -> TopicPlan {
        let TopicData { name, id, partitions } = data;
        let topic = find(self.context.image, self.version, &name, id);
        let partitions = partitions.into_iter().map(|(index, records)| {
            let verdict = match self.fault.clone() {
                Some(fault) => Verdict::Refused(fault),
                None => self.partition(topic, index, records.as_ref()),
            };
            (index, verdict)
        });
        TopicPlan { partitions: partitions.collect(), name, id }
    }

    fn partition(
        &mut self,
        topic: Result<&Arc<Topic>, ErrorCode>,
        index: i32,
        records: Option<&Bytes>,
    ) -> Verdict {
        let topic = match topic {
            Ok(topic) => topic,
            Err(error) => return Verdict::Refused(bare(error)),
        };
        if !topic.partitions.contains_key(&index) {
            return Verdict::Refused(bare(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        }
        if let Err(fault) = check_record_set(records, self.version) {
            return Verdict::Refused(fault);
        }
        if let Some(fault) = records.and_then(|records| transactional::refusal(records)) {
            return Verdict::RefusedInLog(fault, self.append(topic, index, None));
        }
        if self.acks.is_none() {
            return Verdict::Refused(bare(ErrorCode::INVALID_REQUIRED_ACKS));
        }
        if is_internal(&topic.name) && !self.may_write_internal {
            return Verdict::Refused(bare(ErrorCode::INVALID_TOPIC_EXCEPTION));
        }
        self.batch(topic, index, records)
    }

    fn batch(&mut self, topic: &Topic, index: i32, records: Option<&Bytes>) -> Verdict {
        let Context { now, compression, limits, .. } = *self.context;
        let rules = ProduceRules {
            version: self.version,
            topic: &topic.name,
            partition: index,
            config: &topic.config,
            decompressed_bytes_max: limits.decompressed_bytes_max,
            converted_bytes_max: self.converted_bytes_left(),
            record_errors_max: self.record_errors_left,
        };
        match check_produced(records, &rules, compression, now) {
            Ok(batch) => {
                if batch.is_converted() {
                    self.converted_bytes += batch.info().size as usize;
                }
                Verdict::Passed(self.append(topic, index, Some(batch)))
            }
            Err(fault) => {
                self.record_errors_left -= fault.record_errors.len().min(self.record_errors_left);
                Verdict::RefusedInLog(fault, self.append(topic, index, None))
            }
        }
    }

    /// What the next batch may take if it is written anew: the first one is bounded by its topic
    /// alone.
    fn converted_bytes_left(&self) -> usize {
        match self.converted_bytes {
            0 => usize::MAX,
            taken => self.context.limits.converted_bytes_max.saturating_sub(taken),
        }
    }

    /// Hands a partition to the broker; the index of its outcome.
    fn append(&mut self, topic: &Topic, partition: i32, batch: Option<CheckedBatch>) -> usize {
        self.appends.push(PartitionAppend { topic_id: topic.id, partition, batch });
        self.appends.len() - 1
    }
}

fn find<'i>(
    image: &'i Image,
    version: i16,
    name: &str,
    id: Uuid,
) -> Result<&'i Arc<Topic>, ErrorCode> {
    if version >= TOPIC_ID_VERSION {
        return image.topics_by_id.get(&id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
    }
    image.topics.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}
