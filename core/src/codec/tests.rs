use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::varint::{self, Varint};
use super::{DecodeError, Message, Reader, message};
use crate::config::limits::{MESSAGE_DEPTH_MAX, MESSAGE_ELEMENTS_MAX};

message! {
    /// Every kind of field, from version 0 to 3; flexible from 2 on.
    pub struct Sample (versions: 0..=3, flexible: 2..) {
        /// Plain.
        number: i32 { versions: 0.., default: 7 },
        /// Leaves again.
        early: i16 { versions: 0..=1, default: -3 },
        /// Nullable later.
        text: Option<String> { versions: 0.., nullable: 1.. },
        /// Not nullable.
        name: String { versions: 0.. },
        /// Bytes.
        records: Option<Bytes> { versions: 0.., nullable: 0.. },
        /// Structures.
        parts: Option<Vec<SamplePart>> { versions: 0.., nullable: 1.. },
        /// A structure that may be null.
        part: Option<SamplePart> { versions: 1.., nullable: 1.. },
        /// A truth.
        flag: bool { versions: 0.. },
        /// Tagged.
        tagged: i64 { versions: 2.., tag: 0, default: -1 },
        /// Tagged, later.
        tagged_list: Vec<i32> { versions: 3.., tag: 1 },
        /// Tagged, nullable.
        tagged_part: Option<SamplePart> { versions: 3.., nullable: 3.., tag: 5 },
    }
    /// Inside.
    pub struct SamplePart {
        /// A number.
        index: u16 { versions: 0.. },
        /// From version 1.
        leader: i32 { versions: 1.., default: -1 },
    }
}

message! {
    /// Holds itself.
    pub struct Tree (versions: 0..=0, flexible: 0..) {
        /// Branches.
        branches: Vec<Tree> { versions: 0.. },
    }
}

fn sample() -> Sample {
    Sample {
        number: -2,
        early: 5,
        text: Some("text".into()),
        name: "näme".into(),
        records: Some(Bytes::from_static(b"records")),
        parts: Some(vec![
            SamplePart { index: 1, leader: 4 },
            SamplePart { index: 65535, leader: 5 },
        ]),
        part: Some(SamplePart { index: 9, leader: 6 }),
        flag: true,
        tagged: 99,
        tagged_list: vec![1, 2, 3],
        tagged_part: Some(SamplePart { index: 3, leader: 2 }),
    }
}

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut output = BytesMut::new();
    message.write(&mut output, version);
    output.freeze()
}

fn decode<M: Message>(bytes: &[u8], version: i16) -> Result<M, DecodeError> {
    M::read(&mut Reader::new(&Bytes::copy_from_slice(bytes)), version)
}

#[test]
fn fields_of_a_version_survive_and_others_read_as_their_defaults() {
    let whole = sample();
    let version_3 = Sample { early: -3, ..whole.clone() };
    assert_eq!(decode::<Sample>(&encode(&whole, 3), 3), Ok(version_3.clone()));
    let version_2 = Sample { tagged_list: vec![], tagged_part: None, ..version_3 };
    assert_eq!(decode::<Sample>(&encode(&whole, 2), 2), Ok(version_2.clone()));
    let version_1 = Sample { early: 5, tagged: -1, ..version_2 };
    assert_eq!(decode::<Sample>(&encode(&whole, 1), 1), Ok(version_1.clone()));
    let parts = [1, 65535].map(|index| SamplePart { index, leader: -1 });
    let version_0 = Sample { part: None, parts: Some(parts.to_vec()), ..version_1 };
    assert_eq!(decode::<Sample>(&encode(&whole, 0), 0), Ok(version_0));
}

#[test]
fn nulls_survive_where_the_version_has_them() {
    let nulls = Sample { text: None, records: None, parts: None, part: None, ..sample() };
    for version in 1..=3 {
        let decoded = decode::<Sample>(&encode(&nulls, version), version).unwrap();
        assert_eq!(
            (decoded.text, decoded.records, decoded.parts, decoded.part),
            (None, None, None, None)
        );
    }
    let decoded = decode::<Sample>(&encode(&nulls, 0), 0).unwrap();
    assert_eq!(decoded.text, Some(String::new()), "a null where there is none is empty");
    assert_eq!(decoded.parts, Some(vec![]));
}

#[test]
fn classic_form_is_kafkas() {
    let message = Sample {
        number: 1,
        early: 2,
        text: None,
        name: "ab".into(),
        records: None,
        parts: Some(vec![SamplePart { index: 3, leader: 4 }]),
        part: None,
        flag: true,
        ..Sample::default()
    };
    let expected =
        b"\0\0\0\x01\0\x02\xff\xff\0\x02ab\xff\xff\xff\xff\0\0\0\x01\0\x03\0\0\0\x04\xff\x01";
    assert_eq!(encode(&message, 1), &expected[..]);
}

