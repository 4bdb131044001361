//! Fetch: records of many partitions, at once or when there are enough of them.
//!
//! A fetch goes through stages, each a partition at a time and so many partitions a turn that the lock
//! is never held long. It *gathers* the request's partitions into a set (a session's, when it has
//! one), *walks* over those that must be looked at, and *answers* with what it saw; a look-up in cold
//! data is a read of its own, during which the walk stands still. When the walk finds too little, the
//! fetch *waits* until the logs that it watches have enough, or its time is up, and walks once more.
//!
//! Kafka's `KafkaApis.handleFetchRequest`, `ReplicaManager.fetchMessages` and `DelayedFetch`.

mod answer;
mod gather;
mod read;
mod readable;
mod room;
mod session;
mod set;
mod stages;
mod wait;
mod watch;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Broker, Output};
use crate::api::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use crate::config::Limits;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, LogId, RequestNumber};
use crate::log::Search;
use crate::request::{Response, ResponseBody};
use crate::time::{Instant, Millis};
use answer::Answer;
use gather::Gather;
use read::{Isolation, Known, Outcome, Reader, Sought, Terms};
use room::Room;
use session::{FINAL_EPOCH, INITIAL_EPOCH, Naming, SessionId, Sessions};
use set::{PartitionSet, SetId, Slot};
use wait::Tally;
use watch::Watches;

/// A fetch that is not answered yet, numbered by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FetchId(u64);

/// All fetches, and the sessions between them.
#[derive(Debug)]
pub(super) struct Fetches {
    open: BTreeMap<FetchId, OpenFetch>,
    by_connection: BTreeSet<(ConnectionId, FetchId)>,
    /// Of those that wait.
    deadlines: BTreeSet<(Instant, FetchId)>,
    /// Those that can go on.
    runnable: VecDeque<FetchId>,
    sets: BTreeMap<SetId, PartitionSet>,
    sessions: Sessions,
    watches: Watches,
    /// Sets that nobody needs any more; their watches have to be taken back.
    retired: VecDeque<(SetId, PartitionSet)>,
    /// What waiting fetches hold beside their sessions.
    waiting_bytes: usize,
    next_fetch: u64,
    next_set: u64,
}

/// A fetch that is not answered yet.
#[derive(Debug)]
struct OpenFetch {
    connection: ConnectionId,
    number: RequestNumber,
    set: SetId,
    kinship: Kinship,
    terms: Terms,
    /// When it is answered whatever there is; `None` for at once.
    deadline: Option<Instant>,
    bytes_min: i64,
    bytes_max: i64,
    stage: Stage,
    /// It has waited, or may not: the next walk is the last.
    is_last_walk: bool,
    room: Room,
    tally: Tally,
    /// What was seen, of those partitions that were looked at.
    outcomes: BTreeMap<Slot, Outcome>,
    /// Partitions whose logs moved while it was on its way.
    moved: Vec<(Slot, LogId)>,
    /// Its part of [`Fetches::waiting_bytes`].
    waiting_bytes: usize,
}

/// What a fetch has to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinship {
    /// Nothing.
    Sessionless,
    /// Its answer opens one.
    Opens(Naming),
    /// It goes on with one.
    Continues(SessionId),
}

#[derive(Debug)]
enum Stage {
    Gather(Gather),
    /// It looks at the partitions from this one on.
    Walk(Slot, Known),
    /// A read is out for this partition.
    Search(Slot, Known, Sought, Search),
    Wait,
    Answer(Answer),
}

