//! Snapshots of the metadata log: when one is written (`SnapshotGenerator`), and what of the log and of
//! older snapshots goes then (`KafkaRaftLog.maybeClean`).
//!
//! A log's start is the end of a snapshot. Older snapshots go first, and durably: then the oldest one
//! that a start finds says from where on the log must be there.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::jobs::JobPurpose;
use super::metadata_log::MetadataLog;
use super::startup::METADATA_LOG;
use super::{Broker, Phase, Purpose};
use crate::checkpoint::SnapshotId;
use crate::config::MetadataLogConfig;
use crate::effect::{Completion, Effect, IoError, Operation, Path};
use crate::event::Severity;
use crate::ids::LogId;
use crate::job::{Job, LoadedMetadata, SnapshotFile, WriteSnapshotContext, WrittenSnapshot};
use crate::log::Log;
use crate::time::{Instant, Millis};

/// Unlinks of one effect: each may take the file system a while.
const UNLINKS_MAX: usize = 64;

/// The snapshots on disk, and what has come since the last one.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// By id.
    files: Vec<SnapshotFile>,
    /// The newest one that is known to be whole. Nothing behind it is given up.
    trusted: Option<SnapshotId>,
    /// Files that nobody needs.
    waste: VecDeque<Path>,
    /// Where the log starts when all waste is gone.
    log_start: Option<i64>,
    /// Bytes of the log that no snapshot covers.
    bytes_since: u64,
    /// When the last of these was appended, milliseconds since the epoch; `None` while there are none
    /// of this process.
    changed_ms: Option<i64>,
    /// From when on the next one counts its time.
    counts_from: Instant,
    /// Some records are not understood here: a snapshot would lose them.
    is_incomplete: bool,
    step: Step,
}

/// What is under way: one thing at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    Writing,
    Cleaning,
}

impl Snapshots {
    /// As a start has found them.
    pub(super) fn new(loaded: &LoadedMetadata, now: Instant) -> Self {
        Self {
            files: loaded.snapshots.clone(),
            trusted: loaded.snapshot,
            waste: loaded.leftovers.iter().cloned().collect(),
            bytes_since: loaded.bytes_since_snapshot,
            counts_from: now,
            is_incomplete: loaded.has_unknown,
            ..Self::default()
        }
    }

    /// Records are durable that no snapshot covers: so many bytes, the last of them appended at
    /// `appended_ms`.
    pub(super) fn note_change(&mut self, bytes: u64, appended_ms: i64) {
        self.bytes_since += bytes;
        self.changed_ms = Some(appended_ms);
    }

    /// When there is one for its time alone.
    fn deadline(&self, config: &MetadataLogConfig) -> Option<Instant> {
        let may_begin = self.step == Step::Idle && self.changed_ms.is_some() && !self.is_incomplete;
        let interval = Some(config.snapshot_interval_ms).filter(|interval| *interval > 0);
        interval.filter(|_| may_begin).map(|interval| self.counts_from + Millis(interval))
    }

    /// When the last record was appended, if it is time for a snapshot.
    fn due(&self, config: &MetadataLogConfig, now: Instant) -> Option<i64> {
        let is_long = self.bytes_since >= config.snapshot_bytes;
        let is_old = self.deadline(config).is_some_and(|at| at <= now);
        let may_begin = self.step == Step::Idle && !self.is_incomplete;
        self.changed_ms.filter(|_| may_begin && (is_long || is_old))
    }

    /// The oldest snapshot that stays, if others go.
    fn first_kept(
        &self,
        log: &Log,
        config: &MetadataLogConfig,
        wall_ms: i64,
    ) -> Option<SnapshotId> {
        let trusted = self.trusted?;
        let mut start = log.log_start();
        // A start forgets those that the log has left behind.
        let mut first = self.files.iter().take_while(|it| it.id.end_offset < start).count();
        let mut bytes: u64 = self.files.iter().skip(first).map(|file| file.length).sum();
        let retention_bytes = u64::try_from(config.retention_bytes).ok();
        let retention_ms = u64::try_from(config.retention_ms).ok();
        while let [file, next, ..] = &self.files[first..] {
            let is_too_much =
                retention_bytes.is_some_and(|max| bytes_from(log, start) + bytes > max);
            let age_ms = file.appended_ms.and_then(|at| u64::try_from(wall_ms - at).ok());
            let is_too_old = retention_ms.zip(age_ms).is_some_and(|(max, age)| age > max);
            let moves_on = next.id.end_offset > start && next.id <= trusted;
            if !(is_too_much || is_too_old) || !moves_on {
                break;
            }
            bytes -= file.length;
            start = next.id.end_offset;
            first += 1;
        }
        self.files.get(first).filter(|_| first > 0).map(|file| file.id)
    }
}

/// Bytes of the segments that are not wholly below `start`.
fn bytes_from(log: &Log, start: i64) -> u64 {
    let segments = log.segments();
    let begun = segments.partition_point(|segment| segment.base_offset <= start);
    segments[begun.saturating_sub(1)..].iter().map(|segment| segment.size).sum()
}

