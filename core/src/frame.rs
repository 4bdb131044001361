//! Frames: the size prefix, and the headers of requests and responses (KIP-482, KIP-511).

use alloc::string::String;

use bytes::{BufMut, BytesMut};

use crate::api::{Api, ApiKey};
use crate::codec::{DecodeError, Field, Form, Message, Nullable, Reader, Writer};

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
        let client_id = String::decode_nullable(reader, CLIENT_ID)?;
        if api.request_header_version(api_version) >= 2 {
            reader.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes the header as a client does, in the version that the API's version asks for.
    pub fn write<W: Writer>(&self, writer: &mut W) {
        self.api_key.0.encode(writer, CLIENT_ID);
        self.api_version.encode(writer, CLIENT_ID);
        self.correlation_id.encode(writer, CLIENT_ID);
        String::encode_nullable(self.client_id.as_ref(), writer, CLIENT_ID);
        let version =
            self.api_key.api().map_or(1, |api| api.request_header_version(self.api_version));
        if version >= 2 {
            writer.unsigned_varint(0);
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
    let version = request.response_version();
    write_frame(output, |output| {
        write_response_header(output, request);
        body.write(output, version);
    });
}

/// Writes the header of the answer to `request`: the correlation id, and in version 1 no tagged
/// fields.
pub fn write_response_header<W: Writer>(writer: &mut W, request: &RequestHeader) {
    writer.put(&request.correlation_id.to_be_bytes());
    let version = request.response_version();
    if request.api().is_some_and(|api| api.response_header_version(version) >= 1) {
        writer.unsigned_varint(0);
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

/// The client id keeps its classic form in all headers, so that every broker can read every header.
const CLIENT_ID: Form = Form::new(0, false).nullable(true);

fn write_frame(output: &mut BytesMut, content: impl FnOnce(&mut BytesMut)) {
    let start = output.len();
    output.put_i32(0);
    content(output);
    let size = i32::try_from(output.len() - start - SIZE_BYTES).expect("a frame below 2 GiB");
    output[start..start + SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
}
