//! Ids that were handed out and not used yet (KIP-394).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::config::limits::{GROUP_PENDING_BYTES_MAX, GROUP_PENDING_MEMBERS_MAX};

/// The members to be of one group.
#[derive(Debug, Default)]
pub(super) struct PendingMembers {
    numbers: BTreeMap<Arc<str>, u64>,
    /// By the order in which they were handed out.
    ids: BTreeMap<u64, Arc<str>>,
    next: u64,
    bytes: usize,
}

impl PendingMembers {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.ids.values()
    }

    pub(super) fn insert(&mut self, id: Arc<str>) {
        debug_assert!(!self.contains(&id), "an id is handed out once");
        self.bytes += id.len();
        self.numbers.insert(Arc::clone(&id), self.next);
        self.ids.insert(self.next, id);
        self.next += 1;
    }

    /// False when it was not there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Some(number) = self.numbers.remove(id) else { return false };
        self.ids.remove(&number);
        self.bytes -= id.len();
        true
    }

    /// The oldest id, when there are more than may be: whoever means to use it does so at once.
    pub(super) fn pop_surplus(&mut self) -> Option<Arc<str>> {
        if self.ids.len() <= GROUP_PENDING_MEMBERS_MAX && self.bytes <= GROUP_PENDING_BYTES_MAX {
            return None;
        }
        let (_, id) = self.ids.pop_first()?;
        self.numbers.remove(&id);
        self.bytes -= id.len();
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::{GROUP_PENDING_BYTES_MAX, GROUP_PENDING_MEMBERS_MAX, PendingMembers};

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut pending = PendingMembers::default();
        for number in 0..=GROUP_PENDING_MEMBERS_MAX {
            assert_eq!(pending.pop_surplus(), None);
            pending.insert(format!("m{number}").into());
        }
        assert_eq!(pending.pop_surplus().as_deref(), Some("m0"));
        assert_eq!(pending.pop_surplus(), None);
        assert!(!pending.contains("m0") && pending.contains("m1"));
    }

    #[test]
    fn long_ids_count_by_their_bytes() {
        let mut pending = PendingMembers::default();
        let long = "x".repeat(GROUP_PENDING_BYTES_MAX / 2);
        pending.insert(format!("{long}1").into());
        assert!(pending.pop_surplus().is_none());
        pending.insert(format!("{long}2").into());
        assert!(pending.pop_surplus().is_some_and(|id| id.ends_with('1')));
        assert!(pending.remove(&format!("{long}2")) && !pending.remove("x"));
        assert!(pending.is_empty() && pending.numbers.is_empty());
        assert_eq!(pending.bytes, 0);
    }
}
