//! The one queue of a run: events ordered by (time, id), and the clock that they move.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events that wait for their time. Those of one time leave in the order in which they came.
#[derive(Debug)]
pub struct Queue<E> {
    /// Time, id and place; what was taken back or dropped is still in it.
    order: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// Events with their ids, by place.
    waiting: Vec<Option<(u64, E)>>,
    free: Vec<usize>,
    now_micros: u64,
    next_id: u64,
    taken: u64,
}

/// Beyond as many as wait, so many that do not are kept in order: deadlines are taken back all the
/// time, long before they come.
const GONE_MAX: usize = 64;

/// Names one waiting event, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    id: u64,
    place: usize,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            order: BinaryHeap::new(),
            waiting: Vec::new(),
            free: Vec::new(),
            now_micros: 0,
            next_id: 0,
            taken: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Microseconds since the run began: the time of the event taken last.
    pub fn now_micros(&self) -> u64 {
        self.now_micros
    }

    /// Events taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Events that wait.
    pub fn len(&self) -> usize {
        self.waiting.len() - self.free.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an event that is due `after_micros` from now.
    pub fn push(&mut self, after_micros: u64, event: E) -> Ticket {
        self.push_at(self.now_micros.saturating_add(after_micros), event)
    }

    /// Adds an event that is due at `at_micros`, or now when that is past.
    pub fn push_at(&mut self, at_micros: u64, event: E) -> Ticket {
        if self.order.len() > 2 * self.len() + GONE_MAX {
            let waiting = &self.waiting;
            self.order.retain(|Reverse((_, id, place))| {
                waiting[*place].as_ref().is_some_and(|(other, _)| other == id)
            });
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.waiting.push(None);
            self.waiting.len() - 1
        });
        let id = self.next_id;
        self.next_id += 1;
        self.waiting[place] = Some((id, event));
        self.order.push(Reverse((at_micros.max(self.now_micros), id, place)));
        Ticket { id, place }
    }

    /// Takes an event back that has not happened yet.
    pub fn cancel(&mut self, Ticket { id, place }: Ticket) -> Option<E> {
        let (_, event) = self.waiting[place].take_if(|(other, _)| *other == id)?;
        self.free.push(place);
        Some(event)
    }

    /// Takes the next event and moves the clock to its time.
    pub fn pop(&mut self) -> Option<E> {
        loop {
            let Reverse((at, id, place)) = self.order.pop()?;
            if let Some(event) = self.cancel(Ticket { id, place }) {
                self.now_micros = at;
                self.taken += 1;
                return Some(event);
            }
        }
    }

    /// Drops every waiting event that `keep` refuses.
    pub fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        for (place, waiting) in self.waiting.iter_mut().enumerate() {
            if waiting.take_if(|(_, event)| !keep(event)).is_some() {
                self.free.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn events_leave_by_time_then_by_arrival() {
        let mut queue = Queue::default();
        queue.push(5, 'c');
        queue.push(3, 'a');
        queue.push(3, 'b');
        let gone = queue.push(4, 'x');
        assert_eq!(queue.cancel(gone), Some('x'));
        assert_eq!((queue.pop(), queue.now_micros()), (Some('a'), 3));
        queue.push(0, 'n');
        assert_eq!(queue.pop(), Some('b'));
        assert_eq!(queue.pop(), Some('n'));
        assert_eq!((queue.pop(), queue.now_micros()), (Some('c'), 5));
        assert_eq!((queue.pop(), queue.taken()), (None, 4));
    }

    #[test]
    fn what_was_taken_back_or_dropped_leaves_its_place_to_another() {
        let mut queue = Queue::default();
        let first = queue.push(1, 'a');
        assert_eq!(queue.cancel(first), Some('a'));
        queue.push(2, 'b');
        assert_eq!((queue.cancel(first), queue.len()), (None, 1));
        queue.push(3, 'c');
        queue.retain(|event| *event == 'c');
        queue.push(4, 'd');
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some('c'), Some('d'), None]);
        assert!(queue.is_empty());
    }
}
