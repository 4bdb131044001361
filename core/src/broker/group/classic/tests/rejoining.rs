//! Members that join again, and those that do not.

use super::*;

#[test]
fn whoever_missed_the_answer_is_told_the_same_again() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    for version in [4, 9] {
        let told = scene.join(Joining { version, ..Joining::with(&leader) });
        assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation));
        assert_eq!((told.members.len(), told.skip_assignment), (2, false));
        assert_eq!(told.protocol_name.as_deref(), Some("range"));
        let told = scene.join(Joining { version, ..Joining::with(&other) });
        assert_eq!(
            (told.generation_id, told.members.len(), &told.leader),
            (generation, 0, &leader)
        );
    }
    assert_eq!(scene.state(), State::CompletingRebalance);
}

#[test]
fn a_member_that_says_something_new_begins_a_new_round() {
    let new: &[(&str, &[u8])] = &[("range", OTHER_SUBSCRIPTION)];
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let waiting = scene.ask_sync(&Syncing::new(&other, generation));
    let asker = scene.ask_join(Joining { protocols: new, ..Joining::with(&leader) });
    assert_eq!(scene.state(), State::PreparingRebalance);
    assert_eq!(scene.synced(waiting).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    let again = scene.ask_join(Joining::with(&other));
    let joined = scene.joined(asker);
    assert_eq!(joined.generation_id, generation + 1);
    let leaders = joined.members.iter().find(|it| it.member_id == leader).unwrap();
    assert_eq!(leaders.metadata, OTHER_SUBSCRIPTION);
    scene.joined(again);

    let ids = [leader.clone(), other.clone()];
    let generation = scene.stabilise(&ids);
    let asker = scene.ask_join(Joining { protocols: new, ..Joining::with(&other) });
    assert_eq!(scene.state(), State::PreparingRebalance);
    assert!(scene.waits(asker));
    scene.ask_join(Joining::with(&leader));
    assert_eq!(scene.joined(asker).generation_id, generation + 1);
}

#[test]
fn while_stable_a_follower_is_told_what_is_and_a_leader_begins_anew() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let told = scene.join(Joining::with(&other));
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation));
    assert!(told.members.is_empty());
    assert_eq!(scene.state(), State::Stable);
    let asker = scene.ask_join(Joining::with(&leader));
    assert_eq!(scene.state(), State::PreparingRebalance);
    assert!(scene.waits(asker));
}

#[test]
fn the_order_of_protocols_is_part_of_what_a_member_says() {
    let mut scene = Scene::new();
    scene.config.initial_rebalance_delay_ms = 0;
    let (_, _) = scene.stable(2);
    let other = scene.followers().remove(0);
    let asker = scene.ask_join(Joining {
        protocols: &[("range", SUBSCRIPTION), ("sticky", b"")],
        ..Joining::with(&other)
    });
    scene.ask_join(Joining::with(&scene.leader()));
    scene.joined(asker);
    scene.stabilise(&[other.clone(), scene.leader()]);
    let same: &[(&str, &[u8])] = &[("range", SUBSCRIPTION), ("sticky", b"")];
    let told = scene.join(Joining { protocols: same, ..Joining::with(&other) });
    assert_eq!((told.error_code, scene.state()), (ErrorCode::NONE, State::Stable));
    let turned: &[(&str, &[u8])] = &[("sticky", b""), ("range", SUBSCRIPTION)];
    scene.ask_join(Joining { protocols: turned, ..Joining::with(&other) });
    assert_eq!(scene.state(), State::PreparingRebalance);
}

#[test]
fn who_does_not_join_in_time_is_out() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(3);
    let (leader, late) = (scene.leader(), scene.followers());
    let asker = scene.ask_join(Joining::with(&leader));
    // Heartbeats alone keep nobody in.
    for _ in 0..5 {
        for id in &late {
            assert_eq!(scene.heartbeat(id, generation), ErrorCode::REBALANCE_IN_PROGRESS);
        }
        scene.pass(9_000);
    }
    let again = scene.ask_join(Joining::with(&late[0]));
    scene.heartbeat(&late[1], generation);
    scene.pass(9_000);
    scene.heartbeat(&late[1], generation);
    assert!(scene.waits(asker));
    scene.pass(6_000);
    assert_eq!(scene.joined(asker).members.len(), 2);
    scene.joined(again);
    assert_eq!(scene.heartbeat(&late[1], generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.heartbeat(&late[0], generation), ErrorCode::ILLEGAL_GENERATION);
}