impl Fetches {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            open: BTreeMap::new(),
            by_connection: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            runnable: VecDeque::new(),
            sets: BTreeMap::new(),
            sessions: Sessions::new(limits),
            watches: Watches::default(),
            retired: VecDeque::new(),
            waiting_bytes: 0,
            next_fetch: 0,
            next_set: 0,
        }
    }

    /// No fetch is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Open fetches, and sets of partitions: theirs and those of sessions.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.open.len(), self.sets.len())
    }

    /// There is work that the last turn left to the next.
    pub(super) fn has_due(&self) -> bool {
        !self.runnable.is_empty() || self.watches.has_due() || !self.retired.is_empty()
    }

    /// The earliest moment at which a fetch is answered for its time, or a session given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.deadlines.first().map(|(at, _)| *at);
        [waiting, self.sessions.deadline()].into_iter().flatten().min()
    }

    /// Nothing is held for anybody.
    #[cfg(test)]
    pub(super) fn is_unused(&self) -> bool {
        self.open.is_empty()
            && self.by_connection.is_empty()
            && self.deadlines.is_empty()
            && self.sets.is_empty()
            && self.retired.is_empty()
            && self.watches.is_empty()
            && self.waiting_bytes == 0
            && self.sessions_held() == (0, 0)
    }

    /// How many sessions there are, and the bytes that they remember.
    #[cfg(test)]
    pub(super) fn sessions_held(&self) -> (usize, usize) {
        self.sessions.held()
    }

    fn new_set(&mut self) -> SetId {
        let id = SetId(self.next_set);
        self.next_set += 1;
        self.sets.insert(id, PartitionSet::default());
        id
    }

    fn start(&mut self, fetch: OpenFetch) {
        let id = FetchId(self.next_fetch);
        self.next_fetch += 1;
        if let Some(set) = self.sets.get_mut(&fetch.set) {
            set.fetch = Some(id);
        }
        self.by_connection.insert((fetch.connection, id));
        self.open.insert(id, fetch);
        self.runnable.push_back(id);
    }

    /// Takes a fetch out that is answered, or whose answer nobody wants.
    fn remove(&mut self, id: FetchId) -> Option<OpenFetch> {
        let fetch = self.open.remove(&id)?;
        self.by_connection.remove(&(fetch.connection, id));
        if let Some(deadline) = fetch.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        self.waiting_bytes -= fetch.waiting_bytes;
        let Some(set) = self.sets.get_mut(&fetch.set) else { return Some(fetch) };
        set.fetch = None;
        // What was seen and not told is to be seen again.
        fetch.outcomes.keys().for_each(|slot| set.look_at(*slot));
        self.retire_if_unused(fetch.set);
        Some(fetch)
    }

    /// The session of a set is gone; a fetch that reads it still ends as it would.
    fn leave_session(&mut self, set_id: SetId) {
        if let Some(set) = self.sets.get_mut(&set_id) {
            set.session = None;
        }
        self.retire_if_unused(set_id);
    }

    fn retire_if_unused(&mut self, id: SetId) {
        let is_unused =
            self.sets.get(&id).is_some_and(|set| set.session.is_none() && set.fetch.is_none());
        if is_unused && let Some(set) = self.sets.remove(&id) {
            self.retired.push_back((id, set));
        }
    }

    /// A session's partition goes behind the others, so that they take turns.
    fn move_to_end(&mut self, id: SetId, set: &mut PartitionSet, slot: Slot) {
        if let Some(log) = set.move_to_end(slot) {
            self.watches.remove(log, id, slot);
        }
    }

    /// Takes retired sets apart, partition by partition.
    fn clear_retired(&mut self, budget: &mut usize) {
        while *budget > 0
            && let Some((id, set)) = self.retired.front_mut()
        {
            *budget -= 1;
            match set.pop() {
                Some((slot, entry)) => {
                    if let Some(log) = entry.watched {
                        self.watches.remove(log, *id, slot);
                    }
                }
                None => drop(self.retired.pop_front()),
            }
        }
    }

    /// Nobody waits for the answers any more; the sessions stay for a while.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        let range = (connection, FetchId(0))..=(connection, FetchId(u64::MAX));
        let ids: Vec<FetchId> = self.by_connection.range(range).map(|(_, id)| *id).collect();
        for id in ids {
            self.remove(id);
        }
        self.sessions.disconnect(connection);
    }
}

