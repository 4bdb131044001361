//! DeleteTopics (key 20): deletes topics (KIP-4), by id since version 6 (KIP-516).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks to delete topics.
    pub struct DeleteTopicsRequest (versions: 1..=6, flexible: 4..) {
        /// The topics, by name or by id.
        topics: Vec<DeleteTopicState> { versions: 6.. },
        /// The topics, by name.
        topic_names: Vec<String> { versions: 0..=5 },
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.. },
    }

    /// A topic to delete, by name or by id.
    pub struct DeleteTopicState {
        /// Its name; null when the id is given.
        name: Option<String> { versions: 6.., nullable: 6.. },
        /// Its id; zero when the name is given.
        topic_id: Uuid { versions: 6.. },
    }

    /// The answer to a [`DeleteTopicsRequest`].
    pub struct DeleteTopicsResponse (versions: 1..=6, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// One for each that was asked for.
        responses: Vec<DeletableTopicResult> { versions: 0.. },
    }

    /// What became of a topic.
    pub struct DeletableTopicResult {
        /// Its name; null when an id is not known.
        name: Option<String> { versions: 0.., nullable: 6.. },
        /// Its id.
        topic_id: Uuid { versions: 6.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 5.., nullable: 5.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: Some("c".into()), topic_id: Uuid([27; 16]) }],
            topic_names: Vec::new(),
            timeout_ms: 25,
        });
        let by_name = DeleteTopicsRequest {
            topic_names: vec!["a".into()],
            timeout_ms: 1,
            ..DeleteTopicsRequest::default()
        };
        assert_eq!(round_trip(&by_name, 5), by_name);
        round_trip_all(&DeleteTopicsResponse {
            throttle_time_ms: 28,
            responses: vec![DeletableTopicResult {
                name: Some("f".into()),
                topic_id: Uuid([30; 16]),
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("a".into()),
            }],
        });
    }
}
