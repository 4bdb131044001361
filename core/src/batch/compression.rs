//! The compression provider: the core knows the codecs' numbers, the outside knows how they work.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Debug;

use bytes::Bytes;

/// A codec, by its number in a batch's attributes (`CompressionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// 1: RFC 1952.
    Gzip,
    /// 2: raw snappy, or blocks behind snappy-java's header.
    Snappy,
    /// 3: LZ4 frames.
    Lz4,
    /// 4: zstandard frames.
    Zstd,
}

/// What compresses and decompresses; given to each connection.
pub trait Compression: Debug + Send + Sync {
    /// Starts to decompress `input`, which is a slice and is not copied. Memory is constant in the
    /// size of the output.
    fn decompress(
        &self,
        codec: Codec,
        input: Bytes,
    ) -> Result<Box<dyn ByteStream>, CompressionError>;

    /// Compresses all of `input`, in the framing that Kafka's broker writes. `level` is one of the
    /// codec's own, or the nearest to it that the provider has. Memory is constant beside the output,
    /// which is never longer than `output_bytes_max`.
    ///
    /// Fails as `input` does, or with [`CompressionError::OutputFull`].
    fn compress(
        &self,
        codec: Codec,
        level: i32,
        input: &mut dyn ByteStream,
        output_bytes_max: usize,
    ) -> Result<Bytes, CompressionError>;
}

/// Bytes that come piece by piece: out of a decompressor, or into a compressor.
pub trait ByteStream {
    /// Fills the front of `out`; 0 at the end of the stream, and only there (`out` is not empty).
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError>;
}

/// Why a stream cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The input ends inside the stream's data.
    #[error("the stream ends too early")]
    UnexpectedEnd,
    /// The input is no stream of that codec.
    #[error("{0}")]
    Corrupt(String),
    /// The stream asks for more memory than a decompressor gets.
    #[error("{0}")]
    TooLarge(String),
    /// What was compressed takes more bytes than allowed.
    #[error("the compressed bytes are more than allowed")]
    OutputFull,
}
