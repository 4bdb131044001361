//! Start-up's second step: which cluster the log directories belong to, and what is to be formatted.
//!
//! `meta.properties` says that a directory is formatted and is therefore its last file. The
//! directory of the metadata log comes first, alone: one without it, beside others that are
//! formatted, is a disk that was not mounted rather than a crash of ours. A crash anywhere leaves
//! what the next start formats again.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::directory::LogDirectory;
use super::format::{
    BOOTSTRAP_CHECKPOINT, VOTERS_CHECKPOINT, bootstrap_checkpoint, voters, voters_checkpoint,
};
use super::startup::{METADATA_LOG, Stage};
use super::{Broker, Phase, Purpose};
use crate::checkpoint::{MetaProperties, MetaPropertiesVersion, replace_file};
use crate::effect::{Completion, Effect, Entry, EntryKind, Operation};
use crate::event::Severity;
use crate::ids::{DirectoryIndex, Uuid};

impl Broker {
    /// Every directory is read or offline.
    pub(super) fn identify_cluster(&mut self) {
        let home = match self.find_home() {
            Ok(home) => home,
            Err(reason) => return self.fail(reason),
        };
        self.metadata_directory = Some(DirectoryIndex(home as u16));
        if self.directories[home].is_formatted() {
            return self.format_others(home);
        }
        let cluster_id = self.rng.uuid().to_string();
        let operations = self.format_home(home, cluster_id);
        self.enter(Stage::FormattingHome);
        self.emit_formatting([(home, operations)]);
    }

    pub(super) fn handle_formatted(&mut self, index: DirectoryIndex, result: Completion) {
        if let Err(error) = result.into_result() {
            self.fail_directory(index, &error);
        }
        let Phase::Starting(startup) = &mut self.phase else { return };
        startup.opening -= 1;
        let stage = startup.stage;
        if startup.opening > 0 || self.failure.is_some() {
            return;
        }
        match stage {
            Stage::FormattingHome => self.format_others(usize::from(index.0)),
            _ => self.load_metadata(),
        }
    }

    /// The directory of the metadata log, as far as the others leave no doubt.
    fn find_home(&self) -> Result<usize, String> {
        let ids = || self.directories.iter().filter_map(|it| it.found.cluster_id.as_ref());
        if let Some(first) = ids().next()
            && let Some(other) = ids().find(|id| *id != first)
        {
            return Err(format!("log.dirs belong to two clusters: {first} and {other}"));
        }
        let mut directory_ids = BTreeSet::new();
        for directory in &self.directories {
            let Some(id) = directory.found.directory_id else { continue };
            if !directory_ids.insert(id) {
                let path = &directory.path;
                return Err(format!(
                    "log directory {path} is a copy of another: both have id {id}"
                ));
            }
        }
        let offline = self.directories.iter().find_map(|it| Some((&it.path, it.failure()?)));
        let holds = |directory: &LogDirectory| directory.has_directory(METADATA_LOG);
        let home = match (self.directories.iter().position(holds), offline) {
            (Some(home), _) => home,
            // Kafka keeps the metadata log in the first of log.dirs unless told otherwise.
            (None, None) => 0,
            (None, Some((path, error))) => {
                return Err(format!(
                    "log directory {path}, which may hold the metadata log, failed: {error}"
                ));
            }
        };
        let directory = &self.directories[home];
        let path = &directory.path;
        if let Some(error) = directory.failure() {
            return Err(format!("log directory {path} of the metadata log failed: {error}"));
        }
        if directory.is_formatted() {
            return Ok(home);
        }
        if directory.found.has_metadata_log {
            return Err(format!(
                "log directory {path} has a metadata log and no {}, which says whose it is",
                MetaProperties::FILE
            ));
        }
        if let Some(other) = self.directories.iter().find(|directory| directory.is_formatted()) {
            return Err(format!(
                "log directory {path}, for the metadata log, is not formatted, and {} is: is the \
                 disk mounted?",
                other.path
            ));
        }
        Ok(home)
    }

    fn format_home(&mut self, home: usize, cluster_id: String) -> Vec<Operation> {
        let directory_id = self.rng.uuid();
        let voters = voters(&self.config, directory_id);
        let now_ms = self.now.wall_ms;
        let path = self.directories[home].path.clone();
        let bootstrap = Bytes::from(bootstrap_checkpoint(now_ms));
        self.directories[home].found.bootstrap = Some(bootstrap.clone());

        let file = path.join(BOOTSTRAP_CHECKPOINT);
        let mut operations = replace_file(&file, bootstrap, &mut self.numbering);
        let metadata = path.join(METADATA_LOG);
        operations.push(Operation::MakeDirectory(metadata.clone()));
        let file = metadata.join(VOTERS_CHECKPOINT);
        let snapshot = voters_checkpoint(voters, now_ms);
        operations.extend(replace_file(&file, snapshot, &mut self.numbering));
        operations.push(Operation::SyncDirectory(path));
        operations.extend(self.identify(home, cluster_id, directory_id));
        let directory = &mut self.directories[home];
        directory.entries.insert(METADATA_LOG.to_owned(), made_directory());
        operations
    }

    /// The directories that are not formatted join the cluster; those of a Kafka before 3.7 get an
    /// id.
    fn format_others(&mut self, home: usize) {
        let cluster_id = self.directories[home].found.cluster_id.clone().unwrap_or_default();
        let mut formatted = Vec::new();
        for index in 0..self.directories.len() {
            let directory = &self.directories[index];
            if directory.is_online() && directory.found.directory_id.is_none() {
                let id = self.rng.uuid();
                formatted.push((index, self.identify(index, cluster_id.clone(), id)));
            }
        }
        if formatted.is_empty() {
            return self.load_metadata();
        }
        self.enter(Stage::FormattingOthers);
        self.emit_formatting(formatted);
    }

    /// The operations that write `meta.properties`. The directory itself may be new.
    fn identify(&mut self, index: usize, cluster_id: String, id: Uuid) -> Vec<Operation> {
        let directory = &mut self.directories[index];
        let path = directory.path.clone();
        let was_formatted = directory.is_formatted();
        directory.found.cluster_id = Some(cluster_id.clone());
        directory.found.directory_id = Some(id);
        let properties = MetaProperties {
            version: MetaPropertiesVersion::V1,
            cluster_id: Some(cluster_id.clone()),
            node_id: Some(self.config.node_id),
            directory_id: Some(id),
        };
        let text = if was_formatted {
            format!("log directory {path} gets the id {id}")
        } else {
            format!("log directory {path} is formatted for cluster {cluster_id}")
        };
        self.notice(Severity::Info, text);
        let mut operations = Vec::from([Operation::SyncDirectory(path.parent())]);
        let file = path.join(MetaProperties::FILE);
        operations.extend(replace_file(&file, properties.format(), &mut self.numbering));
        operations
    }

    fn emit_formatting(&mut self, all: impl IntoIterator<Item = (usize, Vec<Operation>)>) {
        let mut count = 0;
        for (index, operations) in all {
            let purpose = Purpose::Format(DirectoryIndex(index as u16));
            self.emit(Effect::Operations(operations), purpose);
            count += 1;
        }
        if let Phase::Starting(startup) = &mut self.phase {
            startup.opening = count;
        }
    }
}

fn made_directory() -> Entry {
    Entry { name: METADATA_LOG.to_owned(), kind: EntryKind::Directory, length: 0, modified_ms: 0 }
}
