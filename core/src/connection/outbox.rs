//! Answers in request order: a slot for each request that the broker has, then chunks.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Chunk;
use crate::ids::RequestNumber;

/// What became of a request, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A whole frame, in chunks; at least one.
    Frame(Vec<Chunk>),
    /// Nothing is sent; only the order moves on.
    Nothing,
    /// Nothing is sent, and nothing after it: the connection closes.
    Close,
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Frame(chunks) => chunks.iter().map(Chunk::bytes).sum(),
            Self::Nothing | Self::Close => 0,
        }
    }
}

/// Which requests may be with the broker together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Produce: beside other Produces.
    Shared,
    /// Anything else: alone, as in Kafka.
    Alone,
}

/// The sending half of a connection. `P` is what a request's answer is encoded with.
#[derive(Debug)]
pub(super) struct Outbox<P> {
    slots: VecDeque<Slot<P>>,
    /// Number of the front slot.
    first: u64,
    chunks: VecDeque<Chunk>,
    /// Handed out, not transmitted yet.
    leaving: VecDeque<Leaving>,
    unsent_bytes: usize,
    transmitted: u64,
}

#[derive(Debug)]
struct Slot<P> {
    turn: Turn,
    state: SlotState<P>,
}

#[derive(Debug)]
enum SlotState<P> {
    Waiting(P),
    Answered(Answer),
}

#[derive(Debug)]
struct Leaving {
    bytes: usize,
    /// Responses that have wholly left with this chunk.
    responses: u64,
}

/// What [`Outbox::answer`] found at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// An answer said [`Answer::Close`]: all behind it is dropped.
    Closed,
}

/// Queues longer than this give their memory back when they are empty.
const KEPT_CAPACITY: usize = 4;

