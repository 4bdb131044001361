//! A run as a ladder to be read: time goes down, and each rung is one thing that happened, in
//! Kafka's words.
//!
//! ```text
//!      73.160  client 0 -> #2 Produce v9 acks=1 topic0-0 records 3-4
//!      73.401      disk -> e45: write data0/topic0-0/0.log 153+153, records 3-4 at 2-3
//!      74.019      disk <- e45
//!      74.980  client 0 <- #2 Produce topic0-0 at 2
//! ```
//!
//! Milliseconds since the run's start; requests and answers as they leave and reach a client, with
//! their correlation ids; effects (`e45`, `j2.e0` for one of job 2) as they are emitted and as
//! their completions are handed in; faults, crashes and what they leave of files; what the broker
//! says; and the check that failed. A ladder knows a run by its bytes, effects and events alone, so
//! it reads a program of a tester's own as it does a model client.
//!
//! What a start or a stop always does is left out once it has gone well, and counted.

mod answers;
mod files;
mod groups;
mod requests;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use bytes::BytesMut;
use klamm_core::api::ApiKey;
use klamm_core::codec::Reader;
use klamm_core::effect::{Completion, Effect, IoErrorKind};
use klamm_core::frame::{RequestHeader, SIZE_BYTES, read_response_header};
use klamm_core::ids::{ConnectionId, EffectId, JobId, Uuid};
use klamm_core::job::CompactionStep;
use klamm_core::{JobOutcome, JobResult};

use crate::calls::take_frame;
use crate::disk::{Crash, Disk};
pub(crate) use files::Contents;
use files::effect_name;
use words::{Names, list};

/// Tells a run, line by line.
pub struct Ladder {
    tell: Box<dyn FnMut(&str)>,
    folds: bool,
    micros: u64,
    names: Names,
    lines: BTreeMap<ConnectionId, Line>,
    /// Effects that are out, and weigh less than others.
    light: BTreeMap<EffectId, Weight>,
    /// Those whose emission was left out.
    left_out: BTreeSet<EffectId>,
    /// Rungs of a start or a stop under way.
    held: Option<Vec<Rung>>,
    /// Completions that may share a rung, and when the first of them was handed in.
    completed: Vec<EffectId>,
    completed_micros: u64,
}

/// A rung that is held back.
#[derive(Debug)]
struct Rung {
    text: String,
    weight: Weight,
}

/// How much a rung of a start or a stop says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Files are looked at.
    Look,
    /// The metadata log and the small files of log directories are kept: left out where it has gone
    /// well.
    Routine,
    /// It is always told.
    Story,
}

/// What a connection has under way.
#[derive(Debug, Default)]
struct Line {
    client: usize,
    /// Bytes of answers that are not whole.
    input: BytesMut,
    unanswered: VecDeque<Asked>,
}

/// A request without an answer.
#[derive(Debug)]
struct Asked {
    key: ApiKey,
    version: i16,
}

/// Files of which a crash tells what has become of them.
const CHANGES_MAX: usize = 12;

impl fmt::Debug for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ladder").field("micros", &self.micros).finish_non_exhaustive()
    }
}

impl Ladder {
    /// A ladder that hands each line, without its end, to `tell`.
    pub fn new(tell: impl FnMut(&str) + 'static) -> Self {
        Self {
            tell: Box::new(tell),
            folds: true,
            micros: 0,
            names: Names::default(),
            lines: BTreeMap::new(),
            light: BTreeMap::new(),
            left_out: BTreeSet::new(),
            held: None,
            completed: Vec::new(),
            completed_micros: 0,
        }
    }

    /// Leaves nothing out.
    pub fn in_full(mut self) -> Self {
        self.folds = false;
        self
    }

    /// What follows happens at this time.
    pub(crate) fn at(&mut self, micros: u64) {
        self.micros = micros;
    }

    /// The topic of this id has this name.
    pub(crate) fn learn(&mut self, id: Uuid, name: &str) {
        self.names.learn(id, name);
    }

    /// Something worth a rung of its own.
    pub(crate) fn happens(&mut self, what: &str) {
        self.rung(what, Weight::Story);
    }

    /// The broker's process starts: its effects are numbered anew.
    pub(crate) fn starts(&mut self) {
        self.light.clear();
        self.left_out.clear();
        self.begins("  broker starts");
    }

    /// The broker begins to start or to stop: what it always does then is left out, if it goes well.
    pub(crate) fn begins(&mut self, what: &str) {
        self.release(Weight::Routine);
        self.happens(what);
        self.held = self.folds.then(Vec::new);
    }

