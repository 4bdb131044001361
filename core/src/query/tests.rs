//! Answers beside those that Apache Kafka 4.3.1 gave. `recorded.txt` holds one exchange a line: a
//! name, the request and the answer in hex, both without their size.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};

use super::{
    api_versions, describe_cluster, describe_topic_partitions, elect_leaders,
    list_partition_reassignments, metadata,
};
use crate::api::ApiKey;
use crate::broker::image::{Broker, Image, NO_LEADER, Partition, Topic};
use crate::codec::{Message, Reader};
use crate::config::{Limits, Listener, TopicConfig};
use crate::error_code::ErrorCode;
use crate::frame::{RequestHeader, write_response};
use crate::ids::Uuid;
use crate::records::{BrokerEndpoint, RegisterBrokerRecord};

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

#[test]
fn cluster_is_this_broker_seen_from_its_listener() {
    use crate::api::describe_cluster::DescribeClusterRequest;
    let mut image = recorded_image();
    let mut request = DescribeClusterRequest { endpoint_type: 1, ..Default::default() };
    let answer = describe_cluster::answer(&request, &image, LISTENER);
    assert_eq!((answer.error_code, answer.endpoint_type), (ErrorCode::NONE, 1));
    assert_eq!((answer.cluster_id.as_str(), answer.controller_id), ("MkU3OEVBNTcwNTJENDM2Qg", 1));
    let [broker] = &answer.brokers[..] else { panic!("{answer:?}") };
    assert_eq!((broker.broker_id, broker.host.as_str(), broker.port), (1, "127.0.0.1", 19092));
    assert_eq!((broker.rack.as_deref(), broker.is_fenced), (None, false));
    assert_eq!(answer.cluster_authorized_operations, i32::MIN);

    request.include_cluster_authorized_operations = true;
    let answer = describe_cluster::answer(&request, &image, LISTENER);
    assert_eq!(answer.cluster_authorized_operations, 8096);

    image.brokers.get_mut(&1).unwrap().rack = Some("r".into());
    let answer = describe_cluster::answer(&request, &image, LISTENER);
    assert_eq!(answer.brokers[0].rack.as_deref(), Some("r"));
    let answer = describe_cluster::answer(&request, &image, "INTERNAL");
    assert_eq!((answer.brokers.len(), answer.controller_id), (0, -1));
}

#[test]
fn brokers_that_are_gone_are_told_of_when_asked_for() {
    use crate::api::describe_cluster::DescribeClusterRequest;
    let gone = |broker_id| RegisterBrokerRecord {
        broker_id,
        end_points: vec![BrokerEndpoint {
            name: LISTENER.into(),
            host: "gone".into(),
            port: 7,
            security_protocol: 0,
        }],
        rack: Some("r".into()),
        ..RegisterBrokerRecord::default()
    };
    let registrations = [1, 2].map(|id| (id, Arc::new(gone(id)))).into();
    let image = Image { registrations, ..recorded_image() };
    let ask = |include_fenced_brokers, listener| {
        let request = DescribeClusterRequest {
            endpoint_type: 1,
            include_fenced_brokers,
            ..Default::default()
        };
        describe_cluster::answer(&request, &image, listener).brokers
    };
    assert_eq!(ask(false, LISTENER).len(), 1);
    let brokers = ask(true, LISTENER);
    let [here, gone] = &brokers[..] else { panic!("{brokers:?}") };
    assert_eq!((here.broker_id, here.is_fenced), (1, false));
    assert_eq!((gone.broker_id, gone.host.as_str(), gone.port), (2, "gone", 7));
    assert_eq!((gone.rack.as_deref(), gone.is_fenced), (Some("r"), true));
    assert_eq!(ask(true, "INTERNAL"), []);
}

