//! The judge of what clients are told of groups.
//!
//! - Offsets: what is told was committed, and nothing that was committed later is forgotten; what was refused is not
//!   there; what is deleted is gone. By the same table of promises as records.
//! - Members: generations do not go back; in one generation all speak one protocol that they offered, one of them
//!   leads, and each is told what the leader has said, to the byte. Where members were told their parts, that holds
//!   over crashes.
//! - Fencing: whoever claims an old generation, or an instance that is another member's, is not believed.
//! - Rest: in a complete generation nobody is told of a change that nobody has asked for, also over a crash.

mod register;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};

use self::register::Register;
use self::rounds::{Known, Rounds, ToldRound};
use super::{Broken, Checker};
use crate::disk::Crash;
use crate::groups::{CallId, GroupAsk, GroupTold, StoredGroups, ToldOffset};
use crate::history::{Entry, TopicPartition};

/// What is known of all groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<String, Group>,
    calls: BTreeMap<CallId, Call>,
    /// How long offsets are kept at least, in microseconds; `None`: for good.
    retention: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    registers: BTreeMap<TopicPartition, Register>,
    rounds: Rounds,
    /// See [`Groups`]. A group that has neither members nor offsets goes, and begins anew.
    retention: Option<u64>,
    /// Deletions that may still take hold.
    deletions: BTreeSet<CallId>,
    /// How many there have been, begun or ended.
    deletions_seen: u64,
    /// Since the last start, somebody was told something that a coordinator knows that has loaded its log.
    is_loaded: bool,
}

#[derive(Clone, Debug)]
struct Call {
    group: String,
    ask: GroupAsk,
    asked: u64,
    known: Known,
    deletions_seen: u64,
    was_loaded: bool,
}

/// Errors after which a commit may have been kept all the same: the coordinator, or its disk, is gone.
const ERRORS_OF_UNKNOWN_END: [i16; 5] = [-1, 7, 15, 16, 56];

/// What is said by a coordinator that has not loaded its log, or has none.
const NOT_THERE: [i16; 4] = [14, 15, 16, 56];

impl Checker {
    /// Takes in what happened to groups.
    pub(super) fn observe_groups(&mut self, now: u64, entry: &Entry) {
        let broken = match entry {
            Entry::GroupAsked { call, group, ask } => {
                self.groups.asked(*call, group, ask, now);
                None
            }
            Entry::GroupTold { call, told } => self.groups.told(*call, told, now),
            Entry::GroupSilent { call } => {
                // Nobody knows what has become of it.
                self.groups.calls.remove(call);
                None
            }
            Entry::Crashed(crash) => {
                self.groups.restarted(now);
                if self.page_cache && *crash == Crash::PowerLoss {
                    self.groups.lost_soft(now);
                }
                None
            }
            Entry::Stopped => {
                self.groups.restarted(now);
                self.groups.made_firm();
                None
            }
            Entry::Recovered => {
                self.groups.restarted(now);
                None
            }
            _ => None,
        };
        if let Some((group, what)) = broken {
            self.broken.push(Broken::Group { group, what });
        }
    }

    /// Holds what lies in the log of groups against what was promised: the broker has stopped.
    pub fn check_groups(&mut self, stored: &StoredGroups, now: u64) {
        let broken = self.groups.check(stored, now);
        self.broken.extend(broken.into_iter().map(|(group, what)| Broken::Group { group, what }));
    }
}

impl Groups {
    pub(super) fn with_retention(mut self, micros: u64) -> Self {
        self.retention = Some(micros);
        self
    }

    fn asked(&mut self, call: CallId, name: &str, ask: &GroupAsk, now: u64) {
        let retention = self.retention;
        let group = self.groups.entry(name.to_owned()).or_default();
        group.retention = retention;
        match ask {
            GroupAsk::Commit { claim, offsets } => {
                for (target, committed) in offsets {
                    let generation = claim.generation;
                    group.register(target).asked(call, Some(committed.clone()), generation, now);
                }
            }
            GroupAsk::DeleteOffsets { targets } => {
                for target in targets {
                    group.register(target).asked(call, None, -1, now);
                }
            }
            GroupAsk::Delete => {
                group
                    .registers
                    .values_mut()
                    .for_each(|register| register.asked(call, None, -1, now));
                group.deletions.insert(call);
                group.deletions_seen += 1;
                group.rounds.reset();
                group.rounds.stirs(call);
            }
            GroupAsk::Join { protocols, .. } => {
                group.rounds.offered(protocols);
                group.rounds.stirs(call);
            }
            GroupAsk::Leave { .. } => group.rounds.stirs(call),
            GroupAsk::Sync { claim, parts } => group.rounds.sent(claim, parts),
            GroupAsk::Heartbeat { .. } | GroupAsk::Offsets { .. } | GroupAsk::Describe => {}
        }
        let claim = match ask {
            GroupAsk::Commit { claim, .. }
            | GroupAsk::Join { claim, .. }
            | GroupAsk::Sync { claim, .. }
            | GroupAsk::Heartbeat { claim } => Some(claim),
            _ => None,
        };
        let known = group.rounds.known(claim);
        let (deletions_seen, was_loaded) = (group.deletions_seen, group.is_loaded);
        let (group, ask) = (name.to_owned(), ask.clone());
        let asked = Call { group, ask, asked: now, known, deletions_seen, was_loaded };
        self.calls.insert(call, asked);
    }

