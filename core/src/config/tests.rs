//! What a properties file turns into.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::batch::Codec;
use alloc::vec;

/// The file that a tester of Kafka clones writes, with some of Kafka's stock keys.
const STOCK: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.quorum.voters", "1@localhost:9093"),
    ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("advertised.listeners", "PLAINTEXT://localhost:9092"),
    ("controller.listener.names", "CONTROLLER"),
    (
        "listener.security.protocol.map",
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
    ),
    ("num.network.threads", "3"),
    ("socket.send.buffer.bytes", "102400"),
    ("socket.request.max.bytes", "104857600"),
    ("log.dirs", "/tmp/kraft-combined-logs"),
    ("offsets.topic.replication.factor", "1"),
    ("log.segment.bytes", "1073741824"),
    ("num.network.threads", "4"),
];

fn with(changes: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    parse(STOCK.iter().chain(changes).copied())
}

fn refused(key: &str, value: &str) -> ConfigError {
    let error = with(&[(key, value)]).expect_err("a value that cannot be used");
    assert_eq!(error.key, key, "{error}");
    error
}

fn listener(name: &str, host: &str, port: u16) -> Listener {
    Listener { name: name.to_string(), host: host.to_string(), port }
}

#[test]
fn without_entries_the_defaults_hold() {
    let Settings { config, driver, unused } =
        parse(Vec::<(String, String)>::new()).expect("defaults");
    assert_eq!(
        config,
        Config {
            node_id: 1,
            listeners: vec![listener("PLAINTEXT", "127.0.0.1", 9092)],
            advertised: vec![listener("PLAINTEXT", "127.0.0.1", 9092)],
            controller: listener("CONTROLLER", "127.0.0.1", 9093),
            log_dirs: vec![Path::new("./klamm-data")],
            durability: Durability::Durable,
            topic_defaults: TopicConfig::default(),
            creation: CreationConfig::default(),
            tasks: TaskConfig::default(),
            groups: GroupConfig::default(),
            cleaner: CleanerConfig::default(),
            metadata_log: MetadataLogConfig::default(),
            limits: Limits::default(),
            settings: alloc::sync::Arc::default(),
        }
    );
    assert_eq!(driver, "std");
    assert!(unused.is_empty());
}

#[test]
fn kafkas_stock_file_is_understood_and_the_rest_is_listed_once() {
    let Settings { config, unused, .. } = with(&[]).expect("stock");
    assert_eq!(config.listeners, [listener("PLAINTEXT", "", 9092)]);
    assert_eq!(config.advertised, [listener("PLAINTEXT", "localhost", 9092)]);
    assert_eq!(config.log_dirs, [Path::new("/tmp/kraft-combined-logs")]);
    assert_eq!(
        unused,
        ["num.network.threads", "socket.send.buffer.bytes", "offsets.topic.replication.factor"]
    );
}

#[test]
fn keys_that_do_nothing_are_checked_and_kept_as_they_were_written() {
    let Settings { config, unused, .. } =
        with(&[("num.io.threads", " 16 "), ("my.key", "x")]).expect("allowed");
    assert!(unused.ends_with(&["num.io.threads".to_string(), "my.key".to_string()]));
    assert_eq!(config.settings["num.io.threads"], " 16 ");
    assert_eq!(config.settings["my.key"], "x");
    assert!(!config.settings.contains_key("log.roll.hours"));
    assert_eq!(refused("num.io.threads", "0").allowed, "an integer from 1 to 2147483647");
    refused("auto.leader.rebalance.enable", "maybe");
    refused("client.quota.callback.class", "org.example.Quota");
    with(&[(
        "principal.builder.class",
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    )])
    .expect("Kafka's default");
}

