//! A client that makes topics, gives them partitions and settings, deletes them, makes them again at
//! once, and looks at what has come of it. Several of them do so to the same names.

use std::collections::VecDeque;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::{self, AlterConfigsRequest, AlterConfigsResponse};
use klamm_core::api::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use klamm_core::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
    CreateTopicsResponse,
};
use klamm_core::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use klamm_core::api::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse, DescribeConfigsResult,
};
use klamm_core::api::incremental_alter_configs::{
    self, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;

use super::look::{learn, look, passing_names};
use super::{Answer, Caller, KnownTopic, Pending, Surroundings, is_served};
use crate::decisions::Purpose;
use crate::history::{ChangeId, Subject};
use crate::metadata::{Change, Outcome, Settings, Sighting};
use crate::setup::NODE_ID;

/// A client that administers.
#[derive(Debug)]
pub struct Administrator {
    left: u64,
    /// To be done before anything new.
    next: VecDeque<Intent>,
}

/// What it is about to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Create(Vec<Creation>),
    /// By names, or by ids.
    Delete(Vec<(String, Option<Uuid>)>),
    Grow(String, i32),
    /// Single settings; `None` takes one back.
    Alter(Subject, Vec<(String, Option<String>)>),
    /// All settings.
    Replace(Subject, Settings),
    /// The settings.
    Describe(Subject),
    /// The topics.
    Look,
}

/// A topic to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Creation {
    name: String,
    partitions: i32,
    settings: Settings,
    /// Only to say what would become of it.
    is_trial: bool,
}

/// What was asked, with what it was asked by; its answer is to come.
#[derive(Debug)]
pub(super) struct PendingChanges {
    intent: Intent,
    /// One for each topic or resource of the intent, in its order.
    changes: Vec<ChangeId>,
}

/// How long a change may take.
const TIMEOUT_MS: i32 = 30_000;

/// Settings of topics, and values for them: nothing that would refuse a record.
const TOPIC_SETTINGS: [(&str, [&str; 3]); 6] = [
    ("retention.ms", ["-1", "3600000", "100"]),
    ("retention.bytes", ["-1", "1000000", "4000"]),
    ("max.message.bytes", ["2000000", "3000000", "4000000"]),
    ("file.delete.delay.ms", ["0", "1", "1000"]),
    ("index.interval.bytes", ["0", "100", "4096"]),
    ("flush.messages", ["1", "7", "1000000"]),
];

/// Settings of brokers.
const BROKER_SETTINGS: [(&str, [&str; 3]); 2] = [
    ("message.max.bytes", ["2000000", "3000000", "4000000"]),
    ("log.index.interval.bytes", ["100", "4096", "8192"]),
];

/// Kafka's numbers of what may be wrong with a request that makes sense: it comes too late, or too
/// early, or nobody knows (`metadata::Outcome`).
const EXPECTED: [i16; 8] = [3, 100, 36, 37, -1, 7, 41, 56];

/// Where settings come from (`DescribeConfigsResponse.ConfigSource`): the topic, the broker, all
/// brokers.
const SOURCES: [i8; 3] = [1, 2, 3];

