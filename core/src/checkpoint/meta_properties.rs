//! `meta.properties`: who a log directory belongs to (`MetaProperties`).

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{CheckpointError, format_properties, parse_properties};
use crate::ids::Uuid;

/// The file's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaPropertiesVersion {
    /// ZooKeeper's time: `broker.id`, everything optional. Kafka 4 does not start on it.
    V0,
    /// KRaft: `node.id` and `cluster.id` are there.
    V1,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The layout found.
    pub version: MetaPropertiesVersion,
    /// `cluster.id`; there in version 1.
    pub cluster_id: Option<String>,
    /// `node.id`, or `broker.id` of version 0; there in version 1.
    pub node_id: Option<i32>,
    /// `directory.id`; Kafka before 3.7 writes none.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// The file's name in a log directory.
    pub const FILE: &'static str = "meta.properties";

    /// Reads the file. Unknown keys are skipped; the last of two equal keys counts, as in Java.
    pub fn parse(content: &[u8]) -> Result<Self, CheckpointError> {
        let text = core::str::from_utf8(content).map_err(|_| CheckpointError::NotText)?;
        let found = parse_properties(text);
        let get = |key: &str| found.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.trim());
        let version = match get("version").ok_or(CheckpointError::Missing("version"))? {
            "0" => MetaPropertiesVersion::V0,
            "1" => MetaPropertiesVersion::V1,
            other => return Err(CheckpointError::UnknownVersion(other.to_owned())),
        };
        let id_key = match version {
            MetaPropertiesVersion::V0 => "broker.id",
            MetaPropertiesVersion::V1 => "node.id",
        };
        let node_id = get(id_key)
            .map(|text| text.parse::<i32>().ok().filter(|id| *id >= 0).ok_or(text))
            .transpose()
            .map_err(|text| invalid(id_key, text))?;
        let directory_id = get("directory.id")
            .map(|text| Uuid::parse(text).filter(|id| *id != Uuid::ZERO).ok_or(text))
            .transpose()
            .map_err(|text| invalid("directory.id", text))?;
        let cluster_id = get("cluster.id").filter(|text| !text.is_empty()).map(str::to_owned);
        if version == MetaPropertiesVersion::V1 {
            node_id.ok_or(CheckpointError::Missing("node.id"))?;
            cluster_id.as_ref().ok_or(CheckpointError::Missing("cluster.id"))?;
        }
        Ok(Self { version, cluster_id, node_id, directory_id })
    }

    /// The file's text, as Kafka formats it less the comment with the date.
    pub fn format(&self) -> String {
        let (version, id_key) = match self.version {
            MetaPropertiesVersion::V0 => ("0", "broker.id"),
            MetaPropertiesVersion::V1 => ("1", "node.id"),
        };
        let node_id = self.node_id.map(|id| id.to_string());
        let directory_id = self.directory_id.map(|id| id.to_string());
        let lines: Vec<(&str, &str)> = [
            (id_key, node_id.as_deref()),
            ("directory.id", directory_id.as_deref()),
            ("version", Some(version)),
            ("cluster.id", self.cluster_id.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect();
        format_properties(&lines)
    }
}

fn invalid(key: &'static str, value: &str) -> CheckpointError {
    CheckpointError::InvalidValue { key, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{MetaProperties, MetaPropertiesVersion};
    use crate::checkpoint::CheckpointError;
    use crate::ids::Uuid;

    #[test]
    fn kafkas_own_file_is_read() {
        let text = b"#\n#Sun Nov 22 12:00:00 UTC 2026\nnode.id=1\n\
            directory.id=AAAAAAAAAAAAAAAAAAAAAQ\nversion=1\ncluster.id=abc\\=\\=\n";
        let expected = MetaProperties {
            version: MetaPropertiesVersion::V1,
            cluster_id: Some("abc==".into()),
            node_id: Some(1),
            directory_id: Some(Uuid::METADATA_TOPIC),
        };
        assert_eq!(MetaProperties::parse(text), Ok(expected.clone()));
        assert_eq!(MetaProperties::parse(expected.format().as_bytes()), Ok(expected));
    }

    #[test]
    fn old_layout_has_a_broker_id() {
        let old = MetaProperties::parse(b"version=0\nbroker.id=3\n").unwrap();
        assert_eq!((old.version, old.node_id), (MetaPropertiesVersion::V0, Some(3)));
        assert_eq!(old.format(), "broker.id=3\nversion=0\n");
    }

    #[test]
    fn directory_id_may_be_missing() {
        let read = MetaProperties::parse(b"version=1\nnode.id=1\ncluster.id=c").unwrap();
        assert_eq!(read.directory_id, None);
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |text: &str| MetaProperties::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(""), CheckpointError::Missing("version"));
        assert_eq!(error("version=2"), CheckpointError::UnknownVersion("2".into()));
        assert_eq!(error("version=1\ncluster.id=c"), CheckpointError::Missing("node.id"));
        assert_eq!(error("version=1\nnode.id=1"), CheckpointError::Missing("cluster.id"));
        let negative = error("version=1\ncluster.id=c\nnode.id=-1");
        assert_eq!(negative, CheckpointError::InvalidValue { key: "node.id", value: "-1".into() });
        let id = error("version=1\ncluster.id=c\nnode.id=1\ndirectory.id=x");
        assert!(matches!(id, CheckpointError::InvalidValue { key: "directory.id", .. }));
    }
}
