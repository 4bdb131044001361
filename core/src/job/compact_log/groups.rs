//! Which segments are written into one (`Cleaner.groupSegmentsBySize`).

use core::ops::Range;

use super::context::CompactedSegment;

/// The segments from `first` on, of those below `limit`, that become one: as many as are together no larger than
/// the log's segments may be. Nothing is appended to it, so its index may be larger than one that is.
pub(super) fn next_group(
    segments: &[CompactedSegment],
    first: usize,
    limit: i64,
    end: i64,
    segment_bytes: u32,
) -> Option<Range<usize>> {
    let begins = |at: usize| segments.get(at).filter(|segment| segment.base_offset < limit);
    let base_offset = begins(first)?.base_offset;
    let mut size = segments[first].size;
    let mut next = first + 1;
    while let Some(segment) = begins(next) {
        let segment_end = segments.get(next + 1).map_or(end, |behind| behind.base_offset);
        let is_near = segment_end - 1 - base_offset <= i64::from(i32::MAX);
        if size + segment.size > u64::from(segment_bytes) || segment.size > 0 && !is_near {
            break;
        }
        size += segment.size;
        next += 1;
    }
    Some(first..next)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{CompactedSegment, next_group};
    use crate::effect::{FileRef, Path};
    use crate::ids::{FileId, JobId};

    fn groups(sizes: &[(i64, u64)], limit: i64, end: i64) -> Vec<(usize, usize)> {
        let segments: Vec<_> = sizes
            .iter()
            .map(|&(base_offset, size)| {
                let id = FileId { owner: JobId::BROKER, number: base_offset as u64 };
                CompactedSegment { base_offset, file: FileRef { id, path: Path::new("/f") }, size }
            })
            .collect();
        let mut groups: Vec<(usize, usize)> = Vec::new();
        let mut first = 0;
        while let Some(group) = next_group(&segments, first, limit, end, 100) {
            first = group.end;
            groups.push((group.start, group.end));
        }
        groups
    }

    #[test]
    fn segments_are_joined_up_to_the_size_of_one() {
        let sizes = [(0, 40), (10, 60), (20, 1), (30, 500), (40, 50), (50, 50)];
        assert_eq!(groups(&sizes, 60, 60), [(0, 2), (2, 3), (3, 4), (4, 6)]);
        assert_eq!(groups(&sizes, 15, 60), [(0, 2)]);
        assert_eq!(groups(&sizes, 0, 60), []);
    }

    #[test]
    fn offsets_of_one_segment_stay_near() {
        let far = i64::from(i32::MAX);
        assert_eq!(groups(&[(0, 1), (5, 1)], far + 1, far + 1), [(0, 2)]);
        assert_eq!(groups(&[(0, 1), (5, 1)], far + 2, far + 2), [(0, 1), (1, 2)]);
        assert_eq!(groups(&[(0, 1), (5, 0)], far + 2, far + 2), [(0, 2)]);
    }
}
