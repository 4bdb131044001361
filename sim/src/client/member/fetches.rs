//! A member reads: what it is told moves its positions, and others judge what a fetch may tell.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData, Records,
};

use super::{Member, Position};
use crate::client::{Answer, Caller, Pending, Surroundings};
use crate::decisions::Purpose;
use crate::history::TopicPartition;
use crate::reader::read_fetched;

/// The last version of Fetch that names topics.
const NAMES_VERSION: u64 = 12;

/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;

/// A fetch that waits for its answer.
#[derive(Debug)]
pub(in crate::client) struct PendingThinFetch;

impl Member {
    pub(super) fn fetch(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let version = around.decisions.between(Purpose::Group, 4, NAMES_VERSION) as i16;
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (target, position) in &self.positions {
            let Position::At(fetch_offset) = *position else { continue };
            let partition = FetchPartition {
                partition: target.partition,
                fetch_offset,
                partition_max_bytes: 4_096,
                ..FetchPartition::default()
            };
            match topics.iter_mut().find(|topic| topic.topic == target.name()) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(FetchTopic {
                    topic: target.name().to_owned(),
                    partitions: vec![partition],
                    ..FetchTopic::default()
                }),
            }
        }
        let max_wait_ms = around.decisions.below(Purpose::Group, 20) as i32;
        let request = FetchRequest {
            max_wait_ms,
            min_bytes: 1,
            max_bytes: 1 << 16,
            session_epoch: -1,
            topics,
            ..FetchRequest::default()
        };
        let pending = Pending::ThinFetch(PendingThinFetch);
        caller.request(ApiKey::FETCH, version, &request, Some(pending))
    }

    pub(in crate::client) fn fetched(&mut self, answer: &Answer) -> Result<(), String> {
        let response: FetchResponse = answer.read()?;
        for topic in &response.responses {
            for data in &topic.partitions {
                let (topic, partition) = (topic.topic.clone(), data.partition_index);
                let target = TopicPartition { topic, partition };
                if let Some(position) = self.positions.get_mut(&target) {
                    advance(position, data);
                }
            }
        }
        Ok(())
    }
}

fn advance(position: &mut Position, data: &PartitionData) {
    if data.error_code.0 == OUT_OF_RANGE {
        *position = Position::At(data.log_start_offset.max(0));
    }
    if let Records::Bytes(bytes) = &data.records
        && !bytes.is_empty()
        && let Ok(log) = read_fetched(bytes, true)
    {
        // Where a log is compacted there are batches without records.
        *position = Position::At(log.end_offset);
    }
}
