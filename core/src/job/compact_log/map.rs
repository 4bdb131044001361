//! The first walk: which offset is the last of each key (`Cleaner.buildOffsetMap`).

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::transactions::{ControlKind, Transactions};
use super::{CompactLog, Stage};
use crate::batch::{BatchHeader, HEADER_BYTES, OpenBatch, Step, next_batch};
use crate::job::segment_reader::{Next, SegmentReader};
use crate::log::producers::AbortedTransaction;

impl CompactLog {
    pub(super) fn begin_map(&mut self) {
        let super::CompactLogContext { segments, first_dirty, first_dirty_position, .. } =
            &self.context;
        let begun = segments.partition_point(|segment| segment.base_offset <= *first_dirty);
        let first = begun.saturating_sub(1);
        let position = if begun == 0 { 0 } else { *first_dirty_position };
        let segment = &segments[first];
        let source =
            SegmentReader::new(segment.file.clone(), segment.size, position.min(segment.size));
        // Those that had ended would pass for ones that are under way.
        let ends_behind = |it: &&AbortedTransaction| it.last_offset >= self.context.first_dirty;
        let aborted: Vec<_> = self.context.aborted.iter().filter(ends_behind).copied().collect();
        self.keeper.transactions = Transactions::new(&aborted);
        self.stage = Stage::Map(first, source);
    }

    /// Notes keys until more must be read.
    pub(super) fn map_on(&mut self) {
        let batch_bytes_max = self.context.limits.stored_batch_bytes_max();
        loop {
            let Stage::Map(at, source) = &mut self.stage else { return };
            match source.next(batch_bytes_max) {
                Next::Batch(header, bytes) => match self.map_batch(&header, &bytes) {
                    Ok(true) => {}
                    Ok(false) => return self.end_map(true),
                    Err(reason) => return self.refuse(reason),
                },
                Next::Legacy(entry, _) => {
                    self.keeper.last.end = self.keeper.last.end.max(entry.last_offset + 1);
                }
                Next::Missing(missing) => {
                    let read = source.read(missing, self.context.piece_bytes);
                    return self.emit_or_pause(vec![read]);
                }
                Next::End => {
                    let next = *at + 1;
                    let end = self.base(next);
                    self.keeper.last.end = self.keeper.last.end.max(end);
                    let Some(segment) = self.context.segments.get(next) else {
                        return self.end_map(false);
                    };
                    let source = SegmentReader::new(segment.file.clone(), segment.size, 0);
                    self.stage = Stage::Map(next, source);
                }
                Next::Invalid(reason) => return self.refuse(reason),
            }
        }
    }

    /// False when a key finds no room.
    fn map_batch(&mut self, header: &BatchHeader, bytes: &Bytes) -> Result<bool, String> {
        let transactions = &mut self.keeper.transactions;
        let is_dropped = if header.attributes.is_control() {
            let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
            transactions.take_marker(header, ControlKind::of(header, body));
            true
        } else {
            transactions.take_batch(header)
        };
        if !is_dropped && header.last_offset() >= self.context.first_dirty {
            let Step::Batch(view) = next_batch(bytes, usize::MAX) else { return Ok(true) };
            let decompressed_max = self.context.limits.decompressed_bytes_max as usize;
            let fault = |it: &dyn core::fmt::Display| {
                format!(
                    "{}: the batch at offset {}: {it}",
                    self.context.directory, header.base_offset
                )
            };
            let compression = &*self.context.compression;
            let open = OpenBatch::open(&view, bytes, compression, decompressed_max)
                .map_err(|it| fault(&it))?;
            let last = &mut self.keeper.last;
            for record in open.records() {
                let record = record.map_err(|it| fault(&it))?;
                let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
                let Some(key) = record.key.filter(|_| offset >= self.context.first_dirty) else {
                    continue;
                };
                if !last.map.put(last.hasher.hash(key), offset) {
                    return Ok(false);
                }
            }
        }
        self.keeper.last.end = self.keeper.last.end.max(header.last_offset() + 1);
        Ok(true)
    }

    fn end_map(&mut self, is_full: bool) {
        let end = self.keeper.last.end.min(self.context.end);
        self.keeper.last.end = end;
        if is_full && end <= self.context.first_dirty {
            return self.refuse(format!(
                "{}: the keys of one batch at offset {end} do not fit into \
                 log.cleaner.dedupe.buffer.size",
                self.context.directory
            ));
        }
        self.report.end = end;
        self.keeper.transactions = Transactions::new(&self.context.aborted);
        self.stage = Stage::Between(0);
        self.go_on();
    }
}
