//! A codec for tests.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{ByteStream, Codec, Compression, CompressionError};

/// A codec that stores: what is compressed is the records themselves.
#[derive(Debug)]
pub(crate) struct Stored;

impl Compression for Stored {
    fn decompress(&self, _: Codec, input: Bytes) -> Result<Box<dyn ByteStream>, CompressionError> {
        Ok(Box::new(StoredStream(input)))
    }

    fn compress(
        &self,
        _: Codec,
        _: i32,
        input: &mut dyn ByteStream,
        output_bytes_max: usize,
    ) -> Result<Bytes, CompressionError> {
        let (mut output, mut piece) = (Vec::new(), [0; 3]);
        loop {
            let count = input.read(&mut piece)?;
            if count == 0 {
                return Ok(Bytes::from(output));
            }
            output.extend_from_slice(&piece[..count]);
            if output.len() > output_bytes_max {
                return Err(CompressionError::OutputFull);
            }
        }
    }
}

struct StoredStream(Bytes);

impl ByteStream for StoredStream {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let count = out.len().min(self.0.len()).min(7);
        out[..count].copy_from_slice(&self.0.split_to(count));
        Ok(count)
    }
}
