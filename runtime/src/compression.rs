//! Kafka's four codecs: the core names them, here they work.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::io;

use bytes::Bytes;
use klamm_core::batch::{Codec, Compression, CompressionError, Decompress};
use klamm_core::config::Limits;

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
    ) -> Result<Box<dyn Decompress>, CompressionError> {
        Ok(match codec {
            Codec::Gzip => Box::new(gzip::Gunzip::new(input)),
            Codec::Snappy => Box::new(snappy::Unsnappy::new(input, self.snappy_block_bytes_max)?),
            Codec::Lz4 => Box::new(lz4::Unlz4::new(input)?),
            Codec::Zstd => Box::new(zstd::Unzstd::new(input, self.zstd_window_bytes_max)),
        })
    }
}

/// Compresses all of `input` in one go, in the framing that Kafka's clients write.
pub fn compress(codec: Codec, input: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => gzip::compress(input),
        Codec::Snappy => snappy::compress(input),
        Codec::Lz4 => lz4::compress(input),
        Codec::Zstd => zstd::compress(input),
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
