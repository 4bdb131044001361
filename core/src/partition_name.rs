//! Names of partitions' directories (`UnifiedLog`, `LocalLog`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use crate::ids::Uuid;

/// Kafka's bound on such a name in bytes, which is that of most file systems.
const NAME_BYTES_MAX: usize = 255;

/// What the name of a directory in a log directory says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionName {
    /// `<topic>-<partition>`: a partition's log.
    Log {
        /// The topic's name.
        topic: String,
        /// The partition's index.
        partition: i32,
    },
    /// `…-delete`: a deleted partition's, to be removed.
    Deleted,
    /// `…-stray`: nobody's, kept until a person decides.
    Stray,
    /// `…-future`: a partition's that was being moved from another log directory.
    Future,
    /// No partition's.
    Other,
}

impl PartitionName {
    /// Reads a directory's name.
    pub fn parse(name: &str) -> Self {
        let suffixes =
            [("-delete", Self::Deleted), ("-stray", Self::Stray), ("-future", Self::Future)];
        // `a-delete` would be a topic without a partition: what stands before is `<t>-<p>.<id>`.
        for (suffix, kind) in suffixes {
            let front = name.strip_suffix(suffix).and_then(|front| front.rsplit_once('.'));
            if front.is_some_and(|(front, _)| split(front).is_some()) {
                return kind;
            }
        }
        match split(name) {
            Some((topic, partition)) => Self::Log { topic: topic.to_owned(), partition },
            None => Self::Other,
        }
    }
}

/// The name that a directory is kept under whose partition is not known. `id` makes it the only one.
pub fn stray_name(topic: &str, partition: i32, id: Uuid) -> String {
    other_name(topic, partition, id, "stray")
}

/// The name of a deleted partition's directory until it is removed.
pub fn deleted_name(topic: &str, partition: i32, id: Uuid) -> String {
    other_name(topic, partition, id, "delete")
}

/// The topic's name is cut where the whole would be too long.
fn other_name(topic: &str, partition: i32, id: Uuid, kind: &str) -> String {
    let mut hex = String::new();
    for byte in id.0 {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    let suffix = format!("-{partition}.{hex}-{kind}");
    let kept = topic.get(..NAME_BYTES_MAX - suffix.len()).unwrap_or(topic);
    format!("{kept}{suffix}")
}

fn split(name: &str) -> Option<(&str, i32)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let is_index = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if topic.is_empty() || !is_index {
        return None;
    }
    Some((topic, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{PartitionName, deleted_name, stray_name};
    use crate::ids::Uuid;

    #[test]
    fn names_say_whose_they_are() {
        let log =
            |topic: &str, partition| PartitionName::Log { topic: topic.to_string(), partition };
        for (name, expected) in [
            ("a-0", log("a", 0)),
            ("a-b.c-17", log("a-b.c", 17)),
            ("a-0.0123456789abcdef0123456789abcdef-delete", PartitionName::Deleted),
            ("a-0.0123456789abcdef0123456789abcdef-stray", PartitionName::Stray),
            ("a-0.0123456789abcdef0123456789abcdef-future", PartitionName::Future),
            ("a", PartitionName::Other),
            ("a-", PartitionName::Other),
            ("-1", PartitionName::Other),
            ("a-+1", PartitionName::Other),
            ("a-99999999999", PartitionName::Other),
            ("lost+found", PartitionName::Other),
            ("a-delete", PartitionName::Other),
        ] {
            assert_eq!(PartitionName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn other_names_are_kafkas() {
        let name = stray_name("zz", 0, Uuid([0xab; 16]));
        assert_eq!(name, "zz-0.abababababababababababababababab-stray");
        assert_eq!(PartitionName::parse(&name), PartitionName::Stray);
        let deleted = deleted_name("zz", 0, Uuid([0xab; 16]));
        assert_eq!(deleted, "zz-0.abababababababababababababababab-delete");
        assert_eq!(PartitionName::parse(&deleted), PartitionName::Deleted);
        let long = stray_name(&"t".repeat(249), 1234, Uuid([1; 16]));
        assert_eq!(long.len(), 255);
        assert!(long.ends_with("t-1234.01010101010101010101010101010101-stray"));
    }
}
