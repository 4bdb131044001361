//! A partition as an answer shows it: the rules that Metadata and DescribeTopicPartitions share.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::broker::image::{Broker, Image, NO_LEADER, Partition};
use crate::config::Listener;

/// The endpoint that clients of `listener` reach `broker` by.
pub(crate) fn endpoint<'a>(broker: &'a Broker, listener: &str) -> Option<&'a Listener> {
    broker.endpoints.iter().find(|endpoint| endpoint.name == listener)
}

/// One partition, seen from one listener.
pub(super) struct PartitionView<'a> {
    pub(super) partition: Cow<'a, Partition>,
    /// The leader when it can be reached, else [`NO_LEADER`].
    pub(super) leader: i32,
    /// The image knows the leader's broker, reachable or not.
    pub(super) is_leader_known: bool,
    /// Replicas that cannot be reached.
    pub(super) offline: Vec<i32>,
}

impl<'a> PartitionView<'a> {
    pub(super) fn new(partition: &'a Partition, image: &Image, listener: &str) -> Self {
        let partition = partition.as_led_here(image.node_id);
        let is_reachable = |node: &i32| {
            image.brokers.get(node).is_some_and(|broker| endpoint(broker, listener).is_some())
        };
        Self {
            leader: if is_reachable(&partition.leader) { partition.leader } else { NO_LEADER },
            is_leader_known: image.brokers.contains_key(&partition.leader),
            offline: partition.replicas.iter().copied().filter(|n| !is_reachable(n)).collect(),
            partition,
        }
    }
}
