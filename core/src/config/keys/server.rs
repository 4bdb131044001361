//! Keys of `server.properties` that do something here.
//!
//! Names, types, bounds and defaults are Kafka's (`KafkaConfig`, `SocketServerConfigs`,
//! `ServerLogConfigs`, `KRaftConfigs`), except for a first start without a file, which must need
//! nothing: there the broker listens on the loopback address and keeps its data beside it.

use super::{Key, ValueType};
use crate::config::{CompressionLevels, StoredCompression};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "process.roles",
        ValueType::NonEmptyList(&["broker", "controller"]),
        Some("broker,controller"),
    )
    .does(
        "What this process is. It always keeps the cluster's metadata itself; `broker` \
             must be among the roles, since serving clients is all it is for.",
    ),
    Key::new("node.id", ValueType::int_from(0), Some("1"))
        .does("The number of this node. A data directory keeps the one it began with."),
    Key::new("controller.quorum.voters", ValueType::Voters, Some(""))
        .does("The metadata quorum, as id@host:port. Only this node can be in it."),
    Key::new("controller.quorum.bootstrap.servers", ValueType::Endpoints, Some("")).does(
        "Where Kafka would find the metadata quorum, as host:port. Checked for its form; \
             this node is the quorum.",
    ),
    Key::new("listeners", ValueType::Listeners, Some("PLAINTEXT://127.0.0.1:9092")).does(
        "Where clients connect, as NAME://host:port. An empty host is every interface, \
             port 0 a free one. Those of controller.listener.names are not opened.",
    ),
    Key::new("advertised.listeners", ValueType::Listeners, None).does(
        "The addresses that clients are told, one for each listener. Absent: the \
             listeners, with `localhost` where they have no host.",
    ),
    Key::new("inter.broker.listener.name", ValueType::Name, None)
        .does("The listener for other brokers; it must be one that is served."),
    Key::new("controller.listener.names", ValueType::Names, Some("CONTROLLER")).does(
        "The listeners of the metadata quorum. They are accepted and not opened: the \
             quorum is inside this process.",
    ),
    Key::new(
        "listener.security.protocol.map",
        ValueType::ProtocolMap,
        Some(
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,\
             SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        ),
    )
    .does(
        "The security protocol of each listener name. Clients are served in PLAINTEXT \
             alone.",
    ),
    Key::new("log.dirs", ValueType::Directories, None)
        .does("The directories that hold the data. Absent: log.dir."),
    Key::new("log.dir", ValueType::Directories, Some("./klamm-data"))
        .does("The directory that holds the data when log.dirs is absent."),
    Key::new("klamm.durability", ValueType::Word(&["durable", "page-cache"]), Some("durable"))
        .does(
            "When a record is acknowledged: once it is synced to disk (it survives power \
             loss), or once the operating system has it (it survives a kill), which is what \
             Kafka does.",
        ),
    Key::new("klamm.driver", ValueType::Name, Some("std")).does(
        "What carries the broker: `std` is a thread for each connection, `smol` a task \
             for each on few threads.",
    ),
    Key::new("socket.request.max.bytes", ValueType::int_from(1), Some("104857600"))
        .does("The longest request; a longer one closes its connection."),
    Key::new("queued.max.request.bytes", ValueType::LONG, Some("-1")).does(
        "Request bytes in memory, over all connections; at least \
             socket.request.max.bytes. -1 or 0: the built-in limit.",
    ),
    Key::new("connections.max.idle.ms", ValueType::LONG, Some("600000")).does(
        "A connection on which nothing is received or sent for so long is closed, unless \
             an answer is awaited. Below 0: never.",
    ),
    Key::new("max.connections", ValueType::int_from(0), Some("2147483647")).dynamic().does(
        "Connections at once. Who comes later waits to be accepted until another \
             connection ends. 2147483647: the built-in limit.",
    ),
    Key::new("max.request.partition.size.limit", ValueType::int_from(1), Some("2000"))
        .does("Partitions in one answer to DescribeTopicPartitions."),
    Key::new("message.max.bytes", ValueType::int_from(0), Some("1048588"))
        .dynamic()
        .does("The largest record batch that a topic takes, in bytes as sent."),
    Key::new("log.segment.bytes", ValueType::int_from(1048576), Some("1073741824"))
        .dynamic()
        .does("The size at which a log begins a new segment file."),
    Key::new("log.roll.ms", ValueType::LONG, None)
        .dynamic()
        .does("The age at which the active segment of a log is closed. Absent: log.roll.hours."),
    Key::new("log.roll.hours", ValueType::int_from(1), Some("168"))
        .does("The same in hours, where log.roll.ms is absent."),
    Key::new("log.roll.jitter.ms", ValueType::LONG, None).dynamic().does(
        "Up to so much is taken off that age, so that not all logs roll at once. Absent: \
             log.roll.jitter.hours.",
    ),
    Key::new("log.roll.jitter.hours", ValueType::int_from(0), Some("0"))
        .does("The same in hours, where log.roll.jitter.ms is absent."),
    Key::new("log.index.interval.bytes", ValueType::int_from(0), Some("4096"))
        .dynamic()
        .does("Bytes of batches between two entries of a segment's index."),
    Key::new("log.index.size.max.bytes", ValueType::int_from(4), Some("10485760"))
        .dynamic()
        .does("The size at which a segment's index is full, and the next segment begins."),
    Key::new(
        "log.message.timestamp.type",
        ValueType::Word(&["CreateTime", "LogAppendTime"]),
        Some("CreateTime"),
    )
    .dynamic()
    .does("Whose time records carry: the producer's or the broker's."),
    Key::new(
        "log.message.timestamp.before.max.ms",
        ValueType::long_from(0),
        Some("9223372036854775807"),
    )
    .dynamic()
    .does("How far a producer's timestamp may lie behind the broker's time."),
    Key::new("log.message.timestamp.after.max.ms", ValueType::long_from(0), Some("3600000"))
        .dynamic()
        .does("How far a producer's timestamp may lie ahead of the broker's time."),
    Key::new("log.cleanup.policy", ValueType::List(&["compact", "delete"]), Some("delete"))
        .dynamic()
        .does("What becomes of old records. With `compact`, every record needs a key."),
    Key::new("log.retention.ms", ValueType::LONG, None).dynamic().does(
        "How long records are kept at least. Below 0: for ever. Absent: \
             log.retention.minutes.",
    ),
    Key::new("log.retention.minutes", ValueType::INT, None)
        .does("The same in minutes. Absent: log.retention.hours."),
    Key::new("log.retention.hours", ValueType::INT, Some("168"))
        .does("The same in hours, where the others are absent. Below 0: for ever."),
    Key::new("log.retention.bytes", ValueType::LONG, Some("-1"))
        .dynamic()
        .does("Bytes of a partition that are kept at least. Below 0: all."),
    Key::new("log.retention.check.interval.ms", ValueType::long_from(1), Some("300000"))
        .does("How often logs are looked at for segments to delete."),
    Key::new("log.segment.delete.delay.ms", ValueType::long_from(0), Some("60000"))
        .dynamic()
        .does("How long the files of a deleted segment stay, renamed."),
    Key::new("log.initial.task.delay.ms", ValueType::long_from(0), Some("30000"))
        .internal()
        .does("How long after the start the logs' periodic work begins."),
    Key::new("log.flush.interval.messages", ValueType::long_from(1), Some("9223372036854775807"))
        .dynamic()
        .does(
            "Records of a log that may lie unsynced. Only klamm.durability=page-cache lets \
             any.",
        ),
    Key::new("log.flush.interval.ms", ValueType::LONG, None).dynamic().does(
        "How long they may, as log.flush.scheduler.interval.ms lets it be seen. Absent: \
             that.",
    ),
    Key::new("log.flush.scheduler.interval.ms", ValueType::LONG, Some("9223372036854775807"))
        .does("How often logs are looked at for such records."),
    Key::new("log.flush.offset.checkpoint.interval.ms", ValueType::int_from(0), Some("60000"))
        .does("How often the recovery points are written for Kafka to find."),
    Key::new(
        "log.flush.start.offset.checkpoint.interval.ms",
        ValueType::int_from(0),
        Some("60000"),
    )
    .does("How often the starts of logs are written, when nothing waits for it."),
    Key::new("replica.high.watermark.checkpoint.interval.ms", ValueType::LONG, Some("5000"))
        .does("How often the high watermarks are written for Kafka to find."),
    Key::new("fetch.max.bytes", ValueType::int_from(1024), Some("57671680"))
        .does("Record bytes in one answer to Fetch, and its first batch whatever its size."),
    Key::new("max.incremental.fetch.session.cache.slots", ValueType::int_from(0), Some("1000"))
        .does("Fetch sessions at once."),
    Key::new("producer.id.expiration.ms", ValueType::int_from(1), Some("86400000"))
        .dynamic()
        .does("How long a silent producer's last batches are remembered."),
    Key::new("producer.id.expiration.check.interval.ms", ValueType::int_from(1), Some("600000"))
        .internal()
        .does("How often such producers are looked for."),
    Key::new("compression.type", ValueType::Word(StoredCompression::NAMES), Some("producer"))
        .dynamic()
        .does(
            "The codec that batches are stored in; `producer` keeps that of the producer. \
             Others cost the broker's time.",
        ),
    Key::new("compression.gzip.level", ValueType::GzipLevel, Some("-1"))
        .dynamic()
        .does("The level of gzip where the broker compresses; -1 is gzip's own default."),
    Key::new(
        "compression.lz4.level",
        ValueType::Int { min: CompressionLevels::LZ4.0, max: CompressionLevels::LZ4.1 },
        Some("9"),
    )
    .dynamic()
    .does(
        "The level of lz4 where the broker compresses. There is one level here, so it \
             makes no difference.",
    ),
    Key::new(
        "compression.zstd.level",
        ValueType::Int { min: CompressionLevels::ZSTD.0, max: CompressionLevels::ZSTD.1 },
        Some("3"),
    )
    .dynamic()
    .does(
        "The level of zstd where the broker compresses. There is one level here, about \
             zstd's first, so it makes no difference.",
    ),
    Key::new("min.insync.replicas", ValueType::int_from(1), Some("1")).dynamic().does(
        "How many replicas must have a record for acks=all. A partition with fewer \
             replicas needs them all; here it has one.",
    ),
    Key::new("auto.create.topics.enable", ValueType::Boolean, Some("true"))
        .does("Whether a client that asks for a topic that is not there makes it."),
    Key::new("delete.topic.enable", ValueType::Boolean, Some("true"))
        .does("Whether topics can be deleted by a client."),
    Key::new("num.partitions", ValueType::int_from(1), Some("1"))
        .does("Partitions of a topic that is created without saying how many."),
    Key::new("default.replication.factor", ValueType::INT, Some("1")).does(
        "Replicas of a partition where nobody says how many. More than one cannot be \
             placed on one node.",
    ),
    Key::new("group.initial.rebalance.delay.ms", ValueType::INT, Some("3000"))
        .does("How long the first rebalance of an empty group waits for more members."),
    Key::new("group.max.session.timeout.ms", ValueType::INT, Some("1800000"))
        .does("The longest session that a member of a group may ask for."),
    Key::new("group.max.size", ValueType::int_from(1), Some("2147483647"))
        .does("Members of a group at once."),
    Key::new("group.min.session.timeout.ms", ValueType::INT, Some("6000"))
        .does("The shortest session that a member of a group may ask for."),
    Key::new("offset.metadata.max.bytes", ValueType::INT, Some("4096"))
        .does("The longest text that a committed offset may carry."),
    Key::new("offsets.retention.check.interval.ms", ValueType::long_from(1), Some("600000"))
        .does("How often offsets that have lived too long are looked for."),
    Key::new("offsets.retention.minutes", ValueType::int_from(1), Some("10080"))
        .does("How long the offsets of a group without members are kept."),
    Key::new("offsets.topic.num.partitions", ValueType::int_from(1), Some("50"))
        .does("Partitions of `__consumer_offsets`, when it is made."),
    Key::new("offsets.topic.segment.bytes", ValueType::int_from(1), Some("104857600"))
        .does("The size at which its logs begin new segment files."),
    Key::new(
        "metadata.log.max.record.bytes.between.snapshots",
        ValueType::long_from(1),
        Some("20971520"),
    )
    .does("Bytes of the metadata log after which a snapshot of it is written."),
    Key::new("metadata.log.max.snapshot.interval.ms", ValueType::long_from(0), Some("3600000"))
        .does("The longest that changes of the metadata stay without a snapshot. 0: no limit."),
    Key::new("metadata.log.segment.bytes", ValueType::int_from(8388608), Some("1073741824"))
        .does("The size at which the metadata log begins a new segment file."),
    Key::new("metadata.log.segment.ms", ValueType::LONG, Some("604800000"))
        .does("The age at which the active segment of the metadata log is closed."),
    Key::new("metadata.max.retention.bytes", ValueType::LONG, Some("104857600"))
        .does("Bytes of the metadata log and its snapshots that are kept at least."),
    Key::new("metadata.max.retention.ms", ValueType::LONG, Some("604800000"))
        .does("How long the metadata log and its snapshots are kept at least."),
];
