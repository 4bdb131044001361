//! A length from the wire reserves nothing: what reading a frame allocates stays within what the
//! frame's own size pays for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig};
use klamm_core::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use klamm_core::api::create_acls::{AclCreation, CreateAclsRequest};
use klamm_core::api::create_partitions::CreatePartitionsRequest;
use klamm_core::api::create_topics::CreateTopicsRequest;
use klamm_core::api::delete_acls::{DeleteAclsFilter, DeleteAclsRequest};
use klamm_core::api::delete_groups::DeleteGroupsRequest;
use klamm_core::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_core::api::delete_topics::DeleteTopicsRequest;
use klamm_core::api::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_core::api::describe_groups::DescribeGroupsRequest;
use klamm_core::api::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_core::api::describe_producers::{self, DescribeProducersRequest};
use klamm_core::api::describe_quorum::{self, DescribeQuorumRequest, PartitionRequest};
use klamm_core::api::describe_topic_partitions::{DescribeTopicPartitionsRequest, TopicRequest};
use klamm_core::api::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use klamm_core::api::find_coordinator::FindCoordinatorRequest;
use klamm_core::api::incremental_alter_configs::IncrementalAlterConfigsRequest;
use klamm_core::api::init_producer_id::InitProducerIdRequest;
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_core::api::leave_group::LeaveGroupRequest;
use klamm_core::api::list_config_resources::ListConfigResourcesRequest;
use klamm_core::api::list_groups::ListGroupsRequest;
use klamm_core::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_core::api::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use klamm_core::api::metadata::{MetadataRequest, MetadataRequestTopic};
use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use klamm_core::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_core::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_core::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_core::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_core::api::sasl_authenticate::SaslAuthenticateRequest;
use klamm_core::api::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use klamm_core::api::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use klamm_core::batch::{BatchBuilder, Codec, ProduceRules, check_produced};
use klamm_core::codec::{Message, Reader};
use klamm_core::config::{StoredCompression, TopicConfig};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_core::records::MetadataRecord;
use klamm_core::time::{Millis, Now};
use klamm_runtime::compression::{Codecs, compress};
use klamm_tests::node::Node;
use klamm_tests::recorded::{frames, node, topics};

/// Remembers of each thread its largest allocation, what it holds, and the most that it has held.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    /// Less than nothing when a thread frees what another has made.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

// A thread that is ending has no cells any more, and no test.
fn note(taken: usize, given: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(taken)));
    let _ = HELD.try_with(|held| {
        held.set(held.get() + taken as isize);
        // While memory moves, both are held.
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
        held.set(held.get() - given as isize);
    });
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The largest single allocation while `run` runs.
fn largest(run: impl FnOnce()) -> usize {
    LARGEST.set(0);
    run();
    LARGEST.get()
}

/// The most held at once while `run` runs, beyond what was held before.
fn peak(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    run();
    (PEAK.get() - before) as usize
}

fn refused<M: Message>(frame: &[u8], version: i16) -> usize {
    let frame = Bytes::copy_from_slice(frame);
    largest(|| assert!(M::read(&mut Reader::new(&frame), version).is_err()))
}

#[test]
fn the_measure_measures() {
    assert!(largest(|| drop(vec![0_u8; 5_000])) >= 5_000);
    let held = peak(|| drop((vec![0_u8; 5_000], vec![0_u8; 5_000])));
    assert!((10_000..11_000).contains(&held), "{held}");
}

