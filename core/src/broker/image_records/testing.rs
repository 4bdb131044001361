//! Random metadata records about few things, so that they meet: for tests that replay them.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bytes::Bytes;

use crate::ids::Uuid;
use crate::records::*;
use crate::rng::Rng;

/// `count` records of every kind that an image takes. Some do not fit what precedes them.
pub(crate) fn random_records(rng: &mut Rng, count: usize) -> Vec<MetadataRecord> {
    (0..count).map(|_| random_record(rng)).collect()
}

fn random_record(rng: &mut Rng) -> MetadataRecord {
    match rng.below(24) {
        0..3 => {
            // A topic keeps its name, and may come again with another id.
            let number = rng.below(6) as u8;
            let name = ["a", "b", "c"][usize::from(number % 3)].to_string();
            TopicRecord { name, topic_id: id(number) }.into()
        }
        3 => RemoveTopicRecord { topic_id: topic_id(rng) }.into(),
        4..7 => partition(rng).into(),
        7..9 => partition_change(rng).into(),
        9 => ClearElrRecord { topic_name: word(rng, &["", "a", "b"]) }.into(),
        10..12 => config(rng).into(),
        12 => FeatureLevelRecord {
            name: word(rng, &["group.version", "metadata.version", "kraft.version"]),
            feature_level: rng.below(31) as i16,
        }
        .into(),
        13 => broker(rng).into(),
        14 => UnregisterBrokerRecord { broker_id: node(rng), broker_epoch: 0 }.into(),
        15 => fencing(rng),
        16 => BrokerRegistrationChangeRecord {
            broker_id: node(rng),
            broker_epoch: 0,
            fenced: rng.below(3) as i8 - 1,
            in_controlled_shutdown: rng.below(2) as i8,
            log_dirs: ids(rng),
            cordoned_log_dirs: maybe(rng, ids),
        }
        .into(),
        17 => ProducerIdsRecord {
            broker_id: node(rng),
            broker_epoch: 5,
            next_producer_id: 1000 * rng.below(9) as i64,
        }
        .into(),
        18 => controller(rng),
        19 => quota(rng).into(),
        20 => access(rng),
        21 => credential(rng),
        22 => token(rng),
        _ => match rng.below(2) {
            0 => NoOpRecord {}.into(),
            _ => ZkMigrationStateRecord { zk_migration_state: rng.below(4) as i8 }.into(),
        },
    }
}

fn id(number: u8) -> Uuid {
    Uuid([number + 1; 16])
}

fn topic_id(rng: &mut Rng) -> Uuid {
    id(rng.below(6) as u8)
}

fn node(rng: &mut Rng) -> i32 {
    rng.below(3) as i32
}

fn word(rng: &mut Rng, words: &[&str]) -> String {
    words[rng.below(words.len() as u64) as usize].to_string()
}

fn ids(rng: &mut Rng) -> Vec<Uuid> {
    (0..rng.below(3)).map(|_| id(rng.below(9) as u8)).collect()
}

fn nodes(rng: &mut Rng) -> Vec<i32> {
    (0..rng.below(3)).map(|_| node(rng)).collect()
}

fn maybe<T>(rng: &mut Rng, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (rng.below(2) == 0).then(|| make(rng))
}

fn partition(rng: &mut Rng) -> PartitionRecord {
    let replicas: Vec<i32> = (0..=node(rng)).collect();
    let directories = maybe(rng, |_| replicas.iter().map(|_| id(7)).collect());
    PartitionRecord {
        partition_id: rng.below(3) as i32,
        topic_id: topic_id(rng),
        isr: nodes(rng),
        removing_replicas: nodes(rng),
        adding_replicas: nodes(rng),
        leader: node(rng) - 1,
        leader_recovery_state: rng.below(2) as i8,
        leader_epoch: rng.below(9) as i32,
        partition_epoch: rng.below(9) as i32,
        directories: directories.unwrap_or_default(),
        eligible_leader_replicas: maybe(rng, nodes),
        last_known_elr: maybe(rng, nodes),
        replicas,
    }
}

fn partition_change(rng: &mut Rng) -> PartitionChangeRecord {
    PartitionChangeRecord {
        partition_id: rng.below(3) as i32,
        topic_id: topic_id(rng),
        isr: maybe(rng, nodes),
        leader: node(rng) - 2,
        replicas: maybe(rng, |_| vec![0, 1]),
        removing_replicas: maybe(rng, nodes),
        adding_replicas: maybe(rng, nodes),
        leader_recovery_state: rng.below(3) as i8 - 1,
        eligible_leader_replicas: maybe(rng, nodes),
        last_known_elr: maybe(rng, nodes),
        directories: maybe(rng, |_| vec![id(7), id(8)]),
    }
}

