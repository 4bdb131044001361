//! What is loaded, file by file: the newest usable snapshot, and the log from its end on.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::files::{MetadataFiles, SegmentFile, SnapshotFile};
use super::replay::{Replay, ReplayFault, Replayed, control_record};
use super::{AppendPoint, LoadedMetadata, LogFault, MetadataFailure};
use crate::batch::{BatchFault, BatchView, Step, next_batch};
use crate::broker::image::Image;
use crate::broker::image_builder::ImageBuilder;
use crate::checkpoint::{QuorumState, SnapshotId};
use crate::config::TopicConfig;
use crate::effect::Path;
use crate::event::{Event, Severity};
use crate::job::batch_file::FileFault;
use crate::job::{JobOutcome, JobResult};
use crate::records::ControlRecord;

/// A load under way. Ask for a file, hand its batches in, say how it ended, and again.
#[derive(Debug)]
pub(super) struct Load {
    directory: Path,
    base: Image,
    topic_defaults: TopicConfig,
    snapshots: Vec<SnapshotFile>,
    segments: VecDeque<SegmentFile>,
    stage: Stage,
    replay: Replay,
    /// The first snapshot that turned out useless: the log must reach to its end instead.
    refused: Option<Refused>,
    /// What stands for the log's beginning.
    snapshot: Option<SnapshotId>,
    /// As they were listed.
    found: Vec<SnapshotFile>,
    leftovers: Vec<Path>,
    /// Bytes of the log behind the snapshot.
    bytes_since_snapshot: u64,
    /// Of what is loaded, snapshot or log.
    end_offset: i64,
    /// Of the log alone; it may end below the snapshot.
    log_end: i64,
    last_epoch: i32,
    /// By `quorum-state`; -1 without one.
    quorum_epoch: i32,
    append_at: Option<AppendPoint>,
    fault: Option<LogFault>,
    events: Vec<Event>,
}

#[derive(Debug)]
enum Stage {
    /// A snapshot is to be chosen.
    Choose,
    Snapshot(SnapshotId, Frame),
    /// A segment is to be chosen.
    Next,
    Segment(SegmentFile),
    /// The log is not read further.
    End,
}

/// How much of the frame around a snapshot's records has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Nothing,
    Header,
    Footer,
}

#[derive(Debug)]
struct Refused {
    path: Path,
    end_offset: i64,
    reason: String,
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: Path,
    pub(super) length: u64,
}

/// Whether the rest of the file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    Leave,
}

impl Load {
    pub(super) fn new(
        directory: Path,
        files: MetadataFiles,
        base: Image,
        topic_defaults: TopicConfig,
    ) -> Self {
        let MetadataFiles { snapshots, segments, leftovers } = files;
        Self {
            replay: Replay::new(ImageBuilder::new(base.clone(), topic_defaults.clone())),
            directory,
            base,
            topic_defaults,
            found: snapshots.clone(),
            leftovers,
            bytes_since_snapshot: 0,
            snapshots,
            segments,
            stage: Stage::Choose,
            refused: None,
            snapshot: None,
            end_offset: 0,
            log_end: 0,
            last_epoch: -1,
            quorum_epoch: -1,
            append_at: None,
            fault: None,
            events: Vec::new(),
        }
    }

    /// Takes the content of `quorum-state`. One that makes no sense is left out, as in Kafka: the log
    /// tells the epoch too.
    pub(super) fn take_quorum_state(&mut self, content: &[u8]) {
        match QuorumState::parse(content) {
            Ok(state) => self.quorum_epoch = state.leader_epoch,
            Err(error) => {
                let (path, name) = (&self.directory, QuorumState::FILE);
                let text = format!("{path}/{name} is not used: {error}");
                self.events.push(Event::Notice { severity: Severity::Warning, text });
            }
        }
    }

