//! The broker: the only shared state of a node; a driver keeps it behind one lock.
//!
//! Its work under that lock is bookkeeping, a bounded amount per batch. What takes long is an effect
//! or a [`Job`], carried out elsewhere and handed back as one input.

mod compaction;
pub mod configs;
mod delete_records;
mod deletions;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod directory;
mod fetch;
mod flood;
mod flushes;
mod format;
mod formatting;
mod group;
pub mod image;
pub mod image_builder;
pub mod image_records;
mod jobs;
mod joining;
mod kept;
mod list_offsets;
mod live_config;
mod log_starts;
mod lookup;
mod metadata_log;
mod metadata_version;
mod occurrences;
mod offset_checkpoints;
mod offset_for_leader_epoch;
mod open_requests;
mod other_records;
mod pins;
mod produce;
mod producer_expiry;
mod producer_ids;
mod reassignments;
mod registration;
mod retention;
mod schedule;
mod shutdown;
mod snapshots;
mod sorted;
mod startup;
mod storage;
mod strays;
#[cfg(test)]
mod tests;
pub mod topic_config;
mod topics;
mod unregister_broker;
mod update_features;
mod wait;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::batch::Compression;
use crate::config::{Config, Durability};
use crate::connection::ConnectionError;
use crate::effect::{Completion, Effect, FileRange, IoError, Path};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::ids::{ConnectionId, DirectoryIndex, EffectId, FileId, JobId, LogId, Numbering, Uuid};
use crate::job::{Job, JobResult};
use crate::log::{Level, Log};
use crate::request::{Query, Request, RequestBody, Response, ResponseBody};
use crate::rng::Rng;
use crate::time::{Instant, Millis, Now};
use compaction::Compactions;
use delete_records::DeleteRecords;
use deletions::Deletions;
use describe_log_dirs::DescribeLogDirs;
use directory::LogDirectory;
use fetch::{FetchId, Fetches};
use flood::FloodGate;
use flushes::Flushes;
use group::Groups;
pub(crate) use group::Shard;
use image::Image;
use jobs::Jobs;
pub use kept::Kept;
use list_offsets::{ListOffsets, OffsetSearch};
use metadata_log::MetadataLog;
use offset_checkpoints::OffsetsKind;
use open_requests::OpenId;
pub use pins::{Freed, Pins};
use produce::{ProduceId, Produces};
use producer_ids::ProducerIds;
use schedule::Schedule;
use shutdown::Shutdown;
use snapshots::Snapshots;
use startup::Startup;
use topics::{AutoCreations, LeavingLogs, NewLogs};
use wait::{Waits, Wake};

/// Who connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name of the listener that it came in by.
    pub listener: Arc<str>,
    /// Its address, as text.
    pub address: String,
}

/// How the broker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked; everything is on disk. Exit code 0.
    Clean,
    /// It could not go on: one line that names directory, file and error. Exit code 1.
    Failed(String),
}

/// What the broker wants done. Drain it wholly after each `handle_*`.
#[derive(Debug)]
pub enum Output {
    /// Carry it out and hand its completion in.
    Effect(EffectId, Effect),
    /// Give it to a worker and hand its result in.
    Job(JobId, Job),
    /// For the connection's mailbox; dropped when the connection is gone.
    Response(ConnectionId, Response),
    /// Stands for the answer to one request, which is not taken: close the connection once the answers to those
    /// before it are sent. They may still be on their way.
    Close(ConnectionId),
    /// For the log.
    Event(Event),
    /// Start-up is done: accept connections.
    Ready,
    /// The broker has ended; nothing follows.
    Stopped(Exit),
}

