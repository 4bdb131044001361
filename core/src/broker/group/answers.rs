//! Answers that wait until what they tell is safe.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::context::Asker;
use super::several::Part;
use crate::api::heartbeat::HeartbeatResponse;
use crate::api::join_group::JoinGroupResponse;
use crate::api::leave_group::LeaveGroupResponse;
use crate::api::offset_delete::OffsetDeleteResponse;
use crate::api::sync_group::SyncGroupResponse;
use crate::error_code::ErrorCode;
use crate::ids::ConnectionId;
use crate::request::ResponseBody;

/// An answer that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) struct HeldId(u64);

/// What waits.
#[derive(Debug)]
pub(super) enum Held {
    /// A whole answer.
    Whole(Asker, ResponseBody),
    /// One shard's part of an answer.
    Part(Part),
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct HeldAnswers {
    held: BTreeMap<HeldId, Held>,
    by_connection: BTreeSet<(ConnectionId, HeldId)>,
    next: u64,
}

impl HeldAnswers {
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    pub(super) fn hold(&mut self, asker: Asker, body: ResponseBody) -> HeldId {
        let id = self.insert(Held::Whole(asker, body));
        self.by_connection.insert((asker.connection, id));
        id
    }

    /// Its request is known by itself, and forgotten with it.
    pub(super) fn hold_part(&mut self, part: Part) -> HeldId {
        self.insert(Held::Part(part))
    }

    pub(super) fn take(&mut self, id: HeldId) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Held::Whole(asker, _) = &held {
            self.by_connection.remove(&(asker.connection, id));
        }
        Some(held)
    }

    /// Nobody waits for these any more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        let range = (connection, HeldId(0))..=(connection, HeldId(u64::MAX));
        let ids: Vec<HeldId> = self.by_connection.range(range).map(|(_, id)| *id).collect();
        for id in ids {
            self.take(id);
        }
    }

    fn insert(&mut self, held: Held) -> HeldId {
        let id = HeldId(self.next);
        self.next += 1;
        self.held.insert(id, held);
        id
    }
}

/// The same answer, of a coordinator that could not keep its word: nothing of what it decided is told.
pub(super) fn refused(body: ResponseBody, error_code: ErrorCode) -> ResponseBody {
    match body {
        ResponseBody::JoinGroup(response) => ResponseBody::JoinGroup(JoinGroupResponse {
            error_code,
            generation_id: -1,
            leader: String::new(),
            members: Vec::new(),
            ..response
        }),
        ResponseBody::SyncGroup(_) => ResponseBody::SyncGroup(SyncGroupResponse {
            error_code,
            ..SyncGroupResponse::default()
        }),
        ResponseBody::Heartbeat(_) => ResponseBody::Heartbeat(HeartbeatResponse {
            error_code,
            ..HeartbeatResponse::default()
        }),
        ResponseBody::LeaveGroup(_) => ResponseBody::LeaveGroup(LeaveGroupResponse {
            error_code,
            ..LeaveGroupResponse::default()
        }),
        ResponseBody::OffsetCommit(mut response) => {
            for topic in &mut response.topics {
                for partition in &mut topic.partitions {
                    if partition.error_code.is_none() {
                        partition.error_code = error_code;
                    }
                }
            }
            ResponseBody::OffsetCommit(response)
        }
        ResponseBody::OffsetDelete(_) => ResponseBody::OffsetDelete(OffsetDeleteResponse {
            error_code,
            ..OffsetDeleteResponse::default()
        }),
        other => {
            debug_assert!(false, "no shard answers by {other:?}");
            other
        }
    }
}
