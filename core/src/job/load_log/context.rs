//! What loading a log needs to know, and what it says when it cannot.

use alloc::string::String;
use alloc::sync::Arc;

use crate::config::Limits;
use crate::effect::{IoError, Path};
use crate::ids::{DirectoryIndex, Uuid};
use crate::log::LogConfig;
use crate::partition_name::stray_name;

/// What the broker knows of a partition before its log is loaded.
#[derive(Clone, Debug)]
pub struct LoadLogContext {
    /// The partition's directory, `<log directory>/<topic>-<partition>`.
    pub path: Path,
    /// The log directory that it lies in.
    pub log_directory: DirectoryIndex,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
    /// Makes the name the only one under which a directory is kept that is another topic's. `None` where the
    /// partition must not be made anew instead: its own directory may be in a log directory that is offline.
    pub stray_id: Option<Uuid>,
    /// Whether the listing of the log directory had it. A missing one is created; whether it may be
    /// is for the broker to say, by starting the job.
    pub exists: bool,
    /// Kafka's clean marker of the last run was there: everything was synced, and the files beside the
    /// logs were written.
    pub is_clean: bool,
    /// The line of `recovery-point-offset-checkpoint`.
    pub recovery_point: Option<i64>,
    /// The line of a `klamm-synced-checkpoint` that is valid for the last registration; `None` without
    /// a line. It is taken at its word: above it every offset must be there, or the rest is cut off. So
    /// a 0 must stand for a log that had nothing, never for one of which nothing is known.
    pub synced_end: Option<i64>,
    /// The line of `log-start-offset-checkpoint`.
    pub log_start: Option<i64>,
    /// What the log goes by.
    pub config: LogConfig,
    /// The partition's leader epoch in the image.
    pub leader_epoch: i32,
    /// Limits.
    pub limits: Limits,
}

impl LoadLogContext {
    /// Where the directory goes if it is another topic's, and may.
    pub(super) fn stray_path(&self) -> Option<Path> {
        let name = stray_name(&self.topic, self.partition, self.stray_id?);
        Some(self.path.parent().join(&name))
    }

    /// Below this offset nothing has to be written back, and an invalid batch is damage.
    pub(super) fn trusted_end(&self) -> i64 {
        if self.is_clean {
            return i64::MAX;
        }
        self.synced_end.max(self.recovery_point).unwrap_or(0).max(0)
    }

    /// Where the log ended at the clean stop behind which it is loaded, if that is known. What is found
    /// behind it is what a recovery had cut, and a power loss has brought back: an empty log is closed
    /// without a sync.
    pub(super) fn closed_at(&self) -> Option<i64> {
        self.synced_end.filter(|_| self.is_clean)
    }
}

/// Why a log is not loaded; its partition is offline until the next start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct LoadLogFailure {
    /// Names file and position where there is one.
    pub reason: String,
    /// The disk's answer when that is why: the whole log directory goes offline.
    pub error: Option<IoError>,
}