#[test]
fn a_leader_that_does_not_join_leads_no_more() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(3);
    let (leader, others) = (scene.leader(), scene.followers());
    let askers: Vec<_> = others
        .iter()
        .map(|id| scene.ask_join(Joining { protocols: &[("range", b"new")], ..Joining::with(id) }))
        .collect();
    for _ in 0..6 {
        assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::REBALANCE_IN_PROGRESS);
        scene.pass(9_000);
    }
    scene.heartbeat(&leader, generation);
    assert_eq!(scene.leader(), leader);
    scene.pass(6_000);
    let joined: Vec<_> = askers.iter().map(|asker| scene.joined(*asker)).collect();
    assert!(joined.iter().all(|it| it.leader == others[0] && it.generation_id == generation + 1));
    assert_eq!((joined[0].members.len(), joined[1].members.len()), (2, 0));
    assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_request_that_is_repeated_is_answered_too() {
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(2);
    let first = scene.ask_join(Joining::with(&scene.leader()));
    let second = scene.ask_join(Joining::with(&scene.leader()));
    assert_eq!(scene.joined(first).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(scene.waits(second));
    scene.ask_join(Joining::with(&scene.followers()[0]));
    assert_eq!(scene.joined(second).members.len(), ids.len());
}

#[test]
fn protocols_that_the_others_do_not_support_are_refused_from_members_too() {
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(2);
    let refused = scene.join(Joining { protocols: &[("other", b"")], ..Joining::with(&ids[0]) });
    assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!((refused.member_id, scene.state()), (ids[0].clone(), State::Stable));
}

#[test]
fn a_group_changes_its_protocol_over_two_rounds() {
    // As from an eager assignor to a cooperative one: first all support both, then each the new one alone.
    let (old, new) = (("range", SUBSCRIPTION), ("cooperative-sticky", SUBSCRIPTION));
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(2);
    for (protocols, expected) in
        [(&[new, old][..], "cooperative-sticky"), (&[new][..], "cooperative-sticky")]
    {
        let first = scene.ask_join(Joining { protocols, ..Joining::with(&ids[0]) });
        let second = scene.ask_join(Joining { protocols, ..Joining::with(&ids[1]) });
        for asker in [first, second] {
            assert_eq!(scene.joined(asker).protocol_name.as_deref(), Some(expected));
        }
        let generation = scene.group().generation;
        let leader = scene.leader();
        let protocol = (Some("consumer"), Some(expected));
        let told = scene.sync(&Syncing { protocol, ..Syncing::new(&leader, generation) });
        assert_eq!(told.error_code, ErrorCode::NONE);
    }
}

#[test]
fn cooperative_members_hand_over_in_two_rounds_and_read_on_meanwhile() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    let (new, asker) = scene.ask_join_anew(Joining::new());
    // It keeps what it has while it joins, and commits in the old generation.
    assert_eq!(scene.commit(&ids[0], generation), ErrorCode::NONE);
    let again = scene.ask_join(Joining::with(&ids[0]));
    scene.joined(again);
    scene.joined(asker);
    assert_eq!(scene.commit(&ids[0], generation), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(scene.commit(&ids[0], generation + 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let all = [ids[0].clone(), new.clone()];
    assert_eq!(scene.stabilise(&all), generation + 1);
    // It has given something up, and says so: the second round.
    let new_metadata: &[(&str, &[u8])] = &[("range", OTHER_SUBSCRIPTION)];
    let again = scene.ask_join(Joining { protocols: new_metadata, ..Joining::with(&ids[0]) });
    assert_eq!(scene.heartbeat(&new, generation + 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let asker = scene.ask_join(Joining::with(&new));
    assert_eq!(scene.joined(again).generation_id, generation + 2);
    assert_eq!(scene.joined(asker).generation_id, generation + 2);
    assert_eq!(scene.stabilise(&all), generation + 2);
}

#[test]
fn after_the_highest_generation_numbers_begin_again() {
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(1);
    let Some(Group::Classic(group)) = scene.shard.groups.get_mut(G) else { panic!() };
    group.generation = i32::MAX;
    assert_eq!(scene.join(Joining::with(&ids[0])).generation_id, 0);
}
