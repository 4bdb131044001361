//! Requests that go to the broker as they were sent, and answers with ranges of files.

use super::*;
use crate::api::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::api::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
use crate::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
    Records,
};
use crate::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::api::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use crate::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use crate::effect::{FileRange, FileRef, Path};
use crate::ids::{FileId, JobId};

/// Sends `asked` in every version; the broker sees it, and the peer gets the default of `A`.
pub(super) fn exchange_all<Q: Message, A: Message + PartialEq + core::fmt::Debug>(
    key: ApiKey,
    body: impl Fn(A) -> ResponseBody,
    seen: impl Fn(&RequestBody) -> Option<i16>,
) {
    for version in Q::VERSIONS {
        let mut rig = Rig::new();
        let requests = rig.receive(&frame(key, version, 3, &Q::default()));
        assert_eq!(
            (requests.len(), rig.charged),
            (1, 0),
            "{} v{version}: {:?}",
            Q::NAME,
            rig.errors
        );
        assert_eq!(seen(&requests[0].body), Some(version), "{}", Q::NAME);
        let response = Response { number: requests[0].number, body: body(A::default()) };
        rig.connection.handle_response(response);
        let [sent] = &rig.sent()[..] else { panic!("one answer") };
        let sent = sent.slice(4..);
        let mut reader = Reader::new(&sent);
        let correlation_id = read_response_header(&mut reader, key.api().unwrap(), version);
        assert_eq!(correlation_id, Ok(3));
        assert_eq!(A::read(&mut reader, version), Ok(A::default()));
        assert_eq!(reader.remaining(), 0);
    }
}

#[test]
fn every_version_goes_to_the_broker_and_back() {
    exchange_all::<FetchRequest, FetchResponse>(ApiKey::FETCH, ResponseBody::Fetch, |body| {
        match body {
            RequestBody::Fetch { version, request } => {
                (*request == FetchRequest::default()).then_some(*version)
            }
            _ => None,
        }
    });
    exchange_all::<ListOffsetsRequest, ListOffsetsResponse>(
        ApiKey::LIST_OFFSETS,
        ResponseBody::ListOffsets,
        |body| match body {
            RequestBody::ListOffsets { version, .. } => Some(*version),
            _ => None,
        },
    );
    exchange_all::<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
        ApiKey::OFFSET_FOR_LEADER_EPOCH,
        ResponseBody::OffsetForLeaderEpoch,
        |body| match body {
            RequestBody::OffsetForLeaderEpoch { version, .. } => Some(*version),
            _ => None,
        },
    );
    exchange_all::<DeleteRecordsRequest, DeleteRecordsResponse>(
        ApiKey::DELETE_RECORDS,
        ResponseBody::DeleteRecords,
        |body| match body {
            RequestBody::DeleteRecords { version, .. } => Some(*version),
            _ => None,
        },
    );
    exchange_all::<InitProducerIdRequest, InitProducerIdResponse>(
        ApiKey::INIT_PRODUCER_ID,
        ResponseBody::InitProducerId,
        |body| match body {
            RequestBody::InitProducerId { version, .. } => Some(*version),
            _ => None,
        },
    );
    exchange_all::<DescribeProducersRequest, DescribeProducersResponse>(
        ApiKey::DESCRIBE_PRODUCERS,
        ResponseBody::DescribeProducers,
        |body| match body {
            RequestBody::DescribeProducers { version, .. } => Some(*version),
            _ => None,
        },
    );
}

fn fetched(records: Records) -> FetchResponse {
    let partitions = vec![PartitionData { records, ..PartitionData::default() }];
    let topic = FetchableTopicResponse { partitions, ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

#[test]
fn a_range_leaves_between_the_bytes_around_it() {
    let mut rig = Rig::new();
    let requests = rig.receive(&frame(ApiKey::FETCH, 12, 3, &FetchRequest::default()));
    let id = FileId { owner: JobId::BROKER, number: 1 };
    let file = FileRef { id, path: Path::new("d/t-0/00000000000000000000.log") };
    let range = FileRange { file, position: 61, length: 5_000_000 };
    let body = ResponseBody::Fetch(fetched(Records::File(range.clone())));
    assert_eq!(body.files().collect::<Vec<_>>(), [id]);
    rig.connection.handle_response(Response { number: requests[0].number, body });
    assert_eq!(
        rig.connection.wants_read(),
        0,
        "a peer that does not take its records asks no more"
    );

    let chunks: Vec<Chunk> = core::iter::from_fn(|| rig.connection.poll_transmit()).collect();
    let [Chunk::Bytes(before), Chunk::File(sent), Chunk::Bytes(behind)] = &chunks[..] else {
        panic!("{chunks:?}")
    };
    assert_eq!(*sent, range);
    let size = (before.len() - 4 + behind.len()) as u64 + range.length;
    assert_eq!(before[..4], u32::try_from(size).unwrap().to_be_bytes());

    let transmitted_of_next = |rig: &mut Rig, correlation_id| {
        let request = rig.receive(&api_versions(correlation_id));
        request.first().map(|request| request.transmitted)
    };
    rig.connection.handle_transmitted(1);
    assert_eq!(transmitted_of_next(&mut rig, 4), None, "too much is unsent");
    rig.connection.handle_transmitted(2);
    let request = rig.go_round();
    assert_eq!(request[0].transmitted, 1, "the pins end with the response");
}

/// A consumer of all there is on a large cluster: each partition is one of a topic of its own.
#[test]
fn a_fetch_of_100_000_topics_is_decoded() {
    let topic = |index: u32| FetchTopic {
        topic_id: Uuid([index.to_be_bytes(); 4].concat().try_into().unwrap()),
        partitions: vec![FetchPartition::default()],
        ..FetchTopic::default()
    };
    for version in [12, 13, 18] {
        let topics = (0..100_000).map(topic).collect();
        let body = FetchRequest { topics, ..FetchRequest::default() };
        let mut rig = Rig::new();
        let requests = rig.receive(&frame(ApiKey::FETCH, version, 1, &body));
        assert_eq!(requests.len(), 1, "{:?}", rig.errors);
    }
}
