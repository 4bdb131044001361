//! From one image to the next: applies metadata records to a draft.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::broker::configs::find_broker_key;
use crate::broker::image::{ConfigResource, Image, Partition, Topic};
use crate::broker::topic_config::{Layers, Settings};
use crate::config::TopicConfig;
use crate::config::keys::Key;
use crate::event::{Event, Severity};
use crate::ids::Uuid;
use crate::query::KRAFT_VERSION;
use crate::records::{
    BrokerRegistrationChangeRecord, ConfigRecord, ControlRecord, FeatureLevelRecord,
    MetadataRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
};

/// A record that does not fit the draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It speaks of a topic that is not there.
    #[error("no topic has the id {0}")]
    NoSuchTopic(Uuid),
    /// It changes a partition that is not there.
    #[error("topic {topic} has no partition {partition}")]
    NoSuchPartition {
        /// Its name.
        topic: String,
        /// Its index.
        partition: i32,
    },
}

/// A draft of an image. Topics that no record touches stay the same `Arc`s.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    /// Its `topics` stays empty until the draft is finished.
    draft: Image,
    ids: BTreeMap<Arc<str>, Uuid>,
    topic_defaults: TopicConfig,
    /// Whose topics' settings are to be resolved again.
    reconfigured: Reconfigured,
    /// Topics that came, went, or whose partitions changed.
    touched: BTreeSet<Uuid>,
}

#[derive(Clone, Debug)]
enum Reconfigured {
    All,
    Topics(BTreeSet<Arc<str>>),
}

impl ImageBuilder {
    /// Starts from `base`; `topic_defaults` is what the broker's static configuration gives to
    /// topics.
    pub fn new(base: Image, topic_defaults: TopicConfig) -> Self {
        let ids = base.topics.iter().map(|(name, topic)| (name.clone(), topic.id)).collect();
        Self {
            draft: Image { topics: BTreeMap::new(), ..base },
            ids,
            topic_defaults,
            reconfigured: Reconfigured::Topics(BTreeSet::new()),
            touched: BTreeSet::new(),
        }
    }

    /// The image so far. Its `topics` are made when it is finished: look at `topics_by_id`.
    pub fn draft(&self) -> &Image {
        &self.draft
    }

