//! DescribeConfigs (key 32), as `ConfigHelper` answers it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::topic_name;
use super::words::{MALFORMED, Words};
use crate::api::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::broker::configs::{BrokerLayers, Synonym, TopicLayers, find_broker_key, source};
use crate::broker::image::{ConfigResource, Image};
use crate::broker::topic_config::Settings;
use crate::config::keys::group::GroupKey;
use crate::config::keys::topic::TopicKey;
use crate::config::keys::{self, Key};
use crate::config::limits::DESCRIBED_SETTINGS_MAX;
use crate::error_code::ErrorCode;
use crate::refusal::Refusal;

/// Answers `request`.
pub fn answer(request: &DescribeConfigsRequest, image: &Image) -> DescribeConfigsResponse {
    let mut words = Words::of(request.resources.len());
    let is_understood = |resource: &DescribeConfigsResource| {
        ConfigResource::DESCRIBED.contains(&resource.resource_type)
    };
    let is_malformed = !request.resources.iter().all(is_understood);
    let mut describer = Describer { request, image, left: DESCRIBED_SETTINGS_MAX };
    let results = request.resources.iter().map(|resource| {
        let described = if is_malformed {
            invalid(MALFORMED.to_string())
        } else {
            describer.describe(resource)
        };
        let (error_code, error_message, configs) = match described {
            Ok(configs) => (ErrorCode::NONE, Some(String::new()), configs),
            Err(Refusal { error, message }) => (error, words.admit(message), Vec::new()),
        };
        DescribeConfigsResult {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs,
        }
    });
    DescribeConfigsResponse { throttle_time_ms: 0, results: results.collect() }
}

/// Makes one answer.
struct Describer<'a> {
    request: &'a DescribeConfigsRequest,
    image: &'a Image,
    /// Settings that may still be told.
    left: usize,
}

