//! What clients send: batches, and the frames around them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_core::batch::{BatchBuilder, Codec};
use klamm_core::frame::{RequestHeader, SIZE_BYTES, write_request};
use klamm_core::rng::Rng;
use klamm_runtime::compression::compress;
use klamm_tests::directory::{NewTopic, make};

/// The topic that is written to.
pub(crate) const TOPIC: &str = "bench";

/// The newest version in which topics go by name.
pub(crate) const PRODUCE_VERSION: i16 = 12;

/// Where the correlation id stands in a frame: behind size, key and version.
const CORRELATION_AT: usize = SIZE_BYTES + 4;

/// What values hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// No codec makes it smaller.
    Random,
    /// One half random, the other of few letters.
    Half,
    /// One line again and again, as load generators send it.
    Repetitive,
}

/// What a batch is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) value_bytes: usize,
    /// Before it is compressed. As many records as fit, but at least one.
    pub(crate) batch_bytes: usize,
    pub(crate) payload: Payload,
    pub(crate) codec: Option<Codec>,
}

/// A batch as a producer sends it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Bytes,
    pub(crate) records: i32,
    /// As large as it would be without a codec.
    pub(crate) raw_bytes: usize,
}

impl Batch {
    /// Records of random bytes, not compressed.
    pub(crate) fn new(value_bytes: usize, batch_bytes: usize) -> Self {
        Self::of(Shape { value_bytes, batch_bytes, payload: Payload::Random, codec: None })
    }

    /// One of that shape.
    pub(crate) fn of(shape: Shape) -> Self {
        // Size, attributes, deltas, lengths and header count of a record, at most.
        const RECORD_OVERHEAD_BYTES: usize = 16;
        const HEADER_BYTES: usize = 61;
        let room = shape.batch_bytes.saturating_sub(HEADER_BYTES);
        let mut rng = Rng::from_seed([7; 32]);
        let mut builder = BatchBuilder::new();
        let now_ms = now_ms();
        loop {
            let value = shape.payload.value(shape.value_bytes, &mut rng);
            builder.append(now_ms, None, Some(&value));
            if builder.records().len() + shape.value_bytes + RECORD_OVERHEAD_BYTES > room {
                break;
            }
        }
        let records = builder.record_count();
        let raw_bytes = HEADER_BYTES + builder.records().len();
        if let Some(codec) = shape.codec {
            let payload = compress(codec, builder.records());
            builder = builder.compressed(codec, payload.into());
        }
        Self { bytes: builder.encode(0, -1).into(), records, raw_bytes }
    }

    /// A Produce request that appends it to each of `partitions`.
    pub(crate) fn request(
        &self,
        partitions: impl IntoIterator<Item = i32>,
        acks: i16,
    ) -> ProduceRequest {
        produce(TOPIC, &self.bytes, partitions, acks)
    }

    /// The same as a frame; give it a correlation id by [`number`].
    pub(crate) fn frame(&self, partitions: impl IntoIterator<Item = i32>, acks: i16) -> BytesMut {
        produce_frame(TOPIC, &self.bytes, partitions, acks)
    }
}

fn produce(
    topic: &str,
    batch: &Bytes,
    partitions: impl IntoIterator<Item = i32>,
    acks: i16,
) -> ProduceRequest {
    let partition = |index| PartitionProduceData { index, records: Some(batch.clone()) };
    let topic = TopicProduceData {
        name: topic.to_owned(),
        partition_data: partitions.into_iter().map(partition).collect(),
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

/// A Produce that appends a batch to each of a topic's `partitions`; give it a correlation id by [`number`].
pub(crate) fn produce_frame(
    topic: &str,
    batch: &Bytes,
    partitions: impl IntoIterator<Item = i32>,
    acks: i16,
) -> BytesMut {
    let mut frame = BytesMut::new();
    let header = header(ApiKey::PRODUCE, PRODUCE_VERSION);
    write_request(&mut frame, &header, &produce(topic, batch, partitions, acks));
    frame
}

impl Payload {
    /// What a client of others' is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Half => "half",
            Self::Repetitive => "repetitive",
        }
    }

    /// So many bytes.
    pub(crate) fn value(self, bytes: usize, rng: &mut Rng) -> Vec<u8> {
        const LINE: &[u8] = b"the quick brown fox jumps over the lazy dog; ";
        let random = match self {
            Self::Random => bytes,
            Self::Half => bytes / 2,
            Self::Repetitive => 0,
        };
        let mut value: Vec<u8> = (0..random).map(|_| rng.next_u64() as u8).collect();
        value.extend(LINE.iter().cycle().take(bytes - random));
        value
    }
}

/// A request's header without correlation id.
pub(crate) fn header(api_key: ApiKey, api_version: i16) -> RequestHeader {
    RequestHeader { api_key, api_version, correlation_id: 0, client_id: Some("bench".to_owned()) }
}

/// Writes the correlation id into a request's frame.
pub(crate) fn number(frame: &mut [u8], correlation_id: i32) {
    let place = &mut frame[CORRELATION_AT..][..4];
    place.copy_from_slice(&correlation_id.to_be_bytes());
}

/// Makes a log directory with [`TOPIC`] in it, as a Kafka leaves it behind.
pub(crate) fn make_directory(path: &Path, partitions: i32) -> Result<(), String> {
    make(path, &[NewTopic::new(TOPIC, partitions)])
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// The wall clock.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fills_its_room() {
        let batch = Batch::new(1024, 64 << 10);
        assert_eq!(batch.records, 63);
        assert!(batch.bytes.len() <= 64 << 10);
        assert_eq!(Batch::new(100, 0).records, 1);
    }

    #[test]
    fn a_codec_makes_smaller_what_repeats() {
        let stored = [Payload::Random, Payload::Half, Payload::Repetitive].map(|payload| {
            let codec = Some(Codec::Lz4);
            let batch =
                Batch::of(Shape { value_bytes: 1024, batch_bytes: 64 << 10, payload, codec });
            assert_eq!(batch.raw_bytes, Batch::new(1024, 64 << 10).bytes.len());
            batch.bytes.len()
        });
        assert!(stored[0] > 3 * stored[1] / 2 && stored[1] > 4 * stored[2], "{stored:?}");
    }

    #[test]
    fn a_frame_is_numbered_in_its_header() {
        let mut frame = Batch::new(10, 0).frame([0], -1);
        let before = frame.clone();
        number(&mut frame, 0x0102_0304);
        assert_eq!(frame[8..12], [1, 2, 3, 4]);
        number(&mut frame, 0);
        assert_eq!(frame, before);
    }
}
