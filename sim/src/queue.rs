//! The one queue of a run: events ordered by (time, id), and the clock that they move.

use std::collections::BTreeMap;

/// Events that wait for their time. Those of one time leave in the order in which they came.
#[derive(Debug)]
pub struct Queue<E> {
    waiting: BTreeMap<(u64, u64), E>,
    now_micros: u64,
    next_id: u64,
    taken: u64,
}

/// Names one waiting event, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64, u64);

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), now_micros: 0, next_id: 0, taken: 0 }
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
        self.waiting.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds an event that is due `after_micros` from now.
    pub fn push(&mut self, after_micros: u64, event: E) -> Ticket {
        self.push_at(self.now_micros.saturating_add(after_micros), event)
    }

    /// Adds an event that is due at `at_micros`, or now when that is past.
    pub fn push_at(&mut self, at_micros: u64, event: E) -> Ticket {
        let ticket = Ticket(at_micros.max(self.now_micros), self.next_id);
        self.next_id += 1;
        self.waiting.insert((ticket.0, ticket.1), event);
        ticket
    }

    /// Takes an event back that has not happened yet.
    pub fn cancel(&mut self, ticket: Ticket) -> Option<E> {
        self.waiting.remove(&(ticket.0, ticket.1))
    }

    /// Takes the next event and moves the clock to its time.
    pub fn pop(&mut self) -> Option<E> {
        let ((at, _), event) = self.waiting.pop_first()?;
        self.now_micros = at;
        self.taken += 1;
        Some(event)
    }

    /// Drops every waiting event that `keep` refuses.
    pub fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        self.waiting.retain(|_, event| keep(event));
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
}
