//! What clients asked and were told, in the order of events: all that the checkers go by, beside
//! the disk.

use std::fmt;

use crate::disk::Crash;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition whose directory has this name; `None` for internal topics and other names.
    pub fn of_directory(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        let partition = partition.parse().ok()?;
        (!topic.starts_with("__")).then(|| Self { topic: topic.to_owned(), partition })
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Names one part of one Produce request: what a client sends to one partition in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppendId(pub u64);

/// A record's identity: its value begins with it, and it is sent once.
pub type RecordId = u64;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A client sends records, in one batch.
    Invoke {
        /// The append.
        append: AppendId,
        /// Who.
        client: usize,
        /// Where to.
        target: TopicPartition,
        /// What, in order.
        records: Vec<RecordId>,
        /// Their keys are their ids; else they have none.
        keyed: bool,
        /// Their timestamp, in milliseconds since the epoch.
        sent_ms: i64,
    },
    /// The broker says that it has them.
    Ok {
        /// The append.
        append: AppendId,
        /// Offset of the first.
        base_offset: i64,
        /// The time that the broker stamped on them, in milliseconds since the epoch; -1 when they
        /// keep their own.
        append_ms: i64,
    },
    /// The broker says why not. They may be there all the same when `error` is one of storage or
    /// time.
    Error {
        /// The append.
        append: AppendId,
        /// Kafka's number.
        error: i16,
    },
    /// No answer will come.
    Unknown {
        /// The append.
        append: AppendId,
    },
    /// The broker is gone.
    Crashed(Crash),
    /// The broker has stopped in good order.
    Stopped,
    /// The broker has started, and all logs are recovered.
    Recovered,
}

/// The history of one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<(u64, Entry)>,
    appends: u64,
    records: u64,
}

impl History {
    /// A new append's id.
    pub fn next_append(&mut self) -> AppendId {
        self.appends += 1;
        AppendId(self.appends)
    }

    /// A new record's id.
    pub fn next_record(&mut self) -> RecordId {
        self.records += 1;
        self.records
    }

    /// Adds what happened at `micros`.
    pub fn push(&mut self, micros: u64, entry: Entry) {
        self.entries.push((micros, entry));
    }

    /// Everything, with its time in microseconds.
    pub fn entries(&self) -> &[(u64, Entry)] {
        &self.entries
    }

    /// Where an append went.
    pub fn target(&self, wanted: AppendId) -> Option<&TopicPartition> {
        self.entries.iter().rev().find_map(|(_, entry)| match entry {
            Entry::Invoke { append, target, .. } if *append == wanted => Some(target),
            _ => None,
        })
    }

    /// Appends that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Ok { .. })).count()
    }
}
