//! AlterConfigs (key 33) and IncrementalAlterConfigs (key 44), as `ConfigAdminManager` and
//! `ConfigurationControlManager` answer them: one resource fails alone, with all that is asked of it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::check::{self, Reach, invalid, refuse};
use super::layers::{self, BrokerLayers};
use super::topics::check_topic_settings;
use crate::api::{alter_configs, incremental_alter_configs};
use crate::broker::Broker;
use crate::broker::image::ConfigResource;
use crate::broker::metadata_log::{
    AskedChange, Draft, EXCESSIVE, Planned, are_excessive, setting_bytes,
};
use crate::broker::occurrences::occurrences;
use crate::broker::registration::{MIN_INSYNC_REPLICAS, has_elr};
use crate::broker::topic_config::Settings;
use crate::config::keys::{self, Update};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::query::{Words, topic_name};
use crate::records::{ClearElrRecord, ConfigRecord, MetadataRecord};
use crate::refusal::Refusal;
use crate::request::ResponseBody;

/// Changes of settings, of either API.
#[derive(Debug)]
pub(in crate::broker) struct ConfigChanges {
    resources: Vec<ResourceChange>,
    validate_only: bool,
    manner: Manner,
}

/// How settings are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Those named are all that remain: AlterConfigs.
    Replace,
    /// Each as it says: IncrementalAlterConfigs.
    Incremental,
}

/// The changes of one resource.
#[derive(Debug)]
struct ResourceChange {
    resource: ConfigResource,
    settings: Vec<SettingChange>,
}

#[derive(Debug)]
struct SettingChange {
    name: String,
    /// `AlterConfigOp.OpType`.
    operation: i8,
    value: Option<String>,
}

/// `AlterConfigOp.OpType`.
mod operation {
    pub(super) const SET: i8 = 0;
    pub(super) const DELETE: i8 = 1;
    pub(super) const APPEND: i8 = 2;
    pub(super) const SUBTRACT: i8 = 3;
}

impl From<alter_configs::AlterConfigsRequest> for ConfigChanges {
    fn from(request: alter_configs::AlterConfigsRequest) -> Self {
        let resources = request.resources.into_iter().map(|resource| {
            let changes = resource.configs.into_iter();
            let changes = changes.map(|it| SettingChange::new(it.name, operation::SET, it.value));
            ResourceChange::new(resource.resource_type, resource.resource_name, changes)
        });
        Self {
            resources: resources.collect(),
            validate_only: request.validate_only,
            manner: Manner::Replace,
        }
    }
}

impl From<incremental_alter_configs::IncrementalAlterConfigsRequest> for ConfigChanges {
    fn from(request: incremental_alter_configs::IncrementalAlterConfigsRequest) -> Self {
        let resources = request.resources.into_iter().map(|resource| {
            let changes = resource.configs.into_iter();
            let changes =
                changes.map(|it| SettingChange::new(it.name, it.config_operation, it.value));
            ResourceChange::new(resource.resource_type, resource.resource_name, changes)
        });
        Self {
            resources: resources.collect(),
            validate_only: request.validate_only,
            manner: Manner::Incremental,
        }
    }
}

impl ResourceChange {
    fn new(resource_type: i8, name: String, settings: impl Iterator<Item = SettingChange>) -> Self {
        let resource = ConfigResource { resource_type, name };
        Self { resource, settings: settings.collect() }
    }
}

impl SettingChange {
    fn new(name: String, operation: i8, value: Option<String>) -> Self {
        Self { name, operation, value }
    }
}

impl Broker {
    pub(in crate::broker) fn handle_alter_configs(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        changes: ConfigChanges,
    ) {
        let what = AskedChange::AlterConfigs(changes);
        self.ask_for_change(from, number, what);
    }

    pub(in crate::broker) fn plan_config_changes(changes: ConfigChanges, draft: &Draft) -> Planned {
        let ConfigChanges { resources, validate_only, manner } = changes;
        let planner = Planner { draft, manner, has_elr: has_elr(draft.image()) };
        let counts = occurrences(resources.iter().map(|change| &change.resource));
        let mut records = Vec::new();
        let mut outcomes: Vec<Result<(), Refusal>> = Vec::new();
        for change in &resources {
            let planned = if counts[&change.resource] > 1 {
                invalid("Each resource must appear at most once.".to_string())
            } else {
                planner.plan(change)
            };
            outcomes.push(planned.map(|planned| records.extend(planned)));
        }
        if are_excessive(records.iter().map(setting_bytes)) {
            records.clear();
            outcomes.fill(Err(Refusal::new(ErrorCode::POLICY_VIOLATION, EXCESSIVE)));
        }
        let mut records: Vec<_> =
            records.into_iter().map(|record| (MetadataRecord::Config(record), 0)).collect();
        if planner.has_elr {
            let cleared = cleared_elrs(&records);
            records.extend(cleared.into_iter().map(|record| (MetadataRecord::ClearElr(record), 0)));
        }
        if validate_only {
            records.clear();
        }
        Planned { records, answer: answer(resources, outcomes, manner) }
    }
}

