//! One connection's life between its socket and the node: the part of a driver's loop that does
//! not wait.

use std::io::ErrorKind;
use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use klamm_core::ids::ConnectionId;
use klamm_core::time::{Instant, Millis, Now};
use klamm_core::{Connection, ConnectionError, Peer};

use crate::budget::Share;
use crate::machine::{Input, Machine};
use crate::mailbox::{Mail, Mailbox, Wake};
use crate::node::{Node, Place};
use crate::outgoing::{Outgoing, SendError};
use crate::transport::Transport;

/// A connection, served by the one thread or task that owns it.
///
/// Its owner calls [`step`](Self::step), waits for what that tells, and again. Dropping it tells
/// the machine that the connection is gone, and gives back what it holds.
pub struct Session<M: Machine> {
    node: Arc<Node<M>>,
    id: ConnectionId,
    connection: Connection,
    mailbox: Arc<Mailbox>,
    share: Share,
    input: BytesMut,
    outgoing: Outgoing,
    /// For the next turn; empty between steps.
    inputs: Vec<Input>,
    readiness: Readiness,
    reading: Reading,
    ending: Ending,
    fault: Option<ConnectionError>,
}

/// What is known of the socket: each stays true until a call says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    /// A read would not wait.
    pub readable: bool,
    /// A write would not wait.
    pub writable: bool,
    /// The connection is broken, or closed in both directions.
    pub gone: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for any of these, or for a wake-up.
    Wait(Interest),
    /// There is more to do; let others have their turn first.
    Again,
    /// Drop the session and close the socket.
    End,
}

/// What to wait for, beside the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Until the socket can be read.
    pub read: bool,
    /// Until the socket can be written.
    pub write: bool,
    /// Not beyond this.
    pub deadline: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Open,
    /// The peer has sent its last byte.
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Not in sight.
    None,
    /// When all is answered and sent but the last requests, so many, which will never be answered. An
    /// answer that another thread has for this connection may come later than the word to close.
    WhenAnswered { refused: usize },
    /// The same, but not later than this.
    By(Instant),
    /// All is sent. What the peer still sends is read and dropped until it closes too, but not
    /// later than this: a socket that is closed with unread bytes in it is reset, and the peer
    /// loses the answers that it has not taken.
    Lingering(Instant),
    /// Now.
    Now,
}

/// Rounds of reading, turns and sending in one step, each of one read: what others of the same
/// executor wait for.
const ROUNDS_MAX: usize = 8;

impl<M: Machine> Session<M> {
    /// Tells the machine of a new connection. `waker` wakes the owner.
    pub fn open(node: Arc<Node<M>>, peer: Peer, waker: Box<dyn Wake>) -> Self {
        let id = node.next_connection_id();
        let mailbox = Arc::new(Mailbox::new(waker));
        let share = node.register(id, &mailbox);
        let compression = Arc::clone(node.compression());
        let connection = Connection::new(id, node.limits().clone(), compression);
        let mut session = Self {
            node,
            id,
            connection,
            mailbox,
            share,
            input: BytesMut::new(),
            outgoing: Outgoing::default(),
            inputs: vec![Input::Connect(id, peer)],
            readiness: Readiness { readable: false, writable: true, gone: false },
            reading: Reading::Open,
            ending: Ending::None,
            fault: None,
        };
        session.take_turns();
        session
    }

    /// Its id.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The node that it belongs to.
    pub fn node(&self) -> &Arc<Node<M>> {
        &self.node
    }

    /// Does everything that can be done without waiting, within bounds. `ready` is what the wait
    /// has found.
    pub fn step(&mut self, transport: &mut impl Transport, ready: Readiness) -> Next {
        self.readiness.readable |= ready.readable;
        self.readiness.writable |= ready.writable;
        self.readiness.gone |= ready.gone;
        for _ in 0..ROUNDS_MAX {
            let moved = self.round(transport);
            if self.is_over(transport) {
                return Next::End;
            }
            if !moved {
                if self.input.is_empty() {
                    // The room of an idle connection is given back.
                    self.input = BytesMut::new();
                }
                return Next::Wait(self.interest());
            }
        }
        Next::Again
    }

