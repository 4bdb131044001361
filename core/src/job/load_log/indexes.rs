//! The index files of segments that need no scan: read, checked for sense, and taken into memory.
//!
//! They have no checksum. Where they stand for what the log was when they were written, they spare
//! the walk over the segment; a wrong entry is found when it is used.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::segments::{FoundSegment, IndexLengths, Trust};
use super::{LoadLog, Stage};
use crate::effect::{FileRef, Operation, OperationResult};
use crate::log::producers::{TRANSACTION_ENTRY_BYTES, parse_transaction_index};
use crate::log::{FileSuffix, OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, file_name};

/// The files of one segment that are still to be read.
#[derive(Debug, Default)]
pub(super) struct IndexFiles {
    segment: usize,
    pieces: VecDeque<Piece>,
    /// How many of them are out.
    asked: usize,
}

/// A part of a file: whole entries.
#[derive(Clone, Copy, Debug)]
struct Piece {
    suffix: FileSuffix,
    position: u64,
    length: u32,
}

impl LoadLog {
    /// Goes on with the first segment from `segment` on whose index files count.
    pub(super) fn load_indexes_from(&mut self, segment: usize) {
        for at in segment..self.segments.len() {
            let FoundSegment { trust, files, .. } = &self.segments[at];
            let is_whole = files.offsets.is_some() && files.times.is_some();
            if *trust == Trust::Indexed && !is_whole {
                let base_offset = self.segments[at].base_offset;
                self.distrust(at, &format!("an index file of segment {base_offset} is missing"));
            }
            let pieces = pieces(&self.segments[at], self.context.limits.job_piece_bytes);
            if !pieces.is_empty() {
                return self.read_indexes(IndexFiles { segment: at, pieces, asked: 0 });
            }
        }
        self.load_snapshot();
    }

    /// Reads as many pieces as make one in size.
    fn read_indexes(&mut self, mut files: IndexFiles) {
        if files.pieces.is_empty() {
            self.check_indexes(files.segment);
            return self.load_indexes_from(files.segment + 1);
        }
        let base_offset = self.segments[files.segment].base_offset;
        let mut operations = Vec::new();
        let mut left = u64::from(self.context.limits.job_piece_bytes);
        for piece in &files.pieces {
            if files.asked > 0 && u64::from(piece.length) > left {
                break;
            }
            files.asked += 1;
            left = left.saturating_sub(u64::from(piece.length));
            let path = self.context.path.join(&file_name(base_offset, piece.suffix));
            let file = FileRef { id: self.numbering.file(), path };
            let Piece { position, length, .. } = *piece;
            operations.push(Operation::Read { file: file.clone(), position, length });
            operations.push(Operation::Close(file));
        }
        self.emit(Stage::Indexes(files), operations);
    }

    /// Pieces were read.
    pub(super) fn handle_indexes(&mut self, mut files: IndexFiles, results: Vec<OperationResult>) {
        let contents = results.into_iter().filter_map(|result| match result {
            OperationResult::Read(content) => Some(content),
            _ => None,
        });
        let asked = files.pieces.drain(..core::mem::take(&mut files.asked));
        for (piece, content) in asked.collect::<Vec<_>>().into_iter().zip(contents) {
            let segment = &mut self.segments[files.segment];
            if let Err(reason) = segment.take_index(&piece, &content) {
                let name = file_name(segment.base_offset, piece.suffix);
                self.distrust(files.segment, &format!("{name} makes no sense: {reason}"));
                return self.load_indexes_from(files.segment + 1);
            }
        }
        self.read_indexes(files);
    }

    /// All files of the segment are read: nothing in them may lie beyond it.
    fn check_indexes(&mut self, at: usize) {
        let next = self.segments.get(at + 1).map_or(i64::MAX, |next| next.base_offset);
        let segment = &self.segments[at];
        let max_timestamp = segment.indexes.max_timestamp();
        let last = segment.last_entry().map(|(last_offset, _)| last_offset);
        let beyond = last.into_iter().chain([max_timestamp.offset]).find(|offset| *offset >= next);
        if let Some(offset) = beyond {
            let name = file_name(segment.base_offset, FileSuffix::Index);
            let reason = format!("{name} has offset {offset}, the next segment begins at {next}");
            self.distrust(at, &reason);
        }
    }

    /// The index files of the segment do not count: it is scanned, and they are made anew
    /// (`LogLoader.recoverSegment`).
    pub(super) fn distrust(&mut self, at: usize, reason: &str) {
        let path = &self.context.path;
        let text =
            format!("{path}: {reason}: the segment is scanned and its indexes are made anew");
        self.warn(text);
        self.segments[at].distrust();
    }
}

impl FoundSegment {
    fn take_index(&mut self, piece: &Piece, content: &Bytes) -> Result<(), String> {
        if content.len() != piece.length as usize {
            return Err(format!("it ends {} bytes early", piece.length as usize - content.len()));
        }
        match piece.suffix {
            FileSuffix::Index => self.indexes.load_offsets(content, self.length),
            FileSuffix::TimeIndex => self.indexes.load_times(content),
            _ => return self.take_aborted(content),
        }
        .map_err(|fault| fault.to_string())
    }

    /// What cannot be read of the transactions is found again by a replay.
    fn take_aborted(&mut self, content: &Bytes) -> Result<(), String> {
        match parse_transaction_index(content, self.base_offset) {
            Ok(entries) => {
                self.companions.transaction_index = true;
                self.aborted.extend(entries);
                Ok(())
            }
            Err(error) => {
                self.companions.transaction_index = false;
                self.replays = true;
                self.aborted.clear();
                Err(error.to_string())
            }
        }
    }
}

/// The files that count, in the order in which they are read: an empty one as a piece without bytes.
fn pieces(segment: &FoundSegment, piece_bytes: u32) -> VecDeque<Piece> {
    let mut pieces = VecDeque::new();
    let mut push = |suffix, file_bytes: Option<u64>, entry_bytes: usize| {
        let Some(file_bytes) = file_bytes else { return };
        let entry_bytes = entry_bytes as u32;
        let most = (piece_bytes / entry_bytes).max(1) * entry_bytes;
        let mut position = 0;
        loop {
            let length = (file_bytes - position).min(u64::from(most)) as u32;
            pieces.push_back(Piece { suffix, position, length });
            position += u64::from(length);
            if position == file_bytes {
                break;
            }
        }
    };
    let IndexLengths { offsets, times, transactions } = segment.files;
    if !segment.replays {
        push(FileSuffix::TransactionIndex, transactions, TRANSACTION_ENTRY_BYTES);
    }
    if segment.trust == Trust::Indexed {
        push(FileSuffix::Index, offsets, OFFSET_ENTRY_BYTES);
        push(FileSuffix::TimeIndex, times, TIME_ENTRY_BYTES);
    }
    pieces
}
