//! One connection: bytes in, requests out; responses in, chunks out, in request order.

mod decode;
mod encode;
mod error;
mod idle;
mod intake;
mod outbox;
mod pieces;
mod produce;
#[cfg(test)]
mod tests;
mod transactional;

use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::batch::Compression;
use crate::broker::image::Image;
use crate::config::Limits;
use crate::effect::FileRange;
use crate::ids::ConnectionId;
use crate::request::{Request, Response};
use crate::time::{Instant, Now};
use decode::{Context, Decoded};
use encode::Plan;
pub use error::ConnectionError;
use idle::Idle;
use intake::{Begin, Intake};
use outbox::{Flow, Outbox, Turn};

/// What leaves for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes.
    Bytes(Bytes),
    /// A range of a file, which a driver may send without reading it (sendfile).
    File(FileRange),
}

impl Chunk {
    /// How many bytes leave with it.
    fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(range) => usize::try_from(range.length).unwrap_or(usize::MAX),
        }
    }
}

/// One connection, owned by the one thread or task that serves its socket.
///
/// After each event (bytes, the peer's end, a granted charge, responses, sent chunks, a timeout) its owner goes round
/// once more, until nothing moves:
///
/// 1. [`handle_bytes`](Self::handle_bytes) with the input buffer, also when nothing new is in it: frames are taken
///    off one at a time, and the next may have been waiting for its turn.
/// 2. [`wants_charge`](Self::wants_charge): when it is not 0, take so many bytes from the budget, call
///    [`handle_charged`](Self::handle_charged) and begin again at 1; or stand in the budget's queue.
/// 3. [`poll_request`](Self::poll_request): a request goes to the broker; begin again at 1.
/// 4. [`poll_discharge`](Self::poll_discharge) back to the budget; [`poll_transmit`](Self::poll_transmit) to the socket.
/// 5. [`is_finished`](Self::is_finished): close. Else wait for the socket (to read, unless
///    [`wants_read`](Self::wants_read) is 0), for responses, for the charge, for [`poll_timeout`](Self::poll_timeout).
///
/// Each method that fails does so once. From then on input is dropped; the answers to the requests before the fault
/// still leave, and then the connection is finished. Whatever ends it, [`close`](Self::close) comes last, and what
/// [`poll_discharge`](Self::poll_discharge) gives then goes back to the budget: so the budget cannot leak.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    compression: Arc<dyn Compression>,
    limits: Limits,
    intake: Intake,
    outbox: Outbox<Plan>,
    idle: Idle,
    /// The socket is gone.
    closed: bool,
    /// Bytes that unanswered requests hold beside their frames.
    converted_bytes: usize,
    /// Found when a response came; told by the next `poll_request`.
    failure: Option<ConnectionError>,
}

impl Connection {
    /// A new connection, nothing received.
    pub fn new(id: ConnectionId, limits: Limits, compression: Arc<dyn Compression>) -> Self {
        Self {
            id,
            compression,
            intake: Intake::new(&limits),
            idle: Idle::new(&limits),
            limits,
            outbox: Outbox::new(),
            closed: false,
            converted_bytes: 0,
            failure: None,
        }
    }

    /// As given by the driver.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Takes the next frame off the front of `input`, if it is whole, charged and the one before it has gone to the
    /// broker. What is left there is unfinished, or waits; nothing but this connection may take from the buffer.
    pub fn handle_bytes(&mut self, input: &mut BytesMut, now: Now) -> Result<(), ConnectionError> {
        if self.intake.has_grown(input) {
            self.idle.note();
        }
        self.idle.settle(now);
        self.intake.handle_bytes(input, now)
    }

    /// The peer will send no more. What it has sent whole is still answered; what is unfinished is dropped by the next
    /// [`handle_bytes`](Self::handle_bytes).
    pub fn handle_end_of_input(&mut self) {
        self.intake.handle_end_of_input();
    }

    /// The next request that may go to the broker now; its batches are checked by the topics' settings in `image`.
    ///
    /// While requests are unanswered a further one is handed on only when it and all of those are Produce.
    #[must_use]
    pub fn poll_request(
        &mut self,
        image: &Image,
        now: Now,
    ) -> Option<Result<Request, ConnectionError>> {
        if let Some(failure) = self.failure.take() {
            return Some(Err(failure));
        }
        if let Some(error) = self.intake.bad_size() {
            self.intake.stop();
            return Some(Err(error.into()));
        }
        let turn = decode::turn(self.intake.whole()?);
        if !self.outbox.admits(turn)
            || self.outbox.unanswered() >= self.limits.requests_unanswered_max
            || self.converted_bytes >= self.limits.converted_bytes_max
        {
            return None;
        }
        let frame = self.intake.take()?;
        let context = Context { image, now, compression: &*self.compression, limits: &self.limits };
        let decoded = decode::request(&frame, &context);
        Some(self.take_on(turn, frame.len(), decoded))
    }

