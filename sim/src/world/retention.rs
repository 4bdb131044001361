//! What retention may delete: the rule once more, from what lies on the disk.

use std::collections::BTreeMap;

use klamm_core::effect::{Effect, Operation, Path};
use klamm_core::ids::{EffectId, JobId};

use super::World;
use crate::client::KnownTopic;
use crate::history::{Subject, TopicPartition};
use crate::marks::Group;
use crate::metadata::Change;
use crate::options::Options;
use crate::reader::{batches_of, is_home_of, last_offset, latest_timestamp, target_of};

/// One segment on the disk.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: Path,
    pub(super) base_offset: i64,
    /// With what is being written to it.
    bytes: u64,
    /// Its latest timestamp, where its file is not asked: another may have its name.
    pub(super) latest_ms: Option<i64>,
}

/// What the last look at what retention may take has shown.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Changes of the disk by then.
    changes: u64,
    /// Entries of the history.
    observed: usize,
    /// From this time of the wall clock on, a segment is too old that was not.
    until_ms: i64,
    /// Partitions that lie there, of topics with limits.
    logs: Vec<LookedLog>,
}

#[derive(Debug)]
struct LookedLog {
    target: TopicPartition,
    segments: Vec<Segment>,
    /// The end and the limits that its start was found by last.
    found_by: Option<(i64, Limits)>,
    /// From this time of the wall clock on, another segment is too old.
    until_ms: i64,
}

/// The least that a topic may be told to keep; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    age_ms: Option<i64>,
    bytes: Option<i64>,
}

impl Limits {
    fn tighten(&mut self, key: &str, value: &str) {
        let limit = match key {
            "retention.ms" => &mut self.age_ms,
            "retention.bytes" => &mut self.bytes,
            _ => return,
        };
        let Some(value) = value.parse().ok().filter(|value| *value >= 0) else { return };
        tighten(limit, value);
    }

    fn is_none(self) -> bool {
        self.age_ms.is_none() && self.bytes.is_none()
    }
}

fn tighten(limit: &mut Option<i64>, value: i64) {
    *limit = Some(limit.map_or(value, |known| known.min(value)));
}

impl World {
    /// An administrator asks for settings: from now on they may hold.
    pub(super) fn note_limits(&mut self, subject: &Subject, what: &Change) {
        let Subject::Topic(name) = subject else { return };
        let limits = self.limits.entry(name.clone()).or_default();
        let before = *limits;
        match what {
            Change::Create { settings, .. } | Change::Replace(settings) => {
                for (key, value) in settings {
                    limits.tighten(key, value);
                }
            }
            Change::Alter(changes) => {
                let set = changes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
                for (key, value) in set {
                    limits.tighten(key, value);
                }
            }
            _ => {}
        }
        if *limits != before {
            self.looked = Looked::default();
        }
    }

    /// The least that a topic of this name may have been told to keep, so far.
    fn limits_of(&self, name: &str) -> Limits {
        let mut limits = self.limits.get(name).copied().unwrap_or_default();
        let is_compacted = |topic: &KnownTopic| topic.name == name && topic.format.is_compacted();
        if self.current.compact_and_delete == 0 && self.topics.iter().any(is_compacted) {
            return Limits::default();
        }
        let Options { retention_ms, retention_bytes, .. } = self.current;
        for (limit, value) in
            [(&mut limits.age_ms, retention_ms), (&mut limits.bytes, retention_bytes)]
        {
            if value > 0 {
                tighten(limit, value as i64);
            }
        }
        limits
    }

    /// Whether retention may take anything at all.
    fn is_limited(&self) -> bool {
        self.is_limited_by_default() || self.limits.values().any(|limits| !limits.is_none())
    }

    fn is_limited_by_default(&self) -> bool {
        self.current.retention_ms + self.current.retention_bytes > 0
    }

    /// True when retention may take something of a topic of this name.
    pub(super) fn retention_applies(&self, name: &str) -> bool {
        !self.limits_of(name).is_none()
    }

    /// Topics that have been heard of by now begin where retention had come to before.
    fn allow_unheard(&mut self) {
        for (target, start) in &self.unheard {
            if self.checker.log(target).is_some() {
                self.checker.allow_start(target, *start);
            }
        }
    }

