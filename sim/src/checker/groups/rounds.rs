//! What is known of a group's members: its generations, who is in them, and who has which part.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::client::member::protocol::decode_part;
use crate::groups::{CallId, Claim, ToldMember};
use crate::history::TopicPartition;

/// FENCED_INSTANCE_ID.
const FENCED: i16 = 82;

/// What is known of the generations of one group.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    rounds: BTreeMap<i32, Round>,
    /// The newest generation that anybody was told of, and the newest that must outlive a crash: a member has its part.
    newest: i32,
    firm: i32,
    /// Who has an instance id, as was told last.
    holders: BTreeMap<String, Holder>,
    /// The instance ids of members of whom it is known whether they have one.
    instances: BTreeMap<String, Option<String>>,
    /// What members said, by protocol.
    offers: BTreeSet<(String, Bytes)>,
    /// When members were heard of last, and for how long that counts, in microseconds.
    heard: BTreeMap<String, (u64, u64)>,
    /// Requests that make members join anew and may still take hold, and when the last one has.
    stirring: BTreeSet<CallId>,
    stirred: u64,
}

/// A generation.
#[derive(Clone, Debug, Default)]
struct Round {
    protocol: Option<String>,
    leader: Option<String>,
    /// As the leader was told: members and their instance ids.
    members: Option<BTreeMap<String, Option<String>>>,
    /// What whoever leads may have said: each time, everybody's part.
    sent: Vec<(String, BTreeMap<String, Bytes>)>,
    /// Of these, those that agree with all that members were told since the last start.
    agreeing: Option<Vec<usize>>,
    /// Who was told its part.
    synced: BTreeSet<String>,
    /// When the last of those who were told of it asked to join.
    joined: u64,
}

#[derive(Clone, Debug)]
struct Holder {
    member: String,
    /// It outlives a crash.
    firm: bool,
}

/// What JoinGroup tells, and how it was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToldRound<'a> {
    pub session_ms: u64,
    pub asked: u64,
    pub generation: i32,
    pub member: &'a str,
    pub leader: &'a str,
    pub protocol: &'a str,
    pub members: &'a [ToldMember],
}

/// What was known when something was asked.
#[derive(Clone, Debug)]
pub(super) struct Known {
    newest: i32,
    /// Why a claim must be refused.
    stale: Option<String>,
    /// Who had the instance then.
    holder: Option<String>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            rounds: BTreeMap::new(),
            newest: -1,
            firm: -1,
            holders: BTreeMap::new(),
            instances: BTreeMap::new(),
            offers: BTreeSet::new(),
            heard: BTreeMap::new(),
            stirring: BTreeSet::new(),
            stirred: 0,
        }
    }
}

impl Rounds {
    pub(super) fn known(&self, claim: Option<&Claim>) -> Known {
        let holder = claim.and_then(|claim| self.holders.get(claim.instance.as_ref()?));
        let stale = claim.and_then(|claim| self.stale(claim));
        Known { newest: self.newest, stale, holder: holder.map(|holder| holder.member.clone()) }
    }

    /// Why whoever says that must not be believed.
    fn stale(&self, claim: &Claim) -> Option<String> {
        if (0..self.newest).contains(&claim.generation) {
            let (old, new) = (claim.generation, self.newest);
            return Some(format!("generation {old} is accepted, {new} was told before"));
        }
        let instance = claim.instance.as_ref()?;
        if !self.stirring.is_empty() {
            // A join whose answer is on its way may have given it to somebody else.
            return None;
        }
        let holder = &self.holders.get(instance)?.member;
        (*holder != claim.member)
            .then(|| format!("{} is accepted as {instance}, which {holder} is", claim.member))
    }

    /// What is wrong with accepting a claim.
    pub(super) fn accepted(
        &mut self,
        known: &Known,
        claim: &Claim,
        asked: u64,
    ) -> Result<(), String> {
        self.hear(&claim.member, asked);
        match &known.stale {
            Some(what) => Err(what.clone()),
            None => Ok(()),
        }
    }

