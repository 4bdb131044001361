//! Sequence numbers: 31 bits wide, 2147483647 is followed by 0 (`DefaultRecordBatch`).

/// Stands in a batch that has none.
pub(super) const NONE: i32 = -1;

/// The sequence `count` records behind `sequence`; none has none behind it.
pub(super) fn advance(sequence: i32, count: i32) -> i32 {
    if sequence == NONE { NONE } else { wrap(sequence.wrapping_add(count)) }
}

/// The sequence `count` records before `sequence`.
pub(super) fn retreat(sequence: i32, count: i32) -> i32 {
    wrap(sequence.wrapping_sub(count))
}

/// Whether `next` follows `last`; the first sequence follows none.
pub(super) fn follows(last: i32, next: i32) -> bool {
    wrap(last.wrapping_add(1)) == next
}

fn wrap(sequence: i32) -> i32 {
    sequence & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::{NONE, advance, follows, retreat};

    #[test]
    fn largest_is_followed_by_zero() {
        assert_eq!(advance(5, 2), 7);
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX - 1, 3), 1);
        assert_eq!(retreat(1, 3), i32::MAX - 1);
        assert_eq!(retreat(7, 0), 7);
        assert!(follows(i32::MAX, 0));
        assert!(follows(4, 5));
        assert!(!follows(4, 4) && !follows(4, 6));
    }

    #[test]
    fn first_follows_none() {
        assert!(follows(NONE, 0));
        assert!(!follows(NONE, 1));
        assert_eq!(advance(NONE, 4), NONE);
    }
}
