//! Groups whose members do nothing but say that they are alive.

use std::iter::repeat_n;
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::api::heartbeat::HeartbeatRequest;
use klamm_core::error_code::ErrorCode;

use super::client::Client;
use super::team::Team;
use crate::session::{Bounds, Done, Session};

/// `heartbeat.interval.ms` of a consumer: each member's, while a figure is taken.
const INTERVAL: Duration = Duration::from_secs(3);

/// That have to do with one another; more than a group has members.
const CHUNK: usize = 16;

/// Connections that each speak for many members, of one after the other.
pub(crate) struct Heartbeats {
    lines: Vec<Line>,
}

struct Line {
    client: Client,
    heartbeats: Vec<HeartbeatRequest>,
    /// Whose turn it is.
    next: usize,
}

impl Heartbeats {
    /// So many groups of so many members each, over so many connections.
    pub(crate) fn connect(
        port: u16,
        groups: usize,
        members: usize,
        connections: usize,
    ) -> Result<Self, String> {
        let mut clients = Client::connect_all(port, connections)?;
        let names: Vec<String> = (0..groups).map(|number| format!("idle-{number}")).collect();
        clients[0].wait_for_coordinators(&names)?;
        let chunks = connections.div_ceil(CHUNK);
        let shares: Vec<&[String]> = names.chunks(groups.div_ceil(chunks)).collect();
        let mut clients = clients.into_iter();
        let lines: Vec<Result<Vec<Line>, String>> = thread::scope(|scope| {
            let threads: Vec<_> = shares
                .into_iter()
                .map(|names| {
                    let clients = clients.by_ref().take(CHUNK).collect();
                    scope.spawn(move || lines(clients, names, members))
                })
                .collect();
            threads.into_iter().map(|one| one.join().expect("nobody who joins panics")).collect()
        });
        let lines = lines.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self { lines: lines.into_iter().flatten().collect() })
    }
}

/// Has the groups formed, and their members spread over the connections.
fn lines(mut clients: Vec<Client>, groups: &[String], members: usize) -> Result<Vec<Line>, String> {
    let mut heartbeats: Vec<Vec<HeartbeatRequest>> = repeat_n(Vec::new(), clients.len()).collect();
    let mut next = 0;
    for group in groups {
        let (team, _) = Team::form(&mut clients, group, members)?;
        for at in 0..team.size() {
            heartbeats[next].push(team.heartbeat(at));
            next = (next + 1) % clients.len();
        }
    }
    let line = |(client, heartbeats)| Line { client, heartbeats, next: 0 };
    Ok(clients.into_iter().zip(heartbeats).map(line).collect())
}

impl Session for Heartbeats {
    /// For the whole time. Latencies count from when a heartbeat is due.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        let count = self.lines.len() as u32;
        let results: Vec<Result<Vec<u64>, String>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(&mut self.lines)
                .map(|(at, line)| {
                    // They do not all speak at the same time.
                    let first = begun + line.interval() * at / count;
                    scope.spawn(move || line.run(first, begun + bounds.time))
                })
                .collect();
            threads.into_iter().map(|one| one.join().expect("no member panics")).collect()
        });
        let elapsed = begun.elapsed();
        let mut latencies = Vec::new();
        for result in results {
            latencies.extend(result?);
        }
        latencies.sort_unstable();
        Ok(Done { elapsed, requests: latencies.len(), latencies, ..Done::default() })
    }
}

impl Line {
    /// Between two of its heartbeats.
    fn interval(&self) -> Duration {
        INTERVAL / self.heartbeats.len().max(1) as u32
    }

    fn run(&mut self, first: Instant, end: Instant) -> Result<Vec<u64>, String> {
        let interval = self.interval();
        let mut due = first;
        let mut latencies = Vec::new();
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let Some(heartbeat) = self.heartbeats.get(self.next) else { break };
            let error = self.client.ask(heartbeat)?.error_code;
            if error != ErrorCode::NONE {
                return Err(format!("a heartbeat is answered by {error:?}"));
            }
            latencies.push(due.elapsed().as_micros() as u64);
            self.next = (self.next + 1) % self.heartbeats.len();
            due += interval;
        }
        thread::sleep(end.saturating_duration_since(Instant::now()));
        Ok(latencies)
    }
}
