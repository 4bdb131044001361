//! Fetch sessions (KIP-227; `FetchManager`, `FetchSessionCacheShard`): a client names its partitions
//! once, and afterwards only what changes.
//!
//! Here is who has a session, at which epoch, and who has to go when there is no room. What a session
//! remembers of its partitions is its [`PartitionSet`](super::set::PartitionSet).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::set::SetId;
use crate::config::Limits;
use crate::error_code::ErrorCode;
use crate::ids::ConnectionId;
use crate::rng::Rng;
use crate::time::{Instant, Millis};

/// A session's id on the wire, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionId(pub(super) i32);

/// Opens a session (`FetchMetadata.INITIAL_EPOCH`).
pub(super) const INITIAL_EPOCH: i32 = 0;

/// Goes without a session, and closes the one named (`FetchMetadata.FINAL_EPOCH`).
pub(super) const FINAL_EPOCH: i32 = -1;

/// How requests name topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Up to version 12.
    Names,
    /// From version 13 on (KIP-516).
    Ids,
}

/// A session that is to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) set: SetId,
    pub(super) connection: ConnectionId,
    /// A follower's: it may take a consumer's place.
    pub(super) is_privileged: bool,
    pub(super) naming: Naming,
    pub(super) extent: Extent,
}

/// How much a session remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its partitions.
    pub(super) partitions: usize,
    /// What they take in memory.
    pub(super) bytes: usize,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    slots_max: usize,
    bytes_max: usize,
    eviction: Millis,
    sessions: BTreeMap<SessionId, Session>,
    by_use: BTreeSet<(Instant, SessionId)>,
    /// Those that have been there for a while, the least valuable first.
    evictable: BTreeSet<Value>,
    /// The same, and all that are not privileged.
    evictable_by_privileged: BTreeSet<Value>,
    owned: BTreeSet<(ConnectionId, SessionId)>,
    /// Those whose connection is gone, by the time at which they are given up.
    abandoned: BTreeSet<(Instant, SessionId)>,
    bytes: usize,
}

/// What a session is worth keeping for (`EvictableKey`); the id tells equals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    is_privileged: bool,
    partitions: usize,
    id: SessionId,
}

#[derive(Debug)]
struct Session {
    set: SetId,
    /// The last one that used it.
    connection: ConnectionId,
    is_privileged: bool,
    naming: Naming,
    /// That the next request must have.
    epoch: i32,
    created: Instant,
    used: Instant,
    extent: Extent,
}

impl Session {
    fn value(&self, id: SessionId) -> Value {
        Value { is_privileged: self.is_privileged, partitions: self.extent.partitions, id }
    }
}

impl Sessions {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            slots_max: limits.fetch_sessions_max,
            bytes_max: limits.fetch_session_bytes_max,
            eviction: Millis(limits.fetch_session_eviction_ms),
            sessions: BTreeMap::new(),
            by_use: BTreeSet::new(),
            evictable: BTreeSet::new(),
            evictable_by_privileged: BTreeSet::new(),
            owned: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Opens a session when there is room, or can be made; the sets of the sessions that had to go
    /// for it are added to `evicted`.
    pub(super) fn open(
        &mut self,
        opening: Opening,
        rng: &mut Rng,
        now: Instant,
        evicted: &mut Vec<SetId>,
    ) -> Option<SessionId> {
        let Opening { set, connection, is_privileged, naming, extent } = opening;
        if extent.bytes > self.bytes_max {
            return None;
        }
        while self.sessions.len() >= self.slots_max || self.bytes + extent.bytes > self.bytes_max {
            let victim = self.victim(is_privileged, extent.partitions, now)?;
            evicted.extend(self.close(victim));
        }
        let id = self.draw(rng);
        let epoch = next_epoch(INITIAL_EPOCH);
        let session = Session {
            set,
            connection,
            is_privileged,
            naming,
            epoch,
            created: now,
            used: now,
            extent,
        };
        self.bytes += extent.bytes;
        self.by_use.insert((now, id));
        self.owned.insert((connection, id));
        if !is_privileged {
            self.evictable_by_privileged.insert(session.value(id));
        }
        self.sessions.insert(id, session);
        Some(id)
    }

    /// The set of the session that a request with `id` and `epoch` goes on with; the session then
    /// expects the next epoch. A refused request leaves it as it is.
    pub(super) fn advance(
        &mut self,
        id: SessionId,
        epoch: i32,
        naming: Naming,
        connection: ConnectionId,
    ) -> Result<SetId, ErrorCode> {
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.naming != naming {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.epoch = next_epoch(epoch);
        self.owned.remove(&(session.connection, id));
        self.abandoned.remove(&(session.used + self.eviction, id));
        session.connection = connection;
        self.owned.insert((connection, id));
        Ok(session.set)
    }

    /// A request has left the session with so much to remember (`FetchSessionCacheShard.touch`).
    /// False when that is more than all sessions may take.
    pub(super) fn touch(&mut self, id: SessionId, extent: Extent, now: Instant) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        self.by_use.remove(&(session.used, id));
        self.evictable.remove(&session.value(id));
        self.evictable_by_privileged.remove(&session.value(id));
        self.bytes = self.bytes - session.extent.bytes + extent.bytes;
        session.used = now;
        session.extent = extent;
        let value = session.value(id);
        let is_old = session.created + self.eviction < now;
        self.by_use.insert((now, id));
        if is_old || !session.is_privileged {
            self.evictable_by_privileged.insert(value);
        }
        if is_old {
            self.evictable.insert(value);
        }
        self.bytes <= self.bytes_max
    }

