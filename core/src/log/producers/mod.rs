//! What a log knows of the producers that wrote to it (`ProducerStateManager`, KIP-98).
//!
//! A producer that counts its records names itself, an epoch and the first sequence in each batch.
//! [`ProducerStates::check`] says before an append whether the batch goes on where the producer's
//! last one ended, or repeats one of its last five; [`note`](ProducerStates::note) takes it in once
//! it has its offsets. Recovery starts from a `.snapshot` file and
//! [`replay`](ProducerStates::replay)s what lies behind it.
//!
//! What a producer's timestamps say does not count for its expiry: clocks step, and a producer of old
//! records may be busy. It is kept while it was used, on the monotonic clock of this process, within
//! `producer.id.expiration.ms`; what was loaded counts as used at the start.

mod aborted;
mod marker;
mod producer;
mod sequence;
mod snapshot;
#[cfg(test)]
mod tests;
mod transactions;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::batch::{BatchHeader, BatchInfo};
use crate::config::limits::LOG_PRODUCERS_MAX;
use crate::error_code::ErrorCode;
use crate::time::{Instant, Millis};
pub use aborted::{
    AbortedTransaction, AbortedTransactions, TRANSACTION_ENTRY_BYTES, TransactionIndexError,
    format_transaction_index, parse_transaction_index,
};
pub use marker::{EndMarker, MarkerError};
use producer::Producer;
pub use snapshot::SnapshotError;
use transactions::Transactions;

/// The producers of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerStates {
    /// By id.
    producers: BTreeMap<i64, Box<Producer>>,
    /// Those without an open transaction, by their last use: who goes first.
    idle: BTreeSet<(Use, i64)>,
    /// How often a producer was used.
    uses: u64,
    transactions: Transactions,
    aborted: AbortedTransactions,
}

/// When a producer was used last, and which use that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    at: Instant,
    number: u64,
}

/// What is to be done with a batch from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    Accept,
    /// It was appended before: answer as then, once that is safe.
    Duplicate {
        /// The original's first offset.
        base_offset: i64,
        /// The original's last offset.
        last_offset: i64,
        /// The original's largest timestamp, which Kafka answers as the append time.
        timestamp_ms: i64,
    },
    /// Refuse it.
    Refused(ErrorCode),
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Its last sequence; -1 for none in this epoch.
    pub last_sequence: i32,
    /// The timestamp of its last batch or marker, milliseconds; -1 for none.
    pub last_timestamp_ms: i64,
    /// Of the coordinator that ended its last transaction; -1 for none.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction.
    pub transaction_start: Option<i64>,
}

/// What tells of a producer's epoch and sequence where nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastRecord {
    /// The batch that ends here.
    Data {
        /// The offset of its last record.
        last_offset: i64,
    },
    /// It has written no records in its epoch: the markers of it.
    Marker {
        /// Its epoch.
        epoch: i16,
    },
}

/// A batch of records with its place, as its producer's state sees it.
#[derive(Clone, Copy, Debug)]
struct ProducerBatch {
    producer_id: i64,
    epoch: i16,
    base_sequence: i32,
    base_offset: i64,
    last_offset_delta: i32,
    timestamp_ms: i64,
    is_transactional: bool,
}

impl ProducerBatch {
    fn placed(info: &BatchInfo, base_offset: i64) -> Self {
        Self {
            producer_id: info.producer_id,
            epoch: info.producer_epoch,
            base_sequence: info.base_sequence,
            base_offset,
            last_offset_delta: info.last_offset_delta,
            timestamp_ms: info.max_timestamp_ms,
            is_transactional: info.is_transactional,
        }
    }

    fn stored(header: &BatchHeader) -> Self {
        Self {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            base_offset: header.base_offset,
            last_offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp_ms,
            is_transactional: header.attributes.is_transactional(),
        }
    }

    fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }
}

impl ProducerStates {
    /// What is to be done with a batch from a client. An unknown producer may begin with any epoch
    /// and sequence: its state may have expired.
    pub fn check(&self, info: &BatchInfo) -> Verdict {
        match self.producers.get(&info.producer_id) {
            Some(producer) => producer.check(&ProducerBatch::placed(info, 0)),
            None => Verdict::Accept,
        }
    }

    /// Takes in a batch of records that was appended at `base_offset`. One without a producer changes
    /// nothing.
    pub fn note(&mut self, info: &BatchInfo, base_offset: i64, now: Instant) {
        if info.producer_id >= 0 && !info.is_control {
            self.take_in(&ProducerBatch::placed(info, base_offset), now);
        }
    }

    /// Takes in the end of a transaction that was appended at `offset`, under `epoch`. Until the high
    /// watermark has passed it the transaction stays unstable.
    pub fn note_end(
        &mut self,
        producer_id: i64,
        epoch: i16,
        marker: &EndMarker,
        offset: i64,
        now: Instant,
    ) {
        let mut first_offset = None;
        self.update(producer_id, now, |producer| {
            first_offset =
                producer.end_transaction(epoch, marker.coordinator_epoch, marker.timestamp_ms);
        });
        let Some(first_offset) = first_offset else { return };
        let last_stable = self.transactions.end(first_offset, offset);
        if marker.is_abort {
            let last_offset = offset;
            let entry = AbortedTransaction { producer_id, first_offset, last_offset, last_stable };
            self.aborted.push(entry);
        }
    }

