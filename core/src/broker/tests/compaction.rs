//! Compaction: when, how new segments take the place of old ones, and who is in the way.

use alloc::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::api::fetch::{FetchPartition, FetchRequest, FetchTopic, Records};
use crate::batch::{BatchHeader, OpenBatch, Step, next_batch};
use crate::checkpoint::{CLEANER_FILE, OffsetCheckpoint};
use crate::job::JobOutcome;
use crate::log::Log;

/// The tests' own interval between two looks.
const BACKOFF: Millis = Millis(1_000);
const DELETE_DELAY: Millis = Millis(5_000);

fn compacting() -> Config {
    let mut config = config(&["/data"]);
    config.topic_defaults.segment_bytes = 200;
    config.topic_defaults.file_delete_delay_ms = DELETE_DELAY.0;
    config.topic_defaults.compacted = true;
    config.topic_defaults.deletes_old = false;
    config.topic_defaults.dirty_ppm_min = 0;
    config.cleaner.backoff_ms = BACKOFF.0;
    config.limits.synced_checkpoint_interval_ms = 100;
    config
}

fn record(key: &str, value: &str) -> CheckedBatch {
    let mut batch = BatchBuilder::new();
    batch.append(WALL_MS, Some(key.as_bytes()), Some(value.as_bytes()));
    batch.build()
}

/// Long enough to begin a segment of its own.
const ACTIVE: &str =
    "the one in the active segment ...................................................";

/// Some values of three keys, and one of another: two batches a segment.
fn values() -> Vec<(&'static str, &'static str)> {
    let old = ["a", "b", "c", "a", "b", "c", "a"].map(|key| (key, "an old value of this key"));
    let new = [("d", "the only one"), ("a", "new"), ("b", "new"), ("c", "new"), ("e", ACTIVE)];
    old.into_iter().chain(new).collect()
}

impl World {
    fn with_values(config: Config) -> Self {
        let mut world = Self::ready_as(config, 1);
        world.put(&values());
        world
    }

    fn put(&mut self, values: &[(&str, &str)]) {
        for (key, value) in values {
            self.produce_all(vec![(0, Some(record(key, value)))], Acks::All, 1_000);
            self.settle();
        }
    }

    /// Lets so much time pass, bit by bit, and everything come to its end.
    fn wait(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(200) {
            self.pass(Millis(200));
            self.settle();
        }
    }

    fn log(&self) -> &Log {
        &self.broker.logs.values().find(|live| live.topic_id == TOPIC).unwrap().log
    }

    /// Key and value of each record, as the log's files have them.
    fn stored(&self) -> Vec<(String, String)> {
        let mut stored = Vec::new();
        for segment in self.log().segments() {
            let content = self.disk.get(segment.path(crate::log::FileSuffix::Log).as_str());
            let content = Bytes::copy_from_slice(content.expect("it is there"));
            assert_eq!(content.len() as u64, segment.size);
            let mut at = 0;
            while let Step::Batch(view) = next_batch(&content[at..], usize::MAX) {
                let open = OpenBatch::open(&view, &content, &Stored, 1 << 20).expect("sound");
                let text = |bytes: Option<&[u8]>| {
                    String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text")
                };
                let records = open.records().map(|it| it.expect("sound"));
                stored.extend(records.map(|it| (text(it.key), text(it.value))));
                at += view.size();
            }
        }
        stored
    }

    fn bases(&self) -> Vec<i64> {
        self.log().segments().iter().map(|segment| segment.base_offset).collect()
    }

    fn cleaned_to(&self) -> Option<i64> {
        let content = self.disk.get(&format!("/data/{CLEANER_FILE}"))?;
        OffsetCheckpoint::parse(content).expect("it is one").get("t", 0)
    }

    fn files_with(&self, suffix: &str) -> usize {
        self.disk.files().keys().filter(|path| path.strip_suffix(suffix).is_some()).count()
    }

