//! OffsetForLeaderEpoch: where a leader epoch ends (`LeaderEpochFileCache.endOffsetFor`).

use super::Broker;
use super::lookup::LedPartition;
use crate::api::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use crate::checkpoint::LeaderEpochs;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::request::{Response, ResponseBody};

/// An epoch and the first offset behind its records; -1 for unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochEnd {
    pub(super) epoch: i32,
    pub(super) end: i64,
}

impl EpochEnd {
    pub(super) const UNKNOWN: Self = Self { epoch: -1, end: -1 };
}

impl Broker {
    pub(super) fn handle_offset_for_leader_epoch(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: OffsetForLeaderEpochRequest,
    ) {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter();
            let partitions = partitions.map(|asked| self.epoch_end_answer(&topic.topic, asked));
            OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic }
        });
        let response =
            OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() };
        let body = ResponseBody::OffsetForLeaderEpoch(response);
        self.respond(connection, Response { number, body });
    }

    fn epoch_end_answer(&self, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
        let found = self.led_partition(topic, asked.partition, asked.current_leader_epoch);
        let (error_code, EpochEnd { epoch, end }) = match found {
            Ok(led) => (ErrorCode::NONE, self.epoch_end(led, asked.leader_epoch)),
            Err(error) => (error, EpochEnd::UNKNOWN),
        };
        EpochEndOffset {
            error_code,
            partition: asked.partition,
            leader_epoch: epoch,
            end_offset: end,
        }
    }

    /// The largest epoch not above `epoch` that has records, and where it ends.
    ///
    /// The present epoch counts though nothing was written under it, and ends where the log visibly
    /// does: Kafka notes it when it takes the lead.
    pub(super) fn epoch_end(&self, led: LedPartition, epoch: i32) -> EpochEnd {
        let Some(live) = self.logs.get(&led.log) else { return EpochEnd::UNKNOWN };
        end_of_epoch(live.log.epochs(), led.leader_epoch, live.log.end(self.level), epoch)
    }
}

pub(super) fn end_of_epoch(
    epochs: &LeaderEpochs,
    present: i32,
    log_end: i64,
    epoch: i32,
) -> EpochEnd {
    let latest = epochs.latest().map_or(present, |latest| latest.max(present));
    if epoch < 0 || epoch > latest {
        return EpochEnd::UNKNOWN;
    }
    if epoch == latest {
        return EpochEnd { epoch, end: log_end };
    }
    let entries = epochs.entries();
    let begun = entries.partition_point(|entry| entry.epoch <= epoch);
    let end = entries.get(begun).map_or(log_end, |next| next.start_offset.min(log_end));
    let floor = begun.checked_sub(1).and_then(|at| entries.get(at));
    EpochEnd { epoch: floor.map_or(epoch, |floor| floor.epoch), end }
}

#[cfg(test)]
mod tests {
    use super::{EpochEnd, end_of_epoch};
    use crate::checkpoint::LeaderEpochs;

    fn end(pairs: &[(i32, i64)], present: i32, epoch: i32) -> (i32, i64) {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in pairs {
            epochs.assign(epoch, start);
        }
        let EpochEnd { epoch, end } = end_of_epoch(&epochs, present, 50, epoch);
        (epoch, end)
    }

    #[test]
    fn epoch_ends_where_the_next_begins() {
        let pairs = [(2, 10), (4, 20), (7, 30)];
        assert_eq!(end(&pairs, 7, 2), (2, 20));
        assert_eq!(end(&pairs, 7, 3), (2, 20));
        assert_eq!(end(&pairs, 7, 4), (4, 30));
        assert_eq!(end(&pairs, 7, 6), (4, 30));
        assert_eq!(end(&pairs, 7, 7), (7, 50));
    }

    #[test]
    fn epoch_before_all_records_ends_where_they_begin() {
        assert_eq!(end(&[(2, 10), (4, 20)], 4, 1), (1, 10));
    }

    #[test]
    fn present_epoch_counts_before_it_has_records() {
        assert_eq!(end(&[(2, 10)], 5, 5), (5, 50));
        assert_eq!(end(&[(2, 10)], 5, 4), (2, 50));
        assert_eq!(end(&[], 0, 0), (0, 50));
    }

    #[test]
    fn later_epochs_and_none_are_unknown() {
        assert_eq!(end(&[(2, 10)], 2, 3), (-1, -1));
        assert_eq!(end(&[(2, 10)], 2, -1), (-1, -1));
        assert_eq!(end(&[(2, 10), (9, 20)], 2, 9), (9, 50));
    }
}