    /// True when something has moved, so that more may.
    fn round(&mut self, transport: &mut impl Transport) -> bool {
        let now = self.node.now();
        let mut moved = self.take_mail(now);
        if self.connection.poll_timeout().is_some_and(|due| due <= now.mono) {
            let result = self.connection.handle_timeout(now);
            if matches!(result, Err(ConnectionError::Idle { .. })) {
                // What is unsent is given up with it.
                self.ending = Ending::Now;
            }
            self.note(result);
        }
        moved |= self.receive(transport);
        moved |= self.take_turns();
        moved |= self.send(transport);
        if self.end().is_some_and(|end| end <= now.mono) {
            self.ending = Ending::Now;
        }
        moved
    }

    fn is_over(&mut self, transport: &mut impl Transport) -> bool {
        let is_sent = self.outgoing.is_empty();
        match self.ending {
            Ending::Now => true,
            Ending::By(_) => is_sent,
            Ending::Lingering(_) => self.reading == Reading::Ended,
            Ending::WhenAnswered { refused } => {
                is_sent && self.connection.unanswered() <= refused && !self.linger(transport)
            }
            Ending::None => is_sent && self.connection.is_finished() && !self.linger(transport),
        }
    }

    /// False when there is nothing to linger for.
    fn linger(&mut self, transport: &mut impl Transport) -> bool {
        if self.reading == Reading::Ended || self.readiness.gone || transport.finish().is_err() {
            return false;
        }
        let wait = Millis(self.node.limits().shutdown_send_ms);
        self.ending = Ending::Lingering(self.node.now().mono + wait);
        true
    }

    /// When it is over at the latest.
    fn end(&self) -> Option<Instant> {
        match self.ending {
            Ending::By(end) | Ending::Lingering(end) => Some(end),
            Ending::None | Ending::WhenAnswered { .. } | Ending::Now => None,
        }
    }

    fn interest(&self) -> Interest {
        Interest {
            read: self.may_read() > 0,
            write: !self.outgoing.is_empty(),
            deadline: self.connection.poll_timeout().into_iter().chain(self.end()).min(),
        }
    }

    fn take_mail(&mut self, now: Now) -> bool {
        let mail = self.mailbox.take();
        let moved = !mail.is_empty();
        for mail in mail {
            match mail {
                Mail::Response(response) => self.connection.handle_response(response),
                Mail::Charged => {
                    self.share.accept();
                    self.connection.handle_charged();
                }
                Mail::Close => match &mut self.ending {
                    Ending::None => self.ending = Ending::WhenAnswered { refused: 1 },
                    Ending::WhenAnswered { refused } => *refused += 1,
                    Ending::By(_) | Ending::Lingering(_) | Ending::Now => {}
                },
                Mail::Stop => {
                    let wait = Millis(self.node.limits().shutdown_send_ms);
                    self.ending = Ending::By(now.mono + wait);
                }
            }
        }
        self.give_back();
        moved
    }

    /// How much may be read now; 0 for nothing.
    fn may_read(&self) -> usize {
        match (self.reading, self.ending) {
            (Reading::Open, Ending::None) => self.connection.wants_read(),
            (Reading::Open, Ending::Lingering(_)) => self.node.limits().read_bytes as usize,
            _ => 0,
        }
    }

    fn receive(&mut self, transport: &mut impl Transport) -> bool {
        let room = self.may_read();
        if self.readiness.gone && room == 0 {
            // Nothing more can come, and nothing can be sent.
            self.ending = Ending::Now;
            return true;
        }
        if room == 0 || !(self.readiness.readable || self.readiness.gone) {
            return false;
        }
        match receive(&mut self.input, room, transport) {
            Ok(0) => {
                self.reading = Reading::Ended;
                self.connection.handle_end_of_input();
            }
            // Less than there was room for: the socket is empty.
            Ok(count) => self.readiness.readable = count >= room,
            Err(ErrorKind::WouldBlock) => {
                self.readiness.readable = false;
                return false;
            }
            Err(_) => self.ending = Ending::Now,
        }
        if matches!(self.ending, Ending::Lingering(_)) {
            self.input.clear();
        }
        true
    }

