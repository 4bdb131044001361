//! CreatePartitions: topics get more partitions (`ControllerApis.createPartitions`,
//! `ReplicationControlManager.createPartitions`).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::assignment::{Layout, Placement};
use super::create::check_size;
use crate::api::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};
use crate::broker::Broker;
use crate::broker::metadata_log::{AskedChange, Draft, Planned, Records};
use crate::broker::occurrences::occurrences;
use crate::config::limits::METADATA_OPERATION_RECORDS_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::refusal::Refusal;
use crate::request::{Response, ResponseBody};
use crate::time::Instant;

/// A CreatePartitions request that waits for its turn.
#[derive(Debug)]
pub(in crate::broker) struct CreatePartitions {
    request: CreatePartitionsRequest,
    deadline: Instant,
}

impl CreatePartitions {
    /// The topics that are to grow.
    pub(in crate::broker) fn names(&self) -> impl Iterator<Item = &str> {
        self.request.topics.iter().map(|topic| topic.name.as_str())
    }
}

impl Broker {
    pub(in crate::broker) fn handle_create_partitions(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        request: CreatePartitionsRequest,
    ) {
        let Some(deadline) = self.change_deadline(request.timeout_ms) else {
            let body = refuse_all(&request, &Refusal::timed_out());
            return self.respond(from, Response { number, body });
        };
        let what = AskedChange::CreatePartitions(CreatePartitions { request, deadline });
        self.ask_for_change(from, number, what);
    }

    pub(in crate::broker) fn plan_create_partitions(
        &self,
        CreatePartitions { request, deadline }: CreatePartitions,
        draft: &Draft,
        placement: &mut Placement,
    ) -> Planned {
        if deadline < self.now.mono {
            return Planned::nothing(refuse_all(&request, &Refusal::timed_out()));
        }
        let times = occurrences(request.topics.iter().map(|topic| topic.name.as_str()));
        let layout = self.layout(draft);
        let mut records = Records::new();
        let mut results = Vec::with_capacity(request.topics.len());
        let mut told = BTreeSet::new();
        for topic in &request.topics {
            let judged = match times[topic.name.as_str()] {
                1 => grow(topic, draft, layout, placement, &mut records),
                _ if !told.insert(topic.name.as_str()) => continue,
                _ => Err(Refusal::duplicate_name()),
            };
            results.push(result(topic, judged.err()));
            if let Err(refusal) = check_size(&records) {
                return Planned::nothing(refuse_all(&request, &refusal));
            }
        }
        let answer = CreatePartitionsResponse { throttle_time_ms: 0, results };
        let answer = ResponseBody::CreatePartitions(answer);
        if request.validate_only { Planned::nothing(answer) } else { Planned { records, answer } }
    }
}

/// Adds the records of a topic's new partitions.
fn grow(
    topic: &CreatePartitionsTopic,
    draft: &Draft,
    layout: Layout,
    placement: &mut Placement,
    records: &mut Records,
) -> Result<(), Refusal> {
    let unknown = Refusal::mute(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let found = draft.topic(&topic.name).ok_or(unknown)?;
    let present = found.partitions.len() as i32;
    let too_few = |message| Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
    if topic.count == present {
        return too_few(format!("Topic already has {present} partition(s)."));
    }
    if topic.count < present {
        return too_few(format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            topic.name, topic.count
        ));
    }
    let additional = (topic.count - present) as usize;
    if let Some(assignments) = &topic.assignments {
        if assignments.len() != additional {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) \
                 were specified.",
                assignments.len()
            );
            return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        for assignment in assignments {
            layout.check_replicas(&assignment.broker_ids)?;
        }
    }
    // More than may be written at once is refused as a whole, and need not be made.
    let made = additional.min(METADATA_OPERATION_RECORDS_MAX + 1);
    for index in (present..topic.count).take(made) {
        let partition = layout.partition(found.id, index, placement);
        records.push((partition.into(), layout.version.partition()));
    }
    Ok(())
}

fn result(topic: &CreatePartitionsTopic, refusal: Option<Refusal>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) =
        refusal.map_or((ErrorCode::NONE, None), |refusal| (refusal.error, refusal.message));
    CreatePartitionsTopicResult { name: topic.name.clone(), error_code, error_message }
}

/// `CreatePartitionsRequest.getErrorResponse`.
fn refuse_all(request: &CreatePartitionsRequest, refusal: &Refusal) -> ResponseBody {
    let results = request.topics.iter().map(|topic| result(topic, Some(refusal.clone())));
    ResponseBody::CreatePartitions(CreatePartitionsResponse {
        throttle_time_ms: 0,
        results: results.collect(),
    })
}
