//! Model clients: they speak the protocol by the core's codec, and tell the history what they asked
//! and what they were told.
//!
//! Each has one connection at a time and a part to play: a [`Producer`] appends, a [`Consumer`]
//! reads, an [`Inquirer`] deletes, looks up and asks for nonsense, an [`Administrator`] makes and
//! deletes topics and changes what they are like.

mod administrator;
mod consumer;
mod inquirer;
mod look;
mod offsets;
mod producer;
mod session;

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::{RequestHeader, read_response_header, write_request};
use klamm_core::ids::{ConnectionId, Uuid};
use thiserror::Error;

use crate::checker::TopicFormat;
use crate::decisions::{Decisions, Purpose};
use crate::history::{ChangeId, Entry, History, Question, QuestionId, Subject, TopicPartition};
use crate::metadata::{Change, Outcome};
use crate::options::Options;
use crate::world::Excuse;
pub use administrator::Administrator;
pub use consumer::Consumer;
pub use inquirer::Inquirer;
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

/// One model client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    connection: Option<Line>,
    correlation: i32,
    part: Part,
}

/// What a client is for.
#[derive(Debug)]
enum Part {
    Producer(Producer),
    Consumer(Box<Consumer>),
    Inquirer(Inquirer),
    Administrator(Administrator),
}

/// What belongs to one connection.
#[derive(Debug)]
struct Line {
    id: ConnectionId,
    input: BytesMut,
    unanswered: VecDeque<Sent>,
    half_closed: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Sent {
    correlation: i32,
    api: ApiKey,
    version: i16,
    pending: Pending,
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
}

/// A request to be sent.
#[derive(Debug)]
struct Outgoing {
    frame: Bytes,
    /// `None` when no answer comes.
    sent: Option<Sent>,
}

/// Who writes a request, and its number.
#[derive(Clone, Copy, Debug)]
struct Caller {
    number: usize,
    correlation: i32,
}

impl Caller {
    fn request<M: Message>(
        self,
        api_key: ApiKey,
        api_version: i16,
        message: &M,
        pending: Option<Pending>,
    ) -> Outgoing {
        let (client_id, correlation_id) =
            (Some(format!("client-{}", self.number)), self.correlation);
        let header = RequestHeader { api_key, api_version, correlation_id, client_id };
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header, message);
        let sent = |pending| Sent {
            correlation: correlation_id,
            api: api_key,
            version: api_version,
            pending,
        };
        Outgoing { frame: frame.freeze(), sent: pending.map(sent) }
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

    fn with(number: usize, part: Part) -> Self {
        Self { number, connection: None, correlation: 0, part }
    }

    /// Its connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection.as_ref().map(|line| line.id)
    }

    /// True for those whose requests append.
    pub fn is_producer(&self) -> bool {
        matches!(self.part, Part::Producer(_))
    }

    /// True when it has sent everything and has all its answers, or has given up waiting for them.
    pub fn is_done(&self) -> bool {
        let is_done = match &self.part {
            Part::Producer(producer) => producer.is_done(),
            Part::Consumer(consumer) => consumer.is_done(),
            Part::Inquirer(inquirer) => inquirer.is_done(),
            Part::Administrator(administrator) => administrator.is_done(),
        };
        is_done && self.unanswered() == 0
    }

