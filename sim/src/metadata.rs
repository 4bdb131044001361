//! A model of the cluster's metadata: all states that one topic's name, or one resource, may be in
//! after what was asked and told.
//!
//! Each change happens whole, at one instant between its request and its answer; without an answer
//! it happens at one instant before the broker is gone, or never. A look shows the state of one such
//! instant. So the model keeps every state that agrees with all that was told, and when none is
//! left, a promise is broken: a change that was acknowledged is gone or was never there, one is
//! there by half, something has come back, or was seen before it could be
//! (linearizability, by the just-in-time search of Lowe, "Testing for linearizability", 2016).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use klamm_core::ids::Uuid;

use crate::history::ChangeId;

/// Settings by key.
pub type Settings = BTreeMap<String, String>;

/// What is asked of one topic's name, or of one resource with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// To make the topic.
    Create {
        /// How many partitions it gets.
        partitions: i32,
        /// The settings it gets.
        settings: Settings,
    },
    /// To say what would become of its creation.
    TryCreate,
    /// To delete it: whichever has the name, or the one with this id.
    Delete {
        /// The id.
        id: Option<Uuid>,
    },
    /// To give it more partitions.
    Grow {
        /// How many it has then.
        count: i32,
    },
    /// To change some of its settings; `None` takes one back.
    Alter(Vec<(String, Option<String>)>),
    /// To replace all of its settings.
    Replace(Settings),
    /// To tell what it is like.
    Look,
}

/// How that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The topic was made; its id in versions that tell it.
    Made(Option<Uuid>),
    /// It was refused, with Kafka's number of the error.
    Refused(i16),
    /// There is no such topic.
    Absent,
    /// It is like that.
    Seen(Sighting),
    /// Nobody knows.
    Unknown,
}

/// What a look has shown of a topic; `None` where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Its id.
    pub id: Option<Uuid>,
    /// How many partitions it has.
    pub partitions: Option<i32>,
    /// Its settings, as far as they are its own.
    pub settings: Option<Settings>,
}

/// How sure it is that the topic of an id is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is there, and nobody has asked to delete it.
    Sure,
    /// It may be there.
    Unsure,
    /// It was deleted.
    Over,
}

/// A topic in one of its possible states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Topic {
    /// The change that has made it.
    made_by: ChangeId,
    partitions: i32,
    settings: Settings,
}

type State = Option<Topic>;

/// One way in which everything can have happened so far. There may be thousands, so each is a few
/// short lists, in order and without doubles.
#[derive(Clone, Debug)]
struct World {
    now: Now,
    way: Way,
}

/// Where it has led to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Now {
    state: StateId,
    /// Ids of topics by the change that made them, as far as they were told.
    ids: Vec<(ChangeId, Uuid)>,
    /// Changes whose answers are awaited, and that have happened.
    happened: Vec<ChangeId>,
}

/// And by which way.
#[derive(Clone, Debug, Default)]
struct Way {
    /// Changes without an answer that have happened.
    lost: Vec<ChangeId>,
    /// What there was since each of the changes was asked that have not happened.
    visited: Vec<(ChangeId, StateId)>,
}

impl Way {
    /// Whether all that may be told of the other one may be told of this one, when both have led to the
    /// same place: it has passed all that the other has, and all may still happen that may there.
    fn explains(&self, other: &Self) -> bool {
        includes(&other.lost, &self.lost) && includes(&self.visited, &other.visited)
    }
}

/// All that is followed: of two ways to the same place, one that explains the other stands for both.
#[derive(Clone, Debug, Default)]
struct Worlds {
    ways: BTreeMap<Now, Vec<Way>>,
}

impl Worlds {
    /// False when a way is there that explains this one.
    fn add(&mut self, world: &World) -> bool {
        let World { now, way } = world;
        let Some(known) = self.ways.get_mut(now) else {
            self.ways.insert(now.clone(), vec![way.clone()]);
            return true;
        };
        if known.iter().any(|other| other.explains(way)) {
            return false;
        }
        known.retain(|other| !way.explains(other));
        known.push(way.clone());
        true
    }

    fn places(&self) -> impl ExactSizeIterator<Item = &Now> {
        self.ways.keys()
    }

    fn iter(&self) -> impl Iterator<Item = World> {
        let each = self.ways.iter().flat_map(|(now, ways)| ways.iter().map(move |way| (now, way)));
        each.map(|(now, way)| World { now: now.clone(), way: way.clone() })
    }

