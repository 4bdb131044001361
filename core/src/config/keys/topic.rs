//! The keys of topics, with the broker's keys that give what a topic does not say
//! (`ServerTopicConfigSynonyms`), and what they set.

use alloc::borrow::Cow;
use alloc::string::ToString;
use core::str::FromStr;

use super::{Key, ValueType};
use crate::config::cleaner::millionths;
use crate::config::{CompressionLevels, StoredCompression, TopicConfig};

/// A key of topics.
#[derive(Clone, Copy, Debug)]
pub struct TopicKey {
    /// The key itself.
    pub key: Key,
    /// The broker's keys for it. The first that is set counts.
    pub broker_keys: &'static [BrokerKey],
    /// Takes a value over; `None` leaves the configuration as it was.
    ///
    /// More is taken than [`Key::check`] lets through: older records, and those of tests, have
    /// values below Kafka's bounds.
    pub apply: fn(&mut TopicConfig, &str) -> Option<()>,
}

/// A key, and how its unit relates to that of the topic's key.
#[derive(Clone, Copy, Debug)]
pub struct BrokerKey {
    /// As it is written.
    pub name: &'static str,
    /// 1: the same unit.
    factor: i64,
}

impl BrokerKey {
    /// A value in the unit of the topic's key; `None` for one that is no number.
    pub fn converted(self, value: &str) -> Option<Cow<'_, str>> {
        if self.factor == 1 {
            return Some(Cow::Borrowed(value));
        }
        let count: i32 = value.trim().parse().ok()?;
        Some(Cow::Owned((i64::from(count) * self.factor).to_string()))
    }
}

/// A key of topics, by its name.
pub fn find(name: &str) -> Option<&'static TopicKey> {
    KEYS.iter().find(|topic_key| topic_key.key.name == name)
}

