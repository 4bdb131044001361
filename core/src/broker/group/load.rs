//! Shards that come and go with the logs of `__consumer_offsets`: each is made by a job that replays its log
//! (`CoordinatorLoaderImpl`).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Broker, OFFSETS_TOPIC, Shard, SlotState};
use crate::broker::jobs::JobPurpose;
use crate::broker::{Output, PartitionState, Phase};
use crate::event::Event;
use crate::ids::{FileId, LogId, Uuid};
use crate::job::{Job, LoadShardContext, LoadShardFailure, LoadedShard};
use crate::log::{Level, Log};

/// A replay under way.
#[derive(Debug)]
pub(in crate::broker) struct ShardLoad {
    index: i32,
    log: LogId,
    /// Not to be deleted meanwhile.
    files: Vec<FileId>,
}

impl Broker {
    /// The image has changed: shards for the logs that are there, and none for those that are not.
    pub(in crate::broker) fn place_shards(&mut self) {
        let offset = Some(self.image.metadata_offset);
        if self.groups.seen_offset == offset || !matches!(self.phase, Phase::Running) {
            return;
        }
        self.groups.seen_offset = offset;
        let topic = self.image.topics.get(OFFSETS_TOPIC).map(Arc::clone);
        let topic_id = topic.as_ref().map(|topic| topic.id);
        if self.groups.topic_id != topic_id {
            self.groups.topic_id = topic_id;
            self.drop_lost_shards();
        }
        let Some(topic) = topic else { return };
        for (index, partition) in &topic.partitions {
            let found = self.partitions.get(&(topic.id, *index));
            let Some(PartitionState::Online(log)) = found.copied() else { continue };
            if !self.groups.shards.contains_key(index) {
                self.load_shard(*index, log, partition.leader_epoch);
            }
        }
        self.start_jobs();
    }

    fn load_shard(&mut self, index: i32, log_id: LogId, leader_epoch: i32) {
        let Some(live) = self.logs.get(&log_id) else { return };
        let segments = written_segments(&live.log);
        if segments.is_empty() {
            // A new log, most often: nothing is there to be read.
            let state = SlotState::Serving(Some(Box::default()));
            return self.groups.insert(index, log_id, leader_epoch, state);
        }
        let files: Vec<FileId> = segments.iter().map(|(file, _)| file.id).collect();
        self.deletions.begin_read(&files);
        let context = LoadShardContext {
            segments,
            log_start: live.log.log_start(),
            compression: Arc::clone(&self.compression),
            limits: self.config.limits.clone(),
        };
        self.groups.insert(index, log_id, leader_epoch, SlotState::Loading);
        let purpose = JobPurpose::LoadShard(ShardLoad { index, log: log_id, files });
        self.queue_job(purpose, |id| Job::load_shard(id, context));
    }

    /// A shard's log has been replayed, or cannot be.
    pub(in crate::broker) fn handle_shard_loaded(
        &mut self,
        load: &ShardLoad,
        loaded: Result<LoadedShard, LoadShardFailure>,
    ) {
        self.end_read(&load.files);
        let Some(slot) = self.groups.shards.get_mut(&load.index) else { return };
        if slot.log != load.log || !matches!(slot.state, SlotState::Loading) {
            return;
        }
        match loaded {
            Ok(LoadedShard(shard)) => {
                slot.state = SlotState::Serving(Some(shard));
                // It serves: the call is taken.
                let _begun = self.with_shard(load.index, Shard::begin);
                self.groups.sweeps.forget_absent(load.index);
            }
            Err(LoadShardFailure::Disk(error)) => {
                slot.state = SlotState::Failed;
                self.fail_directory_of(&error.path, &error);
            }
            Err(LoadShardFailure::Damage(reason)) => {
                slot.state = SlotState::Failed;
                let partition = load.index;
                self.push(Output::Event(Event::ShardFailed { partition, reason }));
            }
        }
    }

    /// A topic is deleted: so is what groups have committed of it.
    pub(in crate::broker) fn note_deleted_topic(&mut self, name: &Arc<str>, id: Uuid) {
        self.groups.sweeps.forget_topic(name, id);
    }
}

/// The segments of a log and how much of each is written.
fn written_segments(log: &Log) -> VecDeque<(crate::effect::FileRef, u64)> {
    let end = log.place(Level::Written);
    let segments = log.segments().iter().map(|it| (it.file.clone(), it.bytes_below(end)));
    segments.filter(|(_, bytes)| *bytes > 0).collect()
}
