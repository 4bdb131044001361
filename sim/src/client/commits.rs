//! Commits offsets, and asks what was committed: for members of groups, and for those who are none.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use klamm_core::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use klamm_core::ids::Uuid;

use super::{Answer, Caller, Pending, Surroundings, UNKNOWN_ID};
use crate::decisions::Purpose;
use crate::groups::{CallId, Claim, Committed, GroupAsk, GroupTold, ToldOffset};
use crate::history::TopicPartition;

/// The first versions of OffsetCommit with leader epochs, with instance ids, and with topics' ids.
const EPOCH_VERSION: i16 = 6;
const INSTANCE_VERSION: i16 = 7;
const IDS_VERSION: i16 = 10;

/// The first versions of OffsetFetch that ask for all that a group has, that tell leader epochs, and that ask for
/// several groups.
const ALL_VERSION: u64 = 2;
const FETCH_EPOCH_VERSION: i16 = 5;
const SEVERAL_VERSION: i16 = 8;

/// A commit that waits for its answer.
#[derive(Debug)]
pub(super) struct PendingCommit {
    call: CallId,
    targets: Vec<TopicPartition>,
}

/// A look at what groups have committed that waits for its answer.
#[derive(Debug)]
pub(super) struct PendingCommitted(Vec<Look>);

#[derive(Debug)]
struct Look {
    call: CallId,
    group: String,
    wanted: Option<Vec<TopicPartition>>,
}

/// Commits, each partition once.
pub(super) fn commit(
    caller: Caller<'_>,
    group: &str,
    claim: &Claim,
    mut offsets: Vec<(TopicPartition, Committed)>,
    around: &mut Surroundings<'_>,
) -> (Bytes, CallId) {
    let low = if claim.instance.is_some() { INSTANCE_VERSION } else { 2 };
    let version = around.decisions.between(Purpose::Group, low as u64, IDS_VERSION as u64) as i16;
    let call = around.history.next_call();
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for (target, committed) in &mut offsets {
        if version < IDS_VERSION {
            *target = target.named();
        }
        if version < EPOCH_VERSION {
            committed.leader_epoch = -1;
        }
        // What nobody says is committed under the name of its call, so that it is known again.
        let is_mute = around.decisions.below(Purpose::Group, 6) == 0;
        if committed.metadata.is_empty() && !is_mute {
            committed.metadata = format!("call {}", call.0);
        }
        let partition = OffsetCommitRequestPartition {
            partition_index: target.partition,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            committed_metadata: Some(committed.metadata.clone()).filter(|words| !words.is_empty()),
        };
        match topics.iter_mut().find(|topic| topic.name == target.name()) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(OffsetCommitRequestTopic {
                name: target.name().to_owned(),
                topic_id: id_of(target, around),
                partitions: vec![partition],
            }),
        }
    }
    if version >= IDS_VERSION {
        for topic in &mut topics {
            topic.name.clear();
        }
    }
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: claim.generation,
        member_id: claim.member.clone(),
        group_instance_id: claim.instance.clone(),
        topics,
        ..OffsetCommitRequest::default()
    };
    let targets = offsets.iter().map(|(target, _)| target.clone()).collect();
    around.ask_group(call, group, GroupAsk::Commit { claim: claim.clone(), offsets });
    let pending = Pending::Commit(PendingCommit { call, targets });
    (caller.request(ApiKey::OFFSET_COMMIT, version, &request, Some(pending)), call)
}

