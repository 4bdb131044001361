//! What a shard works with, and what it wants done.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::batch::{BatchBuilder, CheckedBatch, HEADER_BYTES, NewRecord};
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
    /// The most bytes that one batch of records may have: what has to be one batch and does not fit is refused before
    /// the state moves.
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

/// What one input made of a shard. The state has moved already: the records are appended, and the answers leave when
/// all that the shard has appended by then is safe.
#[derive(Debug, Default)]
pub(in crate::broker) struct Outbox {
    /// The offset that the first record gets.
    pub next_offset: i64,
    pub records: Vec<CoordinatorRecord>,
    pub answers: Vec<(Asker, ResponseBody)>,
}

impl Context<'_> {
    /// Whether these records can be appended as one batch.
    pub(in crate::broker) fn fits(&self, records: &[CoordinatorRecord]) -> bool {
        let sizes = records.iter().zip(0..).map(|(record, at)| record.encoded_size(at));
        HEADER_BYTES + sizes.sum::<usize>() <= self.batch_bytes_max
    }
}

impl CoordinatorRecord {
    /// There is nothing under the key any more.
    pub(in crate::broker) fn tombstone(key: Bytes) -> Self {
        Self { key, value: None }
    }

    /// As record number `at` of a batch.
    fn encoded_size(&self, at: i64) -> usize {
        self.at(0).encoded_size(0, at)
    }

    fn at(&self, timestamp_ms: i64) -> NewRecord<'_> {
        let (key, value) = (Some(&*self.key), self.value.as_deref());
        NewRecord { timestamp_ms, key, value, headers: &[] }
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

    /// The records as batches of the log: one, so that a crash leaves all of them or nothing, wherever that fits. Only
    /// tombstones, each of which stands for itself, may be more.
    pub(in crate::broker) fn batches(&self, now_ms: i64, bytes_max: usize) -> Vec<CheckedBatch> {
        let (mut full, mut batch, mut bytes) = (Vec::new(), BatchBuilder::new(), HEADER_BYTES);
        for record in &self.records {
            let mut size = record.encoded_size(i64::from(batch.record_count()));
            if batch.record_count() > 0 && bytes + size > bytes_max {
                full.push(core::mem::take(&mut batch).build());
                (bytes, size) = (HEADER_BYTES, record.encoded_size(0));
            }
            batch.append_record(&record.at(now_ms));
            bytes += size;
        }
        if batch.record_count() > 0 {
            full.push(batch.build());
        }
        full
    }
}
