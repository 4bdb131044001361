//! Connections between model clients and the broker: two streams of bytes each, which arrive in
//! pieces of any size, after any time, in order; until one end says that it will send no more, or
//! both lose everything in a reset.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};
use klamm_core::ids::ConnectionId;

use crate::decisions::{Decisions, Purpose};

/// The network of a run.
#[derive(Debug, Default)]
pub struct Network {
    links: BTreeMap<ConnectionId, Link>,
    opened: u64,
}

/// One connection.
#[derive(Debug)]
struct Link {
    client: usize,
    up: Stream,
    down: Stream,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Stream {
    under_way: VecDeque<Piece>,
    last_due_micros: u64,
    ended: bool,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To the broker.
    Up,
    /// To the client.
    Down,
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes, at least one.
    Bytes(Bytes),
    /// Nothing will follow.
    End,
    /// The connection is gone, both ways.
    Reset,
}

/// How the network treats what is sent.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Longest piece.
    pub piece_bytes_max: u64,
    /// Most pieces that bytes sent at once are cut into; 0 for no bound.
    pub pieces_max: u64,
    /// Longest way of a piece, in microseconds.
    pub micros_max: u64,
    /// Pieces that become a reset.
    pub reset_per_mille: u32,
}

impl Conditions {
    /// The length of the next piece, when so many bytes are left behind so many pieces. With a bound,
    /// pieces are longer where they would be too many; any byte may still be the first of one.
    fn length(&self, left: u64, pieces: u64, decisions: &mut Decisions) -> u64 {
        let longest = match (self.pieces_max, self.pieces_max.saturating_sub(pieces)) {
            (0, _) => self.piece_bytes_max,
            (_, 0 | 1) => return left,
            (_, more) => self.piece_bytes_max.max((2 * left).div_ceil(more)),
        };
        decisions.between(Purpose::Network, 1, longest.clamp(1, left))
    }
}

impl Network {
    /// Opens a connection of `client`.
    pub fn open(&mut self, client: usize) -> ConnectionId {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        let link = Link { client, up: Stream::default(), down: Stream::default() };
        self.links.insert(id, link);
        id
    }

    /// Whose connection it is; `None` when it is gone.
    pub fn client_of(&self, id: ConnectionId) -> Option<usize> {
        self.links.get(&id).map(|link| link.client)
    }

    /// Connections that are there.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.links.keys().copied()
    }

    /// Sends bytes. Gives the time, in microseconds from the run's start, at which each piece is to
    /// [arrive](Self::arrive).
    pub fn send(
        &mut self,
        (id, direction): (ConnectionId, Direction),
        mut bytes: Bytes,
        now_micros: u64,
        conditions: &Conditions,
        decisions: &mut Decisions,
    ) -> Vec<u64> {
        let Some(stream) = self.stream(id, direction).filter(|stream| !stream.ended) else {
            return Vec::new();
        };
        let mut due = Vec::new();
        while bytes.has_remaining() {
            let length = conditions.length(bytes.len() as u64, due.len() as u64, decisions);
            let piece = bytes.split_to(length as usize);
            if decisions.chance(Purpose::Network, conditions.reset_per_mille) {
                due.push(stream.push(Piece::Reset, now_micros, conditions, decisions));
                stream.ended = true;
                break;
            }
            due.push(stream.push(Piece::Bytes(piece), now_micros, conditions, decisions));
        }
        due
    }

    /// Says that nothing will follow in this direction. Gives the time at which that arrives.
    pub fn end(
        &mut self,
        (id, direction): (ConnectionId, Direction),
        now_micros: u64,
        conditions: &Conditions,
        decisions: &mut Decisions,
    ) -> Option<u64> {
        let stream = self.stream(id, direction).filter(|stream| !stream.ended)?;
        let due = stream.push(Piece::End, now_micros, conditions, decisions);
        stream.ended = true;
        Some(due)
    }

    /// The next piece of a direction arrives; `None` when the connection is gone meanwhile.
    pub fn arrive(&mut self, id: ConnectionId, direction: Direction) -> Option<Piece> {
        self.stream(id, direction)?.under_way.pop_front()
    }

    /// Forgets the connection and everything under way on it.
    pub fn close(&mut self, id: ConnectionId) {
        self.links.remove(&id);
    }

    fn stream(&mut self, id: ConnectionId, direction: Direction) -> Option<&mut Stream> {
        let link = self.links.get_mut(&id)?;
        Some(match direction {
            Direction::Up => &mut link.up,
            Direction::Down => &mut link.down,
        })
    }
}

