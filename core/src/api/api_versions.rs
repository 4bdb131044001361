//! ApiVersions (key 18): what the broker speaks (KIP-35, KIP-511, KIP-584).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for the APIs and features that the broker has.
    pub struct ApiVersionsRequest (versions: 0..=4, flexible: 3..) {
        /// The client's library.
        client_software_name: String { versions: 3.. },
        /// Its version.
        client_software_version: String { versions: 3.. },
    }

    /// The answer to an [`ApiVersionsRequest`].
    pub struct ApiVersionsResponse (versions: 0..=4, flexible: 3..) {
        /// What is wrong with the request.
        error_code: ErrorCode { versions: 0.. },
        /// The APIs, by key.
        api_keys: Vec<ApiVersion> { versions: 0.. },
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// The features that the broker supports. Before version 4 those whose minimum is 0 must be
        /// left out, for old clients break on them (KAFKA-17011).
        supported_features: Vec<SupportedFeatureKey> { versions: 3.., tag: 0 },
        /// The metadata offset of the finalized features; -1 when they are unknown.
        finalized_features_epoch: i64 { versions: 3.., tag: 1, default: -1 },
        /// The features in force.
        finalized_features: Vec<FinalizedFeatureKey> { versions: 3.., tag: 2 },
        /// Of the former migration from ZooKeeper.
        zk_migration_ready: bool { versions: 3.., tag: 3 },
    }

    /// An API.
    pub struct ApiVersion {
        /// Its key.
        api_key: i16 { versions: 0.. },
        /// First version served.
        min_version: i16 { versions: 0.. },
        /// Last version served.
        max_version: i16 { versions: 0.. },
    }

    /// A feature that the broker supports.
    pub struct SupportedFeatureKey {
        /// Its name.
        name: String { versions: 3.. },
        /// First level supported.
        min_version: i16 { versions: 3.. },
        /// Last level supported.
        max_version: i16 { versions: 3.. },
    }

    /// A feature in force.
    pub struct FinalizedFeatureKey {
        /// Its name.
        name: String { versions: 3.. },
        /// Its level.
        max_version_level: i16 { versions: 3.. },
        /// The lowest level that a broker must support.
        min_version_level: i16 { versions: 3.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip_all};

    fn response() -> ApiVersionsResponse {
        ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: vec![ApiVersion { api_key: 18, min_version: 0, max_version: 4 }],
            throttle_time_ms: 1,
            supported_features: vec![SupportedFeatureKey {
                name: "metadata.version".into(),
                min_version: 7,
                max_version: 30,
            }],
            finalized_features_epoch: 5,
            finalized_features: vec![FinalizedFeatureKey {
                name: "metadata.version".into(),
                max_version_level: 30,
                min_version_level: 30,
            }],
            zk_migration_ready: true,
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&ApiVersionsRequest {
            client_software_name: "klamm".into(),
            client_software_version: "0.1.0".into(),
        });
        round_trip_all(&response());
    }

    /// As Apache Kafka 4.3.1 answers a version that it does not serve.
    #[test]
    fn version_0_has_error_and_keys_alone() {
        assert_eq!(&encode(&response(), 0)[..], b"\0\x23\0\0\0\x01\0\x12\0\0\0\x04");
    }

    /// As Apache Kafka 4.3.1 answers an invalid software name.
    #[test]
    fn an_empty_answer_has_no_tagged_fields() {
        let refused = ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ApiVersionsResponse::default()
        };
        assert_eq!(&encode(&refused, 3)[..], b"\0\x2a\x01\0\0\0\0\0");
    }
}
