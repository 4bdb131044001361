//! The judge of what clients are told of groups.
//!
//! - Offsets: what is told was committed, and nothing that was committed later is forgotten; what was refused is not
//!   there; what is deleted is gone. By the same table of promises as records.
//! - Members: generations do not go back; in one generation all speak one protocol that they offered, one of them
//!   leads, and each is told what the leader has said, to the byte. Where members were told their parts, that holds
//!   over crashes.
//! - Fencing: whoever claims an old generation, or an instance that is another member's, is not believed.
//! - Topics that are deleted take their offsets with them: these are told by their topic's id alone, do not come back,
//!   and do not go while it is there.
//! - Lists and descriptions: a group is told of while it has offsets or members, and not when it was deleted, in a
//!   state that it can be in.
//! - Rest: in a complete generation nobody is told of a change that nobody has asked for, also over a crash.

mod presence;
mod register;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::ids::Uuid;

use self::presence::{Before, Filters, Presence, Seen, judge_list};
use self::register::{Register, View};
use self::rounds::{Known, Rounds, ToldRound};
use super::cluster::Cluster;
use super::{Broken, Checker};
use crate::disk::Crash;
use crate::groups::{CallId, GroupAsk, GroupTold, StoredGroups, ToldOffset};
use crate::history::{Entry, TopicPartition};
use crate::metadata::Life;

/// What is known of all groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<String, Group>,
    calls: BTreeMap<CallId, Call>,
    lists: BTreeMap<CallId, List>,
    /// How long offsets are kept at least, in microseconds; `None`: for good.
    retention: Option<u64>,
    /// Groups may be lost to a disk, and nobody is told.
    may_fail: bool,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// Those of topics that come and go by their names alone: one keeps what was committed of the next as well.
    registers: BTreeMap<TopicPartition, Register>,
    rounds: Rounds,
    presence: Presence,
    /// See [`Groups`]. A group that has neither members nor offsets goes, and begins anew.
    retention: Option<u64>,
    /// Deletions that may still take hold.
    deletions: BTreeSet<CallId>,
    /// How many there have been, begun or ended.
    deletions_seen: u64,
    /// Since the last start, somebody was told something that a coordinator knows that has loaded its log.
    is_loaded: bool,
    /// The same of the life that has ended last.
    was_loaded: bool,
}

#[derive(Clone, Debug)]
struct Call {
    group: String,
    ask: GroupAsk,
    asked: u64,
    known: Known,
    before: Before,
    deletions_seen: u64,
    was_loaded: bool,
}

/// A list that is asked for.
#[derive(Clone, Debug)]
struct List {
    states: Vec<String>,
    types: Vec<String>,
    asked: u64,
    before: BTreeMap<String, Before>,
}

/// GROUP_ID_NOT_FOUND.
const NOT_FOUND: i16 = 69;

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
            Entry::GroupTold { call, told } => self.groups.told(*call, told, now, &self.cluster),
            Entry::GroupSilent { call } => {
                // Nobody knows what has become of it.
                self.groups.calls.remove(call);
                self.groups.lists.remove(call);
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
        let broken = self.groups.check(stored, now, &self.cluster);
        self.broken.extend(broken.into_iter().map(|(group, what)| Broken::Group { group, what }));
    }
}

impl Groups {
    pub(super) fn with_retention(mut self, micros: u64) -> Self {
        self.retention = Some(micros);
        self
    }

