//! Kafka's four codecs: the core names them, here they work.

mod gzip;
mod lz4;
mod output;
mod snappy;
mod zstd;

use std::io::{self, Read};

use bytes::Bytes;
use klamm_core::batch::{ByteStream, Codec, Compression, CompressionError};
use klamm_core::config::{CompressionLevels, Limits};

use output::Output;

/// The codecs, in what Kafka's own libraries accept: gzip members in a row and anything behind
/// them, snappy raw or in snappy-java's blocks, LZ4 frames of independent blocks, zstandard frames.
#[derive(Clone, Copy, Debug)]
pub struct Codecs {
    snappy_block_bytes_max: usize,
    zstd_window_bytes_max: usize,
}

impl Codecs {
    /// With the limits on what a stream may make a decompressor hold.
    pub fn new(limits: &Limits) -> Self {
        Self {
            snappy_block_bytes_max: limits.snappy_block_bytes_max,
            zstd_window_bytes_max: limits.zstd_window_bytes_max,
        }
    }
}

impl Default for Codecs {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Compression for Codecs {
    fn decompress(
        &self,
        codec: Codec,
        input: Bytes,
    ) -> Result<Box<dyn ByteStream>, CompressionError> {
        Ok(match codec {
            Codec::Gzip => Box::new(gzip::Gunzip::new(input)),
            Codec::Snappy => Box::new(snappy::Unsnappy::new(input, self.snappy_block_bytes_max)?),
            Codec::Lz4 => Box::new(lz4::Unlz4::new(input)?),
            Codec::Zstd => Box::new(zstd::Unzstd::new(input, self.zstd_window_bytes_max)),
        })
    }

    /// gzip has its levels, and the library's own default for all others; the libraries for lz4 and
    /// zstd have one level each, and snappy knows none.
    fn compress(
        &self,
        codec: Codec,
        level: i32,
        input: &mut dyn ByteStream,
        output_bytes_max: usize,
    ) -> Result<Bytes, CompressionError> {
        let output = Output::new(output_bytes_max);
        match codec {
            Codec::Gzip => gzip::compress(input, level, &output)?,
            Codec::Snappy => snappy::compress(input, &output)?,
            Codec::Lz4 => lz4::compress(input, &output)?,
            Codec::Zstd => zstd::compress(input, &output)?,
        }
        output.finish()
    }
}

/// Compresses all of `input` in one go, as [`Codecs::compress`] does.
///
/// # Panics
/// Never: bytes in memory do not fail, and the output is not bounded.
pub fn compress(codec: Codec, input: &[u8]) -> Vec<u8> {
    let level = CompressionLevels::default().of(codec);
    let compressed = Codecs::default().compress(codec, level, &mut Slice(input), usize::MAX);
    compressed.expect("bytes in memory do not fail").into()
}

struct Slice<'a>(&'a [u8]);

impl ByteStream for Slice<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        Ok(self.0.read(out).expect("a slice does not fail"))
    }
}

fn corrupt(reason: impl ToString) -> CompressionError {
    CompressionError::Corrupt(reason.to_string())
}

/// A reader that runs dry inside a stream means an early end.
fn read_error(error: &io::Error) -> CompressionError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        CompressionError::UnexpectedEnd
    } else {
        corrupt(error)
    }
}

#[cfg(test)]
mod tests;
