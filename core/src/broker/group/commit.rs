//! Committing, fetching and deleting offsets, and their end (`OffsetMetadataManager`).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::slice;

use super::context::{Context, CoordinatorRecord};
use super::offsets::{CommittedOffset, OffsetName};
use super::shard::{Group, Shard};
use crate::api::delete_groups::DeletableGroupResult;
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use crate::api::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use crate::error_code::ErrorCode;
use crate::ids::Uuid;
use crate::records::OffsetsKey;

/// `OffsetCommitRequest.DEFAULT_RETENTION_TIME`: as the broker has it.
const DEFAULT_RETENTION: i64 = -1;

/// How much of a group a walk has looked at.
#[derive(Debug)]
pub(in crate::broker) struct Looked {
    pub offsets: usize,
    /// The last of them, when there may be more.
    pub up_to: Option<OffsetName>,
}

impl Looked {
    /// There was nothing.
    const ALL: Self = Self { offsets: 0, up_to: None };
}

impl Shard {
    /// Commits what is asked for. The topics are there, with their names and ids.
    ///
    /// The records of one request are one batch: more than fits in one is refused as a whole.
    pub(in crate::broker) fn commit_offsets(
        &mut self,
        context: &mut Context<'_>,
        version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<Vec<OffsetCommitResponseTopic>, ErrorCode> {
        self.validate_offset_commit(context, version, request)?;
        let now_ms = context.now.wall_ms;
        let expire_timestamp_ms = match request.retention_time_ms {
            DEFAULT_RETENTION => -1,
            retention_ms => now_ms.saturating_add(retention_ms),
        };
        let mut accepted = Vec::new();
        let mut answers = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let partition_index = partition.partition_index;
                let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
                let mut error_code = ErrorCode::NONE;
                if is_longer(metadata, context.config.offset_metadata_bytes_max) {
                    error_code = ErrorCode::OFFSET_METADATA_TOO_LARGE;
                } else {
                    let committed = CommittedOffset {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: String::from(metadata),
                        commit_timestamp_ms: now_ms,
                        expire_timestamp_ms,
                        topic_id: topic.topic_id,
                        record_offset: -1,
                    };
                    accepted.push((Arc::clone(&name), partition_index, committed));
                }
                partitions.push(OffsetCommitResponsePartition { partition_index, error_code });
            }
            let (name, topic_id) = (topic.name.clone(), topic.topic_id);
            answers.push(OffsetCommitResponseTopic { name, topic_id, partitions });
        }
        self.put_committed(context, &request.group_id, accepted)?;
        Ok(answers)
    }

    /// Makes the group of somebody who commits without being a member, if there is something to be kept.
    fn put_committed(
        &mut self,
        context: &mut Context<'_>,
        group: &str,
        accepted: Vec<(Arc<str>, i32, CommittedOffset)>,
    ) -> Result<(), ErrorCode> {
        let records: Vec<CoordinatorRecord> = accepted
            .iter()
            .map(|(topic, partition, committed)| offset_record(group, topic, *partition, committed))
            .collect();
        if !context.fits(&records) {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        if !records.is_empty() {
            self.ensure_group(group);
        }
        for ((topic, partition, mut committed), record) in accepted.into_iter().zip(records) {
            committed.record_offset = context.out.append(record);
            self.offsets.put(group, &topic, partition, committed);
        }
        Ok(())
    }

    /// What a group has committed, of the topics that are asked for, or of all. Where a topic is meant by its id,
    /// what was committed of an earlier one of its name is nothing. `id_of` gives the ids that all topics are told
    /// by, `None` for one that cannot be told of; the zero id is any topic's.
    pub(in crate::broker) fn fetch_offsets(
        &self,
        request: &OffsetFetchRequestGroup,
        requires_stable: bool,
        id_of: impl Fn(&str) -> Option<Uuid>,
    ) -> OffsetFetchResponseGroup {
        let group = request.group_id.as_str();
        let told = |topic: &str, topic_id: Uuid, partition: i32| {
            if requires_stable && self.offsets.is_pending(group, topic, partition) {
                let error_code = ErrorCode::UNSTABLE_OFFSET_COMMIT;
                return OffsetFetchResponsePartitions { error_code, ..none(partition) };
            }
            let committed = self.offsets.get(group, topic, partition);
            match committed.filter(|it| it.may_be_of(topic_id)) {
                None => none(partition),
                Some(committed) => OffsetFetchResponsePartitions {
                    committed_offset: committed.offset,
                    committed_leader_epoch: committed.leader_epoch,
                    metadata: Some(committed.metadata.clone()),
                    ..none(partition)
                },
            }
        };
        let topics = match &request.topics {
            Some(topics) => topics
                .iter()
                .map(|topic| OffsetFetchResponseTopics {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partitions: topic
                        .partition_indexes
                        .iter()
                        .map(|partition| told(&topic.name, topic.topic_id, *partition))
                        .collect(),
                })
                .collect(),
            None => {
                let all = self.offsets.of_group(group).into_iter().flatten();
                all.filter_map(|(topic, partitions)| {
                    let topic_id = id_of(topic)?;
                    let meant = partitions.iter().filter(|(_, it)| it.may_be_of(topic_id));
                    let partitions: Vec<_> =
                        meant.map(|(partition, _)| told(topic, topic_id, *partition)).collect();
                    let name = String::from(&**topic);
                    (!partitions.is_empty()).then_some(OffsetFetchResponseTopics {
                        name,
                        topic_id,
                        partitions,
                    })
                })
                .collect()
            }
        };
        OffsetFetchResponseGroup {
            group_id: request.group_id.clone(),
            topics,
            error_code: ErrorCode::NONE,
        }
    }

    /// Deletes offsets of topics that nobody in the group reads. The partitions are there.
    pub(in crate::broker) fn delete_offsets(
        &mut self,
        context: &mut Context<'_>,
        request: &OffsetDeleteRequest,
    ) -> Result<Vec<OffsetDeleteResponseTopic>, ErrorCode> {
        let group = request.group_id.as_str();
        self.validate_offset_delete(group)?;
        let unread = request.topics.iter().filter(|it| !self.is_subscribed(group, &it.name));
        let named = unread.flat_map(|topic| {
            topic.partitions.iter().map(|it| (topic.name.as_str(), it.partition_index))
        });
        let names: Vec<(&str, i32)> = named.collect();
        self.forget_offsets(context, group, &names)?;
        Ok(request.topics.iter().map(|topic| self.deleted(group, topic)).collect())
    }

    /// What is told of a topic whose offsets were to be deleted.
    fn deleted(&self, group: &str, topic: &OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic {
        let is_read = self.is_subscribed(group, &topic.name);
        let error_code =
            if is_read { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
        let partitions = topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
            partition_index: partition.partition_index,
            error_code,
        });
        OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
    }

    /// Deletes a group that has no members, and all that it committed.
    pub(in crate::broker) fn delete_group(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
    ) -> DeletableGroupResult {
        let deleted = self.validate_group_delete(group_id).and_then(|()| {
            let names: Vec<_> = self.offsets.names(group_id).collect();
            self.forget_offsets(context, group_id, &names)?;
            self.remove_group(context, group_id)
        });
        let error_code = deleted.err().unwrap_or(ErrorCode::NONE);
        DeletableGroupResult { group_id: String::from(group_id), error_code }
    }

    /// Takes these offsets away, as far as they are there: all of them or, when a tombstone is longer than a batch may
    /// be, none. The tombstones may be several batches, where Kafka refuses more than one: an offset that stays when
    /// the broker is killed between two is deleted by asking again.
    fn forget_offsets(
        &mut self,
        context: &mut Context<'_>,
        group: &str,
        names: &[(impl AsRef<str>, i32)],
    ) -> Result<(), ErrorCode> {
        let named = names.iter().map(|(topic, partition)| (topic.as_ref(), *partition));
        let there =
            named.filter(|(topic, partition)| self.offsets.contains(group, topic, *partition));
        let going: Vec<(&str, i32, CoordinatorRecord)> = there
            .map(|(topic, partition)| {
                let key = offset_key(group, topic, partition);
                (topic, partition, CoordinatorRecord::tombstone(key))
            })
            .collect();
        if !going.iter().all(|(_, _, tombstone)| context.fits(slice::from_ref(tombstone))) {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        for (topic, partition, tombstone) in going {
            // One that is named twice is there once.
            if self.offsets.remove(group, topic, partition) {
                context.out.append(tombstone);
            }
        }
        Ok(())
    }

    /// Takes an offset away, if there is one; not while its tombstone is longer than a batch may be.
    fn forget_offset(
        &mut self,
        context: &mut Context<'_>,
        group: &str,
        topic: &str,
        partition: i32,
    ) {
        let tombstone = CoordinatorRecord::tombstone(offset_key(group, topic, partition));
        if context.fits(slice::from_ref(&tombstone)) && self.offsets.remove(group, topic, partition)
        {
            context.out.append(tombstone);
        }
    }

    /// Takes away what has lived too long of one group, of so many offsets behind the one that was looked at last, and
    /// behind the last of all the group itself when nothing is left of it (`cleanupExpiredOffsets`,
    /// `cleanupGroupMetadata`).
    pub(in crate::broker) fn expire_group(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
        after: Option<&OffsetName>,
        offsets_max: usize,
    ) -> Looked {
        let Some(Group::Classic(group)) = self.groups.get(group_id) else { return Looked::ALL };
        let is_expired = |topic: &str, partition: i32, committed: &CommittedOffset| {
            group.is_idle(committed, context.now.wall_ms, context.config)
                && !group.is_subscribed(topic)
                && !self.offsets.is_pending(group_id, topic, partition)
        };
        let (expired, looked) = self.find_offsets(group_id, after, offsets_max, is_expired);
        for (topic, partition) in expired {
            self.forget_offset(context, group_id, &topic, partition);
        }
        let has_offsets =
            self.offsets.of_group(group_id).is_some() || self.offsets.has_pending(group_id);
        if looked.up_to.is_none() && !has_offsets {
            self.remove_group_if_empty(context, group_id);
        }
        looked
    }

    /// Of so many offsets of a group, behind the one that was looked at last: those that are to go.
    fn find_offsets(
        &self,
        group_id: &str,
        after: Option<&OffsetName>,
        offsets_max: usize,
        goes: impl Fn(&str, i32, &CommittedOffset) -> bool,
    ) -> (Vec<OffsetName>, Looked) {
        let (mut offsets, mut last, mut going) = (0, None, Vec::new());
        for (topic, partition, committed) in self.offsets.behind(group_id, after).take(offsets_max)
        {
            offsets += 1;
            last = Some((topic, partition));
            if goes(topic, partition, committed) {
                going.push((Arc::clone(topic), partition));
            }
        }
        let up_to = last
            .filter(|_| offsets == offsets_max)
            .map(|(topic, partition)| (Arc::clone(topic), partition));
        (going, Looked { offsets, up_to })
    }

    /// Takes away what a group committed of topics that are deleted, given by name and id. An offset
    /// whose topic's id nobody knows goes by its name.
    pub(in crate::broker) fn forget_topics(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
        deleted: &[(Arc<str>, Uuid)],
    ) -> Looked {
        let mut gone = Vec::new();
        let topics = self.offsets.of_group(group_id);
        for (name, id) in deleted {
            let Some(partitions) = topics.and_then(|topics| topics.get(name)) else { continue };
            for (partition, committed) in partitions {
                if committed.may_be_of(*id) {
                    gone.push((Arc::clone(name), *partition));
                }
            }
        }
        let offsets = gone.len();
        for (topic, partition) in gone {
            self.forget_offset(context, group_id, &topic, partition);
        }
        Looked { offsets, up_to: None }
    }

    /// Takes away what a group committed of topics that are not there, of so many offsets behind the one that was
    /// looked at last: `id_of` gives the id of the topic that has a name.
    pub(in crate::broker) fn forget_absent_topics(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
        (after, offsets_max): (Option<&OffsetName>, usize),
        id_of: impl Fn(&str) -> Option<Uuid>,
    ) -> Looked {
        let is_absent = |topic: &str, _: i32, committed: &CommittedOffset| {
            !id_of(topic).is_some_and(|id| committed.may_be_of(id))
        };
        let (gone, looked) = self.find_offsets(group_id, after, offsets_max, is_absent);
        for (topic, partition) in gone {
            self.forget_offset(context, group_id, &topic, partition);
        }
        looked
    }

    /// The group behind `after`, or the first.
    pub(in crate::broker) fn next_group(&self, after: Option<&Arc<str>>) -> Option<Arc<str>> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.groups.range::<Arc<str>, _>((from, Unbounded)).next().map(|(id, _)| Arc::clone(id))
    }
}

fn none(partition_index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: ErrorCode::NONE,
    }
}

/// Kafka counts what Java's strings are made of.
fn is_longer(text: &str, max: i32) -> bool {
    let max = usize::try_from(max).unwrap_or(0);
    text.len() > max && text.encode_utf16().count() > max
}

fn offset_key(group: &str, topic: &str, partition: i32) -> bytes::Bytes {
    OffsetsKey::Offset { group: String::from(group), topic: String::from(topic), partition }
        .encode()
}

fn offset_record(
    group: &str,
    topic: &str,
    partition: i32,
    committed: &CommittedOffset,
) -> CoordinatorRecord {
    let value = Some(committed.to_record().encode());
    CoordinatorRecord { key: offset_key(group, topic, partition), value }
}