impl Stream {
    fn push(
        &mut self,
        piece: Piece,
        now_micros: u64,
        conditions: &Conditions,
        decisions: &mut Decisions,
    ) -> u64 {
        let way = decisions.between(Purpose::Network, 0, conditions.micros_max);
        self.last_due_micros = self.last_due_micros.max(now_micros + way);
        self.under_way.push_back(piece);
        self.last_due_micros
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use klamm_core::ids::ConnectionId;

    use super::{Conditions, Direction, Network, Piece};
    use crate::decisions::Decisions;

    const ROUGH: Conditions =
        Conditions { piece_bytes_max: 3, pieces_max: 0, micros_max: 100, reset_per_mille: 0 };

    fn sent(network: &mut Network, id: ConnectionId, conditions: &Conditions) -> Vec<u64> {
        let bytes = Bytes::from_static(b"0123456789");
        let mut decisions = Decisions::from_seed(5);
        network.send((id, Direction::Up), bytes, 7, conditions, &mut decisions)
    }

    #[test]
    fn bytes_arrive_in_pieces_and_in_order() {
        let mut network = Network::default();
        let id = network.open(0);
        let due = sent(&mut network, id, &ROUGH);
        assert!(due.len() >= 4 && due.is_sorted() && due[0] >= 7);
        let mut whole = Vec::new();
        while let Some(piece) = network.arrive(id, Direction::Up) {
            let Piece::Bytes(bytes) = piece else { panic!("{piece:?}") };
            assert!((1..=3).contains(&bytes.len()));
            whole.extend_from_slice(&bytes);
        }
        assert_eq!(whole, b"0123456789");
    }

    #[test]
    fn bounded_pieces_are_cut_anywhere() {
        let conditions = Conditions { pieces_max: 3, ..ROUGH };
        let (mut decisions, mut firsts) = (Decisions::from_seed(5), [0; 10]);
        for _ in 0..100 {
            let mut network = Network::default();
            let way = (network.open(0), Direction::Up);
            let bytes = Bytes::from_static(b"0123456789");
            assert!(network.send(way, bytes, 7, &conditions, &mut decisions).len() <= 3);
            let mut whole = Vec::new();
            while let Some(Piece::Bytes(bytes)) = network.arrive(way.0, Direction::Up) {
                firsts[whole.len()] += 1;
                whole.extend_from_slice(&bytes);
            }
            assert_eq!(whole, b"0123456789");
        }
        assert!(firsts.iter().all(|begun| *begun > 0), "{firsts:?}");
    }

    #[test]
    fn the_end_comes_last_and_nothing_is_sent_behind_it() {
        let mut network = Network::default();
        let id = network.open(0);
        let due = sent(&mut network, id, &ROUGH);
        let mut decisions = Decisions::from_seed(5);
        let end = network.end((id, Direction::Up), 7, &ROUGH, &mut decisions).unwrap();
        assert!(end >= *due.last().unwrap());
        assert!(sent(&mut network, id, &ROUGH).is_empty());
        let last = std::iter::from_fn(|| network.arrive(id, Direction::Up)).last();
        assert_eq!(last, Some(Piece::End));
    }

    #[test]
    fn a_reset_takes_the_place_of_bytes() {
        let mut network = Network::default();
        let id = network.open(0);
        let due = sent(&mut network, id, &Conditions { reset_per_mille: 1000, ..ROUGH });
        assert_eq!(due.len(), 1);
        assert_eq!(network.arrive(id, Direction::Up), Some(Piece::Reset));
        network.close(id);
        assert_eq!(network.arrive(id, Direction::Up), None);
    }
}