/// Plans the changes of resources, one after another.
struct Planner<'a> {
    draft: &'a Draft,
    manner: Manner,
    /// Whether leaders are elected among eligible replicas (KIP-966): then `min.insync.replicas` of a
    /// broker is of no use, and that of the cluster must be there.
    has_elr: bool,
}

impl Planner<'_> {
    fn plan(&self, change: &ResourceChange) -> Result<Vec<ConfigRecord>, Refusal> {
        let ResourceChange { resource, settings } = change;
        let mut names: Vec<&str> = settings.iter().map(|setting| &*setting.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("Error due to duplicate config keys".to_string());
        }
        let is_null = |setting: &&SettingChange| {
            setting.operation != operation::DELETE && setting.value.is_none()
        };
        let nulls: Vec<&str> =
            settings.iter().filter(is_null).map(|setting| &*setting.name).collect();
        if !nulls.is_empty() {
            return invalid(format!("Null value not supported for : {}", nulls.join(", ")));
        }
        match (resource.resource_type, self.manner) {
            (ConfigResource::BROKER_LOGGER, Manner::Incremental) => {
                self.check_logger(change)?;
                return Ok(Vec::new());
            }
            (ConfigResource::BROKER, _) => self.check_broker(change)?,
            (ConfigResource::TOPIC | ConfigResource::CLIENT_METRICS | ConfigResource::GROUP, _) => {
            }
            (unknown, _) => return invalid(format!("Unknown resource type {unknown}")),
        }
        if let Some(unknown) = settings.iter().find(|setting| !(0..=3).contains(&setting.operation))
        {
            // Kafka's controller resigns over it.
            return invalid(format!("Unknown operations type {}", unknown.operation));
        }
        let (records, next) = self.changed(change)?;
        self.check_records(resource, &records)?;
        self.check_settings(resource, &next)?;
        Ok(records)
    }

    /// The records of a change, and the settings that they make.
    fn changed(&self, change: &ResourceChange) -> Result<(Vec<ConfigRecord>, Settings), Refusal> {
        let ResourceChange { resource, settings } = change;
        let present = self.present(resource);
        let mut next = match self.manner {
            Manner::Replace => Settings::new(),
            Manner::Incremental => present.clone(),
        };
        let mut records = Vec::new();
        let record = |name: &str, value: Option<String>| ConfigRecord {
            resource_type: resource.resource_type,
            resource_name: resource.name.clone(),
            name: name.to_string(),
            value,
        };
        for setting in settings {
            let before = present.get(&setting.name);
            let value = match setting.operation {
                operation::SET => setting.value.clone(),
                operation::DELETE => None,
                _ => Some(edited_list(resource.resource_type, setting, before)?),
            };
            match &value {
                Some(value) => next.insert(setting.name.clone(), value.clone()),
                None => next.remove(&setting.name),
            };
            // A broker takes a setting over again when it is set again (KAFKA-14136).
            if value.as_ref() != before || resource.resource_type == ConfigResource::BROKER {
                records.push(record(&setting.name, value));
            }
        }
        if self.manner == Manner::Replace {
            let gone = present.keys().filter(|name| !next.contains_key(*name));
            records.extend(gone.map(|name| record(name, None)));
        }
        Ok((records, next))
    }

    /// What is set of a resource. A topic's keys that older versions had do not count.
    fn present(&self, resource: &ConfigResource) -> Settings {
        let mut present = self.draft.image().configs.get(resource).cloned().unwrap_or_default();
        if resource.resource_type == ConfigResource::TOPIC {
            present.retain(|name, _| keys::topic::find(name).is_some());
        }
        present
    }

    fn check_records(
        &self,
        resource: &ConfigResource,
        records: &[ConfigRecord],
    ) -> Result<(), Refusal> {
        for record in records {
            let is_min_isr = self.has_elr
                && resource.resource_type == ConfigResource::BROKER
                && record.name == MIN_INSYNC_REPLICAS;
            if is_min_isr && !resource.name.is_empty() {
                return refuse(format!(
                    "Broker-level {MIN_INSYNC_REPLICAS} cannot be altered while ELR is enabled."
                ));
            }
            if is_min_isr && record.value.is_none() {
                return refuse(format!(
                    "Cluster-level {MIN_INSYNC_REPLICAS} cannot be removed while ELR is enabled."
                ));
            }
            // Longer ones come of appending alone.
            let value = record.value.as_deref().unwrap_or_default();
            if value.len() > i16::MAX as usize {
                return refuse(format!(
                    "The configuration value cannot be added because it exceeds the maximum value \
                     size of {} bytes.",
                    i16::MAX
                ));
            }
        }
        Ok(())
    }

    /// Whether a resource may have all of these settings (`ControllerConfigurationValidator`).
    fn check_settings(&self, resource: &ConfigResource, next: &Settings) -> Result<(), Refusal> {
        let name = resource.name.as_str();
        let image = self.draft.image();
        match resource.resource_type {
            ConfigResource::TOPIC if name.is_empty() => {
                invalid("Default topic resources are not allowed.".to_string())
            }
            ConfigResource::TOPIC => {
                if let Some(refusal) = topic_name::refusal(name) {
                    return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, refusal));
                }
                check_topic_settings(next, image)
                    .map_err(|message| Refusal::new(ErrorCode::INVALID_CONFIG, message))?;
                if self.draft.topic(name).is_none() {
                    let words = format!("The topic '{name}' does not exist.");
                    return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, words));
                }
                Ok(())
            }
            ConfigResource::CLIENT_METRICS if name.is_empty() => {
                invalid("Subscription name can't be empty".to_string())
            }
            ConfigResource::CLIENT_METRICS => check::check_client_metrics(next),
            ConfigResource::GROUP if name.is_empty() => {
                invalid("Default group resources are not allowed.".to_string())
            }
            ConfigResource::GROUP => check::check_group(next, &BrokerLayers::of(image)),
            // Checked before.
            _ => Ok(()),
        }
    }

    /// What the broker itself looks at, before its controller does.
    fn check_broker(&self, change: &ResourceChange) -> Result<(), Refusal> {
        let ResourceChange { resource, settings } = change;
        let image = self.draft.image();
        let reach = if resource.name.is_empty() { Reach::AllBrokers } else { Reach::ThisBroker };
        if reach == Reach::ThisBroker {
            let node_id = image.node_id;
            match resource.name.parse::<i32>() {
                Ok(id) if id == node_id => {}
                Ok(_) => {
                    return invalid(format!(
                        "Unexpected broker id, expected {node_id}, but received {}",
                        resource.name
                    ));
                }
                Err(_) => {
                    return invalid(format!(
                        "Node id must be an integer, but it is: {}",
                        resource.name
                    ));
                }
            }
        }
        let mut next = match self.manner {
            Manner::Replace => Settings::new(),
            Manner::Incremental => self.present(resource),
        };
        next.retain(|name, value| is_usable(name, value, reach));
        for setting in settings {
            let before = next.get(&setting.name);
            let value = match setting.operation {
                operation::SET => setting.value.clone(),
                operation::DELETE => None,
                operation::APPEND | operation::SUBTRACT => {
                    let verb = match setting.operation {
                        operation::APPEND => "append",
                        _ => "subtract",
                    };
                    let Some(key) = keys::find(&setting.name) else {
                        return refuse(format!("Unknown config name: {}", setting.name));
                    };
                    if !key.value_type.is_list() {
                        return refuse(format!(
                            "Config value {verb} is not allowed for config key: {}",
                            setting.name
                        ));
                    }
                    Some(edited_list(ConfigResource::BROKER, setting, before)?)
                }
                unknown => return invalid(format!("Unknown operations type {unknown}")),
            };
            match value {
                Some(value) => next.insert(setting.name.clone(), value),
                None => next.remove(&setting.name),
            };
        }
        check::check_broker(&next, reach, &BrokerLayers::of(image))
    }

    /// The server's log has no loggers that could be set one by one (`RuntimeLoggerManager`).
    fn check_logger(&self, change: &ResourceChange) -> Result<(), Refusal> {
        let ResourceChange { resource, settings } = change;
        let node_id = self.draft.image().node_id;
        match resource.name.parse::<i32>() {
            Ok(id) if id == node_id => {}
            Ok(id) => {
                return invalid(format!(
                    "Unexpected node id. Expected {node_id}, but received {id}"
                ));
            }
            Err(_) => {
                return invalid(format!(
                    "Node id must be an integer, but it is: {}",
                    resource.name
                ));
            }
        }
        let not_allowed =
            |what: &str| invalid(format!("{what} is not allowed for the BROKER_LOGGER resource"));
        match settings.first() {
            None => Ok(()),
            Some(SettingChange { operation: operation::SET | operation::DELETE, name, .. }) => {
                refuse(format!("Logger {name} does not exist!"))
            }
            Some(SettingChange { operation: operation::APPEND, .. }) => {
                not_allowed("APPEND operation")
            }
            Some(SettingChange { operation: operation::SUBTRACT, .. }) => {
                not_allowed("SUBTRACT operation")
            }
            Some(SettingChange { operation: unknown, .. }) => {
                not_allowed(&format!("Unknown operation type {unknown}"))
            }
        }
    }
}

