//! A connection's loop inside the broker's process, as a driver's thread or task runs it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use klamm_core::broker::image::Image;
use klamm_core::ids::{ConnectionId, FileId};
use klamm_core::request::Response;
use klamm_core::time::Now;
use klamm_core::{Chunk, Connection, ConnectionError};
use klamm_runtime::Input;

use crate::decisions::{Decisions, Purpose};
use crate::layer::Layer;
use crate::queue::Ticket;

/// One connection of the process.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: Connection,
    /// Arrived, not read.
    pub(super) socket: BytesMut,
    /// The peer's end has arrived.
    pub(super) socket_ended: bool,
    input: BytesMut,
    end_told: bool,
    /// For the broker, in order.
    pub(super) inbox: VecDeque<Input>,
    /// From the broker.
    pub(super) mail: VecDeque<Response>,
    /// When the last mail is due: an order to close does not overtake answers.
    pub(super) mail_due_micros: u64,
    /// Told to close.
    pub(super) closing: bool,
    /// On their way out of the process.
    pub(super) leaving: VecDeque<Chunk>,
    /// How many they were at first.
    pub(super) leaving_chunks: usize,
    /// Files with ranges that have not left, once for each.
    pub(super) pinned: Vec<FileId>,
    fault: Option<ConnectionError>,
    pub(super) closed: bool,
    /// Its loop will go round.
    pub(super) awake: bool,
    charge_queued: bool,
    /// Bytes of the budget that it holds.
    charged: usize,
    pub(super) timer: Option<Ticket>,
}

/// What came of one round.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Go round once more.
    pub(super) again: bool,
    /// A request waits in the inbox for its turn.
    pub(super) turns: usize,
    /// Bytes are to leave.
    pub(super) leaves: bool,
    /// Bytes were given back to the budget.
    pub(super) discharged: bool,
    /// The frame just begun waits for the budget.
    pub(super) waits_for_budget: bool,
    /// The connection is over.
    pub(super) finished: bool,
}

impl Seat {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            socket: BytesMut::new(),
            socket_ended: false,
            input: BytesMut::new(),
            end_told: false,
            inbox: VecDeque::new(),
            mail: VecDeque::new(),
            mail_due_micros: 0,
            closing: false,
            leaving: VecDeque::new(),
            leaving_chunks: 0,
            pinned: Vec::new(),
            fault: None,
            closed: false,
            awake: false,
            charge_queued: false,
            charged: 0,
            timer: None,
        }
    }

    /// One round of the loop: mail, bytes, at most one request, what leaves.
    pub(super) fn round(
        &mut self,
        image: &Arc<Image>,
        now: Now,
        budget: &mut Budget,
        layer: &mut dyn Layer,
        decisions: &mut Decisions,
    ) -> Round {
        let mut round = Round::default();
        let id = self.connection.id();
        while let Some(response) = self.mail.pop_front() {
            self.connection.handle_response(response);
        }
        if !self.closing {
            self.read(now, &mut round, decisions);
            self.charge(id, budget, &mut round);
            match self.connection.poll_request(image, now) {
                Some(Ok(request)) => {
                    self.inbox.push_back(Input::Request(id, request));
                    round.turns += 1;
                    round.again = true;
                }
                Some(Err(error)) => {
                    self.fault = Some(error);
                    round.again = true;
                }
                None => {}
            }
        }
        self.discharge(budget, layer, &mut round);
        if self.leaving.is_empty() {
            self.leaving.extend(std::iter::from_fn(|| self.connection.poll_transmit()));
            self.leaving_chunks = self.leaving.len();
            round.leaves = !self.leaving.is_empty();
        }
        let over = self.closing || self.connection.is_finished();
        round.finished = over && self.leaving.is_empty();
        round
    }

    fn read(&mut self, now: Now, round: &mut Round, decisions: &mut Decisions) {
        let room = self.connection.wants_read().min(self.socket.len());
        if room > 0 {
            // As much as a read happens to give.
            let length = decisions.between(Purpose::Network, 1, room as u64) as usize;
            self.input.unsplit(self.socket.split_to(length));
            round.again = true;
        }
        if self.socket_ended && self.socket.is_empty() && !self.end_told {
            self.end_told = true;
            self.connection.handle_end_of_input();
            round.again = true;
        }
        let before = self.input.len();
        match self.connection.handle_bytes(&mut self.input, now) {
            Ok(()) => round.again |= self.input.len() != before,
            Err(error) => self.fault = Some(error),
        }
    }

    fn charge(&mut self, id: ConnectionId, budget: &mut Budget, round: &mut Round) {
        let wanted = self.connection.wants_charge();
        if wanted == 0 {
            self.charge_queued = false;
            budget.waiting.retain(|waiting| *waiting != id);
            return;
        }
        let first = budget.waiting.front().is_none_or(|waiting| *waiting == id);
        // One that fits no budget is taken alone.
        if first && (budget.held + wanted <= budget.all || budget.held == 0) {
            budget.waiting.retain(|waiting| *waiting != id);
            budget.held += wanted;
            self.charged += wanted;
            self.charge_queued = false;
            self.connection.handle_charged();
            round.again = true;
        } else if !self.charge_queued {
            self.charge_queued = true;
            round.waits_for_budget = true;
            budget.waiting.push_back(id);
        }
    }

    fn discharge(&mut self, budget: &mut Budget, layer: &mut dyn Layer, round: &mut Round) {
        let bytes = self.connection.poll_discharge();
        assert!(bytes <= self.charged, "a connection gives back no more than it was granted");
        self.charged -= bytes;
        round.discharged |= bytes > 0;
        budget.held -= layer.discharge(bytes);
    }

    /// The connection is over: its broker is told last.
    pub(super) fn close(&mut self, budget: &mut Budget, layer: &mut dyn Layer) {
        let mut round = Round::default();
        let id = self.connection.id();
        self.closed = true;
        self.leaving.clear();
        self.connection.close();
        self.discharge(budget, layer, &mut round);
        budget.waiting.retain(|waiting| *waiting != id);
        self.inbox.push_back(Input::Disconnect(id, self.fault.take()));
    }

    /// The deadline has come.
    pub(super) fn timeout(&mut self, now: Now) {
        if let Err(error) = self.connection.handle_timeout(now) {
            self.fault = Some(error);
        }
    }
}

/// The budget of request bytes, with those who wait for it.
#[derive(Debug)]
pub(super) struct Budget {
    all: usize,
    held: usize,
    waiting: VecDeque<ConnectionId>,
}

impl Budget {
    pub(super) fn new(all: usize) -> Self {
        Self { all, held: 0, waiting: VecDeque::new() }
    }

    /// Bytes that connections hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Who waits first.
    pub(super) fn next(&self) -> Option<ConnectionId> {
        self.waiting.front().copied()
    }
}
