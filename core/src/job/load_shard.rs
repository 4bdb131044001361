//! Replays one partition of `__consumer_offsets` (`CoordinatorLoaderImpl`).
//!
//! Every batch is read, in pieces, and each of its records handed to the shard. What a transaction wrote counts when
//! its marker says so. A record of a kind that nobody knows is passed over, as in Kafka; a batch that is none ends
//! it: half of what groups have committed must not be served as all of it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;

use bytes::Bytes;

use super::batch_file::{BatchFile, Found};
use super::{JobOutcome, JobResult};
use crate::batch::{Compression, OpenBatch, Step, next_batch};
use crate::broker::Shard;
use crate::config::Limits;
use crate::effect::{Completion, Effect, FileRef, IoError, OperationResult, Path};
use crate::event::{Event, Severity};
use crate::ids::{EffectId, JobId, Numbering};
use crate::log::producers::EndMarker;

/// What is replayed.
#[derive(Debug)]
pub struct LoadShardContext {
    /// The segments of the log by offset, rising, and the bytes of each that count.
    pub segments: VecDeque<(FileRef, u64)>,
    /// What lies below it is deleted.
    pub log_start: i64,
    /// For compressed batches.
    pub compression: Arc<dyn Compression>,
    /// Piece sizes and bounds.
    pub limits: Limits,
}

/// What came of it.
#[derive(Debug)]
pub struct LoadedShard(pub(crate) Box<Shard>);

/// Why a shard cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadShardFailure {
    /// The disk failed.
    Disk(IoError),
    /// The log does not read as it should.
    Damage {
        /// The segment.
        file: Path,
        /// Of the batch, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct LoadShard {
    context: LoadShardContext,
    numbering: Numbering,
    file: Option<BatchFile>,
    shard: Box<Shard>,
    /// Records that were passed over, and why the last one was.
    passed_over: Option<(u64, String)>,
    out: Option<(EffectId, Effect)>,
    outcome: Option<Result<(), LoadShardFailure>>,
}

impl LoadShard {
    pub(super) fn new(id: JobId, context: LoadShardContext) -> Self {
        let mut job = Self {
            context,
            numbering: Numbering::new(id),
            file: None,
            shard: Box::default(),
            passed_over: None,
            out: None,
            outcome: None,
        };
        job.advance();
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, result: Completion) {
        match result.into_result() {
            Ok(results) => {
                let data = match results.into_iter().next_back() {
                    Some(OperationResult::Read(data)) => data,
                    _ => Bytes::new(),
                };
                if let Some(file) = &mut self.file {
                    file.fill(data);
                }
                self.advance();
            }
            Err(error) => self.outcome = Some(Err(LoadShardFailure::Disk(error))),
        }
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        let outcome = self.outcome.take()?;
        let shard = core::mem::take(&mut self.shard);
        let told = self.passed_over.take().map(|(count, reason)| {
            let text = format!("{count} records of __consumer_offsets are passed over: {reason}");
            Event::Notice { severity: Severity::Warning, text }
        });
        let outcome = JobOutcome::ShardLoaded(outcome.map(|()| LoadedShard(shard)));
        Some(JobResult { events: told.into_iter().collect(), outcome })
    }

    /// Replays what has been read, and asks for more.
    fn advance(&mut self) {
        loop {
            let Some(file) = &mut self.file else {
                let Some((file, bytes)) = self.context.segments.pop_front() else {
                    self.outcome = Some(Ok(()));
                    return;
                };
                let limits = &self.context.limits;
                let piece_bytes = limits.job_piece_bytes;
                self.file = Some(BatchFile::new(file, bytes, piece_bytes, limits.frame_bytes_max));
                continue;
            };
            let damage = match file.next() {
                Found::Batch { position, bytes } => match self.replay(&bytes) {
                    Ok(()) => continue,
                    Err(reason) => Some((position, reason)),
                },
                Found::Missing { bytes } => {
                    let read = file.read(bytes);
                    let id = self.numbering.effect();
                    self.out = Some((id, Effect::Operations(vec![read])));
                    return;
                }
                Found::End => None,
                Found::Invalid { position, fault } => Some((position, fault.to_string())),
            };
            let ended = self.file.take().expect("it is being read");
            if let Some((position, reason)) = damage {
                let file = ended.file().path.clone();
                self.outcome = Some(Err(LoadShardFailure::Damage { file, position, reason }));
                return;
            }
        }
    }

    fn replay(&mut self, batch: &Bytes) -> Result<(), String> {
        let Step::Batch(view) = next_batch(batch, usize::MAX) else {
            return Err("no batch".into());
        };
        let header = *view.header();
        if header.last_offset() < self.context.log_start {
            return Ok(());
        }
        if header.attributes.is_control() {
            let marker = EndMarker::parse(&header, view.body()).map_err(|it| it.to_string())?;
            if let Some(marker) = marker {
                self.shard.replay_marker(header.producer_id, !marker.is_abort);
            }
            return Ok(());
        }
        let bytes_max = self.context.limits.decompressed_bytes_max;
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let open = OpenBatch::open(&view, batch, &*self.context.compression, bytes_max);
        let open = open.map_err(|fault| fault.to_string())?;
        let transaction = header.attributes.is_transactional().then_some(header.producer_id);
        for record in open.records() {
            let record = record.map_err(|fault| fault.to_string())?;
            let offset = header.base_offset + i64::from(record.offset_delta);
            // A record without a key says nothing about anything.
            let Some(key) = record.key.filter(|_| offset >= self.context.log_start) else {
                continue;
            };
            let (key, value) = (open.slice(key), record.value.map(|value| open.slice(value)));
            if let Err(error) = self.shard.replay(offset, transaction, &key, value.as_ref()) {
                let count = self.passed_over.take().map_or(0, |(count, _)| count);
                self.passed_over = Some((count + 1, format!("offset {offset}: {error}")));
            }
        }
        Ok(())
    }
}
