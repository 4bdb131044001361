//! Start-up, by the same effects and jobs as everything later.
//!
//! Each log directory is locked and listed, its small files are read, and what is new is formatted.
//! A job replays the metadata log into an image, another one repairs the log itself; then one job a
//! partition loads and recovers its log. At last the node takes its place in the cluster by records
//! of its own, and is ready.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::directory::{LogDirectory, SMALL_FILES, SmallFileError, State};
use super::image::{self, Image, Partition, Topic};
use super::jobs::JobPurpose;
use super::metadata_log::METADATA_TOPIC;
use super::snapshots::Snapshots;
use super::{Broker, LiveLog, Output, PartitionState, Phase, Purpose};
use crate::checkpoint::{CleanShutdown, MetaProperties, SyncedCheckpoint};
use crate::effect::{Completion, Effect, Entry, FileRef, IoErrorKind, Operation, OperationResult};
use crate::event::{Event, Severity};
use crate::ids::{DirectoryIndex, JobId, LogId, Uuid};
use crate::job::{Job, JobOutcome, LoadLogContext, LoadLogFailure, LoadedMetadata, LogFault};
use crate::log::{FileSuffix, Log, LogConfig, parse_file_name};

const LOCK: &str = ".lock";
/// The metadata log's directory.
pub(super) const METADATA_LOG: &str = "__cluster_metadata-0";
/// A directory of an id that stands for none in particular (`DirectoryId.UNASSIGNED`).
const UNASSIGNED: Uuid = Uuid::ZERO;

/// How far the start has come.
#[derive(Debug, Default)]
pub(super) struct Startup {
    /// Directories that are being locked, listed and read, or formatted.
    pub(super) opening: usize,
    partitions: usize,
    loaded: usize,
    pub(super) stage: Stage,
    /// The metadata has been replayed again after its log was repaired.
    is_replayed_again: bool,
    /// Renames of strays that are out.
    pub(super) renaming: usize,
    /// The metadata log ends inside a transaction.
    pub(super) ends_in_transaction: bool,
    /// `quorum-state` is being written.
    pub(super) quorum_state_runs: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Opening,
    FormattingHome,
    FormattingOthers,
    Metadata,
    Logs,
    Checkpoints,
    Joining,
}

/// What a job of the start loads.
#[derive(Debug)]
pub(super) enum Loading {
    Metadata,
    /// The log that these records are from.
    MetadataLog(Box<LoadedMetadata>),
    Log(LoadingLog),
}

/// The partition whose log a job loads.
#[derive(Clone, Debug)]
pub(super) struct LoadingLog {
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
    /// What is there is made durable: the start that formatted the directory may have failed to.
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
        if !directory.has_file(MetaProperties::FILE) && directory.has_directory(METADATA_LOG) {
            operations.push(Operation::List(directory.path.join(METADATA_LOG)));
        }
        if directory.has_file(CleanShutdown::FILE) {
            operations.push(Operation::Unlink(directory.path.join(CleanShutdown::FILE)));
        }
        operations.push(Operation::SyncDirectory(directory.path.clone()));
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
        let has_log = |result: &OperationResult| match result {
            OperationResult::Listed(entries) => entries.iter().any(is_segment),
            _ => false,
        };
        directory.found.has_metadata_log = results.iter().any(has_log);
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

    /// One directory more is read, or offline.
    fn directory_settled(&mut self) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        startup.opening -= 1;
        if startup.opening == 0 && self.failure.is_none() {
            self.identify_cluster();
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        if let Phase::Starting(startup) = &mut self.phase {
            startup.stage = stage;
        }
    }

    /// Every directory is formatted, or offline: the metadata is replayed.
    pub(super) fn load_metadata(&mut self) {
        self.enter(Stage::Metadata);
        let Some(home) = self.metadata_directory else { return };
        let path = self.directory(home).path.join(METADATA_LOG);
        let base = self.base_image();
        let topic_defaults = self.config.topic_defaults.clone();
        let limits = self.config.limits.clone();
        self.queue_job(JobPurpose::Startup(Loading::Metadata), |id| {
            Job::load_metadata(id, path, base, topic_defaults, &limits)
        });
        self.start_jobs();
    }