    fn hear(&mut self, member: &str, asked: u64) {
        if let Some((at, _)) = self.heard.get_mut(member) {
            *at = asked.max(*at);
        }
    }

    /// Something is asked that may make members join anew.
    pub(super) fn stirs(&mut self, call: CallId) {
        self.stirring.insert(call);
    }

    /// It has taken hold, if it does.
    pub(super) fn stirred(&mut self, call: CallId, now: u64) {
        if self.stirring.remove(&call) {
            self.stirred = now;
        }
    }

    /// A member offers to speak these.
    pub(super) fn offered(&mut self, protocols: &[(String, Bytes)]) {
        self.offers.extend(protocols.iter().cloned());
    }

    /// A member was told of a generation.
    pub(super) fn joined(
        &mut self,
        call: CallId,
        known: &Known,
        claim: &Claim,
        told: &ToldRound<'_>,
    ) -> Result<(), String> {
        let ToldRound { session_ms, asked, generation, member, leader, protocol, members } = *told;
        // What makes others join is over with the generation that has come of it.
        self.stirring.remove(&call);
        self.heard.insert(member.to_owned(), (asked, session_ms * 1000));
        self.instances.entry(member.to_owned()).or_default();
        if claim.instance.is_some() {
            self.instances.insert(member.to_owned(), claim.instance.clone());
        }
        if let Some(instance) = &claim.instance {
            self.hold(known, instance, member, generation);
        }
        self.met(members);
        if generation < known.newest {
            return Err(format!("generation {generation} is told, {} was before", known.newest));
        }
        self.newest = self.newest.max(generation);
        let led = self.rounds.get(&generation).and_then(|round| round.leader.clone());
        if let Some(led) = led.filter(|led| !self.are_same(led, leader)) {
            return Err(format!("generation {generation} is led by {led} and by {leader}"));
        }
        let round = self.rounds.entry(generation).or_default();
        round.joined = round.joined.max(asked);
        let spoken = round.protocol.get_or_insert_with(|| protocol.to_owned());
        if spoken != protocol {
            return Err(format!("generation {generation} speaks {spoken} and {protocol}"));
        }
        round.leader = Some(leader.to_owned());
        if members.is_empty() {
            return Ok(());
        }
        if !members.iter().any(|told| told.id == leader) {
            return Err(format!("{leader} leads generation {generation}, and is not in it"));
        }
        if let Some(told) = members
            .iter()
            .find(|told| !self.offers.contains(&(protocol.to_owned(), told.says.clone())))
        {
            let id = &told.id;
            return Err(format!("{id} has said nothing of what is told of it in {protocol}"));
        }
        let ids: BTreeMap<String, Option<String>> = members
            .iter()
            .map(|told| (told.id.clone(), self.instances.get(&told.id).cloned().flatten()))
            .collect();
        if ids.len() < members.len() {
            return Err(format!("generation {generation} has a member twice"));
        }
        if let Some(round) = self.rounds.get_mut(&generation) {
            round.members = Some(ids);
        }
        Ok(())
    }

    /// Somebody was told of these. Old versions say nothing of instances.
    pub(super) fn met(&mut self, members: &[ToldMember]) {
        for told in members.iter().filter(|told| told.instance.is_some()) {
            self.instances.insert(told.id.clone(), told.instance.clone());
        }
    }

    /// Of several that ask for one instance id at once, nobody knows who has it then.
    fn hold(&mut self, known: &Known, instance: &str, member: &str, generation: i32) {
        let before = self.holders.get(instance).map(|holder| holder.member.clone());
        if before != known.holder && before.as_deref() != Some(member) {
            self.holders.remove(instance);
            return;
        }
        let was_firm = self.holders.get(instance).is_some_and(|it| it.firm && it.member == member);
        let firm = was_firm || generation == self.firm;
        self.holders.insert(instance.to_owned(), Holder { member: member.to_owned(), firm });
    }

