//! One file an API.
pub mod describe_topic_partitions;
pub mod metadata;
