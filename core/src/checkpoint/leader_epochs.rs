//! `leader-epoch-checkpoint`: where each leader epoch began (`LeaderEpochCheckpointFile`), and the
//! rules for the list in memory (`LeaderEpochFileCache`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::CheckpointError;
use super::lines::Lines;

/// The file's name in a partition's directory.
const FILE: &str = "leader-epoch-checkpoint";

/// One leader epoch and the offset of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: i32,
    /// The first offset written under it.
    pub start_offset: i64,
}

/// The leader epochs of one log: epochs and offsets both rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// The file's name in a partition's directory.
    pub const FILE: &'static str = FILE;

    /// Reads the file; an empty one has no entries. Entries that do not rise are an error: the log's
    /// batches tell better.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        let mut epochs = Self::default();
        if content.is_empty() {
            return Ok(epochs);
        }
        let mut lines = Lines::new(content)?;
        lines.version_zero()?;
        lines.entries("a rising epoch and its start offset", |fields| {
            let (epoch, start_offset) = (fields.number()?, fields.number()?);
            let rises = epochs
                .entries
                .last()
                .is_none_or(|last| last.epoch < epoch && last.start_offset <= start_offset);
            if epoch < 0 || start_offset < 0 || !rises {
                return None;
            }
            epochs.assign(epoch, start_offset);
            Some(())
        })?;
        Ok(epochs)
    }

    /// The file's text: `0`, the count, one line an epoch.
    pub fn format(&self) -> String {
        let mut text = alloc::format!("0\n{}\n", self.entries.len());
        for EpochStart { epoch, start_offset } in &self.entries {
            writeln!(text, "{epoch} {start_offset}").expect("a string takes everything");
        }
        text
    }

    /// The entries, rising.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The latest epoch that wrote something.
    pub fn latest(&self) -> Option<i32> {
        self.entries.last().map(|last| last.epoch)
    }

    /// Notes that a batch of `epoch` begins at `offset`; true when it is the first of its epoch.
    /// An epoch below the latest, and none (-1), change nothing; epochs that would have no record
    /// before it go.
    pub fn assign(&mut self, epoch: i32, offset: i64) -> bool {
        if epoch < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        self.truncate_from_end(offset);
        self.entries.push(EpochStart { epoch, start_offset: offset });
        true
    }

    /// Forgets the epochs that begin at or above `end`: none of their records are there.
    pub fn truncate_from_end(&mut self, end: i64) {
        let below = self.entries.partition_point(|entry| entry.start_offset < end);
        self.entries.truncate(below);
    }

    /// Forgets the epochs that end at or below `start`; the one that is left there begins at `start`.
    pub fn truncate_from_start(&mut self, start: i64) {
        let begun = self.entries.partition_point(|entry| entry.start_offset <= start);
        if begun == 0 {
            return;
        }
        self.entries.drain(..begun - 1);
        self.entries[0].start_offset = start;
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochStart, LeaderEpochs};
    use alloc::vec::Vec;

    fn epochs(pairs: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in pairs {
            assert!(epochs.assign(epoch, start));
        }
        epochs
    }

    #[test]
    fn format_is_kafkas() {
        assert_eq!(epochs(&[(1, 0), (2, 27)]).format(), "0\n2\n1 0\n2 27\n");
        assert_eq!(LeaderEpochs::default().format(), "0\n0\n");
    }

    #[test]
    fn formatted_epochs_read_back() {
        let written = epochs(&[(0, 0), (7, 20), (9, 100)]);
        assert_eq!(LeaderEpochs::parse(written.format().as_bytes()), Ok(written));
        assert_eq!(LeaderEpochs::parse(b""), Ok(LeaderEpochs::default()));
    }

    #[test]
    fn epoch_without_a_record_is_forgotten() {
        assert_eq!(epochs(&[(0, 0), (5, 7), (6, 7)]).format(), "0\n2\n0 0\n6 7\n");
        let read = LeaderEpochs::parse(b"0\n3\n0 0\n5 7\n6 7\n");
        assert_eq!(read, Ok(epochs(&[(0, 0), (6, 7)])));
    }

    #[test]
    fn entries_that_do_not_rise_are_refused() {
        for bad in ["0\n2\n2 0\n1 5\n", "0\n2\n1 5\n2 4\n", "0\n1\n-1 0\n", "0\n1\n1 -1\n"] {
            assert!(LeaderEpochs::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_first_batch_of_an_epoch_is_noted() {
        let mut epochs = epochs(&[(3, 10)]);
        assert!(!epochs.assign(3, 20));
        assert!(!epochs.assign(2, 20));
        assert!(!epochs.assign(-1, 20));
        assert!(epochs.assign(4, 20));
        assert_eq!(epochs.latest(), Some(4));
    }

    #[test]
    fn epochs_outside_the_log_are_forgotten() {
        let starts = |epochs: &LeaderEpochs| -> Vec<(i32, i64)> {
            epochs
                .entries()
                .iter()
                .map(|&EpochStart { epoch, start_offset }| (epoch, start_offset))
                .collect()
        };
        let mut cut = epochs(&[(1, 0), (2, 10), (3, 20)]);
        cut.truncate_from_end(20);
        assert_eq!(starts(&cut), [(1, 0), (2, 10)]);
        cut.truncate_from_start(0);
        assert_eq!(starts(&cut), [(1, 0), (2, 10)]);
        cut.truncate_from_start(15);
        assert_eq!(starts(&cut), [(2, 15)]);
        let mut later = epochs(&[(2, 10)]);
        later.truncate_from_start(5);
        assert_eq!(starts(&later), [(2, 10)]);
    }
}
