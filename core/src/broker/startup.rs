//! Start-up, by the same effects and jobs as everything later.
//!
//! Each log directory is locked and listed, then its small files are read; the metadata log is
//! replayed by a job; one job a partition loads and recovers its log; the synced checkpoints are
//! written; [`Output::Ready`].

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::directory::{LogDirectory, SMALL_FILES, SmallFileError, State};
use super::image::{self, Image, Partition, Topic};
use super::{Broker, LiveLog, Output, PartitionState, Phase, Purpose};
use crate::checkpoint::CleanShutdown;
use crate::effect::{Completion, Effect, FileRef, IoErrorKind, Operation, OperationResult};
use crate::event::{Event, Severity};
use crate::ids::{DirectoryIndex, JobId, LogId, Uuid};
use crate::job::{Job, JobOutcome, LoadLogContext, LoadLogFailure, LoadedMetadata};
use crate::log::Log;

const LOCK: &str = ".lock";
const METADATA_LOG: &str = "__cluster_metadata-0";
/// A directory of an id that stands for none in particular (`DirectoryId.UNASSIGNED`).
const UNASSIGNED: Uuid = Uuid::ZERO;

/// How far the start has come.
#[derive(Debug, Default)]
pub(super) struct Startup {
    /// Directories that are being locked, listed and read.
    opening: usize,
    /// Jobs that wait for a place.
    queue: VecDeque<(JobId, Job)>,
    /// Jobs under way, and whose log they load.
    running: BTreeMap<JobId, Loading>,
    next_job: u64,
    partitions: usize,
    loaded: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Opening,
    Metadata,
    Logs,
    Checkpoints,
}

#[derive(Clone, Debug)]
enum Loading {
    Metadata,
    Log(LoadingLog),
}

/// The partition whose log a job loads.
#[derive(Clone, Debug)]
struct LoadingLog {
    topic: Arc<Topic>,
    partition: i32,
    directory: DirectoryIndex,
}

impl Broker {
    pub(super) fn open_directories(&mut self) {
        let paths = self.config.log_dirs.clone();
        for (index, path) in paths.into_iter().enumerate() {
            let lock = FileRef { id: self.numbering.file(), path: path.join(LOCK) };
            self.directories.push(LogDirectory::new(path.clone(), lock.clone()));
            let operations = vec![
                Operation::MakeDirectory(path.clone()),
                Operation::Lock(lock),
                Operation::List(path),
            ];
            let index = DirectoryIndex(index as u16);
            self.emit(Effect::Operations(operations), Purpose::Open(index));
        }
        let opening = self.directories.len();
        if let Phase::Starting(startup) = &mut self.phase {
            startup.opening = opening;
        }
    }

    pub(super) fn handle_opened(&mut self, index: DirectoryIndex, result: Completion) {
        let results = match result.into_result() {
            Ok(results) => results,
            Err(error) if error.kind == IoErrorKind::Locked => {
                let path = &self.directories[usize::from(index.0)].path;
                let reason = format!("log directory {path} is in use by another process: {error}");
                self.fail(reason);
                return;
            }
            Err(error) => {
                self.fail_directory(index, &error);
                self.directory_settled();
                return;
            }
        };
        let entries = match results.into_iter().next_back() {
            Some(OperationResult::Listed(entries)) => entries,
            _ => Vec::new(),
        };
        let directory = &mut self.directories[usize::from(index.0)];
        directory.entries = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        self.identify_directory(index);
    }

