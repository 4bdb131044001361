//! Log directories with topics in them, as a broker would have left them after a clean stop long
//! ago: what a run begins with as long as topics cannot be created over the wire.

use std::collections::BTreeMap;

use klamm_core::batch::BatchBuilder;
use klamm_core::checkpoint::{MetaProperties, MetaPropertiesVersion, PartitionMetadata};
use klamm_core::config::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use klamm_core::effect::Path;
use klamm_core::ids::Uuid;
use klamm_core::records::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord,
};

use crate::checker::TopicFormat;
use crate::client::KnownTopic;
use crate::options::Options;

/// What is there before the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// `log.dirs`.
    pub log_dirs: Vec<Path>,
    /// Topics, their partitions spread over the log directories.
    pub topics: Vec<KnownTopic>,
    /// Files and their content.
    pub files: Vec<(Path, Vec<u8>)>,
}

/// The node that such directories belong to, `node.id`'s default.
pub const NODE_ID: i32 = 1;

/// `metadata.version` of Kafka 4.3.
const METADATA_VERSION: i16 = 30;

impl Installation {
    /// What `options` ask for.
    pub fn new(options: &Options) -> Self {
        Self::below(&Path::new("/"), options)
    }

    /// The same, its log directories below `root`.
    pub fn below(root: &Path, options: &Options) -> Self {
        let log_dir = |index| root.join(&format!("data{index}"));
        let mut log_dirs: Vec<Path> = (0..options.log_dirs.max(1)).map(log_dir).collect();
        let topic = |index: u64| KnownTopic {
            name: format!("topic{index}"),
            id: id(0x70, index),
            partitions: options.partitions as i32,
            format: format_of(options, index),
        };
        let topics: Vec<KnownTopic> = (0..options.topics).map(topic).collect();
        let mut files = Vec::new();
        for (index, log_dir) in (0..).zip(&log_dirs) {
            let properties = MetaProperties {
                version: MetaPropertiesVersion::V1,
                cluster_id: Some(id(0xc1, 0).to_string()),
                node_id: Some(NODE_ID),
                directory_id: Some(directory_id(index)),
            };
            files.push((log_dir.join(MetaProperties::FILE), properties.format().into_bytes()));
        }
        let metadata = log_dirs[0].join("__cluster_metadata-0");
        let log = metadata_log(&topics, log_dirs.len() as u64, options);
        files.push((metadata.join("00000000000000000000.log"), log));
        files.push(partition_metadata(&metadata, Uuid::METADATA_TOPIC));
        if options.partition_dirs == 1 {
            for (topic, index) in partitions(&topics) {
                let log_dir = &log_dirs[directory_of(index, log_dirs.len() as u64) as usize];
                let directory = log_dir.join(&format!("{}-{index}", topic.name));
                files.push(partition_metadata(&directory, topic.id));
            }
        }
        let blank = (log_dirs.len() as u64..).take(options.blank_log_dirs as usize);
        log_dirs.extend(blank.map(log_dir));
        Self { log_dirs, topics, files }
    }

    /// The broker's configuration on this installation.
    pub fn config(&self, options: &Options) -> Config {
        let listener =
            Listener { name: "PLAINTEXT".to_owned(), host: "broker".to_owned(), port: 9092 };
        Config {
            node_id: NODE_ID,
            listeners: vec![listener.clone()],
            advertised: vec![listener],
            controller: Listener::default_controller(),
            log_dirs: self.log_dirs.clone(),
            durability: match options.page_cache {
                0 => Durability::Durable,
                _ => Durability::PageCache,
            },
            topic_defaults: topic_config(options),
            creation: CreationConfig::default(),
            tasks: tasks(options),
            cleaner: cleaner(options),
            metadata_log: metadata_log_config(options),
            groups: group_config(options),
            limits: limits(options),
            settings: std::sync::Arc::new(settings(options)),
        }
    }
}

/// The option, or what the broker has itself when it is 0.
fn or(option: u64, own: u64) -> u64 {
    if option == 0 { own } else { option }
}

/// The option, or Kafka's word for no limit when it is 0.
fn or_unlimited(option: u64) -> i64 {
    if option == 0 { -1 } else { option as i64 }
}

