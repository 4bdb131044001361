//! From what was seen to the answer, and to what the session has told.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;

use super::read::{Isolation, Outcome, Reader, Terms};
use super::session::{Opening, SessionId};
use super::set::{PartitionKey, PartitionSet, Slot, Told, TopicKey};
use super::stages::Pause;
use super::{Kinship, OpenFetch, Stage};
use crate::api::fetch::{
    FetchResponse, FetchableTopicResponse, NodeEndpoint, PartitionData, Records,
};
use crate::broker::Broker;
use crate::error_code::ErrorCode;
use crate::ids::ConnectionId;
use crate::query::partition_view::endpoint;

/// An answer that grows.
#[derive(Debug, Default)]
pub(super) struct Answer {
    response: FetchResponse,
    /// What is told last.
    unknown: VecDeque<(Slot, ErrorCode)>,
    /// Leaders that the reader is sent to.
    leaders: BTreeSet<i32>,
}

impl Answer {
    /// Neighbours of one topic stand together (`FetchResponse.of`).
    fn push(&mut self, key: &PartitionKey, data: PartitionData) {
        let topics = &mut self.response.responses;
        let is_same = topics.last().is_some_and(|last| match &key.topic {
            TopicKey::Name(name) => *last.topic == **name,
            TopicKey::Id(id) => last.topic_id == *id,
        });
        if !is_same {
            let topic = match &key.topic {
                TopicKey::Name(name) => {
                    FetchableTopicResponse { topic: name.to_string(), ..Default::default() }
                }
                TopicKey::Id(id) => FetchableTopicResponse { topic_id: *id, ..Default::default() },
            };
            topics.push(topic);
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(data);
        }
    }
}

impl Broker {
    /// Tells of one partition, or ends the answer.
    pub(super) fn answer_fetch(
        &mut self,
        fetch: &mut OpenFetch,
        set: &mut PartitionSet,
    ) -> Option<Pause> {
        let Stage::Answer(answer) = &mut fetch.stage else { return None };
        if let Some((slot, outcome)) = fetch.outcomes.pop_first() {
            if let Outcome::Unknown(error) = outcome {
                answer.unknown.push_back((slot, error));
                return None;
            }
            let has_records = outcome.bytes() > 0;
            if let Outcome::Failed(_, Some(leader)) = &outcome {
                answer.leaders.insert(leader.leader_id);
            }
            tell(answer, fetch.kinship, set, slot, |index| data(fetch.terms, index, outcome));
            if has_records && matches!(fetch.kinship, Kinship::Continues(_)) {
                self.fetches.move_to_end(fetch.set, set, slot);
            }
            return None;
        }
        if let Some((slot, error)) = answer.unknown.pop_front() {
            let aborted_transactions = Some(Vec::new());
            tell(answer, fetch.kinship, set, slot, |index| PartitionData {
                aborted_transactions,
                ..refused(index, error)
            });
            if matches!(fetch.kinship, Kinship::Opens(_)) {
                self.fetches.move_to_end(fetch.set, set, slot);
            }
            return None;
        }
        let mut answer = mem::take(answer);
        if fetch.terms.reader == Reader::Consumer {
            answer.response.node_endpoints = self.endpoints(fetch.connection, &answer.leaders);
        }
        answer.response.session_id = self.session_of(fetch, set).map_or(0, |session| session.0);
        Some(Pause::Answered(answer.response))
    }

    /// The session that the answer names: a new one, if there is room, where the request asks for it.
    fn session_of(&mut self, fetch: &OpenFetch, set: &mut PartitionSet) -> Option<SessionId> {
        let naming = match fetch.kinship {
            Kinship::Sessionless => return None,
            Kinship::Continues(session) => return Some(session),
            Kinship::Opens(naming) => naming,
        };
        let opening = Opening {
            set: fetch.set,
            connection: fetch.connection,
            is_privileged: fetch.terms.reader == Reader::Follower,
            naming,
            extent: set.extent(),
        };
        let mut evicted = Vec::new();
        let now = self.now.mono;
        set.session = self.fetches.sessions.open(opening, &mut self.rng, now, &mut evicted);
        for set in evicted {
            self.fetches.leave_session(set);
        }
        set.session
    }

    fn endpoints(&self, connection: ConnectionId, leaders: &BTreeSet<i32>) -> Vec<NodeEndpoint> {
        let Some(peer) = self.connections.get(&connection) else { return Vec::new() };
        let told = |node_id: &i32| {
            let broker = self.image.brokers.get(node_id)?;
            let found = endpoint(broker, &peer.listener)?;
            Some(NodeEndpoint {
                node_id: *node_id,
                host: found.host.clone(),
                port: i32::from(found.port),
                rack: broker.rack.clone(),
            })
        };
        leaders.iter().filter_map(told).collect()
    }
}

/// Adds a partition to the answer; in a session only what the reader does not know already
/// (`CachedPartition.maybeUpdateResponseData`).
fn tell(
    answer: &mut Answer,
    kinship: Kinship,
    set: &mut PartitionSet,
    slot: Slot,
    data: impl FnOnce(i32) -> PartitionData,
) {
    let Some(entry) = set.get_mut(slot) else { return };
    let data = data(entry.key.index);
    let told = Told { high_watermark: data.high_watermark, log_start: data.log_start_offset };
    let is_news = told != entry.told
        || !data.records.is_empty()
        || data.error_code != ErrorCode::NONE
        || data.diverging_epoch != Default::default();
    entry.told = told;
    if is_news || !matches!(kinship, Kinship::Continues(_)) {
        answer.push(&entry.key, data);
    }
}

fn data(terms: Terms, partition_index: i32, outcome: Outcome) -> PartitionData {
    let (ends, diverging_epoch, read) = match outcome {
        Outcome::Unknown(error) => return refused(partition_index, error),
        Outcome::Failed(error, leader) => {
            let current_leader = leader.unwrap_or_default();
            return PartitionData { current_leader, ..refused(partition_index, error) };
        }
        Outcome::Diverging(ends, epoch) => (ends, epoch, None),
        Outcome::Read(read) => (read.ends, Default::default(), Some(read)),
    };
    let (records, aborted) = read.map_or((None, None), |read| (read.records, Some(read.aborted)));
    PartitionData {
        partition_index,
        high_watermark: ends.high_watermark,
        last_stable_offset: ends.last_stable,
        log_start_offset: ends.log_start,
        diverging_epoch,
        aborted_transactions: aborted.filter(|_| terms.isolation == Isolation::ReadCommitted),
        records: records.map(Records::File).unwrap_or_default(),
        ..refused(partition_index, ErrorCode::NONE)
    }
}

/// A partition that was not read.
pub(super) fn refused(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        preferred_read_replica: -1,
        ..PartitionData::default()
    }
}
