//! Whether a group is there, and in what state it can be: what lists and descriptions are held against.
//!
//! A group is there while it has offsets or members; it is not while nobody has made it, or has since its deletion was
//! acknowledged. Where members are at rest it is stable, and where nobody ever asked to join it is empty.

use std::collections::{BTreeMap, BTreeSet};

use super::Group;
use crate::groups::{CallId, GroupAsk, ListedGroup};

/// What is known of a group's coming and going.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    /// It is not there.
    is_gone: bool,
    /// Requests that may make it, and may still take hold.
    making: BTreeSet<CallId>,
    /// How many there have been.
    touches: u64,
    /// Somebody has asked to join.
    is_joined: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { is_gone: true, making: BTreeSet::new(), touches: 0, is_joined: false }
    }
}

/// What was known of it when somebody asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    is_gone: bool,
    touches: u64,
    /// Nothing that may make it was under way.
    is_quiet: bool,
    /// The generation that is at rest, and how many are in it.
    rest: Option<(i32, usize)>,
    was_loaded: bool,
}

/// What is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'a> {
    /// It is not there.
    Nowhere,
    /// It is there, in this state, where that is told.
    There(Option<&'a str>),
    /// Nobody says: only groups in these states were asked for, and it is not among them.
    NotIn(&'a [String]),
}

impl Before {
    /// The same generation is at rest, then and now.
    pub(super) fn rested_like(&self, now: &Self) -> bool {
        self.rest.is_some() && self.rest == now.rest
    }
}

impl Presence {
    pub(super) fn asked(&mut self, call: CallId, ask: &GroupAsk) {
        let joins = matches!(ask, GroupAsk::Join { .. });
        if joins || matches!(ask, GroupAsk::Commit { .. }) {
            self.making.insert(call);
            self.touches += 1;
            self.is_gone = false;
            self.is_joined |= joins;
        }
    }

    /// It has taken hold, if it does.
    pub(super) fn ended(&mut self, call: CallId) {
        self.making.remove(&call);
    }

    /// It was deleted, or told not to be there, at some moment since `before`.
    pub(super) fn found_gone(&mut self, before: &Before) {
        self.is_gone |= before.is_quiet && self.touches == before.touches;
    }

    /// The broker is gone: what was under way took hold, or never will.
    pub(super) fn restarted(&mut self) {
        self.making.clear();
    }

    /// A deletion may have been lost.
    pub(super) fn lost_soft(&mut self) {
        self.is_gone &= self.touches == 0;
        self.touches += u64::from(self.touches > 0);
    }
}

impl Group {
    pub(super) fn before(&self, now: u64) -> Before {
        let Presence { is_gone, touches, ref making, .. } = self.presence;
        let is_quiet = making.is_empty();
        Before {
            is_gone,
            touches,
            is_quiet,
            rest: self.rounds.at_rest(now),
            was_loaded: self.is_loaded,
        }
    }

    /// The generation that was at rest all the time, and how many are in it.
    pub(super) fn rested(&self, before: &Before, now: u64) -> Option<(i32, usize)> {
        before.rest.filter(|_| before.rested_like(&self.before(now)))
    }

    /// What is wrong with telling that of it to somebody who asked then.
    pub(super) fn judge_seen(
        &self,
        seen: Seen<'_>,
        before: &Before,
        (asked, now): (u64, u64),
    ) -> Result<(), String> {
        let rested = self.rested(before, now);
        let only_state = match rested {
            Some(_) => Some("Stable"),
            None if self.presence.is_joined => None,
            None => Some("Empty"),
        };
        let is_missed = match seen {
            Seen::There(state) => {
                let Presence { is_gone, touches, .. } = self.presence;
                if before.is_gone && is_gone && before.touches == touches {
                    return Err("it is told of, and nobody has made it, or not again".to_owned());
                }
                return match (state, only_state) {
                    (Some(told), Some(only)) if told != only => {
                        Err(format!("it is told to be {told}, and must be {only}"))
                    }
                    _ => Ok(()),
                };
            }
            Seen::Nowhere => true,
            Seen::NotIn(states) => only_state.is_some_and(|only| fits(states, only)),
        };
        if let Some((generation, _)) = rested.filter(|_| is_missed) {
            return Err(format!("it is not told of, and its generation {generation} is at rest"));
        }
        let kept = self.registers.iter().find(|(target, register)| {
            target.passing_id().is_none() && register.holds_since(asked)
        });
        match kept.filter(|_| is_missed && self.retention.is_none()) {
            Some((target, _)) => Err(format!("it is not told of, and has committed {target}")),
            None => Ok(()),
        }
    }
}

/// What was asked of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filters<'a> {
    pub(super) states: &'a [String],
    pub(super) types: &'a [String],
}