    fn take_on(
        &mut self,
        turn: Turn,
        charge: usize,
        decoded: Result<Decoded, ConnectionError>,
    ) -> Result<Request, ConnectionError> {
        let Decoded { plan, body } = match decoded {
            Ok(decoded) => decoded,
            Err(error) => {
                self.intake.discharge(charge);
                self.intake.stop();
                return Err(error);
            }
        };
        self.intake.discharge(charge.saturating_sub(plan.charge()));
        if plan.will_close() {
            self.intake.stop();
        }
        self.converted_bytes += plan.converted_bytes();
        let number = self.outbox.push(turn, plan);
        Ok(Request { number, transmitted: self.outbox.transmitted(), body })
    }

    /// The broker's answer; they may come in any order.
    pub fn handle_response(&mut self, response: Response) {
        self.idle.note();
        let Self { intake, limits, converted_bytes, .. } = self;
        let mut failure = None;
        let flow = self.outbox.answer(response.number, |plan| {
            intake.discharge(plan.charge());
            *converted_bytes -= plan.converted_bytes();
            plan.encode(response.body, limits, &mut failure)
        });
        self.failure = self.failure.take().or(failure);
        if flow == Flow::Closed {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.intake.stop();
        for plan in self.outbox.abandon() {
            self.intake.discharge(plan.charge());
            self.converted_bytes -= plan.converted_bytes();
        }
    }

    /// The next chunk to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Chunk> {
        self.outbox.poll_transmit()
    }

    /// Bytes have left the process, and so many chunks of [`poll_transmit`](Self::poll_transmit) are entirely among
    /// them; 0 for a part of the first.
    pub fn handle_transmitted(&mut self, chunks: usize) {
        if self.closed {
            return;
        }
        self.idle.note();
        self.outbox.handle_transmitted(chunks);
    }

    /// 0: do not read now. Else how much room to make in the input buffer before reading.
    pub fn wants_read(&self) -> usize {
        self.intake.wants_read(self.begin())
    }

    /// Bytes of the request budget that the frame just begun needs before its body is read; 0 for none.
    ///
    /// A frame whose turn cannot come yet asks for nothing: what it waits for may itself wait for the budget.
    pub fn wants_charge(&self) -> usize {
        if self.begin() == Begin::Held || !self.outbox.admits(Turn::Shared) {
            return 0;
        }
        self.intake.wants_charge()
    }

    fn begin(&self) -> Begin {
        let full = self.outbox.unanswered() >= self.limits.requests_unanswered_max
            || self.outbox.unsent_bytes() >= self.limits.unsent_bytes_max;
        if full { Begin::Held } else { Begin::Allowed }
    }

    /// The charge is granted. One that comes after the connection has dropped its frame comes back by
    /// [`poll_discharge`](Self::poll_discharge).
    pub fn handle_charged(&mut self) {
        self.idle.note();
        self.intake.handle_charged();
    }

    /// Bytes to give back to the budget; 0 for none.
    #[must_use]
    pub fn poll_discharge(&mut self) -> usize {
        self.intake.take_discharge()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. A begun frame has to be whole by then; the time that it
    /// waits for its charge does not count. And something has to move, unless it is the broker that is waited for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle = if self.may_idle() { self.idle.deadline() } else { None };
        self.intake.poll_timeout().into_iter().chain(idle).min()
    }

    /// True when it is the peer's turn: to send, or to take what it was sent.
    fn may_idle(&self) -> bool {
        self.outbox.unanswered() == 0 && self.wants_charge() == 0 && !self.is_finished()
    }

    /// The clock has reached [`poll_timeout`](Self::poll_timeout). After [`ConnectionError::Idle`] nothing more is to
    /// be sent: the connection is [closed](Self::close).
    pub fn handle_timeout(&mut self, now: Now) -> Result<(), ConnectionError> {
        self.idle.settle(now);
        self.intake.handle_timeout(self.begin(), now)?;
        match self.idle.expired(now) {
            Some(wait_ms) if self.may_idle() => {
                self.close();
                Err(ConnectionError::Idle { wait_ms })
            }
            _ => Ok(()),
        }
    }

    /// Requests that went to the broker and are not answered yet, or whose answers wait for those before them.
    pub fn unanswered(&self) -> usize {
        self.outbox.unanswered()
    }

    /// True when nothing is left to receive, answer or send: close the socket.
    pub fn is_finished(&self) -> bool {
        self.intake.is_exhausted() && self.outbox.is_empty()
    }

    /// The socket is gone, for whatever reason. Nothing is received, answered or sent any more, and
    /// [`poll_discharge`](Self::poll_discharge) gives back everything that was held. A charge that is still waited
    /// for is no longer wanted.
    pub fn close(&mut self) {
        self.stop();
        self.outbox.clear_unsent();
        self.closed = true;
        self.failure = None;
    }
}
