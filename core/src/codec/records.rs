//! The records of an answer: bytes, or a range of a file that leaves without being read.

use bytes::Bytes;

use super::field::{FITS, encode_length};
use super::{DecodeError, Field, Form, Reader, Writer};
use crate::effect::FileRange;

/// Record batches of an answer. There may be none, but they are never null on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// In memory: what was read from the wire, or nothing.
    Bytes(Bytes),
    /// In a file, from where a driver sends them.
    File(FileRange),
}

impl Records {
    /// How many bytes they are.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.length,
        }
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// No records.
impl Default for Records {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Field for Records {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        Bytes::decode(reader, form).map(Self::Bytes)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        match self {
            Self::Bytes(bytes) => bytes.encode(writer, form),
            Self::File(range) => {
                let length = usize::try_from(range.length).expect(FITS);
                encode_length(Some(length), writer, form);
                writer.file(range);
            }
        }
    }
}
