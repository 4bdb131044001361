//! DescribeAcls (key 29): tells who may do what (KIP-140, KIP-290).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for access rules.
    pub struct DescribeAclsRequest (versions: 1..=3, flexible: 2..) {
        /// 1 any, 2 topic, 3 group, 4 cluster and so on (`ResourceType`).
        resource_type_filter: i8 { versions: 0.. },
        /// Its name; null for any.
        resource_name_filter: Option<String> { versions: 0.., nullable: 0.. },
        /// 1 any, 2 match, 3 literal, 4 prefixed (`PatternType`).
        pattern_type_filter: i8 { versions: 1.., default: 3 },
        /// Who; null for anybody.
        principal_filter: Option<String> { versions: 0.., nullable: 0.. },
        /// From where; null for anywhere.
        host_filter: Option<String> { versions: 0.., nullable: 0.. },
        /// `AclOperation`.
        operation: i8 { versions: 0.. },
        /// 1 any, 2 deny, 3 allow (`AclPermissionType`).
        permission_type: i8 { versions: 0.. },
    }

    /// The answer to a [`DescribeAclsRequest`].
    pub struct DescribeAclsResponse (versions: 1..=3, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// What has rules.
        resources: Vec<DescribeAclsResource> { versions: 0.. },
    }

    /// A resource with rules.
    pub struct DescribeAclsResource {
        /// `ResourceType`.
        resource_type: i8 { versions: 0.. },
        /// Its name.
        resource_name: String { versions: 0.. },
        /// 3 literal, 4 prefixed (`PatternType`).
        pattern_type: i8 { versions: 1.., default: 3 },
        /// The rules.
        acls: Vec<AclDescription> { versions: 0.. },
    }

    /// A rule.
    pub struct AclDescription {
        /// Who.
        principal: String { versions: 0.. },
        /// From where.
        host: String { versions: 0.. },
        /// `AclOperation`.
        operation: i8 { versions: 0.. },
        /// 2 deny, 3 allow (`AclPermissionType`).
        permission_type: i8 { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeAclsRequest {
            resource_type_filter: 2,
            resource_name_filter: Some("a".into()),
            pattern_type_filter: 4,
            principal_filter: Some("b".into()),
            host_filter: Some("c".into()),
            operation: 3,
            permission_type: 2,
        });
        round_trip_all(&DescribeAclsResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::SECURITY_DISABLED,
            error_message: Some("d".into()),
            resources: vec![DescribeAclsResource {
                resource_type: 2,
                resource_name: "e".into(),
                pattern_type: 4,
                acls: vec![AclDescription {
                    principal: "f".into(),
                    host: "g".into(),
                    operation: 5,
                    permission_type: 3,
                }],
            }],
        });
    }
}
