//! What a node writes of itself into the metadata log: when it starts, and when it stops
//! (`QuorumController`, `ClusterControlManager`, `ReplicationControlManager`).

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::format::KRAFT_VERSION;
use super::image::{ConfigResource, Image, NO_LEADER, Partition};
use super::metadata_log::Draft;
use super::metadata_version::{METADATA_VERSION, MetadataVersion};
use super::{Broker, PartitionState};
use crate::config::Listener;
use crate::ids::Uuid;
use crate::query::{FEATURES, Feature};
use crate::records::{
    AbortTransactionRecord, BeginTransactionRecord, BrokerEndpoint, BrokerFeature,
    BrokerRegistrationChangeRecord, ChangeVoter, ConfigRecord, ControlRecord, EndTransactionRecord,
    KRaftVersionRecord, LeaderChangeMessage, MetadataRecord, PartitionChangeRecord,
    RegisterBrokerRecord, RegisterControllerRecord, VotersRecord,
};

/// The feature of eligible leader replicas (KIP-966).
pub(super) const ELR_VERSION: &str = "eligible.leader.replicas.version";
/// The setting that it depends on.
pub(super) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
/// `BrokerRegistrationFencingChange`.
const FENCE: i8 = 1;
const UNFENCE: i8 = -1;

/// A node's start.
#[derive(Debug)]
pub(super) struct Join {
    /// Of its registration as a controller.
    pub(super) controller_incarnation: Uuid,
    /// Of its registration as a broker.
    pub(super) incarnation: Uuid,
    /// The log ends inside a transaction, which nobody will complete.
    pub(super) ends_in_transaction: bool,
    /// The quorum, for a log that is empty.
    pub(super) voters: Option<VotersRecord>,
    /// The records of `bootstrap.checkpoint`, for a cluster that is blank.
    pub(super) bootstrap: Option<Vec<MetadataRecord>>,
}

impl Broker {
    /// The records of a start: the quorum's leader, the cluster's first ones where there are none,
    /// both registrations, and an election for each partition that has no leader.
    pub(super) fn draft_join(&self, join: Join, draft: &mut Draft) {
        let node_id = self.config.node_id;
        let voters = vec![ChangeVoter { voter_id: node_id, ..ChangeVoter::default() }];
        let leader_change = LeaderChangeMessage {
            version: 0,
            leader_id: node_id,
            voters: voters.clone(),
            granting_voters: voters,
        };
        let mut control = vec![ControlRecord::LeaderChange(leader_change)];
        if let Some(voters) = join.voters {
            let level = KRaftVersionRecord { version: 0, kraft_version: KRAFT_VERSION };
            control.push(ControlRecord::KRaftVersion(level));
            control.push(ControlRecord::KRaftVoters(voters));
        }
        draft.push_control(&control);
        if join.ends_in_transaction {
            draft.push(AbortTransactionRecord { reason: Some("failover".to_string()) }, 0);
        }
        if let Some(bootstrap) = join.bootstrap {
            draft_bootstrap(bootstrap, draft);
        }
        let version = MetadataVersion::of(draft.image());
        if version.has_controller_registration() {
            draft.push(self.register_controller(join.controller_incarnation), 0);
        }
        let broker_epoch = draft.next_offset();
        draft.push(
            self.register_broker(join.incarnation, broker_epoch, version),
            version.register_broker(),
        );
        let change = BrokerRegistrationChangeRecord {
            broker_id: node_id,
            broker_epoch,
            ..BrokerRegistrationChangeRecord::default()
        };
        if version.has_cordoned_directories() {
            let cordoned_log_dirs = Some(Vec::new());
            draft.push(BrokerRegistrationChangeRecord { cordoned_log_dirs, ..change.clone() }, 3);
        }
        draft.push(BrokerRegistrationChangeRecord { fenced: UNFENCE, ..change }, 0);
        let is_online = |topic_id, index| {
            matches!(self.partitions.get(&(topic_id, index)), Some(PartitionState::Online(_)))
        };
        let elect = |topic_id, index, partition: &Partition| {
            let elects = partition.leader == NO_LEADER && is_online(topic_id, index);
            elects.then(|| election(partition, node_id, version))
        };
        draft_partition_changes(draft, version, elect);
    }