    /// Requests that wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.connection.as_ref().map_or(0, |line| line.unanswered.len())
    }

    /// From now on it sends so many requests, whatever it had left.
    pub fn set_requests(&mut self, requests: u64) {
        match &mut self.part {
            Part::Producer(producer) => producer.set_requests(requests),
            Part::Consumer(consumer) => consumer.set_requests(requests),
            Part::Inquirer(inquirer) => inquirer.set_requests(requests),
            Part::Administrator(administrator) => administrator.set_requests(requests),
        }
    }

    /// Faults have ended: a consumer reads all that is there before its end may come, from the
    /// earliest record if `from_start`.
    pub fn catch_up(&mut self, from_start: bool) {
        if let Part::Consumer(consumer) = &mut self.part {
            consumer.catch_up(from_start);
        }
    }

    /// Whatever the broker keeps for it is to be given back before its end may come.
    pub fn tidy_up(&mut self) {
        if let Part::Consumer(consumer) = &mut self.part {
            consumer.tidy_up();
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
        let (input, unanswered) = (BytesMut::new(), VecDeque::new());
        self.connection = Some(Line { id, input, unanswered, half_closed: false });
    }

    /// Its connection is gone: what was not answered never will be.
    pub fn disconnected(&mut self, around: &mut Surroundings<'_>) {
        let Some(line) = self.connection.take() else { return };
        for sent in line.unanswered {
            match (&mut self.part, sent.pending) {
                (_, Pending::Appends(appends)) => appends.lost(around),
                (_, Pending::Offsets(pending)) => pending.lost(around),
                (_, Pending::Fetch(pending)) => pending.lost(around),
                (_, Pending::Inquiry(pending)) => pending.lost(around),
                (_, Pending::Look(pending)) => pending.lost(around),
                (Part::Administrator(administrator), Pending::Changes(pending)) => {
                    administrator.lost(pending, around);
                }
                (_, Pending::Query | Pending::ProducerId | Pending::Changes(_)) => {}
            }
        }
        match &mut self.part {
            Part::Producer(producer) => producer.disconnected(),
            Part::Consumer(consumer) => consumer.disconnected(),
            Part::Inquirer(_) | Part::Administrator(_) => {}
        }
    }

    /// True when it may send another request now.
    pub fn wants_to_send(&self, options: &Options) -> bool {
        let Some(line) = self.connection.as_ref().filter(|line| !line.half_closed) else {
            return false;
        };
        let out = line.unanswered.len() as u64;
        match &self.part {
            Part::Producer(producer) => producer.wants_to_send(out, options),
            Part::Consumer(consumer) => out == 0 && !consumer.is_done(),
            Part::Inquirer(inquirer) => out == 0 && !inquirer.is_done(),
            Part::Administrator(administrator) => administrator.wants_to_send(out),
        }
    }

    /// The next request's frame, and whether the client ends its direction behind it.
    pub fn send(&mut self, around: &mut Surroundings<'_>) -> Option<(Bytes, AfterSending)> {
        if !self.wants_to_send(around.options) {
            return None;
        }
        self.correlation += 1;
        let caller = Caller { number: self.number, correlation: self.correlation };
        let outgoing = match &mut self.part {
            Part::Producer(producer) => producer.next(caller, around),
            Part::Consumer(consumer) => Some(consumer.next(caller, around)),
            Part::Inquirer(inquirer) => Some(inquirer.next(caller, around)),
            Part::Administrator(administrator) => Some(administrator.next(caller, around)),
        };
        let Outgoing { frame, sent } = outgoing?;
        let line = self.connection.as_mut()?;
        line.unanswered.extend(sent);
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
        line.input.extend_from_slice(bytes);
        while let Some(line) = self.connection.as_mut() {
            let Some(frame) = take_frame(&mut line.input) else { break };
            let sent = line.unanswered.pop_front();
            let sent = sent.ok_or_else(|| bad("an answer to nothing".to_owned()))?;
            self.read_answer(sent, &frame, around).map_err(bad)?;
        }
        Ok(())
    }

    fn read_answer(
        &mut self,
        sent: Sent,
        frame: &Bytes,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let api = sent.api.api().ok_or("an API that is not served")?;
        let mut reader = Reader::new(frame);
        let correlation = read_response_header(&mut reader, api, sent.version)
            .map_err(|error| format!("a header that cannot be read: {error}"))?;
        if correlation != sent.correlation {
            return Err(format!("answer to {correlation} before that to {}", sent.correlation));
        }
        let mut answer = Answer { reader, name: api.name, version: sent.version };
        match (&mut self.part, sent.pending) {
            (_, Pending::Query) => producer::read_query(sent.api, &mut answer)?,
            (Part::Producer(producer), Pending::Appends(appends)) => {
                producer.appended(&appends, &mut answer, around)?;
            }
            (Part::Producer(producer), Pending::ProducerId) => {
                producer.identified(&mut answer, around)?;
            }
            (Part::Consumer(consumer), Pending::Fetch(pending)) => {
                consumer.fetched(pending, &mut answer, around)?;
            }
            (Part::Consumer(consumer), Pending::Offsets(pending)) => {
                for (target, found) in pending.answered(&mut answer, around)? {
                    consumer.found(&target, found, around);
                }
            }
            (_, Pending::Look(pending)) => pending.answered(&mut answer, around)?,
            (_, Pending::Offsets(pending)) => drop(pending.answered(&mut answer, around)?),
            (Part::Inquirer(inquirer), Pending::Inquiry(pending)) => {
                inquirer.answered(pending, &mut answer, around)?;
            }
            (Part::Administrator(_), Pending::Changes(pending)) => {
                pending.answered(&mut answer, around)?;
            }
            (part, pending) => return Err(format!("{pending:?} is not asked by {part:?}")),
        }
        match answer.reader.remaining() {
            0 => Ok(()),
            left => Err(format!("{left} bytes behind the answer")),
        }
    }
}

/// The answer to one request, behind its header.
struct Answer<'a> {
    reader: Reader<'a>,
    name: &'static str,
    version: i16,
}

impl Answer<'_> {
    fn read<M: Message>(&mut self) -> Result<M, String> {
        M::read(&mut self.reader, self.version)
            .map_err(|error| format!("{} {} cannot be read: {error}", self.name, self.version))
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

fn take_frame(input: &mut BytesMut) -> Option<Bytes> {
    let size = i32::from_be_bytes(*input.first_chunk::<4>()?) as usize;
    if input.len() < size + 4 {
        return None;
    }
    input.advance(4);
    Some(input.split_to(size).freeze())
}
