//! Writing the bytes of a message.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::field::FITS;
use super::varint::Varint;
use crate::effect::FileRange;

/// Where a message is encoded to.
///
/// An output that can send shared memory overrides [`payload`](Self::payload) and copies no
/// records; one that explains a message to a person overrides [`begin`](Self::begin) and
/// [`end`](Self::end).
pub trait Writer {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Appends the content of a byte field: records and the like.
    fn payload(&mut self, bytes: &Bytes) {
        self.put(bytes);
    }

    /// Appends a range of a file, whose length has been written. Only an answer holds any: an output that is not
    /// made for answers has no place for it.
    fn file(&mut self, range: &FileRange) {
        debug_assert!(range.length == 0, "this output holds no ranges of files");
    }

    /// What follows, up to the matching [`end`](Self::end), is this part of the message.
    fn begin(&mut self, part: Part) {
        let _ = part;
    }

    /// The part begun last is complete.
    fn end(&mut self) {}

    /// Appends an unsigned varint.
    fn unsigned_varint(&mut self, value: u32) {
        self.put(Varint::unsigned(value).as_bytes());
    }
}

/// A part of a message, as an observing [`Writer`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A field, by its name.
    Field(&'static str),
    /// A tagged field, with its tag and size, by its name.
    Tagged(&'static str),
    /// An element of an array, by its index.
    Element(usize),
    /// The number of tagged fields.
    TagCount,
}

impl Writer for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Writer for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what is written: a tagged field says its size first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(
    /// Bytes so far.
    pub usize,
);

impl Writer for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn file(&mut self, range: &FileRange) {
        self.0 += usize::try_from(range.length).expect(FITS);
    }
}
