//! What Kafka's checkpoint files share (`CheckpointFile`): a version line, a count, one line an entry.

use alloc::borrow::ToOwned;
use core::str::{FromStr, SplitWhitespace};

use super::CheckpointError;

/// A cursor over a file's lines that knows where it stands.
pub(super) struct Lines<'a> {
    lines: core::str::Lines<'a>,
    number: usize,
}

impl<'a> Lines<'a> {
    /// Starts at the first line.
    pub(super) fn new(content: &'a [u8]) -> Result<Self, CheckpointError> {
        let text = core::str::from_utf8(content).map_err(|_| CheckpointError::NotText)?;
        Ok(Self { lines: text.lines(), number: 0 })
    }

    /// The next line, without the whitespace around it.
    pub(super) fn next(&mut self, expected: &'static str) -> Result<Line<'a>, CheckpointError> {
        let text = self.lines.next().ok_or(CheckpointError::Truncated { expected })?.trim();
        self.number += 1;
        Ok(Line { text, number: self.number })
    }

    /// Takes the version line, which must say 0.
    pub(super) fn version_zero(&mut self) -> Result<(), CheckpointError> {
        let line = self.next("the version")?;
        if line.text == "0" {
            return Ok(());
        }
        Err(CheckpointError::UnknownVersion(line.text.to_owned()))
    }

    /// Takes the count, and then hands every line that it promises to `entry`, fields split at
    /// whitespace. Nothing but blank lines may follow.
    pub(super) fn entries(
        mut self,
        expected: &'static str,
        mut entry: impl FnMut(&mut Fields<'a>) -> Option<()>,
    ) -> Result<(), CheckpointError> {
        let count_line = self.next("the count of entries")?;
        let count: u64 = count_line.parse("the count of entries")?;
        for _ in 0..count {
            let line = self.next(expected)?;
            let mut fields = Fields(line.text.split_whitespace());
            let whole = entry(&mut fields).is_some() && fields.0.next().is_none();
            if !whole {
                return Err(line.malformed(expected));
            }
        }
        while let Ok(line) = self.next("") {
            if !line.text.is_empty() {
                return Err(line.malformed("the end of the file"));
            }
        }
        Ok(())
    }
}

/// One line.
pub(super) struct Line<'a> {
    /// Without the whitespace around it.
    pub(super) text: &'a str,
    number: usize,
}

impl Line<'_> {
    /// The line as one number.
    pub(super) fn parse<T: FromStr>(&self, expected: &'static str) -> Result<T, CheckpointError> {
        self.text.parse().map_err(|_| self.malformed(expected))
    }

    /// The error that names this line.
    pub(super) fn malformed(&self, expected: &'static str) -> CheckpointError {
        CheckpointError::Malformed { line: self.number, expected, found: self.text.to_owned() }
    }
}

/// The fields of one line, in order.
pub(super) struct Fields<'a>(SplitWhitespace<'a>);

impl<'a> Fields<'a> {
    /// The next field as text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next field as a number.
    pub(super) fn number<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }
}