    pub(super) fn that_may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }

    fn asked(&mut self, call: CallId, name: &str, ask: &GroupAsk, now: u64) {
        if let GroupAsk::List { states, types } = ask {
            let (states, types, asked) = (states.clone(), types.clone(), now);
            let before = |(name, group): (&String, &Group)| (name.clone(), group.before(now));
            let before = self.groups.iter().map(before).collect();
            self.lists.insert(call, List { states, types, asked, before });
            return;
        }
        let retention = self.retention;
        let group = self.groups.entry(name.to_owned()).or_default();
        group.retention = retention;
        let before = group.before(now);
        group.presence.asked(call, ask);
        match ask {
            GroupAsk::Commit { claim, offsets } => {
                for (target, committed) in offsets {
                    let (generation, committed) = (claim.generation, committed.clone());
                    let register = group.register(target);
                    register.asked(call, Some(committed), generation, now);
                    if let Some(id) = meant_id(target) {
                        register.is_of(call, id);
                    }
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
            GroupAsk::Heartbeat { .. } | GroupAsk::Offsets { .. } => {}
            GroupAsk::Describe | GroupAsk::List { .. } => {}
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
        let asked = Call { group, ask, asked: now, known, before, deletions_seen, was_loaded };
        self.calls.insert(call, asked);
    }

    fn told(
        &mut self,
        call: CallId,
        told: &GroupTold,
        now: u64,
        cluster: &Cluster,
    ) -> Option<(String, String)> {
        if let Some(list) = self.lists.remove(&call) {
            return self.judge_list(&list, told, now).err();
        }
        let asked = self.calls.remove(&call)?;
        let group = self.groups.get_mut(&asked.group)?;
        group.presence.ended(call);
        let is_of_loaded = match (&asked.ask, told) {
            (GroupAsk::Heartbeat { .. }, GroupTold::Done) => false,
            (_, GroupTold::Error(error)) => !NOT_THERE.contains(error),
            (_, GroupTold::Partitions(told)) => told.iter().any(|(_, error)| *error == 0),
            _ => true,
        };
        group.is_loaded |= is_of_loaded;
        group.judge(call, &asked, told, now, cluster).err().map(|what| (asked.group, what))
    }

    fn judge_list(&self, list: &List, told: &GroupTold, now: u64) -> Result<(), (String, String)> {
        let GroupTold::Listed { groups, error } = told else { return Ok(()) };
        let filters = Filters { states: &list.states, types: &list.types };
        let is_whole = *error == 0 && !self.may_fail;
        judge_list(&self.groups, &list.before, filters, (groups, is_whole), (list.asked, now))
    }

    fn restarted(&mut self, now: u64) {
        for group in self.groups.values_mut() {
            group.registers.values_mut().for_each(|register| register.restarted(now));
            group.rounds.restarted(now);
            group.presence.restarted();
            group.deletions.clear();
            group.was_loaded = std::mem::take(&mut group.is_loaded);
        }
    }

    fn made_firm(&mut self) {
        let registers = self.groups.values_mut().flat_map(|group| group.registers.values_mut());
        registers.for_each(Register::made_firm);
    }

    fn lost_soft(&mut self, now: u64) {
        for group in self.groups.values_mut() {
            group.registers.values_mut().for_each(|register| register.lost_soft(now));
            group.presence.lost_soft();
            group.rounds.reset();
        }
    }

    fn check(
        &mut self,
        stored: &StoredGroups,
        now: u64,
        cluster: &Cluster,
    ) -> Vec<(String, String)> {
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
                let told = group.told_offset(target, found.as_ref(), (now, now), cluster);
                let left = || group.left_over(target, found.as_ref(), now, cluster);
                if let Some(what) = told.err().or_else(left) {
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
        self.registers.entry(target.named()).or_insert_with(|| {
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
        cluster: &Cluster,
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
                self.judge_topics(call, asked.asked, partitions, cluster)?;
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
            (GroupAsk::Offsets { .. }, GroupTold::Offsets(partitions)) => {
                self.judge_offsets(asked, partitions, now, cluster)
            }
            (GroupAsk::Delete, told) => {
                self.end_delete(call, told, now);
                if matches!(told, GroupTold::Done | GroupTold::Error(NOT_FOUND)) {
                    self.presence.found_gone(&asked.before);
                }
                Ok(())
            }
            (GroupAsk::Describe, GroupTold::Described { state, members }) => {
                self.rounds.met(members);
                self.judge_state(asked, state, members.len(), now)?;
                judge_described(state, members)
            }
            (GroupAsk::Describe, GroupTold::Error(NOT_FOUND)) => {
                self.judge_state(asked, "Dead", 0, now)
            }
            _ => self.judge_members(call, asked, told, now, (&known, is_whole)),
        }
    }

    /// `known`: what was known when it was asked. `is_whole`: no deletion may have touched the group since.
    fn judge_members(
        &mut self,
        call: CallId,
        asked: &Call,
        told: &GroupTold,
        now: u64,
        (known, is_whole): (&Known, bool),
    ) -> Result<(), String> {
        match (&asked.ask, told) {
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
                let joined = self.rounds.joined(call, known, claim, &told);
                self.unless_anew(joined)
            }
            (GroupAsk::Sync { claim, .. }, GroupTold::Synced { part }) => {
                if !is_whole {
                    return Ok(());
                }
                let synced = self.rounds.synced(known, claim, part);
                self.unless_anew(synced)
            }
            (GroupAsk::Heartbeat { claim }, GroupTold::Done) => {
                // A coordinator that loads its log takes everybody's word for it.
                if !asked.was_loaded {
                    return Ok(());
                }
                self.rounds.accepted(known, claim, asked.asked)
            }
            (GroupAsk::Heartbeat { claim }, GroupTold::Error(error)) if is_whole => {
                if !NOT_THERE.contains(error) && asked.before.rested_like(&self.before(now)) {
                    self.rounds.fenced(known, claim, *error, now)?;
                }
                self.rounds.refused(claim, *error, now)
            }
            (GroupAsk::Join { .. } | GroupAsk::Leave { .. }, _) => {
                self.rounds.stirred(call, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A description is a look at whether the group is there, too.
    fn judge_state(
        &mut self,
        asked: &Call,
        state: &str,
        members: usize,
        now: u64,
    ) -> Result<(), String> {
        let seen = if state == "Dead" { Seen::Nowhere } else { Seen::There(Some(state)) };
        self.judge_seen(seen, &asked.before, (asked.asked, now))?;
        if let Seen::Nowhere = seen {
            self.presence.found_gone(&asked.before);
        }
        match self.rested(&asked.before, now) {
            Some((generation, count)) if count != members => Err(format!(
                "{members} members are told of, and {count} are at rest in generation {generation}"
            )),
            _ => Ok(()),
        }
    }

    /// What is wrong with how commits have ended that are about topics that come and go. Of one that named its topic,
    /// it is known now which one that was, where only one can have been meant.
    fn judge_topics(
        &mut self,
        call: CallId,
        asked: u64,
        partitions: &[(TopicPartition, i16)],
        cluster: &Cluster,
    ) -> Result<(), String> {
        for (target, error) in partitions.iter().filter(|it| it.0.passing_id().is_some()) {
            let wrong = match error {
                0 => cluster.judge_served(target, asked),
                error => cluster.judge_refused(target, asked, *error),
            };
            if let Some(what) = wrong {
                return Err(format!("{target}: {what}"));
            }
            let meant = cluster.sure_topic(target.name(), asked);
            if let Some(id) = meant.filter(|_| meant_id(target).is_none()) {
                self.register(target).is_of(call, id);
            }
        }
        Ok(())
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
        let expires = self.retention.is_some();
        let registers = self.registers.values_mut();
        match told {
            GroupTold::Done => registers.for_each(|register| register.done(call, now)),
            GroupTold::Error(error) if !ERRORS_OF_UNKNOWN_END.contains(error) => {
                registers.for_each(|register| register.refused(call, expires));
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
        let expires = self.retention.is_some();
        for (target, error) in partitions {
            let register = self.register(target);
            match error {
                0 => register.done(call, now),
                error if ERRORS_OF_UNKNOWN_END.contains(error) => {}
                _ => register.refused(call, expires),
            }
        }
    }

    fn judge_offsets(
        &mut self,
        asked: &Call,
        told: &[(TopicPartition, Result<Option<ToldOffset>, i16>)],
        now: u64,
        cluster: &Cluster,
    ) -> Result<(), String> {
        let times = (asked.asked, now);
        let mut seen = BTreeSet::new();
        for (target, found) in told {
            if !seen.insert(target.named()) {
                return Err(format!("{target} is told twice"));
            }
            let wrong = match found {
                Ok(found) => self.told_offset(target, found.as_ref(), times, cluster).err(),
                Err(error) => cluster.judge_refused(target, asked.asked, *error),
            };
            if let Some(what) = wrong {
                return Err(format!("{target}: {what}"));
            }
        }
        let GroupAsk::Offsets { wanted: None, by_id } = asked.ask else { return Ok(()) };
        // Of all that it has, the rest is nothing. By ids, what nobody knows any more is not told of.
        let is_told = |target: &TopicPartition| !by_id || target.passing_id().is_none();
        let targets = self.registers.keys().filter(|target| is_told(target)).cloned();
        let targets: Vec<TopicPartition> = targets.collect();
        for target in targets.iter().filter(|target| !seen.contains(target)) {
            let judged = self.told_offset(target, None, times, cluster);
            judged.map_err(|what| format!("{target}: {what}"))?;
        }
        Ok(())
    }

    /// What was committed of a deleted topic is still there.
    fn left_over(
        &mut self,
        target: &TopicPartition,
        found: Option<&ToldOffset>,
        now: u64,
        cluster: &Cluster,
    ) -> Option<String> {
        let found = found.filter(|_| self.was_loaded && target.passing_id().is_some())?;
        let is_over = |id| cluster.life_of(target.name(), id) == Life::Over;
        let is_left = self.register(target).is_left_over(found, now, is_over);
        is_left.then(|| format!("{found:?} is left, and its topic was deleted"))
    }

    fn told_offset(
        &mut self,
        target: &TopicPartition,
        found: Option<&ToldOffset>,
        (asked, now): (u64, u64),
        cluster: &Cluster,
    ) -> Result<(), String> {
        let reading = self.rounds.at_work(target, now);
        let retention = self.retention;
        let register = self.register(target);
        let told = if target.passing_id().is_some() {
            if let Some(what) = cluster.judge_served(target, asked) {
                return Err(what);
            }
            let is_sure = |id| cluster.life_of(target.name(), id) == Life::Sure;
            let may_go = |topic: Option<Uuid>| !topic.is_some_and(is_sure);
            let view = View { id: meant_id(target), may_go: &may_go };
            register.told_as(view, found, asked, now)
        } else {
            register.told(found, asked, now)
        };
        match (told, retention) {
            (Err(_), Some(retention)) if found.is_none() => {
                register.expired((asked, now), retention, reading)
            }
            (told, _) => told,
        }
    }
}

/// The id of the topic that is meant, if it comes and goes, and is not meant by its name.
fn meant_id(target: &TopicPartition) -> Option<Uuid> {
    target.passing_id().filter(|id| *id != Uuid::ZERO)
}

/// No administrators.
#[cfg(test)]
fn nobody() -> Cluster {
    Cluster::default()
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