#[test]
fn lengths_beyond_the_frame_reserve_nothing() {
    assert_eq!(refused::<MetadataRequest>(b"\x7f\xff\xff\xff", 1), 0);
    assert_eq!(refused::<MetadataRequest>(b"\xff\xff\xff\xff\x07", 9), 0);
    assert_eq!(refused::<MetadataRequest>(b"\xff\xff\xff\xff\x0f", 9), 0);
    assert_eq!(refused::<ProduceRequest>(b"\xff\xff\0\0\0\0\0\0\x7f\xff\xff\xff", 3), 0);
    assert_eq!(refused::<ProduceRequest>(b"\x7f\xff", 3), 0);
    let many = b"\x7f\xff\xff\xff";
    assert_eq!(refused::<FetchRequest>(&[&[0; 17][..], many].concat(), 4), 0);
    assert_eq!(refused::<FetchRequest>(&[&[0; 21][..], b"\xff\xff\xff\xff\x07"].concat(), 13), 0);
    assert_eq!(refused::<ListOffsetsRequest>(&[&[0; 4][..], many].concat(), 1), 0);
    assert_eq!(refused::<OffsetForLeaderEpochRequest>(many, 2), 0);
    assert_eq!(refused::<DeleteRecordsRequest>(many, 0), 0);
    assert_eq!(refused::<InitProducerIdRequest>(b"\x7f\xff", 0), 0);
    let compact = b"\xff\xff\xff\xff\x07";
    assert_eq!(refused::<DescribeProducersRequest>(compact, 0), 0);
    assert_eq!(refused::<DescribeQuorumRequest>(compact, 2), 0);
    assert_eq!(refused::<CreateAclsRequest>(many, 1), 0);
    assert_eq!(refused::<DeleteAclsRequest>(compact, 3), 0);
    assert_eq!(refused::<SaslAuthenticateRequest>(many, 0), 0);
    assert_eq!(refused::<DescribeLogDirsRequest>(many, 1), 0);
    assert_eq!(refused::<DescribeLogDirsRequest>(compact, 5), 0);
    assert_eq!(refused::<CreateTopicsRequest>(many, 2), 0);
    assert_eq!(refused::<CreateTopicsRequest>(compact, 7), 0);
    assert_eq!(refused::<DeleteTopicsRequest>(many, 1), 0);
    assert_eq!(refused::<DeleteTopicsRequest>(compact, 6), 0);
    assert_eq!(refused::<CreatePartitionsRequest>(many, 0), 0);
    assert_eq!(refused::<CreatePartitionsRequest>(compact, 3), 0);
    assert_eq!(refused::<DescribeConfigsRequest>(many, 1), 0);
    assert_eq!(refused::<DescribeConfigsRequest>(compact, 4), 0);
    let keys = [&b"\0\0\0\x01\x02\0\x01t"[..], many].concat();
    assert_eq!(refused::<DescribeConfigsRequest>(&keys, 1) / 1_000, 0);
    assert_eq!(refused::<AlterConfigsRequest>(many, 0), 0);
    assert_eq!(refused::<AlterConfigsRequest>(compact, 2), 0);
    assert_eq!(refused::<IncrementalAlterConfigsRequest>(many, 0), 0);
    assert_eq!(refused::<IncrementalAlterConfigsRequest>(compact, 1), 0);
    assert_eq!(refused::<ListConfigResourcesRequest>(compact, 1), 0);
    assert_eq!(refused::<ElectLeadersRequest>(&[b"\0", &many[..]].concat(), 1), 0);
    assert_eq!(refused::<ElectLeadersRequest>(&[b"\0", &compact[..]].concat(), 2), 0);
    let timeout = &[0; 4][..];
    assert_eq!(refused::<UpdateFeaturesRequest>(&[timeout, compact].concat(), 0), 0);
    assert_eq!(refused::<AlterPartitionReassignmentsRequest>(&[timeout, compact].concat(), 0), 0);
    assert_eq!(refused::<ListPartitionReassignmentsRequest>(&[timeout, compact].concat(), 0), 0);
    let record = Bytes::from_static(b"\x01\x03\0\0\0\0\0ABCDEFGHIJKLMNOP\xff\xff\xff\xff\x07");
    assert_eq!(largest(|| assert!(MetadataRecord::decode(&record).is_err())), 0);
}

