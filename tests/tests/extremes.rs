//! The ends of every number that a client may send: each request has its answer, the connection stays, and what was
//! acknowledged is still read afterwards.

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use klamm_core::api::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use klamm_core::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, ReplicaState,
};
use klamm_core::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_core::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use klamm_core::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic,
};
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_core::ids::Uuid;
use klamm_core::rng::Rng;
use klamm_core::time::Millis;
use klamm_tests::node::Node;
use klamm_tests::recorded::{exchanges, frames, node, topics};

/// The most that a request here asks to wait.
const LONG_POLL: Millis = Millis(1_000);

/// Requests of each API and version.
const REQUESTS: usize = 40;

#[test]
fn fetches_of_any_numbers_are_answered() {
    let (mut node, mut rng) = (filled(), rng());
    for _ in 0..REQUESTS {
        for version in FetchRequest::VERSIONS {
            let request = fetch(&mut rng, version);
            ask::<_, FetchResponse>(&mut node, ApiKey::FETCH, version, &request);
        }
    }
    assert_still_read(&mut node);
}

#[test]
fn offsets_of_any_numbers_are_answered() {
    let (mut node, mut rng) = (filled(), rng());
    for _ in 0..REQUESTS {
        for version in ListOffsetsRequest::VERSIONS {
            let request = list_offsets(&mut rng);
            ask::<_, ListOffsetsResponse>(&mut node, ApiKey::LIST_OFFSETS, version, &request);
        }
        for version in OffsetForLeaderEpochRequest::VERSIONS {
            let key = ApiKey::OFFSET_FOR_LEADER_EPOCH;
            let request = offset_for_leader_epoch(&mut rng);
            ask::<_, OffsetForLeaderEpochResponse>(&mut node, key, version, &request);
        }
    }
    assert_still_read(&mut node);
}

#[test]
fn producers_of_any_numbers_are_answered() {
    let (mut node, mut rng) = (filled(), rng());
    for _ in 0..REQUESTS {
        for version in InitProducerIdRequest::VERSIONS {
            let request = InitProducerIdRequest {
                transactional_id: (rng.below(4) == 0).then(|| "t".repeat(rng.below(3) as usize)),
                transaction_timeout_ms: int(&mut rng),
                producer_id: long(&mut rng),
                producer_epoch: int(&mut rng) as i16,
            };
            let key = ApiKey::INIT_PRODUCER_ID;
            ask::<_, InitProducerIdResponse>(&mut node, key, version, &request);
        }
        let topic = TopicRequest {
            name: name(&mut rng),
            partition_indexes: vec![int(&mut rng), int(&mut rng), 0],
        };
        let request = DescribeProducersRequest { topics: vec![topic] };
        let key = ApiKey::DESCRIBE_PRODUCERS;
        ask::<_, DescribeProducersResponse>(&mut node, key, 0, &request);
    }
    assert_still_read(&mut node);
}

/// Of another topic: what it deletes is not read any more.
#[test]
fn deletions_of_any_numbers_are_answered() {
    let (mut node, mut rng) = (filled(), rng());
    for _ in 0..REQUESTS {
        for version in DeleteRecordsRequest::VERSIONS {
            let partition = |rng: &mut Rng| DeleteRecordsPartition {
                partition_index: int(rng),
                offset: long(rng),
            };
            let request = DeleteRecordsRequest {
                topics: vec![DeleteRecordsTopic {
                    name: "f2".to_owned(),
                    partitions: vec![partition(&mut rng), partition(&mut rng)],
                }],
                timeout_ms: int(&mut rng),
            };
            let key = ApiKey::DELETE_RECORDS;
            ask::<_, DeleteRecordsResponse>(&mut node, key, version, &request);
        }
    }
    assert_still_read(&mut node);
}

