//! Frames out of the input, one at a time, each charged to the request budget before it is read.

use bytes::{Buf, Bytes, BytesMut};

use super::ConnectionError;
use crate::config::Limits;
use crate::config::limits::READERS_AHEAD;
use crate::frame::{FrameSizeError, SIZE_BYTES, frame_size};
use crate::time::{Instant, Millis, Now};

/// The receiving half of a connection: the frame that is begun, and the one whole frame that waits
/// for its turn. At most one of the two is charged, so a connection never holds the budget for more
/// than one frame that is not with the broker yet.
#[derive(Debug)]
pub(super) struct Intake {
    frame_bytes_max: u32,
    frame_eager_bytes: usize,
    frame_copied_bytes_max: usize,
    frame_timeout_ms: u64,
    read_bytes_min: usize,
    read_bytes_max: usize,
    /// Room for the next read, between these two: what the last ones have brought.
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
    Bad(FrameSizeError),
    /// Dropped while its charge was still awaited: a grant that comes now goes straight back.
    Dropped(usize),
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        let read_bytes = limits.read_bytes as usize;
        let ahead = limits.request_budget_bytes / READERS_AHEAD;
        Self {
            frame_bytes_max: limits.frame_bytes_max,
            frame_eager_bytes: limits.frame_eager_bytes as usize,
            frame_copied_bytes_max: limits.frame_copied_bytes_max as usize,
            frame_timeout_ms: limits.frame_timeout_ms,
            read_bytes_min: read_bytes,
            read_bytes_max: ahead.min(limits.read_ahead_bytes_max as usize).max(read_bytes),
            read_bytes,
            state: State::Open,
            head: Head::Unknown,
            arrived: 0,
            whole: None,
            deadline: None,
            discharge: 0,
        }
    }

    /// True when bytes have come that were not looked at.
    pub(super) fn has_grown(&self, input: &BytesMut) -> bool {
        input.len() > self.arrived
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
        let (count, was_long) = (input.len().saturating_sub(self.arrived), self.is_long());
        self.take_whole(input);
        self.read_size(input);
        if count > 0 && !was_long && !self.is_long() {
            self.note_read(count);
        }
        self.arrived = input.len();
        if let Some(error) = self.bad_size() {
            input.clear();
            self.stop();
            return Err(error.into());
        }
        self.drop_unfinished();
        self.set_deadline(now);
        Ok(())
    }

    /// The frame at the front is longer than any room: it has its own, and says nothing of a pipeline.
    fn is_long(&self) -> bool {
        match self.head {
            Head::Uncharged(size) | Head::Charged(size) => size > self.read_bytes_max,
            Head::Unknown | Head::Bad(_) | Head::Dropped(_) => false,
        }
    }

    /// A peer that fills its reads gets more room, one that does not gets less.
    fn note_read(&mut self, count: usize) {
        if count >= self.read_bytes {
            self.read_bytes = (2 * self.read_bytes).min(self.read_bytes_max);
        } else if count < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(self.read_bytes_min);
        }
    }

    fn take_whole(&mut self, input: &mut BytesMut) {
        let Head::Charged(size) = self.head else { return };
        if input.len() < SIZE_BYTES + size || self.whole.is_some() {
            return;
        }
        input.advance(SIZE_BYTES);
        let copied_bytes_max = self.frame_copied_bytes_max.max(self.read_bytes / 8);
        self.whole = Some(if size <= copied_bytes_max {
            let copy = Bytes::copy_from_slice(&input[..size]);
            input.advance(size);
            copy
        } else {
            input.split_to(size).freeze()
        });
        self.head = Head::Unknown;
        self.deadline = None;
    }

    fn read_size(&mut self, input: &BytesMut) {
        if self.head != Head::Unknown {
            return;
        }
        self.head = match frame_size(input, self.frame_bytes_max) {
            Ok(None) => Head::Unknown,
            // Legal as a frame, but no header fits in.
            Ok(Some(0)) => Head::Bad(FrameSizeError(0)),
            Ok(Some(size)) => Head::Uncharged(size),
            Err(error) => Head::Bad(error),
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
                Head::Unknown => self.arrived > 0 && self.whole.is_none(),
                Head::Charged(_) => true,
                Head::Uncharged(_) | Head::Bad(_) | Head::Dropped(_) => false,
            };
        if !waits_for_peer {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(now.mono + Millis(self.frame_timeout_ms));
        }
    }

    /// What has arrived and was not looked at yet is looked at by the next `handle_bytes`.
    pub(super) fn handle_end_of_input(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
            self.deadline = None;
        }
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
    pub(super) fn bad_size(&self) -> Option<FrameSizeError> {
        match self.head {
            Head::Bad(error) if self.whole.is_none() => Some(error),
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

    /// Room for the frame under way; without one, room for a first read if one may be begun.
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

    /// A peer that is not read (`begin` is held) has its time to finish a size prefix anew.
    pub(super) fn handle_timeout(&mut self, begin: Begin, now: Now) -> Result<(), ConnectionError> {
        if self.deadline.is_none_or(|deadline| now.mono < deadline) {
            return Ok(());
        }
        if self.head == Head::Unknown && begin == Begin::Held {
            self.deadline = Some(now.mono + Millis(self.frame_timeout_ms));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const AT_START: Now = Now { mono: Instant::ZERO, wall_ms: 0 };

    fn after_ms(ms: u64) -> Now {
        Now { mono: Instant::ZERO + Millis(ms), wall_ms: 0 }
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut frame = (body.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    }

    /// Feeds `bytes` in pieces; each whole frame is charged and taken at once.
    fn frames_of(bytes: &[u8], piece: usize) -> (Vec<Bytes>, Intake) {
        let mut intake = Intake::new(&Limits::default());
        let (mut input, mut frames, mut held) = (BytesMut::new(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            input.extend_from_slice(piece);
            intake.handle_bytes(&mut input, AT_START).unwrap();
            loop {
                let wanted = intake.wants_charge();
                if wanted > 0 {
                    held += wanted;
                    intake.handle_charged();
                    intake.handle_bytes(&mut input, AT_START).unwrap();
                }
                let Some(frame) = intake.take() else { break };
                intake.discharge(frame.len());
                held -= intake.take_discharge();
                frames.push(frame);
                intake.handle_bytes(&mut input, AT_START).unwrap();
            }
        }
        let begun = if let Head::Charged(size) = intake.head { size } else { 0 };
        assert_eq!(held, begun, "only the frame under way is charged");
        (frames, intake)
    }

    #[test]
    fn frames_are_the_same_in_pieces_of_any_size() {
        let bodies: [&[u8]; 4] = [b"a", b"bcd", &[7; 300], b"e"];
        let bytes: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
        for piece in [1, 2, 3, 5, 64, bytes.len()] {
            let (frames, intake) = frames_of(&bytes, piece);
            assert_eq!(frames, bodies);
            assert_eq!(intake.poll_timeout(), None);
            assert_eq!(intake.wants_read(Begin::Allowed), 64 << 10);
        }
    }

    #[test]
    fn a_frame_is_a_slice_of_the_input_unless_it_is_small() {
        for (size, is_slice) in [(4, false), (8 << 10, false), ((8 << 10) + 1, true)] {
            let mut intake = Intake::new(&Limits::default());
            let mut input = BytesMut::from(&frame(&vec![7; size])[..]);
            let place = input.as_ptr() as usize + SIZE_BYTES;
            intake.handle_bytes(&mut input, AT_START).unwrap();
            intake.handle_charged();
            intake.handle_bytes(&mut input, AT_START).unwrap();
            let frame = intake.take().unwrap();
            assert_eq!(frame.as_ptr() as usize == place, is_slice, "{size} bytes");
            assert_eq!(frame, vec![7; size]);
        }
    }

    /// Hands `count` bytes of frames of `size` in, each taken at once, and gives the room for the next read.
    fn room_after(intake: &mut Intake, input: &mut BytesMut, count: usize, size: usize) -> usize {
        let frames = frame(&vec![0; size]).repeat(2 + count / size);
        let begun = match intake.head {
            Head::Charged(_) => input.len(),
            _ => 0,
        };
        input.extend_from_slice(&frames[begun..begun + count]);
        loop {
            intake.handle_bytes(input, AT_START).unwrap();
            if intake.wants_charge() > 0 {
                intake.handle_charged();
                continue;
            }
            if intake.take().is_none() {
                return intake.read_bytes;
            }
        }
    }

    #[test]
    fn a_peer_that_fills_its_reads_gets_more_room_until_it_no_longer_does() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::new();
        let counts = [64, 128, 256, 100, 60, 1, 60, 64];
        let rooms = counts.map(|kib| room_after(&mut intake, &mut input, kib << 10, 60_000) >> 10);
        assert_eq!(rooms, [128, 256, 256, 256, 128, 64, 64, 128]);
    }

    #[test]
    fn no_room_is_added_for_long_frames_and_none_where_the_budget_is_small() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::new();
        for _ in 0..8 {
            let room = intake.wants_read(Begin::Allowed);
            assert_eq!(room_after(&mut intake, &mut input, room, 1_000_000), 64 << 10);
        }
        let limits = Limits { request_budget_bytes: 16 << 20, ..Limits::default() };
        let (mut intake, mut input) = (Intake::new(&limits), BytesMut::new());
        assert_eq!(room_after(&mut intake, &mut input, 64 << 10, 60_000), 64 << 10);
    }

    #[test]
    fn an_uncharged_frame_is_not_read() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&frame(&[0; 100])[..10]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!((intake.wants_charge(), intake.wants_read(Begin::Allowed)), (100, 0));
        intake.handle_charged();
        assert_eq!((intake.wants_charge(), intake.wants_read(Begin::Held)), (0, 64 << 10));
    }

    #[test]
    fn the_next_frame_asks_for_its_charge_when_the_one_before_is_taken() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&[frame(b"one"), frame(b"three")].concat()[..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!(intake.wants_charge(), 0);
        assert!(intake.take().is_some());
        assert_eq!(intake.wants_charge(), 5);
    }

    #[test]
    fn a_short_frame_gets_its_room_at_once_and_a_long_one_by_doubling() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&(1_i32 << 20).to_be_bytes()[..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        assert_eq!(intake.wants_read(Begin::Allowed), 1 << 20);

        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&(100_i32 << 20).to_be_bytes()[..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        let (mut total, end) = (4, (100 << 20) + 4);
        while total < end {
            let room = intake.wants_read(Begin::Allowed);
            assert!(room <= total.max(64 << 10), "{room} bytes of room for {total} arrived");
            total += room;
            intake.arrived = total;
        }
        assert_eq!(total, end);
    }

    #[test]
    fn impossible_sizes_are_refused_at_once() {
        for size in [0, -1, i32::MIN, i32::MAX, 104_857_601] {
            let mut intake = Intake::new(&Limits::default());
            let mut input = BytesMut::from(&size.to_be_bytes()[..]);
            let refused = intake.handle_bytes(&mut input, AT_START);
            assert_eq!(refused, Err(FrameSizeError(size).into()));
            assert!(input.is_empty() && intake.is_exhausted());
            assert_eq!(intake.handle_bytes(&mut input, AT_START), Ok(()));
        }
    }

    #[test]
    fn an_impossible_size_waits_for_the_frame_before_it() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&[frame(b"good"), [0xff; 4].to_vec()].concat()[..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!(intake.bad_size(), None);
        assert!(intake.take().is_some());
        assert_eq!(intake.bad_size(), Some(FrameSizeError(-1)));
    }

    #[test]
    fn an_unfinished_frame_times_out() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&[0_u8, 0][..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!(intake.poll_timeout(), Some(after_ms(60_000).mono), "half a size prefix");
        assert_eq!(intake.handle_timeout(Begin::Allowed, after_ms(59_999)), Ok(()));
        assert_eq!(intake.handle_timeout(Begin::Held, after_ms(60_000)), Ok(()));
        assert_eq!(intake.poll_timeout(), Some(after_ms(120_000).mono), "nobody read from it");

        input.extend_from_slice(&[0, 9, 1]);
        intake.handle_bytes(&mut input, after_ms(10)).unwrap();
        assert_eq!(intake.poll_timeout(), None, "it waits for its charge, not for the peer");
        intake.handle_charged();
        intake.handle_bytes(&mut input, after_ms(100_000)).unwrap();
        input.extend_from_slice(&[2]);
        intake.handle_bytes(&mut input, after_ms(130_000)).unwrap();
        assert_eq!(intake.poll_timeout(), Some(after_ms(160_000).mono), "a drip buys no time");
        assert_eq!(
            intake.handle_timeout(Begin::Held, after_ms(160_000)),
            Err(ConnectionError::FrameTimeout { wait_ms: 60_000, arrived: 6 })
        );
        assert_eq!((intake.take_discharge(), intake.poll_timeout()), (9, None));
        assert!(intake.is_exhausted());
    }

    #[test]
    fn after_the_end_whole_frames_remain_and_an_unfinished_one_is_dropped() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&[frame(b"whole"), frame(b"unfinished")].concat()[..15]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_end_of_input();
        assert!(!intake.is_exhausted());
        assert_eq!(intake.wants_charge(), 5);
        intake.handle_charged();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert!(intake.take().is_some());
        assert!(intake.is_exhausted());
        assert_eq!((intake.wants_charge(), intake.wants_read(Begin::Allowed)), (0, 0));
    }

    #[test]
    fn the_end_inside_a_charged_frame_gives_its_charge_back() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&frame(b"unfinished")[..8]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_end_of_input();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!(intake.take_discharge(), 10);
        assert!(intake.is_exhausted());
        assert_eq!(intake.poll_timeout(), None);
    }

    #[test]
    fn a_frame_whose_last_bytes_come_with_the_end_is_whole() {
        let mut intake = Intake::new(&Limits::default());
        let bytes = frame(b"whole");
        let mut input = BytesMut::from(&bytes[..6]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.handle_charged();
        input.extend_from_slice(&bytes[6..]);
        intake.handle_end_of_input();
        intake.handle_bytes(&mut input, AT_START).unwrap();
        assert_eq!(intake.take().unwrap(), b"whole"[..]);
        assert!(intake.is_exhausted());
    }

    #[test]
    fn a_charge_granted_too_late_goes_straight_back() {
        let mut intake = Intake::new(&Limits::default());
        let mut input = BytesMut::from(&frame(b"body")[..]);
        intake.handle_bytes(&mut input, AT_START).unwrap();
        intake.stop();
        assert_eq!((intake.wants_charge(), intake.take_discharge()), (0, 0));
        intake.handle_charged();
        assert_eq!(intake.take_discharge(), 4);
    }
}
