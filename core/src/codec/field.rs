//! The types of fields, in their classic and compact forms.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{DecodeError, Part, Reader, Writer};
use crate::config::limits::MESSAGE_DEPTH_MAX;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

/// How a field stands in the version at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The message's version.
    pub version: i16,
    /// The version has compact lengths and tagged fields.
    pub flexible: bool,
    /// The field may be null.
    pub nullable: bool,
    depth: u8,
}

impl Form {
    /// The form of a whole message.
    pub const fn new(version: i16, flexible: bool) -> Self {
        Self { version, flexible, nullable: false, depth: 0 }
    }

    /// The same for a field that may or may not be null.
    pub const fn nullable(self, nullable: bool) -> Self {
        Self { nullable, ..self }
    }

    /// The form of what a structure holds.
    pub(crate) fn inner(self) -> Result<Self, DecodeError> {
        if self.depth >= MESSAGE_DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        Ok(Self { nullable: false, depth: self.depth + 1, ..self })
    }
}

/// A value that a message holds.
pub trait Field: Sized {
    /// Reads a value.
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError>;

    /// Writes the value.
    fn encode<W: Writer>(&self, writer: &mut W, form: Form);
}

/// A value that has a null beside it. In a message its type is an `Option`, also where only some
/// versions have the null: in the others a null on the wire is an error, and `None` is written as
/// the default.
pub trait Nullable: Field + Default {
    /// Reads a value or null.
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError>;

    /// Writes a value or null.
    fn encode_nullable<W: Writer>(value: Option<&Self>, writer: &mut W, form: Form);
}

impl<T: Nullable> Field for Option<T> {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        if form.nullable {
            return T::decode_nullable(reader, form);
        }
        T::decode(reader, form).map(Some)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        match self {
            value if form.nullable => T::encode_nullable(value.as_ref(), writer, form),
            Some(value) => value.encode(writer, form),
            None => T::default().encode(writer, form),
        }
    }
}

macro_rules! fixed_size {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn decode(reader: &mut Reader<'_>, _: Form) -> Result<Self, DecodeError> {
                reader.array().map(<$type>::from_be_bytes)
            }

            fn encode<W: Writer>(&self, writer: &mut W, _: Form) {
                writer.put(&self.to_be_bytes());
            }
        }
    )*};
}

fixed_size!(i8, i16, i32, i64, u16, u32, f64);

impl Field for bool {
    /// Any byte but zero is true.
    fn decode(reader: &mut Reader<'_>, _: Form) -> Result<Self, DecodeError> {
        reader.i8().map(|byte| byte != 0)
    }

    fn encode<W: Writer>(&self, writer: &mut W, _: Form) {
        writer.put(&[u8::from(*self)]);
    }
}

impl Field for ErrorCode {
    fn decode(reader: &mut Reader<'_>, _: Form) -> Result<Self, DecodeError> {
        reader.i16().map(Self)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        self.0.encode(writer, form);
    }
}

impl Field for Uuid {
    fn decode(reader: &mut Reader<'_>, _: Form) -> Result<Self, DecodeError> {
        reader.array().map(Self)
    }

    fn encode<W: Writer>(&self, writer: &mut W, _: Form) {
        writer.put(&self.0);
    }
}

impl Field for String {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        Self::decode_nullable(reader, form)?.ok_or(DecodeError::UnexpectedNull)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        Self::encode_nullable(Some(self), writer, form);
    }
}

impl Nullable for String {
    /// Invalid UTF-8 is replaced, as Java does.
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.string_length(form.flexible)? else {
            return Ok(None);
        };
        let bytes = reader.slice(length)?;
        Ok(Some(Self::from_utf8_lossy(bytes).into_owned()))
    }

    /// What the wire has no length for is cut; only a message for a person could be that long.
    fn encode_nullable<W: Writer>(value: Option<&Self>, writer: &mut W, form: Form) {
        let text = value.map(|text| cut(text, i16::MAX as usize));
        let length = text.map(str::len);
        if form.flexible {
            writer.unsigned_varint(compact_length(length));
        } else {
            writer.put(&length.map_or(-1, |length| length as i16).to_be_bytes());
        }
        writer.put(text.unwrap_or_default().as_bytes());
    }
}

/// Bytes and records: a slice of the frame, never copied when read.
impl Field for Bytes {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        Self::decode_nullable(reader, form)?.ok_or(DecodeError::UnexpectedNull)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        Self::encode_nullable(Some(self), writer, form);
    }
}

impl Nullable for Bytes {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(form.flexible)? else {
            return Ok(None);
        };
        reader.bytes(length).map(Some)
    }

    fn encode_nullable<W: Writer>(value: Option<&Self>, writer: &mut W, form: Form) {
        encode_length(value.map(Self::len), writer, form);
        if let Some(bytes) = value {
            writer.payload(bytes);
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn decode(reader: &mut Reader<'_>, form: Form) -> Result<Self, DecodeError> {
        Self::decode_nullable(reader, form)?.ok_or(DecodeError::UnexpectedNull)
    }

    fn encode<W: Writer>(&self, writer: &mut W, form: Form) {
        Self::encode_nullable(Some(self), writer, form);
    }
}

impl<T: Field> Nullable for Vec<T> {
    fn decode_nullable(reader: &mut Reader<'_>, form: Form) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.array_length(form.flexible)? else {
            return Ok(None);
        };
        // No more memory at once than the bytes behind the claim take themselves.
        let fitting = reader.remaining() / size_of::<T>().max(1);
        let mut elements = Self::with_capacity(length.min(fitting));
        for _ in 0..length {
            elements.push(T::decode(reader, form.nullable(false))?);
        }
        Ok(Some(elements))
    }

    fn encode_nullable<W: Writer>(value: Option<&Self>, writer: &mut W, form: Form) {
        encode_length(value.map(Self::len), writer, form);
        for (index, element) in value.into_iter().flatten().enumerate() {
            writer.begin(Part::Element(index));
            element.encode(writer, form.nullable(false));
            writer.end();
        }
    }
}

/// Writes the length of an array or of bytes. The frame around it could not say a longer one
/// either.
pub(super) fn encode_length<W: Writer>(length: Option<usize>, writer: &mut W, form: Form) {
    if form.flexible {
        writer.unsigned_varint(compact_length(length));
    } else {
        let length = length.map_or(-1, |length| i32::try_from(length).expect(FITS));
        writer.put(&length.to_be_bytes());
    }
}

fn compact_length(length: Option<usize>) -> u32 {
    length.map_or(0, |length| u32::try_from(length + 1).expect(FITS))
}

/// At most `length_max` bytes of `text`, whole characters.
fn cut(text: &str, length_max: usize) -> &str {
    let fitting = (0..=length_max.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..fitting.unwrap_or(0)]
}

pub(super) const FITS: &str = "what is encoded fits a frame";
