//! How topics come about, and whether they go.

/// How topics come about where nobody says how, and whether they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreationConfig {
    /// `auto.create.topics.enable`: a client that asks for a topic that is not there makes it.
    pub is_automatic: bool,
    /// `num.partitions`; at least 1.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i32,
    /// `delete.topic.enable`: a client may delete them.
    pub may_delete: bool,
}

impl Default for CreationConfig {
    /// Kafka 4.3's defaults (`ServerLogConfigs`, `ReplicationConfigs`).
    fn default() -> Self {
        Self { is_automatic: true, partitions: 1, replication_factor: 1, may_delete: true }
    }
}