    fn change(&mut self, change: impl Fn(&mut World)) {
        let mut changed = Self::default();
        for (now, ways) in std::mem::take(&mut self.ways) {
            for way in ways {
                let mut world = World { now: now.clone(), way };
                change(&mut world);
                changed.add(&world);
            }
        }
        *self = changed;
    }
}

impl FromIterator<World> for Worlds {
    fn from_iter<T: IntoIterator<Item = World>>(all: T) -> Self {
        let mut worlds = Self::default();
        for world in all {
            worlds.add(&world);
        }
        worlds
    }
}

/// Whether a list in order has all that another one has.
fn includes<T: Ord>(list: &[T], other: &[T]) -> bool {
    let mut left = list.iter();
    list.len() >= other.len() && other.iter().all(|item| left.any(|there| there == item))
}

/// What was asked and has not ended.
#[derive(Clone, Debug)]
struct UnderWay {
    what: Change,
    /// Its answer will not come.
    is_lost: bool,
    /// Others that are lost and the same: they happen before it, since nobody could tell.
    twins: Vec<ChangeId>,
}

/// One name, or one resource.
#[derive(Clone, Debug)]
pub struct ModelTopic {
    states: States,
    worlds: Worlds,
    under_way: BTreeMap<ChangeId, UnderWay>,
    /// Since when the topic of an id is sure to be there; in microseconds.
    sure_since: BTreeMap<Uuid, u64>,
    /// Since when it is sure to be gone.
    over_since: BTreeMap<Uuid, u64>,
    /// More ways than can be followed: nothing is judged any more.
    is_lost_sight_of: bool,
}

/// Ways that are followed at once. More are met where answers to a dozen changes stay out; to follow them
/// would take longer than all the rest of a run.
const WORLDS_MAX: usize = 500;

/// What made a resource that was always there.
const ALWAYS: ChangeId = ChangeId(0);

/// What made a topic that is gone.
const SOMEBODY: ChangeId = ChangeId(u64::MAX);

/// Kafka's numbers of errors that say something of the state.
const UNKNOWN_TOPIC: i16 = 3;
const ALREADY_EXISTS: i16 = 36;
const INVALID_PARTITIONS: i16 = 37;
const UNKNOWN_TOPIC_ID: i16 = 100;

/// Errors after which it may have happened all the same: UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT,
/// NOT_CONTROLLER, KAFKA_STORAGE_ERROR.
const ERRORS_OF_UNKNOWN_END: [i16; 4] = [-1, 7, 41, 56];

impl Default for ModelTopic {
    /// A name that no topic has.
    fn default() -> Self {
        Self::in_state(None)
    }
}

impl ModelTopic {
    /// A resource that is always there, without settings of its own.
    pub fn resource() -> Self {
        Self::in_state(Some(Topic { made_by: ALWAYS, partitions: 0, settings: Settings::new() }))
    }

    fn in_state(state: State) -> Self {
        let mut states = States::default();
        let now = Now { state: states.number(state), ids: Vec::new(), happened: Vec::new() };
        Self {
            states,
            worlds: [World { now, way: Way::default() }].into_iter().collect(),
            under_way: BTreeMap::new(),
            sure_since: BTreeMap::new(),
            over_since: BTreeMap::new(),
            is_lost_sight_of: false,
        }
    }

    /// Something was asked.
    pub fn asked(&mut self, change: ChangeId, what: Change) {
        if matches!(what, Change::Delete { .. }) {
            self.sure_since.clear();
        }
        self.worlds.change(|world| insert(&mut world.way.visited, (change, world.now.state)));
        self.under_way.insert(change, UnderWay { what, is_lost: false, twins: Vec::new() });
    }

    /// It has ended, `micros` after the run's start. The error says what cannot be.
    pub fn ended(
        &mut self,
        change: ChangeId,
        outcome: &Outcome,
        micros: u64,
    ) -> Result<(), String> {
        let is_unknown = match outcome {
            Outcome::Unknown => true,
            Outcome::Refused(error) => ERRORS_OF_UNKNOWN_END.contains(error),
            _ => false,
        };
        if is_unknown {
            self.lose(change);
            return Ok(());
        }
        self.open_up();
        let Some(UnderWay { what, .. }) = self.under_way.remove(&change) else {
            return Err(format!("an answer to nothing: {outcome:?}"));
        };
        let worlds = self.worlds.iter();
        let left: Worlds =
            worlds.flat_map(|world| world.with(change, &what, outcome, &self.states)).collect();
        if left.ways.is_empty() && !self.is_lost_sight_of {
            return Err(format!("{what:?} has ended as {outcome:?}, there may be {self}"));
        }
        self.worlds = left;
        self.note_lives(micros);
        Ok(())
    }

