//! A log directory with topics in it, as Kafka would have left it: what real clients need as long as
//! topics cannot be created over the wire.

use std::fs;
use std::io;
use std::path::Path;

use klamm_core::batch::BatchBuilder;
use klamm_core::checkpoint::{MetaProperties, MetaPropertiesVersion, PartitionMetadata};
use klamm_core::ids::Uuid;
use klamm_core::records::{FeatureLevelRecord, MetadataRecord, PartitionRecord, TopicRecord};

/// The node that the directory belongs to, `node.id`'s default.
const NODE_ID: i32 = 1;

/// `metadata.version` of Kafka 4.3.
const METADATA_VERSION: i16 = 30;

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
}

impl NewTopic {
    /// Reads `name:partitions`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, partitions) = text.rsplit_once(':')?;
        let partitions = partitions.parse().ok().filter(|count| *count > 0)?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), partitions })
    }
}

/// Makes the log directory `path`, which must not be there, with these topics, all empty.
pub fn make(path: &Path, topics: &[NewTopic]) -> io::Result<()> {
    let metadata = path.join("__cluster_metadata-0");
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::create_dir(path)?;
    fs::create_dir(&metadata)?;
    let properties = MetaProperties {
        version: MetaPropertiesVersion::V1,
        cluster_id: Some(id(0xc1, 0).to_string()),
        node_id: Some(NODE_ID),
        directory_id: Some(directory_id()),
    };
    fs::write(path.join(MetaProperties::FILE), properties.format())?;
    fs::write(metadata.join("00000000000000000000.log"), metadata_log(topics))?;
    write_partition_metadata(&metadata, Uuid::METADATA_TOPIC)?;
    for (at, topic) in topics.iter().enumerate() {
        for partition in 0..topic.partitions {
            let directory = path.join(format!("{}-{partition}", topic.name));
            fs::create_dir(&directory)?;
            write_partition_metadata(&directory, topic_id(at))?;
        }
    }
    Ok(())
}

fn write_partition_metadata(directory: &Path, topic_id: Uuid) -> io::Result<()> {
    fs::write(directory.join(PartitionMetadata::FILE), PartitionMetadata { topic_id }.format())
}

/// One batch with the level, then one for each topic, from offset 0.
fn metadata_log(topics: &[NewTopic]) -> Vec<u8> {
    let level =
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: METADATA_VERSION };
    let mut batches = vec![vec![level.into()]];
    for (at, topic) in topics.iter().enumerate() {
        let record = TopicRecord { name: topic.name.clone(), topic_id: topic_id(at) };
        let mut batch: Vec<MetadataRecord> = vec![record.into()];
        batch.extend((0..topic.partitions).map(|index| partition(topic_id(at), index).into()));
        batches.push(batch);
    }
    let mut log = Vec::new();
    let mut offset = 0;
    for batch in batches {
        let mut builder = BatchBuilder::new();
        for record in &batch {
            let value = record.encode(record.version_max());
            builder.append(0, None, Some(&value));
        }
        log.extend(builder.encode(offset, 1));
        offset += batch.len() as i64;
    }
    log
}

fn partition(topic_id: Uuid, index: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id: index,
        topic_id,
        replicas: vec![NODE_ID],
        isr: vec![NODE_ID],
        leader: NODE_ID,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![directory_id()],
        ..PartitionRecord::default()
    }
}

fn directory_id() -> Uuid {
    id(0xd1, 0)
}

fn topic_id(at: usize) -> Uuid {
    id(0x70, at)
}

/// An id in the form of a random UUID that is the same in every directory.
fn id(kind: u8, number: usize) -> Uuid {
    let mut bytes = [kind, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[12..].copy_from_slice(&(number as u32 + 1).to_be_bytes());
    Uuid(bytes)
}