#[test]
fn lengths_beyond_the_frame_reserve_nothing_for_groups() {
    let (many, compact) = (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x07");
    let behind = |zeros: usize| [&[0; 16][..zeros], many].concat();
    assert_eq!(refused::<FindCoordinatorRequest>(&[&b"\0"[..], compact].concat(), 4), 0);
    assert_eq!(refused::<JoinGroupRequest>(&behind(10), 0), 0);
    assert_eq!(refused::<SyncGroupRequest>(&behind(8), 0), 0);
    assert_eq!(refused::<LeaveGroupRequest>(&behind(2), 3), 0);
    assert_eq!(refused::<OffsetCommitRequest>(&behind(16), 2), 0);
    assert_eq!(refused::<OffsetFetchRequest>(&behind(2), 1), 0);
    assert_eq!(refused::<OffsetFetchRequest>(compact, 8), 0);
    assert_eq!(refused::<DescribeGroupsRequest>(many, 0), 0);
    assert_eq!(refused::<DescribeGroupsRequest>(compact, 5), 0);
    assert_eq!(refused::<ListGroupsRequest>(compact, 4), 0);
    assert_eq!(refused::<DeleteGroupsRequest>(many, 0), 0);
    assert_eq!(refused::<DeleteGroupsRequest>(compact, 2), 0);
    assert_eq!(refused::<OffsetDeleteRequest>(&behind(2), 0), 0);
}

#[test]
fn a_claim_that_the_bytes_could_hold_reserves_no_more_than_they_are() {
    const BYTES: usize = 1_000_000;
    let mut frame = (BYTES as i32).to_be_bytes().to_vec();
    frame.resize(4 + BYTES, 0xff);
    assert!(refused::<MetadataRequest>(&frame, 1) <= BYTES);
}

#[test]
fn a_batch_that_grows_in_its_topics_codec_takes_no_more_than_its_bound() {
    let mut builder = BatchBuilder::new();
    builder.append(-1, None, Some(&vec![0; 24 << 20]));
    let payload = Bytes::from(compress(Codec::Zstd, builder.records()));
    let records = Bytes::from(builder.compressed(Codec::Zstd, payload).encode(0, -1));
    for (stored, fits) in [
        (StoredCompression::Uncompressed, false),
        (StoredCompression::Codec(Codec::Snappy), false),
        (StoredCompression::Codec(Codec::Lz4), true),
        (StoredCompression::Codec(Codec::Gzip), true),
    ] {
        let config = TopicConfig { compression: stored, ..TopicConfig::default() };
        let rules = ProduceRules {
            version: 13,
            topic: "t",
            partition: 0,
            config: &config,
            decompressed_bytes_max: 64 << 20,
            converted_bytes_max: usize::MAX,
            record_errors_max: 1,
        };
        let check = || {
            let checked =
                check_produced(Some(&records), &rules, &Codecs::default(), Now::default());
            match checked {
                Ok(batch) => assert!(fits && batch.is_converted(), "{stored:?}"),
                Err(fault) => {
                    assert_eq!((fault.error, fits), (ErrorCode::MESSAGE_TOO_LARGE, false));
                }
            }
        };
        // A vector that grows by doubling holds up to twice its content.
        let largest = largest(check);
        assert!(largest <= 2 * config.message_bytes_max as usize, "{stored:?}: {largest}");
    }
}

/// What a request may make the broker hold until its answer has left: so many bytes for each of its
/// frame, and so many in any case.
const PRODUCE_TIMES: usize = 16;
const QUERY_TIMES: usize = 48;
const FREE_BYTES: usize = 128 << 10;
const QUERY_BYTES_MAX: usize = 32 << 20;
const FETCH_BYTES_MAX: usize = 120 << 20;

#[test]
fn partitions_and_topics_hold_a_bounded_multiple_of_their_frame() {
    let broken = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 0, 3]);
    let records = [None, Some(Bytes::new()), Some(broken), Some(batch())];
    let mut node = node(&topics());
    for count in [100, 1_000, 30_000] {
        for records in &records {
            let one = |at: usize| partition(at, records.clone());
            let of_one = topic("p", (0..count).map(one).collect());
            let of_many = (0..count).map(|at| topic(&format!("{at:x}"), vec![one(0)])).collect();
            for topics in [vec![of_one], of_many] {
                let frame = produce(topics);
                let (held, _) = held_while_asked(&mut node, &frame);
                let max = PRODUCE_TIMES * frame.len() + FREE_BYTES;
                assert!(held <= max, "{count} of {records:?}: {held} of {max}");
            }
        }
        let frame = produce((0..count).map(|_| topic("", vec![])).collect());
        let (held, _) = held_while_asked(&mut node, &frame);
        assert!(held <= PRODUCE_TIMES * frame.len() + FREE_BYTES, "{count} empty topics: {held}");
    }
}

