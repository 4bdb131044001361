//! Directories in a log directory that are no partition's of this node.
//!
//! One whose topic or partition is not known is kept under another name, which says so
//! (`LogManager.isStrayReplica`): its records may be all that is left of something. One that a delete
//! has renamed is removed while the broker serves (`LogManager.deleteLogs`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::image::Image;
use super::jobs::JobPurpose;
use super::startup::METADATA_LOG;
use super::{Broker, Output, Phase, Purpose};
use crate::effect::{Completion, Effect, EntryKind, IoError, Operation, Path};
use crate::event::{Event, Severity};
use crate::ids::DirectoryIndex;
use crate::job::Job;
use crate::partition_name::{PartitionName, stray_name};

/// Renames of one effect: many should not keep a worker for long.
const RENAMES_MAX: usize = 64;

impl Broker {
    /// The image is known: what belongs to nobody gets out of the way before logs are loaded.
    pub(super) fn sort_directories(&mut self) {
        for index in 0..self.directories.len() {
            if self.directories[index].is_online() {
                self.sort_directory(DirectoryIndex(index as u16));
            }
        }
    }

    fn sort_directory(&mut self, index: DirectoryIndex) {
        let home = self.directory(index).path.clone();
        let entries = self.directory(index).entries.values();
        let names: Vec<String> = entries
            .filter(|entry| entry.kind == EntryKind::Directory && entry.name != METADATA_LOG)
            .map(|entry| entry.name.clone())
            .collect();
        let mut renames = Vec::new();
        for name in names {
            match PartitionName::parse(&name) {
                PartitionName::Log { topic, partition } => {
                    if !is_known(&self.image, self.config.node_id, &topic, partition)
                        || self.lies_elsewhere(index, &name, &topic, partition)
                    {
                        let kept_as = stray_name(&topic, partition, self.rng.uuid());
                        renames.push(self.leave_stray(index, &name, &kept_as));
                    }
                }
                PartitionName::Deleted => self.deleted.push_back((index, home.join(&name))),
                PartitionName::Future => {
                    let path = home.join(&name);
                    let text = format!("{path} was on its way to another directory: left alone");
                    self.notice(Severity::Warning, text);
                }
                PartitionName::Stray | PartitionName::Other => {}
            }
        }
        for part in renames.chunks(RENAMES_MAX) {
            let mut operations = part.to_vec();
            operations.push(Operation::SyncDirectory(home.clone()));
            if let Phase::Starting(startup) = &mut self.phase {
                startup.renaming += 1;
            }
            self.emit(Effect::Operations(operations), Purpose::Strays(index));
        }
    }

    /// True when the partition of that name has its directory in another log directory, which is its home:
    /// this one is left of a topic that was deleted while its log directory was offline, and whose name
    /// another topic has got since.
    fn lies_elsewhere(
        &self,
        index: DirectoryIndex,
        name: &str,
        topic: &str,
        partition: i32,
    ) -> bool {
        let topic = self.image.topics.get(topic);
        let partition = topic.and_then(|topic| topic.partitions.get(&partition));
        let home = partition.and_then(|partition| self.home_of(partition, || None).ok());
        home.is_some_and(|home| home != index && self.directory(home).has_directory(name))
    }

    fn leave_stray(&mut self, index: DirectoryIndex, name: &str, kept_as: &str) -> Operation {
        let home = self.directory(index).path.clone();
        self.directories[usize::from(index.0)].entries.remove(name);
        let (from, to) = (home.join(name), home.join(kept_as));
        let directory = from.clone();
        self.push(Output::Event(Event::StrayDirectory { directory, kept_as: to.clone() }));
        Operation::Rename { from, to }
    }

    pub(super) fn handle_strays(&mut self, index: DirectoryIndex, result: Completion) {
        if let Err(error) = result.into_result() {
            self.fail_directory(index, &error);
        }
        if let Phase::Starting(startup) = &mut self.phase {
            startup.renaming -= 1;
        }
        self.logs_settled();
    }

    /// The broker serves: directories of deleted partitions are removed, one at a time, so that other jobs
    /// find a place.
    pub(super) fn start_removal(&mut self) {
        while !self.removal_runs
            && let Some((index, path)) = self.deleted.pop_front()
        {
            if self.directory(index).is_online() {
                self.removal_runs = true;
                self.queue_job(JobPurpose::RemoveDirectory(index), |id| {
                    Job::remove_directory(id, path)
                });
                self.start_jobs();
            }
        }
    }

    pub(super) fn handle_removed(&mut self, index: DirectoryIndex, result: Result<Path, IoError>) {
        match result {
            Ok(path) => self.notice(Severity::Info, format!("{path} is deleted")),
            Err(error) => self.fail_directory(index, &error),
        }
        self.removal_runs = false;
        self.start_removal();
    }
}

fn is_known(image: &Image, node_id: i32, topic: &str, partition: i32) -> bool {
    let partition = image.topics.get(topic).and_then(|topic| topic.partitions.get(&partition));
    partition.is_some_and(|partition| partition.replicas.contains(&node_id))
}
