//! A log directory with topics in it, as Kafka would have left it: what real clients need as long as
//! topics cannot be created over the wire.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use klamm_core::batch::BatchBuilder;
use klamm_core::checkpoint::{MetaProperties, MetaPropertiesVersion, PartitionMetadata};
use klamm_core::config::Listener;
use klamm_core::ids::Uuid;
use klamm_core::records::{
    ConfigRecord, ControlRecord, FeatureLevelRecord, KRaftVersionFeature, KRaftVersionRecord,
    MetadataRecord, TopicRecord, Voter, VoterEndpoint, VotersRecord,
};
use klamm_sim::setup::{NODE_ID, directory_id, id, partition};

/// The features of a directory that Kafka 4.3 has formatted.
const FEATURES: [(&str, i16); 6] = [
    ("metadata.version", 30),
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

const KRAFT_VERSION: i16 = 1;

/// `ConfigResource.Type.TOPIC`.
const RESOURCE_TOPIC: i8 = 2;

/// `ConfigResource.Type.BROKER`.
const RESOURCE_BROKER: i8 = 4;

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Its id; `None` for one that follows from its place.
    pub id: Option<Uuid>,
    /// Its own settings.
    pub configs: Vec<(String, String)>,
    /// Which of the log directories it lies in, from 0.
    pub log_directory: u8,
}

impl NewTopic {
    /// A topic without settings of its own.
    pub fn new(name: &str, partitions: i32) -> Self {
        Self { name: name.to_owned(), partitions, id: None, configs: Vec::new(), log_directory: 0 }
    }

    /// Reads `name:partitions`, with settings of its own behind: `name:partitions,key=value,...`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let (name, partitions) = parts.next()?.rsplit_once(':')?;
        let partitions = partitions.parse().ok().filter(|count| *count > 0)?;
        let setting = |part: &str| {
            part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let configs = parts.map(setting).collect::<Option<_>>()?;
        (!name.is_empty()).then(|| Self { configs, ..Self::new(name, partitions) })
    }
}

/// Makes the log directory `path`, which must not be there, with these topics, all empty.
pub fn make(path: &Path, topics: &[NewTopic]) -> io::Result<()> {
    make_all(&[path], topics)
}

/// Makes the log directories `paths`, none of which must be there, with these topics, all empty. The
/// first has the metadata log.
pub fn make_all(paths: &[&Path], topics: &[NewTopic]) -> io::Result<()> {
    let cluster_id = id(0xc1, 0).to_string();
    for (directory, path) in (0..).zip(paths) {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::create_dir(path)?;
        for (name, content) in files_of(directory, &cluster_id, topics) {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap_or(path))?;
            fs::write(file, content)?;
        }
    }
    Ok(())
}

/// The files of such a directory, by their path in it; of the first one, if there are several.
pub fn files(cluster_id: &str, topics: &[NewTopic]) -> Vec<(String, Vec<u8>)> {
    files_of(0, cluster_id, topics)
}

fn files_of(directory: u8, cluster_id: &str, topics: &[NewTopic]) -> Vec<(String, Vec<u8>)> {
    let properties = MetaProperties {
        version: MetaPropertiesVersion::V1,
        cluster_id: Some(cluster_id.to_owned()),
        node_id: Some(NODE_ID),
        directory_id: Some(directory_id(directory.into())),
    };
    let mut files = vec![(MetaProperties::FILE.to_owned(), properties.format().into())];
    if directory == 0 {
        let metadata = "__cluster_metadata-0";
        files.push((format!("{metadata}/00000000000000000000.log"), metadata_log(topics)));
        files.push(partition_metadata(metadata, Uuid::METADATA_TOPIC));
    }
    let here = |(_, topic): &(usize, &NewTopic)| topic.log_directory == directory;
    for (at, topic) in topics.iter().enumerate().filter(here) {
        let directories = (0..topic.partitions).map(|index| format!("{}-{index}", topic.name));
        files.extend(directories.map(|name| partition_metadata(&name, topic_id(at, topic))));
    }
    files
}

