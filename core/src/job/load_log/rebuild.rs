//! The files beside a finished segment, made anew from its batches.
//!
//! They are written as soon as the segment has been walked, so that the entries of one segment at most
//! are held. They say what the batches say, whatever comes of the rest of the log.

use alloc::vec::Vec;

use super::LoadLog;
use super::segments::Trust;
use crate::checkpoint::replace_file;
use crate::effect::Operation;
use crate::log::producers::format_transaction_index;
use crate::log::{FileSuffix, file_name};

impl LoadLog {
    /// The log goes on with segment `at`: no batch comes to the one before it any more. Gives the
    /// operations that write its files, if they are not there or do not count.
    pub(super) fn finish_segment_before(&mut self, at: usize) -> Vec<Operation> {
        let Some(before) = at.checked_sub(1) else { return Vec::new() };
        let next = self.segments[at].base_offset;
        let path = self.context.path.clone();
        let segment = &mut self.segments[before];
        let base_offset = segment.base_offset;
        let is_scanned = segment.trust == Trust::Scanned;
        let Some(files) = segment.indexes.finish() else { return Vec::new() };
        if !is_scanned || segment.length == 0 {
            return Vec::new();
        }
        segment.companions.indexes = true;
        segment.files.offsets = Some(files.offsets.length());
        segment.files.times = Some(files.times.length());
        let mut contents = Vec::from([
            (base_offset, FileSuffix::Index, files.offsets.rest),
            (base_offset, FileSuffix::TimeIndex, files.times.rest),
        ]);
        let mut operations = Vec::new();
        if segment.replays {
            let aborted = self.replay.states.aborted().of_segment(base_offset, next);
            segment.companions.transaction_index = !aborted.is_empty();
            if !aborted.is_empty() {
                let content = format_transaction_index(aborted);
                segment.files.transactions = Some(content.len() as u64);
                contents.push((base_offset, FileSuffix::TransactionIndex, content));
            } else if segment.files.transactions.take().is_some() {
                let name = file_name(base_offset, FileSuffix::TransactionIndex);
                operations.push(Operation::Unlink(path.join(&name)));
            }
            contents.push((next, FileSuffix::Snapshot, self.replay.states.snapshot()));
            self.segments[at].companions.snapshot = true;
            self.note_snapshot(next);
        }
        for (offset, suffix, content) in contents {
            let file = path.join(&file_name(offset, suffix));
            let replaced = replace_file(&file, content, &mut self.numbering);
            // One sync of the directory is enough for all.
            let is_sync = |operation: &Operation| matches!(operation, Operation::SyncDirectory(_));
            operations.extend(replaced.into_iter().filter(|operation| !is_sync(operation)));
        }
        operations.push(Operation::SyncDirectory(path));
        operations
    }

    fn note_snapshot(&mut self, offset: i64) {
        if let Err(at) = self.snapshots.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.snapshots.insert(at, (offset, 0));
        }
        self.bad_snapshots.retain(|bad| *bad != offset);
    }
}
