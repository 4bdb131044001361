//! Records of `__consumer_offsets`: the offsets that groups commit, and the groups themselves.
//!
//! A key is its type, 16 bits, and fields that have one version only; a value is its version, 16 bits, and the record
//! in that version; no value ends what the key names (`CoordinatorRecordSerde`, `GroupCoordinatorRecordHelpers`).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::RecordError;
use super::control::unknown;
use crate::codec::{Field, Form, Message, Reader, Writer, message};
use crate::ids::Uuid;

/// The key of a record in `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffsetsKey {
    /// The offset that a group committed for a partition: an [`OffsetCommitValue`].
    Offset {
        /// The group's id.
        group: String,
        /// The topic's name.
        topic: String,
        /// The partition's index.
        partition: i32,
    },
    /// A group whose members agree among themselves, by its id: a [`GroupMetadataValue`].
    Group(String),
    /// Something of a group of another kind: a consumer group (KIP-848), a share group (KIP-932) or one of Streams
    /// (KIP-1071).
    Other {
        /// Kafka's number of the type: 3 to 8 and 16 of consumer groups, 10 to 15 of share groups, 17 to 23 of Streams.
        key_type: i16,
        /// The group's id.
        group: String,
    },
}

const OFFSET: i16 = 1;
const GROUP: i16 = 2;

/// No key has compact lengths.
const CLASSIC: Form = Form::new(0, false);

impl OffsetsKey {
    /// Reads a key. Bytes behind it are ignored, as in Kafka.
    ///
    /// # Errors
    /// [`RecordError::Unknown`] when Kafka 4.3 does not know the type: a newer one may have left it, and it is stepped
    /// over.
    pub fn decode(key: &Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(key);
        let key_type = reader.i16()?;
        // Checked first: what lies behind an unknown type need not be a group's id.
        if !matches!(key_type, 0..=8 | 10..=17 | 19..=23) {
            return Err(unknown(key_type, 0));
        }
        let group = String::decode(&mut reader, CLASSIC)?;
        Ok(match key_type {
            // Key type 0 is an early form of the same.
            0 | OFFSET => {
                let topic = String::decode(&mut reader, CLASSIC)?;
                Self::Offset { group, topic, partition: reader.i32()? }
            }
            GROUP => Self::Group(group),
            _ => Self::Other { key_type, group },
        })
    }

    /// The key; of another kind of group as far as it is known: its type and the group.
    pub fn encode(&self) -> Bytes {
        let (key_type, group) = match self {
            Self::Offset { group, .. } => (OFFSET, group),
            Self::Group(group) => (GROUP, group),
            Self::Other { key_type, group } => (*key_type, group),
        };
        let mut output = BytesMut::new();
        key_type.encode(&mut output, CLASSIC);
        group.encode(&mut output, CLASSIC);
        if let Self::Offset { topic, partition, .. } = self {
            topic.encode(&mut output, CLASSIC);
            partition.encode(&mut output, CLASSIC);
        }
        output.freeze()
    }
}

message! {
    /// A committed offset.
    pub struct OffsetCommitValue (versions: 0..=4, flexible: 4..) {
        /// The offset of the record to be read next.
        offset: i64 { versions: 0.. },
        /// The leader epoch of the record read last; -1 when it is not known.
        leader_epoch: i32 { versions: 3.., default: -1 },
        /// What the client keeps beside the offset.
        metadata: String { versions: 0.. },
        /// When it was committed, in milliseconds.
        commit_timestamp: i64 { versions: 0.. },
        /// When it may be forgotten, in milliseconds; -1 for when the broker's retention ends.
        expire_timestamp: i64 { versions: 1..=1, default: -1 },
        /// The topic's id; zero when it is not known.
        topic_id: Uuid { versions: 4.., tag: 0 },
    }

    /// A group whose members agree among themselves, at the end of a rebalance.
    pub struct GroupMetadataValue (versions: 0..=4, flexible: 4..) {
        /// What its members are to each other; empty before it has had any.
        protocol_type: String { versions: 0.. },
        /// Rises with each rebalance.
        generation: i32 { versions: 0.. },
        /// The protocol that all members speak; null for none.
        protocol: Option<String> { versions: 0.., nullable: 0.. },
        /// The member id of the leader; null for none.
        leader: Option<String> { versions: 0.., nullable: 0.. },
        /// When its state changed last, in milliseconds; -1 when it is not known.
        current_state_timestamp: i64 { versions: 2.., default: -1 },
        /// Its members.
        members: Vec<MemberMetadata> { versions: 0.. },
    }

    /// A member of a group.
    pub struct MemberMetadata {
        /// Its id.
        member_id: String { versions: 0.. },
        /// The id that it keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 3.., nullable: 3.. },
        /// The client id that it joined with.
        client_id: String { versions: 0.. },
        /// The address that it joined from.
        client_host: String { versions: 0.. },
        /// How long a rebalance waits for it, in milliseconds; -1 for as long as its session.
        rebalance_timeout: i32 { versions: 1.., default: -1 },
        /// How long it may be silent, in milliseconds.
        session_timeout: i32 { versions: 0.. },
        /// What it says in the protocol: a slice of the value.
        subscription: Bytes { versions: 0.. },
        /// What it is to do: a slice of the value.
        assignment: Bytes { versions: 0.. },
    }
}

impl OffsetCommitValue {
    /// Reads a value of [`OffsetsKey::Offset`].
    ///
    /// # Errors
    /// [`RecordError::Unknown`] when the version is none of its own.
    pub fn decode(value: &Bytes) -> Result<Self, RecordError> {
        read_value(OFFSET, value)
    }

    /// The value as Kafka 4.3 writes it: in version 1, the only one that has an end, when it has one, else in 4.
    pub fn encode(&self) -> Bytes {
        let version = if self.expire_timestamp == -1 { 4 } else { 1 };
        write_value(self, version)
    }
}

impl GroupMetadataValue {
    /// The version in which Kafka 4.3 writes it.
    const WRITTEN: i16 = 3;

    /// Reads a value of [`OffsetsKey::Group`].
    ///
    /// # Errors
    /// [`RecordError::Unknown`] when the version is none of its own.
    pub fn decode(value: &Bytes) -> Result<Self, RecordError> {
        read_value(GROUP, value)
    }

    /// The value as Kafka 4.3 writes it.
    pub fn encode(&self) -> Bytes {
        write_value(self, Self::WRITTEN)
    }
}

fn read_value<M: Message>(key_type: i16, value: &Bytes) -> Result<M, RecordError> {
    let mut reader = Reader::new(value);
    let version = reader.i16()?;
    if !M::VERSIONS.contains(&version) {
        return Err(unknown(key_type, version));
    }
    Ok(M::read(&mut reader, version)?)
}

fn write_value<M: Message>(value: &M, version: i16) -> Bytes {
    let mut output = BytesMut::new();
    output.put(&version.to_be_bytes());
    value.write(&mut output, version);
    output.freeze()
}
