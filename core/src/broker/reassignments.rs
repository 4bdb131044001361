//! AlterPartitionReassignments (key 45), as `ReplicationControlManager.alterPartitionReassignments` answers
//! it where one broker is registered.
//!
//! The only place to move to is this node. A partition that is here alone is there already; one that is led here,
//! of a directory that comes from a larger cluster, loses its replicas elsewhere. What would have to wait for a
//! broker that is gone is refused, where Kafka would wait for it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Broker;
use super::image::{Image, Partition};
use super::metadata_log::{AskedChange, Draft, Planned};
use super::metadata_version::MetadataVersion;
use super::registration::election;
use crate::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::query::Words;
use crate::records::PartitionChangeRecord;
use crate::refusal::Refusal;
use crate::request::{Response, ResponseBody};

impl Broker {
    pub(super) fn handle_alter_partition_reassignments(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        request: AlterPartitionReassignmentsRequest,
    ) {
        let answer = if request.topics.is_empty() {
            // Kafka's defaults, for it looks at nothing.
            AlterPartitionReassignmentsResponse {
                error_message: Some(String::new()),
                ..AlterPartitionReassignmentsResponse::default()
            }
        } else if request.timeout_ms <= 0 {
            timed_out(request)
        } else {
            let what = AskedChange::AlterPartitionReassignments(request);
            return self.ask_for_change(from, number, what);
        };
        let body = ResponseBody::AlterPartitionReassignments(answer);
        self.respond(from, Response { number, body });
    }

    pub(super) fn plan_reassignments(
        &self,
        request: AlterPartitionReassignmentsRequest,
        draft: &Draft,
    ) -> Planned {
        let asked = request.topics.iter().map(|topic| topic.partitions.len()).sum();
        let allows_change = request.allow_replication_factor_change;
        let record_version = MetadataVersion::of(draft.image()).partition_change();
        let (mut records, mut moved) = (Vec::new(), BTreeSet::new());
        let (mut responses, mut words) = (Vec::new(), Words::of(asked));
        for topic in request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                let planned = self.reassign(&topic.name, asked, allows_change, draft);
                let (error_code, error_message) = match planned {
                    Ok(change) => {
                        let new = |it: &PartitionChangeRecord| {
                            moved.insert((it.topic_id, it.partition_id))
                        };
                        let change = change.filter(new);
                        records.extend(change.map(|record| (record.into(), record_version)));
                        (ErrorCode::NONE, None)
                    }
                    Err(Refusal { error, message }) => (error, words.admit(message)),
                };
                let partition_index = asked.partition_index;
                let response =
                    ReassignablePartitionResponse { partition_index, error_code, error_message };
                partitions.push(response);
            }
            responses.push(ReassignableTopicResponse { name: topic.name, partitions });
        }
        let answer = AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: allows_change,
            responses,
            ..AlterPartitionReassignmentsResponse::default()
        };
        Planned { records, answer: ResponseBody::AlterPartitionReassignments(answer) }
    }

    /// The partition's change; `None` when it is where it is to be.
    fn reassign(
        &self,
        name: &str,
        asked: &ReassignablePartition,
        allows_change: bool,
        draft: &Draft,
    ) -> Result<Option<PartitionChangeRecord>, Refusal> {
        let index = asked.partition_index;
        let unknown = |text: String| Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text);
        let topic = draft
            .topic(name)
            .ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
        let partition = topic
            .partitions
            .get(&index)
            .ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
        let (replicas, isr) = match &asked.replicas {
            None => self.without_reassignment(name, index, partition)?,
            Some(target) => {
                self.check_assignment(target, draft.image())?;
                if !allows_change {
                    check_replication_factor(partition, target.len())?;
                }
                if *target == partition.replicas {
                    return Ok(None);
                }
                self.check_led(name, index, partition)?;
                (target.clone(), target.clone())
            }
        };
        let version = MetadataVersion::of(draft.image());
        let record = reassignment(partition, replicas, isr, self.config.node_id, version);
        Ok(Some(PartitionChangeRecord { topic_id: topic.id, partition_id: index, ..record }))
    }

    /// `ReplicationControlManager.validateManualPartitionAssignment`.
    fn check_assignment(&self, replicas: &[i32], image: &Image) -> Result<(), Refusal> {
        let refused = |what: String| {
            let text = format!("The manual partition assignment includes {what}");
            Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text))
        };
        if replicas.is_empty() {
            return refused("an empty replica list.".to_string());
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        if let Some(other) = sorted.iter().find(|node| **node != self.config.node_id) {
            if image.registrations.contains_key(other) {
                return refused(format!("broker {other}, which is not running."));
            }
            return refused(format!("broker {other}, but no such broker is registered."));
        }
        if sorted.len() > 1 {
            return refused(format!("the broker {} more than once.", self.config.node_id));
        }
        Ok(())
    }

    /// Without its other replicas the partition would have none with all that was answered.
    fn check_led(&self, name: &str, index: i32, partition: &Partition) -> Result<(), Refusal> {
        let node_id = self.config.node_id;
        if partition.leader == node_id {
            return Ok(());
        }
        let text = format!(
            "Unable to move partition {name}:{index}: broker {node_id} does not lead it, and no \
             other broker is registered."
        );
        Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text))
    }

    /// Replicas and in-sync replicas as they were before the reassignment (`PartitionReassignmentRevert`).
    fn without_reassignment(
        &self,
        name: &str,
        index: i32,
        partition: &Partition,
    ) -> Result<(Vec<i32>, Vec<i32>), Refusal> {
        if !partition.is_reassigned() {
            return Err(Refusal::mute(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS));
        }
        let kept = |nodes: &[i32]| -> Vec<i32> {
            nodes.iter().copied().filter(|node| !partition.adding.contains(node)).collect()
        };
        let (replicas, isr) = (kept(&partition.replicas), kept(&partition.isr));
        if partition.leader != self.config.node_id || !isr.contains(&partition.leader) {
            let text = format!(
                "Unable to revert partition assignment for {name}:{index} because it would require \
                 an unclean leader election."
            );
            return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text));
        }
        Ok((replicas, isr))
    }
}

