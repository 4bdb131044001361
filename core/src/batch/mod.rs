//! Record batches of magic 2: views of stored ones, checks of produced ones, and building.

mod builder;
mod check;
mod check_records;
mod checked;
mod compression;
mod convert;
mod header;
mod legacy;
mod records;
mod scan;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod thin;
mod timestamp;
mod varint;

pub use builder::{BatchBuilder, NewRecord};
pub use check::{
    Fault, ProduceRules, WholeRequestFault, check_produced, check_record_set, check_request_heads,
};
pub use checked::{BatchInfo, CheckedBatch, HEADER_BYTES};
pub use compression::{ByteStream, Codec, Compression, CompressionError};
pub use header::{
    Attributes, BatchHeader, LOG_OVERHEAD_BYTES, TimestampType, UP_TO_MAGIC_BYTES, UnknownCodec,
};
pub use legacy::{LegacyFault, legacy_timestamp};
pub use records::{Headers, Record, RecordFault, RecordHeader, Records};
pub use scan::{BatchFault, BatchView, CrcCheck, LegacyEntry, Step, next_batch};
pub use thin::{OpenBatch, ThinFault};
pub use timestamp::{TimedOffset, TimestampFault, find_timestamp};