    fn told(&mut self, call: CallId, told: &GroupTold, now: u64) -> Option<(String, String)> {
        let asked = self.calls.remove(&call)?;
        let group = self.groups.get_mut(&asked.group)?;
        let is_of_loaded = match (&asked.ask, told) {
            (GroupAsk::Heartbeat { .. }, GroupTold::Done) => false,
            (_, GroupTold::Error(error)) => !NOT_THERE.contains(error),
            (_, GroupTold::Partitions(told)) => told.iter().any(|(_, error)| *error == 0),
            _ => true,
        };
        group.is_loaded |= is_of_loaded;
        group.judge(call, &asked, told, now).err().map(|what| (asked.group, what))
    }

    fn restarted(&mut self, now: u64) {
        for group in self.groups.values_mut() {
            group.registers.values_mut().for_each(|register| register.restarted(now));
            group.rounds.restarted(now);
            group.deletions.clear();
            group.is_loaded = false;
        }
    }

    fn made_firm(&mut self) {
        let registers = self.groups.values_mut().flat_map(|group| group.registers.values_mut());
        registers.for_each(Register::made_firm);
    }

    fn lost_soft(&mut self, now: u64) {
        for group in self.groups.values_mut() {
            group.registers.values_mut().for_each(|register| register.lost_soft(now));
            group.rounds.reset();
        }
    }

    fn check(&mut self, stored: &StoredGroups, now: u64) -> Vec<(String, String)> {
        let mut broken = Vec::new();
        for (name, group) in &mut self.groups {
            let targets: Vec<TopicPartition> = group.registers.keys().cloned().collect();
            for target in &targets {
                let found = stored.offsets.get(&(name.clone(), target.clone()));
                let found = found.map(|found| ToldOffset {
                    offset: found.offset,
                    leader_epoch: Some(found.leader_epoch),
                    metadata: found.metadata.clone(),
                });
                if let Err(what) = group.told_offset(target, found.as_ref(), now, now) {
                    broken.push((name.clone(), format!("{target} on the disk: {what}")));
                }
            }
            let firm = group.rounds.firm();
            let generation = stored.generations.get(name).copied().unwrap_or(-1);
            if generation < firm && group.retention.is_none() {
                let what = format!("generation {generation} is on the disk, {firm} had its parts");
                broken.push((name.clone(), what));
            }
        }
        let unknown = stored.offsets.keys().find(|(name, target)| {
            self.groups.get(name).is_none_or(|group| !group.registers.contains_key(target))
        });
        if let Some((name, target)) = unknown {
            broken.push((
                name.clone(),
                format!("{target} is on the disk, and nobody has committed it"),
            ));
        }
        broken
    }
}

impl Group {
    fn register(&mut self, target: &TopicPartition) -> &mut Register {
        let deletions = &self.deletions;
        self.registers.entry(target.clone()).or_insert_with(|| {
            let mut register = Register::default();
            for call in deletions {
                register.asked(*call, None, -1, 0);
            }
            register
        })
    }

