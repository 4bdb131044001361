//! What Apache Kafka 4.3.1 answered, byte for byte, where the answer depends on what came before.

use super::*;
use crate::api::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::api::heartbeat::HeartbeatResponse;
use crate::codec::testing::encode;
use crate::codec::{Message, Reader};

#[derive(Clone, Copy)]
enum Api {
    JoinGroup,
    SyncGroup,
    Heartbeat,
    LeaveGroup,
    DescribeGroups,
}

/// Case, API, version, the request's body, the answer's. In the order in which they were recorded.
#[rustfmt::skip]
const CASES: &[(&str, Api, i16, &str, &str)] = &[
    ("join-group.v9.no-member-id", Api::JoinGroup, 9,
     "\
         02670000271000002710010009636f6e73756d6572020672616e676512000100000001000170ffff\
         ffff00000000000000",
     "\
         00000000004fffffffff000001002c676f6c64656e2d35363666623338632d346562612d34333133\
         2d386564662d3565363135653566636132620100"),
    ("join-group.v4.no-member-id", Api::JoinGroup, 4,
     "\
         00026734000027100000271000000008636f6e73756d657200000001000572616e67650000001100\
         0100000001000170ffffffff00000000",
     "\
         00000000004fffffffff00000000002b676f6c64656e2d32633964316465342d383235612d343531\
         342d626336332d39383739626164636365363300000000"),
    ("join-group.v9.empty-group", Api::JoinGroup, 9,
     "\
         010000271000002710010009636f6e73756d6572020672616e676512000100000001000170ffffff\
         ff00000000000000",
     "000000000018ffffffff00000100010100"),
    ("join-group.v9.session-timeout-1", Api::JoinGroup, 9,
     "\
         02670000000100002710010009636f6e73756d6572020672616e676512000100000001000170ffff\
         ffff00000000000000",
     "00000000001affffffff00000100010100"),
    ("join-group.v9.no-protocols", Api::JoinGroup, 9,
     "02670000271000002710010009636f6e73756d6572010000",
     "000000000017ffffffff00000100010100"),
    ("join-group.v9.unknown-member", Api::JoinGroup, 9,
     "\
         02670000271000002710076e6f626f64790009636f6e73756d6572020672616e6765120001000000\
         01000170ffffffff00000000000000",
     "000000000019ffffffff00000100076e6f626f64790100"),
    ("join-group.v9.unknown-member-of-unknown-group", Api::JoinGroup, 9,
     "\
         06672d6e65770000271000002710076e6f626f64790009636f6e73756d6572020672616e67651200\
         0100000001000170ffffffff00000000000000",
     "000000000019ffffffff00000100076e6f626f64790100"),
    ("join-group.v9.with-member-id", Api::JoinGroup, 9,
     "\
         026700002710000027102c676f6c64656e2d35363666623338632d346562612d343331332d386564\
         662d3565363135653566636132620009636f6e73756d6572020672616e6765120001000000010001\
         70ffffffff00000000000000",
     "\
         0000000000000000000109636f6e73756d65720672616e67652c676f6c64656e2d35363666623338\
         632d346562612d343331332d386564662d356536313565356663613262002c676f6c64656e2d3536\
         3666623338632d346562612d343331332d386564662d356536313565356663613262022c676f6c64\
         656e2d35363666623338632d346562612d343331332d386564662d35653631356535666361326200\
         12000100000001000170ffffffff000000000000"),
    ("heartbeat.v4.during-completing-rebalance", Api::Heartbeat, 4,
     "\
         0267000000012c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565\
         363135653566636132620000",
     "00000000000000"),
    ("sync-group.v5.leader", Api::SyncGroup, 5,
     "\
         0267000000012c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565\
         363135653566636132620009636f6e73756d65720672616e6765022c676f6c64656e2d3536366662\
         3338632d346562612d343331332d386564662d3565363135653566636132620b0001000000000000\
         00000000",
     "00000000000009636f6e73756d65720672616e67650b0001000000000000000000"),
    ("sync-group.v5.wrong-protocol", Api::SyncGroup, 5,
     "\
         0267000000012c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565\
         363135653566636132620009636f6e73756d6572066f746865720100",
     "00000000001700000100"),
    ("sync-group.v5.unknown-group", Api::SyncGroup, 5,
     "07672d6e6f6e650000000102780000000100",
     "00000000001700000100"),
    ("heartbeat.v4.ok", Api::Heartbeat, 4,
     "\
         0267000000012c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565\
         363135653566636132620000",
     "00000000000000"),
    ("heartbeat.v4.old-generation", Api::Heartbeat, 4,
     "\
         0267000000002c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565\
         363135653566636132620000",
     "00000000001600"),
    ("heartbeat.v4.unknown-member", Api::Heartbeat, 4,
     "026700000001076e6f626f64790000",
     "00000000001900"),
    ("heartbeat.v4.unknown-group", Api::Heartbeat, 4,
     "07672d6e6f6e6500000001076e6f626f64790000",
     "00000000001900"),
    ("describe-groups.v6.stable", Api::DescribeGroups, 6,
     "0202670100",
     "\
         0000000002000000026707537461626c6509636f6e73756d65720672616e6765022c676f6c64656e\
         2d35363666623338632d346562612d343331332d386564662d356536313565356663613262000767\
         6f6c64656e0b2f3132372e302e302e3112000100000001000170ffffffff000000000b0001000000\
         00000000000000000d480000"),
    ("leave-group.v5", Api::LeaveGroup, 5,
     "\
         0267032c676f6c64656e2d35363666623338632d346562612d343331332d386564662d3565363135\
         6535666361326200027800076e6f626f647900000000",
     "\
         000000000000032c676f6c64656e2d35363666623338632d346562612d343331332d386564662d35\
         653631356535666361326200000000076e6f626f64790000190000"),
    ("leave-group.v2.unknown", Api::LeaveGroup, 2,
     "0006672d6e6f6e65000178",
     "000000000019"),
    ("leave-group.v5.unknown-group", Api::LeaveGroup, 5,
     "07672d6e6f6e6502027800000000",
     "0000000000000202780000190000"),
];

