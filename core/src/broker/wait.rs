//! The one way to wait: (log, offset, level).
//!
//! Produce answers, and later duplicates, coordinators' answers, metadata answers and transaction
//! markers all wait until a level's end has passed an offset.

use alloc::collections::{BTreeMap, VecDeque};

use crate::ids::LogId;
use crate::log::Level;

/// Waits of all logs, woken in offset order.
#[derive(Debug)]
pub(super) struct Waits<T> {
    queues: BTreeMap<(LogId, Level), BTreeMap<(i64, u64), T>>,
    due: VecDeque<(T, Wake)>,
    next: u64,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The level's end has passed the offset.
    Passed,
    /// The log is offline: the offset may never be passed.
    Failed,
    /// The log's topic is deleted.
    Gone,
}

impl<T> Waits<T> {
    pub(super) fn new() -> Self {
        Self { queues: BTreeMap::new(), due: VecDeque::new(), next: 0 }
    }

    /// `waiter` waits until `level`'s end of `log` is above `offset`.
    pub(super) fn add(&mut self, log: LogId, level: Level, offset: i64, waiter: T) {
        let order = self.next;
        self.next += 1;
        self.queues.entry((log, level)).or_default().insert((offset, order), waiter);
    }

    /// `level`'s end of `log` is now `end` (the first offset that it does not hold).
    pub(super) fn advance(&mut self, log: LogId, level: Level, end: i64) {
        let Some(queue) = self.queues.get_mut(&(log, level)) else { return };
        let rest = queue.split_off(&(end, 0));
        let passed = core::mem::replace(queue, rest);
        if queue.is_empty() {
            self.queues.remove(&(log, level));
        }
        self.due.extend(passed.into_values().map(|waiter| (waiter, Wake::Passed)));
    }

    /// Nothing more will come of `log`, for this reason.
    pub(super) fn end(&mut self, log: LogId, wake: Wake) {
        for level in [Level::Written, Level::Synced] {
            if let Some(queue) = self.queues.remove(&(log, level)) {
                self.due.extend(queue.into_values().map(|waiter| (waiter, wake)));
            }
        }
    }

    /// The next wait that has ended. Whoever takes only some comes back soon: see [`Self::has_due`].
    pub(super) fn poll(&mut self) -> Option<(T, Wake)> {
        self.due.pop_front()
    }

    /// True while ended waits have not been taken.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Waits, Wake};
    use crate::ids::LogId;
    use crate::log::Level;

    fn drain(waits: &mut Waits<char>) -> Vec<(char, Wake)> {
        core::iter::from_fn(|| waits.poll()).collect()
    }

    #[test]
    fn a_wait_ends_when_the_end_is_above_its_offset() {
        let mut waits = Waits::new();
        waits.add(LogId(1), Level::Synced, 5, 'b');
        waits.add(LogId(1), Level::Synced, 4, 'a');
        waits.add(LogId(1), Level::Written, 4, 'w');
        waits.add(LogId(2), Level::Synced, 0, 'x');
        waits.advance(LogId(1), Level::Synced, 4);
        assert_eq!(drain(&mut waits), []);
        waits.advance(LogId(1), Level::Synced, 5);
        assert_eq!(drain(&mut waits), [('a', Wake::Passed)]);
        waits.advance(LogId(1), Level::Synced, 6);
        assert!(waits.has_due());
        assert_eq!(drain(&mut waits), [('b', Wake::Passed)]);
        waits.advance(LogId(1), Level::Written, 5);
        assert_eq!(drain(&mut waits), [('w', Wake::Passed)]);
    }

    #[test]
    fn waits_on_one_offset_end_in_the_order_in_which_they_came() {
        let mut waits = Waits::new();
        for waiter in ['a', 'b', 'c'] {
            waits.add(LogId(1), Level::Written, 7, waiter);
        }
        waits.advance(LogId(1), Level::Written, 8);
        let order: Vec<char> = drain(&mut waits).into_iter().map(|(waiter, _)| waiter).collect();
        assert_eq!(order, ['a', 'b', 'c']);
    }

    #[test]
    fn an_ended_log_ends_all_its_waits_and_no_others() {
        let mut waits = Waits::new();
        waits.add(LogId(1), Level::Written, 1, 'a');
        waits.add(LogId(1), Level::Synced, 9, 'b');
        waits.add(LogId(2), Level::Synced, 9, 'c');
        waits.end(LogId(1), Wake::Failed);
        assert_eq!(drain(&mut waits), [('a', Wake::Failed), ('b', Wake::Failed)]);
        waits.advance(LogId(2), Level::Synced, 10);
        assert_eq!(drain(&mut waits), [('c', Wake::Passed)]);
    }
}
