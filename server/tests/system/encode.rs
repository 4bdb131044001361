//! Kafka's primitive types and record batches, written out byte by byte.

/// Bytes under construction; each method appends and hands the rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn i8(self, value: i8) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i16(self, value: i16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i32(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// An unsigned varint: seven bits a byte, least first.
    pub(crate) fn uvarint(mut self, mut value: u32) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A zigzag varint, as records use it.
    pub(crate) fn varint(self, value: i32) -> Self {
        self.uvarint(((value << 1) ^ (value >> 31)) as u32)
    }

    pub(crate) fn compact_string(self, text: &str) -> Self {
        self.uvarint(text.len() as u32 + 1).raw(text.as_bytes())
    }

    /// The length of a compact array; its elements follow.
    pub(crate) fn compact_array(self, count: usize) -> Self {
        self.uvarint(count as u32 + 1)
    }

    pub(crate) fn compact_i32s(self, values: &[i32]) -> Self {
        values.iter().fold(self.compact_array(values.len()), |bytes, value| bytes.i32(*value))
    }

    /// An empty section of tagged fields.
    pub(crate) fn no_tags(self) -> Self {
        self.raw(&[0])
    }
}

/// A record batch of magic 2 under construction.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    base_offset: i64,
    leader_epoch: i32,
    timestamp_ms: i64,
    values: Vec<Vec<u8>>,
}

impl Batch {
    /// No records yet, as a producer sends it: base offset 0, leader epoch -1.
    pub(crate) fn new() -> Self {
        Self { base_offset: 0, leader_epoch: -1, timestamp_ms: 1_726_045_943_832, values: vec![] }
    }

    pub(crate) fn base_offset(mut self, offset: i64) -> Self {
        self.base_offset = offset;
        self
    }

    pub(crate) fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// A record without key and headers.
    pub(crate) fn value(mut self, value: &[u8]) -> Self {
        self.values.push(value.to_vec());
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut records = Bytes::new();
        for (at, value) in self.values.iter().enumerate() {
            let record = Bytes::new()
                .i8(0)
                .varint(0)
                .varint(at as i32)
                .varint(-1)
                .varint(value.len() as i32)
                .raw(value)
                .varint(0);
            records = records.varint(record.0.len() as i32).raw(&record.0);
        }
        let covered = Bytes::new()
            .i16(0)
            .i32(self.values.len() as i32 - 1)
            .i64(self.timestamp_ms)
            .i64(self.timestamp_ms)
            .i64(-1)
            .i16(-1)
            .i32(-1)
            .i32(self.values.len() as i32)
            .raw(&records.0);
        Bytes::new()
            .i64(self.base_offset)
            .i32((4 + 1 + 4 + covered.0.len()) as i32)
            .i32(self.leader_epoch)
            .i8(2)
            .raw(&crc32c(&covered.0).to_be_bytes())
            .raw(&covered.0)
            .0
    }
}

/// What a producer sends for these values.
pub(crate) fn batch_of(values: &[&[u8]]) -> Vec<u8> {
    values.iter().fold(Batch::new(), |batch, value| batch.value(value)).encode()
}

/// The same batch as a log holds it: with its place and the leader's epoch written in.
pub(crate) fn placed(batch: &[u8], base_offset: i64, leader_epoch: i32) -> Vec<u8> {
    let mut bytes = batch.to_vec();
    bytes[0..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    bytes
}

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}
