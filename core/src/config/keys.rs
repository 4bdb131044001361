//! The keys of `server.properties` that do something here, in one table.
//!
//! Names, types, bounds and defaults are Kafka's (`KafkaConfig`, `SocketServerConfigs`,
//! `ServerLogConfigs`, `KRaftConfigs`), except for a first start without a file, which must need
//! nothing: there the broker listens on the loopback address and keeps its data beside it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{CompressionLevels, Listener, StoredCompression, listeners};

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written in the file.
    pub name: &'static str,
    /// What its value may be.
    pub value_type: ValueType,
    /// What holds when the key is absent, as it would be written; `None` when it follows from
    /// other keys.
    pub default: Option<&'static str>,
    /// What it does, in a sentence.
    pub documentation: &'static str,
}

/// Finds a key by its name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Every key that is served.
pub const KEYS: &[Key] = &[
    Key {
        name: "process.roles",
        value_type: ValueType::Words(&["broker", "controller"]),
        default: Some("broker,controller"),
        documentation: "What this process is. It always keeps the cluster's metadata itself; \
                        `broker` must be among the roles, since serving clients is all it is for.",
    },
    Key {
        name: "node.id",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("1"),
        documentation: "The number of this node. A data directory keeps the one it began with.",
    },
    Key {
        name: "controller.quorum.voters",
        value_type: ValueType::Voters,
        default: None,
        documentation: "The metadata quorum, as id@host:port. Only this node can be in it.",
    },
    Key {
        name: "controller.quorum.bootstrap.servers",
        value_type: ValueType::Endpoints,
        default: None,
        documentation: "Where Kafka would find the metadata quorum, as host:port. Checked for its \
                        form; this node is the quorum.",
    },
    Key {
        name: "listeners",
        value_type: ValueType::Listeners,
        default: Some("PLAINTEXT://127.0.0.1:9092"),
        documentation: "Where clients connect, as NAME://host:port. An empty host is every \
                        interface, port 0 a free one. Those of controller.listener.names are not \
                        opened.",
    },
    Key {
        name: "advertised.listeners",
        value_type: ValueType::Listeners,
        default: None,
        documentation: "The addresses that clients are told, one for each listener. Absent: the \
                        listeners, with `localhost` where they have no host.",
    },
    Key {
        name: "inter.broker.listener.name",
        value_type: ValueType::Name,
        default: None,
        documentation: "The listener for other brokers; it must be one that is served.",
    },
    Key {
        name: "controller.listener.names",
        value_type: ValueType::Names,
        default: Some("CONTROLLER"),
        documentation: "The listeners of the metadata quorum. They are accepted and not opened: \
                        the quorum is inside this process.",
    },
    Key {
        name: "listener.security.protocol.map",
        value_type: ValueType::ProtocolMap,
        default: Some(
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\
             SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        ),
        documentation: "The security protocol of each listener name. Clients are served in \
                        PLAINTEXT alone.",
    },
    Key {
        name: "log.dirs",
        value_type: ValueType::Directories,
        default: None,
        documentation: "The directories that hold the data. Absent: log.dir.",
    },
    Key {
        name: "log.dir",
        value_type: ValueType::Directories,
        default: Some("./klamm-data"),
        documentation: "The directory that holds the data when log.dirs is absent.",
    },
    Key {
        name: "klamm.durability",
        value_type: ValueType::Word(&["durable", "page-cache"]),
        default: Some("durable"),
        documentation: "When a record is acknowledged: once it is synced to disk (it survives \
                        power loss), or once the operating system has it (it survives a kill), \
                        which is what Kafka does.",
    },
    Key {
        name: "klamm.driver",
        value_type: ValueType::Name,
        default: Some("std"),
        documentation: "What carries the broker: `std` is a thread for each connection, `smol` a \
                        task for each on few threads.",
    },
    Key {
        name: "socket.request.max.bytes",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("104857600"),
        documentation: "The longest request; a longer one closes its connection.",
    },
    Key {
        name: "queued.max.request.bytes",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: Some("-1"),
        documentation: "Request bytes in memory, over all connections; at least \
                        socket.request.max.bytes. -1 or 0: the built-in limit.",
    },
    Key {
        name: "connections.max.idle.ms",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: Some("600000"),
        documentation: "A connection on which nothing is received or sent for so long is closed, \
                        unless an answer is awaited. Below 0: never.",
    },
    Key {
        name: "max.connections",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("2147483647"),
        documentation: "Connections at once. Who comes later waits to be accepted until another \
                        connection ends. 2147483647: the built-in limit.",
    },
    Key {
        name: "max.request.partition.size.limit",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("2000"),
        documentation: "Partitions in one answer to DescribeTopicPartitions.",
    },
    Key {
        name: "message.max.bytes",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("1048588"),
        documentation: "The largest record batch that a topic takes, in bytes as sent.",
    },
    Key {
        name: "log.segment.bytes",
        value_type: ValueType::Integer { min: 1 << 20, max: i32::MAX as i64 },
        default: Some("1073741824"),
        documentation: "The size at which a log begins a new segment file.",
    },
    Key {
        name: "log.roll.ms",
        value_type: ValueType::Integer { min: 1, max: i64::MAX },
        default: None,
        documentation: "The age at which the active segment of a log is closed. Absent: \
                        log.roll.hours.",
    },
    Key {
        name: "log.roll.hours",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("168"),
        documentation: "The same in hours, where log.roll.ms is absent.",
    },
    Key {
        name: "log.roll.jitter.ms",
        value_type: ValueType::Integer { min: 0, max: i64::MAX },
        default: None,
        documentation: "Up to so much is taken off that age, so that not all logs roll at \
                        once. Absent: log.roll.jitter.hours.",
    },
    Key {
        name: "log.roll.jitter.hours",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("0"),
        documentation: "The same in hours, where log.roll.jitter.ms is absent.",
    },
    Key {
        name: "log.index.interval.bytes",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("4096"),
        documentation: "Bytes of batches between two entries of a segment's index.",
    },
    Key {
        name: "log.index.size.max.bytes",
        value_type: ValueType::Integer { min: 4, max: i32::MAX as i64 },
        default: Some("10485760"),
        documentation: "The size at which a segment's index is full, and the next segment \
                        begins.",
    },
    Key {
        name: "log.message.timestamp.type",
        value_type: ValueType::Word(&["CreateTime", "LogAppendTime"]),
        default: Some("CreateTime"),
        documentation: "Whose time records carry: the producer's or the broker's.",
    },
    Key {
        name: "log.message.timestamp.before.max.ms",
        value_type: ValueType::Integer { min: 0, max: i64::MAX },
        default: Some("9223372036854775807"),
        documentation: "How far a producer's timestamp may lie behind the broker's time.",
    },
    Key {
        name: "log.message.timestamp.after.max.ms",
        value_type: ValueType::Integer { min: 0, max: i64::MAX },
        default: Some("3600000"),
        documentation: "How far a producer's timestamp may lie ahead of the broker's time.",
    },
    Key {
        name: "log.cleanup.policy",
        value_type: ValueType::Words(&["delete", "compact"]),
        default: Some("delete"),
        documentation: "What becomes of old records. With `compact`, every record needs a key.",
    },
    Key {
        name: "log.retention.ms",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: None,
        documentation: "How long records are kept at least. Below 0: for ever. Absent: \
                        log.retention.minutes.",
    },
    Key {
        name: "log.retention.minutes",
        value_type: ValueType::Integer { min: i32::MIN as i64, max: i32::MAX as i64 },
        default: None,
        documentation: "The same in minutes. Absent: log.retention.hours.",
    },
    Key {
        name: "log.retention.hours",
        value_type: ValueType::Integer { min: i32::MIN as i64, max: i32::MAX as i64 },
        default: Some("168"),
        documentation: "The same in hours, where the others are absent. Below 0: for ever.",
    },
    Key {
        name: "log.retention.bytes",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: Some("-1"),
        documentation: "Bytes of a partition that are kept at least. Below 0: all.",
    },
    Key {
        name: "log.retention.check.interval.ms",
        value_type: ValueType::Integer { min: 1, max: i64::MAX },
        default: Some("300000"),
        documentation: "How often logs are looked at for segments to delete.",
    },
    Key {
        name: "log.segment.delete.delay.ms",
        value_type: ValueType::Integer { min: 0, max: i64::MAX },
        default: Some("60000"),
        documentation: "How long the files of a deleted segment stay, renamed.",
    },
    Key {
        name: "log.initial.task.delay.ms",
        value_type: ValueType::Integer { min: 0, max: i64::MAX },
        default: Some("30000"),
        documentation: "How long after the start the logs' periodic work begins.",
    },
    Key {
        name: "log.flush.interval.messages",
        value_type: ValueType::Integer { min: 1, max: i64::MAX },
        default: Some("9223372036854775807"),
        documentation: "Records of a log that may lie unsynced. Only \
                        klamm.durability=page-cache lets any.",
    },
    Key {
        name: "log.flush.interval.ms",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: None,
        documentation: "How long they may, as log.flush.scheduler.interval.ms lets it be \
                        seen. Absent: that.",
    },
    Key {
        name: "log.flush.scheduler.interval.ms",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: Some("9223372036854775807"),
        documentation: "How often logs are looked at for such records.",
    },
    Key {
        name: "log.flush.offset.checkpoint.interval.ms",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("60000"),
        documentation: "How often the recovery points are written for Kafka to find.",
    },
    Key {
        name: "log.flush.start.offset.checkpoint.interval.ms",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("60000"),
        documentation: "How often the starts of logs are written, when nothing waits for \
                        it.",
    },
    Key {
        name: "replica.high.watermark.checkpoint.interval.ms",
        value_type: ValueType::Integer { min: i64::MIN, max: i64::MAX },
        default: Some("5000"),
        documentation: "How often the high watermarks are written for Kafka to find.",
    },
    Key {
        name: "fetch.max.bytes",
        value_type: ValueType::Integer { min: 1024, max: i32::MAX as i64 },
        default: Some("57671680"),
        documentation: "Record bytes in one answer to Fetch, and its first batch whatever \
                        its size.",
    },
    Key {
        name: "max.incremental.fetch.session.cache.slots",
        value_type: ValueType::Integer { min: 0, max: i32::MAX as i64 },
        default: Some("1000"),
        documentation: "Fetch sessions at once.",
    },
    Key {
        name: "producer.id.expiration.ms",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("86400000"),
        documentation: "How long a silent producer's last batches are remembered.",
    },
    Key {
        name: "producer.id.expiration.check.interval.ms",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("600000"),
        documentation: "How often such producers are looked for.",
    },
    Key {
        name: "compression.type",
        value_type: ValueType::Word(StoredCompression::NAMES),
        default: Some("producer"),
        documentation: "The codec that batches are stored in; `producer` keeps that of the \
                        producer. Others cost the broker's time.",
    },
    Key {
        name: "compression.gzip.level",
        value_type: ValueType::Word(CompressionLevels::GZIP),
        default: Some("-1"),
        documentation: "The level of gzip where the broker compresses; -1 is gzip's own default.",
    },
    Key {
        name: "compression.lz4.level",
        value_type: ValueType::Integer {
            min: CompressionLevels::LZ4.0,
            max: CompressionLevels::LZ4.1,
        },
        default: Some("9"),
        documentation: "The level of lz4 where the broker compresses. There is one level here, so \
                        it makes no difference.",
    },
    Key {
        name: "compression.zstd.level",
        value_type: ValueType::Integer {
            min: CompressionLevels::ZSTD.0,
            max: CompressionLevels::ZSTD.1,
        },
        default: Some("3"),
        documentation: "The level of zstd where the broker compresses. There is one level here, \
                        about zstd's first, so it makes no difference.",
    },
    Key {
        name: "min.insync.replicas",
        value_type: ValueType::Integer { min: 1, max: i32::MAX as i64 },
        default: Some("1"),
        documentation: "How many replicas must have a record for acks=all. A partition with fewer \
                        replicas needs them all; here it has one.",
    },
];