#[test]
fn broker_speaks_of_brokers_alone() {
    use crate::api::describe_cluster::DescribeClusterRequest;
    let mismatch = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint \
                    of type CONTROLLER";
    for (endpoint_type, error, text) in [
        (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE, mismatch),
        (0, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type 0"),
        (-3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type -3"),
    ] {
        let request = DescribeClusterRequest {
            endpoint_type,
            include_cluster_authorized_operations: true,
            ..Default::default()
        };
        let answer = describe_cluster::answer(&request, &recorded_image(), LISTENER);
        assert_eq!((answer.error_code, answer.error_message.as_deref()), (error, Some(text)));
        assert_eq!((answer.endpoint_type, answer.cluster_id.as_str()), (1, ""));
        assert_eq!((answer.controller_id, answer.brokers.len()), (-1, 0));
        assert_eq!(answer.cluster_authorized_operations, i32::MIN);
    }
}

#[test]
fn moves_under_way_are_listed_and_nothing_else() {
    use crate::api::list_partition_reassignments::{
        ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
    };
    let mut moving = topic("moving", 9, 3);
    for (index, partition) in moving.partitions.iter_mut().skip(1) {
        partition.replicas = vec![1, 2];
        partition.adding = vec![*index + 1];
        partition.removing = vec![1];
    }
    let image = image([moving, topic("still", 8, 2)]);
    let list = |topics: Option<&[(&str, &[i32])]>| {
        let named = |(name, indexes): &(&str, &[i32])| ListPartitionReassignmentsTopics {
            name: name.to_string(),
            partition_indexes: indexes.to_vec(),
        };
        let topics = topics.map(|topics| topics.iter().map(named).collect());
        let request = ListPartitionReassignmentsRequest { timeout_ms: 0, topics };
        let answer = list_partition_reassignments::answer(&request, &image);
        assert_eq!((answer.error_code, answer.error_message), (ErrorCode::NONE, None));
        let topics = answer.topics.into_iter().map(|topic| {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            (topic.name.clone(), indexes.collect::<Vec<_>>(), topic.partitions[0].clone())
        });
        topics.collect::<Vec<_>>()
    };
    let all = list(None);
    let [(name, indexes, first)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((name.as_str(), &indexes[..]), ("moving", &[1, 2][..]));
    assert_eq!((&first.replicas[..], &first.adding_replicas[..]), (&[1, 2][..], &[2][..]));
    assert_eq!(first.removing_replicas, [1]);
    let named = list(Some(&[("moving", &[0, 2, 7]), ("still", &[0]), ("nope", &[0])]));
    assert_eq!((named.len(), &named[0].1[..]), (1, &[2][..]));
    assert!(list(Some(&[])).is_empty() && list(Some(&[("moving", &[0])])).is_empty());
}

/// Topics `led` (partition 0 led here, 1 led by a broker that is gone, 2 by nobody) and `fine`.
fn partly_led() -> Image {
    let mut led = topic("led", 9, 3);
    for (index, leader) in [(1, 2), (2, NO_LEADER)] {
        let partition = led.partitions.get_mut(&index).unwrap();
        (partition.leader, partition.replicas) = (leader, vec![1, 2]);
    }
    image([led, topic("fine", 8, 2)])
}

/// Kind, timeout, and what is asked for.
type Elections<'a> = (i8, i32, Option<&'a [(&'a str, &'a [i32])]>);
type Elected = Vec<(String, Vec<(i32, ErrorCode, Option<String>)>)>;

fn elect((election_type, timeout_ms, topics): Elections<'_>) -> (ErrorCode, Elected) {
    use crate::api::elect_leaders::{ElectLeadersRequest, TopicPartitions};
    let named = |(topic, partitions): &(&str, &[i32])| TopicPartitions {
        topic: topic.to_string(),
        partitions: partitions.to_vec(),
    };
    let topic_partitions = topics.map(|topics| topics.iter().map(named).collect());
    let request = ElectLeadersRequest { election_type, topic_partitions, timeout_ms };
    let answer = elect_leaders::answer(&request, &partly_led());
    let results = answer.replica_election_results.into_iter().map(|result| {
        let partitions = result.partition_result.into_iter();
        let each = partitions.map(|it| (it.partition_id, it.error_code, it.error_message));
        (result.topic, each.collect())
    });
    (answer.error_code, results.collect())
}

#[test]
fn nobody_is_elected_where_one_lives() {
    let told = |index, error, text: &str| (index, error, Some(text.to_string()));
    let not_needed = "Leader election not needed for topic partition.";
    let not_needed = |index| told(index, ErrorCode::ELECTION_NOT_NEEDED, not_needed);
    let no_preferred = "The preferred leader was not available.";
    let no_preferred = |index| told(index, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, no_preferred);
    let no_eligible = "Eligible topic partition leaders are not available.";
    let no_eligible = |index| told(index, ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, no_eligible);
    let unknown = |index, text: &str| told(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text);
    let asked: &[(&str, &[i32])] = &[("led", &[0, 1, 2, 7]), ("nope", &[0])];
    let missing = unknown(7, "No such partition as led-7");
    let nope = ("nope".to_string(), vec![unknown(0, "No such topic as nope")]);
    let (error, preferred) = elect((0, 1, Some(asked)));
    let led = vec![not_needed(0), no_preferred(1), no_preferred(2), missing.clone()];
    assert_eq!((error, preferred), (ErrorCode::NONE, vec![("led".into(), led), nope.clone()]));
    let (error, unclean) = elect((1, 1, Some(asked)));
    let led = vec![not_needed(0), not_needed(1), no_eligible(2), missing];
    assert_eq!((error, unclean), (ErrorCode::NONE, vec![("led".into(), led), nope]));

    let all = |led| (ErrorCode::NONE, vec![("fine".to_string(), vec![]), ("led".to_string(), led)]);
    assert_eq!(elect((0, 1, None)), all(vec![no_preferred(1), no_preferred(2)]));
    assert_eq!(elect((1, 1, None)), all(vec![no_eligible(2)]));
}

#[test]
fn impossible_elections_are_refused_as_a_whole() {
    let asked: &[(&str, &[i32])] = &[("led", &[0, 9])];
    let invalid = ErrorCode::INVALID_REQUEST;
    let each = |error, text: Option<&str>| {
        let of = |index| (index, error, text.map(ToString::to_string));
        (error, vec![("led".to_string(), vec![of(0), of(9)])])
    };
    assert_eq!(elect((5, 1, Some(asked))), each(invalid, Some("Unknown election type 5")));
    assert_eq!(elect((-1, 1, Some(asked))), each(invalid, Some("Unknown election type -1")));
    assert_eq!(elect((0, 0, Some(asked))), each(ErrorCode::REQUEST_TIMED_OUT, None));
    assert_eq!(elect((5, 1, None)), (invalid, vec![]));
    assert_eq!(elect((5, 0, Some(&[]))), (ErrorCode::NONE, vec![]));
}
