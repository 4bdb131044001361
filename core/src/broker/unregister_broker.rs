//! UnregisterBroker (key 64): takes a broker out of the cluster's metadata.

use alloc::format;

use super::Broker;
use crate::api::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::request::{Response, ResponseBody};

impl Broker {
    /// The only broker that there is stays: Kafka lets it go, and is left with a cluster that no client can
    /// reach until it is started again.
    pub(super) fn handle_unregister_broker(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        request: &UnregisterBrokerRequest,
    ) {
        let broker_id = request.broker_id;
        let (error_code, message) = if broker_id == self.config.node_id {
            let message =
                format!("Broker ID {broker_id} is running, and the only one of this cluster.");
            (ErrorCode::INVALID_REQUEST, message)
        } else {
            let message = format!("Broker ID {broker_id} is not currently registered");
            (ErrorCode::BROKER_ID_NOT_REGISTERED, message)
        };
        let answer = UnregisterBrokerResponse {
            throttle_time_ms: 0,
            error_code,
            error_message: Some(message),
        };
        self.respond(from, Response { number, body: ResponseBody::UnregisterBroker(answer) });
    }
}
