//! What the metadata log holds and this broker has no use for: quotas, access control, credentials,
//! tokens, controllers. It is kept as it came, so that a snapshot has it for those who do.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use crate::ids::Uuid;
use crate::records::MetadataRecord;

/// The last record about each thing. As many as the log has given and not taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OtherRecords {
    /// Shared by images, since it seldom changes.
    records: Arc<BTreeMap<Subject, MetadataRecord>>,
}

/// What a record is about, in the order in which Kafka's snapshots have them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The former migration from ZooKeeper. Kafka 4 leaves it out.
    ZkMigration,
    /// A controller's registration, by its node id.
    Controller(i32),
    /// Whom a quota limits, by type, and which quota (`ClientQuotaImage.dataToEntity`).
    Quota(BTreeMap<String, Option<String>>, String),
    /// An access control entry, by its id.
    AccessControlEntry(Uuid),
    /// Mechanism and user of a SCRAM credential.
    ScramCredential(i8, String),
    /// A delegation token, by its id.
    DelegationToken(String),
}

/// What a record does to the last one about its subject.
enum Step {
    Replace(Subject),
    Remove(Subject),
}

impl OtherRecords {
    /// Applies a record of these kinds; any other changes nothing.
    pub(crate) fn apply(&mut self, record: MetadataRecord) {
        match step(&record) {
            Some(Step::Replace(subject)) => {
                Arc::make_mut(&mut self.records).insert(subject, record);
            }
            Some(Step::Remove(subject)) if self.records.contains_key(&subject) => {
                Arc::make_mut(&mut self.records).remove(&subject);
            }
            Some(Step::Remove(_)) | None => {}
        }
    }

    /// None is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The first record whose subject lies behind `after`.
    pub(crate) fn next(&self, after: Option<&Subject>) -> Option<(&Subject, &MetadataRecord)> {
        super::sorted::next(&self.records, after)
    }
}

