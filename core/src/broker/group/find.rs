//! FindCoordinator: which broker coordinates a group (`KafkaApis.getCoordinator`).

use alloc::string::{String, ToString};
use alloc::vec;

use super::OFFSETS_TOPIC;
use super::home::partition_for;
use crate::api::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::broker::Broker;
use crate::broker::image::Topic;
use crate::broker::metadata_log::Change;
use crate::config::Listener;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber, Uuid};
use crate::query::partition_view::endpoint;
use crate::query::{MALFORMED, Words};
use crate::request::{Response, ResponseBody};

/// `FindCoordinatorRequest.CoordinatorType`.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// From here on many keys are asked for at once.
const KEYS_SINCE: i16 = 4;
/// From here on the coordinators of share groups may be asked for.
const SHARE_SINCE: i16 = 6;

impl Broker {
    pub(in crate::broker) fn handle_find_coordinator(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: FindCoordinatorRequest,
    ) {
        let response = if version >= KEYS_SINCE {
            // Kafka has words only for what fails the whole request.
            let is_known = matches!(request.key_type, GROUP | TRANSACTION | SHARE);
            let mut admitted = Words::of(request.coordinator_keys.len());
            let mut words = |error: ErrorCode| {
                if is_known { Some(String::new()) } else { admitted.admit(Some(words(error))) }
            };
            let coordinators = request.coordinator_keys.into_iter().map(|key| {
                let found = self.coordinator(connection, version, request.key_type, &key);
                let error_message = match &found {
                    Ok(_) => Some(String::new()),
                    Err(error) => words(*error),
                };
                let (error_code, node_id, host, port) = told(found);
                Coordinator { key, node_id, host, port, error_code, error_message }
            });
            FindCoordinatorResponse {
                coordinators: coordinators.collect(),
                ..FindCoordinatorResponse::default()
            }
        } else {
            let found = self.coordinator(connection, version, request.key_type, &request.key);
            let error_message = match &found {
                Ok(_) => Some("NONE".to_string()),
                Err(error) => Some(words(*error)),
            };
            let (error_code, node_id, host, port) = told(found);
            FindCoordinatorResponse {
                error_code,
                error_message,
                node_id,
                host,
                port,
                ..FindCoordinatorResponse::default()
            }
        };
        self.respond(
            connection,
            Response { number, body: ResponseBody::FindCoordinator(response) },
        );
    }

    fn coordinator(
        &mut self,
        connection: ConnectionId,
        version: i16,
        key_type: i8,
        key: &str,
    ) -> Result<(i32, Listener), ErrorCode> {
        match key_type {
            GROUP => {}
            // There is no coordinator of transactions here, and none of share groups.
            TRANSACTION => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            SHARE if version >= SHARE_SINCE && names_share_partition(key) => {
                return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            }
            _ => return Err(ErrorCode::INVALID_REQUEST),
        }
        let Some(topic) = self.image.topics.get(OFFSETS_TOPIC) else {
            self.create_offsets_topic();
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        };
        self.leader_endpoint(connection, topic, key).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
    }

    fn leader_endpoint(
        &self,
        connection: ConnectionId,
        topic: &Topic,
        group_id: &str,
    ) -> Option<(i32, Listener)> {
        let listener = self.connections.get(&connection)?;
        let index = partition_for(group_id, topic.partitions.len() as i32);
        let partition = topic.partitions.get(&index)?.as_led_here(self.image.node_id);
        let broker = self.image.brokers.get(&partition.leader)?;
        let endpoint = endpoint(broker, &listener.listener)?;
        Some((partition.leader, endpoint.clone()))
    }

    /// On first use; whoever asks meanwhile asks for nothing more.
    fn create_offsets_topic(&mut self) {
        if self.auto_creations.insert(OFFSETS_TOPIC.to_string()) {
            self.change_metadata(Change::AutoCreate(vec![OFFSETS_TOPIC.to_string()]));
        }
    }
}

/// A group, a topic's id and a partition (`SharePartitionKey.getInstance`).
fn names_share_partition(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let partition = parts.next().is_some_and(|part| part.parse::<i32>().is_ok());
    let topic = parts.next().is_some_and(|part| Uuid::parse(part).is_some());
    partition && topic && parts.next().is_some_and(|group| !group.trim().is_empty())
}

/// An answer's error, node, host and port.
fn told(found: Result<(i32, Listener), ErrorCode>) -> (ErrorCode, i32, String, i32) {
    match found {
        Ok((node_id, node)) => (ErrorCode::NONE, node_id, node.host, i32::from(node.port)),
        Err(error) => (error, -1, String::new(), -1),
    }
}

/// Kafka's words for it (`Errors`).
fn words(error: ErrorCode) -> String {
    let words = match error {
        ErrorCode::INVALID_REQUEST => MALFORMED,
        _ => "The coordinator is not available.",
    };
    words.to_string()
}

#[cfg(test)]
mod tests {
    use super::names_share_partition;

    #[test]
    fn partitions_of_share_groups_are_read_from_the_right() {
        assert!(names_share_partition("g:AAAAAAAAAAAAAAAAAAAAAQ:0"));
        assert!(names_share_partition("a:b:AAAAAAAAAAAAAAAAAAAAAQ:7"));
        for bad in ["", "bad", " :AAAAAAAAAAAAAAAAAAAAAQ:0", "g:id:0", "g:AAAAAAAAAAAAAAAAAAAAAQ:x"]
        {
            assert!(!names_share_partition(bad), "{bad}");
        }
    }
}
