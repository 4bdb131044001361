//! A partition that is there: whether its reader's offset can be read, and what is read from there.

use alloc::vec::Vec;

use super::read::{Ends, Isolation, Known, Look, Outcome, Read, Sought, Start, Supply, Terms};
use super::room::Room;
use super::set::Wanted;
use crate::api::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch};
use crate::broker::image::Partition;
use crate::broker::offset_for_leader_epoch::{EpochEnd, end_of_epoch};
use crate::effect::FileRange;
use crate::error_code::ErrorCode;
use crate::ids::LogId;
use crate::log::{Located, Log, Lookup, Place, Search};

/// A partition that is there to be read, and who reads it.
pub(super) struct Readable<'a> {
    pub(super) terms: Terms,
    pub(super) wanted: &'a Wanted,
    pub(super) partition: &'a Partition,
    pub(super) log_id: LogId,
    pub(super) log: &'a Log,
    pub(super) ends: Ends,
    /// Where the level ends.
    pub(super) end: Place,
}

impl Readable<'_> {
    /// Why nothing can be read at the offset, as the reader came by it (`Partition.readRecords`).
    pub(super) fn fault(&self) -> Option<Outcome> {
        let (offset, log_start) = (self.wanted.offset, self.ends.log_start);
        let epoch = self.wanted.last_fetched_epoch;
        if epoch >= 0 {
            let (present, log_end) = (self.partition.leader_epoch, self.ends.high_watermark);
            let found = end_of_epoch(self.log.epochs(), present, log_end, epoch);
            if found == EpochEnd::UNKNOWN {
                return Some(self.failed(ErrorCode::OFFSET_OUT_OF_RANGE));
            }
            let diverges = found.epoch < epoch || found.end < offset;
            if diverges && offset >= log_start {
                let end = EpochEndOffset { epoch: found.epoch, end_offset: found.end };
                return Some(Outcome::Diverging(self.ends, end));
            }
        }
        let is_outside = offset < log_start || offset > self.log.accepted_end();
        is_outside.then(|| self.failed(ErrorCode::OFFSET_OUT_OF_RANGE))
    }

    /// Finds what the reader gets of `room`.
    pub(super) fn read(&self, room: &Room, mut known: Known) -> Look {
        let (offset, bytes_max) = (self.wanted.offset, self.wanted.bytes_max);
        let bound_offset = match self.terms.isolation {
            Isolation::ReadUncommitted => self.ends.high_watermark,
            Isolation::ReadCommitted => self.ends.last_stable,
        };
        if offset >= bound_offset {
            return self.seen(self.nothing());
        }
        if let Err(error) = room.check(bytes_max) {
            return Look::Seen(self.failed(error), Some(self.log_id));
        }
        if room.is_spent(bytes_max) {
            return self.seen(Read { is_at_end: false, ..self.empty(Supply::Unknown) });
        }
        loop {
            known.log = Some(self.log_id);
            let start = match self.start(&known) {
                Ok(Start::Batch(start)) => start,
                Ok(Start::Gap) => return self.seen(self.empty(Supply::at(self.end))),
                Ok(Start::Damaged) => {
                    let damaged = self.failed(ErrorCode::CORRUPT_MESSAGE);
                    return Look::Seen(damaged, Some(self.log_id));
                }
                Err(search) => return Look::Search(known, Sought::Start, search),
            };
            let bound = match self.bound(bound_offset, &start, known.bound) {
                Ok(bound) => bound,
                Err(search) => {
                    let at_last = Place { offset: bound_offset, ..self.end };
                    let known = Known { start: Some(Start::Batch(start)), ..known };
                    return Look::Search(known, Sought::Bound(at_last), search);
                }
            };
            let part = room.part(bytes_max, start.batch_bytes);
            if let Some(range) = self.log.range(&start, bound, part) {
                return self.seen(self.ranged(&start, bound, range));
            }
            // Its segment was deleted while the search ran.
            known = Known::default();
        }
    }

    pub(super) fn failed(&self, error: ErrorCode) -> Outcome {
        failed(self.terms, error, self.partition)
    }

    fn start(&self, known: &Known) -> Result<Start, Search> {
        if let Some(start) = known.start {
            return Ok(start);
        }
        match self.log.locate(self.wanted.offset, self.end) {
            Lookup::Found(start) => Ok(Start::Batch(start)),
            Lookup::End => Ok(Start::Gap),
            Lookup::Search(search) => Err(search),
        }
    }

    /// The place that the reader stops at; where it lies in a later segment, the position in there
    /// does not matter.
    fn bound(&self, offset: i64, start: &Located, known: Option<Place>) -> Result<Place, Search> {
        if offset == self.end.offset {
            return Ok(self.end);
        }
        if let Some(known) = known.filter(|known| known.offset == offset) {
            return Ok(known);
        }
        let segments = self.log.segments();
        let behind = segments.partition_point(|segment| segment.base_offset <= offset);
        let segment = segments.get(behind.saturating_sub(1)).map_or(0, |found| found.base_offset);
        if segment > start.segment {
            return Ok(Place { offset, segment, position: 0 });
        }
        match self.log.locate(offset, self.end) {
            Lookup::Found(first) => Ok(Place::before(&first, offset)),
            Lookup::End => Ok(self.end),
            Lookup::Search(search) => Err(search),
        }
    }

    fn ranged(&self, start: &Located, bound: Place, range: FileRange) -> Read {
        let supply = if start.segment == bound.segment {
            let bytes = bound.position.saturating_sub(start.position);
            let bytes = self.wanted.limit(bytes);
            Supply::Bytes { segment: start.segment, position: start.position, bytes }
        } else {
            Supply::Plenty
        };
        let is_at_end = supply != Supply::Plenty && start.position >= bound.position;
        let aborted = match self.terms.isolation {
            Isolation::ReadUncommitted => Vec::new(),
            Isolation::ReadCommitted => self.aborted(start.segment, bound.offset),
        };
        let records = (range.length > 0).then_some(range);
        Read { ends: self.ends, records, aborted, supply, is_at_end }
    }

    /// Aborted transactions with records from the offset on that begin before `bound`, and in
    /// `segment` at the latest: more than those in the range, perhaps, which harms no reader.
    fn aborted(&self, segment: i64, bound: i64) -> Vec<AbortedTransaction> {
        let segments = self.log.segments();
        let behind = segments.partition_point(|other| other.base_offset <= segment);
        let upper = segments.get(behind).map_or(bound, |next| next.base_offset.min(bound));
        let aborted = self.log.producers().aborted().within(self.wanted.offset, upper);
        let told = aborted.map(|transaction| AbortedTransaction {
            producer_id: transaction.producer_id,
            first_offset: transaction.first_offset,
        });
        told.collect()
    }

    /// The reader stands at the end of what it may see, or beyond it.
    fn nothing(&self) -> Read {
        let (offset, end) = (self.wanted.offset, self.end);
        let supply = if offset == end.offset { Supply::at(end) } else { Supply::Unknown };
        Read { is_at_end: offset >= end.offset, ..self.empty(supply) }
    }

    fn empty(&self, supply: Supply) -> Read {
        Read { ends: self.ends, records: None, aborted: Vec::new(), supply, is_at_end: true }
    }

    fn seen(&self, read: Read) -> Look {
        Look::Seen(Outcome::Read(read), Some(self.log_id))
    }
}

/// The answer of a partition that cannot be read: with the leader's name where the reader is sent
/// to another (KIP-951).
pub(super) fn failed(terms: Terms, error: ErrorCode, partition: &Partition) -> Outcome {
    let is_elsewhere =
        matches!(error, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
    let leader = (is_elsewhere && terms.version >= 16).then_some(LeaderIdAndEpoch {
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
    });
    Outcome::Failed(error, leader)
}
