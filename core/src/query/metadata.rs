//! Metadata (key 3), as `KafkaApis.handleTopicMetadataRequest` and `KRaftMetadataCache` answer it.
//! Topics stand in the request's order, or by name when all are asked for; Kafka gives no order.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::partition_view::{PartitionView, endpoint};
use super::{CLUSTER_OPERATIONS, TOPIC_OPERATIONS, topic_name};
use crate::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic, OPERATIONS_UNKNOWN,
};
use crate::broker::image::{Image, NO_LEADER, Topic};
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

/// Answers `request`, which came in by `listener` and has been decoded as `version`.
///
/// No topic is created here: one that is not there is answered UNKNOWN_TOPIC_OR_PARTITION, as Kafka
/// does also where it begins to create it.
pub fn answer(
    request: &MetadataRequest,
    version: i16,
    image: &Image,
    listener: &str,
) -> MetadataResponse {
    let topics = match select(request, version) {
        Ok(selection) => topics(&selection, request, version, image, listener),
        Err(error) => return refusal(request, error),
    };
    let brokers = image.brokers.iter().filter_map(|(node_id, broker)| {
        let endpoint = endpoint(broker, listener)?;
        Some(MetadataResponseBroker {
            node_id: *node_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        })
    });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(image.cluster_id.clone()),
        controller_id: image.node_id,
        topics,
        cluster_authorized_operations: operations(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ),
        ..MetadataResponse::default()
    }
}

/// The topics that a request asks for by names that are valid, and that are not there; each once, and
/// none where the request has ids, or asks for all.
pub fn absent_topics<'a>(request: &'a MetadataRequest, image: &Image) -> Vec<&'a str> {
    let asked = request.topics.iter().flatten();
    let names: Option<Vec<&str>> =
        asked.map(|topic| topic.name.as_deref().filter(|_| topic.topic_id == Uuid::ZERO)).collect();
    let is_absent = |name: &&str| !image.topics.contains_key(*name) && topic_name::is_valid(name);
    once(names.unwrap_or_default().into_iter().filter(is_absent))
}

/// What a request asks for; each topic once.
enum Selection<'a> {
    All,
    Ids(Vec<Uuid>),
    Names(Vec<&'a str>),
}

/// Once there is an id, entries with names alone do not count. Versions 10 and 11 have the field
/// for an id, and no ids.
fn select(request: &MetadataRequest, version: i16) -> Result<Selection<'_>, ErrorCode> {
    const IDS_SINCE: i16 = 12;
    let Some(asked) = request.topics.as_ref().filter(|asked| version > 0 || !asked.is_empty())
    else {
        return Ok(Selection::All);
    };
    let has_id = |topic: &MetadataRequestTopic| topic.topic_id != Uuid::ZERO;
    if version < IDS_SINCE && asked.iter().any(|topic| has_id(topic) || topic.name.is_none()) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if asked.iter().any(has_id) {
        let ids = asked.iter().filter(|topic| has_id(topic)).map(|topic| topic.topic_id);
        return Ok(Selection::Ids(once(ids)));
    }
    let names: Option<Vec<&str>> = asked.iter().map(|topic| topic.name.as_deref()).collect();
    Ok(Selection::Names(once(names.ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?)))
}

/// Keeps the first of equals, in order.
fn once<T: Ord + Copy>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|one| seen.insert(*one)).collect()
}

fn topics(
    selection: &Selection<'_>,
    request: &MetadataRequest,
    version: i16,
    image: &Image,
    listener: &str,
) -> Vec<MetadataResponseTopic> {
    let operations = operations(request.include_topic_authorized_operations, TOPIC_OPERATIONS);
    let known = |topic: &Topic| MetadataResponseTopic {
        topic_authorized_operations: operations,
        ..describe(topic, version, image, listener)
    };
    match selection {
        Selection::All => image.topics.values().map(|topic| known(topic)).collect(),
        Selection::Ids(ids) => ids
            .iter()
            .map(|id| image.topics_by_id.get(id).map_or_else(|| unknown_id(*id), |t| known(t)))
            .collect(),
        Selection::Names(names) => names
            .iter()
            .map(|name| match image.topics.get(*name) {
                Some(topic) => known(topic),
                None => MetadataResponseTopic {
                    topic_authorized_operations: operations,
                    ..unknown_name(name)
                },
            })
            .collect(),
    }
}

fn operations(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { OPERATIONS_UNKNOWN }
}

fn unknown_id(topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
        name: None,
        topic_id,
        ..MetadataResponseTopic::default()
    }
}

fn unknown_name(name: &str) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: topic_name::absence(name),
        name: Some(name.to_owned()),
        is_internal: topic_name::is_internal(name),
        ..MetadataResponseTopic::default()
    }
}

fn describe(topic: &Topic, version: i16, image: &Image, listener: &str) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let view = PartitionView::new(partition, image, listener);
        describe_partition(*index, view, version)
    });
    MetadataResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(String::from(&*topic.name)),
        topic_id: topic.id,
        is_internal: topic_name::is_internal(&topic.name),
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

/// Version 0 has no list of offline replicas: they are left out, with an error. A listener that the
/// leader has not is told apart since version 6.
fn describe_partition(
    partition_index: i32,
    view: PartitionView<'_>,
    version: i16,
) -> MetadataResponsePartition {
    const LISTENER_NOT_FOUND_SINCE: i16 = 6;
    let partition = view.partition.into_owned();
    let (mut replicas, mut isr) = (partition.replicas, partition.isr);
    let mut error_code = ErrorCode::NONE;
    if version == 0 {
        let before = (replicas.len(), isr.len());
        replicas.retain(|node| !view.offline.contains(node));
        isr.retain(|node| !view.offline.contains(node));
        if before != (replicas.len(), isr.len()) {
            error_code = ErrorCode::REPLICA_NOT_AVAILABLE;
        }
    }
    if view.leader == NO_LEADER {
        error_code = if view.is_leader_known && version >= LISTENER_NOT_FOUND_SINCE {
            ErrorCode::LISTENER_NOT_FOUND
        } else {
            ErrorCode::LEADER_NOT_AVAILABLE
        };
    }
    MetadataResponsePartition {
        error_code,
        partition_index,
        leader_id: view.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: replicas,
        isr_nodes: isr,
        offline_replicas: view.offline,
    }
}

/// The whole request fails: every topic as asked for, and nothing of the cluster.
fn refusal(request: &MetadataRequest, error_code: ErrorCode) -> MetadataResponse {
    let asked = request.topics.iter().flatten();
    let topics = asked.map(|topic| MetadataResponseTopic {
        error_code,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    });
    MetadataResponse { topics: topics.collect(), error_code, ..MetadataResponse::default() }
}
