//! The cluster as the metadata log tells it: immutable, replaced whole, shared by `Arc`.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::other_records::OtherRecords;
use crate::config::{Listener, TopicConfig};
use crate::ids::Uuid;
use crate::records::{RegisterBrokerRecord, VotersRecord};

/// One state of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// `cluster.id` of `meta.properties`.
    pub cluster_id: String,
    /// This node's id.
    pub node_id: i32,
    /// Brokers that clients may be told of, by node id.
    pub brokers: BTreeMap<i32, Broker>,
    /// Offset of the last metadata record in this image; -1 for none.
    pub metadata_offset: i64,
    /// Finalized feature levels (`FeatureLevelRecord`), by name, level 0 left out.
    /// `metadata.version` is among them.
    pub features: BTreeMap<String, i16>,
    /// `kraft.version`, from the quorum's control record; 0 before there was one.
    pub kraft_version: i16,
    /// The quorum's voters, from its control record; `None` where they are static.
    pub voters: Option<VotersRecord>,
    /// Topics by name.
    pub topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// The same topics by id.
    pub topics_by_id: BTreeMap<Uuid, Arc<Topic>>,
    /// Settings as the metadata log has them, by resource.
    pub configs: BTreeMap<ConfigResource, BTreeMap<String, String>>,
    /// What this broker was started with.
    pub settings: Arc<BTreeMap<String, String>>,
    /// The last `RegisterBrokerRecord` of each broker, with what changed it since, by node id.
    pub registrations: BTreeMap<i32, Arc<RegisterBrokerRecord>>,
    /// The first producer id that no block has taken yet (`ProducerIdsRecord`).
    pub next_producer_id: i64,
    /// What else the log holds.
    pub others: OtherRecords,
}

impl Default for Image {
    /// No topic, no record.
    fn default() -> Self {
        Self {
            cluster_id: String::new(),
            node_id: 0,
            brokers: BTreeMap::new(),
            metadata_offset: -1,
            features: BTreeMap::new(),
            kraft_version: 0,
            voters: None,
            topics: BTreeMap::new(),
            topics_by_id: BTreeMap::new(),
            configs: BTreeMap::new(),
            settings: Arc::default(),
            registrations: BTreeMap::new(),
            next_producer_id: 0,
            others: OtherRecords::default(),
        }
    }
}

impl Image {
    /// No record has given it anything.
    pub fn is_blank(&self) -> bool {
        self.features.is_empty()
            && self.topics_by_id.is_empty()
            && self.configs.is_empty()
            && self.registrations.is_empty()
            && self.others.is_empty()
    }

    /// The id of the topic that has this name.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|topic| topic.id)
    }

    /// The last registration of this node, with what changed it since.
    pub fn registration(&self) -> Option<&RegisterBrokerRecord> {
        self.registrations.get(&self.node_id).map(|last| &**last)
    }

    /// The incarnation of this node's last registration; [`Uuid::ZERO`] while there is none.
    pub fn incarnation_id(&self) -> Uuid {
        self.registration().map_or(Uuid::ZERO, |last| last.incarnation_id)
    }
}

/// A broker as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// One endpoint for each listener, by name.
    pub endpoints: Vec<Listener>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// What a setting belongs to (`ConfigResource.Type`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    pub resource_type: i8,
    /// Topic's name, node id, or empty for all brokers.
    pub name: String,
}

impl ConfigResource {
    /// `ConfigResource.Type.TOPIC`.
    pub const TOPIC: i8 = 2;
    /// `ConfigResource.Type.BROKER`.
    pub const BROKER: i8 = 4;
    /// `ConfigResource.Type.BROKER_LOGGER`.
    pub const BROKER_LOGGER: i8 = 8;
    /// `ConfigResource.Type.CLIENT_METRICS`.
    pub const CLIENT_METRICS: i8 = 16;
    /// `ConfigResource.Type.GROUP`.
    pub const GROUP: i8 = 32;
    /// The kinds of which settings are told.
    pub const DESCRIBED: [i8; 5] =
        [Self::TOPIC, Self::BROKER, Self::BROKER_LOGGER, Self::CLIENT_METRICS, Self::GROUP];

