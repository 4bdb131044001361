//! What a control batch says of its producer's transaction (`EndTransactionMarker`).

use bytes::Bytes;

use crate::batch::{BatchHeader, RecordFault, Records};
use crate::records::{ControlRecord, RecordError};

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndMarker {
    /// Whether its records are to be dropped.
    pub is_abort: bool,
    /// The epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
    /// When, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// A control batch of a producer that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MarkerError {
    /// Its first record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordFault),
    /// Its key or value cannot.
    #[error(transparent)]
    Content(#[from] RecordError),
    /// It is of a kind that has nothing to do with producers.
    #[error("a control record of another kind than the end of a transaction")]
    Kind,
}

impl EndMarker {
    /// Reads the first record of a control batch, whose body is never compressed. `None` for a batch
    /// that compaction has emptied: the whole transaction is gone.
    pub fn parse(header: &BatchHeader, body: &[u8]) -> Result<Option<Self>, MarkerError> {
        let Some(record) = Records::new(body, header.record_count).next().transpose()? else {
            return Ok(None);
        };
        let owned = |field: Option<&[u8]>| Bytes::copy_from_slice(field.unwrap_or_default());
        let (is_abort, marker) =
            match ControlRecord::decode(&owned(record.key), &owned(record.value))? {
                ControlRecord::Abort(marker) => (true, marker),
                ControlRecord::Commit(marker) => (false, marker),
                _ => return Err(MarkerError::Kind),
            };
        let timestamp_ms = header
            .append_time_ms()
            .unwrap_or(header.base_timestamp_ms.wrapping_add(record.timestamp_delta));
        Ok(Some(Self { is_abort, coordinator_epoch: marker.coordinator_epoch, timestamp_ms }))
    }
}