    /// The topic of that name, so far.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.ids.get(name).and_then(|id| self.draft.topics_by_id.get(id))
    }

    /// Whether the topic is not the one that the draft began with, by its existence or its partitions.
    pub fn is_touched(&self, id: Uuid) -> bool {
        self.touched.contains(&id)
    }

    /// The topics that came, went, or whose partitions changed.
    pub fn touched(&self) -> &BTreeSet<Uuid> {
        &self.touched
    }

    /// The first topic whose name is `name` or above it, in the order of names.
    pub fn topic_name_from(&self, name: &str) -> Option<&str> {
        let range = (Bound::Included(name), Bound::Unbounded);
        self.ids.range::<str, _>(range).next().map(|(name, _)| &**name)
    }

    /// The log has been taken up to and with `offset`.
    pub fn advance_to(&mut self, offset: i64) {
        self.draft.metadata_offset = offset;
    }

    /// Applies a control record of the quorum. Leaders, and frames of snapshots, say nothing that
    /// the image has.
    pub fn apply_control(&mut self, record: &ControlRecord) {
        match record {
            ControlRecord::KRaftVersion(it) => self.draft.kraft_version = it.kraft_version,
            ControlRecord::KRaftVoters(voters) => self.draft.voters = Some(voters.clone()),
            _ => {}
        }
    }

    /// Applies one record.
    pub fn apply(&mut self, record: MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::Topic(record) => self.add_topic(record),
            MetadataRecord::RemoveTopic(record) => return self.remove_topic(record.topic_id),
            MetadataRecord::Partition(record) => return self.add_partition(record),
            MetadataRecord::PartitionChange(record) => return self.change_partition(record),
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name),
            MetadataRecord::Config(record) => self.set_config(record),
            MetadataRecord::FeatureLevel(record) => self.set_feature(record),
            MetadataRecord::RegisterBroker(record) => self.register(record),
            MetadataRecord::UnregisterBroker(record) => self.unregister(record.broker_id),
            MetadataRecord::FenceBroker(record) => self.fence(record.id, true),
            MetadataRecord::UnfenceBroker(record) => self.fence(record.id, false),
            MetadataRecord::BrokerRegistrationChange(record) => self.change_registration(record),
            MetadataRecord::ProducerIds(record) => {
                // Never back: a producer's id is its own for ever.
                let next = record.next_producer_id.max(self.draft.next_producer_id);
                self.draft.next_producer_id = next;
            }
            other => self.draft.others.apply(other),
        }
        Ok(())
    }

    /// The new image, and what there is to say about its settings.
    pub fn finish(mut self) -> (Image, Option<Event>) {
        let event = self.resolve_configs();
        for (id, topic) in &self.draft.topics_by_id {
            debug_assert_eq!(*id, topic.id);
            self.draft.topics.insert(topic.name.clone(), topic.clone());
        }
        (self.draft, event)
    }

    fn add_topic(&mut self, record: TopicRecord) {
        let name: Arc<str> = Arc::from(record.name.as_str());
        if let Some(before) = self.ids.insert(name.clone(), record.topic_id) {
            self.draft.topics_by_id.remove(&before);
            self.touched.insert(before);
        }
        self.touched.insert(record.topic_id);
        let topic = Topic {
            name: name.clone(),
            id: record.topic_id,
            partitions: BTreeMap::new(),
            config: self.topic_defaults.clone(),
        };
        self.draft.topics_by_id.insert(record.topic_id, Arc::new(topic));
        self.reconfigure(name);
    }

    /// The topic's settings go with it.
    fn remove_topic(&mut self, id: Uuid) -> Result<(), ApplyError> {
        let topic = self.draft.topics_by_id.remove(&id).ok_or(ApplyError::NoSuchTopic(id))?;
        self.touched.insert(id);
        self.ids.remove(&topic.name);
        self.draft.configs.remove(&ConfigResource::topic(&topic.name));
        Ok(())
    }

    fn add_partition(&mut self, record: PartitionRecord) -> Result<(), ApplyError> {
        let topic = self.topic_mut(record.topic_id)?;
        let partition = Partition {
            replicas: record.replicas,
            directories: record.directories,
            isr: record.isr,
            elr: record.eligible_leader_replicas.unwrap_or_default(),
            last_known_elr: record.last_known_elr.unwrap_or_default(),
            removing: record.removing_replicas,
            adding: record.adding_replicas,
            leader: record.leader,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
            leader_recovery_state: record.leader_recovery_state,
        };
        topic.partitions.insert(record.partition_id, partition);
        Ok(())
    }

    fn change_partition(&mut self, record: PartitionChangeRecord) -> Result<(), ApplyError> {
        let topic = self.topic_mut(record.topic_id)?;
        let Some(partition) = topic.partitions.get_mut(&record.partition_id) else {
            return Err(ApplyError::NoSuchPartition {
                topic: String::from(&*topic.name),
                partition: record.partition_id,
            });
        };
        merge(partition, record);
        Ok(())
    }

    /// An empty name means every topic.
    fn clear_elr(&mut self, name: &str) {
        let ids: Vec<Uuid> = match name {
            "" => self.ids.values().copied().collect(),
            _ => self.ids.get(name).copied().into_iter().collect(),
        };
        for id in ids {
            let Some(shared) = self.draft.topics_by_id.get_mut(&id) else { continue };
            let has_elr = |p: &Partition| !p.elr.is_empty() || !p.last_known_elr.is_empty();
            if !shared.partitions.values().any(has_elr) {
                continue;
            }
            for partition in Arc::make_mut(shared).partitions.values_mut().filter(|p| has_elr(p)) {
                partition.elr.clear();
                partition.last_known_elr.clear();
                partition.partition_epoch = partition.partition_epoch.wrapping_add(1);
            }
        }
    }

    fn set_config(&mut self, record: ConfigRecord) {
        let resource =
            ConfigResource { resource_type: record.resource_type, name: record.resource_name };
        match resource.resource_type {
            ConfigResource::TOPIC => self.reconfigure(Arc::from(resource.name.as_str())),
            ConfigResource::BROKER => self.reconfigured = Reconfigured::All,
            _ => {}
        }
        let settings = self.draft.configs.entry(resource.clone()).or_default();
        match record.value {
            Some(value) => settings.insert(record.name, value),
            None => settings.remove(&record.name),
        };
        if settings.is_empty() {
            self.draft.configs.remove(&resource);
        }
    }

    /// The level of `kraft.version` is the quorum's to say, whatever an older Kafka may have written
    /// (KAFKA-18979).
    fn set_feature(&mut self, record: FeatureLevelRecord) {
        if record.name == KRAFT_VERSION {
            return;
        }
        match record.feature_level {
            0 => self.draft.features.remove(&record.name),
            level => self.draft.features.insert(record.name, level),
        };
    }

    fn register(&mut self, record: RegisterBrokerRecord) {
        self.draft.registrations.insert(record.broker_id, Arc::new(record));
    }

    fn unregister(&mut self, node_id: i32) {
        self.draft.registrations.remove(&node_id);
    }

    fn fence(&mut self, node_id: i32, fenced: bool) {
        if let Some(registration) = self.draft.registrations.get_mut(&node_id) {
            Arc::make_mut(registration).fenced = fenced;
        }
    }

    /// What has its default is no change (`ClusterDelta.replay`).
    fn change_registration(&mut self, record: BrokerRegistrationChangeRecord) {
        let Some(shared) = self.draft.registrations.get_mut(&record.broker_id) else { return };
        let registration = Arc::make_mut(shared);
        match record.fenced {
            -1 => registration.fenced = false,
            1 => registration.fenced = true,
            _ => {}
        }
        registration.in_controlled_shutdown |= record.in_controlled_shutdown == 1;
        if !record.log_dirs.is_empty() {
            registration.log_dirs = record.log_dirs;
        }
        if record.cordoned_log_dirs.is_some() {
            registration.cordoned_log_dirs = record.cordoned_log_dirs;
        }
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut Topic, ApplyError> {
        let shared = self.draft.topics_by_id.get_mut(&id).ok_or(ApplyError::NoSuchTopic(id))?;
        self.touched.insert(id);
        Ok(Arc::make_mut(shared))
    }

    fn reconfigure(&mut self, topic: Arc<str>) {
        if let Reconfigured::Topics(names) = &mut self.reconfigured {
            names.insert(topic);
        }
    }

    fn resolve_configs(&mut self) -> Option<Event> {
        let ids: Vec<Uuid> = match &self.reconfigured {
            Reconfigured::All => self.ids.values().copied().collect(),
            Reconfigured::Topics(names) => {
                names.iter().filter_map(|name| self.ids.get(name)).copied().collect()
            }
        };
        let configs = &self.draft.configs;
        let broker = configs.get(&ConfigResource::broker(self.draft.node_id));
        let all_brokers = configs.get(&ConfigResource::broker_default());
        let fallback = &self.topic_defaults;
        let mut unheeded = Unheeded::default();
        if matches!(self.reconfigured, Reconfigured::All) {
            broker.into_iter().chain(all_brokers).for_each(|it| unheeded.add_broker(it));
        }
        for id in ids {
            let Some(shared) = self.draft.topics_by_id.get_mut(&id) else { continue };
            let topic = configs.get(&ConfigResource::topic(&shared.name));
            let (config, refused) = Layers { topic, broker, all_brokers, fallback }.resolve();
            unheeded.add_topic(&shared.name, &refused);
            if shared.config != config {
                Arc::make_mut(shared).config = config;
            }
        }
        unheeded.event()
    }
}