/// Asks what groups have committed, of some partitions or of all.
pub(super) fn fetch(
    caller: Caller<'_>,
    mut asked: Vec<(String, Option<Vec<TopicPartition>>)>,
    around: &mut Surroundings<'_>,
) -> Bytes {
    let asks_all = asked.iter().any(|(_, wanted)| wanted.is_none());
    let low = match asked.len() {
        1 if asks_all => ALL_VERSION,
        1 => 1,
        _ => SEVERAL_VERSION as u64,
    };
    let version = around.decisions.between(Purpose::Group, low, IDS_VERSION as u64) as i16;
    let by_id = version >= IDS_VERSION;
    for target in asked.iter_mut().flat_map(|(_, wanted)| wanted).flatten() {
        if !by_id {
            *target = target.named();
        }
    }
    let require_stable = version >= 7 && around.decisions.below(Purpose::Group, 2) == 0;
    let mut request = OffsetFetchRequest { require_stable, ..OffsetFetchRequest::default() };
    for (group, wanted) in &asked {
        let mut topics: Vec<OffsetFetchRequestTopics> = Vec::new();
        for target in wanted.iter().flatten() {
            let (name, index) = (target.name().to_owned(), target.partition);
            match topics.iter_mut().find(|topic| topic.name == name) {
                Some(topic) => topic.partition_indexes.push(index),
                None => topics.push(OffsetFetchRequestTopics {
                    name,
                    topic_id: id_of(target, around),
                    partition_indexes: vec![index],
                }),
            }
        }
        if version < SEVERAL_VERSION {
            request.group_id.clone_from(group);
            let old = |topic: OffsetFetchRequestTopics| OffsetFetchRequestTopic {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
            };
            request.topics = wanted.is_some().then(|| topics.into_iter().map(old).collect());
            continue;
        }
        if by_id {
            for topic in &mut topics {
                topic.name.clear();
            }
        }
        request.groups.push(OffsetFetchRequestGroup {
            group_id: group.clone(),
            topics: wanted.is_some().then_some(topics),
            ..OffsetFetchRequestGroup::default()
        });
    }
    let looks = asked.into_iter().map(|(group, wanted)| {
        let call = around.history.next_call();
        around.ask_group(call, &group, GroupAsk::Offsets { wanted: wanted.clone(), by_id });
        Look { call, group, wanted }
    });
    let pending = Pending::Committed(PendingCommitted(looks.collect()));
    caller.request(ApiKey::OFFSET_FETCH, version, &request, Some(pending))
}

fn id_of(target: &TopicPartition, around: &Surroundings<'_>) -> Uuid {
    let known = || around.topic(target).map_or(UNKNOWN_ID, |topic| topic.id);
    target.passing_id().unwrap_or_else(known)
}

/// A topic of an answer by its name: one of those that were asked for, or that are known.
fn name_of(
    name: &str,
    id: Uuid,
    asked: &[TopicPartition],
    around: &Surroundings<'_>,
) -> Option<String> {
    if !name.is_empty() {
        return Some(name.to_owned());
    }
    let asked = asked.iter().find(|target| target.passing_id() == Some(id));
    let known = || around.topics.iter().find(|topic| topic.id == id);
    match asked {
        Some(target) => Some(target.name().to_owned()),
        None => known().map(|topic| topic.name.clone()),
    }
}

/// What is said of a topic that is not there is no trouble where topics come and go.
fn is_gone(target: &TopicPartition, error: i16) -> bool {
    const ABSENT: [i16; 2] = [3, 100];
    target.passing_id().is_some() && ABSENT.contains(&error)
}

/// The same partitions, in whatever order.
fn check_same(told: &[TopicPartition], asked: &[TopicPartition]) -> Result<(), String> {
    let sorted = |targets: &[TopicPartition]| {
        let mut targets = targets.to_vec();
        targets.sort();
        targets
    };
    if sorted(told) == sorted(asked) {
        return Ok(());
    }
    Err(format!("{told:?} is answered, {asked:?} was asked"))
}

impl PendingCommit {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        around.group_is_silent(self.call);
    }

    /// Tells the history, and gives the first error.
    pub(super) fn answered(
        self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<i16, String> {
        let response: OffsetCommitResponse = answer.read()?;
        let mut told = Vec::new();
        for topic in &response.topics {
            let name = name_of(&topic.name, topic.topic_id, &self.targets, around);
            let name = name.unwrap_or_else(|| super::UNKNOWN_TOPIC.to_owned());
            for partition in &topic.partitions {
                let target = TopicPartition::new(&name, topic.topic_id, partition.partition_index);
                told.push((target, partition.error_code.0));
            }
        }
        let targets: Vec<_> = told.iter().map(|(target, _)| target.clone()).collect();
        check_same(&targets, &self.targets)?;
        let errors = told.iter().filter(|(target, error)| !is_gone(target, *error));
        let error = errors.map(|(_, error)| *error).find(|error| *error != 0).unwrap_or(0);
        around.told_group(self.call, GroupTold::Partitions(told));
        Ok(error)
    }
}

