//! Frames: the size prefix, and the headers of requests and responses (KIP-482, KIP-511).

use alloc::string::String;

use bytes::{BufMut, BytesMut};

use crate::api::{Api, ApiKey};
use crate::codec::{DecodeError, Field, Form, Message, Part, Reader, Writer, write_tag_count};

/// Bytes of the size prefix.
pub const SIZE_BYTES: usize = 4;

/// A size that no frame may have: negative, or above the limit. The connection closes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes")]
pub struct FrameSizeError(
    /// As on the wire.
    pub i32,
);

/// Reads the size of the frame that begins at the front of `input`, without the prefix itself;
/// `None` while the prefix is not whole. `frame_bytes_max` is `socket.request.max.bytes`.
pub fn frame_size(input: &[u8], frame_bytes_max: u32) -> Result<Option<usize>, FrameSizeError> {
    let Some(prefix) = input.first_chunk::<SIZE_BYTES>() else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(*prefix);
    match u32::try_from(size) {
        Ok(bytes) if bytes <= frame_bytes_max => Ok(Some(bytes as usize)),
        _ => Err(FrameSizeError(size)),
    }
}

/// Why a request cannot even be answered; its connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// An API that is not served here.
    #[error("API key {} is not served", .0.0)]
    UnknownKey(ApiKey),
    /// A version that is not served. Never of ApiVersions, which has an answer for that.
    #[error("version {version} of {name} is not served")]
    UnsupportedVersion {
        /// The API's name.
        name: &'static str,
        /// As asked for.
        version: i16,
    },
    /// The header is cut or garbled.
    #[error("request header: {0}")]
    Malformed(#[from] DecodeError),
}

/// What stands before a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API.
    pub api_key: ApiKey,
    /// The version of the request. Of ApiVersions it may be one that is not served
    /// ([`is_supported`](Self::is_supported)).
    pub api_version: i16,
    /// Chosen by the client, and repeated in the answer.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads a header off the front of a frame; the body is what is left in `reader`.
    ///
    /// An ApiVersions request of a version that is not served passes when its header reads as the
    /// newest one; its body must not be looked at.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, HeaderError> {
        let api_key = ApiKey(reader.i16()?);
        let api_version = reader.i16()?;
        let api = api_key.api().ok_or(HeaderError::UnknownKey(api_key))?;
        if !api.decodes(api_version) && api_key != ApiKey::API_VERSIONS {
            return Err(HeaderError::UnsupportedVersion { name: api.name, version: api_version });
        }
        let correlation_id = reader.i32()?;
        let client_id = Field::decode(reader, CLASSIC)?;
        if api.request_header_version(api_version) >= 2 {
            reader.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes the header as a client does, in the version that the API's version asks for.
    pub fn write<W: Writer>(&self, writer: &mut W) {
        named(writer, "api_key", &self.api_key.0);
        named(writer, "api_version", &self.api_version);
        named(writer, "correlation_id", &self.correlation_id);
        named(writer, "client_id", &self.client_id);
        let api = self.api_key.api();
        if api.is_some_and(|api| api.request_header_version(self.api_version) >= 2) {
            write_tag_count(writer, 0);
        }
    }

    /// What is known of the API; [`read`](Self::read) lets no other pass.
    pub fn api(&self) -> Option<&'static Api> {
        self.api_key.api()
    }

    /// Whether the body can be decoded. False for ApiVersions of another version alone; its answer
    /// is UNSUPPORTED_VERSION in version 0.
    pub fn is_supported(&self) -> bool {
        self.api().is_some_and(|api| api.decodes(self.api_version))
    }

    /// The version that the answer's body is encoded in.
    pub fn response_version(&self) -> i16 {
        if self.is_supported() { self.api_version } else { 0 }
    }
}

/// Appends a whole request frame to `output`, as a client would.
///
/// # Panics
/// When the body is longer than a frame can say (2 GiB).
pub fn write_request<M: Message>(output: &mut BytesMut, header: &RequestHeader, body: &M) {
    write_frame(output, |output| {
        header.write(output);
        body.write(output, header.api_version);
    });
}

