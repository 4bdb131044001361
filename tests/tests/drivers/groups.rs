//! Each driver with clients that forge what they say to a group, or say too much of it: the answers are those of
//! Apache Kafka 4.3.1, and the group goes on.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use klamm_core::api::list_groups::{ListGroupsRequest, ListGroupsResponse};
use klamm_core::api::offset_commit::OffsetCommitResponse;
use klamm_core::api::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use klamm_core::codec::{Message, Reader};
use klamm_core::config::{Config, GroupConfig};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_runtime::Handle;
use klamm_tests::directory::NewTopic;
use klamm_tests::driver::{Driver, TempDir, connect, read_frame, stop};
use klamm_tests::on_each_driver;

on_each_driver! {
    who_forges_a_member_or_a_generation_is_refused,
    what_is_too_long_for_a_commit_is_refused,
    a_name_too_long_for_the_protocol_ends_its_connection_alone,
    ten_thousand_protocols_are_taken,
    hundreds_of_members_share_a_round,
}

const GROUP: &str = "group";

/// A node with topic `t`, whose groups wait for nobody.
fn served(driver: Driver, dir: &TempDir) -> Handle {
    dir.put_topics(&[NewTopic::new("t", 1)]);
    let groups = GroupConfig { initial_rebalance_delay_ms: 100, ..GroupConfig::default() };
    driver.serve(Config { groups, ..dir.config() })
}

struct Client(TcpStream);

impl Client {
    fn new(handle: &Handle) -> Self {
        Self(connect(handle))
    }

    /// One that knows that the coordinator serves.
    fn served(handle: &Handle) -> Self {
        let mut client = Self::new(handle);
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![GROUP.into()],
            ..FindCoordinatorRequest::default()
        };
        loop {
            let found: FindCoordinatorResponse = client.ask(ApiKey::FIND_COORDINATOR, 4, &request);
            if found.coordinators[0].error_code.is_none() {
                return client;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&mut self, key: ApiKey, version: i16, body: &impl Message) {
        let header = RequestHeader {
            api_key: key,
            api_version: version,
            correlation_id: 1,
            client_id: Some("c".into()),
        };
        let mut bytes = BytesMut::new();
        write_request(&mut bytes, &header, body);
        self.0.write_all(&bytes).expect("sent");
    }

    fn take<A: Message>(&mut self, key: ApiKey, version: i16) -> A {
        let frame = Bytes::from(read_frame(&mut self.0).expect("answered"));
        let mut reader = Reader::new(&frame);
        let api = key.api().expect("it is served");
        assert_eq!(read_response_header(&mut reader, api, version), Ok(1));
        A::read(&mut reader, version).expect("an answer")
    }

    fn ask<A: Message>(&mut self, key: ApiKey, version: i16, body: &impl Message) -> A {
        self.send(key, version, body);
        self.take(key, version)
    }

    fn join(&mut self, member_id: &str, names: &[String]) -> JoinGroupResponse {
        self.ask(ApiKey::JOIN_GROUP, 9, &joining(GROUP, member_id, names))
    }

    fn sync(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        let assignment =
            SyncGroupRequestAssignment { member_id: member_id.into(), assignment: Bytes::new() };
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id,
            member_id: member_id.into(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: vec![assignment],
            ..SyncGroupRequest::default()
        };
        self.ask::<SyncGroupResponse>(ApiKey::SYNC_GROUP, 5, &request).error_code
    }

    fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id,
            member_id: member_id.into(),
            ..HeartbeatRequest::default()
        };
        self.ask::<HeartbeatResponse>(ApiKey::HEARTBEAT, 4, &request).error_code
    }

    fn commit(&mut self, group: &str, member_id: &str, generation: i32) -> ErrorCode {
        self.commit_saying(group, member_id, generation, "").expect("answered")
    }

    /// `None` when the connection is closed instead.
    fn commit_saying(
        &mut self,
        group: &str,
        member_id: &str,
        generation: i32,
        metadata: &str,
    ) -> Option<ErrorCode> {
        self.0.write_all(&commit_frame(group, member_id, generation, metadata)).expect("sent");
        // A connection that is closed has nothing to read, or is reset.
        if self.0.peek(&mut [0; 1]).unwrap_or(0) == 0 {
            return None;
        }
        let told: OffsetCommitResponse = self.take(ApiKey::OFFSET_COMMIT, 9);
        Some(told.topics[0].partitions[0].error_code)
    }

    fn groups(&mut self) -> Vec<String> {
        let told: ListGroupsResponse =
            self.ask(ApiKey::LIST_GROUPS, 5, &ListGroupsRequest::default());
        told.groups.into_iter().map(|group| group.group_id).collect()
    }

    /// A group of one member: its id and generation.
    fn stable(&mut self) -> (String, i32) {
        let names = ["range".to_owned()];
        let id = self.join("", &names).member_id;
        let joined = self.join(&id, &names);
        assert_eq!(joined.error_code, ErrorCode::NONE);
        assert_eq!(self.sync(&id, joined.generation_id), ErrorCode::NONE);
        (id, joined.generation_id)
    }
}

