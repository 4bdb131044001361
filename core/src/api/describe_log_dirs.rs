//! DescribeLogDirs (key 35): tells of log directories and sizes (KIP-113, KIP-827).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for log directories.
    pub struct DescribeLogDirsRequest (versions: 1..=5, flexible: 2..) {
        /// The partitions to tell of; null for all.
        topics: Option<Vec<DescribableLogDirTopic>> { versions: 0.., nullable: 0.. },
    }

    /// A topic to look for.
    pub struct DescribableLogDirTopic {
        /// Its name.
        topic: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<i32> { versions: 0.. },
    }

    /// The answer to a [`DescribeLogDirsRequest`].
    pub struct DescribeLogDirsResponse (versions: 1..=5, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 3.. },
        /// One for each that was asked for.
        results: Vec<DescribeLogDirsResult> { versions: 0.. },
    }

    /// A log directory.
    pub struct DescribeLogDirsResult {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// Its path, absolute.
        log_dir: String { versions: 0.. },
        /// The topics.
        topics: Vec<DescribeLogDirsTopic> { versions: 0.. },
        /// Bytes of the file system; -1 when not known.
        total_bytes: i64 { versions: 4.., default: -1 },
        /// Bytes free on it; -1 when not known.
        usable_bytes: i64 { versions: 4.., default: -1 },
        /// Nothing new is placed in it (KIP-1066).
        is_cordoned: bool { versions: 5.. },
    }

    /// A topic in it.
    pub struct DescribeLogDirsTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<DescribeLogDirsPartition> { versions: 0.. },
    }

    /// A partition in it.
    pub struct DescribeLogDirsPartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// Bytes of its segments.
        partition_size: i64 { versions: 0.. },
        /// How far a replica that moves here is behind.
        offset_lag: i64 { versions: 0.. },
        /// It is a replica that moves here.
        is_future_key: bool { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeLogDirsRequest {
            topics: Some(vec![DescribableLogDirTopic { topic: "f".into(), partitions: vec![14] }]),
        });
        round_trip_all(&DescribeLogDirsResponse {
            throttle_time_ms: 15,
            error_code: ErrorCode::INVALID_REQUEST,
            results: vec![DescribeLogDirsResult {
                error_code: ErrorCode::INVALID_REQUEST,
                log_dir: "c".into(),
                topics: vec![DescribeLogDirsTopic {
                    name: "g".into(),
                    partitions: vec![DescribeLogDirsPartition {
                        partition_index: 23,
                        partition_size: 24,
                        offset_lag: 25,
                        is_future_key: true,
                    }],
                }],
                total_bytes: 19,
                usable_bytes: 20,
                is_cordoned: true,
            }],
        });
    }
}
