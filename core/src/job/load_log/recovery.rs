//! What the batches of a log's segments add up to.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::context::LoadLogContext;
use super::scan::Found;
use super::segments::FoundSegment;
use crate::checkpoint::LeaderEpochs;
use crate::log::{IndexedBatch, OFFSET_MAX};

/// The first place where the log does not go on.
#[derive(Debug)]
pub(super) struct Fault {
    /// Which segment, counted from the first.
    pub(super) segment: usize,
    /// Bytes of it that are good; `None` when all of it must go, because what precedes it is missing.
    pub(super) good: Option<u64>,
    /// What is wrong there.
    pub(super) reason: String,
}

/// The offsets seen so far.
#[derive(Debug)]
pub(super) struct Offsets {
    /// The offset that the next record would have; the log's start before the first segment.
    pub(super) end: i64,
    /// The leader epochs of the batches.
    pub(super) epochs: LeaderEpochs,
    trusted_end: i64,
    synced_end: Option<i64>,
    /// Where the log ended at the clean stop behind which it is loaded, if that is known.
    closed_at: Option<i64>,
    /// As it is checkpointed; nothing below it counts.
    log_start: i64,
    index_interval_bytes: u32,
    has_begun: bool,
}

impl Offsets {
    pub(super) fn new(context: &LoadLogContext) -> Self {
        let log_start = context.log_start.unwrap_or(0).max(0);
        Self {
            end: log_start,
            log_start,
            epochs: LeaderEpochs::default(),
            trusted_end: context.trusted_end(),
            synced_end: context.synced_end,
            closed_at: context.closed_at(),
            index_interval_bytes: context.config.index_interval_bytes,
            has_begun: false,
        }
    }

    /// Goes on to the segment that begins at `base_offset`.
    ///
    /// What this broker has appended since the synced end has no gaps. One there means that a segment
    /// was begun while writes before it were lost, and then nothing in it was ever answered. Below
    /// it, gaps are what compaction and retention leave; both must therefore have the synced
    /// checkpoint, or the checkpointed log start, above what they take away.
    pub(super) fn enter(&mut self, base_offset: i64) -> Result<(), String> {
        self.check_gap(base_offset)?;
        let end = self.end;
        // The first segment may begin below the log's start.
        self.end = if self.has_begun { end.max(base_offset) } else { base_offset };
        self.has_begun = true;
        Ok(())
    }

    fn check_gap(&self, base_offset: i64) -> Result<(), String> {
        let end = self.end;
        let gaps_end = self.synced_end.map(|synced| synced.max(self.log_start));
        if gaps_end.is_some_and(|gaps_end| base_offset > end.max(gaps_end)) {
            return Err(format!("offsets {end} to {} before it are missing", base_offset - 1));
        }
        Ok(())
    }

    /// Takes the next batch of `segment`.
    pub(super) fn take(&mut self, segment: &mut FoundSegment, found: &Found) -> Result<(), String> {
        let &Found { position, size, base_offset, last_offset, .. } = found;
        let &Found { leader_epoch, max_timestamp_ms, .. } = found;
        let possible = last_offset.filter(|last| *last < OFFSET_MAX);
        let last_offset = possible.ok_or("its offsets cannot be")?;
        if base_offset < self.end {
            return Err(format!("its first offset is {base_offset}, after {}", self.end - 1));
        }
        // The CRC does not cover the base offset.
        let closed_at = self.closed_at.filter(|closed_at| last_offset >= *closed_at);
        if let Some(closed_at) = closed_at {
            return Err(format!(
                "its offsets go to {last_offset}, the log was closed at {closed_at}"
            ));
        }
        self.check_gap(base_offset)?;
        self.end = last_offset + 1;
        self.epochs.assign(leader_epoch, base_offset);
        if position == 0 {
            segment.first_timestamp_ms = max_timestamp_ms;
        }
        let batch = IndexedBatch { position, size, last_offset, max_timestamp_ms };
        segment.indexes.note(&batch, self.index_interval_bytes);
        if self.end > self.trusted_end && segment.unsynced_from.is_none() {
            segment.unsynced_from = Some(position);
        }
        Ok(())
    }
}

