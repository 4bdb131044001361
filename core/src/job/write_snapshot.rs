//! Writes a snapshot of the metadata log (KIP-630; `RecordsSnapshotWriter`, `FileRawSnapshotWriter`).
//!
//! The file gets its name when it is whole and synced, so that one with that name is always whole.
//! A start takes away what a crash leaves of one that is not (`.part`).

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{JobOutcome, JobResult};
use crate::batch::BatchBuilder;
use crate::broker::image::Image;
use crate::broker::image_records::ImageRecords;
use crate::checkpoint::SnapshotId;
use crate::config::limits::{SNAPSHOT_BATCH_BYTES, SNAPSHOT_BATCH_RECORDS_MAX};
use crate::effect::{Completion, Effect, FileRef, IoError, Operation, Path};
use crate::ids::{EffectId, JobId, Numbering};
use crate::records::{
    ControlRecord, KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord,
};

/// What is to be written.
#[derive(Clone, Debug)]
pub struct WriteSnapshotContext {
    /// The metadata log's directory.
    pub directory: Path,
    /// The state. Its offset is that of the last record of a batch.
    pub image: Arc<Image>,
    /// Of that record.
    pub epoch: i32,
    /// When that record was appended, milliseconds since the epoch.
    pub appended_ms: i64,
    /// The time that the file's own batches carry, milliseconds since the epoch.
    pub now_ms: i64,
}

/// A snapshot that is whole on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenSnapshot {
    /// What it covers.
    pub id: SnapshotId,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the last record that it covers was appended, milliseconds since the epoch.
    pub appended_ms: i64,
}

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct WriteSnapshot {
    context: WriteSnapshotContext,
    id: SnapshotId,
    numbering: Numbering,
    file: FileRef,
    records: ImageRecords,
    /// Of the batch that comes next: the file's own, from 0 on.
    next_offset: i64,
    position: u64,
    is_complete: bool,
    out: Option<(EffectId, Effect)>,
    outcome: Option<Result<WrittenSnapshot, IoError>>,
}

impl WriteSnapshot {
    pub(super) fn new(id: JobId, context: WriteSnapshotContext) -> Self {
        let image = Arc::clone(&context.image);
        let end_offset = image.metadata_offset + 1;
        let snapshot = SnapshotId { end_offset, epoch: context.epoch };
        let mut numbering = Numbering::new(id);
        let path = context.directory.join(&part_name(snapshot));
        let file = FileRef { id: numbering.file(), path };
        let mut job = Self {
            context,
            id: snapshot,
            numbering,
            records: ImageRecords::new(image),
            next_offset: 0,
            position: 0,
            is_complete: false,
            out: None,
            outcome: None,
            file,
        };
        let header = job.header();
        let create = Operation::Create(job.file.clone());
        let write = job.write(header);
        job.emit(vec![create, write]);
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, result: Completion) {
        match result.into_result() {
            Ok(_) if self.is_complete => {
                self.outcome = Some(Ok(WrittenSnapshot {
                    id: self.id,
                    bytes: self.position,
                    appended_ms: self.context.appended_ms,
                }));
            }
            Ok(_) => self.go_on(),
            Err(error) => self.outcome = Some(Err(error)),
        }
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        let outcome = JobOutcome::SnapshotWritten(self.outcome.take()?);
        Some(JobResult { events: Vec::new(), outcome })
    }

    /// Writes the next batch, or ends the file.
    fn go_on(&mut self) {
        let mut batch = BatchBuilder::new();
        while batch.record_count() < SNAPSHOT_BATCH_RECORDS_MAX
            && batch.records().len() < SNAPSHOT_BATCH_BYTES
            && let Some((record, version)) = self.records.next()
        {
            batch.append(self.context.now_ms, None, Some(&record.encode(version)));
        }
        if batch.record_count() > 0 {
            let write = self.write(batch);
            return self.emit(vec![write]);
        }
        self.is_complete = true;
        let footer =
            self.control(&[ControlRecord::SnapshotFooter(SnapshotFooterRecord::default())]);
        let write = self.write(footer);
        let directory = self.context.directory.clone();
        let to = directory.join(&self.id.file_name());
        self.emit(vec![
            write,
            Operation::Sync(self.file.clone()),
            Operation::Close(self.file.clone()),
            Operation::Rename { from: self.file.path.clone(), to },
            Operation::SyncDirectory(directory),
        ]);
    }

    /// With the quorum's records where it is dynamic: a Kafka finds them nowhere else when the log
    /// before the snapshot is gone.
    fn header(&self) -> BatchBuilder {
        let image = &self.context.image;
        let mut records = vec![ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
            version: 0,
            last_contained_log_timestamp: self.context.appended_ms,
        })];
        if image.kraft_version > 0 {
            records.push(ControlRecord::KRaftVersion(KRaftVersionRecord {
                version: 0,
                kraft_version: image.kraft_version,
            }));
            records.extend(image.voters.clone().map(ControlRecord::KRaftVoters));
        }
        self.control(&records)
    }

    fn control(&self, records: &[ControlRecord]) -> BatchBuilder {
        let mut batch = BatchBuilder::new().control();
        for record in records {
            let (key, value) = record.encode();
            batch.append(self.context.now_ms, Some(&key), Some(&value));
        }
        batch
    }

    /// Appends a batch to the file.
    fn write(&mut self, batch: BatchBuilder) -> Operation {
        let count = i64::from(batch.record_count());
        let data = Bytes::from(batch.encode(self.next_offset, self.id.epoch));
        let position = self.position;
        self.next_offset += count;
        self.position += data.len() as u64;
        Operation::Write { file: self.file.clone(), position, data: vec![data] }
    }

    fn emit(&mut self, operations: Vec<Operation>) {
        self.out = Some((self.numbering.effect(), Effect::Operations(operations)));
    }
}

/// Kafka puts a random number between the two.
fn part_name(id: SnapshotId) -> String {
    format!("{}.part", id.file_name())
}
