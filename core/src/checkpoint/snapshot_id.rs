//! Names of the metadata log's snapshots (`Snapshots`, KIP-630).

use alloc::format;
use alloc::string::String;
use core::str::FromStr;

/// What a snapshot covers: everything below an offset. Ordered by that, as snapshots follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The first offset that is not in it.
    pub end_offset: i64,
    /// The quorum's epoch at its end.
    pub epoch: i32,
}

const OFFSET_DIGITS: usize = 20;
const EPOCH_DIGITS: usize = 10;
const SUFFIX: &str = ".checkpoint";

impl SnapshotId {
    /// `<end offset>-<epoch>.checkpoint`.
    pub fn file_name(self) -> String {
        let Self { end_offset, epoch } = self;
        format!("{end_offset:0OFFSET_DIGITS$}-{epoch:0EPOCH_DIGITS$}{SUFFIX}")
    }

    /// The id in a snapshot's name; `None` for any other file.
    pub fn parse(name: &str) -> Option<Self> {
        let (id, rest) = split(name)?;
        (rest == SUFFIX).then_some(id)
    }

    /// True for what is left of a snapshot that was not finished, or is about to go. A Kafka puts a
    /// random number before the suffix of the former.
    pub fn is_leftover(name: &str) -> bool {
        split(name).is_some_and(|(_, rest)| {
            rest.ends_with(".checkpoint.part") || rest == ".checkpoint.deleted"
        })
    }
}

/// The id that a name begins with, and what follows.
fn split(name: &str) -> Option<(SnapshotId, &str)> {
    let (offset, rest) = name.split_at_checked(OFFSET_DIGITS)?;
    let (epoch, rest) = rest.strip_prefix('-')?.split_at_checked(EPOCH_DIGITS)?;
    Some((SnapshotId { end_offset: digits(offset)?, epoch: digits(epoch)? }, rest))
}

fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_read_as_it_is_written() {
        let id = SnapshotId { end_offset: 1234, epoch: 56 };
        assert_eq!(id.file_name(), "00000000000000001234-0000000056.checkpoint");
        assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
        let last = SnapshotId { end_offset: i64::MAX, epoch: i32::MAX };
        assert_eq!(SnapshotId::parse(&last.file_name()), Some(last));
    }

    #[test]
    fn other_names_are_no_snapshots() {
        for name in [
            "",
            "1-1.checkpoint",
            "00000000000000001234.log",
            "00000000000000001234-0000000056.checkpoint.part",
            "00000000000000001234-0000000056.checkpoint.deleted",
            "00000000000000001234-000000005.checkpoint",
            "+0000000000000001234-0000000056.checkpoint",
            "99999999999999999999-0000000056.checkpoint",
            "00000000000000001234-9999999999.checkpoint",
            "0000000000000000123\u{e9}-0000000056.checkpoint",
        ] {
            assert_eq!(SnapshotId::parse(name), None, "{name}");
        }
    }

    #[test]
    fn leftovers_are_unfinished_and_marked_ones() {
        for name in [
            "00000000000000001234-0000000056.checkpoint.part",
            "00000000000000001234-0000000056-7301234.checkpoint.part",
            "00000000000000001234-0000000056.checkpoint.deleted",
        ] {
            assert!(SnapshotId::is_leftover(name), "{name}");
        }
        for name in [
            "00000000000000001234-0000000056.checkpoint",
            "00000000000000001234.log.deleted",
            "bootstrap.checkpoint.part",
        ] {
            assert!(!SnapshotId::is_leftover(name), "{name}");
        }
    }
}
