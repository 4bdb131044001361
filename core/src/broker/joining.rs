//! Start-up's last step: the node takes its place in the cluster.
//!
//! The synced checkpoints say what recovery has made durable, for the registration that was found
//! and for the one to come; `quorum-state` has the next epoch; both are durable before the first
//! record of that epoch. When the records are, the node serves.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::format::{BOOTSTRAP_CHECKPOINT, default_bootstrap, read_bootstrap, voters};
use super::metadata_log::{Change, MetadataLog};
use super::registration::Join;
use super::schedule::Schedule;
use super::startup::{METADATA_LOG, Stage};
use super::{Broker, Output, Phase, Purpose};
use crate::checkpoint::{QuorumState, QuorumStateVersion, replace_file};
use crate::effect::{Completion, Effect};
use crate::ids::{DirectoryIndex, LogId, Uuid};
use crate::records::{MetadataRecord, VotersRecord};

impl Broker {
    /// The metadata log is loaded and durable, and was led up to `last_epoch`.
    pub(super) fn lead_metadata(&mut self, log: LogId, last_epoch: i32) {
        // Kafka's first epoch is 1.
        self.metadata = Some(MetadataLog::new(log, last_epoch.max(0).saturating_add(1)));
    }

    /// All partitions are loaded.
    pub(super) fn prepare_joining(&mut self) {
        self.enter(Stage::Checkpoints);
        self.next_incarnation = Some(self.rng.uuid());
        self.write_checkpoints();
        self.write_quorum_state();
    }

    pub(super) fn handle_quorum_state(&mut self, result: Completion) {
        if let (Err(error), Some(home)) = (result.into_result(), self.metadata_directory) {
            self.fail_directory(home, &error);
        }
        if let Phase::Starting(startup) = &mut self.phase {
            startup.quorum_state_runs = false;
        }
        self.join();
    }

    /// When checkpoints and epoch are durable: the records.
    pub(super) fn join(&mut self) {
        let Phase::Starting(startup) = &self.phase else { return };
        let writing = self.directories.iter().any(|directory| directory.checkpoint_runs);
        let is_prepared =
            startup.stage == Stage::Checkpoints && !writing && !startup.quorum_state_runs;
        if !is_prepared || self.failure.is_some() {
            return;
        }
        let Some(incarnation) = self.next_incarnation else { return };
        let ends_in_transaction = startup.ends_in_transaction;
        match self.bootstrap_records() {
            Ok(bootstrap) => {
                self.enter(Stage::Joining);
                let controller_incarnation = self.rng.uuid();
                self.change_metadata(Change::Join(Join {
                    controller_incarnation,
                    incarnation,
                    ends_in_transaction,
                    voters: (self.metadata_end() == 0).then(|| self.own_voters()),
                    bootstrap,
                }));
            }
            Err(reason) => self.fail(reason),
        }
    }

    /// When the records are durable: ready.
    pub(super) fn finish_joining(&mut self) {
        let Phase::Starting(startup) = &self.phase else { return };
        if startup.stage == Stage::Joining && self.failure.is_none() {
            self.next_incarnation = None;
            self.phase = Phase::Running;
            self.note_stale_lines();
            self.schedule = Schedule::new(&self.config.tasks, &self.config.groups, self.now.mono);
            self.compactions.begin(self.now.mono);
            self.push(Output::Ready);
            self.write_checkpoints();
            self.start_removal();
            self.clean_metadata();
            self.write_due_snapshot();
        }
    }

    fn write_quorum_state(&mut self) {
        let (Some(home), Some(metadata)) = (self.metadata_directory, &self.metadata) else {
            return;
        };
        // An empty log is about to get its voters.
        let is_dynamic = self.image.kraft_version > 0 || self.metadata_end() == 0;
        let state = QuorumState {
            version: if is_dynamic { QuorumStateVersion::V1 } else { QuorumStateVersion::V0 },
            leader_id: self.config.node_id,
            leader_epoch: metadata.epoch(),
        };
        let path = self.directory(home).path.join(METADATA_LOG).join(QuorumState::FILE);
        let operations = replace_file(&path, state.format(), &mut self.numbering);
        if let Phase::Starting(startup) = &mut self.phase {
            startup.quorum_state_runs = true;
        }
        self.emit(Effect::Operations(operations), Purpose::QuorumState);
    }

    /// What a blank cluster begins with; `None` for one that has begun. The log of a blank one may
    /// hold the quorum's records: a crash can have come between these and the cluster's.
    fn bootstrap_records(&self) -> Result<Option<Vec<MetadataRecord>>, String> {
        if !self.image.is_blank() {
            return Ok(None);
        }
        let home = self.metadata_directory.unwrap_or(DirectoryIndex(0));
        let directory = self.directory(home);
        let Some(content) = &directory.found.bootstrap else {
            return Ok(Some(default_bootstrap()));
        };
        let records = read_bootstrap(content);
        let path = directory.path.join(BOOTSTRAP_CHECKPOINT);
        records.map(Some).map_err(|reason| format!("{path}: {reason}"))
    }

    /// The quorum: this node, by the directory of its metadata log.
    pub(super) fn own_voters(&self) -> VotersRecord {
        voters(&self.config, self.own_directory_id().unwrap_or(Uuid::ZERO))
    }

    /// The id of the directory that holds the metadata log.
    pub(super) fn own_directory_id(&self) -> Option<Uuid> {
        self.metadata_directory.and_then(|home| self.directory(home).found.directory_id)
    }

    /// The offset that the next metadata record gets.
    fn metadata_end(&self) -> i64 {
        let log = self.metadata.as_ref().and_then(|metadata| self.logs.get(&metadata.log()));
        log.map_or(0, |live| live.log.accepted_end())
    }
}
