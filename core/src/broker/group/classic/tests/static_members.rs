//! Members that keep their place over their restarts (KIP-345, KIP-814).

use alloc::format;

use super::*;

/// A stable group of static members `a` and `b`: their ids, the leader first, and the generation.
fn pair(scene: &mut Scene) -> ([(&'static str, String); 2], i32) {
    let askers =
        ["a", "b"].map(|instance| (instance, scene.ask_join(Joining::as_static(instance))));
    scene.pass(2 * DELAY_MS);
    let mut ids = askers.map(|(instance, asker)| (instance, scene.joined(asker).member_id));
    if ids[0].1 != scene.leader() {
        ids.reverse();
    }
    let generation = scene.stabilise(&ids.clone().map(|(_, id)| id));
    (ids, generation)
}

#[test]
fn a_follower_that_comes_back_goes_on_where_it_was() {
    let mut scene = Scene::new();
    let ([(_, leader), (instance, before)], generation) = pair(&mut scene);
    let records = scene.log.len();
    let told = scene.join(Joining::as_static(instance));
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation));
    assert_eq!((&told.leader, told.members.len(), told.skip_assignment), (&leader, 0, false));
    let id = told.member_id;
    assert!(id != before && id.starts_with(&format!("{instance}-")), "{id}");
    assert_eq!((scene.state(), scene.log.len()), (State::Stable, records + 1));
    let member = scene.last_record().members.into_iter().find(|it| it.member_id == id).unwrap();
    assert_eq!(&member.assignment[..], before.as_bytes(), "it keeps its part");

    assert_eq!(
        scene.heartbeat_as(&before, generation, Some(instance)),
        ErrorCode::FENCED_INSTANCE_ID
    );
    assert_eq!(scene.heartbeat(&before, generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.heartbeat_as(&id, generation, Some(instance)), ErrorCode::NONE);
    let told =
        scene.sync(&Syncing { instance_id: Some(instance), ..Syncing::new(&id, generation) });
    assert_eq!(&told.assignment[..], before.as_bytes());
}

#[test]
fn a_leader_that_comes_back_is_told_to_leave_all_as_it_is() {
    let mut scene = Scene::new();
    let ([(instance, _), (_, follower)], generation) = pair(&mut scene);
    let told = scene.join(Joining::as_static(instance));
    assert_eq!((told.generation_id, &told.leader), (generation, &told.member_id));
    assert!(told.skip_assignment);
    let ids: Vec<_> = told.members.iter().map(|member| &member.member_id).collect();
    assert!(ids.len() == 2 && ids.contains(&&follower) && ids.contains(&&told.member_id));
    assert_eq!(scene.leader(), told.member_id);
}

#[test]
fn before_version_9_a_leader_that_comes_back_does_not_know_that_it_leads() {
    for version in 5..9 {
        let mut scene = Scene::new();
        let ([(instance, before), _], generation) = pair(&mut scene);
        let told = scene.join(Joining { version, ..Joining::as_static(instance) });
        assert_eq!((told.generation_id, &told.leader), (generation, &before));
        assert_eq!((told.members.len(), told.skip_assignment), (0, false));
        assert_eq!(scene.leader(), told.member_id);
    }
}

#[test]
fn one_that_comes_back_and_changes_the_protocol_begins_a_new_round() {
    let both: &[(&str, &[u8])] = &[("range", SUBSCRIPTION), ("sticky", SUBSCRIPTION)];
    let turned: &[(&str, &[u8])] = &[("sticky", SUBSCRIPTION), ("range", SUBSCRIPTION)];
    let mut scene = Scene::new();
    let asker = scene.ask_join(Joining { protocols: both, ..Joining::as_static("i") });
    scene.pass(DELAY_MS);
    let before = scene.joined(asker).member_id;
    let generation = scene.stabilise(std::slice::from_ref(&before));
    let told = scene.join(Joining { protocols: turned, ..Joining::as_static("i") });
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation + 1));
    assert_eq!(told.protocol_name.as_deref(), Some("sticky"));
    assert!(!told.skip_assignment);
    // What it says alone begins none, and is in the log.
    let told = scene.sync(&Syncing {
        protocol: (None, None),
        version: 4,
        ..Syncing::new(&told.member_id, generation + 1)
    });
    assert_eq!(told.error_code, ErrorCode::NONE);
    let other: &[(&str, &[u8])] = &[("sticky", OTHER_SUBSCRIPTION), ("range", b"")];
    let told = scene.join(Joining { protocols: other, ..Joining::as_static("i") });
    assert_eq!((told.generation_id, scene.state()), (generation + 1, State::Stable));
    assert_eq!(scene.last_record().members[0].subscription, OTHER_SUBSCRIPTION);
    assert!(scene.group().is_subscribed("u") && !scene.group().is_subscribed("t"));
}

