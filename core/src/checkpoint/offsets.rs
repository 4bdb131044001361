//! `recovery-point-`, `log-start-` and `replication-offset-checkpoint` (`OffsetCheckpointFile`).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt::Write;

use super::CheckpointError;
use super::lines::Lines;

/// One offset a partition, by topic name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCheckpoint {
    topics: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl OffsetCheckpoint {
    /// Reads the file. An empty one, as Kafka creates it, has no entries; the last of two lines for
    /// one partition counts.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self::default();
        if content.is_empty() {
            return Ok(checkpoint);
        }
        let mut lines = Lines::new(content)?;
        lines.version_zero()?;
        lines.entries("topic, partition and offset", |fields| {
            let (topic, partition, offset) = (fields.text()?, fields.number()?, fields.number()?);
            checkpoint.insert(topic, partition, offset);
            Some(())
        })?;
        Ok(checkpoint)
    }

    /// The file's text: `0`, the count, one line an entry, sorted.
    pub fn format(&self) -> String {
        let count: usize = self.topics.values().map(BTreeMap::len).sum();
        let mut text = alloc::format!("0\n{count}\n");
        for (topic, partition, offset) in self.iter() {
            writeln!(text, "{topic} {partition} {offset}").expect("a string takes everything");
        }
        text
    }

    /// The partition's offset.
    pub fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        self.topics.get(topic)?.get(&partition).copied()
    }

    /// Sets the partition's offset.
    pub fn insert(&mut self, topic: &str, partition: i32, offset: i64) {
        match self.topics.get_mut(topic) {
            Some(partitions) => partitions.insert(partition, offset),
            None => self.topics.entry(topic.to_owned()).or_default().insert(partition, offset),
        };
    }

    /// Forgets the partition.
    pub fn remove(&mut self, topic: &str, partition: i32) {
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
    }

    /// Every entry, sorted by topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(&partition, &offset)| (topic.as_str(), partition, offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::OffsetCheckpoint;
    use crate::checkpoint::CheckpointError;

    #[test]
    fn format_is_kafkas() {
        let mut checkpoint = OffsetCheckpoint::default();
        assert_eq!(checkpoint.format(), "0\n0\n");
        checkpoint.insert("b", 0, 7);
        checkpoint.insert("a", 10, 6);
        checkpoint.insert("a", 2, 5);
        assert_eq!(checkpoint.format(), "0\n3\na 2 5\na 10 6\nb 0 7\n");
    }

    #[test]
    fn formatted_checkpoint_reads_back() {
        let mut checkpoint = OffsetCheckpoint::default();
        checkpoint.insert("a", 0, i64::MAX);
        checkpoint.insert("__consumer_offsets", 49, 0);
        let read = OffsetCheckpoint::parse(checkpoint.format().as_bytes()).unwrap();
        assert_eq!(read, checkpoint);
        assert_eq!(read.get("a", 0), Some(i64::MAX));
        assert_eq!(read.get("a", 1), None);
        assert_eq!(read.get("b", 0), None);
    }

    #[test]
    fn empty_file_has_no_entries() {
        assert_eq!(OffsetCheckpoint::parse(b""), Ok(OffsetCheckpoint::default()));
    }

    #[test]
    fn missing_last_newline_is_fine() {
        assert_eq!(OffsetCheckpoint::parse(b"0\r\n1\r\na 0 6").unwrap().get("a", 0), Some(6));
    }

    #[test]
    fn nonsense_is_named_by_its_line() {
        let error = |content: &[u8]| OffsetCheckpoint::parse(content).unwrap_err();
        assert_eq!(error(b"1\n0\n"), CheckpointError::UnknownVersion("1".into()));
        assert_eq!(error(b"\xff"), CheckpointError::NotText);
        assert_eq!(
            error(b"0\n2\na 0 6\n"),
            CheckpointError::Truncated { expected: "topic, partition and offset" }
        );
        assert_eq!(
            alloc::format!("{}", error(b"0\n1\na 0\n")),
            "line 3: expected topic, partition and offset, found \"a 0\""
        );
        for bad in [&b"0\n-1\n"[..], b"0\n1\na x 6\n", b"0\n1\na 0 6 7\n", b"0\n0\na 0 6\n"] {
            assert!(matches!(error(bad), CheckpointError::Malformed { .. }), "{bad:?}");
        }
        let endless = b"0\n18446744073709551615\na 0 6\n";
        assert!(matches!(error(endless), CheckpointError::Truncated { .. }));
    }
}
