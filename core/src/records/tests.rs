mod offsets;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::ids::Uuid;

const ID: Uuid = Uuid([7; 16]);

/// A record of each type, with values in all fields that are not its defaults.
fn one_of_each() -> Vec<MetadataRecord> {
    let mut records = cluster_records();
    records.extend(topic_records());
    records.extend(access_records());
    records.sort_by_key(MetadataRecord::record_type);
    records
}

fn cluster_records() -> Vec<MetadataRecord> {
    let end_points = vec![BrokerEndpoint {
        name: "PLAINTEXT".into(),
        host: "127.0.0.1".into(),
        port: 65_000,
        security_protocol: 3,
    }];
    let features = vec![BrokerFeature {
        name: "metadata.version".into(),
        min_supported_version: 7,
        max_supported_version: 30,
    }];
    vec![
        RegisterBrokerRecord {
            broker_id: 1,
            is_migrating_zk_broker: true,
            incarnation_id: ID,
            broker_epoch: 13,
            end_points: end_points.clone(),
            features: features.clone(),
            rack: None,
            fenced: false,
            in_controlled_shutdown: true,
            log_dirs: vec![ID],
            cordoned_log_dirs: Some(vec![]),
        }
        .into(),
        UnregisterBrokerRecord { broker_id: 1, broker_epoch: 2 }.into(),
        FenceBrokerRecord { id: 1, epoch: 2 }.into(),
        UnfenceBrokerRecord { id: 1, epoch: 2 }.into(),
        BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: 13,
            fenced: -1,
            in_controlled_shutdown: 1,
            log_dirs: vec![ID],
            cordoned_log_dirs: Some(vec![ID]),
        }
        .into(),
        RegisterControllerRecord {
            controller_id: 1,
            incarnation_id: ID,
            zk_migration_ready: true,
            end_points,
            features,
        }
        .into(),
        UnregisterControllerRecord { controller_id: 1 }.into(),
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into(),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 13, next_producer_id: 1000 }.into(),
        NoOpRecord {}.into(),
        BeginTransactionRecord { name: Some("Bootstrap records".into()) }.into(),
        EndTransactionRecord {}.into(),
        AbortTransactionRecord { reason: Some("no".into()) }.into(),
        ZkMigrationStateRecord { zk_migration_state: 3 }.into(),
    ]
}

fn topic_records() -> Vec<MetadataRecord> {
    vec![
        TopicRecord { name: "t".into(), topic_id: ID }.into(),
        RemoveTopicRecord { topic_id: ID }.into(),
        PartitionRecord {
            partition_id: 3,
            topic_id: ID,
            replicas: vec![1, 2],
            isr: vec![1],
            removing_replicas: vec![4],
            adding_replicas: vec![5],
            leader: 1,
            leader_recovery_state: 1,
            leader_epoch: 6,
            partition_epoch: 7,
            directories: vec![ID, Uuid::ZERO],
            eligible_leader_replicas: Some(vec![8]),
            last_known_elr: Some(vec![]),
        }
        .into(),
        PartitionChangeRecord {
            partition_id: 3,
            topic_id: ID,
            isr: Some(vec![]),
            leader: -1,
            replicas: Some(vec![1]),
            removing_replicas: Some(vec![2]),
            adding_replicas: Some(vec![3]),
            leader_recovery_state: 0,
            eligible_leader_replicas: Some(vec![1]),
            last_known_elr: Some(vec![1]),
            directories: Some(vec![ID]),
        }
        .into(),
        ClearElrRecord { topic_name: "t".into() }.into(),
        ConfigRecord {
            resource_type: 2,
            resource_name: "t".into(),
            name: "retention.ms".into(),
            value: None,
        }
        .into(),
    ]
}

