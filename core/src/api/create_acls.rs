//! CreateAcls (key 30): lays down who may do what (KIP-140, KIP-290).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for access rules to be made.
    pub struct CreateAclsRequest (versions: 1..=3, flexible: 2..) {
        /// The rules.
        creations: Vec<AclCreation> { versions: 0.. },
    }

    /// A rule to make.
    pub struct AclCreation {
        /// `ResourceType`.
        resource_type: i8 { versions: 0.. },
        /// Its name.
        resource_name: String { versions: 0.. },
        /// 3 literal, 4 prefixed (`PatternType`).
        resource_pattern_type: i8 { versions: 1.., default: 3 },
        /// Who.
        principal: String { versions: 0.. },
        /// From where.
        host: String { versions: 0.. },
        /// `AclOperation`.
        operation: i8 { versions: 0.. },
        /// 2 deny, 3 allow (`AclPermissionType`).
        permission_type: i8 { versions: 0.. },
    }

    /// The answer to a [`CreateAclsRequest`].
    pub struct CreateAclsResponse (versions: 1..=3, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// One for each rule.
        results: Vec<AclCreationResult> { versions: 0.. },
    }

    /// What became of a rule.
    pub struct AclCreationResult {
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
        round_trip_all(&CreateAclsRequest {
            creations: vec![AclCreation {
                resource_type: 2,
                resource_name: "a".into(),
                resource_pattern_type: 4,
                principal: "b".into(),
                host: "c".into(),
                operation: 3,
                permission_type: 2,
            }],
        });
        round_trip_all(&CreateAclsResponse {
            throttle_time_ms: 1,
            results: vec![AclCreationResult {
                error_code: ErrorCode::SECURITY_DISABLED,
                error_message: Some("d".into()),
            }],
        });
    }
}