    /// Whether two ids may be those of one member: an instance that has come back has another.
    fn are_same(&self, one: &str, other: &str) -> bool {
        let (Some(of_one), Some(of_other)) = (self.instances.get(one), self.instances.get(other))
        else {
            return true;
        };
        one == other || of_one.is_some() && of_one == of_other
    }

    /// Somebody says everybody's part.
    pub(super) fn sent(&mut self, claim: &Claim, parts: &[(String, Bytes)]) {
        if parts.is_empty() {
            return;
        }
        let round = self.rounds.entry(claim.generation).or_default();
        round.sent.push((claim.member.clone(), parts.iter().cloned().collect()));
    }

    /// A member was told its part. That says nothing of its session: in a group that is stable it begins no new one.
    pub(super) fn synced(
        &mut self,
        known: &Known,
        claim: &Claim,
        part: &Bytes,
    ) -> Result<(), String> {
        known.stale.clone().map_or(Ok(()), Err)?;
        self.newest = self.newest.max(claim.generation);
        self.firm = self.firm.max(claim.generation);
        if claim.instance.is_some() {
            self.instances.insert(claim.member.clone(), claim.instance.clone());
        }
        if let Some(holder) = claim.instance.as_ref().and_then(|it| self.holders.get_mut(it)) {
            holder.firm |= holder.member == claim.member;
        }
        let generation = claim.generation;
        let round = self.rounds.get(&generation).cloned().unwrap_or_default();
        // Of an instance that has come back, the leader knows another id.
        let own = self.instances.get(&claim.member).cloned().flatten();
        let is_own = |parts: &BTreeMap<String, Bytes>| match parts.get(&claim.member) {
            Some(own) => own == part,
            None => {
                let is_it = |id: &String| {
                    self.instances.get(id).is_none_or(|instance| own.is_some() && *instance == own)
                };
                part.is_empty() || parts.iter().any(|(id, given)| is_it(id) && given == part)
            }
        };
        let agrees = |at: &usize| {
            let Some((sender, parts)) = round.sent.get(*at) else { return false };
            round.leader.as_ref().is_none_or(|leader| self.are_same(leader, sender))
                && is_own(parts)
        };
        let before = round.agreeing.clone().unwrap_or_else(|| (0..round.sent.len()).collect());
        let agreeing: Vec<usize> = before.into_iter().filter(agrees).collect();
        let is_told = !agreeing.is_empty() || (round.sent.is_empty() && part.is_empty());
        let round = self.rounds.entry(generation).or_default();
        round.synced.insert(claim.member.clone());
        round.agreeing = Some(agreeing);
        if !is_told {
            let has = decode_part(part).map_or_else(
                || format!("{} bytes", part.len()),
                |part| part.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            );
            return Err(format!(
                "{} is told in generation {generation} that its part is [{has}], which no leader has said \
                 to it and to the others",
                claim.member
            ));
        }
        Ok(())
    }

    /// An error to a heartbeat: something must have happened.
    pub(super) fn refused(&self, claim: &Claim, error: i16, now: u64) -> Result<(), String> {
        const SAYS_THAT_ALL_CHANGES: [i16; 4] = [22, 25, 27, FENCED];
        let holder = claim.instance.as_ref().map(|instance| self.holders.get(instance));
        let may_be_fenced =
            holder.is_some_and(|holder| holder.is_none_or(|holder| holder.member != claim.member));
        if !SAYS_THAT_ALL_CHANGES.contains(&error)
            || !self.is_calm(claim, now)
            || error == FENCED && may_be_fenced
        {
            return Ok(());
        }
        let (member, generation) = (&claim.member, claim.generation);
        Err(format!(
            "{member} is told error {error} in generation {generation}, and nobody has come, gone, or been silent"
        ))
    }

