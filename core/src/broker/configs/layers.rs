//! The broker's own settings: set for this broker over set for all brokers over what it was started
//! with over the default (`DynamicBrokerConfig`).

use alloc::vec::Vec;

use super::source;
use crate::broker::image::{ConfigResource, Image};
use crate::broker::topic_config::Settings;
use crate::config::keys::{self, Key, Update};

/// The layers in which the broker's settings are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrokerLayers<'a> {
    /// What was set for this broker while it ran.
    pub(crate) this: Option<&'a Settings>,
    /// What was set for all brokers while they ran.
    pub(crate) all: Option<&'a Settings>,
    /// What it was started with.
    pub(crate) started: &'a Settings,
}

/// A key of which a value comes, or could come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Synonym<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    pub(crate) source: i8,
}

impl<'a> BrokerLayers<'a> {
    pub(crate) fn of(image: &'a Image) -> Self {
        Self {
            this: image.configs.get(&ConfigResource::broker(image.node_id)),
            all: image.configs.get(&ConfigResource::broker_default()),
            started: &image.settings,
        }
    }

    /// The value in force, as it was written. What a stronger layer says of one key takes the place
    /// of what a weaker one says of its synonyms.
    pub(crate) fn in_force(&self, name: &str) -> Option<&'a str> {
        for layer in [self.this, self.all].into_iter().flatten() {
            if let Some(value) = dynamic(layer, name) {
                return Some(value);
            }
            if layer.keys().any(|set| set != name && replaced_by(set).contains(&name)) {
                return default_of(name);
            }
        }
        self.started.get(name).map(|value| &**value).or_else(|| default_of(name))
    }

    /// The value that was set while the broker ran.
    pub(crate) fn set_while_running(&self, name: &str) -> Option<&'a str> {
        [self.this, self.all].into_iter().flatten().find_map(|layer| dynamic(layer, name))
    }

    /// A whole number that is in force.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.in_force(name)?.trim().parse().ok()
    }

    /// All that the value comes from and could come from, the strongest first. What stands before
    /// the key itself is another key's.
    pub(crate) fn synonyms<'n>(&self, name: &'n str) -> Vec<Synonym<'n>>
    where
        'a: 'n,
    {
        let names = synonym_names(name);
        let mut found = Vec::new();
        let layers = [
            (self.this, source::DYNAMIC_BROKER),
            (self.all, source::DYNAMIC_DEFAULT_BROKER),
            (Some(self.started), source::STATIC_BROKER),
        ];
        for (layer, source) in layers {
            let Some(layer) = layer else { continue };
            let is_dynamic = source != source::STATIC_BROKER;
            let value = |name| {
                if is_dynamic {
                    dynamic(layer, name)
                } else {
                    layer.get(name).map(|value| &**value)
                }
            };
            found.extend(
                names.iter().filter_map(|name| Some(Synonym { name, value: value(name)?, source })),
            );
        }
        let source = source::DEFAULT;
        found.extend(
            names
                .iter()
                .filter_map(|name| Some(Synonym { name, value: default_of(name)?, source })),
        );
        let first = found.iter().position(|synonym| synonym.name == name);
        found.drain(..first.unwrap_or(found.len()));
        found
    }

    /// Every name that is told of one broker: all keys but the internal ones that nobody set, and
    /// what was set and nobody knows.
    pub(crate) fn names(&self) -> Vec<&'a str> {
        let is_set = |name: &str| {
            self.started.contains_key(name)
                || [self.this, self.all]
                    .into_iter()
                    .flatten()
                    .any(|layer| dynamic(layer, name).is_some())
        };
        let known = keys::all().filter(|key| !key.is_internal || is_set(key.name));
        let layers = [self.this, self.all, Some(self.started)].into_iter().flatten();
        let unknown = layers.flat_map(|layer| layer.keys()).map(|name| &**name);
        let unknown = unknown.filter(|name| keys::find(name).is_none());
        let mut names: Vec<&str> = known.map(|key| key.name).chain(unknown).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A key by its name, also behind the prefix of a listener.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    keys::find(name).or_else(|| keys::find(base_name(name)?))
}

