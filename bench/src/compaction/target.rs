//! A broker whose logs are compacted.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::checkpoint::{CLEANER_FILE, OffsetCheckpoint, SyncedCheckpoint, SyncedEnd};
use klamm_core::config::Durability;

use super::load::{Load, Records};
use crate::admin::{Admin, Resource, configured};
use crate::batches::{number, produce_frame};
use crate::nodes::{Node, Subject};
use crate::page_cache;
use crate::process::Served;
use crate::producers::{check, read_frame};
use crate::session::{Answers, connect, lost};
use crate::workloads::Settings;

/// Of every broker. What is not here is what both have by default: 128 MiB for keys, of which nine tenths are
/// filled, 512 KiB read and written at once, no limit of bytes a second.
const SETTINGS: Settings = &[
    ("log.cleaner.threads", "1"),
    ("log.cleaner.backoff.ms", "10"),
    ("log.cleaner.dedupe.buffer.size", "134217728"),
];
/// The same in words.
pub(super) const ABOUT_SETTINGS: &str = "log.cleaner.threads=1, backoff.ms=10, dedupe.buffer.size=128 MiB, \
                                         io.buffer.size=512 KiB";

/// Segments of a log.
pub(super) const SEGMENTS: usize = 16;
/// Kafka allows no smaller ones.
const SEGMENT_BYTES_MIN: usize = 1 << 20;
/// Under way while a log is written.
const IN_FLIGHT: usize = 5;
/// No log takes this long.
const PATIENCE: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(1);

/// One that runs.
pub(super) struct Target<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) served: Served,
    node: Node,
    admin: Admin,
    /// Logs so far.
    logs: usize,
}

/// A log that is written, and is to be compacted.
pub(super) struct Dirty {
    topic: String,
    /// Where its files lie.
    pub(super) directory: PathBuf,
    /// The key of each record.
    pub(super) keys: Vec<u32>,
    /// Where its active segment begins.
    pub(super) end: i64,
    /// Of the segments before that one.
    pub(super) bytes: u64,
    /// The checkpoint that tells how far the broker is.
    checkpoint: PathBuf,
}

impl<'a> Target<'a> {
    pub(super) fn start(
        subject: Subject<'a>,
        directory: &Path,
        durability: Durability,
    ) -> Result<Self, String> {
        let node = subject.prepare(directory)?;
        let served = node.start_with(durability, SETTINGS)?;
        let admin = Admin::connect(served.port)?;
        Ok(Self { subject, served, node, admin, logs: 0 })
    }

    /// Makes a topic of one partition.
    pub(super) fn create(&mut self, topic: &str, settings: &[(&str, &str)]) -> Result<(), String> {
        self.admin.create(&configured(topic, 1, settings))?;
        self.admin.wait_for_leaders(topic, 1)
    }

    /// How much its cleaner may read and write in a second, from now on.
    pub(super) fn throttle(&mut self, bytes_per_second: Option<u64>) -> Result<(), String> {
        // The default of both.
        const NO_LIMIT: &str = "1.7976931348623157E308";
        let limit = bytes_per_second.map_or_else(|| NO_LIMIT.to_owned(), |it| it.to_string());
        let setting = [("log.cleaner.io.max.bytes.per.second", limit.as_str())];
        self.admin.alter(Resource::AllBrokers, &setting)
    }

    /// Writes a log of so many bytes before a codec, and waits until all of it may be compacted.
    pub(super) fn write(&mut self, load: &Load, bytes: usize) -> Result<Dirty, String> {
        self.logs += 1;
        let topic = format!("compacted-{}", self.logs);
        let segment_bytes = (bytes / SEGMENTS).max(SEGMENT_BYTES_MIN).to_string();
        let settings = [
            ("segment.bytes", segment_bytes.as_str()),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("file.delete.delay.ms", "1000"),
            // A Kafka that syncs each batch would write for minutes.
            ("flush.messages", "9223372036854775807"),
        ];
        self.create(&topic, &settings)?;
        // Less would all lie in the active segment, or next to all.
        let bytes = bytes.max(4 * SEGMENT_BYTES_MIN);
        let mut records = Records::new(load, bytes);
        send(self.served.port, &topic, &mut records, bytes)?;
        let logs = self.node.logs();
        page_cache::write_back(&logs)?;
        let directory = logs.join(format!("{topic}-0"));
        let segments = segments(&directory)?;
        let end = segments.last().map_or(0, |segment| segment.base_offset);
        let bytes = segments.iter().filter(|it| it.base_offset < end).map(|it| it.bytes).sum();
        let checkpoint = logs.join(CLEANER_FILE);
        let dirty = Dirty { topic, directory, keys: records.keys, end, bytes, checkpoint };
        if !self.subject.is_kafka() {
            dirty.wait_until_synced(&logs)?;
        }
        Ok(dirty)
    }

