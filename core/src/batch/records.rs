//! The records of a body that is not compressed (`DefaultRecord`).

use super::varint::{read_varint, read_varlong};

/// Goes over the records of an uncompressed body. The first fault ends it; so does a body that has
/// fewer or more than the declared number of records.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: Cursor<'a>,
    left: i32,
    ended: bool,
}

impl<'a> Records<'a> {
    /// `body` is what stands behind a batch's header, `record_count` what the header says.
    pub fn new(body: &'a [u8], record_count: i32) -> Self {
        Self { rest: Cursor::new(body), left: record_count, ended: false }
    }

    fn step(&mut self) -> Result<Option<Record<'a>>, RecordFault> {
        if self.left <= 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(RecordFault::BytesLeft) };
        }
        self.left -= 1;
        read_record(&mut self.rest).map(Some)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

/// One record; its bytes are borrowed (`Bytes::slice_ref` makes an owned slice of them).
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Means nothing.
    pub attributes: i8,
    /// Added to the batch's base timestamp, milliseconds.
    pub timestamp_delta: i64,
    /// Added to the batch's base offset.
    pub offset_delta: i32,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers; found sound.
    pub headers: Headers<'a>,
    /// All from the key on, as it stands.
    pub(super) tail: &'a [u8],
}

/// The headers of a record, in their order; keys may repeat.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: Cursor<'a>,
    left: usize,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// Said to be UTF-8; not checked.
    pub key: &'a [u8],
    /// Value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = RecordHeader<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // The record's reader has been over these bytes.
        let (key, value) = read_header(&mut self.rest).ok()?;
        Some(RecordHeader { key, value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The size that a record begins with is longer than any number.
    #[error("the size of a record is no number")]
    OverlongSize,
    /// A number inside a record is longer than any number.
    #[error("a number takes more bytes than it can")]
    Overlong,
    /// The bytes end inside a record, or it names more than there are.
    #[error("the bytes end inside a record")]
    Ends,
    /// A record's fields take more or fewer bytes than its size says.
    #[error("the fields of a record do not fill its size")]
    Size,
    /// A number of headers below zero or beyond the bytes, or a header without a key.
    #[error("the headers of a record are broken")]
    Headers,
    /// Bytes follow the last record.
    #[error("bytes follow the last record")]
    BytesLeft,
}

/// Reads one record, with its size, from the front of `source`.
pub(super) fn read_record<'a>(source: &mut Cursor<'a>) -> Result<Record<'a>, RecordFault> {
    let size = read_record_size(source).map_err(|fault| match fault {
        RecordFault::Overlong => RecordFault::OverlongSize,
        other => other,
    })?;
    let mut record = Cursor::new(source.field(size)?);
    let RecordHead { attributes, timestamp_delta, offset_delta } = read_record_head(&mut record)?;
    let tail = record.bytes;
    let RecordTail { key, value, headers, header_count } = read_record_tail(&mut record)?;
    let headers = Headers { rest: headers, left: header_count };
    Ok(Record { attributes, timestamp_delta, offset_delta, key, value, headers, tail })
}

/// Reads the size that a record begins with; it does not count itself.
pub(super) fn read_record_size<S: RecordSource>(source: &mut S) -> Result<usize, S::Error> {
    usize::try_from(read_varint(source)?).map_err(|_| RecordFault::Size.into())
}

/// Reads the fields of one record up to the key.
pub(super) fn read_record_head<S: RecordSource>(source: &mut S) -> Result<RecordHead, S::Error> {
    Ok(RecordHead {
        attributes: source.byte()? as i8,
        timestamp_delta: read_varlong(source)?,
        offset_delta: read_varint(source)?,
    })
}

/// Reads the fields of one record from the key on; `source` ends, or says that it does, where the
/// record does.
pub(super) fn read_record_tail<S: RecordSource>(source: &mut S) -> Result<RecordTail<S>, S::Error> {
    let key = read_nullable(source)?;
    let value = read_nullable(source)?;
    let header_count = usize::try_from(read_varint(source)?).map_err(|_| RecordFault::Headers)?;
    if header_count > source.left() {
        return Err(RecordFault::Headers.into());
    }
    let headers = source.mark();
    for _ in 0..header_count {
        read_header(source)?;
    }
    if source.left() > 0 {
        return Err(RecordFault::Size.into());
    }
    Ok(RecordTail { key, value, headers, header_count })
}

fn read_header<S: RecordSource>(source: &mut S) -> Result<HeaderFields<S>, S::Error> {
    let key = read_nullable(source)?.ok_or(RecordFault::Headers)?;
    Ok((key, read_nullable(source)?))
}

