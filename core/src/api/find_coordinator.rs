//! FindCoordinator (key 10): which broker coordinates a group or a transaction; of several at once
//! since version 4 (KIP-699).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for coordinators.
    pub struct FindCoordinatorRequest (versions: 0..=6, flexible: 3..) {
        /// Of what, one thing.
        key: String { versions: 0..=3 },
        /// What the keys are: 0 group ids, 1 transactional ids, 2 partitions of share groups
        /// (`CoordinatorType`).
        key_type: i8 { versions: 1.. },
        /// Of what, any number of things.
        coordinator_keys: Vec<String> { versions: 4.. },
    }

    /// The answer to a [`FindCoordinatorRequest`].
    pub struct FindCoordinatorResponse (versions: 0..=6, flexible: 3..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 1.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0..=3 },
        /// The error in words.
        error_message: Option<String> {
            versions: 1..=3, nullable: 1..=3, default: Some(String::new())
        },
        /// The coordinator's node id; -1 for none.
        node_id: i32 { versions: 0..=3 },
        /// Its host.
        host: String { versions: 0..=3 },
        /// The port there.
        port: i32 { versions: 0..=3 },
        /// One for each key.
        coordinators: Vec<Coordinator> { versions: 4.. },
    }

    /// The coordinator of one key.
    pub struct Coordinator {
        /// As asked.
        key: String { versions: 4.. },
        /// The coordinator's node id; -1 for none.
        node_id: i32 { versions: 4.. },
        /// Its host.
        host: String { versions: 4.. },
        /// The port there.
        port: i32 { versions: 4.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 4.. },
        /// The error in words.
        error_message: Option<String> {
            versions: 4.., nullable: 4.., default: Some(String::new())
        },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip};

    #[test]
    fn all_versions_round_trip() {
        let request = FindCoordinatorRequest {
            key: "g".into(),
            key_type: 1,
            coordinator_keys: vec!["h".into(), "i".into()],
        };
        let response = FindCoordinatorResponse {
            throttle_time_ms: 10,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("m".into()),
            node_id: 1,
            host: "n".into(),
            port: 9092,
            coordinators: vec![Coordinator {
                key: "h".into(),
                node_id: 2,
                host: "o".into(),
                port: 9093,
                error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
                error_message: None,
            }],
        };
        let none = (FindCoordinatorRequest::default(), FindCoordinatorResponse::default());
        for version in 0..=6 {
            let asked = round_trip(&request, version);
            let told = round_trip(&response, version);
            let keys = (asked.key.len(), asked.coordinator_keys.len());
            let coordinators = (told.host.len(), told.coordinators.len());
            assert_eq!(keys, if version < 4 { (1, 0) } else { (0, 2) });
            assert_eq!(coordinators, if version < 4 { (1, 0) } else { (0, 1) });
            assert_eq!(round_trip(&none.0, version), none.0);
            assert_eq!(round_trip(&none.1, version), none.1);
        }
    }

    #[test]
    fn version_0_asks_for_a_group_and_has_no_words() {
        let request = FindCoordinatorRequest { key: "g".into(), key_type: 1, ..Default::default() };
        assert_eq!(&encode(&request, 0)[..], b"\0\x01g");
        let response = FindCoordinatorResponse {
            error_message: Some("m".into()),
            node_id: 1,
            host: "n".into(),
            port: 2,
            ..Default::default()
        };
        assert_eq!(&encode(&response, 0)[..], b"\0\0\0\0\0\x01\0\x01n\0\0\0\x02");
    }
}