    /// The next file to read from its front; `None` when everything is loaded.
    pub(super) fn next_file(&mut self) -> Result<Option<Source>, MetadataFailure> {
        if matches!(self.stage, Stage::Choose) {
            if let Some(snapshot) = self.snapshots.pop() {
                let source = Source { path: self.path(snapshot.id), length: snapshot.length };
                self.stage = Stage::Snapshot(snapshot.id, Frame::Nothing);
                return Ok(Some(source));
            }
            self.stage = Stage::Next;
        }
        if matches!(self.stage, Stage::End) {
            return Ok(None);
        }
        self.skip_covered();
        let Some(segment) = self.segments.pop_front() else { return Ok(None) };
        // A log that was made by hand may begin at offset 1.
        if segment.base_offset > self.end_offset.max(1) {
            let (from, to) = (self.end_offset, segment.base_offset);
            if self.append_at.is_none() {
                return Err(MetadataFailure::Gap { directory: self.directory.clone(), from, to });
            }
            self.stage = Stage::End;
            let reason = format!("offsets {from} to {} before it are missing", to - 1);
            self.end_early(LogFault { file: segment.path, position: 0, reason });
            return Ok(None);
        }
        self.reach(segment.base_offset);
        let source = Source { path: segment.path.clone(), length: segment.length };
        self.append_at = Some(AppendPoint { file: segment.path.clone(), position: 0 });
        self.stage = Stage::Segment(segment);
        Ok(Some(source))
    }

    /// Takes a valid batch of the file, which begins at `position`.
    pub(super) fn batch(&mut self, position: u64, bytes: &Bytes) -> Result<Flow, MetadataFailure> {
        let Step::Batch(batch) = next_batch(bytes, bytes.len()) else {
            unreachable!("it was a batch when the file was read");
        };
        match &mut self.stage {
            Stage::Snapshot(snapshot, frame) => {
                let taken = frame_of(&batch, bytes, frame)
                    .and_then(|()| Ok(self.replay.batch(&batch, bytes, i64::MIN)?));
                if let Err(fault) = taken {
                    let snapshot = *snapshot;
                    self.refuse(snapshot, format!("batch at position {position}: {fault}"));
                    return Ok(Flow::Leave);
                }
            }
            Stage::Segment(segment) => {
                let header = batch.header();
                let file = segment.path.clone();
                self.last_epoch = self.last_epoch.max(header.leader_epoch);
                self.append_at = Some(AppendPoint {
                    file: file.clone(),
                    position: position + bytes.len() as u64,
                });
                let covered = self.snapshot.map_or(0, |snapshot| snapshot.end_offset);
                if header.last_offset() >= covered {
                    self.bytes_since_snapshot += bytes.len() as u64;
                }
                self.replay.batch(&batch, bytes, covered).map_err(|fault| {
                    MetadataFailure::Batch { file, position, reason: fault.to_string() }
                })?;
                let end = header.last_offset().saturating_add(1);
                self.reach(end);
            }
            Stage::Choose | Stage::Next | Stage::End => {
                debug_assert!(false, "no file is being read");
            }
        }
        Ok(Flow::Continue)
    }

    /// The file ended behind a whole batch.
    pub(super) fn file_ended(&mut self) {
        match core::mem::replace(&mut self.stage, Stage::Next) {
            Stage::Snapshot(snapshot, Frame::Footer) => {
                self.replay.end_snapshot(snapshot.end_offset);
                self.snapshot = Some(snapshot);
                self.end_offset = snapshot.end_offset;
                self.last_epoch = snapshot.epoch;
            }
            Stage::Snapshot(snapshot, _) => self.refuse(snapshot, "it has no end".to_string()),
            Stage::Choose | Stage::Next | Stage::Segment(_) | Stage::End => {}
        }
    }

    /// The file is invalid from `position` on. As in Kafka, a log ends there, whatever follows.
    ///
    /// Nothing is cut here: that is for the recovery of this log, which also tells a torn tail from
    /// damage in what was synced.
    pub(super) fn file_invalid(
        &mut self,
        position: u64,
        fault: FileFault,
    ) -> Result<(), MetadataFailure> {
        let reason = fault.to_string();
        match core::mem::replace(&mut self.stage, Stage::End) {
            Stage::Snapshot(snapshot, _) => {
                self.refuse(snapshot, format!("batch at position {position}: {reason}"));
            }
            Stage::Segment(segment) => {
                let file = segment.path;
                // It is all there, and may well be valid: a limit must not lose records.
                if matches!(fault, FileFault::Batch(BatchFault::TooLarge { .. })) {
                    return Err(MetadataFailure::Batch { file, position, reason });
                }
                self.end_early(LogFault { file, position, reason });
            }
            Stage::Choose | Stage::Next | Stage::End => {}
        }
        Ok(())
    }