    /// Reads the small files that are there, and takes the clean marker away before anything is
    /// loaded: a stale one would make the next start trust a log that a crash has torn (KAFKA-10471).
    fn identify_directory(&mut self, index: DirectoryIndex) {
        let directory = &self.directories[usize::from(index.0)];
        let length = self.config.limits.small_file_bytes_max;
        let mut operations = Vec::new();
        for name in SMALL_FILES {
            if directory.has_file(name) {
                let file = FileRef { id: self.numbering.file(), path: directory.path.join(name) };
                operations.push(Operation::Read { file: file.clone(), position: 0, length });
                operations.push(Operation::Close(file));
            }
        }
        if directory.has_file(CleanShutdown::FILE) {
            operations.push(Operation::Unlink(directory.path.join(CleanShutdown::FILE)));
            operations.push(Operation::SyncDirectory(directory.path.clone()));
        }
        self.emit(Effect::Operations(operations), Purpose::Identify(index));
    }

    pub(super) fn handle_identified(&mut self, index: DirectoryIndex, result: Completion) {
        match result.into_result() {
            Ok(results) => self.take_small_files(index, results),
            Err(error) => self.fail_directory(index, &error),
        }
        self.directory_settled();
    }

    fn take_small_files(&mut self, index: DirectoryIndex, results: Vec<OperationResult>) {
        let node_id = self.config.node_id;
        let directory = &mut self.directories[usize::from(index.0)];
        let mut contents = results.into_iter().filter_map(|result| match result {
            OperationResult::Read(bytes) => Some(bytes),
            _ => None,
        });
        let mut problems = Vec::new();
        let mut refusal = None;
        for name in SMALL_FILES {
            if !directory.has_file(name) {
                continue;
            }
            let content = contents.next().unwrap_or_default();
            let path = directory.path.join(name);
            if let Err(error) = directory.take_small_file(name, &content, node_id) {
                match error {
                    SmallFileError::Refused(reason) => refusal = Some(format!("{path}: {reason}")),
                    SmallFileError::Unreadable(reason) => {
                        problems.push(format!("{path} is not used: {reason}"));
                    }
                }
            }
        }
        directory.state = State::Online;
        for text in problems {
            self.notice(Severity::Warning, text);
        }
        if let Some(reason) = refusal {
            self.fail(reason);
        }
    }

    /// One directory more is read, or offline. After the last one the metadata log is loaded.
    fn directory_settled(&mut self) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        startup.opening -= 1;
        if startup.opening > 0 || self.failure.is_some() {
            return;
        }
        startup.stage = Stage::Metadata;
        let mut clusters: Vec<&String> = self
            .directories
            .iter()
            .filter_map(|directory| directory.found.cluster_id.as_ref())
            .collect();
        clusters.dedup();
        if let [first, second, ..] = clusters[..] {
            let reason = format!("log.dirs belong to two clusters: {first} and {second}");
            self.fail(reason);
            return;
        }
        // Kafka keeps the metadata log in the first of log.dirs unless told otherwise.
        let holds = |directory: &LogDirectory| directory.entries.contains_key(METADATA_LOG);
        let home = self.directories.iter().position(holds).unwrap_or(0);
        self.metadata_directory = Some(DirectoryIndex(home as u16));
        let directory = &self.directories[home];
        if !directory.is_online() {
            let reason = format!("log directory {} of the metadata log is offline", directory.path);
            self.fail(reason);
            return;
        }
        let path = directory.path.join(METADATA_LOG);
        if directory.found.cluster_id.is_none() {
            let text = format!(
                "{} has no meta.properties: it is served as an empty cluster under a new id",
                directory.path
            );
            self.notice(Severity::Warning, text);
        }
        let base = self.base_image();
        let topic_defaults = self.config.topic_defaults.clone();
        let limits = self.config.limits.clone();
        self.queue_job(Loading::Metadata, |id| {
            Job::load_metadata(id, path, base, topic_defaults, &limits)
        });
        self.start_jobs();
    }

    fn queue_job(&mut self, loading: Loading, job: impl FnOnce(JobId) -> Job) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        startup.next_job += 1;
        let id = JobId(startup.next_job);
        startup.running.insert(id, loading);
        startup.queue.push_back((id, job(id)));
    }

    fn start_jobs(&mut self) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        while startup.running.len() - startup.queue.len() < self.config.limits.jobs_max {
            let Some((id, job)) = startup.queue.pop_front() else { break };
            self.outputs.push_back(Output::Job(id, job));
        }
    }

    pub(super) fn handle_startup_job(&mut self, id: JobId, outcome: JobOutcome) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        let Some(loading) = startup.running.remove(&id) else { return };
        match (loading, outcome) {
            (Loading::Metadata, JobOutcome::MetadataLoaded(loaded)) => self.take_metadata(*loaded),
            (Loading::Metadata, JobOutcome::MetadataFailed(failed)) => {
                let reason = format!("the metadata log cannot be loaded: {failed}");
                self.fail(reason);
            }
            (Loading::Log(partition), JobOutcome::LogLoaded(loaded)) => {
                self.take_log(partition, *loaded);
            }
            (Loading::Log(partition), JobOutcome::LogFailed(failed)) => {
                self.take_log_failure(&partition, failed);
            }
            (loading, outcome) => {
                debug_assert!(false, "job {id:?} for {loading:?} ended as {outcome:?}");
            }
        }
        self.start_jobs();
        self.logs_settled();
    }
}

