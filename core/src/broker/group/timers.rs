//! Deadlines of a shard, each by its key: setting one again moves it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum TimerKey {
    /// A member's session ends without a heartbeat; or a member id that was handed out and not used (KIP-394).
    Session { group: Arc<str>, member: Arc<str> },
    /// A rebalance waits no longer for members to join; or the first one of an empty group begins.
    Join { group: Arc<str> },
    /// A rebalance waits no longer for members to ask for their assignment.
    Sync { group: Arc<str> },
}

/// The deadlines of a shard.
#[derive(Debug, Default)]
pub(in crate::broker) struct Timers {
    at: BTreeMap<TimerKey, Instant>,
    due: BTreeSet<(Instant, TimerKey)>,
}

impl Timers {
    /// The earliest.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(in crate::broker) fn set(&mut self, key: TimerKey, at: Instant) {
        if let Some(before) = self.at.insert(key.clone(), at) {
            self.due.remove(&(before, key.clone()));
        }
        self.due.insert((at, key));
    }

    pub(in crate::broker) fn cancel(&mut self, key: &TimerKey) {
        if let Some(at) = self.at.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    #[cfg(test)]
    pub(in crate::broker) fn is_set(&self, key: &TimerKey) -> bool {
        self.at.contains_key(key)
    }

    /// The earliest, if it is due.
    pub(in crate::broker) fn pop(&mut self, now: Instant) -> Option<TimerKey> {
        if self.deadline()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{TimerKey, Timers};
    use crate::time::Instant;

    #[test]
    fn a_deadline_that_is_set_again_moves() {
        let key = |group: &str| TimerKey::Join { group: group.into() };
        let at = Instant::from_micros;
        let mut timers = Timers::default();
        timers.set(key("a"), at(10));
        timers.set(key("b"), at(20));
        timers.set(key("a"), at(30));
        assert_eq!(timers.deadline(), Some(at(20)));
        assert_eq!(timers.pop(at(19)), None);
        assert_eq!(timers.pop(at(30)), Some(key("b")));
        assert_eq!(timers.pop(at(30)), Some(key("a")));
        timers.set(key("a"), at(40));
        timers.cancel(&key("a"));
        assert_eq!((timers.deadline(), timers.pop(at(50))), (None, None));
    }
}
