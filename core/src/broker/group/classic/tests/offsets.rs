//! What groups say to commits, deletes and expiry.

use super::*;

#[test]
fn who_is_no_member_commits_while_there_are_none() {
    let mut scene = Scene::new();
    assert_eq!(scene.commit("", -1), ErrorCode::NONE);
    assert_eq!((scene.state(), scene.log.len()), (State::Empty, 1), "a group of its own");
    assert_eq!(scene.group().protocol_type, None);
    assert_eq!(scene.commit("anybody", -1), ErrorCode::NONE);
    assert_eq!(scene.commit("", 3), ErrorCode::UNKNOWN_MEMBER_ID);
    let (ids, generation) = scene.stable(1);
    assert_eq!(scene.commit("", -1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.commit("anybody", -1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.commit(&ids[0], -1), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(scene.commit(&ids[0], generation), ErrorCode::NONE);
}

#[test]
fn a_group_that_is_not_there_has_no_generation() {
    let mut scene = Scene::new();
    let request = committing(G, "m", 0, None);
    assert_eq!(scene.commit_as(8, &request), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(scene.commit_as(9, &request), ErrorCode::GROUP_ID_NOT_FOUND);
    assert!(scene.shard.groups.is_empty());
    // The empty name is a group's too.
    assert_eq!(scene.commit_as(9, &committing("", "", -1, None)), ErrorCode::NONE);
    assert!(scene.shard.groups.contains_key(""));
}

#[test]
fn members_commit_in_their_generation_until_the_next_one_begins() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    assert_eq!(scene.commit(&leader, generation), ErrorCode::NONE);
    assert_eq!(scene.commit(&leader, generation + 1), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(scene.commit("forged", generation), ErrorCode::UNKNOWN_MEMBER_ID);
    scene.ask_join(Joining::with(&leader));
    assert_eq!(scene.commit(&other, generation), ErrorCode::NONE);
    scene.ask_join(Joining::with(&other));
    assert_eq!(scene.state(), State::CompletingRebalance);
    assert_eq!(scene.commit(&other, generation), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(scene.commit(&other, generation + 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_members_commit_is_a_heartbeat() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    for _ in 0..5 {
        scene.pass(9_000);
        assert_eq!(scene.commit(&ids[0], generation), ErrorCode::NONE);
    }
    assert_eq!(scene.commit(&ids[0], generation + 1), ErrorCode::ILLEGAL_GENERATION);
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn offsets_of_groups_whose_members_cannot_be_understood_stay() {
    let mut scene = Scene::new();
    assert_eq!(scene.shard.validate_offset_delete(G), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    scene.join(Joining { protocol_type: "connect", ..Joining::new() });
    assert_eq!(scene.shard.validate_offset_delete(G), Ok(()));
    scene.ask_join_anew(Joining { protocol_type: "connect", ..Joining::new() });
    assert_eq!(scene.shard.validate_offset_delete(G), Err(ErrorCode::NON_EMPTY_GROUP));
    let mut scene = Scene::new();
    scene.stable(1);
    assert_eq!(scene.shard.validate_offset_delete(G), Ok(()));
}

#[test]
fn topics_are_subscribed_to_by_what_members_of_this_generation_say() {
    let mut scene = Scene::new();
    assert!(!scene.shard.is_subscribed(G, "t"));
    let (ids, _) = scene.stable(1);
    assert!(scene.shard.is_subscribed(G, "t") && !scene.shard.is_subscribed(G, "u"));
    let other: &[(&str, &[u8])] = &[("range", OTHER_SUBSCRIPTION)];
    let (_, asker) = scene.ask_join_anew(Joining { protocols: other, ..Joining::new() });
    assert!(!scene.shard.is_subscribed(G, "u"));
    scene.ask_join(Joining::with(&ids[0]));
    scene.joined(asker);
    assert!(scene.shard.is_subscribed(G, "t") && scene.shard.is_subscribed(G, "u"));
    scene.pass(1_000_000);
    assert_eq!(scene.state(), State::Empty);
    assert!(!scene.shard.is_subscribed(G, "t"));
}

#[test]
fn consumers_that_say_what_nobody_understands_may_read_everything() {
    let mut scene = Scene::new();
    let (_, asker) =
        scene.ask_join_anew(Joining { protocols: &[("range", b"?")], ..Joining::new() });
    scene.pass(DELAY_MS);
    scene.joined(asker);
    assert!(scene.shard.is_subscribed(G, "any"));
    let mut scene = Scene::new();
    let other = Joining { protocol_type: "connect", ..Joining::new() };
    let (_, asker) = scene.ask_join_anew(other);
    scene.pass(DELAY_MS);
    scene.joined(asker);
    assert!(!scene.shard.is_subscribed(G, "t"));
}

#[test]
fn offsets_are_idle_since_somebody_cared() {
    let mut scene = Scene::new();
    let idle = |scene: &Scene| scene.group().offset_idle_since_ms(5);
    // Of a simple group, and of one that knows its members' topics: since the commit.
    scene.commit("", -1);
    assert_eq!(idle(&scene), Some(5));
    let (ids, _) = scene.stable(1);
    assert_eq!(idle(&scene), Some(5));
    // While members agree they stay. Then: since the last has left.
    scene.join(Joining::with(&ids[0]));
    assert_eq!((scene.state(), idle(&scene)), (State::CompletingRebalance, None));
    scene.leave(&[(&ids[0], None)]);
    assert_eq!((scene.state(), idle(&scene)), (State::Empty, Some(scene.now.wall_ms)));

    let mut scene = Scene::new();
    let (id, asker) =
        scene.ask_join_anew(Joining { protocols: &[("range", b"?")], ..Joining::new() });
    assert_eq!(idle(&scene), None);
    scene.pass(DELAY_MS);
    scene.joined(asker);
    scene.stabilise(std::slice::from_ref(&id));
    assert_eq!(idle(&scene), None, "they may read everything");
}

#[test]
fn groups_with_members_stay_and_others_go_with_what_they_handed_out() {
    let mut scene = Scene::new();
    assert_eq!(scene.shard.validate_group_delete(G), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    let (ids, _) = scene.stable(1);
    assert_eq!(scene.shard.validate_group_delete(G), Err(ErrorCode::NON_EMPTY_GROUP));
    scene.call(|shard, context| shard.remove_group_if_empty(context, G));
    assert_eq!(scene.state(), State::Stable);
    scene.leave(&[(&ids[0], None)]);
    scene.join(Joining::new());
    assert_eq!(scene.shard.validate_group_delete(G), Ok(()));
    scene.call(|shard, context| shard.remove_group_if_empty(context, G));
    assert!(scene.shard.groups.is_empty() && scene.shard.deadline().is_none());
    let tombstone = scene.log.last().unwrap();
    assert_eq!(OffsetsKey::decode(&tombstone.key), Ok(OffsetsKey::Group(G.to_string())));
    assert_eq!(tombstone.value, None);
}
