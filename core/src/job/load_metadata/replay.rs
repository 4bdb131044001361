//! Applies the batches of the metadata log, or of a snapshot, to a draft of the image.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Registration;
use crate::batch::{BatchView, Record, RecordFault};
use crate::broker::image::Image;
use crate::broker::image_builder::{ApplyError, ImageBuilder};
use crate::event::{Event, Severity};
use crate::records::{ControlRecord, MetadataRecord, RecordError};

/// Why a batch whose CRC is right cannot be applied: it was written like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplayFault {
    #[error("it is compressed, which batches of the metadata log never are")]
    Compressed,
    #[error("{0}")]
    Records(#[from] RecordFault),
    #[error("the record at offset {offset} has no value")]
    NoValue { offset: i64 },
    #[error("the record at offset {offset} is damaged: {error}")]
    Record { offset: i64, error: RecordError },
    #[error("the control record at offset {offset} is damaged: {error}")]
    Control { offset: i64, error: RecordError },
    #[error("at offset {offset} a transaction begins inside another")]
    NestedTransaction { offset: i64 },
    #[error("at offset {offset} a transaction ends that has not begun")]
    NoTransaction { offset: i64 },
}

/// A draft, and what of the log has no place in it yet.
#[derive(Debug)]
pub(super) struct Replay {
    builder: ImageBuilder,
    /// Records of the open transaction, with their offsets: they count at its end, or never.
    transaction: Option<Vec<(i64, MetadataRecord)>>,
    /// Types and versions that have had their event.
    unknown: BTreeSet<(u64, u64)>,
    has_unknown: bool,
    /// How many records did not fit the draft.
    misfits: u64,
    /// This node's.
    registrations: Vec<Registration>,
    events: Vec<Event>,
}

/// What a replay gave.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) image: Image,
    /// This node's.
    pub(super) registrations: Vec<Registration>,
    pub(super) ends_in_transaction: bool,
    /// Some were not understood.
    pub(super) has_unknown: bool,
    pub(super) events: Vec<Event>,
}