/// Whether a setting that stands may stay (`DynamicBrokerConfig.fromPersistentProps`).
fn is_usable(name: &str, value: &str, reach: Reach) -> bool {
    let is_dynamic = keys::find(name).is_none_or(|key| key.update == Update::Dynamic);
    let is_allowed = layers::find(name).is_none_or(|key| key.check(value).is_ok());
    let is_in_place = reach == Reach::ThisBroker
        || layers::base_name(name)
            .is_none_or(|base| layers::find(base).is_none_or(|key| key.update == Update::Dynamic));
    is_dynamic && is_allowed && is_in_place
}

/// The list with parts added or taken away.
fn edited_list(
    resource_type: i8,
    setting: &SettingChange,
    before: Option<&String>,
) -> Result<String, Refusal> {
    let key = match resource_type {
        ConfigResource::TOPIC => keys::topic::find(&setting.name).map(|topic_key| &topic_key.key),
        ConfigResource::BROKER => keys::find(&setting.name),
        // Kafka does not know what is a list there.
        _ => None,
    };
    let is_append = setting.operation == operation::APPEND;
    let Some(key) = key.filter(|key| key.value_type.is_list()) else {
        let verb = if is_append { "APPEND" } else { "SUBTRACT" };
        let name = &setting.name;
        return refuse(format!("Can't {verb} to key {name} because its type is not LIST."));
    };
    let before = before.map(|value| &**value).or(key.default).unwrap_or_default();
    let mut list: Vec<&str> = before.split(',').filter(|part| !part.is_empty()).collect();
    for part in setting.value.iter().flat_map(|value| value.split(',')) {
        match list.iter().position(|other| *other == part) {
            Some(at) if !is_append => {
                list.remove(at);
            }
            None if is_append => list.push(part),
            _ => {}
        }
    }
    Ok(list.join(","))
}

