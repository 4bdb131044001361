//! Heartbeats and silence.

use super::*;

#[test]
fn heartbeats_are_for_members_of_the_generation() {
    let mut scene = Scene::new();
    assert_eq!(scene.heartbeat("m", 1), ErrorCode::UNKNOWN_MEMBER_ID, "no group");
    let request = HeartbeatRequest::default();
    let error = scene.call(|shard, context| shard.heartbeat(context, &request));
    assert_eq!(error, ErrorCode::INVALID_GROUP_ID);
    let pending = scene.join(Joining::new()).member_id;
    assert_eq!(scene.heartbeat(&pending, 0), ErrorCode::UNKNOWN_MEMBER_ID);

    let (ids, generation) = scene.stable(1);
    assert_eq!(scene.heartbeat(&ids[0], generation), ErrorCode::NONE);
    assert_eq!(scene.heartbeat("", generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.heartbeat("forged", generation), ErrorCode::UNKNOWN_MEMBER_ID);
    for forged in [-1, generation - 1, generation + 1, i32::MIN] {
        assert_eq!(scene.heartbeat(&ids[0], forged), ErrorCode::ILLEGAL_GENERATION);
    }
    let error = scene.heartbeat_as(&ids[0], generation, Some("i"));
    assert_eq!(error, ErrorCode::UNKNOWN_MEMBER_ID, "it is no static member");
}

#[test]
fn heartbeats_say_how_the_round_goes() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let asker = scene.ask_join(Joining::with(&leader));
    assert_eq!(scene.heartbeat(&other, generation), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::REBALANCE_IN_PROGRESS);
    scene.ask_join(Joining::with(&other));
    scene.joined(asker);
    for id in &ids {
        assert_eq!(scene.heartbeat(id, generation), ErrorCode::ILLEGAL_GENERATION);
        assert_eq!(scene.heartbeat(id, generation + 1), ErrorCode::NONE, "as if all were stable");
    }
}

#[test]
fn a_silent_member_of_a_stable_group_is_out_and_the_others_join_again() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    scene.pass(5_000);
    assert_eq!(scene.heartbeat(&other, generation), ErrorCode::NONE);
    scene.pass(4_999);
    assert_eq!(scene.state(), State::Stable);
    scene.pass(1);
    assert_eq!((scene.state(), scene.leader()), (State::PreparingRebalance, other.clone()));
    assert_eq!(scene.heartbeat(&leader, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.join(Joining::with(&other)).generation_id, generation + 1);
}

#[test]
fn the_last_silent_member_leaves_an_empty_group_in_the_log() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(1);
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.state(), State::Empty);
    let record = scene.last_record();
    assert_eq!((record.generation, &*record.protocol_type), (generation + 1, "consumer"));
    assert_eq!((record.protocol, record.leader, record.members.len()), (None, None, 0));
    assert_eq!(record.current_state_timestamp, scene.now.wall_ms);
    assert_eq!(scene.shard.deadline(), None);
    // And it may speak something else then.
    let asker = scene.ask_join(Joining {
        version: 3,
        protocol_type: "connect",
        protocols: &[("other", b"")],
        ..Joining::new()
    });
    scene.pass(DELAY_MS);
    let joined = scene.joined(asker);
    assert_eq!(
        (joined.generation_id, joined.protocol_type.as_deref()),
        (generation + 2, Some("connect"))
    );
}