    /// No answer will come. It may still happen, as long as the broker is there.
    fn lose(&mut self, change: ChangeId) {
        let Some(UnderWay { what, .. }) = self.under_way.remove(&change) else { return };
        if !matches!(what, Change::Look | Change::TryCreate) {
            let others = self.under_way.iter();
            let others = others.filter(|(_, other)| other.is_lost && other.what == what);
            let twins = others.map(|(other, _)| *other).collect();
            self.under_way.insert(change, UnderWay { what, is_lost: true, twins });
        }
        self.worlds.change(|world| {
            if let Ok(at) = world.now.happened.binary_search(&change) {
                world.now.happened.remove(at);
                insert(&mut world.way.lost, change);
            }
            // What it may have seen is nobody's business any more.
            world.way.visited.retain(|(other, _)| *other != change);
            world.forget_makers(&self.states);
        });
    }

    /// The broker is gone: what has not happened by now never will.
    pub fn broker_gone(&mut self, micros: u64) {
        self.open_up();
        self.under_way.clear();
        self.states.forget_changes();
        self.worlds.change(|world| {
            world.now.happened.clear();
            world.way = Way::default();
            world.forget_makers(&self.states);
        });
        self.note_lives(micros);
    }

    /// How sure it is that the topic of this id is there.
    pub fn life(&self, id: Uuid) -> Life {
        if self.over_since.contains_key(&id) {
            Life::Over
        } else if self.sure_since.contains_key(&id) {
            Life::Sure
        } else {
            Life::Unsure
        }
    }

    /// Since when the topic of this id is sure to be there, in microseconds; `None` when it is not.
    pub fn sure_since(&self, id: Uuid) -> Option<u64> {
        self.sure_since.get(&id).copied()
    }

    /// Since when it is sure to be gone.
    pub fn over_since(&self, id: Uuid) -> Option<u64> {
        self.over_since.get(&id).copied()
    }

    /// Whether nothing is judged any more.
    pub fn is_lost_sight_of(&self) -> bool {
        self.is_lost_sight_of
    }

    /// Ids that the name has had, as far as they are known.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> {
        let all: BTreeSet<Uuid> =
            self.worlds.places().flat_map(|now| &now.ids).map(|(_, id)| *id).collect();
        all.into_iter()
    }

    /// The least number of partitions that it has, if it is there.
    pub fn partitions_min(&self) -> i32 {
        let counts = self.worlds.places().filter_map(|now| self.states.state(now.state).as_ref());
        counts.map(|topic| topic.partitions).min().unwrap_or(0)
    }

    /// Adds all ways in which what is under way can have happened by now.
    fn open_up(&mut self) {
        // Short ways first: most of the long ones to the same places need not be followed then.
        let mut open: VecDeque<World> = self.worlds.iter().collect();
        let mut followed = open.len();
        while let Some(world) = open.pop_front() {
            for (change, under_way) in &self.under_way {
                let Some(next) = world.after(*change, under_way, &mut self.states) else {
                    continue;
                };
                if self.worlds.add(&next) {
                    open.push_back(next);
                    followed += 1;
                }
                if followed > WORLDS_MAX {
                    self.lose_sight();
                    return;
                }
            }
        }
    }

    fn lose_sight(&mut self) {
        self.is_lost_sight_of = true;
        self.worlds = Worlds::default();
        self.sure_since.clear();
    }

    fn note_lives(&mut self, micros: u64) {
        if self.is_lost_sight_of {
            return;
        }
        let is_doomed =
            self.under_way.values().any(|other| matches!(other.what, Change::Delete { .. }));
        let mut alive: BTreeMap<Uuid, usize> = self.ids().map(|id| (id, 0)).collect();
        for id in self.worlds.places().filter_map(|now| now.id(&self.states)) {
            *alive.entry(id).or_default() += 1;
        }
        for (id, alive) in alive {
            if alive == 0 {
                self.sure_since.remove(&id);
                self.over_since.entry(id).or_insert(micros);
            } else if alive == self.worlds.places().len() && !is_doomed {
                self.sure_since.entry(id).or_insert(micros);
            } else {
                self.sure_since.remove(&id);
            }
        }
    }
}

