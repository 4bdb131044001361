//! IncrementalAlterConfigs (key 44): changes single settings of resources (KIP-339).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to change settings.
    pub struct IncrementalAlterConfigsRequest (versions: 0..=1, flexible: 1..) {
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
        /// 0 set, 1 delete, 2 append, 3 subtract (`AlterConfigOp.OpType`).
        config_operation: i8 { versions: 0.. },
        /// The value; null to take it back.
        value: Option<String> { versions: 0.., nullable: 0.. },
    }

    /// The answer to an [`IncrementalAlterConfigsRequest`].
    pub struct IncrementalAlterConfigsResponse (versions: 0..=1, flexible: 1..) {
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
        round_trip_all(&IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: 73,
                resource_name: "c".into(),
                configs: vec![AlterableConfig {
                    name: "d".into(),
                    config_operation: 76,
                    value: Some("f".into()),
                }],
            }],
            validate_only: true,
        });
        round_trip_all(&IncrementalAlterConfigsResponse {
            throttle_time_ms: 78,
            responses: vec![AlterConfigsResourceResponse {
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("a".into()),
                resource_type: 81,
                resource_name: "c".into(),
            }],
        });
    }
}
