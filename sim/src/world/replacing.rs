//! Segments whose place others are taking: until the broker hears that it is done, they are what it goes by.

use std::collections::BTreeMap;

use klamm_core::effect::{Effect, Operation, Path};
use klamm_core::ids::EffectId;

use super::World;
use super::retention::Segment;
use crate::history::TopicPartition;
use crate::reader::target_of;

/// Replacements that are out, by their effects.
pub(super) type Replacements = BTreeMap<EffectId, Replacement>;

#[derive(Debug)]
pub(super) struct Replacement {
    target: TopicPartition,
    /// All segments as they were before it.
    segments: Vec<Segment>,
    /// Those from here on are not replaced.
    end: i64,
}

impl World {
    /// Compaction puts segments in the place of others.
    pub(super) fn begin_replacement(&mut self, id: EffectId, effect: &Effect) {
        let Effect::Operations(operations) = effect else { return };
        let mut old = operations.iter().filter_map(replaced).peekable();
        let Some((path, _)) = old.peek() else { return };
        let Some(target) = target_of(&self.disk, &path.parent()) else { return };
        let last = old.map(|(_, base_offset)| base_offset).max().unwrap_or(0);
        let writes: Vec<(Path, u64)> = self.disk.being_written().collect();
        let mut segments = self.segments_of(&target, &writes);
        for segment in &mut segments {
            segment.latest_ms = Some(self.latest_ms(&segment.path));
        }
        let bases = segments.iter().map(|segment| segment.base_offset);
        let end = bases.filter(|base| *base > last).min().unwrap_or(i64::MAX);
        self.replacements.insert(id, Replacement { target, segments, end });
    }

    /// The broker hears that it is done: until then it may have decided what is too old.
    pub(super) fn end_replacement(&mut self, id: EffectId) {
        if self.replacements.contains_key(&id) {
            self.forget_looks();
            self.allow_retention();
            self.replacements.remove(&id);
            self.forget_looks();
        }
    }

    /// The segments of a log as the broker has them, by those that lie on the disk.
    pub(super) fn as_the_broker_has_them(
        &self,
        target: &TopicPartition,
        there: Vec<Segment>,
    ) -> Vec<Segment> {
        let out = self.replacements.values().find(|out| out.target == *target);
        let Some(Replacement { segments, end, .. }) = out else { return there };
        let old = segments.iter().filter(|segment| segment.base_offset < *end).cloned();
        let left = there.into_iter().filter(|segment| segment.base_offset >= *end);
        old.chain(left).collect()
    }
}

/// The segment that gives its place up: its path and base offset.
fn replaced(operation: &Operation) -> Option<(&Path, i64)> {
    let Operation::Rename { from, to } = operation else { return None };
    to.name().strip_suffix(".log.deleted")?;
    Some((from, from.name().strip_suffix(".log")?.parse().ok()?))
}