/// One node's broker.
///
/// Inputs are the `handle_*` methods; each is one mutation, and the caller drains [`poll_output`](Self::poll_output) to
/// `None` before the next (debug builds assert it). [`poll_timeout`](Self::poll_timeout) may change
/// with every input. The same inputs give the same outputs, byte for byte.
#[derive(Debug)]
pub struct Broker {
    config: Config,
    level: Level,
    rng: Rng,
    /// For jobs that look into compressed batches.
    compression: Arc<dyn Compression>,
    numbering: Numbering,
    phase: Phase,
    jobs: Jobs,
    image: Arc<Image>,
    outputs: VecDeque<Output>,
    effects: BTreeMap<EffectId, Purpose>,
    connections: BTreeMap<ConnectionId, Peer>,
    directories: Vec<LogDirectory>,
    /// Directories of deleted partitions, to be removed while the broker serves.
    deleted: VecDeque<(DirectoryIndex, Path)>,
    /// One of them is being removed.
    removal_runs: bool,
    logs: BTreeMap<LogId, LiveLog>,
    /// Those that were lost with their directory.
    failed_logs: BTreeSet<LogId>,
    new_logs: NewLogs,
    leaving_logs: LeavingLogs,
    auto_creations: AutoCreations,
    /// Empty between inputs; kept for its room.
    log_effects: Vec<(EffectId, Effect)>,
    partitions: BTreeMap<(Uuid, i32), PartitionState>,
    waits: Waits<Waiter>,
    produces: Produces,
    producer_ids: ProducerIds,
    list_offsets: ListOffsets,
    fetches: Fetches,
    delete_records: DeleteRecords,
    describe_log_dirs: DescribeLogDirs,
    groups: Groups,
    deletions: Deletions,
    compactions: Compactions,
    schedule: Schedule,
    flushes: Flushes,
    pins: Pins,
    flood: FloodGate,
    /// Damage that readers meet, again and again.
    damage: FloodGate,
    /// When the synced checkpoints are looked at next.
    checkpoint_due: Option<Instant>,
    /// The directory that holds the metadata log; the broker does not go on without it.
    metadata_directory: Option<DirectoryIndex>,
    /// Once it is loaded.
    metadata: Option<MetadataLog>,
    snapshots: Snapshots,
    /// The incarnation that is about to be registered.
    next_incarnation: Option<Uuid>,
    next_log: u64,
    /// Why the broker must stop, until it has.
    failure: Option<String>,
    /// The clocks at the last input.
    now: Now,
}

#[derive(Debug)]
enum Phase {
    Starting(Startup),
    Running,
    Stopping(Shutdown),
    Stopped,
}

/// What an effect of the broker's own was for. An effect of a directory that went offline meanwhile
/// finds no entry, and its completion is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Lock and list a log directory.
    Open(DirectoryIndex),
    /// Read its small files.
    Identify(DirectoryIndex),
    /// Get directories that are no partition's out of the way.
    Strays(DirectoryIndex),
    /// Make it one of this cluster's.
    Format(DirectoryIndex),
    /// The quorum's next epoch.
    QuorumState,
    /// A write of a log, or the checkpoint that goes out beside it.
    Append(LogId),
    /// The sync of a log directory.
    Sync(DirectoryIndex),
    /// The synced checkpoint of a log directory.
    Checkpoint(DirectoryIndex),
    /// One of Kafka's checkpoints of a log directory.
    Offsets(DirectoryIndex, OffsetsKind),
    /// The rename of a deleted segment's files, by its log and its `.log` file.
    Rename(DirectoryIndex, LogId, FileId),
    /// An unlink of a log's segment, by its log and its `.log` file.
    Unlink(DirectoryIndex, LogId, FileId),
    /// Segments that compaction has written are put in place.
    Compacted(DirectoryIndex, LogId),
    /// The rename of the directories of logs that have left.
    LeftLogs(DirectoryIndex, u64),
    /// The clean marker, and the lock given back: the end of a stop.
    Leave(DirectoryIndex),
    /// The removal of snapshots that nobody needs.
    Snapshots,
    /// A step of making the logs of new partitions.
    NewLogs(DirectoryIndex),
    /// A look-up of a fetch.
    FetchRead(FetchId),
    /// The room of a log directory's file system, for a description.
    Space(DirectoryIndex, OpenId),
}

/// A log, and whose it is.
#[derive(Debug)]
struct LiveLog {
    log: Log,
    topic_id: Uuid,
    topic: Arc<str>,
    partition: i32,
}

/// A partition that has a replica on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartitionState {
    Online(LogId),
    Offline,
}

