//! One connection: bytes in, requests out; responses in, chunks out, in request order.

use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::batch::Compression;
use crate::broker::image::Image;
use crate::config::Limits;
use crate::effect::FileRange;
use crate::ids::ConnectionId;
use crate::request::{Request, Response};
use crate::time::{Instant, Now};

/// What leaves for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes.
    Bytes(Bytes),
    /// A range of a file, which a driver may send without reading it (sendfile).
    File(FileRange),
}

/// Why a connection must end. The answers to earlier requests still leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The size prefix is negative or above `socket.request.max.bytes`.
    #[error("frame of {0} bytes")]
    FrameSize(i32),
}

/// One connection, owned by the one thread or task that serves its socket.
#[derive(Debug)]
pub struct Connection {}

impl Connection {
    /// A new connection, nothing received.
    pub fn new(id: ConnectionId, limits: Limits, compression: Arc<dyn Compression>) -> Self {
        let _ = (id, limits, compression);
        Self {}
    }

    /// Takes whole frames off the front of `input`; what is left there is an unfinished frame, or one
    /// that waits for its charge.
    pub fn handle_bytes(&mut self, input: &mut BytesMut, now: Now) -> Result<(), ConnectionError> {
        let _ = (input, now);
        Ok(())
    }

    /// The peer will send no more. What it has sent is still answered.
    pub fn handle_end_of_input(&mut self) {}

    /// The next request that may go to the broker now; its batches are checked by the topics' settings in `image`.
    #[must_use]
    pub fn poll_request(
        &mut self,
        image: &Image,
        now: Now,
    ) -> Option<Result<Request, ConnectionError>> {
        let _ = (image, now);
        None
    }

    /// The broker's answer; they may come in any order.
    pub fn handle_response(&mut self, response: Response) {
        let _ = response;
    }

    /// The next chunk to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Chunk> {
        None
    }

    /// So many chunks of [`poll_transmit`](Self::poll_transmit) have left the process entirely.
    pub fn handle_transmitted(&mut self, chunks: usize) {
        let _ = chunks;
    }

    /// 0: do not read now. Else how much room to make in the input buffer before reading.
    pub fn wants_read(&self) -> usize {
        0
    }

    /// Bytes of the request budget that the frame just begun needs before its body is read; 0 for none.
    pub fn wants_charge(&self) -> usize {
        0
    }

    /// The charge is granted.
    pub fn handle_charged(&mut self) {}

    /// Bytes to give back to the budget; 0 for none. After the connection's end, everything it still holds.
    #[must_use]
    pub fn poll_discharge(&mut self) -> usize {
        0
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The clock has reached [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), ConnectionError> {
        let _ = now;
        Ok(())
    }

    /// True when nothing is left to receive, answer or send: close the socket.
    pub fn is_finished(&self) -> bool {
        false
    }
}
