//! Why a connection ends by its peer's fault.

use crate::error_code::ErrorCode;

/// Why a connection must end. The answers to earlier requests still leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The size prefix is not positive, or above `socket.request.max.bytes`.
    #[error("frame of {0} bytes")]
    FrameSize(i32),
    /// A frame was begun and not finished in time.
    #[error("frame not whole after {wait_ms} ms: {arrived} bytes have arrived")]
    FrameTimeout {
        /// How long it was waited for.
        wait_ms: u64,
        /// Bytes of it that are here, size prefix included.
        arrived: usize,
    },
    /// No API has this key.
    #[error("unknown API key {key}")]
    UnknownApi {
        /// As sent.
        key: i16,
    },
    /// The API is not served in this version (ApiVersions alone is answered instead, KIP-511).
    #[error("version {version} of API key {key} is not served")]
    UnsupportedVersion {
        /// The API.
        key: i16,
        /// As sent.
        version: i16,
    },
    /// A Produce with acks=0 failed, and closing is the only way to say so (`KafkaApis.handleProduceRequest`).
    #[error("produce without acknowledgement failed with error {}", .0.0)]
    UnacknowledgedProduce(ErrorCode),
}
