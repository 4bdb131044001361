//! The level of `metadata.version`: which versions of which records a cluster may write
//! (`MetadataVersion`). An older Kafka of the same cluster must be able to read them.

use super::image::Image;

/// The feature's name.
pub(super) const METADATA_VERSION: &str = "metadata.version";

/// What a level allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetadataVersion(i16);

impl MetadataVersion {
    /// The newest that is known here: 4.3-IV0.
    pub(super) const LATEST: Self = Self(30);
    /// 3.3-IV3: what Kafka 4 takes for a log without a level.
    const MINIMUM: Self = Self(7);
    const V3_4_IV0: Self = Self(8);
    const V3_6_IV1: Self = Self(13);
    const V3_7_IV0: Self = Self(15);
    const V3_7_IV2: Self = Self(17);
    const V4_0_IV1: Self = Self(23);
    const V4_3_IV0: Self = Self(30);

    /// 4.0-IV1: eligible leader replicas can be had.
    pub(super) const ELR: Self = Self::V4_0_IV1;
    /// Those that brought another form of a record, or a new one (`MetadataVersion.didMetadataChange`).
    const CHANGES: [i16; 8] = [8, 11, 13, 14, 15, 17, 23, 30];

    /// The level of `image`.
    pub(super) fn of(image: &Image) -> Self {
        image.features.get(METADATA_VERSION).map_or(Self::MINIMUM, |level| Self::at(*level))
    }

    /// The level that a record names.
    pub(super) fn at(level: i16) -> Self {
        Self(level)
    }

    /// As it stands in a record.
    pub(super) fn level(self) -> i16 {
        self.0
    }

    /// The version of `RegisterBrokerRecord`.
    pub(super) fn register_broker(self) -> i16 {
        match self {
            _ if self >= Self::V4_3_IV0 => 4,
            _ if self >= Self::V3_7_IV2 => 3,
            _ if self >= Self::V3_4_IV0 => 2,
            _ => 1,
        }
    }

    /// The version of `PartitionRecord`.
    pub(super) fn partition(self) -> i16 {
        // They got directories and eligible leader replicas together.
        self.partition_change()
    }

    /// The version of `PartitionChangeRecord`.
    pub(super) fn partition_change(self) -> i16 {
        match self {
            _ if self >= Self::V4_0_IV1 => 2,
            _ if self >= Self::V3_7_IV2 => 1,
            _ => 0,
        }
    }

    /// Whether it has forms of records that `before` has not (`MetadataVersion.checkIfMetadataChanged`).
    pub(super) fn changes_records_since(self, before: Self) -> bool {
        Self::CHANGES.iter().any(|level| (before.0 + 1..=self.0).contains(level))
    }

    /// Whether records can be grouped into transactions (KIP-868).
    pub(super) fn has_transactions(self) -> bool {
        self >= Self::V3_6_IV1
    }

    /// Whether controllers register (KIP-919).
    pub(super) fn has_controller_registration(self) -> bool {
        self >= Self::V3_7_IV0
    }

    /// Whether brokers tell of their log directories (KIP-858).
    pub(super) fn has_directories(self) -> bool {
        self >= Self::V3_7_IV2
    }

    /// Whether brokers tell of cordoned log directories (KIP-1066).
    pub(super) fn has_cordoned_directories(self) -> bool {
        self >= Self::V4_3_IV0
    }
}

#[cfg(test)]
mod tests {
    use super::MetadataVersion;
    use crate::broker::image::Image;

    fn at(level: i16) -> MetadataVersion {
        let features = [("metadata.version".into(), level)].into();
        let version = MetadataVersion::of(&Image { features, ..Image::default() });
        assert_eq!(version, MetadataVersion::at(level));
        version
    }

    #[test]
    fn records_have_the_versions_of_their_level() {
        let versions = |level| (at(level).register_broker(), at(level).partition_change());
        assert_eq!(versions(30), (4, 2));
        assert_eq!(versions(25), (3, 2));
        assert_eq!(versions(20), (3, 1));
        assert_eq!(versions(16), (2, 0));
        assert_eq!(versions(7), (1, 0));
        assert_eq!(MetadataVersion::of(&Image::default()), at(7));
        assert!(at(19).changes_records_since(at(16)) && at(17).changes_records_since(at(16)));
        assert!(!at(19).changes_records_since(at(17)) && !at(30).changes_records_since(at(30)));
        assert!(!at(16).changes_records_since(at(19)));
        assert!(at(13).has_transactions() && !at(12).has_transactions());
        assert!(at(15).has_controller_registration() && !at(14).has_controller_registration());
        assert!(at(30).has_cordoned_directories() && !at(29).has_cordoned_directories());
    }
}
