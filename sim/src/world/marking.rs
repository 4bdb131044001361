//! What a run leaves in its marks.

use std::collections::BTreeMap;

use klamm_core::Exit;
use klamm_core::checkpoint::MetaProperties;
use klamm_core::effect::{Completion, Effect, IoErrorKind, Operation};
use klamm_core::error_code::ErrorCode;
use klamm_core::event::Event as CoreEvent;

use super::World;
use super::process::Phase;
use crate::disk::{Crash, extension};
use crate::groups::{Claim, GroupAsk, GroupTold};
use crate::history::{Entry, Subject, Told, TopicPartition};
use crate::marks::{Group, Marks, effect_name, operation_name};
use crate::metadata::{Change, Outcome};
use crate::reader::StoredLog;

impl World {
    pub(super) fn mark_crash(&mut self, crash: Crash) {
        let phase = self.process.as_ref().map(|process| &process.phase);
        let name = match (phase, crash) {
            (None, _) => "crash of what is down",
            (Some(Phase::Starting), Crash::Killed) => "killed in start-up",
            (Some(Phase::Starting), Crash::PowerLoss) => "power loss in start-up",
            (Some(Phase::Ready), Crash::Killed) => "killed in service",
            (Some(Phase::Ready), Crash::PowerLoss) => "power loss in service",
            (Some(_), Crash::Killed) => "killed in shutdown",
            (Some(_), Crash::PowerLoss) => "power loss in shutdown",
        };
        self.marks.hit(Group::Crash, name);
        for (effect, _) in self.process.iter().flat_map(|process| process.effects.values()) {
            self.marks.hit(Group::CutShort, effect_name(effect));
        }
    }
}

impl Marks {
    /// The broker takes a turn.
    pub(super) fn turn(&mut self, phase: &Phase) {
        let name = match phase {
            Phase::Starting => "turn in start-up",
            Phase::Ready => "turn in service",
            Phase::Stopping | Phase::Ended(_) => "turn in shutdown",
        };
        self.hit(Group::Phase, name);
    }

    /// The broker has ended by itself.
    pub(super) fn ended(&mut self, exit: &Exit, phase: &Phase) {
        let name = match (exit, phase) {
            (Exit::Clean, _) => "ended as asked",
            (Exit::Failed(_), Phase::Starting) => "failed in start-up",
            (Exit::Failed(_), Phase::Ready) => "failed in service",
            (Exit::Failed(_), _) => "failed in shutdown",
        };
        self.hit(Group::Phase, name);
    }

    /// An effect has come to its end.
    pub(super) fn completed(&mut self, effect: &Effect, completion: &Completion) {
        let Effect::Operations(operations) = effect else {
            match completion {
                Completion::Done(_) => self.hit(Group::CarriedOut, effect_name(effect)),
                Completion::Failed { error, .. } => {
                    self.hit(Group::Failed, effect_name(effect));
                    self.hit(Group::Failure, failure_name(error.kind, "sync failed"));
                }
            }
            return;
        };
        let (Completion::Done(done) | Completion::Failed { done, .. }) = completion;
        for operation in operations.iter().take(done.len()) {
            self.hit(Group::CarriedOut, operation_name(operation));
            if formats_directory(operation) {
                self.hit(Group::Other, "directory formatted");
            }
            if let Some(name) = snapshot_step(operation) {
                self.hit(Group::Other, name);
            }
        }
        if let Completion::Failed { error, .. } = completion {
            let failed = operations.get(done.len()).map_or("nothing", operation_name);
            self.hit(Group::Failed, failed);
            self.hit(Group::Failure, failure_name(error.kind, "operation failed"));
        }
    }

