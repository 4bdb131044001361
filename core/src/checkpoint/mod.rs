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
mod quorum_state;
mod replace;
mod snapshot_id;
mod synced;

pub use clean_shutdown::CleanShutdown;
pub use leader_epochs::{EpochStart, LeaderEpochs};
pub use meta_properties::{MetaProperties, MetaPropertiesVersion};
pub use offsets::OffsetCheckpoint;
pub use partition_metadata::PartitionMetadata;
pub use properties::{format_properties, parse_properties};
pub use quorum_state::{QuorumState, QuorumStateVersion};
pub use replace::replace_file;
pub use snapshot_id::SnapshotId;
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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::rng::Rng;

    /// What is read is written so that it reads back the same; nothing panics.
    fn read_all(content: &[u8]) {
        if let Ok(read) = OffsetCheckpoint::parse(content) {
            assert_eq!(OffsetCheckpoint::parse(read.format().as_bytes()), Ok(read));
        }
        if let Ok(read) = LeaderEpochs::parse(content) {
            assert_eq!(LeaderEpochs::parse(read.format().as_bytes()), Ok(read));
        }
        if let Ok(read) = PartitionMetadata::parse(content) {
            assert_eq!(PartitionMetadata::parse(read.format().as_bytes()), Ok(read));
        }
        if let Ok(read) = MetaProperties::parse(content) {
            assert_eq!(MetaProperties::parse(read.format().as_bytes()), Ok(read));
        }
        if let Ok(read) = SyncedCheckpoint::parse(content)
            && !content.is_empty()
        {
            assert_eq!(SyncedCheckpoint::parse(read.format().as_bytes()), Ok(read));
        }
        if let Ok(read) = QuorumState::parse(content) {
            assert_eq!(QuorumState::parse(read.format().as_bytes()), Ok(read));
        }
        let marker = CleanShutdown::parse(content);
        assert_eq!(CleanShutdown::parse(marker.format().as_bytes()), marker);
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        let files: [&[u8]; 7] = [
            b"0\n2\na 0 6\nb 11 9223372036854775807\n",
            b"0\n2\n1 0\n7 27\n",
            b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
            b"#c\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\nversion=1\ncluster.id=a\\=b\n",
            b"0\nAAAAAAAAAAAAAAAAAAAAAA\n1\nAAAAAAAAAAAAAAAAAAAAAQ a 0 5\n",
            b"{\"version\":0,\"brokerEpoch\":13}",
            b"{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\"data_version\":1}",
        ];
        let mut rng = Rng::from_seed([1; 32]);
        for round in 0..6_000 {
            let mut content: Vec<u8> = files[round % files.len()].to_vec();
            for _ in 0..rng.below(4) {
                let at = rng.below(content.len() as u64) as usize;
                match rng.below(4) {
                    0 => content[at] = rng.next_u64() as u8,
                    1 => content[at] = b"0 \n=-\\9"[rng.below(7) as usize],
                    2 => content.insert(at, b' '),
                    _ => content.truncate(at + 1),
                }
            }
            read_all(&content);
        }
    }
}