/// By name. `internal.segment.bytes` comes in its place behind `segment.bytes`, over which it wins.
pub const KEYS: &[TopicKey] = &[
    works("cleanup.policy", ValueType::List(&["compact", "delete"]), "delete", |config, value| {
        (config.compacted, config.deletes_old) = cleanup_policies(value)?;
        Some(())
    })
    .of(&[plain("log.cleanup.policy")])
    .does(
        "What becomes of old records. `delete` removes them by retention.ms and retention.bytes. \
         `compact` keeps the last record of each key, and every record needs one.",
    ),
    works("compression.gzip.level", ValueType::GzipLevel, "-1", |config, value| {
        gzip_level(value).map(|level| config.compression_levels.gzip = level)
    })
    .of(&[plain("compression.gzip.level")])
    .does("The level of gzip where the broker compresses; -1 is gzip's own default."),
    works("compression.lz4.level", LZ4_LEVEL, "9", |config, value| {
        level(CompressionLevels::LZ4, value).map(|level| config.compression_levels.lz4 = level)
    })
    .of(&[plain("compression.lz4.level")])
    .does(
        "The level of lz4 where the broker compresses. There is one level here, so it makes no \
         difference.",
    ),
    works(
        "compression.type",
        ValueType::Word(StoredCompression::NAMES),
        "producer",
        |config, value| StoredCompression::named(value).map(|kind| config.compression = kind),
    )
    .of(&[plain("compression.type")])
    .does(
        "The codec that batches are stored in; `producer` keeps that of the producer. Others cost \
         the broker's time.",
    ),
    works("compression.zstd.level", ZSTD_LEVEL, "3", |config, value| {
        level(CompressionLevels::ZSTD, value).map(|level| config.compression_levels.zstd = level)
    })
    .of(&[plain("compression.zstd.level")])
    .does(
        "The level of zstd where the broker compresses. There is one level here, about zstd's \
         first, so it makes no difference.",
    ),
    works("delete.retention.ms", ValueType::long_from(0), "86400000", |config, value| {
        at_least(0, value).map(|ms| config.delete_retention_ms = ms)
    })
    .of(&[plain("log.cleaner.delete.retention.ms")])
    .does(
        "How long compaction keeps a record without value, once all earlier ones with its key are \
         gone.",
    ),
    works("file.delete.delay.ms", ValueType::long_from(0), "60000", |config, value| {
        at_least(0, value).map(|ms| config.file_delete_delay_ms = ms)
    })
    .of(&[plain("log.segment.delete.delay.ms")])
    .does("How long the files of a deleted segment stay, renamed."),
    works("flush.messages", ValueType::long_from(1), MOST, |config, value| {
        at_least(1, value).map(|count| config.flush_messages = count)
    })
    .of(&[plain("log.flush.interval.messages")])
    .does("Records that may lie unsynced. Only klamm.durability=page-cache lets any."),
    works("flush.ms", ValueType::long_from(0), MOST, |config, value| {
        at_least(0, value).map(|ms| config.flush_ms = ms)
    })
    .of(&[plain("log.flush.interval.ms"), plain("log.flush.scheduler.interval.ms")])
    .does("How long they may, as log.flush.scheduler.interval.ms lets it be seen."),
    unused("follower.replication.throttled.replicas", ValueType::ThrottledReplicas, ""),
    works("index.interval.bytes", ValueType::int_from(0), "4096", |config, value| {
        at_least(0, value).map(|bytes| config.index_interval_bytes = bytes)
    })
    .of(&[plain("log.index.interval.bytes")])
    .does("Bytes of batches between two entries of a segment's index."),
    unused("leader.replication.throttled.replicas", ValueType::ThrottledReplicas, ""),
    unused("local.retention.bytes", ValueType::long_from(-2), "-2")
        .of(&[plain("log.local.retention.bytes")]),
    unused("local.retention.ms", ValueType::long_from(-2), "-2")
        .of(&[plain("log.local.retention.ms")]),
    works("max.compaction.lag.ms", ValueType::long_from(1), MOST, |config, value| {
        at_least(1, value).map(|ms| config.compaction_lag_ms_max = ms)
    })
    .of(&[plain("log.cleaner.max.compaction.lag.ms")])
    .does("How long a record waits for compaction at most."),
    works("max.message.bytes", ValueType::int_from(0), "1048588", |config, value| {
        at_least(0, value).map(|bytes| config.message_bytes_max = bytes)
    })
    .of(&[plain("message.max.bytes")])
    .does("The largest record batch, in bytes as sent."),
    works("message.timestamp.after.max.ms", ValueType::long_from(0), "3600000", |config, value| {
        at_least(0, value).map(|ms| config.timestamp_after_ms_max = ms)
    })
    .of(&[plain("log.message.timestamp.after.max.ms")])
    .does("How far a producer's timestamp may lie ahead of the broker's time."),
    works("message.timestamp.before.max.ms", ValueType::long_from(0), MOST, |config, value| {
        at_least(0, value).map(|ms| config.timestamp_before_ms_max = ms)
    })
    .of(&[plain("log.message.timestamp.before.max.ms")])
    .does("How far a producer's timestamp may lie behind the broker's time."),
    works("message.timestamp.type", TIMESTAMP_TYPE, "CreateTime", |config, value| {
        timestamp_type(value).map(|append| config.log_append_time = append)
    })
    .of(&[plain("log.message.timestamp.type")])
    .does("Whose time records carry: the producer's or the broker's."),
    works("min.cleanable.dirty.ratio", RATIO, "0.5", |config, value| {
        millionths(value).map(|ratio| config.dirty_ppm_min = ratio)
    })
    .of(&[plain("log.cleaner.min.cleanable.ratio")])
    .does("How much of a log must be new since it was compacted before it is compacted again."),
    works("min.compaction.lag.ms", ValueType::long_from(0), "0", |config, value| {
        at_least(0, value).map(|ms| config.compaction_lag_ms_min = ms)
    })
    .of(&[plain("log.cleaner.min.compaction.lag.ms")])
    .does("How long a record stays uncompacted at least."),
    works("min.insync.replicas", ValueType::int_from(1), "1", |config, value| {
        at_least(1, value).map(|count| config.min_insync_replicas = count)
    })
    .of(&[plain("min.insync.replicas")])
    .does(
        "How many replicas must have a record for acks=all. A partition with fewer replicas needs \
         them all; here it has one.",
    ),
    unused("preallocate", ValueType::Boolean, "false").of(&[plain("log.preallocate")]),
    unused("remote.log.copy.disable", ValueType::Boolean, "false"),
    unused("remote.log.delete.on.disable", ValueType::Boolean, "false"),
    unused("remote.storage.enable", ValueType::Boolean, "false"),
    works("retention.bytes", ValueType::LONG, "-1", |config, value| {
        at_least(i64::MIN, value).map(|bytes| config.retention_bytes = bytes)
    })
    .of(&[plain("log.retention.bytes")])
    .does("Bytes of a partition that are kept at least. Below 0: all."),
    works("retention.ms", ValueType::long_from(-1), "604800000", |config, value| {
        at_least(i64::MIN, value).map(|ms| config.retention_ms = ms.max(-1))
    })
    .of(&[
        plain("log.retention.ms"),
        minutes("log.retention.minutes"),
        hours("log.retention.hours"),
    ])
    .does("How long records are kept at least. -1: for ever."),
    works("segment.bytes", ValueType::int_from(1 << 20), "1073741824", |config, value| {
        at_least(1, value).map(|bytes| config.segment_bytes = bytes)
    })
    .of(&[plain("log.segment.bytes")])
    .does("The size at which a log begins a new segment file."),
    works("internal.segment.bytes", ValueType::INT, "", |config, value| {
        at_least(1, value).map(|bytes| config.segment_bytes = bytes)
    })
    .does("The same without a least size, for tests. It wins over segment.bytes.")
    .internal(),
    works("segment.index.bytes", ValueType::int_from(4), "10485760", |config, value| {
        at_least(4, value).map(|bytes| config.segment_index_bytes = bytes)
    })
    .of(&[plain("log.index.size.max.bytes")])
    .does("The size at which a segment's index is full, and the next segment begins."),
    works("segment.jitter.ms", ValueType::long_from(0), "0", |config, value| {
        at_least(0, value).map(|ms| config.segment_jitter_ms = ms)
    })
    .of(&[plain("log.roll.jitter.ms"), hours("log.roll.jitter.hours")])
    .does("Up to so much is taken off segment.ms, so that not all logs roll at once."),
    works("segment.ms", ValueType::long_from(1), "604800000", |config, value| {
        at_least(1, value).map(|ms| config.segment_ms = ms)
    })
    .of(&[plain("log.roll.ms"), hours("log.roll.hours")])
    .does("The age at which the active segment is closed."),
    unused("unclean.leader.election.enable", ValueType::Boolean, "false")
        .of(&[plain("unclean.leader.election.enable")]),
];

