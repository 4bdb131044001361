//! A client that neither writes nor reads: it moves log starts, looks up offsets, epochs,
//! producers and log directories, and sends fetches that make no sense.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use klamm_core::api::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};
use klamm_core::api::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use klamm_core::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic,
};

use super::offsets::{self, EARLIEST, EARLIEST_LOCAL, LATEST, MAX_TIMESTAMP};
use super::{
    Answer, Caller, Pending, Surroundings, UNKNOWN_ID, UNKNOWN_TOPIC, is_served, per_mille,
};
use crate::decisions::Purpose;
use crate::history::{ActiveProducer, Entry, Question, QuestionId, Told, TopicPartition};

/// A client that asks.
#[derive(Debug)]
pub struct Inquirer {
    left: u64,
    /// Ends of logs, as it was told.
    ends: BTreeMap<TopicPartition, i64>,
}

/// An inquiry that waits for its answer.
#[derive(Debug)]
pub(super) enum PendingInquiry {
    Deletion(TopicPartition, QuestionId),
    EpochEnd(TopicPartition, QuestionId),
    Producers(TopicPartition, QuestionId),
    LogDirs(TopicPartition),
    Nonsense,
}

impl PendingInquiry {
    pub(super) fn lost(self, around: &mut Surroundings<'_>) {
        match self {
            Self::Deletion(_, question)
            | Self::EpochEnd(_, question)
            | Self::Producers(_, question) => around.give_up(question),
            Self::LogDirs(_) | Self::Nonsense => {}
        }
    }
}

