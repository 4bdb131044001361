//! The keys of a subscription to metrics of clients (`ClientMetricsConfigs`, KIP-714). They are kept
//! and told; no client is asked for metrics.

use super::{Key, ValueType};

/// A key of a subscription, by its name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// By name.
pub const KEYS: &[Key] = &[
    Key::new("interval.ms", ValueType::INT, Some("300000")),
    Key::new("match", ValueType::List(&[]), Some("")),
    Key::new("metrics", ValueType::List(&[]), Some("")),
];

/// What a client may be matched by.
pub const MATCHED: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];
