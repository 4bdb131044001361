//! Producers that have been silent for long are forgotten (`UnifiedLog.removeExpiredProducers`).

use super::Broker;
use crate::ids::LogId;
use crate::time::Millis;

impl Broker {
    /// Looks at a bounded number of logs, from `next` on, and forgets a bounded number of their
    /// producers; gives the log to go on with.
    pub(super) fn expire_producers(&mut self, mut next: LogId) -> Option<LogId> {
        let started_with = self.config.tasks.producer_id_expiration_ms;
        let idle = Millis(self.image.producer_id_expiration_ms().unwrap_or(started_with));
        let mut left = self.config.limits.expiries_per_turn_max;
        for _ in 0..self.config.limits.logs_per_turn_max {
            let (&id, live) = self.logs.range_mut(next..).next()?;
            left -= live.log.expire_producers(idle, self.now, left);
            if left == 0 {
                return Some(id);
            }
            next = LogId(id.0 + 1);
        }
        Some(next)
    }
}
