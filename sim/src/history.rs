//! What clients asked and were told, in the order of events: all that the checkers go by, beside
//! the disk.

use std::fmt;

use bytes::Bytes;
use klamm_core::ids::Uuid;

use crate::disk::Crash;
use crate::groups::{CallId, GroupAsk, GroupTold};
use crate::metadata::{Change, Outcome};
use crate::reader::StoredRecord;

/// The names of topics that come and go begin so.
pub const PASSING: &str = "passing";

/// What stands between such a topic's name and its id; no name has it.
const ID_MARK: char = '~';

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name; and its id behind it, if it comes and goes: topics of one name that are
    /// there one after another are different ones.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(name: &str, id: Uuid, partition: i32) -> Self {
        let topic = if is_passing(name) { format!("{name}{ID_MARK}{id}") } else { name.to_owned() };
        Self { topic, partition }
    }

    /// The partition whose directory has this name; `None` for internal topics and other names.
    /// `id` gives the topic's id in the directory, and is asked for topics that come and go.
    pub fn of_directory(name: &str, id: impl FnOnce() -> Option<Uuid>) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        let partition = partition.parse().ok()?;
        let is_ours = !topic.starts_with("__") && !topic.contains(ID_MARK);
        let id = if is_ours && is_passing(topic) { id()? } else { Uuid::ZERO };
        is_ours.then(|| Self::new(topic, id, partition))
    }

    /// The topic's name, as the broker knows it.
    pub fn name(&self) -> &str {
        self.topic.split(ID_MARK).next().unwrap_or_default()
    }

    /// The topic's id, if it comes and goes.
    pub fn passing_id(&self) -> Option<Uuid> {
        let (_, id) = self.topic.split_once(ID_MARK)?;
        Uuid::parse(id)
    }

    /// The same partition of whichever topic has the name: that of one that comes and goes has the zero id.
    pub fn named(&self) -> Self {
        Self::new(self.name(), Uuid::ZERO, self.partition)
    }

    /// The name of the partition's directory.
    pub fn directory(&self) -> String {
        format!("{}-{}", self.name(), self.partition)
    }
}

/// Whether topics of this name come and go.
pub fn is_passing(name: &str) -> bool {
    name.starts_with(PASSING)
}

/// What administrators ask about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The topic of a name, if there is one.
    Topic(String),
    /// The settings of a node, or of all for the empty name.
    Broker(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(name) => write!(f, "broker {name:?}"),
        }
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

/// Names what one request asks of one topic's name, or of one resource with settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeId(pub u64);

/// A record's identity: its value begins with it, and it is sent once.
pub type RecordId = u64;

/// Names what one request asks of one partition, beside appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// What is asked of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Its records from an offset on.
    Fetch {
        /// The offset.
        from: i64,
    },
    /// The offset of a timestamp, or of one of Kafka's special ones below 0.
    Offset {
        /// Milliseconds since the epoch.
        timestamp_ms: i64,
    },
    /// To delete what lies before an offset; -1: before the high watermark.
    Delete {
        /// The offset.
        before: i64,
    },
    /// Where the newest leader epoch up to this one ends.
    EpochEnd {
        /// The epoch.
        epoch: i32,
    },
    /// Who writes to it.
    Producers,
}

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// To [`Question::Fetch`].
    Fetched(Fetched),
    /// To [`Question::Fetch`] too: what a consumer that fetches by itself has handed on, of one
    /// answer or of several.
    Polled(Vec<SeenRecord>),
    /// To [`Question::Offset`]; both -1 when there is none.
    Offset {
        /// The offset.
        offset: i64,
        /// The timestamp of its record; -1 for special ones.
        timestamp_ms: i64,
    },
    /// To [`Question::Delete`]: the log's start.
    Start {
        /// The first offset that may be read.
        offset: i64,
    },
    /// To [`Question::EpochEnd`]: the offset behind its last record; -1 when there is none.
    EpochEnd {
        /// The offset.
        offset: i64,
    },
    /// To [`Question::Producers`].
    Producers(Vec<ActiveProducer>),
    /// Kafka's number of an error.
    Error(i16),
}

/// One partition's part of a fetch's answer; or what a session's silence about it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The offset behind the last record that counts as kept.
    pub high_watermark: i64,
    /// The last stable offset.
    pub last_stable: i64,
    /// The first offset that may be read; -1 in versions that do not tell it.
    pub log_start: i64,
    /// The records, from the start of the batch that holds the offset asked for.
    pub records: Vec<SeenRecord>,
    /// The offset behind the last batch, which may be one without records where a log is compacted; `None` when there
    /// was none.
    pub next: Option<i64>,
    /// The answer had no room left when it came to this partition, or another one used it up.
    pub is_crowded: bool,
    /// How long the fetch wanted to wait for its first byte, in microseconds; `None` when it waits
    /// for more than one.
    pub patience_micros: Option<u64>,
}

/// A record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRecord {
    /// Its offset.
    pub offset: i64,
    /// What its value makes it; 0 for nobody's.
    pub record: RecordId,
    /// Its key; empty for null.
    pub key: Bytes,
    /// As consumers see it, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The timestamp is the broker's.
    pub append_time: bool,
    /// The number of its batch's codec.
    pub codec: u8,
}

impl From<&StoredRecord> for SeenRecord {
    fn from(stored: &StoredRecord) -> Self {
        Self {
            offset: stored.offset,
            record: record_id(&stored.value),
            key: stored.key.clone(),
            timestamp_ms: stored.timestamp_ms,
            append_time: stored.append_time,
            codec: stored.codec,
        }
    }
}