    /// The broker has told an event.
    pub(super) fn event(&mut self, event: &CoreEvent) {
        let name = match event {
            CoreEvent::PeerMisbehaved { .. } => "peer misbehaved",
            CoreEvent::Suppressed { .. } => "events suppressed",
            CoreEvent::DirectoryOffline { .. } => "directory offline",
            CoreEvent::PartitionOffline { .. } => "partition offline",
            CoreEvent::LogDamaged { .. } => "log damaged",
            CoreEvent::ShardFailed { .. } => "groups not served",
            CoreEvent::TornTailCut { .. } => "torn tail cut",
            CoreEvent::StrayDirectory { .. } => "stray directory",
            CoreEvent::MetadataLogEndsEarly { .. } => "metadata log ends early",
            CoreEvent::MetadataSnapshotRefused { .. } => "metadata snapshot refused",
            CoreEvent::UnknownMetadataRecord { .. } => "unknown metadata record",
            CoreEvent::Notice { .. } => "notice",
        };
        self.hit(Group::Event, name);
    }

    /// A client was told, or never will be.
    pub(super) fn told(&mut self, entry: &Entry) {
        let name = match entry {
            Entry::Ok { .. } => "NONE",
            Entry::Error { error, .. } => ErrorCode(*error).name().unwrap_or("no error of Kafka's"),
            Entry::Unknown { .. } => "no answer",
            Entry::Resent { .. } => "sent again",
            Entry::Producer { .. } => return self.hit(Group::Told, "producer id"),
            Entry::Told { told, .. } => return self.hit(Group::Told, told_name(told)),
            Entry::Unanswered { .. } => return self.hit(Group::Told, "no answer"),
            Entry::Changing { subject, what, .. } => {
                return self.hit(Group::Asked, change_name(subject, what));
            }
            Entry::Changed { outcome, .. } => {
                return self.hit(Group::Changed, outcome_name(outcome));
            }
            Entry::GroupAsked { ask, .. } => {
                if is_of_passing(ask) {
                    self.hit(Group::GroupAsked, "commit of a topic that goes");
                }
                return self.hit(Group::GroupAsked, ask_name(ask));
            }
            Entry::GroupTold { told, .. } => return self.told_of_group(told),
            Entry::GroupSilent { .. } => return self.hit(Group::GroupTold, "no answer"),
            _ => return,
        };
        self.hit(Group::Answer, name);
    }

    fn told_of_group(&mut self, told: &GroupTold) {
        let error_name = |error: i16| ErrorCode(error).name().unwrap_or("no error of Kafka's");
        let name = match told {
            GroupTold::Partitions(told) => {
                for (_, error) in told {
                    self.hit(Group::GroupTold, error_name(*error));
                }
                return;
            }
            GroupTold::Offsets(told) => {
                for (_, found) in told {
                    let name = match found {
                        Ok(Some(_)) => "offset",
                        Ok(None) => "no offset",
                        Err(error) => error_name(*error),
                    };
                    self.hit(Group::GroupTold, name);
                }
                return;
            }
            GroupTold::Joined { members, .. } if members.len() > 1 => "leads others",
            GroupTold::Joined { members, .. } if members.len() == 1 => "leads itself",
            GroupTold::Joined { .. } => "follows",
            GroupTold::Synced { part } if part.is_empty() => "no part",
            GroupTold::Synced { .. } => "part",
            GroupTold::Done => "NONE",
            GroupTold::Described { state, .. } => match state.as_str() {
                "Empty" => "Empty",
                "PreparingRebalance" => "PreparingRebalance",
                "CompletingRebalance" => "CompletingRebalance",
                "Stable" => "Stable",
                _ => "Dead",
            },
            GroupTold::Listed { error: 0, .. } => "listed",
            GroupTold::Listed { .. } => "listed in part",
            GroupTold::Error(error) => error_name(*error),
        };
        self.hit(Group::GroupTold, name);
    }

    /// This is what a run has left.
    pub(super) fn stored(&mut self, logs: &BTreeMap<TopicPartition, StoredLog>) {
        const CODECS: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];
        for record in logs.values().flat_map(|log| &log.records) {
            self.hit(Group::Stored, CODECS[usize::from(record.codec)]);
            if record.append_time {
                self.hit(Group::Stored, "stamped");
            }
            if !record.key.is_empty() {
                self.hit(Group::Stored, "keyed");
            }
        }
    }
}

