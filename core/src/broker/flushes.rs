//! When records are synced that nobody waits for: `flush.messages` and `flush.ms`, under
//! `klamm.durability=page-cache` alone.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Broker;
use crate::config::Durability;
use crate::ids::{DirectoryIndex, LogId};
use crate::log::Level;
use crate::time::{Instant, Millis};

/// When each log was synced last; a log that never was counts from the driver's start.
#[derive(Debug, Default)]
pub(super) struct Flushes(BTreeMap<LogId, Instant>);

impl Flushes {
    /// A sync of the log is complete.
    pub(super) fn note(&mut self, log: LogId, now: Instant) {
        self.0.insert(log, now);
    }

    /// The log is gone.
    pub(super) fn forget(&mut self, log: LogId) {
        self.0.remove(&log);
    }
}

impl Broker {
    /// True when as many records are written and not synced as `flush.messages` allows
    /// (`UnifiedLog.append`).
    pub(super) fn has_many_unflushed(&self, log: LogId) -> bool {
        if self.config.durability == Durability::Durable {
            return false;
        }
        let Some(live) = self.logs.get(&log) else { return false };
        let Some(topic) = self.image.topics_by_id.get(&live.topic_id) else { return false };
        let unflushed = live.log.end(Level::Written) - live.log.end(Level::Synced);
        u64::try_from(unflushed).is_ok_and(|count| count >= topic.config.flush_messages)
    }

    /// Makes those logs due whose last sync lies `flush.ms` back (`LogManager.flushDirtyLogs`).
    pub(super) fn flush_old(&mut self) {
        for index in 0..self.directories.len() {
            let index = DirectoryIndex(index as u16);
            let dirty = self.directory(index).dirty.iter().copied();
            let old: Vec<LogId> = dirty.filter(|log| self.is_flush_old(*log)).collect();
            self.directories[usize::from(index.0)].due.extend(old);
        }
    }

    fn is_flush_old(&self, log: LogId) -> bool {
        let Some(live) = self.logs.get(&log) else { return false };
        let Some(topic) = self.image.topics_by_id.get(&live.topic_id) else { return false };
        let last = self.flushes.0.get(&log).copied().unwrap_or_default();
        last + Millis(topic.config.flush_ms) <= self.now.mono
    }
}
