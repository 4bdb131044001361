//! Control records: those of the quorum in the metadata log (KIP-595, KIP-630, KIP-853), and the
//! markers that end transactions in any log (KIP-98).
//!
//! The key is a version (0) and the type, two bytes each; the value of a quorum record begins with
//! its version.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::RecordError;
use crate::codec::{Message, Reader, message};
use crate::ids::Uuid;

/// A control record.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// The transaction of the batch's producer is aborted.
    Abort(EndTxnMarker),
    /// The transaction of the batch's producer is committed.
    Commit(EndTxnMarker),
    /// A leader begins its epoch.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot ends.
    SnapshotFooter(SnapshotFooterRecord),
    /// The level of `kraft.version`.
    KRaftVersion(KRaftVersionRecord),
    /// The voters.
    KRaftVoters(VotersRecord),
}

impl ControlRecord {
    /// Reads a control record. Bytes behind a known one are ignored, as in Kafka.
    pub fn decode(key: &Bytes, value: &Bytes) -> Result<Self, RecordError> {
        let mut key = Reader::new(key);
        let _key_version = key.i16()?;
        let record_type = key.i16()?;
        let value = &mut Reader::new(value);
        Ok(match record_type {
            0 => Self::Abort(read(value, record_type)?),
            1 => Self::Commit(read(value, record_type)?),
            2 => Self::LeaderChange(read(value, record_type)?),
            3 => Self::SnapshotHeader(read(value, record_type)?),
            4 => Self::SnapshotFooter(read(value, record_type)?),
            5 => Self::KRaftVersion(read(value, record_type)?),
            6 => Self::KRaftVoters(read(value, record_type)?),
            _ => return Err(unknown(record_type, value.i16()?)),
        })
    }

    /// The record's key and value, the latter in the version that the record itself names.
    ///
    /// # Panics
    /// In debug builds when the record names a version that its type has not.
    pub fn encode(&self) -> (Bytes, Bytes) {
        let (record_type, value) = match self {
            Self::Abort(record) => (0, write(record, record.version)),
            Self::Commit(record) => (1, write(record, record.version)),
            Self::LeaderChange(record) => (2, write(record, record.version)),
            Self::SnapshotHeader(record) => (3, write(record, record.version)),
            Self::SnapshotFooter(record) => (4, write(record, record.version)),
            Self::KRaftVersion(record) => (5, write(record, record.version)),
            Self::KRaftVoters(record) => (6, write(record, record.version)),
        };
        (Bytes::copy_from_slice(&[0, 0, 0, record_type]), value)
    }
}

message! {
    /// The end of a transaction.
    pub struct EndTxnMarker (versions: 0..=0) {
        /// Its own version.
        version: i16 { versions: 0.. },
        /// The epoch of the coordinator that decided.
        coordinator_epoch: i32 { versions: 0.. },
    }

    /// A leader begins its epoch. Version 1 adds directory ids.
    pub struct LeaderChangeMessage (versions: 0..=1, flexible: 0..) {
        /// Its own version.
        version: i16 { versions: 0.. },
        /// The leader's node id.
        leader_id: i32 { versions: 0.. },
        /// All voters.
        voters: Vec<ChangeVoter> { versions: 0.. },
        /// Those who voted for it.
        granting_voters: Vec<ChangeVoter> { versions: 0.. },
    }

    /// A voter in an election.
    pub struct ChangeVoter {
        /// Its node id.
        voter_id: i32 { versions: 0.. },
        /// Its metadata directory's id.
        voter_directory_id: Uuid { versions: 1.. },
    }

    /// A snapshot begins.
    pub struct SnapshotHeaderRecord (versions: 0..=0, flexible: 0..) {
        /// Its own version.
        version: i16 { versions: 0.. },
        /// When the last record that it covers was appended, in milliseconds.
        last_contained_log_timestamp: i64 { versions: 0.. },
    }

    /// A snapshot ends.
    pub struct SnapshotFooterRecord (versions: 0..=0, flexible: 0..) {
        /// Its own version.
        version: i16 { versions: 0.. },
    }

    /// The level of `kraft.version`.
    pub struct KRaftVersionRecord (versions: 0..=0, flexible: 0..) {
        /// Its own version.
        version: i16 { versions: 0.. },
        /// The level.
        kraft_version: i16 { versions: 0.. },
    }

    /// The voters.
    pub struct VotersRecord (versions: 0..=0, flexible: 0..) {
        /// Its own version.
        version: i16 { versions: 0.. },
        /// All of them.
        voters: Vec<Voter> { versions: 0.. },
    }

    /// A voter.
    pub struct Voter {
        /// Its node id.
        voter_id: i32 { versions: 0.. },
        /// Its metadata directory's id.
        voter_directory_id: Uuid { versions: 0.. },
        /// Where it is reached.
        endpoints: Vec<VoterEndpoint> { versions: 0.. },
        /// The levels of `kraft.version` that it supports.
        kraft_version_feature: KRaftVersionFeature { versions: 0.. },
    }

    /// Where a voter is reached.
    pub struct VoterEndpoint {
        /// The listener's name.
        name: String { versions: 0.. },
        /// Its host.
        host: String { versions: 0.. },
        /// The port there.
        port: u16 { versions: 0.. },
    }

    /// Levels of `kraft.version`.
    pub struct KRaftVersionFeature {
        /// First level supported.
        min_supported_version: i16 { versions: 0.. },
        /// Last level supported.
        max_supported_version: i16 { versions: 0.. },
    }
}

/// Reads a record in the version that its first field names.
fn read<M: Message>(reader: &mut Reader<'_>, record_type: i16) -> Result<M, RecordError> {
    let version = reader.clone().i16()?;
    if !M::VERSIONS.contains(&version) {
        return Err(unknown(record_type, version));
    }
    Ok(M::read(reader, version)?)
}

pub(super) fn unknown(record_type: i16, version: i16) -> RecordError {
    RecordError::Unknown {
        record_type: u32::from(record_type as u16),
        version: u32::from(version as u16),
    }
}

fn write<M: Message>(record: &M, version: i16) -> Bytes {
    let mut output = BytesMut::new();
    record.write(&mut output, version);
    output.freeze()
}
