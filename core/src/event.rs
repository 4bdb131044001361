//! What the core has to say to a person. The server's logger writes it; tests check it.

use alloc::string::String;

use crate::effect::{IoError, Path};
use crate::ids::ConnectionId;

/// How much a person should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is lost, offline or refused.
    Error,
    /// Something is odd, and handled.
    Warning,
    /// The ordinary life of a broker.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// One thing that happened. `Display` is the sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Event {
    /// A peer broke the protocol; its connection closes.
    #[error("connection {} closed: {reason}", connection.0)]
    PeerMisbehaved {
        /// Whose.
        connection: ConnectionId,
        /// In the protocol's terms.
        reason: String,
    },
    /// Events of one kind were left out because they came too fast.
    #[error("{count} more events like the one before were left out")]
    Suppressed {
        /// How many.
        count: u64,
    },
    /// A log directory is offline until the next start.
    #[error("log directory {directory} is offline until restart: {error}")]
    DirectoryOffline {
        /// Which.
        directory: Path,
        /// Why.
        error: IoError,
    },
    /// A partition is not served until the next start.
    #[error("partition {partition} is offline: {reason}")]
    PartitionOffline {
        /// `topic-index`.
        partition: String,
        /// Names file and position where there is one.
        reason: String,
    },
    /// The groups of a partition of `__consumer_offsets` are not served until the next start.
    #[error("the groups of __consumer_offsets-{partition} are not served: {reason}")]
    ShardFailed {
        /// Which.
        partition: i32,
        /// Names file and position.
        reason: String,
    },
    /// A log that is served does not read as it should. The rest of it is served.
    #[error("{file}: damaged at position {position}, and not served there: {reason}")]
    LogDamaged {
        /// The segment.
        file: Path,
        /// Of the batch that is none, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory belongs to no partition of this node, and is kept under another name.
    #[error("{directory} belongs to no partition of this node: it is kept as {kept_as}")]
    StrayDirectory {
        /// As it was called.
        directory: Path,
        /// As it is called now.
        kept_as: Path,
    },
    /// Recovery cut an unfinished write off the end of a file.
    #[error("{file}: cut from {from} to {to} bytes: {reason}")]
    TornTailCut {
        /// Which.
        file: Path,
        /// Length found.
        from: u64,
        /// Length kept.
        to: u64,
        /// What was wrong with the first bytes cut.
        reason: String,
    },
    /// A record of the metadata log is of a type or version that is not known here.
    #[error(
        "metadata records of type {record_type} version {version} are skipped (first at offset {offset})"
    )]
    UnknownMetadataRecord {
        /// Kafka's number.
        record_type: u64,
        /// Its version.
        version: u64,
        /// Where the first one stood.
        offset: i64,
    },
    /// The metadata log is invalid somewhere: as in Kafka, it ends there.
    #[error("{file}: not valid from position {position} on, and not loaded from there: {reason}")]
    MetadataLogEndsEarly {
        /// The segment.
        file: Path,
        /// Of the first invalid batch, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A snapshot of the metadata is not used.
    #[error("{file}: the snapshot is not used: {reason}")]
    MetadataSnapshotRefused {
        /// Which.
        file: Path,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else worth a line.
    #[error("{text}")]
    Notice {
        /// How much a person should care.
        severity: Severity,
        /// The sentence.
        text: String,
    },
}

impl Event {
    /// How much a person should care.
    pub fn severity(&self) -> Severity {
        match self {
            Self::PeerMisbehaved { .. } | Self::Suppressed { .. } => Severity::Info,
            Self::DirectoryOffline { .. }
            | Self::PartitionOffline { .. }
            | Self::ShardFailed { .. }
            | Self::LogDamaged { .. } => Severity::Error,
            Self::TornTailCut { .. }
            | Self::StrayDirectory { .. }
            | Self::UnknownMetadataRecord { .. }
            | Self::MetadataLogEndsEarly { .. }
            | Self::MetadataSnapshotRefused { .. } => Severity::Warning,
            Self::Notice { severity, .. } => *severity,
        }
    }

    /// Its kind as one word: what a program that reads the log looks for.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PeerMisbehaved { .. } => "peer_misbehaved",
            Self::Suppressed { .. } => "suppressed",
            Self::DirectoryOffline { .. } => "directory_offline",
            Self::PartitionOffline { .. } => "partition_offline",
            Self::ShardFailed { .. } => "shard_failed",
            Self::LogDamaged { .. } => "log_damaged",
            Self::StrayDirectory { .. } => "stray_directory",
            Self::TornTailCut { .. } => "torn_tail_cut",
            Self::UnknownMetadataRecord { .. } => "unknown_metadata_record",
            Self::MetadataLogEndsEarly { .. } => "metadata_log_ends_early",
            Self::MetadataSnapshotRefused { .. } => "metadata_snapshot_refused",
            Self::Notice { .. } => "notice",
        }
    }
}
