//! DescribeQuorum (key 55): the metadata quorum, as `KafkaRaftClient.handleDescribeQuorumRequest`
//! tells of it. Its one voter is this node, which leads it.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::Broker;
use super::format::voters;
use super::metadata_log::{METADATA_TOPIC, MetadataLog};
use crate::api::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionResponse, ReplicaState,
    TopicResponse,
};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::log::Level;
use crate::query::Words;
use crate::records::{Voter, VoterEndpoint};
use crate::request::{Response, ResponseBody};

impl Broker {
    pub(super) fn handle_describe_quorum(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        request: DescribeQuorumRequest,
    ) {
        let answer =
            if asks_for_the_quorum(&request) { self.describe_quorum() } else { refusal(request) };
        self.respond(from, Response { number, body: ResponseBody::DescribeQuorum(answer) });
    }

    /// What is durable is committed: nobody else has to have it.
    fn describe_quorum(&self) -> DescribeQuorumResponse {
        let metadata = self.metadata.as_ref();
        let log = metadata.and_then(|metadata| self.logs.get(&metadata.log()));
        let (node_id, now_ms) = (self.config.node_id, self.now.wall_ms);
        let voters = self.quorum_voters();
        let state = |voter: &Voter| {
            let state = ReplicaState {
                replica_id: voter.voter_id,
                replica_directory_id: voter.voter_directory_id,
                log_end_offset: -1,
                ..ReplicaState::default()
            };
            if voter.voter_id != node_id {
                return state;
            }
            ReplicaState {
                log_end_offset: log.map_or(-1, |live| live.log.accepted_end()),
                last_fetch_timestamp: now_ms,
                last_caught_up_timestamp: now_ms,
                ..state
            }
        };
        let partition = PartitionResponse {
            leader_id: node_id,
            leader_epoch: metadata.map_or(-1, MetadataLog::epoch),
            high_watermark: log.map_or(-1, |live| live.log.end(Level::Synced)),
            current_voters: voters.iter().map(state).collect(),
            ..PartitionResponse::default()
        };
        let listener = |endpoint: &VoterEndpoint| Listener {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
        };
        let node = |voter: &Voter| Node {
            node_id: voter.voter_id,
            listeners: voter.endpoints.iter().map(listener).collect(),
        };
        DescribeQuorumResponse {
            topics: vec![TopicResponse {
                topic_name: METADATA_TOPIC.to_string(),
                partitions: vec![partition],
            }],
            nodes: voters.iter().map(node).collect(),
            ..DescribeQuorumResponse::default()
        }
    }

    /// As records have them, but for where this node listens now. Where there are none the voter is this node, and its
    /// directory is not known.
    fn quorum_voters(&self) -> Vec<Voter> {
        let own = voters(&self.config, Uuid::ZERO).voters;
        let Some(record) = &self.image.voters else { return own };
        let present = |voter: &Voter| {
            let own = own.iter().find(|own| own.voter_id == voter.voter_id);
            let endpoints = &own.unwrap_or(voter).endpoints;
            Voter { endpoints: endpoints.clone(), ..voter.clone() }
        };
        record.voters.iter().map(present).collect()
    }
}

/// One topic, one partition: Kafka takes nothing beside it.
fn asks_for_the_quorum(request: &DescribeQuorumRequest) -> bool {
    let [topic] = &request.topics[..] else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name == METADATA_TOPIC && partition.partition_index == 0
}

fn refusal(request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let unknown = "This server does not host this topic-partition.";
    // There is one quorum: who asks for more has paid for no words of them.
    let mut words = Words::of(0);
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| PartitionResponse {
            partition_index: asked.partition_index,
            error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            error_message: words.admit(Some(unknown.to_string())),
            ..PartitionResponse::default()
        });
        TopicResponse { topic_name: topic.topic_name, partitions: partitions.collect() }
    });
    DescribeQuorumResponse { topics: topics.collect(), ..DescribeQuorumResponse::default() }
}
