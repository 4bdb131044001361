//! From a frame to a request.

use bytes::Bytes;

use super::ConnectionError;
use super::encode::Plan;
use super::outbox::Turn;
use super::produce;
use crate::api::ApiKey;
use crate::api::api_versions::ApiVersionsRequest;
use crate::batch::Compression;
use crate::broker::image::Image;
use crate::codec::{Message, Reader};
use crate::config::Limits;
use crate::config::limits::{
    FETCH_ELEMENTS_MAX, PRODUCE_ELEMENT_BYTES, QUERY_ELEMENT_BYTES, QUERY_ELEMENTS_MAX,
    REQUEST_ELEMENTS_FREE,
};
use crate::error_code::ErrorCode;
use crate::frame::{HeaderError, RequestHeader};
use crate::request::{JoinGroupCommand, Query, RequestBody};
use crate::time::Now;

/// What decoding needs to know.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) image: &'a Image,
    pub(super) now: Now,
    pub(super) compression: &'a dyn Compression,
    pub(super) limits: &'a Limits,
}

/// A request ready for the broker.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) plan: Plan,
    pub(super) body: RequestBody,
}

/// Which requests a frame's request may join; a frame too short for a key waits alone.
pub(super) fn turn(frame: &[u8]) -> Turn {
    match frame.first_chunk::<2>() {
        Some(key) if ApiKey(i16::from_be_bytes(*key)) == ApiKey::PRODUCE => Turn::Shared,
        _ => Turn::Alone,
    }
}

/// Decodes a frame without its size prefix. What follows the body is ignored, as Kafka does.
pub(super) fn request(frame: &Bytes, context: &Context<'_>) -> Result<Decoded, ConnectionError> {
    let mut reader = Reader::new(frame);
    let mut header = RequestHeader::read(&mut reader)?;
    reader.limit_elements(elements_max(header.api_key, frame.len()));
    if header.api_key == ApiKey::PRODUCE {
        let request = body(&mut reader, &header)?;
        let (plan, command) = produce::plan(&header, request, context);
        let plan = Plan::produce(header, plan, command.acks, frame.len());
        return Ok(Decoded { plan, body: RequestBody::Produce(command) });
    }
    let version = header.api_version;
    if header.api_key == ApiKey::JOIN_GROUP {
        let request = body(&mut reader, &header)?;
        let client_id = header.client_id.take().unwrap_or_default();
        let body = RequestBody::JoinGroup(JoinGroupCommand { version, client_id, request });
        return Ok(Decoded { plan: Plan::plain(header), body });
    }
    let body = match RequestBody::read_plain(header.api_key, version, &mut reader) {
        Some(Ok(body)) => body,
        Some(Err((message, error))) => {
            return Err(ConnectionError::Body { message, version, error });
        }
        None => RequestBody::Query(query(&mut reader, &header)?),
    };
    Ok(Decoded { plan: Plan::plain(header), body })
}

fn query(reader: &mut Reader<'_>, header: &RequestHeader) -> Result<Query, ConnectionError> {
    Ok(match header.api_key {
        ApiKey::API_VERSIONS => Query::ApiVersions(api_versions_error(reader, header)?),
        ApiKey::METADATA => Query::Metadata(body(reader, header)?),
        ApiKey::DESCRIBE_TOPIC_PARTITIONS => Query::DescribeTopicPartitions(body(reader, header)?),
        ApiKey::SASL_HANDSHAKE => Query::SaslHandshake(body(reader, header)?),
        ApiKey::SASL_AUTHENTICATE => Query::SaslAuthenticate(body(reader, header)?),
        ApiKey::DESCRIBE_ACLS => Query::DescribeAcls(body(reader, header)?),
        ApiKey::CREATE_ACLS => Query::CreateAcls(body(reader, header)?),
        ApiKey::DELETE_ACLS => Query::DeleteAcls(body(reader, header)?),
        ApiKey::ELECT_LEADERS => Query::ElectLeaders(body(reader, header)?),
        ApiKey::DESCRIBE_CONFIGS => Query::DescribeConfigs(body(reader, header)?),
        ApiKey::LIST_CONFIG_RESOURCES => Query::ListConfigResources(body(reader, header)?),
        ApiKey::DESCRIBE_CLUSTER => Query::DescribeCluster(body(reader, header)?),
        ApiKey::LIST_PARTITION_REASSIGNMENTS => {
            Query::ListPartitionReassignments(body(reader, header)?)
        }
        unknown => return Err(HeaderError::UnknownKey(unknown).into()),
    })
}

/// Array elements that a request may have: its frame has to be worth what they take once decoded.
fn elements_max(key: ApiKey, frame_bytes: usize) -> usize {
    let (element_bytes, elements_max) = match key {
        ApiKey::PRODUCE => (PRODUCE_ELEMENT_BYTES, usize::MAX),
        ApiKey::FETCH | ApiKey::OFFSET_COMMIT | ApiKey::OFFSET_FETCH => {
            (QUERY_ELEMENT_BYTES, FETCH_ELEMENTS_MAX)
        }
        _ => (QUERY_ELEMENT_BYTES, QUERY_ELEMENTS_MAX),
    };
    (REQUEST_ELEMENTS_FREE + frame_bytes / element_bytes).min(elements_max)
}

fn body<M: Message>(reader: &mut Reader<'_>, header: &RequestHeader) -> Result<M, ConnectionError> {
    M::read(reader, header.api_version).map_err(|error| ConnectionError::Body {
        message: M::NAME,
        version: header.api_version,
        error,
    })
}

/// The body of a version that is not served is not looked at (KIP-511).
fn api_versions_error(
    reader: &mut Reader<'_>,
    header: &RequestHeader,
) -> Result<ErrorCode, ConnectionError> {
    if !header.is_supported() {
        return Ok(ErrorCode::UNSUPPORTED_VERSION);
    }
    let request: ApiVersionsRequest = body(reader, header)?;
    let named = !ApiVersionsRequest::is_flexible(header.api_version)
        || is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version);
    Ok(if named { ErrorCode::NONE } else { ErrorCode::INVALID_REQUEST })
}

/// Letters and digits, with dots and dashes between them (`ApiVersionsRequest.isValid`).
fn is_software_name(name: &str) -> bool {
    let at_ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    at_ends(name.bytes().next())
        && at_ends(name.bytes().next_back())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}
