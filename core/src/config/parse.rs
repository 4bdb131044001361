//! From the entries of a properties file to a [`Config`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::keys::{self, Key, Value, Voter};
use super::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use crate::broker::topic_config::Layers;
use crate::effect::Path;

/// What the entries say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// For the broker.
    pub config: Config,
    /// `klamm.driver`, for whoever starts one; which there are is not known here.
    pub driver: String,
    /// Keys that mean nothing here, in their order, whether Kafka knows them or not. Kafka's own files hold many.
    pub unused: Vec<String>,
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
/// get their defaults from the [table](keys).
pub fn parse<K: AsRef<str>, V: AsRef<str>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> Result<Settings, ConfigError> {
    let mut texts = BTreeMap::new();
    let mut unused: Vec<String> = Vec::new();
    for (name, text) in entries {
        let name = name.as_ref();
        if !keys::find(name).is_some_and(Key::has_effect)
            && !unused.iter().any(|other| other == name)
        {
            unused.push(name.to_string());
        }
        texts.insert(name.to_string(), text.as_ref().to_string());
    }
    take_node_id(&mut texts, &mut unused);
    let values = Values::read(texts)?;
    refuse_what_would_be_missed(&values)?;
    Ok(Settings { config: config(&values)?, driver: values.text("klamm.driver").into(), unused })
}

/// `broker.id` is the older name of `node.id`, and each gives the other.
fn take_node_id(texts: &mut BTreeMap<String, String>, unused: &mut Vec<String>) {
    const NAMES: [&str; 2] = ["node.id", "broker.id"];
    unused.retain(|name| name != NAMES[1]);
    for [from, to] in [NAMES, [NAMES[1], NAMES[0]]] {
        if let Some(id) = texts.get(from).filter(|id| !id.trim().starts_with('-')).cloned() {
            texts.entry(to.to_string()).or_insert(id);
        }
    }
}

/// Keys without which a node would do less than its operator counts on, where that must not pass
/// with a word in the log: access that nobody checks, data that is not moved away.
fn refuse_what_would_be_missed(values: &Values) -> Result<(), ConfigError> {
    let refusals = [
        ("authorizer.class.name", "", "empty: there is no authorization yet"),
        ("remote.log.storage.system.enable", "false", "false: there is no tiered storage"),
    ];
    for (name, harmless, allowed) in refusals {
        let text = values.texts.get(name).map_or(harmless, |text| text.trim());
        if !text.eq_ignore_ascii_case(harmless) {
            return Err(values.error(name, allowed));
        }
    }
    Ok(())
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
        creation: CreationConfig {
            is_automatic: values.boolean("auto.create.topics.enable"),
            partitions: values.integer("num.partitions") as i32,
            replication_factor: values.integer("default.replication.factor") as i32,
            may_delete: values.boolean("delete.topic.enable"),
        },
        tasks: tasks(values),
        groups: groups(values),
        cleaner: cleaner(values),
        metadata_log: metadata_log(values),
        limits: limits(values)?,
        settings: Arc::new(values.texts.clone()),
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

/// What the broker's keys give to topics. Ages that Kafka refuses at its start are refused here
/// (`KafkaConfig.validateValues`).
fn topic_defaults(values: &Values) -> Result<TopicConfig, ConfigError> {
    for (name, least) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
        if values.optional_integer(name).is_some_and(|number| number < least) {
            return Err(values.error(name, &format!("at least {least}")));
        }
    }
    let ages = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    let age = ages.into_iter().find(|name| values.has(name)).expect("hours have a default");
    if values.integer(age) == 0 {
        return Err(values.error(age, "-1, or at least 1"));
    }
    let fallback = &TopicConfig::default();
    let layers = Layers { topic: None, broker: Some(&values.texts), all_brokers: None, fallback };
    Ok(layers.resolve().0)
}

fn metadata_log(values: &Values) -> MetadataLogConfig {
    MetadataLogConfig {
        snapshot_bytes: values.integer("metadata.log.max.record.bytes.between.snapshots") as u64,
        snapshot_interval_ms: values.interval("metadata.log.max.snapshot.interval.ms"),
        segment_bytes: values.integer("metadata.log.segment.bytes") as u32,
        segment_ms: values.integer("metadata.log.segment.ms"),
        retention_bytes: values.integer("metadata.max.retention.bytes"),
        retention_ms: values.integer("metadata.max.retention.ms"),
    }
}

fn groups(values: &Values) -> GroupConfig {
    let whole = |key| values.integer(key) as i32;
    GroupConfig {
        session_timeout_ms_min: whole("group.min.session.timeout.ms"),
        session_timeout_ms_max: whole("group.max.session.timeout.ms"),
        initial_rebalance_delay_ms: whole("group.initial.rebalance.delay.ms"),
        members_max: whole("group.max.size"),
        offset_metadata_bytes_max: whole("offset.metadata.max.bytes"),
        offsets_retention_ms: values.integer("offsets.retention.minutes").saturating_mul(60_000),
        offsets_check_interval_ms: values.interval("offsets.retention.check.interval.ms"),
    }
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

fn cleaner(values: &Values) -> CleanerConfig {
    let is_enabled = values.boolean("log.cleaner.enable");
    let mut cleaner = CleanerConfig { is_enabled, ..CleanerConfig::default() };
    for key in CleanerConfig::DYNAMIC {
        if let Some(text) = values.texts.get(key) {
            cleaner.set(key, text);
        }
    }
    cleaner
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
    // The number itself is asked of the image, for it may change.
    if values.integer("max.connections") == 0 {
        return Err(values.error("max.connections", "at least 1"));
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
    texts: BTreeMap<String, String>,
    values: BTreeMap<&'static str, Value>,
}

impl Values {
    /// Keys that do nothing are checked where they are set, and not kept.
    fn read(texts: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut values = BTreeMap::new();
        for key in keys::all() {
            let text = texts.get(key.name).map(String::as_str);
            let wrong = |text: &str| ConfigError {
                key: key.name.to_string(),
                value: text.to_string(),
                allowed: key.value_type.allowed(),
            };
            if !key.has_effect() {
                match text.filter(|text| key.check(text).is_err()) {
                    Some(text) => return Err(wrong(text)),
                    None => continue,
                }
            }
            let Some(text) = text.or(key.default) else { continue };
            let value = key.value_type.read(text).ok_or_else(|| wrong(text))?;
            values.insert(key.name, value);
        }
        Ok(Self { texts, values })
    }

    fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn boolean(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Boolean(value)) => *value,
            other => unreachable!("{name} is a boolean with a default, not {other:?}"),
        }
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
