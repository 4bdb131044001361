//! How a topic's settings come about: topic over this broker over all brokers over the static
//! configuration. A broker names most topic settings differently (`ServerTopicConfigSynonyms`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{TopicConfig, keys};

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
        for topic_key in keys::topic::KEYS {
            let name = topic_key.key.name;
            if let Some(value) = self.topic.and_then(|settings| settings.get(name)) {
                if (topic_key.apply)(&mut config, value).is_some() {
                    continue;
                }
                refused.push(format!("{name}={value}"));
            }
            let of_brokers = [self.broker, self.all_brokers].into_iter().flatten();
            for (layer, key) in of_brokers
                .flat_map(|layer| topic_key.broker_keys.iter().map(move |key| (layer, *key)))
            {
                let Some(value) = layer.get(key.name) else { continue };
                let in_unit = key.converted(value);
                if in_unit.and_then(|value| (topic_key.apply)(&mut config, &value)).is_some() {
                    break;
                }
                refused.push(format!("{}={value}", key.name));
            }
        }
        (config, refused)
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;
    use crate::batch::Codec;
    use crate::config::{CompressionLevels, StoredCompression};

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
