//! One partition of `__consumer_offsets`: its groups and the offsets that they committed.
//!
//! A pure machine below the broker: requests, replayed records and time come in, records and answers go out
//! (`GroupCoordinatorShard`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::classic::ClassicGroup;
use super::context::Context;
use super::offsets::Offsets;
use super::timers::{TimerKey, Timers};
use crate::time::Instant;

/// The state of one partition of `__consumer_offsets`.
#[derive(Debug, Default)]
pub(in crate::broker) struct Shard {
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
}

/// A group, by its protocol. A group may change its kind (KIP-848).
#[derive(Debug)]
pub(in crate::broker) enum Group {
    /// Members agree among themselves.
    Classic(ClassicGroup),
    /// Of a kind that is not served here: what Kafka wrote of it stays in the log.
    Foreign(ForeignGroup),
}

/// The kind of a group that is not served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum ForeignGroup {
    /// KIP-848.
    Consumer,
    /// KIP-932.
    Share,
    /// KIP-1071.
    Streams,
}

impl Shard {
    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// One deadline that has passed; false when none has.
    pub(in crate::broker) fn handle_timeout(&mut self, context: &mut Context<'_>) -> bool {
        let Some(key) = self.timers.pop(context.now.mono) else { return false };
        match key {
            TimerKey::Session { group, member } => self.end_session(context, &group, &member),
            TimerKey::Join { group } => self.end_join(context, &group),
            TimerKey::Sync { group } => self.end_sync(context, &group),
        }
        true
    }
}
