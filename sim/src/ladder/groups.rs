//! What is asked and told of groups, in one line each.

use klamm_core::api::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use klamm_core::api::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use klamm_core::api::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use klamm_core::api::list_groups::{ListGroupsRequest, ListGroupsResponse};
use klamm_core::api::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use klamm_core::api::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm_core::api::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use klamm_core::api::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::answers::Tells;
use super::requests::Asks;
use super::words::{Names, list, outcome, pairs};
use crate::client::member::protocol::decode_part;

/// The end of a member's id tells it from others.
fn member(id: &str, instance: Option<&str>) -> String {
    let id = match id.char_indices().rev().nth(3) {
        Some((at, _)) => &id[at..],
        None => id,
    };
    match (id, instance) {
        ("", None) => "somebody".to_owned(),
        (id, None) => format!("member {id}"),
        (id, Some(instance)) => format!("{instance} {id}"),
    }
}

fn part(bytes: &[u8]) -> String {
    match decode_part(&bytes::Bytes::copy_from_slice(bytes)) {
        Some(part) => {
            format!("[{}]", part.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        None => format!("{} bytes", bytes.len()),
    }
}

impl Asks for FindCoordinatorRequest {
    fn words(&self, _: &Names) -> String {
        list(
            self.coordinator_keys
                .iter()
                .chain(Some(&self.key).filter(|key| !key.is_empty()))
                .cloned(),
        )
    }
}

impl Asks for JoinGroupRequest {
    fn words(&self, _: &Names) -> String {
        let who = member(&self.member_id, self.group_instance_id.as_deref());
        let speaks = list(self.protocols.iter().map(|one| one.name.clone()));
        format!("{} {who}, session {} ms, speaks {speaks}", self.group_id, self.session_timeout_ms)
    }
}

impl Asks for SyncGroupRequest {
    fn words(&self, _: &Names) -> String {
        let who = member(&self.member_id, self.group_instance_id.as_deref());
        let parts = self
            .assignments
            .iter()
            .map(|one| format!("{} has {}", member(&one.member_id, None), part(&one.assignment)));
        let parts =
            if self.assignments.is_empty() { String::new() } else { format!(": {}", list(parts)) };
        format!("{} {who} generation {}{parts}", self.group_id, self.generation_id)
    }
}

impl Asks for HeartbeatRequest {
    fn words(&self, _: &Names) -> String {
        let who = member(&self.member_id, self.group_instance_id.as_deref());
        format!("{} {who} generation {}", self.group_id, self.generation_id)
    }
}

impl Asks for LeaveGroupRequest {
    fn words(&self, _: &Names) -> String {
        let one = Some(member(&self.member_id, None)).filter(|_| !self.member_id.is_empty());
        let many = self.members.iter();
        let many = many.map(|one| member(&one.member_id, one.group_instance_id.as_deref()));
        format!("{} {}", self.group_id, list(one.into_iter().chain(many)))
    }
}

impl Asks for OffsetCommitRequest {
    fn words(&self, names: &Names) -> String {
        let who = member(&self.member_id, self.group_instance_id.as_deref());
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        let parts = list(parts.map(|(topic, part)| {
            let target = names.partition(&topic.name, topic.topic_id, part.partition_index);
            let said = part.committed_metadata.as_deref().unwrap_or_default();
            let said: String = said.chars().take(20).collect();
            format!("{target} {} ({said})", part.committed_offset)
        }));
        let generation = self.generation_id_or_member_epoch;
        format!("{} {who} generation {generation}: {parts}", self.group_id)
    }
}

impl Asks for OffsetFetchRequest {
    fn words(&self, names: &Names) -> String {
        let old = self.topics.iter().flatten().flat_map(|topic| {
            topic.partition_indexes.iter().map(|index| format!("{}-{index}", topic.name))
        });
        let one =
            Some(format!("{} {}", self.group_id, list(old))).filter(|_| self.groups.is_empty());
        let many = self.groups.iter().map(|group| match &group.topics {
            None => format!("{} all", group.group_id),
            Some(topics) => {
                let parts = pairs(topics, |topic| &topic.partition_indexes);
                let parts = parts
                    .map(|(topic, index)| names.partition(&topic.name, topic.topic_id, *index));
                format!("{} {}", group.group_id, list(parts))
            }
        });
        list(one.into_iter().chain(many))
    }
}

impl Asks for DescribeGroupsRequest {
    fn words(&self, _: &Names) -> String {
        list(self.groups.iter().cloned())
    }
}

impl Asks for ListGroupsRequest {
    fn words(&self, _: &Names) -> String {
        String::new()
    }
}

impl Asks for DeleteGroupsRequest {
    fn words(&self, _: &Names) -> String {
        list(self.groups_names.iter().cloned())
    }
}

impl Asks for OffsetDeleteRequest {
    fn words(&self, _: &Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        let parts = parts.map(|(topic, part)| format!("{}-{}", topic.name, part.partition_index));
        format!("{} {}", self.group_id, list(parts))
    }
}

impl Tells for FindCoordinatorResponse {
    fn words(&self, _: &mut Names) -> String {
        match &self.coordinators[..] {
            [] => outcome("coordinator", self.error_code, || format!(" is {}", self.node_id)),
            many => list(many.iter().map(|one| {
                outcome(&format!("coordinator of {}", one.key), one.error_code, || {
                    format!(" is {}", one.node_id)
                })
            })),
        }
    }
}

impl Tells for JoinGroupResponse {
    fn words(&self, _: &mut Names) -> String {
        let who = member(&self.member_id, None);
        outcome(&who, self.error_code, || {
            let (protocol, leader) = (self.protocol_name.as_deref(), member(&self.leader, None));
            let others = self.members.iter();
            let others = others.map(|one| member(&one.member_id, one.group_instance_id.as_deref()));
            let told = match self.members.len() {
                0 => String::new(),
                _ => format!(": {}", list(others)),
            };
            let protocol = protocol.unwrap_or_default();
            format!(" in generation {} of {protocol}, {leader} leads{told}", self.generation_id)
        })
    }
}

impl Tells for SyncGroupResponse {
    fn words(&self, _: &mut Names) -> String {
        outcome("part", self.error_code, || format!(" {}", part(&self.assignment)))
    }
}

impl Tells for HeartbeatResponse {
    fn words(&self, _: &mut Names) -> String {
        outcome("alive", self.error_code, String::new)
    }
}

impl Tells for LeaveGroupResponse {
    fn words(&self, _: &mut Names) -> String {
        let many = self.members.iter().map(|one| {
            let who = member(&one.member_id, one.group_instance_id.as_deref());
            outcome(&who, one.error_code, || " gone".to_owned())
        });
        outcome("leave", self.error_code, || format!(": {}", list(many)))
    }
}

impl Tells for OffsetCommitResponse {
    fn words(&self, names: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        list(parts.map(|(topic, part)| {
            let target = names.partition(&topic.name, topic.topic_id, part.partition_index);
            outcome(&target, part.error_code, || " kept".to_owned())
        }))
    }
}

impl Tells for OffsetFetchResponse {
    fn words(&self, names: &mut Names) -> String {
        let old = pairs(&self.topics, |topic| &topic.partitions).map(|(topic, part)| {
            let target = format!("{}-{}", topic.name, part.partition_index);
            outcome(&target, part.error_code, || {
                format!(
                    " {} ({})",
                    part.committed_offset,
                    part.metadata.as_deref().unwrap_or_default()
                )
            })
        });
        let old: Vec<String> = old.collect();
        let many = self.groups.iter().map(|group| {
            outcome(&group.group_id, group.error_code, || {
                let parts = pairs(&group.topics, |topic| &topic.partitions).map(|(topic, part)| {
                    let target = names.partition(&topic.name, topic.topic_id, part.partition_index);
                    outcome(&target, part.error_code, || {
                        let said = part.metadata.as_deref().unwrap_or_default();
                        format!(" {} ({said})", part.committed_offset)
                    })
                });
                format!(" {}", list(parts))
            })
        });
        let many: Vec<String> = many.collect();
        outcome("", self.error_code, || list(old.into_iter().chain(many)))
    }
}

impl Tells for DescribeGroupsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(self.groups.iter().map(|group| {
            outcome(&group.group_id, group.error_code, || {
                let members = group.members.iter();
                let members =
                    members.map(|one| member(&one.member_id, one.group_instance_id.as_deref()));
                format!(" {}: {}", group.group_state, list(members))
            })
        }))
    }
}

impl Tells for ListGroupsResponse {
    fn words(&self, _: &mut Names) -> String {
        outcome("", self.error_code, || {
            list(self.groups.iter().map(|group| group.group_id.clone()))
        })
    }
}

impl Tells for DeleteGroupsResponse {
    fn words(&self, _: &mut Names) -> String {
        list(
            self.results
                .iter()
                .map(|one| outcome(&one.group_id, one.error_code, || " deleted".to_owned())),
        )
    }
}

impl Tells for OffsetDeleteResponse {
    fn words(&self, _: &mut Names) -> String {
        let parts = pairs(&self.topics, |topic| &topic.partitions);
        let parts = list(parts.map(|(topic, part)| {
            let target = format!("{}-{}", topic.name, part.partition_index);
            outcome(&target, part.error_code, || " forgotten".to_owned())
        }));
        outcome("offsets", self.error_code, || format!(": {parts}"))
    }
}