    /// A topic's settings.
    pub fn topic(name: &str) -> Self {
        Self { resource_type: Self::TOPIC, name: name.to_owned() }
    }

    /// The settings of one broker.
    pub fn broker(node_id: i32) -> Self {
        Self { resource_type: Self::BROKER, name: node_id.to_string() }
    }

    /// The settings of all brokers.
    pub fn broker_default() -> Self {
        Self { resource_type: Self::BROKER, name: String::new() }
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: Uuid,
    /// Partitions by index.
    pub partitions: BTreeMap<i32, Partition>,
    /// Its settings, resolved.
    pub config: TopicConfig,
}

/// A partition (`PartitionRecord` with its changes applied).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Node ids.
    pub replicas: Vec<i32>,
    /// Log directory ids, one for each replica; empty in records before version 1.
    pub directories: Vec<Uuid>,
    /// In-sync replicas.
    pub isr: Vec<i32>,
    /// Eligible leader replicas.
    pub elr: Vec<i32>,
    /// Last known eligible leader replicas.
    pub last_known_elr: Vec<i32>,
    /// Replicas being removed.
    pub removing: Vec<i32>,
    /// Replicas being added.
    pub adding: Vec<i32>,
    /// Node id; -1 for none.
    pub leader: i32,
    /// Rises with each leader.
    pub leader_epoch: i32,
    /// Rises with each change.
    pub partition_epoch: i32,
    /// 0 recovered, 1 recovering.
    pub leader_recovery_state: i8,
}

/// A partition without a leader (`LeaderConstants.NO_LEADER`).
pub const NO_LEADER: i32 = -1;

impl Partition {
    /// Who leads, as the one live node `node_id` sees it: the recorded leader, or `node_id` where
    /// none is recorded and it has a replica. A clean stop of Kafka leaves every partition without
    /// a leader, and nobody but this node could be elected.
    pub fn leader_here(&self, node_id: i32) -> i32 {
        if self.leader == NO_LEADER && self.replicas.contains(&node_id) {
            return node_id;
        }
        self.leader
    }

    /// A move to other replicas is under way.
    pub fn is_reassigned(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// The partition as it would be recorded with [`leader_here`](Self::leader_here) elected: an
    /// empty ISR becomes that leader, and a partition with a leader has no eligible ones.
    pub fn as_led_here(&self, node_id: i32) -> Cow<'_, Self> {
        let leader = self.leader_here(node_id);
        if leader == self.leader {
            return Cow::Borrowed(self);
        }
        let mut led = self.clone();
        led.leader = leader;
        if led.isr.is_empty() {
            led.isr = vec![leader];
        }
        led.elr.clear();
        led.last_known_elr.clear();
        Cow::Owned(led)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_leader(replicas: Vec<i32>) -> Partition {
        let elr = replicas.clone();
        Partition { replicas, elr, leader: NO_LEADER, leader_epoch: 3, ..Partition::default() }
    }

    #[test]
    fn partition_without_leader_is_led_by_its_live_replica() {
        let partition = without_leader(vec![1]);
        assert_eq!(partition.leader_here(1), 1);
        let led = partition.as_led_here(1);
        assert_eq!((led.leader, led.leader_epoch, led.isr.as_slice()), (1, 3, &[1][..]));
        assert!(led.elr.is_empty());
    }

    #[test]
    fn partition_without_replica_here_keeps_its_leader() {
        assert_eq!(without_leader(vec![2]).leader_here(1), NO_LEADER);
        let elsewhere = Partition { replicas: vec![1, 2], leader: 2, ..Partition::default() };
        assert_eq!(elsewhere.leader_here(1), 2);
        assert_eq!(*elsewhere.as_led_here(1), elsewhere);
    }
}
