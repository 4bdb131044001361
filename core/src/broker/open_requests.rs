//! Requests whose answers wait for parts of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::{ConnectionId, RequestNumber};
use crate::time::Instant;

/// An open request, numbered by the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpenId(u64);

/// Requests of one kind that wait; `R` is the answer as far as it is known.
#[derive(Debug)]
pub(super) struct OpenRequests<R> {
    open: BTreeMap<OpenId, OpenRequest<R>>,
    by_connection: BTreeSet<(ConnectionId, OpenId)>,
    deadlines: BTreeSet<(Instant, OpenId)>,
    next: u64,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct OpenRequest<R> {
    pub(super) connection: ConnectionId,
    pub(super) number: RequestNumber,
    /// When it is answered as it stands.
    pub(super) deadline: Option<Instant>,
    /// Parts whose results are not in.
    pub(super) missing: usize,
    pub(super) answer: R,
}

impl<R> Default for OpenRequests<R> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            by_connection: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            next: 0,
        }
    }
}

impl<R> OpenRequests<R> {
    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// The earliest moment at which one of them is answered as it stands.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn start(&mut self, request: OpenRequest<R>) -> OpenId {
        let id = OpenId(self.next);
        self.next += 1;
        self.by_connection.insert((request.connection, id));
        self.deadlines.extend(request.deadline.map(|at| (at, id)));
        self.open.insert(id, request);
        id
    }

    /// True while somebody waits for its answer.
    pub(super) fn is_open(&self, id: OpenId) -> bool {
        self.open.contains_key(&id)
    }

    /// The result of one part is in: `fill` puts it into the answer. Gives the request when it was
    /// the last; nothing happens when nobody waits any more.
    pub(super) fn settle(
        &mut self,
        id: OpenId,
        fill: impl FnOnce(&mut R),
    ) -> Option<OpenRequest<R>> {
        let request = self.open.get_mut(&id)?;
        fill(&mut request.answer);
        request.missing -= 1;
        if request.missing == 0 { self.remove(id) } else { None }
    }

    /// One request whose time is up.
    pub(super) fn expire(&mut self, now: Instant) -> Option<OpenRequest<R>> {
        let &(deadline, id) = self.deadlines.first()?;
        if deadline > now { None } else { self.remove(id) }
    }

    /// Nobody waits for these answers any more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        let range = (connection, OpenId(0))..=(connection, OpenId(u64::MAX));
        let ids: Vec<OpenId> = self.by_connection.range(range).map(|(_, id)| *id).collect();
        for id in ids {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: OpenId) -> Option<OpenRequest<R>> {
        let request = self.open.remove(&id)?;
        self.by_connection.remove(&(request.connection, id));
        if let Some(at) = request.deadline {
            self.deadlines.remove(&(at, id));
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{OpenRequest, OpenRequests};
    use crate::ids::{ConnectionId, RequestNumber};
    use crate::time::Instant;

    fn request(connection: u64, deadline: Option<u64>, missing: usize) -> OpenRequest<Vec<u8>> {
        OpenRequest {
            connection: ConnectionId(connection),
            number: RequestNumber(0),
            deadline: deadline.map(Instant::from_micros),
            missing,
            answer: vec![],
        }
    }

    #[test]
    fn request_ends_with_its_last_part() {
        let mut requests = OpenRequests::default();
        let id = requests.start(request(1, None, 2));
        assert!(requests.settle(id, |answer| answer.push(1)).is_none());
        let ended = requests.settle(id, |answer| answer.push(2)).expect("the last part");
        assert_eq!(ended.answer, [1, 2]);
        assert!(!requests.is_open(id));
        assert!(requests.settle(id, |_| panic!("nobody waits")).is_none());
    }

    #[test]
    fn requests_end_with_their_time_and_their_connection() {
        let mut requests = OpenRequests::default();
        let late = requests.start(request(1, Some(20), 1));
        let early = requests.start(request(2, Some(10), 1));
        assert_eq!(requests.deadline(), Some(Instant::from_micros(10)));
        assert!(requests.expire(Instant::from_micros(9)).is_none());
        assert!(requests.expire(Instant::from_micros(10)).is_some());
        assert!(!requests.is_open(early));
        requests.forget(ConnectionId(2));
        assert!(requests.is_open(late));
        requests.forget(ConnectionId(1));
        assert_eq!((requests.is_open(late), requests.deadline()), (false, None));
    }
}