impl Now {
    /// The id of the topic that there is, as far as it is known.
    fn id(&self, states: &States) -> Option<Uuid> {
        self.id_of(states.state(self.state).as_ref()?.made_by)
    }

    fn id_of(&self, made_by: ChangeId) -> Option<Uuid> {
        self.ids.iter().find(|(change, _)| *change == made_by).map(|(_, id)| *id)
    }

    /// The topic that `made_by` made has this id; false when it has another one, or another topic of
    /// the name has had it.
    fn bind(&mut self, made_by: ChangeId, id: Uuid) -> bool {
        match self.id_of(made_by) {
            Some(known) => known == id,
            None if self.ids.iter().any(|(_, other)| *other == id) => false,
            None => {
                insert(&mut self.ids, (made_by, id));
                true
            }
        }
    }
}

impl World {
    /// The world in which a change happens now; `None` when it has, or cannot.
    fn after(&self, change: ChangeId, under_way: &UnderWay, states: &mut States) -> Option<Self> {
        let UnderWay { what, is_lost, twins } = under_way;
        let lost = &self.way.lost;
        if self.now.happened.contains(&change)
            || lost.contains(&change)
            || !twins.iter().all(|twin| lost.contains(twin))
        {
            return None;
        }
        let state = states.after(self.now.state, change, what)?;
        if *is_lost && state == self.now.state {
            return None;
        }
        let mut now = self.now.clone();
        if let (Change::Delete { id: Some(id) }, Some(topic)) = (what, states.state(now.state)) {
            now.bind(topic.made_by, *id).then_some(())?;
        }
        now.state = state;
        let mut lost = lost.clone();
        insert(if *is_lost { &mut lost } else { &mut now.happened }, change);
        let mut visited = Vec::with_capacity(2 * self.way.visited.len());
        for others in self.way.visited.chunk_by(|one, other| one.0 == other.0) {
            let other = others[0].0;
            if other != change {
                let begun = visited.len();
                visited.extend(others);
                if !others.contains(&(other, state)) {
                    visited.push((other, state));
                    visited[begun..].sort_unstable();
                }
            }
        }
        Some(Self { now, way: Way { lost, visited } })
    }

    /// The worlds that are left when a change has ended so.
    fn with(
        &self,
        change: ChangeId,
        what: &Change,
        outcome: &Outcome,
        states: &States,
    ) -> Vec<Self> {
        let mut ended = self.clone();
        ended.way.visited.retain(|(other, _)| *other != change);
        if self.now.happened.contains(&change) {
            ended.now.happened.retain(|other| *other != change);
            let fits = match (what, outcome) {
                (Change::Create { .. }, Outcome::Made(Some(id))) => ended.now.bind(change, *id),
                (Change::Create { .. }, Outcome::Made(None)) => true,
                (_, Outcome::Done) => true,
                _ => false,
            };
            ended.forget_makers(states);
            return if fits { vec![ended] } else { Vec::new() };
        }
        let visited = self.way.visited.iter().filter(|(other, _)| *other == change);
        let left = visited.filter_map(|(_, state)| {
            let mut left = ended.clone();
            let fits = left.shows(states.state(*state), what, outcome);
            left.forget_makers(states);
            fits.then_some(left)
        });
        left.collect()
    }

    /// Of topics that are gone, and that nobody will tell of any more, only the ids count.
    fn forget_makers(&mut self, states: &States) {
        let Self { now, way } = self;
        let is_made = |state: StateId, by| {
            states.state(state).as_ref().is_some_and(|topic| topic.made_by == by)
        };
        for (made_by, _) in &mut now.ids {
            let is_told_of = is_made(now.state, *made_by)
                || now.happened.contains(made_by)
                || way.visited.iter().any(|(_, state)| is_made(*state, *made_by));
            if !is_told_of {
                *made_by = SOMEBODY;
            }
        }
        now.ids.sort_unstable();
    }