/// A new minimum of in-sync replicas makes new ones eligible: the old are forgotten.
fn cleared_elrs(records: &[(MetadataRecord, i16)]) -> Vec<ClearElrRecord> {
    let changed = records.iter().filter_map(|(record, _)| match record {
        MetadataRecord::Config(record) if record.name == MIN_INSYNC_REPLICAS => Some(record),
        _ => None,
    });
    let topic_of = |record: &ConfigRecord| match record.resource_type {
        ConfigResource::TOPIC => record.resource_name.clone(),
        _ => String::new(),
    };
    changed.map(|record| ClearElrRecord { topic_name: topic_of(record) }).collect()
}

fn answer(
    resources: Vec<ResourceChange>,
    outcomes: Vec<Result<(), Refusal>>,
    manner: Manner,
) -> ResponseBody {
    let mut words = Words::of(resources.len());
    let results = resources.into_iter().zip(outcomes).map(|(change, outcome)| {
        let (error_code, message) = match outcome {
            Ok(()) => (ErrorCode::NONE, None),
            Err(Refusal { error, message }) => (error, words.admit(message)),
        };
        (error_code, message, change.resource)
    });
    match manner {
        Manner::Replace => {
            let responses = results.map(
                |(error_code, error_message, ConfigResource { resource_type, name })| {
                    alter_configs::AlterConfigsResourceResponse {
                        error_code,
                        error_message,
                        resource_type,
                        resource_name: name,
                    }
                },
            );
            let responses = responses.collect();
            ResponseBody::AlterConfigs(alter_configs::AlterConfigsResponse {
                throttle_time_ms: 0,
                responses,
            })
        }
        Manner::Incremental => {
            let responses = results.map(
                |(error_code, error_message, ConfigResource { resource_type, name })| {
                    incremental_alter_configs::AlterConfigsResourceResponse {
                        error_code,
                        error_message,
                        resource_type,
                        resource_name: name,
                    }
                },
            );
            let responses = responses.collect();
            let response = incremental_alter_configs::IncrementalAlterConfigsResponse {
                throttle_time_ms: 0,
                responses,
            };
            ResponseBody::IncrementalAlterConfigs(response)
        }
    }
}
