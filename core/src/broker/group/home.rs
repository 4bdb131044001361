//! Which partition of `__consumer_offsets` a group lives in.

/// `GroupCoordinatorService.partitionFor`: Java's hash of the id, over its UTF-16 units.
pub(in crate::broker) fn partition_for(group_id: &str, partitions: i32) -> i32 {
    let hash = group_id
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // The least number has no absolute value: Kafka takes 0 (`Utils.abs`).
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::partition_for;

    /// Computed by `String.hashCode`.
    #[test]
    fn groups_live_where_kafka_puts_them() {
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("a", 50), 47);
        assert_eq!(partition_for("console-consumer-1", 50), 24);
        assert_eq!(partition_for("größe", 50), 7);
        // The hash of this one is the least number.
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }
}
