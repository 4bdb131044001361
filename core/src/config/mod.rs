//! Everything that can be set, and every limit with its reason.

mod compression;
pub mod keys;
pub mod limits;
mod listeners;
mod parse;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use compression::{CompressionLevels, StoredCompression};
pub use limits::Limits;
pub use parse::{ConfigError, Settings, parse};

use crate::effect::Path;

/// What the broker is told at its start. Built by the server from `server.properties`, or by an embedder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `node.id`.
    pub node_id: i32,
    /// Where clients are served: `listeners` without those of `controller.listener.names`. The
    /// driver binds them and writes the real ports in before [`crate::Broker::new`].
    pub listeners: Vec<Listener>,
    /// What clients are told: `advertised.listeners`, one for each of `listeners`, by name.
    pub advertised: Vec<Listener>,
    /// Where Kafka would find the metadata quorum, which is inside this process: nothing listens
    /// there. Its name is the first of `controller.listener.names`, its address that of
    /// `controller.quorum.voters`, `advertised.listeners` or `listeners`, whichever has one first.
    pub controller: Listener,
    /// `log.dirs`, in their order.
    pub log_dirs: Vec<Path>,
    /// `klamm.durability`.
    pub durability: Durability,
    /// What topics get that do not say otherwise.
    pub topic_defaults: TopicConfig,
    /// Limits, each with its reason.
    pub limits: Limits,
}

/// One listener: a name, and where it listens or what it advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Kafka's listener name, in capitals (`PLAINTEXT`).
    pub name: String,
    /// Host name or address; empty for every interface.
    pub host: String,
    /// Port; 0 asks the system for one.
    pub port: u16,
}

impl Listener {
    /// The metadata quorum's where nothing else is said: the port of Kafka's own examples.
    pub fn default_controller() -> Self {
        Self { name: String::from("CONTROLLER"), host: String::from("127.0.0.1"), port: 9093 }
    }
}

/// When a record counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced: it survives power loss. The default.
    Durable,
    /// When it is written: it survives the process. Kafka's own default behaviour.
    PageCache,
}

/// A topic's settings as far as they bear on what is served, resolved: topic over broker over default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `max.message.bytes`: the largest batch, compared with the whole batch.
    pub message_bytes_max: u32,
    /// `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_ms_max: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_ms_max: i64,
    /// `compression.type`.
    pub compression: StoredCompression,
    /// `compression.gzip.level` and its like.
    pub compression_levels: CompressionLevels,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `min.insync.replicas`: at least 1. More than a partition has replicas counts as all of them,
    /// so on one node it refuses nothing.
    pub min_insync_replicas: u32,
}

impl Default for TopicConfig {
    /// Kafka 4.3's defaults (`LogConfig`).
    fn default() -> Self {
        Self {
            message_bytes_max: 1_048_588,
            log_append_time: false,
            timestamp_before_ms_max: i64::MAX,
            timestamp_after_ms_max: 3_600_000,
            compression: StoredCompression::AsProduced,
            compression_levels: CompressionLevels::default(),
            compacted: false,
            segment_bytes: 1 << 30,
            min_insync_replicas: 1,
        }
    }
}