/// What a key's value may be. Blanks around values and around the parts of a list do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A whole number, both ends included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of these.
    Word(&'static [&'static str]),
    /// Some of these, by comma.
    Words(&'static [&'static str]),
    /// A name.
    Name,
    /// Names, by comma.
    Names,
    /// Paths, by comma; at least one.
    Directories,
    /// `NAME://host:port`, by comma; at least one.
    Listeners,
    /// `NAME:PROTOCOL`, by comma.
    ProtocolMap,
    /// `host:port`, by comma.
    Endpoints,
    /// `id@host:port`, by comma.
    Voters,
}

/// The names of Kafka's security protocols (`SecurityProtocol`).
const PROTOCOLS: &[&str] = &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

impl ValueType {
    /// What may be written, as a phrase for an error message.
    pub fn allowed(self) -> String {
        match self {
            Self::Integer { min, max } => format!("an integer from {min} to {max}"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Words(words) => format!("a list of {}", words.join(", ")),
            Self::Name => "a name".to_string(),
            Self::Names => "names, by comma".to_string(),
            Self::Directories => "directories, by comma, each once".to_string(),
            Self::Listeners => "NAME://host:port, by comma, each name and each address once, an \
                                IPv6 address in brackets, ports from 0 to 65535"
                .to_string(),
            Self::ProtocolMap => {
                format!("NAME:PROTOCOL, by comma, the protocol one of {}", PROTOCOLS.join(", "))
            }
            Self::Endpoints => "host:port, by comma".to_string(),
            Self::Voters => "id@host:port, by comma".to_string(),
        }
    }

    /// Reads a value; `None` when it is not [`allowed`](Self::allowed).
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Integer { min, max } => {
                text.parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Integer)
            }
            Self::Word(words) => words.contains(&text).then(|| Value::Text(text.to_string())),
            Self::Words(words) => {
                let list = parts(text);
                list.iter().all(|part| words.contains(&part.as_str())).then_some(Value::List(list))
            }
            Self::Name => (!text.is_empty()).then(|| Value::Text(text.to_string())),
            Self::Names => Some(Value::List(parts(text))),
            Self::Directories => {
                let list = parts(text);
                (!list.is_empty() && all_differ(&list)).then_some(Value::List(list))
            }
            Self::Listeners => listeners::read(text).map(Value::Listeners),
            Self::ProtocolMap => parts(text).iter().map(|part| protocol_of(part)).collect(),
            Self::Endpoints => {
                let list = parts(text);
                list.iter()
                    .all(|part| listeners::endpoint(part).is_some_and(|(host, _)| !host.is_empty()))
                    .then_some(Value::List(list))
            }
            Self::Voters => {
                parts(text).iter().map(|part| voter(part)).collect::<Option<_>>().map(Value::Voters)
            }
        }
    }
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Text(String),
    List(Vec<String>),
    Listeners(Vec<Listener>),
    /// Protocol by listener name.
    Map(BTreeMap<String, String>),
    Voters(Vec<Voter>),
}

