//! A frame under construction: bytes, with ranges of files between them.

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::Chunk;
use crate::codec::{Message, Writer};
use crate::effect::FileRange;
use crate::frame::{RequestHeader, SIZE_BYTES, write_response_content};

/// What a frame is encoded into.
///
/// All bytes lie in one buffer, and each range remembers its place in it: the size prefix is written when the length
/// is known, and nothing is encoded twice.
#[derive(Debug)]
struct Pieces {
    bytes: BytesMut,
    ranges: Vec<(usize, FileRange)>,
}

/// The answer to `request`, as chunks of one frame; at least one.
///
/// # Panics
/// When the frame is longer than its prefix can say (2 GiB).
pub(super) fn response<M: Message>(request: &RequestHeader, body: &M) -> Vec<Chunk> {
    let mut bytes = BytesMut::new();
    bytes.put_i32(0);
    let mut pieces = Pieces { bytes, ranges: Vec::new() };
    write_response_content(&mut pieces, request, body);
    pieces.into_chunks()
}

impl Pieces {
    fn into_chunks(self) -> Vec<Chunk> {
        let Self { mut bytes, ranges } = self;
        let elsewhere: u64 = ranges.iter().map(|(_, range)| range.length).sum();
        let size = (bytes.len() - SIZE_BYTES) as u64 + elsewhere;
        let size = i32::try_from(size).expect("a frame below 2 GiB");
        bytes[..SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        let mut rest = bytes.freeze();
        let mut chunks = Vec::with_capacity(2 * ranges.len() + 1);
        let mut taken = 0;
        for (place, range) in ranges {
            let before = rest.split_to(place - taken);
            taken = place;
            chunks.push(Chunk::Bytes(before));
            chunks.push(Chunk::File(range));
        }
        if !rest.is_empty() {
            chunks.push(Chunk::Bytes(rest));
        }
        chunks
    }
}

impl Writer for Pieces {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.put_slice(bytes);
    }

    /// An empty range is no chunk: there is nothing to send.
    fn file(&mut self, range: &FileRange) {
        if range.length > 0 {
            self.ranges.push((self.bytes.len(), range.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use bytes::{Bytes, BytesMut};

    use super::response;
    use crate::Chunk;
    use crate::api::ApiKey;
    use crate::api::fetch::{FetchResponse, FetchableTopicResponse, PartitionData, Records};
    use crate::effect::{FileRange, FileRef, Path};
    use crate::frame::{RequestHeader, write_response};
    use crate::ids::{FileId, JobId};

    fn range(position: u64, length: u64) -> FileRange {
        let id = FileId { owner: JobId::BROKER, number: 1 };
        let file = FileRef { id, path: Path::new("d/t-0/00000000000000000000.log") };
        FileRange { file, position, length }
    }

    fn answer(records: Vec<Records>) -> FetchResponse {
        let partitions = records
            .into_iter()
            .zip(0..)
            .map(|(records, partition_index)| PartitionData {
                partition_index,
                records,
                ..PartitionData::default()
            })
            .collect();
        let topic = FetchableTopicResponse { partitions, ..Default::default() };
        FetchResponse { responses: vec![topic], ..FetchResponse::default() }
    }

    /// The bytes of the range are its position, again and again.
    fn content(range: &FileRange) -> Vec<u8> {
        vec![range.position as u8; range.length as usize]
    }

    /// What leaves is what it would be with the records in memory.
    #[test]
    fn ranges_stand_where_their_bytes_would() {
        let ranges = [range(7, 300), range(8, 0), range(9, 1)];
        for api_version in 4..=18 {
            let header = RequestHeader {
                api_key: ApiKey::FETCH,
                api_version,
                correlation_id: 5,
                client_id: None,
            };
            let in_files = answer(ranges.iter().cloned().map(Records::File).collect());
            let chunks = response(&header, &in_files);
            let sent: Vec<u8> = chunks
                .iter()
                .flat_map(|chunk| match chunk {
                    Chunk::Bytes(bytes) => bytes.to_vec(),
                    Chunk::File(range) => content(range),
                })
                .collect();
            let in_memory = ranges.iter().map(|range| Records::Bytes(content(range).into()));
            let mut expected = BytesMut::new();
            write_response(&mut expected, &header, &answer(in_memory.collect()));
            assert_eq!(Bytes::from(sent), expected, "version {api_version}");
            let files = chunks.iter().filter(|chunk| matches!(chunk, Chunk::File(_))).count();
            assert_eq!(files, 2, "an empty range is not sent");
        }
    }
}
