//! Who is to be told when a log moves: its level's end, its start, or it goes.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::set::{SetId, Slot};
use crate::ids::LogId;

type Watchers = BTreeSet<(SetId, Slot)>;

/// Watches of all logs. Each is for one move: whoever wants to hear of the next one watches again.
#[derive(Debug, Default)]
pub(super) struct Watches {
    logs: BTreeMap<LogId, Watchers>,
    /// Those that are to be told. A new watch on the same log is not among them, and waits for a
    /// new move.
    due: VecDeque<(LogId, Watchers)>,
}

impl Watches {
    pub(super) fn add(&mut self, log: LogId, set: SetId, slot: Slot) {
        self.logs.entry(log).or_default().insert((set, slot));
    }

    pub(super) fn remove(&mut self, log: LogId, set: SetId, slot: Slot) {
        let Some(watchers) = self.logs.get_mut(&log) else { return };
        watchers.remove(&(set, slot));
        if watchers.is_empty() {
            self.logs.remove(&log);
        }
    }

    /// The log has moved, or is gone.
    pub(super) fn moved(&mut self, log: LogId) {
        self.due.extend(self.logs.remove(&log).map(|watchers| (log, watchers)));
    }

    /// The next one to tell; it may be gone by now. Whoever takes only some comes back soon.
    pub(super) fn poll(&mut self) -> Option<(LogId, SetId, Slot)> {
        loop {
            let (log, watchers) = self.due.front_mut()?;
            if let Some((set, slot)) = watchers.pop_first() {
                return Some((*log, set, slot));
            }
            self.due.pop_front();
        }
    }

    pub(super) fn has_due(&self) -> bool {
        self.due.iter().any(|(_, watchers)| !watchers.is_empty())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty() && !self.has_due()
    }
}

#[cfg(test)]
mod tests {
    use super::Watches;
    use crate::broker::fetch::set::{SetId, Slot};
    use crate::ids::LogId;

    #[test]
    fn a_move_is_told_once_to_those_who_watched_before_it() {
        let mut watches = Watches::default();
        watches.add(LogId(1), SetId(1), Slot::FIRST);
        watches.add(LogId(1), SetId(2), Slot::FIRST);
        watches.add(LogId(2), SetId(3), Slot::FIRST);
        watches.moved(LogId(1));
        assert_eq!(watches.poll(), Some((LogId(1), SetId(1), Slot::FIRST)));
        watches.add(LogId(1), SetId(1), Slot::FIRST);
        assert!(watches.has_due());
        assert_eq!(watches.poll(), Some((LogId(1), SetId(2), Slot::FIRST)));
        assert_eq!(watches.poll(), None);
        watches.moved(LogId(1));
        assert_eq!(watches.poll(), Some((LogId(1), SetId(1), Slot::FIRST)));
    }

    #[test]
    fn a_watch_that_is_taken_back_leaves_nothing() {
        let mut watches = Watches::default();
        watches.add(LogId(1), SetId(1), Slot::FIRST);
        watches.remove(LogId(1), SetId(1), Slot::FIRST);
        watches.remove(LogId(1), SetId(1), Slot::FIRST);
        assert!(watches.is_empty());
        watches.moved(LogId(1));
        assert_eq!(watches.poll(), None);
    }
}
