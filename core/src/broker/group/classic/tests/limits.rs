//! Groups of the largest size, and requests of a kind that no client makes.

use super::*;
use crate::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use crate::config::limits::{
    GROUP_MEMBERS_BYTES_MAX, GROUP_PENDING_BYTES_MAX, GROUP_PENDING_MEMBERS_MAX,
};
use crate::ids::Uuid;

#[test]
fn a_full_group_takes_nobody_in() {
    let mut scene = Scene::new();
    scene.config.members_max = 2;
    let (ids, _) = scene.stable(2);
    let refused = scene.join(Joining::new());
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
    let refused = scene.join(Joining::as_static("i"));
    assert_eq!(refused.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert!(scene.group().pending.is_empty());
    assert_eq!(scene.join(Joining::with(&scene.followers()[0])).error_code, ErrorCode::NONE);
    assert_eq!((scene.state(), scene.group().members.len()), (State::Stable, ids.len()));
}

#[test]
fn an_id_that_comes_too_late_for_a_full_group_is_forgotten() {
    let mut scene = Scene::new();
    scene.config.members_max = 1;
    let ids = [(); 2].map(|()| scene.join(Joining::new()).member_id);
    let asker = scene.ask_join(Joining::with(&ids[0]));
    let refused = scene.join(Joining::with(&ids[1]));
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
    assert!(scene.group().pending.is_empty());
    scene.pass(2 * DELAY_MS);
    assert_eq!(scene.joined(asker).members.len(), 1);
}

#[test]
fn a_group_that_became_too_large_keeps_those_who_join_first() {
    let mut scene = Scene::new();
    let (_, generation) = scene.stable(3);
    scene.config.members_max = 2;
    scene.restart();
    assert_eq!(scene.state(), State::PreparingRebalance);
    let ids: Vec<_> = scene.group().members.keys().map(ToString::to_string).collect();
    for id in &ids {
        assert_eq!(scene.heartbeat(id, generation), ErrorCode::REBALANCE_IN_PROGRESS);
        // They may still commit what they have read.
        assert_eq!(scene.commit(id, generation), ErrorCode::NONE);
    }
    let askers = [&ids[2], &ids[1]].map(|id| scene.ask_join(Joining::with(id)));
    let again = scene.ask_join(Joining::with(&ids[1]));
    assert_eq!(scene.joined(askers[1]).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    let refused = scene.join(Joining::with(&ids[0]));
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
    scene.pass(REBALANCE_MS as u64);
    assert_eq!(scene.joined(askers[0]).generation_id, generation + 1);
    assert_eq!(scene.joined(again).error_code, ErrorCode::NONE);
    assert_eq!(scene.group().members.len(), 2);
}

impl Scene {
    /// Joins without a look at the group, which is large.
    fn join_many(&mut self, version: i16, client_id: String) -> Asker {
        let asker = self.asker();
        let (client, request) =
            (ClientDetails { client_id, ..ClientDetails::default() }, Joining::new().request());
        self.call_unchecked(|shard, context| {
            shard.join_group(context, asker, version, client, request);
        });
        asker
    }

    /// Until nothing is due any more.
    fn pass_all(&mut self) {
        while let Some(at) = self.shard.deadline() {
            self.move_to(at);
            while self.call_unchecked(Shard::handle_timeout) {}
        }
        self.check();
    }
}

#[test]
fn ids_that_nobody_uses_take_a_bounded_room() {
    let mut scene = Scene::new();
    let mut first = None;
    for number in 0..GROUP_PENDING_MEMBERS_MAX + 1_000 {
        let asker = scene.join_many(9, "x".repeat(number % 100));
        let id = scene.joined(asker).member_id;
        first.get_or_insert(id);
    }
    scene.check();
    assert!(scene.group().pending.ids().count() <= GROUP_PENDING_MEMBERS_MAX);
    let bytes: usize = scene.group().pending.ids().map(|id| id.len()).sum();
    assert!(bytes <= GROUP_PENDING_BYTES_MAX && bytes > GROUP_PENDING_BYTES_MAX / 2);
    let told = scene.join(Joining::with(&first.unwrap()));
    assert_eq!(told.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    scene.pass_all();
    assert!(scene.group().pending.is_empty());
}

#[test]
fn ten_thousand_members_come_and_go() {
    const MEMBERS: usize = 10_000;
    let mut scene = Scene::new();
    scene.batch_bytes_max = 8 << 20;
    let askers: Vec<_> = (0..MEMBERS).map(|_| scene.join_many(3, String::new())).collect();
    assert!(scene.answers.is_empty());
    scene.pass(2 * DELAY_MS);
    let told: Vec<_> = askers.into_iter().map(|asker| scene.joined(asker)).collect();
    let members: usize = told.iter().map(|told| told.members.len()).sum();
    assert_eq!(members, MEMBERS, "the leader alone is told of all");
    let leader = scene.leader();
    let parts: Vec<_> = told.iter().map(|told| (told.member_id.as_str(), "part")).collect();
    let told = scene.sync(&Syncing { parts: &parts, ..Syncing::new(&leader, 1) });
    assert_eq!((told.error_code, scene.state()), (ErrorCode::NONE, State::Stable));
    assert_eq!(scene.last_record().members.len(), MEMBERS);
    scene.restart();
    assert_eq!((scene.state(), scene.group().members.len()), (State::Stable, MEMBERS));
    // All their sessions end at one moment: each costs little.
    scene.pass_all();
    assert_eq!(scene.state(), State::Empty);
}

#[test]
fn ten_thousand_protocols_are_as_good_as_one() {
    let names: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), &b"m"[..])).collect();
    let mut scene = Scene::new();
    scene.config.initial_rebalance_delay_ms = 0;
    let joining = Joining { protocols: &all, ..Joining::new() };
    let askers: Vec<_> = (0..20).map(|_| scene.ask_join_anew(joining.clone()).1).collect();
    scene.pass(0);
    for asker in askers {
        assert_eq!(scene.joined(asker).protocol_name.as_deref(), Some("0"));
    }
}

