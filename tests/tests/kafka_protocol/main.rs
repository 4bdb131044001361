//! The `kafka-protocol` crate as an independent witness of the wire format: random messages of
//! every API and version must be the same bytes and the same values there and here.
//!
//! That crate trusts lengths from the wire, so it is fed valid bytes alone.

mod arbitrary;
mod pairs;

use std::ops::RangeInclusive;

use arbitrary::Arbitrary;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use klamm_core::api::{APIS, ApiKey};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{RequestHeader, read_response_header, write_response_header};
use klamm_core::{api, records};
use pairs::Same;

/// Messages tried for each version of each API.
const MESSAGES: u64 = 60;

/// Compares random messages in every version that is decoded here.
fn compare<Ours, Theirs>()
where
    Ours: Message + Arbitrary + Same<Theirs> + PartialEq,
    Theirs: Encodable + Decodable + PartialEq + std::fmt::Debug,
{
    compare_prepared::<Ours, Theirs>(|_, _| ());
}

/// The same, with each message passed through `prepare` first, together with the version.
fn compare_prepared<Ours, Theirs>(prepare: fn(&mut Ours, i16))
where
    Ours: Message + Arbitrary + Same<Theirs> + PartialEq,
    Theirs: Encodable + Decodable + PartialEq + std::fmt::Debug,
{
    compare_versions::<Ours, Theirs>(prepare, |version| version);
}

/// The same, with the version in which they know what is `version` here.
fn compare_versions<Ours, Theirs>(prepare: fn(&mut Ours, i16), their_version: fn(i16) -> i16)
where
    Ours: Message + Arbitrary + Same<Theirs> + PartialEq,
    Theirs: Encodable + Decodable + PartialEq + std::fmt::Debug,
{
    compare_in::<Ours, Theirs>(Ours::VERSIONS, prepare, their_version);
}

/// The same, in some of the versions.
fn compare_in<Ours, Theirs>(
    versions: RangeInclusive<i16>,
    prepare: fn(&mut Ours, i16),
    their_version: fn(i16) -> i16,
) where
    Ours: Message + Arbitrary + Same<Theirs> + PartialEq,
    Theirs: Encodable + Decodable + PartialEq + std::fmt::Debug,
{
    for version in versions {
        for seed in 0..MESSAGES {
            let mut rng = arbitrary::rng(seed);
            let name = format!("{} v{version}, seed {seed}", Ours::NAME);
            let mut wire = BytesMut::new();
            let mut message = Ours::arbitrary(&mut rng);
            prepare(&mut message, version);
            message.write(&mut wire, version);
            let wire = wire.freeze();

            // What the version has of the random message; the rest is at its defaults.
            let ours: Ours = read(&wire, version, &name);
            let converted: Theirs = ours.same();
            let decoded = Theirs::decode(&mut wire.clone(), their_version(version));
            let decoded = decoded.unwrap_or_else(|error| panic!("{name}: they read {error}"));
            assert_eq!(decoded, converted, "{name}");

            let mut their_wire = BytesMut::new();
            let encoded = converted.encode(&mut their_wire, their_version(version));
            encoded.unwrap_or_else(|error| panic!("{name}: they write {error}"));
            assert_eq!(their_wire, wire, "{name}");
        }
    }
}

fn read<M: Message>(wire: &Bytes, version: i16, name: &str) -> M {
    let mut reader = Reader::new(wire);
    let message = M::read(&mut reader, version);
    let message = message.unwrap_or_else(|error| panic!("{name}: we read {error}"));
    assert_eq!(reader.remaining(), 0, "{name}");
    message
}

#[test]
fn produce_agrees() {
    compare::<api::produce::ProduceRequest, theirs::ProduceRequest>();
    compare::<api::produce::ProduceResponse, theirs::ProduceResponse>();
}

#[test]
fn fetch_agrees() {
    compare::<api::fetch::FetchRequest, theirs::FetchRequest>();
    compare::<api::fetch::FetchResponse, theirs::FetchResponse>();
}

/// They do not know version 11, which is laid out as version 10.
#[test]
fn list_offsets_agrees() {
    use api::list_offsets as ours;
    fn known(version: i16) -> i16 {
        version.min(10)
    }
    compare_versions::<ours::ListOffsetsRequest, theirs::ListOffsetsRequest>(|_, _| (), known);
    compare_versions::<ours::ListOffsetsResponse, theirs::ListOffsetsResponse>(|_, _| (), known);
}

