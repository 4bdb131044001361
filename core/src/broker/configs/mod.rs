//! Settings of topics, brokers, groups and client metrics: checked, told, and changed.

mod alter;
mod check;
mod layers;
mod running;
mod topics;

pub(super) use alter::ConfigChanges;
pub(crate) use layers::{BrokerLayers, Synonym, find as find_broker_key};
pub(crate) use topics::TopicLayers;
pub use topics::{Described, check_topic_setting, check_topic_settings, describe_topic};

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
pub mod source {
    /// The topic's own setting.
    pub const TOPIC: i8 = 1;
    /// Set for this broker while it ran.
    pub const DYNAMIC_BROKER: i8 = 2;
    /// Set for all brokers while they ran.
    pub const DYNAMIC_DEFAULT_BROKER: i8 = 3;
    /// What the broker was started with.
    pub const STATIC_BROKER: i8 = 4;
    /// Nobody said anything.
    pub const DEFAULT: i8 = 5;
    /// The subscription's own setting.
    pub const CLIENT_METRICS: i8 = 7;
    /// The group's own setting.
    pub const GROUP: i8 = 8;
}
