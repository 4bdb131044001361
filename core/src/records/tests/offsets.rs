//! Records of `__consumer_offsets`.

use alloc::format;

use super::*;
use crate::codec::testing::{round_trip, round_trip_all};

fn offset(group: &str, topic: &str, partition: i32) -> OffsetsKey {
    OffsetsKey::Offset { group: group.into(), topic: topic.into(), partition }
}

#[test]
fn keys_round_trip() {
    let other = |key_type| OffsetsKey::Other { key_type, group: "g".into() };
    for key in [offset("g", "t", 3), OffsetsKey::Group("g".into()), other(3), other(11), other(23)]
    {
        let bytes = key.encode();
        assert_eq!(OffsetsKey::decode(&bytes), Ok(key));
        for length in 0..bytes.len() {
            let cut = OffsetsKey::decode(&bytes.slice(..length));
            assert!(matches!(cut, Err(RecordError::Malformed(_))), "{cut:?}");
        }
    }
}

#[test]
fn key_type_0_is_an_offset_too() {
    let key = OffsetsKey::decode(&bytes("0000 000167 000174 00000003"));
    assert_eq!(key, Ok(offset("g", "t", 3)));
}

/// Of all that Kafka 4.3 knows; behind the group's id stands what a member is told by.
#[test]
fn groups_of_other_kinds_are_told_by_their_ids() {
    for key_type in (3..=8).chain(10..=17).chain(19..=23) {
        let key = OffsetsKey::decode(&bytes(&format!("{key_type:04x} 000167 00016d")));
        assert_eq!(key, Ok(OffsetsKey::Other { key_type, group: "g".into() }));
    }
}

#[test]
fn unknown_types_and_versions_are_told_apart_from_garbled_ones() {
    for key_type in [-1, 9, 18, 24, i16::MAX] {
        let key = OffsetsKey::decode(&Bytes::copy_from_slice(&key_type.to_be_bytes()));
        let record_type = u32::from(key_type as u16);
        assert_eq!(key, Err(RecordError::Unknown { record_type, version: 0 }));
    }
    let newer = Err(RecordError::Unknown { record_type: 1, version: 5 });
    assert_eq!(OffsetCommitValue::decode(&bytes("0005")), newer);
    let newer = Err(RecordError::Unknown { record_type: 2, version: 5 });
    assert_eq!(GroupMetadataValue::decode(&bytes("0005")), newer);
    let cut = GroupMetadataValue::decode(&bytes("0003 00"));
    assert!(matches!(cut, Err(RecordError::Malformed(_))), "{cut:?}");
}

fn committed() -> OffsetCommitValue {
    OffsetCommitValue {
        offset: 5,
        leader_epoch: 3,
        metadata: "m".into(),
        commit_timestamp: 0x0123_4567_89ab,
        expire_timestamp: -1,
        topic_id: ID,
    }
}

fn group() -> GroupMetadataValue {
    GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: Some("range".into()),
        leader: Some("m".into()),
        current_state_timestamp: 0x0123_4567_89ab,
        members: vec![MemberMetadata {
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout: 20_000,
            session_timeout: 10_000,
            subscription: Bytes::from_static(b"says"),
            assignment: Bytes::from_static(b"part"),
        }],
    }
}

#[test]
fn all_versions_round_trip() {
    let with_end = OffsetCommitValue { expire_timestamp: 9, ..committed() };
    for (value, version) in [(committed(), 4), (with_end, 1)] {
        assert_eq!(value.encode()[..2], [0, version]);
    }
    for version in OffsetCommitValue::VERSIONS {
        round_trip(&committed(), version);
        assert_eq!(round_trip(&OffsetCommitValue::default(), version), Default::default());
    }
    assert_eq!(round_trip(&committed(), 4), committed());
    round_trip_all(&group());
}