#[test]
fn offset_for_leader_epoch_agrees() {
    use api::offset_for_leader_epoch as ours;
    compare::<ours::OffsetForLeaderEpochRequest, theirs::OffsetForLeaderEpochRequest>();
    compare::<ours::OffsetForLeaderEpochResponse, theirs::OffsetForLeaderEpochResponse>();
}

#[test]
fn delete_records_agrees() {
    use api::delete_records as ours;
    compare::<ours::DeleteRecordsRequest, theirs::DeleteRecordsRequest>();
    compare::<ours::DeleteRecordsResponse, theirs::DeleteRecordsResponse>();
}

#[test]
fn init_producer_id_agrees() {
    use api::init_producer_id as ours;
    compare::<ours::InitProducerIdRequest, theirs::InitProducerIdRequest>();
    compare::<ours::InitProducerIdResponse, theirs::InitProducerIdResponse>();
}

#[test]
fn describe_producers_agrees() {
    use api::describe_producers as ours;
    compare::<ours::DescribeProducersRequest, theirs::DescribeProducersRequest>();
    compare::<ours::DescribeProducersResponse, theirs::DescribeProducersResponse>();
}

#[test]
fn metadata_agrees() {
    compare::<api::metadata::MetadataRequest, theirs::MetadataRequest>();
    compare::<api::metadata::MetadataResponse, theirs::MetadataResponse>();
}

#[test]
fn api_versions_agrees() {
    compare::<api::api_versions::ApiVersionsRequest, theirs::ApiVersionsRequest>();
    compare::<api::api_versions::ApiVersionsResponse, theirs::ApiVersionsResponse>();
}

#[test]
fn describe_topic_partitions_agrees() {
    use api::describe_topic_partitions as ours;
    compare::<ours::DescribeTopicPartitionsRequest, theirs::DescribeTopicPartitionsRequest>();
    compare::<ours::DescribeTopicPartitionsResponse, theirs::DescribeTopicPartitionsResponse>();
}

#[test]
fn create_topics_agrees() {
    use api::create_topics as ours;
    compare::<ours::CreateTopicsRequest, theirs::CreateTopicsRequest>();
    compare::<ours::CreateTopicsResponse, theirs::CreateTopicsResponse>();
}

#[test]
fn delete_topics_agrees() {
    use api::delete_topics as ours;
    compare::<ours::DeleteTopicsRequest, theirs::DeleteTopicsRequest>();
    compare::<ours::DeleteTopicsResponse, theirs::DeleteTopicsResponse>();
}

#[test]
fn create_partitions_agrees() {
    use api::create_partitions as ours;
    compare::<ours::CreatePartitionsRequest, theirs::CreatePartitionsRequest>();
    compare::<ours::CreatePartitionsResponse, theirs::CreatePartitionsResponse>();
}

#[test]
fn describe_configs_agrees() {
    use api::describe_configs as ours;
    compare::<ours::DescribeConfigsRequest, theirs::DescribeConfigsRequest>();
    compare::<ours::DescribeConfigsResponse, theirs::DescribeConfigsResponse>();
}

#[test]
fn alter_configs_agrees() {
    use api::alter_configs as ours;
    compare::<ours::AlterConfigsRequest, theirs::AlterConfigsRequest>();
    compare::<ours::AlterConfigsResponse, theirs::AlterConfigsResponse>();
}

#[test]
fn incremental_alter_configs_agrees() {
    use api::incremental_alter_configs as ours;
    compare::<ours::IncrementalAlterConfigsRequest, theirs::IncrementalAlterConfigsRequest>();
    compare::<ours::IncrementalAlterConfigsResponse, theirs::IncrementalAlterConfigsResponse>();
}

#[test]
fn list_config_resources_agrees() {
    use api::list_config_resources as ours;
    compare::<ours::ListConfigResourcesRequest, theirs::ListConfigResourcesRequest>();
    compare::<ours::ListConfigResourcesResponse, theirs::ListConfigResourcesResponse>();
}

