//! What a compacted log must hold.

use std::collections::HashMap;
use std::fs;

use bytes::Bytes;
use klamm_core::batch::{OpenBatch, Step, next_batch};
use klamm_runtime::compression::Codecs;

use super::load::{key_bytes, number};
use super::target::{Dirty, segments};

/// Far above what one batch holds.
const DECOMPRESSED_BYTES_MAX: usize = 16 << 20;

/// What was found below the end of a compaction.
pub(super) struct Survivors {
    pub(super) keys: usize,
    pub(super) bytes: u64,
}

/// Below the end of the compaction there is the last record of each key, from there on every record; nothing else,
/// and each as it was written.
pub(super) fn check(log: &Dirty) -> Result<Survivors, String> {
    let mut last: HashMap<u32, i64> = HashMap::new();
    let below = usize::try_from(log.end).unwrap_or(0).min(log.keys.len());
    last.extend(log.keys[..below].iter().zip(0..).map(|(key, offset)| (*key, offset)));
    let (mut next, mut found, mut bytes) = (0, 0, 0);
    for segment in segments(&log.directory)? {
        if segment.base_offset < log.end {
            bytes += segment.bytes;
        }
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", segment.path.display());
        let content = Bytes::from(fs::read(&segment.path).map_err(|error| said(&error))?);
        each_record(&content, |offset, key, value| {
            let written = log.keys.get(offset as usize).ok_or("an offset that was not written")?;
            if offset < next || key != Some(&key_bytes(*written)) {
                return Err("the offset is not its own".to_owned());
            }
            if value.and_then(|value| value.first_chunk()) != Some(&number(offset)) {
                return Err("the value is not its own".to_owned());
            }
            if offset < log.end && last.get(written) != Some(&offset) {
                return Err("its key has a later one".to_owned());
            }
            (next, found) = (offset + 1, found + 1);
            Ok(())
        })
        .map_err(|error| said(&error))?;
    }
    let expected = last.len() + (log.keys.len() - below);
    if found == expected {
        return Ok(Survivors { keys: last.len(), bytes });
    }
    let directory = log.directory.display();
    Err(format!("{directory}: {found} records are left of {expected} that must be"))
}

fn each_record(
    content: &Bytes,
    mut take: impl FnMut(i64, Option<&[u8]>, Option<&[u8]>) -> Result<(), String>,
) -> Result<(), String> {
    let codecs = Codecs::default();
    let mut at = 0;
    while at < content.len() {
        let Step::Batch(view) = next_batch(&content[at..], usize::MAX) else {
            return Err(format!("no batch at {at}"));
        };
        let batch = OpenBatch::open(&view, content, &codecs, DECOMPRESSED_BYTES_MAX)
            .map_err(|error| format!("the batch at {at}: {error}"))?;
        for record in batch.records() {
            let record = record.map_err(|error| format!("the batch at {at}: {error}"))?;
            let offset = view.header().base_offset + i64::from(record.offset_delta);
            take(offset, record.key, record.value)
                .map_err(|error| format!("the record with offset {offset}: {error}"))?;
        }
        at += view.size();
    }
    Ok(())
}
