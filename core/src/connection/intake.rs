//! Frames out of the input, one at a time, each charged to the request budget before it is read.

use bytes::{Buf, Bytes, BytesMut};

use super::ConnectionError;
use crate::config::Limits;
use crate::time::{Instant, Millis, Now};

const SIZE_BYTES: usize = 4;

/// The receiving half of a connection: the frame that is begun, and the one whole frame that waits
/// for its turn. At most one of the two is charged, so a connection never holds the budget for more
/// than one frame that is not with the broker yet.
#[derive(Debug)]
pub(super) struct Intake {
    frame_bytes_max: u32,
    frame_eager_bytes: usize,
    frame_timeout_ms: u64,
    read_bytes: usize,
    state: State,
    head: Head,
    /// Bytes of the input when it was last looked at.
    arrived: usize,
    whole: Option<Bytes>,
    deadline: Option<Instant>,
    discharge: usize,
}

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has sent its last byte.
    Ended,
    /// The rest is dropped.
    Stopped,
}

/// The frame at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// Its size is not there yet.
    Unknown,
    /// Its size is known; it may not be read before it is charged.
    Uncharged(usize),
    Charged(usize),
    /// A size that no frame may have.
    Bad(i32),
    /// Dropped while its charge was still awaited: a grant that comes now goes straight back.
    Dropped(usize),
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            frame_bytes_max: limits.frame_bytes_max,
            frame_eager_bytes: limits.frame_eager_bytes as usize,
            frame_timeout_ms: limits.frame_timeout_ms,
            read_bytes: limits.read_bytes as usize,
            state: State::Open,
            head: Head::Unknown,
            arrived: 0,
            whole: None,
            deadline: None,
            discharge: 0,
        }
    }

    /// Looks at the front of `input` and takes the charged frame off it, when it is all there.
    pub(super) fn handle_bytes(
        &mut self,
        input: &mut BytesMut,
        now: Now,
    ) -> Result<(), ConnectionError> {
        if self.state == State::Stopped {
            input.clear();
            return Ok(());
        }
        self.take_whole(input);
        self.read_size(input);
        self.arrived = input.len();
        if let (Head::Bad(size), None) = (self.head, &self.whole) {
            input.clear();
            self.stop();
            return Err(ConnectionError::FrameSize(size));
        }
        self.drop_unfinished();
        self.set_deadline(now);
        Ok(())
    }

    fn take_whole(&mut self, input: &mut BytesMut) {
        let Head::Charged(size) = self.head else { return };
        if input.len() < SIZE_BYTES + size || self.whole.is_some() {
            return;
        }
        input.advance(SIZE_BYTES);
        self.whole = Some(input.split_to(size).freeze());
        self.head = Head::Unknown;
        self.deadline = None;
    }

    fn read_size(&mut self, input: &BytesMut) {
        if self.head != Head::Unknown {
            return;
        }
        let Some(prefix) = input.first_chunk::<SIZE_BYTES>() else { return };
        let size = i32::from_be_bytes(*prefix);
        self.head = match u32::try_from(size) {
            Ok(length) if (1..=self.frame_bytes_max).contains(&length) => {
                Head::Uncharged(length as usize)
            }
            _ => Head::Bad(size),
        };
    }

    /// After the peer's last byte, an unfinished frame stays so.
    fn drop_unfinished(&mut self) {
        if self.state != State::Ended {
            return;
        }
        match self.head {
            Head::Charged(size) if self.arrived < SIZE_BYTES + size => {
                self.discharge += size;
                self.head = Head::Unknown;
            }
            Head::Uncharged(size) if self.arrived < SIZE_BYTES + size => {
                self.head = Head::Dropped(size);
            }
            _ => return,
        }
        self.arrived = 0;
    }

    /// The time that a frame waits for its charge does not count: each wait for the peer begins anew.
    fn set_deadline(&mut self, now: Now) {
        let waits_for_peer = self.state == State::Open
            && match self.head {
                Head::Unknown => self.arrived > 0,
                Head::Charged(_) => true,
                Head::Uncharged(_) | Head::Bad(_) | Head::Dropped(_) => false,
            };
        if !waits_for_peer {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(now.mono + Millis(self.frame_timeout_ms));
        }
    }

    pub(super) fn handle_end_of_input(&mut self) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Ended;
        self.deadline = None;
        self.drop_unfinished();
    }

    /// Drops all that is not taken yet; what comes later is dropped too.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
        self.deadline = None;
        self.arrived = 0;
        self.discharge += self.whole.take().map_or(0, |frame| frame.len());
        match self.head {
            Head::Charged(size) => {
                self.discharge += size;
                self.head = Head::Unknown;
            }
            Head::Uncharged(size) => self.head = Head::Dropped(size),
            Head::Bad(_) => self.head = Head::Unknown,
            Head::Unknown | Head::Dropped(_) => {}
        }
    }

    /// The whole frame that waits for its turn.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        self.whole.as_ref()
    }

    /// Takes it; its charge is the caller's to give back.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.whole.take()
    }

    /// The size that no frame may have, once all before it are taken.
    pub(super) fn bad_size(&self) -> Option<i32> {
        match self.head {
            Head::Bad(size) if self.whole.is_none() => Some(size),
            _ => None,
        }
    }

    /// What the frame at the front needs to be charged, when nothing before it waits.
    pub(super) fn wants_charge(&self) -> usize {
        match self.head {
            Head::Uncharged(size) if self.whole.is_none() => size,
            _ => 0,
        }
    }

    pub(super) fn handle_charged(&mut self) {
        match self.head {
            Head::Uncharged(size) => self.head = Head::Charged(size),
            Head::Dropped(size) => {
                self.discharge += size;
                self.head = Head::Unknown;
            }
            Head::Unknown | Head::Charged(_) | Head::Bad(_) => {
                debug_assert!(false, "a charge that was not asked for");
            }
        }
    }

    /// Gives a taken frame's charge back.
    pub(super) fn discharge(&mut self, size: usize) {
        self.discharge += size;
    }

    pub(super) fn take_discharge(&mut self) -> usize {
        core::mem::take(&mut self.discharge)
    }

    /// Room for the frame under way; without one, `idle` or nothing.
    pub(super) fn wants_read(&self, begin: Begin) -> usize {
        if self.state != State::Open {
            return 0;
        }
        match (self.head, begin) {
            (Head::Charged(size), _) => self.room_for(size),
            (Head::Unknown, Begin::Allowed) => self.read_bytes,
            _ => 0,
        }
    }

    /// A short frame's rest at once; a long one at most doubles what is here, since its size is
    /// only a claim.
    fn room_for(&self, size: usize) -> usize {
        let rest = (SIZE_BYTES + size).saturating_sub(self.arrived);
        if size <= self.frame_eager_bytes {
            return rest.max(self.read_bytes);
        }
        rest.min(self.arrived.max(self.read_bytes))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn handle_timeout(&mut self, now: Now) -> Result<(), ConnectionError> {
        if self.deadline.is_none_or(|deadline| now.mono < deadline) {
            return Ok(());
        }
        let arrived = self.arrived;
        self.stop();
        Err(ConnectionError::FrameTimeout { wait_ms: self.frame_timeout_ms, arrived })
    }

    /// True when no further frame can come.
    pub(super) fn is_exhausted(&self) -> bool {
        match self.state {
            State::Open => false,
            State::Stopped => true,
            State::Ended => {
                self.whole.is_none() && matches!(self.head, Head::Unknown | Head::Dropped(_))
            }
        }
    }
}

/// Whether a further frame may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    Allowed,
    Held,
}
