//! How a topic's settings come about: topic over this broker over all brokers over the static
//! configuration. A broker names most topic settings differently (`ServerTopicConfigSynonyms`).

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use crate::config::{CompressionLevels, StoredCompression, TopicConfig};

/// Settings of one resource, by key.
pub type Settings = BTreeMap<String, String>;

/// The layers that a topic's settings are looked up in, the strongest first.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// What the topic says itself.
    pub topic: Option<&'a Settings>,
    /// What was set for this broker while it ran.
    pub broker: Option<&'a Settings>,
    /// What was set for all brokers while they ran.
    pub all_brokers: Option<&'a Settings>,
    /// What the broker was started with.
    pub fallback: &'a TopicConfig,
}

impl Layers<'_> {
    /// The settings in force, and a sentence for each value that no setting can have: the next
    /// layer counts instead.
    pub fn resolve(&self) -> (TopicConfig, Vec<String>) {
        let mut config = self.fallback.clone();
        let mut refused = Vec::new();
        for setting in SETTINGS {
            let own = core::iter::once((self.topic, plain(setting.topic_key)));
            let of_brokers = [self.broker, self.all_brokers].into_iter();
            let of_brokers = of_brokers
                .flat_map(|layer| setting.broker_keys.iter().map(move |key| (layer, *key)));
            for (layer, key) in own.chain(of_brokers) {
                let Some(value) = layer.and_then(|settings| settings.get(key.name)) else {
                    continue;
                };
                let in_unit = key.converted(value);
                if in_unit.and_then(|value| (setting.apply)(&mut config, &value)).is_some() {
                    break;
                }
                refused.push(format!("{}={value}", key.name));
            }
        }
        (config, refused)
    }
}

struct Setting {
    topic_key: &'static str,
    /// The first that is set counts.
    broker_keys: &'static [BrokerKey],
    /// `None` leaves the configuration as it was.
    apply: fn(&mut TopicConfig, &str) -> Option<()>,
}

/// A key, and how its unit relates to that of the topic's key.
#[derive(Clone, Copy)]
struct BrokerKey {
    name: &'static str,
    /// 1: the same unit.
    factor: i64,
}

