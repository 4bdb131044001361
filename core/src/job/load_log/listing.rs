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
    /// Base offset and length of each `.log` file, by base offset.
    pub(super) segments: Vec<(i64, u64)>,
    /// Offset and kind of each index and producer snapshot, by offset.
    pub(super) companions: Vec<(i64, FileSuffix)>,
    /// Length of `partition.metadata`, if it is there.
    pub(super) partition_metadata: Option<u64>,
    /// Length of `leader-epoch-checkpoint`, if it is there.
    pub(super) leader_epochs: Option<u64>,
    /// Files of work that was cut short.
    pub(super) leftovers: Leftovers,
    /// `.log` files whose names have no offset in 20 digits.
    pub(super) odd_names: Vec<String>,
}

impl Listing {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let mut listing = Self::default();
        for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::File) {
            listing.add(entry);
        }
        listing.segments.sort_unstable();
        listing.companions.sort_unstable();
        listing
    }

    fn add(&mut self, entry: Entry) {
        match parse_file_name(&entry.name) {
            Some((base_offset, FileSuffix::Log)) => {
                self.segments.push((base_offset, entry.length));
            }
            Some(companion) => self.companions.push(companion),
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
