//! Batches that belong to a transaction. There is no transaction coordinator here, so none of their
//! partitions can have been added to a transaction: they are refused as Kafka refuses them while its
//! own coordinator cannot be found (`ReplicaManager.handleProduceAppend`).

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::batch::{BatchHeader, Fault};
use crate::error_code::ErrorCode;

/// A code that clients of every version retry without asking for new metadata; the words name the
/// real reason, in the versions whose answers have words.
const MESSAGE: &str = "Unable to verify the partition has been added to the transaction. \
                       Underlying error: COORDINATOR_NOT_AVAILABLE";

/// Why a transactional batch is not appended; `None` for any other batch. `records` begin with a
/// whole batch.
pub(super) fn refusal(records: &[u8]) -> Option<Fault> {
    let header = BatchHeader::parse(records)?;
    header.attributes.is_transactional().then(|| Fault {
        error: ErrorCode::NOT_ENOUGH_REPLICAS,
        message: Some(MESSAGE.to_string()),
        record_errors: Vec::new(),
        knows_log_start: false,
    })
}
