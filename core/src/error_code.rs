//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`).

/// An error code as it stands on the wire; unknown ones survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
}