    /// Takes in a stored batch; `marker` is what a control batch says ([`EndMarker::parse`]). What
    /// is stored was judged when it was appended: nothing is refused.
    pub fn replay(&mut self, header: &BatchHeader, marker: Option<&EndMarker>) {
        if !header.has_producer_id() {
            return;
        }
        if !header.attributes.is_control() {
            self.take_in(&ProducerBatch::stored(header), Instant::ZERO);
        } else if let Some(marker) = marker {
            let (id, epoch) = (header.producer_id, header.producer_epoch);
            self.note_end(id, epoch, marker, header.base_offset, Instant::ZERO);
        }
    }

    /// Takes in what a `.txnindex` file holds, segment by segment in rising order. Transactions that
    /// a replay finds again are not taken in twice.
    pub fn restore_aborted(&mut self, entries: Vec<AbortedTransaction>) {
        for entry in entries {
            self.aborted.push(entry);
        }
    }

    /// The first offset of a transaction that is open, or whose end is not below `high_watermark`:
    /// read_committed readers stop there.
    pub fn first_unstable(&self, high_watermark: i64) -> Option<i64> {
        self.transactions.first_unstable(high_watermark)
    }

    /// The high watermark has risen: transactions that ended below it are done with.
    pub fn advance(&mut self, high_watermark: i64) {
        self.transactions.advance(high_watermark);
    }

    /// The transactions whose records read_committed readers drop.
    pub fn aborted(&self) -> &AbortedTransactions {
        &self.aborted
    }

    /// Segments up to `start` are deleted.
    pub fn forget_aborted_below(&mut self, start: i64) {
        self.aborted.forget_below(start);
    }

    /// Of the aborted transactions whose markers lie in `[from, to)` compaction has left only `kept`.
    pub fn replace_aborted(&mut self, from: i64, to: i64, kept: Vec<AbortedTransaction>) {
        self.aborted.replace_within(from, to, kept);
    }

    /// The last that each producer has written, which compaction keeps (`ProducerStateManager.lastRecords`).
    pub fn last_records(&self) -> BTreeMap<i64, LastRecord> {
        let last = self.producers.iter().map(|(id, producer)| {
            let last = match producer.last_batch() {
                Some(batch) => LastRecord::Data { last_offset: batch.last_offset },
                None => LastRecord::Marker { epoch: producer.epoch },
            };
            (*id, last)
        });
        last.collect()
    }

    /// By id.
    pub fn active(&self) -> impl ExactSizeIterator<Item = ActiveProducer> {
        self.producers.iter().map(|(id, producer)| ActiveProducer {
            producer_id: *id,
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp_ms: producer.last_timestamp_ms,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_start: producer.transaction_start,
        })
    }

    /// Forgets up to `at_most` producers that have been idle for `idle` (`producer.id.expiration.ms`),
    /// and says how many. One with an open transaction stays.
    pub fn expire(&mut self, idle: Millis, now: Instant, at_most: usize) -> usize {
        let mut expired = 0;
        while expired < at_most
            && let Some((last_use, id)) = self.idle.first().copied()
            && last_use.at + idle <= now
        {
            self.idle.pop_first();
            self.producers.remove(&id);
            expired += 1;
        }
        expired
    }

    fn take_in(&mut self, batch: &ProducerBatch, now: Instant) {
        let mut begins = false;
        self.update(batch.producer_id, now, |producer| {
            producer.note(batch);
            begins = batch.is_transactional && producer.transaction_start.is_none();
            if begins {
                producer.transaction_start = Some(batch.base_offset);
            }
        });
        if begins {
            self.transactions.begin(batch.base_offset, batch.producer_id);
        }
    }

    /// Puts back a producer from a snapshot.
    fn restore(&mut self, id: i64, set: impl FnOnce(&mut Producer)) {
        self.update(id, Instant::ZERO, set);
        let start = self.producers.get(&id).and_then(|producer| producer.transaction_start);
        if let Some(first_offset) = start {
            self.transactions.begin(first_offset, id);
        }
    }

    /// Changes a producer, or a new one, and notes its use. Beyond the limit the one that was idle
    /// longest is forgotten.
    fn update(&mut self, id: i64, now: Instant, change: impl FnOnce(&mut Producer)) {
        self.uses += 1;
        let this_use = Use { at: now, number: self.uses };
        let producer =
            self.producers.entry(id).or_insert_with(|| Box::new(Producer::new(this_use)));
        self.idle.remove(&(producer.last_use, id));
        change(producer);
        producer.last_use = this_use;
        if producer.transaction_start.is_none() {
            self.idle.insert((this_use, id));
        }
        if self.producers.len() > LOG_PRODUCERS_MAX
            && let Some((_, oldest)) = self.idle.pop_first()
        {
            self.producers.remove(&oldest);
        }
    }
}
