//! DescribeGroups and ListGroups.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::member::Member;
use super::{ClassicGroup, State};
use crate::api::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::api::list_groups::ListedGroup;
use crate::broker::group::shard::{ForeignGroup, Group, Shard};
use crate::error_code::ErrorCode;

/// From here on a group that is not there is an error (KIP-1043).
const NOT_FOUND_SINCE: i16 = 6;

/// The state of a group that is not there.
const DEAD: &str = "Dead";

impl Shard {
    /// A group and its members. One that is not there is dead, or since version 6 an error; so is one of another kind.
    pub(in crate::broker) fn describe_group(&self, group_id: &str, version: i16) -> DescribedGroup {
        let words = match self.groups.get(group_id) {
            Some(Group::Classic(group)) => return group.described(),
            Some(Group::Foreign(_)) => format!("Group {group_id} is not a classic group."),
            None => format!("Group {group_id} not found."),
        };
        let dead = DescribedGroup {
            group_id: group_id.to_string(),
            group_state: DEAD.to_string(),
            ..DescribedGroup::default()
        };
        if version < NOT_FOUND_SINCE {
            return dead;
        }
        let error_code = ErrorCode::GROUP_ID_NOT_FOUND;
        DescribedGroup { error_code, error_message: Some(words), ..dead }
    }

    /// The groups in one of these states and of one of these types; no states, or no types, for any. Names go in any
    /// case; one that nobody knows fits no group.
    pub(in crate::broker) fn list_groups(
        &self,
        states: &[String],
        types: &[String],
    ) -> Vec<ListedGroup> {
        let states: Vec<_> = states.iter().map(|state| state.trim().to_lowercase()).collect();
        let types: Vec<_> = types.iter().map(|name| name.to_lowercase()).collect();
        let fits = |wanted: &[String], is: &str| {
            wanted.is_empty() || wanted.iter().any(|it| is.eq_ignore_ascii_case(it))
        };
        let listed = self.groups.iter().map(|(id, group)| {
            let (protocol_type, group_state, group_type) = match group {
                Group::Classic(group) => (
                    group.protocol_type.as_deref().unwrap_or_default(),
                    group.state.name(),
                    "classic",
                ),
                // Whoever was in it is gone for long.
                Group::Foreign(kind) => (kind.name(), State::Empty.name(), kind.name()),
            };
            ListedGroup {
                group_id: id.to_string(),
                protocol_type: protocol_type.to_string(),
                group_state: group_state.to_string(),
                group_type: group_type.to_string(),
            }
        });
        listed.filter(|it| fits(&states, &it.group_state) && fits(&types, &it.group_type)).collect()
    }
}

impl ForeignGroup {
    /// Of the type, and of the protocol that its members speak.
    fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Share => "share",
            Self::Streams => "streams",
        }
    }
}

impl ClassicGroup {
    /// What members say is told of a stable group alone.
    fn described(&self) -> DescribedGroup {
        let protocol = match self.state {
            State::Stable => self.protocol_name.as_deref(),
            _ => None,
        };
        let metadata =
            |member: &Member| protocol.map_or(Bytes::new(), |it| member.protocols.metadata(it));
        let members = self.members.iter().map(|(id, member)| DescribedGroupMember {
            member_id: id.to_string(),
            group_instance_id: member.instance_id.as_deref().map(String::from),
            client_id: member.client.client_id.clone(),
            client_host: member.client.client_host.clone(),
            member_metadata: metadata(member),
            member_assignment: member.assignment.clone(),
        });
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state.name().to_string(),
            protocol_type: self.protocol_type.as_deref().unwrap_or_default().to_string(),
            protocol_data: protocol.unwrap_or_default().to_string(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }
}
