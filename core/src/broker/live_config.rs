//! A topic's settings that change while its logs are in use.

use alloc::sync::Arc;

use super::image::Image;
use super::{Broker, PartitionState};
use crate::log::LogConfig;

impl Broker {
    /// Hands the settings of topics that `next` has otherwise than the present image to their logs,
    /// which go by them from their next append on. What is asked of the image each time, such as
    /// retention, needs no more than the new image.
    pub(super) fn apply_topic_configs(&mut self, next: &Image) {
        for (id, topic) in &next.topics_by_id {
            let Some(present) = self.image.topics_by_id.get(id) else { continue };
            if Arc::ptr_eq(present, topic) || present.config == topic.config {
                continue;
            }
            for index in topic.partitions.keys() {
                if let Some(PartitionState::Online(log)) = self.partitions.get(&(*id, *index))
                    && let Some(live) = self.logs.get_mut(log)
                {
                    live.log.set_config(LogConfig::from(&topic.config));
                }
            }
        }
    }
}
