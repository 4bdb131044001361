//! The metadata log as its only writer has it.
//!
//! Changes queue. When none is in flight, all that wait are checked one after another against a
//! draft of the image, written in a few batches, and synced at once, whatever the broker's
//! durability: the draft becomes the image when it is durable, and nothing of it is seen before.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::configs::ConfigChanges;
use super::image::{Image, Topic};
use super::image_builder::ImageBuilder;
use super::registration::Join;
use super::topics::{CreatePartitions, CreateTopics, DeleteTopics, Placement};
use super::unregister_broker::plan_unregistration;
use super::update_features::FeatureChange;
use super::{Broker, Output, Waiter};
use crate::api::alter_partition_reassignments::AlterPartitionReassignmentsRequest;
use crate::batch::{BatchBuilder, CheckedBatch};
use crate::config::limits::{
    METADATA_BATCH_RECORDS_MAX, METADATA_FLIGHT_RECORDS, METADATA_OPERATION_BYTES_MAX,
    METADATA_OPERATION_RECORDS_MAX,
};
use crate::event::Event;
use crate::ids::{ConnectionId, LogId, RequestNumber, Uuid};
use crate::log::Level;
use crate::records::{ConfigRecord, ControlRecord, MetadataRecord};
use crate::request::{Response, ResponseBody};
use crate::time::{Instant, Millis};

/// The metadata topic's name.
pub(super) const METADATA_TOPIC: &str = "__cluster_metadata";

/// A change of the cluster that waits for its turn.
#[derive(Debug)]
pub(super) enum Change {
    /// This node begins to lead the quorum, and registers itself.
    Join(Join),
    /// This node gives its partitions up and is fenced: a clean stop.
    Leave,
    /// This node takes a block of producer ids.
    ProducerIds,
    /// A client asked for other levels of features, which may take control records of the quorum.
    Features(FeatureChange),
    /// Topics are made that a client has asked for by their names.
    AutoCreate(Vec<String>),
    /// What a client asked for, answered when it is durable.
    Asked(Asked),
}

/// A change that a client asked for.
#[derive(Debug)]
pub(super) struct Asked {
    from: ConnectionId,
    number: RequestNumber,
    what: AskedChange,
}

/// What a client may change.
#[derive(Debug)]
pub(super) enum AskedChange {
    /// The end of a broker's registration.
    UnregisterBroker(i32),
    /// Other replicas of partitions.
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    /// New topics.
    CreateTopics(CreateTopics),
    /// Topics go.
    DeleteTopics(DeleteTopics),
    /// Topics grow.
    CreatePartitions(CreatePartitions),
    /// Other settings.
    AlterConfigs(ConfigChanges),
}

impl Change {
    /// What it holds while it waits, about; 0 for what is small.
    fn bytes(&self) -> usize {
        match self {
            Self::Asked(Asked { what: AskedChange::CreateTopics(asked), .. }) => asked.bytes(),
            _ => 0,
        }
    }

    /// True when it makes a topic of a name that one had which the draft deletes: the old one's logs must
    /// be on their way out before the new one's are made.
    fn waits_for_landing(&self, present: &Image, draft: &Draft) -> bool {
        self.new_names()
            .any(|name| present.topics.contains_key(name) && draft.topic(name).is_none())
    }

