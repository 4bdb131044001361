//! The broker's answers beside those of Apache Kafka 4.3.1.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::api_versions::ApiVersionsResponse;
use klamm_core::api::create_topics::CreateTopicsResponse;
use klamm_core::api::delete_groups::DeleteGroupsResponse;
use klamm_core::api::delete_topics::DeleteTopicsResponse;
use klamm_core::api::describe_producers::DescribeProducersResponse;
use klamm_core::api::fetch::{FetchResponse, Records};
use klamm_core::api::list_groups::ListGroupsResponse;
use klamm_core::api::metadata::MetadataResponse;
use klamm_core::api::produce::ProduceResponse;
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::{SIZE_BYTES, read_response_header};
use klamm_core::ids::Uuid;
use klamm_core::time::Millis;
use klamm_tests::node::Node;
use klamm_tests::recorded::{self, Exchange, Given, exchanges, frames, topics};
use klamm_tests::wire::explain_response;

/// How long an answer is waited for: as in the recorded run.
const PATIENCE: Millis = Millis(6_000);

/// The last exchange before topics were created.
const LAST_ON_EMPTY_BROKER: &str = "describe-topic-partitions.empty-broker.all";

/// Cases that answer otherwise, on purpose or because a part of the broker is not there yet. One that
/// comes to agree is to be struck. Beside these the list of APIs is this broker's own.
const OPEN: &[(&str, &[&str])] = &[
    ("Kafka never answers null records, a fault of 4.3.1", &["produce.v11.null-records"]),
    (
        "the topic of offsets is there from the start, so that Produce can be refused on it",
        &["find-coordinator.v0.group.first"],
    ),
    ("no recorded answer gives the id that it sends", &["delete-topics.v6.known-id"]),
    (
        "transactions; what reads them is compared in a log that is laid out",
        &[
            "produce.v11.transactional.partition-not-added",
            "produce.v11.transactional.other-transactional-id",
            "produce.v10.transactional.partition-not-added",
            "produce.v11.transactional",
            "produce.v11.plain-after-transactional",
            "produce.v11.non-transactional-batch-in-open-transaction",
            "produce.v12.transactional.not-added-is-added-implicitly",
            "produce.v12.transactional.old-epoch",
            "produce.v12.transactional-id.null-partition-list-of-plain-batch",
            "init-producer-id.v4.transactional",
            "init-producer-id.v5.transactional",
            "fetch.v17.open-transaction.read-uncommitted",
            "fetch.v17.open-transaction.read-committed",
            "list-offsets.v7.open-transaction.read-committed.latest",
            "list-offsets.v7.open-transaction.read-uncommitted.latest",
            "fetch.v4.aborted.read-committed",
            "fetch.v17.aborted.read-committed",
            "fetch.v17.aborted.read-uncommitted",
            "fetch.v17.aborted.read-committed.past-it",
        ],
    ),
];

