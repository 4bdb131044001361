//! Many lives of one server on one directory, and what clients were told in all of them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use klamm_core::ids::Uuid;
use klamm_sim::checker::{Broken, TopicFormat};
use klamm_sim::client::{Client, KnownTopic};
use klamm_sim::crowd::{BadFiles, Crowd, Ending, Judge, Member, Misconduct};
use klamm_sim::disk::Crash;
use klamm_sim::history::{AppendId, Entry, QuestionId, Told};
use klamm_sim::metadata::Outcome;
use klamm_sim::options::Options;
use rustix::process::Signal;
use thiserror::Error;

use super::KEPT;
use super::moments::{End, Moments, Round};
use super::outside::Outside;
use crate::directory::Directory;
use crate::process::Server;

/// A trial under way.
pub(super) struct Trial {
    directory: Directory,
    /// Starts the server.
    command: Command,
    moments: Moments,
    crowd: Crowd,
    members: Vec<Member>,
    /// A real client, if there is one.
    outside: Option<Outside>,
    judge: Judge,
    /// Told, and not yet judged.
    entries: Vec<(u64, Entry)>,
    /// Since when the server has been asked to stop, in this life.
    stopping_micros: Option<u64>,
    /// What was asked of topics that may go meanwhile, and has no answer.
    of_passing: BTreeSet<Asked>,
    /// Appends that were sent again.
    resent: BTreeSet<AppendId>,
    report: Report,
}

/// What there was in a trial that went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    kills: u64,
    pauses: u64,
    stops: u64,
    appends: u64,
    reads: u64,
    changes: u64,
    outside_appends: u64,
    outside_polls: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, pauses, stops, appends, reads, changes, .. } = self;
        let (outside_appends, outside_polls) = (self.outside_appends, self.outside_polls);
        write!(
            f,
            "{kills} kills, {pauses} pauses, {stops} stops, {appends} acknowledged appends, {reads} fetches, \
             {changes} changes of topics; of a client outside {outside_appends} appends and \
             {outside_polls} polls: nothing is lost"
        )
    }
}

