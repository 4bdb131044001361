//! Records of the metadata log and of `__consumer_offsets`, and control records.
//!
//! A metadata record's value is a frame version (1), the record's type and version as unsigned
//! varints, and the record itself in that version (`MetadataRecordSerde`).

mod access;
mod cluster;
mod control;
mod offsets;
mod topics;

pub use access::*;
pub use cluster::*;
pub use control::*;
pub use offsets::*;
pub use topics::*;

use bytes::{Bytes, BytesMut};

use crate::codec::{DecodeError, Message, Reader, Writer};

/// The only version of the frame around a metadata record.
const FRAME_VERSION: u32 = 1;

/// Why a value is no record that can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A type, or a version of it, that is newer than this code. Whoever reads a log of a newer
    /// Kafka steps over it.
    #[error("record of unknown type {record_type} or version {version}")]
    Unknown {
        /// Kafka's number of the type.
        record_type: u32,
        /// The version.
        version: u32,
    },
    /// Another frame than Kafka has ever written.
    #[error("metadata record in frame version {0}")]
    UnknownFrame(u32),
    /// The record is cut or garbled.
    #[error("record: {0}")]
    Malformed(#[from] DecodeError),
    /// A metadata record ends before its value does.
    #[error("{0} bytes behind a metadata record")]
    TrailingBytes(usize),
}

macro_rules! metadata_records {
    ($($(#[$meta:meta])* $number:literal $name:ident($record:ty),)+) => {
        /// A record of the metadata log: every type up to metadata version 4.3.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $( $(#[$meta])* $name($record), )+
        }

        impl MetadataRecord {
            /// Reads the value of a record in the metadata log.
            pub fn decode(value: &Bytes) -> Result<Self, RecordError> {
                let mut reader = Reader::new(value);
                let frame = reader.unsigned_varint()?;
                if frame != FRAME_VERSION {
                    return Err(RecordError::UnknownFrame(frame));
                }
                let record_type = reader.unsigned_varint()?;
                let version = reader.unsigned_varint()?;
                let record = match record_type {
                    $( $number => Self::$name(read(&mut reader, record_type, version)?), )+
                    _ => return Err(RecordError::Unknown { record_type, version }),
                };
                match reader.remaining() {
                    0 => Ok(record),
                    bytes => Err(RecordError::TrailingBytes(bytes)),
                }
            }

            /// The value of the record in the metadata log, written in `version` of its type.
            ///
            /// # Panics
            /// In debug builds when the type has no such version.
            pub fn encode(&self, version: i16) -> Bytes {
                let mut output = BytesMut::new();
                output.unsigned_varint(FRAME_VERSION);
                output.unsigned_varint(self.record_type());
                output.unsigned_varint(u32::from(version.unsigned_abs()));
                match self {
                    $( Self::$name(record) => record.write(&mut output, version), )+
                }
                output.freeze()
            }

            /// Kafka's number of the type.
            pub fn record_type(&self) -> u32 {
                match self {
                    $( Self::$name(_) => $number, )+
                }
            }

            /// The newest version of the type that is known here.
            pub fn version_max(&self) -> i16 {
                match self {
                    $( Self::$name(_) => *<$record>::VERSIONS.end(), )+
                }
            }
        }

        $(
            impl From<$record> for MetadataRecord {
                fn from(record: $record) -> Self {
                    Self::$name(record)
                }
            }
        )+
    };
}

metadata_records! {
    /// A broker has started.
    0 RegisterBroker(RegisterBrokerRecord),
    /// A broker is gone for good.
    1 UnregisterBroker(UnregisterBrokerRecord),
    /// A topic is created.
    2 Topic(TopicRecord),
    /// A partition is created; in a snapshot, its whole state.
    3 Partition(PartitionRecord),
    /// A setting is given or taken back.
    4 Config(ConfigRecord),
    /// A partition changes.
    5 PartitionChange(PartitionChangeRecord),
    /// A broker is fenced (before 3.1).
    7 FenceBroker(FenceBrokerRecord),
    /// A broker is unfenced (before 3.1).
    8 UnfenceBroker(UnfenceBrokerRecord),
    /// A topic is deleted, with its partitions and settings.
    9 RemoveTopic(RemoveTopicRecord),
    /// A delegation token.
    10 DelegationToken(DelegationTokenRecord),
    /// A user's SCRAM credential.
    11 UserScramCredential(UserScramCredentialRecord),
    /// A feature's level.
    12 FeatureLevel(FeatureLevelRecord),
    /// A quota.
    14 ClientQuota(ClientQuotaRecord),
    /// A block of producer ids is given out.
    15 ProducerIds(ProducerIdsRecord),
    /// A broker is fenced or unfenced, stops, or has other log directories.
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    /// An access control entry.
    18 AccessControlEntry(AccessControlEntryRecord),
    /// An access control entry is removed.
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    /// Nothing: it moves the end of the log on.
    20 NoOp(NoOpRecord),
    /// A state of the former migration from ZooKeeper.
    21 ZkMigrationState(ZkMigrationStateRecord),
    /// A user's SCRAM credential is removed.
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    /// The records up to its end count together or not at all.
    23 BeginTransaction(BeginTransactionRecord),
    /// The transaction's records count.
    24 EndTransaction(EndTransactionRecord),
    /// The transaction's records do not count.
    25 AbortTransaction(AbortTransactionRecord),
    /// A delegation token is removed.
    26 RemoveDelegationToken(RemoveDelegationTokenRecord),
    /// A controller has started.
    27 RegisterController(RegisterControllerRecord),
    /// Eligible leader replicas are forgotten.
    28 ClearElr(ClearElrRecord),
    /// A controller is gone for good.
    29 UnregisterController(UnregisterControllerRecord),
}

fn read<M: Message>(
    reader: &mut Reader<'_>,
    record_type: u32,
    version: u32,
) -> Result<M, RecordError> {
    match i16::try_from(version) {
        Ok(known) if M::VERSIONS.contains(&known) => Ok(M::read(reader, known)?),
        _ => Err(RecordError::Unknown { record_type, version }),
    }
}

#[cfg(test)]
mod tests;
