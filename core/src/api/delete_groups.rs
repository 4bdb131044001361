//! DeleteGroups (key 42): deletes groups, with the offsets that they committed (KIP-229).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to delete groups.
    pub struct DeleteGroupsRequest (versions: 0..=2, flexible: 2..) {
        /// Their ids.
        groups_names: Vec<String> { versions: 0.. },
    }

    /// The answer to a [`DeleteGroupsRequest`].
    pub struct DeleteGroupsResponse (versions: 0..=2, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// One for each id.
        results: Vec<DeletableGroupResult> { versions: 0.. },
    }

    /// What became of a group.
    pub struct DeletableGroupResult {
        /// Its id.
        group_id: String { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DeleteGroupsRequest { groups_names: vec!["g".into(), "h".into()] });
        round_trip_all(&DeleteGroupsResponse {
            throttle_time_ms: 44,
            results: vec![DeletableGroupResult {
                group_id: "g".into(),
                error_code: ErrorCode::NON_EMPTY_GROUP,
            }],
        });
    }
}
