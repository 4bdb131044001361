//! Snappy: one raw block, or the blocks of snappy-java's `SnappyOutputStream`.

use std::io::Write;

use bytes::{Buf, Bytes};
use klamm_core::batch::{ByteStream, CompressionError};

use super::corrupt;
use super::output::Output;

/// snappy-java's header begins with this. Its version and the least compatible one follow, which
/// snappy-java does not look at.
const MAGIC: &[u8] = b"\x82SNAPPY\0";
/// The header: magic and two big-endian `i32`s.
const HEADER_BYTES: usize = 16;
/// The version that snappy-java has written since 2011.
const VERSION: i32 = 1;
/// Blocks that snappy-java writes, before compression.
const BLOCK_BYTES: usize = 32 << 10;
/// Three bytes copy 64 at the most: a block that claims to grow by more lies.
const GROWTH_MAX: usize = 22;

/// Decompresses a block at a time: snappy's copies may reach back over all of the block.
pub(super) struct Unsnappy {
    rest: Bytes,
    framing: Framing,
    block: Vec<u8>,
    at: usize,
    block_bytes_max: usize,
}

enum Framing {
    /// All of the input is one block.
    Raw,
    /// Blocks behind their big-endian length.
    Blocks,
}

impl Unsnappy {
    pub(super) fn new(mut input: Bytes, block_bytes_max: usize) -> Result<Self, CompressionError> {
        if input.is_empty() {
            return Err(corrupt("an empty snappy stream"));
        }
        let framing = if take_header(&mut input) { Framing::Blocks } else { Framing::Raw };
        Ok(Self { rest: input, framing, block: Vec::new(), at: 0, block_bytes_max })
    }

    /// Decompresses the next block; false at the end.
    fn next_block(&mut self) -> Result<bool, CompressionError> {
        let compressed = match self.framing {
            Framing::Raw if self.rest.is_empty() => return Ok(false),
            Framing::Raw => std::mem::take(&mut self.rest),
            Framing::Blocks => match self.take_block()? {
                Some(block) => block,
                None => return Ok(false),
            },
        };
        let length = snap::raw::decompress_len(&compressed).map_err(corrupt)?;
        if length > compressed.len().saturating_mul(GROWTH_MAX) {
            return Err(corrupt("a snappy block claims more than it can hold"));
        }
        if length > self.block_bytes_max {
            return Err(CompressionError::TooLarge(format!(
                "A snappy block of {length} bytes is larger than {} bytes",
                self.block_bytes_max
            )));
        }
        self.at = 0;
        self.block.clear();
        self.block.resize(length, 0);
        let written =
            snap::raw::Decoder::new().decompress(&compressed, &mut self.block).map_err(corrupt)?;
        self.block.truncate(written);
        Ok(true)
    }

    /// The next block behind its length. As in snappy-java another header may stand in its place,
    /// and fewer than four bytes at the end mean nothing.
    fn take_block(&mut self) -> Result<Option<Bytes>, CompressionError> {
        loop {
            if self.rest.len() < size_of::<i32>() {
                return Ok(None);
            }
            if take_header(&mut self.rest) {
                continue;
            }
            let length = usize::try_from(self.rest.get_i32())
                .map_err(|_| corrupt("a snappy block of negative length"))?;
            if length > self.rest.len() {
                return Err(corrupt("a snappy block is cut short"));
            }
            return Ok(Some(self.rest.split_to(length)));
        }
    }
}

impl ByteStream for Unsnappy {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = out.len().min(self.block.len() - self.at);
        out[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Takes snappy-java's header off the front, if it is there.
fn take_header(input: &mut Bytes) -> bool {
    let found = input.len() >= HEADER_BYTES && input.starts_with(MAGIC);
    if found {
        input.advance(HEADER_BYTES);
    }
    found
}

/// Writes what snappy-java does: its header, and blocks of 32 KiB behind their length.
pub(super) fn compress(
    input: &mut dyn ByteStream,
    output: &Output,
) -> Result<(), CompressionError> {
    let mut out = output;
    let mut write = |bytes: &[u8]| out.write_all(bytes).expect("an output takes every byte");
    write(MAGIC);
    write(&VERSION.to_be_bytes());
    write(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut compressed = vec![0; snap::raw::max_compress_len(BLOCK_BYTES)];
    while !output.is_full() {
        let filled = fill(input, &mut block)?;
        if filled == 0 {
            break;
        }
        let length = encoder
            .compress(&block[..filled], &mut compressed)
            .expect("there is room for the worst case");
        write(&(length as u32).to_be_bytes());
        write(&compressed[..length]);
    }
    Ok(())
}

/// Fills `block`; less only at the end of the input.
fn fill(input: &mut dyn ByteStream, block: &mut [u8]) -> Result<usize, CompressionError> {
    let mut filled = 0;
    while filled < block.len() {
        let count = input.read(&mut block[filled..])?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    Ok(filled)
}

/// One raw block, as librdkafka writes it.
#[cfg(test)]
pub(super) fn compress_raw(input: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(input).expect("a batch is smaller than 4 GiB")
}