/// What is wrong with a server.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    #[error("promise: {0}")]
    Promise(#[from] Broken),
    #[error("{0}")]
    Files(#[from] BadFiles),
    #[error("{0}")]
    Misconduct(#[from] Misconduct),
    /// An error or a closed connection, though nothing fails.
    #[error("{0} though nothing fails")]
    Unserved(String),
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// Is this what clients see of a disk that does not hold what was written: a promise broken, or a log
    /// that is refused because the broker itself did not find its bytes?
    pub(super) fn is_of_lost_writes(&self) -> bool {
        match self {
            Self::Promise(broken) | Self::Files(BadFiles::Broken(broken)) => {
                matches!(broken, Broken::Lost { .. } | Broken::Unreadable { .. })
            }
            Self::Unserved(_) => true,
            Self::Files(_) | Self::Misconduct(_) | Self::Other(_) => false,
        }
    }
}

/// An append, or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Append(AppendId),
    Question(QuestionId),
}

/// Between two looks at what clients have done.
const LOOK: Duration = Duration::from_millis(2);

/// Errors that may be told of topics that come and go: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID.
const ABSENT: [i16; 2] = [3, 100];

/// OUT_OF_ORDER_SEQUENCE_NUMBER.
const OUT_OF_ORDER: i16 = 45;

/// OFFSET_OUT_OF_RANGE, which the checker judges.
const OUT_OF_RANGE: i16 = 1;

/// Far beyond what clients take to read everything.
const PATIENCE: Duration = Duration::from_mins(2);

impl Trial {
    pub(super) fn new(
        directory: Directory,
        command: Command,
        options: Options,
        clients: Vec<Client>,
        seed: u64,
    ) -> Self {
        let mut moments = Moments::from_seed(seed);
        let topic = KnownTopic {
            name: KEPT.name.to_owned(),
            id: Uuid(KEPT.id_bytes()),
            partitions: KEPT.partitions,
            format: TopicFormat::default(),
        };
        Self {
            directory,
            command,
            crowd: Crowd::new(options, vec![topic], Instant::now()),
            members: clients
                .into_iter()
                .map(|client| Member::new(client, moments.seed()))
                .collect(),
            moments,
            outside: None,
            judge: Judge::default(),
            entries: Vec::new(),
            stopping_micros: None,
            of_passing: BTreeSet::new(),
            resent: BTreeSet::new(),
            report: Report::default(),
        }
    }

    /// With a real client beside the model ones.
    pub(super) fn with_outside(mut self, outside: Option<Outside>) -> Self {
        self.outside = outside;
        if let Some(outside) = &mut self.outside {
            outside.set_clock(self.crowd.now_micros());
        }
        self
    }

    /// So many rounds, with so many acknowledged appends or more in all; then everything is read, and the
    /// server stops.
    pub(super) fn run(mut self, rounds: u64, appends: u64) -> Result<Report, Trouble> {
        for left in (1..=rounds).rev() {
            let missing = appends.saturating_sub(self.report.appends);
            let share = missing.div_ceil(left);
            self.round(share, left == 1)?;
        }
        self.read_everything()?;
        Ok(self.report)
    }

    fn round(&mut self, share: u64, is_last: bool) -> Result<(), Trouble> {
        let round = self.moments.round();
        for after in &round.killed_starts {
            let server = Server::spawn(&mut self.command);
            thread::sleep(*after);
            server.kill();
            self.report.kills += 1;
            self.settle(Entry::Crashed(Crash::Killed))?;
        }
        let server = self.start()?;
        let share = if round.has_share || is_last { share } else { 0 };
        let last = self.live(server, &round, self.report.appends + share)?;
        self.settle(last)
    }

    /// All clients work until the server's life has ended. Gives its end.
    fn live(&mut self, server: Server, round: &Round, appends: u64) -> Result<Entry, Trouble> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
        let stops = matches!(round.end, End::Stopped | End::KilledInStop(_));
        let is_ending = AtomicBool::new(false);
        let Self { crowd, members, entries, report, stopping_micros, .. } = self;
        let (last, worked) = thread::scope(|scope| {
            let working: Vec<_> = members
                .iter_mut()
                .map(|member| scope.spawn(|| work(crowd, member, address, &is_ending)))
                .collect();
            while report.appends < appends && !working.iter().any(ScopedJoinHandle::is_finished) {
                thread::sleep(LOOK);
                entries.extend(take_counted(crowd, report));
            }
            for (after, length) in &round.pauses {
                thread::sleep(*after);
                server.pause();
                thread::sleep(*length);
                server.signal(Signal::CONT);
                report.pauses += 1;
            }
            thread::sleep(round.rest);
            is_ending.store(true, Ordering::Relaxed);
            *stopping_micros = stops.then(|| crowd.now_micros());
            let last = end(server, round.end, report);
            let joined = working.into_iter().map(|one| one.join().expect("no client panics"));
            (last, joined.collect::<Vec<_>>())
        });
        self.take_told()?;
        // What was told before may say more than a client that left because of it.
        self.judge_told()?;
        worked.into_iter().collect::<Result<(), Trouble>>()?;
        last
    }

    /// A life begins, on what the one before has left.
    fn start(&mut self) -> Result<Server, Trouble> {
        let mut server = Server::spawn(&mut self.command);
        server.wait_for_port();
        self.stopping_micros = None;
        // What lies there is read while nothing moves.
        server.pause();
        self.settle(Entry::Recovered)?;
        server.signal(Signal::CONT);
        Ok(server)
    }

    /// A life has begun or ended, and all that was told in it is in the history.
    fn settle(&mut self, entry: Entry) -> Result<(), Trouble> {
        // A client outside waits for nobody: what it sends may be half written already.
        let is_idle = entry == Entry::Recovered && self.outside.is_none();
        let is_whole = is_idle || entry == Entry::Stopped;
        self.take_told()?;
        self.entries.push((self.crowd.now_micros(), entry));
        self.judge_told()?;
        Ok(self.judge.check_files(&[&self.directory.logs()], is_whole)?)
    }

    /// A last life, in which nobody writes, when the client outside has ended.
    fn read_everything(&mut self) -> Result<(), Trouble> {
        let server = self.start()?;
        if let Some(mut outside) = self.outside.take() {
            let told = outside.finish().map_err(Trouble::Other)?;
            self.take_from_outside(told);
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
        let mut reader = Member::new(Client::consumer(self.members.len(), 1), self.moments.seed());
        reader.client.catch_up(true);
        self.crowd.set_quiet();
        let crowd = &self.crowd;
        let ending = thread::scope(|scope| {
            let reading = scope.spawn(|| read(crowd, &mut reader, address));
            let deadline = Instant::now() + PATIENCE;
            while !reading.is_finished() && Instant::now() < deadline {
                thread::sleep(LOOK);
            }
            crowd.dismiss();
            reading.join().expect("no client panics")
        });
        self.take_told()?;
        self.judge_told()?;
        match ending? {
            Ending::Done => {}
            other => return Err(Trouble::Other(format!("not all could be read: {other:?}"))),
        }
        let last = end(server, End::Stopped, &mut self.report)?;
        self.settle(last)
    }

    /// Holds what was told against what is known.
    fn judge_told(&mut self) -> Result<(), Trouble> {
        for (micros, entry) in std::mem::take(&mut self.entries) {
            self.judge_error(micros, &entry)?;
            self.judge.observe(micros, &entry)?;
        }
        Ok(())
    }

    /// Nothing fails here, so that nothing is refused but what is not there, until the server stops.
    fn judge_error(&mut self, micros: u64, entry: &Entry) -> Result<(), Trouble> {
        let (asked, error) = match entry {
            Entry::Invoke { append, target, .. } if target.passing_id().is_some() => {
                self.of_passing.insert(Asked::Append(*append));
                return Ok(());
            }
            Entry::Asked { question, target, .. } if target.passing_id().is_some() => {
                self.of_passing.insert(Asked::Question(*question));
                return Ok(());
            }
            Entry::Resent { append } => {
                self.resent.insert(*append);
                return Ok(());
            }
            // A snapshot of producers has the last batch of each alone, as in Kafka: a start by it does not
            // know the ones before again.
            Entry::Error { append, error: OUT_OF_ORDER } if self.resent.contains(append) => {
                return Ok(());
            }
            Entry::Error { append, error } => (Asked::Append(*append), *error),
            Entry::Told { question, told: Told::Error(error) } if *error != OUT_OF_RANGE => {
                (Asked::Question(*question), *error)
            }
            _ => return Ok(()),
        };
        let is_absent = ABSENT.contains(&error) && self.of_passing.contains(&asked);
        if is_absent || self.stopping_micros.is_some_and(|since| since <= micros) {
            return Ok(());
        }
        Err(Trouble::Unserved(format!("{asked:?} is answered error {error}")))
    }

    fn take_told(&mut self) -> Result<(), Trouble> {
        self.entries.extend(take_counted(&self.crowd, &mut self.report));
        if let Some(outside) = &mut self.outside {
            let told = outside.take_told().map_err(Trouble::Other)?;
            self.take_from_outside(told);
        }
        Ok(())
    }

    fn take_from_outside(&mut self, told: Vec<(u64, Entry)>) {
        for (_, entry) in &told {
            match entry {
                Entry::Ok { .. } => self.report.outside_appends += 1,
                Entry::Told { .. } => self.report.outside_polls += 1,
                _ => {}
            }
        }
        self.entries.extend(told);
        self.entries.sort_by_key(|(micros, _)| *micros);
    }
}

/// What was told since the last look, counted.
fn take_counted(crowd: &Crowd, report: &mut Report) -> Vec<(u64, Entry)> {
    let entries = crowd.take_entries();
    for (_, entry) in &entries {
        match entry {
            Entry::Ok { .. } => report.appends += 1,
            Entry::Told { told: Told::Fetched(_), .. } => report.reads += 1,
            Entry::Changed { outcome: Outcome::Done | Outcome::Made(_), .. } => report.changes += 1,
            _ => {}
        }
    }
    entries
}

/// One client's round: it comes back when it has left, and goes home when the server ends.
fn work(
    crowd: &Crowd,
    member: &mut Member,
    address: SocketAddr,
    is_ending: &AtomicBool,
) -> Result<(), Trouble> {
    loop {
        match crowd.work(member, address)? {
            Ending::Left => {}
            // What cannot be appended with acks=0 closes its connection, as in Kafka.
            Ending::Closed if !is_ending.load(Ordering::Relaxed) => {}
            _ if is_ending.load(Ordering::Relaxed) => return Ok(()),
            ending => {
                return Err(Trouble::Unserved(format!("{ending:?} while the server is there")));
            }
        }
    }
}

/// Reads all there is, or until the crowd is dismissed.
fn read(crowd: &Crowd, reader: &mut Member, address: SocketAddr) -> Result<Ending, Misconduct> {
    loop {
        match crowd.work(reader, address)? {
            Ending::Left if !crowd.is_dismissed() => {}
            ending => return Ok(ending),
        }
    }
}

/// Ends a life. Gives what it was: a stop in good order may have come before the kill.
fn end(server: Server, end: End, report: &mut Report) -> Result<Entry, Trouble> {
    let killed = |server: Server| match server.kill().code() {
        Some(0) => Entry::Stopped,
        _ => Entry::Crashed(Crash::Killed),
    };
    let entry = match end {
        End::Killed => killed(server),
        End::KilledInPause => {
            server.pause();
            killed(server)
        }
        End::KilledInStop(after) => {
            server.signal(Signal::TERM);
            thread::sleep(after);
            killed(server)
        }
        End::Stopped => {
            server.signal(Signal::TERM);
            match server.wait() {
                (status, _) if status.success() => Entry::Stopped,
                (status, log) => return Err(Trouble::Other(format!("{status}: {log:?}"))),
            }
        }
    };
    match entry {
        Entry::Stopped => report.stops += 1,
        _ => report.kills += 1,
    }
    Ok(entry)
}