/// OffsetCommit 9 of partition 0 of `t`, byte by byte: an encoder of messages writes no string above 32,767 bytes.
fn commit_frame(group: &str, member_id: &str, generation: i32, metadata: &str) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(b"\0\x08\0\x09\0\0\0\x01\0\x01c\0");
    put_string(group, &mut frame);
    frame.extend(generation.to_be_bytes());
    put_string(member_id, &mut frame);
    // No instance; one topic, one partition; offset 5, no epoch.
    frame.extend(b"\0\x02\x02t\x02\0\0\0\0\0\0\0\0\0\0\0\x05\xff\xff\xff\xff");
    put_string(metadata, &mut frame);
    frame.extend([0; 3]);
    let length = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// A compact string, of any length.
fn put_string(text: &str, frame: &mut Vec<u8>) {
    let mut number = text.len() + 1;
    while number >= 0x80 {
        frame.push(number as u8 | 0x80);
        number >>= 7;
    }
    frame.push(number as u8);
    frame.extend(text.as_bytes());
}

fn joining(group: &str, member_id: &str, names: &[String]) -> JoinGroupRequest {
    let protocols = names
        .iter()
        .map(|name| JoinGroupRequestProtocol { name: name.clone(), metadata: Bytes::new() });
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: protocols.collect(),
        ..JoinGroupRequest::default()
    }
}

fn who_forges_a_member_or_a_generation_is_refused(driver: Driver) {
    let dir = TempDir::new();
    let handle = served(driver, &dir);
    let mut client = Client::served(&handle);
    let (id, generation) = client.stable();
    let long = "x".repeat(32_767);
    let stranger = ErrorCode::UNKNOWN_MEMBER_ID;
    let stale = ErrorCode::ILLEGAL_GENERATION;
    let forged = [
        ("c-00000000-0000-0000-0000-000000000000", generation, stranger),
        ("", generation, stranger),
        ("\0", generation, stranger),
        (&long, generation, stranger),
        (&id, generation + 1, stale),
        (&id, generation - 1, stale),
        (&id, -1, stale),
        (&id, i32::MAX, stale),
        (&id, i32::MIN, stale),
    ];
    for (member, generation, error) in forged {
        assert_eq!(client.heartbeat(member, generation), error, "{generation}");
        assert_eq!(client.sync(member, generation), error, "{generation}");
        assert_eq!(client.commit(GROUP, member, generation), error, "{generation}");
    }
    assert_eq!(client.commit(GROUP, "", -1), stranger, "somebody beside the group");
    assert_eq!(client.commit("other", &id, generation), ErrorCode::GROUP_ID_NOT_FOUND);
    let members = (0..10_000).map(|number| MemberIdentity {
        member_id: number.to_string(),
        ..MemberIdentity::default()
    });
    let leave = LeaveGroupRequest {
        group_id: GROUP.into(),
        members: members.collect(),
        ..LeaveGroupRequest::default()
    };
    let left: LeaveGroupResponse = client.ask(ApiKey::LEAVE_GROUP, 5, &leave);
    assert_eq!((left.error_code, left.members.len()), (ErrorCode::NONE, 10_000));
    assert!(left.members.iter().all(|member| member.error_code == stranger));
    assert_eq!(client.heartbeat(&id, generation), ErrorCode::NONE, "the group has not noticed");
    assert_eq!(client.commit(GROUP, &id, generation), ErrorCode::NONE);
    assert_eq!(client.groups(), [GROUP]);
    stop(handle);
}