/// Recovery is told of this often.
const PROGRESS_EVERY: usize = 100;

impl Broker {
    /// The image before any record.
    fn base_image(&mut self) -> Image {
        let cluster_id = self
            .directories
            .iter()
            .find_map(|directory| directory.found.cluster_id.clone())
            .unwrap_or_else(|| self.rng.uuid().to_string());
        let broker = image::Broker { endpoints: self.config.advertised.clone(), rack: None };
        let node_id = self.config.node_id;
        let brokers = BTreeMap::from([(node_id, broker)]);
        Image { cluster_id, node_id, brokers, ..Image::default() }
    }

    fn take_metadata(&mut self, loaded: LoadedMetadata) {
        let node_id = self.config.node_id;
        self.image = Arc::new(loaded.image);
        let image = Arc::clone(&self.image);
        for topic in image.topics.values() {
            for (index, partition) in &topic.partitions {
                if partition.leader_here(node_id) == node_id {
                    self.load_partition(topic, *index, partition);
                }
            }
        }
        if let Phase::Starting(startup) = &mut self.phase {
            startup.stage = Stage::Logs;
            startup.partitions = startup.queue.len();
        }
    }

    fn load_partition(&mut self, topic: &Arc<Topic>, index: i32, partition: &Partition) {
        let name = format!("{}-{index}", topic.name);
        let placed = refusal(topic).map_or_else(|| self.place_partition(&name, partition), Err);
        let (directory, exists) = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                self.take_partition_offline(topic, index, reason);
                return;
            }
        };
        let home = &self.directories[usize::from(directory.0)];
        let incarnation = self.image.incarnation_id();
        let synced = home.found.synced.as_ref();
        let synced_end = synced
            .filter(|checkpoint| checkpoint.valid_for(incarnation))
            .and_then(|checkpoint| checkpoint.get(topic.id, index));
        let context = LoadLogContext {
            path: home.path.join(&name),
            log_directory: directory,
            topic: Arc::clone(&topic.name),
            topic_id: topic.id,
            partition: index,
            exists,
            recovery_point: home.found.recovery_points.get(&topic.name, index),
            synced_end,
            log_start: home.found.log_starts.get(&topic.name, index),
            segment_bytes: topic.config.segment_bytes,
            leader_epoch: partition.leader_epoch,
            limits: self.config.limits.clone(),
        };
        let loading = LoadingLog { topic: Arc::clone(topic), partition: index, directory };
        self.queue_job(Loading::Log(loading), |id| Job::load_log(id, context));
    }

    /// Where a partition lies, or is to be made. A missing directory is made only where it belongs:
    /// an unmounted disk must not become an empty topic.
    fn place_partition(
        &self,
        name: &str,
        partition: &Partition,
    ) -> Result<(DirectoryIndex, bool), String> {
        let online = || {
            self.directories
                .iter()
                .enumerate()
                .filter(|(_, directory)| directory.is_online())
                .map(|(index, directory)| (DirectoryIndex(index as u16), directory))
        };
        if let Some((index, _)) = online().find(|(_, directory)| directory.has_directory(name)) {
            return Ok((index, true));
        }
        let assigned = partition
            .replicas
            .iter()
            .position(|replica| *replica == self.config.node_id)
            .and_then(|replica| partition.directories.get(replica))
            .copied()
            .unwrap_or(UNASSIGNED);
        let home = online().find(|(_, directory)| directory.found.directory_id == Some(assigned));
        if let Some((index, _)) = home {
            return Ok((index, false));
        }
        if assigned != UNASSIGNED {
            return Err(format!("it is missing, and log directory {assigned} is not online"));
        }
        if self.directories.iter().any(|directory| !directory.is_online()) {
            return Err("it is missing, and not every log directory is online".to_owned());
        }
        Ok((DirectoryIndex(0), false))
    }

    fn take_log(&mut self, loading: LoadingLog, log: Log) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        startup.loaded += 1;
        let (loaded, all) = (startup.loaded, startup.partitions);
        let key = (loading.topic.id, loading.partition);
        if !self.directories[usize::from(loading.directory.0)].is_online() {
            self.partitions.insert(key, PartitionState::Offline);
            return;
        }
        let id = LogId(self.next_log);
        self.next_log += 1;
        let LoadingLog { topic, partition, .. } = loading;
        let live = LiveLog { log, topic_id: topic.id, topic: Arc::clone(&topic.name), partition };
        self.logs.insert(id, live);
        self.partitions.insert(key, PartitionState::Online(id));
        if loaded.is_multiple_of(PROGRESS_EVERY) && loaded < all {
            self.notice(Severity::Info, format!("{loaded} of {all} partitions loaded"));
        }
    }

    fn take_log_failure(&mut self, loading: &LoadingLog, failed: LoadLogFailure) {
        if let Some(error) = failed.error {
            self.fail_directory(loading.directory, &error);
        }
        self.take_partition_offline(&loading.topic, loading.partition, failed.reason);
    }

    fn take_partition_offline(&mut self, topic: &Topic, index: i32, reason: String) {
        self.partitions.insert((topic.id, index), PartitionState::Offline);
        let partition = format!("{}-{index}", topic.name);
        self.push(Output::Event(Event::PartitionOffline { partition, reason }));
    }

    /// After the last partition: the checkpoints say what recovery has made durable.
    fn logs_settled(&mut self) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        if startup.stage == Stage::Logs && startup.running.is_empty() && self.failure.is_none() {
            startup.stage = Stage::Checkpoints;
            self.write_checkpoints();
            self.finish_startup();
        }
    }

    /// After the last checkpoint: ready.
    pub(super) fn finish_startup(&mut self) {
        let Phase::Starting(startup) = &self.phase else { return };
        let writing = self.directories.iter().any(|directory| directory.checkpoint_runs);
        if startup.stage == Stage::Checkpoints && !writing && self.failure.is_none() {
            self.phase = Phase::Running;
            self.push(Output::Ready);
        }
    }

    pub(super) fn notice(&mut self, severity: Severity, text: String) {
        self.push(Output::Event(Event::Notice { severity, text }));
    }

    pub(super) fn fail(&mut self, reason: String) {
        if self.failure.is_none() {
            self.failure = Some(reason);
        }
    }
}

/// What a topic asks for that this version cannot give: its partitions stay offline rather than
/// hold records that are not what was asked for.
fn refusal(topic: &Topic) -> Option<String> {
    let codec = topic.config.recompress.as_ref()?;
    Some(format!("compression.type={codec} is not supported yet"))
}
