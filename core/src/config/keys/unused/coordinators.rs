//! Keys of the coordinators of groups, shares and transactions.

use crate::config::keys::{Key, ValueType};

pub(super) const KEYS: &[Key] = &[
    Key::new("add.partitions.to.txn.retry.backoff.max.ms", ValueType::int_from(0), Some("100")),
    Key::new("add.partitions.to.txn.retry.backoff.ms", ValueType::int_from(1), Some("20")),
    Key::new("group.consumer.assignment.interval.ms", ValueType::int_from(0), Some("1000"))
        .dynamic(),
    Key::new("group.consumer.assignors", ValueType::NonEmptyList(&[]), Some("uniform,range")),
    Key::new("group.consumer.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new("group.consumer.max.assignment.interval.ms", ValueType::int_from(0), Some("15000")),
    Key::new("group.consumer.max.heartbeat.interval.ms", ValueType::int_from(1), Some("15000")),
    Key::new("group.consumer.max.session.timeout.ms", ValueType::int_from(1), Some("60000")),
    Key::new("group.consumer.max.size", ValueType::int_from(1), Some("2147483647")),
    Key::new(
        "group.consumer.migration.policy",
        ValueType::WordInAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
        Some("bidirectional"),
    ),
    Key::new("group.consumer.min.assignment.interval.ms", ValueType::int_from(0), Some("0")),
    Key::new("group.consumer.min.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new("group.consumer.min.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new(
        "group.consumer.regex.refresh.interval.ms",
        ValueType::int_from(10000),
        Some("600000"),
    )
    .internal(),
    Key::new("group.consumer.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new("group.coordinator.append.linger.ms", ValueType::int_from(-1), Some("-1")),
    Key::new("group.coordinator.background.threads", ValueType::int_from(1), Some("2")),
    Key::new(
        "group.coordinator.cached.buffer.max.bytes",
        ValueType::int_from(524288),
        Some("1048588"),
    )
    .dynamic(),
    Key::new(
        "group.coordinator.rebalance.protocols",
        ValueType::NonEmptyList(&["consumer", "classic", "share", "streams"]),
        Some("classic,consumer,streams"),
    ),
    Key::new("group.coordinator.threads", ValueType::int_from(1), Some("4")),
    Key::new("group.share.assignment.interval.ms", ValueType::int_from(0), Some("1000")).dynamic(),
    Key::new("group.share.assignors", ValueType::NonEmptyList(&[]), Some("simple")),
    Key::new("group.share.delivery.count.limit", ValueType::Int { min: 2, max: 10 }, Some("5")),
    Key::new("group.share.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new("group.share.initialize.retry.interval.ms", ValueType::int_from(1), Some("30000"))
        .internal(),
    Key::new("group.share.max.assignment.interval.ms", ValueType::int_from(0), Some("15000")),
    Key::new(
        "group.share.max.delivery.count.limit",
        ValueType::Int { min: 5, max: 25 },
        Some("10"),
    ),
    Key::new("group.share.max.heartbeat.interval.ms", ValueType::int_from(1), Some("15000")),
    Key::new(
        "group.share.max.partition.max.record.locks",
        ValueType::Int { min: 2000, max: 10000 },
        Some("4000"),
    ),
    Key::new(
        "group.share.max.record.lock.duration.ms",
        ValueType::Int { min: 30000, max: 3600000 },
        Some("60000"),
    ),
    Key::new("group.share.max.session.timeout.ms", ValueType::int_from(1), Some("60000")),
    Key::new("group.share.max.share.sessions", ValueType::int_from(1), Some("2000")),
    Key::new("group.share.max.size", ValueType::Int { min: 1, max: 1000 }, Some("200")),
    Key::new("group.share.min.assignment.interval.ms", ValueType::int_from(0), Some("0")),
    Key::new("group.share.min.delivery.count.limit", ValueType::Int { min: 2, max: 5 }, Some("2")),
    Key::new("group.share.min.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new(
        "group.share.min.partition.max.record.locks",
        ValueType::Int { min: 100, max: 2000 },
        Some("100"),
    ),
    Key::new(
        "group.share.min.record.lock.duration.ms",
        ValueType::Int { min: 1000, max: 30000 },
        Some("15000"),
    ),
    Key::new("group.share.min.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new(
        "group.share.partition.max.record.locks",
        ValueType::Int { min: 100, max: 10000 },
        Some("2000"),
    ),
    Key::new(
        "group.share.persister.class.name",
        ValueType::Text,
        Some("org.apache.kafka.server.share.persister.DefaultStatePersister"),
    )
    .internal(),
    Key::new(
        "group.share.record.lock.duration.ms",
        ValueType::Int { min: 1000, max: 3600000 },
        Some("30000"),
    ),
    Key::new("group.share.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new("group.streams.assignment.interval.ms", ValueType::int_from(0), Some("1000"))
        .dynamic(),
    Key::new("group.streams.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new("group.streams.initial.rebalance.delay.ms", ValueType::int_from(0), Some("3000")),
    Key::new("group.streams.max.assignment.interval.ms", ValueType::int_from(0), Some("15000")),
    Key::new("group.streams.max.heartbeat.interval.ms", ValueType::int_from(1), Some("15000")),
    Key::new("group.streams.max.session.timeout.ms", ValueType::int_from(1), Some("60000")),
    Key::new("group.streams.max.size", ValueType::int_from(1), Some("2147483647")),
    Key::new("group.streams.max.standby.replicas", ValueType::int_from(0), Some("2")),
    Key::new("group.streams.min.assignment.interval.ms", ValueType::int_from(0), Some("0")),
    Key::new("group.streams.min.heartbeat.interval.ms", ValueType::int_from(1), Some("5000")),
    Key::new("group.streams.min.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new("group.streams.num.standby.replicas", ValueType::int_from(0), Some("0")),
    Key::new("group.streams.session.timeout.ms", ValueType::int_from(1), Some("45000")),
    Key::new("offsets.commit.timeout.ms", ValueType::int_from(1), Some("5000")),
    Key::new("offsets.load.buffer.size", ValueType::int_from(1), Some("5242880")),
    Key::new("offsets.topic.compression.codec", ValueType::INT, Some("0")),
    Key::new("offsets.topic.replication.factor", ValueType::short_from(1), Some("3")),
    Key::new("share.coordinator.append.linger.ms", ValueType::int_from(-1), Some("-1")),
    Key::new(
        "share.coordinator.cached.buffer.max.bytes",
        ValueType::int_from(524288),
        Some("1048588"),
    )
    .dynamic(),
    Key::new(
        "share.coordinator.cold.partition.snapshot.interval.ms",
        ValueType::int_from(1),
        Some("300000"),
    )
    .internal(),
    Key::new("share.coordinator.load.buffer.size", ValueType::int_from(1), Some("5242880")),
    Key::new(
        "share.coordinator.snapshot.update.records.per.snapshot",
        ValueType::Int { min: 0, max: 500 },
        Some("500"),
    ),
    Key::new("share.coordinator.state.topic.compression.codec", ValueType::INT, Some("0")),
    Key::new("share.coordinator.state.topic.min.isr", ValueType::short_from(1), Some("2")),
    Key::new("share.coordinator.state.topic.num.partitions", ValueType::int_from(1), Some("50")),
    Key::new(
        "share.coordinator.state.topic.prune.interval.ms",
        ValueType::int_from(1),
        Some("300000"),
    )
    .internal(),
    Key::new(
        "share.coordinator.state.topic.replication.factor",
        ValueType::short_from(1),
        Some("3"),
    ),
    Key::new(
        "share.coordinator.state.topic.segment.bytes",
        ValueType::int_from(1),
        Some("104857600"),
    ),
    Key::new("share.coordinator.threads", ValueType::int_from(1), Some("1")),
    Key::new("share.coordinator.write.timeout.ms", ValueType::int_from(1), Some("5000")),
    Key::new("share.fetch.purgatory.purge.interval.requests", ValueType::INT, Some("1000")),
    Key::new(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        ValueType::int_from(1),
        Some("10000"),
    ),
    Key::new("transaction.max.timeout.ms", ValueType::int_from(1), Some("900000")),
    Key::new("transaction.partition.verification.enable", ValueType::Boolean, Some("true"))
        .dynamic(),
    Key::new(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        ValueType::int_from(1),
        Some("3600000"),
    ),
    Key::new("transaction.state.log.load.buffer.size", ValueType::int_from(1), Some("5242880")),
    Key::new("transaction.state.log.min.isr", ValueType::int_from(1), Some("2")),
    Key::new("transaction.state.log.num.partitions", ValueType::int_from(1), Some("50")),
    Key::new("transaction.state.log.replication.factor", ValueType::short_from(1), Some("3")),
    Key::new("transaction.state.log.segment.bytes", ValueType::int_from(1), Some("104857600")),
    Key::new("transaction.two.phase.commit.enable", ValueType::Boolean, Some("false")),
    Key::new("transactional.id.expiration.ms", ValueType::int_from(1), Some("604800000")),
];
