//! A witness of what a running driver does to its disk and says to its peers.

use klamm_core::effect::{FileRef, IoError, Operation, OperationResult};
use klamm_core::ids::{ConnectionId, EffectId};
use klamm_core::request::{Request, Response};

/// Sees every operation and every answer, from the threads that do them.
///
/// The order of the calls is the order that holds: an operation's end is told before its completion
/// reaches the broker, and an answer before its connection can see it. So whatever had not ended
/// when an answer was told was not there when the answer was given.
pub trait Recorder: Send + Sync {
    /// The broker is about to be asked this.
    fn asked(&self, connection: ConnectionId, request: &Request) {
        let _ = (connection, request);
    }

    /// The operation is about to be carried out.
    fn operation_started(&self, effect: EffectId, operation: &Operation);

    /// The operation has been carried out, or has failed.
    fn operation_ended(
        &self,
        effect: EffectId,
        operation: &Operation,
        result: &Result<OperationResult, IoError>,
    );

    /// The broker has answered; `response` has the request's number.
    fn answered(&self, connection: ConnectionId, response: &Response);

    /// These bytes are about to be handed to the connection's socket, which may take a part of them
    /// only; what it does not take is told again.
    fn sending(&self, connection: ConnectionId, bytes: &[u8]);

    /// The same for bytes that leave from a file unread.
    fn sending_range(&self, connection: ConnectionId, file: &FileRef, position: u64, length: u64);

    /// The socket has taken so many bytes of what was told since the last call.
    fn sent(&self, connection: ConnectionId, bytes: u64);
}