#[test]
fn answers_are_kafkas() {
    let (mut node, mut given) = (recorded::node(&[]), Given::default());
    let open: BTreeMap<&str, &str> = OPEN
        .iter()
        .flat_map(|(reason, names)| names.iter().map(move |name| (*name, *reason)))
        .collect();
    let (mut wrong, mut names) = (Vec::new(), BTreeSet::new());
    for exchange in exchanges() {
        let name = exchange.name.clone();
        let difference = Case(exchange).replay(&mut node, &mut given).err();
        match (difference, open.get(&*name)) {
            (Some(difference), None) => wrong.push(format!("{name}: {difference}")),
            (None, Some(reason)) => {
                wrong.push(format!("{name} agrees now: strike it from {reason:?}"));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if name == LAST_ON_EMPTY_BROKER {
            node = recorded::node(&topics());
        }
        assert!(names.insert(name), "a name twice");
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), names.len(), wrong.join("\n"));
    assert_eq!((names.len(), open.len()), (788, 22), "each is compared or listed");
    for name in open.keys() {
        assert!(names.contains(*name), "{name} is listed, and no exchange");
    }
}

/// Without a coordinator no transaction begins or ends here, so the log is laid out as it lay there: what its records
/// are to a reader does not depend on who wrote them. The marker had a segment of its own, for it was years younger.
#[test]
fn transactions_in_a_log_are_read_as_kafka_reads_them() {
    let recorded: BTreeMap<String, Exchange> =
        exchanges().map(|exchange| (exchange.name.clone(), exchange)).collect();
    let open = first_records(&recorded["fetch.v17.open-transaction.read-uncommitted"]);
    let marker = first_records(&recorded["fetch.v17.aborted.read-committed.past-it"]);
    let first = ("txn-0/00000000000000000000.log".to_owned(), open);
    let second = ("txn-0/00000000000000000003.log".to_owned(), marker);
    for (files, names) in [
        (
            vec![first.clone()],
            [
                "fetch.v17.open-transaction.read-uncommitted",
                "fetch.v17.open-transaction.read-committed",
                "list-offsets.v7.open-transaction.read-committed.latest",
                "list-offsets.v7.open-transaction.read-uncommitted.latest",
            ],
        ),
        (
            vec![first, second],
            [
                "fetch.v4.aborted.read-committed",
                "fetch.v17.aborted.read-committed",
                "fetch.v17.aborted.read-uncommitted",
                "fetch.v17.aborted.read-committed.past-it",
            ],
        ),
    ] {
        let mut node = recorded::node_with(&topics(), files);
        for name in names {
            let mut case = Case(recorded[name].clone());
            // Nothing varies in what is laid out.
            case.0.varies.clear();
            let replayed = case.replay(&mut node, &mut Given::default());
            assert_eq!(replayed, Ok(()), "{name}");
        }
    }
}

/// The records of the first partition in an answer to a Fetch of version 17.
fn first_records(exchange: &Exchange) -> Vec<u8> {
    let frame = &frames(exchange.response.as_deref().expect("an answer"))[0];
    let answer = read(frame, ApiKey::FETCH, 17);
    let (_, FetchResponse { responses, .. }) = answer.expect("a Fetch answer");
    match &responses[0].partitions[0].records {
        Records::Bytes(bytes) => bytes.to_vec(),
        Records::File(range) => panic!("{range:?} was not sent"),
    }
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    for exchange in exchanges() {
        // The list of APIs is not compared, so its bytes are free.
        let is_api_versions =
            |frame: &Bytes| frame.starts_with(&ApiKey::API_VERSIONS.0.to_be_bytes());
        let Some(answer) = exchange.response.clone() else { continue };
        if frames(&exchange.request).iter().any(is_api_versions) {
            continue;
        }
        let case = Case(exchange);
        assert!(!case.agree(&answer, &[&answer[..], &[0]].concat()));
        for at in 0..answer.len() {
            let mut changed = answer.clone();
            changed[at] ^= 0x01;
            let varies = case.0.varies.iter().any(|range| range.contains(&at));
            assert_eq!(case.agree(&answer, &changed), varies, "{} byte {at}", case.0.name);
        }
    }
}

#[test]
fn advertised_versions_are_among_kafkas() {
    let case = exchanges().find(|case| case.name == "api-versions.v4");
    let case = case.expect("an exchange of that name");
    let mut node = recorded::node(&[]);
    let ours = node.connect().send(&mut node, &case.request);
    let [ours, kafkas] = [&ours, &case.response.expect("an answer")].map(|answer| {
        let frame = &frames(answer)[0];
        let (_, answer): (_, ApiVersionsResponse) = read(frame, ApiKey::API_VERSIONS, 4).unwrap();
        answer.api_keys
    });
    assert!(!ours.is_empty() && kafkas.len() == 75);
    for api in ours {
        assert!(kafkas.contains(&api), "{api:?}");
    }
}

/// One exchange, held against what Kafka answered.
#[derive(Debug)]
struct Case(Exchange);

impl Case {
    /// Sends the request; says how the answer differs.
    fn replay(&self, node: &mut Node, given: &mut Given) -> Result<(), String> {
        let (mut client, begun) = (node.connect(), node.clock());
        let (mut answer, request) = (Vec::new(), given.request(&self.0));
        let piece = if self.0.name.contains("byte-by-byte") { 1 } else { request.len() };
        for piece in request.chunks(piece) {
            answer.extend(client.send(node, piece));
        }
        if self.0.name.contains("half-closed") {
            answer.extend(client.end(node));
        }
        answer.extend(client.wait(node, PATIENCE));
        let kafkas = given.response(&self.0).unwrap_or_default();
        given.note(&self.0, &answer);
        let waited_ms = node.clock().micros_since(begun) / 1_000;
        let (is_closed, error) = (client.is_closed(), client.error().cloned());
        client.close(node);
        if let Some(waits_ms) = self.0.waits_ms.filter(|waits_ms| *waits_ms != waited_ms) {
            return Err(format!("answered after {waited_ms} ms, by Kafka after {waits_ms} ms"));
        }
        let must_be_closed = self.0.response.is_none() || self.0.is_open == Some(false);
        if must_be_closed != is_closed {
            return Err(format!("closed: Kafka {must_be_closed}, here {is_closed} ({error:?})"));
        }
        if self.agree(&kafkas, &answer) {
            return Ok(());
        }
        let kafkas_own = self.differing_lines(&kafkas, &answer);
        let own = self.differing_lines(&answer, &kafkas);
        Err(format!("\n  Kafka\n    {kafkas_own}\n  here\n    {own}"))
    }

    fn agree(&self, kafkas: &[u8], ours: &[u8]) -> bool {
        self.masked(kafkas) == self.masked(ours) || self.decode(kafkas) == self.decode(ours)
    }

    /// The lines of one explained answer that the other has not.
    fn differing_lines(&self, answer: &[u8], other: &[u8]) -> String {
        // Without the positions, which one longer field moves for all behind it.
        let lines = |answer| -> Vec<String> {
            let explained = explain_response(&self.0.request, answer);
            explained.lines().map(|line| line.get(6..).unwrap_or(line).to_owned()).collect()
        };
        let others = lines(other);
        let own: Vec<String> =
            lines(answer).into_iter().filter(|line| !others.contains(line)).collect();
        own.join("\n    ")
    }

    fn masked(&self, answer: &[u8]) -> Vec<u8> {
        let mut answer = answer.to_vec();
        for range in &self.0.varies {
            if let Some(bytes) = answer.get_mut(range.clone()) {
                bytes.fill(0);
            }
        }
        answer
    }

    /// The answers, frame by frame, with what has no order sorted.
    fn decode(&self, answer: &[u8]) -> Vec<Answer> {
        let (frames, mut requests) = (frames(answer), frames(&self.0.request));
        if frames.iter().map(|frame| SIZE_BYTES + frame.len()).sum::<usize>() != answer.len() {
            return vec![Answer::Other(Bytes::copy_from_slice(answer))];
        }
        frames.iter().map(|frame| Answer::decode(frame, &mut requests)).collect()
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Produce(i32, ProduceResponse),
    Metadata(i32, MetadataResponse),
    ApiVersions(i32, ApiVersionsResponse),
    DescribeProducers(i32, DescribeProducersResponse),
    CreateTopics(i32, CreateTopicsResponse),
    DeleteTopics(i32, DeleteTopicsResponse),
    ListGroups(i32, ListGroupsResponse),
    DeleteGroups(i32, DeleteGroupsResponse),
    Other(Bytes),
}

impl Answer {
    /// Decodes `frame` as the answer to the first request of its correlation id.
    fn decode(frame: &Bytes, requests: &mut Vec<Bytes>) -> Self {
        let asked = requests.iter().position(|request| request.get(4..8) == frame.get(..4));
        let Some(request) = asked.map(|at| requests.remove(at)) else {
            return Self::Other(frame.clone());
        };
        let field = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (key, version) = (ApiKey(field(0)), field(2));
        match key {
            ApiKey::PRODUCE => read(frame, key, version).map(|(id, answer)| sorted(id, answer)),
            ApiKey::METADATA => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut MetadataResponse = &mut answer;
                answer.topics.sort_by(|a, b| (&a.name, a.topic_id).cmp(&(&b.name, b.topic_id)));
                Self::Metadata(id, answer.clone())
            }),
            ApiKey::CREATE_TOPICS => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut CreateTopicsResponse = &mut answer;
                answer.topics.iter_mut().for_each(|topic| hide(&mut topic.topic_id));
                answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
                Self::CreateTopics(id, answer.clone())
            }),
            ApiKey::DELETE_TOPICS => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut DeleteTopicsResponse = &mut answer;
                answer.responses.iter_mut().for_each(|topic| hide(&mut topic.topic_id));
                answer.responses.sort_by(|a, b| a.name.cmp(&b.name));
                Self::DeleteTopics(id, answer.clone())
            }),
            ApiKey::LIST_GROUPS => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut ListGroupsResponse = &mut answer;
                answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
                Self::ListGroups(id, answer.clone())
            }),
            ApiKey::DELETE_GROUPS => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut DeleteGroupsResponse = &mut answer;
                answer.results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
                Self::DeleteGroups(id, answer.clone())
            }),
            ApiKey::API_VERSIONS => read(frame, key, version).map(|(id, answer)| {
                // The list of APIs is that of this broker, and the epoch that of its own metadata.
                let answer = ApiVersionsResponse {
                    api_keys: Vec::new(),
                    finalized_features_epoch: 0,
                    ..answer
                };
                Self::ApiVersions(id, answer)
            }),
            ApiKey::DESCRIBE_PRODUCERS => read(frame, key, version).map(|(id, mut answer)| {
                let answer: &mut DescribeProducersResponse = &mut answer;
                for partition in answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.active_producers.sort_by_key(|producer| producer.producer_id);
                }
                Self::DescribeProducers(id, answer.clone())
            }),
            _ => None,
        }
        .unwrap_or_else(|| Self::Other(frame.clone()))
    }
}

/// New topics have other ids in each run; whether there is one does not vary.
fn hide(topic_id: &mut Uuid) {
    if *topic_id != Uuid::ZERO {
        *topic_id = Uuid([1; 16]);
    }
}

fn sorted(correlation_id: i32, mut answer: ProduceResponse) -> Answer {
    answer.responses.sort_by(|a, b| (&a.name, a.topic_id).cmp(&(&b.name, b.topic_id)));
    for topic in &mut answer.responses {
        topic.partition_responses.sort_by_key(|partition| partition.index);
    }
    Answer::Produce(correlation_id, answer)
}

/// Only what would be written byte for byte as it stands is read.
fn read<M: Message>(frame: &Bytes, key: ApiKey, version: i16) -> Option<(i32, M)> {
    let mut reader = Reader::new(frame);
    let correlation_id = read_response_header(&mut reader, key.api()?, version).ok()?;
    let body = &frame[frame.len() - reader.remaining()..];
    let message = M::read(&mut reader, version).ok()?;
    let mut written = Vec::new();
    message.write(&mut written, version);
    (written == body).then_some((correlation_id, message))
}