impl Replay {
    pub(super) fn new(builder: ImageBuilder) -> Self {
        Self {
            builder,
            transaction: None,
            unknown: BTreeSet::new(),
            has_unknown: false,
            misfits: 0,
            registrations: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Applies the records of `batch` from offset `from` on; `bytes` are the batch's.
    pub(super) fn batch(
        &mut self,
        batch: &BatchView<'_>,
        bytes: &Bytes,
        from: i64,
    ) -> Result<(), ReplayFault> {
        let header = batch.header();
        if header.last_offset() < from {
            return Ok(());
        }
        for record in batch.records().ok_or(ReplayFault::Compressed)? {
            let record = record?;
            let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
            if offset < from {
                continue;
            }
            if header.attributes.is_control() {
                self.control(&record, bytes, offset)?;
            } else {
                self.data(&record, bytes, offset)?;
            }
            if self.transaction.is_none() {
                self.builder.advance_to(offset);
            }
        }
        Ok(())
    }

    /// Everything below `end_offset` has been applied. A snapshot's records have offsets of their
    /// own, which say nothing.
    pub(super) fn end_snapshot(&mut self, end_offset: i64) {
        for registration in &mut self.registrations {
            registration.made.clear();
        }
        self.builder.advance_to(end_offset.saturating_sub(1));
    }

    /// The image; a transaction that is still open counts for nothing.
    pub(super) fn finish(mut self) -> Replayed {
        if self.misfits > 1 {
            let text = format!("{} more metadata records do not fit", self.misfits - 1);
            self.events.push(Event::Notice { severity: Severity::Warning, text });
        }
        if let Some(records) = &self.transaction {
            let text = format!(
                "the metadata log ends inside a transaction: its {} records are dropped",
                records.len()
            );
            self.events.push(Event::Notice { severity: Severity::Info, text });
        }
        let (image, said) = self.builder.finish();
        self.events.extend(said);
        Replayed {
            image,
            registrations: self.registrations,
            ends_in_transaction: self.transaction.is_some(),
            has_unknown: self.has_unknown,
            events: self.events,
        }
    }

    fn control(
        &mut self,
        record: &Record<'_>,
        bytes: &Bytes,
        offset: i64,
    ) -> Result<(), ReplayFault> {
        match control_record(record, bytes) {
            Ok(record) => self.builder.apply_control(&record),
            Err(RecordError::Unknown { record_type, version }) => {
                let text = format!(
                    "the control record of type {record_type} version {version} at offset \
                     {offset} of the metadata log is skipped"
                );
                self.events.push(Event::Notice { severity: Severity::Warning, text });
                self.has_unknown = true;
            }
            Err(error) => return Err(ReplayFault::Control { offset, error }),
        }
        Ok(())
    }

    fn data(&mut self, record: &Record<'_>, bytes: &Bytes, offset: i64) -> Result<(), ReplayFault> {
        let value = record.value.ok_or(ReplayFault::NoValue { offset })?;
        let record = match MetadataRecord::decode(&bytes.slice_ref(value)) {
            Ok(record) => record,
            Err(RecordError::Unknown { record_type, version }) => {
                self.unknown(u64::from(record_type), u64::from(version), offset);
                return Ok(());
            }
            Err(error) => return Err(ReplayFault::Record { offset, error }),
        };
        match (record, &mut self.transaction) {
            (MetadataRecord::BeginTransaction(_), Some(_)) => {
                return Err(ReplayFault::NestedTransaction { offset });
            }
            (MetadataRecord::BeginTransaction(_), none) => *none = Some(Vec::new()),
            (MetadataRecord::EndTransaction(_), _) => {
                let records = self.transaction.take();
                for (offset, record) in records.ok_or(ReplayFault::NoTransaction { offset })? {
                    self.apply(record, offset);
                }
            }
            (MetadataRecord::AbortTransaction(_), _) => {
                self.transaction.take().ok_or(ReplayFault::NoTransaction { offset })?;
            }
            (record, Some(records)) => records.push((offset, record)),
            (record, None) => self.apply(record, offset),
        }
        Ok(())
    }

    /// What does not fit is said once and counted: a damaged log may have very many.
    fn apply(&mut self, record: MetadataRecord, offset: i64) {
        match &record {
            MetadataRecord::RegisterBroker(registration)
                if registration.broker_id == self.builder.draft().node_id =>
            {
                self.registrations.push(Registration {
                    incarnation_id: registration.incarnation_id,
                    log_dirs: registration.log_dirs.clone(),
                    made: BTreeSet::new(),
                });
            }
            MetadataRecord::Partition(partition) => {
                if let Some(last) = self.registrations.last_mut() {
                    last.made.insert((partition.topic_id, partition.partition_id));
                }
            }
            _ => {}
        }
        let Err(misfit) = self.builder.apply(record) else { return };
        self.misfits += 1;
        if self.misfits == 1 {
            self.events.push(misfit_event(&misfit, offset));
        }
    }

    fn unknown(&mut self, record_type: u64, version: u64, offset: i64) {
        self.has_unknown = true;
        if self.unknown.insert((record_type, version)) {
            self.events.push(Event::UnknownMetadataRecord { record_type, version, offset });
        }
    }
}

fn misfit_event(misfit: &ApplyError, offset: i64) -> Event {
    let text = format!("the metadata record at offset {offset} is skipped: {misfit}");
    Event::Notice { severity: Severity::Warning, text }
}

/// Reads a control record, whose bytes are a part of `bytes`.
pub(super) fn control_record(
    record: &Record<'_>,
    bytes: &Bytes,
) -> Result<ControlRecord, RecordError> {
    let shared = |field: Option<&[u8]>| bytes.slice_ref(field.unwrap_or_default());
    ControlRecord::decode(&shared(record.key), &shared(record.value))
}
