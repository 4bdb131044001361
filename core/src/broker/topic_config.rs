//! How a topic's settings come about: topic over this broker over all brokers over the static
//! configuration. A broker names most topic settings differently (`ServerTopicConfigSynonyms`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
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
            let found = [
                (self.topic, setting.topic_key),
                (self.broker, setting.broker_key),
                (self.all_brokers, setting.broker_key),
            ];
            for (layer, key) in found {
                let Some(value) = layer.and_then(|settings| settings.get(key)) else { continue };
                if (setting.apply)(&mut config, value).is_some() {
                    break;
                }
                refused.push(format!("{key}={value}"));
            }
        }
        (config, refused)
    }
}

struct Setting {
    topic_key: &'static str,
    broker_key: &'static str,
    /// `None` leaves the configuration as it was.
    apply: fn(&mut TopicConfig, &str) -> Option<()>,
}

const SETTINGS: &[Setting] = &[
    Setting {
        topic_key: "max.message.bytes",
        broker_key: "message.max.bytes",
        apply: |config, value| at_least(0, value).map(|bytes| config.message_bytes_max = bytes),
    },
    Setting {
        topic_key: "message.timestamp.type",
        broker_key: "log.message.timestamp.type",
        apply: |config, value| timestamp_type(value).map(|append| config.log_append_time = append),
    },
    Setting {
        topic_key: "message.timestamp.before.max.ms",
        broker_key: "log.message.timestamp.before.max.ms",
        apply: |config, value| at_least(0, value).map(|ms| config.timestamp_before_ms_max = ms),
    },
    Setting {
        topic_key: "message.timestamp.after.max.ms",
        broker_key: "log.message.timestamp.after.max.ms",
        apply: |config, value| at_least(0, value).map(|ms| config.timestamp_after_ms_max = ms),
    },
    Setting {
        topic_key: "compression.type",
        broker_key: "compression.type",
        apply: |config, value| {
            StoredCompression::named(value).map(|compression| config.compression = compression)
        },
    },
    Setting {
        topic_key: "compression.gzip.level",
        broker_key: "compression.gzip.level",
        apply: |config, value| {
            gzip_level(value).map(|level| config.compression_levels.gzip = level)
        },
    },
    Setting {
        topic_key: "compression.lz4.level",
        broker_key: "compression.lz4.level",
        apply: |config, value| {
            level(CompressionLevels::LZ4, value).map(|level| config.compression_levels.lz4 = level)
        },
    },
    Setting {
        topic_key: "compression.zstd.level",
        broker_key: "compression.zstd.level",
        apply: |config, value| {
            level(CompressionLevels::ZSTD, value)
                .map(|level| config.compression_levels.zstd = level)
        },
    },
    Setting {
        topic_key: "cleanup.policy",
        broker_key: "log.cleanup.policy",
        apply: |config, value| compacted(value).map(|compacted| config.compacted = compacted),
    },
    Setting {
        topic_key: "segment.bytes",
        broker_key: "log.segment.bytes",
        apply: |config, value| at_least(1, value).map(|bytes| config.segment_bytes = bytes),
    },
    Setting {
        topic_key: "min.insync.replicas",
        broker_key: "min.insync.replicas",
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

/// The list may be empty since 4.3: then nothing is cleaned.
fn compacted(value: &str) -> Option<bool> {
    let mut compacted = false;
    for policy in value.split(',').map(str::trim).filter(|policy| !policy.is_empty()) {
        match policy {
            "compact" => compacted = true,
            "delete" => {}
            _ => return None,
        }
    }
    Some(compacted)
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
        assert_eq!((config, refused.len()), (TopicConfig::default(), 0));
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
