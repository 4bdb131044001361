//! What the broker keeps for its clients, counted: with nobody connected it is nothing.

use super::Broker;

/// Counts of what is kept for clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Connections.
    pub connections: usize,
    /// Other requests that are not answered: appends, deletions of records, and what is looked up.
    pub requests: usize,
    /// Fetches that are not answered.
    pub fetches: usize,
    /// Sets of partitions, of those and of sessions.
    pub fetch_sets: usize,
    /// Files that answers under way have ranges of.
    pub pinned_files: usize,
}

impl Broker {
    /// What is kept for clients now.
    pub fn kept(&self) -> Kept {
        let (fetches, fetch_sets) = self.fetches.counts();
        let requests = self.produces.count()
            + self.list_offsets.count()
            + self.delete_records.count()
            + self.describe_log_dirs.count()
            + self.groups.waiting();
        let (connections, pinned_files) = (self.connections.len(), self.pins.file_count());
        Kept { connections, requests, fetches, fetch_sets, pinned_files }
    }
}
