//! Why a connection ends by its peer's fault.

use crate::codec::DecodeError;
use crate::error_code::ErrorCode;
use crate::frame::{FrameSizeError, HeaderError};

/// Why a connection must end. The answers to earlier requests still leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The size prefix is zero, negative or above `socket.request.max.bytes`.
    #[error(transparent)]
    FrameSize(#[from] FrameSizeError),
    /// A frame was begun and not finished in time.
    #[error("frame not whole after {wait_ms} ms: {arrived} bytes have arrived")]
    FrameTimeout {
        /// How long it was waited for.
        wait_ms: u64,
        /// Bytes of it that are here, size prefix included.
        arrived: usize,
    },
    /// Nothing has moved, and it was not the broker that was waited for (`connections.max.idle.ms`).
    #[error("nothing received or sent for {wait_ms} ms")]
    Idle {
        /// For how long.
        wait_ms: u64,
    },
    /// The header is no header, or asks for what is not served.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body is not what the header says.
    #[error("{message} version {version}: {error}")]
    Body {
        /// Kafka's name of the message.
        message: &'static str,
        /// Its version.
        version: i16,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A Produce with acks=0 failed, and closing is the only way to say so
    /// (`KafkaApis.handleProduceRequest`).
    #[error("produce without acknowledgement failed: {0}")]
    UnacknowledgedProduce(ErrorCode),
}