    /// Log starts may have moved so far by now as retention lets them.
    pub(super) fn allow_retention(&mut self) {
        self.allow_unheard();
        // The event that asks may be the first one in a while.
        self.wall_ms_max = self.wall_ms_max.max(self.wall_ms());
        let Looked { changes, observed, until_ms, .. } = self.looked;
        let is_same = (changes, observed) == (self.disk.changes(), self.observed);
        if !self.is_limited() || is_same && self.wall_ms_max < until_ms {
            return;
        }
        let mut looked = std::mem::take(&mut self.looked);
        if looked.changes != self.disk.changes() {
            looked = self.look_at_logs();
        }
        for log in &mut looked.logs {
            let heard_end = self.checker.log(&log.target).map(|model| model.end().1);
            let end = heard_end.unwrap_or_else(|| self.written_end(&log.segments));
            let limits = self.limits_of(log.target.name());
            let is_known = log.found_by == Some((end, limits)) && self.wall_ms_max < log.until_ms;
            if is_known {
                continue;
            }
            let (start, until_ms) = self.retained_from(&log.segments, end, limits);
            if heard_end.is_some() {
                self.checker.allow_start(&log.target, start);
            } else {
                self.allow_when_heard(&log.target, start);
            }
            (log.found_by, log.until_ms) = (Some((end, limits)), until_ms);
        }
        looked.observed = self.observed;
        let known = looked.logs.iter().filter(|log| log.found_by.is_some());
        looked.until_ms = known.map(|log| log.until_ms).min().unwrap_or(i64::MAX);
        self.looked = looked;
    }

    /// All partitions that lie on the disk, of topics with limits.
    fn look_at_logs(&self) -> Looked {
        let writes: Vec<(Path, u64)> = self.disk.being_written().collect();
        let mut segments = BTreeMap::<TopicPartition, BTreeMap<Path, u64>>::new();
        for directory in self.config.log_dirs.iter().flat_map(|path| self.disk.directories_in(path))
        {
            let target = target_of(&self.disk, &directory);
            let target = target.filter(|target| self.retention_applies(target.name()));
            if let Some(target) = target {
                let of_target = segments.entry(target).or_default();
                self.add_segments(&directory, &writes, of_target);
            }
        }
        let log = |(target, segments)| {
            let segments = self.as_the_broker_has_them(&target, in_order(segments));
            LookedLog { target, segments, found_by: None, until_ms: i64::MIN }
        };
        let logs = segments.into_iter().map(log).collect();
        Looked { changes: self.disk.changes(), logs, ..Looked::default() }
    }

    /// The furthest start that retention allows a log of this end, and from when on that is further.
    fn retained_from(&self, segments: &[Segment], end: i64, limits: Limits) -> (i64, i64) {
        let ends = segments.iter().skip(1).map(|segment| segment.base_offset).chain([end]);
        let mut left: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut start = 0;
        for (segment, end) in segments.iter().zip(ends) {
            left -= segment.bytes;
            let much = limits.bytes.is_some_and(|limit| left >= limit as u64);
            let old_ms = match limits.age_ms {
                _ if much => i64::MIN,
                Some(age_ms) => self.old_from(segment, age_ms),
                None => i64::MAX,
            };
            if self.wall_ms_max < old_ms {
                return (start, old_ms);
            }
            start = end.max(segment.base_offset);
        }
        (start, i64::MAX)
    }

    /// From when on all of a segment is older than that; no time when nobody can tell.
    fn old_from(&self, segment: &Segment, age_ms: i64) -> i64 {
        match segment.latest_ms.unwrap_or_else(|| self.latest_ms(&segment.path)) {
            i64::MIN => i64::MIN,
            latest_ms => latest_ms.saturating_add(age_ms).saturating_add(1),
        }
    }

    /// The latest timestamp in a segment; the least there is when nobody can tell.
    pub(super) fn latest_ms(&self, path: &Path) -> i64 {
        let content = self.disk.content(path).unwrap_or_default();
        let timestamps = batches_of(content).into_iter();
        let latest_ms = timestamps.map(|range| latest_timestamp(&content[range])).max();
        latest_ms.filter(|_| !self.is_age_unknown(path)).unwrap_or(i64::MIN)
    }

    /// What the last look has shown does not count.
    pub(super) fn forget_looks(&mut self) {
        self.looked = Looked::default();
    }

    /// The segments of a partition, in the order of paths. One counts from its first append on, which
    /// may be one of the `writes` under way.
    pub(super) fn segments_of(
        &self,
        target: &TopicPartition,
        writes: &[(Path, u64)],
    ) -> Vec<Segment> {
        let name = target.directory();
        let mut segments = BTreeMap::new();
        for log_dir in &self.config.log_dirs {
            let directory = log_dir.join(&name);
            if is_home_of(&self.disk, &directory, target) {
                self.add_segments(&directory, writes, &mut segments);
            }
        }
        in_order(segments)
    }

