//! Record batches (magic 2): views, checks, building.

mod checked;

pub use checked::{BatchInfo, CheckedBatch};

mod compression;
pub use compression::{Codec, Compression, CompressionError, Decompress};
