//! The settings that a log goes by.

use crate::config::TopicConfig;

/// When a segment is full, and how dense its indexes are (`LogConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`.
    pub segment_bytes: u32,
    /// `segment.ms`: from the first batch's timestamp on.
    pub segment_ms: u64,
    /// `segment.jitter.ms`: up to so much less, so that not all logs roll at once.
    pub segment_jitter_ms: u64,
    /// `index.interval.bytes`: bytes of batches from one index entry to the next.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`: the most that an index file may take.
    pub segment_index_bytes: u32,
}

impl From<&TopicConfig> for LogConfig {
    fn from(topic: &TopicConfig) -> Self {
        // A record in the active segment is not compacted (`LogConfig.maxSegmentMs`).
        let segment_ms_max = if topic.compacted { topic.compaction_lag_ms_max } else { u64::MAX };
        Self {
            segment_bytes: topic.segment_bytes,
            segment_ms: topic.segment_ms.min(segment_ms_max),
            segment_jitter_ms: topic.segment_jitter_ms,
            index_interval_bytes: topic.index_interval_bytes,
            segment_index_bytes: topic.segment_index_bytes,
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self::from(&TopicConfig::default())
    }
}
