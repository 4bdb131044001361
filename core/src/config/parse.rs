//! From the entries of a properties file to a [`Config`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::keys::{self, KEYS, Value, Voter};
use super::{
    CompressionLevels, Config, Durability, Limits, Listener, StoredCompression, TaskConfig,
    TopicConfig,
};
use crate::effect::Path;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What the entries say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// For the broker.
    pub config: Config,
    /// `klamm.driver`, for whoever starts one; which there are is not known here.
    pub driver: String,
    /// Keys that mean nothing here, in their order. Kafka's own files hold many.
    pub unknown: Vec<String>,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}={value} cannot be used: allowed is {allowed}")]
pub struct ConfigError {
    /// The key to change.
    pub key: String,
    /// What it is now, possibly by default.
    pub value: String,
    /// What it may be, as a phrase.
    pub allowed: String,
}

/// Reads the entries of a properties file; of equal keys the last one counts. Keys that are absent
/// get their defaults from [`KEYS`].
pub fn parse<K: AsRef<str>, V: AsRef<str>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> Result<Settings, ConfigError> {
    let mut texts = BTreeMap::new();
    let mut unknown: Vec<String> = Vec::new();
    for (name, text) in entries {
        match keys::find(name.as_ref()) {
            Some(key) => {
                texts.insert(key.name, text.as_ref().to_string());
            }
            None if unknown.iter().any(|other| other == name.as_ref()) => {}
            None => unknown.push(name.as_ref().to_string()),
        }
    }
    let values = Values::read(texts)?;
    Ok(Settings { config: config(&values)?, driver: values.text("klamm.driver").into(), unknown })
}

fn config(values: &Values) -> Result<Config, ConfigError> {
    if !values.list("process.roles").iter().any(|role| role == "broker") {
        return Err(values.error("process.roles", "a list of roles with broker among them"));
    }
    let node_id = values.integer("node.id");
    if values.voters().iter().any(|voter| voter.id != node_id) {
        let allowed = format!("this node alone, whose node.id is {node_id}");
        return Err(values.error("controller.quorum.voters", &allowed));
    }
    let listeners = served_listeners(values)?;
    let advertised = advertised_listeners(values, &listeners)?;
    check_inter_broker_listener(values, &listeners)?;
    let log_dirs = if values.has("log.dirs") { "log.dirs" } else { "log.dir" };
    Ok(Config {
        node_id: node_id as i32,
        listeners,
        advertised,
        controller: controller(values),
        log_dirs: values.list(log_dirs).iter().map(|path| Path::new(path)).collect(),
        durability: match values.text("klamm.durability") {
            "page-cache" => Durability::PageCache,
            _ => Durability::Durable,
        },
        topic_defaults: topic_defaults(values)?,
        tasks: tasks(values),
        limits: limits(values)?,
    })
}

/// The listeners that clients connect to: all but those of the metadata quorum, in PLAINTEXT.
fn served_listeners(values: &Values) -> Result<Vec<Listener>, ConfigError> {
    let protocols = values.map("listener.security.protocol.map");
    let served = without_controllers(values, values.listeners("listeners"));
    if served.is_empty() {
        let allowed = "at least one listener that is not in controller.listener.names";
        return Err(values.error("listeners", allowed));
    }
    for Listener { name, .. } in &served {
        if protocols.get(name).map(String::as_str) != Some("PLAINTEXT") {
            let allowed = format!("{name}:PLAINTEXT for the listener {name}");
            return Err(values.error("listener.security.protocol.map", &allowed));
        }
    }
    Ok(served)
}

/// What clients are told, one for each served listener, in their order. A port 0 is left for the
/// driver, which knows the real one.
fn advertised_listeners(
    values: &Values,
    served: &[Listener],
) -> Result<Vec<Listener>, ConfigError> {
    let key = if values.has("advertised.listeners") { "advertised.listeners" } else { "listeners" };
    let named = without_controllers(values, values.listeners(key));
    if named.iter().any(|one| !served.iter().any(|other| other.name == one.name)) {
        return Err(values.error(key, "addresses for names that stand in listeners"));
    }
    let mut advertised = Vec::new();
    for listener in served {
        let Some(found) = named.iter().find(|other| other.name == listener.name) else {
            let allowed = format!("one address for each listener; {} has none", listener.name);
            return Err(values.error(key, &allowed));
        };
        if matches!(found.host.as_str(), "0.0.0.0" | "::") {
            let allowed = "an address that clients can reach, not one that means every interface";
            return Err(values.error("advertised.listeners", allowed));
        }
        let host = if found.host.is_empty() { "localhost" } else { &found.host };
        advertised.push(Listener { host: host.into(), ..found.clone() });
    }
    Ok(advertised)
}

