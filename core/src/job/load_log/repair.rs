//! The half of loading that changes the directory, once all of it has been read.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::recovery::{Fault, contradicts, merge_epochs};
use super::segments::{self, FoundSegment, Trust};
use super::{LoadLog, OPERATIONS_MAX, Stage, read_result};
use crate::checkpoint::{LeaderEpochs, replace_file};
use crate::effect::{Operation, OperationResult};
use crate::event::Event;
use crate::log::producers::ProducerStates;
use crate::log::{FileSuffix, begin_index, companion, file_name};

/// What has to go.
#[derive(Debug, Default)]
struct Cut {
    /// Index and transaction index files with this offset in their name or a higher one.
    indexes_from: Option<i64>,
    /// Segments, from the first one that goes.
    removed: Vec<FoundSegment>,
}

impl LoadLog {
    /// Every batch that has to be is looked at. A snapshot above the end was taken for a log that has
    /// lost something since, and epochs that are not those of the batches are no epochs: everything is
    /// read again, without them.
    pub(super) fn end_walk(&mut self) {
        let end = self.offsets.end;
        let is_above = self.replay.snapshot.is_some_and(|offset| offset > end);
        let seen = &self.offsets.epochs;
        let contradicted = |found: &mut LeaderEpochs| contradicts(found, seen, self.log_start);
        if is_above {
            self.snapshot_max = end;
        } else if self.epochs_on_disk.take_if(contradicted).is_some() {
            let (path, name) = (&self.context.path, LeaderEpochs::FILE);
            self.warn(format!(
                "{path}/{name} is made anew: its epochs are not those of the batches"
            ));
        } else {
            return self.plan(None);
        }
        let open = self.segments.iter().filter(|segment| segment.is_open);
        let mut operations: Vec<_> =
            open.map(|segment| Operation::Close(segment.file.clone())).collect();
        operations.push(Operation::List(self.context.path.clone()));
        self.emit(Stage::Relist, operations);
    }

    /// Everything is read: decides what stays, and prepares the effects that bring it about.
    pub(super) fn plan(&mut self, fault: Option<Fault>) {
        if let Err(reason) = self.check_damage(fault.as_ref()) {
            return self.fail(reason);
        }
        let mut cut = Cut::default();
        let mut shortened = None;
        if let Some(fault) = fault {
            shortened = self.cut_at(fault, &mut cut);
        }
        if let Some(first) = self.segments.first() {
            self.log_start = self.log_start.max(first.base_offset);
        }
        if self.offsets.end < self.log_start {
            shortened = None;
            self.restart_at_log_start(&mut cut);
        }
        if self.needs_metadata {
            let operations = self.partition_metadata();
            self.queue.push_back(operations);
            self.directory_is_dirty = true;
        }
        self.remove_active_indexes(&mut cut);
        let begun = self.begin_active_index(&cut);
        self.queue_removals(cut);
        self.queue.extend((!begun.is_empty()).then_some(begun));
        self.queue.extend(shortened.map(|operation| Vec::from([operation])));
        self.repair();
    }

    /// Carries out the next prepared effect, and then writes back.
    pub(super) fn repair(&mut self) {
        match self.queue.pop_front() {
            Some(operations) => self.emit(Stage::Repair, operations),
            None => self.write_back(0, 0, Vec::new()),
        }
    }

    /// A piece of what is to be written back was read.
    pub(super) fn handle_unsynced(
        &mut self,
        at: usize,
        position: u64,
        results: Vec<OperationResult>,
    ) {
        let segment = &self.segments[at];
        let length = self.piece_length(segment, position);
        let Some(piece) = read_result(results, Some(length)) else {
            return self.fail(format!("{} shrank while it was read", segment.path()));
        };
        let file = segment.file.clone();
        let write = Operation::Write { file, position, data: Vec::from([piece]) };
        self.write_back(at, position + u64::from(length), Vec::from([write]));
    }

    /// Carries out what is left; then the log is complete.
    pub(super) fn finish(&mut self, epochs: LeaderEpochs) {
        match self.queue.pop_front() {
            Some(operations) => self.emit(Stage::Finish(epochs), operations),
            None => self.complete(epochs),
        }
    }

