//! Why something is not done, as Kafka says it.

use alloc::string::String;

use crate::error_code::ErrorCode;

/// An error for a topic, or for a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: ErrorCode,
    /// `None` where Kafka has no words for it.
    pub(super) message: Option<String>,
}

impl Refusal {
    pub(super) fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { error, message: Some(message.into()) }
    }

    /// The request's time is up before its turn has come. Kafka has no words for it.
    pub(super) fn timed_out() -> Self {
        Self { error: ErrorCode::REQUEST_TIMED_OUT, message: None }
    }

    /// The same topic more than once in a request: none of them counts.
    pub(super) fn duplicate_name() -> Self {
        Self::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")
    }

    /// There is no topic of the name.
    pub(super) fn unknown_name() -> Self {
        let message = "This server does not host this topic-partition.";
        Self::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
    }
}
