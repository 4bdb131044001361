//! The cluster as the metadata log tells it: immutable, replaced whole, shared by `Arc`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{Listener, TopicConfig};
use crate::ids::Uuid;

/// One state of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// `cluster.id` of `meta.properties`.
    pub cluster_id: String,
    /// This node's id.
    pub node_id: i32,
    /// Brokers that clients may be told of, by node id.
    pub brokers: BTreeMap<i32, Broker>,
    /// Offset of the last metadata record in this image; -1 for none.
    pub metadata_offset: i64,
    /// Finalized feature levels (`FeatureLevelRecord`), by name, level 0 left out. `metadata.version` is among them.
    pub features: BTreeMap<String, i16>,
    /// Topics by name.
    pub topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// The same topics by id.
    pub topics_by_id: BTreeMap<Uuid, Arc<Topic>>,
    /// Settings as the metadata log has them, by resource.
    pub configs: BTreeMap<ConfigResource, BTreeMap<String, String>>,
    /// The last `RegisterBrokerRecord` of this node.
    pub registration: Option<Registration>,
}

/// A broker as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// One endpoint for each listener, by name.
    pub endpoints: Vec<Listener>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// What the last registration of this node said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Drawn anew by each process that registers.
    pub incarnation_id: Uuid,
    /// The offset of the record.
    pub broker_epoch: i64,
}

/// What a setting belongs to (`ConfigResource.Type`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
    pub resource_type: i8,
    /// Topic's name, node id, or empty for all brokers.
    pub name: String,
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