    /// Whether this state lets a request end so that changes nothing.
    fn shows(&mut self, state: &State, what: &Change, outcome: &Outcome) -> bool {
        match (what, outcome, state) {
            (
                Change::Create { .. } | Change::TryCreate,
                Outcome::Refused(ALREADY_EXISTS),
                state,
            ) => state.is_some(),
            (Change::TryCreate, Outcome::Made(_), state) => state.is_none(),
            (Change::Delete { id: Some(id) }, Outcome::Refused(UNKNOWN_TOPIC_ID), state) => {
                let made_by = state.as_ref().map(|topic| topic.made_by);
                made_by.is_none_or(|made_by| self.now.id_of(made_by) != Some(*id))
            }
            (Change::Grow { count }, Outcome::Refused(INVALID_PARTITIONS), Some(topic)) => {
                topic.partitions >= *count
            }
            (Change::Look, Outcome::Seen(sighting), Some(topic)) => {
                let is_same = |told: &Option<Settings>| {
                    told.as_ref().is_none_or(|settings| *settings == topic.settings)
                };
                sighting.partitions.is_none_or(|count| count == topic.partitions)
                    && is_same(&sighting.settings)
                    && sighting.id.is_none_or(|id| self.now.bind(topic.made_by, id))
            }
            (Change::Look, Outcome::Absent, None) => true,
            (
                Change::Delete { .. } | Change::Grow { .. } | Change::Alter(_) | Change::Replace(_),
                Outcome::Refused(UNKNOWN_TOPIC),
                None,
            ) => true,
            _ => false,
        }
    }
}

/// Adds to a list in order, unless it is there.
fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

/// A state's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StateId(usize);

/// All states that were met, each once, and what changes make of them.
#[derive(Clone, Debug, Default)]
struct States {
    met: Vec<State>,
    numbers: BTreeMap<State, StateId>,
    after: BTreeMap<(StateId, ChangeId), Option<StateId>>,
}

impl States {
    fn state(&self, number: StateId) -> &State {
        &self.met[number.0]
    }

    fn number(&mut self, state: State) -> StateId {
        let next = StateId(self.met.len());
        let number = *self.numbers.entry(state.clone()).or_insert(next);
        if number == next {
            self.met.push(state);
        }
        number
    }

    /// What a change makes of a state; `None` when it cannot happen in it.
    fn after(&mut self, before: StateId, change: ChangeId, what: &Change) -> Option<StateId> {
        if let Some(known) = self.after.get(&(before, change)) {
            return *known;
        }
        let state = changed(self.state(before).clone(), change, what);
        let number = state.map(|state| self.number(state));
        self.after.insert((before, change), number);
        number
    }

    /// No change is under way.
    fn forget_changes(&mut self) {
        self.after.clear();
    }
}

/// The state that a change leaves; `None` when it cannot happen.
fn changed(mut state: State, change: ChangeId, what: &Change) -> Option<State> {
    match (what, &mut state) {
        (Change::Create { partitions, settings }, state @ None) => {
            let (partitions, settings) = (*partitions, settings.clone());
            *state = Some(Topic { made_by: change, partitions, settings });
        }
        (Change::Delete { .. }, state @ Some(_)) => *state = None,
        (Change::Grow { count }, Some(topic)) if topic.partitions < *count => {
            topic.partitions = *count;
        }
        (Change::Alter(changes), Some(topic)) => {
            for (key, value) in changes {
                match value {
                    Some(value) => topic.settings.insert(key.clone(), value.clone()),
                    None => topic.settings.remove(key),
                };
            }
        }
        (Change::Replace(settings), Some(topic)) => topic.settings.clone_from(settings),
        _ => return None,
    }
    Some(state)
}

