//! The transactions of one log that read_committed readers must not pass (`ProducerStateManager`).

use alloc::collections::BTreeMap;

/// Transactions that are open, and those whose end is not yet below the high watermark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transactions {
    /// First offset to producer id.
    open: BTreeMap<i64, i64>,
    /// First offset to the offset of the marker.
    decided: BTreeMap<i64, i64>,
}

impl Transactions {
    pub(super) fn begin(&mut self, first_offset: i64, producer_id: i64) {
        self.open.insert(first_offset, producer_id);
    }

    /// A marker at `marker_offset` ends the transaction. Gives the last stable offset that this
    /// leaves, wherever the high watermark is.
    pub(super) fn end(&mut self, first_offset: i64, marker_offset: i64) -> i64 {
        self.open.remove(&first_offset);
        self.decided.insert(first_offset, marker_offset);
        self.open.first_key_value().map_or(marker_offset.saturating_add(1), |(first, _)| *first)
    }

    /// The first offset of a transaction that is open, or whose marker is not below `high_watermark`.
    pub(super) fn first_unstable(&self, high_watermark: i64) -> Option<i64> {
        let open = self.open.first_key_value().map(|(first, _)| *first);
        let mut decided = self.decided.iter();
        let unsafe_yet = decided.find(|(_, marker)| **marker >= high_watermark);
        open.into_iter().chain(unsafe_yet.map(|(first, _)| *first)).min()
    }

    /// Forgets what a risen high watermark leaves below it.
    pub(super) fn advance(&mut self, high_watermark: i64) {
        if !self.decided.is_empty() {
            self.decided.retain(|_, marker| *marker >= high_watermark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Transactions;

    #[test]
    fn unstable_is_what_is_open_or_not_safely_ended() {
        let mut transactions = Transactions::default();
        assert_eq!(transactions.first_unstable(0), None);
        transactions.begin(3, 1);
        transactions.begin(5, 2);
        assert_eq!(transactions.first_unstable(9), Some(3));
        assert_eq!(transactions.end(3, 7), 5);
        assert_eq!(transactions.first_unstable(7), Some(3), "the marker may be lost");
        assert_eq!(transactions.first_unstable(8), Some(5));
        assert_eq!(transactions.end(5, 8), 9);
        transactions.advance(8);
        assert_eq!(transactions.first_unstable(8), Some(5));
        assert_eq!(transactions.first_unstable(9), None);
        transactions.advance(9);
        assert_eq!(transactions, Transactions::default());
    }
}