fn change_name(subject: &Subject, what: &Change) -> &'static str {
    match (what, subject) {
        (Change::Create { .. }, _) => "create",
        (Change::TryCreate, _) => "try to create",
        (Change::Delete { id: None }, _) => "delete by name",
        (Change::Delete { id: Some(_) }, _) => "delete by id",
        (Change::Grow { .. }, _) => "grow",
        (Change::Alter(_), Subject::Topic(_)) => "alter a topic",
        (Change::Alter(_), Subject::Broker(_)) => "alter a broker",
        (Change::Replace(_), Subject::Topic(_)) => "replace a topic's settings",
        (Change::Replace(_), Subject::Broker(_)) => "replace a broker's settings",
        (Change::Look, _) => "look",
    }
}

/// Something is committed of a topic that comes and goes.
fn is_of_passing(ask: &GroupAsk) -> bool {
    let GroupAsk::Commit { offsets, .. } = ask else { return false };
    offsets.iter().any(|(target, _)| target.passing_id().is_some())
}

fn ask_name(ask: &GroupAsk) -> &'static str {
    let is_static = |claim: &Claim| claim.instance.is_some();
    match ask {
        GroupAsk::Commit { claim, .. } if claim.generation < 0 => "commit of nobody",
        GroupAsk::Commit { claim, .. } if is_static(claim) => "commit of a static member",
        GroupAsk::Commit { .. } => "commit",
        GroupAsk::Offsets { wanted: None, .. } => "all offsets",
        GroupAsk::Offsets { .. } => "offsets",
        GroupAsk::Join { claim, .. } if is_static(claim) => "join as an instance",
        GroupAsk::Join { claim, .. } if claim.member.is_empty() => "join",
        GroupAsk::Join { .. } => "join again",
        GroupAsk::Sync { parts, .. } if parts.is_empty() => "sync",
        GroupAsk::Sync { .. } => "sync as leader",
        GroupAsk::Heartbeat { .. } => "heartbeat",
        GroupAsk::Leave { .. } => "leave",
        GroupAsk::Delete => "delete",
        GroupAsk::DeleteOffsets { .. } => "delete offsets",
        GroupAsk::Describe => "describe",
        GroupAsk::List { states, types } if states.is_empty() && types.is_empty() => "list",
        GroupAsk::List { .. } => "list some",
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Made(_) => "made",
        Outcome::Refused(error) => ErrorCode(*error).name().unwrap_or("no error of Kafka's"),
        Outcome::Absent => "absent",
        Outcome::Seen(_) => "seen",
        Outcome::Unknown => "no answer",
    }
}

fn told_name(told: &Told) -> &'static str {
    match told {
        Told::Fetched(fetched) if fetched.records.is_empty() => "no records",
        Told::Fetched(_) | Told::Polled(_) => "records",
        Told::Offset { offset: -1, .. } => "no offset",
        Told::Offset { .. } => "offset",
        Told::Start { .. } => "records deleted",
        Told::EpochEnd { .. } => "epoch end",
        Told::Producers(_) => "producers",
        Told::Error(error) => ErrorCode(*error).name().unwrap_or("no error of Kafka's"),
    }
}

/// The file that says that a directory is formatted gets its name.
fn formats_directory(operation: &Operation) -> bool {
    matches!(operation, Operation::Rename { to, .. } if to.name() == MetaProperties::FILE)
}

/// What an operation does to the snapshots of the metadata log, or to the log by their leave.
fn snapshot_step(operation: &Operation) -> Option<&'static str> {
    let path = operation.path();
    let is_metadata = path.as_str().contains("/__cluster_metadata-0/");
    match (operation, extension(path)) {
        _ if !is_metadata => None,
        (Operation::Rename { .. }, "part") => Some("metadata snapshot written"),
        (Operation::Rename { .. }, "log") => Some("metadata segment given up"),
        (Operation::Unlink(_), "checkpoint") => Some("metadata snapshot given up"),
        (Operation::Unlink(_), "part") => Some("unfinished metadata snapshot removed"),
        _ => None,
    }
}

fn failure_name(kind: IoErrorKind, other: &'static str) -> &'static str {
    match kind {
        IoErrorKind::NotFound => "file not found",
        IoErrorKind::NoSpace => "disk full",
        IoErrorKind::Locked => "locked",
        IoErrorKind::Other => other,
    }
}
