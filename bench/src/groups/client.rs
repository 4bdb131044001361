//! A connection that asks about groups, and the questions.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::api::ApiKey;
use klamm_core::api::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use klamm_core::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use klamm_core::api::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{read_response_header, write_request};

use crate::batches::{TOPIC, header};
use crate::producers::read_frame;
use crate::session::{connect, lost};

/// A coordinator comes, or is loaded, sooner.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two attempts.
const ATTEMPTS_EVERY: Duration = Duration::from_millis(1);

/// A request, with the version in which it is sent.
pub(super) trait Question: Message {
    const KEY: ApiKey;
    const VERSION: i16;
    type Answer: Message;
}

macro_rules! questions {
    ($($request:ident => $answer:ident, $key:ident, $version:literal;)*) => {
        $(impl Question for $request {
            const KEY: ApiKey = ApiKey::$key;
            const VERSION: i16 = $version;
            type Answer = $answer;
        })*
    };
}

questions! {
    FindCoordinatorRequest => FindCoordinatorResponse, FIND_COORDINATOR, 6;
    JoinGroupRequest => JoinGroupResponse, JOIN_GROUP, 9;
    SyncGroupRequest => SyncGroupResponse, SYNC_GROUP, 5;
    HeartbeatRequest => HeartbeatResponse, HEARTBEAT, 4;
    LeaveGroupRequest => LeaveGroupResponse, LEAVE_GROUP, 5;
    OffsetCommitRequest => OffsetCommitResponse, OFFSET_COMMIT, 9;
    OffsetFetchRequest => OffsetFetchResponse, OFFSET_FETCH, 9;
}

/// A connection. Answers come in the order of the questions.
pub(super) struct Client {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    frame: BytesMut,
}

impl Client {
    pub(super) fn connect(port: u16) -> Result<Self, String> {
        let stream = connect(port)?;
        let answers = BufReader::new(stream.try_clone().map_err(lost)?);
        Ok(Self { stream, answers, frame: BytesMut::new() })
    }

    /// So many.
    pub(super) fn connect_all(port: u16, count: usize) -> Result<Vec<Self>, String> {
        (0..count).map(|_| Self::connect(port)).collect()
    }

    /// Asks without waiting.
    pub(super) fn send<Q: Question>(&mut self, question: &Q) -> Result<(), String> {
        self.frame.clear();
        write_request(&mut self.frame, &header(Q::KEY, Q::VERSION), question);
        self.stream.write_all(&self.frame).map_err(lost)
    }

    /// Waits for the answer to the oldest question that has none; `Q` tells which that was.
    pub(super) fn receive<Q: Question>(&mut self) -> Result<Q::Answer, String> {
        let frame = read_frame(&mut self.answers)?;
        let api = Q::KEY.api().ok_or("an API that is not served")?;
        let mut reader = Reader::new(&frame);
        read_response_header(&mut reader, api, Q::VERSION)
            .and_then(|_| Q::Answer::read(&mut reader, Q::VERSION))
            .map_err(|error| format!("an answer to {:?}: {error}", Q::KEY))
    }

    pub(super) fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, String> {
        self.send(question)?;
        self.receive::<Q>()
    }

    /// Waits until all these groups have a coordinator that serves them. The first to ask has the topic made
    /// that it keeps them in.
    pub(super) fn wait_for_coordinators(&mut self, groups: &[String]) -> Result<(), String> {
        let question =
            FindCoordinatorRequest { coordinator_keys: groups.to_vec(), ..Default::default() };
        until_served(|| {
            let answer = self.ask(&question)?;
            let errors = answer.coordinators.iter().map(|coordinator| coordinator.error_code);
            Ok(are_served(errors)?.then_some(()))
        })?;
        self.wait_for_offsets(groups, 0).map(drop)
    }

    /// Asks again and again until all these groups' offsets of a partition are told; -1 is none.
    pub(super) fn wait_for_offsets(
        &mut self,
        groups: &[String],
        partition: i32,
    ) -> Result<Vec<i64>, String> {
        let question = OffsetFetchRequest {
            groups: groups.iter().map(|group| offsets_of(group, partition)).collect(),
            ..OffsetFetchRequest::default()
        };
        until_served(|| {
            let answer = self.ask(&question)?;
            if !are_served(answer.groups.iter().map(|group| group.error_code))? {
                return Ok(None);
            }
            let topics = answer.groups.iter().flat_map(|group| &group.topics);
            let partitions = topics.flat_map(|topic| &topic.partitions);
            let offsets: Vec<i64> = partitions.map(|told| told.committed_offset).collect();
            let (told, asked) = (offsets.len(), groups.len());
            if told == asked {
                return Ok(Some(offsets));
            }
            Err(format!("{told} of {asked} offsets are told"))
        })
    }

    /// Commits one offset for each of these partitions of [`TOPIC`]. All must be taken.
    pub(super) fn commit(
        &mut self,
        member: &OffsetCommitRequest,
        partitions: impl IntoIterator<Item = i32>,
        offset: i64,
    ) -> Result<(), String> {
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: offset,
            ..OffsetCommitRequestPartition::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: TOPIC.to_owned(),
            partitions: partitions.into_iter().map(partition).collect(),
            ..OffsetCommitRequestTopic::default()
        };
        let asked = topic.partitions.len();
        let answer = self.ask(&OffsetCommitRequest { topics: vec![topic], ..member.clone() })?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let taken = partitions.filter(|it| it.error_code == ErrorCode::NONE).count();
        if taken == asked {
            return Ok(());
        }
        Err(format!("{taken} of {asked} offsets are taken: {:?}", answer.topics.first()))
    }
}

fn offsets_of(group: &str, partition: i32) -> OffsetFetchRequestGroup {
    let topic = OffsetFetchRequestTopics {
        name: TOPIC.to_owned(),
        partition_indexes: vec![partition],
        ..OffsetFetchRequestTopics::default()
    };
    OffsetFetchRequestGroup {
        group_id: group.to_owned(),
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    }
}

/// False while there is something to wait for.
fn are_served(errors: impl Iterator<Item = ErrorCode>) -> Result<bool, String> {
    let mut are_served = true;
    for error in errors {
        match error {
            ErrorCode::NONE => {}
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR => are_served = false,
            other => return Err(format!("a group is answered by {other:?}")),
        }
    }
    Ok(are_served)
}

fn until_served<T>(mut attempt: impl FnMut() -> Result<Option<T>, String>) -> Result<T, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        if Instant::now() > end {
            return Err(format!("a group has no coordinator after {PATIENCE:?}"));
        }
        thread::sleep(ATTEMPTS_EVERY);
    }
}
