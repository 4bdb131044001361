//! LZ4 frames, in what Kafka's `Lz4BlockInputStream` accepts of them.

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use klamm_core::batch::{ByteStream, CompressionError};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::output::{Output, feed};
use super::{corrupt, read_error};

/// A frame's first bytes.
const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// The flags' bit for blocks that do not look back into each other.
const BLOCKS_INDEPENDENT: u8 = 0x20;

/// Reads one frame; what follows its end mark is left alone. It holds one block, of 4 MiB at the
/// most, and its compressed bytes.
pub(super) struct Unlz4 {
    frame: FrameDecoder<EndWatch>,
    ended: bool,
}

impl Unlz4 {
    pub(super) fn new(input: Bytes) -> Result<Self, CompressionError> {
        if !input.starts_with(&MAGIC) {
            return Err(corrupt("not an LZ4 frame"));
        }
        // Kafka's clients cannot read linked blocks, so a log must not hold them.
        let flags = input.get(MAGIC.len()).copied().ok_or(CompressionError::UnexpectedEnd)?;
        if flags & BLOCKS_INDEPENDENT == 0 {
            return Err(corrupt("an LZ4 frame of linked blocks"));
        }
        let source = EndWatch { input: Cursor::new(input), ran_dry: false };
        Ok(Self { frame: FrameDecoder::new(source), ended: false })
    }
}

impl ByteStream for Unlz4 {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        if self.ended {
            return Ok(0);
        }
        let count = self.frame.read(out).map_err(|error| read_error(&error))?;
        self.ended = count == 0;
        if self.ended && self.frame.get_ref().ran_dry {
            return Err(CompressionError::UnexpectedEnd);
        }
        Ok(count)
    }
}

/// The decoder takes the end of the input for the end of the frame; this tells them apart.
struct EndWatch {
    input: Cursor<Bytes>,
    ran_dry: bool,
}

impl Read for EndWatch {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        self.ran_dry |= count == 0 && !out.is_empty();
        Ok(count)
    }
}

/// Writes what Kafka's `Lz4BlockOutputStream` does: independent blocks of 64 KiB, no checksums but
/// the header's.
pub(super) fn compress(
    input: &mut dyn ByteStream,
    output: &Output,
) -> Result<(), CompressionError> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, output);
    feed(input, &mut encoder, output)?;
    encoder.finish().expect("an output takes every byte");
    Ok(())
}
