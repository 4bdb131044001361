//! Brokers that break what they promise of topics and settings: what they write of changes, and the
//! directories of partitions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use klamm_core::api::delete_topics::{DeletableTopicResult, DeleteTopicsResponse};
use klamm_core::broker::image::Image;
use klamm_core::effect::{Effect, Operation};
use klamm_core::ids::{ConnectionId, EffectId, JobId, Uuid};
use klamm_core::request::{Query, Request, RequestBody, Response, ResponseBody};

use super::{syncs_metadata, with_right_checksums};
use crate::history::is_passing;
use crate::layer::{Carry, Layer};
use crate::reader::value_ranges;

/// Kafka's numbers of metadata records.
const PARTITION: u8 = 3;
const CONFIG: u8 = 4;
const REMOVE_TOPIC: u8 = 9;
const NO_OP: u8 = 20;

/// Answers changes before their sync: that of the metadata log is told as done some time before it
/// happens.
#[derive(Debug, Default)]
pub struct AnswersChangesBeforeSync;

/// Longer than an answer takes, and shorter than a start, which is to find its own records.
const EARLY_MICROS: u64 = 10_000;

impl Layer for AnswersChangesBeforeSync {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        match effect {
            Effect::Sync(set) if id.owner == JobId::BROKER && syncs_metadata(set) => {
                Carry::Late(EARLY_MICROS)
            }
            _ => Carry::Honestly,
        }
    }
}

/// Forgets records of one type: they reach the metadata log as records that say nothing.
fn forget(effect: &mut Effect, mut forgets: impl FnMut(&[u8]) -> Vec<usize>) {
    let Effect::Operations(operations) = effect else { return };
    for operation in operations {
        let Operation::Write { file, data, .. } = operation else { continue };
        let is_metadata = file.path.parent().name() == "__cluster_metadata-0";
        if !is_metadata || file.path.name().strip_suffix(".log").is_none() {
            continue;
        }
        let mut batch = BytesMut::from(&data.concat()[..]);
        let Some(values) = value_ranges(&batch) else { continue };
        let types: Vec<u8> = values.iter().map(|value| record_type(&batch, value)).collect();
        for at in forgets(&types) {
            say_nothing(&mut batch[values[at].clone()]);
        }
        *data = vec![with_right_checksums(&batch.freeze())];
    }
}

/// A value begins with the version of its frame and the type of its record.
fn record_type(batch: &[u8], value: &Range<usize>) -> u8 {
    batch.get(value.start + 1).filter(|_| value.len() > 1).copied().unwrap_or(NO_OP)
}

/// A record of as many bytes that says nothing: a `NoOpRecord` with one tagged field.
fn say_nothing(value: &mut [u8]) {
    const TAG: u8 = 100;
    let Some(room) = value.len().checked_sub(6).filter(|room| *room < 128) else { return };
    value.fill(0);
    value[..6].copy_from_slice(&[1, NO_OP, 0, 1, TAG, room as u8]);
}

fn all_of(types: &[u8], wanted: u8) -> Vec<usize> {
    (0..types.len()).filter(|at| types[*at] == wanted).collect()
}

/// Loses half of what it makes: the last partition of several does not reach the metadata log.
#[derive(Debug, Default)]
pub struct MakesHalf;

impl Layer for MakesHalf {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        forget(effect, |types| {
            let partitions = all_of(types, PARTITION);
            partitions.last().filter(|_| partitions.len() > 1).copied().into_iter().collect()
        });
        Carry::Honestly
    }
}

/// Forgets deletions: they do not reach the metadata log.
#[derive(Debug, Default)]
pub struct ForgetsDeletions;

impl Layer for ForgetsDeletions {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        forget(effect, |types| all_of(types, REMOVE_TOPIC));
        Carry::Honestly
    }
}

/// Forgets settings: they do not reach the metadata log.
#[derive(Debug, Default)]
pub struct ForgetsSettings;

impl Layer for ForgetsSettings {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        forget(effect, |types| all_of(types, CONFIG));
        Carry::Honestly
    }
}

/// Leaves the directories of deleted topics where they are: their renaming is told, and never done.
/// The next topic of the name finds them.
#[derive(Debug, Default)]
pub struct LeavesDirectories;

impl Layer for LeavesDirectories {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        let is_of_deletion = |operation: &Operation| match operation {
            Operation::Rename { to, .. } => to.name().ends_with("-delete"),
            _ => false,
        };
        if operations.iter().any(is_of_deletion) { Carry::Never } else { Carry::Honestly }
    }
}

/// Renames directories that are in use: what is written to logs of topics that come and go is told
/// as done long before it happens.
#[derive(Debug, Default)]
pub struct RenamesInUse;

/// Longer than a deletion takes.
const SLOW_WRITE_MICROS: u64 = 300_000;

impl Layer for RenamesInUse {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        let is_of_passing = |operation: &Operation| match operation {
            Operation::Write { file, .. } => {
                is_passing(file.path.parent().name())
                    && file.path.name().strip_suffix(".log").is_some()
            }
            _ => false,
        };
        let is_slow = id.owner == JobId::BROKER && operations.iter().all(is_of_passing);
        if is_slow { Carry::Late(SLOW_WRITE_MICROS) } else { Carry::Honestly }
    }
}

/// Writes another topic's id into the directories of partitions: that of the first topic it makes.
#[derive(Debug, Default)]
pub struct MixesUpIds {
    first: Option<Bytes>,
}

