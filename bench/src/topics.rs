//! Topics: how long it takes to make them, to tell of them, and to start with them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use klamm_core::api::metadata::{MetadataRequest, MetadataResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{read_response_header, write_request};

use crate::arguments::Plan;
use crate::kafka::Kafka;
use crate::nodes::{Node, Subject};
use crate::process::Served;
use crate::report::{Cell, Table};
use crate::samples::Spread;
use crate::workload::header;

const CREATE_VERSION: i16 = 7;
const METADATA_VERSION: i16 = 12;

/// No answer may take this long.
const PATIENCE: Duration = Duration::from_mins(3);

/// A broker that has made many topics has more to do, its own checkpoints for one.
const SETTLE: Duration = Duration::from_secs(3);

/// Answers to Metadata that one figure is the median of.
const ANSWERS: usize = 21;

/// Topics that have the many partitions: one request may make no more than 10,000 records
/// (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const LARGE_TOPICS: i32 = 10;

const COLUMNS: &[&str] = &["who", "what", "ms", "broker's CPU ms", "Kafka's ms to these"];

/// What is measured, in the order of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Alone,
    Batched,
    Partitions,
    Metadata,
    CleanStart,
    UncleanStart,
}

/// One figure.
struct Took {
    step: Step,
    ms: f64,
    cpu_ms: f64,
}

/// Measures each subject on directories of its own.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let partitions = plan.partitions.iter().copied().max().unwrap_or(1);
    let topics = (partitions / 10).max(1);
    let about = format!(
        "topics have one partition, {LARGE_TOPICS} large ones share {partitions}; requests one after another on \
         one connection; a start ends when Metadata names every partition's leader; {} rounds",
        plan.effort.rounds,
    );
    let subjects = Subject::all(plan);
    let mut taken: Vec<Vec<Took>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..plan.effort.rounds {
        for (subject, taken) in subjects.iter().zip(&mut taken) {
            let place = |what| scratch.join(format!("{what}-{}-{round}", subject.name()));
            taken.extend(make_topics(*subject, &place("topics"), topics)?);
            taken.extend(make_partitions(*subject, &place("large"), partitions)?);
        }
    }
    let steps = [
        (Step::Alone, format!("{topics} topics, a request each")),
        (Step::Batched, format!("{topics} topics, one request")),
        (Step::Partitions, format!("{partitions} partitions, {LARGE_TOPICS} requests")),
        (Step::Metadata, format!("Metadata of {partitions} partitions")),
        (Step::CleanStart, "start with them after a clean stop".to_owned()),
        (Step::UncleanStart, "start with them after a kill".to_owned()),
    ];
    let mut table = Table::new("topics", about, COLUMNS);
    let median = |at: usize, step| Spread::of(figures(&taken[at], step, |it| it.ms));
    for (step, what) in steps {
        let kafka = subjects.iter().position(|it| matches!(it, Subject::Kafka(_)));
        let kafka_ms = kafka.and_then(|at| median(at, step)).map(|spread| spread.median);
        for (at, subject) in subjects.iter().enumerate() {
            let own_ms = median(at, step).map(|spread| spread.median);
            let ratio = kafka_ms.zip(own_ms).map(|(kafka, own)| kafka / own);
            table.push(vec![
                Cell::name(subject.name()),
                Cell::name(&what),
                Cell::rounds(figures(&taken[at], step, |it| it.ms)),
                Cell::rounds(figures(&taken[at], step, |it| it.cpu_ms)),
                ratio.map_or(Cell::Nothing, Cell::Number),
            ]);
        }
    }
    Ok(table)
}

fn figures(taken: &[Took], step: Step, figure: fn(&Took) -> f64) -> impl Iterator<Item = f64> {
    taken.iter().filter(move |it| it.step == step).map(figure)
}

/// The same topics alone, and in one request, each on an empty directory.
fn make_topics(subject: Subject<'_>, directory: &Path, count: i32) -> Result<Vec<Took>, String> {
    let mut taken = Vec::new();
    for step in [Step::Alone, Step::Batched] {
        let node = prepare(subject, directory)?;
        let served = node.start()?;
        let mut client = Client::connect(served.port)?;
        let requests: Vec<CreateTopicsRequest> = match step {
            Step::Alone => (0..count).map(|number| creation([(number, 1)])).collect(),
            _ => vec![creation((0..count).map(|number| (number, 1)))],
        };
        taken.push(time(&served, step, || {
            requests.iter().try_for_each(|request| client.create(request))
        })?);
        served.stop()?;
        remove(directory)?;
    }
    Ok(taken)
}