    /// Ends a session; gives its set.
    pub(super) fn close(&mut self, id: SessionId) -> Option<SetId> {
        let session = self.sessions.remove(&id)?;
        self.by_use.remove(&(session.used, id));
        self.evictable.remove(&session.value(id));
        self.evictable_by_privileged.remove(&session.value(id));
        self.owned.remove(&(session.connection, id));
        self.abandoned.remove(&(session.used + self.eviction, id));
        self.bytes -= session.extent.bytes;
        Some(session.set)
    }

    /// Its sessions may be gone on with by another connection, but not for ever.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        let range = (connection, SessionId(0))..=(connection, SessionId(i32::MAX));
        let ids: Vec<SessionId> = self.owned.range(range).map(|(_, id)| *id).collect();
        for id in ids {
            self.owned.remove(&(connection, id));
            if let Some(session) = self.sessions.get(&id) {
                self.abandoned.insert((session.used + self.eviction, id));
            }
        }
    }

    /// When the next session is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.abandoned.first().map(|(at, _)| *at)
    }

    /// Gives one session up that nobody has gone on with; its set.
    pub(super) fn expire(&mut self, now: Instant) -> Option<SetId> {
        let &(at, id) = self.abandoned.first()?;
        if at > now {
            return None;
        }
        self.abandoned.remove(&(at, id));
        self.close(id)
    }

    /// How many there are, and what they remember.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.sessions.len(), self.bytes)
    }

    /// The session to evict for one of that worth: a stale one, or else the least valuable of the old
    /// ones if it is worth less (`FetchSessionCacheShard.tryEvict`).
    fn victim(&self, is_privileged: bool, partitions: usize, now: Instant) -> Option<SessionId> {
        let &(used, stalest) = self.by_use.first()?;
        if used + self.eviction < now {
            return Some(stalest);
        }
        let candidates =
            if is_privileged { &self.evictable_by_privileged } else { &self.evictable };
        let least = candidates.first()?;
        let newcomer = Value { is_privileged, partitions, id: SessionId(0) };
        (*least < newcomer).then_some(least.id)
    }

    fn draw(&self, rng: &mut Rng) -> SessionId {
        loop {
            let drawn = 1 + rng.below(i32::MAX as u64);
            let id = SessionId(i32::try_from(drawn).unwrap_or(i32::MAX));
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

/// The epoch behind `epoch`: it wraps to 1, because 0 opens a session (`FetchMetadata.nextEpoch`).
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Extent, Naming, Opening, SessionId, Sessions, next_epoch};
    use crate::broker::fetch::set::SetId;
    use crate::config::Limits;
    use crate::error_code::ErrorCode;
    use crate::ids::ConnectionId;
    use crate::rng::Rng;
    use crate::time::{Instant, Millis};

    const CLIENT: ConnectionId = ConnectionId(1);
    const EVICTION_MS: u64 = 120_000;

    struct Fixture {
        sessions: Sessions,
        rng: Rng,
        now: Instant,
        evicted: Vec<SetId>,
        sets: u64,
    }

    impl Fixture {
        fn new(slots: usize) -> Self {
            let limits = Limits { fetch_sessions_max: slots, ..Limits::default() };
            Self::with_limits(&limits)
        }

        fn with_limits(limits: &Limits) -> Self {
            Self {
                sessions: Sessions::new(limits),
                rng: Rng::from_seed([1; 32]),
                now: Instant::from_micros(1),
                evicted: Vec::new(),
                sets: 0,
            }
        }

        fn open(&mut self, partitions: usize) -> Option<SessionId> {
            self.open_as(partitions, false)
        }

        fn open_as(&mut self, partitions: usize, is_privileged: bool) -> Option<SessionId> {
            self.sets += 1;
            let opening = Opening {
                set: SetId(self.sets),
                connection: CLIENT,
                is_privileged,
                naming: Naming::Ids,
                extent: Extent { partitions, bytes: partitions * 100 },
            };
            self.sessions.open(opening, &mut self.rng, self.now, &mut self.evicted)
        }

        fn pass(&mut self, wait_ms: u64) {
            self.now = self.now + Millis(wait_ms);
        }

        fn touch(&mut self, id: SessionId, partitions: usize) -> bool {
            let extent = Extent { partitions, bytes: partitions * 100 };
            self.sessions.touch(id, extent, self.now)
        }
    }

    #[test]
    fn epochs_rise_and_wrap_to_one() {
        assert_eq!(next_epoch(0), 1);
        assert_eq!(next_epoch(i32::MAX), 1);
        let mut cache = Fixture::new(1);
        let id = cache.open(1).expect("there is room");
        let mut advance = |epoch| cache.sessions.advance(id, epoch, Naming::Ids, CLIENT);
        assert_eq!(advance(1), Ok(SetId(1)));
        assert_eq!(advance(2), Ok(SetId(1)));
        assert_eq!(advance(2), Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
        assert_eq!(advance(4), Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
        assert_eq!(advance(3), Ok(SetId(1)), "a wrong epoch does no harm");
    }

    #[test]
    fn a_session_keeps_to_names_or_to_ids() {
        let mut cache = Fixture::new(1);
        let id = cache.open(1).expect("there is room");
        let refused = cache.sessions.advance(id, 1, Naming::Names, CLIENT);
        assert_eq!(refused, Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
        let unknown = cache.sessions.advance(SessionId(0), 1, Naming::Ids, CLIENT);
        assert_eq!(unknown, Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
        assert_eq!(cache.sessions.advance(id, 1, Naming::Ids, CLIENT), Ok(SetId(1)));
    }

    #[test]
    fn a_closed_session_is_gone() {
        let mut cache = Fixture::new(2);
        let id = cache.open(3).expect("there is room");
        assert!(id.0 > 0);
        assert_eq!(cache.sessions.held(), (1, 300));
        assert_eq!(cache.sessions.close(id), Some(SetId(1)));
        assert_eq!(cache.sessions.close(id), None);
        assert_eq!(cache.sessions.held(), (0, 0));
    }

    #[test]
    fn a_full_cache_evicts_what_is_stale() {
        let mut cache = Fixture::new(2);
        let first = cache.open(5).expect("there is room");
        cache.open(5).expect("there is room");
        cache.pass(EVICTION_MS);
        assert_eq!(cache.open(1), None, "not stale yet");
        cache.touch(first, 5);
        cache.pass(1);
        assert!(cache.open(1).is_some());
        assert_eq!(cache.evicted, [SetId(2)], "the other one is in use");
    }

    #[test]
    fn a_larger_session_takes_the_place_of_an_old_smaller_one() {
        let mut cache = Fixture::new(2);
        let (small, large) = (cache.open(2).expect("room"), cache.open(9).expect("room"));
        cache.pass(EVICTION_MS + 1);
        cache.touch(small, 2);
        cache.touch(large, 9);
        assert_eq!(cache.open(2), None, "an equal one stays");
        let newcomer = cache.open(3).expect("it is larger than the smallest");
        assert_eq!(cache.evicted, [SetId(1)]);
        assert_eq!(cache.open(5), None, "the newcomer is too young");
        cache.touch(newcomer, 3);
        assert!(cache.open(10).is_some());
        assert_eq!(cache.evicted, [SetId(1), SetId(2)]);
    }

    #[test]
    fn a_follower_takes_a_consumers_place() {
        let mut cache = Fixture::new(1);
        cache.open(9).expect("there is room");
        assert_eq!(cache.open(10), None);
        assert!(cache.open_as(1, true).is_some());
        assert_eq!(cache.evicted, [SetId(1)]);
        assert_eq!(cache.open_as(2, true), None, "a young follower stays");
    }

    #[test]
    fn sessions_take_no_more_than_their_share_of_memory() {
        let limits = Limits { fetch_session_bytes_max: 1_000, ..Limits::default() };
        let mut cache = Fixture::with_limits(&limits);
        assert_eq!(cache.open(11), None);
        let first = cache.open(6).expect("there is room");
        assert_eq!(cache.open(5), None);
        cache.open(4).expect("there is room");
        assert!(!cache.touch(first, 7), "it has outgrown the room");
        cache.sessions.close(first);
        assert_eq!(cache.sessions.held(), (1, 400));
        cache.pass(EVICTION_MS + 1);
        assert!(cache.open(10).is_some());
        assert_eq!(cache.evicted, [SetId(4)]);
    }

    #[test]
    fn no_session_is_opened_without_slots() {
        assert_eq!(Fixture::new(0).open(1), None);
    }

    #[test]
    fn sessions_of_a_lost_connection_are_given_up_unless_gone_on_with() {
        let mut cache = Fixture::new(9);
        let (kept, lost) = (cache.open(1).expect("room"), cache.open(2).expect("room"));
        cache.sessions.disconnect(CLIENT);
        let due = cache.sessions.deadline().expect("two are abandoned");
        assert_eq!(due, cache.now + Millis(EVICTION_MS));
        assert_eq!(cache.sessions.advance(kept, 1, Naming::Ids, ConnectionId(2)), Ok(SetId(1)));
        cache.touch(kept, 1);
        assert_eq!(cache.sessions.expire(cache.now), None);
        cache.now = due;
        let expired: Vec<SetId> =
            core::iter::from_fn(|| cache.sessions.expire(cache.now)).collect();
        assert_eq!(expired, vec![SetId(2)]);
        assert_eq!(cache.sessions.close(lost), None);
        cache.sessions.disconnect(ConnectionId(2));
        cache.pass(EVICTION_MS);
        assert_eq!(cache.sessions.expire(cache.now), Some(SetId(1)));
        assert_eq!((cache.sessions.held(), cache.sessions.deadline()), ((0, 0), None));
    }
}
