//! DescribeGroups (key 15): groups and their members.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::metadata::OPERATIONS_UNKNOWN;
use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks what groups are like.
    pub struct DescribeGroupsRequest (versions: 0..=6, flexible: 5..) {
        /// Their ids.
        groups: Vec<String> { versions: 0.. },
        /// Compute [`DescribedGroup::authorized_operations`].
        include_authorized_operations: bool { versions: 3.. },
    }

    /// The answer to a [`DescribeGroupsRequest`].
    pub struct DescribeGroupsResponse (versions: 0..=6, flexible: 5..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// One for each id.
        groups: Vec<DescribedGroup> { versions: 0.. },
    }

    /// A group.
    pub struct DescribedGroup {
        /// None, or what went wrong; a group that is not there is an error since version 6
        /// (KIP-1043).
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 6.., nullable: 6.. },
        /// Its id.
        group_id: String { versions: 0.. },
        /// The name of its state.
        group_state: String { versions: 0.. },
        /// What its members are to each other.
        protocol_type: String { versions: 0.. },
        /// The protocol that all of them speak; empty unless the group is stable.
        protocol_data: String { versions: 0.. },
        /// Its members.
        members: Vec<DescribedGroupMember> { versions: 0.. },
        /// A bit for each operation that the client may do on the group.
        authorized_operations: i32 { versions: 3.., default: OPERATIONS_UNKNOWN },
    }

    /// A member.
    pub struct DescribedGroupMember {
        /// Its id.
        member_id: String { versions: 0.. },
        /// The id that it keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 4.., nullable: 4.. },
        /// The client id that it joined with.
        client_id: String { versions: 0.. },
        /// The address that it joined from.
        client_host: String { versions: 0.. },
        /// What it says in the protocol; empty unless the group is stable.
        member_metadata: Bytes { versions: 0.. },
        /// What it is to do; empty unless the group is stable.
        member_assignment: Bytes { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeGroupsRequest {
            groups: vec!["g".into()],
            include_authorized_operations: true,
        });
        round_trip_all(&DescribeGroupsResponse {
            throttle_time_ms: 42,
            groups: vec![DescribedGroup {
                error_code: ErrorCode::GROUP_ID_NOT_FOUND,
                error_message: Some("w".into()),
                group_id: "g".into(),
                group_state: "Stable".into(),
                protocol_type: "consumer".into(),
                protocol_data: "range".into(),
                members: vec![DescribedGroupMember {
                    member_id: "m".into(),
                    group_instance_id: Some("i".into()),
                    client_id: "c".into(),
                    client_host: "/127.0.0.1".into(),
                    member_metadata: Bytes::from_static(b"says"),
                    member_assignment: Bytes::from_static(b"part"),
                }],
                authorized_operations: 328,
            }],
        });
    }
}
