//! An image as the records that make it, one after another (`MetadataImage.write`): what a snapshot
//! holds.

use alloc::string::String;
use alloc::sync::Arc;

use super::image::{ConfigResource, Image, Partition};
use super::metadata_version::{METADATA_VERSION, MetadataVersion};
use super::other_records::Subject;
use super::sorted;
use crate::ids::Uuid;
use crate::records::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, ProducerIdsRecord,
    RegisterBrokerRecord, TopicRecord,
};

/// The records of an image, each with the version that it is to be written in. Whoever applies them
/// to a blank image has an equal one, but for the offset.
///
/// The versions are those that the level of `metadata.version` has. Where a record holds what that
/// version has no field for, it is written in the first one that has: the log had it so.
#[derive(Debug)]
pub struct ImageRecords {
    image: Arc<Image>,
    version: MetadataVersion,
    place: Place,
}

/// Where the walk stands: behind the entry that is named, or before the first one.
#[derive(Debug, Default)]
enum Place {
    /// The level says how what follows is to be read.
    #[default]
    MetadataVersion,
    Features(Option<String>),
    Registrations(Option<i32>),
    Others(Option<Subject>),
    Topics(Option<Uuid>),
    Partitions(Uuid, Option<i32>),
    Configs(Option<ConfigResource>),
    Settings(ConfigResource, Option<String>),
    ProducerIds,
    End,
}

impl ImageRecords {
    /// The records of `image`.
    pub fn new(image: Arc<Image>) -> Self {
        let version = MetadataVersion::of(&image);
        Self { image, version, place: Place::default() }
    }

    /// What stands at a place, if that is a record, and the place behind it.
    fn step(&self, place: Place) -> (Option<(MetadataRecord, i16)>, Place) {
        let image = &*self.image;
        match place {
            Place::MetadataVersion => {
                let level = image.features.get(METADATA_VERSION);
                (level.map(|level| feature(METADATA_VERSION, *level)), Place::Features(None))
            }
            Place::Features(last) => match sorted::next(&image.features, last.as_ref()) {
                Some((name, level)) => {
                    let is_first = name == METADATA_VERSION;
                    let record = (!is_first).then(|| feature(name, *level));
                    (record, Place::Features(Some(name.clone())))
                }
                None => (None, Place::Registrations(None)),
            },
            Place::Registrations(last) => match sorted::next(&image.registrations, last.as_ref()) {
                Some((id, broker)) => {
                    (Some(self.registration(broker)), Place::Registrations(Some(*id)))
                }
                None => (None, Place::Others(None)),
            },
            Place::Others(last) => match image.others.next(last.as_ref()) {
                Some((subject, record)) => {
                    let record = (record.clone(), record.version_max());
                    (Some(record), Place::Others(Some(subject.clone())))
                }
                None => (None, Place::Topics(None)),
            },
            Place::Topics(last) => match sorted::next(&image.topics_by_id, last.as_ref()) {
                Some((id, topic)) => {
                    let record = TopicRecord { name: String::from(&*topic.name), topic_id: *id };
                    (Some((record.into(), 0)), Place::Partitions(*id, None))
                }
                None => (None, Place::Configs(None)),
            },
            Place::Partitions(id, last) => {
                let topic = image.topics_by_id.get(&id);
                match topic.and_then(|it| sorted::next(&it.partitions, last.as_ref())) {
                    Some((index, partition)) => {
                        let record = self.partition(id, *index, partition);
                        (Some(record), Place::Partitions(id, Some(*index)))
                    }
                    None => (None, Place::Topics(Some(id))),
                }
            }
            Place::Configs(last) => match sorted::next(&image.configs, last.as_ref()) {
                Some((resource, _)) => (None, Place::Settings(resource.clone(), None)),
                None => (None, Place::ProducerIds),
            },
            Place::Settings(resource, last) => {
                let settings = image.configs.get(&resource);
                match settings.and_then(|settings| sorted::next(settings, last.as_ref())) {
                    Some((name, value)) => {
                        let record = setting(&resource, name, value);
                        (Some(record), Place::Settings(resource, Some(name.clone())))
                    }
                    None => (None, Place::Configs(Some(resource))),
                }
            }
            Place::ProducerIds => {
                let has_given = image.next_producer_id > 0;
                (has_given.then(|| producer_ids(image.next_producer_id)), Place::End)
            }
            Place::End => (None, Place::End),
        }
    }

    fn registration(&self, broker: &RegisterBrokerRecord) -> (MetadataRecord, i16) {
        let needed = match broker {
            _ if broker.cordoned_log_dirs.is_some() => 4,
            _ if !broker.log_dirs.is_empty() => 3,
            _ if broker.is_migrating_zk_broker => 2,
            _ => 0,
        };
        (broker.clone().into(), self.version.register_broker().max(needed))
    }

    fn partition(&self, topic_id: Uuid, index: i32, it: &Partition) -> (MetadataRecord, i16) {
        let tagged = |nodes: &[i32]| (!nodes.is_empty()).then(|| nodes.to_vec());
        let record = PartitionRecord {
            partition_id: index,
            topic_id,
            replicas: it.replicas.clone(),
            isr: it.isr.clone(),
            removing_replicas: it.removing.clone(),
            adding_replicas: it.adding.clone(),
            leader: it.leader,
            leader_recovery_state: it.leader_recovery_state,
            leader_epoch: it.leader_epoch,
            partition_epoch: it.partition_epoch,
            directories: it.directories.clone(),
            eligible_leader_replicas: tagged(&it.elr),
            last_known_elr: tagged(&it.last_known_elr),
        };
        let needed = match it {
            _ if !it.elr.is_empty() || !it.last_known_elr.is_empty() => 2,
            _ if !it.directories.is_empty() => 1,
            _ => 0,
        };
        (record.into(), self.version.partition().max(needed))
    }
}

impl Iterator for ImageRecords {
    type Item = (MetadataRecord, i16);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let place = core::mem::replace(&mut self.place, Place::End);
            let (record, behind) = self.step(place);
            let is_end = matches!(behind, Place::End);
            self.place = behind;
            if record.is_some() || is_end {
                return record;
            }
        }
    }
}

fn feature(name: &str, feature_level: i16) -> (MetadataRecord, i16) {
    (FeatureLevelRecord { name: String::from(name), feature_level }.into(), 0)
}

fn setting(resource: &ConfigResource, name: &str, value: &str) -> (MetadataRecord, i16) {
    let record = ConfigRecord {
        resource_type: resource.resource_type,
        resource_name: resource.name.clone(),
        name: String::from(name),
        value: Some(String::from(value)),
    };
    (record.into(), 0)
}

/// Who took the last block is forgotten, as in Kafka.
fn producer_ids(next_producer_id: i64) -> (MetadataRecord, i16) {
    let record = ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id };
    (record.into(), 0)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
