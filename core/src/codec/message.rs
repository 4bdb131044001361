//! The `message!` macro.

use core::ops::RangeInclusive;

use super::{Count, DecodeError, Field, Form, Part, Reader, Writer};

/// A message of Kafka's protocol: a request's or response's body, a header, a record of an internal
/// log.
pub trait Message: Field + Default {
    /// Kafka's name of it.
    const NAME: &'static str;

    /// The versions that can be read and written.
    const VERSIONS: RangeInclusive<i16>;

    /// Whether the version has compact lengths and tagged fields.
    fn is_flexible(version: i16) -> bool;

    /// Reads the message; what follows it is left in `reader`.
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::UnknownVersion(version));
        }
        Self::decode(reader, Form::new(version, Self::is_flexible(version)))
    }

    /// Writes the message. Fields that the version has not are left out.
    ///
    /// A version outside [`VERSIONS`](Self::VERSIONS) is the caller's fault.
    fn write<W: Writer>(&self, writer: &mut W, version: i16) {
        debug_assert!(Self::VERSIONS.contains(&version), "{} has no version {version}", Self::NAME);
        self.encode(writer, Form::new(version, Self::is_flexible(version)));
    }
}

/// Defines a message and the structures that it holds, in the order of Kafka's schema:
///
/// ```text
/// message! {
///     /// Documentation.
///     pub struct FooRequest (versions: 0..=5, flexible: 3..) {
///         /// Documentation.
///         topics: Option<Vec<FooTopic>> { versions: 0.., nullable: 1.., default: None },
///         /// Documentation.
///         leader_id: i32 { versions: 4.., tag: 0, default: -1 },
///     }
///     /// Documentation.
///     pub struct FooTopic {
///         /// Documentation.
///         name: String { versions: 0..=3 },
///     }
/// }
/// ```
///
/// - The first line of a message names its versions and, when it has any, its flexible ones. A
///   structure inside it goes by the message's.
/// - A field is on the wire in its `versions`; in others it reads as its default.
/// - A field that is `nullable` in some version is an `Option`.
/// - A field with a `tag` stands among the tagged fields, and only when it is not its default.
///   Tagged fields are defined in the order of their tags.
/// - `default` is Kafka's; without it zero, empty or `None`.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(( versions: $valid:expr $(, flexible: $flexible:expr)? ))? {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $type:ty {
                    versions: $versions:expr
                    $(, nullable: $nullable:expr)?
                    $(, tag: $tag:expr)?
                    $(, default: $default:expr)?
                }
            ),* $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::codec::message!(@default $($default)?), )* }
            }
        }

        $(
            impl $crate::codec::Message for $name {
                const NAME: &'static str = stringify!($name);
                const VERSIONS: core::ops::RangeInclusive<i16> = $valid;

                fn is_flexible(version: i16) -> bool {
                    let _ = version;
                    false $(|| ($flexible).contains(&version))?
                }
            }
        )?

        impl $name {
            const FIELDS: &[&str] = &[$(stringify!($field)),*];

            #[inline]
            fn slots(form: $crate::codec::Form) -> [$crate::codec::Slot; Self::FIELDS.len()] {
                let _ = form;
                [$(
                    $crate::codec::Slot {
                        name: stringify!($field),
                        exists: ($versions).contains(&form.version),
                        tag: None::<u32>$(.or(Some($tag)))?,
                        form: form.nullable(false $(|| ($nullable).contains(&form.version))?),
                    },
                )*]
            }
        }

        const _: () = $crate::codec::ascending(&[$($($tag,)?)*]);

        impl $crate::codec::Field for $name {
            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
                form: $crate::codec::Form,
            ) -> Result<Self, $crate::codec::DecodeError> {
                let form = form.inner()?;
                let [$($field),*] = Self::slots(form);
                let mut message = Self::default();
                $( $field.decode(reader, &mut message.$field)?; )*
                if form.flexible {
                    reader.tagged_fields(|reader, tag| {
                        let _ = (&reader, &mut message, tag);
                        Ok(false $(|| $field.decode_tagged(tag, reader, &mut message.$field)?)*)
                    })?;
                }
                Ok(message)
            }

            fn encode<W: $crate::codec::Writer>(&self, writer: &mut W, form: $crate::codec::Form) {
                let [$($field),*] = Self::slots(form);
                $( $field.encode(writer, &self.$field); )*
                if form.flexible {
                    let default = Self::default();
                    let _ = &default;
                    let count = 0 $(+ $field.count_tagged(&self.$field, &default.$field))*;
                    $crate::codec::write_tag_count(writer, count);
                    $( $field.encode_tagged(writer, &self.$field, &default.$field); )*
                }
            }
        }

        impl $crate::codec::Nullable for $name {
            fn decode_nullable(
                reader: &mut $crate::codec::Reader<'_>,
                form: $crate::codec::Form,
            ) -> Result<Option<Self>, $crate::codec::DecodeError> {
                if reader.i8()? < 0 {
                    return Ok(None);
                }
                $crate::codec::Field::decode(reader, form).map(Some)
            }

            fn encode_nullable<W: $crate::codec::Writer>(
                value: Option<&Self>,
                writer: &mut W,
                form: $crate::codec::Form,
            ) {
                let Some(value) = value else {
                    return writer.put(&[0xff]);
                };
                writer.put(&[1]);
                $crate::codec::Field::encode(value, writer, form);
            }
        }
    )+};

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}