    fn end_early(&mut self, fault: LogFault) {
        let LogFault { file, position, reason } = fault.clone();
        self.events.push(Event::MetadataLogEndsEarly { file, position, reason });
        self.fault = Some(fault);
    }

    /// The result, when [`next_file`](Self::next_file) has no more.
    pub(super) fn finish(mut self) -> JobResult {
        if let Some(refused) = self.refused.take_if(|it| it.end_offset > self.end_offset) {
            let Refused { path, reason, .. } = refused;
            return self.fail(MetadataFailure::Snapshot { file: path, reason });
        }
        let Replayed { image, registrations, ends_in_transaction, has_unknown, events } =
            self.replay.finish();
        self.events.extend(events);
        let loaded = LoadedMetadata {
            image,
            end_offset: self.end_offset,
            last_epoch: self.last_epoch.max(self.quorum_epoch),
            append_at: self.append_at.filter(|_| self.log_end == self.end_offset),
            registrations,
            ends_in_transaction,
            snapshot: self.snapshot,
            snapshots: self.found,
            leftovers: self.leftovers,
            bytes_since_snapshot: self.bytes_since_snapshot,
            has_unknown,
            fault: self.fault,
        };
        let outcome = JobOutcome::MetadataLoaded(Box::new(loaded));
        JobResult { events: self.events, outcome }
    }

    /// The result when it cannot go on, with what there was to say before.
    pub(super) fn fail(self, failure: MetadataFailure) -> JobResult {
        JobResult { events: self.events, outcome: JobOutcome::MetadataFailed(failure) }
    }

    /// Drops what the snapshot gave, and goes on with an older one, or with the log alone.
    fn refuse(&mut self, snapshot: SnapshotId, reason: String) {
        let path = self.path(snapshot);
        self.events
            .push(Event::MetadataSnapshotRefused { file: path.clone(), reason: reason.clone() });
        let end_offset = snapshot.end_offset;
        self.refused.get_or_insert(Refused { path, end_offset, reason });
        self.stage = Stage::Choose;
        let builder = ImageBuilder::new(self.base.clone(), self.topic_defaults.clone());
        self.replay = Replay::new(builder);
    }

    fn path(&self, snapshot: SnapshotId) -> Path {
        self.directory.join(&snapshot.file_name())
    }

    /// The log holds everything below `offset`, or did.
    fn reach(&mut self, offset: i64) {
        self.log_end = self.log_end.max(offset);
        self.end_offset = self.end_offset.max(offset);
    }

    /// Drops segments that end at or below the end of what is loaded.
    fn skip_covered(&mut self) {
        while self.segments.get(1).is_some_and(|next| next.base_offset <= self.end_offset) {
            self.segments.pop_front();
        }
    }
}

/// A snapshot's first record is its header and its last one its footer, both control records.
fn frame_of(batch: &BatchView<'_>, bytes: &Bytes, frame: &mut Frame) -> Result<(), SnapshotFault> {
    let is_control = batch.header().attributes.is_control();
    for record in batch.records().ok_or(ReplayFault::Compressed)? {
        let record = record.map_err(ReplayFault::from)?;
        // One that cannot be read is the replay's to judge.
        let control = if is_control { control_record(&record, bytes).ok() } else { None };
        *frame = match (*frame, control) {
            (Frame::Nothing, Some(ControlRecord::SnapshotHeader(_))) => Frame::Header,
            (Frame::Nothing, _) => return Err(SnapshotFault::NoHeader),
            (Frame::Header, Some(ControlRecord::SnapshotFooter(_))) => Frame::Footer,
            (Frame::Header, _) => Frame::Header,
            (Frame::Footer, _) => return Err(SnapshotFault::BehindFooter),
        };
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SnapshotFault {
    #[error("it does not begin with a header")]
    NoHeader,
    #[error("records follow the footer")]
    BehindFooter,
    #[error(transparent)]
    Replay(#[from] ReplayFault),
}
