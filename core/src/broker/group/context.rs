//! What a shard works with, and what it wants done.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::GroupConfig;
use crate::ids::{ConnectionId, RequestNumber};
use crate::request::ResponseBody;
use crate::rng::Rng;
use crate::time::Now;

/// What every call of a shard is given.
#[derive(Debug)]
pub(in crate::broker) struct Context<'a> {
    /// The clocks.
    pub now: Now,
    /// The broker's settings of groups.
    pub config: &'a GroupConfig,
    /// The most bytes that one batch of records may have: what does not fit is refused before the state moves.
    pub batch_bytes_max: usize,
    /// For member ids.
    pub rng: &'a mut Rng,
    /// What follows.
    pub out: &'a mut Outbox,
}

/// Who asked, and will be answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) struct Asker {
    pub connection: ConnectionId,
    pub number: RequestNumber,
}

/// The client behind a request: what DescribeGroups tells of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::broker) struct ClientDetails {
    /// As its request header says; empty for null.
    pub client_id: String,
    /// `/` and its address, as Java prints it.
    pub client_host: String,
}

/// A record of `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker) struct CoordinatorRecord {
    pub key: Bytes,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What one input made of a shard. The state has moved already: the records are appended, as one batch, and the
/// answers leave when all that the shard has appended by then is safe.
#[derive(Debug, Default)]
pub(in crate::broker) struct Outbox {
    /// The offset that the first record gets.
    pub next_offset: i64,
    pub records: Vec<CoordinatorRecord>,
    pub answers: Vec<(Asker, ResponseBody)>,
}

impl Context<'_> {
    /// Whether these records can be appended, as one batch.
    pub(in crate::broker) fn fits(&self, records: &[CoordinatorRecord]) -> bool {
        let bytes: usize = records.iter().map(CoordinatorRecord::bytes_max).sum();
        BATCH_OVERHEAD_BYTES + bytes <= self.batch_bytes_max
    }
}

/// The header of a batch.
const BATCH_OVERHEAD_BYTES: usize = 61;

/// The most that a record takes beside its key and value.
const RECORD_OVERHEAD_BYTES: usize = 35;

impl CoordinatorRecord {
    fn bytes_max(&self) -> usize {
        RECORD_OVERHEAD_BYTES + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl Outbox {
    /// Gives the offset that it gets in the log.
    pub(in crate::broker) fn append(&mut self, record: CoordinatorRecord) -> i64 {
        let offset = self.next_offset + self.records.len() as i64;
        self.records.push(record);
        offset
    }

    pub(in crate::broker) fn answer(&mut self, asker: Asker, body: ResponseBody) {
        self.answers.push((asker, body));
    }
}