    /// The records of a clean stop, in one batch: without them a Kafka on this directory would wait
    /// ten seconds for the session of a broker that is gone.
    pub(super) fn draft_leave(&self, draft: &mut Draft) {
        let node_id = self.config.node_id;
        let Some(registration) = draft.image().registration() else { return };
        let change = BrokerRegistrationChangeRecord {
            broker_id: node_id,
            broker_epoch: registration.broker_epoch,
            ..BrokerRegistrationChangeRecord::default()
        };
        let version = MetadataVersion::of(draft.image());
        let has_elr = has_elr(draft.image());
        let mut led = draft.image().topics_by_id.values().flat_map(|it| it.partitions.values());
        if led.any(|partition| partition.leader == node_id) {
            let in_controlled_shutdown = 1;
            draft.push(
                BrokerRegistrationChangeRecord { in_controlled_shutdown, ..change.clone() },
                1,
            );
            let resign = |_, _, partition: &Partition| {
                (partition.leader == node_id).then(|| resignation(partition, node_id, has_elr))
            };
            draft_partition_changes(draft, version, resign);
        }
        draft.push(BrokerRegistrationChangeRecord { fenced: FENCE, ..change }, 0);
    }

    /// What a running node tells of itself anew when `metadata.version` has risen from `before`: with the levels
    /// come registrations of controllers, and log directories and cordoned ones among those of brokers
    /// (`ControllerRegistrationManager`, `BrokerRegistrationTracker`). Its incarnation and epoch stay.
    pub(super) fn draft_registrations_since(
        &self,
        before: MetadataVersion,
        controller_incarnation: Uuid,
        draft: &mut Draft,
    ) {
        let version = MetadataVersion::of(draft.image());
        if version.has_controller_registration() && !before.has_controller_registration() {
            draft.push(self.register_controller(controller_incarnation), 0);
        }
        let Some(last) = draft.image().registration() else { return };
        let (incarnation, broker_epoch, fenced) =
            (last.incarnation_id, last.broker_epoch, last.fenced);
        if version.has_directories() && !before.has_directories() {
            let again = self.register_broker(incarnation, broker_epoch, version);
            draft.push(RegisterBrokerRecord { fenced, ..again }, version.register_broker());
        }
        if version.has_cordoned_directories() && !before.has_cordoned_directories() {
            let change = BrokerRegistrationChangeRecord {
                broker_id: self.config.node_id,
                broker_epoch,
                cordoned_log_dirs: Some(Vec::new()),
                ..BrokerRegistrationChangeRecord::default()
            };
            draft.push(change, 3);
        }
    }

    fn register_controller(&self, incarnation_id: Uuid) -> RegisterControllerRecord {
        RegisterControllerRecord {
            controller_id: self.config.node_id,
            incarnation_id,
            zk_migration_ready: false,
            end_points: vec![endpoint(&self.config.controller)],
            features: features(),
        }
    }

    fn register_broker(
        &self,
        incarnation_id: Uuid,
        broker_epoch: i64,
        version: MetadataVersion,
    ) -> RegisterBrokerRecord {
        let online = self.directories.iter().filter(|directory| directory.is_online());
        let has_directories = version.has_directories();
        let ids = online.filter_map(|directory| directory.found.directory_id);
        RegisterBrokerRecord {
            broker_id: self.config.node_id,
            incarnation_id,
            broker_epoch,
            end_points: self.config.advertised.iter().map(endpoint).collect(),
            features: features(),
            rack: None,
            fenced: true,
            log_dirs: ids.filter(|_| has_directories).collect(),
            ..RegisterBrokerRecord::default()
        }
    }
}

/// The cluster's first records, as one transaction where its level has them
/// (`ActivationRecordsGenerator`). With eligible leader replicas, `min.insync.replicas` is a setting
/// of the cluster.
fn draft_bootstrap(bootstrap: Vec<MetadataRecord>, draft: &mut Draft) {
    let level = |name: &str| {
        bootstrap.iter().find_map(|record| match record {
            MetadataRecord::FeatureLevel(feature) if feature.name == name => {
                Some(feature.feature_level)
            }
            _ => None,
        })
    };
    let has_elr = level(ELR_VERSION).is_some_and(|level| level > 0);
    let version = level(METADATA_VERSION).map_or(MetadataVersion::LATEST, MetadataVersion::at);
    let has_transactions = version.has_transactions();
    if has_transactions {
        draft.push(BeginTransactionRecord { name: Some("Bootstrap records".to_string()) }, 0);
    }
    for record in bootstrap {
        let version = record.version_max();
        draft.push(record, version);
    }
    if has_elr {
        draft.push(min_insync_setting(1), 0);
    }
    if has_transactions {
        draft.push(EndTransactionRecord {}, 0);
    }
    draft.end_batch();
}

