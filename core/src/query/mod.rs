//! Answers that the image alone gives. Pure functions: request and image in, response out.

pub mod api_versions;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod list_config_resources;
pub mod list_partition_reassignments;
pub mod metadata;
pub(crate) mod partition_view;
pub mod security;
#[cfg(test)]
mod tests;
pub mod topic_name;
mod words;

pub(crate) use api_versions::{FEATURES, Feature, KRAFT_VERSION};
pub(crate) use words::{MALFORMED, Words};

/// What a client without restrictions may do with a topic (`AclEntry.supportedOperations`, as the
/// bits of `AclOperation`): read, write, create, delete, alter, describe and both of configs.
const TOPIC_OPERATIONS: i32 = 3576;

/// The same for the cluster: create, cluster action, describe, alter, both of configs and
/// idempotent write.
const CLUSTER_OPERATIONS: i32 = 8096;
