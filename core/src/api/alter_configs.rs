//! AlterConfigs (key 33): replaces all settings of resources (KIP-133).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to change settings.
    pub struct AlterConfigsRequest (versions: 0..=2, flexible: 2..) {
        /// The resources.
        resources: Vec<AlterConfigsResource> { versions: 0.. },
        /// Only to say what would become of it.
        validate_only: bool { versions: 0.. },
    }

    /// A resource to change.
    pub struct AlterConfigsResource {
        /// What it is (`ConfigResource.Type`).
        resource_type: i8 { versions: 0.. },
        /// Topic's name or node id; empty for all brokers.
        resource_name: String { versions: 0.. },
        /// The settings.
        configs: Vec<AlterableConfig> { versions: 0.. },
    }

    /// A setting to change.
    pub struct AlterableConfig {
        /// The key.
        name: String { versions: 0.. },
        /// The value; null to take it back.
        value: Option<String> { versions: 0.., nullable: 0.. },
    }

    /// The answer to an [`AlterConfigsRequest`].
    pub struct AlterConfigsResponse (versions: 0..=2, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// One for each that was asked for.
        responses: Vec<AlterConfigsResourceResponse> { versions: 0.. },
    }

    /// What became of a resource.
    pub struct AlterConfigsResourceResponse {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// What it is (`ConfigResource.Type`).
        resource_type: i8 { versions: 0.. },
        /// Topic's name or node id; empty for all brokers.
        resource_name: String { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&AlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: 63,
                resource_name: "a".into(),
                configs: vec![AlterableConfig { name: "b".into(), value: Some("c".into()) }],
            }],
            validate_only: true,
        });
        round_trip_all(&AlterConfigsResponse {
            throttle_time_ms: 67,
            responses: vec![AlterConfigsResourceResponse {
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("f".into()),
                resource_type: 70,
                resource_name: "h".into(),
            }],
        });
    }
}
