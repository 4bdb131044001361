//! A group after its log was read again.

use super::*;

fn told_members(group: &ClassicGroup) -> Vec<(String, Bytes, Bytes)> {
    let protocol = group.protocol_name.as_deref().unwrap_or_default();
    let members = group.members.iter();
    members
        .map(|(id, it)| (id.to_string(), it.protocols.metadata(protocol), it.assignment.clone()))
        .collect()
}

#[test]
fn a_stable_group_goes_on_as_if_nothing_had_been() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(3);
    let (leader, members) = (scene.leader(), told_members(scene.group()));
    scene.pass(5_000);
    scene.restart();
    assert_eq!((scene.state(), scene.group().generation), (State::Stable, generation));
    assert_eq!((scene.leader(), told_members(scene.group())), (leader.clone(), members));
    assert!(scene.group().is_subscribed("t"));
    // Sessions begin with the restart.
    scene.pass(SESSION_MS as u64 - 1);
    for id in &ids {
        assert_eq!(scene.heartbeat(id, generation), ErrorCode::NONE);
    }
    let told = scene.sync(&Syncing::new(&ids[0], generation));
    assert_eq!(&told.assignment[..], ids[0].as_bytes());
    assert_eq!(scene.commit(&ids[1], generation), ErrorCode::NONE);
    let told = scene.join(Joining::with(&scene.followers()[0]));
    assert_eq!((told.error_code, told.generation_id), (ErrorCode::NONE, generation));
    scene.ask_join(Joining::with(&leader));
    assert_eq!(scene.state(), State::PreparingRebalance);
}

#[test]
fn members_that_do_not_come_back_are_out_after_their_sessions() {
    let mut scene = Scene::new();
    scene.stable(2);
    scene.restart();
    scene.pass(SESSION_MS as u64);
    assert_eq!(scene.state(), State::Empty);
    assert_eq!(scene.last_record().members.len(), 0);
}

#[test]
fn static_members_are_known_by_their_instances() {
    let mut scene = Scene::new();
    let asker = scene.ask_join(Joining::as_static("i"));
    scene.pass(DELAY_MS);
    let id = scene.joined(asker).member_id;
    let generation = scene.stabilise(std::slice::from_ref(&id));
    scene.restart();
    assert_eq!(scene.heartbeat_as(&id, generation, Some("i")), ErrorCode::NONE);
    let told = scene.join(Joining::as_static("i"));
    assert!(told.skip_assignment && told.member_id != id);
    // The new id is in the log.
    scene.restart();
    assert_eq!(scene.heartbeat_as(&id, generation, Some("i")), ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(scene.heartbeat_as(&told.member_id, generation, Some("i")), ErrorCode::NONE);
}

#[test]
fn a_round_that_was_not_over_is_as_before_it() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    // While members join.
    scene.ask_join_anew(Joining::new());
    scene.restart();
    assert_eq!((scene.state(), scene.group().generation), (State::Stable, generation));
    assert_eq!(scene.heartbeat(&ids[0], generation), ErrorCode::NONE);
    // While they sync: nobody but members knew of the generation, which comes again.
    let told = scene.join(Joining::with(&ids[0]));
    assert_eq!((told.generation_id, scene.state()), (generation + 1, State::CompletingRebalance));
    scene.restart();
    assert_eq!((scene.state(), scene.group().generation), (State::Stable, generation));
    assert_eq!(scene.heartbeat(&ids[0], generation + 1), ErrorCode::ILLEGAL_GENERATION);
}

#[test]
fn a_group_that_has_never_been_stable_is_empty() {
    let mut scene = Scene::new();
    let (id, _) = scene.ask_join_anew(Joining::new());
    scene.restart();
    assert_eq!((scene.state(), scene.group().generation), (State::Empty, 0));
    assert_eq!((scene.group().protocol_type.as_deref(), scene.shard.deadline()), (None, None));
    assert_eq!(scene.join(Joining::with(&id)).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    scene.stable(1);
}

#[test]
fn an_empty_group_keeps_its_generation_and_when_it_became_empty() {
    let mut scene = Scene::new();
    let (ids, generation) = scene.stable(1);
    scene.pass(5_000);
    scene.leave(&[(&ids[0], None)]);
    let since_ms = scene.now.wall_ms;
    scene.pass(1_000_000);
    scene.restart();
    assert_eq!((scene.state(), scene.group().generation), (State::Empty, generation + 1));
    assert_eq!(scene.group().state_since_ms, Some(since_ms));
    assert_eq!(scene.group().offset_idle_since_ms(5), Some(since_ms));
    assert_eq!(scene.group().protocol_type.as_deref(), Some("consumer"));
    let asker = scene.ask_join(Joining { version: 3, ..Joining::new() });
    scene.pass(DELAY_MS);
    assert_eq!(scene.joined(asker).generation_id, generation + 2);
}

#[test]
fn a_group_that_was_deleted_is_not_there() {
    let mut scene = Scene::new();
    let (ids, _) = scene.stable(1);
    scene.leave(&[(&ids[0], None)]);
    assert_eq!(scene.call(|shard, context| shard.remove_group(context, G)), Ok(()));
    assert!(scene.shard.groups.is_empty());
    scene.restart();
    assert!(scene.shard.groups.is_empty());
}

fn replay(scene: &mut Scene, value: GroupMetadataValue) {
    let key = OffsetsKey::Group(G.to_string()).encode();
    scene.log.push(CoordinatorRecord { key, value: Some(value.encode()) });
    scene.restart();
}

#[test]
fn records_of_another_make_hold_together_too() {
    let mut scene = Scene::new();
    scene.stable(2);
    let mut value = scene.last_record();
    value.leader = Some("gone".to_string());
    value.current_state_timestamp = -1;
    value.members[0].rebalance_timeout = -1;
    value.members[0].group_instance_id = Some("i".to_string());
    value.members[1].group_instance_id = Some("i".to_string());
    value.members.push(value.members[1].clone());
    replay(&mut scene, value);
    assert_eq!((scene.group().members.len(), scene.group().static_members.len()), (2, 1));
    assert_eq!(scene.group().state_since_ms, None);
    assert_eq!(scene.group().rebalance_timeout_ms(), REBALANCE_MS);

    // Members, and no protocol that they speak.
    let mut value = GroupMetadataValue { generation: -5, ..GroupMetadataValue::default() };
    let member = || crate::records::MemberMetadata { session_timeout: -1, ..Default::default() };
    value.members = [member()].into();
    value.protocol = Some(String::new());
    replay(&mut scene, value);
    scene.pass(1);
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn a_value_that_cannot_be_read_is_told() {
    let mut scene = Scene::new();
    let key = OffsetsKey::Group(G.to_string()).encode();
    for value in [&b""[..], b"\0", b"\0\x09", b"\0\x03\0"] {
        let value = Bytes::copy_from_slice(value);
        assert!(scene.shard.replay(0, None, &key, Some(&value)).is_err(), "{value:?}");
    }
    assert!(scene.shard.groups.is_empty());
}