    /// What was synced must be there. A log may end below that if it ends below its start as well: of segments
    /// that were on their way out, a crash brings back what no sync had taken up. But an invalid batch hides
    /// what lies behind it. An error is damage: nothing is changed, the partition stays offline, and a person
    /// decides.
    fn check_damage(&self, fault: Option<&Fault>) -> Result<(), String> {
        let end = self.offsets.end;
        match fault {
            Some(Fault { segment, good, reason }) => {
                let context = &self.context;
                let trusted = context.closed_at().unwrap_or_else(|| context.trusted_end());
                if end >= trusted {
                    return Ok(());
                }
                let path = self.segments[*segment].path();
                let position = good.unwrap_or(0);
                let was = if self.context.is_clean {
                    "closed in good order".to_owned()
                } else {
                    format!("synced up to offset {trusted}")
                };
                Err(format!(
                    "{path}: damage at position {position}, offset {end}: {reason}; the log was {was}"
                ))
            }
            None => {
                let synced = self.context.synced_end.unwrap_or(0);
                if end.max(self.log_start) >= synced {
                    return Ok(());
                }
                let place = match self.segments.last() {
                    Some(last) => format!("{} ends at position {}", last.path(), last.length),
                    None => format!("{} has no segment", self.context.path),
                };
                Err(format!("{place}, offset {end}; the log was synced up to offset {synced}"))
            }
        }
    }

    /// Cuts the log at `fault`, as `LogLoader.recoverLog` does. Gives the operation that shortens the
    /// file there: it must follow the durable end of all that lies behind, or a crash between them
    /// would leave a log with a hole in it.
    fn cut_at(&mut self, fault: Fault, cut: &mut Cut) -> Option<Operation> {
        let Fault { segment, good, reason } = fault;
        let kept = segment + usize::from(good.is_some());
        let place = self.segments[segment].file.path.clone();
        cut.indexes_from = Some(self.segments[segment].base_offset);
        cut.removed = self.segments.split_off(kept);
        for removed in &cut.removed {
            let reason = if removed.file.path == place {
                reason.clone()
            } else {
                format!("it lies behind the cut in {}", place.name())
            };
            self.events.push(cut_event(removed, 0, reason));
        }
        let last = self.segments.last_mut()?;
        last.kept = good?;
        self.events.push(cut_event(last, last.kept, reason));
        (last.kept < last.length)
            .then(|| Operation::SetLength { file: last.file.clone(), length: last.kept })
    }

    /// The segment that will be appended to loses the index files that did not count.
    fn remove_active_indexes(&self, cut: &mut Cut) {
        let Some(active) = self.segments.last() else { return };
        if active.trust == Trust::Indexed {
            return;
        }
        let from = cut.indexes_from.unwrap_or(active.base_offset);
        cut.indexes_from = Some(from.min(active.base_offset));
    }

    /// It is left an offset index without an entry in their place, as a new segment has: Kafka may be the
    /// next to start with it, or with the directory of the topic once that is deleted.
    fn begin_active_index(&mut self, cut: &Cut) -> Vec<Operation> {
        let from = cut.indexes_from.unwrap_or(i64::MAX);
        let Some(active) = self.segments.last_mut().filter(|active| active.base_offset >= from)
        else {
            return Vec::new();
        };
        let (path, base_offset) = (&self.context.path, active.base_offset);
        match active.files.offsets.take() {
            None => begin_index(path, base_offset, &mut self.numbering).into(),
            Some(0) => Vec::new(),
            Some(_) => {
                let index = companion(path, base_offset, FileSuffix::Index, &mut self.numbering);
                vec![
                    Operation::Create(index.clone()),
                    Operation::Sync(index.clone()),
                    Operation::Close(index),
                ]
            }
        }
    }

    /// The log ends below its start: all of it was deleted by its users, and a crash kept the files
    /// (`deleteSegmentsIfLogStartGreaterThanLogEnd`).
    fn restart_at_log_start(&mut self, cut: &mut Cut) {
        let (path, end, start) = (&self.context.path, self.offsets.end, self.log_start);
        let text = format!("{path} ends at offset {end}, below its start {start}: it begins anew");
        self.warn(text);
        self.replay.states = ProducerStates::default();
        self.bad_snapshots = self.snapshots.iter().map(|(offset, _)| *offset).collect();
        self.segments.append(&mut cut.removed);
        cut.removed = core::mem::take(&mut self.segments);
        cut.indexes_from = Some(0);
        self.offsets.end = self.log_start;
    }