#[test]
fn what_an_operator_counts_on_and_is_not_there_is_refused() {
    refused("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    refused("remote.log.storage.system.enable", "true");
    with(&[("authorizer.class.name", ""), ("remote.log.storage.system.enable", " FALSE ")])
        .expect("nothing is missed");
}

#[test]
fn node_id_and_broker_id_are_one() {
    let config = parse([("broker.id", "7")]).expect("an id").config;
    assert_eq!((config.node_id, &*config.settings["node.id"]), (7, "7"));
    let Settings { config, unused, .. } = parse([("node.id", "8")]).expect("an id");
    assert_eq!((&*config.settings["broker.id"], unused.len()), ("8", 0));
    assert_eq!(parse([("broker.id", "-1")]).expect("the default").config.node_id, 1);
}

#[test]
fn creation_and_the_metadata_log_have_their_keys() {
    let config = with(&[
        ("auto.create.topics.enable", "FALSE"),
        ("num.partitions", "3"),
        ("default.replication.factor", "2"),
        ("delete.topic.enable", "false"),
        ("metadata.log.max.record.bytes.between.snapshots", "4"),
        ("metadata.log.max.snapshot.interval.ms", "5"),
        ("metadata.log.segment.bytes", "8388608"),
        ("metadata.log.segment.ms", "6"),
        ("metadata.max.retention.bytes", "7"),
        ("metadata.max.retention.ms", "-8"),
    ])
    .expect("all allowed")
    .config;
    assert_eq!(
        config.creation,
        CreationConfig {
            is_automatic: false,
            partitions: 3,
            replication_factor: 2,
            may_delete: false,
        }
    );
    assert_eq!(
        config.metadata_log,
        MetadataLogConfig {
            snapshot_bytes: 4,
            snapshot_interval_ms: 5,
            segment_bytes: 8 << 20,
            segment_ms: 6,
            retention_bytes: 7,
            retention_ms: -8,
        }
    );
    refused("num.partitions", "0");
    refused("metadata.log.segment.bytes", "8388607");
}

#[test]
fn the_last_of_equal_keys_counts() {
    assert_eq!(with(&[("node.id", "2"), ("node.id", "1")]).expect("voter 1").config.node_id, 1);
}

#[test]
fn a_wrong_value_says_what_is_allowed() {
    assert_eq!(refused("node.id", "-3").allowed, "an integer from 0 to 2147483647");
    assert_eq!(refused("klamm.durability", "none").allowed, "one of durable, page-cache");
    assert_eq!(
        refused("log.segment.bytes", "1024").to_string(),
        "log.segment.bytes=1024 cannot be used: allowed is an integer from 1048576 to 2147483647"
    );
    refused("process.roles", "controller");
    refused("process.roles", "broker,observer");
    refused("log.dirs", "");
    refused("log.dirs", "/a,/a");
    refused("listeners", "PLAINTEXT:9092");
    refused("listeners", "CONTROLLER://:9093");
    refused("log.cleanup.policy", "shred");
    refused("controller.quorum.bootstrap.servers", "localhost");
    refused("queued.max.request.bytes", "1000");
    refused("socket.request.max.bytes", "0");
    refused("max.connections", "0");
}

#[test]
fn only_this_node_may_vote() {
    assert_eq!(
        refused("controller.quorum.voters", "1@a:9093,2@b:9093").allowed,
        "this node alone, whose node.id is 1"
    );
    refused("controller.quorum.voters", "1@a");
}

#[test]
fn the_quorum_is_where_the_voter_is_or_else_its_listener() {
    let controller = |changes: &[(&str, &str)]| parse(changes.iter().copied()).unwrap().config;
    let voter = with(&[]).expect("stock").config.controller;
    assert_eq!(voter, listener("CONTROLLER", "localhost", 9093));
    let listeners = ("listeners", "PLAINTEXT://h:1,QUORUM://:2");
    let names = ("controller.listener.names", "quorum");
    let found = controller(&[listeners, names]).controller;
    assert_eq!(found, listener("QUORUM", "localhost", 2));
    let advertised = ("advertised.listeners", "PLAINTEXT://h:1,QUORUM://q:3");
    let found = controller(&[listeners, names, advertised]).controller;
    assert_eq!(found, listener("QUORUM", "q", 3));
    let free = ("listeners", "PLAINTEXT://h:1,CONTROLLER://h:0");
    assert_eq!(controller(&[free]).controller, Listener::default_controller());
}

#[test]
fn a_served_listener_must_be_plaintext() {
    let error = refused("listener.security.protocol.map", "PLAINTEXT:SSL");
    assert_eq!(error.allowed, "PLAINTEXT:PLAINTEXT for the listener PLAINTEXT");
    refused("listener.security.protocol.map", "CONTROLLER:PLAINTEXT");
    refused("listener.security.protocol.map", "PLAINTEXT:TLS");
    with(&[("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL")])
        .expect("the controller's listener is not served");
}

#[test]
fn what_is_advertised_can_be_reached() {
    refused("advertised.listeners", "PLAINTEXT://0.0.0.0:9092");
    refused("advertised.listeners", "PLAINTEXT://[::]:9092");
    refused("advertised.listeners", "OTHER://h:9092");
    refused("advertised.listeners", "CONTROLLER://h:9093");
    let found = with(&[("advertised.listeners", "PLAINTEXT://:0,CONTROLLER://h:1")]).expect("one");
    assert_eq!(found.config.advertised, [listener("PLAINTEXT", "localhost", 0)]);
}

#[test]
fn listeners_on_every_interface_are_not_advertised_as_such() {
    let error = parse([("listeners", "PLAINTEXT://0.0.0.0:9092")]).expect_err("no address to tell");
    assert_eq!(error.key, "advertised.listeners");
    let found = parse([("listeners", "PLAINTEXT://:9092")]).expect("localhost");
    assert_eq!(found.config.advertised, [listener("PLAINTEXT", "localhost", 9092)]);
}

#[test]
fn several_listeners_are_served() {
    let found = parse([
        ("listeners", "A://[::1]:1,B://h:2"),
        ("listener.security.protocol.map", "a:plaintext,B:PLAINTEXT"),
        ("inter.broker.listener.name", "b"),
    ])
    .expect("two");
    assert_eq!(found.config.listeners, [listener("A", "::1", 1), listener("B", "h", 2)]);
    refused("inter.broker.listener.name", "CONTROLLER");
}

#[test]
fn topic_defaults_and_limits_come_from_their_keys() {
    let config = with(&[
        ("message.max.bytes", "5000"),
        ("log.message.timestamp.type", "LogAppendTime"),
        ("log.message.timestamp.before.max.ms", "7"),
        ("log.message.timestamp.after.max.ms", "8"),
        ("log.cleanup.policy", "compact,delete"),
        ("log.segment.bytes", "1048576"),
        ("compression.type", "zstd"),
        ("compression.gzip.level", "7"),
        ("compression.lz4.level", "1"),
        ("compression.zstd.level", "-5"),
        ("min.insync.replicas", "2"),
        ("socket.request.max.bytes", "1000"),
        ("queued.max.request.bytes", "1000"),
        ("max.request.partition.size.limit", "9"),
        ("connections.max.idle.ms", "1500"),
        ("klamm.durability", "page-cache"),
    ])
    .expect("all allowed")
    .config;
    assert_eq!(
        config.topic_defaults,
        TopicConfig {
            message_bytes_max: 5000,
            log_append_time: true,
            timestamp_before_ms_max: 7,
            timestamp_after_ms_max: 8,
            compression: StoredCompression::Codec(Codec::Zstd),
            compression_levels: CompressionLevels { gzip: 7, lz4: 1, zstd: -5 },
            compacted: true,
            segment_bytes: 1 << 20,
            min_insync_replicas: 2,
            ..TopicConfig::default()
        }
    );
    assert_eq!((config.limits.frame_bytes_max, config.limits.request_budget_bytes), (1000, 1000));
    assert_eq!(config.limits.describe_partitions_max, 9);
    assert_eq!(config.limits.connection_idle_ms, Some(1500));
    assert_eq!(config.durability, Durability::PageCache);
    let never = with(&[("connections.max.idle.ms", "-1")]).expect("Kafka's word for no limit");
    assert_eq!(never.config.limits.connection_idle_ms, None);
}

#[test]
fn how_long_segments_and_records_last_comes_from_their_keys() {
    let topics = |changes: &[(&str, &str)]| with(changes).expect("allowed").config.topic_defaults;
    let config = topics(&[
        ("log.cleanup.policy", "compact"),
        ("log.roll.ms", "11"),
        ("log.roll.jitter.ms", "12"),
        ("log.index.interval.bytes", "0"),
        ("log.index.size.max.bytes", "4"),
        ("log.retention.ms", "13"),
        ("log.retention.bytes", "14"),
        ("log.segment.delete.delay.ms", "0"),
        ("log.flush.interval.messages", "15"),
        ("log.flush.interval.ms", "16"),
    ]);
    let expected = TopicConfig {
        compacted: true,
        deletes_old: false,
        segment_ms: 11,
        segment_jitter_ms: 12,
        index_interval_bytes: 0,
        segment_index_bytes: 4,
        retention_ms: 13,
        retention_bytes: 14,
        file_delete_delay_ms: 0,
        flush_messages: 15,
        flush_ms: 16,
        ..TopicConfig::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn finer_units_win_over_coarser_ones() {
    let topics = |changes: &[(&str, &str)]| with(changes).expect("allowed").config.topic_defaults;
    let (ms, minutes, hours) =
        (("log.retention.ms", "5"), ("log.retention.minutes", "2"), ("log.retention.hours", "3"));
    assert_eq!(topics(&[hours, minutes, ms]).retention_ms, 5);
    assert_eq!(topics(&[hours, minutes]).retention_ms, 120_000);
    assert_eq!(topics(&[hours]).retention_ms, 3 * 3_600_000);
    assert_eq!(topics(&[("log.retention.hours", "-7")]).retention_ms, -1);
    assert_eq!(topics(&[hours, ("log.retention.ms", "-9")]).retention_ms, -1);
    let (ms, hours) = (("log.roll.ms", "5"), ("log.roll.hours", "1"));
    assert_eq!(topics(&[hours, ms]).segment_ms, 5);
    assert_eq!(topics(&[hours]).segment_ms, 3_600_000);
    assert_eq!(topics(&[("log.roll.jitter.hours", "2")]).segment_jitter_ms, 7_200_000);
    assert_eq!(topics(&[("log.flush.scheduler.interval.ms", "9")]).flush_ms, 9);
    assert_eq!(refused("log.retention.ms", "0").allowed, "-1, or at least 1");
    refused("log.retention.minutes", "0");
    refused("log.retention.hours", "0");
    refused("log.roll.ms", "0");
    refused("log.index.size.max.bytes", "3");
}

#[test]
fn periodic_work_and_fetch_limits_come_from_their_keys() {
    let config = with(&[
        ("log.initial.task.delay.ms", "1"),
        ("log.retention.check.interval.ms", "2"),
        ("log.flush.scheduler.interval.ms", "3"),
        ("log.flush.offset.checkpoint.interval.ms", "4"),
        ("log.flush.start.offset.checkpoint.interval.ms", "5"),
        ("replica.high.watermark.checkpoint.interval.ms", "-6"),
        ("producer.id.expiration.ms", "7"),
        ("producer.id.expiration.check.interval.ms", "8"),
        ("fetch.max.bytes", "1024"),
        ("max.incremental.fetch.session.cache.slots", "0"),
    ])
    .expect("all allowed")
    .config;
    assert_eq!(
        config.tasks,
        TaskConfig {
            initial_delay_ms: 1,
            retention_check_interval_ms: 2,
            flush_scheduler_interval_ms: Some(3),
            recovery_point_interval_ms: 4,
            log_start_interval_ms: 5,
            high_watermark_interval_ms: 0,
            producer_id_expiration_ms: 7,
            producer_id_expiration_check_interval_ms: 8,
        }
    );
    assert_eq!((config.limits.fetch_bytes_max, config.limits.fetch_sessions_max), (1024, 0));
    refused("fetch.max.bytes", "1023");
}
