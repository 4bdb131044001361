//! `partition.metadata`: which topic a partition's directory belongs to (`PartitionMetadataFile`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::CheckpointError;
use crate::ids::Uuid;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// The topic; never [`Uuid::ZERO`].
    pub topic_id: Uuid,
}

impl PartitionMetadata {
    /// The file's name in a partition's directory.
    pub const FILE: &'static str = "partition.metadata";

    /// Reads the file; padded ids and blank lines are fine.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        let text = core::str::from_utf8(content).map_err(|_| CheckpointError::NotText)?;
        let mut lines = text.lines().map(str::trim).enumerate().filter(|(_, l)| !l.is_empty());
        let version = value(lines.next(), "version", "version: 0")?;
        if version != "0" {
            return Err(CheckpointError::UnknownVersion(version.to_owned()));
        }
        let id = value(lines.next(), "topic_id", "topic_id: and an id")?;
        let invalid = || CheckpointError::InvalidValue { key: "topic_id", value: id.to_owned() };
        let topic_id = Uuid::parse(id).filter(|&id| id != Uuid::ZERO).ok_or_else(invalid)?;
        match lines.next() {
            None => Ok(Self { topic_id }),
            Some((at, line)) => Err(malformed(at, line, "the end of the file")),
        }
    }

    /// The file's text: 43 bytes, without a newline at the end.
    pub fn format(&self) -> String {
        format!("version: 0\ntopic_id: {}", self.topic_id)
    }
}

fn value<'a>(
    line: Option<(usize, &'a str)>,
    key: &str,
    expected: &'static str,
) -> Result<&'a str, CheckpointError> {
    let (at, line) = line.ok_or(CheckpointError::Truncated { expected })?;
    let found = line.strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix(':'));
    found.map(str::trim).ok_or_else(|| malformed(at, line, expected))
}

fn malformed(at: usize, line: &str, expected: &'static str) -> CheckpointError {
    CheckpointError::Malformed { line: at + 1, expected, found: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::PartitionMetadata;
    use crate::checkpoint::CheckpointError;
    use crate::ids::Uuid;

    #[test]
    fn format_is_43_bytes_without_a_last_newline() {
        let text = PartitionMetadata { topic_id: Uuid::METADATA_TOPIC }.format();
        assert_eq!(text, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(text.len(), 43);
    }

    #[test]
    fn padding_and_last_newline_are_fine() {
        let metadata = Ok(PartitionMetadata { topic_id: Uuid::METADATA_TOPIC });
        for text in [
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ==\n",
            "version:0\r\ntopic_id:AAAAAAAAAAAAAAAAAAAAAQ\r\n\r\n",
        ] {
            assert_eq!(PartitionMetadata::parse(text.as_bytes()), metadata, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |text: &str| PartitionMetadata::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(""), CheckpointError::Truncated { expected: "version: 0" });
        assert_eq!(error("version: 1\n"), CheckpointError::UnknownVersion("1".into()));
        assert!(matches!(error("version: 0\n"), CheckpointError::Truncated { .. }));
        let zero = error("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(alloc::format!("{zero}"), "topic_id cannot be \"AAAAAAAAAAAAAAAAAAAAAA\"");
        assert!(matches!(
            error("version: 0\ntopic: x"),
            CheckpointError::Malformed { line: 2, .. }
        ));
        let longer = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\nmore";
        assert!(matches!(error(longer), CheckpointError::Malformed { line: 3, .. }));
    }
}