    fn notices(&self) -> Vec<String> {
        let notices = self.events.iter().filter_map(|event| match event {
            Event::Notice { text, .. } => Some(text.clone()),
            _ => None,
        });
        notices.collect()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

const KEPT: [(&str, &str); 5] =
    [("d", "the only one"), ("a", "new"), ("b", "new"), ("c", "new"), ("e", ACTIVE)];

#[test]
fn dirty_log_is_compacted_and_the_old_files_go_later() {
    let mut world = World::with_values(compacting());
    world.wait(BACKOFF.0 + 400);
    assert_eq!(world.stored(), pairs(&KEPT));
    let active = *world.bases().last().unwrap();
    assert_eq!(world.cleaned_to(), Some(active));
    assert!(world.files_with(".log.deleted") > 3);
    world.wait(DELETE_DELAY.0 + 1_000);
    assert_eq!(world.files_with(".deleted"), 0);
    assert_eq!(world.notices().len(), 1, "nothing is left to do: {:?}", world.notices());
    assert!(world.notices()[0].contains(&format!("compacted up to offset {active}")));
}

#[test]
fn start_goes_on_where_the_last_compaction_ended() {
    let mut world = World::with_values(compacting());
    world.wait(BACKOFF.0 + 400);
    let cleaned = world.cleaned_to();
    for is_clean in [true, false] {
        if is_clean {
            world.broker.handle_shutdown(world.now);
            world.drain();
            world.settle();
            assert_eq!(world.stopped, Some(Exit::Clean));
        }
        world = World::serving(world.disk, compacting());
        assert_eq!(world.stored(), pairs(&KEPT));
        world.wait(3 * BACKOFF.0);
        assert_eq!((world.cleaned_to(), world.notices()), (cleaned, vec![]), "{is_clean}");
    }
}

#[test]
fn share_of_new_records_decides_or_their_age() {
    let mut config = compacting();
    config.topic_defaults.dirty_ppm_min = 500_000;
    let mut world = World::with_values(config.clone());
    world.wait(BACKOFF.0 + DELETE_DELAY.0 + 1_000);
    let cleaned = world.cleaned_to();
    world.put(&[("x", "1"), ("y", "1"), ("z", "1"), ("x", "2")]);
    world.wait(3 * BACKOFF.0);
    assert_eq!(world.cleaned_to(), cleaned, "too little is new");

    config.topic_defaults.compaction_lag_ms_max = 60_000;
    let mut world = World::serving(world.disk, config);
    world.wait(3 * BACKOFF.0);
    assert_eq!(world.cleaned_to(), cleaned);
    world.now.wall_ms += 60_001;
    world.wait(3 * BACKOFF.0);
    assert!(world.cleaned_to() > cleaned);
}

#[test]
fn records_within_the_least_lag_are_left_alone() {
    let mut config = compacting();
    config.topic_defaults.compaction_lag_ms_min = 60_000;
    let mut world = World::with_values(config);
    world.wait(3 * BACKOFF.0);
    assert_eq!((world.stored().len(), world.cleaned_to()), (values().len(), None));
    world.now.wall_ms += 60_000;
    world.wait(3 * BACKOFF.0);
    assert_eq!(world.stored(), pairs(&KEPT));
}

#[test]
fn nothing_is_compacted_where_it_is_switched_off_or_not_asked_for() {
    let mut off = compacting();
    off.cleaner.is_enabled = false;
    let mut plain = compacting();
    plain.topic_defaults.compacted = false;
    for config in [off, plain] {
        let mut world = World::with_values(config);
        world.wait(3 * BACKOFF.0);
        assert_eq!((world.stored().len(), world.files_with(CLEANER_FILE)), (values().len(), 0));
    }
}

#[test]
fn compaction_rests_when_it_has_read_and_written_enough() {
    let mut config = compacting();
    config.cleaner.io_bytes_per_second = Some(1_000);
    config.limits.job_piece_bytes = 100;
    let mut world = World::with_values(config);
    world.wait(BACKOFF.0 + 400);
    assert_eq!(world.cleaned_to(), None);
    world.wait(10_000);
    assert_eq!(world.stored(), pairs(&KEPT));
}

#[test]
fn checkpoint_out_of_range_counts_for_nothing() {
    for line in ["t 0 9999", "t 0 12\nt 0 -7", "gone 0 4\nt 0 500"] {
        let mut disk = disk(&topic(1));
        let count = line.lines().count();
        disk.put(&format!("/data/{CLEANER_FILE}"), format!("0\n{count}\n{line}\n"));
        let mut world = World::serving(disk, compacting());
        world.put(&values());
        world.wait(2 * BACKOFF.0);
        assert_eq!(world.stored(), pairs(&KEPT), "{line}");
        let text =
            String::from_utf8(world.disk.get("/data/cleaner-offset-checkpoint").unwrap().to_vec());
        assert!(!text.unwrap().contains("gone"));
    }
}

#[test]
fn damaged_log_is_told_once_and_left_alone() {
    let mut world = World::with_values(compacting());
    let path = "/data/t-0/00000000000000000000.log";
    let mut content = world.disk.get(path).unwrap().to_vec();
    *content.last_mut().unwrap() ^= 1;
    world.disk.put(path, content);
    world.wait(5 * BACKOFF.0);
    assert_eq!(world.notices().len(), 1, "{:?}", world.notices());
    assert!(world.notices()[0].contains("damage at position"), "{:?}", world.notices());
    assert_eq!(world.cleaned_to(), None);
    world.put(&[("x", "1")]);
    assert_eq!(world.stopped, None);
}

/// A reader asks for a cold offset, and while it looks the segment is replaced.
#[test]
fn reader_that_looked_into_an_old_segment_looks_again() {
    let mut config = compacting();
    config.topic_defaults.file_delete_delay_ms = 0;
    let mut world = World::with_values(config);
    let partition = FetchPartition {
        partition: 0,
        current_leader_epoch: -1,
        fetch_offset: 1,
        last_fetched_epoch: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topics =
        vec![FetchTopic { topic_id: TOPIC, partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest {
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics,
        ..FetchRequest::default()
    };
    world.ask(RequestBody::Fetch { version: 17, request });
    // Its read is the one that is out: it is carried out when all is over.
    let look_up = world.effects.pop().expect("it looks");
    assert!(world.effects.is_empty());
    world.wait(BACKOFF.0 + 400);
    assert_eq!(world.stored(), pairs(&KEPT));
    assert!(world.files_with(".log.deleted") > 0, "its file is kept");
    world.effects.push(look_up);
    world.settle();
    let Some((_, ResponseBody::Fetch(answer))) = world.responses.pop() else {
        panic!("none {:?}", world.effects)
    };
    let Records::File(range) = &answer.responses[0].partitions[0].records else {
        panic!("none {answer:?}")
    };
    let mut segments = world.log().segments().iter();
    let served = segments.find(|segment| segment.file.id == range.file.id);
    let segment = served.expect("what is there now is served");
    let content = world.disk.get(segment.path(crate::log::FileSuffix::Log).as_str()).unwrap();
    let header = BatchHeader::parse(&content[range.position as usize..]).expect("a batch begins");
    assert!(header.last_offset() >= 1 && header.base_offset >= 0);
}

#[test]
fn reader_of_a_replaced_segment_holds_the_next_compaction_back() {
    const READER: ConnectionId = ConnectionId(99);
    let mut config = compacting();
    config.topic_defaults.file_delete_delay_ms = 0;
    let mut world = World::with_values(config);
    let file = world.log().segments()[0].file.id;
    world.broker.pins.pin(READER, 0, file);
    world.wait(BACKOFF.0 + 400);
    let cleaned = world.cleaned_to();
    assert_eq!((world.stored(), world.files_with(".log.deleted")), (pairs(&KEPT), 1));
    world.put(&[("a", "newer"), ("b", "newer"), ("a", ACTIVE)]);
    world.wait(3 * BACKOFF.0);
    assert_eq!(world.cleaned_to(), cleaned, "the name is taken");
    let freed = world.broker.pins.release_all(READER);
    world.broker.emit_freed(freed);
    world.drain();
    world.settle();
    world.wait(3 * BACKOFF.0);
    assert!(world.cleaned_to() > cleaned);
    assert_eq!(world.files_with(".log.deleted"), 0);
}

#[test]
fn topic_may_be_deleted_while_it_is_compacted() {
    let mut world = World::with_values(compacting());
    world.holds_jobs = true;
    world.wait(BACKOFF.0 + 400);
    let (id, mut job) = world.jobs.pop().expect("it is compacted");
    let topic = Arc::clone(&world.broker.image().topics_by_id[&TOPIC]);
    world.broker.leave_topic(&topic);
    world.broker.settle();
    world.drain();
    world.settle();
    assert!(world.disk.has_directory("/data/t-0"), "a job works there");
    // As far as it comes.
    let result = world.disk.run(&mut job);
    assert!(matches!(result.outcome, JobOutcome::LogCompacted(_)));
    world.broker.handle_job(id, result, world.now);
    world.drain();
    world.settle();
    assert!(!world.disk.has_directory("/data/t-0"), "it gets its other name");
}

/// A broker compacts on a disk whose operations fail from the `fail_at`th on.
#[test]
fn kill_at_any_operation_loses_no_key() {
    for fail_at in 0.. {
        let mut world = World::with_values(compacting());
        world.disk.fail_at = Some(world.disk.trace.len() + fail_at);
        world.wait(2 * BACKOFF.0);
        let is_complete = world.stopped.is_none();
        let mut disk = world.disk;
        disk.fail_at = None;
        let mut again = World::serving(disk, compacting());
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        last.extend(again.stored());
        let expected: BTreeMap<String, String> = pairs(&values()).into_iter().collect();
        assert_eq!(last, expected, "{fail_at}");
        again.wait(2 * BACKOFF.0);
        assert_eq!(again.stored(), pairs(&KEPT), "{fail_at}");
        if is_complete {
            return;
        }
    }
}
