//! Settings of the broker that change while it runs and are not of topics.

use super::layers::BrokerLayers;
use crate::broker::image::Image;
use crate::config::CleanerConfig;

impl Image {
    /// How many connections may be there at once: `max.connections`, and no more than `ceiling`.
    pub fn connections_max(&self, ceiling: usize) -> usize {
        let set = BrokerLayers::of(self).integer("max.connections");
        set.and_then(|count| usize::try_from(count).ok())
            .filter(|count| *count > 0)
            .map_or(ceiling, |count| count.min(ceiling))
    }

    /// How logs are compacted: as the broker was started, and as was set while it ran.
    pub(in crate::broker) fn cleaner(&self, started: &CleanerConfig) -> CleanerConfig {
        let layers = BrokerLayers::of(self);
        let mut cleaner = started.clone();
        for key in CleanerConfig::DYNAMIC {
            if let Some(text) = layers.set_while_running(key) {
                cleaner.set(key, text);
            }
        }
        cleaner
    }

    /// `producer.id.expiration.ms`, where it was set while the broker ran.
    pub(in crate::broker) fn producer_id_expiration_ms(&self) -> Option<u64> {
        let text = BrokerLayers::of(self).set_while_running("producer.id.expiration.ms")?;
        text.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::sync::Arc;

    use super::*;
    use crate::broker::image::ConfigResource;
    use crate::broker::topic_config::Settings;

    fn one(name: &str, value: &str) -> Settings {
        [(name.to_owned(), value.to_owned())].into_iter().collect()
    }

    #[test]
    fn connections_are_those_of_the_strongest_layer_up_to_the_ceiling() {
        let mut image = Image { node_id: 1, ..Image::default() };
        assert_eq!(image.connections_max(50), 50);
        image.settings = Arc::new(one("max.connections", "12"));
        assert_eq!((image.connections_max(50), image.connections_max(9)), (12, 9));
        image.configs.insert(ConfigResource::broker_default(), one("max.connections", "20"));
        assert_eq!(image.connections_max(50), 20);
        image.configs.insert(ConfigResource::broker(1), one("max.connections", "30"));
        assert_eq!(image.connections_max(50), 30);
        image.configs.clear();
        assert_eq!(image.connections_max(50), 12);
    }

    #[test]
    fn what_the_broker_was_started_with_is_not_set_while_it_runs() {
        let key = "producer.id.expiration.ms";
        let mut image = Image { node_id: 1, ..Image::default() };
        image.settings = Arc::new(one(key, "7"));
        assert_eq!(image.producer_id_expiration_ms(), None);
        image.configs.insert(ConfigResource::broker_default(), one(key, "8"));
        assert_eq!(image.producer_id_expiration_ms(), Some(8));
    }
}
