//! Kafka's small files: parsed and formatted here, byte for byte; nothing in here touches a disk.
//!
//! Strict in what is written, liberal in what is read: Kafka itself and hand-made directories differ
//! in padding, newlines and missing files. A file that makes no sense is an error with its line, and
//! whoever reads it decides what that means.

mod clean_shutdown;
mod leader_epochs;
mod lines;
mod meta_properties;
mod offsets;
mod partition_metadata;
mod properties;
mod replace;
mod synced;

pub use clean_shutdown::CleanShutdown;
pub use leader_epochs::{EpochStart, LeaderEpochs};
pub use meta_properties::{MetaProperties, MetaPropertiesVersion};
pub use offsets::OffsetCheckpoint;
pub use partition_metadata::PartitionMetadata;
pub use properties::{format_properties, parse_properties};
pub use replace::replace_file;
pub use synced::{SyncedCheckpoint, SyncedEnd};

use alloc::string::String;

/// `recovery-point-offset-checkpoint`: up to where each log was known to be flushed.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// `log-start-offset-checkpoint`: log starts that lie above the first segment's base.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// `replication-offset-checkpoint`: high watermarks.
pub const REPLICATION_FILE: &str = "replication-offset-checkpoint";
/// `cleaner-offset-checkpoint`: where each compacted log was cleaned up to.
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";

/// Why a small file makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not text.
    #[error("not UTF-8 text")]
    NotText,
    /// It ends too early.
    #[error("ends before {expected}")]
    Truncated {
        /// What should have come.
        expected: &'static str,
    },
    /// A line is not what its place asks for.
    #[error("line {line}: expected {expected}, found {found:?}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What the format has there.
        expected: &'static str,
        /// The line.
        found: String,
    },
    /// A format version that is not known here.
    #[error("unknown version {0:?}")]
    UnknownVersion(String),
    /// A key that must be there is missing.
    #[error("no {0}")]
    Missing(&'static str),
    /// A key's value is not what the key asks for.
    #[error("{key} cannot be {value:?}")]
    InvalidValue {
        /// The key.
        key: &'static str,
        /// What it says.
        value: String,
    },
}
