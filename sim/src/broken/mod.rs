//! Brokers that break a promise on purpose: the negative controls, which the checkers must catch.
//!
//! Each is an honest broker behind a layer that lies to it, or about it. A retention that deletes
//! beyond its bound is one that was given another bound:
//! [`World::with_config`](crate::world::World::with_config). [`CONTROLS`] has them all by name.

mod answers;
mod compaction;
mod controls;
mod files;
mod groups;
mod listing;
mod metadata;
mod offsets;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use klamm_core::effect::{Completion, Effect, Operation, OperationResult, Path, SyncSet};
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::request::{Response, ResponseBody};

use crate::layer::{Carry, Layer};
use crate::reader::crc32c;
pub use answers::{
    AnswersDuplicatesEarly, AppendsElsewhere, DeletesWhatItRefuses, ForgetsAnswers,
    ForgetsInSession, GivesProducerIdsTwice, LeaksBudget, LeaksConnections, LeaksSessions,
    LowersHighWatermark, MisplacesOffsets, RefusesWhatItTakes, ReusesOffsets, TellsLaterEpochEnds,
    WakesNobody,
};
pub use compaction::{
    CompactsUnsynced, ForgetsProducers, MixesUpKeys, RemovesBeforeReplacing, ReplacesWithoutSync,
};
pub use controls::{CONTROLS, Control, Search};
pub use files::{
    ForgetsLogStarts, ForgetsSequences, LeaksFiles, LosesDirectories, ServesUnsynced,
    TrustsTornIndex,
};
pub use groups::{
    AnswersCommitsEarly, BelievesOldGenerations, DeletesOfAnother, DisownsTheFenced, DropsCommits,
    FencesNobody, ForgetsMembers, ForgetsMetadata, ForgetsWhileLoading, GivesOldParts,
    GivesPartsTwice, HasTwoLeaders, HidesRebalances, LosesJoins, RebalancesForEver,
    RefusesCommitsItKeeps, ReusesGenerations, TellsOlderOffsets,
};
pub use listing::{BuriesGroups, HidesGroups, IgnoresFilters, ListsDeletedGroups, MisstatesGroups};
pub use metadata::{
    AnswersChangesBeforeSync, DeletesNothing, ForgetsDeletions, ForgetsSettings, GrowsTooLittle,
    LeavesDirectories, MakesHalf, MakesWhatIsLookedAt, MakesWhatIsTried, MixesUpIds, RenamesInUse,
    ServesOldImages, TellsOldIds,
};
pub use offsets::{ForgetsOffsetsOfLiving, LeavesOffsets, RevivesOffsets};

/// Puts other bytes in the place of what an effect writes to the files that are meant.
fn alter_writes(
    effect: &mut Effect,
    is_meant: impl Fn(&Path) -> bool,
    alter: impl Fn(&[u8]) -> Bytes,
) {
    let Effect::Operations(operations) = effect else { return };
    for operation in operations {
        if let Operation::Write { file, data, .. } = operation
            && is_meant(&file.path)
        {
            *data = vec![alter(&data.concat())];
        }
    }
}

/// What an effect writes to logs, batch by batch.
fn writes_of_logs(effect: &Effect) -> Vec<Vec<u8>> {
    let Effect::Operations(operations) = effect else { return Vec::new() };
    let written = operations.iter().filter_map(|operation| match operation {
        Operation::Write { file, data, .. } => {
            file.path.name().strip_suffix(".log").map(|_| data.concat())
        }
        _ => None,
    });
    written.collect()
}

/// Answers before the sync: every sync of logs is told as done, and none is. The metadata log is
/// spared: a start that misses its own records would end the run before an answer is missed.
#[derive(Debug, Default)]
pub struct AnswersBeforeSync;

impl Layer for AnswersBeforeSync {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        match effect {
            Effect::Sync(set) if id.owner == JobId::BROKER && !syncs_metadata(set) => Carry::Never,
            _ => Carry::Honestly,
        }
    }
}

fn syncs_metadata(set: &SyncSet) -> bool {
    set.files.iter().any(|file| file.path.parent().name() == "__cluster_metadata-0")
}

/// Meets a state that its authors held for impossible.
#[derive(Debug, Default)]
pub struct Panics {
    answers: u64,
}

impl Layer for Panics {
    fn response(&mut self, to: ConnectionId, response: Response) -> Vec<(ConnectionId, Response)> {
        self.answers += 1;
        assert!(self.answers < 5, "nobody asks five times");
        vec![(to, response)]
    }
}

/// Forgets the directories of new files: their content is synced, their names are not.
#[derive(Debug, Default)]
pub struct ForgetsDirectorySync;

impl Layer for ForgetsDirectorySync {
    fn effect(&mut self, _: EffectId, effect: &mut Effect) -> Carry {
        if let Effect::Sync(set) = effect {
            set.directories.clear();
        }
        Carry::Honestly
    }
}

