//! How a topic's batches are stored: `compression.type`, and the levels of its codecs.

use crate::batch::Codec;

/// `compression.type` (`BrokerCompressionType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoredCompression {
    /// `producer`: as they came.
    #[default]
    AsProduced,
    /// `uncompressed`.
    Uncompressed,
    /// In this codec, whatever they came in.
    Codec(Codec),
}

impl StoredCompression {
    /// The names that `compression.type` may have.
    pub const NAMES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

    /// By one of its [`NAMES`](Self::NAMES).
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "producer" => Self::AsProduced,
            "uncompressed" => Self::Uncompressed,
            "gzip" => Self::Codec(Codec::Gzip),
            "snappy" => Self::Codec(Codec::Snappy),
            "lz4" => Self::Codec(Codec::Lz4),
            "zstd" => Self::Codec(Codec::Zstd),
            _ => return None,
        })
    }

    /// What a batch is stored in that came in `sent`.
    pub fn target(self, sent: Option<Codec>) -> Option<Codec> {
        match self {
            Self::AsProduced => sent,
            Self::Uncompressed => None,
            Self::Codec(codec) => Some(codec),
        }
    }
}

/// `compression.gzip.level`, `compression.lz4.level` and `compression.zstd.level`: for what the
/// broker compresses itself. A provider that lacks a level takes the nearest that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevels {
    /// 1 to 9; -1 leaves it to the library.
    pub gzip: i32,
    /// 1 to 17.
    pub lz4: i32,
    /// -131072 to 22.
    pub zstd: i32,
}

impl CompressionLevels {
    /// What `compression.gzip.level` may be.
    pub const GZIP: &[&str] = &["-1", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    /// What `compression.lz4.level` may be, from and to.
    pub const LZ4: (i64, i64) = (1, 17);
    /// What `compression.zstd.level` may be, from and to.
    pub const ZSTD: (i64, i64) = (-131_072, 22);

    /// That of one codec; snappy has none.
    pub fn of(self, codec: Codec) -> i32 {
        match codec {
            Codec::Gzip => self.gzip,
            Codec::Snappy => 0,
            Codec::Lz4 => self.lz4,
            Codec::Zstd => self.zstd,
        }
    }
}

impl Default for CompressionLevels {
    fn default() -> Self {
        Self { gzip: -1, lz4: 9, zstd: 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_something_and_no_other_does() {
        for name in StoredCompression::NAMES {
            assert!(StoredCompression::named(name).is_some(), "{name}");
        }
        assert_eq!(StoredCompression::named("none"), None);
        assert_eq!(StoredCompression::named("GZIP"), None);
    }

    #[test]
    fn only_producer_leaves_a_batch_as_it_came() {
        let targets =
            |stored: StoredCompression| [None, Some(Codec::Lz4)].map(|sent| stored.target(sent));
        assert_eq!(targets(StoredCompression::AsProduced), [None, Some(Codec::Lz4)]);
        assert_eq!(targets(StoredCompression::Uncompressed), [None, None]);
        assert_eq!(targets(StoredCompression::Codec(Codec::Zstd)), [Some(Codec::Zstd); 2]);
    }
}