/// What there may be, for messages.
impl fmt::Display for ModelTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 4;
        let states = self.worlds.places().map(|now| {
            let state = self.states.state(now.state);
            let Some(Topic { made_by, partitions, settings }) = state else {
                return "nothing".to_owned();
            };
            let id = now.id_of(*made_by).map_or("?".to_owned(), |id| id.to_string());
            format!("{partitions} partitions of {id} with {settings:?}")
        });
        let states: BTreeSet<String> = states.collect();
        let shown: Vec<&str> = states.iter().map(String::as_str).take(SHOWN_MAX).collect();
        write!(f, "{}", shown.join(" or "))?;
        if states.len() > SHOWN_MAX { write!(f, " or others") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use klamm_core::ids::Uuid;

    use super::{Change, Life, ModelTopic, Outcome, Settings, Sighting};
    use crate::history::ChangeId;

    const OLD: Uuid = Uuid([1; 16]);
    const NEW: Uuid = Uuid([2; 16]);

    fn settings(retention: &str) -> Settings {
        Settings::from([("retention.ms".to_owned(), retention.to_owned())])
    }

    fn create(partitions: i32) -> Change {
        Change::Create { partitions, settings: settings("5") }
    }

    fn made(id: Uuid) -> Outcome {
        Outcome::Made(Some(id))
    }

    fn seen(id: Uuid, partitions: i32) -> Outcome {
        let (id, partitions) = (Some(id), Some(partitions));
        Outcome::Seen(Sighting { id, partitions, settings: None })
    }

    fn with_settings(retention: &str) -> Outcome {
        let settings = Some(settings(retention));
        Outcome::Seen(Sighting { settings, ..Sighting::default() })
    }

    /// A name's history: what is asked and told, one after another or across.
    #[derive(Default)]
    struct Name {
        model: ModelTopic,
        last: u64,
    }

    impl Name {
        fn ask(&mut self, what: Change) -> ChangeId {
            self.last += 1;
            self.model.asked(ChangeId(self.last), what);
            ChangeId(self.last)
        }

        fn tell(&mut self, change: ChangeId, outcome: &Outcome) -> bool {
            self.last += 1;
            self.model.ended(change, outcome, self.last).is_ok()
        }

        fn done(&mut self, what: Change, outcome: &Outcome) -> bool {
            let change = self.ask(what);
            self.tell(change, outcome)
        }

        fn of_two() -> Self {
            let mut name = Self::default();
            assert!(name.done(create(2), &made(OLD)));
            name
        }
    }

    #[test]
    fn what_was_made_is_there_whole_until_it_is_deleted() {
        let mut name = Name::of_two();
        assert!(name.done(Change::Look, &seen(OLD, 2)));
        assert!(name.done(Change::Look, &with_settings("5")));
        assert!(!name.done(Change::Look, &seen(OLD, 1)), "half of it");
        assert!(!Name::of_two().done(Change::Look, &Outcome::Absent));
        assert!(!Name::of_two().done(Change::Look, &with_settings("6")));
        assert!(!Name::of_two().done(create(1), &made(NEW)), "there is one");
        assert!(Name::of_two().done(create(1), &Outcome::Refused(36)));
        assert!(!Name::of_two().done(Change::TryCreate, &Outcome::Made(None)));
    }

    #[test]
    fn what_was_deleted_does_not_come_back_and_its_id_neither() {
        let mut name = Name::of_two();
        assert_eq!(name.model.life(OLD), Life::Sure);
        assert!(name.done(Change::Delete { id: None }, &Outcome::Done));
        assert_eq!(name.model.life(OLD), Life::Over);
        assert!(name.done(Change::Look, &Outcome::Absent));
        assert!(name.done(create(1), &made(NEW)));
        assert!(name.done(Change::Delete { id: Some(OLD) }, &Outcome::Refused(100)));
        assert!(!name.done(Change::Look, &seen(OLD, 1)));
        let mut name = Name::of_two();
        assert!(name.done(Change::Delete { id: Some(OLD) }, &Outcome::Done));
        assert!(!name.done(create(1), &made(OLD)), "another topic has another id");
    }

    #[test]
    fn what_has_no_answer_has_happened_whole_or_not_at_all() {
        let mut name = Name::of_two();
        let lost = name.ask(Change::Grow { count: 4 });
        assert!(name.tell(lost, &Outcome::Unknown));
        assert!(name.done(Change::Look, &seen(OLD, 2)), "not yet");
        assert!(name.done(Change::Look, &seen(OLD, 4)));
        assert!(!name.done(Change::Look, &seen(OLD, 2)), "it does not shrink");
        let mut name = Name::of_two();
        let lost = name.ask(Change::Grow { count: 4 });
        assert!(name.tell(lost, &Outcome::Refused(7)), "nor is time an end");
        assert!(!name.done(Change::Look, &seen(OLD, 3)));
    }

    #[test]
    fn what_has_not_happened_when_the_broker_is_gone_never_will() {
        let mut name = Name::of_two();
        let lost = name.ask(Change::Delete { id: None });
        assert!(name.tell(lost, &Outcome::Unknown));
        name.model.broker_gone(99);
        assert_eq!(name.model.life(OLD), Life::Unsure);
        assert!(name.done(Change::Look, &seen(OLD, 2)));
        assert_eq!(name.model.life(OLD), Life::Sure);
        assert!(!name.done(Change::Look, &Outcome::Absent));
    }

    #[test]
    fn what_is_asked_at_once_happens_in_any_order() {
        let looks = |first: Outcome, second: Outcome, between: Outcome| {
            let mut name = Name::of_two();
            let delete = name.ask(Change::Delete { id: None });
            let create = name.ask(create(3));
            let look = name.ask(Change::Look);
            name.tell(delete, &first) && name.tell(create, &second) && name.tell(look, &between)
        };
        assert!(looks(Outcome::Done, made(NEW), Outcome::Absent));
        assert!(looks(Outcome::Done, made(NEW), seen(OLD, 2)));
        assert!(looks(Outcome::Done, made(NEW), seen(NEW, 3)));
        assert!(looks(Outcome::Done, Outcome::Refused(36), seen(OLD, 2)));
        assert!(!looks(Outcome::Done, Outcome::Refused(36), seen(NEW, 3)));
        assert!(!looks(Outcome::Refused(3), made(NEW), Outcome::Absent));
    }

    #[test]
    fn acknowledged_changes_keep_their_order() {
        let alter =
            |value: &str| Change::Alter(vec![("retention.ms".to_owned(), Some(value.to_owned()))]);
        let mut name = Name::of_two();
        assert!(name.done(alter("7"), &Outcome::Done));
        assert!(name.done(alter("8"), &Outcome::Done));
        name.model.broker_gone(50);
        assert!(name.done(Change::Look, &with_settings("8")));
        assert!(name.done(Change::Replace(Settings::new()), &Outcome::Done));
        assert!(!name.done(Change::Look, &with_settings("8")));
        assert!(!Name::of_two().done(Change::Look, &with_settings("7")));
    }

    #[test]
    fn a_resource_has_settings_from_the_beginning() {
        let mut model = ModelTopic::resource();
        model.asked(ChangeId(1), Change::Replace(settings("5")));
        assert_eq!(model.ended(ChangeId(1), &Outcome::Done, 1), Ok(()));
        model.asked(ChangeId(2), Change::Look);
        assert_eq!(model.ended(ChangeId(2), &with_settings("5"), 1), Ok(()));
    }

    #[test]
    fn lost_changes_that_come_to_the_same_are_followed_as_one() {
        let mut name = Name::of_two();
        for number in 0..30 {
            let value = (number % 3).to_string();
            let lost = name.ask(Change::Alter(vec![("retention.ms".to_owned(), Some(value))]));
            assert!(name.tell(lost, &Outcome::Unknown));
        }
        for value in ["2", "0", "2", "1"] {
            assert!(name.done(Change::Look, &with_settings(value)));
        }
        assert!(!name.model.is_lost_sight_of());
        assert!(!name.done(Change::Look, &with_settings("3")), "nobody has asked for that");
    }

    #[test]
    fn topics_that_are_gone_may_have_been_made_by_anybody() {
        let mut name = Name::default();
        for number in 0..40 {
            let lost = name.ask(create(1 + number % 2));
            assert!(name.tell(lost, &Outcome::Unknown));
        }
        let id = |number: u8| Uuid([number; 16]);
        for number in 1..15 {
            assert!(name.done(Change::Look, &seen(id(number), 1 + i32::from(number) % 2)));
            assert!(name.done(Change::Delete { id: None }, &Outcome::Done));
        }
        assert!(!name.model.is_lost_sight_of());
        assert_eq!(name.model.life(id(1)), Life::Over);
        assert!(!name.done(Change::Look, &seen(id(1), 2)), "it was another topic's");
    }

    #[test]
    fn more_than_can_be_followed_is_let_go() {
        let mut name = Name::of_two();
        for number in 0..30 {
            let what = Change::Alter(vec![(format!("key{number}"), Some("1".to_owned()))]);
            let lost = name.ask(what);
            assert!(name.tell(lost, &Outcome::Unknown));
        }
        assert!(name.done(Change::Look, &seen(OLD, 2)));
        assert!(name.model.is_lost_sight_of());
        assert!(name.done(Change::Look, &Outcome::Absent), "nothing is judged");
    }
}
