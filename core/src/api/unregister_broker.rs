//! UnregisterBroker (key 64): takes a broker out of the cluster (KIP-631).

use alloc::string::String;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to forget a broker.
    pub struct UnregisterBrokerRequest (versions: 0..=0, flexible: 0..) {
        /// Its id.
        broker_id: i32 { versions: 0.. },
    }

    /// The answer to an [`UnregisterBrokerRequest`].
    pub struct UnregisterBrokerResponse (versions: 0..=0, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&UnregisterBrokerRequest { broker_id: 59 });
        round_trip_all(&UnregisterBrokerResponse {
            throttle_time_ms: 60,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("g".into()),
        });
    }
}
