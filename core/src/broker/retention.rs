//! Retention: every so often each log is asked what of it is too old (`LogManager.cleanupLogs`).

use super::log_starts::Target;
use super::{Broker, LiveLog};
use crate::config::TopicConfig;
use crate::ids::LogId;
use crate::log::Retention;

impl Broker {
    /// Looks at a bounded number of logs, from `next` on; gives the one to go on with.
    pub(super) fn retain(&mut self, mut next: LogId) -> Option<LogId> {
        for _ in 0..self.config.limits.logs_per_turn_max {
            let (&id, _) = self.logs.range(next..).next()?;
            next = id;
            if self.remove_segments(id) {
                return Some(next);
            }
            self.retain_log(id);
            next = LogId(id.0 + 1);
        }
        Some(next)
    }

    fn retain_log(&mut self, id: LogId) {
        if self.metadata_log() == Some(id) {
            return;
        }
        let Some(LiveLog { log, topic_id, .. }) = self.logs.get(&id) else { return };
        let Some(topic) = self.image.topics_by_id.get(topic_id) else { return };
        let high_watermark = log.end(self.level);
        let retention = retention_of(&topic.config);
        let start = log.start_after_retention(&retention, high_watermark, self.now.wall_ms);
        let target = match start {
            None => return,
            Some(end) if end == log.accepted_end() => Target::End(end),
            Some(start) => Target::Offset(start),
        };
        self.move_log_start(id, target, None);
    }
}

fn retention_of(config: &TopicConfig) -> Retention {
    if !config.deletes_old {
        return Retention::default();
    }
    Retention {
        age_ms: u64::try_from(config.retention_ms).ok(),
        bytes: u64::try_from(config.retention_bytes).ok(),
    }
}
