//! The effects of a log that are out, in the order of the offsets they stand for.

use alloc::collections::VecDeque;

use crate::ids::EffectId;

/// What an effect was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A write to the segment with this base offset.
    Segment { base_offset: i64 },
    /// The replacement of the epoch checkpoint.
    Epochs,
}

/// Accepted and not yet part of the contiguous prefix. Ids and ends both rise.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: EffectId,
    /// The log's end once this and everything before it is complete.
    end: i64,
    target: Target,
    is_complete: bool,
}

impl Pending {
    pub(super) fn push(&mut self, id: EffectId, end: i64, target: Target) {
        debug_assert!(
            self.entries.back().is_none_or(|last| last.id < id && last.end <= end),
            "ids and ends rise"
        );
        self.entries.push_back(Entry { id, end, target, is_complete: false });
    }

    /// Marks an effect complete and tells what it was for; `None` if it is not out.
    pub(super) fn complete(&mut self, id: EffectId) -> Option<Target> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        let entry = &mut self.entries[at];
        if core::mem::replace(&mut entry.is_complete, true) {
            return None;
        }
        Some(entry.target)
    }

    /// Takes the complete prefix away; the end that it reached, if there was one.
    pub(super) fn advance(&mut self) -> Option<i64> {
        let mut end = None;
        while self.entries.front().is_some_and(|entry| entry.is_complete) {
            end = self.entries.pop_front().map(|entry| entry.end);
        }
        end
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
