//! Groups as a whole: whether all their members have come to rest in them, and what lies in their log.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::client::Standing;
use crate::groups_log::read_groups;
use crate::history::TopicPartition;

impl World {
    /// A group in which not everything that is subscribed to is somebody's part, or something is the part of two; or
    /// whose members do not agree on its generation.
    pub(super) fn unsettled_group(&self) -> Option<String> {
        let mut groups: BTreeMap<String, Vec<Standing>> = BTreeMap::new();
        for standing in self.clients.iter().filter_map(crate::client::Client::standing) {
            groups.entry(standing.group.clone()).or_default().push(standing);
        }
        groups.into_iter().find_map(|(name, members)| {
            let what = self.unsettled(&members)?;
            Some(format!("group {name} is not settled: {what}"))
        })
    }

    fn unsettled(&self, members: &[Standing]) -> Option<String> {
        let generations: BTreeSet<i32> = members.iter().map(|member| member.generation).collect();
        if generations.len() > 1 {
            return Some(format!("its members are in generations {generations:?}"));
        }
        let mut owned: BTreeSet<&TopicPartition> = BTreeSet::new();
        for target in members.iter().flat_map(|member| &member.part) {
            if !owned.insert(target) {
                return Some(format!("{target} is the part of two"));
            }
        }
        // A static member that comes back with other topics makes nobody share anew, as in Kafka: the leader need not
        // know of them.
        let is_known = |topic: &&String| {
            self.options.twins == 0 || owned.iter().any(|target| target.topic == **topic)
        };
        let wanted = members.iter().flat_map(|member| &member.topics).filter(is_known);
        let wanted: BTreeSet<&String> = wanted.collect();
        let all = wanted.into_iter().flat_map(|topic| {
            (0..self.options.partitions as i32)
                .map(move |partition| TopicPartition { topic: topic.clone(), partition })
        });
        let mut all = all;
        let left = all.find(|target| !owned.contains(target))?;
        Some(format!("{left} is nobody's part"))
    }

    /// The broker has stopped: what lies in the log of groups is what its clients were told.
    pub(super) fn check_groups(&mut self) {
        self.observe();
        let is_offline = self.offline.keys().any(|partition| partition.starts_with("__consumer"));
        if self.options.members + self.options.overseers == 0 || is_offline {
            return;
        }
        let now = self.queue.now_micros();
        match read_groups(&self.disk, &self.config.log_dirs) {
            Ok(stored) => self.checker.check_groups(&stored, now),
            Err(what) => self.fail(what),
        }
    }
}
