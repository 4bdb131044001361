//! ElectLeaders (key 43), as `ReplicationControlManager.electLeaders` answers it where one broker lives.
//!
//! Whatever can be led here is led from the start on. What is not has a leader that is gone, or a log that
//! cannot be used, and nobody who could take its place.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::words::Words;
use crate::api::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use crate::broker::image::{Image, NO_LEADER, Partition};
use crate::error_code::ErrorCode;
use crate::refusal::Refusal;

/// `ElectionType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Election {
    /// The first replica is to lead.
    Preferred,
    /// Whoever there is is to lead, where nobody does.
    Unclean,
}

/// Answers `request`.
pub fn answer(request: &ElectLeadersRequest, image: &Image) -> ElectLeadersResponse {
    // Nothing asked is answered before anything is looked at.
    if request.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return ElectLeadersResponse::default();
    }
    if request.timeout_ms <= 0 {
        return failure(request, ErrorCode::REQUEST_TIMED_OUT, None);
    }
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        unknown => {
            let message = format!("Unknown election type {unknown}");
            return failure(request, ErrorCode::INVALID_REQUEST, Some(message));
        }
    };
    let count = match &request.topic_partitions {
        Some(topics) => topics.iter().map(|topic| topic.partitions.len()).sum(),
        None => image.topics.values().map(|topic| topic.partitions.len()).sum(),
    };
    let mut words = Words::of(count);
    let mut refuse = |partition_id: i32, refusal: Refusal| PartitionResult {
        partition_id,
        error_code: refusal.error,
        error_message: words.admit(refusal.message),
    };
    let results = match &request.topic_partitions {
        Some(topics) => {
            let named = topics.iter().map(|asked| {
                let partitions = asked.partitions.iter();
                let refused = partitions.map(|index| {
                    refuse(*index, named_refusal(image, &asked.topic, *index, election))
                });
                ReplicaElectionResult {
                    topic: asked.topic.clone(),
                    partition_result: refused.collect(),
                }
            });
            named.collect()
        }
        // Those that need no election are not named then.
        None => {
            let all = image.topics.values().map(|topic| {
                let partitions = topic.partitions.iter();
                let unled = partitions.filter(|(_, partition)| !needs_none(partition, election));
                let refused = unled.map(|(index, _)| refuse(*index, unavailable(election)));
                ReplicaElectionResult {
                    topic: topic.name.to_string(),
                    partition_result: refused.collect(),
                }
            });
            all.collect()
        }
    };
    ElectLeadersResponse { replica_election_results: results, ..ElectLeadersResponse::default() }
}

fn named_refusal(image: &Image, name: &str, index: i32, election: Election) -> Refusal {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let Some(topic) = image.topics.get(name) else {
        return Refusal::new(unknown, format!("No such topic as {name}"));
    };
    match topic.partitions.get(&index) {
        None => Refusal::new(unknown, format!("No such partition as {name}-{index}")),
        Some(partition) if needs_none(partition, election) => {
            let message = "Leader election not needed for topic partition.";
            Refusal::new(ErrorCode::ELECTION_NOT_NEEDED, message)
        }
        Some(_) => unavailable(election),
    }
}

fn needs_none(partition: &Partition, election: Election) -> bool {
    match election {
        Election::Preferred => partition.replicas.first() == Some(&partition.leader),
        Election::Unclean => partition.leader != NO_LEADER,
    }
}

fn unavailable(election: Election) -> Refusal {
    let (error, message) = match election {
        Election::Preferred => {
            (ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available.")
        }
        Election::Unclean => (
            ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
            "Eligible topic partition leaders are not available.",
        ),
    };
    Refusal::new(error, message)
}

/// The same for every partition that was named.
fn failure(
    request: &ElectLeadersRequest,
    error_code: ErrorCode,
    message: Option<String>,
) -> ElectLeadersResponse {
    let named = request.topic_partitions.iter().flatten();
    let mut words = Words::of(named.map(|topic| topic.partitions.len()).sum());
    let topics = request.topic_partitions.iter().flatten();
    let results = topics.map(|asked| {
        let partitions = asked.partitions.iter().map(|index| PartitionResult {
            partition_id: *index,
            error_code,
            error_message: words.admit(message.clone()),
        });
        let partition_result = partitions.collect();
        ReplicaElectionResult { topic: asked.topic.clone(), partition_result }
    });
    ElectLeadersResponse {
        throttle_time_ms: 0,
        error_code,
        replica_election_results: results.collect(),
    }
}