/// Whether a word is among those that are wanted; none are wanted for any.
fn fits(wanted: &[String], word: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// What is wrong with a list, by the group that it is about. `is_whole`: no group that was served may be left out.
pub(super) fn judge_list(
    groups: &BTreeMap<String, Group>,
    before: &BTreeMap<String, Before>,
    filters: Filters<'_>,
    (listed, is_whole): (&[ListedGroup], bool),
    (asked, now): (u64, u64),
) -> Result<(), (String, String)> {
    let unknown = Group::default();
    for told in listed {
        let of = |what| (told.id.clone(), what);
        told_as_asked(told, filters).map_err(of)?;
        let group = groups.get(&told.id).unwrap_or(&unknown);
        let known = before.get(&told.id).copied().unwrap_or_else(|| unknown.before(asked));
        let seen = Seen::There(told.state.as_deref());
        group.judge_seen(seen, &known, (asked, now)).map_err(of)?;
        let spoken = told.protocol_type.as_str();
        let is_right = match group.rested(&known, now) {
            Some(_) => spoken == "consumer",
            None => spoken.is_empty() || spoken == "consumer" && group.presence.is_joined,
        };
        if !is_right {
            return Err(of(format!("it is told to speak {spoken:?}")));
        }
    }
    if !is_whole || !fits(filters.types, "classic") {
        return Ok(());
    }
    let left_out = before
        .iter()
        .filter(|(name, before)| before.was_loaded && listed.iter().all(|told| told.id != **name));
    for (name, before) in left_out {
        let Some(group) = groups.get(name) else { continue };
        let seen = Seen::NotIn(filters.states);
        group.judge_seen(seen, before, (asked, now)).map_err(|what| (name.clone(), what))?;
    }
    Ok(())
}

fn told_as_asked(told: &ListedGroup, filters: Filters<'_>) -> Result<(), String> {
    const STATES: [&str; 4] = ["PreparingRebalance", "CompletingRebalance", "Stable", "Empty"];
    if let Some(state) = told.state.as_ref().filter(|state| !STATES.contains(&state.as_str())) {
        return Err(format!("it is listed as {state:?}"));
    }
    let is_asked_for = told.state.as_ref().is_none_or(|state| fits(filters.states, state))
        && fits(filters.types, "classic");
    let is_classic = told.group_type.as_ref().is_none_or(|told| told == "classic");
    if is_asked_for && is_classic {
        return Ok(());
    }
    Err(format!("{told:?} is listed, {filters:?} were asked for"))
}

#[cfg(test)]
mod tests {
    use super::{Filters, Seen, fits, judge_list};
    use crate::checker::groups::{Group, Groups};
    use crate::groups::{CallId, Claim, Committed, GroupAsk, GroupTold, ListedGroup};
    use crate::history::TopicPartition;

    fn commit() -> GroupAsk {
        let target = TopicPartition { topic: "t".to_owned(), partition: 0 };
        let committed = Committed { offset: 5, leader_epoch: -1, metadata: String::new() };
        GroupAsk::Commit { claim: Claim::of_nobody(), offsets: vec![(target, committed)] }
    }

    fn kept() -> GroupTold {
        let target = TopicPartition { topic: "t".to_owned(), partition: 0 };
        GroupTold::Partitions(vec![(target, 0)])
    }

    /// Calls, one after another, each answered 10 microseconds later.
    fn after(calls: Vec<(GroupAsk, GroupTold)>) -> Group {
        let (mut groups, mut now) = (Groups::default(), 0);
        for (number, (ask, told)) in (0..).zip(calls) {
            groups.asked(CallId(number), "g", &ask, now);
            now += 10;
            assert_eq!(groups.told(CallId(number), &told, now, &super::super::nobody()), None);
        }
        groups.groups.remove("g").unwrap_or_default()
    }

    fn is_right(group: &Group, seen: Seen<'_>) -> bool {
        group.judge_seen(seen, &group.before(100), (100, 110)).is_ok()
    }

    #[test]
    fn who_has_committed_is_there_and_empty() {
        let group = after(vec![(commit(), kept())]);
        assert!(is_right(&group, Seen::There(Some("Empty"))));
        assert!(is_right(&group, Seen::There(None)));
        assert!(!is_right(&group, Seen::There(Some("Stable"))));
        assert!(!is_right(&group, Seen::Nowhere));
        assert!(!is_right(&group, Seen::NotIn(&["empty".to_owned()])));
        assert!(is_right(&group, Seen::NotIn(&["Stable".to_owned()])));
    }

    #[test]
    fn who_was_deleted_is_not_there_until_somebody_commits() {
        let deleted = (GroupAsk::Delete, GroupTold::Done);
        let group = after(vec![(commit(), kept()), deleted.clone()]);
        assert!(is_right(&group, Seen::Nowhere) && !is_right(&group, Seen::There(None)));
        let group = after(vec![(commit(), kept()), deleted, (commit(), kept())]);
        assert!(!is_right(&group, Seen::Nowhere) && is_right(&group, Seen::There(None)));
        let nobodys = Group::default();
        assert!(is_right(&nobodys, Seen::Nowhere) && !is_right(&nobodys, Seen::There(None)));
    }

    #[test]
    fn a_list_has_what_was_asked_for() {
        assert!(fits(&[], "Stable") && fits(&["stable".to_owned()], "Stable"));
        let groups = [("g".to_owned(), after(vec![(commit(), kept())]))].into();
        let before = [("g".to_owned(), after(vec![(commit(), kept())]).before(100))].into();
        let told = |states: &[String], types: &[String], listed: &[ListedGroup]| {
            let filters = Filters { states, types };
            judge_list(&groups, &before, filters, (listed, true), (100, 110)).is_ok()
        };
        let listed = ListedGroup {
            id: "g".to_owned(),
            protocol_type: String::new(),
            state: Some("Empty".to_owned()),
            group_type: Some("classic".to_owned()),
        };
        let list = std::slice::from_ref(&listed);
        assert!(told(&[], &[], list) && !told(&[], &[], &[]));
        assert!(!told(&["Stable".to_owned()], &[], list));
        assert!(told(&["Stable".to_owned()], &[], &[]));
        assert!(!told(&[], &["consumer".to_owned()], list));
        assert!(told(&[], &["consumer".to_owned()], &[]));
        let spoken = ListedGroup { protocol_type: "consumer".to_owned(), ..listed.clone() };
        assert!(!told(&[], &[], &[spoken]), "nobody has joined");
    }
}
