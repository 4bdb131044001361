//! Topics that come about because a client asked for them (`KafkaApis.getTopicMetadata`,
//! `DefaultAutoTopicCreationManager`).
//!
//! Metadata is answered at once, that there is no such topic; the client asks again, and soon it is there.
//! What cannot be created stays unknown to the client, and is told in the log.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::assignment::Placement;
use super::create::check_size;
use crate::api::create_topics::{CreatableTopic, CreatableTopicConfig};
use crate::api::metadata::MetadataRequest;
use crate::broker::metadata_log::{Change, Draft, Records};
use crate::broker::{Broker, Output};
use crate::event::{Event, Severity};
use crate::query::metadata::absent_topics;
use crate::refusal::Refusal;

/// The answer to nobody: its settings are not told.
const NO_VERSION: i16 = 0;

/// Topics whose creation is on its way: a client that asks again meanwhile asks for nothing more.
pub(in crate::broker) type AutoCreations = BTreeSet<String>;

impl Broker {
    /// Creates those topics of the request that are not there, where the client and the configuration agree to
    /// that.
    pub(in crate::broker) fn create_asked_for(&mut self, request: &MetadataRequest) {
        if !self.config.creation.is_automatic || !request.allow_auto_topic_creation {
            return;
        }
        let mut names = Vec::new();
        for name in absent_topics(request, &self.image) {
            if self.auto_creations.insert(name.to_string()) {
                names.push(name.to_string());
            }
        }
        if !names.is_empty() {
            self.change_metadata(Change::AutoCreate(names));
        }
    }

    /// These are there, or will not be.
    pub(in crate::broker) fn end_auto_creations(&mut self, names: &[String]) {
        for name in names {
            self.auto_creations.remove(name);
        }
    }

    /// The records of those topics that can be created.
    pub(in crate::broker) fn plan_auto_creation(
        &mut self,
        names: &[String],
        draft: &Draft,
        placement: &mut Placement,
    ) -> Records {
        let topics: Vec<CreatableTopic> =
            names.iter().map(|name| self.creatable_topic(name)).collect();
        if let Err(refusal) = self.check_partition_count(topics.iter()) {
            self.tell_refused(&names.join(", "), &refusal);
            return Records::new();
        }
        let mut records = Records::new();
        for topic in &topics {
            match self.plan_topic(topic, NO_VERSION, draft, placement) {
                Ok(new) => records.extend(new.records),
                Err(refusal) => self.tell_refused(&topic.name, &refusal),
            }
        }
        if let Err(refusal) = check_size(&records) {
            self.tell_refused(&names.join(", "), &refusal);
            return Records::new();
        }
        records
    }

    fn tell_refused(&mut self, names: &str, refusal: &Refusal) {
        // A client's names can be long, and many.
        let names: String = names.chars().take(300).collect();
        let reason = refusal.message.as_deref().unwrap_or_default();
        let text = format!("automatic creation of {names} is refused: {reason}");
        let notice = Event::Notice { severity: Severity::Warning, text };
        let events = self.flood.admit(notice, self.now.mono);
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    /// The broker's own topics have settings of their own.
    fn creatable_topic(&self, name: &str) -> CreatableTopic {
        let plain = CreatableTopic {
            name: name.to_string(),
            num_partitions: -1,
            replication_factor: -1,
            ..CreatableTopic::default()
        };
        let Some(own) = INTERNAL_TOPICS.iter().find(|topic| topic.name == name) else {
            return plain;
        };
        let setting = |key: &str, default: &str| {
            self.config.settings.get(key).map_or(default, String::as_str).trim().to_string()
        };
        let number = |key, default| setting(key, default).parse().unwrap_or(-1);
        let configs = own.configs.iter().map(|(name, key, value)| CreatableTopicConfig {
            name: (*name).to_string(),
            value: Some(key.map_or((*value).to_string(), |key| setting(key, value))),
        });
        CreatableTopic {
            num_partitions: number(own.partitions_key, "50"),
            // More replicas than nodes cannot be, and a client could never have a group.
            replication_factor: 1,
            configs: configs.collect(),
            ..plain
        }
    }
}

/// A topic that the broker keeps for itself.
struct InternalTopic {
    name: &'static str,
    partitions_key: &'static str,
    /// Its settings: the key of the broker's that gives the value, if one does, and the value without that.
    configs: &'static [(&'static str, Option<&'static str>, &'static str)],
}

/// `GroupCoordinatorService.groupMetadataTopicConfigs`, `TransactionStateManager.transactionTopicConfigs`,
/// `ShareCoordinatorService.shareGroupStateTopicConfigs`.
const INTERNAL_TOPICS: [InternalTopic; 3] = [
    InternalTopic {
        name: "__consumer_offsets",
        partitions_key: "offsets.topic.num.partitions",
        configs: &[
            ("cleanup.policy", None, "compact"),
            ("compression.type", None, "producer"),
            ("segment.bytes", Some("offsets.topic.segment.bytes"), "104857600"),
        ],
    },
    InternalTopic {
        name: "__transaction_state",
        partitions_key: "transaction.state.log.num.partitions",
        configs: &[
            ("cleanup.policy", None, "compact"),
            ("compression.type", None, "uncompressed"),
            ("min.insync.replicas", Some("transaction.state.log.min.isr"), "2"),
            ("segment.bytes", Some("transaction.state.log.segment.bytes"), "104857600"),
            ("unclean.leader.election.enable", None, "false"),
        ],
    },
    InternalTopic {
        name: "__share_group_state",
        partitions_key: "share.coordinator.state.topic.num.partitions",
        configs: &[
            ("cleanup.policy", None, "delete"),
            ("compression.type", None, "producer"),
            ("min.insync.replicas", Some("share.coordinator.state.topic.min.isr"), "2"),
            ("retention.ms", None, "-1"),
            ("segment.bytes", Some("share.coordinator.state.topic.segment.bytes"), "104857600"),
        ],
    },
];
