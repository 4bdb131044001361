//! DeleteRecords (key 21): moves the start of logs forward (KIP-107).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to delete records before offsets.
    pub struct DeleteRecordsRequest (versions: 0..=2, flexible: 2..) {
        /// The topics.
        topics: Vec<DeleteRecordsTopic> { versions: 0.. },
        /// How long to wait for replicas, in milliseconds.
        timeout_ms: i32 { versions: 0.. },
    }

    /// A topic to delete from.
    pub struct DeleteRecordsTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition> { versions: 0.. },
    }

    /// A partition to delete from.
    pub struct DeleteRecordsPartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// The first offset to keep; -1 for the high watermark.
        offset: i64 { versions: 0.. },
    }

    /// The answer to a [`DeleteRecordsRequest`].
    pub struct DeleteRecordsResponse (versions: 0..=2, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult> { versions: 0.. },
    }

    /// A topic deleted from.
    pub struct DeleteRecordsTopicResult {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult> { versions: 0.. },
    }

    /// A partition deleted from.
    pub struct DeleteRecordsPartitionResult {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// Where the logs of all its replicas start now; -1 when nothing was deleted.
        low_watermark: i64 { versions: 0.. },
        /// None, or why nothing was deleted.
        error_code: ErrorCode { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: "t".into(),
                partitions: vec![DeleteRecordsPartition { partition_index: 1, offset: 2 }],
            }],
            timeout_ms: 30_000,
        });
        round_trip_all(&DeleteRecordsResponse {
            throttle_time_ms: 1,
            topics: vec![DeleteRecordsTopicResult {
                name: "t".into(),
                partitions: vec![DeleteRecordsPartitionResult {
                    partition_index: 1,
                    low_watermark: 2,
                    error_code: ErrorCode::OFFSET_OUT_OF_RANGE,
                }],
            }],
        });
    }
}