impl Inquirer {
    pub(super) fn new(left: u64) -> Self {
        Self { left, ends: BTreeMap::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
    }

    pub(super) fn next(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        self.left -= 1;
        let topic = around.decisions.pick(Purpose::Reader, around.topics).clone();
        let partitions = topic.partitions.max(1) as u64;
        let partition = around.decisions.below(Purpose::Reader, partitions) as i32;
        let target = topic.target(partition);
        let deletions = per_mille(around.options.delete_per_mille);
        let deletes = around.decisions.chance(Purpose::Reader, deletions);
        let nonsense_rate = per_mille(around.options.nonsense_per_mille);
        let is_nonsense = around.decisions.chance(Purpose::Reader, nonsense_rate);
        // Nobody can say whose records it would delete, by the name of a topic that comes and goes.
        if deletes && target.passing_id().is_none() && is_served(ApiKey::DELETE_RECORDS) {
            return self.delete(caller, target, around);
        }
        if is_nonsense && is_served(ApiKey::FETCH) {
            return nonsense(caller, around);
        }
        match around.decisions.below(Purpose::Reader, 4) {
            0 | 1 => look_up(caller, target, around),
            2 if self.left.is_multiple_of(2) => log_dirs(caller, target, around),
            2 if is_served(ApiKey::DESCRIBE_PRODUCERS) => producers(caller, target, around),
            _ => epoch_end(caller, target, around),
        }
    }

    /// Deletes up to somewhere: mostly into the log, now and then to its end or beyond it.
    fn delete(
        &self,
        caller: Caller<'_>,
        target: TopicPartition,
        around: &mut Surroundings<'_>,
    ) -> Bytes {
        let decisions = &mut *around.decisions;
        let end = self.ends.get(&target).copied().unwrap_or(0);
        let before = match decisions.below(Purpose::Reader, 10) {
            0 => -1,
            1 => end + decisions.below(Purpose::Reader, 4) as i64,
            _ => decisions.below(Purpose::Reader, end as u64 + 1) as i64,
        };
        let version = decisions.between(Purpose::Reader, 0, 2) as i16;
        let partition =
            DeleteRecordsPartition { partition_index: target.partition, offset: before };
        let topic =
            DeleteRecordsTopic { name: target.name().to_owned(), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 30_000 };
        let question = around.ask(&target, Question::Delete { before }, true);
        let pending = Pending::Inquiry(PendingInquiry::Deletion(target, question));
        caller.request(ApiKey::DELETE_RECORDS, version, &request, Some(pending))
    }

    pub(super) fn answered(
        &mut self,
        pending: PendingInquiry,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let (question, told) = match pending {
            PendingInquiry::Deletion(target, question) => (question, deleted(&target, answer)?),
            PendingInquiry::EpochEnd(target, question) => {
                let told = epoch_ended(&target, answer)?;
                if let Told::EpochEnd { offset } = told {
                    self.ends.insert(target, offset.max(0));
                }
                (question, told)
            }
            PendingInquiry::Producers(target, question) => (question, described(&target, answer)?),
            PendingInquiry::LogDirs(target) => return check_log_dirs(&target, answer),
            PendingInquiry::Nonsense => return answer.read::<FetchResponse>().map(drop),
        };
        around.history.push(around.now_micros, Entry::Told { question, told });
        Ok(())
    }
}

fn look_up(caller: Caller<'_>, target: TopicPartition, around: &mut Surroundings<'_>) -> Bytes {
    let timestamp_ms = match around.decisions.below(Purpose::Reader, 8) {
        0 => LATEST,
        1 => EARLIEST,
        2 => MAX_TIMESTAMP,
        3 => EARLIEST_LOCAL,
        4 => *around.decisions.pick(Purpose::Reader, &[0, i64::MAX, around.wall_ms + 5_000]),
        _ => around.wall_ms - around.decisions.below(Purpose::Reader, 3_000) as i64,
    };
    offsets::ask(caller, &[(target, timestamp_ms)], around)
}

fn epoch_end(caller: Caller<'_>, target: TopicPartition, around: &mut Surroundings<'_>) -> Bytes {
    let version = around.decisions.between(Purpose::Reader, 2, 4) as i16;
    let leader_epoch = around.decisions.below(Purpose::Reader, 4) as i32;
    let partition = OffsetForLeaderPartition {
        partition: target.partition,
        current_leader_epoch: -1,
        leader_epoch,
    };
    let topic =
        OffsetForLeaderTopic { topic: target.name().to_owned(), partitions: vec![partition] };
    let request = OffsetForLeaderEpochRequest { replica_id: -2, topics: vec![topic] };
    let question = around.ask(&target, Question::EpochEnd { epoch: leader_epoch }, true);
    let pending = Pending::Inquiry(PendingInquiry::EpochEnd(target, question));
    caller.request(ApiKey::OFFSET_FOR_LEADER_EPOCH, version, &request, Some(pending))
}

fn producers(caller: Caller<'_>, target: TopicPartition, around: &mut Surroundings<'_>) -> Bytes {
    let topic =
        TopicRequest { name: target.name().to_owned(), partition_indexes: vec![target.partition] };
    let request = DescribeProducersRequest { topics: vec![topic] };
    let question = around.ask(&target, Question::Producers, true);
    let pending = Pending::Inquiry(PendingInquiry::Producers(target, question));
    caller.request(ApiKey::DESCRIBE_PRODUCERS, 0, &request, Some(pending))
}

/// Asks for one partition, or for all.
fn log_dirs(caller: Caller<'_>, target: TopicPartition, around: &mut Surroundings<'_>) -> Bytes {
    let asks_all = around.now_micros.is_multiple_of(2);
    let topic = DescribableLogDirTopic {
        topic: target.name().to_owned(),
        partitions: vec![target.partition],
    };
    let request = DescribeLogDirsRequest { topics: (!asks_all).then(|| vec![topic]) };
    let pending = Pending::Inquiry(PendingInquiry::LogDirs(target));
    caller.request(ApiKey::DESCRIBE_LOG_DIRS, 5, &request, Some(pending))
}

/// A partition lies in one directory, and sizes are possible ones; a directory that has failed has neither.
fn check_log_dirs(target: &TopicPartition, answer: &Answer) -> Result<(), String> {
    let response: DescribeLogDirsResponse = answer.read()?;
    let mut homes = 0;
    for result in &response.results {
        let DescribeLogDirsResult { log_dir, error_code, total_bytes, usable_bytes, .. } = result;
        let fits = match error_code.0 {
            0 => (0..=*total_bytes).contains(usable_bytes),
            _ => (*total_bytes, *usable_bytes) == (-1, -1) && result.topics.is_empty(),
        };
        if !fits {
            return Err(format!(
                "{log_dir}, error {error_code}, has {usable_bytes} of {total_bytes} bytes"
            ));
        }
        let topics = result.topics.iter().filter(|topic| topic.name == target.name());
        for partition in topics.flat_map(|topic| &topic.partitions) {
            if partition.partition_size < 0 {
                return Err(format!("{target} has {} bytes", partition.partition_size));
            }
            homes += usize::from(partition.partition_index == target.partition);
        }
    }
    if homes > 1 { Err(format!("{target} lies in {homes} directories")) } else { Ok(()) }
}

/// A fetch of things that are not there, in sizes that make no sense.
fn nonsense(caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
    const OFFSETS: [i64; 6] = [0, -1, -2, i64::MIN, i64::MAX, 1 << 40];
    const SIZES: [i32; 6] = [0, 1, -1, i32::MIN, i32::MAX, 60];
    let decisions = &mut *around.decisions;
    let version = decisions.between(Purpose::Reader, 4, 18) as i16;
    let mut topics = Vec::new();
    let count = 1 << decisions.below(Purpose::Reader, 9);
    for _ in 0..count {
        let is_known = decisions.below(Purpose::Reader, 2) == 0;
        let topic = decisions.pick(Purpose::Reader, around.topics);
        let partition = FetchPartition {
            partition: *decisions.pick(Purpose::Reader, &[0, 0, 1, -1, i32::MAX]),
            current_leader_epoch: *decisions.pick(Purpose::Reader, &[-1, -1, 0, 900]),
            fetch_offset: *decisions.pick(Purpose::Reader, &OFFSETS),
            last_fetched_epoch: *decisions.pick(Purpose::Reader, &[-1, -1, 0, 900]),
            partition_max_bytes: *decisions.pick(Purpose::Reader, &SIZES),
            ..FetchPartition::default()
        };
        topics.push(FetchTopic {
            topic: if is_known { topic.name.clone() } else { UNKNOWN_TOPIC.to_owned() },
            topic_id: if is_known { topic.id } else { UNKNOWN_ID },
            partitions: vec![partition],
        });
    }
    let request = FetchRequest {
        max_wait_ms: *decisions.pick(Purpose::Reader, &[0, -1, 1_000]),
        min_bytes: *decisions.pick(Purpose::Reader, &SIZES),
        max_bytes: *decisions.pick(Purpose::Reader, &SIZES),
        isolation_level: *decisions.pick(Purpose::Reader, &[0, 1, 2, -1]),
        session_id: *decisions.pick(Purpose::Reader, &[0, 0, 1, -1, i32::MAX]),
        session_epoch: *decisions.pick(Purpose::Reader, &[-1, -1, 0, 1, -2, i32::MAX]),
        topics,
        ..FetchRequest::default()
    };
    let pending = Pending::Inquiry(PendingInquiry::Nonsense);
    caller.request(ApiKey::FETCH, version, &request, Some(pending))
}

fn deleted(target: &TopicPartition, answer: &Answer) -> Result<Told, String> {
    let response: DeleteRecordsResponse = answer.read()?;
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let told = partitions.find(|told| told.partition_index == target.partition);
    let told = told.ok_or_else(|| format!("nothing is said of {target}"))?;
    Ok(match told.error_code.0 {
        0 => Told::Start { offset: told.low_watermark },
        error => Told::Error(error),
    })
}

fn epoch_ended(target: &TopicPartition, answer: &Answer) -> Result<Told, String> {
    let response: OffsetForLeaderEpochResponse = answer.read()?;
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let told = partitions.find(|told| told.partition == target.partition);
    let told = told.ok_or_else(|| format!("nothing is said of {target}"))?;
    Ok(match told.error_code.0 {
        0 => Told::EpochEnd { offset: told.end_offset },
        error => Told::Error(error),
    })
}

fn described(target: &TopicPartition, answer: &Answer) -> Result<Told, String> {
    let response: DescribeProducersResponse = answer.read()?;
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let told = partitions.find(|told| told.partition_index == target.partition);
    let told = told.ok_or_else(|| format!("nothing is said of {target}"))?;
    let active = told.active_producers.iter().map(|producer| ActiveProducer {
        id: producer.producer_id,
        epoch: producer.producer_epoch,
        last_sequence: producer.last_sequence,
    });
    Ok(match told.error_code.0 {
        0 => Told::Producers(active.collect()),
        error => Told::Error(error),
    })
}