impl Broker {
    pub(super) fn handle_fetch(
        &mut self,
        from: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: FetchRequest,
    ) {
        let isolation = match request.isolation_level {
            0 => Isolation::ReadUncommitted,
            1 => Isolation::ReadCommitted,
            _ => {
                let refused = refused_whole(version, &request, ErrorCode::UNKNOWN_SERVER_ERROR);
                return self.respond_fetch(from, number, refused);
            }
        };
        let replica_id =
            if version < 15 { request.replica_id } else { request.replica_state.replica_id };
        let reader = if replica_id >= 0 { Reader::Follower } else { Reader::Consumer };
        let naming = if version >= 13 { Naming::Ids } else { Naming::Names };
        let (set, kinship) = match self.enter_session(from, naming, &request) {
            Ok(entered) => entered,
            Err(error_code) => {
                let refused = FetchResponse { error_code, ..FetchResponse::default() };
                return self.respond_fetch(from, number, refused);
            }
        };
        let bytes_max = i64::from(request.max_bytes).min(self.config.limits.fetch_bytes_max.into());
        let wait_ms = u64::try_from(request.max_wait_ms).ok().filter(|wait_ms| *wait_ms > 0);
        self.fetches.start(OpenFetch {
            connection: from,
            number,
            set,
            kinship,
            terms: Terms { version, reader, isolation },
            deadline: wait_ms.map(|wait_ms| self.now.mono + Millis(wait_ms)),
            bytes_min: i64::from(request.min_bytes).min(bytes_max),
            bytes_max,
            stage: Stage::Gather(Gather::new(
                naming,
                request.topics,
                request.forgotten_topics_data,
            )),
            is_last_walk: wait_ms.is_none(),
            room: Room::new(bytes_max),
            tally: Tally::default(),
            outcomes: BTreeMap::new(),
            moved: Vec::new(),
            waiting_bytes: 0,
        });
    }

    /// The set that the request reads, and its session's part in it (`FetchManager.newContext`).
    fn enter_session(
        &mut self,
        from: ConnectionId,
        naming: Naming,
        request: &FetchRequest,
    ) -> Result<(SetId, Kinship), ErrorCode> {
        let id = SessionId(request.session_id);
        let epoch = request.session_epoch;
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            if let Some(set) = self.fetches.sessions.close(id) {
                self.fetches.leave_session(set);
            }
            let opens = epoch == INITIAL_EPOCH;
            let kinship = if opens { Kinship::Opens(naming) } else { Kinship::Sessionless };
            return Ok((self.fetches.new_set(), kinship));
        }
        let set = self.fetches.sessions.advance(id, epoch, naming, from)?;
        // Somebody goes on with the session while its last request is still here: that one is no
        // longer the session's.
        if let Some(before) = self.fetches.sets.get(&set).and_then(|set| set.fetch)
            && let Some(before) = self.fetches.remove(before)
        {
            let superseded = FetchResponse {
                error_code: ErrorCode::INVALID_FETCH_SESSION_EPOCH,
                session_id: id.0,
                ..FetchResponse::default()
            };
            self.respond_fetch(before.connection, before.number, superseded);
        }
        Ok((set, Kinship::Continues(id)))
    }

    /// The files of the answer's ranges were pinned when their places were found.
    fn respond_fetch(&mut self, to: ConnectionId, number: RequestNumber, response: FetchResponse) {
        let body = ResponseBody::Fetch(response);
        self.push(Output::Response(to, Response { number, body }));
    }

    /// Does what is due: so much that the lock is not held for long, the rest in the next turn.
    pub(super) fn run_fetches(&mut self) {
        let mut budget = self.config.limits.fetch_steps_per_turn_max;
        self.wake_fetches(&mut budget);
        while budget > 0
            && let Some(id) = self.fetches.runnable.pop_front()
        {
            self.run_fetch(id, &mut budget);
        }
        self.fetches.clear_retired(&mut budget);
    }

    /// Waits whose time is up, and sessions that nobody has gone on with.
    pub(super) fn expire_fetches(&mut self) {
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some(&(deadline, id)) = self.fetches.deadlines.first() else { break };
            if deadline > self.now.mono {
                break;
            }
            self.end_fetch_wait(id);
        }
        for _ in 0..self.config.limits.waits_per_turn_max {
            let Some(set) = self.fetches.sessions.expire(self.now.mono) else { break };
            self.fetches.leave_session(set);
        }
    }
}

/// The answer to a request that fails as a whole (`FetchRequest.getErrorResponse`): old clients look
/// at the partitions' errors alone.
fn refused_whole(version: i16, request: &FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let topics = if version < 13 { request.topics.as_slice() } else { &[] };
    let responses = topics
        .iter()
        .map(|topic| FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| PartitionData {
                    aborted_transactions: Some(Vec::new()),
                    ..answer::refused(partition.partition, error_code)
                })
                .collect(),
        })
        .collect();
    let session_id = request.session_id;
    FetchResponse { error_code, session_id, responses, ..FetchResponse::default() }
}