    pub(super) fn handle_startup_job(&mut self, id: JobId, loading: Loading, outcome: JobOutcome) {
        match (loading, outcome) {
            (Loading::Metadata, JobOutcome::MetadataLoaded(loaded)) => self.take_metadata(*loaded),
            (Loading::Metadata, JobOutcome::MetadataFailed(failed)) => {
                let reason = format!("the metadata log cannot be loaded: {failed}");
                self.fail(reason);
            }
            (Loading::MetadataLog(metadata), JobOutcome::LogLoaded(loaded)) => {
                self.take_metadata_log(*metadata, *loaded);
            }
            (Loading::MetadataLog(_), JobOutcome::LogFailed(failed)) => {
                self.fail(format!("the metadata log cannot be used: {failed}"));
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
        self.logs_settled();
    }
}

/// Recovery is told of this often.
const PROGRESS_EVERY: usize = 100;

impl Broker {
    /// The image before any record.
    fn base_image(&self) -> Image {
        let cluster_id = self.directories.iter().find_map(|it| it.found.cluster_id.clone());
        let broker = image::Broker { endpoints: self.config.advertised.clone(), rack: None };
        let node_id = self.config.node_id;
        let brokers = BTreeMap::from([(node_id, broker)]);
        let cluster_id = cluster_id.unwrap_or_default();
        let settings = Arc::clone(&self.config.settings);
        Image { cluster_id, node_id, brokers, settings, ..Image::default() }
    }

    /// The records tell whether the synced checkpoints count; with them the log itself is loaded.
    fn take_metadata(&mut self, loaded: LoadedMetadata) {
        if let Err(reason) = self.judge_checkpoints(&loaded) {
            return self.fail(reason);
        }
        let Some(home) = self.metadata_directory else { return };
        let directory = self.directory(home);
        let synced = directory.found.synced.as_ref();
        let context = LoadLogContext {
            path: directory.path.join(METADATA_LOG),
            log_directory: home,
            topic: METADATA_TOPIC.into(),
            topic_id: Uuid::METADATA_TOPIC,
            partition: 0,
            stray_id: None,
            exists: directory.has_directory(METADATA_LOG),
            is_clean: loaded.fault.is_none() && directory.is_clean(loaded.image.registration()),
            recovery_point: None,
            synced_end: synced.and_then(|synced| synced.get(Uuid::METADATA_TOPIC, 0)),
            log_start: metadata_log_start(&loaded),
            config: LogConfig {
                segment_bytes: self.config.metadata_log.segment_bytes,
                segment_ms: u64::try_from(self.config.metadata_log.segment_ms).unwrap_or(0),
                ..LogConfig::default()
            },
            leader_epoch: loaded.last_epoch,
            limits: self.config.limits.clone(),
        };
        let loading = Loading::MetadataLog(Box::new(loaded));
        self.queue_job(JobPurpose::Startup(loading), |id| Job::load_log(id, context));
    }

    /// A checkpoint counts while it names the last registration whose broker can have written to its
    /// directory. One that names no registration of the log at all belongs to a log that has lost
    /// records since: nothing must be cut from that.
    fn judge_checkpoints(&mut self, loaded: &LoadedMetadata) -> Result<(), String> {
        let is_known = |synced: &SyncedCheckpoint| {
            synced.valid_for(Uuid::ZERO)
                || loaded.registrations.iter().any(|it| synced.valid_for(it.incarnation_id))
        };
        for (index, directory) in self.directories.iter_mut().enumerate() {
            let users = loaded.since_last_user_of(directory.found.directory_id);
            let user = users.first().map_or(Uuid::ZERO, |user| user.incarnation_id);
            directory.found.incarnation = user;
            let Some(synced) = &directory.found.synced else { continue };
            if synced.valid_for(user) {
                let made = users.iter().flat_map(|user| user.made.iter().copied());
                directory.found.made = made.collect();
                continue;
            }
            let is_home = self.metadata_directory == Some(DirectoryIndex(index as u16));
            // Unless a snapshot, written since, stands for the part that had it.
            let end = synced.get(Uuid::METADATA_TOPIC, 0).unwrap_or(0);
            let may_be_gone = loaded.snapshot.is_some_and(|it| it.end_offset > 0)
                && loaded.fault.is_none()
                && loaded.end_offset >= end;
            if is_home && synced.iter().next().is_some() && !is_known(synced) && !may_be_gone {
                let path = directory.path.join(METADATA_LOG);
                let place = match &loaded.fault {
                    Some(fault) => format!(
                        "{}: damage at position {}: {}",
                        fault.file, fault.position, fault.reason
                    ),
                    None => format!("{path} ends at offset {}", loaded.end_offset),
                };
                let name = SyncedCheckpoint::FILE;
                return Err(format!(
                    "{place}; {name} belongs to a registration that should be behind it"
                ));
            }
            directory.found.synced = None;
        }
        Ok(())
    }

    fn take_metadata_log(&mut self, metadata: LoadedMetadata, log: Log) {
        let Phase::Starting(startup) = &mut self.phase else { return };
        if log.accepted_end() != metadata.end_offset {
            let (path, end, before) = (log.path(), log.accepted_end(), metadata.end_offset);
            if startup.is_replayed_again {
                let place = match &metadata.fault {
                    Some(LogFault { file, position, reason }) => {
                        format!("{file}: damage at position {position}: {reason}")
                    }
                    None => format!("{path} ends at offset {end}"),
                };
                return self.fail(format!("{place}; its records end at {before}"));
            }
            // Recovery has cut what had been replayed.
            startup.is_replayed_again = true;
            return self.load_metadata();
        }
        startup.ends_in_transaction = metadata.ends_in_transaction;
        let last_epoch = metadata.last_epoch;
        self.snapshots = Snapshots::new(&metadata, self.now.mono);
        self.image = Arc::new(metadata.image);
        let id = self.add_log(LiveLog {
            log,
            topic_id: Uuid::METADATA_TOPIC,
            topic: METADATA_TOPIC.into(),
            partition: 0,
        });
        self.lead_metadata(id, last_epoch);
        self.load_partitions();
    }

    fn load_partitions(&mut self) {
        self.sort_directories();
        let node_id = self.config.node_id;
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
            startup.partitions = self.jobs.waiting();
        }
    }

    pub(super) fn add_log(&mut self, live: LiveLog) -> LogId {
        let id = self.next_log_id();
        self.logs.insert(id, live);
        id
    }

    pub(super) fn next_log_id(&mut self) -> LogId {
        let id = LogId(self.next_log);
        self.next_log += 1;
        id
    }

    fn load_partition(&mut self, topic: &Arc<Topic>, index: i32, partition: &Partition) {
        let name = format!("{}-{index}", topic.name);
        let placed = self.place_partition(&name, partition);
        let (directory, exists) = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                for directory in self.directories.iter_mut().filter(|it| it.has_directory(&name)) {
                    directory.has_unloaded = true;
                }
                self.take_partition_offline(topic, index, reason);
                return;
            }
        };
        let stray_id = self.may_be_made(partition, directory).then(|| self.rng.uuid());
        let home = self.directory(directory);
        let synced = home.found.synced.as_ref();
        let begun_here = home.found.made.contains(&(topic.id, index)).then_some(0);
        let synced_end = synced.and_then(|checkpoint| checkpoint.get(topic.id, index));
        let context = LoadLogContext {
            path: home.path.join(&name),
            log_directory: directory,
            topic: Arc::clone(&topic.name),
            topic_id: topic.id,
            partition: index,
            stray_id,
            exists,
            is_clean: home.is_clean(self.image.registration()),
            recovery_point: home.found.recovery_points.get(&topic.name, index),
            synced_end: synced_end.or(begun_here),
            log_start: home.found.log_starts.get(&topic.name, index),
            config: LogConfig::from(&topic.config),
            leader_epoch: partition.leader_epoch,
            limits: self.config.limits.clone(),
        };
        let loading = LoadingLog { topic: Arc::clone(topic), partition: index, directory };
        let purpose = JobPurpose::Startup(Loading::Log(loading));
        self.queue_job(purpose, |id| Job::load_log(id, context));
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
        let home = self.home_of(partition, || self.emptiest_directory())?;
        if !self.may_be_made(partition, home) {
            return Err("it is missing, and not every log directory is online".to_owned());
        }
        Ok((home, false))
    }

    /// Whether a partition that is not where it is looked for, in `place`, has its directory nowhere else.
    fn may_be_made(&self, partition: &Partition, place: DirectoryIndex) -> bool {
        let are_online = self.directories.iter().all(LogDirectory::is_online);
        self.home_of(partition, || are_online.then_some(place)).is_ok()
    }

    /// The log directory that a partition's record names, or the one that `otherwise` picks where it
    /// names none.
    pub(super) fn home_of(
        &self,
        partition: &Partition,
        otherwise: impl FnOnce() -> Option<DirectoryIndex>,
    ) -> Result<DirectoryIndex, String> {
        let assigned = self.assigned_directory(partition);
        if assigned == UNASSIGNED {
            return otherwise().ok_or_else(|| "no log directory is online".to_owned());
        }
        let is_home = |directory: &LogDirectory| {
            directory.is_online() && directory.found.directory_id == Some(assigned)
        };
        match self.directories.iter().position(is_home) {
            Some(index) => Ok(DirectoryIndex(index as u16)),
            None => Err(format!("it is missing, and log directory {assigned} is not online")),
        }
    }

    fn assigned_directory(&self, partition: &Partition) -> Uuid {
        let replicas = &mut partition.replicas.iter();
        let replica = replicas.position(|replica| *replica == self.config.node_id);
        let assigned = replica.and_then(|replica| partition.directories.get(replica));
        assigned.copied().unwrap_or(UNASSIGNED)
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
        let LoadingLog { topic, partition, directory } = loading;
        let live = LiveLog { log, topic_id: topic.id, topic: Arc::clone(&topic.name), partition };
        let found = &self.directory(directory).found;
        let cleaned = found.cleaned.get(&live.topic, partition);
        let id = self.add_log(live);
        if let Some(cleaned) = cleaned {
            self.compactions.set_cleaned(id, cleaned);
        }
        self.partitions.insert(key, PartitionState::Online(id));
        if loaded.is_multiple_of(PROGRESS_EVERY) && loaded < all {
            self.notice(Severity::Info, format!("{loaded} of {all} partitions loaded"));
        }
    }

    fn take_log_failure(&mut self, loading: &LoadingLog, failed: LoadLogFailure) {
        self.directories[usize::from(loading.directory.0)].has_unloaded = true;
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

    /// After the last partition the node takes its place.
    pub(super) fn logs_settled(&mut self) {
        let Phase::Starting(startup) = &self.phase else { return };
        let are_loaded = self.jobs.is_empty() && startup.renaming == 0;
        if startup.stage == Stage::Logs && are_loaded && self.failure.is_none() {
            self.prepare_joining();
            self.join();
        }
    }

    pub(super) fn directory(&self, index: DirectoryIndex) -> &LogDirectory {
        &self.directories[usize::from(index.0)]
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

/// Where the metadata log starts: it has no line in `log-start-offset-checkpoint`, in Kafka neither,
/// but its snapshots say what of it may be gone.
fn metadata_log_start(loaded: &LoadedMetadata) -> Option<i64> {
    if loaded.append_at.is_none() {
        // A snapshot that goes beyond the log stands for all of it.
        return Some(loaded.end_offset);
    }
    let oldest = loaded.snapshots.first().filter(|_| loaded.snapshot.is_some());
    oldest.map(|snapshot| snapshot.id.end_offset).filter(|start| *start > 0)
}

/// A segment with something in it.
fn is_segment(entry: &Entry) -> bool {
    matches!(parse_file_name(&entry.name), Some((_, FileSuffix::Log))) && entry.length > 0
}
