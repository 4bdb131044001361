//! Where new partitions are to be: on this node, which is the only one, and in which log directory.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::broker::Broker;
use crate::broker::metadata_log::MetadataLog;
use crate::broker::metadata_version::MetadataVersion;
use crate::error_code::ErrorCode;
use crate::ids::{DirectoryIndex, Uuid};
use crate::records::PartitionRecord;
use crate::refusal::Refusal;

/// Log directories that take new partitions, and how many partitions each has or is about to have.
#[derive(Debug)]
pub(in crate::broker) struct Placement(Vec<Place>);

#[derive(Debug)]
struct Place {
    directory: DirectoryIndex,
    id: Uuid,
    partitions: usize,
}

impl Placement {
    /// The directory with the fewest partitions (`LogManager.nextLogDirs`), of several the first.
    pub(super) fn next(&mut self) -> Option<DirectoryIndex> {
        self.take().map(|place| place.directory)
    }

    fn take(&mut self) -> Option<&Place> {
        let place = self.0.iter_mut().min_by_key(|place| (place.partitions, place.directory))?;
        place.partitions += 1;
        Some(place)
    }
}

impl Broker {
    /// How the online log directories are filled: counted once for all of a flight that makes partitions,
    /// and not for one that makes none.
    pub(in crate::broker) fn counted<'a>(
        &self,
        placement: &'a mut Option<Placement>,
    ) -> &'a mut Placement {
        placement.get_or_insert_with(|| self.placement())
    }

    fn placement(&self) -> Placement {
        let online = self.directories.iter().enumerate().filter(|(_, it)| it.is_online());
        let mut places: Vec<Place> = online
            .map(|(index, directory)| Place {
                directory: DirectoryIndex(index as u16),
                id: directory.found.directory_id.unwrap_or(Uuid::ZERO),
                partitions: 0,
            })
            .collect();
        if places.len() > 1 {
            let metadata = self.metadata.as_ref().map(MetadataLog::log);
            for (_, live) in self.logs.iter().filter(|(id, _)| Some(**id) != metadata) {
                let index = live.log.log_directory();
                if let Some(place) = places.iter_mut().find(|place| place.directory == index) {
                    place.partitions += 1;
                }
            }
        }
        Placement(places)
    }

    /// The directory of a partition whose record names none, which is so in clusters of an old level.
    pub(in crate::broker) fn emptiest_directory(&self) -> Option<DirectoryIndex> {
        self.placement().next()
    }
}

/// What the partitions of a request have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) node_id: i32,
    pub(super) version: MetadataVersion,
}

impl Layout {
    /// A partition that this node leads (`PartitionRegistration.toRecord`).
    pub(super) fn partition(
        self,
        topic_id: Uuid,
        partition_id: i32,
        placement: &mut Placement,
    ) -> PartitionRecord {
        let placed = placement.take().map_or(Uuid::ZERO, |place| place.id);
        let has_directories = self.version.partition() >= 1;
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: vec![self.node_id],
            isr: vec![self.node_id],
            leader: self.node_id,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: if has_directories { vec![placed] } else { Vec::new() },
            ..PartitionRecord::default()
        }
    }

    /// Replicas that a client chose (`validateManualPartitionAssignment`): on a cluster of one node, that
    /// one.
    pub(super) fn check_replicas(self, brokers: &[i32]) -> Result<(), Refusal> {
        let refused = |reason| {
            let message = format!("The manual partition assignment includes {reason}");
            Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
        };
        if brokers.is_empty() {
            return refused("an empty replica list.".into());
        }
        let mut sorted = brokers.to_vec();
        sorted.sort_unstable();
        let mut before = None;
        for broker in sorted {
            if broker != self.node_id {
                return refused(format!("broker {broker}, but no such broker is registered."));
            }
            if before == Some(broker) {
                return refused(format!("the broker {broker} more than once."));
            }
            before = Some(broker);
        }
        Ok(())
    }

    /// How many replicas a client wants, or by default: this node cannot hold more than one.
    pub(super) fn check_replication_factor(factor: i32) -> Result<(), Refusal> {
        if factor == 1 {
            return Ok(());
        }
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of \
             {factor} cannot be reached because only 1 broker(s) are registered or some brokers have \
             all their log directories cordoned."
        );
        Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message))
    }
}