fn topic_config(options: &Options) -> TopicConfig {
    let own = TopicConfig::default();
    TopicConfig {
        segment_bytes: options.segment_bytes as u32,
        segment_ms: or(options.segment_ms, own.segment_ms),
        segment_jitter_ms: options.segment_jitter_ms,
        retention_ms: or_unlimited(options.retention_ms),
        retention_bytes: or_unlimited(options.retention_bytes),
        file_delete_delay_ms: or(options.file_delete_delay_ms, own.file_delete_delay_ms),
        index_interval_bytes: or(options.index_interval_bytes, own.index_interval_bytes.into())
            as u32,
        segment_index_bytes: or(options.segment_index_bytes, own.segment_index_bytes.into()) as u32,
        flush_messages: or(options.flush_messages, own.flush_messages),
        dirty_ppm_min: options.dirty_per_mille as u32 * 1_000,
        delete_retention_ms: delete_retention_ms(options),
        compaction_lag_ms_min: options.compaction_lag_ms,
        ..own
    }
}

/// `delete.retention.ms` of the topics.
pub fn delete_retention_ms(options: &Options) -> u64 {
    let own = TopicConfig::default().delete_retention_ms;
    options.delete_retention_ms.checked_sub(1).unwrap_or(own)
}

fn cleaner(options: &Options) -> CleanerConfig {
    let own = CleanerConfig::default();
    CleanerConfig {
        backoff_ms: or(options.cleaner_backoff_ms, own.backoff_ms),
        dedupe_bytes: or(options.cleaner_dedupe_bytes, own.dedupe_bytes),
        io_bytes_per_second: Some(options.cleaner_bytes_per_second).filter(|bytes| *bytes > 0),
        ..own
    }
}

fn metadata_log_config(options: &Options) -> MetadataLogConfig {
    let own = MetadataLogConfig::default();
    MetadataLogConfig {
        snapshot_bytes: or(options.metadata_snapshot_bytes, own.snapshot_bytes),
        segment_bytes: or(options.metadata_segment_bytes, own.segment_bytes.into()) as u32,
        retention_bytes: or(options.metadata_retention_bytes, own.retention_bytes as u64) as i64,
        ..own
    }
}

fn group_config(options: &Options) -> GroupConfig {
    let own = GroupConfig::default();
    GroupConfig {
        session_timeout_ms_min: SESSION_MS_MIN,
        initial_rebalance_delay_ms: options.initial_rebalance_ms as i32,
        members_max: or(options.group_size_max, own.members_max as u64) as i32,
        offsets_retention_ms: or(options.offsets_retention_ms, own.offsets_retention_ms as u64)
            as i64,
        offsets_check_interval_ms: or(options.offsets_check_ms, own.offsets_check_interval_ms),
        ..own
    }
}

/// Nobody may be silent for less than that.
pub const SESSION_MS_MIN: i32 = 10;