/// The key that a name means for one listener: `listener.name.NAME.KEY`, and for one mechanism of it
/// `listener.name.NAME.MECHANISM.KEY`.
pub(crate) fn base_name(name: &str) -> Option<&str> {
    const OF_MECHANISMS: [&str; 5] = [
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(OF_MECHANISMS.into_iter().find(|key| base.ends_with(key)).unwrap_or(base))
}

/// What a layer of running settings says of a key. A key that changes only with a restart may stand
/// there since an older Kafka, and does not count.
fn dynamic<'a>(layer: &'a Settings, name: &str) -> Option<&'a str> {
    let value = layer.get(name)?;
    let counts = keys::find(name).is_none_or(|key| key.update == Update::Dynamic);
    counts.then_some(value)
}

fn default_of(name: &str) -> Option<&'static str> {
    find(name).and_then(|key| key.default)
}

const ROLL: &[&str] = &["log.roll.ms", "log.roll.hours"];
const ROLL_JITTER: &[&str] = &["log.roll.jitter.ms", "log.roll.jitter.hours"];
const RETENTION: &[&str] = &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];

/// Keys that are replaced in weaker layers by what is said of this one, the finest unit first.
fn replaced_by(name: &str) -> &'static [&'static str] {
    match name {
        _ if ROLL.contains(&name) => ROLL,
        _ if ROLL_JITTER.contains(&name) => ROLL_JITTER,
        _ if RETENTION.contains(&name) => RETENTION,
        "log.flush.interval.ms" => FLUSH,
        _ => &[],
    }
}

/// Keys of which the value of this one could come (`brokerConfigSynonyms`).
fn synonym_names(name: &str) -> Vec<&str> {
    match replaced_by(name) {
        [] => {
            let mut names = Vec::from([name]);
            names.extend(base_name(name));
            names
        }
        names => names.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_stronger_layer_replaces_the_synonyms_of_what_it_says() {
        let this = settings(&[("log.roll.ms", "5"), ("num.partitions", "9")]);
        let all = settings(&[("message.max.bytes", "7"), ("log.roll.ms", "6")]);
        let started = settings(&[("log.roll.hours", "2"), ("log.retention.hours", "3")]);
        let layers = BrokerLayers { this: Some(&this), all: Some(&all), started: &started };
        assert_eq!(layers.in_force("log.roll.ms"), Some("5"));
        assert_eq!(layers.in_force("log.roll.hours"), Some("168"));
        assert_eq!(layers.in_force("log.retention.hours"), Some("3"));
        assert_eq!(layers.integer("message.max.bytes"), Some(7));
        // It changes with a restart alone.
        assert_eq!(layers.in_force("num.partitions"), Some("1"));
        let told = |name| {
            let synonyms = layers.synonyms(name);
            synonyms.iter().map(|s| (s.name, s.value, s.source)).collect::<Vec<_>>()
        };
        assert_eq!(
            told("log.roll.ms"),
            [
                ("log.roll.ms", "5", source::DYNAMIC_BROKER),
                ("log.roll.ms", "6", source::DYNAMIC_DEFAULT_BROKER),
                ("log.roll.hours", "2", source::STATIC_BROKER),
                ("log.roll.hours", "168", source::DEFAULT),
            ]
        );
        assert_eq!(
            told("log.roll.hours"),
            [
                ("log.roll.hours", "2", source::STATIC_BROKER),
                ("log.roll.hours", "168", source::DEFAULT),
            ]
        );
        // Nobody said it in milliseconds.
        assert_eq!(told("log.retention.ms"), []);
    }

    #[test]
    fn a_listeners_key_is_that_of_all_behind_its_prefix() {
        assert_eq!(base_name("listener.name.plaintext.max.connections"), Some("max.connections"));
        assert_eq!(base_name("listener.name.a.plain.sasl.jaas.config"), Some("sasl.jaas.config"));
        assert_eq!(base_name("listener.names"), None);
        assert_eq!(base_name("max.connections"), None);
        let started = settings(&[("listener.name.a.ssl.key.password", "x"), ("own.key", "y")]);
        let layers = BrokerLayers { this: None, all: None, started: &started };
        let names = layers.names();
        assert!(names.is_sorted());
        assert!(names.contains(&"listener.name.a.ssl.key.password") && names.contains(&"own.key"));
        assert!(!names.contains(&"log.initial.task.delay.ms"), "internal");
        assert!(
            find("listener.name.a.ssl.key.password").is_some_and(|k| k.value_type.is_sensitive())
        );
    }
}
