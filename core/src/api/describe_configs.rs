//! DescribeConfigs (key 32): tells settings (KIP-133), with documentation since version 3 (KIP-569).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for settings.
    pub struct DescribeConfigsRequest (versions: 1..=4, flexible: 4..) {
        /// The resources.
        resources: Vec<DescribeConfigsResource> { versions: 0.. },
        /// Whether layers below are told too.
        include_synonyms: bool { versions: 1.. },
        /// Whether documentation is told too.
        include_documentation: bool { versions: 3.. },
    }

    /// A resource to describe.
    pub struct DescribeConfigsResource {
        /// What it is (`ConfigResource.Type`).
        resource_type: i8 { versions: 0.. },
        /// Topic's name or node id; empty for all brokers.
        resource_name: String { versions: 0.. },
        /// The keys to tell; null for all.
        configuration_keys: Option<Vec<String>> { versions: 0.., nullable: 0.. },
    }

    /// The answer to a [`DescribeConfigsRequest`].
    pub struct DescribeConfigsResponse (versions: 1..=4, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// One for each that was asked for.
        results: Vec<DescribeConfigsResult> { versions: 0.. },
    }

    /// A resource described.
    pub struct DescribeConfigsResult {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// What it is (`ConfigResource.Type`).
        resource_type: i8 { versions: 0.. },
        /// Topic's name or node id; empty for all brokers.
        resource_name: String { versions: 0.. },
        /// The settings.
        configs: Vec<DescribeConfigsResourceResult> { versions: 0.. },
    }

    /// A setting.
    pub struct DescribeConfigsResourceResult {
        /// The key.
        name: String { versions: 0.. },
        /// Its value.
        value: Option<String> { versions: 0.., nullable: 0.. },
        /// It cannot be changed while the broker runs.
        read_only: bool { versions: 0.. },
        /// The layer that it comes from (`DescribeConfigsResponse.ConfigSource`).
        config_source: i8 { versions: 1.., default: -1 },
        /// Its value is a secret, and null.
        is_sensitive: bool { versions: 0.. },
        /// All that it could come from, the strongest first.
        synonyms: Vec<DescribeConfigsSynonym> { versions: 1.. },
        /// The type of its value (`DescribeConfigsResponse.ConfigType`).
        config_type: i8 { versions: 3.. },
        /// What it does.
        documentation: Option<String> { versions: 3.., nullable: 0.., default: Some(String::new()) },
    }

    /// A key and layer that the setting could come from.
    pub struct DescribeConfigsSynonym {
        /// The key.
        name: String { versions: 1.. },
        /// Its value.
        value: Option<String> { versions: 1.., nullable: 0.. },
        /// The layer (`DescribeConfigsResponse.ConfigSource`).
        source: i8 { versions: 1.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: 44,
                resource_name: "f".into(),
                configuration_keys: Some(vec!["g".into()]),
            }],
            include_synonyms: true,
            include_documentation: true,
        });
        round_trip_all(&DescribeConfigsResponse {
            throttle_time_ms: 47,
            results: vec![DescribeConfigsResult {
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("b".into()),
                resource_type: 50,
                resource_name: "d".into(),
                configs: vec![DescribeConfigsResourceResult {
                    name: "e".into(),
                    value: Some("f".into()),
                    read_only: true,
                    config_source: 55,
                    is_sensitive: true,
                    synonyms: vec![DescribeConfigsSynonym {
                        name: "d".into(),
                        value: Some("e".into()),
                        source: 61,
                    }],
                    config_type: 57,
                    documentation: Some("c".into()),
                }],
            }],
        });
    }
}
