//! What clients do while a broker is measured.

use std::net::TcpStream;
use std::time::Duration;

use crate::following::Following;
use crate::groups::{Commits, Heartbeats, Rebalances};
use crate::pace::Pair;
use crate::producers::Lanes;
use crate::programs::{Runs, Tools};
use crate::readers::Readers;
use crate::visits::Visits;
use crate::workloads::Clients;

/// No answer may take this long.
const PATIENCE: Duration = Duration::from_mins(3);

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// A broker.
    Broker,
    /// A bare loop: correlation ids, or the next piece of a file.
    Bare,
}

/// Where one figure ends: at whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// As they are sent, of all connections together.
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) elapsed: Duration,
    pub(crate) requests: usize,
    /// Before a codec.
    pub(crate) bytes: usize,
    /// That must lie in files now.
    pub(crate) stored: usize,
    /// In microseconds, sorted.
    pub(crate) latencies: Vec<u64>,
}

/// Clients that stay connected and are put to work again and again.
pub(crate) trait Session {
    fn run(&mut self, bounds: Bounds) -> Result<Done, String>;
}

/// Connects those clients. `end_offset` is that of partition 0, `groups` how many do little.
pub(crate) fn open(
    clients: &Clients,
    port: u16,
    answers: Answers,
    end_offset: i64,
    tools: &Tools,
    groups: usize,
) -> Result<Box<dyn Session>, String> {
    Ok(match clients {
        Clients::Produce(producers) => Box::new(Lanes::connect(port, producers, answers)?),
        Clients::Fetch { readers, .. } => {
            Box::new(Readers::new(port, answers, *readers, end_offset))
        }
        Clients::Follow { producers, readers } => {
            Box::new(Following::connect(port, producers, *readers)?)
        }
        Clients::Pace { value_bytes, per_second, until } => {
            Box::new(Pair::connect(port, answers, *value_bytes, *per_second, *until)?)
        }
        Clients::Visit { consumers, flood } => {
            Box::new(Visits::connect(port, *consumers, flood.as_ref())?)
        }
        Clients::Program(program) => {
            Box::new(Runs { program: *program, port, end_offset, tools: tools.clone() })
        }
        Clients::Idle => Box::new(Idle(connect(port)?)),
        Clients::Rebalance { members, timed } => {
            Box::new(Rebalances::connect(port, *members, *timed)?)
        }
        Clients::Commit { groups, members } => Box::new(Commits::connect(port, *groups, *members)?),
        Clients::Heartbeat { members, connections } => {
            Box::new(Heartbeats::connect(port, groups, *members, *connections)?)
        }
    })
}

/// A connection that says nothing.
struct Idle(TcpStream);

impl Session for Idle {
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        std::thread::sleep(bounds.time);
        // It is still connected.
        self.0.peer_addr().map_err(lost)?;
        Ok(Done { elapsed: bounds.time, ..Done::default() })
    }
}

/// A connection that sends at once, and does not wait for ever.
pub(crate) fn connect(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(lost)?;
    Ok(stream)
}

pub(crate) fn lost(error: std::io::Error) -> String {
    format!("the measured process does not answer: {error}")
}