impl Broker {
    /// Begins to write a snapshot if it is time.
    pub(super) fn write_due_snapshot(&mut self) {
        let is_running = matches!(self.phase, Phase::Running);
        let due = self.snapshots.due(&self.config.metadata_log, self.now.mono);
        let (true, Some(appended_ms)) = (is_running, due) else { return };
        let (Some(home), Some(metadata)) = (self.metadata_directory, &self.metadata) else {
            return;
        };
        let context = WriteSnapshotContext {
            directory: self.directory(home).path.join(METADATA_LOG),
            image: Arc::clone(&self.image),
            epoch: metadata.epoch(),
            appended_ms,
            now_ms: self.now.wall_ms,
        };
        let snapshots = &mut self.snapshots;
        snapshots.step = Step::Writing;
        snapshots.bytes_since = 0;
        snapshots.changed_ms = None;
        snapshots.counts_from = self.now.mono;
        self.queue_job(JobPurpose::WriteSnapshot, |id| Job::write_snapshot(id, context));
        self.start_jobs();
    }

    /// When [`write_due_snapshot`](Self::write_due_snapshot) is to be asked at the latest.
    pub(super) fn snapshot_deadline(&self) -> Option<Instant> {
        let is_running = matches!(self.phase, Phase::Running);
        let deadline = self.snapshots.deadline(&self.config.metadata_log);
        deadline.filter(|_| is_running)
    }

    pub(super) fn handle_snapshot(&mut self, result: Result<WrittenSnapshot, IoError>) {
        self.snapshots.step = Step::Idle;
        match result {
            Ok(WrittenSnapshot { id, bytes, appended_ms }) => {
                let file = SnapshotFile { id, length: bytes, appended_ms: Some(appended_ms) };
                let files = &mut self.snapshots.files;
                files.insert(files.partition_point(|it| it.id < id), file);
                self.snapshots.trusted = Some(id);
                let end = id.end_offset;
                let text = format!("metadata below offset {end} is in a snapshot of {bytes} bytes");
                self.notice(Severity::Info, text);
                self.clean_metadata();
                self.write_due_snapshot();
            }
            Err(error) => {
                if let Some(home) = self.metadata_directory {
                    self.fail_directory(home, &error);
                }
            }
        }
    }

    /// Gives up what of the metadata is too old or too much, if nothing is under way.
    pub(super) fn clean_metadata(&mut self) {
        let is_running = matches!(self.phase, Phase::Running);
        let Some(home) = self.metadata_directory else { return };
        let Some(live) = self.metadata_log().and_then(|id| self.logs.get(&id)) else { return };
        if !is_running || self.snapshots.step != Step::Idle {
            return;
        }
        let (config, wall_ms) = (&self.config.metadata_log, self.now.wall_ms);
        let directory = self.directory(home).path.join(METADATA_LOG);
        if let Some(first) = self.snapshots.first_kept(&live.log, config, wall_ms) {
            let snapshots = &mut self.snapshots;
            let count = snapshots.files.partition_point(|file| file.id < first);
            let gone = snapshots.files.drain(..count);
            snapshots.waste.extend(gone.map(|file| directory.join(&file.id.file_name())));
            snapshots.log_start = Some(first.end_offset);
        }
        self.unlink_snapshots(&directory);
    }

    fn unlink_snapshots(&mut self, directory: &Path) {
        let snapshots = &mut self.snapshots;
        if snapshots.waste.is_empty() {
            return;
        }
        snapshots.step = Step::Cleaning;
        let count = snapshots.waste.len().min(UNLINKS_MAX);
        let mut operations: Vec<_> =
            snapshots.waste.drain(..count).map(Operation::Unlink).collect();
        operations.push(Operation::SyncDirectory(directory.clone()));
        self.emit(Effect::Operations(operations), Purpose::Snapshots);
    }

    /// The log starts where its oldest snapshot ends.
    pub(super) fn handle_snapshots_unlinked(&mut self, result: Completion) {
        let Some(home) = self.metadata_directory else { return };
        if let Err(error) = result.into_result() {
            return self.fail_directory(home, &error);
        }
        self.snapshots.step = Step::Idle;
        if !self.snapshots.waste.is_empty() {
            let directory = self.directory(home).path.join(METADATA_LOG);
            return self.unlink_snapshots(&directory);
        }
        let start = self.snapshots.log_start.take();
        let id = self.metadata_log();
        if let (Some(start), Some(id)) = (start, id)
            && let Some(live) = self.logs.get_mut(&id)
        {
            live.log.set_log_start(start);
            self.remove_segments(id);
        }
        self.write_due_snapshot();
    }

    pub(super) fn metadata_log(&self) -> Option<LogId> {
        self.metadata.as_ref().map(MetadataLog::log)
    }
}