/// Bytes behind their length; any negative length is null.
fn read_nullable<S: RecordSource>(source: &mut S) -> Result<Option<S::Field>, S::Error> {
    usize::try_from(read_varint(source)?).ok().map(|length| source.field(length)).transpose()
}

/// What a record begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordHead {
    pub(super) attributes: i8,
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
}

/// What the rest of a record consists of, as the source gives it.
pub(super) struct RecordTail<S: RecordSource> {
    pub(super) key: Option<S::Field>,
    pub(super) value: Option<S::Field>,
    pub(super) headers: S::Mark,
    pub(super) header_count: usize,
}

type HeaderFields<S> = (<S as RecordSource>::Field, Option<<S as RecordSource>::Field>);

/// Where the bytes of a record come from: a slice, or a decompressor that skips what nobody reads.
pub(super) trait RecordSource {
    /// Why no byte came.
    type Error: From<RecordFault>;
    /// A key or a value.
    type Field;
    /// A place to come back to.
    type Mark;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Self::Error>;

    /// The next `length` bytes.
    fn field(&mut self, length: usize) -> Result<Self::Field, Self::Error>;

    /// Bytes up to the end of the record.
    fn left(&self) -> usize;

    /// This place.
    fn mark(&self) -> Self::Mark;
}

/// A place in a slice.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<'a> RecordSource for Cursor<'a> {
    type Error = RecordFault;
    type Field = &'a [u8];
    type Mark = Self;

    fn byte(&mut self) -> Result<u8, RecordFault> {
        let (&byte, rest) = self.bytes.split_first().ok_or(RecordFault::Ends)?;
        self.bytes = rest;
        Ok(byte)
    }

    fn field(&mut self, length: usize) -> Result<&'a [u8], RecordFault> {
        let (field, rest) = self.bytes.split_at_checked(length).ok_or(RecordFault::Ends)?;
        self.bytes = rest;
        Ok(field)
    }

    fn left(&self) -> usize {
        self.bytes.len()
    }

    fn mark(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::batch::{BatchBuilder, NewRecord};

    fn body() -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        let headers: &[(&[u8], Option<&[u8]>)] =
            &[(b"a", Some(b"1".as_slice())), (b"", None), (b"a", Some(b"".as_slice()))];
        builder.append_record(&NewRecord {
            timestamp_ms: 50,
            key: Some(b"k"),
            value: None,
            headers,
        });
        builder.append(45, None, Some(b"value"));
        builder.records().to_vec()
    }

    #[test]
    fn records_come_back_as_they_were_appended() {
        let body = body();
        let records: Vec<_> = Records::new(&body, 2).map(|record| record.expect("sound")).collect();
        assert_eq!(records[0].key, Some(b"k".as_slice()));
        assert_eq!(records[0].value, None);
        assert_eq!((records[0].timestamp_delta, records[0].offset_delta), (0, 0));
        assert_eq!((records[1].timestamp_delta, records[1].offset_delta), (-5, 1));
        assert_eq!(records[1].headers.len(), 0);
        let headers: Vec<_> =
            records[0].headers.clone().map(|header| (header.key, header.value)).collect();
        assert_eq!(
            headers,
            [(b"a".as_slice(), Some(b"1".as_slice())), (b"", None), (b"a", Some(b""))]
        );
    }

    #[test]
    fn declared_count_must_be_the_real_one() {
        let body = body();
        let last = |count| Records::new(&body, count).last();
        assert!(matches!(last(1), Some(Err(RecordFault::BytesLeft))));
        assert!(matches!(last(3), Some(Err(RecordFault::Ends))));
        assert!(matches!(last(0), Some(Err(RecordFault::BytesLeft))));
        assert!(matches!(last(2), Some(Ok(_))));
    }

    #[test]
    fn cut_bodies_end_in_one_fault() {
        let body = body();
        for cut in 0..body.len() {
            let mut records = Records::new(&body[..cut], 2);
            let faults = records.by_ref().filter(Result::is_err).count();
            assert_eq!(faults, 1, "cut at {cut}");
            assert!(records.next().is_none());
        }
    }

    #[test]
    fn garbage_is_told_apart() {
        let fault = |body: &[u8]| Records::new(body, 1).next().and_then(Result::err);
        assert_eq!(fault(&[0xff; 30]), Some(RecordFault::OverlongSize));
        assert_eq!(fault(&[0x01]), Some(RecordFault::Size));
        // Size 6: attributes, two deltas, null key, null value, then the number of headers.
        assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 1]), Some(RecordFault::Headers));
        assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 20]), Some(RecordFault::Headers));
        assert_eq!(fault(&[14, 0, 0, 0, 1, 1, 0, 9]), Some(RecordFault::Size));
        assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 0]), None);
    }
}