    /// Adds the segments in a directory, and how long each is.
    fn add_segments(
        &self,
        directory: &Path,
        writes: &[(Path, u64)],
        segments: &mut BTreeMap<Path, u64>,
    ) {
        let there = self.disk.files_in(directory);
        let there = there.filter(|(name, _)| name.strip_suffix(".log").is_some());
        let there = there.map(|(name, content)| (directory.join(name), content.len() as u64));
        let written = writes.iter().filter(|(path, _)| path.is_within(directory)).cloned();
        for (path, end) in there.chain(written) {
            let known = segments.entry(path).or_default();
            *known = end.max(*known);
        }
    }

    /// A segment that is renamed for deletion lies below what may be deleted.
    pub(super) fn check_deletion(&mut self, id: EffectId, effect: &Effect) {
        let Effect::Operations(operations) = effect else { return };
        let is_running = self.process.as_ref().is_some_and(|process| process.was_ready);
        if id.owner != JobId::BROKER || !is_running {
            return;
        }
        if replaces_segments(operations) {
            self.marks.hit(Group::Other, "segments replaced");
            self.begin_replacement(id, effect);
            return;
        }
        for operation in operations {
            let Operation::Rename { from, to } = operation else { continue };
            let target = target_of(&self.disk, &from.parent());
            let base = from.name().strip_suffix(".log").and_then(|base| base.parse().ok());
            let (Some(target), Some(base)) = (target, base) else { continue };
            if to.name() == format!("{}.deleted", from.name()) {
                if self.checker.log(&target).is_none() {
                    self.check_unheard(&target, base);
                } else {
                    self.allow_retention();
                    self.check_deleted(&target, base);
                }
            }
        }
    }

    /// The same of a topic that no client has heard of yet. Who does so later finds it begun there.
    fn check_unheard(&mut self, target: &TopicPartition, base_offset: i64) {
        self.wall_ms_max = self.wall_ms_max.max(self.wall_ms());
        let writes: Vec<(Path, u64)> = self.disk.being_written().collect();
        let segments = self.segments_of(target, &writes);
        let end = self.written_end(&segments);
        let (start, _) = self.retained_from(&segments, end, self.limits_of(target.name()));
        if start <= base_offset {
            self.fail(format!(
                "promise: {target}: the segment from {base_offset} is deleted, nothing beyond \
                 {start} may be"
            ));
        }
        self.allow_when_heard(target, start);
    }

    fn allow_when_heard(&mut self, target: &TopicPartition, start: i64) {
        let allowed = self.unheard.entry(target.clone()).or_default();
        *allowed = start.max(*allowed);
    }

    /// The offset behind the last batch: all that is known of a log that no client has heard of.
    fn written_end(&self, segments: &[Segment]) -> i64 {
        let content = |segment: &Segment| self.disk.content(&segment.path).unwrap_or_default();
        let end_of = |content: &[u8]| {
            let last = batches_of(content).pop()?;
            Some(last_offset(&content[last]) + 1)
        };
        segments.iter().rev().find_map(|segment| end_of(content(segment))).unwrap_or(0)
    }

    fn check_deleted(&mut self, target: &TopicPartition, base_offset: i64) {
        let writes: Vec<(Path, u64)> = self.disk.being_written().collect();
        let segments = self.segments_of(target, &writes).into_iter();
        let bases = segments.map(|segment| segment.base_offset);
        let next = bases.filter(|base| *base > base_offset).min();
        let Some(log) = self.checker.log(target) else { return };
        let (end, allowed) = (next.unwrap_or(log.end().0), log.start().1);
        if end > allowed {
            self.fail(format!(
                "promise: {target}: the segment from {base_offset} to {end} is deleted, nothing \
                 beyond {allowed} may be"
            ));
        }
    }
}

/// Whether segments that compaction has written take the place of others.
fn replaces_segments(operations: &[Operation]) -> bool {
    operations.iter().any(|operation| match operation {
        Operation::Rename { to, .. } => to.name().strip_suffix(".log.swap").is_some(),
        _ => false,
    })
}

/// Segments by their paths and lengths.
fn in_order(segments: BTreeMap<Path, u64>) -> Vec<Segment> {
    let segment = |(path, bytes): (Path, u64)| {
        let base_offset = path.name().strip_suffix(".log")?.parse().ok()?;
        Some(Segment { path, base_offset, bytes, latest_ms: None })
    };
    segments.into_iter().filter_map(segment).collect()
}
