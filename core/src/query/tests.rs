//! Answers beside those that Apache Kafka 4.3.1 gave. `recorded.txt` holds one exchange a line: a
//! name, the request and the answer in hex, both without their size.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};

use super::{api_versions, describe_topic_partitions, metadata};
use crate::api::ApiKey;
use crate::broker::image::{Broker, Image, NO_LEADER, Partition, Topic};
use crate::codec::{Message, Reader};
use crate::config::{Limits, Listener, TopicConfig};
use crate::error_code::ErrorCode;
use crate::frame::{RequestHeader, write_response};
use crate::ids::Uuid;

const LISTENER: &str = "PLAINTEXT";

fn topic(name: &str, id: u128, partitions: i32) -> Topic {
    let partition = Partition {
        replicas: vec![1],
        directories: vec![Uuid([7; 16])],
        isr: vec![1],
        leader: 1,
        ..Partition::default()
    };
    Topic {
        name: Arc::from(name),
        id: Uuid(id.to_be_bytes()),
        partitions: (0..partitions).map(|index| (index, partition.clone())).collect(),
        config: TopicConfig::default(),
    }
}

fn image(topics: impl IntoIterator<Item = Topic>) -> Image {
    let endpoint = Listener { name: LISTENER.to_string(), host: "127.0.0.1".into(), port: 19092 };
    let broker = Broker { endpoints: vec![endpoint], rack: None };
    let topics: Vec<Arc<Topic>> = topics.into_iter().map(Arc::new).collect();
    Image {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(),
        node_id: 1,
        brokers: BTreeMap::from([(1, broker)]),
        metadata_offset: 17,
        topics: topics.iter().map(|topic| (topic.name.clone(), topic.clone())).collect(),
        topics_by_id: topics.iter().map(|topic| (topic.id, topic.clone())).collect(),
        ..Image::default()
    }
}

/// The topics of the recorded exchanges, with the ids of that run.
fn recorded_image() -> Image {
    image([
        topic("p", 0xa95a_75ac_da4d_4994_986f_88ca_b44d_792c, 1),
        topic("p2", 0x45df_8042_dd54_44df_bc6b_042d_96ce_5fcd, 2),
        topic("d8", 0x006b_cbe2_94a1_4ce6_b348_2a78_dee3_3ad1, 8),
        topic("f", 0x3c43_c5ca_96da_4f4b_abd2_f8f9_6dfb_9eba, 1),
    ])
}