/// `min.insync.replicas` of all brokers.
pub(super) fn min_insync_setting(count: u32) -> ConfigRecord {
    let ConfigResource { resource_type, name } = ConfigResource::broker_default();
    ConfigRecord {
        resource_type,
        resource_name: name,
        name: MIN_INSYNC_REPLICAS.to_string(),
        value: Some(count.to_string()),
    }
}

/// Drafts what `change` gives for each partition.
fn draft_partition_changes(
    draft: &mut Draft,
    version: MetadataVersion,
    change: impl Fn(Uuid, i32, &Partition) -> Option<PartitionChangeRecord>,
) {
    for record in partition_changes(draft.image(), change) {
        draft.push(record, version.partition_change());
    }
}

/// What `change` gives for each partition, which it need not name.
pub(super) fn partition_changes(
    image: &Image,
    change: impl Fn(Uuid, i32, &Partition) -> Option<PartitionChangeRecord>,
) -> Vec<PartitionChangeRecord> {
    let mut changes = Vec::new();
    for (topic_id, topic) in &image.topics_by_id {
        for (index, partition) in &topic.partitions {
            let record = change(*topic_id, *index, partition);
            let placed = |record| PartitionChangeRecord {
                topic_id: *topic_id,
                partition_id: *index,
                ..record
            };
            changes.extend(record.map(placed));
        }
    }
    changes
}

/// The only live replica leads. Its log has been recovered, so there is no recovery to wait for.
pub(super) fn election(
    partition: &Partition,
    node_id: i32,
    version: MetadataVersion,
) -> PartitionChangeRecord {
    let mut record = PartitionChangeRecord { leader: node_id, ..PartitionChangeRecord::default() };
    if !partition.isr.contains(&node_id) {
        record.isr = Some(vec![node_id]);
    }
    if partition.leader_recovery_state != 0 {
        record.leader_recovery_state = 0;
    }
    if version.partition_change() >= 2 {
        let emptied = |nodes: &[i32]| (!nodes.is_empty()).then(Vec::new);
        record.eligible_leader_replicas = emptied(&partition.elr);
        record.last_known_elr = emptied(&partition.last_known_elr);
    }
    record
}

/// Whether the cluster knows eligible leader replicas.
pub(super) fn has_elr(image: &Image) -> bool {
    image.features.get(ELR_VERSION).is_some_and(|level| *level > 0)
}

/// The partition is left without a leader. With eligible leader replicas (KIP-966) this one is
/// known to have everything; without them it stays in sync, since someone must be.
pub(super) fn resignation(
    partition: &Partition,
    node_id: i32,
    has_elr: bool,
) -> PartitionChangeRecord {
    let mut record =
        PartitionChangeRecord { leader: NO_LEADER, ..PartitionChangeRecord::default() };
    if has_elr {
        let others = |nodes: &[i32]| -> Vec<i32> {
            nodes.iter().copied().filter(|node| *node != node_id).collect()
        };
        let mut eligible = others(&partition.elr);
        eligible.push(node_id);
        record.isr = Some(others(&partition.isr));
        record.eligible_leader_replicas = Some(eligible);
        record.last_known_elr = Some(vec![node_id]);
    }
    record
}

/// PLAINTEXT, the only protocol that is served (`SecurityProtocol`).
fn endpoint(listener: &Listener) -> BrokerEndpoint {
    BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: 0,
    }
}

fn features() -> Vec<BrokerFeature> {
    let feature = |it: &Feature| BrokerFeature {
        name: it.name.to_string(),
        min_supported_version: it.min,
        max_supported_version: it.max,
    };
    FEATURES.iter().map(feature).collect()
}
