//! UnregisterBroker (key 64): takes a broker out of the cluster's metadata
//! (`ReplicationControlManager.unregisterBroker`).
//!
//! Only a broker of a larger cluster, from which the directory comes, can be told to go.

use alloc::format;
use alloc::string::String;

use super::Broker;
use super::image::Partition;
use super::metadata_log::{AskedChange, Draft, Planned, Records};
use super::metadata_version::MetadataVersion;
use super::registration::{has_elr, partition_changes, resignation};
use crate::api::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::records::{PartitionChangeRecord, UnregisterBrokerRecord};
use crate::request::{Response, ResponseBody};

impl Broker {
    /// The only broker that lives stays: Kafka lets it go, and is left with a cluster that no client can reach
    /// until it is started again.
    pub(super) fn handle_unregister_broker(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        request: &UnregisterBrokerRequest,
    ) {
        let broker_id = request.broker_id;
        if broker_id != self.config.node_id {
            let what = AskedChange::UnregisterBroker(broker_id);
            return self.ask_for_change(from, number, what);
        }
        let message = format!("Broker ID {broker_id} is running, and the only one that is.");
        let body = answer(ErrorCode::INVALID_REQUEST, message);
        self.respond(from, Response { number, body });
    }
}

/// The registration ends, and with it the broker's part in each partition that it has been in sync with.
pub(super) fn plan_unregistration(broker_id: i32, draft: &Draft) -> Planned {
    let Some(registration) = draft.image().registrations.get(&broker_id) else {
        let message = format!("Broker ID {broker_id} is not currently registered");
        let answer = answer(ErrorCode::BROKER_ID_NOT_REGISTERED, message);
        return Planned::nothing(answer);
    };
    let version = MetadataVersion::of(draft.image()).partition_change();
    let has_elr = has_elr(draft.image());
    let left = |_, _, partition: &Partition| left_by(partition, broker_id, has_elr);
    let changes = partition_changes(draft.image(), left).into_iter();
    let mut records: Records = changes.map(|record| (record.into(), version)).collect();
    let broker_epoch = registration.broker_epoch;
    records.push((UnregisterBrokerRecord { broker_id, broker_epoch }.into(), 0));
    Planned { records, answer: answer(ErrorCode::NONE, String::new()) }
}

fn left_by(partition: &Partition, broker_id: i32, has_elr: bool) -> Option<PartitionChangeRecord> {
    if partition.leader == broker_id {
        return Some(resignation(partition, broker_id, has_elr));
    }
    let kept = partition.isr.iter().copied().filter(|node| *node != broker_id);
    let isr = Some(kept.collect());
    let is_in_sync = partition.isr.contains(&broker_id);
    is_in_sync.then(|| PartitionChangeRecord { isr, ..PartitionChangeRecord::default() })
}

fn answer(error_code: ErrorCode, message: String) -> ResponseBody {
    let error_message = Some(message);
    let answer = UnregisterBrokerResponse { throttle_time_ms: 0, error_code, error_message };
    ResponseBody::UnregisterBroker(answer)
}