impl Describer<'_> {
    fn describe(
        &mut self,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        if self.left == 0 {
            return self.too_many();
        }
        let name = resource.resource_name.as_str();
        let asked = Asked::of(resource);
        let configs = match resource.resource_type {
            ConfigResource::TOPIC => self.topic(name, &asked)?,
            ConfigResource::BROKER if name.is_empty() => self.all_brokers(&asked),
            ConfigResource::BROKER => {
                self.check_broker(name, " or empty string, but")?;
                self.broker(&asked)
            }
            ConfigResource::BROKER_LOGGER if name.is_empty() => {
                return invalid("Broker id must not be empty".to_string());
            }
            ConfigResource::BROKER_LOGGER => {
                self.check_broker(name, " but")?;
                // The server's log has no loggers that could be set one by one.
                Vec::new()
            }
            ConfigResource::CLIENT_METRICS if name.is_empty() => {
                return invalid("Client metrics subscription name must not be empty".to_string());
            }
            ConfigResource::CLIENT_METRICS => self.client_metrics(name, &asked),
            _ if name.is_empty() => return invalid("Group name must not be empty".to_string()),
            _ => self.group(name, &asked),
        };
        if configs.len() >= self.left {
            return self.too_many();
        }
        self.left -= configs.len();
        Ok(configs)
    }

    /// Nothing more is looked at: describing what is not told would cost time too.
    fn too_many<T>(&mut self) -> Result<T, Refusal> {
        self.left = 0;
        invalid(format!(
            "An answer tells fewer than {DESCRIBED_SETTINGS_MAX} settings. Ask for fewer resources, \
             or for single settings."
        ))
    }

    fn check_broker(&self, name: &str, joint: &str) -> Result<(), Refusal> {
        let node_id = self.image.node_id;
        match name.parse::<i32>() {
            Err(_) => invalid(format!("Broker id must be an integer, but it is: {name}")),
            Ok(id) if id != node_id => {
                invalid(format!("Unexpected broker id, expected {node_id}{joint} received {name}"))
            }
            Ok(_) => Ok(()),
        }
    }

    fn topic(
        &self,
        name: &str,
        asked: &Asked<'_>,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        if let Some(refusal) = topic_name::refusal(name) {
            return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, refusal));
        }
        if !self.image.topics.contains_key(name) {
            return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()));
        }
        let nothing = Settings::new();
        let own = self.image.configs.get(&ConfigResource::topic(name)).unwrap_or(&nothing);
        let layers = TopicLayers::new(self.image, own);
        let told = keys::topic::KEYS.iter().filter(|TopicKey { key, .. }| {
            asked.includes(key.name) && (!key.is_internal || own.contains_key(key.name))
        });
        let entries = told.map(|topic_key| {
            let TopicKey { key, broker_keys, .. } = topic_key;
            let mut synonyms = Vec::new();
            if let Some(value) = own.get(key.name) {
                let value = key.value_type.canonical(value);
                synonyms.push(synonym(key.name, value, source::TOPIC));
            }
            if let Some(first) = broker_keys.first() {
                let of_broker = BrokerLayers::of(self.image).synonyms(first.name);
                synonyms.extend(of_broker.into_iter().map(DescribeConfigsSynonym::from));
            }
            let value = layers.in_force(topic_key).map(|(value, _)| canonical(key, &value));
            self.entry(key, value, synonyms)
        });
        Ok(entries.collect())
    }

    fn broker(&self, asked: &Asked<'_>) -> Vec<DescribeConfigsResourceResult> {
        let layers = BrokerLayers::of(self.image);
        let names = layers.names().into_iter().filter(|name| asked.includes(name));
        names
            .map(|name| {
                let synonyms = layers.synonyms(name);
                let Some(key) = find_broker_key(name) else {
                    return self.unknown_entry(name, &synonyms);
                };
                let value = layers.in_force(name).map(|value| canonical(key, value));
                let synonyms = synonyms.into_iter().map(DescribeConfigsSynonym::from).collect();
                let entry = self.entry(key, value, synonyms);
                DescribeConfigsResourceResult {
                    name: name.to_string(),
                    // Only the names without a listener are listed as such that change.
                    read_only: key.name != name || !key.is_dynamic(),
                    ..entry
                }
            })
            .collect()
    }

    /// What was set for all brokers while they ran.
    fn all_brokers(&self, asked: &Asked<'_>) -> Vec<DescribeConfigsResourceResult> {
        let Some(all) = self.image.configs.get(&ConfigResource::broker_default()) else {
            return Vec::new();
        };
        let told = all.iter().filter(|(name, _)| asked.includes(name));
        told.filter_map(|(name, value)| {
            let known = find_broker_key(name);
            if known.is_some_and(|key| !key.is_dynamic()) {
                return None;
            }
            let source = source::DYNAMIC_DEFAULT_BROKER;
            let own = Synonym { name, value, source };
            let Some(key) = known else { return Some(self.unknown_entry(name, &[own])) };
            let entry = self.entry(key, Some(value.clone()), Vec::from([own.into()]));
            let read_only = key.name != name;
            Some(DescribeConfigsResourceResult { name: name.clone(), read_only, ..entry })
        })
        .collect()
    }

    fn group(&self, name: &str, asked: &Asked<'_>) -> Vec<DescribeConfigsResourceResult> {
        let own = self.own(ConfigResource::GROUP, name);
        let layers = BrokerLayers::of(self.image);
        let told = keys::group::KEYS.iter().filter(|group_key| asked.includes(group_key.key.name));
        told.map(|GroupKey { key, broker_key, .. }| {
            let set = own.and_then(|own| own.get(key.name)).map(|value| canonical(key, value));
            let mut synonyms: Vec<_> = match broker_key {
                Some(broker_key) => {
                    layers.synonyms(broker_key).into_iter().map(Into::into).collect()
                }
                None => {
                    let default = key.default.unwrap_or_default();
                    Vec::from([synonym(key.name, default.to_string(), source::DEFAULT)])
                }
            };
            let inherited = || {
                let value = broker_key.map_or(key.default, |name| layers.in_force(name));
                value.map(|value| canonical(key, value))
            };
            if let Some(value) = &set {
                synonyms.insert(0, synonym(key.name, value.clone(), source::GROUP));
            }
            self.entry(key, set.clone().or_else(inherited), synonyms)
        })
        .collect()
    }

    fn client_metrics(&self, name: &str, asked: &Asked<'_>) -> Vec<DescribeConfigsResourceResult> {
        let own = self.own(ConfigResource::CLIENT_METRICS, name);
        let told = keys::client_metrics::KEYS.iter().filter(|key| asked.includes(key.name));
        told.map(|key| {
            let set = own.and_then(|own| own.get(key.name)).map(|value| canonical(key, value));
            let synonyms = set
                .iter()
                .map(|value| synonym(key.name, value.clone(), source::CLIENT_METRICS))
                .collect();
            let value = set.or_else(|| key.default.map(ToString::to_string));
            self.entry(key, value, synonyms)
        })
        .collect()
    }

    fn own(&self, resource_type: i8, name: &str) -> Option<&Settings> {
        self.image.configs.get(&ConfigResource { resource_type, name: name.to_string() })
    }

    /// One setting. It comes from where its first synonym does. Secrets are not told.
    fn entry(
        &self,
        key: &Key,
        value: Option<String>,
        mut synonyms: Vec<DescribeConfigsSynonym>,
    ) -> DescribeConfigsResourceResult {
        let is_sensitive = key.value_type.is_sensitive();
        if is_sensitive {
            for synonym in &mut synonyms {
                synonym.value = None;
            }
        }
        let config_source = synonyms.first().map_or(source::DEFAULT, |synonym| synonym.source);
        if !self.request.include_synonyms {
            synonyms.clear();
        }
        let documentation = key.documentation.filter(|_| self.request.include_documentation);
        DescribeConfigsResourceResult {
            name: key.name.to_string(),
            value: value.filter(|_| !is_sensitive),
            read_only: false,
            config_source,
            is_sensitive,
            synonyms,
            config_type: key.value_type.wire_type(),
            documentation: documentation.map(ToString::to_string),
        }
    }

    /// A key that nobody knows may be a secret.
    fn unknown_entry(&self, name: &str, synonyms: &[Synonym<'_>]) -> DescribeConfigsResourceResult {
        let config_source = synonyms.first().map_or(source::DEFAULT, |synonym| synonym.source);
        let untold = |synonym: &Synonym<'_>| DescribeConfigsSynonym {
            value: None,
            ..DescribeConfigsSynonym::from(*synonym)
        };
        let synonyms = synonyms.iter().filter(|_| self.request.include_synonyms);
        DescribeConfigsResourceResult {
            name: name.to_string(),
            value: None,
            read_only: true,
            config_source,
            is_sensitive: true,
            synonyms: synonyms.map(untold).collect(),
            config_type: 0,
            documentation: None,
        }
    }
}

/// The settings that are asked for.
struct Asked<'a>(BTreeSet<&'a str>);

impl<'a> Asked<'a> {
    fn of(resource: &'a DescribeConfigsResource) -> Self {
        let names = resource.configuration_keys.iter().flatten();
        Self(names.map(|name| &**name).collect())
    }

    /// No names stand for all.
    fn includes(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.contains(name)
    }
}

/// A value as the broker uses it. One of an older log that could not be set today is told as it is.
fn canonical(key: &Key, value: &str) -> String {
    key.value_type.canonical(value)
}

fn synonym(name: &str, value: String, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym { name: name.to_string(), value: Some(value), source }
}

impl From<Synonym<'_>> for DescribeConfigsSynonym {
    fn from(from: Synonym<'_>) -> Self {
        synonym(from.name, from.value.to_string(), from.source)
    }
}

fn invalid<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
}