/// Settings that nothing goes by: told of once, since one setting of the broker may concern every topic.
#[derive(Debug, Default)]
struct Unheeded {
    /// Impossible ones: those of the first topic, and how many topics have some.
    first: Option<String>,
    topics: usize,
    /// Of brokers: those that have no effect here.
    idle: BTreeSet<String>,
}

impl Unheeded {
    fn add_topic(&mut self, topic: &str, refused: &[String]) {
        if refused.is_empty() {
            return;
        }
        self.topics += 1;
        self.first.get_or_insert_with(|| format!("topic {topic}: {}", refused.join(", ")));
    }

    fn add_broker(&mut self, settings: &Settings) {
        let has_effect = |name: &str| find_broker_key(name).is_some_and(Key::has_effect);
        self.idle.extend(settings.keys().filter(|name| !has_effect(name)).cloned());
    }

    fn event(self) -> Option<Event> {
        let more = match self.topics {
            0 | 1 => String::new(),
            topics => format!(", and so in {} more", topics - 1),
        };
        let impossible =
            self.first.map(|it| format!("impossible settings are passed over: {it}{more}"));
        let names: Vec<String> = self.idle.into_iter().collect();
        let idle = (!names.is_empty())
            .then(|| format!("these settings have no effect: {}", names.join(", ")));
        let texts: Vec<String> = impossible.into_iter().chain(idle).collect();
        let text = texts.join("; ");
        (!text.is_empty()).then_some(Event::Notice { severity: Severity::Warning, text })
    }
}

/// Every change raises the partition's epoch, a named leader also the leader's epoch, even when it
/// is the same one (`PartitionRegistration.merge`).
fn merge(partition: &mut Partition, record: PartitionChangeRecord) {
    const LEADER_UNCHANGED: i32 = -2;
    const RECOVERY_UNCHANGED: i8 = -1;
    if let Some(replicas) = record.replicas {
        partition.replicas = replicas;
    }
    if let Some(directories) = record.directories {
        partition.directories = directories;
    }
    if partition.directories.len() != partition.replicas.len() {
        partition.directories.clear();
    }
    replace(&mut partition.isr, record.isr);
    replace(&mut partition.elr, record.eligible_leader_replicas);
    replace(&mut partition.last_known_elr, record.last_known_elr);
    replace(&mut partition.removing, record.removing_replicas);
    replace(&mut partition.adding, record.adding_replicas);
    if record.leader != LEADER_UNCHANGED {
        partition.leader = record.leader;
        partition.leader_epoch = partition.leader_epoch.wrapping_add(1);
    }
    if record.leader_recovery_state != RECOVERY_UNCHANGED {
        partition.leader_recovery_state = record.leader_recovery_state;
    }
    partition.partition_epoch = partition.partition_epoch.wrapping_add(1);
}

fn replace(nodes: &mut Vec<i32>, change: Option<Vec<i32>>) {
    if let Some(change) = change {
        *nodes = change;
    }
}

#[cfg(test)]
mod tests;
