//! The records of a compressed body, decompressed piece by piece and not kept.

use alloc::boxed::Box;

use super::compression::{ByteStream, CompressionError};
use super::records::{
    RecordFault, RecordHead, RecordSource, read_record_head, read_record_size, read_record_tail,
};

/// Decompressed bytes held at once: small beside any decompressor's window, and few calls.
const PIECE_BYTES: usize = 8 << 10;

/// Goes over the records of a body that comes in pieces; of keys and values it keeps the length alone.
pub(super) struct RecordStream {
    bytes: Box<dyn ByteStream>,
    piece: [u8; PIECE_BYTES],
    at: usize,
    end: usize,
    /// Bytes that may still be decompressed.
    allowance: u64,
    /// Bytes up to the end of the record; without bound between records.
    record_left: usize,
}

/// What is known of a record that has been passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PassedRecord {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key_bytes: Option<usize>,
    pub(super) value_bytes: Option<usize>,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StreamFault {
    /// The decompressed bytes are no record.
    Record(RecordFault),
    /// There are no decompressed bytes.
    Compression(CompressionError),
    /// There are too many.
    AllowanceSpent,
}

impl From<RecordFault> for StreamFault {
    fn from(fault: RecordFault) -> Self {
        Self::Record(fault)
    }
}

impl RecordStream {
    /// Takes `allowance` bytes at the most.
    pub(super) fn new(bytes: Box<dyn ByteStream>, allowance: u64) -> Self {
        Self { bytes, piece: [0; PIECE_BYTES], at: 0, end: 0, allowance, record_left: usize::MAX }
    }

    /// Passes over the next record.
    pub(super) fn next_record(&mut self) -> Result<PassedRecord, StreamFault> {
        let head = self.begin_record()?;
        let tail = read_record_tail(self)?;
        Ok(PassedRecord {
            timestamp_delta: head.timestamp_delta,
            offset_delta: head.offset_delta,
            key_bytes: tail.key,
            value_bytes: tail.value,
        })
    }

    /// Reads the next record up to its key; [`read_rest`](Self::read_rest) gives what is left of it,
    /// [`RecordSource::left`] says how much that is.
    pub(super) fn begin_record(&mut self) -> Result<RecordHead, StreamFault> {
        self.record_left = usize::MAX;
        self.record_left = read_record_size(self)?;
        read_record_head(self)
    }

    /// Fills the front of `out` with what is left of the record that has begun; 0 at its end.
    pub(super) fn read_rest(&mut self, out: &mut [u8]) -> Result<usize, StreamFault> {
        let wanted = out.len().min(self.record_left);
        if wanted == 0 {
            return Ok(0);
        }
        if self.at == self.end && self.fill()? == 0 {
            return Err(RecordFault::Ends.into());
        }
        let count = wanted.min(self.end - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        self.record_left -= count;
        Ok(count)
    }

    /// Makes sure that nothing follows the last record, and that the stream ends as it should.
    pub(super) fn finish(&mut self) -> Result<(), StreamFault> {
        if self.at < self.end || self.fill()? > 0 {
            return Err(RecordFault::BytesLeft.into());
        }
        Ok(())
    }

    /// Decompresses the next piece; 0 at the end of the stream.
    fn fill(&mut self) -> Result<usize, StreamFault> {
        self.at = 0;
        self.end = 0;
        let filled = self.bytes.read(&mut self.piece).map_err(StreamFault::Compression)?;
        self.end = filled.min(PIECE_BYTES);
        self.allowance =
            self.allowance.checked_sub(self.end as u64).ok_or(StreamFault::AllowanceSpent)?;
        Ok(self.end)
    }
}

impl RecordSource for RecordStream {
    type Error = StreamFault;
    type Field = usize;
    type Mark = ();

    fn byte(&mut self) -> Result<u8, StreamFault> {
        self.record_left = self.record_left.checked_sub(1).ok_or(RecordFault::Ends)?;
        if self.at == self.end && self.fill()? == 0 {
            return Err(RecordFault::Ends.into());
        }
        let byte = self.piece.get(self.at).copied().ok_or(RecordFault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn field(&mut self, length: usize) -> Result<usize, StreamFault> {
        self.record_left = self.record_left.checked_sub(length).ok_or(RecordFault::Ends)?;
        let mut skip = length;
        while skip > self.end - self.at {
            skip -= self.end - self.at;
            if self.fill()? == 0 {
                return Err(RecordFault::Ends.into());
            }
        }
        self.at += skip;
        Ok(length)
    }

    fn left(&self) -> usize {
        self.record_left
    }

    fn mark(&self) {}
}
