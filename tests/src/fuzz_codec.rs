//! Fuzz bodies for the codec: whatever the bytes are, nothing panics, and what is read comes out
//! the same when it is written and read again.

use bytes::{Bytes, BytesMut};
use klamm_core::api::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use klamm_core::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
use klamm_core::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::create_acls::{CreateAclsRequest, CreateAclsResponse};
use klamm_core::api::delete_acls::{DeleteAclsRequest, DeleteAclsResponse};
use klamm_core::api::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use klamm_core::api::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use klamm_core::api::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
use klamm_core::api::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use klamm_core::api::describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
use klamm_core::api::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use klamm_core::api::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use klamm_core::api::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
use klamm_core::api::describe_quorum::{DescribeQuorumRequest, DescribeQuorumResponse};
use klamm_core::api::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use klamm_core::api::elect_leaders::{ElectLeadersRequest, ElectLeadersResponse};
use klamm_core::api::fetch::{FetchRequest, FetchResponse};
use klamm_core::api::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use klamm_core::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use klamm_core::api::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use klamm_core::api::list_groups::{ListGroupsRequest, ListGroupsResponse};
use klamm_core::api::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use klamm_core::api::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use klamm_core::api::metadata::{MetadataRequest, MetadataResponse};
use klamm_core::api::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use klamm_core::api::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm_core::api::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use klamm_core::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use klamm_core::api::produce::{ProduceRequest, ProduceResponse};
use klamm_core::api::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use klamm_core::api::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
use klamm_core::api::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm_core::api::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use klamm_core::api::update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::RequestHeader;
use klamm_core::records::{
    BeginTransactionRecord, BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord,
    ControlRecord, EntityData, GroupMetadataValue, MetadataRecord, OffsetCommitValue, OffsetsKey,
    PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, UserScramCredentialRecord,
};
use klamm_core::rng::Rng;

use crate::wire::{explain_request, explain_response};

/// Reads the bytes as every message in every version. Returns how many of them they are.
pub fn fuzz_messages(data: &[u8]) -> usize {
    let data = Bytes::copy_from_slice(data);
    settled::<ProduceRequest>(&data)
        + settled::<ProduceResponse>(&data)
        + settled::<FetchRequest>(&data)
        + settled::<FetchResponse>(&data)
        + settled::<ListOffsetsRequest>(&data)
        + settled::<ListOffsetsResponse>(&data)
        + settled::<OffsetForLeaderEpochRequest>(&data)
        + settled::<OffsetForLeaderEpochResponse>(&data)
        + settled::<DeleteRecordsRequest>(&data)
        + settled::<DeleteRecordsResponse>(&data)
        + settled::<InitProducerIdRequest>(&data)
        + settled::<InitProducerIdResponse>(&data)
        + settled::<DescribeProducersRequest>(&data)
        + settled::<DescribeProducersResponse>(&data)
        + settled::<MetadataRequest>(&data)
        + settled::<MetadataResponse>(&data)
        + settled::<ApiVersionsRequest>(&data)
        + settled::<ApiVersionsResponse>(&data)
        + settled::<DescribeTopicPartitionsRequest>(&data)
        + settled::<DescribeTopicPartitionsResponse>(&data)
        + settled::<SaslHandshakeRequest>(&data)
        + settled::<SaslHandshakeResponse>(&data)
        + settled::<DescribeAclsRequest>(&data)
        + settled::<DescribeAclsResponse>(&data)
        + settled::<CreateAclsRequest>(&data)
        + settled::<CreateAclsResponse>(&data)
        + settled::<DeleteAclsRequest>(&data)
        + settled::<DeleteAclsResponse>(&data)
        + settled::<SaslAuthenticateRequest>(&data)
        + settled::<SaslAuthenticateResponse>(&data)
        + settled::<DescribeConfigsRequest>(&data)
        + settled::<DescribeConfigsResponse>(&data)
        + settled::<AlterConfigsRequest>(&data)
        + settled::<AlterConfigsResponse>(&data)
        + settled::<IncrementalAlterConfigsRequest>(&data)
        + settled::<IncrementalAlterConfigsResponse>(&data)
        + settled::<ListConfigResourcesRequest>(&data)
        + settled::<ListConfigResourcesResponse>(&data)
        + settled::<ElectLeadersRequest>(&data)
        + settled::<ElectLeadersResponse>(&data)
        + settled::<AlterPartitionReassignmentsRequest>(&data)
        + settled::<AlterPartitionReassignmentsResponse>(&data)
        + settled::<ListPartitionReassignmentsRequest>(&data)
        + settled::<ListPartitionReassignmentsResponse>(&data)
        + settled::<DescribeQuorumRequest>(&data)
        + settled::<DescribeQuorumResponse>(&data)
        + settled::<DescribeClusterRequest>(&data)
        + settled::<DescribeClusterResponse>(&data)
        + settled::<UnregisterBrokerRequest>(&data)
        + settled::<UnregisterBrokerResponse>(&data)
        + settled::<DescribeLogDirsRequest>(&data)
        + settled::<DescribeLogDirsResponse>(&data)
        + settled::<UpdateFeaturesRequest>(&data)
        + settled::<UpdateFeaturesResponse>(&data)
        + settled::<FindCoordinatorRequest>(&data)
        + settled::<FindCoordinatorResponse>(&data)
        + settled::<JoinGroupRequest>(&data)
        + settled::<JoinGroupResponse>(&data)
        + settled::<SyncGroupRequest>(&data)
        + settled::<SyncGroupResponse>(&data)
        + settled::<HeartbeatRequest>(&data)
        + settled::<HeartbeatResponse>(&data)
        + settled::<LeaveGroupRequest>(&data)
        + settled::<LeaveGroupResponse>(&data)
        + settled::<OffsetCommitRequest>(&data)
        + settled::<OffsetCommitResponse>(&data)
        + settled::<OffsetFetchRequest>(&data)
        + settled::<OffsetFetchResponse>(&data)
        + settled::<DescribeGroupsRequest>(&data)
        + settled::<DescribeGroupsResponse>(&data)
        + settled::<ListGroupsRequest>(&data)
        + settled::<ListGroupsResponse>(&data)
        + settled::<DeleteGroupsRequest>(&data)
        + settled::<DeleteGroupsResponse>(&data)
        + settled::<OffsetDeleteRequest>(&data)
        + settled::<OffsetDeleteResponse>(&data)
}