fn partition_metadata(directory: &str, topic_id: Uuid) -> (String, Vec<u8>) {
    let content = PartitionMetadata { topic_id }.format();
    (format!("{directory}/{}", PartitionMetadata::FILE), content.into())
}

/// What Kafka writes at first, then one batch for each topic.
fn metadata_log(topics: &[NewTopic]) -> Vec<u8> {
    let mut log = Log::default();
    let version = KRaftVersionRecord { version: 0, kraft_version: KRAFT_VERSION };
    log.append(
        true,
        [ControlRecord::KRaftVersion(version), ControlRecord::KRaftVoters(voters())]
            .map(|record| control(&record)),
    );
    let features = FEATURES.map(|(name, feature_level)| {
        metadata(FeatureLevelRecord { name: name.into(), feature_level })
    });
    // Eligible leader replicas need the minimum of the whole cluster.
    let min_isr = metadata(ConfigRecord {
        resource_type: RESOURCE_BROKER,
        resource_name: String::new(),
        name: "min.insync.replicas".to_owned(),
        value: Some("1".to_owned()),
    });
    log.append(false, features.into_iter().chain([min_isr]));
    for (at, topic) in topics.iter().enumerate() {
        let topic_id = topic_id(at, topic);
        let config = |(name, value): &(String, String)| ConfigRecord {
            resource_type: RESOURCE_TOPIC,
            resource_name: topic.name.clone(),
            name: name.clone(),
            value: Some(value.clone()),
        };
        let mut batch = vec![metadata(TopicRecord { name: topic.name.clone(), topic_id })];
        batch.extend(topic.configs.iter().map(config).map(metadata));
        batch.extend(
            (0..topic.partitions)
                .map(|index| metadata(partition(topic_id, index, topic.log_directory.into()))),
        );
        log.append(false, batch);
    }
    log.bytes
}

type KeyAndValue = (Option<Bytes>, Bytes);

fn metadata(record: impl Into<MetadataRecord>) -> KeyAndValue {
    let record = record.into();
    (None, record.encode(record.version_max()))
}

fn control(record: &ControlRecord) -> KeyAndValue {
    let (key, value) = record.encode();
    (Some(key), value)
}

#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    end_offset: i64,
}

impl Log {
    fn append(&mut self, is_control: bool, records: impl IntoIterator<Item = KeyAndValue>) {
        let builder = BatchBuilder::new();
        let mut builder = if is_control { builder.control() } else { builder };
        for (key, value) in records {
            builder.append(0, key.as_deref(), Some(&value));
        }
        let offset = self.end_offset;
        self.end_offset += i64::from(builder.record_count());
        self.bytes.extend(builder.encode(offset, 1));
    }
}

/// Without them Kafka does not start on the level.
fn voters() -> VotersRecord {
    let Listener { name, host, port } = Listener::default_controller();
    let voter = Voter {
        voter_id: NODE_ID,
        voter_directory_id: directory_id(0),
        endpoints: vec![VoterEndpoint { name, host, port }],
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION,
        },
    };
    VotersRecord { version: 0, voters: vec![voter] }
}

fn topic_id(at: usize, topic: &NewTopic) -> Uuid {
    topic.id.unwrap_or_else(|| id(0x70, at as u64))
}

#[cfg(test)]
mod tests {
    use super::NewTopic;

    #[test]
    fn a_topic_is_read_with_its_settings() {
        let configs = [("segment.bytes", "1048576"), ("retention.ms", "-1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec();
        let expected = NewTopic { configs, ..NewTopic::new("a", 3) };
        assert_eq!(NewTopic::parse("a:3,segment.bytes=1048576,retention.ms=-1"), Some(expected));
        assert_eq!(NewTopic::parse("a:3"), Some(NewTopic::new("a", 3)));
        for wrong in ["a", "a:0", ":1", "a:1,", "a:1,key"] {
            assert_eq!(NewTopic::parse(wrong), None, "{wrong}");
        }
    }
}