/// What the broker is told in the words of `server.properties`.
fn settings(options: &Options) -> BTreeMap<String, String> {
    let partitions = options.offsets_partitions;
    let told = (partitions > 0).then_some(("offsets.topic.num.partitions", partitions));
    told.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

fn tasks(options: &Options) -> TaskConfig {
    let interval = options.task_interval_ms;
    if interval == 0 {
        return TaskConfig::default();
    }
    TaskConfig {
        initial_delay_ms: interval,
        retention_check_interval_ms: interval,
        flush_scheduler_interval_ms: Some(interval),
        recovery_point_interval_ms: 2 * interval,
        log_start_interval_ms: 3 * interval,
        high_watermark_interval_ms: 2 * interval,
        ..TaskConfig::default()
    }
}

fn limits(options: &Options) -> Limits {
    let default = Limits::default();
    Limits {
        job_piece_bytes: or(options.job_piece_bytes, default.job_piece_bytes.into()) as u32,
        jobs_max: or(options.jobs_max, default.jobs_max as u64) as usize,
        synced_checkpoint_interval_ms: or(
            options.checkpoint_interval_ms,
            default.synced_checkpoint_interval_ms,
        ),
        request_budget_bytes: or(options.request_budget_bytes, default.request_budget_bytes as u64)
            as usize,
        fetch_sessions_max: or(options.session_slots, default.fetch_sessions_max as u64) as usize,
        read_bytes: or(options.read_bytes, default.read_bytes.into()) as u32,
        read_ahead_bytes_max: or(options.read_ahead_bytes_max, default.read_ahead_bytes_max.into())
            as u32,
        frame_eager_bytes: or(options.frame_eager_bytes, default.frame_eager_bytes.into()) as u32,
        ..default
    }
}

fn partitions(topics: &[KnownTopic]) -> impl Iterator<Item = (&KnownTopic, i32)> {
    topics.iter().flat_map(|topic| (0..topic.partitions).map(move |index| (topic, index)))
}

fn partition_metadata(directory: &Path, topic_id: Uuid) -> (Path, Vec<u8>) {
    (directory.join(PartitionMetadata::FILE), PartitionMetadata { topic_id }.format().into_bytes())
}

/// One batch with the level, then one for each topic, from offset 0.
fn metadata_log(topics: &[KnownTopic], log_dirs: u64, options: &Options) -> Vec<u8> {
    let level =
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: METADATA_VERSION };
    let mut batches: Vec<Vec<MetadataRecord>> = vec![vec![level.into()]];
    for topic in topics {
        let record = TopicRecord { name: topic.name.clone(), topic_id: topic.id };
        let of_partition = |index| {
            let directory = directory_of(index, log_dirs);
            MetadataRecord::from(partition(topic.id, index, directory))
        };
        let records = (0..topic.partitions).map(of_partition);
        let settings = settings_of(topic, options).into_iter().map(MetadataRecord::from);
        let topic = std::iter::once(record.into());
        batches.push(topic.chain(records).chain(settings).collect());
    }
    let mut log = Vec::new();
    let mut offset = 0;
    for batch in batches {
        let mut builder = BatchBuilder::new();
        for record in &batch {
            builder.append(0, None, Some(&record.encode(record.version_max())));
        }
        log.extend(builder.encode(offset, 1));
        offset += batch.len() as i64;
    }
    log
}

/// The formats of a topic's batches, by the topic's number.
fn format_of(options: &Options, topic: u64) -> TopicFormat {
    let topic = topic.min(20) as u32;
    let codec = match options.topic_codecs / 6_u64.pow(topic) % 6 {
        0 => None,
        5 => Some(0),
        codec => Some(codec as u8),
    };
    let is_set = |bits: u64| bits >> topic & 1 == 1;
    let keys = if is_set(options.compacted_topics) { options.compact_keys.max(1) } else { 0 };
    let append_time = is_set(options.append_time_topics);
    let tombstones_per_mille = if keys == 0 { 0 } else { options.tombstones_per_mille };
    let tombstone_ms = delete_retention_ms(options);
    TopicFormat { codec, append_time, keys, tombstones_per_mille, tombstone_ms }
}

fn settings_of(topic: &KnownTopic, options: &Options) -> Vec<ConfigRecord> {
    const CODECS: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];
    let setting = |name: &str, value: &str| ConfigRecord {
        resource_type: 2,
        resource_name: topic.name.clone(),
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let codec = topic.format.codec.map(|codec| CODECS[usize::from(codec)]);
    let codec = codec.map(|codec| setting("compression.type", codec));
    let append_time = topic.format.append_time;
    let append_time = append_time.then(|| setting("message.timestamp.type", "LogAppendTime"));
    let policy = if options.compact_and_delete == 1 { "compact,delete" } else { "compact" };
    let policy = topic.format.is_compacted().then(|| setting("cleanup.policy", policy));
    codec.into_iter().chain(append_time).chain(policy).collect()
}

/// A partition in the log directory `directory`, led by the one node that there is.
pub fn partition(topic_id: Uuid, index: i32, directory: u64) -> PartitionRecord {
    PartitionRecord {
        partition_id: index,
        topic_id,
        replicas: vec![NODE_ID],
        isr: vec![NODE_ID],
        leader: NODE_ID,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![directory_id(directory)],
        ..PartitionRecord::default()
    }
}

fn directory_of(partition: i32, log_dirs: u64) -> u64 {
    partition as u64 % log_dirs
}

/// The `directory.id` of a log directory, by its place.
pub fn directory_id(index: u64) -> Uuid {
    id(0xd1, index)
}

/// An id in the form of a random UUID that is the same in every run.
pub fn id(kind: u8, number: u64) -> Uuid {
    let mut bytes = [kind, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[12..].copy_from_slice(&(number as u32 + 1).to_be_bytes());
    Uuid(bytes)
}
