//! Heartbeat (key 12): a member of a group is alive.

use alloc::string::String;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Says that the member is alive.
    pub struct HeartbeatRequest (versions: 0..=4, flexible: 4..) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// The generation that the member is in.
        generation_id: i32 { versions: 0.. },
        /// The member's id.
        member_id: String { versions: 0.. },
        /// The id that the member keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 3.., nullable: 3.. },
    }

    /// The answer to a [`HeartbeatRequest`].
    pub struct HeartbeatResponse (versions: 0..=4, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&HeartbeatRequest {
            group_id: "g".into(),
            generation_id: 22,
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
        });
        round_trip_all(&HeartbeatResponse {
            throttle_time_ms: 23,
            error_code: ErrorCode::ILLEGAL_GENERATION,
        });
    }
}