#[test]
fn whoever_waits_under_the_old_id_is_fenced() {
    let mut scene = Scene::new();
    let ([(one, leader), (two, follower)], generation) = pair(&mut scene);
    // While all join.
    let old = scene.ask_join(Joining { instance_id: Some(one), ..Joining::with(&leader) });
    let new = scene.ask_join(Joining::as_static(one));
    let told = scene.joined(old);
    assert_eq!((told.error_code, &told.member_id), (ErrorCode::FENCED_INSTANCE_ID, &leader));
    assert_eq!((&*told.leader, told.protocol_name), ("", None));
    assert!(scene.waits(new));
    let other = scene.ask_join(Joining { instance_id: Some(two), ..Joining::with(&follower) });
    let leader = scene.joined(new).member_id;
    scene.joined(other);
    // While all sync: a new round, for the leader may know the old id already.
    let old = scene
        .ask_sync(&Syncing { instance_id: Some(two), ..Syncing::new(&follower, generation + 1) });
    let new = scene.ask_join(Joining::as_static(two));
    assert_eq!(scene.synced(old).error_code, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(scene.state(), State::PreparingRebalance);
    scene.ask_join(Joining { instance_id: Some(one), ..Joining::with(&leader) });
    assert_eq!(scene.joined(new).generation_id, generation + 2);
}

#[test]
fn the_old_id_is_fenced_wherever_it_names_its_instance() {
    let mut scene = Scene::new();
    let ([_, (instance, before)], generation) = pair(&mut scene);
    let id = scene.join(Joining::as_static(instance)).member_id;
    let fenced = ErrorCode::FENCED_INSTANCE_ID;
    let joining = Joining { instance_id: Some(instance), ..Joining::with(&before) };
    let told = scene.join(joining);
    assert_eq!((told.error_code, &told.member_id), (fenced, &before));
    let syncing = Syncing { instance_id: Some(instance), ..Syncing::new(&before, generation) };
    assert_eq!(scene.sync(&syncing).error_code, fenced);
    let left = scene.leave(&[(&before, Some(instance))]);
    assert_eq!(left.members[0].error_code, fenced);
    let request = committing(G, &before, generation, Some(instance));
    assert_eq!(scene.commit_as(9, &request), fenced);
    let request = committing(G, &id, generation, Some(instance));
    assert_eq!(scene.commit_as(9, &request), ErrorCode::NONE);
    let request = committing(G, &id, generation, Some("other"));
    assert_eq!(scene.commit_as(9, &request), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_static_member_keeps_its_place_until_its_session_ends() {
    let mut scene = Scene::new();
    let long = Joining { session_ms: 200_000, ..Joining::as_static("a") };
    let first = scene.ask_join(long);
    let (dynamic, second) = scene.ask_join_anew(Joining::new());
    scene.pass(2 * DELAY_MS);
    let kept = scene.joined(first).member_id;
    scene.joined(second);
    let generation = scene.stabilise(&[kept.clone(), dynamic.clone()]);
    let changed: &[(&str, &[u8])] = &[("range", OTHER_SUBSCRIPTION)];
    let asker = scene.ask_join(Joining { protocols: changed, ..Joining::with(&dynamic) });
    scene.pass(REBALANCE_MS as u64);
    let joined = scene.joined(asker);
    assert_eq!((&joined.leader, joined.members.len()), (&dynamic, 2), "it is counted in");
    // It is out when it does not ask for its part either.
    let told = scene.sync(&Syncing::new(&dynamic, generation + 1));
    assert_eq!(told.error_code, ErrorCode::NONE);
    for _ in 0..7 {
        scene.heartbeat(&dynamic, generation + 1);
        scene.pass(9_000);
    }
    assert_eq!(scene.group().members.len(), 1);
    assert!(scene.group().static_members.is_empty());
}

#[test]
fn a_group_whose_static_members_are_all_away_waits_for_them() {
    let mut scene = Scene::new();
    let long = |instance| Joining { session_ms: 150_000, ..Joining::as_static(instance) };
    let askers = ["a", "b"].map(|instance| scene.ask_join(long(instance)));
    scene.pass(2 * DELAY_MS);
    let ids = askers.map(|asker| scene.joined(asker).member_id);
    let generation = scene.stabilise(&ids);
    scene.leave(&[("", Some("a"))]);
    assert_eq!(scene.state(), State::PreparingRebalance);
    scene.pass(2 * REBALANCE_MS as u64);
    assert_eq!((scene.state(), scene.group().members.len()), (State::PreparingRebalance, 1));
    let told = scene.join(long("b"));
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation + 1));
    assert_eq!(told.leader, told.member_id);
}

#[test]
fn static_members_that_join_in_no_time_do_not_keep_the_clock_busy() {
    let mut scene = Scene::new();
    let hasty = |instance| Joining { rebalance_ms: 0, ..Joining::as_static(instance) };
    let askers = ["a", "b"].map(|instance| scene.ask_join(hasty(instance)));
    scene.pass(2 * DELAY_MS);
    scene.all_joined(&askers);
    // Nobody asks for a part in no time: all are out.
    assert_eq!(scene.state(), State::Empty);

    scene.config.initial_rebalance_delay_ms = 0;
    let asker = scene.ask_join(Joining { rebalance_ms: 1_000, ..Joining::as_static("a") });
    let other = scene.ask_join(Joining { rebalance_ms: 1_000, ..Joining::as_static("b") });
    scene.pass(0);
    let ids = [scene.joined(asker).member_id, scene.joined(other).member_id];
    scene.stabilise(&ids);
    let again: Vec<_> = ["a", "b"].map(|it| scene.join(hasty(it)).member_id).into();
    scene.leave(&[(&again[0], None)]);
    for _ in 0..20 {
        scene.pass(50);
    }
    assert_eq!(scene.state(), State::PreparingRebalance);
    let wait = scene.shard.deadline().unwrap().micros_since(scene.now.mono);
    assert!(wait > 0 && wait <= 100_000, "{wait}");
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance() {
    let mut scene = Scene::new();
    let ([(_, leader), (two, _)], _) = pair(&mut scene);
    let left = scene.leave(&[("", Some(two)), ("", Some(two)), (&leader, Some(two))]);
    let errors: Vec<_> = left.members.iter().map(|member| member.error_code).collect();
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(errors, [ErrorCode::NONE, unknown, unknown]);
    assert_eq!(
        (&*left.members[0].member_id, left.members[0].group_instance_id.as_deref()),
        ("", Some(two))
    );
    assert_eq!(scene.state(), State::PreparingRebalance);
}

#[test]
fn a_replacement_that_no_record_can_hold_changes_nothing() {
    let large = "x".repeat(2_000);
    let mut scene = Scene::new();
    let ([(instance, leader), (_, follower)], generation) = pair(&mut scene);
    let records = scene.log.len();
    scene.batch_bytes_max = 1_000;
    let protocols: &[(&str, &[u8])] = &[("range", large.as_bytes())];
    let told = scene.join(Joining { protocols, ..Joining::as_static(instance) });
    assert_eq!(told.error_code, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!((&*told.member_id, told.generation_id, &told.leader), ("", generation, &leader));
    assert_eq!(told.protocol_name.as_deref(), Some("range"));
    assert_eq!((scene.state(), scene.log.len()), (State::Stable, records));
    assert_eq!(scene.heartbeat_as(&leader, generation, Some(instance)), ErrorCode::NONE);
    assert_eq!((scene.leader(), scene.heartbeat(&follower, generation)), (leader, ErrorCode::NONE));
}

#[test]
fn one_that_has_not_synced_is_not_forgotten_under_its_new_id() {
    let mut scene = Scene::new();
    let ([(one, leader), (two, follower)], generation) = pair(&mut scene);
    let askers = [(one, &leader), (two, &follower)].map(|(instance, id)| {
        let protocols: &[(&str, &[u8])] = &[("range", OTHER_SUBSCRIPTION)];
        scene.ask_join(Joining { instance_id: Some(instance), protocols, ..Joining::with(id) })
    });
    scene.all_joined(&askers);
    scene.sync(&Syncing::new(&leader, generation + 1));
    let id = scene.join(Joining::as_static(two)).member_id;
    assert!(scene.group().unsynced.contains(&*id));
    let told = scene.sync(&Syncing::new(&id, generation + 1));
    assert_eq!((told.error_code, scene.group().unsynced.len()), (ErrorCode::NONE, 0));
}
