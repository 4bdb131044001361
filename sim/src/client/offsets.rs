//! Look-ups of offsets, which consumers make for themselves and inquirers out of curiosity.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};

use super::{Answer, Caller, Pending, Surroundings};
use crate::decisions::Purpose;
use crate::history::{Entry, Question, QuestionId, Told, TopicPartition};

/// Kafka's timestamp for the end of a log.
pub(super) const LATEST: i64 = -1;
/// For its start.
pub(super) const EARLIEST: i64 = -2;
/// For the record with the latest timestamp.
pub(super) const MAX_TIMESTAMP: i64 = -3;
/// For the first record on the local disk.
pub(super) const EARLIEST_LOCAL: i64 = -4;

/// Look-ups that wait for their answer.
#[derive(Debug)]
pub(super) struct PendingOffsets(Vec<(TopicPartition, QuestionId)>);

/// What a look-up has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    At(i64),
    /// No record is that late.
    Nowhere,
    Failed,
}

/// Asks for the offset of a timestamp in each partition.
pub(super) fn ask(
    caller: Caller<'_>,
    wanted: &[(TopicPartition, i64)],
    around: &mut Surroundings<'_>,
) -> Bytes {
    let low = wanted.iter().map(|(_, timestamp_ms)| first_version(*timestamp_ms)).max();
    let version = around.decisions.between(Purpose::Reader, low.unwrap_or(1), 11) as i16;
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    let mut asked = Vec::new();
    for (target, timestamp_ms) in wanted {
        let partition = ListOffsetsPartition {
            partition_index: target.partition,
            timestamp: *timestamp_ms,
            ..ListOffsetsPartition::default()
        };
        match topics.iter_mut().find(|topic| topic.name == target.name()) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                let name = target.name().to_owned();
                topics.push(ListOffsetsTopic { name, partitions: vec![partition] });
            }
        }
        let what = Question::Offset { timestamp_ms: *timestamp_ms };
        let question = around.ask(target, what, true);
        asked.push((target.clone(), question));
    }
    let isolation_level = around.decisions.below(Purpose::Reader, 2) as i8;
    let request =
        ListOffsetsRequest { replica_id: -1, isolation_level, topics, timeout_ms: 30_000 };
    let pending = Pending::Offsets(PendingOffsets(asked));
    caller.request(ApiKey::LIST_OFFSETS, version, &request, Some(pending))
}

fn first_version(timestamp_ms: i64) -> u64 {
    match timestamp_ms {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        _ => 1,
    }
}

impl PendingOffsets {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        self.0.into_iter().for_each(|(_, question)| around.give_up(question));
    }

    /// Tells the history what was found, and gives it.
    pub(super) fn answered(
        self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<Vec<(TopicPartition, Found)>, String> {
        let response: ListOffsetsResponse = answer.read()?;
        let mut found = Vec::new();
        for (target, question) in self.0 {
            let topics = response.topics.iter().filter(|topic| topic.name == target.name());
            let mut partitions = topics.flat_map(|topic| &topic.partitions);
            let told = partitions.find(|told| told.partition_index == target.partition);
            let told = told.ok_or_else(|| format!("no offset of {target}"))?;
            let (error, offset, timestamp_ms) = (told.error_code.0, told.offset, told.timestamp);
            let (told, what) = match (error, offset) {
                (0, -1) => (Told::Offset { offset, timestamp_ms }, Found::Nowhere),
                (0, _) => (Told::Offset { offset, timestamp_ms }, Found::At(offset)),
                (error, _) => (Told::Error(error), Found::Failed),
            };
            around.history.push(around.now_micros, Entry::Told { question, told });
            found.push((target, what));
        }
        Ok(found)
    }
}
