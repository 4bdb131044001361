//! Segments that are no longer part of their log: renamed at once, unlinked later.
//!
//! Neither happens under somebody who reads the file: a job, or a fetch until its answer has left
//! (see [`Pins`](super::Pins)). Files of that name are removed at the next start, so a stop forgets what is left.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::pins::Freed;
use super::{Broker, Phase, Purpose};
use crate::effect::{Completion, Effect, Operation};
use crate::ids::{DirectoryIndex, FileId, JobId, LogId};
use crate::log::{Level, RemovedSegment};
use crate::time::{Instant, Millis};

/// Segments on their way out, by their `.log` file, and who reads.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    segments: BTreeMap<FileId, Deletion>,
    due: BTreeSet<(Instant, FileId)>,
    readers: BTreeMap<FileId, usize>,
    /// Those whose names others have, until they are unlinked.
    replaced: BTreeSet<(LogId, FileId)>,
    /// Renames and unlinks that are out, by the log.
    effects: BTreeMap<LogId, usize>,
}

#[derive(Debug)]
struct Deletion {
    log: LogId,
    directory: DirectoryIndex,
    segment: RemovedSegment,
    /// Between rename and unlink.
    delay_ms: u64,
    step: Step,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Rename,
    /// Nothing before the rename is complete and the delay is over.
    Wait,
    Unlink,
}

impl Deletions {
    /// When the next segment is to be unlinked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The directory is offline: its files stay as they are.
    pub(super) fn forget_directory(&mut self, index: DirectoryIndex) {
        self.segments.retain(|_, deletion| deletion.directory != index);
        let segments = &self.segments;
        self.due.retain(|(_, file)| segments.contains_key(file));
    }

    /// A stop waits for what is out, and leaves the rest to the next start.
    pub(super) fn leave_to_next_start(&mut self) {
        self.segments.clear();
        self.due.clear();
        self.readers.clear();
        self.replaced.clear();
    }

    /// The log is gone, and its removed segments go with its directory: their `.log` files.
    pub(super) fn leave(&mut self, log: LogId) -> Vec<FileId> {
        self.forget_replaced(log);
        let left: Vec<FileId> =
            self.segments.extract_if(.., |_, it| it.log == log).map(|(file, _)| file).collect();
        if !left.is_empty() {
            self.due.retain(|(_, file)| !left.contains(file));
        }
        left
    }

    /// What compaction has replaced, renamed already.
    pub(super) fn begin_unlinks(
        &mut self,
        log: LogId,
        directory: DirectoryIndex,
        segments: Vec<RemovedSegment>,
        delay_ms: u64,
        now: Instant,
    ) {
        for segment in segments {
            let file = segment.file.id;

            let deletion = Deletion { log, directory, segment, delay_ms, step: Step::Wait };
            self.segments.insert(file, deletion);
            self.replaced.insert((log, file));
            self.due.insert((now + Millis(delay_ms), file));
        }
    }

    /// Files of the log that compaction has replaced are still there, under the names that those in their place
    /// would get.
    pub(super) fn has_replaced(&self, log: LogId) -> bool {
        let first = FileId { owner: JobId(0), number: 0 };
        self.replaced.range((log, first)..).next().is_some_and(|(of, _)| *of == log)
    }

    /// The log is gone.
    pub(super) fn forget_replaced(&mut self, log: LogId) {
        self.replaced.retain(|(of, _)| *of != log);
    }

    /// A segment's files are unlinked.
    pub(super) fn note_unlinked(&mut self, log: LogId, file: FileId) {
        self.replaced.remove(&(log, file));
    }

    /// Something else works on the log's files, until [`note_complete`](Self::note_complete).
    pub(super) fn note_out(&mut self, log: LogId) {
        *self.effects.entry(log).or_insert(0) += 1;
    }

    /// A rename or an unlink of one of the log's segments is complete.
    pub(super) fn note_complete(&mut self, log: LogId) {
        if let Some(count) = self.effects.get_mut(&log) {
            *count -= 1;
            if *count == 0 {
                self.effects.remove(&log);
            }
        }
    }

    /// A rename or an unlink of one of the log's segments is out.
    pub(super) fn has_effects(&self, log: LogId) -> bool {
        self.effects.contains_key(&log)
    }

    /// A look-up or a job reads the file.
    pub(super) fn is_read(&self, file: FileId) -> bool {
        self.readers.contains_key(&file)
    }