/// What waits for a log to pass an offset.
#[derive(Clone, Copy, Debug)]
enum Waiter {
    /// A slot of a produce request.
    Produce(ProduceId, usize),
    /// The record with the largest timestamp, to be found when it is visible.
    ListOffsets(OffsetSearch),
    /// The draft of the image that is in flight.
    Metadata,
    /// A slot of an answer of the group coordinator.
    Group(OpenId, usize),
}

impl Broker {
    /// Start-up begins: drain it at once. `config` holds the addresses that are really bound,
    /// `compression` is for jobs that look into stored batches.
    pub fn new(
        config: Config,
        seed: [u8; 32],
        compression: Arc<dyn Compression>,
        now: Now,
    ) -> Self {
        let level = match config.durability {
            Durability::Durable => Level::Synced,
            Durability::PageCache => Level::Written,
        };
        let mut broker = Self {
            level,
            rng: Rng::from_seed(seed),
            compression,
            numbering: Numbering::new(JobId::BROKER),
            phase: Phase::Starting(Startup::default()),
            jobs: Jobs::default(),
            image: Arc::new(Image::default()),
            outputs: VecDeque::new(),
            effects: BTreeMap::new(),
            connections: BTreeMap::new(),
            directories: Vec::new(),
            deleted: VecDeque::new(),
            removal_runs: false,
            logs: BTreeMap::new(),
            failed_logs: BTreeSet::new(),
            new_logs: NewLogs::default(),
            leaving_logs: LeavingLogs::default(),
            auto_creations: AutoCreations::default(),
            log_effects: Vec::new(),
            partitions: BTreeMap::new(),
            waits: Waits::new(),
            now,
            failure: None,
            metadata_directory: None,
            metadata: None,
            snapshots: Snapshots::default(),
            next_incarnation: None,
            next_log: 0,
            produces: Produces::default(),
            producer_ids: ProducerIds::default(),
            list_offsets: ListOffsets::default(),
            delete_records: DeleteRecords::default(),
            describe_log_dirs: DescribeLogDirs::default(),
            groups: Groups::default(),
            deletions: Deletions::default(),
            compactions: Compactions::default(),
            schedule: Schedule::default(),
            flushes: Flushes::default(),
            pins: Pins::default(),
            fetches: Fetches::new(&config.limits),
            flood: FloodGate::new(config.limits.peer_events_per_second),
            damage: FloodGate::new(config.limits.damage_events_per_second),
            checkpoint_due: None,
            config,
        };
        broker.open_directories();
        broker.settle();
        broker
    }

    /// A connection was accepted. Its listener is one of the configuration's.
    pub fn handle_connect(&mut self, id: ConnectionId, peer: Peer, now: Now) {
        self.begin(now);
        self.connections.insert(id, peer);
    }