#[test]
fn names_hold_a_bounded_multiple_of_their_frame() {
    let mut node = node(&topics());
    for count in [100, 1_000, 30_000, 200_000] {
        let frames = [names(count, |at| format!("{at:x}")), names(count, |_| String::new())];
        for frame in frames.concat() {
            let (held, _) = held_while_asked(&mut node, &frame);
            let max = (QUERY_TIMES * frame.len() + FREE_BYTES).min(QUERY_BYTES_MAX);
            assert!(held <= max, "{count} in {} bytes: {held} of {max}", frame.len());
        }
    }
}

#[test]
fn partitions_of_logs_hold_a_bounded_multiple_of_their_frame() {
    let mut node = node(&topics());
    for count in [100, 10_000, 100_000] {
        let by_partition = [
            reads(1, count, |_| "p".to_owned()),
            reads(1, count, |_| "?".to_owned()),
            // The words of errors name the topic.
            reads(1, count, |_| "x".repeat(250)),
        ];
        let by_topic =
            [reads(count, 1, |at| format!("{at:x}")), reads(count, 0, |_| String::new())];
        for (most, frame) in by_partition.into_iter().chain(by_topic).flatten() {
            let (held, _) = held_while_asked(&mut node, &frame);
            let max = (QUERY_TIMES * frame.len() + FREE_BYTES).min(most);
            assert!(held <= max, "{count} in {} bytes: {held} of {max}", frame.len());
        }
    }
}

/// So much is held while an answer tells as many settings as one may, with all that can be told of each.
const SETTINGS_BYTES_MAX: usize = 140 << 20;

#[test]
fn settings_hold_a_bounded_amount() {
    let mut node = node(&topics());
    for count in [1_000, 60_000] {
        for (resource_type, name) in [(4, "1"), (2, "p"), (32, "g"), (16, "m"), (2, "?"), (99, "x")]
        {
            let resource = DescribeConfigsResource {
                resource_type,
                resource_name: name.to_owned(),
                configuration_keys: None,
            };
            let request = DescribeConfigsRequest {
                resources: vec![resource; count],
                include_synonyms: true,
                include_documentation: true,
            };
            let frame = frame(ApiKey::DESCRIBE_CONFIGS, 4, &request);
            let (held, _) = held_while_asked(&mut node, &frame);
            assert!(held <= SETTINGS_BYTES_MAX, "{count} of {resource_type} {name}: {held}");
        }
    }
}

/// So much is held while an answer tells of as many groups as one has room for.
const GROUPS_BYTES_MAX: usize = 140 << 20;

