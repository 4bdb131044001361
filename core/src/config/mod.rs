//! Everything that can be set, and every limit with its reason.

mod cleaner;
mod compression;
mod creation;
mod groups;
pub mod keys;
pub mod limits;
mod listeners;
mod metadata_log;
mod parse;
mod tasks;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use cleaner::CleanerConfig;
pub use compression::{CompressionLevels, StoredCompression};
pub use creation::CreationConfig;
pub use groups::GroupConfig;
pub use limits::Limits;
pub use metadata_log::MetadataLogConfig;
pub use parse::{ConfigError, Settings, parse};
pub use tasks::TaskConfig;

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
    /// What topics get that are created without saying so.
    pub creation: CreationConfig,
    /// How often periodic work is done.
    pub tasks: TaskConfig,
    /// Groups and the offsets that they commit.
    pub groups: GroupConfig,
    /// How logs are compacted.
    pub cleaner: CleanerConfig,
    /// How the metadata log is kept short.
    pub metadata_log: MetadataLogConfig,
    /// Limits, each with its reason.
    pub limits: Limits,
    /// All that was set, as it was written, by key: what clients are told. The other fields are made
    /// of it, or stand for themselves where the broker is embedded.
    pub settings: Arc<BTreeMap<String, String>>,
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
    /// `cleanup.policy` has `compact`: every record needs a key, of which the last one stays.
    pub compacted: bool,
    /// `delete.retention.ms`: how long a tombstone stays, once what it stands for is gone.
    pub delete_retention_ms: u64,
    /// `min.cleanable.dirty.ratio`: how much of a log must be new, in millionths.
    pub dirty_ppm_min: u32,
    /// `min.compaction.lag.ms`: how long a record stays uncompacted at least.
    pub compaction_lag_ms_min: u64,
    /// `max.compaction.lag.ms`: how long it waits for compaction at most.
    pub compaction_lag_ms_max: u64,
    /// `cleanup.policy` has `delete`: `retention.ms` and `retention.bytes` count.
    pub deletes_old: bool,
    /// `retention.ms`; -1 for no limit.
    pub retention_ms: i64,
    /// `retention.bytes`; below 0 for no limit.
    pub retention_bytes: i64,
    /// `file.delete.delay.ms`: between the rename of a deleted segment and its unlink.
    pub file_delete_delay_ms: u64,
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`: the age at which the active segment is closed.
    pub segment_ms: u64,
    /// `segment.jitter.ms`: up to so much is taken off that, so that not all logs roll at once.
    pub segment_jitter_ms: u64,
    /// `index.interval.bytes`: bytes of batches between two index entries.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: a segment whose index has reached this is full.
    pub segment_index_bytes: u32,
    /// `flush.messages`: records that may lie unsynced, in page-cache mode.
    pub flush_messages: u64,
    /// `flush.ms`: how long they may, as the scheduler sees it.
    pub flush_ms: u64,
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
            delete_retention_ms: 86_400_000,
            dirty_ppm_min: 500_000,
            compaction_lag_ms_min: 0,
            compaction_lag_ms_max: i64::MAX as u64,
            deletes_old: true,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            index_interval_bytes: 4_096,
            segment_index_bytes: 10 << 20,
            flush_messages: i64::MAX as u64,
            flush_ms: i64::MAX as u64,
            min_insync_replicas: 1,
        }
    }
}