impl<P> Outbox<P> {
    pub(super) fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            chunks: VecDeque::new(),
            leaving: VecDeque::new(),
            unsent_bytes: 0,
            transmitted: 0,
        }
    }

    /// True when a request may join those that are unanswered.
    pub(super) fn admits(&self, turn: Turn) -> bool {
        match turn {
            Turn::Alone => self.slots.is_empty(),
            Turn::Shared => self.slots.back().is_none_or(|last| last.turn == Turn::Shared),
        }
    }

    pub(super) fn push(&mut self, turn: Turn, plan: P) -> RequestNumber {
        let number = self.first + self.slots.len() as u64;
        self.slots.push_back(Slot { turn, state: SlotState::Waiting(plan) });
        RequestNumber(number)
    }

    /// Encodes the answer, which goes into its place; what is in order now leaves. A request that
    /// was dropped is not answered.
    pub(super) fn answer(
        &mut self,
        number: RequestNumber,
        encode: impl FnOnce(P) -> Answer,
    ) -> Flow {
        let Some(slot) = self.slot(number) else { return Flow::Open };
        let state = core::mem::replace(&mut slot.state, SlotState::Answered(Answer::Nothing));
        let SlotState::Waiting(plan) = state else {
            panic!("invariant: one response for each request");
        };
        let answer = encode(plan);
        let bytes = answer.bytes();
        slot.state = SlotState::Answered(answer);
        self.unsent_bytes += bytes;
        self.release()
    }

    fn slot(&mut self, number: RequestNumber) -> Option<&mut Slot<P>> {
        let index = usize::try_from(number.0.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }

    fn release(&mut self) -> Flow {
        while let Some(Slot { state: SlotState::Answered(_), .. }) = self.slots.front() {
            let Some(Slot { state: SlotState::Answered(answer), .. }) = self.slots.pop_front()
            else {
                break;
            };
            self.first += 1;
            match answer {
                Answer::Frame(chunks) => {
                    let leaving = |chunk: &Chunk| Leaving { bytes: chunk.bytes(), responses: 0 };
                    self.leaving.extend(chunks.iter().map(leaving));
                    self.chunks.extend(chunks);
                    self.end_response();
                }
                Answer::Nothing => self.end_response(),
                Answer::Close => return Flow::Closed,
            }
        }
        shrink(&mut self.slots);
        Flow::Open
    }

    /// A response has wholly left when all that is leaving now has.
    fn end_response(&mut self) {
        match self.leaving.back_mut() {
            Some(last) => last.responses += 1,
            None => self.transmitted += 1,
        }
    }

    /// Drops the requests that are unanswered, and gives what was kept for them.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = P> {
        let slots = core::mem::take(&mut self.slots);
        for slot in &slots {
            if let SlotState::Answered(answer) = &slot.state {
                self.unsent_bytes -= answer.bytes();
            }
        }
        self.first += slots.len() as u64;
        slots.into_iter().filter_map(|slot| match slot.state {
            SlotState::Waiting(plan) => Some(plan),
            SlotState::Answered(_) => None,
        })
    }

    /// Drops what has not left: the peer is gone.
    pub(super) fn clear_unsent(&mut self) {
        self.chunks = VecDeque::new();
        self.leaving = VecDeque::new();
        self.unsent_bytes = 0;
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front();
        shrink(&mut self.chunks);
        chunk
    }

    pub(super) fn handle_transmitted(&mut self, chunks: usize) {
        for _ in 0..chunks {
            let Some(left) = self.leaving.pop_front() else {
                debug_assert!(false, "more chunks transmitted than were handed out");
                return;
            };
            self.unsent_bytes -= left.bytes;
            self.transmitted += left.responses;
        }
        shrink(&mut self.leaving);
    }

    /// Responses that have left the process entirely, empty ones included.
    pub(super) fn transmitted(&self) -> u64 {
        self.transmitted
    }

    pub(super) fn unanswered(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// True when nothing is left to answer or to send.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.leaving.is_empty()
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT_CAPACITY {
        *queue = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use bytes::Bytes;

    use super::*;
    use crate::effect::{FileRange, FileRef, Path};
    use crate::ids::{FileId, JobId};

    fn answer(outbox: &mut Outbox<&'static str>, number: u64) -> Flow {
        outbox.answer(RequestNumber(number), |plan| Answer::Frame(vec![chunk(plan)]))
    }

    fn sent(outbox: &mut Outbox<&'static str>) -> Vec<Chunk> {
        core::iter::from_fn(|| outbox.poll_transmit()).collect()
    }

    fn chunk(text: &'static str) -> Chunk {
        Chunk::Bytes(Bytes::from(text))
    }

    #[test]
    fn answers_in_reverse_leave_in_order() {
        let mut outbox = Outbox::new();
        for plan in ["zero", "one", "two"] {
            outbox.push(Turn::Shared, plan);
        }
        assert_eq!(answer(&mut outbox, 2), Flow::Open);
        answer(&mut outbox, 1);
        assert_eq!(outbox.poll_transmit(), None);
        assert_eq!(outbox.unsent_bytes(), 6);
        answer(&mut outbox, 0);
        assert_eq!(sent(&mut outbox), [chunk("zero"), chunk("one"), chunk("two")]);
        assert_eq!((outbox.unanswered(), outbox.unsent_bytes()), (0, 10));
        outbox.handle_transmitted(2);
        assert_eq!((outbox.transmitted(), outbox.is_empty()), (2, false));
        outbox.handle_transmitted(1);
        assert_eq!((outbox.transmitted(), outbox.unsent_bytes()), (3, 0));
        assert!(outbox.is_empty());
    }

    #[test]
    fn only_shared_turns_stand_beside_each_other() {
        let mut outbox = Outbox::new();
        assert!(outbox.admits(Turn::Alone) && outbox.admits(Turn::Shared));
        outbox.push(Turn::Shared, "produce");
        assert!(!outbox.admits(Turn::Alone) && outbox.admits(Turn::Shared));
        answer(&mut outbox, 0);
        outbox.push(Turn::Alone, "metadata");
        assert!(!outbox.admits(Turn::Alone) && !outbox.admits(Turn::Shared));
    }

    #[test]
    fn an_empty_answer_counts_when_all_before_it_have_left() {
        let mut outbox = Outbox::new();
        outbox.push(Turn::Shared, "zero");
        outbox.push(Turn::Shared, "one");
        outbox.answer(RequestNumber(1), |_| Answer::Nothing);
        answer(&mut outbox, 0);
        assert_eq!((sent(&mut outbox).len(), outbox.transmitted()), (1, 0));
        outbox.handle_transmitted(1);
        assert_eq!(outbox.transmitted(), 2);
        outbox.push(Turn::Shared, "two");
        outbox.answer(RequestNumber(2), |_| Answer::Nothing);
        assert_eq!((outbox.transmitted(), outbox.is_empty()), (3, true));
    }

    #[test]
    fn a_closing_answer_drops_all_behind_it() {
        let mut outbox = Outbox::new();
        for plan in ["zero", "one", "two", "three"] {
            outbox.push(Turn::Shared, plan);
        }
        answer(&mut outbox, 2);
        outbox.answer(RequestNumber(1), |_| Answer::Close);
        assert_eq!(answer(&mut outbox, 0), Flow::Closed);
        assert_eq!(outbox.abandon().collect::<Vec<_>>(), ["three"]);
        assert_eq!(sent(&mut outbox), [chunk("zero")]);
        assert_eq!(outbox.unsent_bytes(), 4);
        assert_eq!(answer(&mut outbox, 3), Flow::Open, "nobody waits for it");
        outbox.handle_transmitted(1);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_response_has_left_with_its_last_chunk() {
        let id = FileId { owner: JobId::BROKER, number: 1 };
        let file = FileRef { id, path: Path::new("d/t-0/0.log") };
        let range = Chunk::File(FileRange { file, position: 5, length: 100 });
        let mut outbox = Outbox::new();
        outbox.push(Turn::Shared, "fetch");
        outbox.push(Turn::Shared, "one");
        answer(&mut outbox, 1);
        let frame = vec![chunk("before"), range.clone(), chunk("behind")];
        outbox.answer(RequestNumber(0), |_| Answer::Frame(frame));
        assert_eq!(outbox.unsent_bytes(), 6 + 100 + 6 + 3, "ranges count as what they send");
        let all = [chunk("before"), range, chunk("behind"), chunk("one")];
        assert_eq!(sent(&mut outbox), all);
        outbox.handle_transmitted(2);
        assert_eq!((outbox.transmitted(), outbox.unsent_bytes()), (0, 9));
        outbox.handle_transmitted(1);
        assert_eq!((outbox.transmitted(), outbox.unsent_bytes()), (1, 3));
        outbox.handle_transmitted(1);
        assert_eq!((outbox.transmitted(), outbox.is_empty()), (2, true));
    }

    #[test]
    fn an_idle_outbox_keeps_no_long_queue() {
        let mut outbox = Outbox::new();
        for number in 0..100 {
            outbox.push(Turn::Shared, "plan");
            answer(&mut outbox, number);
        }
        assert_eq!(sent(&mut outbox).len(), 100);
        outbox.handle_transmitted(100);
        let kept = outbox.slots.capacity() + outbox.chunks.capacity() + outbox.leaving.capacity();
        assert!(kept <= 3 * KEPT_CAPACITY, "{kept} entries");
    }
}
