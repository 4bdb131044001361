//! Committing, fetching and deleting offsets, and their end (`OffsetMetadataManager`).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::context::{Context, CoordinatorRecord};
use super::offsets::CommittedOffset;
use super::shard::{Group, Shard};
use crate::api::delete_groups::DeletableGroupResult;
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
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
        for ((topic, partition, mut committed), record) in accepted.into_iter().zip(records) {
            committed.record_offset = context.out.append(record);
            self.offsets.put(group, &topic, partition, committed);
        }
        Ok(())
    }

    /// What a group has committed, of the topics that are asked for, or of all.
    pub(in crate::broker) fn fetch_offsets(
        &self,
        request: &OffsetFetchRequestGroup,
        requires_stable: bool,
    ) -> OffsetFetchResponseGroup {
        let group = request.group_id.as_str();
        let told = |topic: &str, partition: i32| {
            if requires_stable && self.offsets.is_pending(group, topic, partition) {
                let error_code = ErrorCode::UNSTABLE_OFFSET_COMMIT;
                return OffsetFetchResponsePartitions { error_code, ..none(partition) };
            }
            match self.offsets.get(group, topic, partition) {
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
                        .map(|partition| told(&topic.name, *partition))
                        .collect(),
                })
                .collect(),
            None => {
                let all = self.offsets.of_group(group).into_iter().flatten();
                all.map(|(topic, partitions)| OffsetFetchResponseTopics {
                    name: String::from(&**topic),
                    topic_id: partitions.values().next().map_or(Uuid::ZERO, |it| it.topic_id),
                    partitions: partitions.keys().map(|it| told(topic, *it)).collect(),
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
        let mut answers = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let error_code = if self.is_subscribed(group, &topic.name) {
                ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
            } else {
                for partition in &topic.partitions {
                    self.forget_offset(context, group, &topic.name, partition.partition_index);
                }
                ErrorCode::NONE
            };
            let partitions =
                topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                });
            let partitions = partitions.collect();
            answers.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
        Ok(answers)
    }

    /// Deletes a group that has no members, and all that it committed.
    pub(in crate::broker) fn delete_group(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
    ) -> DeletableGroupResult {
        let error_code = match self.validate_group_delete(group_id) {
            Err(error) => error,
            Ok(()) => {
                let names: Vec<_> = self.offsets.names(group_id).collect();
                for (topic, partition) in names {
                    self.forget_offset(context, group_id, &topic, partition);
                }
                self.remove_group(context, group_id);
                ErrorCode::NONE
            }
        };
        DeletableGroupResult { group_id: String::from(group_id), error_code }
    }

    /// Takes an offset away, if there is one.
    pub(super) fn forget_offset(
        &mut self,
        context: &mut Context<'_>,
        group: &str,
        topic: &str,
        partition: i32,
    ) {
        if self.offsets.remove(group, topic, partition) {
            let key = offset_key(group, topic, partition);
            context.out.append(CoordinatorRecord { key, value: None });
        }
    }

    /// Takes away what has lived too long of one group, and the group itself when nothing is left of it
    /// (`cleanupExpiredOffsets`, `cleanupGroupMetadata`). Gives the number of offsets that it looked at.
    pub(in crate::broker) fn expire_group(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
    ) -> usize {
        let Some(Group::Classic(group)) = self.groups.get(group_id) else { return 1 };
        let retention_ms = context.config.offsets_retention_ms;
        let now_ms = context.now.wall_ms;
        let (mut looked_at, mut expired, mut is_all) = (1, Vec::new(), true);
        for (topic, partitions) in self.offsets.of_group(group_id).into_iter().flatten() {
            let is_read = group.is_subscribed(topic);
            for (partition, committed) in partitions {
                looked_at += 1;
                let since_ms = group.offset_idle_since_ms(committed.commit_timestamp_ms);
                let is_old = since_ms.is_some_and(|since_ms| match committed.expire_timestamp_ms {
                    -1 => now_ms.saturating_sub(since_ms) >= retention_ms,
                    expire_ms => now_ms >= expire_ms,
                });
                if is_old && !is_read && !self.offsets.is_pending(group_id, topic, *partition) {
                    expired.push((Arc::clone(topic), *partition));
                } else {
                    is_all = false;
                }
            }
        }
        for (topic, partition) in expired {
            self.forget_offset(context, group_id, &topic, partition);
        }
        if is_all && !self.offsets.has_pending(group_id) {
            self.remove_group_if_empty(context, group_id);
        }
        looked_at
    }

    /// Takes away what a group committed of topics that are deleted, given by name and id. An offset
    /// whose topic's id nobody knows goes by its name. Gives the number of offsets that it looked at.
    pub(in crate::broker) fn forget_topics(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
        deleted: &[(Arc<str>, Uuid)],
    ) -> usize {
        let mut gone = Vec::new();
        let topics = self.offsets.of_group(group_id);
        for (name, id) in deleted {
            let Some(partitions) = topics.and_then(|topics| topics.get(name)) else { continue };
            for (partition, committed) in partitions {
                if committed.topic_id == Uuid::ZERO || committed.topic_id == *id {
                    gone.push((Arc::clone(name), *partition));
                }
            }
        }
        let looked_at = 1 + gone.len();
        for (topic, partition) in gone {
            self.forget_offset(context, group_id, &topic, partition);
        }
        looked_at
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
