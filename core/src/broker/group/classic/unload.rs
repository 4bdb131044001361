//! The end of a shard: its groups are served elsewhere, or later.

use alloc::string::String;

use super::membership::{refused, unsynced};
use super::{ClassicGroup, Work};
use crate::broker::group::context::Context;
use crate::broker::group::shard::{Group, Shard};
use crate::broker::group::timers::Timers;
use crate::error_code::ErrorCode;
use crate::request::ResponseBody;

impl Shard {
    /// Whoever waits is told to look for the coordinator again (`onUnloaded`). Nothing is due any more.
    pub(in crate::broker) fn unload(&mut self, context: &mut Context<'_>) {
        let mut work = Work { timers: &mut self.timers, context };
        for group in self.groups.values_mut() {
            if let Group::Classic(group) = group {
                group.unload(&mut work);
            }
        }
        self.timers = Timers::default();
    }
}

impl ClassicGroup {
    fn unload(&mut self, work: &mut Work<'_, '_>) {
        let error = ErrorCode::NOT_COORDINATOR;
        for (id, member) in &mut self.members {
            if let Some(asker) = member.joining.take() {
                let response = refused(String::from(&**id), error);
                work.context.out.answer(asker, ResponseBody::JoinGroup(response));
            }
            work.answer_sync(member, unsynced(error));
        }
        self.joined = 0;
    }
}