fn fetch(rng: &mut Rng, version: i16) -> FetchRequest {
    let known = topics().into_iter().find_map(|topic| topic.id.filter(|_| topic.name == "f"));
    let topic_id = if rng.below(4) > 0 { known.expect("f has an id") } else { Uuid::ZERO };
    let partition = |rng: &mut Rng| FetchPartition {
        partition: if rng.below(4) > 0 { 0 } else { int(rng) },
        current_leader_epoch: if rng.below(2) > 0 { -1 } else { int(rng) },
        fetch_offset: long(rng),
        last_fetched_epoch: if rng.below(2) > 0 { -1 } else { int(rng) },
        log_start_offset: long(rng),
        partition_max_bytes: int(rng),
        replica_directory_id: Uuid::ZERO,
        high_watermark: long(rng),
    };
    let replica_id = if rng.below(4) > 0 { -1 } else { int(rng) };
    FetchRequest {
        replica_id,
        replica_state: ReplicaState { replica_id, replica_epoch: long(rng) },
        // Whatever a client says, this test does not wait for weeks.
        max_wait_ms: int(rng).min(LONG_POLL.0 as i32),
        min_bytes: int(rng),
        max_bytes: int(rng),
        isolation_level: (rng.below(4) as i8) - 1,
        session_id: if rng.below(2) > 0 { 0 } else { int(rng) },
        session_epoch: if rng.below(2) > 0 { rng.below(2) as i32 - 1 } else { int(rng) },
        topics: vec![FetchTopic {
            topic: name(rng),
            topic_id,
            partitions: vec![partition(rng), partition(rng)],
        }],
        forgotten_topics_data: if version >= 7 && rng.below(2) > 0 {
            vec![ForgottenTopic { topic: name(rng), topic_id, partitions: vec![int(rng)] }]
        } else {
            Vec::new()
        },
        ..FetchRequest::default()
    }
}

fn list_offsets(rng: &mut Rng) -> ListOffsetsRequest {
    let partition = |rng: &mut Rng| ListOffsetsPartition {
        partition_index: if rng.below(4) > 0 { 0 } else { int(rng) },
        current_leader_epoch: if rng.below(2) > 0 { -1 } else { int(rng) },
        timestamp: if rng.below(2) > 0 { -(rng.below(9) as i64) } else { long(rng) },
    };
    ListOffsetsRequest {
        replica_id: int(rng),
        isolation_level: (rng.below(4) as i8) - 1,
        topics: vec![ListOffsetsTopic { name: name(rng), partitions: vec![partition(rng)] }],
        timeout_ms: int(rng),
    }
}

fn offset_for_leader_epoch(rng: &mut Rng) -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition {
        partition: if rng.below(4) > 0 { 0 } else { int(rng) },
        current_leader_epoch: if rng.below(2) > 0 { -1 } else { int(rng) },
        leader_epoch: int(rng),
    };
    OffsetForLeaderEpochRequest {
        replica_id: int(rng),
        topics: vec![OffsetForLeaderTopic { topic: name(rng), partitions: vec![partition] }],
    }
}

fn rng() -> Rng {
    Rng::from_seed(*b"the smallest and the largest ...")
}

fn name(rng: &mut Rng) -> String {
    if rng.below(4) > 0 { "f" } else { "no such topic" }.to_owned()
}

fn int(rng: &mut Rng) -> i32 {
    [i32::MIN, -2, -1, 0, 1, 2, 9, 1_000_000, i32::MAX - 1, i32::MAX][rng.below(10) as usize]
}

fn long(rng: &mut Rng) -> i64 {
    let longs = [i64::MIN, -2, -1, 0, 1, 4, 8, 9, 10, 1_700_000_000_000, i64::MAX - 1, i64::MAX];
    longs[rng.below(longs.len() as u64) as usize]
}

/// A broker whose topics `f` and `f2` hold what the recorded run put there.
fn filled() -> Node {
    let mut node = node(&topics());
    for exchange in exchanges().filter(|one| one.name.starts_with("produce.setup.f")) {
        let mut client = node.connect();
        assert!(!client.send(&mut node, &exchange.request).is_empty(), "{}", exchange.name);
        client.close(&mut node);
    }
    node
}

fn assert_still_read(node: &mut Node) {
    let exchange = exchanges().find(|one| one.name == "fetch.v17.from-0").expect("recorded");
    let mut client = node.connect();
    assert_eq!(Some(client.send(node, &exchange.request)), exchange.response);
    client.close(node);
}

/// Sends the request; there is one whole answer, of its version, and the connection goes on.
fn ask<Q: Message + std::fmt::Debug, A: Message>(
    node: &mut Node,
    api_key: ApiKey,
    api_version: i16,
    request: &Q,
) {
    let header = RequestHeader { api_key, api_version, correlation_id: 5, client_id: None };
    let mut frame = BytesMut::new();
    write_request(&mut frame, &header, request);
    let mut client = node.connect();
    let mut answer = client.send(node, &frame);
    answer.extend(client.wait(node, LONG_POLL));
    assert!(!client.is_closed(), "v{api_version} {request:?}: {:?}", client.error());
    client.close(node);
    let [answer] = <[Bytes; 1]>::try_from(frames(&answer)).expect("one answer");
    let mut reader = Reader::new(&answer);
    let api = api_key.api().expect("served");
    assert_eq!(read_response_header(&mut reader, api, api_version), Ok(5));
    assert!(A::read(&mut reader, api_version).is_ok(), "v{api_version} {request:?}");
    assert_eq!(reader.remaining(), 0, "v{api_version} {request:?}");
}