#[test]
fn groups_hold_a_bounded_amount() {
    let mut node = node(&topics());
    make_group(&mut node);
    for count in [1_000, 60_000] {
        let groups = vec!["group".to_owned(); count];
        let describe =
            DescribeGroupsRequest { groups: groups.clone(), include_authorized_operations: true };
        let group = OffsetFetchRequestGroup {
            group_id: "group".to_owned(),
            topics: None,
            ..OffsetFetchRequestGroup::default()
        };
        let fetch =
            OffsetFetchRequest { groups: vec![group; count], ..OffsetFetchRequest::default() };
        let find = FindCoordinatorRequest {
            key_type: 9,
            coordinator_keys: groups.clone(),
            ..FindCoordinatorRequest::default()
        };
        let delete = DeleteGroupsRequest { groups_names: groups };
        for frame in [
            frame(ApiKey::DESCRIBE_GROUPS, 0, &describe),
            frame(ApiKey::DESCRIBE_GROUPS, 6, &describe),
            frame(ApiKey::OFFSET_FETCH, 8, &fetch),
            frame(ApiKey::FIND_COORDINATOR, 4, &find),
            frame(ApiKey::DELETE_GROUPS, 2, &delete),
        ] {
            let (held, answered) = held_while_asked(&mut node, &frame);
            assert!(answered, "{} bytes are refused", frame.len());
            assert!(held <= GROUPS_BYTES_MAX, "{count} in {} bytes: {held}", frame.len());
        }
    }
}