/// What it answered to a describer that asked for what it may do: an answer of the broker, not of the group.
const OPERATIONS: i32 = 0xd48;

#[test]
fn the_recorded_answers_come_again() {
    let mut scene = Scene::new();
    for (case, api, version, request, expected) in CASES {
        let (request, expected) = (bytes(request), bytes(expected));
        let answer = ask(&mut scene, *api, *version, &request, &expected);
        assert_eq!(answer, expected, "{case}");
    }
}

fn ask(scene: &mut Scene, api: Api, version: i16, request: &Bytes, expected: &Bytes) -> Bytes {
    match api {
        Api::JoinGroup => {
            let asker = scene.asker();
            let request: JoinGroupRequest = read(request, version);
            let (client_id, group_id) = ("golden".to_string(), request.group_id.clone());
            let client = ClientDetails { client_id, client_host: "/127.0.0.1".to_string() };
            scene.call(|shard, context| shard.join_group(context, asker, version, client, request));
            if scene.waits(asker) {
                scene.pass(DELAY_MS);
            }
            let mut told = scene.joined(asker);
            if told.error_code == ErrorCode::MEMBER_ID_REQUIRED {
                let recorded: JoinGroupResponse = read(expected, version);
                rename_pending(scene, &group_id, &told.member_id, &recorded.member_id);
                told.member_id = recorded.member_id;
            }
            encode(&told, version)
        }
        Api::SyncGroup => {
            let asker = scene.asker();
            let request = read(request, version);
            scene.call(|shard, context| shard.sync_group(context, asker, version, &request));
            encode(&scene.synced(asker), version)
        }
        Api::Heartbeat => {
            let request = read(request, version);
            let error_code = scene.call(|shard, context| shard.heartbeat(context, &request));
            encode(&HeartbeatResponse { error_code, ..HeartbeatResponse::default() }, version)
        }
        Api::LeaveGroup => {
            let request = read(request, version);
            let left = scene.call(|shard, context| shard.leave_group(context, version, request));
            encode(&left, version)
        }
        Api::DescribeGroups => {
            let request: DescribeGroupsRequest = read(request, version);
            let mut group = scene.shard.describe_group(&request.groups[0], version);
            group.authorized_operations = OPERATIONS;
            let groups = [group].into();
            encode(&DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }, version)
        }
    }
}

/// Kafka drew another id.
fn rename_pending(scene: &mut Scene, group_id: &str, from: &str, to: &str) {
    let Some(Group::Classic(group)) = scene.shard.groups.get_mut(group_id) else { panic!() };
    assert!(group.pending.remove(from));
    group.pending.insert(to.into());
    let key = |id: &str| session_key(&group.id, &id.into());
    scene.shard.timers.cancel(&key(from));
    scene.shard.timers.set(key(to), scene.now.mono + Millis(SESSION_MS as u64));
}

fn read<M: Message>(bytes: &Bytes, version: i16) -> M {
    let mut reader = Reader::new(bytes);
    let message = M::read(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0);
    message
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