#[test]
fn a_silent_member_is_out_while_the_others_sync() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let asker = scene.ask_join(Joining::with(&leader));
    scene.ask_join(Joining::with(&other));
    scene.joined(asker);
    let waiting = scene.ask_sync(&Syncing::new(&other, generation + 1));
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.synced(waiting).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!((scene.state(), scene.group().members.len()), (State::PreparingRebalance, 1));
    // Its session begins with the answer.
    scene.pass(SESSION_MS as u64 - 1);
    assert_eq!(scene.group().members.len(), 1);
    scene.pass(1);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn a_silent_member_ends_the_wait_for_it() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let asker = scene.ask_join(Joining::with(&leader));
    assert!(scene.waits(asker));
    scene.pass(SESSION_MS as u64);
    let joined = scene.joined(asker);
    assert_eq!((joined.generation_id, joined.members.len()), (generation + 1, 1));
    assert_eq!(scene.heartbeat(&other, generation), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_waits_for_the_others_needs_no_heartbeats() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let asker = scene.ask_join(Joining::with(&leader));
    for _ in 0..6 {
        scene.heartbeat(&other, generation);
        scene.pass(9_000);
        assert!(scene.waits(asker));
    }
    scene.ask_join(Joining::with(&other));
    scene.joined(asker);
    scene.pass(SESSION_MS as u64 - 1);
    assert_eq!(scene.state(), State::CompletingRebalance, "its session has begun again");
    scene.pass(1);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn a_new_member_does_not_wait_for_ever() {
    let mut scene = Scene::new();
    let slow = Joining { rebalance_ms: 1_000_000, ..Joining::new() };
    let (old, first) = scene.ask_join_anew(slow.clone());
    scene.pass(DELAY_MS);
    scene.joined(first);
    let generation = scene.stabilise(std::slice::from_ref(&old));
    let (new, asker) = scene.ask_join_anew(slow);
    for _ in 0..33 {
        scene.heartbeat(&old, generation);
        scene.pass(9_000);
        assert!(scene.waits(asker));
    }
    scene.heartbeat(&old, generation);
    scene.pass(3_000);
    let refused = scene.joined(asker);
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::UNKNOWN_MEMBER_ID, ""));
    assert_eq!(scene.heartbeat(&new, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.join(Joining::with(&old)).generation_id, generation + 1);
}

#[test]
fn an_id_that_is_not_used_is_forgotten_after_a_session() {
    let mut scene = Scene::new();
    let id = scene.join(Joining::new()).member_id;
    scene.pass(SESSION_MS as u64 - 1);
    assert!(scene.group().pending.contains(&id));
    scene.pass(1);
    assert!(scene.group().pending.is_empty());
    assert_eq!(scene.join(Joining::with(&id)).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!((scene.state(), scene.shard.deadline()), (State::Empty, None));
}

#[test]
fn ids_that_are_forgotten_end_a_first_rebalance_early_as_in_kafka() {
    let mut scene = Scene::new();
    scene.config.initial_rebalance_delay_ms = 30_000;
    scene.join(Joining::new());
    let (_, asker) = scene.ask_join_anew(Joining::new());
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.joined(asker).generation_id, 1);
}

#[test]
fn a_session_may_be_as_long_as_its_member_says() {
    let mut scene = Scene::new();
    let long = Joining { session_ms: 1_800_000, ..Joining::new() };
    let (id, asker) = scene.ask_join_anew(long);
    scene.pass(DELAY_MS);
    scene.joined(asker);
    let generation = scene.stabilise(std::slice::from_ref(&id));
    scene.pass(1_799_999);
    assert_eq!(scene.heartbeat(&id, generation), ErrorCode::NONE);
    // With a shorter one it says so when it joins again, and it holds from the next round on.
    let joined = scene.join(Joining::with(&id));
    assert_eq!(joined.error_code, ErrorCode::NONE);
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn a_shard_that_goes_answers_whoever_waits() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(2);
    let (leader, other) = (scene.leader(), scene.followers().remove(0));
    let joining = scene.ask_join(Joining::with(&leader));
    let told = unload(&mut scene);
    let [(asker, ResponseBody::JoinGroup(told))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*asker, told.error_code), (joining, ErrorCode::NOT_COORDINATOR));
    assert_eq!((&told.member_id, told.generation_id), (&leader, -1));

    scene.restart();
    let joining = [&leader, &other].map(|id| scene.ask_join(Joining::with(id)));
    scene.all_joined(&joining);
    let waiting = scene.ask_sync(&Syncing::new(&other, generation + 1));
    let told = unload(&mut scene);
    let [(asker, ResponseBody::SyncGroup(told))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*asker, told.error_code), (waiting, ErrorCode::NOT_COORDINATOR));
}

fn unload(scene: &mut Scene) -> Vec<(Asker, ResponseBody)> {
    let mut out = Outbox::default();
    let mut context = Context {
        now: scene.now,
        config: &scene.config,
        batch_bytes_max: 0,
        rng: &mut scene.rng,
        out: &mut out,
    };
    scene.shard.unload(&mut context);
    assert!(out.records.is_empty() && scene.shard.deadline().is_none());
    out.answers
}