    /// Lets the cleaner have it.
    pub(super) fn begin(&mut self, log: &Dirty) -> Result<(), String> {
        self.admin.alter(Resource::Topic(&log.topic), &[("cleanup.policy", "compact")])
    }

    /// It is not needed any more.
    pub(super) fn delete(&mut self, log: Dirty) -> Result<(), String> {
        self.admin.delete(&log.topic)
    }

    pub(super) fn stop(self) -> Result<(), String> {
        self.served.stop().map(drop)
    }
}

impl Dirty {
    /// Looks at the checkpoint until the log is compacted. Gives how long that took.
    pub(super) fn wait_until_clean(&self) -> Result<Duration, String> {
        let is_clean = || {
            let checkpoint = read_checkpoint(&self.checkpoint, OffsetCheckpoint::parse)?;
            Ok(checkpoint.and_then(|it| it.get(&self.topic, 0)).is_some_and(|it| it >= self.end))
        };
        self.wait("compacted", is_clean)
    }

    /// Klamm compacts nothing above what its own checkpoint says is synced.
    fn wait_until_synced(&self, logs: &Path) -> Result<(), String> {
        let path = logs.join(SyncedCheckpoint::FILE);
        let is_synced = || {
            let checkpoint = read_checkpoint(&path, SyncedCheckpoint::parse)?;
            let is_own = |end: &&SyncedEnd| *end.topic == *self.topic;
            let entries = checkpoint.iter().flat_map(SyncedCheckpoint::iter);
            let mut ends = entries.map(|(_, _, end)| end).filter(is_own);
            Ok(ends.any(|end| end.offset >= self.end))
        };
        self.wait("synced", is_synced).map(drop)
    }

    fn wait(
        &self,
        what: &str,
        done: impl Fn() -> Result<bool, String>,
    ) -> Result<Duration, String> {
        let begun = Instant::now();
        while !done()? {
            if begun.elapsed() > PATIENCE {
                let (topic, end) = (&self.topic, self.end);
                return Err(format!("{topic} is not {what} up to {end} in {PATIENCE:?}"));
            }
            thread::sleep(POLL);
        }
        Ok(begun.elapsed())
    }
}

/// `None` where there is no such file yet.
fn read_checkpoint<T, E: std::fmt::Display>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match fs::read(path) {
        Ok(content) => parse(&content).map(Some).map_err(|error| said(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(said(&error)),
    }
}

fn send(port: u16, topic: &str, records: &mut Records, bytes: usize) -> Result<(), String> {
    let mut stream = connect(port)?;
    let (mut sent_bytes, mut sent, mut answered) = (0, 0, 0);
    let mut ends = vec![0];
    while sent_bytes < bytes || answered < sent {
        if sent_bytes < bytes && sent - answered < IN_FLIGHT {
            let (batch, raw_bytes) = records.next_batch();
            let mut frame: BytesMut = produce_frame(topic, &batch.into(), [0], -1);
            number(&mut frame, sent as i32);
            stream.write_all(&frame).map_err(lost)?;
            sent_bytes += raw_bytes;
            ends.push(records.keys.len() as i64);
            sent += 1;
        } else {
            let answer = read_frame(&mut stream)?;
            check(&answer, Answers::Broker, answered as i32, ends[answered])?;
            answered += 1;
        }
    }
    Ok(())
}

/// A file of records.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) base_offset: i64,
    pub(super) bytes: u64,
}

/// Those of a log, by base offset.
pub(super) fn segments(directory: &Path) -> Result<Vec<Segment>, String> {
    let segment = |path: PathBuf| {
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let base_offset = name.parse().map_err(|error: std::num::ParseIntError| said(&error))?;
        let bytes = fs::metadata(&path).map_err(|error| said(&error))?.len();
        Ok(Segment { path, base_offset, bytes })
    };
    page_cache::log_files(directory)?.into_iter().map(segment).collect()
}
