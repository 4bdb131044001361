//! CreatePartitions (key 37): gives topics more partitions (KIP-195).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for more partitions.
    pub struct CreatePartitionsRequest (versions: 0..=3, flexible: 2..) {
        /// The topics.
        topics: Vec<CreatePartitionsTopic> { versions: 0.. },
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.. },
        /// Only to say what would become of it.
        validate_only: bool { versions: 0.. },
    }

    /// A topic to grow.
    pub struct CreatePartitionsTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// How many partitions it shall have.
        count: i32 { versions: 0.. },
        /// Where the replicas are to be, when that is for the client to say.
        assignments: Option<Vec<CreatePartitionsAssignment>> { versions: 0.., nullable: 0.. },
    }

    /// Where a new partition's replicas are to be.
    pub struct CreatePartitionsAssignment {
        /// The brokers, the preferred leader first.
        broker_ids: Vec<i32> { versions: 0.. },
    }

    /// The answer to a [`CreatePartitionsRequest`].
    pub struct CreatePartitionsResponse (versions: 0..=3, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// One for each that was asked for.
        results: Vec<CreatePartitionsTopicResult> { versions: 0.. },
    }

    /// What became of a topic.
    pub struct CreatePartitionsTopicResult {
        /// Its name.
        name: String { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: "d".into(),
                count: 36,
                assignments: Some(vec![CreatePartitionsAssignment { broker_ids: vec![37] }]),
            }],
            timeout_ms: 33,
            validate_only: true,
        });
        round_trip_all(&CreatePartitionsResponse {
            throttle_time_ms: 38,
            results: vec![CreatePartitionsTopicResult {
                name: "h".into(),
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("b".into()),
            }],
        });
    }
}
