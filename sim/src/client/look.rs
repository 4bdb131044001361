//! Looks at what topics there are: any client may take one, and all know then. A look at a name that
//! no topic has may make one.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use klamm_core::ids::Uuid;

use super::{Answer, Caller, KnownTopic, Pending, Surroundings, per_mille};
use crate::checker::TopicFormat;
use crate::decisions::Purpose;
use crate::history::{ChangeId, PASSING, Subject, is_passing};
use crate::metadata::{Change, Outcome, Settings, Sighting};

/// A look that waits for its answer, by the names that it is at.
#[derive(Debug)]
pub(super) struct PendingLook(Vec<(String, Looking)>);

#[derive(Clone, Copy, Debug)]
struct Looking {
    look: ChangeId,
    /// The creation of the topic, where the look asks for that.
    creation: Option<ChangeId>,
}

/// `num.partitions`.
const PARTITIONS_MADE: i32 = 1;

/// TOPIC_ALREADY_EXISTS: what a look that finds a topic says of its creation.
const ALREADY_EXISTS: i16 = 36;

/// The first version of Metadata that tells topics' ids.
const IDS_VERSION: u64 = 10;

/// The newest.
const VERSION: u64 = 13;

/// The names of topics that come and go.
pub(super) fn passing_names(around: &Surroundings<'_>) -> impl Iterator<Item = String> + use<> {
    (0..around.options.passing_topics).map(|index| format!("{PASSING}{index}"))
}

/// Asks for all topics, or for those that come and go by their names; or for those that nobody knows
/// of, so that they are made.
pub(super) fn look(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Administrator, IDS_VERSION, VERSION) as i16;
    let makes = per_mille(around.options.auto_create_per_mille);
    let makes = around.decisions.chance(Purpose::Administrator, makes);
    let unknown = passing_names(around).filter(|name| !is_known(name, around));
    let unknown: Vec<String> = unknown.filter(|_| makes).collect();
    let is_of_all = unknown.is_empty() && around.decisions.below(Purpose::Administrator, 2) == 0;
    let allow_auto_topic_creation = !unknown.is_empty();
    let names: Vec<String> =
        if allow_auto_topic_creation { unknown } else { passing_names(around).collect() };
    let named =
        |name: &String| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name.clone()) };
    let topics = (!is_of_all).then(|| names.iter().map(named).collect());
    let request = MetadataRequest { topics, allow_auto_topic_creation, ..Default::default() };
    let looking = |name: String| {
        let subject = Subject::Topic(name.clone());
        let made = Change::Create { partitions: PARTITIONS_MADE, settings: Settings::new() };
        let creation = allow_auto_topic_creation.then(|| around.change(subject.clone(), made));
        (name, Looking { look: around.change(subject, Change::Look), creation })
    };
    let pending = PendingLook(names.into_iter().map(looking).collect());
    caller.request(ApiKey::METADATA, version, &request, Some(Pending::Look(pending)))
}

fn is_known(name: &str, around: &Surroundings<'_>) -> bool {
    around.topics.iter().any(|topic| topic.name == name)
}

impl PendingLook {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        for (_, Looking { look, creation }) in self.0 {
            around.changed(look, Outcome::Unknown);
            if let Some(creation) = creation {
                around.changed(creation, Outcome::Unknown);
            }
        }
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
        for (name, Looking { look, creation }) in self.0 {
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
            // What is not there is made behind the answer, or never.
            let made = match topic {
                Some(_) => Outcome::Refused(ALREADY_EXISTS),
                None => Outcome::Unknown,
            };
            if let Some(creation) = creation {
                around.changed(creation, made);
            }
            around.changed(look, outcome);
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