fn access_records() -> Vec<MetadataRecord> {
    vec![
        AccessControlEntryRecord {
            id: ID,
            resource_type: 2,
            resource_name: "t".into(),
            pattern_type: 3,
            principal: "User:me".into(),
            host: "*".into(),
            operation: 4,
            permission_type: 5,
        }
        .into(),
        RemoveAccessControlEntryRecord { id: ID }.into(),
        UserScramCredentialRecord {
            name: "me".into(),
            mechanism: 1,
            salt: Bytes::from_static(b"salt"),
            stored_key: Bytes::from_static(b"stored"),
            server_key: Bytes::from_static(b"server"),
            iterations: 4096,
        }
        .into(),
        RemoveUserScramCredentialRecord { name: "me".into(), mechanism: 2 }.into(),
        DelegationTokenRecord {
            owner: "User:a".into(),
            requester: "User:b".into(),
            renewers: vec!["User:c".into()],
            issue_timestamp: 1,
            max_timestamp: 2,
            expiration_timestamp: 3,
            token_id: "id".into(),
        }
        .into(),
        RemoveDelegationTokenRecord { token_id: "id".into() }.into(),
        ClientQuotaRecord {
            entity: vec![EntityData { entity_type: "user".into(), entity_name: None }],
            key: "producer_byte_rate".into(),
            value: 0.5,
            remove: true,
        }
        .into(),
    ]
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = str::from_utf8(&digits).unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_type_round_trips_in_its_newest_version() {
    let records = one_of_each();
    let types: Vec<u32> = records.iter().map(MetadataRecord::record_type).collect();
    let expected: Vec<u32> = (0..30).filter(|number| ![6, 13, 16].contains(number)).collect();
    assert_eq!(types, expected);
    for record in records {
        let value = record.encode(record.version_max());
        assert_eq!(MetadataRecord::decode(&value), Ok(record));
    }
}

#[test]
fn every_older_version_can_be_written_and_read() {
    for record in one_of_each() {
        for version in 0..record.version_max() {
            let decoded = MetadataRecord::decode(&record.encode(version)).unwrap();
            assert_eq!(decoded.record_type(), record.record_type());
            assert_eq!(decoded.encode(version), record.encode(version));
        }
    }
}

#[test]
fn fields_of_later_versions_read_as_their_defaults() {
    let record = one_of_each().remove(3);
    let Ok(MetadataRecord::Partition(old)) = MetadataRecord::decode(&record.encode(0)) else {
        panic!("not a partition");
    };
    assert_eq!(old.directories, []);
    assert_eq!(old.eligible_leader_replicas, None);
    assert_eq!(old.replicas, [1, 2]);
}

/// The bytes that Apache Kafka 4.3.1 wrote at its first start.
#[test]
fn kafkas_own_bytes_are_read_and_written() {
    let cases: [(&str, MetadataRecord); 5] = [
        ("01 14 00 00", NoOpRecord {}.into()),
        (
            "01 17 00 01 00 12 12 426f6f747374726170207265636f726473",
            BeginTransactionRecord { name: Some("Bootstrap records".into()) }.into(),
        ),
        (
            "01 0c 00 11 6d657461646174612e76657273696f6e 001e 00",
            FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into(),
        ),
        (
            "01 04 00 04 01 14 6d696e2e696e73796e632e7265706c69636173 02 31 00",
            ConfigRecord {
                resource_type: 4,
                name: "min.insync.replicas".into(),
                value: Some("1".into()),
                ..ConfigRecord::default()
            }
            .into(),
        ),
        ("01 18 00 00", EndTransactionRecord {}.into()),
    ];
    for (hex, record) in cases {
        assert_eq!(record.encode(0), bytes(hex));
        assert_eq!(MetadataRecord::decode(&bytes(hex)), Ok(record));
    }
}

#[test]
fn a_change_that_changes_nothing_has_no_tagged_fields() {
    let change = PartitionChangeRecord { partition_id: 1, topic_id: ID, ..Default::default() };
    let value = MetadataRecord::from(change).encode(2);
    assert_eq!(value.len(), 3 + 4 + 16 + 1);
    assert_eq!(value.last(), Some(&0));
}

#[test]
fn newer_types_and_versions_are_unknown() {
    let newer_version = RecordError::Unknown { record_type: 20, version: 1 };
    assert_eq!(MetadataRecord::decode(&bytes("01 14 01 00")), Err(newer_version));
    let newer_type = RecordError::Unknown { record_type: 200, version: 3 };
    assert_eq!(MetadataRecord::decode(&bytes("01 c801 03 00")), Err(newer_type));
    let far_version = RecordError::Unknown { record_type: 2, version: u32::MAX };
    assert_eq!(MetadataRecord::decode(&bytes("01 02 ffffffff0f 00")), Err(far_version));
}

#[test]
fn garbled_records_are_errors() {
    assert_eq!(MetadataRecord::decode(&bytes("00 14 00 00")), Err(RecordError::UnknownFrame(0)));
    assert_eq!(
        MetadataRecord::decode(&bytes("01 14 00 00 00")),
        Err(RecordError::TrailingBytes(1))
    );
    for record in one_of_each() {
        let value = record.encode(record.version_max());
        for length in 0..value.len() {
            let cut = MetadataRecord::decode(&value.slice(..length));
            assert!(matches!(cut, Err(RecordError::Malformed(_))), "{record:?} {length}");
        }
    }
}

fn voter() -> Voter {
    Voter {
        voter_id: 1,
        voter_directory_id: ID,
        endpoints: vec![VoterEndpoint {
            name: "CONTROLLER".into(),
            host: "127.0.0.1".into(),
            port: 0x4a95,
        }],
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: 1,
        },
    }
}

