//! How the metadata log is kept short (`MetadataLogConfig`).

/// Snapshots of the metadata log, its segments, and how long both are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataLogConfig {
    /// `metadata.log.max.record.bytes.between.snapshots`: so many bytes after a snapshot there is another.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`: so long after a change there is one; 0 for no limit.
    pub snapshot_interval_ms: u64,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.max.retention.bytes`, of segments and snapshots together; below 0 for no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`; below 0 for no limit.
    pub retention_ms: i64,
}

impl Default for MetadataLogConfig {
    /// Kafka 4.3's defaults (`MetadataLogConfig`).
    fn default() -> Self {
        Self {
            snapshot_bytes: 20 << 20,
            snapshot_interval_ms: 3_600_000,
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            retention_bytes: 100 << 20,
            retention_ms: 604_800_000,
        }
    }
}
