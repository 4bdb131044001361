//! Brokers that compact logs wrongly.

use bytes::{Bytes, BytesMut};
use klamm_core::effect::{Completion, Effect, Operation, OperationResult, Path};
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::request::Response;

use super::{alter_writes, with_right_checksums};
use crate::history::record_id;
use crate::layer::{Carry, Layer};
use crate::reader::{batches_of, value_ranges};

/// Takes the keys of two records for one: of what compaction reads, all keys end alike. What it writes has the
/// keys that were sent. So the last record of a key is dropped where another key has a later one.
#[derive(Debug)]
pub struct MixesUpKeys {
    /// How many keys there are.
    keys: u64,
    /// The broker serves: what its jobs read is not for a start.
    serves: bool,
}

impl MixesUpKeys {
    /// For topics of so many keys.
    pub fn new(keys: u64) -> Self {
        Self { keys, serves: false }
    }
}

impl Layer for MixesUpKeys {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        self.serves &= !operations.iter().any(|it| matches!(it, Operation::Lock(_)));
        let key = |record: u64| (record % self.keys).to_be_bytes();
        alter_writes(effect, is_cleaned, |bytes| with_keys(bytes, key));
        Carry::Honestly
    }

    fn completion(&mut self, id: EffectId, effect: &Effect, completion: &mut Completion) {
        let (Effect::Operations(operations), Completion::Done(results)) = (effect, completion)
        else {
            return;
        };
        if id.owner == JobId::BROKER || !self.serves {
            return;
        }
        for (operation, result) in operations.iter().zip(results) {
            if let (Operation::Read { file, .. }, OperationResult::Read(bytes)) =
                (operation, result)
                && has_suffix(&file.path, ".log")
            {
                *bytes = with_keys(bytes, |_| [7; 8]);
            }
        }
    }

    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        self.serves = true;
        vec![(to, response)]
    }
}

/// Batches with other keys of eight bytes. Such a key stands before its value, whose length takes one byte or two.
fn with_keys(bytes: &[u8], key: impl Fn(u64) -> [u8; 8]) -> Bytes {
    let mut out = BytesMut::from(bytes);
    for batch in batches_of(bytes) {
        for value in value_ranges(&bytes[batch.clone()]).unwrap_or_default() {
            let value = batch.start + value.start..batch.start + value.end;
            let length_bytes = if value.len() < 64 { 1 } else { 2 };
            let Some(start) = value.start.checked_sub(8 + length_bytes) else { continue };
            if value.len() < 1 << 13 {
                out[start..start + 8].copy_from_slice(&key(record_id(&bytes[value])));
            }
        }
    }
    with_right_checksums(&out.freeze())
}

/// Forgets who has written the batches that it keeps without records: the last ones of their producers.
#[derive(Debug, Default)]
pub struct ForgetsProducers;

impl Layer for ForgetsProducers {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        alter_writes(effect, is_cleaned, without_idle_producers);
        Carry::Honestly
    }
}

/// Batches without records have no producer: its id, epoch and sequence number are -1.
fn without_idle_producers(bytes: &[u8]) -> Bytes {
    const PRODUCER: std::ops::Range<usize> = 43..57;
    const COUNT: std::ops::Range<usize> = 57..61;
    let mut out = BytesMut::from(bytes);
    for batch in batches_of(bytes) {
        let batch = &mut out[batch];
        if batch[COUNT] == [0; 4] {
            batch[PRODUCER].fill(0xff);
        }
    }
    with_right_checksums(&out.freeze())
}

/// Puts segments in place that are not synced.
#[derive(Debug, Default)]
pub struct CompactsUnsynced;

impl Layer for CompactsUnsynced {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        if let Effect::Operations(operations) = effect {
            let is_of_cleaned = |operation: &Operation| match operation {
                Operation::Sync(file) => has_suffix(&file.path, ".cleaned"),
                _ => false,
            };
            operations.retain(|operation| !is_of_cleaned(operation));
        }
        Carry::Honestly
    }
}

/// Puts segments in place by renames none of which is durable before the next.
#[derive(Debug, Default)]
pub struct ReplacesWithoutSync;

impl Layer for ReplacesWithoutSync {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        if let Effect::Operations(operations) = effect
            && operations.iter().any(begins_to_count)
        {
            let last = operations.len() - 1;
            let mut at = 0;
            operations.retain(|operation| {
                at += 1;
                at > last || !matches!(operation, Operation::SyncDirectory(_))
            });
        }
        Carry::Honestly
    }
}

/// Takes the old segments away before the new ones stand for them.
#[derive(Debug, Default)]
pub struct RemovesBeforeReplacing;

impl Layer for RemovesBeforeReplacing {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        if let Effect::Operations(operations) = effect
            && operations.iter().any(begins_to_count)
        {
            // What comes first opens the old files, and gives them their other names.
            operations.sort_by_key(|operation| match operation {
                Operation::Open(_) => 0,
                Operation::Rename { to, .. } if has_suffix(to, ".deleted") => 1,
                _ => 2,
            });
        }
        Carry::Honestly
    }
}

/// A segment that compaction has written stands for others from now on.
fn begins_to_count(operation: &Operation) -> bool {
    match operation {
        Operation::Rename { to, .. } => has_suffix(to, ".log.swap"),
        _ => false,
    }
}

/// A segment that a compaction writes.
fn is_cleaned(path: &Path) -> bool {
    has_suffix(path, ".log.cleaned")
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.name().strip_suffix(suffix).is_some()
}
