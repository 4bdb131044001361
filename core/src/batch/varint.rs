//! Numbers of variable length: zig-zag, seven bits a byte, least significant first (`ByteUtils`).

use alloc::vec::Vec;

use super::records::{RecordFault, RecordSource};

/// An `i32`: five bytes at the most. Bits beyond the 32nd are lost, as in Kafka.
pub(super) fn read_varint<S: RecordSource>(source: &mut S) -> Result<i32, S::Error> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = source.byte()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    Err(RecordFault::Overlong.into())
}

/// An `i64`: ten bytes at the most. Bits beyond the 64th are lost, as in Kafka.
pub(super) fn read_varlong<S: RecordSource>(source: &mut S) -> Result<i64, S::Error> {
    let mut value = 0_u64;
    for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
        let byte = source.byte()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(RecordFault::Overlong.into())
}

/// Appends a number; an `i32` takes the same bytes as the `i64` of its value.
pub(super) fn write_varlong(value: i64, out: &mut Vec<u8>) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that [`write_varlong`] appends.
pub(super) fn varlong_size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::records::Cursor;

    #[test]
    fn numbers_survive_writing_and_reading() {
        for value in [0, -1, 1, 63, -64, 64, 8191, -8193, i64::from(i32::MAX), i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            write_varlong(value, &mut bytes);
            assert_eq!(bytes.len(), varlong_size(value), "{value}");
            assert_eq!(read_varlong(&mut Cursor::new(&bytes)), Ok(value));
            if let Ok(small) = i32::try_from(value) {
                assert_eq!(read_varint(&mut Cursor::new(&bytes)), Ok(small));
            }
        }
    }

    #[test]
    fn overlong_numbers_are_refused_and_cut_ones_too() {
        let long = [0x80_u8; 11];
        assert_eq!(read_varint(&mut Cursor::new(&long)), Err(RecordFault::Overlong));
        assert_eq!(read_varlong(&mut Cursor::new(&long)), Err(RecordFault::Overlong));
        assert_eq!(read_varlong(&mut Cursor::new(&long[..9])), Err(RecordFault::Ends));
    }

    #[test]
    fn bits_beyond_the_type_are_lost() {
        assert_eq!(read_varint(&mut Cursor::new(&[0xfe, 0xff, 0xff, 0xff, 0x7f])), Ok(i32::MAX));
    }
}