/// Bytes of a record's id, big-endian. A value is its id again and again, so that a wrong byte
/// anywhere makes it nobody's.
pub const RECORD_ID_BYTES: usize = 8;

/// Whose value this is, 0 for nobody's.
pub fn record_id(value: &[u8]) -> RecordId {
    let Some(id) = value.first_chunk::<RECORD_ID_BYTES>() else { return 0 };
    let is_whole = value.chunks(RECORD_ID_BYTES).all(|part| id.starts_with(part));
    if is_whole { u64::from_be_bytes(*id) } else { 0 }
}

/// A producer that a partition knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i32,
    /// The sequence number of its last record.
    pub last_sequence: i32,
}

/// Where an idempotent producer's batch stands in what it sends to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The producer's id.
    pub producer: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The number of the batch's first record.
    pub first: i32,
}

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
        /// Its place in what an idempotent producer sends; `None` when it is sent once.
        sequence: Option<Sequence>,
        /// The request names the topic by its name: it may come to another one that has it then.
        by_name: bool,
    },
    /// The same batch is sent again, by a producer that may.
    Resent {
        /// The append.
        append: AppendId,
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
    /// No answer will come, to this sending.
    Unknown {
        /// The append.
        append: AppendId,
    },
    /// A client asks something of a partition.
    Asked {
        /// Names it.
        question: QuestionId,
        /// Which partition.
        target: TopicPartition,
        /// What.
        what: Question,
        /// The request names the topic by its name: it may be about another one that has it then.
        by_name: bool,
    },
    /// It is told.
    Told {
        /// The question.
        question: QuestionId,
        /// The answer.
        told: Told,
    },
    /// It never will be.
    Unanswered {
        /// The question.
        question: QuestionId,
    },
    /// A client has got a producer's id.
    Producer {
        /// The id.
        id: i64,
        /// The epoch.
        epoch: i16,
    },
    /// An administrator asks for a change, or what there is.
    Changing {
        /// Names it.
        change: ChangeId,
        /// Of what.
        subject: Subject,
        /// What.
        what: Change,
    },
    /// It has ended.
    Changed {
        /// Which.
        change: ChangeId,
        /// How.
        outcome: Outcome,
    },
    /// A client asks something of a group.
    GroupAsked {
        /// Names it.
        call: CallId,
        /// The group's id.
        group: String,
        /// What.
        ask: GroupAsk,
    },
    /// It is told.
    GroupTold {
        /// What was asked.
        call: CallId,
        /// The answer.
        told: GroupTold,
    },
    /// It never will be.
    GroupSilent {
        /// What was asked.
        call: CallId,
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
    questions: u64,
    changes: u64,
    calls: u64,
}

impl History {
    /// A new call's id.
    pub fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

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

    /// A new question's id.
    pub fn next_question(&mut self) -> QuestionId {
        self.questions += 1;
        QuestionId(self.questions)
    }

    /// A new change's id.
    pub fn next_change(&mut self) -> ChangeId {
        self.changes += 1;
        ChangeId(self.changes)
    }

    /// Adds what happened at `micros`.
    pub fn push(&mut self, micros: u64, entry: Entry) {
        self.entries.push((micros, entry));
    }

    /// Everything, with its time in microseconds.
    pub fn entries(&self) -> &[(u64, Entry)] {
        &self.entries
    }

    /// Takes everything so far out of it: what comes next is told alone.
    pub fn take_entries(&mut self) -> Vec<(u64, Entry)> {
        std::mem::take(&mut self.entries)
    }

    /// Where an append went.
    pub fn target(&self, wanted: AppendId) -> Option<&TopicPartition> {
        self.entries.iter().rev().find_map(|(_, entry)| match entry {
            Entry::Invoke { append, target, .. } if *append == wanted => Some(target),
            _ => None,
        })
    }

    /// Which partition a question is about.
    pub fn questioned(&self, wanted: QuestionId) -> Option<&TopicPartition> {
        self.entries.iter().rev().find_map(|(_, entry)| match entry {
            Entry::Asked { question, target, .. } if *question == wanted => Some(target),
            _ => None,
        })
    }

    /// Appends that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Ok { .. })).count()
    }
}

#[cfg(test)]
mod tests {
    use klamm_core::ids::Uuid;

    use super::{TopicPartition, record_id};

    #[test]
    fn a_topic_that_comes_and_goes_is_known_by_its_id() {
        let id = Uuid([7; 16]);
        let target = TopicPartition::of_directory("passing0-3", || Some(id)).unwrap();
        assert_eq!((target.name(), target.passing_id()), ("passing0", Some(id)));
        assert_eq!((target.directory(), target.partition), ("passing0-3".to_owned(), 3));
        assert_eq!(TopicPartition::of_directory("passing0-3", || None), None);
        let target = TopicPartition::of_directory("topic0-1", || None).unwrap();
        assert_eq!((target.name(), target.passing_id()), ("topic0", None));
        assert_eq!(target.to_string(), target.directory());
        for name in ["__cluster_metadata-0", "topic0-1.0123-delete", "topic0"] {
            assert_eq!(TopicPartition::of_directory(name, || None), None, "{name}");
        }
    }

    #[test]
    fn a_value_with_a_wrong_byte_is_nobodys() {
        assert_eq!(record_id(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0]), 7);
        assert_eq!(record_id(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 1]), 0);
        assert_eq!(record_id(&[0, 0]), 0);
    }
}
