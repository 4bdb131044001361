//! InitProducerId (key 22): an id for an idempotent or transactional producer (KIP-98, KIP-360).
//!
//! Kafka 4.3 has a version 6 (KIP-939) that it does not tell clients of yet.

use alloc::string::String;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for a producer id.
    pub struct InitProducerIdRequest (versions: 0..=5, flexible: 2..) {
        /// The transactional id; null for a producer that is idempotent alone.
        transactional_id: Option<String> { versions: 0.., nullable: 0.. },
        /// How long its transactions may take, in milliseconds.
        transaction_timeout_ms: i32 { versions: 0.. },
        /// The id that the producer has; -1 for none.
        producer_id: i64 { versions: 3.., default: -1 },
        /// The epoch of that id; -1 for none.
        producer_epoch: i16 { versions: 3.., default: -1 },
    }

    /// The answer to an [`InitProducerIdRequest`].
    pub struct InitProducerIdResponse (versions: 0..=5, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or why there is no id.
        error_code: ErrorCode { versions: 0.. },
        /// The id; -1 for none.
        producer_id: i64 { versions: 0.., default: -1 },
        /// Its epoch; -1 for none.
        producer_epoch: i16 { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        let request = InitProducerIdRequest {
            transactional_id: Some("t".into()),
            transaction_timeout_ms: 60_000,
            producer_id: 1,
            producer_epoch: 2,
        };
        round_trip_all(&request);
        let first = round_trip(&request, 0);
        assert_eq!((first.producer_id, first.producer_epoch), (-1, -1));
        round_trip_all(&InitProducerIdResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
            producer_id: 2,
            producer_epoch: 3,
        });
    }
}
