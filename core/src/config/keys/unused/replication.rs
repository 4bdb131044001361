//! Keys of replication, its throttles, and tiered storage.

use crate::config::keys::{Key, ValueType};

pub(super) const KEYS: &[Key] = &[
    Key::new("alter.log.dirs.replication.quota.window.num", ValueType::int_from(1), Some("11")),
    Key::new(
        "alter.log.dirs.replication.quota.window.size.seconds",
        ValueType::int_from(1),
        Some("1"),
    ),
    Key::new("auto.leader.rebalance.enable", ValueType::Boolean, Some("true")),
    Key::new("follower.fetch.last.tiered.offset.enable", ValueType::Boolean, Some("false"))
        .dynamic(),
    Key::new("follower.replication.throttled.rate", ValueType::long_from(0), None)
        .dynamic()
        .internal(),
    Key::new("leader.imbalance.check.interval.seconds", ValueType::long_from(1), Some("300")),
    Key::new("leader.replication.throttled.rate", ValueType::long_from(0), None)
        .dynamic()
        .internal(),
    Key::new("num.replica.alter.log.dirs.threads", ValueType::INT, None),
    Key::new("num.replica.fetchers", ValueType::int_from(1), Some("1")).dynamic(),
    Key::new("remote.fetch.max.wait.ms", ValueType::int_from(1), Some("500")).dynamic(),
    Key::new("remote.list.offsets.request.timeout.ms", ValueType::long_from(1), Some("30000"))
        .dynamic(),
    Key::new(
        "remote.log.index.file.cache.total.size.bytes",
        ValueType::long_from(1),
        Some("1073741824"),
    )
    .dynamic(),
    Key::new("remote.log.index.file.cache.ttl.ms", ValueType::long_from(-1), Some("900000"))
        .internal(),
    Key::new("remote.log.manager.copier.thread.pool.size", ValueType::int_from(1), Some("10"))
        .dynamic(),
    Key::new(
        "remote.log.manager.copy.max.bytes.per.second",
        ValueType::long_from(1),
        Some("9223372036854775807"),
    )
    .dynamic(),
    Key::new("remote.log.manager.copy.quota.window.num", ValueType::int_from(1), Some("11")),
    Key::new(
        "remote.log.manager.copy.quota.window.size.seconds",
        ValueType::int_from(1),
        Some("1"),
    ),
    Key::new("remote.log.manager.expiration.thread.pool.size", ValueType::int_from(1), Some("10"))
        .dynamic(),
    Key::new(
        "remote.log.manager.fetch.max.bytes.per.second",
        ValueType::long_from(1),
        Some("9223372036854775807"),
    )
    .dynamic(),
    Key::new("remote.log.manager.fetch.quota.window.num", ValueType::int_from(1), Some("11")),
    Key::new(
        "remote.log.manager.fetch.quota.window.size.seconds",
        ValueType::int_from(1),
        Some("1"),
    ),
    Key::new("remote.log.manager.follower.thread.pool.size", ValueType::int_from(1), Some("2"))
        .dynamic(),
    Key::new("remote.log.manager.task.interval.ms", ValueType::long_from(1), Some("30000")),
    Key::new(
        "remote.log.manager.task.retry.backoff.max.ms",
        ValueType::long_from(1),
        Some("30000"),
    )
    .internal(),
    Key::new("remote.log.manager.task.retry.backoff.ms", ValueType::long_from(1), Some("500"))
        .internal(),
    Key::new(
        "remote.log.manager.task.retry.jitter",
        ValueType::Double { min: 0.0, max: 0.5 },
        Some("0.2"),
    )
    .internal(),
    Key::new("remote.log.manager.thread.pool.size", ValueType::int_from(1), Some("2")),
    Key::new("remote.log.metadata.custom.metadata.max.bytes", ValueType::int_from(0), Some("128")),
    Key::new(
        "remote.log.metadata.manager.class.name",
        ValueType::NonEmptyText,
        Some(
            "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        ),
    ),
    Key::new("remote.log.metadata.manager.class.path", ValueType::Text, None),
    Key::new(
        "remote.log.metadata.manager.impl.prefix",
        ValueType::NonEmptyText,
        Some("rlmm.config."),
    ),
    Key::new("remote.log.metadata.manager.listener.name", ValueType::NonEmptyText, None),
    Key::new("remote.log.reader.max.pending.tasks", ValueType::int_from(1), Some("100")),
    Key::new("remote.log.reader.threads", ValueType::int_from(1), Some("10")).dynamic(),
    Key::new("remote.log.storage.manager.class.name", ValueType::NonEmptyText, None),
    Key::new("remote.log.storage.manager.class.path", ValueType::Text, None),
    Key::new(
        "remote.log.storage.manager.impl.prefix",
        ValueType::NonEmptyText,
        Some("rsm.config."),
    ),
    Key::new("remote.log.storage.system.enable", ValueType::Boolean, Some("false")),
    Key::new("replica.alter.log.dirs.io.max.bytes.per.second", ValueType::long_from(0), None)
        .dynamic()
        .internal(),
    Key::new("replica.fetch.backoff.ms", ValueType::int_from(0), Some("1000")),
    Key::new("replica.fetch.max.bytes", ValueType::int_from(0), Some("1048576")),
    Key::new("replica.fetch.min.bytes", ValueType::INT, Some("1")),
    Key::new("replica.fetch.response.max.bytes", ValueType::int_from(0), Some("10485760")),
    Key::new("replica.fetch.wait.max.ms", ValueType::INT, Some("500")),
    Key::new("replica.lag.time.max.ms", ValueType::LONG, Some("30000")),
    Key::new("replica.selector.class", ValueType::Text, None),
    Key::new("replica.socket.receive.buffer.bytes", ValueType::INT, Some("65536")),
    Key::new("replica.socket.timeout.ms", ValueType::INT, Some("30000")),
    Key::new("replication.quota.window.num", ValueType::int_from(1), Some("11")),
    Key::new("replication.quota.window.size.seconds", ValueType::int_from(1), Some("1")),
    Key::new("unclean.leader.election.enable", ValueType::Boolean, Some("false")).dynamic(),
    Key::new("unclean.leader.election.interval.ms", ValueType::long_from(1), Some("300000"))
        .internal(),
];