    /// Turns until the connection has no request ready and this thread has nothing to carry out.
    fn take_turns(&mut self) -> bool {
        let mut moved = false;
        loop {
            self.collect_requests();
            if self.inputs.is_empty() {
                return moved;
            }
            moved = true;
            self.node.turn(&mut self.inputs, Place::Connection(self.id, &self.mailbox));
            self.take_mail(self.node.now());
        }
    }

    fn collect_requests(&mut self) {
        if self.ending != Ending::None {
            return;
        }
        let (now, image) = (self.node.now(), self.node.image());
        let mut requests = 0;
        while requests < self.node.limits().turn_requests_max {
            let result = self.connection.handle_bytes(&mut self.input, now);
            self.note(result);
            if self.charge() {
                continue;
            }
            match self.connection.poll_request(&image, now) {
                Some(Ok(request)) => self.inputs.push(Input::Request(self.id, request)),
                Some(Err(error)) => self.note(Err(error)),
                None => break,
            }
            requests += 1;
        }
        self.give_back();
    }

    /// True when the frame that is begun has just got its charge.
    fn charge(&mut self) -> bool {
        if self.share.is_waiting() {
            return false;
        }
        // First, or it would stand in the queue behind what it holds itself.
        self.give_back();
        let bytes = self.connection.wants_charge();
        if bytes == 0 || !self.share.ask(bytes) {
            return false;
        }
        self.connection.handle_charged();
        true
    }

    fn give_back(&mut self) {
        let bytes = self.connection.poll_discharge();
        if bytes > 0 {
            self.share.give_back(bytes);
        }
    }

    fn send(&mut self, transport: &mut impl Transport) -> bool {
        match self.try_send(transport) {
            Ok(moved) => moved,
            Err(SendError::Gone) => {
                self.ending = Ending::Now;
                true
            }
            Err(SendError::Range(range, error)) => {
                // The range's length is on the wire already: the rest cannot be told otherwise.
                self.ending = Ending::Now;
                self.inputs.push(Input::RangeFailed(range, error));
                self.take_turns()
            }
        }
    }

    fn try_send(&mut self, transport: &mut impl Transport) -> Result<bool, SendError> {
        while self.outgoing.has_room()
            && let Some(chunk) = self.connection.poll_transmit()
        {
            let sendfile_bytes_min = self.node.limits().sendfile_bytes_min;
            self.outgoing.push(chunk, &**self.node.disk(), sendfile_bytes_min)?;
        }
        if self.outgoing.is_empty() || !self.readiness.writable {
            return Ok(false);
        }
        let witness = self.node.recorder().map(|recorder| (&**recorder, self.id));
        let progress = self.outgoing.send(transport, witness)?;
        self.readiness.writable = !progress.blocked;
        if progress.bytes > 0 {
            self.connection.handle_transmitted(progress.chunks);
        }
        Ok(!progress.blocked)
    }

    fn note(&mut self, result: Result<(), ConnectionError>) {
        if let Err(error) = result {
            self.fault.get_or_insert(error);
        }
    }
}

impl<M: Machine> Drop for Session<M> {
    fn drop(&mut self) {
        self.node.unregister(self.id);
        if std::thread::panicking() {
            return;
        }
        self.inputs.push(Input::Disconnect(self.id, self.fault.take()));
        self.node.run(&mut self.inputs, Place::Elsewhere);
    }
}

/// Reads into `input`, which grows by `room` bytes at most. The conversions copy nothing while the
/// buffer has this one owner, and the room is never zeroed.
fn receive(
    input: &mut BytesMut,
    room: usize,
    transport: &mut impl Transport,
) -> Result<usize, ErrorKind> {
    let mut buffer = Vec::from(mem::take(input));
    if buffer.capacity() - buffer.len() > room {
        // Left over from a larger frame: no more is read than was asked for.
        let mut exact = Vec::with_capacity(buffer.len() + room);
        exact.extend_from_slice(&buffer);
        buffer = exact;
    } else {
        buffer.reserve_exact(room);
    }
    let result = transport.receive(&mut buffer);
    *input = BytesMut::from(Bytes::from(buffer));
    result.map_err(|error| error.kind())
}

#[cfg(test)]
mod tests;
