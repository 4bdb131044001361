//! Variable-length integers: seven bits a byte, least significant first (protobuf's, as in Kafka's
//! `ByteUtils`).
//!
//! The functions take what they read off the front of `input`, and leave it alone when they fail.

use super::DecodeError;

/// Reads an unsigned varint of at most 5 bytes. What the fifth byte says above 32 bits is dropped,
/// as in Kafka.
pub fn read_unsigned(input: &mut &[u8]) -> Result<u32, DecodeError> {
    read_groups::<5>(input).map(|value| value as u32)
}

/// Reads a zigzag varint of at most 5 bytes.
pub fn read_i32(input: &mut &[u8]) -> Result<i32, DecodeError> {
    let value = read_unsigned(input)?;
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Reads a zigzag varint of at most 10 bytes.
pub fn read_i64(input: &mut &[u8]) -> Result<i64, DecodeError> {
    let value = read_groups::<10>(input)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// An encoded varint.
#[derive(Clone, Copy, Debug)]
pub struct Varint {
    bytes: [u8; 10],
    length: usize,
}

impl Varint {
    /// Unsigned, as of lengths and tags.
    pub const fn unsigned(value: u32) -> Self {
        Self::groups(value as u64)
    }

    /// Zigzag, 32 bits.
    pub const fn i32(value: i32) -> Self {
        Self::groups(((value << 1) ^ (value >> 31)) as u32 as u64)
    }

    /// Zigzag, 64 bits.
    pub const fn i64(value: i64) -> Self {
        Self::groups(((value << 1) ^ (value >> 63)) as u64)
    }

    /// Its bytes, 1 to 10.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    const fn groups(mut value: u64) -> Self {
        let mut bytes = [0; 10];
        let mut length = 1;
        while value >= 0x80 {
            bytes[length - 1] = value as u8 | 0x80;
            value >>= 7;
            length += 1;
        }
        bytes[length - 1] = value as u8;
        Self { bytes, length }
    }
}

fn read_groups<const BYTES_MAX: usize>(input: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for (at, &byte) in input.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            *input = &input[at + 1..];
            return Ok(value);
        }
    }
    if input.len() < BYTES_MAX {
        return Err(DecodeError::UnexpectedEnd { missing: 1 });
    }
    Err(DecodeError::VarintTooLong)
}