    /// It has gone well.
    pub(crate) fn goes_well(&mut self, what: &str) {
        if self.held.is_some() {
            self.left_out.extend(self.light.keys());
        }
        match self.release(Weight::Story) {
            0 => self.happens(what),
            count => self.happens(&format!("{what} ({count} rungs of the usual left out)")),
        }
    }

    /// It has not, or the run is over.
    pub(crate) fn goes_badly(&mut self, what: &str) {
        self.release(Weight::Routine);
        self.happens(what);
    }

    /// A client has connected.
    pub(crate) fn connects(&mut self, id: ConnectionId, client: usize) {
        self.lines.insert(id, Line { client, ..Line::default() });
        self.happens(&format!("client {client} connects, connection {}", id.0));
    }

    /// Its connection is gone, as the client sees it.
    pub(crate) fn disconnects(&mut self, id: ConnectionId) {
        if let Some(Line { client, unanswered, .. }) = self.lines.remove(&id) {
            let open = match unanswered.len() {
                0 => String::new(),
                count => format!(", {count} requests unanswered"),
            };
            self.happens(&format!("client {client} is disconnected{open}"));
        }
    }

    /// A client sends a request's frame, or what it takes for one.
    pub(crate) fn sends(&mut self, id: ConnectionId, frame: &[u8]) {
        let client = self.lines.get(&id).map_or(0, |line| line.client);
        let body = frame.get(SIZE_BYTES..).unwrap_or_default();
        let body = bytes::Bytes::copy_from_slice(body);
        let mut reader = Reader::new(&body);
        let told = match RequestHeader::read(&mut reader) {
            Ok(header) => {
                let (key, version) = (header.api_key, header.api_version);
                let has_answer = requests::has_answer(key, version, &mut reader.clone());
                let what = requests::asked(key, version, &mut reader, &self.names);
                if let Some(line) = self.lines.get_mut(&id).filter(|_| has_answer) {
                    line.unanswered.push_back(Asked { key, version });
                }
                let number = header.correlation_id;
                format!("#{number} {} v{version} {what}", api_name(key))
            }
            Err(error) => format!("{} bytes: {error}", frame.len()),
        };
        self.happens(format!("client {client} -> {told}").trim_end());
    }

    /// Bytes reach a client: each answer that is whole with them is a rung.
    pub(crate) fn receives(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.input.extend_from_slice(bytes);
        let mut told = Vec::new();
        while let Some(frame) = take_frame(&mut line.input) {
            let answer = match line.unanswered.pop_front() {
                Some(asked) => answer(&asked, &frame, &mut self.names),
                None => format!("{} bytes that nothing was asked for", frame.len()),
            };
            told.push(format!("client {} <- {answer}", line.client));
        }
        for rung in told {
            self.happens(rung.trim_end());
        }
    }

    /// An effect goes to the disk; `lie` says what a broken broker makes of it.
    pub(crate) fn emits(&mut self, id: EffectId, effect: &Effect, lie: &str) {
        let weight = files::weight(effect);
        if weight < Weight::Story {
            self.light.insert(id, weight);
        }
        let what = files::effect(effect);
        self.rung(&format!("    disk -> {}: {what}{lie}", effect_name(id)), weight);
    }

    /// Its completion is handed in.
    pub(crate) fn completes(&mut self, id: EffectId, completion: &Completion) {
        let weight = self.light.remove(&id).unwrap_or(Weight::Story);
        let name = effect_name(id);
        match completion {
            Completion::Done(_) if self.left_out.remove(&id) => {}
            Completion::Done(_) if weight < Weight::Story && self.held.is_some() => {
                self.rung(&format!("    disk <- {name}"), weight);
            }
            Completion::Done(_) => {
                if self.completed.is_empty() {
                    self.completed_micros = self.micros;
                }
                self.completed.push(id);
            }
            // A start looks for files that need not be there.
            Completion::Failed { error, .. } if error.kind == IoErrorKind::NotFound => {
                self.rung(&format!("    disk <- {name}: {error}"), weight);
            }
            Completion::Failed { error, .. } => {
                self.happens(&format!("    disk <- {name} FAILED: {error}"));
            }
        }
    }

