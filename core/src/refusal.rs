//! Why something is not done, as Kafka says it.

use alloc::string::String;

use crate::error_code::ErrorCode;

/// An error for a part of a request, or for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ErrorCode,
    /// `None` where Kafka has no words for it.
    pub(crate) message: Option<String>,
}

impl Refusal {
    pub(crate) fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { error, message: Some(message.into()) }
    }

    /// One that Kafka has no words for.
    pub(crate) fn mute(error: ErrorCode) -> Self {
        Self { error, message: None }
    }
}