#[test]
fn elect_leaders_agrees() {
    use api::elect_leaders as ours;
    compare::<ours::ElectLeadersRequest, theirs::ElectLeadersRequest>();
    compare::<ours::ElectLeadersResponse, theirs::ElectLeadersResponse>();
}

#[test]
fn alter_partition_reassignments_agrees() {
    use api::alter_partition_reassignments as ours;
    compare::<ours::AlterPartitionReassignmentsRequest, theirs::AlterPartitionReassignmentsRequest>(
    );
    compare::<ours::AlterPartitionReassignmentsResponse, theirs::AlterPartitionReassignmentsResponse>(
    );
}

#[test]
fn list_partition_reassignments_agrees() {
    use api::list_partition_reassignments as ours;
    compare::<ours::ListPartitionReassignmentsRequest, theirs::ListPartitionReassignmentsRequest>();
    compare::<ours::ListPartitionReassignmentsResponse, theirs::ListPartitionReassignmentsResponse>(
    );
}

#[test]
fn describe_quorum_agrees() {
    use api::describe_quorum as ours;
    compare::<ours::DescribeQuorumRequest, theirs::DescribeQuorumRequest>();
    compare::<ours::DescribeQuorumResponse, theirs::DescribeQuorumResponse>();
}

#[test]
fn describe_cluster_agrees() {
    use api::describe_cluster as ours;
    compare::<ours::DescribeClusterRequest, theirs::DescribeClusterRequest>();
    compare::<ours::DescribeClusterResponse, theirs::DescribeClusterResponse>();
}

#[test]
fn unregister_broker_agrees() {
    use api::unregister_broker as ours;
    compare::<ours::UnregisterBrokerRequest, theirs::UnregisterBrokerRequest>();
    compare::<ours::UnregisterBrokerResponse, theirs::UnregisterBrokerResponse>();
}

/// They do not know version 5, whose request is that of version 4, and whose answer has one field more.
#[test]
fn describe_log_dirs_agrees() {
    use api::describe_log_dirs as ours;
    fn known(version: i16) -> i16 {
        version.min(4)
    }
    compare_versions::<ours::DescribeLogDirsRequest, theirs::DescribeLogDirsRequest>(
        |_, _| (),
        known,
    );
    compare_in::<ours::DescribeLogDirsResponse, theirs::DescribeLogDirsResponse>(
        1..=4,
        |_, _| (),
        |version| version,
    );
}

#[test]
fn update_features_agrees() {
    use api::update_features as ours;
    compare::<ours::UpdateFeaturesRequest, theirs::UpdateFeaturesRequest>();
    compare::<ours::UpdateFeaturesResponse, theirs::UpdateFeaturesResponse>();
}

#[test]
fn sasl_handshake_agrees() {
    use api::sasl_handshake as ours;
    compare::<ours::SaslHandshakeRequest, theirs::SaslHandshakeRequest>();
    compare::<ours::SaslHandshakeResponse, theirs::SaslHandshakeResponse>();
}

#[test]
fn describe_acls_agrees() {
    use api::describe_acls as ours;
    compare::<ours::DescribeAclsRequest, theirs::DescribeAclsRequest>();
    compare::<ours::DescribeAclsResponse, theirs::DescribeAclsResponse>();
}

#[test]
fn create_acls_agrees() {
    use api::create_acls as ours;
    compare::<ours::CreateAclsRequest, theirs::CreateAclsRequest>();
    compare::<ours::CreateAclsResponse, theirs::CreateAclsResponse>();
}

#[test]
fn delete_acls_agrees() {
    use api::delete_acls as ours;
    compare::<ours::DeleteAclsRequest, theirs::DeleteAclsRequest>();
    compare::<ours::DeleteAclsResponse, theirs::DeleteAclsResponse>();
}

#[test]
fn sasl_authenticate_agrees() {
    use api::sasl_authenticate as ours;
    compare::<ours::SaslAuthenticateRequest, theirs::SaslAuthenticateRequest>();
    compare::<ours::SaslAuthenticateResponse, theirs::SaslAuthenticateResponse>();
}

#[test]
fn find_coordinator_agrees() {
    use api::find_coordinator as ours;
    compare::<ours::FindCoordinatorRequest, theirs::FindCoordinatorRequest>();
    compare::<ours::FindCoordinatorResponse, theirs::FindCoordinatorResponse>();
}

