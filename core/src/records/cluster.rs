//! Records about nodes, features and the metadata log itself.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::ids::Uuid;

message! {
    /// A broker has started. Version 1 adds controlled shutdown, 2 the migration from ZooKeeper,
    /// 3 log directories (KIP-858), 4 cordoned ones (KIP-1066).
    pub struct RegisterBrokerRecord (versions: 0..=4, flexible: 0..) {
        /// Its node id.
        broker_id: i32 { versions: 0.. },
        /// It came from ZooKeeper.
        is_migrating_zk_broker: bool { versions: 2.. },
        /// Drawn anew by each process.
        incarnation_id: Uuid { versions: 0.. },
        /// The offset of this record.
        broker_epoch: i64 { versions: 0.. },
        /// Where it is reached.
        end_points: Vec<BrokerEndpoint> { versions: 0.. },
        /// The features that it supports.
        features: Vec<BrokerFeature> { versions: 0.. },
        /// Its rack, if it has one.
        rack: Option<String> { versions: 0.., nullable: 0.., default: Some(String::new()) },
        /// It serves no clients yet.
        fenced: bool { versions: 0.., default: true },
        /// It is about to stop.
        in_controlled_shutdown: bool { versions: 1.. },
        /// Ids of its log directories that are online.
        log_dirs: Vec<Uuid> { versions: 3.., tag: 0 },
        /// Ids of those that take no new partitions; null until the broker tells.
        cordoned_log_dirs: Option<Vec<Uuid>> { versions: 4.., nullable: 4.., tag: 1 },
    }

    /// Where a broker is reached.
    pub struct BrokerEndpoint {
        /// The listener's name.
        name: String { versions: 0.. },
        /// Its host.
        host: String { versions: 0.. },
        /// The port there.
        port: u16 { versions: 0.. },
        /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
        security_protocol: i16 { versions: 0.. },
    }

    /// A feature that a broker supports.
    pub struct BrokerFeature {
        /// Its name.
        name: String { versions: 0.. },
        /// First level supported.
        min_supported_version: i16 { versions: 0.. },
        /// Last level supported.
        max_supported_version: i16 { versions: 0.. },
    }

    /// A broker is gone for good.
    pub struct UnregisterBrokerRecord (versions: 0..=0, flexible: 0..) {
        /// Its node id.
        broker_id: i32 { versions: 0.. },
        /// Of the registration that ends.
        broker_epoch: i64 { versions: 0.. },
    }

    /// A broker is fenced, as written before metadata version 3.1.
    pub struct FenceBrokerRecord (versions: 0..=0, flexible: 0..) {
        /// Its node id.
        id: i32 { versions: 0.. },
        /// Its epoch.
        epoch: i64 { versions: 0.. },
    }

    /// A broker is unfenced, as written before metadata version 3.1.
    pub struct UnfenceBrokerRecord (versions: 0..=0, flexible: 0..) {
        /// Its node id.
        id: i32 { versions: 0.. },
        /// Its epoch.
        epoch: i64 { versions: 0.. },
    }

    /// A broker's registration changes. Version 1 adds controlled shutdown, 2 log directories,
    /// 3 cordoned ones.
    pub struct BrokerRegistrationChangeRecord (versions: 0..=3, flexible: 0..) {
        /// Its node id.
        broker_id: i32 { versions: 0.. },
        /// Its epoch.
        broker_epoch: i64 { versions: 0.. },
        /// -1 unfenced, 0 no change, 1 fenced.
        fenced: i8 { versions: 0.., tag: 0 },
        /// 0 no change, 1 about to stop.
        in_controlled_shutdown: i8 { versions: 1.., tag: 1 },
        /// Ids of its log directories that are online; empty for no change.
        log_dirs: Vec<Uuid> { versions: 2.., tag: 2 },
        /// Ids of those that take no new partitions; null for no change.
        cordoned_log_dirs: Option<Vec<Uuid>> { versions: 3.., nullable: 3.., tag: 3 },
    }

    /// A controller has started.
    pub struct RegisterControllerRecord (versions: 0..=0, flexible: 0..) {
        /// Its node id.
        controller_id: i32 { versions: 0.. },
        /// Drawn anew by each process.
        incarnation_id: Uuid { versions: 0.. },
        /// It is configured for the migration from ZooKeeper.
        zk_migration_ready: bool { versions: 0.. },
        /// Where it is reached.
        end_points: Vec<BrokerEndpoint> { versions: 0.. },
        /// The features that it supports.
        features: Vec<BrokerFeature> { versions: 0.. },
    }

    /// A controller is gone for good.
    pub struct UnregisterControllerRecord (versions: 0..=0, flexible: 0..) {
        /// Its node id.
        controller_id: i32 { versions: 0.. },
    }

    /// A feature's level.
    pub struct FeatureLevelRecord (versions: 0..=0, flexible: 0..) {
        /// The feature.
        name: String { versions: 0.. },
        /// Its level; 0 turns it off.
        feature_level: i16 { versions: 0.. },
    }

    /// A block of producer ids is given out.
    pub struct ProducerIdsRecord (versions: 0..=0, flexible: 0..) {
        /// The broker that asked for it.
        broker_id: i32 { versions: 0.. },
        /// Its epoch.
        broker_epoch: i64 { versions: 0.., default: -1 },
        /// The first id of the next block.
        next_producer_id: i64 { versions: 0.. },
    }

    /// Nothing: it moves the end of the log on.
    pub struct NoOpRecord (versions: 0..=0, flexible: 0..) {}

    /// The records up to the transaction's end count together or not at all (KIP-868).
    pub struct BeginTransactionRecord (versions: 0..=0, flexible: 0..) {
        /// What it is for.
        name: Option<String> { versions: 0.., nullable: 0.., tag: 0 },
    }

    /// The transaction's records count.
    pub struct EndTransactionRecord (versions: 0..=0, flexible: 0..) {}

    /// The transaction's records do not count.
    pub struct AbortTransactionRecord (versions: 0..=0, flexible: 0..) {
        /// Why.
        reason: Option<String> { versions: 0.., nullable: 0.., tag: 0 },
    }

    /// A state of the former migration from ZooKeeper.
    pub struct ZkMigrationStateRecord (versions: 0..=0, flexible: 0..) {
        /// 0 none, 1 migration, 2 before, 3 after.
        zk_migration_state: i8 { versions: 0.. },
    }
}
