//! The partitions of a request on their way into a set, one after another: a request may name a
//! hundred thousand.

use alloc::string::String;
use alloc::vec::{self, Vec};

use super::session::Naming;
use super::set::{PartitionKey, PartitionSet, Slot, TopicKey, Wanted};
use crate::api::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use crate::broker::image::Image;
use crate::ids::{LogId, Uuid};

/// What is left of a request's lists.
#[derive(Debug)]
pub(super) struct Gather {
    naming: Naming,
    topics: vec::IntoIter<FetchTopic>,
    wanted: Option<(TopicKey, vec::IntoIter<FetchPartition>)>,
    forgotten_topics: vec::IntoIter<ForgottenTopic>,
    forgotten: Option<(TopicKey, vec::IntoIter<i32>)>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gathered {
    /// There may be more.
    More,
    /// A partition left the set that watched this log.
    Unwatched(LogId, Slot),
    /// The lists are at their end.
    All,
}

impl Gather {
    pub(super) fn new(
        naming: Naming,
        topics: Vec<FetchTopic>,
        forgotten: Vec<ForgottenTopic>,
    ) -> Self {
        Self {
            naming,
            topics: topics.into_iter(),
            wanted: None,
            forgotten_topics: forgotten.into_iter(),
            forgotten: None,
        }
    }

    /// Takes one element of the lists: first what is wanted, then what is to be forgotten.
    pub(super) fn step(&mut self, image: &Image, set: &mut PartitionSet) -> Gathered {
        if let Some((topic, partitions)) = &mut self.wanted {
            match partitions.next() {
                Some(partition) => put(set, topic.clone(), &partition),
                None => self.wanted = None,
            }
            return Gathered::More;
        }
        if let Some(topic) = self.topics.next() {
            let key = self.key(topic.topic, topic.topic_id, image);
            self.wanted = Some((key, topic.partitions.into_iter()));
            return Gathered::More;
        }
        if let Some((topic, indexes)) = &mut self.forgotten {
            let Some(index) = indexes.next() else {
                self.forgotten = None;
                return Gathered::More;
            };
            let left = set.forget(&PartitionKey { topic: topic.clone(), index });
            let watched = left.and_then(|(slot, entry)| Some((entry.watched?, slot)));
            return watched.map_or(Gathered::More, |(log, slot)| Gathered::Unwatched(log, slot));
        }
        let Some(topic) = self.forgotten_topics.next() else { return Gathered::All };
        let key = self.key(topic.topic, topic.topic_id, image);
        self.forgotten = Some((key, topic.partitions.into_iter()));
        Gathered::More
    }

    fn key(&self, name: String, id: Uuid, image: &Image) -> TopicKey {
        match self.naming {
            Naming::Names => TopicKey::named(name, image),
            Naming::Ids => TopicKey::Id(id),
        }
    }
}

fn put(set: &mut PartitionSet, topic: TopicKey, partition: &FetchPartition) {
    let wanted = Wanted {
        offset: partition.fetch_offset,
        bytes_max: partition.partition_max_bytes,
        leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    };
    set.put(PartitionKey { topic, index: partition.partition }, wanted);
}
