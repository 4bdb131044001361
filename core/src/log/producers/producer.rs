//! One producer as one log knows it (`ProducerStateEntry`, `ProducerAppendInfo`).

use super::sequence;
use super::{ProducerBatch, Use, Verdict};
use crate::error_code::ErrorCode;

/// Batches that are remembered to tell a repeated one (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`):
/// a producer that counts its records has at most so many requests in flight.
const BATCHES_REMEMBERED: usize = 5;

/// Stands for no epoch.
pub(super) const NO_EPOCH: i16 = -1;

/// What a producer's later batches are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) epoch: i16,
    /// Of the transaction coordinator that wrote the last marker; -1 for none.
    pub(super) coordinator_epoch: i32,
    /// The largest timestamp of the last batch, or that of the last marker, milliseconds; -1 for none.
    pub(super) last_timestamp_ms: i64,
    /// The first offset of its open transaction.
    pub(super) transaction_start: Option<i64>,
    /// When it was used last, in this process.
    pub(super) last_use: Use,
    batches: Window,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) last_sequence: i32,
    /// Last offset less first, and so of the sequences.
    pub(super) offset_delta: i32,
    pub(super) last_offset: i64,
    pub(super) timestamp_ms: i64,
}

impl Remembered {
    fn first_offset(&self) -> i64 {
        self.last_offset.wrapping_sub(i64::from(self.offset_delta))
    }
}

impl Producer {
    /// One that has written nothing.
    pub(super) fn new(last_use: Use) -> Self {
        Self {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp_ms: -1,
            transaction_start: None,
            last_use,
            batches: Window::default(),
        }
    }

    /// What is to be said to a batch from a client. A repeated one is told first, then an old epoch,
    /// then a wrong sequence (`UnifiedLog.analyzeAndValidateProducerState`).
    pub(super) fn check(&self, batch: &ProducerBatch) -> Verdict {
        let repeated = (batch.epoch == self.epoch).then(|| self.batches.find(batch)).flatten();
        if let Some(original) = repeated {
            return Verdict::Duplicate {
                base_offset: original.first_offset(),
                last_offset: original.last_offset,
                timestamp_ms: original.timestamp_ms,
            };
        }
        if batch.epoch < self.epoch {
            return Verdict::Refused(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if !self.is_in_sequence(batch) {
            return Verdict::Refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        if self.transaction_start.is_some() && !batch.is_transactional {
            return Verdict::Refused(ErrorCode::INVALID_TXN_STATE);
        }
        Verdict::Accept
    }

    /// A new epoch begins at 0; without an epoch any sequence goes.
    fn is_in_sequence(&self, batch: &ProducerBatch) -> bool {
        if self.epoch == NO_EPOCH {
            true
        } else if batch.epoch == self.epoch {
            sequence::follows(self.last_sequence(), batch.base_sequence)
        } else {
            batch.base_sequence == 0
        }
    }

    /// Takes in a batch of its own that was appended.
    pub(super) fn note(&mut self, batch: &ProducerBatch) {
        self.set_epoch(batch.epoch);
        self.batches.push(Remembered {
            last_sequence: sequence::advance(batch.base_sequence, batch.last_offset_delta),
            offset_delta: batch.last_offset_delta,
            last_offset: batch.last_offset(),
            timestamp_ms: batch.timestamp_ms,
        });
        self.last_timestamp_ms = batch.timestamp_ms;
    }

    /// Takes in the end of a transaction; gives its first offset, if one was open.
    pub(super) fn end_transaction(
        &mut self,
        epoch: i16,
        coordinator_epoch: i32,
        timestamp_ms: i64,
    ) -> Option<i64> {
        self.set_epoch(epoch);
        self.coordinator_epoch = coordinator_epoch;
        self.last_timestamp_ms = timestamp_ms;
        self.transaction_start.take()
    }

    /// The last batch of this epoch.
    pub(super) fn last_batch(&self) -> Option<&Remembered> {
        self.batches.last()
    }

    /// Puts back the last batch, from a snapshot.
    pub(super) fn restore(&mut self, batch: Remembered) {
        self.batches.push(batch);
    }

    /// The last sequence of this epoch; -1 for none.
    pub(super) fn last_sequence(&self) -> i32 {
        self.batches.last().map_or(sequence::NONE, |last| last.last_sequence)
    }

    /// Sequences count anew with each epoch.
    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.batches = Window::default();
            self.epoch = epoch;
        }
    }
}

/// The last batches of one epoch, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    batches: [Remembered; BATCHES_REMEMBERED],
    count: u8,
}

impl Window {
    fn as_slice(&self) -> &[Remembered] {
        &self.batches[..usize::from(self.count)]
    }

    fn last(&self) -> Option<&Remembered> {
        self.as_slice().last()
    }

    fn push(&mut self, batch: Remembered) {
        if usize::from(self.count) == BATCHES_REMEMBERED {
            self.batches.copy_within(1.., 0);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
    }

    /// The one with exactly the sequences of `batch`.
    fn find(&self, batch: &ProducerBatch) -> Option<&Remembered> {
        let last_sequence = sequence::advance(batch.base_sequence, batch.last_offset_delta);
        self.as_slice().iter().find(|kept| {
            let first_sequence = sequence::retreat(kept.last_sequence, kept.offset_delta);
            first_sequence == batch.base_sequence && kept.last_sequence == last_sequence
        })
    }
}