/// What a group has committed, or an error of the whole.
pub(super) type Fetched = Result<Vec<(TopicPartition, Result<Option<ToldOffset>, i16>)>, i16>;

impl PendingCommitted {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        self.0.into_iter().for_each(|look| around.group_is_silent(look.call));
    }

    /// Tells the history, and gives what is told of each group.
    pub(super) fn answered(
        self,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<Vec<Fetched>, String> {
        let response: OffsetFetchResponse = answer.read()?;
        let tells_epochs = answer.version >= FETCH_EPOCH_VERSION;
        let mut groups: Vec<(String, Fetched)> = Vec::new();
        let offset = |offset: i64, epoch: i32, metadata: &Option<String>| {
            let metadata = metadata.clone().unwrap_or_default();
            let leader_epoch = tells_epochs.then_some(epoch);
            (offset != -1).then_some(ToldOffset { offset, leader_epoch, metadata })
        };
        if answer.version >= SEVERAL_VERSION {
            for group in &response.groups {
                let look = self.0.iter().find(|look| look.group == group.group_id);
                let wanted = look.and_then(|look| look.wanted.as_deref());
                let mut told = Vec::new();
                for topic in &group.topics {
                    let asked = wanted.unwrap_or_default();
                    let name = name_of(&topic.name, topic.topic_id, asked, around);
                    // Of all, one may be told that this client has not heard of yet, or no longer knows.
                    if name.is_none() && wanted.is_none() {
                        continue;
                    }
                    let name = name.unwrap_or_else(|| super::UNKNOWN_TOPIC.to_owned());
                    for part in &topic.partitions {
                        let target =
                            TopicPartition::new(&name, topic.topic_id, part.partition_index);
                        let found = offset(
                            part.committed_offset,
                            part.committed_leader_epoch,
                            &part.metadata,
                        );
                        let error = part.error_code.0;
                        told.push((target, if error == 0 { Ok(found) } else { Err(error) }));
                    }
                }
                let error = group.error_code.0;
                let told = if error == 0 { Ok(told) } else { Err(error) };
                groups.push((group.group_id.clone(), told));
            }
        } else {
            let mut told = Vec::new();
            for topic in &response.topics {
                for part in &topic.partitions {
                    let target = TopicPartition::new(&topic.name, Uuid::ZERO, part.partition_index);
                    let found =
                        offset(part.committed_offset, part.committed_leader_epoch, &part.metadata);
                    let error = part.error_code.0;
                    told.push((target, if error == 0 { Ok(found) } else { Err(error) }));
                }
            }
            let error = response.error_code.0;
            let told = if error == 0 { Ok(told) } else { Err(error) };
            groups.extend(self.0.first().map(|look| (look.group.clone(), told)));
        }
        let mut fetched = Vec::new();
        for Look { call, group, wanted } in self.0 {
            let at = groups.iter().position(|(name, _)| *name == group);
            let (_, told) =
                groups.remove(at.ok_or_else(|| format!("nothing is said of group {group}"))?);
            if let (Ok(told), Some(wanted)) = (&told, &wanted) {
                let targets: Vec<_> = told.iter().map(|(target, _)| target.clone()).collect();
                check_same(&targets, wanted)?;
            }
            around.told_group(
                call,
                match &told {
                    Ok(told) => GroupTold::Offsets(told.clone()),
                    Err(error) => GroupTold::Error(*error),
                },
            );
            fetched.push(told);
        }
        match groups.first() {
            Some((group, _)) => Err(format!("group {group} was not asked for")),
            None => Ok(fetched),
        }
    }
}