pub(crate) use message;

/// One field of a structure, in one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    pub(crate) exists: bool,
    pub(crate) tag: Option<u32>,
    pub(crate) form: Form,
}

impl Slot {
    #[inline]
    pub(crate) fn decode<T: Field>(
        self,
        reader: &mut Reader<'_>,
        value: &mut T,
    ) -> Result<(), DecodeError> {
        if self.exists && self.tag.is_none() {
            *value = T::decode(reader, self.form)?;
        }
        Ok(())
    }

    /// Reads the field if the tag is its own, and says whether it is.
    #[inline]
    pub(crate) fn decode_tagged<T: Field>(
        self,
        tag: u32,
        reader: &mut Reader<'_>,
        value: &mut T,
    ) -> Result<bool, DecodeError> {
        if !self.exists || self.tag != Some(tag) {
            return Ok(false);
        }
        *value = T::decode(reader, self.form)?;
        Ok(true)
    }

    #[inline]
    pub(crate) fn encode<T: Field, W: Writer>(self, writer: &mut W, value: &T) {
        if self.exists && self.tag.is_none() {
            writer.begin(Part::Field(self.name));
            value.encode(writer, self.form);
            writer.end();
        }
    }

    /// 1 when the field has to be written as a tagged one, else 0.
    #[inline]
    pub(crate) fn count_tagged<T: PartialEq>(self, value: &T, default: &T) -> u32 {
        u32::from(self.exists && self.tag.is_some() && value != default)
    }

    #[inline]
    pub(crate) fn encode_tagged<T: Field + PartialEq, W: Writer>(
        self,
        writer: &mut W,
        value: &T,
        default: &T,
    ) {
        let Some(tag) = self.tag.filter(|_| self.exists && value != default) else {
            return;
        };
        writer.begin(Part::Tagged(self.name));
        let mut size = Count::default();
        value.encode(&mut size, self.form);
        writer.unsigned_varint(tag);
        writer.unsigned_varint(u32::try_from(size.0).expect("what is encoded fits a frame"));
        value.encode(writer, self.form);
        writer.end();
    }
}

/// Fails the build when tags are not defined in their order, in which Kafka writes them.
pub(crate) const fn ascending(tags: &[u32]) {
    let mut at = 1;
    while at < tags.len() {
        assert!(tags[at - 1] < tags[at], "tagged fields are defined in the order of their tags");
        at += 1;
    }
}

/// Writes how many tagged fields follow.
pub(crate) fn write_tag_count<W: Writer>(writer: &mut W, count: u32) {
    writer.begin(Part::TagCount);
    writer.unsigned_varint(count);
    writer.end();
}
