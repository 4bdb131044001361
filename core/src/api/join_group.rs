//! JoinGroup (key 11): becomes, or stays, a member of a group whose members agree among themselves.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to be a member of the group's next generation.
    pub struct JoinGroupRequest (versions: 0..=9, flexible: 6..) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// How long the member may be silent, in milliseconds.
        session_timeout_ms: i32 { versions: 0.. },
        /// How long a rebalance waits for the member, in milliseconds; version 0 waits for the
        /// session timeout.
        rebalance_timeout_ms: i32 { versions: 1.., default: -1 },
        /// The id that the coordinator gave the member; empty before it has.
        member_id: String { versions: 0.. },
        /// The id that the member keeps over restarts, if it has one (KIP-345).
        group_instance_id: Option<String> { versions: 5.., nullable: 5.. },
        /// What the members are to each other, such as `consumer`.
        protocol_type: String { versions: 0.. },
        /// The protocols that the member speaks, the one that it likes best first.
        protocols: Vec<JoinGroupRequestProtocol> { versions: 0.. },
        /// Why it joins, in words (KIP-800).
        reason: Option<String> { versions: 8.., nullable: 8.. },
    }

    /// A protocol that a member speaks.
    pub struct JoinGroupRequestProtocol {
        /// Its name.
        name: String { versions: 0.. },
        /// What the member says to the leader in it: a slice of the frame.
        metadata: Bytes { versions: 0.. },
    }

    /// The answer to a [`JoinGroupRequest`].
    pub struct JoinGroupResponse (versions: 0..=9, flexible: 6..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 2.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The generation; -1 for none.
        generation_id: i32 { versions: 0.., default: -1 },
        /// What the members are to each other (KIP-559).
        protocol_type: Option<String> { versions: 7.., nullable: 7.. },
        /// The protocol that all members speak; null or empty for none.
        protocol_name: Option<String> {
            versions: 0.., nullable: 7.., default: Some(String::new())
        },
        /// The member id of the leader, who assigns.
        leader: String { versions: 0.. },
        /// The leader has nothing to assign: what is assigned stays (KIP-814).
        skip_assignment: bool { versions: 9.. },
        /// The member's id.
        member_id: String { versions: 0.. },
        /// All members; none unless it is the leader who is answered.
        members: Vec<JoinGroupResponseMember> { versions: 0.. },
    }

    /// A member, as the leader is told of it.
    pub struct JoinGroupResponseMember {
        /// Its id.
        member_id: String { versions: 0.. },
        /// The id that it keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 5.., nullable: 5.. },
        /// What it says in the protocol.
        metadata: Bytes { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip, round_trip_all};

    fn response() -> JoinGroupResponse {
        JoinGroupResponse {
            throttle_time_ms: 11,
            error_code: ErrorCode::MEMBER_ID_REQUIRED,
            generation_id: 12,
            protocol_type: Some("consumer".into()),
            protocol_name: None,
            leader: "l".into(),
            skip_assignment: true,
            member_id: "m".into(),
            members: vec![JoinGroupResponseMember {
                member_id: "n".into(),
                group_instance_id: Some("o".into()),
                metadata: Bytes::from_static(b"says"),
            }],
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&JoinGroupRequest {
            group_id: "g".into(),
            session_timeout_ms: 13,
            rebalance_timeout_ms: 14,
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
            protocol_type: "consumer".into(),
            protocols: vec![
                JoinGroupRequestProtocol {
                    name: "range".into(),
                    metadata: Bytes::from_static(b"says"),
                },
                JoinGroupRequestProtocol::default(),
            ],
            reason: Some("r".into()),
        });
        round_trip_all(&response());
    }

    #[test]
    fn no_protocol_is_an_empty_name_before_version_7() {
        for version in 0..=9 {
            let name = round_trip(&response(), version).protocol_name;
            assert_eq!(name, (version < 7).then(String::new));
        }
    }

    #[test]
    fn version_0_is_kafkas() {
        let request = JoinGroupRequest {
            group_id: "g".into(),
            session_timeout_ms: 1,
            protocol_type: "c".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "r".into(),
                metadata: Bytes::from_static(b"m"),
            }],
            ..Default::default()
        };
        let expected = b"\0\x01g\0\0\0\x01\0\0\0\x01c\0\0\0\x01\0\x01r\0\0\0\x01m";
        assert_eq!(&encode(&request, 0)[..], expected);
    }
}
