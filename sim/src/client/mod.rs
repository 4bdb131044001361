//! Model clients: they speak the protocol by the core's codec, and tell the history what they asked
//! and what they were told.
//!
//! Each has one connection at a time and a part to play: a [`Producer`] appends, a [`Consumer`]
//! reads, an [`Inquirer`] deletes, looks up and asks for nonsense, an [`Administrator`] makes and
//! deletes topics and changes what they are like, a [`Member`] reads together with others, an [`Overseer`] looks
//! after groups.

mod administrator;
mod commits;
mod consumer;
mod inquirer;
mod look;
pub(crate) mod member;
mod offsets;
mod overseer;
mod producer;
mod session;

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::codec::Message;
use klamm_core::ids::{ConnectionId, Uuid};
use thiserror::Error;

use crate::calls::{Answer, Calls};
use crate::checker::TopicFormat;
use crate::decisions::{Decisions, Purpose};
use crate::groups::{CallId, GroupAsk, GroupTold};
use crate::history::{ChangeId, Entry, History, Question, QuestionId, Subject, TopicPartition};
use crate::metadata::{Change, Outcome};
use crate::options::Options;
use crate::program::{Hosted, Moment, Program, Wish};
use crate::reader::StoredLog;
use crate::world::Excuse;
pub use administrator::Administrator;
pub use consumer::Consumer;
pub use inquirer::Inquirer;
pub use member::Member;
pub(crate) use member::Standing;
pub use overseer::Overseer;
pub use producer::Producer;

/// A topic as clients know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// What its settings make of batches.
    pub format: TopicFormat,
}

impl KnownTopic {
    /// One of its partitions.
    pub fn target(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(&self.name, self.id, partition)
    }
}

/// One client: a model client, or a program of a tester's own.
#[derive(Debug)]
pub struct Client {
    number: usize,
    connection: Option<Line>,
    calls: Calls<Pending>,
    part: Part,
}

/// What a client is for.
#[derive(Debug)]
enum Part {
    Producer(Producer),
    Consumer(Box<Consumer>),
    Inquirer(Inquirer),
    Administrator(Administrator),
    Member(Box<Member>),
    Overseer(Overseer),
    Program(Hosted),
}

/// A connection.
#[derive(Debug)]
struct Line {
    id: ConnectionId,
    half_closed: bool,
}

/// What an answer is to be understood by.
#[derive(Debug)]
enum Pending {
    /// A request of which only the form of the answer matters.
    Query,
    Appends(producer::PendingAppends),
    ProducerId,
    Fetch(consumer::PendingFetch),
    Offsets(offsets::PendingOffsets),
    Inquiry(inquirer::PendingInquiry),
    Look(look::PendingLook),
    Changes(administrator::PendingChanges),
    Member(member::PendingCall),
    ThinFetch(member::PendingThinFetch),
    Commit(commits::PendingCommit),
    Committed(commits::PendingCommitted),
    Task(overseer::PendingTask),
}

/// Who writes a request.
#[derive(Debug)]
struct Caller<'a>(&'a mut Calls<Pending>);

impl Caller<'_> {
    /// A request's frame; without `pending` it has no answer.
    fn request<M: Message>(
        self,
        key: ApiKey,
        version: i16,
        message: &M,
        pending: Option<Pending>,
    ) -> Bytes {
        match pending {
            Some(pending) => self.0.ask(key, version, message, pending),
            None => self.0.tell(key, version, message),
        }
    }
}

/// An answer that no broker may give.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("client {client}, connection {}: {what}", connection.0)]
pub struct BadAnswer {
    /// Who got it.
    pub client: usize,
    /// On which connection.
    pub connection: ConnectionId,
    /// What is wrong.
    pub what: String,
}

/// What a client works with: the run's options, topics, choices and history, and the time.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The run's options.
    pub options: &'a Options,
    /// Topics that are there, as far as clients know.
    pub topics: &'a mut Vec<KnownTopic>,
    /// Choices.
    pub decisions: &'a mut Decisions,
    /// Where it is told.
    pub history: &'a mut History,
    /// Microseconds since the run's start.
    pub now_micros: u64,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
    /// Partitions that need not be served whole.
    pub excused: &'a [Excuse],
    /// Nobody will append any more.
    pub is_quiet: bool,
}

