//! What is told of groups, and of groups of other kinds.

use super::*;
use crate::api::describe_groups::DescribedGroup;
use crate::broker::group::shard::ForeignGroup;

fn describe(scene: &Scene) -> DescribedGroup {
    scene.shard.describe_group(G, 6)
}

#[test]
fn a_group_that_is_not_there_is_dead_or_since_version_6_not_found() {
    let scene = Scene::new();
    for version in 0..6 {
        let dead = scene.shard.describe_group("g-none", version);
        assert_eq!((dead.error_code, &*dead.group_state), (ErrorCode::NONE, "Dead"));
        assert_eq!((&*dead.group_id, dead.error_message), ("g-none", None));
    }
    let dead = scene.shard.describe_group("g-none", 6);
    assert_eq!((dead.error_code, &*dead.group_state), (ErrorCode::GROUP_ID_NOT_FOUND, "Dead"));
    assert_eq!(dead.error_message.as_deref(), Some("Group g-none not found."));
}

#[test]
fn members_are_told_in_every_state_and_what_they_say_of_a_stable_group() {
    let mut scene = Scene::new();
    let (id, asker) = scene.ask_join_anew(Joining::new());
    let told = describe(&scene);
    assert_eq!((&*told.group_state, &*told.protocol_type), ("PreparingRebalance", "consumer"));
    assert_eq!((told.members.len(), &*told.protocol_data), (1, ""));
    scene.pass(DELAY_MS);
    scene.joined(asker);
    let told = describe(&scene);
    assert_eq!((&*told.group_state, &*told.protocol_data), ("CompletingRebalance", ""));
    assert!(told.members[0].member_metadata.is_empty());
    scene.stabilise(std::slice::from_ref(&id));
    let told = describe(&scene);
    assert_eq!((&*told.group_state, &*told.protocol_data), ("Stable", "range"));
    let member = &told.members[0];
    assert_eq!((&member.member_id, &member.group_instance_id), (&id, &None));
    assert_eq!((&*member.client_id, &*member.client_host), ("c", "/127.0.0.1"));
    assert_eq!(&member.member_metadata[..], SUBSCRIPTION);
    assert_eq!(&member.member_assignment[..], id.as_bytes());
    scene.ask_join_anew(Joining::new());
    let told = describe(&scene);
    assert_eq!(told.members.len(), 2);
    let before = told.members.iter().find(|it| it.member_id == id).unwrap();
    assert_eq!((&before.member_assignment[..], before.member_metadata.len()), (id.as_bytes(), 0));
    scene.pass(SESSION_MS as u64);
    scene.leave(&[(&id, None)]);
    scene.pass(1_000_000);
    let told = describe(&scene);
    assert_eq!((&*told.group_state, &*told.protocol_type), ("Empty", "consumer"));
    assert_eq!((told.members.len(), told.authorized_operations), (0, i32::MIN));
}

fn listed(scene: &Scene, states: &[&str], types: &[&str]) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let groups = scene.shard.list_groups(&owned(states), &owned(types));
    groups.into_iter().map(|group| group.group_id).collect()
}

#[test]
fn groups_are_listed_by_state_and_type_in_any_case() {
    let mut scene = Scene::new();
    scene.stable(1);
    scene.join(Joining { group_id: "empty", ..Joining::new() });
    let foreign = Group::Foreign(ForeignGroup::Consumer);
    scene.shard.groups.insert("other".into(), foreign);
    assert_eq!(listed(&scene, &[], &[]), ["empty", "g", "other"]);
    assert_eq!(listed(&scene, &[" sTable "], &[]), ["g"]);
    assert_eq!(listed(&scene, &["EMPTY", "Stable"], &["Classic"]), ["empty", "g"]);
    assert_eq!(listed(&scene, &[], &["consumer", "nope"]), ["other"]);
    assert!(listed(&scene, &["Dead"], &[]).is_empty() && listed(&scene, &[], &["nope"]).is_empty());
    let all = scene.shard.list_groups(&[], &[]);
    let told: Vec<_> =
        all.iter().map(|it| (&*it.protocol_type, &*it.group_state, &*it.group_type)).collect();
    let expected = [
        ("", "Empty", "classic"),
        ("consumer", "Stable", "classic"),
        ("consumer", "Empty", "consumer"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn groups_of_other_kinds_take_no_members_of_this_protocol() {
    for kind in [ForeignGroup::Consumer, ForeignGroup::Share, ForeignGroup::Streams] {
        let mut scene = Scene::new();
        scene.shard.groups.insert(G.into(), Group::Foreign(kind));
        for joining in [Joining::new(), Joining::with("m"), Joining::as_static("i")] {
            let told = scene.join(joining);
            assert_eq!(told.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            assert_eq!(&*told.member_id, "");
        }
        assert_eq!(scene.sync(&Syncing::new("m", 1)).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(scene.heartbeat("m", 1), ErrorCode::UNKNOWN_MEMBER_ID);
        let left = scene.leave(&[("m", None)]);
        assert_eq!(left.members[0].error_code, ErrorCode::UNKNOWN_MEMBER_ID);
        let told = describe(&scene);
        assert_eq!(told.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
        assert_eq!(told.error_message.as_deref(), Some("Group g is not a classic group."));
        assert_eq!(scene.shard.validate_group_delete(G), Err(ErrorCode::NON_EMPTY_GROUP));
        assert!(!scene.shard.is_subscribed(G, "t"));

        let is_share = kind == ForeignGroup::Share;
        let not_found = ErrorCode::GROUP_ID_NOT_FOUND;
        let outside = if is_share { not_found } else { ErrorCode::NONE };
        assert_eq!(scene.commit("", -1), outside);
        let member = if is_share { not_found } else { ErrorCode::UNKNOWN_MEMBER_ID };
        assert_eq!(scene.commit("m", 1), member);
        let deletable = if is_share { Err(not_found) } else { Ok(()) };
        assert_eq!(scene.shard.validate_offset_delete(G), deletable);
    }
}
