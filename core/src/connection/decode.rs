//! From a frame to a request, and from a response to a frame.

use bytes::Bytes;

use super::ConnectionError;
use super::outbox::{Answer, Turn};
use crate::batch::Compression;
use crate::broker::image::Image;
use crate::request::{RequestBody, ResponseBody};
use crate::time::Now;

/// What a request's answer is encoded with.
#[derive(Debug)]
pub(super) struct Plan {
    /// Bytes of the budget that are held until the answer is there.
    pub(super) charge: usize,
}

/// What decoding needs to know.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) image: &'a Image,
    pub(super) now: Now,
    pub(super) compression: &'a dyn Compression,
    pub(super) decompressed_bytes_max: u64,
}

/// A request ready for the broker.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) plan: Plan,
    pub(super) body: RequestBody,
}

const PRODUCE: i16 = 0;

/// Which requests a frame's request may join; a frame too short for a key waits alone.
pub(super) fn turn(frame: &[u8]) -> Turn {
    match frame.first_chunk::<2>() {
        Some(key) if i16::from_be_bytes(*key) == PRODUCE => Turn::Shared,
        _ => Turn::Alone,
    }
}

/// Decodes a frame without its size prefix.
pub(super) fn request(frame: &Bytes, context: &Context<'_>) -> Result<Decoded, ConnectionError> {
    let _ = context;
    let key = frame.first_chunk::<2>().map_or(-1, |key| i16::from_be_bytes(*key));
    Err(ConnectionError::UnknownApi { key })
}

impl Plan {
    /// Encodes the answer; what closes the connection is noted in `failure`.
    pub(super) fn encode(
        self,
        body: ResponseBody,
        failure: &mut Option<ConnectionError>,
    ) -> Answer {
        let _ = (body, failure);
        Answer::Nothing
    }
}