/// `Long.MAX_VALUE`.
const MOST: &str = "9223372036854775807";

const LZ4_LEVEL: ValueType =
    ValueType::Int { min: CompressionLevels::LZ4.0, max: CompressionLevels::LZ4.1 };

const ZSTD_LEVEL: ValueType =
    ValueType::Int { min: CompressionLevels::ZSTD.0, max: CompressionLevels::ZSTD.1 };

const RATIO: ValueType = ValueType::Double { min: 0.0, max: 1.0 };

const TIMESTAMP_TYPE: ValueType = ValueType::Word(&["CreateTime", "LogAppendTime"]);

const fn works(
    name: &'static str,
    value_type: ValueType,
    default: &'static str,
    apply: fn(&mut TopicConfig, &str) -> Option<()>,
) -> TopicKey {
    TopicKey { key: Key::new(name, value_type, Some(default)), broker_keys: &[], apply }
}

/// A key that is taken and changes nothing here: it is of replicas or tiers that one node has not, or a
/// hint.
const fn unused(name: &'static str, value_type: ValueType, default: &'static str) -> TopicKey {
    works(name, value_type, default, |_, _| Some(()))
}

impl TopicKey {
    const fn of(self, broker_keys: &'static [BrokerKey]) -> Self {
        Self { broker_keys, ..self }
    }