    /// A request of a connection that is there.
    #[expect(clippy::too_many_lines, reason = "a line or two for each kind of request")]
    pub fn handle_request(&mut self, from: ConnectionId, request: Request, now: Now) {
        self.begin(now);
        debug_assert!(self.connections.contains_key(&from), "requests come from connections");
        let freed = self.pins.release(from, request.transmitted);
        self.emit_freed(freed);
        if !matches!(self.phase, Phase::Running) {
            self.push(Output::Close(from));
            return;
        }
        match request.body {
            RequestBody::Produce(command) => {
                self.handle_produce(from, request.number, command);
            }
            RequestBody::Query(query) => {
                if let Query::Metadata(asked) = &query {
                    self.create_asked_for(asked);
                }
                let Some(peer) = self.connections.get(&from) else { return };
                let listener = Arc::clone(&peer.listener);
                let image = Arc::clone(&self.image);
                let body = ResponseBody::Query { query, image, listener };
                self.respond(from, Response { number: request.number, body });
            }
            RequestBody::ListOffsets { version, request: asked } => {
                self.handle_list_offsets(from, request.number, version, asked);
            }
            RequestBody::OffsetForLeaderEpoch { request: asked, .. } => {
                self.handle_offset_for_leader_epoch(from, request.number, asked);
            }
            RequestBody::InitProducerId { request: asked, .. } => {
                self.handle_init_producer_id(from, request.number, &asked);
            }
            RequestBody::DescribeProducers { request: asked, .. } => {
                self.handle_describe_producers(from, request.number, asked);
            }
            RequestBody::Fetch { version, request: asked } => {
                self.handle_fetch(from, request.number, version, asked);
            }
            RequestBody::CreateTopics { version, request: asked } => {
                self.handle_create_topics(from, request.number, version, asked);
            }
            RequestBody::DeleteTopics { version, request: asked } => {
                self.handle_delete_topics(from, request.number, version, asked);
            }
            RequestBody::CreatePartitions { request: asked, .. } => {
                self.handle_create_partitions(from, request.number, asked);
            }
            RequestBody::DeleteRecords { request: asked, .. } => {
                self.handle_delete_records(from, request.number, asked);
            }
            RequestBody::AlterPartitionReassignments { request: asked, .. } => {
                self.handle_alter_partition_reassignments(from, request.number, asked);
            }
            RequestBody::AlterConfigs { request: asked, .. } => {
                self.handle_alter_configs(from, request.number, asked.into());
            }
            RequestBody::IncrementalAlterConfigs { request: asked, .. } => {
                self.handle_alter_configs(from, request.number, asked.into());
            }
            RequestBody::DescribeLogDirs { version, request: asked } => {
                self.handle_describe_log_dirs(from, request.number, version, asked);
            }
            RequestBody::DescribeQuorum { request: asked, .. } => {
                self.handle_describe_quorum(from, request.number, asked);
            }
            RequestBody::UnregisterBroker { request: asked, .. } => {
                self.handle_unregister_broker(from, request.number, &asked);
            }
            RequestBody::UpdateFeatures { version, request: asked } => {
                self.handle_update_features(from, request.number, version, asked);
            }
            RequestBody::FindCoordinator { version, request: asked } => {
                self.handle_find_coordinator(from, request.number, version, asked);
            }
            RequestBody::JoinGroup(command) => {
                self.handle_join_group(from, request.number, command);
            }
            RequestBody::SyncGroup { version, request: asked } => {
                self.handle_sync_group(from, request.number, version, asked);
            }
            RequestBody::Heartbeat { request: asked, .. } => {
                self.handle_heartbeat(from, request.number, &asked);
            }
            RequestBody::LeaveGroup { version, request: asked } => {
                self.handle_leave_group(from, request.number, version, asked);
            }
            RequestBody::OffsetCommit { version, request: asked } => {
                self.handle_offset_commit(from, request.number, version, asked);
            }
            RequestBody::OffsetFetch { version, request: asked } => {
                self.handle_offset_fetch(from, request.number, version, asked);
            }
            RequestBody::OffsetDelete { request: asked, .. } => {
                self.handle_offset_delete(from, request.number, asked);
            }
            RequestBody::DescribeGroups { version, request: asked } => {
                self.handle_describe_groups(from, request.number, version, asked);
            }
            RequestBody::ListGroups { request: asked, .. } => {
                self.handle_list_groups(from, request.number, &asked);
            }
            RequestBody::DeleteGroups { request: asked, .. } => {
                self.handle_delete_groups(from, request.number, asked);
            }
        }
        self.settle();
    }

    /// The connection is gone: once, last. `error` is the peer's fault, if it was one.
    pub fn handle_disconnect(
        &mut self,
        id: ConnectionId,
        error: Option<ConnectionError>,
        now: Now,
    ) {
        self.begin(now);
        self.connections.remove(&id);
        self.produces.forget(id);
        self.producer_ids.forget(id);
        self.forget_list_offsets(id);
        self.fetches.forget(id);
        self.delete_records.forget(id);
        self.describe_log_dirs.forget(id);
        self.forget_group_answers(id);
        let freed = self.pins.release_all(id);
        self.emit_freed(freed);
        // To be idle is no misbehaviour.
        if let Some(error) = error.filter(|error| !matches!(error, ConnectionError::Idle { .. })) {
            let misbehaved = Event::PeerMisbehaved { connection: id, reason: error.to_string() };
            let events = self.flood.admit(misbehaved, now.mono);
            self.outputs.extend(events.into_iter().map(Output::Event));
        }
        self.settle();
    }

