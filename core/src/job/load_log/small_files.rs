//! `partition.metadata`, which says whose the directory is, and `leader-epoch-checkpoint`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{LoadLog, LoadLogContext, Stage};
use crate::checkpoint::{LeaderEpochs, PartitionMetadata, replace_file};
use crate::effect::{FileRef, Operation, OperationResult};
use crate::event::{Event, Severity};
use crate::ids::Uuid;

/// `partition.metadata` has 43 bytes; a longer one than this is not one.
const PARTITION_METADATA_BYTES_MAX: u64 = 4096;

impl LoadLog {
    /// Reads those of the small files that the listing has.
    pub(super) fn read_small_files(&mut self) {
        let path = self.context.path.clone();
        let metadata = self.listing.partition_metadata.filter(|length| *length > 0);
        if self.listing.partition_metadata == Some(0) {
            let name = PartitionMetadata::FILE;
            self.warn(format!("{path}/{name} is empty and is written anew"));
        }
        let mut operations = Vec::new();
        if let Some(length) = metadata {
            let length = length.min(PARTITION_METADATA_BYTES_MAX);
            self.push_read_whole(PartitionMetadata::FILE, length, &mut operations);
        }
        let epochs_max = u64::from(self.context.limits.job_piece_bytes);
        match self.listing.leader_epochs {
            Some(length) if length > epochs_max => {
                self.warn(format!("{path}/{} is too long to be one", LeaderEpochs::FILE));
            }
            Some(length) => self.push_read_whole(LeaderEpochs::FILE, length, &mut operations),
            None => {}
        }
        let has_metadata = metadata.is_some();
        if operations.is_empty() {
            return self.handle_small_files(has_metadata, Vec::new());
        }
        self.emit(Stage::SmallFiles { has_metadata }, operations);
    }

    /// They are read.
    pub(super) fn handle_small_files(&mut self, has_metadata: bool, results: Vec<OperationResult>) {
        let mut contents = results.into_iter().filter_map(|result| match result {
            OperationResult::Read(content) => Some(content),
            _ => None,
        });
        if has_metadata {
            let content = contents.next().unwrap_or_default();
            match self.topic_id(&content) {
                Ok(found) if found == self.context.topic_id => {}
                Ok(found) => return self.leave_stray(found),
                Err(reason) => return self.fail(reason),
            }
        } else {
            self.needs_metadata = true;
        }
        if let Some(content) = contents.next() {
            match LeaderEpochs::parse(&content) {
                Ok(epochs) => self.epochs_on_disk = Some(epochs),
                Err(error) => {
                    let (path, name) = (&self.context.path, LeaderEpochs::FILE);
                    self.warn(format!("{path}/{name} is made anew from the batches: {error}"));
                }
            }
        }
        self.tidy();
    }

    /// The operations that write `partition.metadata`.
    pub(super) fn partition_metadata(&mut self) -> Vec<Operation> {
        let path = self.context.path.join(PartitionMetadata::FILE);
        let content = PartitionMetadata { topic_id: self.context.topic_id }.format();
        replace_file(&path, content, &mut self.numbering)
    }

    fn topic_id(&self, content: &[u8]) -> Result<Uuid, String> {
        let (path, name) = (&self.context.path, PartitionMetadata::FILE);
        PartitionMetadata::parse(content)
            .map(|metadata| metadata.topic_id)
            .map_err(|error| format!("{path}/{name} is unreadable: {error}"))
    }

    /// The directory is that of a topic which had the same name (`LogManager.isStrayReplica`): it is
    /// kept under another one, and the partition is made anew. Not where the partition is known to
    /// have had records.
    fn leave_stray(&mut self, found: Uuid) {
        let LoadLogContext { path, topic, topic_id, synced_end, .. } = &self.context;
        let name = PartitionMetadata::FILE;
        let text = format!("{path}/{name} names topic id {found}, topic {topic} has {topic_id}");
        if let Some(synced) = synced_end.filter(|synced| *synced > 0) {
            return self.fail(format!("{text} and was synced up to offset {synced}"));
        }
        let Some(stray_path) = self.context.stray_path() else {
            return self.fail(format!("{text}; its own log directory is not online"));
        };
        let text = format!("{text}: it is kept as {stray_path}, and the partition is empty");
        self.events.push(Event::Notice { severity: Severity::Warning, text });
        let operations = Vec::from([
            Operation::Rename { from: path.clone(), to: stray_path },
            Operation::SyncDirectory(path.parent()),
        ]);
        self.context.exists = false;
        self.emit(Stage::Stray, operations);
    }

    fn push_read_whole(&mut self, name: &str, length: u64, operations: &mut Vec<Operation>) {
        let file = FileRef { id: self.numbering.file(), path: self.context.path.join(name) };
        operations.push(Operation::Read { file: file.clone(), position: 0, length: length as u32 });
        operations.push(Operation::Close(file));
    }
}
