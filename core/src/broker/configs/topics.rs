//! A topic's settings: which may be set, and which are in force.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::source;
use crate::broker::image::{ConfigResource, Image};
use crate::broker::topic_config::Settings;
use crate::config::keys::topic::{self, TopicKey};

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its key.
    pub name: &'static str,
    /// Its value, as it was written; in the topic's unit.
    pub value: Option<String>,
    /// Where it comes from, one of [`source`].
    pub source: i8,
    /// No setting of a topic is.
    pub read_only: bool,
    /// No setting of a topic is.
    pub is_sensitive: bool,
}

/// Whether a topic may have this setting; if not, Kafka's words. The error is INVALID_CONFIG.
/// What depends on other settings is for [`check_topic_settings`].
pub fn check_topic_setting(name: &str, value: Option<&str>) -> Result<(), String> {
    let Some(value) = value else {
        return Err(format!("Null value not supported for topic configs: {name}"));
    };
    let Some(topic_key) = topic::find(name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    topic_key.key.check(value)
}

/// Whether a topic may have all of these settings together (`LogConfig.validate`), with those of
/// the broker behind them; if not, Kafka's words. The error is INVALID_CONFIG.
pub fn check_topic_settings(own: &Settings, image: &Image) -> Result<(), String> {
    if let Some(unknown) = own.keys().find(|name| topic::find(name).is_none()) {
        return check_topic_setting(unknown, Some(""));
    }
    for (name, value) in own {
        check_topic_setting(name, Some(value))?;
    }
    let layers = TopicLayers::new(image, own);
    let lag_ms = |name: &str| {
        let (text, _) = layers.in_force(topic::find(name)?)?;
        text.trim().parse::<i64>().ok().map(|ms| (format!("{name} ({ms})"), ms))
    };
    if let Some((least, least_ms)) = lag_ms("min.compaction.lag.ms")
        && let Some((most, most_ms)) = lag_ms("max.compaction.lag.ms")
        && least_ms > most_ms
    {
        return Err(format!("conflict topic config setting {least} > {most}"));
    }
    let is_tiered = |text: &String| text.trim().eq_ignore_ascii_case("true");
    if own.get("remote.storage.enable").is_some_and(is_tiered) {
        return Err(String::from(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage.",
        ));
    }
    Ok(())
}

/// The settings in force of a topic by that name, whose own settings are `own` over those that it
/// has: every key that is told, by name.
pub fn describe_topic(image: &Image, topic: Option<&str>, own: &Settings) -> Vec<Described> {
    let existing = topic.and_then(|name| image.configs.get(&ConfigResource::topic(name)));
    let mut merged = existing.cloned().unwrap_or_default();
    merged.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    let layers = TopicLayers::new(image, &merged);
    let told = topic::KEYS
        .iter()
        .filter(|topic_key| !topic_key.key.is_internal || merged.contains_key(topic_key.key.name));
    told.map(|topic_key| {
        let (value, source) = layers.in_force(topic_key).unzip();
        Described {
            name: topic_key.key.name,
            value,
            source: source.unwrap_or(source::DEFAULT),
            read_only: false,
            is_sensitive: false,
        }
    })
    .collect()
}

/// The layers that a topic's settings are looked up in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicLayers<'a> {
    topic: &'a Settings,
    /// The strongest first.
    brokers: [(Option<&'a Settings>, i8); 3],
}

impl<'a> TopicLayers<'a> {
    pub(crate) fn new(image: &'a Image, topic: &'a Settings) -> Self {
        let this = image.configs.get(&ConfigResource::broker(image.node_id));
        let all = image.configs.get(&ConfigResource::broker_default());
        let brokers = [
            (this, source::DYNAMIC_BROKER),
            (all, source::DYNAMIC_DEFAULT_BROKER),
            (Some(&*image.settings), source::STATIC_BROKER),
        ];
        Self { topic, brokers }
    }

    /// The value of one key in the topic's unit, and the layer that it comes from.
    pub(crate) fn in_force(&self, topic_key: &TopicKey) -> Option<(String, i8)> {
        if let Some(value) = self.topic.get(topic_key.key.name) {
            return Some((value.clone(), source::TOPIC));
        }
        for (layer, source) in self.brokers {
            let Some(layer) = layer else { continue };
            for broker_key in topic_key.broker_keys {
                if let Some(value) = layer.get(broker_key.name)
                    && let Some(value) = broker_key.converted(value)
                {
                    return Some((value.into_owned(), source));
                }
            }
        }
        topic_key.key.default.map(|default| (default.to_string(), source::DEFAULT))
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::sync::Arc;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn refusal(pairs: &[(&str, &str)]) -> String {
        check_topic_settings(&settings(pairs), &Image::default()).expect_err("refused")
    }

    #[test]
    fn refusals_are_in_kafkas_words() {
        let single = |name, value| check_topic_setting(name, value).expect_err("refused");
        assert_eq!(single("no.such", Some("1")), "Unknown topic config name: no.such");
        assert_eq!(
            single("retention.ms", Some("abc")),
            "Invalid value abc for configuration retention.ms: Not a number of type LONG"
        );
        assert_eq!(
            single("retention.ms", None),
            "Null value not supported for topic configs: retention.ms"
        );
        assert_eq!(
            single("cleanup.policy", Some("foo")),
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, \
             delete"
        );
        assert_eq!(
            single("segment.bytes", Some("1048575")),
            "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"
        );
        assert_eq!(check_topic_setting("cleanup.policy", Some("")), Ok(()));
        assert_eq!(check_topic_setting("cleanup.policy", Some(" compact , delete ")), Ok(()));
    }

    #[test]
    fn settings_are_checked_together_and_with_those_of_the_broker() {
        assert_eq!(
            refusal(&[("min.compaction.lag.ms", "3"), ("max.compaction.lag.ms", "2")]),
            "conflict topic config setting min.compaction.lag.ms (3) > max.compaction.lag.ms (2)"
        );
        let started = settings(&[("log.cleaner.min.compaction.lag.ms", "10")]);
        let image = Image { settings: Arc::new(started), ..Image::default() };
        let own = settings(&[("max.compaction.lag.ms", "9")]);
        assert!(check_topic_settings(&own, &image).is_err());
        assert_eq!(check_topic_settings(&own, &Image::default()), Ok(()));
        assert!(refusal(&[("remote.storage.enable", "TRUE")]).starts_with("Tiered Storage"));
        let own = settings(&[("remote.storage.enable", "false"), ("retention.ms", "-1")]);
        assert_eq!(check_topic_settings(&own, &image), Ok(()));
        // A name that is unknown is told before a value that is wrong.
        assert!(refusal(&[("retention.ms", "x"), ("zzz", "1")]).starts_with("Unknown topic"));
    }

    #[test]
    fn a_topic_is_described_by_its_strongest_layer() {
        let mut image = Image { node_id: 1, ..Image::default() };
        image.settings = Arc::new(settings(&[
            ("log.retention.hours", "2"),
            ("log.segment.bytes", "2000000"),
            ("compression.type", "gzip"),
        ]));
        let mut set =
            |resource, pairs: &[(&str, &str)]| image.configs.insert(resource, settings(pairs));
        set(ConfigResource::broker_default(), &[("min.insync.replicas", "1")]);
        set(ConfigResource::broker(1), &[("log.segment.bytes", "3000000")]);
        set(ConfigResource::topic("t"), &[("retention.bytes", "7"), ("flush.ms", "8")]);
        let described = describe_topic(&image, Some("t"), &settings(&[("flush.ms", "9")]));
        assert_eq!(described.len(), 33);
        assert!(described.is_sorted_by_key(|one| one.name));
        let value = |name: &str| {
            let found = described.iter().find(|one| one.name == name).expect("one of the 33");
            (found.value.as_deref().expect("a value"), found.source)
        };
        assert_eq!(value("flush.ms"), ("9", source::TOPIC));
        assert_eq!(value("retention.bytes"), ("7", source::TOPIC));
        assert_eq!(value("segment.bytes"), ("3000000", source::DYNAMIC_BROKER));
        assert_eq!(value("min.insync.replicas"), ("1", source::DYNAMIC_DEFAULT_BROKER));
        assert_eq!(value("retention.ms"), ("7200000", source::STATIC_BROKER));
        assert_eq!(value("compression.type"), ("gzip", source::STATIC_BROKER));
        assert_eq!(value("segment.ms"), ("604800000", source::DEFAULT));
        let set = settings(&[("internal.segment.bytes", "100")]);
        assert_eq!(describe_topic(&image, None, &set).len(), 34);
    }
}