    /// The topics that it makes, or that get new partitions.
    fn new_names(&self) -> impl Iterator<Item = &str> {
        let names: Vec<&str> = match self {
            Self::AutoCreate(names) => names.iter().map(String::as_str).collect(),
            Self::Asked(Asked { what, .. }) => match what {
                AskedChange::CreateTopics(asked) => asked.names().collect(),
                AskedChange::CreatePartitions(asked) => asked.names().collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        names.into_iter()
    }
}

/// Records, each with the version that it is written in.
pub(super) type Records = Vec<(MetadataRecord, i16)>;

/// What a record without a text of any length takes in the log, at most.
const RECORD_BYTES: usize = 512;

/// Whether records of these sizes are more than one request may write: they go out in one batch.
pub(super) fn are_excessive(sizes: impl Iterator<Item = usize>) -> bool {
    let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    count > METADATA_OPERATION_RECORDS_MAX || bytes > METADATA_OPERATION_BYTES_MAX
}

/// What Kafka says of such a request.
pub(super) const EXCESSIVE: &str = "Unable to perform excessively large batch operation.";

/// What a record takes in the log, about.
pub(super) fn record_bytes(record: &MetadataRecord) -> usize {
    match record {
        MetadataRecord::Config(setting) => setting_bytes(setting),
        _ => RECORD_BYTES,
    }
}

/// What the record of a setting takes in the log, about.
pub(super) fn setting_bytes(record: &ConfigRecord) -> usize {
    let value = record.value.as_ref().map_or(0, String::len);
    record.resource_name.len() + record.name.len() + value
}

/// What a change comes to: all of its records, or none.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) records: Records,
    pub(super) answer: ResponseBody,
}

impl Planned {
    /// Nothing changes.
    pub(super) fn nothing(answer: ResponseBody) -> Self {
        Self { records: Records::new(), answer }
    }
}

/// The queue of changes, and what of it is in flight.
#[derive(Debug)]
pub(super) struct MetadataLog {
    log: LogId,
    /// The quorum's, since this start: the leader epoch of what is written.
    epoch: i32,
    waiting: VecDeque<Change>,
    /// The draft that is being made durable.
    flight: Option<Flight>,
}

/// What is being made durable, and who is told when it is.
#[derive(Debug)]
struct Flight {
    image: Arc<Image>,
    /// Of the log.
    bytes: u64,
    /// Milliseconds since the epoch.
    appended_ms: i64,
    /// The topics that are not as they are in the present image.
    touched: BTreeSet<Uuid>,
    /// What is left to be done are the directories of new logs.
    is_durable: bool,
    answers: Vec<Answer>,
    /// What was to be made without being answered.
    auto_created: Vec<String>,
}

type Answer = (ConnectionId, Response);

impl MetadataLog {
    pub(super) fn new(log: LogId, epoch: i32) -> Self {
        Self { log, epoch, waiting: VecDeque::new(), flight: None }
    }

    pub(super) fn log(&self) -> LogId {
        self.log
    }

    /// The quorum's epoch.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// True when nothing waits and nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flight.is_none()
    }
}

impl Broker {
    /// Queues a change of the cluster.
    pub(super) fn change_metadata(&mut self, change: Change) {
        let metadata = self.metadata.as_mut().expect("the metadata log is loaded");
        metadata.waiting.push_back(change);
        self.start_metadata_flight();
    }

    /// Whether a request that holds so many bytes may wait for its turn: all of them together have a
    /// bound, and one alone always fits.
    pub(super) fn has_room_for_change(&self, bytes: usize) -> bool {
        let waiting = self.metadata.iter().flat_map(|metadata| &metadata.waiting);
        let held: usize = waiting.map(Change::bytes).sum();
        held == 0 || held + bytes <= self.config.limits.changes_waiting_bytes_max
    }

    /// Until when a change may wait for its turn; `None` for a client that gives it no time, which is refused
    /// at once.
    pub(super) fn change_deadline(&self, timeout_ms: i32) -> Option<Instant> {
        let wait_ms = u64::try_from(timeout_ms).ok().filter(|wait_ms| *wait_ms > 0)?;
        Some(self.now.mono + Millis(wait_ms))
    }

    /// Queues what a client asks for.
    pub(super) fn ask_for_change(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        what: AskedChange,
    ) {
        self.change_metadata(Change::Asked(Asked { from, number, what }));
    }

    /// What was in flight is durable: the logs that it brings are made.
    pub(super) fn note_durable_flight(&mut self) {
        let flight = self.metadata.as_mut().and_then(|metadata| metadata.flight.as_mut());
        let flight = flight.expect("a flight lands once");
        flight.is_durable = true;
        let (image, touched) = (Arc::clone(&flight.image), flight.touched.clone());
        self.make_new_logs(&image, &touched);
        self.land_metadata_flight();
    }