/// Whether the batches, as far as they were seen, are of other epochs than the checkpoint says. One
/// that only ends too early is none: it is completed.
pub(super) fn contradicts(on_disk: &LeaderEpochs, seen: &LeaderEpochs, log_start: i64) -> bool {
    let known = on_disk.entries();
    let relevant = seen.entries().iter().filter(|entry| entry.start_offset >= log_start);
    let mut relevant = relevant.filter(|_| !known.is_empty());
    relevant.any(|entry| {
        let before = known.partition_point(|it| it.start_offset <= entry.start_offset);
        match before.checked_sub(1).and_then(|at| known.get(at)) {
            Some(said) => {
                said.epoch > entry.epoch || said.epoch < entry.epoch && before < known.len()
            }
            None => true,
        }
    })
}

/// The epochs of a loaded log, and whether the checkpoint on disk lacks some of them.
///
/// The checkpoint comes first, as in `LeaderEpochFileCache`; the batches add what it lacks, and stand
/// in for it when it is missing or contradicts them.
pub(super) fn merge_epochs(
    on_disk: Option<LeaderEpochs>,
    mut seen: LeaderEpochs,
    log_start: i64,
    end: i64,
) -> (LeaderEpochs, bool) {
    seen.truncate_from_start(log_start);
    seen.truncate_from_end(end);
    let Some(mut merged) = on_disk else {
        let is_missing = !seen.entries().is_empty();
        return (seen, is_missing);
    };
    merged.truncate_from_start(log_start);
    merged.truncate_from_end(end);
    let last = merged.entries().last().copied();
    let later: Vec<_> = seen
        .entries()
        .iter()
        .filter(|entry| last.is_none_or(|last| entry.epoch > last.epoch))
        .copied()
        .collect();
    let Some(first) = later.first() else { return (merged, false) };
    if last.is_some_and(|last| first.start_offset < last.start_offset) {
        return (seen, true);
    }
    for entry in later {
        merged.assign(entry.epoch, entry.start_offset);
    }
    (merged, true)
}

#[cfg(test)]
mod tests {
    use super::merge_epochs;
    use crate::checkpoint::LeaderEpochs;

    fn epochs(pairs: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in pairs {
            epochs.assign(epoch, start);
        }
        epochs
    }

    #[test]
    fn checkpoint_is_taken_as_it_is_when_it_lacks_nothing() {
        let disk = epochs(&[(0, 0), (1, 5), (3, 10)]);
        let merged = merge_epochs(Some(disk.clone()), epochs(&[(0, 0), (3, 12)]), 0, 20);
        assert_eq!(merged, (disk, false));
    }

    #[test]
    fn entries_outside_the_log_are_dropped() {
        let disk = epochs(&[(0, 0), (1, 5), (3, 10)]);
        let merged = merge_epochs(Some(disk), epochs(&[(0, 0), (1, 5)]), 7, 10);
        assert_eq!(merged, (epochs(&[(1, 7)]), false));
    }

    #[test]
    fn batches_add_what_the_checkpoint_lacks() {
        let merged = merge_epochs(Some(epochs(&[(0, 0)])), epochs(&[(0, 0), (2, 8)]), 0, 10);
        assert_eq!(merged, (epochs(&[(0, 0), (2, 8)]), true));
        assert_eq!(merge_epochs(None, epochs(&[(2, 0)]), 0, 10), (epochs(&[(2, 0)]), true));
        assert_eq!(merge_epochs(None, epochs(&[]), 0, 0), (epochs(&[]), false));
    }

    #[test]
    fn contradicting_checkpoint_gives_way_to_the_batches() {
        let merged = merge_epochs(Some(epochs(&[(1, 9)])), epochs(&[(2, 3)]), 0, 10);
        assert_eq!(merged, (epochs(&[(2, 3)]), true));
    }
}