impl Surroundings<'_> {
    /// A topic that clients know.
    fn topic(&self, target: &TopicPartition) -> Option<&KnownTopic> {
        let id = target.passing_id();
        let of_id = |topic: &&KnownTopic| id.is_none_or(|id| topic.id == id);
        self.topics.iter().filter(of_id).find(|topic| topic.name == target.name())
    }

    /// What a topic makes of its records.
    fn format_of(&self, target: &TopicPartition) -> TopicFormat {
        self.topic(target).map(|topic| topic.format).unwrap_or_default()
    }

    /// Tells the history of a question. `by_name`: the request names the topic so.
    fn ask(&mut self, target: &TopicPartition, what: Question, by_name: bool) -> QuestionId {
        let question = self.history.next_question();
        let by_name = by_name && target.passing_id().is_some();
        let target = target.clone();
        self.history.push(self.now_micros, Entry::Asked { question, target, what, by_name });
        question
    }

    /// Why a partition need not be served whole.
    fn excuse(&self, target: &TopicPartition) -> Option<&Excuse> {
        self.excused.iter().find(|excuse| excuse.target == *target)
    }

    /// Tells the history that a change, or a look, is asked for.
    fn change(&mut self, subject: Subject, what: Change) -> ChangeId {
        let change = self.history.next_change();
        self.history.push(self.now_micros, Entry::Changing { change, subject, what });
        change
    }

    /// And how it has ended.
    fn changed(&mut self, change: ChangeId, outcome: Outcome) {
        self.history.push(self.now_micros, Entry::Changed { change, outcome });
    }

    fn moment(&mut self) -> Moment<'_> {
        let Self { decisions, history, now_micros, wall_ms, excused, .. } = self;
        let (now_micros, wall_ms) = (*now_micros, *wall_ms);
        Moment { now_micros, wall_ms, history, decisions, excused }
    }

    /// Tells the history that something is asked of a group.
    fn ask_group(&mut self, call: CallId, group: &str, ask: GroupAsk) {
        let group = group.to_owned();
        self.history.push(self.now_micros, Entry::GroupAsked { call, group, ask });
    }

    /// And what was told.
    fn told_group(&mut self, call: CallId, told: GroupTold) {
        self.history.push(self.now_micros, Entry::GroupTold { call, told });
    }

    /// And that nothing ever will be.
    fn group_is_silent(&mut self, call: CallId) {
        self.history.push(self.now_micros, Entry::GroupSilent { call });
    }

    fn give_up(&mut self, question: QuestionId) {
        self.history.push(self.now_micros, Entry::Unanswered { question });
    }
}

/// A topic that nobody has made.
const UNKNOWN_TOPIC: &str = "nowhere";

/// The id of that topic.
const UNKNOWN_ID: Uuid = Uuid([9; 16]);

