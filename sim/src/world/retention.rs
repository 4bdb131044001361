//! What retention may delete: the rule once more, from what lies on the disk.

use std::collections::BTreeSet;

use klamm_core::effect::{Effect, Operation, Path};
use klamm_core::ids::JobId;

use super::World;
use crate::history::{Subject, TopicPartition};
use crate::metadata::Change;
use crate::options::Options;
use crate::reader::{batches_of, latest_timestamp, target_of};

/// One segment on the disk.
struct Segment {
    base_offset: i64,
    /// With what is being written to it.
    bytes: u64,
    /// `None` when nothing is in it, or nobody can tell.
    latest_ms: Option<i64>,
}

/// The least that a topic may be told to keep; `None` for no limit.
#[derive(Clone, Copy, Debug, Default)]
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
        *limit = Some(limit.map_or(value, |known| known.min(value)));
    }
}

impl World {
    /// An administrator asks for settings: from now on they may hold.
    pub(super) fn note_limits(&mut self, subject: &Subject, what: &Change) {
        let Subject::Topic(name) = subject else { return };
        let limits = self.limits.entry(name.clone()).or_default();
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
    }

    /// The least that a topic of this name may have been told to keep, so far.
    fn limits_of(&self, name: &str) -> Limits {
        let mut limits = self.limits.get(name).copied().unwrap_or_default();
        let Options { retention_ms, retention_bytes, .. } = self.current;
        for (key, value) in [("retention.ms", retention_ms), ("retention.bytes", retention_bytes)] {
            if value > 0 {
                limits.tighten(key, &value.to_string());
            }
        }
        limits
    }

    /// Log starts may have moved so far by now as retention lets them.
    pub(super) fn allow_retention(&mut self) {
        // The event that asks may be the first one in a while.
        self.wall_ms_max = self.wall_ms_max.max(self.wall_ms());
        let targets: Vec<TopicPartition> = self.checker.targets().cloned().collect();
        for target in targets {
            let limits = self.limits_of(target.name());
            if limits.age_ms.is_none() && limits.bytes.is_none() {
                continue;
            }
            let end = self.checker.log(&target).map_or(0, |log| log.end().1);
            let start = self.retained_from(&target, end, limits);
            self.checker.allow_start(&target, start);
        }
    }

    /// The furthest start that retention allows a log of this end.
    fn retained_from(&self, target: &TopicPartition, end: i64, limits: Limits) -> i64 {
        let segments = self.segments_of(target);
        let ends = segments.iter().skip(1).map(|segment| segment.base_offset).chain([end]);
        let mut left: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut start = 0;
        for (segment, end) in segments.iter().zip(ends) {
            let old = limits.age_ms.is_some_and(|limit_ms| {
                let age_ms = |latest_ms| self.wall_ms_max.saturating_sub(latest_ms);
                segment.latest_ms.is_none_or(|latest_ms| age_ms(latest_ms) > limit_ms)
            });
            left -= segment.bytes;
            let much = limits.bytes.is_some_and(|limit| left >= limit as u64);
            if !old && !much {
                break;
            }
            start = end;
        }
        start
    }

    fn segments_of(&self, target: &TopicPartition) -> Vec<Segment> {
        let name = target.directory();
        let there = self.disk.files().into_iter().map(|(path, _)| path);
        // A segment counts from its first append on, which may not have reached the disk.
        let paths: BTreeSet<Path> = there.chain(self.disk.being_written()).collect();
        let is_of_target = |path: &Path| {
            path.parent().name() == name
                && target_of(&self.disk, &path.parent()).as_ref() == Some(target)
        };
        let of_target = paths.into_iter().filter(is_of_target);
        let segment = |path: Path| {
            let base_offset = path.name().strip_suffix(".log")?.parse().ok()?;
            let content = self.disk.content(&path).unwrap_or_default();
            let timestamps = batches_of(content).into_iter();
            let latest = timestamps.map(|range| latest_timestamp(&content[range])).max();
            let latest_ms = latest.filter(|_| !self.is_age_unknown(&path));
            let bytes = self.disk.length_with_writes(&path);
            Some(Segment { base_offset, bytes, latest_ms })
        };
        of_target.filter_map(segment).collect()
    }

    /// A segment that is renamed for deletion lies below what may be deleted.
    pub(super) fn check_deletion(&mut self, owner: JobId, effect: &Effect) {
        let Effect::Operations(operations) = effect else { return };
        let is_running = self.process.as_ref().is_some_and(|process| process.was_ready);
        if owner != JobId::BROKER || !is_running {
            return;
        }
        for operation in operations {
            let Operation::Rename { from, to } = operation else { continue };
            let target = target_of(&self.disk, &from.parent());
            let base = from.name().strip_suffix(".log").and_then(|base| base.parse().ok());
            let (Some(target), Some(base)) = (target, base) else { continue };
            if to.name() == format!("{}.deleted", from.name()) {
                self.allow_retention();
                self.check_deleted(&target, base);
            }
        }
    }

    fn check_deleted(&mut self, target: &TopicPartition, base_offset: i64) {
        let bases = self.segments_of(target).into_iter().map(|segment| segment.base_offset);
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
