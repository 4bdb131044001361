//! ListConfigResources (key 74): lists what has settings (KIP-1142).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for what has settings.
    pub struct ListConfigResourcesRequest (versions: 0..=1, flexible: 0..) {
        /// Of which kinds (`ConfigResource.Type`); empty for all.
        resource_types: Vec<i8> { versions: 1.. },
    }

    /// The answer to a [`ListConfigResourcesRequest`].
    pub struct ListConfigResourcesResponse (versions: 0..=1, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The resources.
        config_resources: Vec<ConfigResource> { versions: 0.. },
    }

    /// A resource that has settings.
    pub struct ConfigResource {
        /// Topic's name or node id; empty for all brokers.
        resource_name: String { versions: 0.. },
        /// What it is (`ConfigResource.Type`).
        resource_type: i8 { versions: 1.., default: 16 },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&ListConfigResourcesRequest { resource_types: vec![83] });
        round_trip_all(&ListConfigResourcesResponse {
            throttle_time_ms: 84,
            error_code: ErrorCode::INVALID_REQUEST,
            config_resources: vec![ConfigResource { resource_name: "g".into(), resource_type: 87 }],
        });
    }
}