/// A group whose one member says much, and whose offsets come with much text.
fn make_group(node: &mut Node) {
    let much = Bytes::from(vec![7; 200_000]);
    let join = JoinGroupRequest {
        group_id: "group".to_owned(),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: much.clone(),
        }],
        ..JoinGroupRequest::default()
    };
    // Before version 4 nobody is sent back for a member id.
    let joined: JoinGroupResponse = asked(node, ApiKey::JOIN_GROUP, 3, &join);
    assert_eq!((joined.error_code, joined.members.len()), (ErrorCode::NONE, 1));
    let assignment =
        SyncGroupRequestAssignment { member_id: joined.member_id.clone(), assignment: much };
    let sync = SyncGroupRequest {
        group_id: "group".to_owned(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..SyncGroupRequest::default()
    };
    let synced: SyncGroupResponse = asked(node, ApiKey::SYNC_GROUP, 3, &sync);
    assert_eq!((synced.error_code, synced.assignment.len()), (ErrorCode::NONE, 200_000));
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_metadata: Some("x".repeat(4_096)),
        ..OffsetCommitRequestPartition::default()
    };
    let commit = OffsetCommitRequest {
        group_id: "group".to_owned(),
        generation_id_or_member_epoch: joined.generation_id,
        member_id: joined.member_id,
        topics: vec![OffsetCommitRequestTopic {
            name: "d8".to_owned(),
            partitions: (0..8).map(partition).collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    let committed: OffsetCommitResponse = asked(node, ApiKey::OFFSET_COMMIT, 8, &commit);
    let partitions = &committed.topics[0].partitions;
    assert!(partitions.iter().all(|partition| partition.error_code == ErrorCode::NONE));
}

/// What is answered, however long it takes.
fn asked<A: Message>(node: &mut Node, key: ApiKey, version: i16, body: &impl Message) -> A {
    let mut client = node.connect();
    let mut answer = client.send(node, &frame(key, version, body));
    answer.extend(client.wait(node, Millis(10_000)));
    client.close(node);
    let frame = frames(&answer).remove(0);
    let mut reader = Reader::new(&frame);
    read_response_header(&mut reader, key.api().expect("served"), version).expect("a header");
    A::read(&mut reader, version).expect("an answer")
}

#[test]
fn changes_of_settings_hold_a_bounded_multiple_of_their_frame() {
    let mut node = node(&topics());
    for count in [100, 10_000, 100_000] {
        let setting = |at: usize| AlterableConfig { name: format!("{at:x}"), value: None };
        let one = |at: usize| AlterConfigsResource {
            resource_type: 2,
            resource_name: format!("{at:x}"),
            configs: vec![setting(0)],
        };
        let of_one = AlterConfigsResource {
            resource_type: 4,
            resource_name: "1".to_owned(),
            configs: (0..count).map(setting).collect(),
        };
        for resources in [vec![of_one], (0..count).map(one).collect()] {
            let request = AlterConfigsRequest { resources, validate_only: false };
            let frame = frame(ApiKey::ALTER_CONFIGS, 2, &request);
            let (held, _) = held_while_asked(&mut node, &frame);
            let max = (QUERY_TIMES * frame.len() + FREE_BYTES).min(QUERY_BYTES_MAX);
            assert!(held <= max, "{count} in {} bytes: {held} of {max}", frame.len());
        }
    }
}

#[test]
fn what_real_clients_ask_at_once_is_answered() {
    const COUNT: usize = 10_000;
    let mut node = node(&topics());
    let one = |at| partition(at, Some(batch()));
    let of_one = produce(vec![topic("p", (0..COUNT).map(one).collect())]);
    let named = |at| topic(&format!("t{at}"), vec![one(0)]);
    let of_many = produce((0..COUNT).map(named).collect());
    let mut frames = vec![of_one, of_many];
    frames.extend(names(COUNT, |at| format!("t{at}")));
    frames.extend(names(100_000, |at| format!("t{at}")));
    let of_one = reads(1, 100_000, |_| "p".to_owned());
    let of_many = reads(60_000, 1, |at| format!("t{at}"));
    frames.extend(of_one.into_iter().chain(of_many).map(|(_, frame)| frame));
    for frame in frames {
        assert!(held_while_asked(&mut node, &frame).1, "{} bytes are refused", frame.len());
    }
}

/// The most held while the broker answers a frame, and whether it did.
fn held_while_asked(node: &mut Node, frame: &[u8]) -> (usize, bool) {
    let mut client = node.connect();
    let mut answered = false;
    let held = peak(|| answered = !client.send(node, frame).is_empty());
    client.close(node);
    (held, answered)
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.append(0, None, None);
    builder.encode(0, -1).into()
}

fn partition(index: usize, records: Option<Bytes>) -> PartitionProduceData {
    PartitionProduceData { index: index as i32, records }
}

fn topic(name: &str, partition_data: Vec<PartitionProduceData>) -> TopicProduceData {
    TopicProduceData { name: name.to_owned(), partition_data, ..TopicProduceData::default() }
}

fn produce(topic_data: Vec<TopicProduceData>) -> Vec<u8> {
    frame(ApiKey::PRODUCE, 9, &ProduceRequest { acks: -1, topic_data, ..ProduceRequest::default() })
}

/// So many names in each request that takes names.
fn names(count: usize, name: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    let all = || (0..count).map(&name);
    let topics = all().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
    let metadata = MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let described = DescribeTopicPartitionsRequest {
        topics: all().map(|name| TopicRequest { name }).collect(),
        response_partition_limit: 2_000,
        ..Default::default()
    };
    let update = |feature| FeatureUpdateKey { feature, ..FeatureUpdateKey::default() };
    let features = UpdateFeaturesRequest {
        feature_updates: all().map(update).collect(),
        ..UpdateFeaturesRequest::default()
    };
    let create = |resource_name| AclCreation { resource_name, ..AclCreation::default() };
    let rules = CreateAclsRequest { creations: all().map(create).collect() };
    let filter =
        |name| DeleteAclsFilter { resource_name_filter: Some(name), ..DeleteAclsFilter::default() };
    let filters = DeleteAclsRequest { filters: all().map(filter).collect() };
    vec![
        frame(ApiKey::CREATE_ACLS, 3, &rules),
        frame(ApiKey::DELETE_ACLS, 3, &filters),
        frame(ApiKey::UPDATE_FEATURES, 1, &features),
        // Before version 4 it makes the topics.
        frame(ApiKey::METADATA, 4, &metadata),
        frame(ApiKey::METADATA, 9, &metadata),
        frame(ApiKey::METADATA, 12, &metadata),
        frame(ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0, &described),
    ]
}

/// So many topics with so many partitions each in each request that reads logs, and the most that it
/// may make the broker hold.
fn reads(
    topics: usize,
    partitions: usize,
    name: impl Fn(usize) -> String,
) -> Vec<(usize, Vec<u8>)> {
    let names = || (0..topics).map(&name);
    let indexes = || 0..partitions as i32;
    let fetch = FetchRequest {
        topics: names().map(|topic| fetch_topic(topic, indexes())).collect(),
        ..FetchRequest::default()
    };
    let list_offsets = ListOffsetsRequest {
        replica_id: -1,
        topics: names()
            .map(|name| ListOffsetsTopic {
                name,
                partitions: indexes()
                    .map(|index| ListOffsetsPartition {
                        partition_index: index,
                        timestamp: -1,
                        ..ListOffsetsPartition::default()
                    })
                    .collect(),
            })
            .collect(),
        ..ListOffsetsRequest::default()
    };
    let epochs = OffsetForLeaderEpochRequest {
        topics: names()
            .map(|topic| OffsetForLeaderTopic {
                topic,
                partitions: indexes()
                    .map(|partition| OffsetForLeaderPartition { partition, ..Default::default() })
                    .collect(),
            })
            .collect(),
        ..OffsetForLeaderEpochRequest::default()
    };
    let delete = DeleteRecordsRequest {
        topics: names()
            .map(|name| DeleteRecordsTopic {
                name,
                partitions: indexes()
                    .map(|partition_index| DeleteRecordsPartition { partition_index, offset: 0 })
                    .collect(),
            })
            .collect(),
        ..DeleteRecordsRequest::default()
    };
    let describe = DescribeProducersRequest {
        topics: names()
            .map(|name| describe_producers::TopicRequest {
                name,
                partition_indexes: indexes().collect(),
            })
            .collect(),
    };
    let mut all = vec![
        (FETCH_BYTES_MAX, frame(ApiKey::FETCH, 4, &fetch)),
        (QUERY_BYTES_MAX, frame(ApiKey::LIST_OFFSETS, 1, &list_offsets)),
        (QUERY_BYTES_MAX, frame(ApiKey::LIST_OFFSETS, 11, &list_offsets)),
        (QUERY_BYTES_MAX, frame(ApiKey::OFFSET_FOR_LEADER_EPOCH, 2, &epochs)),
        (QUERY_BYTES_MAX, frame(ApiKey::DELETE_RECORDS, 0, &delete)),
        (QUERY_BYTES_MAX, frame(ApiKey::DESCRIBE_PRODUCERS, 0, &describe)),
    ];
    all.extend(moves(topics, partitions, &name));
    all.extend(offsets(topics, partitions, &name));
    all
}

/// The same of requests about the offsets of a group.
fn offsets(
    topics: usize,
    partitions: usize,
    name: impl Fn(usize) -> String,
) -> Vec<(usize, Vec<u8>)> {
    let names = || (0..topics).map(&name);
    let indexes = || 0..partitions as i32;
    let commit = OffsetCommitRequest {
        topics: names()
            .map(|name| OffsetCommitRequestTopic {
                name,
                partitions: indexes()
                    .map(|partition_index| OffsetCommitRequestPartition {
                        partition_index,
                        ..OffsetCommitRequestPartition::default()
                    })
                    .collect(),
                ..OffsetCommitRequestTopic::default()
            })
            .collect(),
        ..OffsetCommitRequest::default()
    };
    let of_one_group = names()
        .map(|name| OffsetFetchRequestTopic { name, partition_indexes: indexes().collect() });
    let of_a_group = names().map(|name| OffsetFetchRequestTopics {
        name,
        partition_indexes: indexes().collect(),
        ..OffsetFetchRequestTopics::default()
    });
    let group = OffsetFetchRequestGroup {
        topics: Some(of_a_group.collect()),
        ..OffsetFetchRequestGroup::default()
    };
    let fetch = OffsetFetchRequest {
        topics: Some(of_one_group.collect()),
        groups: vec![group],
        ..OffsetFetchRequest::default()
    };
    let delete = OffsetDeleteRequest {
        group_id: "group".to_owned(),
        topics: names()
            .map(|name| OffsetDeleteRequestTopic {
                name,
                partitions: indexes()
                    .map(|partition_index| OffsetDeleteRequestPartition { partition_index })
                    .collect(),
            })
            .collect(),
    };
    vec![
        (FETCH_BYTES_MAX, frame(ApiKey::OFFSET_COMMIT, 2, &commit)),
        (FETCH_BYTES_MAX, frame(ApiKey::OFFSET_COMMIT, 9, &commit)),
        (FETCH_BYTES_MAX, frame(ApiKey::OFFSET_FETCH, 1, &fetch)),
        (FETCH_BYTES_MAX, frame(ApiKey::OFFSET_FETCH, 9, &fetch)),
        (QUERY_BYTES_MAX, frame(ApiKey::OFFSET_DELETE, 0, &delete)),
    ]
}

/// The same of requests that move partitions, or ask where they are.
fn moves(
    topics: usize,
    partitions: usize,
    name: impl Fn(usize) -> String,
) -> Vec<(usize, Vec<u8>)> {
    let names = || (0..topics).map(&name);
    let indexes = || 0..partitions as i32;
    let elections = ElectLeadersRequest {
        topic_partitions: Some(
            names()
                .map(|topic| TopicPartitions { topic, partitions: indexes().collect() })
                .collect(),
        ),
        timeout_ms: 1_000,
        ..ElectLeadersRequest::default()
    };
    let cancelled = |partition_index| ReassignablePartition { partition_index, replicas: None };
    let reassignments = AlterPartitionReassignmentsRequest {
        topics: names()
            .map(|name| ReassignableTopic { name, partitions: indexes().map(cancelled).collect() })
            .collect(),
        ..AlterPartitionReassignmentsRequest::default()
    };
    let ongoing = ListPartitionReassignmentsRequest {
        topics: Some(
            names()
                .map(|name| ListPartitionReassignmentsTopics {
                    name,
                    partition_indexes: indexes().collect(),
                })
                .collect(),
        ),
        ..ListPartitionReassignmentsRequest::default()
    };
    let quorum = DescribeQuorumRequest {
        topics: names()
            .map(|topic_name| describe_quorum::TopicRequest {
                topic_name,
                partitions: indexes()
                    .map(|partition_index| PartitionRequest { partition_index })
                    .collect(),
            })
            .collect(),
    };
    let log_dirs = DescribeLogDirsRequest {
        topics: Some(
            names()
                .map(|topic| DescribableLogDirTopic { topic, partitions: indexes().collect() })
                .collect(),
        ),
    };
    vec![
        (QUERY_BYTES_MAX, frame(ApiKey::DESCRIBE_LOG_DIRS, 1, &log_dirs)),
        (QUERY_BYTES_MAX, frame(ApiKey::DESCRIBE_LOG_DIRS, 5, &log_dirs)),
        (QUERY_BYTES_MAX, frame(ApiKey::ELECT_LEADERS, 0, &elections)),
        (QUERY_BYTES_MAX, frame(ApiKey::ELECT_LEADERS, 2, &elections)),
        (QUERY_BYTES_MAX, frame(ApiKey::ALTER_PARTITION_REASSIGNMENTS, 1, &reassignments)),
        (QUERY_BYTES_MAX, frame(ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, &ongoing)),
        (QUERY_BYTES_MAX, frame(ApiKey::DESCRIBE_QUORUM, 2, &quorum)),
    ]
}

fn fetch_topic(topic: String, indexes: impl Iterator<Item = i32>) -> FetchTopic {
    let partitions = indexes.map(|partition| FetchPartition { partition, ..Default::default() });
    FetchTopic { topic, partitions: partitions.collect(), ..FetchTopic::default() }
}

fn frame<M: Message>(api_key: ApiKey, api_version: i16, body: &M) -> Vec<u8> {
    let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id: None };
    let mut frame = BytesMut::new();
    write_request(&mut frame, &header, body);
    frame.to_vec()
}
