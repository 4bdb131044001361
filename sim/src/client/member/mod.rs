//! A consumer in a group, as real ones live: it looks for its coordinator, joins, leads when it is told to, reads and
//! commits what is its part, says that it is alive, leaves, or dies without a word and comes back.

mod assignor;
mod calls;
mod fetches;
pub(crate) mod protocol;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use self::assignor::Assignor;
pub(super) use self::calls::{
    PendingCall, find, found, heartbeat, leave, tell_joined, tell_synced, told_heartbeat,
    told_leave,
};
pub(super) use self::fetches::PendingThinFetch;
use self::protocol::Subscription;
use super::commits::{self, Fetched};
use super::overseer::{draw_offset, passing_partitions};
use super::{Caller, Surroundings, per_mille};
use crate::decisions::Purpose;
use crate::groups::{Claim, Committed, ToldMember};
use crate::history::TopicPartition;
use crate::options::Options;
use crate::program::Wish;

/// A client that is a member of a group.
#[derive(Debug)]
pub struct Member {
    number: usize,
    left: u64,
    goal: Goal,
    life: Option<Life>,
    knows_coordinator: bool,
    stage: Stage,
    claim: Claim,
    /// What it reads, and from where on.
    positions: BTreeMap<TopicPartition, Position>,
    proven: Proven,
    /// It wants the group to share anew: who leads may not know what all subscribe to.
    must_share: bool,
    /// When it says that it is alive, when it does something else, and when it dies, in microseconds.
    beats_at: u64,
    acts_at: u64,
    dies_at: Option<u64>,
    /// Until then it does nothing at all.
    sleeps_until: u64,
    /// When it is to be asked again.
    asked_at: u64,
}

/// What it lives for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// To do so many things; or to stay alive while others do.
    Live,
    /// Faults have ended: to have a part, all of it committed, in a group at rest.
    Settle,
    /// To look once more at what was committed, and to go.
    Go,
}

/// What a member is from its birth to its death; a static one is born again as the same instance.
#[derive(Debug)]
struct Life {
    group: String,
    topics: Vec<String>,
    assignors: Vec<Assignor>,
    /// In its words to the leader.
    tag: u64,
    subscription_version: i16,
    session_ms: u64,
    rebalance_ms: u64,
}

#[derive(Debug)]
enum Stage {
    /// It wants in, or in again.
    Joining,
    /// It knows of a generation, and not its part in it.
    Syncing(Round),
    /// It has its part.
    Steady,
    /// It has left, for good.
    Gone,
}

/// A generation, as JoinGroup tells of it.
#[derive(Debug)]
struct Round {
    protocol: String,
    /// Everybody, to the leader.
    members: Vec<ToldMember>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// To be asked for.
    Unknown,
    At(i64),
}

/// What it has seen of the generation that it is in.
#[derive(Clone, Copy, Debug, Default)]
struct Proven {
    /// Its group's offsets were told.
    is_told: bool,
    /// All that it has to read is committed.
    is_committed: bool,
    /// It was alive since.
    is_alive: bool,
    /// There was no room for it.
    is_turned_away: bool,
}

/// How a group is, as one of its members has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) group: String,
    pub(crate) generation: i32,
    pub(crate) topics: Vec<String>,
    pub(crate) part: BTreeSet<TopicPartition>,
}

/// The name of a group of members.
pub(super) fn group_name(index: u64) -> String {
    format!("group{index}")
}