impl Client {
    /// A producer with `requests` to send, each of them once.
    pub fn new(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Producer(Producer::new(number, requests)))
    }

    /// An idempotent producer: what it has no answer to it sends again.
    pub fn idempotent(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Producer(Producer::idempotent(number, requests)))
    }

    /// A consumer with `requests` fetches to make before its end may come.
    pub fn consumer(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Consumer(Box::new(Consumer::new(requests))))
    }

    /// One that deletes, looks up and asks for nonsense.
    pub fn inquirer(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Inquirer(Inquirer::new(requests)))
    }

    /// One that makes topics, changes them and deletes them.
    pub fn administrator(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Administrator(Administrator::new(requests)))
    }

    /// A member of a group.
    pub fn member(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Member(Box::new(Member::new(number, requests))))
    }

    /// One that looks after groups.
    pub fn overseer(number: usize, requests: u64) -> Self {
        Self::with(number, Part::Overseer(Overseer::new(number, requests)))
    }

    /// A program of a tester's own.
    pub fn program(number: usize, program: Box<dyn Program>) -> Self {
        Self::with(number, Part::Program(Hosted::new(program)))
    }

    fn with(number: usize, part: Part) -> Self {
        let calls = Calls::new(&format!("client-{number}"));
        Self { number, connection: None, calls, part }
    }

    /// Its connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection.as_ref().map(|line| line.id)
    }

    /// True for those whose requests append.
    pub fn is_producer(&self) -> bool {
        matches!(self.part, Part::Producer(_))
    }

    /// True for a tester's own.
    pub(crate) fn is_program(&self) -> bool {
        matches!(self.part, Part::Program(_))
    }

    /// True when it has sent everything and has all its answers, or has given up waiting for them.
    pub fn is_done(&self) -> bool {
        let is_done = match &self.part {
            Part::Producer(producer) => producer.is_done(),
            Part::Consumer(consumer) => consumer.is_done(),
            Part::Inquirer(inquirer) => inquirer.is_done(),
            Part::Administrator(administrator) => administrator.is_done(),
            Part::Member(member) => member.is_done(),
            Part::Overseer(overseer) => overseer.is_done(),
            Part::Program(hosted) => hosted.program().is_done(),
        };
        is_done && self.unanswered() == 0
    }

    /// Requests that wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.calls.unanswered()
    }

    /// From now on it sends so many requests, whatever it had left.
    pub fn set_requests(&mut self, requests: u64) {
        match &mut self.part {
            Part::Producer(producer) => producer.set_requests(requests),
            Part::Consumer(consumer) => consumer.set_requests(requests),
            Part::Inquirer(inquirer) => inquirer.set_requests(requests),
            Part::Administrator(administrator) => administrator.set_requests(requests),
            Part::Member(member) => member.set_requests(requests),
            Part::Overseer(overseer) => overseer.set_requests(requests),
            Part::Program(_) => {}
        }
    }

    /// Faults have ended: a consumer reads all that is there before its end may come, from the
    /// earliest record if `from_start`; a program hears of it.
    pub fn catch_up(&mut self, from_start: bool) {
        match &mut self.part {
            Part::Consumer(consumer) => consumer.catch_up(from_start),
            Part::Member(member) => member.settle(),
            Part::Overseer(overseer) => overseer.settle(),
            Part::Program(hosted) => hosted.program_mut().faults_end(),
            _ => {}
        }
    }

    /// What a program makes of the disk at the run's end.
    pub(crate) fn check(&self, logs: &BTreeMap<TopicPartition, StoredLog>) -> Result<(), String> {
        match &self.part {
            Part::Program(hosted) => hosted.program().check(logs),
            _ => Ok(()),
        }
    }

    /// How its group is, if it is settled in one.
    pub(crate) fn standing(&self) -> Option<Standing> {
        match &self.part {
            Part::Member(member) => member.standing(),
            _ => None,
        }
    }

    /// What whoever had nothing to send wants instead.
    pub(crate) fn take_wish(&mut self, now_micros: u64) -> Option<Wish> {
        let is_waiting = self.unanswered() > 0;
        match &mut self.part {
            Part::Program(hosted) => hosted.take_wish(),
            Part::Member(member) => member.take_wish(now_micros, is_waiting),
            Part::Overseer(overseer) => overseer.take_wish(now_micros, is_waiting),
            _ => None,
        }
    }

    /// Whatever the broker keeps for it is to be given back before its end may come.
    pub fn tidy_up(&mut self) {
        match &mut self.part {
            Part::Consumer(consumer) => consumer.tidy_up(),
            Part::Member(member) => member.tidy_up(),
            Part::Overseer(overseer) => overseer.tidy_up(),
            _ => {}
        }
    }

    /// The broker may have forgotten what an idempotent producer sent: it begins anew.
    pub fn renew(&mut self) {
        if let Part::Producer(producer) = &mut self.part {
            producer.renew();
        }
    }

    /// A connection was opened for it.
    pub fn connected(&mut self, id: ConnectionId) {
        self.connection = Some(Line { id, half_closed: false });
        if let Part::Program(hosted) = &mut self.part {
            hosted.program_mut().connected();
        }
    }

    /// Its connection is gone: what was not answered never will be.
    pub fn disconnected(&mut self, around: &mut Surroundings<'_>) {
        if self.connection.take().is_none() {
            return;
        }
        for pending in self.calls.disconnected() {
            match (&mut self.part, pending) {
                (_, Pending::Appends(appends)) => appends.lost(around),
                (_, Pending::Offsets(pending)) => pending.lost(around),
                (_, Pending::Fetch(pending)) => pending.lost(around),
                (_, Pending::Inquiry(pending)) => pending.lost(around),
                (_, Pending::Look(pending)) => pending.lost(around),
                (Part::Administrator(administrator), Pending::Changes(pending)) => {
                    administrator.lost(pending, around);
                }
                (_, Pending::Member(pending)) => pending.lost(around),
                (_, Pending::Commit(pending)) => pending.lost(around),
                (_, Pending::Committed(pending)) => pending.lost(around),
                (_, Pending::Task(pending)) => pending.lost(around),
                (_, Pending::Query | Pending::ProducerId | Pending::Changes(_)) => {}
                (_, Pending::ThinFetch(_)) => {}
            }
        }
        match &mut self.part {
            Part::Producer(producer) => producer.disconnected(),
            Part::Consumer(consumer) => consumer.disconnected(),
            Part::Program(hosted) => hosted.program_mut().disconnected(),
            Part::Member(member) => member.disconnected(),
            Part::Overseer(overseer) => overseer.disconnected(),
            Part::Inquirer(_) | Part::Administrator(_) => {}
        }
    }

    /// True when it may send another request now.
    pub fn wants_to_send(&self, options: &Options) -> bool {
        if self.connection.as_ref().is_none_or(|line| line.half_closed) {
            return false;
        }
        let out = self.unanswered() as u64;
        match &self.part {
            Part::Producer(producer) => producer.wants_to_send(out, options),
            Part::Consumer(consumer) => out == 0 && !consumer.is_done(),
            Part::Inquirer(inquirer) => out == 0 && !inquirer.is_done(),
            Part::Administrator(administrator) => administrator.wants_to_send(out),
            Part::Member(_) | Part::Overseer(_) => out == 0,
            Part::Program(_) => true,
        }
    }

    /// The next request's frame, and whether the client ends its direction behind it.
    pub fn send(&mut self, around: &mut Surroundings<'_>) -> Option<(Bytes, AfterSending)> {
        if !self.wants_to_send(around.options) {
            return None;
        }
        let caller = Caller(&mut self.calls);
        let frame = match &mut self.part {
            Part::Producer(producer) => producer.next(caller, around)?,
            Part::Consumer(consumer) => consumer.next(caller, around),
            Part::Inquirer(inquirer) => inquirer.next(caller, around),
            Part::Administrator(administrator) => administrator.next(caller, around),
            Part::Member(member) => member.next(caller, around)?,
            Part::Overseer(overseer) => overseer.next(caller, around)?,
            Part::Program(hosted) => {
                let frame = hosted.next(&mut around.moment())?;
                return Some((frame, AfterSending::Stay));
            }
        };
        let line = self.connection.as_mut()?;
        let half_close = per_mille(around.options.half_close_per_mille);
        line.half_closed = around.decisions.chance(Purpose::Client, half_close);
        let after = if line.half_closed { AfterSending::HalfClose } else { AfterSending::Stay };
        Some((frame, after))
    }

    /// Bytes came from the broker: the answers in them go to the history.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<(), BadAnswer> {
        let client = self.number;
        let Some(line) = self.connection.as_mut() else { return Ok(()) };
        let connection = line.id;
        let bad = |what: String| BadAnswer { client, connection, what };
        if let Part::Program(hosted) = &mut self.part {
            return hosted.program_mut().receive(bytes, &mut around.moment()).map_err(bad);
        }
        self.calls.receive(bytes);
        while let Some((pending, answer)) = self.calls.next_answer().map_err(bad)? {
            self.read_answer(pending, &answer, around).map_err(bad)?;
        }
        Ok(())
    }

    fn read_answer(
        &mut self,
        pending: Pending,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match (&mut self.part, pending) {
            (_, Pending::Query) => producer::read_query(answer)?,
            (Part::Producer(producer), Pending::Appends(appends)) => {
                producer.appended(&appends, answer, around)?;
            }
            (Part::Producer(producer), Pending::ProducerId) => {
                producer.identified(answer, around)?;
            }
            (Part::Consumer(consumer), Pending::Fetch(pending)) => {
                consumer.fetched(pending, answer, around)?;
            }
            (Part::Consumer(consumer), Pending::Offsets(pending)) => {
                for (target, found) in pending.answered(answer, around)? {
                    consumer.found(&target, found, around);
                }
            }
            (_, Pending::Look(pending)) => pending.answered(answer, around)?,
            (_, Pending::Offsets(pending)) => drop(pending.answered(answer, around)?),
            (Part::Inquirer(inquirer), Pending::Inquiry(pending)) => {
                inquirer.answered(pending, answer, around)?;
            }
            (Part::Administrator(_), Pending::Changes(pending)) => {
                pending.answered(answer, around)?;
            }
            (Part::Member(member), Pending::Member(pending)) => {
                member.answered(pending, answer, around)?;
            }
            (Part::Member(member), Pending::ThinFetch(_)) => member.fetched(answer)?,
            (Part::Member(member), Pending::Commit(pending)) => {
                let error = pending.answered(answer, around)?;
                member.committed(error, around)?;
            }
            (Part::Member(member), Pending::Committed(pending)) => {
                let fetched = pending.answered(answer, around)?;
                member.told_offsets(&fetched, around)?;
            }
            (Part::Overseer(overseer), Pending::Member(pending)) => {
                overseer.called(pending, answer, around)?;
            }
            (Part::Overseer(overseer), Pending::Task(pending)) => {
                overseer.answered(pending, answer, around)?;
            }
            (Part::Overseer(overseer), Pending::Commit(pending)) => {
                let error = pending.answered(answer, around)?;
                overseer.committed(error, around);
            }
            (Part::Overseer(overseer), Pending::Committed(pending)) => {
                let fetched = pending.answered(answer, around)?;
                overseer.told_offsets(&fetched, around);
            }
            (part, pending) => return Err(format!("{pending:?} is not asked by {part:?}")),
        }
        Ok(())
    }
}

/// What a client does behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSending {
    /// Nothing: the next request may follow.
    Stay,
    /// It says that it will send no more, and waits for its answers.
    HalfClose,
}

/// The API has a handler.
pub fn is_served(key: ApiKey) -> bool {
    key.api().is_some()
}

fn per_mille(rate: u64) -> u32 {
    rate.min(1000) as u32
}
