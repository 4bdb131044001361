//! DescribeLogDirs (key 35): the log directories, the sizes of logs in them, and what room there is
//! (`ReplicaManager.describeLogDirs`). The metadata log is not among the logs.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::directory::LogDirectory;
use super::metadata_log::MetadataLog;
use super::open_requests::{OpenId, OpenRequest, OpenRequests};
use super::{Broker, LiveLog, PartitionState, Purpose};
use crate::api::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::effect::{Completion, Effect, Operation, OperationResult};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, DirectoryIndex, LogId, RequestNumber};
use crate::request::{Response, ResponseBody};

/// Requests that wait for the room of file systems.
pub(super) type DescribeLogDirs = OpenRequests<DescribeLogDirsResponse>;

/// The logs of each directory, by topic and partition.
type Found<'a> = BTreeMap<DirectoryIndex, BTreeMap<&'a str, Partitions>>;
type Partitions = BTreeMap<i32, DescribeLogDirsPartition>;

impl Broker {
    pub(super) fn handle_describe_log_dirs(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: DescribeLogDirsRequest,
    ) {
        const SPACE_SINCE: i16 = 4;
        let mut found = match &request.topics {
            None => self.all_logs(),
            Some(topics) => self.named_logs(topics),
        };
        let results = self.directories.iter().zip(0..).map(|(directory, index)| {
            if !directory.is_online() {
                return offline(directory);
            }
            let topics = found.remove(&DirectoryIndex(index)).unwrap_or_default().into_iter();
            DescribeLogDirsResult {
                log_dir: directory.path.to_string(),
                topics: topics
                    .map(|(name, partitions)| DescribeLogDirsTopic {
                        name: name.to_string(),
                        partitions: partitions.into_values().collect(),
                    })
                    .collect(),
                ..DescribeLogDirsResult::default()
            }
        });
        let answer = DescribeLogDirsResponse {
            results: results.collect(),
            ..DescribeLogDirsResponse::default()
        };
        let online = self.directories.iter().zip(0..).filter(|(it, _)| it.is_online());
        let asked: Vec<_> = online
            .filter(|_| version >= SPACE_SINCE)
            .map(|(directory, index)| (DirectoryIndex(index), directory.path.clone()))
            .collect();
        let missing = asked.len();
        let open = OpenRequest { connection, number, deadline: None, missing, answer };
        if missing == 0 {
            return self.answer_describe_log_dirs(open);
        }
        let id = self.describe_log_dirs.start(open);
        for (index, path) in asked {
            let operations = vec![Operation::Space(path)];
            self.emit(Effect::Operations(operations), Purpose::Space(index, id));
        }
    }

    /// A directory whose file system does not answer is none the worse for it, but is not described; one that has
    /// failed meanwhile is offline.
    pub(super) fn handle_space(
        &mut self,
        index: DirectoryIndex,
        request: OpenId,
        result: Completion,
    ) {
        let directory = &self.directories[usize::from(index.0)];
        let ended = self.describe_log_dirs.settle(request, |answer| {
            let slot = &mut answer.results[usize::from(index.0)];
            if !directory.is_online() {
                *slot = offline(directory);
                return;
            }
            match result.into_result().as_deref() {
                Ok([OperationResult::Space(space)]) => {
                    slot.total_bytes = clamped(space.total_bytes);
                    slot.usable_bytes = clamped(space.usable_bytes);
                }
                _ => *slot = undescribed(directory, ErrorCode::UNKNOWN_SERVER_ERROR),
            }
        });
        if let Some(open) = ended {
            self.answer_describe_log_dirs(open);
        }
    }

    fn answer_describe_log_dirs(&mut self, open: OpenRequest<DescribeLogDirsResponse>) {
        let body = ResponseBody::DescribeLogDirs(open.answer);
        self.respond(open.connection, Response { number: open.number, body });
    }

    fn all_logs(&self) -> Found<'_> {
        let metadata = self.metadata.as_ref().map(MetadataLog::log);
        let mut found = Found::new();
        for (id, live) in &self.logs {
            if Some(*id) != metadata {
                describe(&mut found, live);
            }
        }
        found
    }

    /// What is not there is left out.
    fn named_logs(&self, topics: &[DescribableLogDirTopic]) -> Found<'_> {
        let mut logs: BTreeSet<LogId> = BTreeSet::new();
        for named in topics {
            let Some(topic) = self.image.topics.get(named.topic.as_str()) else { continue };
            for index in &named.partitions {
                if let Some(PartitionState::Online(log)) = self.partitions.get(&(topic.id, *index))
                {
                    logs.insert(*log);
                }
            }
        }
        let mut found = Found::new();
        for live in logs.iter().filter_map(|log| self.logs.get(log)) {
            describe(&mut found, live);
        }
        found
    }
}

fn describe<'a>(found: &mut Found<'a>, live: &'a LiveLog) {
    let partition = DescribeLogDirsPartition {
        partition_index: live.partition,
        partition_size: clamped(live.log.size()),
        offset_lag: 0,
        is_future_key: false,
    };
    let topics = found.entry(live.log.log_directory()).or_default();
    topics.entry(&live.topic).or_default().insert(live.partition, partition);
}

fn offline(directory: &LogDirectory) -> DescribeLogDirsResult {
    undescribed(directory, ErrorCode::KAFKA_STORAGE_ERROR)
}

fn undescribed(directory: &LogDirectory, error_code: ErrorCode) -> DescribeLogDirsResult {
    let log_dir: String = directory.path.to_string();
    DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() }
}

/// Kafka tells of what is too much for it as of the most.
fn clamped(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