/// A voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Voter {
    /// Its node id.
    pub(super) id: i64,
    /// Empty when it is left out.
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromIterator<(String, String)> for Value {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self::Map(pairs.into_iter().collect())
    }
}

/// The parts of a list; empty ones are dropped, as Kafka drops them.
pub(super) fn parts(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(String::from).collect()
}

fn all_differ(list: &[String]) -> bool {
    list.iter().enumerate().all(|(at, part)| !list.iter().skip(at + 1).any(|other| other == part))
}

fn protocol_of(part: &str) -> Option<(String, String)> {
    let (name, protocol) = part.split_once(':')?;
    let (name, protocol) = (name.trim().to_uppercase(), protocol.trim().to_uppercase());
    (!name.is_empty() && PROTOCOLS.contains(&protocol.as_str())).then_some((name, protocol))
}

fn voter(part: &str) -> Option<Voter> {
    let (id, endpoint) = part.split_once('@')?;
    let (host, port) = listeners::endpoint(endpoint)?;
    let id = id.trim().parse().ok().filter(|id| (0..=i64::from(i32::MAX)).contains(id))?;
    Some(Voter { id, host, port })
}

#[cfg(test)]
mod tests {
    use super::{KEYS, find};

    #[test]
    fn every_default_is_allowed_by_its_own_key() {
        for key in KEYS {
            if let Some(default) = key.default {
                assert!(key.value_type.read(default).is_some(), "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_stands_once_and_says_what_it_does() {
        for key in KEYS {
            assert_eq!(KEYS.iter().filter(|other| other.name == key.name).count(), 1);
            assert!(key.documentation.ends_with('.'), "{}", key.name);
        }
        assert!(find("node.id").is_some());
        assert!(find("zookeeper.connect").is_none());
    }
}