fn what_is_too_long_for_a_commit_is_refused(driver: Driver) {
    let dir = TempDir::new();
    let handle = served(driver, &dir);
    let mut client = Client::served(&handle);
    let too_long = Some(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    assert_eq!(client.commit_saying(GROUP, "", -1, &"x".repeat(4_097)), too_long);
    assert_eq!(client.commit_saying(GROUP, "", -1, &"x".repeat(32_767)), too_long);
    // No string of the protocol is so long.
    assert_eq!(client.commit_saying(GROUP, "", -1, &"x".repeat(100_000)), None);
    let mut client = Client::new(&handle);
    assert_eq!(client.groups(), Vec::<String>::new());
    let most = "ä".repeat(4_096);
    assert_eq!(client.commit_saying(GROUP, "", -1, &most), Some(ErrorCode::NONE));
    stop(handle);
}

fn a_name_too_long_for_the_protocol_ends_its_connection_alone(driver: Driver) {
    let dir = TempDir::new();
    let handle = served(driver, &dir);
    let mut other = Client::served(&handle);
    let (id, generation) = other.stable();
    for length in [32_768, 65_536] {
        let mut client = Client::new(&handle);
        assert_eq!(client.commit_saying(&"n".repeat(length), "", -1, ""), None);
    }
    let longest = "n".repeat(32_767);
    assert_eq!(Client::new(&handle).commit(&longest, "", -1), ErrorCode::NONE);
    assert_eq!(other.heartbeat(&id, generation), ErrorCode::NONE);
    assert_eq!(other.groups().len(), 2);
    stop(handle);
}

fn ten_thousand_protocols_are_taken(driver: Driver) {
    let dir = TempDir::new();
    let handle = served(driver, &dir);
    let mut client = Client::served(&handle);
    let names: Vec<String> = (0..10_000).map(|number| format!("p{number}")).collect();
    let id = client.join("", &names).member_id;
    let joined = client.join(&id, &names);
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!((joined.protocol_name.as_deref(), joined.members.len()), (Some("p0"), 1));
    assert_eq!(client.join(&id, &[]).error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    stop(handle);
}

fn hundreds_of_members_share_a_round(driver: Driver) {
    const MEMBERS: usize = 300;
    let dir = TempDir::new();
    let handle = served(driver, &dir);
    let mut first = Client::served(&handle);
    let names = ["range".to_owned()];
    // Before version 4 nobody is sent back for an id.
    let request = joining(GROUP, "", &names);
    first.send(ApiKey::JOIN_GROUP, 3, &request);
    let mut clients = vec![first];
    for _ in 1..MEMBERS {
        let mut client = Client::new(&handle);
        client.send(ApiKey::JOIN_GROUP, 3, &request);
        clients.push(client);
    }
    let joined: Vec<JoinGroupResponse> =
        clients.iter_mut().map(|client| client.take(ApiKey::JOIN_GROUP, 3)).collect();
    let generation = joined.iter().map(|it| it.generation_id).max();
    assert!(joined.iter().all(|it| it.error_code.is_none() && generation == Some(1)));
    let led: usize = joined.iter().map(|it| it.members.len()).sum();
    assert_eq!(led, MEMBERS, "the leader alone is told of all");
    let parts = joined.iter().map(|it| SyncGroupRequestAssignment {
        member_id: it.member_id.clone(),
        assignment: Bytes::from(it.member_id.clone()),
    });
    let assignments: Vec<_> = parts.collect();
    for (client, joined) in clients.iter_mut().zip(&joined) {
        let is_leader = joined.member_id == joined.leader;
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            assignments: if is_leader { assignments.clone() } else { Vec::new() },
            ..SyncGroupRequest::default()
        };
        client.send(ApiKey::SYNC_GROUP, 3, &request);
    }
    for (client, joined) in clients.iter_mut().zip(&joined) {
        let synced: SyncGroupResponse = client.take(ApiKey::SYNC_GROUP, 3);
        assert_eq!(synced.assignment, joined.member_id.as_bytes());
    }
    stop(handle);
}
