//! Log directories: what was found in each at start, and where it stands.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use bytes::Bytes;

use super::format::BOOTSTRAP_CHECKPOINT;
use super::log_starts::MovingStarts;
use super::offset_checkpoints::OffsetsFile;
use crate::checkpoint::{
    CLEANER_FILE, CheckpointError, CleanShutdown, LOG_START_FILE, MetaProperties,
    MetaPropertiesVersion, OffsetCheckpoint, RECOVERY_POINT_FILE, SyncedCheckpoint,
};
use crate::effect::{Entry, EntryKind, FileRef, IoError, Path};
use crate::ids::{LogId, Uuid};
use crate::records::RegisterBrokerRecord;

/// The small files that are read at start, where they are there.
pub(super) const SMALL_FILES: [&str; 7] = [
    MetaProperties::FILE,
    CleanShutdown::FILE,
    BOOTSTRAP_CHECKPOINT,
    RECOVERY_POINT_FILE,
    LOG_START_FILE,
    CLEANER_FILE,
    SyncedCheckpoint::FILE,
];

/// One of `log.dirs`.
#[derive(Debug)]
pub(super) struct LogDirectory {
    pub(super) path: Path,
    pub(super) state: State,
    /// The lock file, held while the process lives.
    pub(super) lock: FileRef,
    /// What the listing at start showed, by name.
    pub(super) entries: BTreeMap<String, Entry>,
    /// What the small files said at start.
    pub(super) found: Found,
    /// Logs with completed writes that no sync has covered yet.
    pub(super) dirty: BTreeSet<LogId>,
    /// Those of them that are to be synced also when not all are.
    pub(super) due: BTreeSet<LogId>,
    /// Logs that the running sync covers.
    pub(super) syncing: BTreeSet<LogId>,
    /// A sync runs.
    pub(super) sync_runs: bool,
    /// A synced checkpoint is being written.
    pub(super) checkpoint_runs: bool,
    /// What the last synced checkpoint said.
    pub(super) checkpointed: Option<SyncedCheckpoint>,
    /// Kafka's checkpoints of offsets, by kind.
    pub(super) offsets: [OffsetsFile; 4],
    /// Starts of logs that are about to move.
    pub(super) moving_starts: MovingStarts,
    /// A log in it could not be loaded: nobody may take the directory for one in good order.
    pub(super) has_unloaded: bool,
}

/// Where a log directory stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Being opened.
    Opening,
    /// In use.
    Online,
    /// Failed by this; stays so until the next start.
    Offline(IoError),
}

/// What the small files of a directory said at start.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) cluster_id: Option<String>,
    pub(super) directory_id: Option<Uuid>,
    /// The file of that name.
    pub(super) bootstrap: Option<Bytes>,
    /// Looked for where there is no `meta.properties`: a metadata log with something in it.
    pub(super) has_metadata_log: bool,
    /// The clean marker, which is there no more.
    pub(super) clean: Option<CleanShutdown>,
    pub(super) recovery_points: OffsetCheckpoint,
    pub(super) log_starts: OffsetCheckpoint,
    pub(super) cleaned: OffsetCheckpoint,
    pub(super) synced: Option<SyncedCheckpoint>,
    /// Of the last registration before this start that may have used the directory.
    pub(super) incarnation: Uuid,
    /// Partitions made since, where `synced` counts: those without a line there are this broker's
    /// from the first record on.
    pub(super) made: BTreeSet<(Uuid, i32)>,
}

/// Why a small file was not taken.
#[derive(Debug)]
pub(super) enum SmallFileError {
    /// The directory must not be used by this node.
    Refused(String),
    /// The file makes no sense; one can do without it.
    Unreadable(CheckpointError),
}