/// Reads the bytes as frames: as what a client sends, and as an answer to it.
pub fn fuzz_frame(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    if let Ok(header) = RequestHeader::read(&mut Reader::new(&frame)) {
        assert!(header.api().is_some());
        let mut again = BytesMut::new();
        header.write(&mut again);
        assert_eq!(RequestHeader::read(&mut Reader::new(&again.freeze())), Ok(header));
    }
    assert!(explain_request(data).starts_with("request: "));
    assert!(explain_response(data, data).starts_with("response: "));
}

/// Reads the bytes as the value of a metadata record, and, behind a key, of a control record; as a key or a value of
/// `__consumer_offsets` too. Says whether they are a metadata record.
pub fn fuzz_record(data: &[u8]) -> bool {
    let value = Bytes::copy_from_slice(data);
    for record_type in 0..8 {
        let key = Bytes::copy_from_slice(&[0, 0, 0, record_type]);
        if let Ok(record) = ControlRecord::decode(&key, &value) {
            let (key, value) = record.encode();
            assert_eq!(ControlRecord::decode(&key, &value), Ok(record));
        }
    }
    if let Ok(value) = OffsetCommitValue::decode(&value) {
        assert_eq!(OffsetCommitValue::decode(&value.encode()), Ok(value));
    }
    if let Ok(value) = GroupMetadataValue::decode(&value) {
        assert_eq!(GroupMetadataValue::decode(&value.encode()), Ok(value));
    }
    if let Ok(key) = OffsetsKey::decode(&value) {
        assert_eq!(OffsetsKey::decode(&key.encode()), Ok(key));
    }
    let Ok(record) = MetadataRecord::decode(&value) else {
        return false;
    };
    let version = record.version_max();
    let encoded = record.encode(version);
    let again = MetadataRecord::decode(&encoded).expect("what was written can be read");
    assert_eq!(again.encode(version), encoded);
    true
}

/// Bytes as a peer might send them: mostly the small and the extreme numbers that lengths, counts,
/// tags and nulls are made of.
pub fn odd_bytes(rng: &mut Rng) -> Vec<u8> {
    let length = rng.below(48);
    let mut byte = || match rng.below(8) {
        0..=3 => rng.below(4) as u8,
        4 => 0xff,
        5 => 0x7f + rng.below(2) as u8,
        _ => rng.next_u64() as u8,
    };
    (0..length).map(|_| byte()).collect()
}

/// The value of a metadata record, mostly with a byte or two altered.
pub fn record_bytes(rng: &mut Rng) -> Vec<u8> {
    let records: [MetadataRecord; 8] = [
        RegisterBrokerRecord { cordoned_log_dirs: Some(vec![]), ..Default::default() }.into(),
        BrokerRegistrationChangeRecord { fenced: 1, ..Default::default() }.into(),
        PartitionRecord { replicas: vec![1, 2], ..Default::default() }.into(),
        PartitionChangeRecord { isr: Some(vec![1]), ..Default::default() }.into(),
        ConfigRecord { value: None, ..Default::default() }.into(),
        BeginTransactionRecord { name: Some("name".to_owned()) }.into(),
        UserScramCredentialRecord::default().into(),
        ClientQuotaRecord { entity: vec![EntityData::default()], ..Default::default() }.into(),
    ];
    let record = &records[rng.below(8) as usize];
    let version = rng.below(record.version_max() as u64 + 1) as i16;
    let mut bytes = record.encode(version).to_vec();
    for _ in 0..rng.below(3) {
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] = odd_bytes(rng).first().copied().unwrap_or(0xff);
    }
    bytes
}

fn settled<M: Message>(data: &Bytes) -> usize {
    M::VERSIONS.filter(|&version| settles::<M>(data, version)).count()
}

fn settles<M: Message>(data: &Bytes, version: i16) -> bool {
    let mut reader = Reader::new(data);
    let Ok(message) = M::read(&mut reader, version) else {
        return false;
    };
    let written = |message: &M| {
        let mut output = BytesMut::new();
        message.write(&mut output, version);
        output.freeze()
    };
    let first = written(&message);
    let again = M::read(&mut Reader::new(&first), version).expect("what was written can be read");
    assert_eq!(written(&again), first, "{} v{version}", M::NAME);
    true
}
