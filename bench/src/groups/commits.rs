//! Members who commit one offset after the other.

use std::thread;
use std::time::{Duration, Instant};

use klamm_core::api::offset_commit::OffsetCommitRequest;

use super::client::Client;
use super::team::Team;
use crate::session::{Bounds, Done, Session};

/// Each on a connection of its own, for a partition of its own, and waits for the answer.
pub(crate) struct Commits {
    committers: Vec<Committer>,
}

struct Committer {
    client: Client,
    member: OffsetCommitRequest,
    group: [String; 1],
    partition: i32,
    /// Committed last; -1 is none.
    offset: i64,
}

impl Commits {
    /// So many in each of so many groups.
    pub(crate) fn connect(port: u16, groups: usize, members: usize) -> Result<Self, String> {
        let mut committers = Vec::new();
        for number in 0..groups {
            let mut clients = Client::connect_all(port, members)?;
            let group = [format!("commits-{groups}-{number}")];
            clients[0].wait_for_coordinators(&group)?;
            let (team, _) = Team::form(&mut clients, &group[0], members)?;
            for (at, client) in clients.into_iter().enumerate() {
                committers.push(Committer {
                    client,
                    member: team.committer(at),
                    group: group.clone(),
                    partition: committers.len() as i32,
                    offset: -1,
                });
            }
        }
        Ok(Self { committers })
    }
}

impl Session for Commits {
    /// Until the time is over. What was committed last must be what is told.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        let results: Vec<Result<Vec<u64>, String>> = thread::scope(|scope| {
            let threads: Vec<_> = self
                .committers
                .iter_mut()
                .map(|committer| scope.spawn(move || committer.run(bounds.time)))
                .collect();
            threads.into_iter().map(|one| one.join().expect("no committer panics")).collect()
        });
        let elapsed = begun.elapsed();
        let mut latencies = Vec::new();
        for result in results {
            latencies.extend(result?);
        }
        latencies.sort_unstable();
        self.committers.iter_mut().try_for_each(Committer::check)?;
        Ok(Done { elapsed, requests: latencies.len(), latencies, ..Done::default() })
    }
}

impl Committer {
    /// Gives each commit's time from before it was sent until it was answered, in microseconds.
    fn run(&mut self, time: Duration) -> Result<Vec<u64>, String> {
        let begun = Instant::now();
        let mut latencies = Vec::new();
        while begun.elapsed() < time {
            let sent_at = Instant::now();
            self.client.commit(&self.member, [self.partition], self.offset + 1)?;
            latencies.push(sent_at.elapsed().as_micros() as u64);
            self.offset += 1;
        }
        Ok(latencies)
    }

    fn check(&mut self) -> Result<(), String> {
        let told = self.client.wait_for_offsets(&self.group, self.partition)?;
        if told == [self.offset] {
            return Ok(());
        }
        Err(format!("{:?}: {} was committed, {told:?} is told", self.group, self.offset))
    }
}
