//! How often what nobody waits for is done: retention, flushes, checkpoints, expiry.

/// The broker's periodic work. An interval of 0 does it once, as Kafka's scheduler does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskConfig {
    /// `log.initial.task.delay.ms`: nothing of the logs' periodic work is done earlier after the start.
    pub initial_delay_ms: u64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: u64,
    /// `log.flush.scheduler.interval.ms`; `None` for never.
    pub flush_scheduler_interval_ms: Option<u64>,
    /// `log.flush.offset.checkpoint.interval.ms`: `recovery-point-offset-checkpoint`.
    pub recovery_point_interval_ms: u64,
    /// `log.flush.start.offset.checkpoint.interval.ms`: `log-start-offset-checkpoint`.
    pub log_start_interval_ms: u64,
    /// `replica.high.watermark.checkpoint.interval.ms`: `replication-offset-checkpoint`.
    pub high_watermark_interval_ms: u64,
    /// `producer.id.expiration.ms`: a producer that has been silent for so long is forgotten.
    pub producer_id_expiration_ms: u64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_id_expiration_check_interval_ms: u64,
}

impl Default for TaskConfig {
    /// Kafka 4.3's defaults (`ServerLogConfigs`, `ReplicationConfigs`, `TransactionLogConfig`).
    fn default() -> Self {
        Self {
            initial_delay_ms: 30_000,
            retention_check_interval_ms: 300_000,
            flush_scheduler_interval_ms: None,
            recovery_point_interval_ms: 60_000,
            log_start_interval_ms: 60_000,
            high_watermark_interval_ms: 5_000,
            producer_id_expiration_ms: 86_400_000,
            producer_id_expiration_check_interval_ms: 600_000,
        }
    }
}