fn from_hex(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The answer's frame without its size.
fn exchange(request: &str, image: &Image) -> String {
    let frame = from_hex(request);
    let mut reader = Reader::new(&frame);
    let header = RequestHeader::read(&mut reader).unwrap();
    let version = header.api_version;
    let mut output = BytesMut::new();
    match header.api_key {
        ApiKey::METADATA => {
            let request = Message::read(&mut reader, version).unwrap();
            let response = metadata::answer(&request, version, image, LISTENER);
            write_response(&mut output, &header, &response);
        }
        ApiKey::DESCRIBE_TOPIC_PARTITIONS => {
            let request = Message::read(&mut reader, version).unwrap();
            let limits = Limits::default();
            let response = describe_topic_partitions::answer(&request, image, LISTENER, &limits);
            write_response(&mut output, &header, &response);
        }
        other => panic!("no such exchange is recorded: {other:?}"),
    }
    to_hex(&output[4..])
}

#[test]
fn recorded_answers_are_repeated_byte_for_byte() {
    let image = recorded_image();
    let mut cases = 0;
    for line in include_str!("recorded.txt").lines() {
        let mut columns = line.split(' ');
        let mut column = || columns.next().unwrap();
        let (case, request, expected) = (column(), column(), column());
        assert_eq!(exchange(request, &image), expected, "{case}");
        cases += 1;
    }
    assert_eq!(cases, 66);
}

fn all_topics(image: &Image, version: i16) -> Vec<String> {
    let topics = if version == 0 { Some(vec![]) } else { None };
    let request = crate::api::metadata::MetadataRequest { topics, ..Default::default() };
    let response = metadata::answer(&request, version, image, LISTENER);
    response.topics.into_iter().map(|topic| topic.name.unwrap()).collect()
}

#[test]
fn all_topics_come_by_name() {
    for version in [0, 1, 13] {
        assert_eq!(all_topics(&recorded_image(), version), ["d8", "f", "p", "p2"]);
    }
}

fn metadata_of(image: &Image, name: &str, version: i16) -> metadata_response::Topic {
    let asked = crate::api::metadata::MetadataRequestTopic {
        name: Some(name.to_string()),
        ..Default::default()
    };
    let request =
        crate::api::metadata::MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    metadata::answer(&request, version, image, LISTENER).topics.remove(0)
}

mod metadata_response {
    pub(super) use crate::api::metadata::MetadataResponseTopic as Topic;
}

#[test]
fn partition_left_without_leader_is_shown_as_led_here() {
    let mut stopped = topic("t", 1, 1);
    let partition = stopped.partitions.get_mut(&0).unwrap();
    (partition.leader, partition.leader_epoch) = (NO_LEADER, 2);
    partition.isr.clear();
    partition.elr = vec![1];
    let image = image([stopped]);

    let shown = metadata_of(&image, "t", 12).partitions.remove(0);
    assert_eq!((shown.error_code, shown.leader_id, shown.leader_epoch), (ErrorCode::NONE, 1, 2));
    assert_eq!(shown.isr_nodes, [1]);

    let request = Default::default();
    let page = describe_topic_partitions::answer(&request, &image, LISTENER, &Limits::default());
    let shown = &page.topics[0].partitions[0];
    assert_eq!((shown.leader_id, shown.isr_nodes.as_slice()), (1, &[1][..]));
    assert_eq!(shown.eligible_leader_replicas.as_deref(), Some(&[][..]));
}

#[test]
fn replicas_elsewhere_are_offline() {
    let mut shared = topic("t", 1, 2);
    for (partition, leader) in shared.partitions.values_mut().zip([1, 2]) {
        partition.replicas = vec![2, 1];
        partition.isr = vec![1, 2];
        partition.leader = leader;
    }
    let image = image([shared]);

    let shown = metadata_of(&image, "t", 12).partitions;
    assert_eq!((shown[0].error_code, shown[0].leader_id), (ErrorCode::NONE, 1));
    assert_eq!(shown[0].replica_nodes, [2, 1]);
    assert_eq!(shown[0].offline_replicas, [2]);
    assert_eq!(shown[1].error_code, ErrorCode::LEADER_NOT_AVAILABLE);
    assert_eq!(shown[1].leader_id, NO_LEADER);

    let shown = metadata_of(&image, "t", 0).partitions;
    assert_eq!(shown[0].error_code, ErrorCode::REPLICA_NOT_AVAILABLE);
    assert_eq!(
        (shown[0].replica_nodes.as_slice(), shown[0].isr_nodes.as_slice()),
        (&[1][..], &[1][..])
    );
}

#[test]
fn unknown_listener_sees_no_broker_and_no_leader() {
    let request = crate::api::metadata::MetadataRequest { topics: None, ..Default::default() };
    let image = recorded_image();
    for (version, error) in
        [(5, ErrorCode::LEADER_NOT_AVAILABLE), (6, ErrorCode::LISTENER_NOT_FOUND)]
    {
        let response = metadata::answer(&request, version, &image, "INTERNAL");
        assert!(response.brokers.is_empty());
        assert_eq!(response.topics[0].partitions[0].error_code, error);
    }
}

#[test]
fn page_never_holds_more_than_the_limit() {
    let limits = Limits { describe_partitions_max: 5, ..Limits::default() };
    let image = recorded_image();
    let mut request = crate::api::describe_topic_partitions::DescribeTopicPartitionsRequest {
        response_partition_limit: i32::MAX,
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = describe_topic_partitions::answer(&request, &image, LISTENER, &limits);
        let partitions = page.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| (topic.name.clone().unwrap(), p.partition_index))
        });
        let before = seen.len();
        seen.extend(partitions);
        assert!(seen.len() - before <= 5);
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            break;
        }
    }
    let all = [("d8", 8), ("f", 1), ("p", 1), ("p2", 2)];
    let all = all.iter().flat_map(|(name, count)| (0..*count).map(|i| (name.to_string(), i)));
    assert_eq!(seen, all.collect::<Vec<_>>());
}

