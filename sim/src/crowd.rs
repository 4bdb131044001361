//! Model clients on real sockets: the clients, the history and the checkers of a simulated run, in
//! front of a real server.
//!
//! What they do is drawn from their seeds; when it happens is up to the machine. All tell one
//! history, under one lock: what was asked is in it before its bytes leave, what was told after
//! they have come, so that its order is one that a checker may go by.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use klamm_core::effect::Path;
use klamm_core::ids::ConnectionId;

use crate::checker::{Broken, Checker};
use crate::client::{BadAnswer, Client, KnownTopic, Surroundings};
use crate::decisions::{Decisions, Purpose};
use crate::disk::Disk;
use crate::history::{Entry, History, Subject, TopicPartition};
use crate::metadata::Change;
use crate::options::Options;
use crate::reader::read_logs;
use crate::trace::put_directory;

/// Clients that work at once, each on a thread and a connection of its own.
#[derive(Debug)]
pub struct Crowd {
    options: Options,
    begun: Instant,
    common: Mutex<Common>,
    connections: AtomicU64,
    is_quiet: AtomicBool,
    is_dismissed: AtomicBool,
}

/// What all of them know and tell.
#[derive(Debug)]
struct Common {
    history: History,
    topics: Vec<KnownTopic>,
}

/// One of them.
#[derive(Debug)]
pub struct Member {
    /// The client.
    pub client: Client,
    decisions: Decisions,
}

impl Member {
    /// A client whose choices come from `seed`.
    pub fn new(client: Client, seed: u64) -> Self {
        Self { client, decisions: Decisions::from_seed(seed) }
    }
}

/// How a client's work on one connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has sent everything, and has all its answers.
    Done,
    /// Nobody listens.
    Refused,
    /// The server has closed the connection, or is gone.
    Closed,
    /// It has left by itself, whatever was under way.
    Left,
}

/// What no server may do.
#[derive(Debug, thiserror::Error)]
pub enum Misconduct {
    /// It has given an answer that no broker may give.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// It has not answered for so long.
    #[error("client without an answer for {0:?}: {1}")]
    Silent(Duration, String),
}

/// No request waits longer for its answer: the longest wait that clients ask for, and a machine that
/// has other work.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes that a client takes from its socket at once.
const PIECE_BYTES: usize = 1 << 16;

impl Crowd {
    /// Nobody yet, among these topics. Times are counted from `begun`.
    pub fn new(options: Options, topics: Vec<KnownTopic>, begun: Instant) -> Self {
        Self {
            options,
            begun,
            common: Mutex::new(Common { history: History::default(), topics }),
            connections: AtomicU64::new(0),
            is_quiet: AtomicBool::new(false),
            is_dismissed: AtomicBool::new(false),
        }
    }

    /// Nobody will append any more: who reads may find the end.
    pub fn set_quiet(&self) {
        self.is_quiet.store(true, Ordering::Relaxed);
    }

    /// All leave before their next request.
    pub fn dismiss(&self) {
        self.is_dismissed.store(true, Ordering::Relaxed);
    }

    /// Whether they were told to.
    pub fn is_dismissed(&self) -> bool {
        self.is_dismissed.load(Ordering::Relaxed)
    }

