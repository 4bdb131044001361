//! Zstandard frames (RFC 8878).

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use klamm_core::batch::{ByteStream, CompressionError};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress as frame};

use super::corrupt;
use super::output::Output;

/// A block holds this much at the most.
const BLOCK_BYTES_MAX: usize = 128 << 10;
/// A frame's first bytes.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Where a frame's descriptor stands, and its bit that must be 0 (RFC 8878, 3.1.1.1.1).
const DESCRIPTOR_AT: usize = 4;
const RESERVED_BIT: u8 = 0x08;
/// The largest window that zstandard itself takes without being told to (2^27), and that its
/// highest level asks for.
const CLAIMED_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// Reads frame after frame and passes over skippable ones; no bytes at all are an empty stream.
///
/// The decoder holds what the window says, and allocates as it fills. Levels 20 to 22 claim windows
/// far beyond what a batch fills, so a larger claim is accepted until it is lived up to.
pub(super) struct Unzstd {
    input: Cursor<Bytes>,
    frame: Option<Frame>,
    window_bytes_max: usize,
}

struct Frame {
    decoder: FrameDecoder,
    claims_more: bool,
}

impl Unzstd {
    pub(super) fn new(input: Bytes, window_bytes_max: usize) -> Self {
        Self { input: Cursor::new(input), frame: None, window_bytes_max }
    }

    /// Begins the next frame; `None` at the end of the input.
    fn next_frame(&mut self) -> Result<Option<Frame>, CompressionError> {
        loop {
            let start = self.input.position();
            if start >= self.input.get_ref().len() as u64 {
                return Ok(None);
            }
            let frame = self.input.get_ref().get(start as usize..).unwrap_or_default();
            let is_zstd = frame.starts_with(&MAGIC);
            if is_zstd && frame.get(DESCRIPTOR_AT).is_some_and(|bits| bits & RESERVED_BIT != 0) {
                // The decoder does not mind, zstandard itself does: no client could read it.
                return Err(corrupt("a zstd frame with the reserved bit"));
            }
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(self.window_bytes_max as u64);
            match decoder.init(&mut self.input) {
                Ok(()) => return Ok(Some(Frame { decoder, claims_more: false })),
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                    self.input.set_position(start);
                    decoder.set_max_window_size(CLAIMED_WINDOW_BYTES_MAX);
                    decoder.init(&mut self.input).map_err(corrupt)?;
                    return Ok(Some(Frame { decoder, claims_more: true }));
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let next = self.input.position().saturating_add(u64::from(length));
                    if next > self.input.get_ref().len() as u64 {
                        return Err(CompressionError::UnexpectedEnd);
                    }
                    self.input.set_position(next);
                }
                Err(error) => return Err(corrupt(error)),
            }
        }
    }
}

impl Frame {
    /// Decodes until bytes can be taken out or the frame ends, and takes them; 0 at the end.
    fn read(
        &mut self,
        input: &mut Cursor<Bytes>,
        out: &mut [u8],
        window_bytes_max: usize,
    ) -> Result<usize, CompressionError> {
        let decoder = &mut self.decoder;
        while decoder.can_collect() == 0 && !decoder.is_finished() {
            if self.claims_more && decoder.blocks_decoded() * BLOCK_BYTES_MAX >= window_bytes_max {
                return Err(CompressionError::TooLarge(format!(
                    "A zstd frame needs a window of more than {window_bytes_max} bytes"
                )));
            }
            decoder
                .decode_blocks(&mut *input, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(corrupt)?;
        }
        let count = decoder.read(out).map_err(corrupt)?;
        if count == 0
            && decoder
                .get_checksum_from_data()
                .is_some_and(|stored| decoder.get_calculated_checksum() != Some(stored))
        {
            return Err(corrupt("a zstd frame's checksum is wrong"));
        }
        Ok(count)
    }
}

impl ByteStream for Unzstd {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.next_frame()? {
                    Some(frame) => frame,
                    None => return Ok(0),
                },
            };
            let count = frame.read(&mut self.input, out, self.window_bytes_max)?;
            if count > 0 {
                self.frame = Some(frame);
                return Ok(count);
            }
        }
    }
}

/// Writes one frame with a window of one block. The encoder has one level, near zstd's first.
pub(super) fn compress(
    input: &mut dyn ByteStream,
    output: &Output,
) -> Result<(), CompressionError> {
    let mut source = Source { input, output, fault: None };
    frame(&mut source, output, CompressionLevel::Fastest);
    source.fault.map_or(Ok(()), Err)
}

/// The encoder panics when its source fails, so a fault ends the source and is kept.
struct Source<'a> {
    input: &'a mut dyn ByteStream,
    output: &'a Output,
    fault: Option<CompressionError>,
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.output.is_full() || self.fault.is_some() || out.is_empty() {
            return Ok(0);
        }
        Ok(self.input.read(out).unwrap_or_else(|fault| {
            self.fault = Some(fault);
            0
        }))
    }
}
