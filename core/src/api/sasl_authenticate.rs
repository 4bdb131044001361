//! SaslAuthenticate (key 36): carries what a mechanism says (KIP-152, KIP-368).

use alloc::string::String;

use bytes::Bytes;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// What the client's side of the mechanism says.
    pub struct SaslAuthenticateRequest (versions: 0..=2, flexible: 2..) {
        /// As the mechanism has it.
        auth_bytes: Bytes { versions: 0.. },
    }

    /// The answer to a [`SaslAuthenticateRequest`].
    pub struct SaslAuthenticateResponse (versions: 0..=2, flexible: 2..) {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// As the mechanism has it.
        auth_bytes: Bytes { versions: 0.. },
        /// How long the login holds, in milliseconds; 0 for ever.
        session_lifetime_ms: i64 { versions: 1.. },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&SaslAuthenticateRequest { auth_bytes: Bytes::from_static(b"a") });
        round_trip_all(&SaslAuthenticateResponse {
            error_code: ErrorCode::ILLEGAL_SASL_STATE,
            error_message: Some("b".into()),
            auth_bytes: Bytes::from_static(b"c"),
            session_lifetime_ms: 4,
        });
    }
}