#[test]
fn what_members_say_takes_a_bounded_room() {
    let much = alloc::vec![7; GROUP_MEMBERS_BYTES_MAX / 4];
    let says = [("range", &much[..])];
    let loud = Joining { protocols: &says, version: 3, ..Joining::new() };
    let mut scene = Scene::new();
    let askers: Vec<_> = (0..3).map(|_| scene.ask_join(loud.clone())).collect();
    assert_eq!(scene.join(loud.clone()).error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    let quiet = scene.ask_join(Joining { version: 3, ..Joining::new() });
    scene.pass(3 * DELAY_MS);
    let ids: Vec<_> = askers.into_iter().map(|asker| scene.joined(asker).member_id).collect();
    let quiet = scene.joined(quiet);
    assert_eq!(quiet.error_code, ErrorCode::NONE);
    // Whoever is there may say as much again, and not twice as much.
    let again = scene.ask_join(Joining { member_id: &ids[0], ..loud.clone() });
    let louder = [("range", &much[..]), ("other", &much[..])];
    let louder = Joining { protocols: &louder, member_id: &ids[1], ..loud };
    let refused = scene.join(louder);
    assert_eq!(
        (refused.error_code, &refused.member_id),
        (ErrorCode::GROUP_MAX_SIZE_REACHED, &ids[1])
    );
    scene.pass(REBALANCE_MS as u64);
    assert_eq!(scene.joined(again).error_code, ErrorCode::NONE);
}

#[test]
fn a_group_that_no_record_can_hold_is_not_made() {
    let mut scene = Scene::new();
    scene.batch_bytes_max = 100;
    let refused = scene.join(Joining { group_id: &"g".repeat(100), ..Joining::new() });
    assert_eq!((refused.error_code, &*refused.member_id), (ErrorCode::UNKNOWN_SERVER_ERROR, ""));
    assert!(scene.shard.groups.is_empty());
}

#[test]
fn what_a_member_sent_is_copied_out_of_its_frame() {
    let frame = Bytes::from(SUBSCRIPTION.to_vec());
    let mut request = Joining::new().request();
    request.protocols[0].metadata = frame.slice(..);
    let mut scene = Scene::new();
    let asker = scene.asker();
    let client = ClientDetails::default();
    scene.call(|shard, context| shard.join_group(context, asker, 3, client, request));
    assert!(frame.is_unique());
    scene.pass(DELAY_MS);
    let id = scene.joined(asker).member_id;
    let mut request = Syncing { parts: &[(&id, "part")], ..Syncing::new(&id, 1) }.request();
    let frame = Bytes::from(b"part".to_vec());
    request.assignments[0].assignment = frame.slice(..);
    let asker = scene.asker();
    scene.call(|shard, context| shard.sync_group(context, asker, 5, &request));
    drop(request);
    assert_eq!(scene.synced(asker).assignment, frame);
    assert!(frame.is_unique());
}

impl Scene {
    /// Commits so many partitions of `t`, as nobody's member.
    fn commit_many(&mut self, partitions: i32) -> Result<(), ErrorCode> {
        let partitions = (0..partitions).map(|partition_index| OffsetCommitRequestPartition {
            partition_index,
            ..OffsetCommitRequestPartition::default()
        });
        let topic = OffsetCommitRequestTopic {
            name: "t".to_string(),
            partitions: partitions.collect(),
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest { topics: vec![topic], ..committing(G, "", -1, None) };
        let told = self.call(|shard, context| shard.commit_offsets(context, 9, &request))?;
        assert!(told[0].partitions.iter().all(|it| it.error_code.is_none()));
        Ok(())
    }

    fn delete_group(&mut self) -> ErrorCode {
        self.call(|shard, context| shard.delete_group(context, G)).error_code
    }

    /// Deletes the first so many of them.
    fn delete_offsets(&mut self, partitions: i32) -> Result<(), ErrorCode> {
        let partitions =
            (0..partitions).map(|partition_index| OffsetDeleteRequestPartition { partition_index });
        let topics = vec![OffsetDeleteRequestTopic {
            name: "t".to_string(),
            partitions: partitions.collect(),
        }];
        let request = OffsetDeleteRequest { group_id: G.to_string(), topics };
        self.call(|shard, context| shard.delete_offsets(context, &request)).map(drop)
    }

    fn offsets(&self) -> usize {
        self.shard.offsets.names(G).count()
    }
}

#[test]
fn a_commit_takes_all_the_room_of_a_batch_and_no_more() {
    let mut scene = Scene::new();
    scene.batch_bytes_max = 100_000;
    let counts: Vec<i32> = (1..10_000).collect();
    let fitting = counts.partition_point(|count| {
        scene.shard = Shard::default();
        scene.commit_many(*count).is_ok()
    }) as i32;
    scene.shard = Shard::default();
    scene.log.clear();
    assert_eq!(scene.commit_many(fitting + 1), Err(ErrorCode::UNKNOWN_SERVER_ERROR));
    assert_eq!((scene.offsets(), scene.log.len()), (0, 0));
    assert_eq!(scene.commit_many(fitting), Ok(()));
    let whole = Outbox { records: core::mem::take(&mut scene.log), ..Outbox::default() };
    let [batch] = &whole.batches(0, usize::MAX)[..] else { panic!("one request is one batch") };
    let each = batch.info().size as usize / fitting as usize;
    let left = scene.batch_bytes_max - batch.info().size as usize;
    assert!(left <= each + 1, "{left} bytes are left, and a record has {each}");
}

#[test]
fn many_offsets_go_in_as_many_batches_as_that_takes() {
    let mut scene = Scene::new();
    assert_eq!(scene.commit_many(1_000), Ok(()));
    scene.batch_bytes_max = 1_000;
    assert_eq!(scene.delete_offsets(500), Ok(()));
    assert_eq!(scene.offsets(), 500);
    let deleted_topic: [(Arc<str>, Uuid); 1] = [("t".into(), Uuid::ZERO)];
    let mut other = Scene::new();
    assert_eq!(other.commit_many(1_000), Ok(()));
    other.batch_bytes_max = 1_000;
    other.call(|shard, context| shard.forget_topics(context, G, &deleted_topic));
    assert_eq!(other.offsets(), 0);

    assert_eq!(scene.delete_group(), ErrorCode::NONE);
    assert!(scene.offsets() == 0 && scene.shard.groups.is_empty());
    scene.restart();
    assert!(scene.offsets() == 0 && scene.shard.groups.is_empty());
}

#[test]
fn old_offsets_go_in_as_many_batches_as_that_takes() {
    let mut scene = Scene::new();
    assert_eq!(scene.commit_many(1_000), Ok(()));
    scene.batch_bytes_max = 1_000;
    scene.now.wall_ms += scene.config.offsets_retention_ms;
    let looked = scene.call(|shard, context| shard.expire_group(context, G, None, 600));
    assert_eq!((looked.offsets, scene.offsets()), (600, 400));
    let next = looked.up_to.expect("more");
    assert_eq!(next, ("t".into(), 599));
    let looked = scene.call(|shard, context| shard.expire_group(context, G, Some(&next), 600));
    assert_eq!((looked.offsets, looked.up_to), (400, None));
    assert!(scene.offsets() == 0 && scene.shard.groups.is_empty());
    scene.restart();
    assert!(scene.offsets() == 0 && scene.shard.groups.is_empty());
}

#[test]
fn what_no_batch_can_say_is_not_deleted() {
    let mut scene = Scene::new();
    assert_eq!(scene.commit_many(3), Ok(()));
    let records = scene.log.len();
    scene.batch_bytes_max = 70;
    assert_eq!(scene.delete_group(), ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!(scene.delete_offsets(2), Err(ErrorCode::UNKNOWN_SERVER_ERROR));
    scene.now.wall_ms += scene.config.offsets_retention_ms;
    scene.call(|shard, context| shard.expire_group(context, G, None, 600));
    assert_eq!((scene.offsets(), scene.log.len()), (3, records));
    scene.batch_bytes_max = 1_000;
    assert_eq!(scene.delete_offsets(7), Ok(()));
    scene.batch_bytes_max = 60;
    assert_eq!(scene.delete_offsets(7), Ok(()), "nothing is there to be said");
    assert_eq!(scene.delete_group(), ErrorCode::UNKNOWN_SERVER_ERROR);
    assert!(scene.shard.groups.contains_key(G));
}