    fn judge(
        &mut self,
        call: CallId,
        asked: &Call,
        told: &GroupTold,
        now: u64,
    ) -> Result<(), String> {
        let is_lasting = self.retention.is_none();
        let is_whole =
            is_lasting && self.deletions.is_empty() && self.deletions_seen == asked.deletions_seen;
        // What a deletion may have touched says nothing of generations.
        let known = if is_whole && is_lasting {
            asked.known.clone()
        } else {
            Rounds::default().known(None)
        };
        match (&asked.ask, told) {
            (GroupAsk::Commit { claim, .. }, GroupTold::Partitions(partitions)) => {
                self.end_writes(call, partitions, now);
                let is_accepted = partitions.iter().any(|(_, error)| *error == 0);
                let is_member = claim.generation >= 0;
                if is_accepted && is_member {
                    return self.rounds.accepted(&known, claim, asked.asked);
                }
                Ok(())
            }
            (GroupAsk::DeleteOffsets { .. }, GroupTold::Partitions(partitions)) => {
                self.end_writes(call, partitions, now);
                Ok(())
            }
            (GroupAsk::DeleteOffsets { targets }, GroupTold::Error(error)) => {
                let partitions = targets.iter().map(|target| (target.clone(), *error));
                self.end_writes(call, &partitions.collect::<Vec<_>>(), now);
                Ok(())
            }
            (GroupAsk::Offsets { wanted }, GroupTold::Offsets(partitions)) => {
                self.judge_offsets(wanted.as_deref(), partitions, asked.asked, now)
            }
            (
                GroupAsk::Join { claim, session_ms, .. },
                GroupTold::Joined { generation, member, leader, protocol, members },
            ) => {
                let told = ToldRound {
                    session_ms: *session_ms,
                    asked: asked.asked,
                    generation: *generation,
                    member,
                    leader,
                    protocol,
                    members,
                };
                let joined = self.rounds.joined(call, &known, claim, &told);
                self.unless_anew(joined)
            }
            (GroupAsk::Sync { claim, .. }, GroupTold::Synced { part }) => {
                if !is_whole {
                    return Ok(());
                }
                let synced = self.rounds.synced(&known, claim, part, asked.asked);
                self.unless_anew(synced)
            }
            (GroupAsk::Heartbeat { claim }, GroupTold::Done) => {
                // A coordinator that loads its log takes everybody's word for it.
                if !asked.was_loaded {
                    return Ok(());
                }
                self.rounds.accepted(&known, claim, asked.asked)
            }
            (GroupAsk::Heartbeat { claim }, GroupTold::Error(error)) if is_whole => {
                self.rounds.refused(claim, *error, now)
            }
            (GroupAsk::Delete, told) => {
                self.end_delete(call, told, now);
                Ok(())
            }
            (GroupAsk::Describe, GroupTold::Described { state, members }) => {
                self.rounds.met(members);
                judge_described(state, members)
            }
            (GroupAsk::Join { .. } | GroupAsk::Leave { .. }, _) => {
                self.rounds.stirred(call, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A group that goes when it has nothing left begins anew, and nobody is told.
    fn unless_anew(&mut self, judged: Result<(), String>) -> Result<(), String> {
        if judged.is_err() && self.retention.is_some() {
            self.rounds.reset();
            return Ok(());
        }
        judged
    }

    fn end_delete(&mut self, call: CallId, told: &GroupTold, now: u64) {
        let registers = self.registers.values_mut();
        match told {
            GroupTold::Done => registers.for_each(|register| register.done(call, now)),
            GroupTold::Error(error) if !ERRORS_OF_UNKNOWN_END.contains(error) => {
                registers.for_each(|register| register.refused(call));
            }
            _ => return,
        }
        self.end_deletion(call, now);
    }

    fn end_deletion(&mut self, call: CallId, now: u64) {
        self.deletions.remove(&call);
        self.deletions_seen += 1;
        self.rounds.reset();
        self.rounds.stirred(call, now);
    }

    /// Commits or deletions of offsets have ended.
    fn end_writes(&mut self, call: CallId, partitions: &[(TopicPartition, i16)], now: u64) {
        for (target, error) in partitions {
            let register = self.register(target);
            match error {
                0 => register.done(call, now),
                error if ERRORS_OF_UNKNOWN_END.contains(error) => {}
                _ => register.refused(call),
            }
        }
    }

    fn judge_offsets(
        &mut self,
        wanted: Option<&[TopicPartition]>,
        told: &[(TopicPartition, Result<Option<ToldOffset>, i16>)],
        asked: u64,
        now: u64,
    ) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for (target, found) in told {
            if !seen.insert(target) {
                return Err(format!("{target} is told twice"));
            }
            if let Ok(found) = found {
                let judged = self.told_offset(target, found.as_ref(), asked, now);
                judged.map_err(|what| format!("{target}: {what}"))?;
            }
        }
        if wanted.is_some() {
            return Ok(());
        }
        // Of all that it has, the rest is nothing.
        let targets: Vec<TopicPartition> = self.registers.keys().cloned().collect();
        for target in targets.iter().filter(|target| !seen.contains(target)) {
            let judged = self.told_offset(target, None, asked, now);
            judged.map_err(|what| format!("{target}: {what}"))?;
        }
        Ok(())
    }

    fn told_offset(
        &mut self,
        target: &TopicPartition,
        found: Option<&ToldOffset>,
        asked: u64,
        now: u64,
    ) -> Result<(), String> {
        let reading = self.rounds.at_work(target, now);
        let retention = self.retention;
        let register = self.register(target);
        match (register.told(found, asked, now), retention) {
            (Err(_), Some(retention)) if found.is_none() => {
                register.expired((asked, now), retention, reading)
            }
            (told, _) => told,
        }
    }
}

/// No partition has two owners, and no instance two members.
fn judge_described(state: &str, members: &[crate::groups::ToldMember]) -> Result<(), String> {
    if state == "Empty" && !members.is_empty() {
        return Err(format!("it is empty, and has {} members", members.len()));
    }
    let (mut ids, mut instances, mut owned) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for member in members {
        let part = crate::client::member::protocol::decode_part(&member.says).unwrap_or_default();
        let is_new = ids.insert(&member.id)
            && member.instance.as_ref().is_none_or(|instance| instances.insert(instance));
        if !is_new {
            return Err(format!("{} is there twice", member.id));
        }
        if let Some(target) = part.into_iter().find(|target| !owned.insert(target.clone())) {
            return Err(format!("{target} is the part of two members"));
        }
    }
    Ok(())
}
