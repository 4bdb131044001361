//! How long many members take to agree.

use std::time::{Duration, Instant};

use super::client::Client;
use super::team::Team;
use crate::session::{Bounds, Done, Session};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    /// All join a group.
    Together,
    /// One more joins.
    OneMore,
}

/// Members who join, are joined by one more, and leave, again and again.
pub(crate) struct Rebalances {
    clients: Vec<Client>,
    group: [String; 1],
    timed: Timed,
}

impl Rebalances {
    /// For so many members, and one more.
    pub(crate) fn connect(port: u16, members: usize, timed: Timed) -> Result<Self, String> {
        let mut clients = Client::connect_all(port, members + 1)?;
        let group = [format!("rebalance-{timed:?}")];
        clients[0].wait_for_coordinators(&group)?;
        Ok(Self { clients, group, timed })
    }

    fn take(&mut self) -> Result<Duration, String> {
        let clients = &mut self.clients;
        let members = clients.len() - 1;
        let (mut team, together) = Team::form(clients, &self.group[0], members)?;
        let one_more = team.grow(clients)?;
        team.leave(&mut clients[0])?;
        Ok(match self.timed {
            Timed::Together => together,
            Timed::OneMore => one_more,
        })
    }
}

impl Session for Rebalances {
    /// At least once. Each request is all that has to do with one group, each latency that of what is timed.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        let mut latencies = Vec::new();
        while latencies.is_empty() || begun.elapsed() < bounds.time {
            latencies.push(self.take()?.as_micros() as u64);
        }
        latencies.sort_unstable();
        let elapsed = begun.elapsed();
        Ok(Done { elapsed, requests: latencies.len(), latencies, ..Done::default() })
    }
}