#[test]
fn compact_form_is_kafkas() {
    let message = Sample {
        number: 1,
        text: None,
        name: "ab".into(),
        records: Some(Bytes::from_static(b"r")),
        parts: Some(vec![SamplePart { index: 3, leader: 4 }]),
        part: Some(SamplePart { index: 5, leader: 6 }),
        tagged: 7,
        tagged_list: vec![8],
        ..Sample::default()
    };
    let mut expected =
        b"\0\0\0\x01\0\x03ab\x02r\x02\0\x03\0\0\0\x04\0\x01\0\x05\0\0\0\x06\0\0".to_vec();
    expected.extend_from_slice(b"\x02\0\x08\0\0\0\0\0\0\0\x07\x01\x05\x02\0\0\0\x08");
    assert_eq!(encode(&message, 3), &expected[..]);
}

#[test]
fn records_are_a_slice_of_the_frame() {
    let frame = encode(&sample(), 3);
    let decoded = Sample::read(&mut Reader::new(&frame), 3).unwrap();
    let records = decoded.records.unwrap();
    assert!(frame.as_ptr_range().contains(&records.as_ptr()));
}

#[test]
fn every_prefix_of_a_message_is_an_error() {
    for version in 0..=3 {
        let frame = encode(&sample(), version);
        for length in 0..frame.len() {
            let cut = frame.slice(..length);
            assert!(Sample::read(&mut Reader::new(&cut), version).is_err(), "{version} {length}");
        }
    }
}

#[test]
fn bytes_behind_the_message_are_left() {
    let mut frame = encode(&sample(), 3).to_vec();
    frame.extend_from_slice(b"more");
    let frame = Bytes::from(frame);
    let mut reader = Reader::new(&frame);
    assert!(Sample::read(&mut reader, 3).is_ok());
    assert_eq!(reader.remaining(), 4);
}

/// Version 1 up to the length that is tried: number, early.
const HEAD: &[u8] = b"\0\0\0\x01\0\x02";

#[test]
fn null_where_there_is_none_is_an_error() {
    let null_name = [HEAD, b"\xff\xff\xff\xff"].concat();
    assert_eq!(decode::<Sample>(&null_name, 1), Err(DecodeError::UnexpectedNull));
    assert_eq!(decode::<Sample>(b"\0\0\0\x01\0\0", 2), Err(DecodeError::UnexpectedNull));
    let null_text_in_0 = [HEAD, b"\xff\xff"].concat();
    assert_eq!(decode::<Sample>(&null_text_in_0, 0), Err(DecodeError::UnexpectedNull));
}

#[test]
fn any_negative_length_is_null_and_any_byte_is_a_truth() {
    let frame = [HEAD, b"\x80\0\0\0\xff\xff\xff\xfe\x80\0\0\0\xfe\x02"].concat();
    let decoded = decode::<Sample>(&frame, 1).unwrap();
    assert_eq!(decoded, Sample { number: 1, early: 2, flag: true, ..Sample::default() });
}

#[test]
fn lengths_beyond_the_bytes_are_refused_before_anything_is_reserved() {
    let max = i32::MAX as usize;
    let array = [HEAD, b"\xff\xff\0\0\xff\xff\xff\xff\x7f\xff\xff\xff"].concat();
    assert_eq!(
        decode::<Sample>(&array, 1),
        Err(DecodeError::ArrayTooLong { elements: max, remaining: 0 })
    );
    let records = [HEAD, b"\xff\xff\0\0\x7f\xff\xff\xff"].concat();
    assert_eq!(decode::<Sample>(&records, 1), Err(DecodeError::UnexpectedEnd { missing: max }));
    let compact = b"\0\0\0\x01\0\x01\0\xff\xff\xff\xff\x07";
    assert_eq!(
        decode::<Sample>(compact, 2),
        Err(DecodeError::ArrayTooLong { elements: max - 1, remaining: 0 })
    );
    let text = b"\0\0\0\x01\x81\x80\x02";
    assert_eq!(decode::<Sample>(text, 2), Err(DecodeError::StringTooLong(32768)));
}

#[test]
fn a_message_holds_a_bounded_number_of_elements() {
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(Varint::unsigned(MESSAGE_ELEMENTS_MAX as u32 + 2).as_bytes());
    bytes.resize(bytes.len() + 2 * MESSAGE_ELEMENTS_MAX, 1);
    assert_eq!(decode::<Tree>(&bytes, 0), Err(DecodeError::TooManyElements));
}

