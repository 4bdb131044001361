//! New members, and the first rebalance of a group.

use super::*;

#[test]
fn a_new_member_is_told_its_id_and_joins_with_it() {
    let mut scene = Scene::new();
    let told = scene.join(Joining::new());
    assert_eq!(told.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    assert!(told.member_id.starts_with("c-") && told.member_id.len() == 38, "{}", told.member_id);
    assert_eq!((told.generation_id, told.protocol_name, &*told.leader), (-1, None, ""));
    assert_eq!(scene.state(), State::Empty);

    let asker = scene.ask_join(Joining::with(&told.member_id));
    assert_eq!(scene.state(), State::PreparingRebalance);
    scene.pass(DELAY_MS - 1);
    assert!(scene.waits(asker));
    scene.pass(1);
    let joined = scene.joined(asker);
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!((joined.generation_id, &joined.leader), (1, &told.member_id));
    assert_eq!(joined.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert!(!joined.skip_assignment);
    let [member] = &joined.members[..] else { panic!("{:?}", joined.members) };
    assert_eq!((&member.member_id, &member.metadata[..]), (&told.member_id, SUBSCRIPTION));
    assert_eq!(scene.state(), State::CompletingRebalance);
}

#[test]
fn old_clients_join_at_once() {
    for version in 0..4 {
        let mut scene = Scene::new();
        let asker = scene.ask_join(Joining { version, ..Joining::new() });
        scene.pass(DELAY_MS);
        let joined = scene.joined(asker);
        assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::NONE, 1));
        assert_eq!(joined.leader, joined.member_id);
    }
}

#[test]
fn the_first_version_rebalances_within_its_session() {
    let mut scene = Scene::new();
    scene.ask_join(Joining { version: 0, rebalance_ms: -1, ..Joining::new() });
    assert_eq!(scene.group().rebalance_timeout_ms(), SESSION_MS);
    let mut scene = Scene::new();
    scene.ask_join(Joining { version: 1, ..Joining::new() });
    assert_eq!(scene.group().rebalance_timeout_ms(), REBALANCE_MS);
}

#[test]
fn a_static_member_joins_at_once_and_its_id_begins_with_its_instance() {
    let mut scene = Scene::new();
    let asker = scene.ask_join(Joining::as_static("i"));
    scene.pass(DELAY_MS);
    let joined = scene.joined(asker);
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert!(joined.member_id.starts_with("i-"));
    assert_eq!(joined.members[0].group_instance_id.as_deref(), Some("i"));
}

#[test]
fn a_new_group_is_in_the_log_before_anybody_is_told_of_it() {
    let mut scene = Scene::new();
    scene.join(Joining::new());
    let record = scene.last_record();
    let expected = GroupMetadataValue {
        current_state_timestamp: scene.now.wall_ms,
        ..GroupMetadataValue::default()
    };
    assert_eq!((record, scene.log.len()), (expected, 1));
}

#[test]
fn what_cannot_be_is_refused_before_there_is_a_group() {
    let mut scene = Scene::new();
    let refused = scene.join(Joining { group_id: "", member_id: "m", ..Joining::new() });
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::INVALID_GROUP_ID, "m"));
    for session_ms in [i32::MIN, -1, 0, 5_999, 1_800_001, i32::MAX] {
        let refused = scene.join(Joining { session_ms, ..Joining::with("m") });
        assert_eq!(refused.error_code, ErrorCode::INVALID_SESSION_TIMEOUT, "{session_ms}");
        assert_eq!(refused.member_id, "m");
    }
    let refused = scene.join(Joining::with("m"));
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::UNKNOWN_MEMBER_ID, "m"));
    assert!(scene.shard.groups.is_empty() && scene.log.is_empty());
    for session_ms in [6_000, 1_800_000] {
        let told = scene.join(Joining { session_ms, ..Joining::new() });
        assert_eq!(told.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    }
}

