//! A producer: frames out, a given number of them unanswered; every answer is looked at.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::produce::ProduceResponse;
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::read_response_header;

use crate::workload::{Batch, PRODUCE_VERSION, number};

/// No answer may take this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) batch: Batch,
    /// Each with partitions of its own.
    pub(crate) connections: usize,
    /// Of each connection.
    pub(crate) partitions: usize,
    /// A request has a batch for each; the next one goes to those that follow. Divides `partitions`.
    pub(crate) partitions_per_request: usize,
    /// Unanswered requests of a connection.
    pub(crate) in_flight: usize,
}

impl Load {
    /// One connection to one partition.
    pub(crate) fn one(batch: Batch, in_flight: usize) -> Self {
        Self { batch, connections: 1, partitions: 1, partitions_per_request: 1, in_flight }
    }

    /// Bytes of batches in a request.
    pub(crate) fn request_bytes(&self) -> usize {
        self.batch.bytes.len() * self.partitions_per_request
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// A broker.
    Produce,
    /// The bare loop: correlation ids alone.
    Bare,
}

/// Where sending ends: at whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of all connections together.
    pub(crate) requests: usize,
    pub(crate) time: Duration,
}

/// What was sent and answered.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    /// Of each request from before it was sent until it was answered, in microseconds, sorted.
    pub(crate) latencies: Vec<u64>,
}

/// Connections under load.
pub(crate) struct Lanes(Vec<Lane>);

impl Lanes {
    /// Connects them.
    pub(crate) fn connect(port: u16, load: &Load, answers: Answers) -> Result<Self, String> {
        let lanes = (0..load.connections).map(|index| Lane::connect(port, load, answers, index));
        lanes.collect::<Result<_, _>>().map(Self)
    }

    /// Sends until one of `bounds`, and waits for all answers.
    pub(crate) fn run(&mut self, bounds: Bounds) -> Result<Sent, String> {
        let each = bounds.requests.div_ceil(self.0.len());
        let begun = Instant::now();
        let results: Vec<Result<Vec<u64>, String>> = thread::scope(|scope| {
            let lanes = self.0.iter_mut();
            let threads: Vec<_> =
                lanes.map(|lane| scope.spawn(move || lane.run(each, bounds.time))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a lane does not panic"))
                .collect()
        });
        let elapsed = begun.elapsed();
        let mut latencies = Vec::new();
        for result in results {
            latencies.extend(result?);
        }
        latencies.sort_unstable();
        Ok(Sent { requests: latencies.len(), elapsed, latencies })
    }
}

struct Lane {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    kind: Answers,
    /// One for each group of partitions that are written to together; they take turns.
    frames: Vec<BytesMut>,
    records: i64,
    in_flight: usize,
    sent: i32,
    answered: i32,
}

impl Lane {
    fn connect(port: u16, load: &Load, kind: Answers, index: usize) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(lost)?;
        let answers = BufReader::new(stream.try_clone().map_err(lost)?);
        let first = index * load.partitions;
        let groups = (first..first + load.partitions).step_by(load.partitions_per_request);
        let group = |first| first as i32..(first + load.partitions_per_request) as i32;
        Ok(Self {
            stream,
            answers,
            kind,
            frames: groups.map(|first| load.batch.frame(group(first))).collect(),
            records: load.batch.records.into(),
            in_flight: load.in_flight,
            sent: 0,
            answered: 0,
        })
    }

    fn run(&mut self, requests: usize, time: Duration) -> Result<Vec<u64>, String> {
        let begun = Instant::now();
        let mut unanswered = VecDeque::with_capacity(self.in_flight);
        let mut latencies = Vec::with_capacity(requests);
        let mut left = requests;
        loop {
            while left > 0 && unanswered.len() < self.in_flight {
                if begun.elapsed() > time {
                    left = 0;
                    break;
                }
                unanswered.push_back(Instant::now());
                let frame = turn(&mut self.frames, self.sent);
                number(frame, self.sent);
                self.stream.write_all(frame).map_err(lost)?;
                self.sent += 1;
                left -= 1;
            }
            let Some(sent_at) = unanswered.pop_front() else { return Ok(latencies) };
            self.take_answer()?;
            latencies.push(sent_at.elapsed().as_micros() as u64);
        }
    }

    fn take_answer(&mut self) -> Result<(), String> {
        let frame = read_frame(&mut self.answers)?;
        let expected = self.answered;
        self.answered += 1;
        let round = expected / self.frames.len() as i32;
        match self.kind {
            Answers::Bare if *frame == expected.to_be_bytes() => Ok(()),
            Answers::Bare => Err(format!("request {expected} is answered by {frame:02x?}")),
            Answers::Produce => check(&frame, expected, i64::from(round) * self.records),
        }
    }
}

fn turn(frames: &mut [BytesMut], sent: i32) -> &mut BytesMut {
    let at = sent as usize % frames.len();
    &mut frames[at]
}

/// One answer, behind its size.
pub(crate) fn read_frame(stream: &mut impl Read) -> Result<Bytes, String> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).map_err(lost)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame).map_err(lost)?;
    Ok(frame.into())
}

/// Writes `batch` once to each of so many partitions. One that is new may not have its leader yet: it is
/// tried again.
pub(crate) fn write_each(port: u16, batch: &Batch, partitions: i32) -> Result<(), String> {
    /// In one request.
    const PARTITIONS_MAX: usize = 500;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(lost)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    let until = Instant::now() + PATIENCE;
    let mut left: VecDeque<i32> = (0..partitions).collect();
    while !left.is_empty() {
        let asked = left.drain(..left.len().min(PARTITIONS_MAX));
        stream.write_all(&batch.frame(asked)).map_err(lost)?;
        let (_, answer) = read_answer(&read_frame(&mut stream)?);
        let answer = answer.ok_or("a Produce is answered by what is none")?;
        for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
            match partition.error_code {
                ErrorCode::NONE => {}
                ErrorCode::NOT_LEADER_OR_FOLLOWER if Instant::now() < until => {
                    left.push_back(partition.index);
                }
                _ => return Err(format!("a Produce is answered by {partition:?}")),
            }
        }
    }
    Ok(())
}

fn read_answer(frame: &Bytes) -> (Option<i32>, Option<ProduceResponse>) {
    let api = ApiKey::PRODUCE.api().expect("Produce is served");
    let mut reader = Reader::new(frame);
    let correlation_id = read_response_header(&mut reader, api, PRODUCE_VERSION).ok();
    (correlation_id, ProduceResponse::read(&mut reader, PRODUCE_VERSION).ok())
}

/// Every batch of the request is appended at `base_offset`.
pub(crate) fn check(frame: &Bytes, expected: i32, base_offset: i64) -> Result<(), String> {
    let (correlation_id, answer) = read_answer(frame);
    let topics = answer.iter().flat_map(|answer| &answer.responses);
    let mut partitions = topics.flat_map(|topic| &topic.partition_responses).peekable();
    let is_right = correlation_id == Some(expected)
        && partitions.peek().is_some()
        && partitions.all(|partition| {
            partition.error_code == ErrorCode::NONE && partition.base_offset == base_offset
        });
    if is_right { Ok(()) } else { Err(format!("request {expected} is answered by {answer:?}")) }
}

pub(crate) fn lost(error: std::io::Error) -> String {
    format!("the measured process does not answer: {error}")
}