    /// The answer to an effect of the broker's own (a job's completions go to the job).
    pub fn handle_completion(&mut self, id: EffectId, result: Completion, now: Now) {
        self.begin(now);
        debug_assert_eq!(id.owner, JobId::BROKER, "a job's completions go to the job");
        let Some(purpose) = self.effects.remove(&id) else { return };
        match purpose {
            Purpose::Open(index) => self.handle_opened(index, result),
            Purpose::Identify(index) => self.handle_identified(index, result),
            Purpose::Strays(index) => self.handle_strays(index, result),
            Purpose::Format(index) => self.handle_formatted(index, result),
            Purpose::QuorumState => self.handle_quorum_state(result),
            Purpose::Append(log) => self.handle_written(id, log, result),
            Purpose::Sync(index) => self.handle_synced(index, result),
            Purpose::Checkpoint(index) => self.handle_checkpointed(index, result),
            Purpose::NewLogs(index) => self.handle_new_logs(index, result),
            Purpose::FetchRead(fetch) => self.handle_fetch_read(fetch, result),
            Purpose::Space(index, request) => self.handle_space(index, request, result),
            Purpose::Offsets(index, kind) => self.handle_offsets_written(index, kind, result),
            Purpose::Snapshots => self.handle_snapshots_unlinked(result),
            Purpose::Rename(index, log, file) => {
                self.note_removal(log);
                self.handle_renamed(index, file, result);
            }
            Purpose::Compacted(index, log) => self.handle_placed(index, log, result),
            Purpose::LeftLogs(index, number) => self.handle_left_renamed(index, number, result),
            Purpose::Unlink(index, log, file) => {
                self.deletions.note_unlinked(log, file);
                self.note_removal(log);
                if let Err(error) = result.into_result() {
                    self.fail_directory(index, &error);
                }
            }
            Purpose::Leave(index) => {
                if let Err(error) = result.into_result() {
                    self.fail_directory(index, &error);
                }
            }
        }
        self.settle();
    }

    /// A job has ended.
    pub fn handle_job(&mut self, id: JobId, result: JobResult, now: Now) {
        self.begin(now);
        self.take_job(id, result);
        self.settle();
    }

    /// A range could not be sent in full, by the file's fault.
    pub fn handle_range_failed(&mut self, range: &FileRange, error: &IoError, now: Now) {
        self.begin(now);
        self.fail_directory_of(&range.file.path, error);
        self.settle();
    }

