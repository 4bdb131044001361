//! `quorum-state`: the epoch that this node has reached in the metadata quorum (`FileQuorumStateStore`).

use alloc::format;
use alloc::string::String;

use super::CheckpointError;

/// What the file says when this node leads. Who voted for whom does not matter with one voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// Its layout.
    pub version: QuorumStateVersion,
    /// The leader; this node.
    pub leader_id: i32,
    /// The quorum's epoch, which rises with each leader and each start.
    pub leader_epoch: i32,
}

/// The file's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumStateVersion {
    /// Of `kraft.version` 0: the voters stand in the file, since no record names them.
    V0,
    /// Of `kraft.version` 1 (KIP-853).
    V1,
}

impl QuorumState {
    /// The file's name in the metadata log's directory.
    pub const FILE: &'static str = "quorum-state";

    /// Reads the file: one JSON object. Only what [`QuorumState`] has is looked at.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        let text = core::str::from_utf8(content).map_err(|_| CheckpointError::NotText)?;
        let version = match number(text, "data_version")? {
            0 => QuorumStateVersion::V0,
            1 => QuorumStateVersion::V1,
            other => return Err(CheckpointError::UnknownVersion(format!("{other}"))),
        };
        let (leader_id, leader_epoch) = (number(text, "leaderId")?, number(text, "leaderEpoch")?);
        Ok(Self { version, leader_id, leader_epoch })
    }

    /// The file's text, as Kafka writes it.
    pub fn format(&self) -> String {
        let Self { version, leader_id, leader_epoch } = self;
        match version {
            QuorumStateVersion::V0 => format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader_id},\"leaderEpoch\":{leader_epoch},\
                 \"votedId\":-1,\"appliedOffset\":0,\
                 \"currentVoters\":[{{\"voterId\":{leader_id}}}],\"data_version\":0}}"
            ),
            QuorumStateVersion::V1 => format!(
                "{{\"leaderId\":{leader_id},\"leaderEpoch\":{leader_epoch},\"votedId\":-1,\
                 \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}}"
            ),
        }
    }
}

/// The number behind `key` in a JSON object; no other place of the file can hold the quoted key.
fn number(text: &str, key: &'static str) -> Result<i32, CheckpointError> {
    let mut parts = text.split('"').skip_while(|part| *part != key).skip(1);
    let value = parts.next().ok_or(CheckpointError::Missing(key))?.trim();
    let invalid = || CheckpointError::InvalidValue { key, value: String::from(value) };
    let value = value.strip_prefix(':').ok_or_else(invalid)?;
    let value = value.split([',', '}']).next().unwrap_or_default();
    value.trim().parse().map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::{QuorumState, QuorumStateVersion};
    use crate::checkpoint::CheckpointError;

    #[test]
    fn text_is_kafkas() {
        let state = QuorumState { version: QuorumStateVersion::V1, leader_id: 1, leader_epoch: 2 };
        assert_eq!(
            state.format(),
            "{\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\
             \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}"
        );
        let old = QuorumState { version: QuorumStateVersion::V0, ..state };
        assert_eq!(
            old.format(),
            "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":2,\"votedId\":-1,\
             \"appliedOffset\":0,\"currentVoters\":[{\"voterId\":1}],\"data_version\":0}"
        );
        for state in [state, old] {
            assert_eq!(QuorumState::parse(state.format().as_bytes()), Ok(state));
        }
    }

    #[test]
    fn blanks_do_not_matter() {
        let text = b"{ \"leaderId\" : -1 , \"leaderEpoch\" : 7, \"data_version\": 1 }\n";
        let expected =
            QuorumState { version: QuorumStateVersion::V1, leader_id: -1, leader_epoch: 7 };
        assert_eq!(QuorumState::parse(text), Ok(expected));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(QuorumState::parse(b"\xff"), Err(CheckpointError::NotText));
        assert_eq!(QuorumState::parse(b"{}"), Err(CheckpointError::Missing("data_version")));
        for bad in
            ["{\"data_version\":2}", "{\"data_version\"", "{\"data_version\":1,\"leaderId\":x}"]
        {
            assert!(QuorumState::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