impl Administrator {
    pub(super) fn new(left: u64) -> Self {
        Self { left, next: VecDeque::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.next.is_empty()
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
        self.next.clear();
    }

    pub(super) fn wants_to_send(&self, out: u64) -> bool {
        // What follows at once is under way together.
        out == 0 && !self.is_done() || out == 1 && !self.next.is_empty()
    }

    pub(super) fn next(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let intent = self.next.pop_front().unwrap_or_else(|| {
            self.left = self.left.saturating_sub(1);
            self.draw(around)
        });
        send(caller, intent, around)
    }

    /// What it does next, of what the broker serves.
    fn draw(&mut self, around: &mut Surroundings<'_>) -> Intent {
        let names: Vec<String> = passing_names(around).collect();
        let name = around.decisions.pick(Purpose::Administrator, &names).clone();
        let known = around.topics.iter().find(|topic| topic.name == name).cloned();
        match around.decisions.below(Purpose::Administrator, 20) {
            0..=4 if is_served(ApiKey::CREATE_TOPICS) => {
                let is_trial = around.decisions.below(Purpose::Administrator, 8) == 0;
                Intent::Create(draw_creations(names, &name, is_trial, around))
            }
            5..=7 if is_served(ApiKey::DELETE_TOPICS) => {
                let delete = vec![draw_deletion(name.clone(), known.as_ref(), around)];
                if around.decisions.below(Purpose::Administrator, 2) == 0 {
                    let again = draw_creation(name, false, around);
                    self.next.push_back(Intent::Create(vec![again]));
                }
                Intent::Delete(delete)
            }
            8 if is_served(ApiKey::DELETE_TOPICS) => {
                let all = names.into_iter().map(|name| (name, None));
                Intent::Delete(all.collect())
            }
            9 | 10 if is_served(ApiKey::CREATE_PARTITIONS) => {
                let more = around.decisions.below(Purpose::Administrator, 4) as i32;
                Intent::Grow(name, known.map_or(1, |topic| topic.partitions) + more)
            }
            11..=13 if is_served(ApiKey::INCREMENTAL_ALTER_CONFIGS) => {
                let subject = draw_subject(name, around);
                Intent::Alter(subject.clone(), draw_alterations(&subject, around))
            }
            14 if is_served(ApiKey::ALTER_CONFIGS) => {
                let subject = draw_subject(name, around);
                let settings = draw_settings(&subject, around);
                Intent::Replace(subject, settings)
            }
            15..=17 if is_served(ApiKey::DESCRIBE_CONFIGS) => {
                Intent::Describe(draw_subject(name, around))
            }
            _ => Intent::Look,
        }
    }

    /// What it asked for has no answer: mostly it asks again.
    pub(super) fn lost(&mut self, pending: PendingChanges, around: &mut Surroundings<'_>) {
        for change in pending.changes {
            around.changed(change, Outcome::Unknown);
        }
        if around.decisions.below(Purpose::Administrator, 4) > 0 {
            self.next.push_back(pending.intent);
        }
    }
}

fn draw_creations(
    names: Vec<String>,
    name: &str,
    is_trial: bool,
    around: &mut Surroundings<'_>,
) -> Vec<Creation> {
    let is_of_all = around.decisions.below(Purpose::Administrator, 4) == 0;
    let names = names.into_iter().filter(|other| is_of_all || other == name);
    names.map(|name| draw_creation(name, is_trial, around)).collect()
}

fn draw_creation(name: String, is_trial: bool, around: &mut Surroundings<'_>) -> Creation {
    let most = around.options.passing_partitions.max(1);
    let partitions = around.decisions.between(Purpose::Administrator, 1, most) as i32;
    let settings = draw_settings(&Subject::Topic(name.clone()), around);
    Creation { name, partitions, settings, is_trial }
}

fn draw_deletion(
    name: String,
    known: Option<&KnownTopic>,
    around: &mut Surroundings<'_>,
) -> (String, Option<Uuid>) {
    let by_id = around.decisions.below(Purpose::Administrator, 2) == 0;
    (name, known.map(|topic| topic.id).filter(|_| by_id))
}

fn draw_subject(name: String, around: &mut Surroundings<'_>) -> Subject {
    match around.decisions.below(Purpose::Administrator, 6) {
        0 => Subject::Broker(NODE_ID.to_string()),
        1 => Subject::Broker(String::new()),
        _ => Subject::Topic(name),
    }
}

fn draw_settings(subject: &Subject, around: &mut Surroundings<'_>) -> Settings {
    let mut settings = Settings::new();
    for _ in 0..around.decisions.below(Purpose::Administrator, 4) {
        let (key, value) = draw_setting(subject, around);
        settings.insert(key, value);
    }
    settings
}

fn draw_alterations(
    subject: &Subject,
    around: &mut Surroundings<'_>,
) -> Vec<(String, Option<String>)> {
    let mut settings = draw_settings(subject, around);
    let (key, value) = draw_setting(subject, around);
    settings.insert(key, value);
    let altered = settings.into_iter().map(|(key, value)| {
        let is_set = around.decisions.below(Purpose::Administrator, 3) > 0;
        (key, is_set.then_some(value))
    });
    altered.collect()
}

fn draw_setting(subject: &Subject, around: &mut Surroundings<'_>) -> (String, String) {
    let table = match subject {
        Subject::Topic(_) => &TOPIC_SETTINGS[..],
        Subject::Broker(_) => &BROKER_SETTINGS,
    };
    let (key, values) = around.decisions.pick(Purpose::Administrator, table);
    let value = around.decisions.pick(Purpose::Administrator, values);
    ((*key).to_owned(), (*value).to_owned())
}

fn send(caller: Caller<'_>, intent: Intent, around: &mut Surroundings<'_>) -> Bytes {
    let mut version =
        |low, high| around.decisions.between(Purpose::Administrator, low, high) as i16;
    match &intent {
        Intent::Create(creations) => {
            let version = version(2, 7);
            let topics = creations.iter().map(|creation| creatable(creation, around)).collect();
            let validate_only = creations.iter().any(|creation| creation.is_trial);
            let request = CreateTopicsRequest { topics, timeout_ms: TIMEOUT_MS, validate_only };
            asked(caller, (ApiKey::CREATE_TOPICS, version), &request, intent, around)
        }
        Intent::Delete(topics) => {
            let by_id = topics.iter().any(|(_, id)| id.is_some());
            let version = version(if by_id { 6 } else { 1 }, 6);
            let state = |(name, id): &(String, Option<Uuid>)| DeleteTopicState {
                name: id.is_none().then(|| name.clone()),
                topic_id: id.unwrap_or(Uuid::ZERO),
            };
            let states = topics.iter().map(state);
            let names = topics.iter().map(|(name, _)| name.clone());
            let request = DeleteTopicsRequest {
                topics: if version >= 6 { states.collect() } else { Vec::new() },
                topic_names: if version < 6 { names.collect() } else { Vec::new() },
                timeout_ms: TIMEOUT_MS,
            };
            asked(caller, (ApiKey::DELETE_TOPICS, version), &request, intent, around)
        }
        Intent::Grow(name, count) => {
            let version = version(0, 3);
            let (name, count) = (name.clone(), *count);
            let topics = vec![CreatePartitionsTopic { name, count, assignments: None }];
            let (timeout_ms, validate_only) = (TIMEOUT_MS, false);
            let request = CreatePartitionsRequest { topics, timeout_ms, validate_only };
            asked(caller, (ApiKey::CREATE_PARTITIONS, version), &request, intent, around)
        }
        Intent::Alter(subject, alterations) => {
            let version = version(0, 1);
            let altered = |(name, value): &(String, Option<String>)| {
                let config_operation = i8::from(value.is_none());
                let (name, value) = (name.clone(), value.clone());
                incremental_alter_configs::AlterableConfig { name, config_operation, value }
            };
            let (resource_type, resource_name) = resource(subject);
            let configs = alterations.iter().map(altered).collect();
            let resource = incremental_alter_configs::AlterConfigsResource {
                resource_type,
                resource_name,
                configs,
            };
            let (resources, validate_only) = (vec![resource], false);
            let request = IncrementalAlterConfigsRequest { resources, validate_only };
            asked(caller, (ApiKey::INCREMENTAL_ALTER_CONFIGS, version), &request, intent, around)
        }
        Intent::Replace(subject, settings) => {
            let version = version(0, 2);
            let altered = |(name, value): (&String, &String)| {
                let (name, value) = (name.clone(), Some(value.clone()));
                alter_configs::AlterableConfig { name, value }
            };
            let (resource_type, resource_name) = resource(subject);
            let configs = settings.iter().map(altered).collect();
            let resource =
                alter_configs::AlterConfigsResource { resource_type, resource_name, configs };
            let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
            asked(caller, (ApiKey::ALTER_CONFIGS, version), &request, intent, around)
        }
        Intent::Describe(subject) => {
            let version = version(1, 4);
            let (resource_type, resource_name) = resource(subject);
            let configuration_keys = None;
            let resource =
                DescribeConfigsResource { resource_type, resource_name, configuration_keys };
            let resources = vec![resource];
            let request = DescribeConfigsRequest { resources, ..Default::default() };
            asked(caller, (ApiKey::DESCRIBE_CONFIGS, version), &request, intent, around)
        }
        Intent::Look => look(caller, around),
    }
}

fn creatable(creation: &Creation, around: &mut Surroundings<'_>) -> CreatableTopic {
    let Creation { name, partitions, settings, .. } = creation;
    let setting = |(name, value): (&String, &String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
    };
    let assignment =
        |partition_index| CreatableReplicaAssignment { partition_index, broker_ids: vec![NODE_ID] };
    let is_assigned = around.decisions.below(Purpose::Administrator, 4) == 0;
    let assigned = if is_assigned { *partitions } else { 0 };
    CreatableTopic {
        name: name.clone(),
        num_partitions: if is_assigned { -1 } else { *partitions },
        replication_factor: if is_assigned { -1 } else { 1 },
        assignments: (0..assigned).map(assignment).collect(),
        configs: settings.iter().map(setting).collect(),
    }
}

/// Kafka's type and name of a resource.
fn resource(subject: &Subject) -> (i8, String) {
    match subject {
        Subject::Topic(name) => (2, name.clone()),
        Subject::Broker(name) => (4, name.clone()),
    }
}

fn asked<M: klamm_core::codec::Message>(
    caller: Caller<'_>,
    (api, version): (ApiKey, i16),
    request: &M,
    intent: Intent,
    around: &mut Surroundings<'_>,
) -> Bytes {
    let changes = intent.changes().into_iter().map(|(subject, what)| around.change(subject, what));
    let pending = PendingChanges { changes: changes.collect(), intent };
    caller.request(api, version, request, Some(Pending::Changes(pending)))
}

impl Intent {
    /// What it asks of each subject.
    fn changes(&self) -> Vec<(Subject, Change)> {
        let topic = |name: &String| Subject::Topic(name.clone());
        match self {
            Self::Create(creations) => {
                let change = |creation: &Creation| {
                    if creation.is_trial {
                        return Change::TryCreate;
                    }
                    let (partitions, settings) = (creation.partitions, creation.settings.clone());
                    Change::Create { partitions, settings }
                };
                creations.iter().map(|creation| (topic(&creation.name), change(creation))).collect()
            }
            Self::Delete(topics) => {
                topics.iter().map(|(name, id)| (topic(name), Change::Delete { id: *id })).collect()
            }
            Self::Grow(name, count) => vec![(topic(name), Change::Grow { count: *count })],
            Self::Alter(subject, changes) => {
                vec![(subject.clone(), Change::Alter(changes.clone()))]
            }
            Self::Replace(subject, settings) => {
                vec![(subject.clone(), Change::Replace(settings.clone()))]
            }
            Self::Describe(subject) => vec![(subject.clone(), Change::Look)],
            Self::Look => Vec::new(),
        }
    }
}

impl PendingChanges {
    /// The broker has answered.
    pub(super) fn answered(
        self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let outcomes = match &self.intent {
            Intent::Create(creations) => created(creations, answer, around)?,
            Intent::Delete(topics) => deleted(topics, answer, around)?,
            Intent::Grow(name, _) => {
                let response: CreatePartitionsResponse = answer.read()?;
                let told = response.results.iter().find(|told| told.name == *name);
                vec![done(told.map(|told| told.error_code), name)?]
            }
            Intent::Alter(subject, _) => {
                let response: IncrementalAlterConfigsResponse = answer.read()?;
                let (kind, name) = resource(subject);
                let told = response
                    .responses
                    .iter()
                    .find(|told| (told.resource_type, &told.resource_name) == (kind, &name));
                vec![done(told.map(|told| told.error_code), &name)?]
            }
            Intent::Replace(subject, _) => {
                let response: AlterConfigsResponse = answer.read()?;
                let (kind, name) = resource(subject);
                let told = response
                    .responses
                    .iter()
                    .find(|told| (told.resource_type, &told.resource_name) == (kind, &name));
                vec![done(told.map(|told| told.error_code), &name)?]
            }
            Intent::Describe(subject) => vec![described(subject, answer)?],
            Intent::Look => Vec::new(),
        };
        for (change, outcome) in self.changes.into_iter().zip(outcomes) {
            around.changed(change, outcome);
        }
        Ok(())
    }
}

/// An error that a request which makes sense can have; and that of one that is not told is an error
/// of the answer.
fn error_of(told: Option<ErrorCode>, name: &str) -> Result<i16, String> {
    let error = told.ok_or_else(|| format!("nothing is said of {name}"))?.0;
    let is_expected = error == 0 || EXPECTED.contains(&error);
    is_expected.then_some(error).ok_or_else(|| format!("error {error} for {name}"))
}

fn done(told: Option<ErrorCode>, name: &str) -> Result<Outcome, String> {
    let error = error_of(told, name)?;
    Ok(if error == 0 { Outcome::Done } else { Outcome::Refused(error) })
}

fn created(
    creations: &[Creation],
    answer: &Answer,
    around: &mut Surroundings<'_>,
) -> Result<Vec<Outcome>, String> {
    let response: CreateTopicsResponse = answer.read()?;
    let mut outcomes = Vec::new();
    for Creation { name, partitions, settings, is_trial } in creations {
        let told = response.topics.iter().find(|told| told.name == *name);
        let error = error_of(told.map(|told| told.error_code), name)?;
        let Some(told) = told.filter(|_| error == 0) else {
            outcomes.push(Outcome::Refused(error));
            continue;
        };
        if answer.version >= 5 && told.num_partitions != *partitions {
            let count = told.num_partitions;
            return Err(format!("{name} was made with {count} partitions, not {partitions}"));
        }
        let own = told.configs.iter().flatten().filter(|config| config.config_source == SOURCES[0]);
        let own = own.filter_map(|config| Some((config.name.clone(), config.value.clone()?)));
        let own: Settings = own.collect();
        if answer.version >= 5 && own != *settings {
            return Err(format!("{name} was made with {own:?}, not {settings:?}"));
        }
        let id = Some(told.topic_id).filter(|_| answer.version >= 7 && !is_trial);
        if let Some(id) = id {
            learn(name, Some((id, *partitions)), around);
        }
        outcomes.push(Outcome::Made(id));
    }
    Ok(outcomes)
}

fn deleted(
    topics: &[(String, Option<Uuid>)],
    answer: &Answer,
    around: &mut Surroundings<'_>,
) -> Result<Vec<Outcome>, String> {
    let response: DeleteTopicsResponse = answer.read()?;
    let mut outcomes = Vec::new();
    for (name, id) in topics {
        let told = response.responses.iter().find(|told| match id {
            Some(id) => told.topic_id == *id,
            None => told.name.as_ref() == Some(name),
        });
        outcomes.push(done(told.map(|told| told.error_code), name)?);
        // Others go on with it for a while.
        let is_told = around.decisions.below(Purpose::Administrator, 2) == 0;
        if is_told && outcomes.last() == Some(&Outcome::Done) {
            learn(name, None, around);
        }
    }
    Ok(outcomes)
}

fn described(subject: &Subject, answer: &Answer) -> Result<Outcome, String> {
    let response: DescribeConfigsResponse = answer.read()?;
    let (kind, name) = resource(subject);
    let is_it =
        |told: &&DescribeConfigsResult| (told.resource_type, &told.resource_name) == (kind, &name);
    let told = response.results.iter().find(is_it);
    let error = error_of(told.map(|told| told.error_code), &name)?;
    let Some(told) = told.filter(|_| error == 0) else {
        return Ok(if error == 3 { Outcome::Absent } else { Outcome::Refused(error) });
    };
    let source = match subject {
        Subject::Topic(_) => SOURCES[0],
        Subject::Broker(name) if name.is_empty() => SOURCES[2],
        Subject::Broker(_) => SOURCES[1],
    };
    let own = told.configs.iter().filter(|config| config.config_source == source);
    let settings = own.filter_map(|config| Some((config.name.clone(), config.value.clone()?)));
    let settings = Some(settings.collect());
    Ok(Outcome::Seen(Sighting { settings, ..Sighting::default() }))
}