#[test]
fn a_message_nests_to_a_bounded_depth() {
    let tree =
        |depth: u8| (0..depth).fold(Tree::default(), |tree, _| Tree { branches: vec![tree] });
    let fits = tree(MESSAGE_DEPTH_MAX - 1);
    assert_eq!(decode::<Tree>(&encode(&fits, 0), 0), Ok(fits));
    let deeper = encode(&tree(MESSAGE_DEPTH_MAX), 0);
    assert_eq!(decode::<Tree>(&deeper, 0), Err(DecodeError::TooDeep));
    assert_eq!(decode::<Tree>(&vec![2; 100_000], 0), Err(DecodeError::TooDeep));
}

#[test]
fn unknown_versions_are_refused() {
    assert_eq!(decode::<Sample>(&[], 4), Err(DecodeError::UnknownVersion(4)));
    assert_eq!(decode::<Sample>(&[], -1), Err(DecodeError::UnknownVersion(-1)));
}

#[test]
fn tagged_fields_come_in_any_order_and_the_last_wins() {
    let mut frame = encode(&Sample::default(), 3).to_vec();
    assert_eq!(frame.pop(), Some(0));
    frame.extend_from_slice(b"\x05");
    frame.extend_from_slice(b"\x01\x05\x02\0\0\0\x08");
    frame.extend_from_slice(b"\x63\x03abc");
    frame.extend_from_slice(b"\0\x08\0\0\0\0\0\0\0\x07");
    frame.extend_from_slice(b"\x01\x05\x02\0\0\0\x09");
    frame.extend_from_slice(b"\x05\x01\xff");
    let expected =
        Sample { tagged: 7, tagged_list: vec![9], parts: Some(vec![]), ..Sample::default() };
    let decoded = decode::<Sample>(&frame, 3).unwrap();
    assert_eq!((decoded.tagged, decoded.tagged_list), (expected.tagged, expected.tagged_list));
}

#[test]
fn a_tag_of_a_later_version_is_skipped() {
    let mut frame = encode(&Sample { name: "n".into(), ..Sample::default() }, 2).to_vec();
    assert_eq!(frame.pop(), Some(0));
    frame.extend_from_slice(b"\x01\x01\x05\x02\0\0\0\x08");
    assert_eq!(decode::<Sample>(&frame, 2).unwrap().tagged_list, Vec::<i32>::new());
    frame.pop();
    assert_eq!(decode::<Sample>(&frame, 2), Err(DecodeError::UnexpectedEnd { missing: 1 }));
}

#[test]
fn invalid_utf8_is_replaced() {
    let frame = [HEAD, b"\0\x03a\xffb\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"].concat();
    assert_eq!(decode::<Sample>(&frame, 1).unwrap().text, Some("a\u{fffd}b".to_string()));
}

#[test]
fn a_text_too_long_for_the_wire_is_cut_at_a_character() {
    let message = Sample { name: "ä".repeat(20_000), ..Sample::default() };
    for version in [1, 3] {
        let decoded = decode::<Sample>(&encode(&message, version), version).unwrap();
        assert_eq!(decoded.name, "ä".repeat(16_383));
    }
}

#[test]
fn varints_round_trip_in_their_shortest_form() {
    let unsigned = |value| Varint::unsigned(value).as_bytes().to_vec();
    assert_eq!(unsigned(0), [0]);
    assert_eq!(unsigned(127), [127]);
    assert_eq!(unsigned(300), [0xac, 2]);
    assert_eq!(unsigned(u32::MAX), [0xff, 0xff, 0xff, 0xff, 15]);
    for value in [0, 1, -1, 63, -64, 64, i32::MAX, i32::MIN] {
        assert_eq!(varint::read_i32(&mut Varint::i32(value).as_bytes()), Ok(value));
        let long = i64::from(value) << 32;
        assert_eq!(varint::read_i64(&mut Varint::i64(long).as_bytes()), Ok(long));
    }
    assert_eq!(varint::read_i64(&mut Varint::i64(i64::MIN).as_bytes()), Ok(i64::MIN));
    assert_eq!(varint::read_i64(&mut Varint::i64(i64::MAX).as_bytes()), Ok(i64::MAX));
    assert_eq!(Varint::i32(-1).as_bytes(), [1]);
}

#[test]
fn varints_that_overrun_or_end_early_are_errors_and_take_nothing() {
    let mut input: &[u8] = &[0x80; 5];
    assert_eq!(varint::read_unsigned(&mut input), Err(DecodeError::VarintTooLong));
    assert_eq!(input.len(), 5);
    let mut input: &[u8] = &[0x80; 4];
    assert_eq!(varint::read_unsigned(&mut input), Err(DecodeError::UnexpectedEnd { missing: 1 }));
    let mut input: &[u8] = &[0xff; 10];
    assert_eq!(varint::read_i64(&mut input), Err(DecodeError::VarintTooLong));
    let mut input: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x7f, 1];
    assert_eq!(varint::read_unsigned(&mut input), Ok(u32::MAX), "Kafka drops the bits above 32");
    assert_eq!(input, [1]);
}