    /// Another has had the instance since before this was asked, in a group at rest: nothing else is the error.
    pub(super) fn fenced(
        &self,
        known: &Known,
        claim: &Claim,
        error: i16,
        now: u64,
    ) -> Result<(), String> {
        let (Some(instance), Some(holder)) = (&claim.instance, &known.holder) else {
            return Ok(());
        };
        let is_held = self.holders.get(instance).is_some_and(|now| now.member == *holder);
        let round = self.rounds.get(&self.newest);
        let mut members = round.and_then(|round| round.members.as_ref()).into_iter().flatten();
        let is_other = *holder != claim.member
            && is_held
            && members.any(|(_, other)| other.as_ref() == Some(instance))
            && self.at_rest(now).is_some();
        if error == FENCED || !is_other {
            return Ok(());
        }
        let member = &claim.member;
        Err(format!("{member} is told error {error} as {instance}, which {holder} is"))
    }

    /// Whether a claim is that of a member of a generation that is complete, and that nobody has reason to leave.
    fn is_calm(&self, claim: &Claim, now: u64) -> bool {
        let Some(round) = self.rounds.get(&claim.generation) else { return false };
        let Some(members) = &round.members else { return false };
        let has_own =
            members.get(&claim.member).is_some_and(|instance| *instance == claim.instance);
        let is_silent = |member: &String| {
            self.heard.get(member).is_none_or(|(at, session)| now >= at + session)
        };
        claim.generation == self.newest
            && has_own
            && members.keys().all(|member| round.synced.contains(member) && !is_silent(member))
            && self.stirring.is_empty()
            && self.stirred < round.joined
    }

    /// The generation that is complete and at work, if this is somebody's part in it.
    pub(super) fn at_work(&self, target: &TopicPartition, now: u64) -> Option<i32> {
        let round = self.rounds.get(&self.newest)?;
        let (_, parts) = round.sent.get(*round.agreeing.as_ref()?.first()?)?;
        let mut parts = parts.values().filter_map(decode_part);
        parts.any(|part| part.contains(target)).then_some(())?;
        self.at_rest(now).map(|(generation, _)| generation)
    }

    /// The generation that is complete and that nobody has reason to leave, and how many are in it.
    pub(super) fn at_rest(&self, now: u64) -> Option<(i32, usize)> {
        // A leader's word that nobody was told of before the broker was gone may be on the disk.
        let mut newer = self.rounds.range(self.newest.saturating_add(1)..);
        if newer.any(|(_, round)| !round.sent.is_empty()) {
            return None;
        }
        let members = self.rounds.get(&self.newest)?.members.as_ref()?;
        let (member, instance) = members.first_key_value()?;
        let (member, instance) = (member.clone(), instance.clone());
        let claim = Claim { generation: self.newest, member, instance };
        self.is_calm(&claim, now).then_some((self.newest, members.len()))
    }

    /// The broker is gone: what no member had its part of may come again in another form.
    pub(super) fn restarted(&mut self, now: u64) {
        self.newest = self.firm;
        if !self.stirring.is_empty() {
            self.stirring.clear();
            self.stirred = now;
        }
        self.holders.retain(|_, holder| holder.firm);
        for (generation, round) in &mut self.rounds {
            if *generation > self.firm {
                let sent = std::mem::take(&mut round.sent);
                *round = Round { sent, ..Round::default() };
            }
        }
    }

    /// All may be gone, and begin anew.
    pub(super) fn reset(&mut self) {
        (self.newest, self.firm) = (-1, -1);
        self.holders.clear();
        for round in self.rounds.values_mut() {
            let sent = std::mem::take(&mut round.sent);
            *round = Round { sent, ..Round::default() };
        }
    }

    /// The newest generation that must be on the disk.
    pub(super) fn firm(&self) -> i32 {
        self.firm
    }
}
