//! A member of a group.

use alloc::sync::Arc;

use bytes::Bytes;

use super::protocols::Protocols;
use crate::broker::group::context::{Asker, ClientDetails};

/// A member (`ClassicGroupMember`). All that it holds is copied out of what it sent.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Of a static member: what it is known by over its restarts (KIP-345).
    pub instance_id: Option<Arc<str>>,
    pub client: ClientDetails,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocols: Protocols,
    /// Its part, as the leader said; empty before.
    pub assignment: Bytes,
    /// It waits for the answer to JoinGroup.
    pub joining: Option<Asker>,
    /// It waits for the answer to SyncGroup.
    pub syncing: Option<Asker>,
    /// It has never been told its id by an answer to JoinGroup: it cannot know that it should send heartbeats.
    pub is_new: bool,
}

impl Member {
    /// Bytes of what it is known by.
    pub(super) fn names_bytes(&self, id: &str) -> usize {
        let instance_id = self.instance_id.as_ref().map_or(0, |id| id.len());
        id.len() + instance_id + self.client.client_id.len()
    }

    /// Who waits for an answer sends no heartbeats.
    pub(super) fn is_waiting(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}
