//! Questions of readers: where an offset lies, and how much may be read from there.

use alloc::vec::Vec;

use super::place::{Located, Lookup, Place};
use super::search::{Search, SearchPart, SearchStart};
use super::segment::Segment;
use super::{Log, TailEnd};
use crate::effect::FileRange;

impl Log {
    /// Where the batch lies that holds `offset`, or the next one behind a gap; nothing at or beyond
    /// `bound` is looked at, which is the place of a level's end.
    ///
    /// An offset below the first segment gives the first batch there is.
    pub fn locate(&self, offset: i64, bound: Place) -> Lookup {
        if offset >= bound.offset {
            return Lookup::End;
        }
        if let Some(found) = self.locate_in_tail(offset) {
            return Lookup::Found(found);
        }
        let at = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let mut parts = (at.saturating_sub(1)..self.segments.len())
            .filter_map(|at| Some((at, self.readable(at, bound)?)));
        let Some((at, part)) = parts.next() else { return Lookup::End };
        let next = parts.next().map(|(_, part)| part);
        let (starts, read_to) = self.segments[at].starts(offset, part.end);
        Lookup::Search(Search::new(offset, part, next, starts, read_to))
    }

    /// A range that begins with the batch at `from`, up to the end of its segment or to `bound`, and
    /// at most `bytes_max` long: it may end inside a batch, as Kafka's do. `None` when the segment is
    /// no longer part of the log, or another one has taken its place.
    pub fn range(&self, from: &Located, bound: Place, bytes_max: u64) -> Option<FileRange> {
        let at = self.segment_at(from.segment)?;
        let file = self.segments[at].file.clone();
        if file.id != from.file {
            return None;
        }
        let end = self.readable(at, bound).map_or(0, |part| part.end);
        let length = end.saturating_sub(from.position).min(bytes_max);
        Some(FileRange { file, position: from.position, length })
    }

    /// Bytes from `from` to `bound`, in all segments.
    pub fn readable_bytes(&self, from: &Located, bound: Place) -> u64 {
        let first = self.segments.partition_point(|segment| segment.base_offset < from.segment);
        let parts = (first..self.segments.len()).map_while(|at| self.readable(at, bound));
        let bytes: u64 = parts.map(|part| part.end).sum();
        bytes.saturating_sub(from.position)
    }

    fn locate_in_tail(&self, offset: i64) -> Option<Located> {
        let active = self.segments.last()?;
        self.tail.locate(offset, TailEnd::of(active, self.accepted))
    }

    /// The bytes of a segment that may be read; `None` when there are none.
    fn readable(&self, at: usize, bound: Place) -> Option<SearchPart> {
        let segment = self.segments.get(at)?;
        let end = segment.bytes_below(bound);
        let next_base = self.segments.get(at + 1).map_or(i64::MAX, |next| next.base_offset);
        let offset_end = next_base.min(bound.offset);
        let (segment, file) = (segment.base_offset, segment.file.clone());
        (end > 0).then_some(SearchPart { segment, file, end, offset_end })
    }
}

impl Segment {
    /// Where a search for `offset` may begin, the best place last, and where the batch begins at the
    /// latest. An entry at or beyond `end` is wrong, or not for this reader.
    fn starts(&self, offset: i64, end: u64) -> (Vec<SearchStart>, u64) {
        let index = self.indexes.offsets();
        let entries = index.entries();
        let at = index.up_to(offset - self.base_offset);
        let starts = entries[at.saturating_sub(SearchStart::MAX)..at]
            .iter()
            .map(|entry| SearchStart {
                last_offset: self.base_offset + i64::from(entry.relative_offset),
                position: u64::from(entry.position),
            })
            .filter(|start| start.position < end)
            .collect();
        let read_to = entries.get(at).map_or(end, |next| u64::from(next.position));
        (starts, read_to.min(end))
    }
}
