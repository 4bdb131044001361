//! Whether a partition that a client names is led here.

use super::{Broker, PartitionState};
use crate::error_code::ErrorCode;
use crate::ids::LogId;

/// A partition that is led here, and loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedPartition {
    pub(super) log: LogId,
    pub(super) leader_epoch: i32,
}

impl Broker {
    /// The partition by its topic's name. `current_leader_epoch` is the one that the client knows;
    /// below 0 it does not say (KIP-320).
    pub(super) fn led_partition(
        &self,
        topic: &str,
        index: i32,
        current_leader_epoch: i32,
    ) -> Result<LedPartition, ErrorCode> {
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let topic = self.image.topics.get(topic).ok_or(unknown)?;
        let partition = topic.partitions.get(&index).ok_or(unknown)?;
        let leader_epoch = partition.leader_epoch;
        let log = match self.partitions.get(&(topic.id, index)) {
            Some(PartitionState::Online(log)) => *log,
            Some(PartitionState::Offline) => return Err(ErrorCode::KAFKA_STORAGE_ERROR),
            None => return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        };
        check_epoch(current_leader_epoch, leader_epoch)?;
        Ok(LedPartition { log, leader_epoch })
    }
}

/// Whether the leader epoch that a client knows is the present one (`Partition.checkCurrentLeaderEpoch`).
fn check_epoch(known: i32, present: i32) -> Result<(), ErrorCode> {
    match known {
        known if known < 0 || known == present => Ok(()),
        known if known < present => Err(ErrorCode::FENCED_LEADER_EPOCH),
        _ => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
    }
}

#[cfg(test)]
mod tests {
    use super::check_epoch;
    use crate::error_code::ErrorCode;

    #[test]
    fn epochs_that_are_not_the_present_one_are_told_apart() {
        assert_eq!(check_epoch(-1, 5), Ok(()));
        assert_eq!(check_epoch(5, 5), Ok(()));
        assert_eq!(check_epoch(4, 5), Err(ErrorCode::FENCED_LEADER_EPOCH));
        assert_eq!(check_epoch(6, 5), Err(ErrorCode::UNKNOWN_LEADER_EPOCH));
    }
}
