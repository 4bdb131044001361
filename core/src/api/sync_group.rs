//! SyncGroup (key 14): the leader hands in who does what, and every member is told its part.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for what the member is to do.
    pub struct SyncGroupRequest (versions: 0..=5, flexible: 4..) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// The generation that the member is in.
        generation_id: i32 { versions: 0.. },
        /// The member's id.
        member_id: String { versions: 0.. },
        /// The id that the member keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 3.., nullable: 3.. },
        /// What it takes the members to be to each other (KIP-559).
        protocol_type: Option<String> { versions: 5.., nullable: 5.. },
        /// The protocol that it takes all members to speak.
        protocol_name: Option<String> { versions: 5.., nullable: 5.. },
        /// What each member is to do; the leader's alone counts.
        assignments: Vec<SyncGroupRequestAssignment> { versions: 0.. },
    }

    /// What a member is to do.
    pub struct SyncGroupRequestAssignment {
        /// Its id.
        member_id: String { versions: 0.. },
        /// Its part: a slice of the frame.
        assignment: Bytes { versions: 0.. },
    }

    /// The answer to a [`SyncGroupRequest`].
    pub struct SyncGroupResponse (versions: 0..=5, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// What the members are to each other.
        protocol_type: Option<String> { versions: 5.., nullable: 5.. },
        /// The protocol that all members speak.
        protocol_name: Option<String> { versions: 5.., nullable: 5.. },
        /// What the member is to do.
        assignment: Bytes { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&SyncGroupRequest {
            group_id: "g".into(),
            generation_id: 20,
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: "n".into(),
                assignment: Bytes::from_static(b"part"),
            }],
        });
        round_trip_all(&SyncGroupResponse {
            throttle_time_ms: 21,
            error_code: ErrorCode::REBALANCE_IN_PROGRESS,
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignment: Bytes::from_static(b"part"),
        });
    }
}
