//! What many requests about topics are refused for.

use crate::error_code::ErrorCode;
use crate::refusal::Refusal;

impl Refusal {
    /// The request's time is up before its turn has come. Kafka has no words for it.
    pub(super) fn timed_out() -> Self {
        Self::mute(ErrorCode::REQUEST_TIMED_OUT)
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
