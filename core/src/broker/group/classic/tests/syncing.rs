//! Members ask for their parts.

use super::*;

#[test]
fn who_is_no_member_of_this_generation_and_protocol_is_refused() {
    let mut scene = Scene::new();
    let error = |scene: &mut Scene, syncing: Syncing<'_>| scene.sync(&syncing).error_code;
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(error(&mut scene, Syncing::new("m", 1)), unknown, "no group");
    let (leader, other, generation) = scene.completing();
    let syncing = || Syncing::new(&other, generation);
    assert_eq!(
        error(&mut scene, Syncing { group_id: "", ..syncing() }),
        ErrorCode::INVALID_GROUP_ID
    );
    assert_eq!(error(&mut scene, Syncing::new("forged", generation)), unknown);
    assert_eq!(error(&mut scene, Syncing::new("", generation)), unknown);
    assert_eq!(error(&mut scene, Syncing { instance_id: Some("i"), ..syncing() }), unknown);
    for forged in [-1, 0, generation - 1, generation + 1, i32::MAX] {
        let syncing = Syncing { generation: forged, ..syncing() };
        assert_eq!(error(&mut scene, syncing), ErrorCode::ILLEGAL_GENERATION, "{forged}");
    }
    let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    for protocol in [(Some("connect"), Some("range")), (Some("consumer"), Some("other"))] {
        assert_eq!(error(&mut scene, Syncing { protocol, ..syncing() }), inconsistent);
    }
    // Since version 5 they must be named; before they may be left out.
    for protocol in [(None, Some("range")), (Some("consumer"), None), (None, None)] {
        assert_eq!(
            error(&mut scene, Syncing { protocol, group_id: "", ..syncing() }),
            inconsistent
        );
    }
    assert_eq!(scene.state(), State::CompletingRebalance);
    let old = Syncing { version: 4, protocol: (None, None), ..Syncing::new(&leader, generation) };
    assert_eq!(error(&mut scene, old), ErrorCode::NONE);
}

#[test]
fn all_wait_for_the_leader_and_get_their_parts() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let waiting = scene.ask_sync(&Syncing::new(&other, generation));
    assert!(scene.waits(waiting));
    let parts: &[(&str, &str)] =
        &[(&other, "ignored"), (&leader, "mine"), (&other, "yours"), ("forged", "nobody's")];
    let told = scene.sync(&Syncing { parts, ..Syncing::new(&leader, generation) });
    assert_eq!((told.error_code, &told.assignment[..]), (ErrorCode::NONE, &b"mine"[..]));
    assert_eq!(told.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(told.protocol_name.as_deref(), Some("range"));
    assert_eq!(&scene.synced(waiting).assignment[..], b"yours");
    assert_eq!(scene.state(), State::Stable);
    // Who missed it asks again.
    let again = scene.sync(&Syncing::new(&other, generation));
    assert_eq!((again.error_code, &again.assignment[..]), (ErrorCode::NONE, &b"yours"[..]));
}

#[test]
fn whom_the_leader_does_not_name_does_nothing() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let waiting = scene.ask_sync(&Syncing::new(&other, generation));
    scene.sync(&Syncing { parts: &[(&leader, "all")], ..Syncing::new(&leader, generation) });
    let told = scene.synced(waiting);
    assert_eq!((told.error_code, told.assignment.len()), (ErrorCode::NONE, 0));
}

#[test]
fn a_stable_group_is_in_the_log_with_all_that_a_restart_needs() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(2);
    let record = scene.last_record();
    assert_eq!((&*record.protocol_type, record.generation), ("consumer", generation));
    assert_eq!(record.protocol.as_deref(), Some("range"));
    assert_eq!(record.leader, Some(scene.leader()));
    for (member, id) in record.members.iter().zip(&ids) {
        assert_eq!((&member.member_id, &member.assignment[..]), (id, id.as_bytes()));
        assert_eq!((&*member.client_id, &*member.client_host), ("c", "/127.0.0.1"));
        assert_eq!((member.session_timeout, member.rebalance_timeout), (SESSION_MS, REBALANCE_MS));
        assert_eq!(&member.subscription[..], SUBSCRIPTION);
    }
    assert_eq!((record.members.len(), scene.log.len()), (2, 2));
}

#[test]
fn who_does_not_ask_for_its_part_in_time_is_out() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    // The leader syncs; the other only sends heartbeats.
    scene.sync(&Syncing::new(&leader, generation));
    for _ in 0..6 {
        assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::NONE);
        assert_eq!(scene.heartbeat(&other, generation), ErrorCode::NONE);
        scene.pass(9_000);
    }
    scene.heartbeat(&leader, generation);
    scene.heartbeat(&other, generation);
    assert_eq!(scene.state(), State::Stable);
    scene.pass(6_000);
    assert_eq!(scene.state(), State::PreparingRebalance);
    assert_eq!(scene.heartbeat(&other, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.join(Joining::with(&leader)).members.len(), 1);
}

#[test]
fn a_leader_that_does_not_sync_is_out_and_whoever_waits_is_told() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let waiting = scene.ask_sync(&Syncing::new(&other, generation));
    for _ in 0..6 {
        scene.heartbeat(&leader, generation);
        scene.pass(9_000);
    }
    assert!(scene.waits(waiting), "who waits needs no heartbeats");
    scene.heartbeat(&leader, generation);
    scene.pass(6_000);
    assert_eq!(scene.synced(waiting).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.leader(), other);
    let joined = scene.join(Joining::with(&other));
    assert_eq!((joined.generation_id, &joined.leader), (generation + 1, &other));
}

#[test]
fn while_members_join_there_are_no_parts() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(2);
    scene.ask_join(Joining::with(&scene.leader()));
    let told = scene.sync(&Syncing::new(&ids[1], generation));
    assert_eq!(told.error_code, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_request_that_is_repeated_is_answered_too() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let first = scene.ask_sync(&Syncing::new(&other, generation));
    let second = scene.ask_sync(&Syncing::new(&other, generation));
    assert_eq!(scene.synced(first).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    scene.sync(&Syncing { parts: &[(&other, "yours")], ..Syncing::new(&leader, generation) });
    assert_eq!(&scene.synced(second).assignment[..], b"yours");
}

#[test]
fn parts_that_no_record_can_hold_begin_a_new_round() {
    let mut scene = Scene::new();
    let (leader, other, generation) = scene.completing();
    let waiting = scene.ask_sync(&Syncing::new(&other, generation));
    scene.batch_bytes_max = 1_000;
    let records = scene.log.len();
    let large = "x".repeat(1_000);
    let told =
        scene.sync(&Syncing { parts: &[(&other, &large)], ..Syncing::new(&leader, generation) });
    assert_eq!(told.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!((told.protocol_type, told.protocol_name), (None, None));
    assert_eq!(scene.synced(waiting).error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!((scene.state(), scene.log.len()), (State::PreparingRebalance, records));
    let again = [&leader, &other].map(|id| scene.ask_join(Joining::with(id)));
    let told = again.map(|asker| scene.joined(asker).generation_id);
    assert_eq!(told, [generation + 1; 2]);
    scene.sync(&Syncing { parts: &[(&other, "small")], ..Syncing::new(&leader, generation + 1) });
    assert_eq!(scene.state(), State::Stable);
}