/// Where Kafka would find the metadata quorum. An address that others cannot use is none: an empty
/// host, one that means every interface, port 0.
fn controller(values: &Values) -> Listener {
    let default = Listener::default_controller();
    let name = values.list("controller.listener.names").first();
    let name = name.map_or(default.name, |name| name.to_uppercase());
    let voters = values.voters().iter().map(|voter| (voter.host.clone(), voter.port));
    let listeners = ["advertised.listeners", "listeners"]
        .into_iter()
        .filter(|key| values.has(key))
        .flat_map(|key| values.listeners(key))
        .filter(|listener| listener.name == name)
        .map(|listener| (listener.host.clone(), listener.port));
    let (host, port) = voters
        .chain(listeners)
        .find(|(_, port)| *port != 0)
        .unwrap_or_else(|| (default.host.clone(), default.port));
    let host = match host.as_str() {
        "" | "0.0.0.0" | "::" => "localhost".to_string(),
        _ => host,
    };
    Listener { name, host, port }
}

fn check_inter_broker_listener(values: &Values, served: &[Listener]) -> Result<(), ConfigError> {
    let key = "inter.broker.listener.name";
    if !values.has(key) {
        return Ok(());
    }
    let name = values.text(key).to_uppercase();
    if served.iter().any(|listener| listener.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = served.iter().map(|listener| listener.name.as_str()).collect();
    Err(values.error(key, &format!("one of {}", names.join(", "))))
}

fn without_controllers(values: &Values, listeners: &[Listener]) -> Vec<Listener> {
    let controllers = values.list("controller.listener.names");
    let is_controller =
        |name: &str| controllers.iter().any(|other| other.eq_ignore_ascii_case(name));
    listeners.iter().filter(|listener| !is_controller(&listener.name)).cloned().collect()
}

fn topic_defaults(values: &Values) -> Result<TopicConfig, ConfigError> {
    let policies = values.list("log.cleanup.policy");
    let has_policy = |name: &str| policies.iter().any(|policy| policy == name);
    let scheduler_ms = values.integer("log.flush.scheduler.interval.ms");
    let flush_ms = values.optional_integer("log.flush.interval.ms").unwrap_or(scheduler_ms);
    Ok(TopicConfig {
        message_bytes_max: values.integer("message.max.bytes") as u32,
        log_append_time: values.text("log.message.timestamp.type") == "LogAppendTime",
        timestamp_before_ms_max: values.integer("log.message.timestamp.before.max.ms"),
        timestamp_after_ms_max: values.integer("log.message.timestamp.after.max.ms"),
        compacted: has_policy("compact"),
        deletes_old: has_policy("delete"),
        retention_ms: retention_ms(values)?,
        retention_bytes: values.integer("log.retention.bytes"),
        file_delete_delay_ms: values.integer("log.segment.delete.delay.ms") as u64,
        segment_bytes: values.integer("log.segment.bytes") as u32,
        segment_ms: values.either("log.roll.ms", ("log.roll.hours", HOUR_MS)) as u64,
        segment_jitter_ms: values.either("log.roll.jitter.ms", ("log.roll.jitter.hours", HOUR_MS))
            as u64,
        index_interval_bytes: values.integer("log.index.interval.bytes") as u32,
        segment_index_bytes: values.integer("log.index.size.max.bytes") as u32,
        flush_messages: values.integer("log.flush.interval.messages") as u64,
        flush_ms: u64::try_from(flush_ms).unwrap_or(0),
        compression: StoredCompression::named(values.text("compression.type"))
            .expect("the table has the names"),
        compression_levels: CompressionLevels {
            gzip: values.text("compression.gzip.level").parse().expect("the table has numbers"),
            lz4: values.integer("compression.lz4.level") as i32,
            zstd: values.integer("compression.zstd.level") as i32,
        },
        min_insync_replicas: values.integer("min.insync.replicas") as u32,
    })
}

/// The finest unit that is set counts; anything below 0 is for ever, and 0 is refused
/// (`KafkaConfig.validateValues`).
fn retention_ms(values: &Values) -> Result<i64, ConfigError> {
    let minutes = values.optional_integer("log.retention.minutes").map(|n| (n, MINUTE_MS));
    let (count, unit_ms) =
        minutes.unwrap_or_else(|| (values.integer("log.retention.hours"), HOUR_MS));
    let coarse_ms = count * unit_ms;
    let retention_ms = values.optional_integer("log.retention.ms").unwrap_or(coarse_ms);
    if retention_ms == 0 {
        let key = ["log.retention.ms", "log.retention.minutes"].into_iter().find(|k| values.has(k));
        return Err(values.error(key.unwrap_or("log.retention.hours"), "-1, or at least 1"));
    }
    Ok(retention_ms.max(-1))
}

fn tasks(values: &Values) -> TaskConfig {
    let scheduler_ms = values.integer("log.flush.scheduler.interval.ms");
    TaskConfig {
        initial_delay_ms: values.interval("log.initial.task.delay.ms"),
        retention_check_interval_ms: values.interval("log.retention.check.interval.ms"),
        flush_scheduler_interval_ms: (scheduler_ms < i64::MAX)
            .then(|| values.interval("log.flush.scheduler.interval.ms")),
        recovery_point_interval_ms: values.interval("log.flush.offset.checkpoint.interval.ms"),
        log_start_interval_ms: values.interval("log.flush.start.offset.checkpoint.interval.ms"),
        high_watermark_interval_ms: values
            .interval("replica.high.watermark.checkpoint.interval.ms"),
        producer_id_expiration_ms: values.interval("producer.id.expiration.ms"),
        producer_id_expiration_check_interval_ms: values
            .interval("producer.id.expiration.check.interval.ms"),
    }
}

fn limits(values: &Values) -> Result<Limits, ConfigError> {
    let mut limits = Limits {
        frame_bytes_max: values.integer("socket.request.max.bytes") as u32,
        connection_idle_ms: u64::try_from(values.integer("connections.max.idle.ms")).ok(),
        describe_partitions_max: values.integer("max.request.partition.size.limit") as i32,
        fetch_bytes_max: values.integer("fetch.max.bytes") as u32,
        fetch_sessions_max: values.integer("max.incremental.fetch.session.cache.slots") as usize,
        ..Limits::default()
    };
    let connections = values.integer("max.connections");
    if connections < i64::from(i32::MAX) {
        limits.connections_max = connections as usize;
    }
    let budget = values.integer("queued.max.request.bytes");
    if budget <= 0 {
        return Ok(limits);
    }
    if budget < i64::from(limits.frame_bytes_max) {
        let allowed = "-1, or at least socket.request.max.bytes";
        return Err(values.error("queued.max.request.bytes", allowed));
    }
    limits.request_budget_bytes = usize::try_from(budget).unwrap_or(usize::MAX);
    Ok(limits)
}

/// The values of all keys that are set or have a default. The accessors' types are those of the
/// table, which is this file's own invariant.
struct Values {
    texts: BTreeMap<&'static str, String>,
    values: BTreeMap<&'static str, Value>,
}

impl Values {
    fn read(texts: BTreeMap<&'static str, String>) -> Result<Self, ConfigError> {
        let mut values = BTreeMap::new();
        for key in KEYS {
            let Some(text) = texts.get(key.name).map(String::as_str).or(key.default) else {
                continue;
            };
            let value = key.value_type.read(text).ok_or_else(|| ConfigError {
                key: key.name.to_string(),
                value: text.to_string(),
                allowed: key.value_type.allowed(),
            })?;
            values.insert(key.name, value);
        }
        Ok(Self { texts, values })
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn integer(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Integer(value)) => *value,
            other => unreachable!("{name} is an integer with a default, not {other:?}"),
        }
    }

    fn optional_integer(&self, name: &str) -> Option<i64> {
        self.has(name).then(|| self.integer(name))
    }

    /// The first key when it is set, else the second, which counts in a coarser unit.
    fn either(&self, name: &str, (coarse, unit_ms): (&str, i64)) -> i64 {
        self.optional_integer(name).unwrap_or_else(|| self.integer(coarse) * unit_ms)
    }

    /// Milliseconds between two runs; below 0 is as good as 0.
    fn interval(&self, name: &str) -> u64 {
        u64::try_from(self.integer(name)).unwrap_or(0)
    }

    fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(value)) => value,
            other => unreachable!("{name} is a word with a default, not {other:?}"),
        }
    }

    fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::List(value)) => value,
            other => unreachable!("{name} is a list with a default, not {other:?}"),
        }
    }

    fn listeners(&self, name: &str) -> &[Listener] {
        match self.values.get(name) {
            Some(Value::Listeners(value)) => value,
            other => unreachable!("{name} is a list of listeners, not {other:?}"),
        }
    }

    fn map(&self, name: &str) -> &BTreeMap<String, String> {
        match self.values.get(name) {
            Some(Value::Map(value)) => value,
            other => unreachable!("{name} is a map with a default, not {other:?}"),
        }
    }

    fn voters(&self) -> &[Voter] {
        match self.values.get("controller.quorum.voters") {
            Some(Value::Voters(value)) => value,
            _ => &[],
        }
    }

    fn error(&self, name: &str, allowed: &str) -> ConfigError {
        let default = keys::find(name).and_then(|key| key.default).unwrap_or_default();
        let value = self.texts.get(name).map_or(default, String::as_str);
        ConfigError {
            key: name.to_string(),
            value: value.to_string(),
            allowed: allowed.to_string(),
        }
    }
}