/// A few topics with many partitions, what is told of them, and starts with them.
fn make_partitions(
    subject: Subject<'_>,
    directory: &Path,
    partitions: i32,
) -> Result<Vec<Took>, String> {
    let node = prepare(subject, directory)?;
    let served = node.start()?;
    let mut client = Client::connect(served.port)?;
    let each = (partitions / LARGE_TOPICS).max(1);
    let requests = (0..LARGE_TOPICS).map(|number| creation([(number, each)]));
    let partitions = each * LARGE_TOPICS;
    let mut taken = vec![time(&served, Step::Partitions, || {
        requests.into_iter().try_for_each(|request| client.create(&request))
    })?];
    thread::sleep(SETTLE);
    // Kafka answers before its brokers know all of them. The first whole answer has what later ones
    // need not do again.
    let whole = client.wait_for(partitions)?;
    let mut answers = Vec::new();
    for _ in 0..ANSWERS {
        answers.push(time(&served, Step::Metadata, || client.tell_all(whole))?);
    }
    let median = |figure: fn(&Took) -> f64| {
        Spread::of(answers.iter().map(figure)).map_or(0.0, |spread| spread.median)
    };
    let (ms, cpu_ms) = (median(|it| it.ms), median(|it| it.cpu_ms));
    taken.push(Took { step: Step::Metadata, ms, cpu_ms });
    served.stop()?;
    for step in [Step::CleanStart, Step::UncleanStart] {
        let begun = Instant::now();
        let served = node.start()?;
        Client::connect(served.port)?.wait_for(partitions)?;
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        taken.push(Took { step, ms, cpu_ms: served.usage()?.cpu.as_secs_f64() * 1e3 });
        match step {
            Step::CleanStart => served.kill(),
            _ => drop(served.stop()?),
        }
    }
    remove(directory)?;
    Ok(taken)
}

fn prepare(subject: Subject<'_>, directory: &Path) -> Result<Node, String> {
    match subject {
        Subject::Klamm(driver) => {
            let said = |error| format!("{}: {error}", directory.display());
            fs::create_dir(directory).map_err(said)?;
            Ok(Node::Klamm(driver, directory.to_owned()))
        }
        Subject::Kafka(jars) => Ok(Node::Kafka(Kafka::format(jars, directory)?)),
    }
}

fn remove(directory: &Path) -> Result<(), String> {
    fs::remove_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}

fn time(
    served: &Served,
    step: Step,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<Took, String> {
    let before = served.usage()?;
    let begun = Instant::now();
    work()?;
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let cpu_ms = served.usage()?.since(before).cpu.as_secs_f64() * 1e3;
    Ok(Took { step, ms, cpu_ms })
}

/// Topics by number, and how many partitions each.
fn creation(topics: impl IntoIterator<Item = (i32, i32)>) -> CreateTopicsRequest {
    let topic = |(number, num_partitions)| CreatableTopic {
        name: format!("topic-{number}"),
        num_partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    CreateTopicsRequest {
        topics: topics.into_iter().map(topic).collect(),
        timeout_ms: 120_000,
        validate_only: false,
    }
}

/// Asks one thing after the other.
struct Client(TcpStream);

impl Client {
    fn connect(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
        Ok(Self(stream))
    }

    /// All of the topics must be made.
    fn create(&mut self, request: &CreateTopicsRequest) -> Result<(), String> {
        let frame = self.ask(ApiKey::CREATE_TOPICS, CREATE_VERSION, request)?;
        let answer: CreateTopicsResponse = read(&frame, ApiKey::CREATE_TOPICS, CREATE_VERSION)?;
        let refused = answer.topics.iter().find(|topic| topic.error_code != ErrorCode::NONE);
        match refused {
            Some(topic) => Err(format!("a topic is not made: {topic:?}")),
            None if answer.topics.len() == request.topics.len() => Ok(()),
            None => Err(format!("{} topics are answered", answer.topics.len())),
        }
    }

    /// Metadata of all topics. The answer is looked at by its length alone, so that its reader's time is
    /// not measured.
    fn tell_all(&mut self, whole: usize) -> Result<(), String> {
        let length = self.metadata()?.len();
        (length == whole)
            .then_some(())
            .ok_or_else(|| format!("Metadata in {length} bytes, not {whole}"))
    }

    /// Waits until every partition has a leader. Gives the bytes of the answer that says so.
    fn wait_for(&mut self, partitions: i32) -> Result<usize, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let frame = self.metadata()?;
            let answer: MetadataResponse = read(&frame, ApiKey::METADATA, METADATA_VERSION)?;
            let led = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let led = led.filter(|partition| partition.leader_id >= 0).count();
            if led == partitions as usize {
                return Ok(frame.len());
            }
            if Instant::now() > until {
                return Err(format!("{led} of {partitions} partitions have a leader"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn metadata(&mut self) -> Result<Bytes, String> {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        self.ask(ApiKey::METADATA, METADATA_VERSION, &request)
    }

    /// The frame of the answer.
    fn ask<M: Message>(&mut self, key: ApiKey, version: i16, request: &M) -> Result<Bytes, String> {
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header(key, version), request);
        self.0.write_all(&frame).map_err(lost)?;
        let mut size = [0; 4];
        self.0.read_exact(&mut size).map_err(lost)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut frame).map_err(lost)?;
        Ok(frame.into())
    }
}

fn read<M: Message>(frame: &Bytes, key: ApiKey, version: i16) -> Result<M, String> {
    let api = key.api().ok_or("an API that is not served")?;
    let mut reader = Reader::new(frame);
    read_response_header(&mut reader, api, version)
        .and_then(|_| M::read(&mut reader, version))
        .map_err(|error| format!("an answer to {key:?}: {error}"))
}

fn lost(error: std::io::Error) -> String {
    format!("the measured process does not answer: {error}")
}
