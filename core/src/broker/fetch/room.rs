//! How many bytes of records an answer may take, and each of its partitions.

use crate::error_code::ErrorCode;

/// What is left of an answer's room. The partitions take their parts in the order of the request
/// (`ReplicaManager.readFromLog`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    left: i64,
    is_empty: bool,
}

impl Room {
    pub(super) fn new(bytes_max: i64) -> Self {
        Self { left: bytes_max, is_empty: true }
    }

    /// Nothing more can come of a partition with this limit, however small its batches are.
    pub(super) fn is_spent(&self, partition_bytes_max: i32) -> bool {
        !self.is_empty && self.bound(partition_bytes_max) == 0
    }

    /// A limit that Kafka answers with an error.
    pub(super) fn check(&self, partition_bytes_max: i32) -> Result<(), ErrorCode> {
        if self.bound(partition_bytes_max) < 0 {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        Ok(())
    }

    /// The bytes that a partition may give whose first batch has `first_batch_bytes`. The first
    /// partition that gives anything gives that batch, whatever the limits (KIP-74); a later one
    /// gives nothing when it would be cut.
    pub(super) fn part(&self, partition_bytes_max: i32, first_batch_bytes: u32) -> u64 {
        let bound = u64::try_from(self.bound(partition_bytes_max)).unwrap_or(0);
        let first_batch_bytes = u64::from(first_batch_bytes);
        if self.is_empty {
            bound.max(first_batch_bytes)
        } else if bound < first_batch_bytes {
            0
        } else {
            bound
        }
    }

    /// A partition has given so many bytes.
    pub(super) fn take(&mut self, bytes: u64) {
        self.is_empty &= bytes == 0;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(bytes).max(0);
    }

    fn bound(&self, partition_bytes_max: i32) -> i64 {
        self.left.min(i64::from(partition_bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use super::Room;
    use crate::error_code::ErrorCode;

    #[test]
    fn first_partition_gives_a_whole_batch_whatever_the_limits() {
        let mut room = Room::new(1);
        assert!(!room.is_spent(0));
        assert_eq!(room.part(0, 103), 103);
        assert_eq!(room.part(150, 103), 103);
        room.take(0);
        assert_eq!(room.part(1, 103), 103, "an empty partition does not count");
        room.take(103);
        assert!(room.is_spent(i32::MAX));
        assert_eq!(room.part(1_000, 103), 0);
    }

    #[test]
    fn later_partitions_are_cut_only_behind_their_first_batch() {
        let mut room = Room::new(300);
        assert_eq!(room.part(150, 103), 150);
        room.take(150);
        assert_eq!(room.part(1_000, 103), 150);
        assert_eq!(room.part(102, 103), 0);
        assert_eq!(room.part(103, 103), 103);
        room.take(150);
        assert_eq!(room.part(1_000, 103), 0);
        assert!(room.is_spent(1_000));
    }

    #[test]
    fn limits_below_zero_are_an_error_until_something_was_read() {
        let mut room = Room::new(-1);
        assert_eq!(room.check(5), Err(ErrorCode::UNKNOWN_SERVER_ERROR));
        room.take(0);
        assert_eq!(room.check(5), Ok(()), "what is left is none, and not less");
        assert_eq!(room.check(-1), Err(ErrorCode::UNKNOWN_SERVER_ERROR));
        assert_eq!(room.part(-5, 9), 9);
    }

    #[test]
    fn no_limit_overflows() {
        let mut room = Room::new(i64::from(i32::MAX));
        assert_eq!(room.part(i32::MAX, u32::MAX), u64::from(u32::MAX));
        room.take(u64::MAX);
        assert!(room.is_spent(i32::MAX));
    }
}