impl LogDirectory {
    pub(super) fn new(path: Path, lock: FileRef) -> Self {
        Self {
            path,
            state: State::Opening,
            lock,
            entries: BTreeMap::new(),
            found: Found::default(),
            dirty: BTreeSet::new(),
            due: BTreeSet::new(),
            syncing: BTreeSet::new(),
            sync_runs: false,
            checkpoint_runs: false,
            checkpointed: None,
            offsets: Default::default(),
            moving_starts: MovingStarts::default(),
            has_unloaded: false,
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.state == State::Online
    }

    /// Why it is offline, if it is.
    pub(super) fn failure(&self) -> Option<&IoError> {
        match &self.state {
            State::Offline(error) => Some(error),
            State::Opening | State::Online => None,
        }
    }

    /// It has `meta.properties`: it is somebody's.
    pub(super) fn is_formatted(&self) -> bool {
        self.found.cluster_id.is_some()
    }

    /// Its last run ended with a clean stop: the marker names the registration of that run. A marker
    /// of an earlier one, as a restored copy or another disk may have, says nothing of what was written
    /// since; nor does one that names none, which only a Kafka before 3.7 writes.
    pub(super) fn is_clean(&self, last_registration: Option<&RegisterBrokerRecord>) -> bool {
        let epoch = self.found.clean.and_then(|marker| marker.broker_epoch);
        epoch.is_some() && epoch == last_registration.map(|last| last.broker_epoch)
    }

    pub(super) fn has_file(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.kind == EntryKind::File)
    }

    pub(super) fn has_directory(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.kind == EntryKind::Directory)
    }

    /// A partition of that name is gone: what was found of it at start is not the next one's.
    pub(super) fn forget_partition(&mut self, topic: &Arc<str>, partition: i32) {
        self.entries.remove(&format!("{topic}-{partition}"));
        self.found.recovery_points.remove(topic, partition);
        self.found.log_starts.remove(topic, partition);
        self.found.cleaned.remove(topic, partition);
        for file in &mut self.offsets {
            file.note_stale(topic, partition);
        }
    }

    /// Takes the content of one of [`SMALL_FILES`]. The checkpoints only spare work or tell damage, so
    /// an unreadable one is left out.
    pub(super) fn take_small_file(
        &mut self,
        name: &str,
        content: &Bytes,
        node_id: i32,
    ) -> Result<(), SmallFileError> {
        if name == MetaProperties::FILE {
            let meta = MetaProperties::parse(content)
                .map_err(|error| SmallFileError::Refused(error.to_string()))?;
            if let Some(found) = meta.node_id.filter(|found| *found != node_id) {
                return Err(SmallFileError::Refused(format!(
                    "it belongs to node.id {found}, and this is node.id {node_id}"
                )));
            }
            if meta.version == MetaPropertiesVersion::V0 {
                let reason = "it is of version 0: a directory of the time of ZooKeeper";
                return Err(SmallFileError::Refused(reason.to_string()));
            }
            self.found.cluster_id = meta.cluster_id;
            self.found.directory_id = meta.directory_id;
            return Ok(());
        }
        if name == CleanShutdown::FILE {
            self.found.clean = Some(CleanShutdown::parse(content));
            return Ok(());
        }
        if name == BOOTSTRAP_CHECKPOINT {
            self.found.bootstrap = Some(content.clone());
            return Ok(());
        }
        let taken = match name {
            RECOVERY_POINT_FILE => {
                OffsetCheckpoint::parse(content).map(|offsets| self.found.recovery_points = offsets)
            }
            LOG_START_FILE => {
                OffsetCheckpoint::parse(content).map(|offsets| self.found.log_starts = offsets)
            }
            CLEANER_FILE => {
                OffsetCheckpoint::parse(content).map(|offsets| self.found.cleaned = offsets)
            }
            _ => SyncedCheckpoint::parse(content).map(|synced| self.found.synced = Some(synced)),
        };
        // Kafka makes its checkpoints with no content at all and fills them a minute later.
        taken.or_else(|error| {
            if content.is_empty() { Ok(()) } else { Err(SmallFileError::Unreadable(error)) }
        })
    }
}
