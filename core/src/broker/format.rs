//! What a log directory holds before its first start (`kafka-storage format --standalone`), byte for
//! byte, and what of it the first start reads.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::metadata_version::{METADATA_VERSION, MetadataVersion};
use crate::batch::{BatchBuilder, BatchView, Step, next_batch};
use crate::config::{Config, Listener};
use crate::ids::Uuid;
use crate::records::{
    ControlRecord, FeatureLevelRecord, KRaftVersionFeature, KRaftVersionRecord, MetadataRecord,
    SnapshotFooterRecord, SnapshotHeaderRecord, Voter, VoterEndpoint, VotersRecord,
};

/// The records that an empty metadata log begins with, as a snapshot in the log directory.
pub(super) const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";

/// The snapshot of an empty metadata log, in its directory: the quorum's voters.
pub(super) const VOTERS_CHECKPOINT: &str = "00000000000000000000-0000000000.checkpoint";

/// `kraft.version` of what is formatted: voters stand in records (KIP-853), so that a Kafka with
/// `controller.quorum.bootstrap.servers` starts as well as one with `controller.quorum.voters`.
pub(super) const KRAFT_VERSION: i16 = 1;

/// The levels beside `metadata.version` that Kafka 4.3 formats with.
const FEATURES: [(&str, i16); 5] = [
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// Snapshots have no leader: their batches carry this epoch.
const SNAPSHOT_EPOCH: i32 = 0;

/// The content of [`BOOTSTRAP_CHECKPOINT`].
pub(super) fn bootstrap_checkpoint(now_ms: i64) -> Vec<u8> {
    let mut features = vec![(METADATA_VERSION, MetadataVersion::LATEST.level())];
    features.extend(FEATURES);
    let mut records = BatchBuilder::new();
    for (name, feature_level) in &features {
        let record = MetadataRecord::from(FeatureLevelRecord {
            name: (*name).to_owned(),
            feature_level: *feature_level,
        });
        records.append(now_ms, None, Some(&record.encode(0)));
    }
    let end = 1 + i64::from(records.record_count());
    // Nothing was in any log yet: the header has no time.
    let mut bytes = control(&[header(0)], now_ms).encode(0, SNAPSHOT_EPOCH);
    bytes.extend(records.encode(1, SNAPSHOT_EPOCH));
    bytes.extend(control(&[footer()], now_ms).encode(end, SNAPSHOT_EPOCH));
    bytes
}

/// The content of [`VOTERS_CHECKPOINT`].
pub(super) fn voters_checkpoint(voters: VotersRecord, now_ms: i64) -> Vec<u8> {
    let version = KRaftVersionRecord { version: 0, kraft_version: KRAFT_VERSION };
    let records =
        [header(now_ms), ControlRecord::KRaftVersion(version), ControlRecord::KRaftVoters(voters)];
    let mut bytes = control(&records, now_ms).encode(0, SNAPSHOT_EPOCH);
    let end = records.len() as i64;
    bytes.extend(control(&[footer()], now_ms).encode(end, SNAPSHOT_EPOCH));
    bytes
}

/// The quorum: this node alone, known by the directory of its metadata log.
pub(super) fn voters(config: &Config, directory_id: Uuid) -> VotersRecord {
    let Listener { name, host, port } = config.controller.clone();
    let voter = Voter {
        voter_id: config.node_id,
        voter_directory_id: directory_id,
        endpoints: vec![VoterEndpoint { name, host, port }],
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION,
        },
    };
    VotersRecord { version: 0, voters: vec![voter] }
}

/// What an empty log begins with when there is no [`BOOTSTRAP_CHECKPOINT`]: the level alone.
pub(super) fn default_bootstrap() -> Vec<MetadataRecord> {
    let level = FeatureLevelRecord {
        name: METADATA_VERSION.to_owned(),
        feature_level: MetadataVersion::LATEST.level(),
    };
    vec![level.into()]
}

/// Reads the records of a [`BOOTSTRAP_CHECKPOINT`]; the error names the position.
pub(super) fn read_bootstrap(content: &Bytes) -> Result<Vec<MetadataRecord>, String> {
    let mut records = Vec::new();
    let mut rest = content.clone();
    while !rest.is_empty() {
        let position = content.len() - rest.len();
        let failed = |reason: String| format!("batch at position {position}: {reason}");
        let size = match next_batch(&rest, rest.len()) {
            Step::Batch(batch) => {
                batch.verify_crc().map_err(|fault| failed(format!("{fault}")))?;
                read_batch(&batch, &rest, &mut records).map_err(failed)?;
                batch.size()
            }
            Step::Invalid(fault) => return Err(failed(format!("{fault}"))),
            Step::Legacy(_) => return Err(failed("an old message format".to_owned())),
            Step::HeaderIncomplete { .. } | Step::BodyIncomplete { .. } => {
                return Err(failed("the file ends inside it".to_owned()));
            }
        };
        rest = rest.split_off(size);
    }
    Ok(records)
}

fn read_batch(
    batch: &BatchView<'_>,
    bytes: &Bytes,
    records: &mut Vec<MetadataRecord>,
) -> Result<(), String> {
    if batch.header().attributes.is_control() {
        return Ok(());
    }
    for record in batch.records().ok_or("it is compressed")? {
        let record = record.map_err(|fault| format!("{fault}"))?;
        let value = record.value.ok_or("a record has no value")?;
        let record = MetadataRecord::decode(&bytes.slice_ref(value));
        records.push(record.map_err(|error| format!("{error}"))?);
    }
    Ok(())
}

fn header(last_contained_log_timestamp: i64) -> ControlRecord {
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp };
    ControlRecord::SnapshotHeader(header)
}

fn footer() -> ControlRecord {
    ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0 })
}

fn control(records: &[ControlRecord], now_ms: i64) -> BatchBuilder {
    let mut batch = BatchBuilder::new().control();
    for record in records {
        let (key, value) = record.encode();
        batch.append(now_ms, Some(&key), Some(&value));
    }
    batch
}
