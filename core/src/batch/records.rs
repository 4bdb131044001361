//! The records of a body that is not compressed (`DefaultRecord`).

use super::varint::{ByteSource, read_varint, read_varlong};

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
        read_header(&mut self.rest).ok()
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

/// Reads one record from the front of `source`.
pub(super) fn read_record<'a>(source: &mut Cursor<'a>) -> Result<Record<'a>, RecordFault> {
    let size = read_varint(source).map_err(|fault| match fault {
        RecordFault::Overlong => RecordFault::OverlongSize,
        other => other,
    })?;
    let size = usize::try_from(size).map_err(|_| RecordFault::Size)?;
    let mut fields = Cursor::new(source.take(size)?);
    let attributes = fields.byte()? as i8;
    let timestamp_delta = read_varlong(&mut fields)?;
    let offset_delta = read_varint(&mut fields)?;
    let key = fields.nullable()?;
    let value = fields.nullable()?;
    let left = usize::try_from(read_varint(&mut fields)?).map_err(|_| RecordFault::Headers)?;
    if left > fields.bytes.len() {
        return Err(RecordFault::Headers);
    }
    let headers = Headers { rest: fields.clone(), left };
    for _ in 0..left {
        read_header(&mut fields)?;
    }
    if !fields.is_empty() {
        return Err(RecordFault::Size);
    }
    Ok(Record { attributes, timestamp_delta, offset_delta, key, value, headers })
}

fn read_header<'a>(fields: &mut Cursor<'a>) -> Result<RecordHeader<'a>, RecordFault> {
    let key = fields.nullable()?.ok_or(RecordFault::Headers)?;
    Ok(RecordHeader { key, value: fields.nullable()? })
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

    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(RecordFault::Ends)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Bytes behind their length; any negative length is null.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        usize::try_from(read_varint(self)?).ok().map(|length| self.take(length)).transpose()
    }
}

impl ByteSource for Cursor<'_> {
    type Error = RecordFault;

    fn byte(&mut self) -> Result<u8, RecordFault> {
        let (&byte, rest) = self.bytes.split_first().ok_or(RecordFault::Ends)?;
        self.bytes = rest;
        Ok(byte)
    }

    fn overlong(&self) -> RecordFault {
        RecordFault::Overlong
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