    /// The clock has reached [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Now) {
        self.begin(now);
        self.expire_produces(now.mono);
        self.expire_list_offsets();
        self.expire_fetches();
        for gate in [&mut self.flood, &mut self.damage] {
            self.outputs.extend(gate.handle_timeout(now.mono).map(Output::Event));
        }
        self.expire_delete_records();
        self.run_tasks();
        self.run_groups();
        self.run_compactions();
        self.write_due_snapshot();
        if self.checkpoint_due.is_some_and(|due| due <= now.mono) {
            self.checkpoint_due = None;
            self.write_checkpoints();
        }
        self.settle();
    }

    /// Asked to stop. Jobs are left where they stand: each is crash-safe.
    pub fn handle_shutdown(&mut self, now: Now) {
        self.begin(now);
        self.begin_shutdown();
        self.settle();
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. Later than the last `now` after each input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Stopped) {
            return None;
        }
        // What was too much for one turn is due at once, but never in the past: a caller that comes
        // when it is told to must not spin.
        let soon = Instant::from_micros(self.now.mono.as_micros().saturating_add(1));
        let is_due = self.waits.has_due()
            || self.fetches.has_due()
            || self.schedule.has_more()
            || self.groups.has_more();
        let candidates = [
            self.produces.deadline(),
            self.list_offsets.deadline(),
            self.fetches.deadline(),
            self.delete_records.deadline(),
            self.schedule.deadline(),
            self.groups.deadline(),
            self.snapshot_deadline(),
            self.deletions.deadline(),
            self.compactions.deadline(soon),
            self.leaving_logs.deadline(),
            self.flood.deadline(),
            self.damage.deadline(),
            self.checkpoint_due,
            is_due.then_some(soon),
        ];
        candidates.into_iter().flatten().min().map(|due| due.max(soon))
    }

    /// The present image; empty until [`Output::Ready`].
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// The end of every input: what follows from what it changed.
    fn settle(&mut self) {
        if matches!(self.phase, Phase::Stopped) {
            return;
        }
        self.take_due_waits();
        self.land_metadata_flight();
        self.start_metadata_flight();
        self.place_shards();
        self.rename_left_logs();
        self.run_fetches();
        if self.failure.is_some() && !self.waits.has_due() {
            let reason = self.failure.take().unwrap_or_default();
            self.stop(Exit::Failed(reason));
            return;
        }
        self.start_syncs();
        self.continue_shutdown();
        if matches!(self.phase, Phase::Running) && self.checkpoint_due.is_none() {
            let interval = Millis(self.config.limits.synced_checkpoint_interval_ms);
            self.checkpoint_due = Some(self.now.mono + interval);
        }
    }

    fn stop(&mut self, exit: Exit) {
        self.phase = Phase::Stopped;
        self.effects.clear();
        self.push(Output::Stopped(exit));
    }

    /// Ends a bounded number of waits; the rest in a turn of its own, so that no lock hold is long.
    fn take_due_waits(&mut self) {
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some((waiter, wake)) = self.waits.poll() else { break };
            match (waiter, wake) {
                (Waiter::Produce(id, slot), Wake::Passed) => {
                    self.settle_produce(id, slot, ErrorCode::NONE);
                }
                (Waiter::Produce(id, slot), Wake::Failed) => {
                    self.settle_produce(id, slot, ErrorCode::KAFKA_STORAGE_ERROR);
                }
                (Waiter::Produce(id, slot), Wake::Gone) => {
                    self.settle_produce(id, slot, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                }
                // It finds out by itself whether the log is still there.
                (Waiter::ListOffsets(search), _) => self.resume_search(search),
                (Waiter::Metadata, Wake::Passed) => self.note_durable_flight(),
                // Its directory has failed, and the broker stops.
                (Waiter::Metadata, Wake::Failed | Wake::Gone) => {}
                (Waiter::Group(id, slot), Wake::Passed) => {
                    self.settle_group(id, slot, ErrorCode::NONE);
                }
                // As after a move to another broker: clients look for their coordinator again.
                (Waiter::Group(id, slot), Wake::Failed | Wake::Gone) => {
                    self.settle_group(id, slot, ErrorCode::NOT_COORDINATOR);
                }
            }
        }
    }

    /// Until when a request waits that asks for `timeout_ms`: see [`Limits::produce_wait_ms_min`].
    ///
    /// [`Limits::produce_wait_ms_min`]: crate::config::Limits::produce_wait_ms_min
    fn waits_until(&self, timeout_ms: i32) -> Instant {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        self.now.mono + Millis(timeout_ms.max(self.config.limits.produce_wait_ms_min))
    }

    fn respond(&mut self, to: ConnectionId, response: Response) {
        for file in response.body.files() {
            self.pins.pin(to, response.number.0, file);
        }
        self.push(Output::Response(to, response));
    }

    /// A reader has met damage: told, but not each time.
    fn tell_damage(&mut self, event: Event) {
        let events = self.damage.admit(event, self.now.mono);
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn emit(&mut self, effect: Effect, purpose: Purpose) {
        let id = self.numbering.effect();
        self.emit_numbered(id, effect, purpose);
    }

    fn emit_numbered(&mut self, id: EffectId, effect: Effect, purpose: Purpose) {
        self.effects.insert(id, purpose);
        self.push(Output::Effect(id, effect));
    }

    /// The begin of every input.
    fn begin(&mut self, now: Now) {
        debug_assert!(self.outputs.is_empty(), "drain poll_output before the next input");
        self.now = now;
    }
}
