//! Looks at what topics there are: any client may take one, and all know then.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use klamm_core::ids::Uuid;

use super::{Answer, Caller, KnownTopic, Pending, Surroundings};
use crate::checker::TopicFormat;
use crate::decisions::Purpose;
use crate::history::{ChangeId, PASSING, Subject, is_passing};
use crate::metadata::{Change, Outcome, Sighting};

/// A look that waits for its answer.
#[derive(Debug)]
pub(super) struct PendingLook(Vec<(String, ChangeId)>);

/// The first version of Metadata that tells topics' ids.
const IDS_VERSION: u64 = 10;

/// The newest.
const VERSION: u64 = 13;

/// The names of topics that come and go.
pub(super) fn passing_names(around: &Surroundings<'_>) -> impl Iterator<Item = String> + use<> {
    (0..around.options.passing_topics).map(|index| format!("{PASSING}{index}"))
}

/// Asks for all topics, or for those that come and go by their names.
pub(super) fn look(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Administrator, IDS_VERSION, VERSION) as i16;
    let is_of_all = around.decisions.below(Purpose::Administrator, 2) == 0;
    let named = |name| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) };
    let topics = (!is_of_all).then(|| passing_names(around).map(named).collect());
    let request =
        MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let asked = passing_names(around).map(|name| {
        let change = around.change(Subject::Topic(name.clone()), Change::Look);
        (name, change)
    });
    let pending = PendingLook(asked.collect());
    caller.request(ApiKey::METADATA, version, &request, Some(Pending::Look(pending)))
}

impl PendingLook {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        self.0.into_iter().for_each(|(_, change)| around.changed(change, Outcome::Unknown));
    }

    pub(super) fn answered(
        self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let response: MetadataResponse = answer.read()?;
        let told = |name: &str| {
            let mut topics = response.topics.iter();
            topics.find(|topic| topic.name.as_deref() == Some(name) && topic.error_code.0 == 0)
        };
        for (name, change) in self.0 {
            let topic = told(&name);
            learn(&name, topic.map(|topic| (topic.topic_id, count_of(topic))), around);
            let outcome = match topic {
                Some(topic) => Outcome::Seen(Sighting {
                    id: Some(topic.topic_id),
                    partitions: Some(partitions_of(topic)?),
                    settings: None,
                }),
                None => Outcome::Absent,
            };
            around.changed(change, outcome);
        }
        Ok(())
    }
}

fn count_of(topic: &MetadataResponseTopic) -> i32 {
    topic.partitions.len() as i32
}

/// How many partitions a topic has, each of them whole.
fn partitions_of(topic: &MetadataResponseTopic) -> Result<i32, String> {
    let name = topic.name.as_deref().unwrap_or_default();
    let mut indexes: Vec<i32> = topic.partitions.iter().map(|part| part.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq(0..count_of(topic)) {
        return Err(format!("topic {name} has partitions {indexes:?}"));
    }
    match topic.partitions.iter().find(|part| part.replica_nodes.len() != 1) {
        Some(part) => {
            Err(format!("{name}-{} is kept by {:?}", part.partition_index, part.replica_nodes))
        }
        None => Ok(count_of(topic)),
    }
}

/// Everybody knows from now on that this topic has the name, or none.
pub(super) fn learn(name: &str, found: Option<(Uuid, i32)>, around: &mut Surroundings<'_>) {
    if !is_passing(name) {
        return;
    }
    let is_it =
        |topic: &KnownTopic| topic.name == name && found.is_some_and(|(id, _)| topic.id == id);
    around.topics.retain(|topic| topic.name != name || is_it(topic));
    let Some((id, partitions)) = found else { return };
    match around.topics.iter_mut().find(|topic| topic.name == name) {
        // An answer that was long under way may be an old one.
        Some(known) => known.partitions = known.partitions.max(partitions),
        None => {
            let (name, format) = (name.to_owned(), TopicFormat::default());
            around.topics.push(KnownTopic { name, id, partitions, format });
        }
    }
}
