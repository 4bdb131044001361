//! Records about topics, partitions and settings.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::ids::Uuid;

message! {
    /// A topic is created.
    pub struct TopicRecord (versions: 0..=0, flexible: 0..) {
        /// Its name.
        name: String { versions: 0.. },
        /// Its id.
        topic_id: Uuid { versions: 0.. },
    }

    /// A topic is deleted, with its partitions and settings.
    pub struct RemoveTopicRecord (versions: 0..=0, flexible: 0..) {
        /// Its id.
        topic_id: Uuid { versions: 0.. },
    }

    /// A partition is created; in a snapshot, its whole state. Version 1 adds directories
    /// (KIP-858), version 2 eligible leader replicas (KIP-966).
    pub struct PartitionRecord (versions: 0..=2, flexible: 0..) {
        /// Its index.
        partition_id: i32 { versions: 0.., default: -1 },
        /// Its topic.
        topic_id: Uuid { versions: 0.. },
        /// Its replicas, the preferred leader first.
        replicas: Vec<i32> { versions: 0.. },
        /// Those in sync.
        isr: Vec<i32> { versions: 0.. },
        /// Replicas that are being removed.
        removing_replicas: Vec<i32> { versions: 0.. },
        /// Replicas that are being added.
        adding_replicas: Vec<i32> { versions: 0.. },
        /// Its leader; -1 for none.
        leader: i32 { versions: 0.., default: -1 },
        /// 1 after an unclean election, until the leader has recovered; else 0.
        leader_recovery_state: i8 { versions: 0.., tag: 0 },
        /// Rises with each leader.
        leader_epoch: i32 { versions: 0.., default: -1 },
        /// Rises with each change.
        partition_epoch: i32 { versions: 0.., default: -1 },
        /// The log directory of each replica, in their order.
        directories: Vec<Uuid> { versions: 1.. },
        /// Replicas that may lead though they are not in sync.
        eligible_leader_replicas: Option<Vec<i32>> { versions: 2.., nullable: 2.., tag: 1 },
        /// The last of those that were known.
        last_known_elr: Option<Vec<i32>> { versions: 2.., nullable: 2.., tag: 2 },
    }

    /// A partition changes: what is null, or has its default, stays as it is.
    pub struct PartitionChangeRecord (versions: 0..=2, flexible: 0..) {
        /// Its index.
        partition_id: i32 { versions: 0.., default: -1 },
        /// Its topic.
        topic_id: Uuid { versions: 0.. },
        /// Replicas in sync.
        isr: Option<Vec<i32>> { versions: 0.., nullable: 0.., tag: 0 },
        /// Its leader; -1 for none, [`LEADER_UNCHANGED`] for no change. Any change raises the
        /// leader epoch.
        leader: i32 { versions: 0.., tag: 1, default: LEADER_UNCHANGED },
        /// Its replicas.
        replicas: Option<Vec<i32>> { versions: 0.., nullable: 0.., tag: 2 },
        /// Replicas that are being removed.
        removing_replicas: Option<Vec<i32>> { versions: 0.., nullable: 0.., tag: 3 },
        /// Replicas that are being added.
        adding_replicas: Option<Vec<i32>> { versions: 0.., nullable: 0.., tag: 4 },
        /// 0 recovered, 1 recovering, -1 no change.
        leader_recovery_state: i8 { versions: 0.., tag: 5, default: -1 },
        /// Replicas that may lead though they are not in sync.
        eligible_leader_replicas: Option<Vec<i32>> { versions: 2.., nullable: 2.., tag: 6 },
        /// The last of those that were known.
        last_known_elr: Option<Vec<i32>> { versions: 2.., nullable: 2.., tag: 7 },
        /// The log directory of each replica, in their order.
        directories: Option<Vec<Uuid>> { versions: 1.., nullable: 1.., tag: 8 },
    }

    /// Eligible leader replicas are forgotten.
    pub struct ClearElrRecord (versions: 0..=0, flexible: 0..) {
        /// The topic; empty for all.
        topic_name: String { versions: 0.. },
    }

    /// A setting is given or taken back.
    pub struct ConfigRecord (versions: 0..=0, flexible: 0..) {
        /// What it belongs to: 2 topic, 4 broker, 16 client metrics, 32 group.
        resource_type: i8 { versions: 0.. },
        /// Which: a topic's name, a node id, or empty for all brokers.
        resource_name: String { versions: 0.. },
        /// The key.
        name: String { versions: 0.. },
        /// The value; null takes the setting back.
        value: Option<String> { versions: 0.., nullable: 0.., default: Some(String::new()) },
    }
}

/// [`PartitionChangeRecord::leader`] when the leader stays.
pub const LEADER_UNCHANGED: i32 = -2;