/// From a log of Apache Kafka 4.3.1 (metadata version 30).
#[test]
fn kafkas_own_offsets_are_read_and_written() {
    let topic_id = "b9cfd476 7f9b4da8 ace5261a 4f8db2d0";
    let id = bytes(topic_id)[..].try_into().map(Uuid).unwrap();
    let of_a_member = OffsetCommitValue {
        offset: 5,
        leader_epoch: 3,
        metadata: "m".into(),
        commit_timestamp: 1_795_798_419_640,
        topic_id: id,
        ..OffsetCommitValue::default()
    };
    let of_nobody = OffsetCommitValue {
        offset: 6,
        commit_timestamp: 1_795_798_419_653,
        topic_id: id,
        ..OffsetCommitValue::default()
    };
    // OffsetCommit version 2, to be kept for a minute.
    let with_end = OffsetCommitValue {
        offset: 7,
        metadata: "m".into(),
        commit_timestamp: 1_795_798_419_656,
        expire_timestamp: 1_795_798_479_656,
        ..OffsetCommitValue::default()
    };
    let member = format!("0004 0000000000000005 00000003 026d 000001a21ded48b8 01 0010 {topic_id}");
    let nobody = format!("0004 0000000000000006 ffffffff 01 000001a21ded48c5 01 0010 {topic_id}");
    let end = "0001 0000000000000007 00016d 000001a21ded48c8 000001a21dee3328";
    for (key, hex_key, value, hex) in [
        (offset("g", "t", 1), "0001 000167 000174 00000001", of_a_member, &*member),
        (offset("simple", "t", 0), "0001 000673696d706c65 000174 00000000", of_nobody, &*nobody),
        (offset("simple", "t", 0), "0001 000673696d706c65 000174 00000000", with_end, end),
    ] {
        assert_eq!(OffsetsKey::decode(&bytes(hex_key)).as_ref(), Ok(&key));
        assert_eq!(key.encode(), bytes(hex_key));
        assert_eq!(OffsetCommitValue::decode(&bytes(hex)).as_ref(), Ok(&value));
        assert_eq!(value.encode(), bytes(hex));
    }
}

/// The same: a group that the first JoinGroup has made, one with a static member, and one that its last member has
/// left.
#[test]
fn kafkas_own_groups_are_read_and_written() {
    let member_id = "i-78d7388a-37d3-4dd0-ae7b-dbdbb15fcb9f";
    let made = GroupMetadataValue {
        current_state_timestamp: 1_795_798_419_589,
        ..GroupMetadataValue::default()
    };
    let stable = GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: Some("range".into()),
        leader: Some(member_id.into()),
        current_state_timestamp: 1_795_798_419_650,
        members: vec![MemberMetadata {
            member_id: member_id.into(),
            group_instance_id: Some("i".into()),
            client_id: "golden".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout: 20_000,
            session_timeout: 10_000,
            subscription: Bytes::from_static(b"says"),
            assignment: Bytes::new(),
        }],
    };
    let left = GroupMetadataValue {
        protocol_type: "consumer".into(),
        generation: 2,
        current_state_timestamp: 1_795_798_419_647,
        ..GroupMetadataValue::default()
    };
    for (value, hex) in [
        (made, "0003 0000 00000000 ffff ffff 000001a21ded4885 00000000"),
        (
            stable,
            "0003 0008636f6e73756d6572 00000001 000572616e6765 \
             0026692d37386437333838612d333764332d346464302d616537622d646264626231356663623966 \
             000001a21ded48c2 00000001 \
             0026692d37386437333838612d333764332d346464302d616537622d646264626231356663623966 \
             000169 0006676f6c64656e 000a2f3132372e302e302e31 00004e20 00002710 0000000473617973 00000000",
        ),
        (left, "0003 0008636f6e73756d6572 00000002 ffff ffff 000001a21ded48bf 00000000"),
    ] {
        assert_eq!(GroupMetadataValue::decode(&bytes(hex)).as_ref(), Ok(&value));
        assert_eq!(value.encode(), bytes(hex));
    }
    assert_eq!(OffsetsKey::Group("g".into()).encode(), bytes("0002 000167"));
    let of_consumers = bytes("0005 00026367 00164141414141414141414141414141414141414141414167");
    let key = OffsetsKey::Other { key_type: 5, group: "cg".into() };
    assert_eq!(OffsetsKey::decode(&of_consumers), Ok(key));
    let of_shares = bytes("000f 00027367");
    let key = OffsetsKey::Other { key_type: 15, group: "sg".into() };
    assert_eq!(OffsetsKey::decode(&of_shares), Ok(key));
}