    /// The draft is the image, if it is durable and its logs are made.
    pub(super) fn land_metadata_flight(&mut self) {
        let Some(metadata) = &mut self.metadata else { return };
        let are_made = self.new_logs.are_made();
        let Some(flight) = metadata.flight.take_if(|flight| flight.is_durable && are_made) else {
            return;
        };
        let before = self.image.next_producer_id;
        let Flight { image, bytes, appended_ms, answers, touched, auto_created, .. } = flight;
        self.apply_topic_configs(&image);
        let present = Arc::clone(&self.image);
        for id in touched.iter().filter(|id| !image.topics_by_id.contains_key(id)) {
            if let Some(topic) = present.topics_by_id.get(id) {
                self.leave_topic(topic);
                self.note_deleted_topic(&topic.name, topic.id);
            }
        }
        self.take_new_logs();
        self.image = image;
        self.snapshots.note_change(bytes, appended_ms);
        self.take_producer_ids(before..self.image.next_producer_id);
        self.end_auto_creations(&auto_created);
        self.answer_asked(answers);
        self.start_metadata_flight();
        self.finish_joining();
        self.write_due_snapshot();
    }

    fn answer_asked(&mut self, answers: Vec<Answer>) {
        for (to, response) in answers {
            if self.connections.contains_key(&to) {
                self.respond(to, response);
            }
        }
    }

    /// What a change comes to, as the draft stands.
    fn plan(
        &mut self,
        what: AskedChange,
        draft: &Draft,
        placement: &mut Option<Placement>,
    ) -> Planned {
        match what {
            AskedChange::UnregisterBroker(broker_id) => plan_unregistration(broker_id, draft),
            AskedChange::AlterPartitionReassignments(request) => {
                self.plan_reassignments(request, draft)
            }
            AskedChange::CreateTopics(asked) => {
                let placement = self.counted(placement);
                self.plan_create_topics(asked, draft, placement)
            }
            AskedChange::DeleteTopics(asked) => self.plan_delete_topics(asked, draft),
            AskedChange::CreatePartitions(asked) => {
                let placement = self.counted(placement);
                self.plan_create_partitions(asked, draft, placement)
            }
            AskedChange::AlterConfigs(changes) => Self::plan_config_changes(changes, draft),
        }
    }

    /// Takes up what waits, if nothing is in flight.
    pub(super) fn start_metadata_flight(&mut self) {
        let Some(metadata) = &mut self.metadata else { return };
        if metadata.flight.is_some() || metadata.waiting.is_empty() {
            return;
        }
        let (log_id, epoch) = (metadata.log, metadata.epoch);
        let mut waiting = mem::take(&mut metadata.waiting);
        if waiting.front().is_some_and(|change| !self.are_free(change.new_names())) {
            if let Some(metadata) = &mut self.metadata {
                metadata.waiting = waiting;
            }
            return;
        }
        // Offline: the broker is about to stop.
        let Some(live) = self.logs.get(&log_id) else { return };
        let builder =
            ImageBuilder::new(Image::clone(&self.image), self.config.topic_defaults.clone());
        let mut draft = Draft::new(builder, live.log.accepted_end(), self.now.wall_ms);
        let (mut answers, mut auto_created) = (Vec::new(), Vec::new());
        let mut placement = None;
        while let Some(change) = waiting.pop_front() {
            if draft.is_full()
                || change.waits_for_landing(&self.image, &draft)
                || !self.are_free(change.new_names())
            {
                waiting.push_front(change);
                break;
            }
            match change {
                Change::Join(join) => self.draft_join(join, &mut draft),
                Change::Leave => self.draft_leave(&mut draft),
                Change::ProducerIds => self.draft_producer_ids(&mut draft),
                Change::Features(change) => {
                    let answer = self.draft_features(&change, &mut draft);
                    let (number, body) = (change.number, ResponseBody::UpdateFeatures(answer));
                    answers.push((change.from, Response { number, body }));
                }
                Change::AutoCreate(names) => {
                    let placement = self.counted(&mut placement);
                    let records = self.plan_auto_creation(&names, &draft, placement);
                    draft.push_whole(records);
                    auto_created.extend(names);
                }
                Change::Asked(Asked { from, number, what }) => {
                    let Planned { records, answer } = self.plan(what, &draft, &mut placement);
                    draft.push_whole(records);
                    answers.push((from, Response { number, body: answer }));
                }
            }
        }
        let Drafted { image, touched, batches, event } = draft.finish();
        self.outputs.extend(event.map(Output::Event));
        if let Some(metadata) = &mut self.metadata {
            metadata.waiting = waiting;
        }
        let Some(live) = self.logs.get_mut(&log_id) else { return };
        let mut last_offset = None;
        let mut bytes = 0;
        let mut effects = mem::take(&mut self.log_effects);
        for batch in batches {
            bytes += u64::from(batch.info().size);
            let appended =
                live.log.append(batch, epoch, self.now, &mut self.numbering, &mut effects);
            last_offset = Some(appended.last_offset);
        }
        self.emit_log_effects(log_id, effects);
        let (Some(last_offset), Some(metadata)) = (last_offset, &mut self.metadata) else {
            // Nothing changes.
            self.end_auto_creations(&auto_created);
            return self.answer_asked(answers);
        };
        let appended_ms = self.now.wall_ms;
        metadata.flight = Some(Flight {
            image: Arc::new(image),
            bytes,
            appended_ms,
            touched,
            is_durable: false,
            answers,
            auto_created,
        });
        self.waits.add(log_id, Level::Synced, last_offset, Waiter::Metadata);
    }
}