/// Replicas that are being added or removed count as they will.
fn check_replication_factor(partition: &Partition, wanted: usize) -> Result<(), Refusal> {
    let mut nodes: BTreeSet<i32> = partition.replicas.iter().copied().collect();
    nodes.extend(&partition.adding);
    nodes.retain(|node| !partition.removing.contains(node));
    if nodes.len() == wanted {
        return Ok(());
    }
    let text = format!("The replication factor is changed from {} to {wanted}", nodes.len());
    Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, text))
}

/// The partition's change when its reassignment is over at once: this node leads it, in a new epoch.
fn reassignment(
    partition: &Partition,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    node_id: i32,
    version: MetadataVersion,
) -> PartitionChangeRecord {
    let directory_of = |node: &i32| {
        let at = partition.replicas.iter().position(|replica| replica == node);
        at.and_then(|at| partition.directories.get(at)).copied().unwrap_or(Uuid::ZERO)
    };
    let emptied = |nodes: &[i32]| (!nodes.is_empty()).then(Vec::new);
    let mut record = election(partition, node_id, version);
    // A record knows directories since its version 1.
    if version.partition_change() >= 1 && !partition.directories.is_empty() {
        record.directories = Some(replicas.iter().map(directory_of).collect());
    }
    record.removing_replicas = emptied(&partition.removing);
    record.adding_replicas = emptied(&partition.adding);
    record.replicas = Some(replicas);
    record.isr = (isr != partition.isr).then_some(isr);
    record
}

fn timed_out(request: AlterPartitionReassignmentsRequest) -> AlterPartitionReassignmentsResponse {
    let error_code = ErrorCode::REQUEST_TIMED_OUT;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| ReassignablePartitionResponse {
            partition_index: asked.partition_index,
            error_code,
            error_message: None,
        });
        ReassignableTopicResponse { name: topic.name, partitions: partitions.collect() }
    });
    AlterPartitionReassignmentsResponse {
        error_code,
        responses: topics.collect(),
        ..AlterPartitionReassignmentsResponse::default()
    }
}