#[test]
fn a_member_without_protocols_or_their_type_is_refused() {
    let mut scene = Scene::new();
    for joining in [
        Joining { protocols: &[], ..Joining::new() },
        Joining { protocol_type: "", ..Joining::new() },
        Joining { protocols: &[], ..Joining::as_static("i") },
    ] {
        let refused = scene.join(joining);
        assert_eq!(refused.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        assert_eq!((refused.protocol_name, &*refused.member_id), (None, ""));
    }
    // As in Kafka the group is there now.
    assert_eq!((scene.state(), scene.log.len()), (State::Empty, 1));
}

#[test]
fn protocols_must_be_shared_with_everybody() {
    let mut scene = Scene::new();
    let both: &[(&str, &[u8])] = &[("range", b"1"), ("sticky", b"2")];
    let (first, asker) = scene.ask_join_anew(Joining { protocols: both, ..Joining::new() });
    let other_type = scene.join(Joining { protocol_type: "connect", ..Joining::new() });
    assert_eq!(other_type.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let other = scene.join(Joining { protocols: &[("other", b"")], ..Joining::new() });
    assert_eq!(other.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let (second, other) =
        scene.ask_join_anew(Joining { protocols: &[("sticky", b"3")], ..Joining::new() });
    scene.pass(2 * DELAY_MS);
    let (joined, other) = (scene.joined(asker), scene.joined(other));
    assert_eq!(joined.protocol_name.as_deref(), Some("sticky"));
    assert_eq!((&joined.leader, &other.leader), (&first, &first));
    let told: Vec<_> = joined.members.iter().map(|it| (&it.member_id, &it.metadata[..])).collect();
    let mut expected = [(&first, &b"2"[..]), (&second, &b"3"[..])];
    expected.sort();
    assert_eq!(told, expected);
    assert!(other.members.is_empty());
}

#[test]
fn a_first_rebalance_waits_longer_while_members_come() {
    let mut scene = Scene::new();
    let (_, first) = scene.ask_join_anew(Joining::new());
    scene.pass(2_000);
    let (_, second) = scene.ask_join_anew(Joining::new());
    scene.pass(1_000);
    assert!(scene.waits(first), "somebody came: another delay");
    scene.pass(DELAY_MS - 1);
    assert!(scene.waits(first));
    scene.pass(1);
    assert!(!scene.waits(first) && !scene.waits(second));
    assert_eq!(scene.group().generation, 1);
}

#[test]
fn a_first_rebalance_waits_no_longer_than_any_may() {
    let mut scene = Scene::new();
    let joining = Joining { rebalance_ms: 7_000, ..Joining::new() };
    let (_, first) = scene.ask_join_anew(joining.clone());
    // Three seconds, three more, and the last of the seven.
    for waited_ms in [3_000, 3_000, 999] {
        scene.ask_join_anew(joining.clone());
        scene.pass(waited_ms);
        assert!(scene.waits(first));
    }
    scene.ask_join_anew(joining);
    scene.pass(1);
    assert_eq!(scene.joined(first).members.len(), 5);
}

#[test]
fn without_a_delay_the_first_member_is_answered_in_the_same_turn() {
    let mut scene = Scene::new();
    scene.config.initial_rebalance_delay_ms = 0;
    let (_, asker) = scene.ask_join_anew(Joining::new());
    scene.pass(0);
    assert_eq!(scene.joined(asker).generation_id, 1);
}

#[test]
fn a_member_that_comes_later_makes_the_others_join_again() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    let (id, asker) = scene.ask_join_anew(Joining::new());
    assert_eq!(scene.state(), State::PreparingRebalance);
    assert_eq!(scene.heartbeat(&ids[0], generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let again = scene.ask_join(Joining::with(&ids[0]));
    let (joined, again) = (scene.joined(asker), scene.joined(again));
    assert_eq!((joined.generation_id, again.generation_id), (generation + 1, generation + 1));
    assert_eq!((&joined.leader, &again.leader), (&ids[0], &ids[0]));
    assert_eq!((joined.members.len(), again.members.len()), (0, 2));
    assert_ne!(id, ids[0]);
}

#[test]
fn ids_that_are_handed_out_hold_the_round_up_until_they_are_used_or_forgotten() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    scene.join(Joining::new());
    assert_eq!(scene.state(), State::Stable, "an id alone changes nothing");
    let (_, asker) = scene.ask_join_anew(Joining::new());
    let again = scene.ask_join(Joining::with(&ids[0]));
    assert!(scene.waits(again) && scene.waits(asker));
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.joined(again).generation_id, generation + 1);
    assert_eq!(scene.joined(asker).generation_id, generation + 1);
}

#[test]
fn an_id_is_for_a_member_without_an_instance() {
    let mut scene = Scene::new();
    let id = scene.join(Joining::new()).member_id;
    let joining = Joining { instance_id: Some("i"), ..Joining::with(&id) };
    let refused = scene.join(joining);
    assert_eq!(refused.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
    scene.ask_join(Joining::with(&id));
    assert_eq!(scene.state(), State::PreparingRebalance);
}

#[test]
fn a_member_that_nobody_made_is_unknown_in_every_state() {
    let mut scene = Scene::new();
    let (id, _) = scene.ask_join_anew(Joining::new());
    let ask = |scene: &mut Scene| scene.join(Joining::with("forged")).error_code;
    assert_eq!(ask(&mut scene), ErrorCode::UNKNOWN_MEMBER_ID);
    scene.pass(DELAY_MS);
    assert_eq!(
        (scene.state(), ask(&mut scene)),
        (State::CompletingRebalance, ErrorCode::UNKNOWN_MEMBER_ID)
    );
    scene.stabilise(std::slice::from_ref(&id));
    assert_eq!(ask(&mut scene), ErrorCode::UNKNOWN_MEMBER_ID);
    scene.leave(&[(&id, None)]);
    assert_eq!((scene.state(), ask(&mut scene)), (State::Empty, ErrorCode::UNKNOWN_MEMBER_ID));
}
