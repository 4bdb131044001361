//! The classic protocol of groups: members agree among themselves who does what, the coordinator keeps the rounds
//! (`ClassicGroup`, and what `GroupMetadataManager` does with it).
//!
//! ```text
//!            first member                 all have joined,          the leader says
//!            joins                        or the time is up         who does what
//!   Empty ─────────────▶ PreparingRebalance ──────────▶ CompletingRebalance ───────▶ Stable
//!     ▲                    │   ▲                           │  a member joins anew,    │
//!     └────────────────────┘   └───────────────────────────┴──leaves or is silent─────┘
//!      nobody is left
//! ```
//!
//! JoinGroup waits in PreparingRebalance, SyncGroup in CompletingRebalance. A group is in the log when it becomes
//! Stable or Empty, so that is what it starts as after a load. Kafka's `Dead` is a group that is not there.

mod describe;
mod join;
mod leave;
mod member;
mod member_id;
mod membership;
mod offsets;
mod pending;
mod protocols;
mod rebalance;
mod records;
mod rejoin;
mod session;
mod static_member;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod unload;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use self::member::Member;
use self::pending::PendingMembers;
use self::protocols::SupportedProtocols;
use self::rebalance::InitialRebalance;
use super::context::Context;
use super::shard::{Group, Shard};
use super::timers::{TimerKey, Timers};
use crate::time::Millis;

/// The type of the protocol that Kafka's consumers speak among themselves (`ConsumerProtocol.PROTOCOL_TYPE`).
const CONSUMER: &str = "consumer";

/// A group whose members agree among themselves (`ClassicGroup`).
///
/// Members are kept, told of and chosen as leader in the order of their ids, where Kafka has the order of a hash.
#[derive(Debug)]
pub(in crate::broker) struct ClassicGroup {
    id: Arc<str>,
    state: State,
    /// When the state was entered, by the wall clock; `None` for a group that nothing has happened to yet, or whose
    /// record is too old to say.
    state_since_ms: Option<i64>,
    /// While the first rebalance of an empty group goes on.
    initial: Option<InitialRebalance>,
    /// Raised whenever members have joined.
    generation: i32,
    /// What members speak among themselves; `None` before the first.
    protocol_type: Option<Arc<str>>,
    /// Which of the protocols that all members support this generation uses.
    protocol_name: Option<Arc<str>>,
    /// The member that says who does what.
    leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// Bytes of the names of all members.
    names_bytes: usize,
    /// Member ids by instance id (KIP-345).
    static_members: BTreeMap<Arc<str>, Arc<str>>,
    /// Ids that were handed out and not used yet (KIP-394).
    pending: PendingMembers,
    supported: SupportedProtocols,
    /// How many members wait for the answer to JoinGroup.
    joined: usize,
    /// Members of this generation that have not asked for their part.
    unsynced: BTreeSet<Arc<str>>,
    /// What consumers subscribe to; `None` when they are none, or say it in a way that cannot be read.
    subscribed: Option<BTreeSet<Box<str>>>,
}

/// Where a group stands (`ClassicGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

/// What a group changes beside itself.
struct Work<'a, 'c> {
    timers: &'a mut Timers,
    context: &'a mut Context<'c>,
}

impl State {
    /// Kafka's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

impl ClassicGroup {
    /// Without members and without a protocol: it holds offsets that somebody commits who is no member.
    pub(in crate::broker) fn simple(id: Arc<str>) -> Self {
        Self {
            id,
            state: State::Empty,
            state_since_ms: None,
            initial: None,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            names_bytes: 0,
            static_members: BTreeMap::new(),
            pending: PendingMembers::default(),
            supported: SupportedProtocols::default(),
            joined: 0,
            unsynced: BTreeSet::new(),
            subscribed: None,
        }
    }

    fn enter(&mut self, state: State, now_ms: i64) {
        self.state = state;
        self.state_since_ms = Some(now_ms);
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    fn speaks_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }
}

impl Shard {
    /// A group of this kind, and what it works with.
    fn classic<'a, 'c>(
        &'a mut self,
        context: &'a mut Context<'c>,
        group_id: &str,
    ) -> Option<(&'a mut ClassicGroup, Work<'a, 'c>)> {
        let Some(Group::Classic(group)) = self.groups.get_mut(group_id) else { return None };
        Some((group, Work { timers: &mut self.timers, context }))
    }
}

impl Work<'_, '_> {
    /// A negative time is over at once, as in Java.
    fn set(&mut self, key: TimerKey, after_ms: i32) {
        let at = self.context.now.mono + Millis(u64::try_from(after_ms).unwrap_or(0));
        self.timers.set(key, at);
    }
}

fn session_key(group: &Arc<str>, member: &Arc<str>) -> TimerKey {
    TimerKey::Session { group: Arc::clone(group), member: Arc::clone(member) }
}

fn join_key(group: &Arc<str>) -> TimerKey {
    TimerKey::Join { group: Arc::clone(group) }
}

fn sync_key(group: &Arc<str>) -> TimerKey {
    TimerKey::Sync { group: Arc::clone(group) }
}
