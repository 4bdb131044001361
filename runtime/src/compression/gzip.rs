//! gzip (RFC 1952), in what Java's `GZIPInputStream` accepts.

use std::io::{Cursor, Read};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use klamm_core::batch::{ByteStream, CompressionError};

use super::output::{Output, feed};
use super::{corrupt, read_error};

/// Reads member after member. What follows a member and does not begin as another is left alone.
pub(super) struct Gunzip {
    /// `None` behind the end.
    member: Option<GzDecoder<Cursor<Bytes>>>,
    is_first: bool,
}

impl Gunzip {
    pub(super) fn new(input: Bytes) -> Self {
        Self { member: Some(GzDecoder::new(Cursor::new(input))), is_first: true }
    }
}

impl ByteStream for Gunzip {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        while let Some(mut member) = self.member.take() {
            match member.read(out) {
                Ok(0) => {
                    self.is_first = false;
                    let input = member.into_inner();
                    // A decoder is some 47 KB that are cleared first.
                    if input.position() < input.get_ref().len() as u64 {
                        self.member = Some(GzDecoder::new(input));
                    }
                }
                Ok(count) => {
                    self.member = Some(member);
                    return Ok(count);
                }
                Err(_) if member.header().is_none() && !self.is_first => return Ok(0),
                // A cut header is no gzip at all, as for Java's constructor.
                Err(error) if member.header().is_none() => return Err(corrupt(error)),
                Err(error) => return Err(read_error(&error)),
            }
        }
        Ok(0)
    }
}

pub(super) fn compress(
    input: &mut dyn ByteStream,
    level: i32,
    output: &Output,
) -> Result<(), CompressionError> {
    let level = u32::try_from(level)
        .ok()
        .filter(|level| (1..=9).contains(level))
        .map_or_else(flate2::Compression::default, flate2::Compression::new);
    let mut encoder = GzEncoder::new(output, level);
    feed(input, &mut encoder, output)?;
    encoder.finish().expect("an output takes every byte");
    Ok(())
}
