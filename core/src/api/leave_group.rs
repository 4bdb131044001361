//! LeaveGroup (key 13): members leave a group; several at once since version 3 (KIP-345).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to take members out of a group.
    pub struct LeaveGroupRequest (versions: 0..=5, flexible: 4..) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// The id of the one member.
        member_id: String { versions: 0..=2 },
        /// The members.
        members: Vec<MemberIdentity> { versions: 3.. },
    }

    /// A member that leaves.
    pub struct MemberIdentity {
        /// Its id; may be empty beside the other one.
        member_id: String { versions: 3.. },
        /// The id that it keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 3.., nullable: 3.. },
        /// Why it leaves, in words (KIP-800).
        reason: Option<String> { versions: 5.., nullable: 5.. },
    }

    /// The answer to a [`LeaveGroupRequest`].
    pub struct LeaveGroupResponse (versions: 0..=5, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or what went wrong: before version 3 also that of the one member.
        error_code: ErrorCode { versions: 0.. },
        /// One for each member.
        members: Vec<MemberResponse> { versions: 3.. },
    }

    /// What became of a member.
    pub struct MemberResponse {
        /// Its id, as asked.
        member_id: String { versions: 3.. },
        /// The id that it keeps over restarts, as asked.
        group_instance_id: Option<String> {
            versions: 3.., nullable: 3.., default: Some(String::new())
        },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 3.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        let several = LeaveGroupRequest {
            group_id: "g".into(),
            member_id: String::new(),
            members: vec![MemberIdentity {
                member_id: "m".into(),
                group_instance_id: Some("i".into()),
                reason: Some("r".into()),
            }],
        };
        round_trip_all(&several);
        round_trip_all(&LeaveGroupResponse {
            throttle_time_ms: 24,
            error_code: ErrorCode::NOT_COORDINATOR,
            members: vec![MemberResponse {
                member_id: "m".into(),
                group_instance_id: None,
                error_code: ErrorCode::UNKNOWN_MEMBER_ID,
            }],
        });
        let one = LeaveGroupRequest { member_id: "m".into(), members: Vec::new(), ..several };
        for version in 0..=2 {
            assert_eq!(round_trip(&one, version), one);
        }
    }
}
