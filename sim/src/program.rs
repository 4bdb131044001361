//! Client logic of a tester's own: it runs in the simulation beside the model clients, or in their
//! place, on the same network, against the same broker, under the same faults.
//!
//! A [`Program`] knows nothing of sockets and clocks: it is asked what it wants to send, and is told
//! what has come. [`Calls`](crate::calls::Calls) frames requests and takes answers apart, for those
//! who have no codec. `sim/examples/outbox.rs` is a whole one.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;

use crate::decisions::{Decisions, Purpose};
use crate::history::{History, TopicPartition};
use crate::reader::StoredLog;
use crate::world::Excuse;

/// Client logic, with one connection at a time. The world opens it, and opens another whenever one
/// is gone, until the program is done. It may work on a thread of its own, in front of a real server
/// ([`Crowd`](crate::crowd::Crowd)).
pub trait Program: Debug + Send {
    /// A connection is open.
    fn connected(&mut self) {}

    /// It is gone: what was not answered on it never will be.
    fn disconnected(&mut self) {}

    /// What it does next. It is asked when a connection is open, soon after it has sent something or
    /// something has come, and when it has asked for it.
    fn next(&mut self, moment: &mut Moment<'_>) -> Next;

    /// Bytes have come from the broker, in pieces of any size. An error fails the run: it says what
    /// promise they break.
    fn receive(&mut self, bytes: &[u8], moment: &mut Moment<'_>) -> Result<(), String>;

    /// It has done what it set out to do, and waits for nothing.
    fn is_done(&self) -> bool;

    /// Nothing will go wrong any more, but for one last crash: it may take up something more, and
    /// must come to its end within three minutes.
    fn faults_end(&mut self) {}

    /// The run is over and went well, and this lies on the broker's disk, read by an independent
    /// reader. An error fails the run.
    fn check(&self, logs: &BTreeMap<TopicPartition, StoredLog>) -> Result<(), String> {
        let _ = logs;
        Ok(())
    }
}

/// What a program does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It sends these bytes: a whole request, for the ladder to be able to tell it.
    Send(Bytes),
    /// It waits for what comes.
    Listen,
    /// It waits, and wants to be asked again after so many microseconds.
    Later(u64),
    /// It closes its connection.
    Disconnect,
}

/// What a program may look at.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Microseconds since the run's start.
    pub now_micros: u64,
    /// The wall clock: milliseconds since the epoch. It may step.
    pub wall_ms: i64,
    /// What was asked and told so far. A program that tells it of its own requests, as model clients
    /// do, has them judged by the checkers too.
    pub history: &'a mut History,
    pub(crate) decisions: &'a mut Decisions,
    pub(crate) excused: &'a [Excuse],
}

impl Moment<'_> {
    /// A choice of the run: a number below `bound`. Only what is chosen here is replayed.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.decisions.below(Purpose::Program, bound)
    }

    /// A bit has flipped in this partition's files: it need not be served whole.
    pub fn is_damaged(&self, target: &TopicPartition) -> bool {
        self.excused.iter().any(|excuse| excuse.target == *target)
    }
}

/// A program as the world's client has it.
#[derive(Debug)]
pub(crate) struct Hosted {
    program: Box<dyn Program>,
    /// When it is to be asked again.
    asked_at_micros: u64,
    wish: Option<Wish>,
}

/// What a program wants of the world beside sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To be asked again after so many microseconds.
    Later(u64),
    Disconnect,
}

impl Hosted {
    pub(crate) fn new(program: Box<dyn Program>) -> Self {
        Self { program, asked_at_micros: 0, wish: None }
    }

    pub(crate) fn program(&self) -> &dyn Program {
        &*self.program
    }

    pub(crate) fn program_mut(&mut self) -> &mut dyn Program {
        &mut *self.program
    }

    /// What it sends; or it has a [`wish`](Self::take_wish).
    pub(crate) fn next(&mut self, moment: &mut Moment<'_>) -> Option<Bytes> {
        let now_micros = moment.now_micros;
        self.wish = match self.program.next(moment) {
            Next::Send(bytes) => return Some(bytes),
            Next::Listen => None,
            Next::Disconnect => Some(Wish::Disconnect),
            Next::Later(micros) => {
                let at = now_micros + micros.max(1);
                // Whoever is asked at every answer asks for no more than one time to come.
                let is_due = self.asked_at_micros > now_micros && self.asked_at_micros <= at;
                (!is_due).then(|| {
                    self.asked_at_micros = at;
                    Wish::Later(micros.max(1))
                })
            }
        };
        None
    }

    pub(crate) fn take_wish(&mut self) -> Option<Wish> {
        self.wish.take()
    }
}
