//! When the active segment is full (`LogSegment.shouldRoll`).

use super::config::LogConfig;
use super::segment::Segment;
use crate::batch::BatchInfo;

/// True when `segment` must not take the batch, which would end at `last_offset`.
///
/// Positions and relative offsets are 32 bits wide and signed in Kafka's indexes, whatever
/// `segment.bytes` says. A segment without a batch takes any: another one at the same offset would
/// be the same file (KAFKA-6388).
pub(super) fn should_roll(
    segment: &Segment,
    batch: &BatchInfo,
    last_offset: i64,
    config: &LogConfig,
    wall_ms: i64,
) -> bool {
    if segment.size == 0 {
        return last_offset - segment.base_offset > i64::from(i32::MAX);
    }
    let size_max = u64::from(config.segment_bytes.min(i32::MAX as u32));
    segment.size + u64::from(batch.size) > size_max
        || last_offset - segment.base_offset > i64::from(i32::MAX)
        || age_ms(segment, batch, wall_ms) > age_max_ms(segment, config)
        || segment.indexes.is_full(config)
}

/// By the batches' own timestamps when the first has one, so that old data that is copied here rolls
/// as it did there; by the clock otherwise, which may step (`LogSegment.timeWaitedForRoll`).
fn age_ms(segment: &Segment, batch: &BatchInfo, wall_ms: i64) -> u64 {
    let age_ms = if segment.first_timestamp_ms >= 0 {
        batch.max_timestamp_ms.saturating_sub(segment.first_timestamp_ms)
    } else {
        wall_ms.saturating_sub(segment.begun_ms)
    };
    u64::try_from(age_ms).unwrap_or(0)
}

fn age_max_ms(segment: &Segment, config: &LogConfig) -> u64 {
    let jitter_max_ms = config.segment_jitter_ms.min(config.segment_ms);
    if jitter_max_ms == 0 {
        return config.segment_ms;
    }
    config.segment_ms - spread(segment) % jitter_max_ms
}

/// A number that differs from segment to segment and stays the same for each (FNV-1a): Kafka draws
/// its jitter anew at every start.
fn spread(segment: &Segment) -> u64 {
    segment.file.path.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
