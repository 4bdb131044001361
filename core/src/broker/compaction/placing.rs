//! How new segments take the place of old ones (`LocalLog.replaceSegments`).

use alloc::vec::Vec;

use super::State;
use crate::broker::{Broker, Phase, Purpose};
use crate::effect::{Completion, Effect, FileRef};
use crate::ids::{DirectoryIndex, LogId};
use crate::job::{CleanedGroup, PausedCompaction};
use crate::log::{FileSuffix, RemovedSegment, file_name, replacement};

/// New segments on their way to their names.
#[derive(Debug)]
pub(super) struct Placing {
    paused: PausedCompaction,
    group: CleanedGroup,
    /// What they replace.
    old: Vec<RemovedSegment>,
}

impl Broker {
    /// Segments are written: puts them in place.
    pub(super) fn place_cleaned(
        &mut self,
        id: LogId,
        paused: PausedCompaction,
        group: CleanedGroup,
    ) {
        let Some(live) = self.logs.get(&id) else { return };
        let (index, path) = (live.log.log_directory(), live.log.path().clone());
        let bases: Vec<i64> = group.segments.iter().map(|segment| segment.base_offset).collect();
        let old = live.log.replaceable(group.from, group.to, &bases);
        let operations = replacement(&path, &group.segments, &old);
        let placing = Placing { paused, group, old };
        let Some(running) = self.compactions.running.get_mut(&id) else { return };
        running.state = State::Placing(placing);
        self.deletions.note_out(id);
        self.emit(Effect::Operations(operations), Purpose::Compacted(index, id));
    }

    /// They have their names, durably.
    pub(in crate::broker) fn handle_placed(
        &mut self,
        index: DirectoryIndex,
        id: LogId,
        result: Completion,
    ) {
        self.note_removal(id);
        if let Err(error) = result.into_result() {
            return self.fail_directory(index, &error);
        }
        let Some(running) = self.compactions.running.get_mut(&id) else { return };
        let Some(live) = self.logs.get_mut(&id) else { return };
        let state = core::mem::replace(&mut running.state, State::Working);
        let State::Placing(Placing { paused, group, old }) = state else {
            debug_assert!(false, "segments are put in place while they are");
            return;
        };
        let path = live.log.path().clone();
        let numbering = &mut self.numbering;
        live.log.replace_segments(group.from, group.to, group.segments, |base_offset| {
            let path = path.join(&file_name(base_offset, FileSuffix::Log));
            FileRef { id: numbering.file(), path }
        });
        let files: Vec<_> = old.iter().map(|segment| segment.file.id).collect();
        running.files.retain(|file| !files.contains(file));
        let topic = self.image.topics_by_id.get(&live.topic_id);
        let delay_ms = topic.map_or(0, |topic| topic.config.file_delete_delay_ms);
        if matches!(self.phase, Phase::Running) {
            self.deletions.begin_unlinks(id, index, old, delay_ms, self.now.mono);
            self.end_read(&files);
            self.rest_or_resume(id, paused);
            self.start_jobs();
        }
    }
}
