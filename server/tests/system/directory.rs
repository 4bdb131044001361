//! A data directory as a tester of Kafka clones makes it: only what is needed, by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::encode::{Batch, Bytes};

/// The directory ids that `meta.properties` names: 10000000-0000-4000-8000-000000000001, and of a
/// second log directory the same with a 2.
const DIRECTORY_ID: [u8; 16] = [0x10, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1];

/// The name of a log's first segment.
const SEGMENT: &str = "00000000000000000000.log";

/// A topic of the directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    /// The last byte of its id.
    pub(crate) id: u8,
    pub(crate) partitions: i32,
}

impl Topic {
    pub(crate) fn id_bytes(&self) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, self.id]
    }

    /// The id in base64, padded. The bits before the last three bytes are those of
    /// `00000000-0000-4000-8000`.
    fn id_text(&self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let last = [ALPHABET[usize::from(self.id >> 2)], ALPHABET[usize::from(self.id & 3) << 4]];
        format!("AAAAAAAAQACAAAAAAAAA{}{}==", char::from(last[0]), char::from(last[1]))
    }
}

/// A temporary directory with `server.properties` and a log directory; removed when dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Writes everything. The listeners are on `port`; 0 lets the server find a free one.
    pub(crate) fn new(topics: &[Topic]) -> Self {
        Self::below(&std::env::temp_dir(), topics)
    }

    /// The same in a directory of its own below `parent`.
    pub(crate) fn below(parent: &Path, topics: &[Topic]) -> Self {
        let directory = Self { root: unused_path(parent) };
        directory.write(&metadata_log(topics, &[]));
        put_topics(&directory.logs(), topics);
        directory
    }

    /// The same with a second log directory, which must be there and empty, and topics in it.
    pub(crate) fn with_second(topics: &[Topic], second: &Path, second_topics: &[Topic]) -> Self {
        let directory = Self { root: unused_path(&std::env::temp_dir()) };
        directory.write(&metadata_log(topics, second_topics));
        put_topics(&directory.logs(), topics);
        fs::write(second.join("meta.properties"), meta_properties("g")).expect("written");
        put_topics(second, second_topics);
        let both = format!("{},{}", directory.logs().display(), second.display());
        directory.set("log.dirs", &both);
        directory
    }

    fn write(&self, metadata_log: &[u8]) {
        let metadata = self.logs().join("__cluster_metadata-0");
        fs::create_dir_all(&metadata).expect("a directory can be made");
        fs::write(self.properties(), self.properties_text()).expect("written");
        fs::write(self.logs().join("meta.properties"), meta_properties("Q")).expect("written");
        fs::write(metadata.join(SEGMENT), metadata_log).expect("written");
        fs::write(
            metadata.join("partition.metadata"),
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ==",
        )
        .expect("written");
    }

    /// `server.properties`.
    pub(crate) fn properties(&self) -> PathBuf {
        self.root.join("server.properties")
    }

    /// Adds a line to `server.properties`; it goes before an earlier one of the same key.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let text = fs::read_to_string(self.properties()).expect("read");
        fs::write(self.properties(), format!("{text}{key}={value}\n")).expect("written");
    }

    /// The log directory.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("kraft-combined-logs")
    }

    /// The first segment of a partition.
    pub(crate) fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        segment_in(&self.logs(), topic, partition)
    }

    /// The bytes of that segment; none when the file is not there yet.
    pub(crate) fn segment_bytes(&self, topic: &str, partition: i32) -> Vec<u8> {
        fs::read(self.segment(topic, partition)).unwrap_or_default()
    }

    fn properties_text(&self) -> String {
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@localhost:9093\n\
             listeners=PLAINTEXT://:0,CONTROLLER://:9093\n\
             inter.broker.listener.name=PLAINTEXT\n\
             advertised.listeners=PLAINTEXT://localhost:0\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\
             SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
             num.network.threads=3\n\
             num.io.threads=8\n\
             socket.send.buffer.bytes=102400\n\
             socket.receive.buffer.bytes=102400\n\
             socket.request.max.bytes=104857600\n\
             log.dirs={}\n\
             num.partitions=1\n\
             num.recovery.threads.per.data.dir=1\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             log.retention.hours=168\n\
             log.segment.bytes=1073741824\n\
             log.retention.check.interval.ms=300000\n",
            Path::display(&self.logs())
        )
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.root);
        if !std::thread::panicking() {
            removed.expect("nobody uses the directory any more");
        }
    }
}

/// A name that no other test uses.
pub(crate) fn unused_path(parent: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    parent.join(format!("klamm-test-{}-{number}", std::process::id()))
}

/// The first segment of a partition in a log directory.
pub(crate) fn segment_in(logs: &Path, topic: &str, partition: i32) -> PathBuf {
    logs.join(format!("{topic}-{partition}")).join(SEGMENT)
}

/// `directory_end` is the last digit of the directory's id in base64.
fn meta_properties(directory_end: &str) -> String {
    format!(
        "#\n#Tue Oct 08 21:07:54 UTC 2024\nnode.id=1\nversion=1\n\
         directory.id=EAAAAAAAQACAAAAAAAAAA{directory_end}\ncluster.id=IAAAAAAAQACAAAAAAAAAAQ\n"
    )
}

fn put_topics(logs: &Path, topics: &[Topic]) {
    for topic in topics {
        for partition in 0..topic.partitions {
            let path = logs.join(format!("{}-{partition}", topic.name));
            fs::create_dir(&path).expect("made");
            let text = format!("version: 0\ntopic_id: {}", topic.id_text());
            fs::write(path.join("partition.metadata"), text).expect("written");
        }
    }
}

/// `FeatureLevelRecord` in a batch at offset 1, then a batch for each topic.
fn metadata_log(topics: &[Topic], second_topics: &[Topic]) -> Vec<u8> {
    let level = Bytes::new().raw(&[1, 12, 0]).compact_string("metadata.version").i16(20).no_tags();
    let mut offset = 1;
    let mut log = Batch::new().base_offset(offset).leader_epoch(1).value(&level.0).encode();
    let placed = |directory| move |topic| (topic, directory);
    let topics = topics.iter().map(placed(1)).chain(second_topics.iter().map(placed(2)));
    for (topic, directory) in topics {
        offset += 1;
        let record = Bytes::new()
            .raw(&[1, 2, 0])
            .compact_string(topic.name)
            .raw(&topic.id_bytes())
            .no_tags();
        let mut batch = Batch::new().base_offset(offset).leader_epoch(1).value(&record.0);
        for partition in 0..topic.partitions {
            offset += 1;
            batch = batch.value(&partition_record(topic, partition, directory).0);
        }
        log.extend(batch.encode());
    }
    log
}

/// `PartitionRecord` version 1: on node 1 alone, leader epoch 0.
fn partition_record(topic: &Topic, partition: i32, directory: u8) -> Bytes {
    let mut directory_id = DIRECTORY_ID;
    directory_id[15] = directory;
    Bytes::new()
        .raw(&[1, 3, 1])
        .i32(partition)
        .raw(&topic.id_bytes())
        .compact_i32s(&[1])
        .compact_i32s(&[1])
        .compact_i32s(&[])
        .compact_i32s(&[])
        .i32(1)
        .i32(0)
        .i32(0)
        .compact_array(1)
        .raw(&directory_id)
        .no_tags()
}
