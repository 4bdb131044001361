//! ListPartitionReassignments (key 46), as `ReplicationControlManager.listPartitionReassignments`
//! answers it. None begins here; a directory may come from a cluster where one was under way.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::api::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use crate::broker::image::{Image, Partition, Topic};

/// Answers `request`; what it names and is not there is left out.
pub fn answer(
    request: &ListPartitionReassignmentsRequest,
    image: &Image,
) -> ListPartitionReassignmentsResponse {
    let topics = match &request.topics {
        None => {
            let all = image.topics.values();
            all.filter_map(|topic| ongoing(topic, topic.partitions.iter())).collect()
        }
        Some(topics) => {
            let named = topics.iter().filter_map(|named| {
                let topic = image.topics.get(named.name.as_str())?;
                let asked = named.partition_indexes.iter();
                ongoing(topic, asked.filter_map(|index| topic.partitions.get_key_value(index)))
            });
            named.collect()
        }
    };
    ListPartitionReassignmentsResponse { topics, ..ListPartitionReassignmentsResponse::default() }
}

/// Those of the topic's partitions that move; `None` when none does.
fn ongoing<'a>(
    topic: &Topic,
    partitions: impl Iterator<Item = (&'a i32, &'a Partition)>,
) -> Option<OngoingTopicReassignment> {
    let moving = partitions.filter(|(_, partition)| partition.is_reassigned());
    let partitions: Vec<_> = moving
        .map(|(index, partition)| OngoingPartitionReassignment {
            partition_index: *index,
            replicas: partition.replicas.clone(),
            adding_replicas: partition.adding.clone(),
            removing_replicas: partition.removing.clone(),
        })
        .collect();
    let name = topic.name.to_string();
    (!partitions.is_empty()).then_some(OngoingTopicReassignment { name, partitions })
}