impl Layer for MixesUpIds {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        for operation in operations {
            if let Operation::Write { file, data, .. } = operation
                && is_passing(file.path.parent().name())
                && file.path.name().starts_with("partition.metadata")
            {
                let own = Bytes::from(data.concat());
                *data = vec![self.first.get_or_insert(own).clone()];
            }
        }
        Carry::Honestly
    }
}

/// Answers that a topic is deleted, and forgets to: the broker hears of no topic to delete.
#[derive(Debug, Default)]
pub struct DeletesNothing {
    answers: BTreeMap<(ConnectionId, u64), DeleteTopicsResponse>,
}

impl Layer for DeletesNothing {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        if let RequestBody::DeleteTopics { request: asked, .. } = &mut request.body {
            let by_state = std::mem::take(&mut asked.topics).into_iter();
            let by_name = std::mem::take(&mut asked.topic_names).into_iter();
            let names = by_name.map(|name| (Some(name), Uuid::ZERO));
            let named = by_state.map(|state| (state.name, state.topic_id)).chain(names);
            let told = named.map(|(name, topic_id)| DeletableTopicResult {
                name,
                topic_id,
                ..DeletableTopicResult::default()
            });
            let responses = told.collect();
            let response = DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() };
            self.answers.insert((from, request.number.0), response);
        }
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let Some(told) = self.answers.remove(&(to, response.number.0)) {
            response.body = ResponseBody::DeleteTopics(told);
        }
    }
}

/// Makes topics that somebody only wanted to try.
#[derive(Debug, Default)]
pub struct MakesWhatIsTried;

impl Layer for MakesWhatIsTried {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::CreateTopics { request: asked, .. } = &mut request.body {
            asked.validate_only = false;
        }
    }
}

/// Makes topics that somebody has only looked at.
#[derive(Debug, Default)]
pub struct MakesWhatIsLookedAt;

impl Layer for MakesWhatIsLookedAt {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::Query(Query::Metadata(asked)) = &mut request.body {
            asked.allow_auto_topic_creation = true;
        }
    }
}

/// Tells a new topic's id as that of the last one of its name.
#[derive(Debug, Default)]
pub struct TellsOldIds {
    last: BTreeMap<String, Uuid>,
}

impl Layer for TellsOldIds {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::CreateTopics(made) = &mut response.body {
            for topic in made.topics.iter_mut().filter(|topic| topic.error_code.0 == 0) {
                topic.topic_id = *self.last.entry(topic.name.clone()).or_insert(topic.topic_id);
            }
        }
    }
}

/// Grows topics by one partition less than it says.
#[derive(Debug, Default)]
pub struct GrowsTooLittle;

impl Layer for GrowsTooLittle {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::CreatePartitions { request: asked, .. } = &mut request.body {
            asked.topics.iter_mut().for_each(|topic| topic.count -= 1);
        }
    }
}

/// Answers from an image that is no longer the newest.
#[derive(Debug, Default)]
pub struct ServesOldImages {
    kept: Option<Arc<Image>>,
    answers: u64,
}

impl Layer for ServesOldImages {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::Query { image, .. } = &mut response.body {
            self.answers += 1;
            let newest = Arc::clone(image);
            if let Some(old) = self.kept.clone().filter(|_| self.answers.is_multiple_of(3)) {
                *image = old;
            }
            self.kept = Some(newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use klamm_core::batch::BatchBuilder;
    use klamm_core::effect::{Effect, FileRef, Operation, Path};
    use klamm_core::ids::{EffectId, FileId, JobId, Uuid};
    use klamm_core::records::{MetadataRecord, PartitionRecord, TopicRecord};

    use super::MakesHalf;
    use crate::layer::Layer;
    use crate::reader::{crc32c, value_ranges};

    fn partition(partition_id: i32) -> MetadataRecord {
        PartitionRecord { partition_id, replicas: vec![1], ..PartitionRecord::default() }.into()
    }

    #[test]
    fn a_forgotten_record_says_nothing_in_as_many_bytes() {
        let topic = TopicRecord { name: "t".to_owned(), topic_id: Uuid::ZERO }.into();
        let mut builder = BatchBuilder::new();
        for record in [topic, partition(0), partition(1)] {
            builder.append(5, None, Some(&record.encode(record.version_max())));
        }
        let batch = builder.encode(7, 1);
        let id = FileId { owner: JobId::BROKER, number: 1 };
        let path = Path::new("/d/__cluster_metadata-0/00000000000000000000.log");
        let file = FileRef { id, path };
        let write = Operation::Write { file, position: 0, data: vec![batch.clone().into()] };
        let mut effect = Effect::Operations(vec![write]);
        MakesHalf.effect(EffectId { owner: JobId::BROKER, number: 1 }, &mut effect);
        let Effect::Operations(operations) = effect else { panic!("operations") };
        let [Operation::Write { data, .. }] = &operations[..] else { panic!("a write") };
        let written = data.concat();
        assert_eq!(written.len(), batch.len());
        assert_eq!(written[17..21], crc32c(&written[21..]).to_be_bytes());
        let values = value_ranges(&written).expect("it is uncompressed");
        let read = |at: usize| {
            let value = bytes::Bytes::copy_from_slice(&written[values[at].clone()]);
            MetadataRecord::decode(&value).expect("a record")
        };
        assert_eq!(read(1), partition(0));
        assert!(matches!(read(2), MetadataRecord::NoOp(_)));
    }
}
