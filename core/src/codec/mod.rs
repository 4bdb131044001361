//! Kafka's wire format: primitive types in their classic and compact forms, and the `message!`
//! macro in which a definition reads like Kafka's own schema.
//!
//! A [`Message`] is decoded by a [`Reader`] over the frame that it came in: records and other byte
//! fields are slices of that frame, no length from the wire reserves memory beyond the bytes that
//! are there, and no input panics. It is encoded into a [`Writer`], straight into the output.

mod field;
mod message;
mod reader;
mod records;
pub mod varint;
mod writer;

pub use field::{Field, Form, Nullable};
pub use message::Message;
pub(crate) use message::{Slot, ascending, message, write_tag_count};
pub use reader::Reader;
pub use records::Records;
pub use writer::{Count, Part, Writer};

/// Why bytes are not the message that they were taken for. It is always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("{missing} bytes are missing")]
    UnexpectedEnd {
        /// How many more the field needs at least.
        missing: usize,
    },
    /// A varint does not end where its type does (5 bytes, or 10).
    #[error("a varint is too long")]
    VarintTooLong,
    /// A null where this version has none.
    #[error("null in a field that may not be null")]
    UnexpectedNull,
    /// A string longer than 32767 bytes, which the classic form could not even say.
    #[error("a string of {0} bytes")]
    StringTooLong(usize),
    /// An array that claims more elements than bytes are left.
    #[error("an array of {elements} elements in {remaining} bytes")]
    ArrayTooLong {
        /// As claimed.
        elements: usize,
        /// Bytes left behind the claim.
        remaining: usize,
    },
    /// More array elements in one message than
    /// [`MESSAGE_ELEMENTS_MAX`](crate::config::limits::MESSAGE_ELEMENTS_MAX).
    #[error("too many array elements in one message")]
    TooManyElements,
    /// Structures nested deeper than
    /// [`MESSAGE_DEPTH_MAX`](crate::config::limits::MESSAGE_DEPTH_MAX).
    #[error("structures are nested too deep")]
    TooDeep,
    /// The message has no such version.
    #[error("version {0} does not exist")]
    UnknownVersion(i16),
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro defines public types")]
mod tests;

/// Helpers of the tests of every message.
#[cfg(test)]
pub(crate) mod testing {
    use std::fmt::Debug;

    use bytes::{Bytes, BytesMut};

    use super::{Message, Reader};

    /// Writes `message` in `version`, and reads it back: nothing is left, nothing is lost that the
    /// version has, and every shorter prefix is refused.
    pub(crate) fn round_trip<M: Message + PartialEq + Debug>(message: &M, version: i16) -> M {
        let frame = encode(message, version);
        let mut reader = Reader::new(&frame);
        let decoded = M::read(&mut reader, version).unwrap();
        assert_eq!(reader.remaining(), 0, "{} v{version}", M::NAME);
        assert_eq!(encode(&decoded, version), frame, "{} v{version}", M::NAME);
        for length in 0..frame.len() {
            let cut = frame.slice(..length);
            assert!(M::read(&mut Reader::new(&cut), version).is_err(), "{} v{version}", M::NAME);
        }
        decoded
    }

    /// [`round_trip`]s `message` and its default in every version. `message` has the fields of the
    /// newest version.
    pub(crate) fn round_trip_all<M: Message + PartialEq + Debug>(message: &M) {
        for version in M::VERSIONS {
            round_trip(message, version);
            assert_eq!(round_trip(&M::default(), version), M::default());
        }
        assert_eq!(&round_trip(message, *M::VERSIONS.end()), message);
    }

    pub(crate) fn encode<M: Message>(message: &M, version: i16) -> Bytes {
        let mut output = BytesMut::new();
        message.write(&mut output, version);
        output.freeze()
    }
}