impl Member {
    pub(super) fn new(number: usize, left: u64) -> Self {
        Self {
            number,
            left,
            goal: Goal::Live,
            life: None,
            knows_coordinator: false,
            stage: Stage::Joining,
            claim: Claim::of_nobody(),
            positions: BTreeMap::new(),
            proven: Proven::default(),
            must_share: false,
            beats_at: 0,
            acts_at: 0,
            dies_at: None,
            sleeps_until: 0,
            asked_at: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        match self.goal {
            Goal::Live => self.left == 0,
            Goal::Settle => self.is_settled() || self.proven.is_turned_away || self.is_gone(),
            Goal::Go => self.is_gone(),
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    fn is_settled(&self) -> bool {
        let Proven { is_told, is_committed, is_alive, .. } = self.proven;
        matches!(self.stage, Stage::Steady) && is_told && is_committed && is_alive
    }

    pub(super) fn set_requests(&mut self, requests: u64) {
        self.left = requests;
    }

    /// Faults have ended.
    pub(super) fn settle(&mut self) {
        (self.goal, self.dies_at, self.sleeps_until, self.acts_at) = (Goal::Settle, None, 0, 0);
        self.proven = Proven::default();
        self.must_share = true;
    }

    pub(super) fn tidy_up(&mut self) {
        (self.goal, self.must_share) = (Goal::Go, false);
        (self.sleeps_until, self.acts_at) = (0, 0);
        self.proven = Proven::default();
    }

    /// How its group is, when it is settled in it.
    pub(super) fn standing(&self) -> Option<Standing> {
        let life = self.life.as_ref().filter(|_| self.is_settled())?;
        Some(Standing {
            group: life.group.clone(),
            generation: self.claim.generation,
            topics: life.topics.clone(),
            part: self.positions.keys().cloned().collect(),
        })
    }

    /// What it wants where it has nothing to send.
    pub(super) fn take_wish(&mut self, now_micros: u64, is_waiting: bool) -> Option<Wish> {
        if self.dies_at.is_some_and(|at| at <= now_micros) {
            self.dies_at = None;
            self.die(now_micros);
            return Some(Wish::Disconnect);
        }
        let wakes_at = if is_waiting {
            self.dies_at?
        } else {
            let next = self.beats_at.min(self.acts_at).max(self.sleeps_until);
            let next = if self.is_gone() { return None } else { next };
            self.dies_at.map_or(next, |at| at.min(next))
        };
        let wakes_at = wakes_at.max(now_micros + 1);
        // Whoever is asked at every answer asks for no more than one time to come.
        let is_due = self.asked_at > now_micros && self.asked_at <= wakes_at;
        (!is_due).then(|| {
            self.asked_at = wakes_at;
            Wish::Later(wakes_at - now_micros)
        })
    }

    /// It forgets all but its instance id, and comes back some time.
    fn die(&mut self, now_micros: u64) {
        let Some(life) = self.life.take() else { return };
        // Sometimes before anybody has noticed.
        let pause = (self.number as u64 + now_micros) % 4 * life.session_ms * 500;
        self.sleeps_until = now_micros + pause;
        self.forget_membership();
    }

    fn forget_membership(&mut self) {
        self.claim.generation = -1;
        self.claim.member.clear();
        self.join_again();
        self.positions.clear();
    }

    fn join_again(&mut self) {
        self.stage = Stage::Joining;
        self.proven = Proven { is_turned_away: false, ..Proven::default() };
    }

    pub(super) fn disconnected(&mut self) {
        self.knows_coordinator = false;
    }

    /// Its next request; or it has a [`wish`](Self::take_wish).
    pub(super) fn next(
        &mut self,
        caller: Caller<'_>,
        around: &mut Surroundings<'_>,
    ) -> Option<Bytes> {
        let now = around.now_micros;
        if self.is_gone() || now < self.sleeps_until || self.dies_at.is_some_and(|at| at <= now) {
            return None;
        }
        if self.life.is_none() {
            self.be_born(around);
        }
        if self.goal == Goal::Live && self.dies_at.is_none() {
            let rate = per_mille(around.options.death_per_mille);
            if around.decisions.chance(Purpose::Group, rate) {
                self.dies_at = Some(now + around.decisions.below(Purpose::Group, 50_000));
            }
        }
        if !self.knows_coordinator {
            return Some(self.find(caller, around));
        }
        if self.goal == Goal::Go {
            return self.take_leave(caller, around);
        }
        match &self.stage {
            Stage::Joining => Some(self.join(caller, around)),
            Stage::Syncing(_) => Some(self.sync(caller, around)),
            Stage::Steady if now >= self.beats_at => Some(self.heartbeat(caller, around)),
            Stage::Steady if now >= self.acts_at => self.act(caller, around),
            Stage::Steady | Stage::Gone => None,
        }
    }

    /// Says that it is alive, once more; looks at what its group has committed; and leaves.
    fn take_leave(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Option<Bytes> {
        if around.now_micros < self.acts_at {
            return None;
        }
        if matches!(self.stage, Stage::Steady) && !self.proven.is_alive {
            return Some(self.heartbeat(caller, around));
        }
        if !self.proven.is_told {
            let group = self.life().group.clone();
            return Some(commits::fetch(caller, vec![(group, None)], around));
        }
        if self.claim.member.is_empty() {
            self.stage = Stage::Gone;
            return None;
        }
        Some(self.leave(caller, around))
    }

    fn act(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Option<Bytes> {
        if std::mem::take(&mut self.must_share) {
            self.join_again();
            return Some(self.join(caller, around));
        }
        let is_unknown =
            |(_, position): &(&TopicPartition, &Position)| **position == Position::Unknown;
        let unknown: Vec<TopicPartition> =
            self.positions.iter().filter(is_unknown).map(|(target, _)| target.clone()).collect();
        if !unknown.is_empty() || (self.goal == Goal::Settle && !self.proven.is_told) {
            let group = self.life().group.clone();
            let wanted = Some(unknown).filter(|unknown| !unknown.is_empty());
            return Some(commits::fetch(caller, vec![(group, wanted)], around));
        }
        if self.goal == Goal::Settle {
            if self.positions.is_empty() {
                self.proven.is_committed = true;
            }
            if self.proven.is_committed {
                self.pause(around);
                return (!self.proven.is_alive).then(|| self.heartbeat(caller, around));
            }
            return Some(self.commit(caller, around));
        }
        self.pause(around);
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        match around.decisions.below(Purpose::Group, 16) {
            0..=3 if !self.positions.is_empty() => Some(self.fetch(caller, around)),
            0..=9 if !self.positions.is_empty() => Some(self.commit(caller, around)),
            10 | 11 => {
                let groups = around.options.groups.max(1);
                let all = (0..groups).map(|index| (group_name(index), None));
                Some(commits::fetch(caller, all.collect(), around))
            }
            12 => Some(self.leave(caller, around)),
            13 => {
                // It subscribes to something else, or looks for a new round.
                if around.decisions.below(Purpose::Group, 2) == 0 {
                    let topics = draw_topics(around);
                    self.life_mut().topics = topics;
                }
                self.join_again();
                Some(self.join(caller, around))
            }
            _ => Some(self.heartbeat(caller, around)),
        }
    }

    /// Commits some of what it reads; all of it in the end. Now and then what was before.
    fn commit(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let is_all = self.goal == Goal::Settle;
        let mut offsets = Vec::new();
        for (target, position) in &self.positions {
            let Position::At(at) = *position else { continue };
            let is_wanted = is_all || around.decisions.below(Purpose::Group, 2) == 0;
            if !is_wanted && !offsets.is_empty() {
                continue;
            }
            let back = around.decisions.below(Purpose::Group, 8) == 0;
            let offset = if back { at / 2 } else { at };
            let leader_epoch = around.decisions.below(Purpose::Group, 3) as i32 - 1;
            let committed = Committed { offset, leader_epoch, metadata: String::new() };
            offsets.push((target.clone(), committed));
        }
        for target in passing_partitions(around) {
            offsets.push((target, draw_offset(around)));
        }
        let group = self.life().group.clone();
        commits::commit(caller, &group, &self.claim, offsets, around).0
    }

    fn pause(&mut self, around: &mut Surroundings<'_>) {
        let most = self.life().session_ms * 250;
        self.acts_at = around.now_micros + around.decisions.below(Purpose::Group, most);
    }

    fn be_born(&mut self, around: &mut Surroundings<'_>) {
        let options = around.options;
        let (session_ms, rebalance_ms) =
            (options.session_ms.max(100), options.rebalance_ms.max(200));
        let (groups, rate) = (options.groups.max(1), per_mille(options.static_per_mille));
        let topics = draw_topics(around);
        let decisions = &mut *around.decisions;
        if self.claim.instance.is_none() && decisions.chance(Purpose::Group, rate) {
            self.claim.instance = Some(format!("instance{}", instance_of(self.number, options)));
        }
        let group = group_name(match self.claim.instance {
            // It stays where it is known.
            Some(_) => instance_of(self.number, options) % groups,
            None => decisions.below(Purpose::Group, groups),
        });
        let mut assignors = vec![Assignor::Range];
        if decisions.below(Purpose::Group, 2) == 0 {
            assignors.insert(0, Assignor::RoundRobin);
        }
        if decisions.below(Purpose::Group, 2) == 0 {
            assignors.insert(0, Assignor::Cooperative);
        }
        let low = u64::from(assignors.contains(&Assignor::Cooperative));
        let subscription_version = decisions.between(Purpose::Group, low, 3) as i16;
        let tag = around.history.next_call().0;
        self.life = Some(Life {
            group,
            topics,
            assignors,
            tag,
            subscription_version,
            session_ms,
            rebalance_ms,
        });
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("it is alive")
    }

    fn life_mut(&mut self) -> &mut Life {
        self.life.as_mut().expect("it is alive")
    }

    fn protocols(&self) -> Vec<(String, Bytes)> {
        let life = self.life();
        let said = |assignor: &Assignor| {
            let owned = match assignor {
                Assignor::Cooperative => self.positions.keys().cloned().collect(),
                _ => BTreeSet::new(),
            };
            let (topics, tag, generation) = (life.topics.clone(), life.tag, self.claim.generation);
            let said = Subscription { topics, tag, owned, generation };
            (assignor.name().to_owned(), said.encode(life.subscription_version))
        };
        life.assignors.iter().map(said).collect()
    }

    /// It has its part: what it had and has no longer is given up. True when others wait for that.
    fn take_part(&mut self, part: &BTreeSet<TopicPartition>, protocol: &str) -> bool {
        let had = self.positions.len();
        let is_cooperative = Assignor::named(protocol) == Some(Assignor::Cooperative);
        if !is_cooperative {
            self.positions.clear();
        }
        self.positions.retain(|target, _| part.contains(target));
        let gives_up = is_cooperative && self.positions.len() < had;
        for target in part {
            self.positions.entry(target.clone()).or_insert(Position::Unknown);
        }
        gives_up
    }

    /// A group's offsets were told, or not.
    pub(super) fn told_offsets(
        &mut self,
        fetched: &[Fetched],
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        for fetched in fetched {
            match fetched {
                Ok(told) => {
                    self.proven.is_told = true;
                    for (target, found) in told {
                        let at = match found {
                            Ok(Some(found)) => Position::At(found.offset),
                            Ok(None) => Position::At(0),
                            Err(_) => continue,
                        };
                        if let Some(position @ Position::Unknown) = self.positions.get_mut(target) {
                            *position = at;
                        }
                    }
                }
                Err(error) => self.refused(*error, around)?,
            }
        }
        Ok(())
    }

    /// A commit has ended.
    pub(super) fn committed(
        &mut self,
        error: i16,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        if error == 0 {
            self.proven.is_committed = true;
            return Ok(());
        }
        self.refused(error, around)
    }
}

/// The number of a static member's instance, which two may have.
fn instance_of(number: usize, options: &Options) -> u64 {
    let number = number as u64;
    if options.twins == 1 { number / 2 * 2 } else { number }
}

/// Some of the topics that are there for good, at least one.
fn draw_topics(around: &mut Surroundings<'_>) -> Vec<String> {
    let mut topics = Vec::new();
    for index in 0..around.options.topics.max(1) {
        if around.decisions.below(Purpose::Group, 3) > 0 {
            topics.push(format!("topic{index}"));
        }
    }
    if topics.is_empty() {
        topics.push("topic0".to_owned());
    }
    topics
}