/// Keys and values as Apache Kafka 4.3.1 wrote them.
#[test]
fn control_records_are_kafkas() {
    let voters = [ChangeVoter { voter_id: 1, voter_directory_id: Uuid::ZERO }];
    let leader_change = LeaderChangeMessage {
        version: 0,
        leader_id: 1,
        voters: voters.to_vec(),
        granting_voters: voters.to_vec(),
    };
    let cases = [
        (
            2,
            ControlRecord::LeaderChange(leader_change),
            "0000 00000001 02 00000001 00 02 00000001 00 00",
        ),
        (
            3,
            ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
                version: 0,
                last_contained_log_timestamp: 5,
            }),
            "0000 0000000000000005 00",
        ),
        (4, ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0 }), "0000 00"),
        (
            5,
            ControlRecord::KRaftVersion(KRaftVersionRecord { version: 0, kraft_version: 1 }),
            "0000 0001 00",
        ),
        (
            6,
            ControlRecord::KRaftVoters(VotersRecord { version: 0, voters: vec![voter()] }),
            "0000 02 00000001 07070707070707070707070707070707 02 0b 434f4e54524f4c4c4552 \
             0a 3132372e302e302e31 4a95 00 0000 0001 00 00 00",
        ),
        (
            1,
            ControlRecord::Commit(EndTxnMarker { version: 0, coordinator_epoch: 9 }),
            "0000 00000009",
        ),
    ];
    for (record_type, record, hex) in cases {
        let key = Bytes::copy_from_slice(&[0, 0, 0, record_type]);
        assert_eq!(record.encode(), (key.clone(), bytes(hex)));
        assert_eq!(ControlRecord::decode(&key, &bytes(hex)), Ok(record));
    }
}

#[test]
fn leader_changes_of_version_1_name_directories() {
    let voters = vec![ChangeVoter { voter_id: 1, voter_directory_id: ID }];
    let record = ControlRecord::LeaderChange(LeaderChangeMessage {
        version: 1,
        leader_id: 1,
        voters: voters.clone(),
        granting_voters: voters,
    });
    let (key, value) = record.encode();
    assert_eq!(ControlRecord::decode(&key, &value), Ok(record));
}

#[test]
fn unknown_control_records_are_told_apart_from_garbled_ones() {
    let unknown = ControlRecord::decode(&bytes("0000 0063"), &bytes("0001"));
    assert_eq!(unknown, Err(RecordError::Unknown { record_type: 0x63, version: 1 }));
    let newer = ControlRecord::decode(&bytes("0000 0006"), &bytes("0007 00"));
    assert_eq!(newer, Err(RecordError::Unknown { record_type: 6, version: 7 }));
    let cut = ControlRecord::decode(&bytes("0000 0002"), &bytes("0000 00"));
    assert!(matches!(cut, Err(RecordError::Malformed(_))));
    assert_eq!(
        newer.map_err(|error| error.to_string()),
        Err("record of unknown type 6 or version 7".to_string())
    );
    assert!(ControlRecord::decode(&bytes("0000"), &bytes("0000")).is_err());
}