fn with_features() -> Image {
    let levels = [
        ("transaction.version", 2),
        ("eligible.leader.replicas.version", 1),
        ("group.version", 1),
        ("metadata.version", 30),
        ("share.version", 1),
        ("streams.version", 1),
    ];
    let features = levels.iter().map(|(name, level)| (name.to_string(), *level)).collect();
    Image { features, kraft_version: 1, ..recorded_image() }
}

/// From the recorded answer: everything behind the API keys, which are fewer here.
#[test]
fn features_are_encoded_as_recorded() {
    const V4: &str = "\
        000000000300a401080e67726f75702e76657273696f6e00000001000e6b726166742e76657273696f6e0000\
        000100116d657461646174612e76657273696f6e0007001e000e73686172652e76657273696f6e0000000100\
        1073747265616d732e76657273696f6e0000000100147472616e73616374696f6e2e76657273696f6e000000\
        020021656c696769626c652e6c65616465722e7265706c696361732e76657273696f6e000000010001080000\
        00000000001102a401080e67726f75702e76657273696f6e00010001000e6b726166742e76657273696f6e00\
        010001000e73686172652e76657273696f6e0001000100116d657461646174612e76657273696f6e001e001e\
        001073747265616d732e76657273696f6e0001000100147472616e73616374696f6e2e76657273696f6e0002\
        00020021656c696769626c652e6c65616465722e7265706c696361732e76657273696f6e0001000100";
    let response = api_versions::answer(ErrorCode::NONE, 4, &with_features());
    let mut encoded = Vec::new();
    response.write(&mut encoded, 4);
    let encoded = to_hex(&encoded);
    assert_eq!(&encoded[encoded.len() - V4.len()..], V4);
}

#[test]
fn version_3_names_no_feature_that_begins_at_zero() {
    let response = api_versions::answer(ErrorCode::NONE, 3, &with_features());
    let names: Vec<_> = response.supported_features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["metadata.version"]);
    assert_eq!(response.finalized_features.len(), 7);
}

#[test]
fn api_keys_are_those_served_by_number() {
    let response = api_versions::answer(ErrorCode::NONE, 0, &recorded_image());
    let keys: Vec<i16> = response.api_keys.iter().map(|api| api.api_key).collect();
    assert!(keys.is_sorted());
    assert!([0, 3, 18, 75].iter().all(|key| keys.contains(key)));
    assert!(response.api_keys.iter().any(|api| (api.api_key, api.min_version) == (0, 0)));
}

#[test]
fn refusals_name_nothing_but_what_helps() {
    let image = with_features();
    let response = api_versions::answer(ErrorCode::UNSUPPORTED_VERSION, 99, &image);
    let own = &response.api_keys;
    assert_eq!((own.len(), own[0].api_key, own[0].min_version, own[0].max_version), (1, 18, 0, 4));
    let response = api_versions::answer(ErrorCode::INVALID_REQUEST, 4, &image);
    assert!(response.api_keys.is_empty() && response.supported_features.is_empty());
    assert_eq!(response.finalized_features_epoch, -1);
}

#[test]
fn cluster_without_feature_records_finalizes_nothing() {
    let response = api_versions::answer(ErrorCode::NONE, 4, &recorded_image());
    assert!(response.finalized_features.is_empty());
    assert_eq!(
        api_versions::answer(ErrorCode::NONE, 4, &Image::default()).finalized_features_epoch,
        -1
    );
}