    /// A look-up or a job reads these files from now on.
    pub(super) fn begin_read(&mut self, files: &[FileId]) {
        for file in files {
            *self.readers.entry(*file).or_insert(0) += 1;
        }
    }
}

impl Broker {
    /// What [`Deletions::begin_read`] was told of is read no more.
    pub(super) fn end_read(&mut self, files: &[FileId]) {
        for file in files {
            let Some(count) = self.deletions.readers.get_mut(file) else { continue };
            *count -= 1;
            if *count == 0 {
                self.deletions.readers.remove(file);
                self.advance_deletion(*file);
            }
        }
    }

    /// Takes the segments out of a log that lie below its start, a bounded number of them. True when
    /// there are more.
    ///
    /// What is not synced yet is synced first: a sync must not meet the rename.
    pub(super) fn remove_segments(&mut self, log_id: LogId) -> bool {
        let Some(live) = self.logs.get_mut(&log_id) else { return false };
        let directory = live.log.log_directory();
        if !matches!(self.phase, Phase::Running) || !live.log.has_removable() {
            return false;
        }
        // Compaction works on them, or the names that they would get are taken.
        if self.compactions.is_running(log_id) || self.deletions.has_replaced(log_id) {
            return false;
        }
        if live.log.end(Level::Synced) < live.log.log_start() {
            self.directories[usize::from(directory.0)].due.insert(log_id);
            return false;
        }
        let topic = self.image.topics_by_id.get(&live.topic_id);
        let delay_ms = topic.map_or(0, |topic| topic.config.file_delete_delay_ms);
        let removed = live.log.remove_below_start(self.config.limits.removals_per_turn_max);
        let has_more = live.log.has_removable();
        for segment in removed {
            let file = segment.file.id;
            let deletion =
                Deletion { log: log_id, directory, segment, delay_ms, step: Step::Rename };
            self.deletions.segments.insert(file, deletion);
            self.advance_deletion(file);
        }
        has_more
    }

    pub(super) fn handle_renamed(
        &mut self,
        index: DirectoryIndex,
        file: FileId,
        result: Completion,
    ) {
        if let Err(error) = result.into_result() {
            return self.fail_directory(index, &error);
        }
        let Some(deletion) = self.deletions.segments.get(&file) else { return };
        let at = self.now.mono + Millis(deletion.delay_ms);
        self.deletions.due.insert((at, file));
    }

    /// Unlinks what has waited long enough, a bounded number of segments.
    pub(super) fn unlink_due(&mut self) {
        for _ in 0..self.config.limits.removals_per_turn_max {
            let Some(&(at, file)) = self.deletions.due.first() else { return };
            if at > self.now.mono {
                return;
            }
            self.deletions.due.pop_first();
            if let Some(deletion) = self.deletions.segments.get_mut(&file) {
                deletion.step = Step::Unlink;
            }
            self.advance_deletion(file);
        }
    }

    /// Carries out what had to wait for the last pin of a file.
    pub(super) fn emit_freed(&mut self, freed: Vec<Freed>) {
        for freed in freed {
            self.emit_removal(freed);
        }
    }

    fn emit_removal(&mut self, Freed { file, log, directory, effect }: Freed) {
        let purpose = if self.deletions.segments.contains_key(&file) {
            Purpose::Rename(directory, log, file)
        } else {
            Purpose::Unlink(directory, log, file)
        };
        self.deletions.note_out(log);
        self.emit(effect, purpose);
    }

    fn advance_deletion(&mut self, file: FileId) {
        if self.deletions.readers.contains_key(&file) {
            return;
        }
        let Some(deletion) = self.deletions.segments.get_mut(&file) else { return };
        let (log, directory) = (deletion.log, deletion.directory);
        match deletion.step {
            Step::Wait => {}
            Step::Rename => {
                deletion.step = Step::Wait;
                // The driver must know the id before the path goes: a range may yet be sent by it.
                let mut operations = Vec::from([Operation::Open(deletion.segment.file.clone())]);
                operations.extend(deletion.segment.renames());
                let effect = Effect::Operations(operations);
                if let Some(rename) = self.pins.retire(Freed { file, log, directory, effect }) {
                    self.emit_removal(rename);
                }
            }
            Step::Unlink => {
                let effect = Effect::Operations(deletion.segment.unlinks());
                self.deletions.segments.remove(&file);
                if let Some(unlink) = self.pins.retire(Freed { file, log, directory, effect }) {
                    self.emit_removal(unlink);
                }
            }
        }
    }
}
