//! InitProducerId: ids for producers, drawn from blocks that stand in the metadata log
//! (`RPCProducerIdManager`, `ProducerIdControlManager`).
//!
//! A block is this node's once its record is durable, and none of its ids is given before; what a
//! stop or a crash leaves of it is never given. The next block is asked for before the last one is
//! used up, and all who have to wait share it. Kafka answers those with COORDINATOR_LOAD_IN_PROGRESS
//! instead.

use alloc::collections::VecDeque;
use core::ops::Range;

use super::Broker;
use super::metadata_log::{Change, Draft};
use crate::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::config::limits::TRANSACTION_TIMEOUT_MS_MAX;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::records::ProducerIdsRecord;
use crate::request::{Response, ResponseBody};

/// Ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const BLOCK_IDS: i64 = 1_000;

/// With so few ids left the next block is asked for (`ProducerIdManager.PID_PREFETCH_THRESHOLD`).
const LOW_IDS: i64 = BLOCK_IDS / 10;

/// The ids that this node may give, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    /// What is left of the present block.
    present: Range<i64>,
    /// The block behind it.
    next: Range<i64>,
    /// A block is on its way to the metadata log.
    is_asked: bool,
    waiting: VecDeque<(ConnectionId, RequestNumber)>,
}

impl ProducerIds {
    fn draw(&mut self) -> Option<i64> {
        if self.present.is_empty() {
            self.present = core::mem::take(&mut self.next);
        }
        self.present.next()
    }

    fn left(&self) -> i64 {
        let length = |ids: &Range<i64>| ids.end - ids.start;
        length(&self.present) + length(&self.next)
    }

    /// Nobody waits for these answers any more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|(waiting, _)| *waiting != connection);
    }
}

impl Broker {
    pub(super) fn handle_init_producer_id(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: &InitProducerIdRequest,
    ) {
        if let Err(error) = check(request) {
            self.answer_init_producer_id(connection, number, Err(error));
            return;
        }
        self.producer_ids.waiting.push_back((connection, number));
        self.give_producer_ids();
    }

    /// A change of the image is durable, by which `ids` were taken: if they were asked for, they are
    /// this node's.
    pub(super) fn take_producer_ids(&mut self, ids: Range<i64>) {
        if ids.is_empty() || !core::mem::take(&mut self.producer_ids.is_asked) {
            return;
        }
        debug_assert!(self.producer_ids.next.is_empty(), "one block is asked for at a time");
        self.producer_ids.next = ids;
        self.give_producer_ids();
    }

    /// Writes the next block down.
    pub(super) fn draft_producer_ids(&self, draft: &mut Draft) {
        let next_producer_id = draft.image().next_producer_id.saturating_add(BLOCK_IDS);
        let broker_epoch = draft.image().registration().map_or(-1, |own| own.broker_epoch);
        let broker_id = self.config.node_id;
        draft.push(ProducerIdsRecord { broker_id, broker_epoch, next_producer_id }, 0);
    }

    fn give_producer_ids(&mut self) {
        while let Some(&(connection, number)) = self.producer_ids.waiting.front() {
            let Some(id) = self.producer_ids.draw() else { break };
            self.producer_ids.waiting.pop_front();
            self.answer_init_producer_id(connection, number, Ok(id));
        }
        if self.producer_ids.left() > LOW_IDS || self.producer_ids.is_asked {
            return;
        }
        if self.image.next_producer_id <= i64::MAX - BLOCK_IDS {
            self.producer_ids.is_asked = true;
            self.change_metadata(Change::ProducerIds);
            return;
        }
        // Every id there is has been given, or stands in a block.
        for (connection, number) in core::mem::take(&mut self.producer_ids.waiting) {
            let error = ErrorCode::UNKNOWN_SERVER_ERROR;
            self.answer_init_producer_id(connection, number, Err(error));
        }
    }

    fn answer_init_producer_id(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        given: Result<i64, ErrorCode>,
    ) {
        let (error_code, producer_id, producer_epoch) = match given {
            Ok(id) => (ErrorCode::NONE, id, 0),
            Err(error) => (error, -1, -1),
        };
        let answer =
            InitProducerIdResponse { throttle_time_ms: 0, error_code, producer_id, producer_epoch };
        self.respond(connection, Response { number, body: ResponseBody::InitProducerId(answer) });
    }
}

/// An id and an epoch that the producer has are to be given together, and change nothing without a
/// transactional id; with one, there is no coordinator here (`KafkaApis`, `TransactionCoordinator`).
fn check(request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    match request.transactional_id.as_deref() {
        None => Ok(()),
        Some("") => Err(ErrorCode::INVALID_REQUEST),
        Some(_) if !(1..=TRANSACTION_TIMEOUT_MS_MAX).contains(&request.transaction_timeout_ms) => {
            Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT)
        }
        Some(_) => Err(ErrorCode::NOT_COORDINATOR),
    }
}
