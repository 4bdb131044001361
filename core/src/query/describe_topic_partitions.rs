//! DescribeTopicPartitions (key 75, KIP-966), as `DescribeTopicPartitionsRequestHandler` answers
//! it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::partition_view::PartitionView;
use super::{TOPIC_OPERATIONS, topic_name};
use crate::api::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::broker::image::{Image, Topic};
use crate::config::Limits;
use crate::error_code::ErrorCode;

/// Answers `request`, which came in by `listener`: topics by name, each once, from the cursor on,
/// up to the limit of partitions.
pub fn answer(
    request: &DescribeTopicPartitionsRequest,
    image: &Image,
    listener: &str,
    limits: &Limits,
) -> DescribeTopicPartitionsResponse {
    let names = match select(request, image) {
        Ok(names) => names,
        Err(error) => return refusal(request, error),
    };
    let limit = request.response_partition_limit.min(limits.describe_partitions_max).max(1);
    let mut page = Page {
        image,
        listener,
        is_all: request.topics.is_empty(),
        remaining: limit as usize,
        response: DescribeTopicPartitionsResponse::default(),
    };
    for name in names {
        let first = match &request.cursor {
            Some(cursor) if cursor.topic_name == name => cursor.partition_index,
            _ => 0,
        };
        if !page.add(name, first) {
            break;
        }
    }
    page.response
}

/// Kafka cannot say what an empty name may be used for, and fails the whole request.
fn select<'a>(
    request: &'a DescribeTopicPartitionsRequest,
    image: &'a Image,
) -> Result<BTreeSet<&'a str>, ErrorCode> {
    let start = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    let is_all = request.topics.is_empty();
    let names: BTreeSet<&str> = if is_all {
        image.topics.keys().map(|name| &**name).filter(|name| *name >= start).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).filter(|n| *n >= start).collect()
    };
    if let Some(cursor) = &request.cursor {
        let is_listed = is_all || names.contains(start);
        if !is_listed || cursor.partition_index < 0 {
            return Err(ErrorCode::INVALID_REQUEST);
        }
    }
    if names.contains("") {
        return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
    }
    Ok(names)
}

/// An answer that is being filled.
struct Page<'a> {
    image: &'a Image,
    listener: &'a str,
    is_all: bool,
    remaining: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds a topic from its partition `first` on; false when the page ends here.
    fn add(&mut self, name: &str, first: i32) -> bool {
        if self.remaining == 0 {
            self.end_before(name, 0);
            return false;
        }
        let Some(topic) = self.image.topics.get(name) else {
            debug_assert!(!self.is_all);
            self.response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: topic_name::absence(name),
                name: Some(name.to_owned()),
                is_internal: topic_name::is_internal(name),
                topic_authorized_operations: TOPIC_OPERATIONS,
                ..DescribeTopicPartitionsResponseTopic::default()
            });
            return true;
        };
        let partitions: Vec<_> = self.partitions(topic, first).take(self.remaining).collect();
        let next = partitions.last().map_or(first, |last| last.partition_index.saturating_add(1));
        self.remaining -= partitions.len();
        self.response.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some(name.to_owned()),
            topic_id: topic.id,
            is_internal: topic_name::is_internal(name),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
        if topic.partitions.range(next..).next().is_some() {
            self.end_before(name, next);
            return false;
        }
        true
    }

    fn end_before(&mut self, topic_name: &str, partition_index: i32) {
        self.response.next_cursor =
            Some(Cursor { topic_name: topic_name.to_owned(), partition_index });
    }

    fn partitions<'t>(
        &'t self,
        topic: &'t Topic,
        first: i32,
    ) -> impl Iterator<Item = DescribeTopicPartitionsResponsePartition> + 't {
        topic.partitions.range(first..).map(|(index, partition)| {
            let view = PartitionView::new(partition, self.image, self.listener);
            let partition = view.partition.into_owned();
            DescribeTopicPartitionsResponsePartition {
                error_code: ErrorCode::NONE,
                partition_index: *index,
                leader_id: view.leader,
                leader_epoch: partition.leader_epoch,
                replica_nodes: partition.replicas,
                isr_nodes: partition.isr,
                eligible_leader_replicas: Some(partition.elr),
                last_known_elr: Some(partition.last_known_elr),
                offline_replicas: view.offline,
            }
        })
    }
}

/// The whole request fails: every topic as asked for.
fn refusal(
    request: &DescribeTopicPartitionsRequest,
    error_code: ErrorCode,
) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(topic.name.clone()),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}
