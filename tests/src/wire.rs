//! Frames explained to a person: a hexdump with a line for each field, and snapshots of them.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use klamm_core::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
use klamm_core::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::create_acls::{CreateAclsRequest, CreateAclsResponse};
use klamm_core::api::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
use klamm_core::api::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use klamm_core::api::delete_acls::{DeleteAclsRequest, DeleteAclsResponse};
use klamm_core::api::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use klamm_core::api::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use klamm_core::api::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
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
use klamm_core::codec::{Field, Form, Message, Part, Reader, Writer};
use klamm_core::frame::{
    RequestHeader, SIZE_BYTES, frame_size, read_response_header, write_response_header,
};

use crate::dump::{Dump, plain};

/// Compares an exchange with the snapshot `snapshots/<api>_v<version>__<case>.snap`.
///
/// `request` is one frame with its size prefix; `response` one too, or empty when nothing was
/// answered. With `CI` set a difference fails and nothing is written; else `cargo insta review`
/// takes it over.
pub fn snapshot(case: &str, request: &[u8], response: &[u8]) {
    let name = format!("{}__{case}", exchange_name(request));
    let text = format!("{}\n{}", explain_request(request), explain_response(request, response));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A request frame, field by field; a plain hexdump of what cannot be read.
pub fn explain_request(frame: &[u8]) -> String {
    let annotated = content(frame).and_then(|content| {
        let mut reader = Reader::new(&content);
        let header = RequestHeader::read(&mut reader).map_err(|error| error.to_string())?;
        if !header.is_supported() {
            return Err("a version that is not served".to_owned());
        }
        let mut dump = start(&content);
        dump.group("header", |dump| header.write(dump));
        let (explain, _) = bodies(header.api_key)?;
        explain(&mut dump, &mut reader, header.api_version)?;
        finish(dump, &reader, frame)
    });
    titled("request", frame, annotated)
}

/// A response frame, field by field, as the answer to a request frame.
pub fn explain_response(request: &[u8], frame: &[u8]) -> String {
    if frame.is_empty() {
        return "response: none\n".to_owned();
    }
    let annotated = content(request).and_then(|request| {
        let request = RequestHeader::read(&mut Reader::new(&request));
        let request = request.map_err(|error| error.to_string())?;
        let version = request.response_version();
        let api = request.api().ok_or("an unknown API")?;
        let content = content(frame)?;
        let mut reader = Reader::new(&content);
        let correlation_id = read_response_header(&mut reader, api, version);
        let correlation_id = correlation_id.map_err(|error| error.to_string())?;
        let mut dump = start(&content);
        let header = RequestHeader { correlation_id, ..request };
        dump.group("header", |dump| write_response_header(dump, &header));
        let (_, explain) = bodies(header.api_key)?;
        explain(&mut dump, &mut reader, version)?;
        finish(dump, &reader, frame)
    });
    titled("response", frame, annotated)
}

fn exchange_name(request: &[u8]) -> String {
    let field = |at: usize| request.get(at..at + 2).map(|b| i16::from_be_bytes([b[0], b[1]]));
    let (Some(key), Some(version)) = (field(SIZE_BYTES), field(SIZE_BYTES + 2)) else {
        return "frame".to_owned();
    };
    let Some(api) = ApiKey(key).api() else {
        return format!("key_{key}_v{version}");
    };
    let mut name = String::new();
    for letter in api.name.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    format!("{name}_v{version}")
}

fn content(frame: &[u8]) -> Result<Bytes, String> {
    let size = frame_size(frame, u32::MAX).map_err(|error| error.to_string())?;
    let content = frame.get(SIZE_BYTES..).unwrap_or_default();
    if size != Some(content.len()) {
        return Err(format!("{size:?} bytes are announced, {} follow", content.len()));
    }
    Ok(Bytes::copy_from_slice(content))
}

fn start(content: &Bytes) -> Dump {
    let mut dump = Dump::default();
    dump.begin(Part::Field("size"));
    (content.len() as i32).encode(&mut dump, Form::new(0, false));
    dump.end();
    dump
}

type Explain = fn(&mut Dump, &mut Reader<'_>, i16) -> Result<(), String>;

/// What explains an API's requests, and what its answers.
fn bodies(key: ApiKey) -> Result<(Explain, Explain), String> {
    Ok(match key {
        ApiKey::PRODUCE => (body::<ProduceRequest>, body::<ProduceResponse>),
        ApiKey::FETCH => (body::<FetchRequest>, body::<FetchResponse>),
        ApiKey::LIST_OFFSETS => (body::<ListOffsetsRequest>, body::<ListOffsetsResponse>),
        ApiKey::METADATA => (body::<MetadataRequest>, body::<MetadataResponse>),
        ApiKey::API_VERSIONS => (body::<ApiVersionsRequest>, body::<ApiVersionsResponse>),
        ApiKey::DELETE_RECORDS => (body::<DeleteRecordsRequest>, body::<DeleteRecordsResponse>),
        ApiKey::INIT_PRODUCER_ID => (body::<InitProducerIdRequest>, body::<InitProducerIdResponse>),
        ApiKey::OFFSET_FOR_LEADER_EPOCH => {
            (body::<OffsetForLeaderEpochRequest>, body::<OffsetForLeaderEpochResponse>)
        }
        ApiKey::DESCRIBE_PRODUCERS => {
            (body::<DescribeProducersRequest>, body::<DescribeProducersResponse>)
        }
        ApiKey::DESCRIBE_TOPIC_PARTITIONS => {
            (body::<DescribeTopicPartitionsRequest>, body::<DescribeTopicPartitionsResponse>)
        }
        ApiKey::CREATE_TOPICS => (body::<CreateTopicsRequest>, body::<CreateTopicsResponse>),
        ApiKey::DELETE_TOPICS => (body::<DeleteTopicsRequest>, body::<DeleteTopicsResponse>),
        ApiKey::CREATE_PARTITIONS => {
            (body::<CreatePartitionsRequest>, body::<CreatePartitionsResponse>)
        }
        ApiKey::DESCRIBE_CONFIGS => {
            (body::<DescribeConfigsRequest>, body::<DescribeConfigsResponse>)
        }
        ApiKey::ALTER_CONFIGS => (body::<AlterConfigsRequest>, body::<AlterConfigsResponse>),
        ApiKey::INCREMENTAL_ALTER_CONFIGS => {
            (body::<IncrementalAlterConfigsRequest>, body::<IncrementalAlterConfigsResponse>)
        }
        ApiKey::LIST_CONFIG_RESOURCES => {
            (body::<ListConfigResourcesRequest>, body::<ListConfigResourcesResponse>)
        }
        ApiKey::ELECT_LEADERS => (body::<ElectLeadersRequest>, body::<ElectLeadersResponse>),
        ApiKey::ALTER_PARTITION_REASSIGNMENTS => (
            body::<AlterPartitionReassignmentsRequest>,
            body::<AlterPartitionReassignmentsResponse>,
        ),
        ApiKey::LIST_PARTITION_REASSIGNMENTS => {
            (body::<ListPartitionReassignmentsRequest>, body::<ListPartitionReassignmentsResponse>)
        }
        ApiKey::DESCRIBE_QUORUM => (body::<DescribeQuorumRequest>, body::<DescribeQuorumResponse>),
        ApiKey::DESCRIBE_CLUSTER => {
            (body::<DescribeClusterRequest>, body::<DescribeClusterResponse>)
        }
        ApiKey::UNREGISTER_BROKER => {
            (body::<UnregisterBrokerRequest>, body::<UnregisterBrokerResponse>)
        }
        ApiKey::DESCRIBE_LOG_DIRS => {
            (body::<DescribeLogDirsRequest>, body::<DescribeLogDirsResponse>)
        }
        ApiKey::UPDATE_FEATURES => (body::<UpdateFeaturesRequest>, body::<UpdateFeaturesResponse>),
        ApiKey::SASL_HANDSHAKE => (body::<SaslHandshakeRequest>, body::<SaslHandshakeResponse>),
        ApiKey::DESCRIBE_ACLS => (body::<DescribeAclsRequest>, body::<DescribeAclsResponse>),
        ApiKey::CREATE_ACLS => (body::<CreateAclsRequest>, body::<CreateAclsResponse>),
        ApiKey::DELETE_ACLS => (body::<DeleteAclsRequest>, body::<DeleteAclsResponse>),
        ApiKey::SASL_AUTHENTICATE => {
            (body::<SaslAuthenticateRequest>, body::<SaslAuthenticateResponse>)
        }
        ApiKey::FIND_COORDINATOR => {
            (body::<FindCoordinatorRequest>, body::<FindCoordinatorResponse>)
        }
        ApiKey::JOIN_GROUP => (body::<JoinGroupRequest>, body::<JoinGroupResponse>),
        ApiKey::SYNC_GROUP => (body::<SyncGroupRequest>, body::<SyncGroupResponse>),
        ApiKey::HEARTBEAT => (body::<HeartbeatRequest>, body::<HeartbeatResponse>),
        ApiKey::LEAVE_GROUP => (body::<LeaveGroupRequest>, body::<LeaveGroupResponse>),
        ApiKey::OFFSET_COMMIT => (body::<OffsetCommitRequest>, body::<OffsetCommitResponse>),
        ApiKey::OFFSET_FETCH => (body::<OffsetFetchRequest>, body::<OffsetFetchResponse>),
        ApiKey::DESCRIBE_GROUPS => (body::<DescribeGroupsRequest>, body::<DescribeGroupsResponse>),
        ApiKey::LIST_GROUPS => (body::<ListGroupsRequest>, body::<ListGroupsResponse>),
        ApiKey::DELETE_GROUPS => (body::<DeleteGroupsRequest>, body::<DeleteGroupsResponse>),
        ApiKey::OFFSET_DELETE => (body::<OffsetDeleteRequest>, body::<OffsetDeleteResponse>),
        key => return Err(format!("no body of key {}", key.0)),
    })
}

fn body<M: Message>(dump: &mut Dump, reader: &mut Reader<'_>, version: i16) -> Result<(), String> {
    let message = M::read(reader, version).map_err(|error| error.to_string())?;
    message.write(dump, version);
    Ok(())
}

/// Only what was written back byte for byte is explained truthfully.
fn finish(dump: Dump, reader: &Reader<'_>, frame: &[u8]) -> Result<String, String> {
    if dump.bytes() != frame {
        let rest = reader.remaining();
        return Err(format!("not as it would be written here; {rest} bytes follow the body"));
    }
    Ok(dump.into_text())
}

fn titled(kind: &str, frame: &[u8], annotated: Result<String, String>) -> String {
    match annotated {
        Ok(text) => format!("{kind}: {} bytes\n{text}", frame.len()),
        Err(reason) => format!("{kind}: {} bytes ({reason})\n{}", frame.len(), plain(frame)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use klamm_core::frame::write_request;

    use super::*;

    fn request(version: i16) -> BytesMut {
        let header = RequestHeader {
            api_key: ApiKey::API_VERSIONS,
            api_version: version,
            correlation_id: 7,
            client_id: Some("me".to_owned()),
        };
        let body = ApiVersionsRequest {
            client_software_name: "klamm".to_owned(),
            client_software_version: String::new(),
        };
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header, &body);
        frame
    }

    #[test]
    fn each_field_has_its_line() {
        let expected = "\
request: 25 bytes
0000  00 00 00 15                                      size: 21
0004  00 12                                            header.api_key: 18
0006  00 03                                            header.api_version: 3
0008  00 00 00 07                                      header.correlation_id: 7
000c  00 02 6d 65                                      header.client_id: \"me\"
0010  00                                               header: 0 tagged fields
0011  06 6b 6c 61 6d 6d                                client_software_name: \"klamm\"
0017  01                                               client_software_version: \"\"
0018  00                                               0 tagged fields
";
        assert_eq!(explain_request(&request(3)), expected);
    }

    #[test]
    fn what_cannot_be_read_is_shown_plain() {
        let mut frame = request(3);
        frame.truncate(10);
        let text = explain_request(&frame);
        assert!(text.starts_with("request: 10 bytes (Some("), "{text}");
        assert!(
            text.ends_with("0000  00 00 00 15 00 12 00 03 00 00                    |..........|\n")
        );
        assert_eq!(explain_response(&request(3), &[]), "response: none\n");
    }

    #[test]
    fn names_are_those_of_api_and_version() {
        assert_eq!(exchange_name(&request(3)), "api_versions_v3");
        assert_eq!(exchange_name(&[0, 0, 0, 4, 0, 255, 0, 1]), "key_255_v1");
        assert_eq!(exchange_name(&[0, 0]), "frame");
    }
}