    const fn does(self, documentation: &'static str) -> Self {
        Self { key: self.key.does(documentation), ..self }
    }

    /// Its default is nothing.
    const fn internal(self) -> Self {
        let key = self.key.internal();
        Self { key: Key { default: None, ..key }, ..self }
    }
}

const fn plain(name: &'static str) -> BrokerKey {
    BrokerKey { name, factor: 1 }
}

const fn minutes(name: &'static str) -> BrokerKey {
    BrokerKey { name, factor: 60_000 }
}

const fn hours(name: &'static str) -> BrokerKey {
    BrokerKey { name, factor: 3_600_000 }
}

/// Values are Java's: an `int` setting never exceeds `i32::MAX`, which a `u32` holds as well.
fn at_least<T: FromStr + PartialOrd>(least: T, value: &str) -> Option<T> {
    value.trim().parse().ok().filter(|number| *number >= least)
}

fn timestamp_type(value: &str) -> Option<bool> {
    match value.trim() {
        "CreateTime" => Some(false),
        "LogAppendTime" => Some(true),
        _ => None,
    }
}

fn gzip_level(value: &str) -> Option<i32> {
    CompressionLevels::GZIP.contains(&value.trim()).then(|| value.trim().parse().ok())?
}

fn level((least, most): (i64, i64), value: &str) -> Option<i32> {
    let level: i32 = value.trim().parse().ok()?;
    (least..=most).contains(&i64::from(level)).then_some(level)
}

/// Whether it is compacted, and whether old segments are deleted. The list may be empty since 4.3:
/// then nothing is cleaned.
fn cleanup_policies(value: &str) -> Option<(bool, bool)> {
    let (mut compacts, mut deletes) = (false, false);
    for policy in value.split(',').map(str::trim).filter(|policy| !policy.is_empty()) {
        match policy {
            "compact" => compacts = true,
            "delete" => deletes = true,
            _ => return None,
        }
    }
    Some((compacts, deletes))
}

#[cfg(test)]
mod tests {
    use super::KEYS;
    use crate::config::TopicConfig;
    use crate::config::keys;

    #[test]
    fn defaults_are_allowed_and_those_of_the_broker() {
        for topic_key in KEYS {
            let Some(default) = topic_key.key.default else { continue };
            assert_eq!(topic_key.key.check(default), Ok(()), "{}", topic_key.key.name);
            let mut config = TopicConfig::default();
            assert_eq!((topic_key.apply)(&mut config, default), Some(()));
            assert_eq!(config, TopicConfig::default(), "{}", topic_key.key.name);
            let of_broker = topic_key.broker_keys.iter().find_map(|broker_key| {
                let key = keys::find(broker_key.name).expect("a key of the broker");
                broker_key.converted(key.default?)
            });
            if !topic_key.broker_keys.is_empty() {
                assert_eq!(of_broker.as_deref(), Some(default), "{}", topic_key.key.name);
            }
        }
    }

    #[test]
    fn there_are_kafkas_33_and_one_for_tests_by_name() {
        let told = KEYS.iter().map(|topic_key| topic_key.key).filter(|key| !key.is_internal);
        let names: alloc::vec::Vec<_> = told.map(|key| key.name).collect();
        assert_eq!(names.len(), 33);
        assert!(names.is_sorted());
        assert_eq!(KEYS.len(), 34);
    }

    #[test]
    fn a_key_does_something_when_it_says_what() {
        for topic_key in KEYS {
            let mut config = TopicConfig::default();
            let takes_anything = (topic_key.apply)(&mut config, "nonsense").is_some();
            let is_described = topic_key.key.documentation.is_some();
            assert_eq!(takes_anything, !is_described, "{}", topic_key.key.name);
        }
    }
}
