//! Brokers that mistake what was committed of topics that come and go.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use klamm_core::api::offset_fetch::{OffsetFetchResponse, OffsetFetchResponsePartitions};
use klamm_core::effect::{Effect, Path};
use klamm_core::ids::{ConnectionId, EffectId, Uuid};
use klamm_core::request::{Response, ResponseBody};

use super::{alter_writes, with_right_checksums};
use crate::groups_log::OFFSETS_TOPIC;
use crate::history::{PASSING, is_passing};
use crate::layer::{Carry, Layer};
use crate::reader::value_ranges;

/// Group, name and partition.
type Place = (String, String, i32);

/// What an answer in the newest form tells of topics that come and go, each with its id; the zero id where they
/// were asked for by their names.
fn passing_offsets(
    told: &mut OffsetFetchResponse,
) -> impl Iterator<Item = (Place, Uuid, &mut OffsetFetchResponsePartitions)> {
    told.groups.iter_mut().flat_map(|group| {
        let id = group.group_id.clone();
        let topics = group.topics.iter_mut().filter(|topic| is_passing(&topic.name));
        topics.flat_map(move |topic| {
            let (id, name, topic_id) = (id.clone(), topic.name.clone(), topic.topic_id);
            let parts = topic.partitions.iter_mut();
            parts
                .map(move |part| ((id.clone(), name.clone(), part.partition_index), topic_id, part))
        })
    })
}

/// Tells what was committed of a topic that is deleted.
#[derive(Debug)]
pub struct RevivesOffsets {
    by_id: bool,
    told: BTreeMap<Place, OffsetFetchResponsePartitions>,
}

impl RevivesOffsets {
    /// To whoever asks by names.
    pub fn by_name() -> Self {
        Self { by_id: false, told: BTreeMap::new() }
    }

    /// To whoever asks for another topic of the name by its id.
    pub fn by_id() -> Self {
        Self { by_id: true, told: BTreeMap::new() }
    }
}

impl Layer for RevivesOffsets {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        let ResponseBody::OffsetFetch(told) = &mut response.body else { return };
        for (place, topic_id, part) in passing_offsets(told) {
            if part.committed_offset >= 0 {
                self.told.insert(place, part.clone());
            } else if let Some(before) = self.told.get(&place)
                && part.error_code.is_none()
                && self.by_id == (topic_id != Uuid::ZERO)
            {
                *part = before.clone();
            }
        }
    }
}

/// Forgets now and then what was committed of a topic that is there.
#[derive(Debug, Default)]
pub struct ForgetsOffsetsOfLiving {
    told: u64,
}

impl Layer for ForgetsOffsetsOfLiving {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        let ResponseBody::OffsetFetch(told) = &mut response.body else { return };
        for (_, _, part) in passing_offsets(told).filter(|(_, _, part)| part.committed_offset >= 0)
        {
            self.told += 1;
            if self.told.is_multiple_of(3) {
                part.committed_offset = -1;
            }
        }
    }
}

/// Leaves in its log what was committed of topics that are deleted: the tombstones bear other names.
#[derive(Debug, Default)]
pub struct LeavesOffsets;

impl Layer for LeavesOffsets {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        let is_meant = |path: &Path| {
            path.parent().name().starts_with(OFFSETS_TOPIC)
                && path.name().strip_suffix(".log").is_some()
        };
        alter_writes(effect, is_meant, |batch| {
            let are_tombstones = value_ranges(batch).is_some_and(|values| values.is_empty());
            if are_tombstones { with_other_names(batch) } else { Bytes::copy_from_slice(batch) }
        });
        Carry::Honestly
    }
}

fn with_other_names(batch: &[u8]) -> Bytes {
    let mut out = BytesMut::from(batch);
    let names = batch.windows(PASSING.len()).enumerate();
    let names = names.filter(|(_, word)| *word == PASSING.as_bytes()).map(|(at, _)| at);
    for at in names {
        out[at] = b'P';
    }
    with_right_checksums(&out.freeze())
}
