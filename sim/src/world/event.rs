//! What can happen next.

use klamm_core::effect::Completion;
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::request::Response;
use klamm_runtime::Input;

use crate::network::Direction;

/// One event of the queue. Each has a delay of its own.
#[derive(Debug)]
pub(super) enum Event {
    /// The broker's process starts.
    Start,
    /// A client opens a connection.
    ClientConnects(usize),
    /// A client sends its next request.
    ClientSends(usize),
    /// A piece of bytes, or an end, reaches its side.
    Arrives(ConnectionId, Direction),
    /// The wall clock steps.
    WallSteps,
    /// Something that happens in the broker's process, and not when that is gone.
    Process(Inner),
}

/// What happens in the broker's process.
#[derive(Debug)]
pub(super) enum Inner {
    /// A connection's loop goes round.
    Serve(ConnectionId),
    /// A turn with the next input of a connection.
    TurnOf(ConnectionId),
    /// A turn with this input.
    Turn(Box<Input>),
    /// The broker's deadline.
    Timer,
    /// A connection's deadline.
    ConnectionTimer(ConnectionId),
    /// The next operation of an effect starts.
    OperationStarts(EffectId),
    /// It takes hold.
    OperationHolds(EffectId),
    /// The effect's completion is handed in.
    Completes(EffectId),
    /// A layer tells of an effect what is not so.
    Told(EffectId, Box<Completion>),
    /// A job goes on.
    JobStep(JobId),
    /// A response reaches its mailbox.
    Mail(ConnectionId, Box<Response>),
    /// A connection is told to close once it has sent what it has.
    CloseMail(ConnectionId),
    /// Bytes leave the process.
    Leaves(ConnectionId),
    /// The process ends by itself.
    Exit,
}

impl Event {
    /// A crash behind it may leave something else than a crash before it: on the disk, of what was
    /// under way there, or of what has left the process. All else that an event does is lost with the
    /// process, or is none of its business.
    pub(super) fn changes_what_is_left(&self) -> bool {
        let Self::Process(inner) = self else { return matches!(self, Self::Start) };
        matches!(
            inner,
            Inner::OperationStarts(_) | Inner::OperationHolds(_) | Inner::Leaves(_) | Inner::Exit
        )
    }

    /// What tells two events apart, for the digest.
    pub(super) fn fingerprint(&self) -> [u64; 3] {
        match self {
            Self::Start => [0, 0, 0],
            Self::ClientConnects(client) => [1, *client as u64, 0],
            Self::ClientSends(client) => [2, *client as u64, 0],
            Self::Arrives(id, direction) => [3, id.0, *direction as u64],
            Self::WallSteps => [4, 0, 0],
            Self::Process(inner) => inner.fingerprint(),
        }
    }
}

impl Inner {
    fn fingerprint(&self) -> [u64; 3] {
        match self {
            Self::Serve(id) => [10, id.0, 0],
            Self::TurnOf(id) => [11, id.0, 0],
            Self::Turn(_) => [12, 0, 0],
            Self::Timer => [13, 0, 0],
            Self::ConnectionTimer(id) => [14, id.0, 0],
            Self::OperationStarts(id) => [15, id.owner.0, id.number],
            Self::OperationHolds(id) => [16, id.owner.0, id.number],
            Self::Completes(id) => [17, id.owner.0, id.number],
            Self::JobStep(id) => [18, id.0, 0],
            Self::Mail(id, response) => [19, id.0, response.number.0],
            Self::CloseMail(id) => [20, id.0, 0],
            Self::Leaves(id) => [21, id.0, 0],
            Self::Exit => [22, 0, 0],
            Self::Told(id, _) => [23, id.owner.0, id.number],
        }
    }
}
