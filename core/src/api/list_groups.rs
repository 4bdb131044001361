//! ListGroups (key 16): the groups that there are; by state since version 4 (KIP-518), by type
//! since version 5 (KIP-848).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for groups.
    pub struct ListGroupsRequest (versions: 0..=5, flexible: 3..) {
        /// Only those in one of these states; empty for all.
        states_filter: Vec<String> { versions: 4.. },
        /// Only those of one of these types; empty for all.
        types_filter: Vec<String> { versions: 5.. },
    }

    /// The answer to a [`ListGroupsRequest`].
    pub struct ListGroupsResponse (versions: 0..=5, flexible: 3..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The groups.
        groups: Vec<ListedGroup> { versions: 0.. },
    }

    /// A group.
    pub struct ListedGroup {
        /// Its id.
        group_id: String { versions: 0.. },
        /// What its members are to each other.
        protocol_type: String { versions: 0.. },
        /// The name of its state.
        group_state: String { versions: 4.. },
        /// The name of its type.
        group_type: String { versions: 5.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&ListGroupsRequest {
            states_filter: vec!["Stable".into()],
            types_filter: vec!["classic".into()],
        });
        round_trip_all(&ListGroupsResponse {
            throttle_time_ms: 43,
            error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            groups: vec![ListedGroup {
                group_id: "g".into(),
                protocol_type: "consumer".into(),
                group_state: "Stable".into(),
                group_type: "classic".into(),
            }],
        });
    }

    #[test]
    fn there_is_nothing_to_say_at_first() {
        assert_eq!(encode(&ListGroupsRequest::default(), 2).len(), 0);
    }
}
