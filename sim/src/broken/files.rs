//! Brokers that deal wrongly with the files of segments, and with the small files beside them.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::api::fetch::Records;
use klamm_core::effect::{Completion, Effect, Operation, OperationResult, Path};
use klamm_core::ids::{ConnectionId, EffectId, FileId, JobId};
use klamm_core::request::{Response, ResponseBody};

use crate::disk::extension;
use crate::layer::{Carry, Layer};
use crate::reader::crc32c;

/// What was written to logs: by path, the length of each batch by its position.
#[derive(Debug, Default)]
struct Written(BTreeMap<Path, BTreeMap<u64, u64>>);

impl Written {
    fn note(&mut self, effect: &Effect) {
        let Effect::Operations(operations) = effect else { return };
        for operation in operations {
            if let Operation::Write { file, position, data } = operation
                && file.path.name().strip_suffix(".log").is_some()
            {
                let length = data.iter().map(|piece| piece.len() as u64).sum();
                self.0.entry(file.path.clone()).or_default().insert(*position, length);
            }
        }
    }

    fn end(&self, path: &Path) -> u64 {
        let last = self.0.get(path).and_then(|batches| batches.last_key_value());
        last.map_or(0, |(position, length)| position + length)
    }
}

fn ranges(response: &mut Response) -> impl Iterator<Item = &mut klamm_core::effect::FileRange> {
    let fetched = match &mut response.body {
        ResponseBody::Fetch(fetched) => Some(fetched),
        _ => None,
    };
    let topics = fetched.into_iter().flat_map(|fetched| &mut fetched.responses);
    let partitions = topics.flat_map(|topic| &mut topic.partitions);
    partitions.filter_map(|data| match &mut data.records {
        Records::File(range) if range.length > 0 => Some(range),
        _ => None,
    })
}

/// Believes an index that is torn: now and then what it serves begins at the place of the next
/// batch.
#[derive(Debug, Default)]
pub struct TrustsTornIndex {
    written: Written,
    ranges: u64,
}

impl Layer for TrustsTornIndex {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        self.written.note(effect);
        Carry::Honestly
    }

    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        for range in ranges(response) {
            let batches = self.written.0.get(&range.file.path);
            let first = batches.and_then(|batches| batches.get(&range.position)).copied();
            let Some(first) = first.filter(|first| *first < range.length) else { continue };
            self.ranges += 1;
            if self.ranges.is_multiple_of(3) {
                range.position += first;
                range.length -= first;
            }
        }
    }
}

/// Serves what is written and not yet synced.
#[derive(Debug, Default)]
pub struct ServesUnsynced {
    written: Written,
}

impl Layer for ServesUnsynced {
    fn completion(&mut self, _: EffectId, effect: &Effect, completion: &mut Completion) {
        if matches!(completion, Completion::Done(_)) {
            self.written.note(effect);
        }
    }

    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        for range in ranges(response) {
            let end = self.written.end(&range.file.path);
            range.length = range.length.max(end.saturating_sub(range.position));
        }
    }
}

/// Forgets where logs start: the checkpoint of it is told as written, and never is.
#[derive(Debug, Default)]
pub struct ForgetsLogStarts;

impl Layer for ForgetsLogStarts {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        let is_of_start = |operation: &Operation| match operation {
            Operation::Rename { to, .. } => to.name() == "log-start-offset-checkpoint",
            _ => false,
        };
        let is_told_only = id.owner == JobId::BROKER && operations.iter().any(is_of_start);
        if is_told_only { Carry::Never } else { Carry::Honestly }
    }
}

/// Forgets the sequences of producers in a start: the snapshots that it reads are empty.
#[derive(Debug, Default)]
pub struct ForgetsSequences;

impl Layer for ForgetsSequences {
    fn completion(&mut self, _: EffectId, effect: &Effect, completion: &mut Completion) {
        let (Effect::Operations(operations), Completion::Done(results)) = (effect, completion)
        else {
            return;
        };
        for (operation, result) in operations.iter().zip(results) {
            match (operation, result) {
                (Operation::Open(file), OperationResult::Opened(length))
                    if extension(&file.path) == "snapshot" =>
                {
                    *length = empty_snapshot().len() as u64;
                }
                (Operation::Read { file, .. }, OperationResult::Read(bytes))
                    if extension(&file.path) == "snapshot" =>
                {
                    *bytes = empty_snapshot();
                }
                _ => {}
            }
        }
    }
}

/// Kafka's snapshot of no producers: version 1, CRC of what follows, no entries.
fn empty_snapshot() -> Bytes {
    let entries = 0_i32.to_be_bytes();
    let crc = crc32c(&entries).to_be_bytes();
    [&1_i16.to_be_bytes()[..], &crc, &entries].concat().into()
}
/// Loses a partition's directory when it stops: it gets another name behind the marker of a stop in
/// good order.
#[derive(Debug, Default)]
pub struct LosesDirectories;

impl Layer for LosesDirectories {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        let marker = operations.iter().find_map(|operation| match operation {
            Operation::Rename { to, .. } if to.name() == ".kafka_cleanshutdown" => Some(to),
            _ => None,
        });
        if let Some(log_dir) = marker.map(Path::parent) {
            let (from, to) = (log_dir.join("topic0-0"), log_dir.join("lost"));
            operations.push(Operation::Rename { from, to });
        }
        Carry::Honestly
    }
}

/// Opens a log anew for each read, and closes it never.
#[derive(Debug, Default)]
pub struct LeaksFiles {
    reads: u64,
}

impl Layer for LeaksFiles {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        for operation in operations {
            if let Operation::Read { file, .. } = operation
                && file.path.name().strip_suffix(".log").is_some()
            {
                self.reads += 1;
                file.id = FileId { owner: JobId(u64::MAX), number: self.reads };
            }
        }
        Carry::Honestly
    }
}