    /// A job is over.
    pub(crate) fn job_ends(&mut self, id: JobId, result: &JobResult) {
        let (what, is_usual) = match &result.outcome {
            JobOutcome::MetadataLoaded(_) => ("metadata log loaded".to_owned(), true),
            JobOutcome::LogLoaded(log) => {
                let (name, end) = (files::path_name(log.path()), log.accepted_end());
                let told = format!("{name} loaded, offsets {} to {end}", log.log_start());
                (told, end == 0 || files::is_small(log.path()))
            }
            JobOutcome::TimestampSearched(found) => {
                (format!("timestamp searched, {found:?}"), false)
            }
            JobOutcome::DirectoryRemoved(Ok(path)) => {
                (format!("{} removed", files::path_name(path)), false)
            }
            JobOutcome::SnapshotWritten(Ok(_)) => ("metadata snapshot written".to_owned(), false),
            JobOutcome::ShardLoaded(Ok(_)) => ("groups loaded".to_owned(), true),
            JobOutcome::LogCompacted(step) => (compaction(step), false),
            // What follows from it is told.
            JobOutcome::ShardLoaded(Err(_)) => ("no groups".to_owned(), true),
            JobOutcome::MetadataFailed(_) => ("no metadata log".to_owned(), true),
            JobOutcome::LogFailed(_) => ("no log".to_owned(), true),
            JobOutcome::DirectoryRemoved(Err(error)) | JobOutcome::SnapshotWritten(Err(error)) => {
                (error.to_string(), false)
            }
        };
        let weight = if is_usual { Weight::Look } else { Weight::Story };
        self.rung(&format!("    job {} is done: {what}", id.0), weight);
    }

    /// The process is gone, or the power is, while these effects are out.
    pub(crate) fn crashes(&mut self, crash: Crash, open: &[EffectId]) {
        let what = match crash {
            Crash::Killed => "KILLED",
            Crash::PowerLoss => "POWER LOSS",
        };
        let out = match open {
            [] => String::new(),
            open => format!(", out: {}", list(open.iter().map(|id| effect_name(*id)))),
        };
        self.goes_badly(&format!("{what}{out}"));
    }

    /// This is what it leaves of files.
    pub(crate) fn leaves_files(&mut self, before: &Contents, disk: &Disk) {
        let changes = before.changes(disk);
        let beyond = changes.len().saturating_sub(CHANGES_MAX);
        for change in changes.iter().take(CHANGES_MAX) {
            self.happens(&format!("    disk: {change}"));
        }
        if beyond > 0 {
            self.happens(&format!("    disk: {beyond} more files have changed"));
        }
    }

    fn rung(&mut self, what: &str, weight: Weight) {
        self.settle_completed();
        self.rung_at(self.micros, what, weight);
    }

    fn rung_at(&mut self, micros: u64, what: &str, weight: Weight) {
        let text = format!("{:>7}.{:03}  {what}", micros / 1000, micros % 1000);
        match &mut self.held {
            Some(held) => held.push(Rung { text, weight }),
            None => (self.tell)(&text),
        }
    }

    /// Completions that came one after another share a rung.
    fn settle_completed(&mut self) {
        if self.completed.is_empty() {
            return;
        }
        let names: Vec<String> =
            std::mem::take(&mut self.completed).into_iter().map(effect_name).collect();
        let what = format!("    disk <- {}", names.join(", "));
        self.rung_at(self.completed_micros, &what, Weight::Story);
    }

    /// Tells the rungs held back that weigh so much, and holds none back any more. Gives how many
    /// weigh less.
    fn release(&mut self, least: Weight) -> usize {
        self.settle_completed();
        let held = self.held.take().unwrap_or_default();
        for rung in held.iter().filter(|rung| rung.weight >= least) {
            (self.tell)(&rung.text);
        }
        held.iter().filter(|rung| rung.weight < least).count()
    }
}

/// How far a compaction has come.
fn compaction(step: &CompactionStep) -> String {
    match step {
        CompactionStep::Paused(_) => "compaction goes on".to_owned(),
        CompactionStep::Cleaned(_, group) => {
            format!("compacted offsets {} to {}, to be put in place", group.from, group.to)
        }
        CompactionStep::Done(report) => format!("compacted up to {}", report.end),
        CompactionStep::Refused(reason) => format!("not compacted: {reason}"),
        CompactionStep::Failed(error) => error.to_string(),
    }
}

fn answer(asked: &Asked, frame: &bytes::Bytes, names: &mut Names) -> String {
    let Some(api) = asked.key.api() else { return "an answer".to_owned() };
    let mut reader = Reader::new(frame);
    match read_response_header(&mut reader, api, asked.version) {
        Ok(number) => {
            let what = answers::answered(asked.key, asked.version, &mut reader, names);
            format!("#{number} {} {what}", api.name)
        }
        Err(error) => format!("{}: {error}", api.name),
    }
}

fn api_name(key: ApiKey) -> String {
    key.api().map_or_else(|| format!("API {}", key.0), |api| api.name.to_owned())
}
