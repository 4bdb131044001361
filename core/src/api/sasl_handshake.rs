//! SaslHandshake (key 17): agrees on a mechanism to log in by (KIP-43).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for a mechanism.
    pub struct SaslHandshakeRequest (versions: 0..=1) {
        /// The mechanism.
        mechanism: String { versions: 0.. },
    }

    /// The answer to a [`SaslHandshakeRequest`].
    pub struct SaslHandshakeResponse (versions: 0..=1) {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The mechanisms that there are.
        mechanisms: Vec<String> { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&SaslHandshakeRequest { mechanism: "a".into() });
        round_trip_all(&SaslHandshakeResponse {
            error_code: ErrorCode::ILLEGAL_SASL_STATE,
            mechanisms: vec!["b".into()],
        });
    }
}