/// Moves a log's end past a hole: each third write of the broker is told as done long before it
/// happens.
#[derive(Debug, Default)]
pub struct EndsPastHole {
    writes: u64,
}

/// Longer than a sync takes, and an answer.
const HOLE_MICROS: u64 = 500_000;

impl Layer for EndsPastHole {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        let writes_log = |operation: &Operation| match operation {
            Operation::Write { file, .. } => file.path.name().strip_suffix(".log").is_some(),
            _ => false,
        };
        if id.owner != JobId::BROKER || !operations.iter().all(writes_log) {
            return Carry::Honestly;
        }
        self.writes += 1;
        if self.writes.is_multiple_of(3) { Carry::Late(HOLE_MICROS) } else { Carry::Honestly }
    }
}

/// Takes any CRC for good in recovery: what a job reads of a log has its checksums set right.
#[derive(Debug, Default)]
pub struct SkipsCrcInRecovery;

impl Layer for SkipsCrcInRecovery {
    fn completion(&mut self, id: EffectId, effect: &Effect, completion: &mut Completion) {
        let (Effect::Operations(operations), Completion::Done(results)) = (effect, completion)
        else {
            return;
        };
        if id.owner == JobId::BROKER {
            return;
        }
        for (operation, result) in operations.iter().zip(results) {
            if let (Operation::Read { file, .. }, OperationResult::Read(bytes)) =
                (operation, result)
                && file.path.name().strip_suffix(".log").is_some()
            {
                *bytes = with_right_checksums(bytes);
            }
        }
    }
}

/// Writes each third batch with another last byte, and the checksum to match.
#[derive(Debug, Default)]
pub struct GarblesRecords {
    writes: u64,
}

impl Layer for GarblesRecords {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        for operation in operations.iter_mut().filter(|_| id.owner == JobId::BROKER) {
            if let Operation::Write { file, data, .. } = operation
                && file.path.name().strip_suffix(".log").is_some()
                && file.path.parent().name() != "__cluster_metadata-0"
            {
                self.writes += 1;
                let mut batch = BytesMut::from(&data.concat()[..]);
                // The last one counts headers; the value ends before it.
                let at = batch.len().checked_sub(2).filter(|_| self.writes.is_multiple_of(3));
                if let Some(byte) = at.and_then(|at| batch.get_mut(at)) {
                    *byte ^= 1;
                    *data = vec![with_right_checksums(&batch.freeze())];
                }
            }
        }
        Carry::Honestly
    }
}

/// Stamps nothing: batches that carry the broker's time reach the disk with their senders'.
#[derive(Debug, Default)]
pub struct ForgetsAppendTime;

impl Layer for ForgetsAppendTime {
    fn effect(&mut self, id: EffectId, effect: &mut Effect) -> Carry {
        let Effect::Operations(operations) = effect else { return Carry::Honestly };
        for operation in operations.iter_mut().filter(|_| id.owner == JobId::BROKER) {
            if let Operation::Write { file, data, .. } = operation
                && file.path.name().strip_suffix(".log").is_some()
            {
                *data = vec![without_append_time(&data.concat())];
            }
        }
        Carry::Honestly
    }
}

/// Takes the mark of the broker's time from the first batch.
fn without_append_time(bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::from(bytes);
    if let Some(attributes) = out.get_mut(22) {
        *attributes &= !8;
    }
    with_right_checksums(&out.freeze())
}

/// Walks over whole batches as far as their lengths lead.
fn with_right_checksums(bytes: &Bytes) -> Bytes {
    let mut out = BytesMut::from(&bytes[..]);
    let mut position = 0;
    while let Some(head) = out.get(position..).and_then(|left| left.first_chunk::<17>()) {
        let length = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let end = position + 12 + length.max(0) as usize;
        if length < 49 || end > out.len() || head[16] != 2 {
            break;
        }
        let crc = crc32c(&out[position + 21..end]);
        out[position + 17..position + 21].copy_from_slice(&crc.to_be_bytes());
        position = end;
    }
    out.freeze()
}

/// Answers a request with what belongs to the one before: two answers of a connection that are out
/// together change places.
#[derive(Debug, Default)]
pub struct ReordersAnswers {
    held: BTreeMap<ConnectionId, Response>,
    answers: u64,
}

impl Layer for ReordersAnswers {
    fn response(
        &mut self,
        to: ConnectionId,
        mut response: Response,
    ) -> Vec<(ConnectionId, Response)> {
        if !matches!(response.body, ResponseBody::Produce(_)) {
            return vec![(to, response)];
        }
        self.answers += 1;
        match self.held.remove(&to) {
            Some(mut held) => {
                std::mem::swap(&mut held.body, &mut response.body);
                vec![(to, held), (to, response)]
            }
            None if self.answers.is_multiple_of(3) => {
                self.held.insert(to, response);
                Vec::new()
            }
            None => vec![(to, response)],
        }
    }
}
