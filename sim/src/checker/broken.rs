//! The ways to break a promise.

use thiserror::Error;

use crate::history::{AppendId, RecordId, Subject, TopicPartition};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// An acknowledged record is not where the answer said.
    #[error("{target} offset {offset}: record {expected} was acknowledged, there is {found}")]
    Lost {
        /// Where.
        target: TopicPartition,
        /// The offset that the answer named.
        offset: i64,
        /// The record.
        expected: RecordId,
        /// What is there.
        found: String,
    },
    /// Two acknowledged records have one offset.
    #[error("{target} offset {offset} was given to record {first} and to record {second}")]
    OffsetGivenTwice {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// Acknowledged first.
        first: RecordId,
        /// Acknowledged later.
        second: RecordId,
    },
    /// A record is there twice.
    #[error("{target}: record {record} lies at offset {first} and at offset {second}")]
    Duplicated {
        /// Where.
        target: TopicPartition,
        /// The record.
        record: RecordId,
        /// One offset.
        first: i64,
        /// The other.
        second: i64,
    },
    /// A record is there that nobody sent there, or that was refused.
    #[error("{target} offset {offset}: record {record} {why}")]
    Unasked {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// The record, 0 for none of ours.
        record: RecordId,
        /// What is wrong.
        why: &'static str,
    },
    /// A record is there, and not as it was sent or as its topic wants it.
    #[error("{target} offset {offset}: record {record} {why}")]
    Changed {
        /// Where.
        target: TopicPartition,
        /// The offset.
        offset: i64,
        /// The record.
        record: RecordId,
        /// What is wrong.
        why: &'static str,
    },
    /// A log that is in service cannot be read to its end.
    #[error("{target}: {fault}")]
    Unreadable {
        /// Which.
        target: TopicPartition,
        /// File, position and why.
        fault: String,
    },
    /// An append has two answers.
    #[error("append {} was answered twice", append.0)]
    AnsweredTwice {
        /// Which.
        append: AppendId,
    },
    /// An answer that a log like this does not give.
    #[error("{target}: {what}")]
    Misread {
        /// Which.
        target: TopicPartition,
        /// What was told, and what is known.
        what: String,
    },
    /// What an administrator was told cannot be.
    #[error("{subject}: {what}")]
    Metadata {
        /// Of what.
        subject: Subject,
        /// What was told, and what there may be.
        what: String,
    },
    /// What was told of a group cannot be.
    #[error("group {group}: {what}")]
    Group {
        /// Which.
        group: String,
        /// What was told, and what is known.
        what: String,
    },
    /// Two producers have one id.
    #[error("producer id {id} was given twice")]
    ProducerGivenTwice {
        /// The id.
        id: i64,
    },
}