#[test]
fn join_group_agrees() {
    use api::join_group as ours;
    compare::<ours::JoinGroupRequest, theirs::JoinGroupRequest>();
    compare::<ours::JoinGroupResponse, theirs::JoinGroupResponse>();
}

#[test]
fn sync_group_agrees() {
    use api::sync_group as ours;
    compare::<ours::SyncGroupRequest, theirs::SyncGroupRequest>();
    compare::<ours::SyncGroupResponse, theirs::SyncGroupResponse>();
}

#[test]
fn heartbeat_agrees() {
    use api::heartbeat as ours;
    compare::<ours::HeartbeatRequest, theirs::HeartbeatRequest>();
    compare::<ours::HeartbeatResponse, theirs::HeartbeatResponse>();
}

#[test]
fn leave_group_agrees() {
    use api::leave_group as ours;
    compare::<ours::LeaveGroupRequest, theirs::LeaveGroupRequest>();
    compare::<ours::LeaveGroupResponse, theirs::LeaveGroupResponse>();
}

/// They do not know version 10 of the request.
#[test]
fn offset_commit_agrees() {
    use api::offset_commit as ours;
    compare_in::<ours::OffsetCommitRequest, theirs::OffsetCommitRequest>(
        2..=9,
        |_, _| (),
        |version| version,
    );
    compare::<ours::OffsetCommitResponse, theirs::OffsetCommitResponse>();
}

/// They do not know version 10 of the request.
#[test]
fn offset_fetch_agrees() {
    use api::offset_fetch as ours;
    compare_in::<ours::OffsetFetchRequest, theirs::OffsetFetchRequest>(
        1..=9,
        |_, _| (),
        |version| version,
    );
    compare::<ours::OffsetFetchResponse, theirs::OffsetFetchResponse>();
}

#[test]
fn describe_groups_agrees() {
    use api::describe_groups as ours;
    compare::<ours::DescribeGroupsRequest, theirs::DescribeGroupsRequest>();
    compare::<ours::DescribeGroupsResponse, theirs::DescribeGroupsResponse>();
}

#[test]
fn list_groups_agrees() {
    use api::list_groups as ours;
    compare::<ours::ListGroupsRequest, theirs::ListGroupsRequest>();
    compare::<ours::ListGroupsResponse, theirs::ListGroupsResponse>();
}

#[test]
fn delete_groups_agrees() {
    use api::delete_groups as ours;
    compare::<ours::DeleteGroupsRequest, theirs::DeleteGroupsRequest>();
    compare::<ours::DeleteGroupsResponse, theirs::DeleteGroupsResponse>();
}

#[test]
fn offset_delete_agrees() {
    use api::offset_delete as ours;
    compare::<ours::OffsetDeleteRequest, theirs::OffsetDeleteRequest>();
    compare::<ours::OffsetDeleteResponse, theirs::OffsetDeleteResponse>();
}

/// They take the version for the structures inside from the record itself, so it must be the true
/// one.
macro_rules! compare_control_records {
    ($($name:ident),*) => {$(
        compare_prepared::<records::$name, theirs::$name>(|record, version| {
            record.version = version;
        });
    )*};
}

#[test]
fn control_records_agree() {
    compare_control_records!(
        LeaderChangeMessage,
        SnapshotHeaderRecord,
        SnapshotFooterRecord,
        KRaftVersionRecord,
        VotersRecord
    );
}

#[test]
fn request_headers_agree() {
    for api in APIS {
        let key = theirs::ApiKey::try_from(api.key.0).expect("a key of theirs");
        for version in api.decoded.clone() {
            for client_id in [None, Some(String::new()), Some("näme".to_string())] {
                let ours = RequestHeader {
                    api_key: api.key,
                    api_version: version,
                    correlation_id: -5,
                    client_id: client_id.clone(),
                };
                let mut wire = BytesMut::new();
                ours.write(&mut wire);
                let header = theirs::RequestHeader::default()
                    .with_request_api_key(api.key.0)
                    .with_request_api_version(version)
                    .with_correlation_id(-5)
                    .with_client_id(client_id.map(StrBytes::from_string));
                let mut their_wire = BytesMut::new();
                let header_version = key.request_header_version(version);
                header.encode(&mut their_wire, header_version).expect("a valid header");
                assert_eq!(wire, their_wire, "{} v{version}", api.name);
                let wire = wire.freeze();
                let mut reader = Reader::new(&wire);
                assert_eq!(RequestHeader::read(&mut reader), Ok(ours));
                assert_eq!(reader.remaining(), 0);
            }
        }
    }
}