/// Appends a whole response frame to `output`: size, header, body.
///
/// # Panics
/// When the body is longer than a frame can say (2 GiB).
pub fn write_response<M: Message>(output: &mut BytesMut, request: &RequestHeader, body: &M) {
    write_frame(output, |output| write_response_content(output, request, body));
}

/// Writes what stands behind the size of a response frame: header, body.
pub fn write_response_content<W: Writer, M: Message>(
    writer: &mut W,
    request: &RequestHeader,
    body: &M,
) {
    write_response_header(writer, request);
    body.write(writer, request.response_version());
}

/// Writes the header of the answer to `request`: the correlation id, and in version 1 no tagged
/// fields.
pub fn write_response_header<W: Writer>(writer: &mut W, request: &RequestHeader) {
    named(writer, "correlation_id", &request.correlation_id);
    let version = request.response_version();
    if request.api().is_some_and(|api| api.response_header_version(version) >= 1) {
        write_tag_count(writer, 0);
    }
}

/// Reads the header of a response as a client does: the correlation id.
pub fn read_response_header(
    reader: &mut Reader<'_>,
    api: &Api,
    version: i16,
) -> Result<i32, DecodeError> {
    let correlation_id = reader.i32()?;
    if api.response_header_version(version) >= 1 {
        reader.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(correlation_id)
}

/// The form of a header's fields. The client id keeps it in all versions, so that every broker can
/// read every header.
const CLASSIC: Form = Form::new(0, false).nullable(true);

fn named<T: Field, W: Writer>(writer: &mut W, name: &'static str, value: &T) {
    writer.begin(Part::Field(name));
    value.encode(writer, CLASSIC);
    writer.end();
}

fn write_frame(output: &mut BytesMut, content: impl FnOnce(&mut BytesMut)) {
    let start = output.len();
    output.put_i32(0);
    content(output);
    let size = i32::try_from(output.len() - start - SIZE_BYTES).expect("a frame below 2 GiB");
    output[start..start + SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    use crate::api::metadata::{MetadataRequest, MetadataResponse};

    const LIMIT: u32 = 100 << 20;

    fn read(header: &[u8]) -> Result<RequestHeader, HeaderError> {
        RequestHeader::read(&mut Reader::new(&Bytes::copy_from_slice(header)))
    }

    fn header(api_key: ApiKey, api_version: i16) -> RequestHeader {
        RequestHeader { api_key, api_version, correlation_id: 7, client_id: Some("c".into()) }
    }

    #[test]
    fn sizes_are_checked_against_the_limit() {
        assert_eq!(frame_size(b"\0\0\0", LIMIT), Ok(None));
        assert_eq!(frame_size(b"\0\0\0\0", LIMIT), Ok(Some(0)));
        assert_eq!(frame_size(b"\x06\x40\0\0rest", LIMIT), Ok(Some(LIMIT as usize)));
        assert_eq!(frame_size(b"\x06\x40\0\x01", LIMIT), Err(FrameSizeError(104_857_601)));
        assert_eq!(frame_size(b"\xff\xff\xff\xff", LIMIT), Err(FrameSizeError(-1)));
        assert_eq!(frame_size(b"\x7f\xff\xff\xff", LIMIT), Err(FrameSizeError(i32::MAX)));
    }

    #[test]
    fn headers_are_read_in_the_version_of_their_request() {
        assert_eq!(read(b"\0\x03\0\x08\0\0\0\x07\0\x01c"), Ok(header(ApiKey::METADATA, 8)));
        let flexible = b"\0\x03\0\x09\0\0\0\x07\0\x01c\x01\x05\x02hi";
        assert_eq!(read(flexible), Ok(header(ApiKey::METADATA, 9)), "tagged fields are skipped");
        let cut = read(b"\0\x03\0\x09\0\0\0\x07\0\x01c");
        assert_eq!(cut, Err(HeaderError::Malformed(DecodeError::UnexpectedEnd { missing: 1 })));
    }

    #[test]
    fn client_ids_may_be_null_or_garbled() {
        let null = |length: [u8; 2]| {
            let bytes = [&b"\0\x03\0\x01\0\0\0\x07"[..], &length].concat();
            read(&bytes).map(|header| header.client_id)
        };
        assert_eq!(null([0xff, 0xff]), Ok(None));
        assert_eq!(null([0xff, 0xfe]), Ok(None));
        assert_eq!(null([0x80, 0]), Ok(None));
        assert!(null([0, 1]).is_err());
        let garbled = read(b"\0\x03\0\x01\0\0\0\x07\0\x02\xff\xfe").unwrap();
        assert_eq!(garbled.client_id.as_deref(), Some("\u{fffd}\u{fffd}"));
    }

    #[test]
    fn what_is_not_served_is_refused() {
        assert_eq!(read(b"\0\x04\0\0"), Err(HeaderError::UnknownKey(ApiKey(4))));
        assert_eq!(read(b"\xff\xff\0\0"), Err(HeaderError::UnknownKey(ApiKey(-1))));
        let refused = |name, version| Err(HeaderError::UnsupportedVersion { name, version });
        assert_eq!(read(b"\0\0\0\x02"), refused("Produce", 2));
        assert_eq!(read(b"\0\x03\0\x0e"), refused("Metadata", 14));
        assert_eq!(read(b"\0\x03\xff\xff"), refused("Metadata", -1));
        assert!(matches!(read(b"\0\x03\0"), Err(HeaderError::Malformed(_))));
        assert!(matches!(read(b""), Err(HeaderError::Malformed(_))));
    }

    /// The requests that Apache Kafka 4.3.1 was asked, and what it answered.
    #[test]
    fn api_versions_of_any_version_has_an_answer() {
        let newest = read(b"\0\x12\0\x63\0\0\0\x07\0\x01c\0garbage").unwrap();
        assert!(!newest.is_supported());
        assert_eq!(newest.response_version(), 0);
        let version_1_header = read(b"\0\x12\0\x63\0\0\0\x07\0\x01c");
        assert!(matches!(version_1_header, Err(HeaderError::Malformed(_))));
        let negative = read(b"\0\x12\xff\xff\0\0\0\x07\0\x01c").unwrap();
        assert!(!negative.is_supported());
        let mut output = BytesMut::new();
        write_response(&mut output, &newest, &ApiVersionsResponse::default());
        assert_eq!(&output[..], b"\0\0\0\x0a\0\0\0\x07\0\0\0\0\0\0");
    }

    #[test]
    fn frames_round_trip() {
        for version in 0..=13 {
            let asked = header(ApiKey::METADATA, version);
            let mut wire = BytesMut::from(&b"before"[..]);
            write_request(&mut wire, &asked, &MetadataRequest::default());
            write_response(&mut wire, &asked, &MetadataResponse::default());
            let mut wire = wire.freeze().slice(6..);
            let request = take_frame(&mut wire);
            let mut reader = Reader::new(&request);
            assert_eq!(RequestHeader::read(&mut reader), Ok(asked));
            let body = MetadataRequest::read(&mut reader, version);
            assert_eq!((body, reader.remaining()), (Ok(MetadataRequest::default()), 0));
            let response = take_frame(&mut wire);
            let mut reader = Reader::new(&response);
            let api = ApiKey::METADATA.api().unwrap();
            assert_eq!(read_response_header(&mut reader, api, version), Ok(7));
            let body = MetadataResponse::read(&mut reader, version);
            assert_eq!((body, reader.remaining()), (Ok(MetadataResponse::default()), 0));
            assert_eq!(wire.len(), 0);
        }
    }

    #[test]
    fn api_versions_keeps_its_response_header() {
        let asked = header(ApiKey::API_VERSIONS, 3);
        let mut wire = BytesMut::new();
        write_request(&mut wire, &asked, &ApiVersionsRequest::default());
        assert_eq!(wire[SIZE_BYTES..].len(), 2 + 2 + 4 + 3 + 1 + 3);
        wire.clear();
        write_response(&mut wire, &asked, &ApiVersionsResponse::default());
        assert_eq!(&wire[..], b"\0\0\0\x0c\0\0\0\x07\0\0\x01\0\0\0\0\0");
    }

    fn take_frame(wire: &mut Bytes) -> Bytes {
        let size = frame_size(wire, LIMIT).unwrap().unwrap();
        wire.split_to(SIZE_BYTES + size).slice(SIZE_BYTES..)
    }
}