/// Records to be written, and the image that they make.
#[derive(Debug)]
pub(super) struct Draft {
    builder: ImageBuilder,
    begun_at: i64,
    next_offset: i64,
    timestamp_ms: i64,
    batches: Vec<CheckedBatch>,
    /// The batch that takes the next record.
    open: Option<BatchBuilder>,
}

#[derive(Debug)]
struct Drafted {
    image: Image,
    touched: BTreeSet<Uuid>,
    batches: Vec<CheckedBatch>,
    event: Option<Event>,
}

impl Draft {
    fn new(builder: ImageBuilder, next_offset: i64, timestamp_ms: i64) -> Self {
        let (begun_at, batches) = (next_offset, Vec::new());
        Self { builder, begun_at, next_offset, timestamp_ms, batches, open: None }
    }

    /// The image so far. Its `topics` are made at the end: look at `topics_by_id`.
    pub(super) fn image(&self) -> &Image {
        self.builder.draft()
    }

    /// The offset of the next record.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The topic of that name, so far.
    pub(super) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.builder.topic(name)
    }

    /// Enough for one flight: more waits for the next.
    fn is_full(&self) -> bool {
        self.next_offset - self.begun_at >= METADATA_FLIGHT_RECORDS
    }

    /// The first topic whose name is `name` or above it, in the order of names.
    pub(super) fn topic_name_from(&self, name: &str) -> Option<&str> {
        self.builder.topic_name_from(name)
    }

    /// Adds a record that fits the image, to be written in `version` of its type.
    pub(super) fn push(&mut self, record: impl Into<MetadataRecord>, version: i16) {
        self.push_record(record.into(), version);
        self.end_full_batch();
    }

    /// Adds records that count together or not at all: they share a batch.
    pub(super) fn push_whole(&mut self, records: Records) {
        for (record, version) in records {
            self.push_record(record, version);
        }
        self.end_full_batch();
    }

    fn push_record(&mut self, record: MetadataRecord, version: i16) {
        let value = record.encode(version);
        self.builder.apply(record).expect("a change is checked before it is drafted");
        self.append(BatchBuilder::new, None, &value);
    }

    fn end_full_batch(&mut self) {
        let is_full = |open: &BatchBuilder| open.record_count() >= METADATA_BATCH_RECORDS_MAX;
        if self.open.as_ref().is_some_and(is_full) {
            self.end_batch();
        }
    }

    /// Adds a batch of control records.
    pub(super) fn push_control(&mut self, records: &[ControlRecord]) {
        self.end_batch();
        for record in records {
            self.builder.apply_control(record);
            let (key, value) = record.encode();
            self.append(|| BatchBuilder::new().control(), Some(&key), &value);
        }
        self.end_batch();
    }

    /// The next record begins a batch.
    pub(super) fn end_batch(&mut self) {
        self.batches.extend(self.open.take().map(BatchBuilder::build));
    }

    fn append(&mut self, begin: impl FnOnce() -> BatchBuilder, key: Option<&[u8]>, value: &[u8]) {
        let batch = self.open.get_or_insert_with(begin);
        batch.append(self.timestamp_ms, key, Some(value));
        self.builder.advance_to(self.next_offset);
        self.next_offset += 1;
    }

    fn finish(mut self) -> Drafted {
        self.end_batch();
        let touched = self.builder.touched().clone();
        let (image, event) = self.builder.finish();
        Drafted { image, touched, batches: self.batches, event }
    }
}
