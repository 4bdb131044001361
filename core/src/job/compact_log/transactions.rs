//! Which transactional batches and markers may go (`CleanedTransactionMetadata`).
//!
//! Batches of an aborted transaction go at once. A marker stays until a compaction meets no batch of its
//! transaction any more; then it gets a delete horizon like a tombstone, so that a reader who was in the midst of
//! the transaction still finds its end.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::batch::BatchHeader;
use crate::log::producers::{AbortedTransaction, EndMarker};

/// The transactions that are under way where a walk over the log has come to.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Those to come, the one that begins last first.
    to_come: Vec<AbortedTransaction>,
    /// By producer.
    aborted: BTreeMap<i64, Aborted>,
    /// Producers of which a batch was met that is not of an aborted transaction.
    committed: BTreeSet<i64>,
    /// Aborted transactions whose markers stay and are needed, in the order of their markers.
    kept: Vec<AbortedTransaction>,
}

#[derive(Debug)]
struct Aborted {
    transaction: AbortedTransaction,
    /// A batch of it was met.
    is_met: bool,
}

impl Transactions {
    /// `aborted` are those whose markers may be met.
    pub(super) fn new(aborted: &[AbortedTransaction]) -> Self {
        let mut to_come = aborted.to_vec();
        to_come.sort_by_key(|transaction| core::cmp::Reverse(transaction.first_offset));
        Self { to_come, ..Self::default() }
    }

    /// Takes a batch of records. True when its records are to be dropped, for their transaction was aborted.
    pub(super) fn take_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.attributes.is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some(aborted) => {
                aborted.is_met = true;
                true
            }
            None => {
                self.committed.insert(header.producer_id);
                false
            }
        }
    }

    /// Takes a control batch. True when nothing of its transaction is left, so that it may go in time.
    pub(super) fn take_marker(&mut self, header: &BatchHeader, says: ControlKind) -> bool {
        self.begin_up_to(header.last_offset());
        match says {
            ControlKind::Emptied => true,
            ControlKind::Other => false,
            ControlKind::End(marker) if marker.is_abort => {
                let aborted = self.aborted.remove(&header.producer_id);
                let needed = aborted.filter(|aborted| aborted.is_met);
                let is_needed = needed.is_some();
                self.kept.extend(needed.map(|aborted| aborted.transaction));
                !is_needed
            }
            ControlKind::End(_) => !self.committed.remove(&header.producer_id),
        }
    }

    /// The aborted transactions that the segment written so far needs in its index.
    pub(super) fn take_kept(&mut self) -> Vec<AbortedTransaction> {
        core::mem::take(&mut self.kept)
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(next) = self.to_come.pop_if(|next| next.first_offset <= offset) {
            let aborted = Aborted { transaction: next, is_met: false };
            self.aborted.entry(next.producer_id).or_insert(aborted);
        }
    }
}

/// What a control batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlKind {
    /// The end of its producer's transaction.
    End(EndMarker),
    /// An earlier compaction has taken its record.
    Emptied,
    /// Of another kind, or it makes no sense: it stays.
    Other,
}

impl ControlKind {
    pub(super) fn of(header: &BatchHeader, body: &[u8]) -> Self {
        match EndMarker::parse(header, body) {
            Ok(Some(marker)) => Self::End(marker),
            Ok(None) => Self::Emptied,
            Err(_) => Self::Other,
        }
    }
}