impl BrokerKey {
    fn converted(self, value: &str) -> Option<Cow<'_, str>> {
        if self.factor == 1 {
            return Some(Cow::Borrowed(value));
        }
        let count: i32 = value.trim().parse().ok()?;
        Some(Cow::Owned((i64::from(count) * self.factor).to_string()))
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

const SETTINGS: &[Setting] = &[
    Setting {
        topic_key: "max.message.bytes",
        broker_keys: &[plain("message.max.bytes")],
        apply: |config, value| at_least(0, value).map(|bytes| config.message_bytes_max = bytes),
    },
    Setting {
        topic_key: "message.timestamp.type",
        broker_keys: &[plain("log.message.timestamp.type")],
        apply: |config, value| timestamp_type(value).map(|append| config.log_append_time = append),
    },
    Setting {
        topic_key: "message.timestamp.before.max.ms",
        broker_keys: &[plain("log.message.timestamp.before.max.ms")],
        apply: |config, value| at_least(0, value).map(|ms| config.timestamp_before_ms_max = ms),
    },
    Setting {
        topic_key: "message.timestamp.after.max.ms",
        broker_keys: &[plain("log.message.timestamp.after.max.ms")],
        apply: |config, value| at_least(0, value).map(|ms| config.timestamp_after_ms_max = ms),
    },
    Setting {
        topic_key: "compression.type",
        broker_keys: &[plain("compression.type")],
        apply: |config, value| {
            StoredCompression::named(value).map(|compression| config.compression = compression)
        },
    },
    Setting {
        topic_key: "compression.gzip.level",
        broker_keys: &[plain("compression.gzip.level")],
        apply: |config, value| {
            gzip_level(value).map(|level| config.compression_levels.gzip = level)
        },
    },
    Setting {
        topic_key: "compression.lz4.level",
        broker_keys: &[plain("compression.lz4.level")],
        apply: |config, value| {
            level(CompressionLevels::LZ4, value).map(|level| config.compression_levels.lz4 = level)
        },
    },
    Setting {
        topic_key: "compression.zstd.level",
        broker_keys: &[plain("compression.zstd.level")],
        apply: |config, value| {
            level(CompressionLevels::ZSTD, value)
                .map(|level| config.compression_levels.zstd = level)
        },
    },
    Setting {
        topic_key: "cleanup.policy",
        broker_keys: &[plain("log.cleanup.policy")],
        apply: |config, value| {
            let policies = cleanup_policies(value)?;
            (config.compacted, config.deletes_old) = policies;
            Some(())
        },
    },
    Setting {
        topic_key: "retention.ms",
        broker_keys: &[
            plain("log.retention.ms"),
            minutes("log.retention.minutes"),
            hours("log.retention.hours"),
        ],
        apply: |config, value| at_least(i64::MIN, value).map(|ms| config.retention_ms = ms.max(-1)),
    },
    Setting {
        topic_key: "retention.bytes",
        broker_keys: &[plain("log.retention.bytes")],
        apply: |config, value| {
            at_least(i64::MIN, value).map(|bytes| config.retention_bytes = bytes)
        },
    },
    Setting {
        topic_key: "file.delete.delay.ms",
        broker_keys: &[plain("log.segment.delete.delay.ms")],
        apply: |config, value| at_least(0, value).map(|ms| config.file_delete_delay_ms = ms),
    },
    Setting {
        topic_key: "segment.ms",
        broker_keys: &[plain("log.roll.ms"), hours("log.roll.hours")],
        apply: |config, value| at_least(1, value).map(|ms| config.segment_ms = ms),
    },
    Setting {
        topic_key: "segment.jitter.ms",
        broker_keys: &[plain("log.roll.jitter.ms"), hours("log.roll.jitter.hours")],
        apply: |config, value| at_least(0, value).map(|ms| config.segment_jitter_ms = ms),
    },
    Setting {
        topic_key: "index.interval.bytes",
        broker_keys: &[plain("log.index.interval.bytes")],
        apply: |config, value| at_least(0, value).map(|bytes| config.index_interval_bytes = bytes),
    },
    Setting {
        topic_key: "segment.index.bytes",
        broker_keys: &[plain("log.index.size.max.bytes")],
        apply: |config, value| at_least(4, value).map(|bytes| config.segment_index_bytes = bytes),
    },
    Setting {
        topic_key: "flush.messages",
        broker_keys: &[plain("log.flush.interval.messages")],
        apply: |config, value| at_least(1, value).map(|count| config.flush_messages = count),
    },
    Setting {
        topic_key: "flush.ms",
        broker_keys: &[plain("log.flush.interval.ms"), plain("log.flush.scheduler.interval.ms")],
        apply: |config, value| at_least(0, value).map(|ms| config.flush_ms = ms),
    },
    Setting {
        topic_key: "segment.bytes",
        broker_keys: &[plain("log.segment.bytes")],
        apply: |config, value| at_least(1, value).map(|bytes| config.segment_bytes = bytes),
    },
    Setting {
        topic_key: "min.insync.replicas",
        broker_keys: &[plain("min.insync.replicas")],
        apply: |config, value| at_least(1, value).map(|count| config.min_insync_replicas = count),
    },
];

/// Values are Java's: an `int` setting never exceeds `i32::MAX`, which a `u32` holds as well.
fn at_least<T: FromStr + PartialOrd>(least: T, value: &str) -> Option<T> {
    value.trim().parse().ok().filter(|number| *number >= least)
}

fn timestamp_type(value: &str) -> Option<bool> {
    match value {
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
    use alloc::borrow::ToOwned;

    use super::*;
    use crate::batch::Codec;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn resolve(
        topic: &[(&str, &str)],
        broker: &[(&str, &str)],
        all: &[(&str, &str)],
    ) -> (TopicConfig, Vec<String>) {
        let layers = [settings(topic), settings(broker), settings(all)];
        Layers {
            topic: Some(&layers[0]),
            broker: Some(&layers[1]),
            all_brokers: Some(&layers[2]),
            fallback: &TopicConfig::default(),
        }
        .resolve()
    }

    #[test]
    fn stronger_layer_wins() {
        let key = "log.segment.bytes";
        let (config, refused) = resolve(
            &[("segment.bytes", "3000000"), ("cleanup.policy", "compact,delete")],
            &[(key, "2000000"), ("message.max.bytes", "7")],
            &[(key, "1000000"), ("message.max.bytes", "8"), ("compression.type", "gzip")],
        );
        assert_eq!(refused, Vec::<String>::new());
        assert_eq!(config.segment_bytes, 3_000_000);
        assert_eq!(config.message_bytes_max, 7);
        assert_eq!(config.compression, StoredCompression::Codec(Codec::Gzip));
        assert!(config.compacted);
        assert!(!config.log_append_time);
    }

    #[test]
    fn topic_key_in_a_broker_layer_means_nothing() {
        let (config, _) = resolve(&[], &[("segment.bytes", "1")], &[("cleanup.policy", "compact")]);
        assert_eq!(config, TopicConfig::default());
    }

    #[test]
    fn impossible_value_leaves_the_next_layer() {
        let (config, refused) = resolve(
            &[("message.timestamp.type", "Never"), ("max.message.bytes", "-1")],
            &[("log.message.timestamp.type", "LogAppendTime")],
            &[],
        );
        assert!(config.log_append_time);
        assert_eq!(config.message_bytes_max, 1_048_588);
        assert_eq!(refused, ["max.message.bytes=-1", "message.timestamp.type=Never"]);
    }

    #[test]
    fn empty_cleanup_policy_and_producer_compression_are_values() {
        let (config, refused) = resolve(
            &[("cleanup.policy", ""), ("compression.type", "producer")],
            &[("log.cleanup.policy", "compact"), ("compression.type", "zstd")],
            &[],
        );
        let nothing_is_cleaned = TopicConfig { deletes_old: false, ..TopicConfig::default() };
        assert_eq!((config, refused.len()), (nothing_is_cleaned, 0));
    }

    #[test]
    fn finest_unit_that_a_layer_sets_counts() {
        let (config, refused) = resolve(
            &[("segment.jitter.ms", "5")],
            &[("log.retention.hours", "3"), ("log.roll.hours", "2"), ("log.roll.ms", "9")],
            &[("log.retention.ms", "1"), ("log.roll.jitter.hours", "1")],
        );
        assert_eq!(refused, Vec::<String>::new());
        assert_eq!(config.retention_ms, 3 * 3_600_000);
        assert_eq!((config.segment_ms, config.segment_jitter_ms), (9, 5));
        let (config, _) = resolve(&[], &[], &[("log.retention.minutes", "7")]);
        assert_eq!(config.retention_ms, 7 * 60_000);
        let (config, _) = resolve(&[("retention.ms", "-1")], &[("log.retention.hours", "-4")], &[]);
        assert_eq!(config.retention_ms, -1);
        let (config, refused) = resolve(&[], &[("log.roll.hours", "99999999999")], &[]);
        assert_eq!((config.segment_ms, refused.len()), (604_800_000, 1));
    }

    #[test]
    fn what_becomes_of_old_segments_is_the_topics_to_say() {
        let (config, refused) = resolve(
            &[
                ("cleanup.policy", "compact"),
                ("retention.bytes", "-1"),
                ("file.delete.delay.ms", "0"),
                ("index.interval.bytes", "1"),
                ("segment.index.bytes", "16"),
                ("flush.messages", "1"),
                ("flush.ms", "0"),
            ],
            &[("log.retention.bytes", "12"), ("log.flush.interval.ms", "8")],
            &[],
        );
        assert_eq!(refused, Vec::<String>::new());
        let expected = TopicConfig {
            compacted: true,
            deletes_old: false,
            file_delete_delay_ms: 0,
            index_interval_bytes: 1,
            segment_index_bytes: 16,
            flush_messages: 1,
            flush_ms: 0,
            ..TopicConfig::default()
        };
        assert_eq!(config, expected);
        let (config, _) = resolve(&[("flush.ms", "-1")], &[("log.flush.interval.ms", "8")], &[]);
        assert_eq!(config.flush_ms, 8);
    }

    #[test]
    fn levels_are_resolved_each_for_itself_and_have_bounds() {
        let (config, refused) = resolve(
            &[("compression.zstd.level", "-7"), ("compression.gzip.level", "0")],
            &[("compression.lz4.level", "18"), ("compression.gzip.level", "9")],
            &[("compression.lz4.level", "17"), ("min.insync.replicas", "2")],
        );
        assert_eq!(config.compression_levels, CompressionLevels { gzip: 9, lz4: 17, zstd: -7 });
        assert_eq!(refused, ["compression.gzip.level=0", "compression.lz4.level=18"]);
        assert_eq!(config.min_insync_replicas, 2);
        assert_eq!(config.compression, StoredCompression::AsProduced);
    }
}