    /// Microseconds since it began.
    pub fn now_micros(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    /// What was asked and told since the last call.
    pub fn take_entries(&self) -> Vec<(u64, Entry)> {
        self.common().history.take_entries()
    }

    /// Connects the member and lets it work to its end, or the connection's.
    pub fn work(&self, member: &mut Member, address: SocketAddr) -> Result<Ending, Misconduct> {
        let Ok(mut stream) = TcpStream::connect(address) else { return Ok(Ending::Refused) };
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        member.client.connected(ConnectionId(number));
        let ending = self.converse(member, &mut stream);
        self.with(member, Client::disconnected);
        ending
    }

    fn converse(&self, member: &mut Member, stream: &mut TcpStream) -> Result<Ending, Misconduct> {
        let is_set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        if is_set.is_err() {
            return Ok(Ending::Closed);
        }
        let mut piece = vec![0; PIECE_BYTES];
        while !self.is_dismissed() {
            let (frame, leaves) = self.with(member, |client, around| {
                let frame = client.send(around);
                let resets = around.options.reset_per_mille.min(1000) as u32;
                (frame, around.decisions.chance(Purpose::Network, resets))
            });
            if let Some((frame, _)) = frame {
                if let Err(error) = stream.write_all(&frame) {
                    return ended(&error, member);
                }
                if leaves {
                    return Ok(Ending::Left);
                }
                continue;
            }
            if member.client.unanswered() == 0 {
                return Ok(Ending::Done);
            }
            match stream.read(&mut piece) {
                Ok(0) => return Ok(Ending::Closed),
                Ok(length) => {
                    self.with(member, |client, around| client.receive(&piece[..length], around))?;
                }
                Err(error) => return ended(&error, member),
            }
        }
        Ok(Ending::Left)
    }

    fn with<T>(
        &self,
        member: &mut Member,
        act: impl FnOnce(&mut Client, &mut Surroundings<'_>) -> T,
    ) -> T {
        let mut common = self.common();
        let Common { history, topics } = &mut *common;
        let mut around = Surroundings {
            options: &self.options,
            topics,
            decisions: &mut member.decisions,
            history,
            now_micros: self.now_micros(),
            wall_ms: wall_ms(),
            excused: &[],
            is_quiet: self.is_quiet.load(Ordering::Relaxed),
        };
        act(&mut member.client, &mut around)
    }

    fn common(&self) -> MutexGuard<'_, Common> {
        self.common.lock().expect("no client panics")
    }
}

/// Holds what a crowd was told, and what lies in the files, against the promises.
///
/// Retention is at work when it likes: of a topic that somebody has asked to limit it may take
/// anything, and that is not judged.
#[derive(Debug)]
pub struct Judge {
    checker: Checker,
    limited: BTreeSet<String>,
}

impl Default for Judge {
    /// Nothing is known. No power is lost, so that every durability promises the same.
    fn default() -> Self {
        Self { checker: Checker::new(false), limited: BTreeSet::new() }
    }
}

impl Judge {
    /// Takes in what happened, `micros` after the crowd began.
    pub fn observe(&mut self, micros: u64, entry: &Entry) -> Result<(), Broken> {
        self.note_limits(entry);
        self.checker.observe(micros, entry);
        if let Entry::Invoke { target, .. } | Entry::Asked { target, .. } = entry {
            self.allow_retention(target);
        }
        self.verdict()
    }

    /// Reads the files as they lie below real log directories, while nobody writes to them.
    /// `are_whole`: they are to be read to their ends, as behind a start or a stop.
    pub fn check_files(
        &mut self,
        log_dirs: &[&std::path::Path],
        are_whole: bool,
    ) -> Result<(), BadFiles> {
        let mut disk = Disk::new();
        let is_wanted = |name: &str| name.strip_suffix(".log").is_some() || name == METADATA_FILE;
        for log_dir in log_dirs {
            put_directory(&mut disk, log_dir, is_wanted)?;
        }
        let paths: Vec<Path> =
            log_dirs.iter().filter_map(|path| path.to_str()).map(Path::new).collect();
        let mut logs = read_logs(&disk, &paths, |_| false).map_err(BadFiles::Twice)?;
        if !are_whole {
            // Writes have no order: the next segment may have begun before the end of the last is there.
            for log in logs.values_mut() {
                log.gaps.clear();
            }
        }
        self.checker.check(&logs, |_| are_whole);
        Ok(self.verdict()?)
    }

    fn verdict(&mut self) -> Result<(), Broken> {
        self.checker.take_broken().into_iter().next().map_or(Ok(()), Err)
    }

    /// An administrator asks for a limit: from now on retention may take anything of the topic.
    fn note_limits(&mut self, entry: &Entry) {
        let Entry::Changing { subject: Subject::Topic(name), what, .. } = entry else { return };
        let limits = |key: &str, value: &str| key.starts_with("retention.") && value != "-1";
        let is_limited = match what {
            Change::Create { settings, .. } | Change::Replace(settings) => {
                settings.iter().any(|(key, value)| limits(key, value))
            }
            Change::Alter(changes) => changes
                .iter()
                .any(|(key, value)| value.as_ref().is_some_and(|value| limits(key, value))),
            _ => false,
        };
        if is_limited && self.limited.insert(name.clone()) {
            let targets: Vec<TopicPartition> = self.checker.targets().cloned().collect();
            for target in &targets {
                self.allow_retention(target);
            }
        }
    }

    fn allow_retention(&mut self, target: &TopicPartition) {
        if self.limited.contains(target.name()) {
            self.checker.allow_start(target, i64::MAX);
        }
    }
}

/// What is wrong with real files.
#[derive(Debug, thiserror::Error)]
pub enum BadFiles {
    /// They cannot be read.
    #[error("files: {0}")]
    Unreadable(#[from] io::Error),
    /// A partition lies in two log directories.
    #[error("{0}")]
    Twice(String),
    /// They break a promise.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// What names a partition's topic.
const METADATA_FILE: &str = "partition.metadata";

/// Who is killed resets its connections, and who is silent has failed.
fn ended(error: &io::Error, member: &Member) -> Result<Ending, Misconduct> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Err(Misconduct::Silent(PATIENCE, format!("{:?}", member.client)))
        }
        _ => Ok(Ending::Closed),
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
