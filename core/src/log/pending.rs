//! The effects of a log that are out, in the order of the offsets they stand for.

use alloc::collections::VecDeque;

use super::place::Place;
use crate::ids::EffectId;

/// What an effect was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A write to the segment of its place.
    Segment,
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
    end: Place,
    target: Target,
    is_complete: bool,
}

impl Pending {
    pub(super) fn push(&mut self, id: EffectId, end: Place, target: Target) {
        debug_assert!(
            self.entries.back().is_none_or(|last| last.id < id && last.end.offset <= end.offset),
            "ids and ends rise"
        );
        self.entries.push_back(Entry { id, end, target, is_complete: false });
    }

    /// Marks an effect complete and tells what it was for, and the place that it ends at; `None` if it
    /// is not out.
    pub(super) fn complete(&mut self, id: EffectId) -> Option<(Target, Place)> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        let entry = &mut self.entries[at];
        if core::mem::replace(&mut entry.is_complete, true) {
            return None;
        }
        Some((entry.target, entry.end))
    }

    /// Takes the complete prefix away; the end that it reached, if there was one.
    pub(super) fn advance(&mut self) -> Option<Place> {
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