/// The one place that says which records are kept, and what takes them away.
fn step(record: &MetadataRecord) -> Option<Step> {
    Some(match record {
        MetadataRecord::ZkMigrationState(_) => Step::Replace(Subject::ZkMigration),
        MetadataRecord::RegisterController(it) => {
            Step::Replace(Subject::Controller(it.controller_id))
        }
        MetadataRecord::UnregisterController(it) => {
            Step::Remove(Subject::Controller(it.controller_id))
        }
        MetadataRecord::ClientQuota(it) => {
            let part =
                |it: &crate::records::EntityData| (it.entity_type.clone(), it.entity_name.clone());
            let subject = Subject::Quota(it.entity.iter().map(part).collect(), it.key.clone());
            if it.remove { Step::Remove(subject) } else { Step::Replace(subject) }
        }
        MetadataRecord::AccessControlEntry(it) => Step::Replace(Subject::AccessControlEntry(it.id)),
        MetadataRecord::RemoveAccessControlEntry(it) => {
            Step::Remove(Subject::AccessControlEntry(it.id))
        }
        MetadataRecord::UserScramCredential(it) => {
            Step::Replace(Subject::ScramCredential(it.mechanism, it.name.clone()))
        }
        MetadataRecord::RemoveUserScramCredential(it) => {
            Step::Remove(Subject::ScramCredential(it.mechanism, it.name.clone()))
        }
        MetadataRecord::DelegationToken(it) => {
            Step::Replace(Subject::DelegationToken(it.token_id.clone()))
        }
        MetadataRecord::RemoveDelegationToken(it) => {
            Step::Remove(Subject::DelegationToken(it.token_id.clone()))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::records::{
        AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, EntityData, NoOpRecord,
        RegisterControllerRecord, RemoveAccessControlEntryRecord, RemoveDelegationTokenRecord,
        RemoveUserScramCredentialRecord, UnregisterControllerRecord, UserScramCredentialRecord,
        ZkMigrationStateRecord,
    };

    fn kept(records: impl IntoIterator<Item = MetadataRecord>) -> Vec<MetadataRecord> {
        let mut others = OtherRecords::default();
        records.into_iter().for_each(|record| others.apply(record));
        let mut kept = Vec::new();
        let mut last = None;
        while let Some((subject, record)) = others.next(last) {
            kept.push(record.clone());
            last = Some(subject);
        }
        assert_eq!(others.is_empty(), kept.is_empty());
        kept
    }

    fn quota(entity: &[(&str, Option<&str>)], value: f64) -> ClientQuotaRecord {
        let part = |(entity_type, name): &(&str, Option<&str>)| EntityData {
            entity_type: (*entity_type).to_string(),
            entity_name: name.map(ToString::to_string),
        };
        ClientQuotaRecord {
            entity: entity.iter().map(part).collect(),
            key: "producer_byte_rate".to_string(),
            value,
            remove: false,
        }
    }

    #[test]
    fn each_kind_is_kept_until_its_counterpart_comes() {
        let id = Uuid([4; 16]);
        let user = || "u".to_string();
        let entity = quota(&[("user", Some("u"))], 7.0);
        let pairs: [(MetadataRecord, MetadataRecord); 5] = [
            (
                RegisterControllerRecord { controller_id: 3, ..Default::default() }.into(),
                UnregisterControllerRecord { controller_id: 3 }.into(),
            ),
            (entity.clone().into(), ClientQuotaRecord { remove: true, ..entity }.into()),
            (
                AccessControlEntryRecord { id, ..Default::default() }.into(),
                RemoveAccessControlEntryRecord { id }.into(),
            ),
            (
                UserScramCredentialRecord { name: user(), mechanism: 1, ..Default::default() }
                    .into(),
                RemoveUserScramCredentialRecord { name: user(), mechanism: 1 }.into(),
            ),
            (
                DelegationTokenRecord { token_id: user(), ..Default::default() }.into(),
                RemoveDelegationTokenRecord { token_id: user() }.into(),
            ),
        ];
        for (record, removal) in &pairs {
            let alone = core::slice::from_ref(record);
            assert_eq!(kept(alone.to_vec()), alone);
            assert_eq!(kept([record.clone(), removal.clone()]), []);
            assert_eq!(kept([removal.clone(), record.clone()]), alone);
        }
        let all: Vec<MetadataRecord> = pairs.iter().map(|(record, _)| record.clone()).collect();
        assert_eq!(kept(all.iter().rev().cloned()), all);
    }

    #[test]
    fn later_record_about_the_same_replaces_the_earlier() {
        let credential = |mechanism, iterations| UserScramCredentialRecord {
            mechanism,
            iterations,
            ..UserScramCredentialRecord::default()
        };
        let given = [credential(2, 4096), credential(1, 1), credential(1, 8192)];
        let last = [credential(1, 8192).into(), credential(2, 4096).into()];
        assert_eq!(kept(given.map(MetadataRecord::from)), last);

        let states = [2, 3].map(|zk_migration_state| ZkMigrationStateRecord { zk_migration_state });
        assert_eq!(kept(states.clone().map(MetadataRecord::from)), [states[1].clone().into()]);
    }

    #[test]
    fn order_of_a_quotas_entity_makes_no_difference() {
        let one = quota(&[("user", None), ("client-id", Some("c"))], 1.0);
        let same = quota(&[("client-id", Some("c")), ("user", None)], 2.0);
        let other = quota(&[("client-id", Some("c"))], 3.0);
        assert_eq!(
            kept(vec![one.into(), same.clone().into(), other.clone().into()]),
            [other.into(), same.into()]
        );
    }

    #[test]
    fn what_says_nothing_and_what_has_its_own_place_is_not_kept() {
        assert_eq!(kept([NoOpRecord {}.into()]), []);
        assert_eq!(kept([crate::records::TopicRecord::default().into()]), []);
    }
}