fn config(rng: &mut Rng) -> ConfigRecord {
    let (resource_type, resource_name) = match rng.below(4) {
        0 => (2, word(rng, &["a", "b", "c"])),
        1 => (4, word(rng, &["", "1"])),
        2 => (16, "metrics".to_string()),
        _ => (32, "group".to_string()),
    };
    ConfigRecord {
        resource_type,
        resource_name,
        name: word(rng, &["retention.ms", "log.retention.ms", "interval.ms"]),
        value: maybe(rng, |rng| rng.below(100).to_string()),
    }
}

fn endpoint() -> BrokerEndpoint {
    BrokerEndpoint {
        name: "PLAINTEXT".into(),
        host: "h".into(),
        port: 65_535,
        security_protocol: 0,
    }
}

fn feature() -> BrokerFeature {
    BrokerFeature { name: "f".into(), min_supported_version: 1, max_supported_version: 3 }
}

fn broker(rng: &mut Rng) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id: node(rng),
        is_migrating_zk_broker: rng.below(4) == 0,
        incarnation_id: rng.uuid(),
        broker_epoch: rng.below(99) as i64,
        end_points: vec![endpoint()],
        features: vec![feature()],
        rack: maybe(rng, |rng| word(rng, &["", "r"])),
        fenced: rng.below(2) == 0,
        in_controlled_shutdown: rng.below(2) == 0,
        log_dirs: ids(rng),
        cordoned_log_dirs: maybe(rng, ids),
    }
}

fn fencing(rng: &mut Rng) -> MetadataRecord {
    match rng.below(2) {
        0 => FenceBrokerRecord { id: node(rng), epoch: 0 }.into(),
        _ => UnfenceBrokerRecord { id: node(rng), epoch: 0 }.into(),
    }
}

fn controller(rng: &mut Rng) -> MetadataRecord {
    let controller_id = node(rng);
    if rng.below(3) == 0 {
        return UnregisterControllerRecord { controller_id }.into();
    }
    RegisterControllerRecord {
        controller_id,
        incarnation_id: rng.uuid(),
        zk_migration_ready: rng.below(2) == 0,
        end_points: vec![endpoint()],
        features: vec![feature()],
    }
    .into()
}

fn quota(rng: &mut Rng) -> ClientQuotaRecord {
    let part = |rng: &mut Rng| EntityData {
        entity_type: word(rng, &["user", "client-id"]),
        entity_name: maybe(rng, |rng| word(rng, &["u", "v"])),
    };
    ClientQuotaRecord {
        entity: (0..=rng.below(2)).map(|_| part(rng)).collect(),
        key: word(rng, &["producer_byte_rate", "request_percentage"]),
        value: f64::from(rng.below(1000) as u32) / 7.0,
        remove: rng.below(3) == 0,
    }
}

fn access(rng: &mut Rng) -> MetadataRecord {
    let id = topic_id(rng);
    if rng.below(3) == 0 {
        return RemoveAccessControlEntryRecord { id }.into();
    }
    AccessControlEntryRecord {
        id,
        resource_type: 2,
        resource_name: word(rng, &["a", "*"]),
        pattern_type: 3,
        principal: "User:u".into(),
        host: "*".into(),
        operation: rng.below(9) as i8,
        permission_type: 3,
    }
    .into()
}

fn credential(rng: &mut Rng) -> MetadataRecord {
    let (name, mechanism) = (word(rng, &["u", "v"]), 1 + rng.below(2) as i8);
    if rng.below(3) == 0 {
        return RemoveUserScramCredentialRecord { name, mechanism }.into();
    }
    UserScramCredentialRecord {
        name,
        mechanism,
        salt: Bytes::from_static(b"salt"),
        stored_key: Bytes::from_static(b"stored"),
        server_key: Bytes::from_static(b"server"),
        iterations: 4096 + rng.below(2) as i32,
    }
    .into()
}

fn token(rng: &mut Rng) -> MetadataRecord {
    let token_id = word(rng, &["one", "two"]);
    if rng.below(3) == 0 {
        return RemoveDelegationTokenRecord { token_id }.into();
    }
    DelegationTokenRecord {
        owner: "User:u".into(),
        requester: "User:v".into(),
        renewers: vec!["User:w".into()],
        issue_timestamp: 1,
        max_timestamp: 3,
        expiration_timestamp: rng.below(99) as i64,
        token_id,
    }
    .into()
}
