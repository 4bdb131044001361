//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`).

/// An error code as it stands on the wire; unknown ones survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// Something went wrong here that no other code names.
    pub const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// The offset lies outside the log.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The bytes are no valid batch, or not those that were sent.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// The topic or the partition is not there.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The partition has no leader now.
    pub const LEADER_NOT_AVAILABLE: Self = Self(5);
    /// Another node leads the partition.
    pub const NOT_LEADER_OR_FOLLOWER: Self = Self(6);
    /// It took longer than the client allowed.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// A replica cannot be reached.
    pub const REPLICA_NOT_AVAILABLE: Self = Self(9);
    /// The batch is larger than the topic allows.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// No topic can have this name, or clients may not write to it.
    pub const INVALID_TOPIC_EXCEPTION: Self = Self(17);
    /// `acks` is none of -1, 0 and 1.
    pub const INVALID_REQUIRED_ACKS: Self = Self(21);
    /// A record's timestamp is outside what the topic allows.
    pub const INVALID_TIMESTAMP: Self = Self(32);
    /// The version of the request is not served.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The request contradicts itself, or its rules.
    pub const INVALID_REQUEST: Self = Self(42);
    /// The message format has no room for what was sent.
    pub const UNSUPPORTED_FOR_MESSAGE_FORMAT: Self = Self(43);
    /// A sequence does not follow the one before.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Self = Self(45);
    /// A sequence has been seen, too long ago to say where.
    pub const DUPLICATE_SEQUENCE_NUMBER: Self = Self(46);
    /// A newer producer of the same id has written.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// The transactional id may not be used.
    pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Self = Self(53);
    /// The disk failed: the log is offline.
    pub const KAFKA_STORAGE_ERROR: Self = Self(56);
    /// The leader has no listener of that name.
    pub const LISTENER_NOT_FOUND: Self = Self(72);
    /// The version of the request has no such codec.
    pub const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    /// A record breaks the rules of its format or topic.
    pub const INVALID_RECORD: Self = Self(87);
    /// No topic has this id.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
}
