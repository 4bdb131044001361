//! Reading the bytes of one message.

use bytes::Bytes;

use super::{DecodeError, varint};
use crate::config::limits::MESSAGE_ELEMENTS_MAX;

/// A position in the bytes of one message; it borrows them, and never panics.
///
/// A read that fails leaves the position where it was.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> Reader<'a> {
    /// At the front of `bytes`.
    pub fn new(bytes: &'a Bytes) -> Self {
        Self { whole: bytes, rest: bytes, elements_left: MESSAGE_ELEMENTS_MAX }
    }

    /// Lets arrays have no more than `elements` from here on, all together.
    pub(crate) fn limit_elements(&mut self, elements: usize) {
        self.elements_left = self.elements_left.min(elements);
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `length` bytes.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(DecodeError::UnexpectedEnd { missing: length - self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `length` bytes as a slice that shares the frame's memory, and keeps all of it
    /// alive.
    pub fn bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        Ok(self.whole.slice_ref(self.slice(length)?))
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(DecodeError::UnexpectedEnd { missing: N - self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte, signed.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    /// Two bytes, signed.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most 5 bytes.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        varint::read_unsigned(&mut self.rest)
    }

    /// A zigzag varint of at most 5 bytes.
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        varint::read_i32(&mut self.rest)
    }

    /// A zigzag varint of at most 10 bytes.
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        varint::read_i64(&mut self.rest)
    }

    /// Reads the tagged fields that end a structure of a flexible version (KIP-482).
    ///
    /// `field` is called with each tag and says whether it knows it and has read its value; others
    /// are skipped. Like Kafka's generated readers this asks for no order, lets the last
    /// of equal tags win, and believes the value of a known tag rather than its declared size.
    pub fn tagged_fields(
        &mut self,
        mut field: impl FnMut(&mut Self, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.unsigned_varint()? as i32;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()? as usize;
            if !field(self, tag)? {
                self.slice(length)?;
            }
        }
        Ok(())
    }

    /// Takes the length of an array, `None` for null (any negative length).
    ///
    /// An element is a byte at least, so a length beyond the bytes left is refused before anything
    /// is reserved; so is one beyond what one message may hold in all.
    pub(super) fn array_length(&mut self, compact: bool) -> Result<Option<usize>, DecodeError> {
        let Some(elements) = self.length(compact)? else {
            return Ok(None);
        };
        let remaining = self.remaining();
        if elements > remaining {
            return Err(DecodeError::ArrayTooLong { elements, remaining });
        }
        let Some(left) = self.elements_left.checked_sub(elements) else {
            return Err(DecodeError::TooManyElements);
        };
        self.elements_left = left;
        Ok(Some(elements))
    }

    /// Takes the length of an array or of bytes: 32 bits, or in the compact form a varint of length
    /// + 1.
    /// `None` is null.
    pub(super) fn length(&mut self, compact: bool) -> Result<Option<usize>, DecodeError> {
        let length = if compact { self.compact_length()? } else { self.i32()? };
        Ok(usize::try_from(length).ok())
    }

    /// Takes the length of a string: 16 bits, or the compact form. `None` is null.
    pub(super) fn string_length(&mut self, compact: bool) -> Result<Option<usize>, DecodeError> {
        let length = if compact { self.compact_length()? } else { i32::from(self.i16()?) };
        match usize::try_from(length) {
            Err(_) => Ok(None),
            Ok(length) if length > i16::MAX as usize => Err(DecodeError::StringTooLong(length)),
            Ok(length) => Ok(Some(length)),
        }
    }

    fn compact_length(&mut self) -> Result<i32, DecodeError> {
        Ok((self.unsigned_varint()? as i32).wrapping_sub(1))
    }
}