    /// Unlinks what `cut` names, from the log's end to its front, index files without a segment, and
    /// producer snapshots that are of no use: one above the log's end would be believed once the log is
    /// that long again.
    fn queue_removals(&mut self, cut: Cut) {
        let path = self.context.path.clone();
        let mut operations = Vec::new();
        let mut gone: Vec<_> = self.orphans.clone();
        let from = cut.indexes_from.unwrap_or(i64::MAX);
        for segment in cut.removed.iter().chain(&self.segments) {
            let files = segment.files.named();
            let base_offset = segment.base_offset;
            gone.extend(files.filter(|_| base_offset >= from).map(|suffix| (base_offset, suffix)));
        }
        for offset in self.useless_snapshots() {
            gone.push((offset, FileSuffix::Snapshot));
            segments::forget_snapshot(&mut self.segments, offset);
        }
        gone.sort_unstable();
        for removed in cut.removed.into_iter().rev() {
            if removed.is_open {
                operations.push(Operation::Close(removed.file.clone()));
            }
            operations.push(Operation::Unlink(removed.file.path));
        }
        for (offset, suffix) in gone.into_iter().rev() {
            operations.push(Operation::Unlink(path.join(&file_name(offset, suffix))));
        }
        if operations.is_empty() {
            return;
        }
        self.directory_is_dirty = true;
        operations.push(Operation::SyncDirectory(path));
        self.queue_in_parts(operations);
    }

    /// Carries out `operations`, and in the same effect reads what is to be written back next.
    ///
    /// After a failed sync the system may hold pages as clean that the disk has never seen: they read
    /// well, and a sync would not write them. Only writing them again makes them durable.
    fn write_back(&mut self, at: usize, position: u64, mut operations: Vec<Operation>) {
        let Some((at, position)) = self.next_unsynced(at, position) else {
            if !operations.is_empty() {
                self.queue.push_back(operations);
            }
            return self.prepare_finish();
        };
        let segment = &self.segments[at];
        let (file, length) = (segment.file.clone(), self.piece_length(segment, position));
        operations.push(Operation::Read { file, position, length });
        self.emit(Stage::WriteBack { segment: at, position }, operations);
    }

    /// The next place at or behind `position` of segment `at` that is to be written back.
    fn next_unsynced(&self, at: usize, position: u64) -> Option<(usize, u64)> {
        self.segments.iter().enumerate().skip(at).find_map(|(index, segment)| {
            let passed = if index == at { position } else { 0 };
            let from = segment.unsynced()?.max(passed);
            (from < segment.kept).then_some((index, from))
        })
    }

    fn piece_length(&self, segment: &FoundSegment, position: u64) -> u32 {
        let left = segment.kept - position;
        left.min(u64::from(self.context.limits.job_piece_bytes.max(1))) as u32
    }

    fn prepare_finish(&mut self) {
        let seen = core::mem::take(&mut self.offsets.epochs);
        let (log_start, end) = (self.log_start, self.offsets.end);
        let (epochs, is_incomplete) =
            merge_epochs(self.epochs_on_disk.take(), seen, log_start, end);
        let path = self.context.path.clone();
        if is_incomplete {
            let file = path.join(LeaderEpochs::FILE);
            self.queue.push_back(replace_file(&file, epochs.format(), &mut self.numbering));
        }
        // A log with a synced end was loaded or created by a job that synced its directory.
        let is_known = self.context.is_clean
            || self.context.synced_end.is_some_and(|synced| synced > 0 && end <= synced);
        // The last one may have been cut by a start that was killed before it could sync that: what it cut would
        // come back with the next power loss, behind a clean stop too.
        let last = self.segments.last().filter(|_| !is_known).map(|segment| segment.base_offset);
        let changed = self.segments.iter().filter(|segment| {
            segment.unsynced().is_some()
                || segment.kept < segment.length
                || last == Some(segment.base_offset)
        });
        let mut syncs: Vec<_> =
            changed.map(|segment| Operation::Sync(segment.file.clone())).collect();
        if !syncs.is_empty() || self.directory_is_dirty || !is_known {
            syncs.push(Operation::SyncDirectory(path.parent()));
            syncs.push(Operation::SyncDirectory(path));
        }
        self.queue_in_parts(syncs);
        self.finish(epochs);
    }

    pub(super) fn queue_in_parts(&mut self, operations: Vec<Operation>) {
        self.queue.extend(operations.chunks(OPERATIONS_MAX).map(<[Operation]>::to_vec));
    }
}

fn cut_event(segment: &FoundSegment, to: u64, reason: String) -> Event {
    Event::TornTailCut { file: segment.file.path.clone(), from: segment.length, to, reason }
}
