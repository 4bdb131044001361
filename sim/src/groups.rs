//! What clients ask and are told of groups: the words that the history has for it.

use bytes::Bytes;

use crate::history::TopicPartition;

/// Names what one request asks of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Whom a request says to be from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The generation that it knows; -1 for none.
    pub generation: i32,
    /// The member's id; empty for none.
    pub member: String,
    /// The id that it keeps over restarts, if it has one.
    pub instance: Option<String>,
}

impl Claim {
    /// Of nobody: who commits without being a member.
    pub fn of_nobody() -> Self {
        Self { generation: -1, ..Self::default() }
    }
}

/// A committed offset, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// Of the record before it; -1 when nobody says.
    pub leader_epoch: i32,
    /// What the client has to say about it; empty for null.
    pub metadata: String,
}

/// A committed offset, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldOffset {
    /// The next offset to read.
    pub offset: i64,
    /// `None` in versions that do not tell it.
    pub leader_epoch: Option<i32>,
    /// The client's words; empty for null.
    pub metadata: String,
}

/// What is asked of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAsk {
    /// To keep offsets.
    Commit {
        /// By whom.
        claim: Claim,
        /// Which, each partition once.
        offsets: Vec<(TopicPartition, Committed)>,
    },
    /// What it has committed: of these, or of all.
    Offsets {
        /// Which partitions.
        wanted: Option<Vec<TopicPartition>>,
        /// Topics are told by their ids.
        by_id: bool,
    },
    /// To become, or stay, a member.
    Join {
        /// By whom; its generation means nothing.
        claim: Claim,
        /// Name and metadata, the dearest first.
        protocols: Vec<(String, Bytes)>,
        /// How long it may be silent.
        session_ms: u64,
    },
    /// What its part is.
    Sync {
        /// By whom.
        claim: Claim,
        /// Of a leader: everybody's part, by member id.
        parts: Vec<(String, Bytes)>,
    },
    /// It is alive.
    Heartbeat {
        /// Who.
        claim: Claim,
    },
    /// Members go.
    Leave {
        /// Who.
        claims: Vec<Claim>,
    },
    /// The group is to go, with its offsets.
    Delete,
    /// Offsets are to go.
    DeleteOffsets {
        /// Which.
        targets: Vec<TopicPartition>,
    },
    /// How it is.
    Describe,
    /// Which groups there are: asked of no group.
    List {
        /// In these states; in any, if there are none.
        states: Vec<String>,
        /// And of these types.
        types: Vec<String>,
    },
}

/// A group, as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub id: String,
    /// What its members are to each other; empty while it has had none.
    pub protocol_type: String,
    /// Kafka's name of its state, where the version tells it.
    pub state: Option<String>,
    /// Of its type, likewise.
    pub group_type: Option<String>,
}

/// A member, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldMember {
    /// Its id.
    pub id: String,
    /// Its instance id, where the version tells it.
    pub instance: Option<String>,
    /// What it says in the group's protocol, or what its part is.
    pub says: Bytes,
}

/// What is told of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupTold {
    /// To [`GroupAsk::Commit`] and [`GroupAsk::DeleteOffsets`]: Kafka's number of an error, or 0, for each partition.
    Partitions(Vec<(TopicPartition, i16)>),
    /// To [`GroupAsk::Offsets`]: those that are told; others of all have none.
    Offsets(Vec<(TopicPartition, Result<Option<ToldOffset>, i16>)>),
    /// To [`GroupAsk::Join`].
    Joined {
        /// The generation.
        generation: i32,
        /// The member's own id.
        member: String,
        /// The leader's.
        leader: String,
        /// The protocol that is spoken.
        protocol: String,
        /// Everybody: to the leader alone.
        members: Vec<ToldMember>,
    },
    /// To [`GroupAsk::Sync`].
    Synced {
        /// The member's part.
        part: Bytes,
    },
    /// To [`GroupAsk::Heartbeat`], [`GroupAsk::Leave`] and [`GroupAsk::Delete`]: it is so.
    Done,
    /// To [`GroupAsk::Describe`].
    Described {
        /// Kafka's name of its state.
        state: String,
        /// Its members with their parts.
        members: Vec<ToldMember>,
    },
    /// To [`GroupAsk::List`].
    Listed {
        /// These.
        groups: Vec<ListedGroup>,
        /// And there may be others: Kafka's number of the error.
        error: i16,
    },
    /// Kafka's number of an error, of the whole.
    Error(i16),
}

/// The offsets that are in a log, by group and partition, as an independent reader has them; and the generation of each
/// group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredGroups {
    /// Committed offsets.
    pub offsets: std::collections::BTreeMap<(String, TopicPartition), Committed>,
    /// Generations.
    pub generations: std::collections::BTreeMap<String, i32>,
}
