//! Members that leave.

use super::*;

fn errors(response: &LeaveGroupResponse) -> Vec<ErrorCode> {
    assert_eq!(response.error_code, ErrorCode::NONE);
    response.members.iter().map(|member| member.error_code).collect()
}

#[test]
fn who_is_not_there_cannot_leave() {
    let mut scene = Scene::new();
    let answer = scene.leave(&[("m", None), ("", Some("i"))]);
    assert_eq!(errors(&answer), [ErrorCode::UNKNOWN_MEMBER_ID; 2]);
    assert_eq!(
        (&*answer.members[0].member_id, &answer.members[1].group_instance_id),
        ("m", &Some("i".into()))
    );
    let (ids, _) = scene.stable(1);
    let answer =
        scene.leave(&[("forged", None), ("", None), ("", Some("i")), (&ids[0], Some("i"))]);
    assert_eq!(errors(&answer), [ErrorCode::UNKNOWN_MEMBER_ID; 4]);
    assert_eq!((scene.state(), errors(&scene.leave(&[])).len()), (State::Stable, 0));
}

#[test]
fn a_group_must_be_named() {
    let mut scene = Scene::new();
    for version in 0..=5 {
        let answer = scene.call(|shard, context| {
            shard.leave_group(context, version, LeaveGroupRequest::default())
        });
        assert_eq!((answer.error_code, answer.members.len()), (ErrorCode::INVALID_GROUP_ID, 0));
    }
}

#[test]
fn old_clients_leave_alone_and_are_told_on_top() {
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(1);
    for version in 0..=2 {
        let leave = |scene: &mut Scene, group: &str, id: &str| {
            let request = LeaveGroupRequest {
                group_id: group.to_string(),
                member_id: id.to_string(),
                ..LeaveGroupRequest::default()
            };
            scene.call(|shard, context| shard.leave_group(context, version, request))
        };
        for (group, id) in [("none", "x"), (G, "forged"), (G, "")] {
            let answer = leave(&mut scene, group, id);
            assert_eq!(answer.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
            assert!(answer.members.is_empty());
        }
        if version == 2 {
            assert_eq!(leave(&mut scene, G, &ids[0]), LeaveGroupResponse::default());
        }
    }
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn whoever_leaves_a_stable_group_makes_the_others_join_again() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(3);
    let (leader, others) = (scene.leader(), scene.followers());
    let answer = scene.leave(&[(&leader, None), (&leader, None)]);
    assert_eq!(errors(&answer), [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!((scene.state(), scene.leader()), (State::PreparingRebalance, others[0].clone()));
    let askers: Vec<_> = others.iter().map(|id| scene.ask_join(Joining::with(id))).collect();
    assert_eq!(scene.joined(askers[0]).members.len(), 2);
    assert_eq!(scene.joined(askers[1]).generation_id, generation + 1);
}

#[test]
fn the_last_to_leave_leaves_an_empty_group() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(2);
    let answer = scene.leave(&[(&ids[0], None), (&ids[1], None)]);
    assert_eq!(errors(&answer), [ErrorCode::NONE; 2]);
    assert_eq!((scene.state(), scene.group().generation), (State::Empty, generation + 1));
    assert_eq!(scene.last_record().members.len(), 0);
    assert_eq!(scene.shard.deadline(), None);
}

#[test]
fn whoever_leaves_while_it_waits_is_told_so() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let joining = scene.ask_join(Joining::with(&leader));
    scene.leave(&[(&leader, None)]);
    let told = scene.joined(joining);
    assert_eq!((told.error_code, &*told.member_id), (ErrorCode::UNKNOWN_MEMBER_ID, ""));
    assert_eq!(scene.state(), State::PreparingRebalance);
    let joined = scene.join(Joining::with(&other));
    assert_eq!((joined.generation_id, &joined.leader), (generation + 1, &other));

    let (new, asker) = scene.ask_join_anew(Joining::new());
    scene.ask_join(Joining::with(&other));
    scene.joined(asker);
    let waiting = scene.ask_sync(&Syncing::new(&new, generation + 2));
    scene.leave(&[(&new, None)]);
    assert_eq!(scene.synced(waiting).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.state(), State::PreparingRebalance);
}

#[test]
fn whoever_leaves_ends_the_wait_for_it() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let other = scene.followers().remove(0);
    let joining = scene.ask_join(Joining::with(&scene.leader()));
    scene.leave(&[(&other, None)]);
    assert_eq!(scene.joined(joining).generation_id, generation + 1);
}

#[test]
fn a_first_rebalance_takes_its_time_also_when_members_leave() {
    let mut scene = Scene::new();
    let (_, first) = scene.ask_join_anew(Joining::new());
    let (second, _) = scene.ask_join_anew(Joining::new());
    scene.leave(&[(&second, None)]);
    assert!(scene.waits(first));
    scene.pass(2 * DELAY_MS);
    assert_eq!(scene.joined(first).members.len(), 1);
}

#[test]
fn a_first_rebalance_that_all_have_left_ends_in_an_empty_group() {
    let mut scene = Scene::new();
    let (id, asker) = scene.ask_join_anew(Joining::new());
    scene.leave(&[(&id, None)]);
    assert_eq!(scene.joined(asker).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.state(), State::PreparingRebalance);
    scene.pass(DELAY_MS);
    assert_eq!((scene.state(), scene.group().generation), (State::Empty, 1));
}

#[test]
fn an_id_that_was_handed_out_can_leave() {
    let mut scene = Scene::new();
    let id = scene.join(Joining::new()).member_id;
    assert_eq!(errors(&scene.leave(&[(&id, None)])), [ErrorCode::NONE]);
    assert!(scene.group().pending.is_empty());
    assert_eq!((scene.state(), scene.shard.deadline()), (State::Empty, None));

    // As in Kafka the members then join again, and when they wait for it they go on.
    let (ids, _) = scene.stable(1);
    let id = scene.join(Joining::new()).member_id;
    scene.leave(&[(&id, None)]);
    assert_eq!(scene.state(), State::PreparingRebalance);
    let id = scene.join(Joining::new()).member_id;
    let asker = scene.ask_join(Joining::with(&ids[0]));
    assert!(scene.waits(asker));
    scene.leave(&[(&id, None)]);
    assert_eq!(scene.joined(asker).error_code, ErrorCode::NONE);
}
