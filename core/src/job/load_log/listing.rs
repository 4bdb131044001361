//! A partition's directory, sorted by what its files are.

use alloc::string::String;
use alloc::vec::Vec;

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
    /// A file that a Kafka in the middle of compaction or a split left, and must itself complete.
    pub(super) unfinished: Option<String>,
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
            None => self.add_odd(entry.name),
        }
    }

    fn add_odd(&mut self, name: String) {
        match name.rsplit_once('.') {
            Some((_, "swap" | "cleaned")) => {
                self.unfinished.get_or_insert(name);
            }
            Some((_, "log")) => self.odd_names.push(name),
            _ => {}
        }
    }
}
