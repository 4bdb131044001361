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

use super::segment_reader::{Next, SegmentReader};
use super::{JobOutcome, JobResult};
use crate::batch::{BatchHeader, Compression, OpenBatch, Step, next_batch};
use crate::broker::Shard;
use crate::config::Limits;
use crate::effect::{Completion, Effect, FileRef, IoError, OperationResult};
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
    /// The log does not read as it should: names file and position.
    Damage(String),
}

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct LoadShard {
    context: LoadShardContext,
    numbering: Numbering,
    reader: Option<SegmentReader>,
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
            reader: None,
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
                let Some(reader) = &mut self.reader else { return };
                if reader.fill(&data) {
                    self.advance();
                } else {
                    let reason = format!("{}: the file is shorter than it was", reader.place());
                    self.outcome = Some(Err(LoadShardFailure::Damage(reason)));
                }
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
        let limits = &self.context.limits;
        let batch_bytes_max = limits.stored_batch_bytes_max();
        let piece_bytes = limits.job_piece_bytes;
        let damage = loop {
            let Some(reader) = &mut self.reader else {
                let Some((file, bytes)) = self.context.segments.pop_front() else {
                    self.outcome = Some(Ok(()));
                    return;
                };
                self.reader = Some(SegmentReader::new(file, bytes, 0));
                continue;
            };
            match reader.next(batch_bytes_max) {
                Next::Batch(header, bytes) => {
                    if let Err(reason) = self.replay(&header, &bytes) {
                        let place = self.reader.as_ref().map(SegmentReader::place);
                        break format!("{}: {reason}", place.unwrap_or_default());
                    }
                }
                Next::Legacy(entry, _) => {
                    break format!("{}: a batch of magic {}", reader.place(), entry.magic);
                }
                Next::Missing(missing) => {
                    let read = reader.read(missing, piece_bytes);
                    let id = self.numbering.effect();
                    self.out = Some((id, Effect::Operations(vec![read])));
                    return;
                }
                Next::End => self.reader = None,
                Next::Invalid(reason) => break reason,
            }
        };
        self.outcome = Some(Err(LoadShardFailure::Damage(damage)));
    }

    fn replay(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), String> {
        if header.last_offset() < self.context.log_start {
            return Ok(());
        }
        let Step::Batch(view) = next_batch(batch, usize::MAX) else {
            return Err("no batch".into());
        };
        if header.attributes.is_control() {
            let marker = EndMarker::parse(header, view.body()).map_err(|it| it.to_string())?;
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::{LoadShardContext, LoadShardFailure, LoadedShard};
    use crate::batch::BatchBuilder;
    use crate::batch::testing::Stored;
    use crate::config::Limits;
    use crate::effect::{FileRef, Path};
    use crate::ids::{FileId, JobId};
    use crate::job::testing::Disk;
    use crate::job::{Job, JobOutcome};
    use crate::records::{OffsetCommitValue, OffsetsKey};

    const LOG: &str = "/data/__consumer_offsets-0/00000000000000000000.log";

    /// A commit of partition 0 of `t`.
    fn commit(base_offset: i64, offset: i64) -> Vec<u8> {
        let (group, topic) = ("g".to_string(), "t".to_string());
        let key = OffsetsKey::Offset { group, topic, partition: 0 }.encode();
        let value = OffsetCommitValue { offset, ..OffsetCommitValue::default() }.encode();
        let mut batch = BatchBuilder::new();
        batch.append(0, Some(&key), Some(&value));
        batch.encode(base_offset, 0)
    }

    fn load(content: Vec<u8>, bytes: u64) -> Result<LoadedShard, LoadShardFailure> {
        load_under(Limits::default(), content, bytes)
    }

    fn load_under(
        limits: Limits,
        content: Vec<u8>,
        bytes: u64,
    ) -> Result<LoadedShard, LoadShardFailure> {
        let mut disk = Disk::default();
        disk.put(LOG, content);
        let id = FileId { owner: JobId::BROKER, number: 0 };
        let file = FileRef { id, path: Path::new(LOG) };
        let context = LoadShardContext {
            segments: [(file, bytes)].into(),
            log_start: 0,
            compression: Arc::new(Stored),
            limits,
        };
        match disk.run(&mut Job::load_shard(JobId(1), context)).outcome {
            JobOutcome::ShardLoaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_appended_meanwhile_is_not_looked_at() {
        let first = commit(0, 5);
        let bytes = first.len() as u64;
        let LoadedShard(shard) = load([first, commit(1, 9)].concat(), bytes).expect("loaded");
        assert_eq!(shard.offset("g", "t", 0), Some(5));
    }

    #[test]
    fn what_was_written_before_requests_had_to_be_short_is_loaded() {
        let content = commit(0, 5);
        let bytes = content.len() as u64;
        let limits = Limits { frame_bytes_max: 1, ..Limits::default() };
        let LoadedShard(shard) = load_under(limits, content, bytes).expect("loaded");
        assert_eq!(shard.offset("g", "t", 0), Some(5));
    }

    #[test]
    fn damage_is_named_by_file_and_position() {
        let (first, mut second) = (commit(0, 5), commit(1, 9));
        *second.last_mut().expect("bytes") ^= 1;
        let content = [first.clone(), second].concat();
        let bytes = content.len() as u64;
        let Err(LoadShardFailure::Damage(reason)) = load(content, bytes) else { panic!("loaded") };
        let place = alloc::format!("{LOG}: damage at position {}: ", first.len());
        assert!(reason.starts_with(&place), "{reason}");
    }
}
