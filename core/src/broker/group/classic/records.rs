//! What the log keeps of a group (`GroupMetadataKey`, `GroupMetadataValue`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::member::Member;
use super::protocols::Protocols;
use super::{ClassicGroup, State};
use crate::broker::group::context::{ClientDetails, CoordinatorRecord};
use crate::broker::group::shard::{Group, Shard};
use crate::records::{GroupMetadataValue, MemberMetadata, OffsetsKey, RecordError};

impl Shard {
    /// A record of the log while it is loaded; without a value the group is gone.
    ///
    /// A group starts as stable, or empty when it has no members (`GroupMetadataManager.replay`).
    pub(in crate::broker::group) fn replay_group(
        &mut self,
        group_id: &str,
        value: Option<&Bytes>,
    ) -> Result<(), RecordError> {
        let Some(value) = value else {
            self.groups.remove(group_id);
            return Ok(());
        };
        let id: Arc<str> = Arc::from(group_id);
        let group = ClassicGroup::loaded(Arc::clone(&id), GroupMetadataValue::decode(value)?);
        self.groups.insert(id, Group::Classic(Box::new(group)));
        Ok(())
    }
}

impl ClassicGroup {
    /// The record of the group as it is.
    pub(super) fn record(&self) -> CoordinatorRecord {
        self.record_with(|_, member| member.assignment.clone())
    }

    /// The record of the group with these parts for its members.
    pub(super) fn record_with(&self, part: impl Fn(&str, &Member) -> Bytes) -> CoordinatorRecord {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| MemberMetadata {
            member_id: String::from(&**id),
            group_instance_id: member.instance_id.as_deref().map(String::from),
            client_id: member.client.client_id.clone(),
            client_host: member.client.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.protocols.metadata(protocol),
            assignment: part(id, member),
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.as_deref().map(String::from).unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.as_deref().map(String::from),
            leader: self.leader.as_deref().map(String::from),
            current_state_timestamp: self.state_since_ms.unwrap_or(-1),
            members: members.collect(),
        };
        let key = OffsetsKey::Group(String::from(&*self.id)).encode();
        CoordinatorRecord { key, value: Some(value.encode()) }
    }

    fn loaded(id: Arc<str>, value: GroupMetadataValue) -> Self {
        let mut group = Self::simple(id);
        group.generation = value.generation;
        group.state_since_ms =
            (value.current_state_timestamp != -1).then_some(value.current_state_timestamp);
        group.protocol_name = value.protocol.map(Arc::from);
        let protocol = group.protocol_name.clone().unwrap_or_default();
        if !value.protocol_type.is_empty() {
            group.protocol_type = Some(Arc::from(value.protocol_type.as_str()));
        }
        // Nobody writes a member twice; of what is forged the last counts.
        let members: BTreeMap<String, MemberMetadata> =
            value.members.into_iter().map(|member| (member.member_id.clone(), member)).collect();
        for (id, member) in members {
            let mut member = Member::loaded(member, Arc::clone(&protocol));
            let is_taken = |id: &mut Arc<str>| group.static_members.contains_key(&**id);
            member.instance_id.take_if(is_taken);
            group.add(Arc::from(id), &value.protocol_type, member);
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
        }
        let leader = value.leader.filter(|leader| group.members.contains_key(leader.as_str()));
        if let Some(leader) = leader {
            group.leader = Some(Arc::from(leader));
        }
        group.note_subscriptions();
        group
    }
}

impl Member {
    fn loaded(member: MemberMetadata, protocol: Arc<str>) -> Self {
        Self {
            instance_id: member.group_instance_id.map(Arc::from),
            client: ClientDetails { client_id: member.client_id, client_host: member.client_host },
            session_timeout_ms: member.session_timeout,
            rebalance_timeout_ms: match member.rebalance_timeout {
                // A record too old to say.
                -1 => member.session_timeout,
                timeout_ms => timeout_ms,
            },
            protocols: Protocols::one(protocol, Bytes::copy_from_slice(&member.subscription)),
            assignment: Bytes::copy_from_slice(&member.assignment),
            joining: None,
            syncing: None,
            is_new: false,
        }
    }
}
