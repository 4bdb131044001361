//! A partition's directory, sorted by what its files are.

use alloc::string::String;
use alloc::vec::Vec;

use super::leftovers::Leftovers;
use crate::checkpoint::{LeaderEpochs, PartitionMetadata};
use crate::effect::{Entry, EntryKind};
use crate::log::{FileSuffix, parse_file_name};

/// What loading needs of a listed directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The `.log` files, by base offset.
    pub(super) segments: Vec<ListedFile>,
    /// The index files.
    pub(super) indexes: Vec<(FileSuffix, ListedFile)>,
    /// The producer snapshots, by offset.
    pub(super) snapshots: Vec<ListedFile>,
    /// Length of `partition.metadata`, if it is there.
    pub(super) partition_metadata: Option<u64>,
    /// Length of `leader-epoch-checkpoint`, if it is there.
    pub(super) leader_epochs: Option<u64>,
    /// Files of work that was cut short.
    pub(super) leftovers: Leftovers,
    /// `.log` files whose names have no offset in 20 digits.
    pub(super) odd_names: Vec<String>,
}

/// A file whose name is an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListedFile {
    pub(super) offset: i64,
    /// Bytes.
    pub(super) length: u64,
    /// When it was last written, milliseconds since the Unix epoch.
    pub(super) modified_ms: i64,
}

impl Listing {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let mut listing = Self::default();
        for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::File) {
            listing.add(entry);
        }
        listing.segments.sort_unstable_by_key(|file| file.offset);
        listing.snapshots.sort_unstable_by_key(|file| file.offset);
        listing
    }

    fn add(&mut self, entry: Entry) {
        let Entry { length, modified_ms, .. } = entry;
        let file = |offset| ListedFile { offset, length, modified_ms };
        match parse_file_name(&entry.name) {
            Some((offset, FileSuffix::Log)) => self.segments.push(file(offset)),
            Some((offset, FileSuffix::Snapshot)) => self.snapshots.push(file(offset)),
            Some((offset, suffix)) => self.indexes.push((suffix, file(offset))),
            None if entry.name == PartitionMetadata::FILE => {
                self.partition_metadata = Some(entry.length);
            }
            None if entry.name == LeaderEpochs::FILE => self.leader_epochs = Some(entry.length),
            None if self.leftovers.take(&entry) => {}
            None => {
                if let Some((_, "log")) = entry.name.rsplit_once('.') {
                    self.odd_names.push(entry.name);
                }
            }
        }
    }
}
