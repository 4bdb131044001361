//! `klamm-synced-checkpoint`: up to where each log was synced, so that recovery can tell damage from
//! a torn tail and knows what it must write back.
//!
//! The file is this project's own. Kafka leaves it alone, and a Kafka that ran on the directory makes
//! it worthless; therefore its head names the broker registration that it belongs to, which must be
//! the last one that had the directory.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use super::CheckpointError;
use super::lines::Lines;
use crate::ids::Uuid;

/// The synced end of one partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedEnd {
    /// The topic's name, for whoever reads the file.
    pub topic: Arc<str>,
    /// The first offset that is not known to be synced.
    pub offset: i64,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncedCheckpoint {
    incarnations: Vec<Uuid>,
    ends: BTreeMap<(Uuid, i32), SyncedEnd>,
}

impl SyncedCheckpoint {
    /// The file's name in a log directory.
    pub const FILE: &'static str = "klamm-synced-checkpoint";

    /// No lines yet. They will count while the last registration that had the directory is of the
    /// incarnation `incarnation` ([`Uuid::ZERO`] while there is none), or `next`, which is about to be
    /// registered.
    pub fn new(incarnation: Uuid, next: Option<Uuid>) -> Self {
        Self {
            incarnations: core::iter::once(incarnation).chain(next).collect(),
            ends: BTreeMap::new(),
        }
    }

    /// Reads the file; an empty one is valid for nobody.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        const IDS: &str = "one or two incarnation ids";
        let mut checkpoint = Self::default();
        if content.is_empty() {
            return Ok(checkpoint);
        }
        let mut lines = Lines::new(content)?;
        lines.version_zero()?;
        let line = lines.next(IDS)?;
        let ids: Option<Vec<Uuid>> = line.text.split_whitespace().map(Uuid::parse).collect();
        checkpoint.incarnations =
            ids.filter(|ids| (1..=2).contains(&ids.len())).ok_or_else(|| line.malformed(IDS))?;
        lines.entries("topic id, topic, partition and offset", |fields| {
            let (topic_id, topic) = (Uuid::parse(fields.text()?)?, fields.text()?);
            checkpoint.insert(topic_id, topic, fields.number()?, fields.number()?);
            Some(())
        })?;
        Ok(checkpoint)
    }

    /// The file's text: version 0, the ids, the count, one line an entry, sorted by topic id.
    pub fn format(&self) -> String {
        let mut text = String::from("0\n");
        self.write_to(&mut text).expect("a string takes everything");
        text
    }

    /// True while the lines count: `incarnation` is that of the last registration that had the
    /// directory, [`Uuid::ZERO`] while there is none.
    pub fn valid_for(&self, incarnation: Uuid) -> bool {
        self.incarnations.contains(&incarnation)
    }

    /// The partition's synced end; ask [`valid_for`](Self::valid_for) first.
    pub fn get(&self, topic_id: Uuid, partition: i32) -> Option<i64> {
        self.ends.get(&(topic_id, partition)).map(|end| end.offset)
    }

    /// Sets the partition's synced end.
    pub fn insert(
        &mut self,
        topic_id: Uuid,
        topic: impl Into<Arc<str>>,
        partition: i32,
        offset: i64,
    ) {
        self.ends.insert((topic_id, partition), SyncedEnd { topic: topic.into(), offset });
    }

    /// Every line: topic id, partition, and what is known of it.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, i32, &SyncedEnd)> {
        self.ends.iter().map(|(&(topic_id, partition), end)| (topic_id, partition, end))
    }

    fn write_to(&self, text: &mut String) -> core::fmt::Result {
        for (at, id) in self.incarnations.iter().enumerate() {
            write!(text, "{}{id}", if at == 0 { "" } else { " " })?;
        }
        writeln!(text, "\n{}", self.ends.len())?;
        for (topic_id, partition, SyncedEnd { topic, offset }) in self.iter() {
            writeln!(text, "{topic_id} {topic} {partition} {offset}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SyncedCheckpoint;
    use crate::ids::Uuid;

    const OLD: Uuid = Uuid([1; 16]);
    const NEXT: Uuid = Uuid([2; 16]);

    #[test]
    fn format_reads_back() {
        let mut checkpoint = SyncedCheckpoint::new(Uuid::ZERO, Some(NEXT));
        checkpoint.insert(Uuid::METADATA_TOPIC, "__cluster_metadata", 0, 12);
        checkpoint.insert(OLD, "a", 3, 5);
        let text = checkpoint.format();
        let expected = "0\nAAAAAAAAAAAAAAAAAAAAAA AgICAgICAgICAgICAgICAg\n2\n\
            AAAAAAAAAAAAAAAAAAAAAQ __cluster_metadata 0 12\nAQEBAQEBAQEBAQEBAQEBAQ a 3 5\n";
        assert_eq!(text, expected);
        let read = SyncedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(read, checkpoint);
        assert_eq!(read.get(OLD, 3), Some(5));
        assert_eq!(read.get(OLD, 0), None);
        assert_eq!(read.get(NEXT, 3), None);
    }

    #[test]
    fn lines_count_for_their_registrations_alone() {
        let first = SyncedCheckpoint::new(Uuid::ZERO, Some(NEXT));
        assert!(first.valid_for(Uuid::ZERO) && first.valid_for(NEXT) && !first.valid_for(OLD));
        let running = SyncedCheckpoint::new(NEXT, None);
        assert!(running.valid_for(NEXT) && !running.valid_for(Uuid::ZERO));
        assert!(!SyncedCheckpoint::parse(b"").unwrap().valid_for(Uuid::ZERO));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "1\nAAAAAAAAAAAAAAAAAAAAAA\n0\n",
            "0\n\n0\n",
            "0\nx\n0\n",
            "0\nAAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA\n0\n",
            "0\nAAAAAAAAAAAAAAAAAAAAAA\n1\n",
            "0\nAAAAAAAAAAAAAAAAAAAAAA\n1\nx a 0 5\n",
            "0\nAAAAAAAAAAAAAAAAAAAAAA\n1\nAAAAAAAAAAAAAAAAAAAAAQ a 0\n",
        ] {
            assert!(SyncedCheckpoint::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
