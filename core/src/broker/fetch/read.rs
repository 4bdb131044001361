//! One partition's part of a fetch: what may be read there, and where it lies
//! (`ReplicaManager.readFromLog`, `Partition.fetchRecords`, `LocalLog.read`).

use alloc::vec::Vec;

use super::readable::{Readable, failed};
use super::room::Room;
use super::set::{Entry, PartitionKey, TopicKey, Wanted};
use crate::api::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch};
use crate::broker::image::{Partition, Topic};
use crate::broker::{Broker, PartitionState};
use crate::effect::FileRange;
use crate::error_code::ErrorCode;
use crate::ids::{LogId, Uuid};
use crate::log::{Located, Log, Lookup, Place, Search};

/// What a request says for all its partitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) version: i16,
    pub(super) reader: Reader,
    pub(super) isolation: Isolation,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Consumer,
    /// Another node. There is none that replicates from this one.
    Follower,
}

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// What a partition answers.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The topic or partition is not there: told behind all others, and never a reason not to wait.
    Unknown(ErrorCode),
    /// It cannot be read; the leader to turn to, where it is told.
    Failed(ErrorCode, Option<LeaderIdAndEpoch>),
    /// The reader's history leaves this log's here.
    Diverging(Ends, EpochEndOffset),
    /// Records, or none.
    Read(Read),
}

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
}

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) ends: Ends,
    pub(super) records: Option<FileRange>,
    pub(super) aborted: Vec<AbortedTransaction>,
    pub(super) supply: Supply,
    /// The reader has all that is there: nothing new comes before the log moves.
    pub(super) is_at_end: bool,
}

/// What a partition has for a reader, whatever the other partitions take of the answer's room
/// (`DelayedFetch.tryComplete`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// It is not known where the offset lies.
    Unknown,
    /// So many bytes, from this place.
    Bytes { segment: i64, position: u64, bytes: u64 },
    /// The offset lies in an older segment than the end: reason enough not to wait.
    Plenty,
}

impl Supply {
    /// Nothing yet, from this place on.
    pub(super) fn at(place: Place) -> Self {
        Self::Bytes { segment: place.segment, position: place.position, bytes: 0 }
    }
}

impl Outcome {
    /// Bytes of records.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Read(read) => read.records.as_ref().map_or(0, |range| range.length),
            Self::Unknown(_) | Self::Failed(..) | Self::Diverging(..) => 0,
        }
    }
}

/// What a look at a partition gave.
#[derive(Debug)]
pub(super) enum Look {
    Seen(Outcome, Option<LogId>),
    /// To be read first.
    Search(Known, Sought, Search),
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// The batch that the reader begins with.
    Start,
    /// The batch that the reader stops before: at this place if there is none.
    Bound(Place),
}

/// What searches have found so far, for this instance of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) log: Option<LogId>,
    pub(super) start: Option<Start>,
    pub(super) bound: Option<Place>,
}

/// What the reader begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Batch(Located),
    /// No batch is behind the offset, though the log goes on.
    Gap,
    /// The log is damaged there.
    Damaged,
}

impl Broker {
    /// Looks at a partition. `known` is what searches that earlier looks asked for have found; it
    /// counts only if it still fits the log.
    pub(super) fn look_at_partition(
        &self,
        terms: Terms,
        entry: &Entry,
        room: &Room,
        known: Known,
    ) -> Look {
        let Some((topic, partition)) = self.find_partition(&entry.key) else {
            let error = match entry.key.topic {
                TopicKey::Id(id) if !self.image.topics_by_id.contains_key(&id) => {
                    ErrorCode::UNKNOWN_TOPIC_ID
                }
                _ => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            return Look::Seen(Outcome::Unknown(error), None);
        };
        match self.open_partition(terms, topic, partition, entry) {
            Ok(readable) => match readable.fault() {
                Some(outcome) => Look::Seen(outcome, Some(readable.log_id)),
                None => {
                    let fits = known.log == Some(readable.log_id);
                    readable.read(room, if fits { known } else { Known::default() })
                }
            },
            Err(error) => Look::Seen(failed(terms, error, partition), None),
        }
    }

    fn find_partition(&self, key: &PartitionKey) -> Option<(&Topic, &Partition)> {
        let topic = match &key.topic {
            TopicKey::Name(name) => self.image.topics.get(name)?,
            TopicKey::Id(id) => self.image.topics_by_id.get(id)?,
        };
        Some((topic, topic.partitions.get(&key.index)?))
    }

    /// The log of a partition that this node leads, for a reader that knows as much
    /// (`Partition.localLogWithEpochOrThrow`, `followerReplicaOrThrow`).
    fn open_partition<'a>(
        &'a self,
        terms: Terms,
        topic: &Topic,
        partition: &'a Partition,
        entry: &'a Entry,
    ) -> Result<Readable<'a>, ErrorCode> {
        let (log_id, log) = self.log_of(terms, topic.id, entry.key.index)?;
        let wanted = &entry.wanted;
        let knows_epoch = wanted.leader_epoch >= 0;
        if knows_epoch && wanted.leader_epoch < partition.leader_epoch {
            return Err(ErrorCode::FENCED_LEADER_EPOCH);
        }
        let is_follower = terms.reader == Reader::Follower;
        if knows_epoch && (wanted.leader_epoch > partition.leader_epoch || is_follower) {
            return Err(ErrorCode::UNKNOWN_LEADER_EPOCH);
        }
        let node_id = self.image.node_id;
        if is_follower || partition.leader_here(node_id) != node_id {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let end = log.place(self.level);
        let ends = Ends {
            high_watermark: end.offset,
            last_stable: log.last_stable(self.level),
            log_start: log.log_start(),
        };
        Ok(Readable { terms, wanted, partition, log_id, log, ends, end })
    }

    fn log_of(&self, terms: Terms, topic_id: Uuid, index: i32) -> Result<(LogId, &Log), ErrorCode> {
        let state = self.partitions.get(&(topic_id, index));
        let state = state.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        if let PartitionState::Online(id) = state
            && let Some(live) = self.logs.get(id)
        {
            return Ok((*id, &live.log));
        }
        // Clients of the first versions do not know the other error.
        let knows_storage_error = terms.version > 5;
        Err(if knows_storage_error {
            ErrorCode::KAFKA_STORAGE_ERROR
        } else {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        })
    }

    /// What a partition has now for a reader that has seen `supply` of it.
    pub(super) fn supply_now(
        &self,
        log_id: LogId,
        terms: Terms,
        wanted: &Wanted,
        supply: Supply,
    ) -> Supply {
        let Some(live) = self.logs.get(&log_id) else { return Supply::Plenty };
        let (log, end) = (&live.log, live.log.place(self.level));
        if wanted.offset < log.log_start() {
            return Supply::Plenty;
        }
        let last_stable = log.last_stable(self.level);
        let bound = match terms.isolation {
            Isolation::ReadUncommitted => end,
            Isolation::ReadCommitted => match log.locate(last_stable, end) {
                Lookup::Found(first) => Place::before(&first, last_stable),
                Lookup::End => end,
                // A guess that is too high ends the wait early.
                Lookup::Search(_) => Place { offset: last_stable, ..end },
            },
        };
        if bound.offset <= wanted.offset {
            return supply;
        }
        match supply {
            Supply::Bytes { segment, position, .. } if segment == bound.segment => {
                let bytes = wanted.limit(bound.position.saturating_sub(position));
                Supply::Bytes { segment, position, bytes }
            }
            Supply::Unknown | Supply::Bytes { .. } | Supply::Plenty => Supply::Plenty,
        }
    }
}