#[test]
fn response_headers_agree() {
    for api in APIS {
        let key = theirs::ApiKey::try_from(api.key.0).expect("a key of theirs");
        for version in api.decoded.clone() {
            let request = RequestHeader {
                api_key: api.key,
                api_version: version,
                correlation_id: 77,
                client_id: None,
            };
            let mut wire = BytesMut::new();
            write_response_header(&mut wire, &request);
            let mut their_wire = BytesMut::new();
            let header = theirs::ResponseHeader::default().with_correlation_id(77);
            let header_version = key.response_header_version(version);
            header.encode(&mut their_wire, header_version).expect("a valid header");
            assert_eq!(wire, their_wire, "{} v{version}", api.name);
            let wire = wire.freeze();
            let mut reader = Reader::new(&wire);
            assert_eq!(read_response_header(&mut reader, api, version), Ok(77));
            assert_eq!(reader.remaining(), 0);
        }
    }
}

#[test]
fn unknown_tagged_fields_are_skipped() {
    let unknown = [(1000, Bytes::from_static(b"new")), (5000, Bytes::new())];
    let header = theirs::RequestHeader::default()
        .with_request_api_key(ApiKey::METADATA.0)
        .with_request_api_version(12)
        .with_unknown_tagged_fields(unknown.clone().into());
    let topic = theirs::metadata_request::MetadataRequestTopic::default()
        .with_unknown_tagged_fields(unknown.clone().into());
    let body = theirs::MetadataRequest::default()
        .with_topics(Some(vec![topic.clone(), topic]))
        .with_unknown_tagged_fields(unknown.into());
    let mut wire = BytesMut::new();
    header.encode(&mut wire, 2).expect("a valid header");
    body.encode(&mut wire, 12).expect("a valid body");
    let wire = wire.freeze();
    let mut reader = Reader::new(&wire);
    assert!(RequestHeader::read(&mut reader).is_ok());
    let request = api::metadata::MetadataRequest::read(&mut reader, 12).expect("valid");
    assert_eq!(request.topics.map(|topics| topics.len()), Some(2));
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn error_codes_have_the_same_names() {
    for code in ErrorCode::ALL {
        let Some(theirs) = kafka_protocol::ResponseError::try_from_code(code.0) else {
            assert_eq!(*code, ErrorCode::NONE);
            continue;
        };
        let name = code.name().unwrap_or_default().replace('_', "").to_lowercase();
        assert_eq!(name, format!("{theirs:?}").to_lowercase());
    }
}

/// The comparison itself must be able to fail: a byte of the message is another.
#[test]
#[should_panic(expected = "assertion")]
fn a_difference_is_noticed() {
    #[derive(Debug, PartialEq)]
    struct Altered(theirs::MetadataRequest);
    impl Encodable for Altered {
        fn encode<B: kafka_protocol::protocol::buf::ByteBufMut>(
            &self,
            buffer: &mut B,
            version: i16,
        ) -> anyhow::Result<()> {
            let flag = !self.0.allow_auto_topic_creation;
            self.0.clone().with_allow_auto_topic_creation(flag).encode(buffer, version.max(4))
        }

        fn compute_size(&self, version: i16) -> anyhow::Result<usize> {
            self.0.compute_size(version)
        }
    }
    impl Decodable for Altered {
        fn decode<B: kafka_protocol::protocol::buf::ByteBuf>(
            buffer: &mut B,
            version: i16,
        ) -> anyhow::Result<Self> {
            theirs::MetadataRequest::decode(buffer, version).map(Self)
        }
    }
    impl Same<Altered> for api::metadata::MetadataRequest {
        fn same(&self) -> Altered {
            Altered(self.same())
        }
    }
    compare::<api::metadata::MetadataRequest, Altered>();
}
