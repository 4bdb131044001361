//! Loads the metadata log and its newest snapshot into an image.

use crate::broker::image::Image;
use crate::config::{Limits, TopicConfig};
use crate::effect::{Completion, Effect, IoError, Path};
use crate::ids::{EffectId, JobId};
use crate::job::JobResult;

/// The cluster as the metadata log has it, and where that log ends.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedMetadata {
    /// The image; its `registration` is the last one of this node.
    pub image: Image,
    /// The offset that the next record gets.
    pub end_offset: i64,
    /// The quorum's last epoch; -1 before the first.
    pub last_epoch: i32,
    /// Where the next batch goes; `None` when it begins a new segment, named after `end_offset`.
    pub append_at: Option<AppendPoint>,
}

/// The end of a log's last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendPoint {
    /// The segment's `.log` file.
    pub file: Path,
    /// Behind its last valid batch, in bytes from the file's start. What stands there already is
    /// damage, or a batch that was never whole.
    pub position: u64,
}

/// Why the metadata could not be loaded. The sentence names file and position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataFailure {
    /// The disk's answer.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The batch is whole, and what is in it cannot be read.
    #[error("{file}: batch at position {position}: {reason}")]
    Batch {
        /// Log segment or snapshot.
        file: Path,
        /// Of the batch, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: alloc::string::String,
    },
    /// The beginning is gone.
    #[error("{directory}: the log starts at offset {start}, and no usable snapshot reaches there")]
    Gap {
        /// The metadata log's.
        directory: Path,
        /// First offset of the first segment.
        start: i64,
    },
}

/// The job's state.
#[derive(Debug)]
pub(super) struct LoadMetadata {}

impl LoadMetadata {
    pub(super) fn new(
        id: JobId,
        directory: Path,
        base: Image,
        topic_defaults: TopicConfig,
        limits: &Limits,
    ) -> Self {
        let _ = (id, directory, base, topic_defaults, limits);
        Self {}
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        None
    }

    pub(super) fn handle_completion(&mut self, id: EffectId, result: Completion) {
        let _ = (id, result);
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        None
    }
}
