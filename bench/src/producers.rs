//! Producers: frames out, a given number of them unanswered; every answer is looked at.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::produce::{PartitionProduceResponse, ProduceResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::read_response_header;

use crate::batches::{Batch, PRODUCE_VERSION, number};
use crate::session::{Answers, Bounds, Done, Session, connect, lost};
use crate::workloads::Producers;

/// Waits for what was written before.
const ACKS_ALL: i16 = -1;

/// Connections under load.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    batch: Batch,
}

impl Lanes {
    /// Connects them.
    pub(crate) fn connect(
        port: u16,
        producers: &Producers,
        answers: Answers,
    ) -> Result<Self, String> {
        let lanes =
            (0..producers.connections).map(|index| Lane::connect(port, producers, answers, index));
        let lanes = lanes.collect::<Result<_, _>>()?;
        Ok(Self { lanes, batch: Batch::of(producers.shape) })
    }

    /// The offset behind what was sent to a partition of the first connection, when it has but one.
    pub(crate) fn end_offset(&self) -> i64 {
        i64::from(self.lanes[0].sent) * i64::from(self.batch.records)
    }
}

impl Session for Lanes {
    /// Sends until one of `bounds`, and waits for all answers.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let batch = &self.batch;
        let batches = self.lanes[0].producers.partitions_per_request;
        let sent_bytes = batches * batch.bytes.len();
        let requests = bounds.bytes.div_ceil(sent_bytes).div_ceil(self.lanes.len());
        // Frames are made before the clock runs, and held no longer than they are sent.
        let turns: Vec<Turns> = self.lanes.iter().map(|lane| lane.turns(batch)).collect();
        let begun = Instant::now();
        let results: Vec<Result<Vec<u64>, String>> = thread::scope(|scope| {
            let lanes = self.lanes.iter_mut().zip(turns);
            let threads: Vec<_> = lanes
                .map(|(lane, turns)| scope.spawn(move || lane.run(turns, requests, bounds.time)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a producer does not panic"))
                .collect()
        });
        let elapsed = begun.elapsed();
        let mut latencies = Vec::new();
        for result in results {
            latencies.extend(result?);
        }
        latencies.sort_unstable();
        let requests = latencies.len();
        Ok(Done {
            elapsed,
            requests,
            bytes: requests * batches * batch.raw_bytes,
            stored: requests * sent_bytes,
            latencies,
        })
    }
}

/// What a connection sends, again and again: a frame for each group of partitions that are written to
/// together.
struct Turns {
    frames: Vec<BytesMut>,
    /// The same to be answered, where those are not.
    answered: Vec<BytesMut>,
    /// Of each batch.
    records: i64,
}

struct Lane {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    kind: Answers,
    producers: Producers,
    first_partition: usize,
    sent: i32,
    answered: i32,
}

impl Lane {
    fn connect(
        port: u16,
        producers: &Producers,
        kind: Answers,
        index: usize,
    ) -> Result<Self, String> {
        let stream = connect(port)?;
        let answers = BufReader::new(stream.try_clone().map_err(lost)?);
        let first_partition = index * producers.partitions;
        let producers = *producers;
        Ok(Self { stream, answers, kind, producers, first_partition, sent: 0, answered: 0 })
    }

    fn turns(&self, batch: &Batch) -> Turns {
        let acks = self.producers.acks;
        Turns {
            frames: self.frames(batch, acks),
            answered: if acks == 0 { self.frames(batch, ACKS_ALL) } else { Vec::new() },
            records: batch.records.into(),
        }
    }

    fn frames(&self, batch: &Batch, acks: i16) -> Vec<BytesMut> {
        let Producers { partitions, partitions_per_request, .. } = self.producers;
        let all = self.first_partition..self.first_partition + partitions;
        let group = |first| first as i32..(first + partitions_per_request) as i32;
        all.step_by(partitions_per_request).map(|first| batch.frame(group(first), acks)).collect()
    }

    /// Gives each request's time from before it was sent until it was answered, in microseconds.
    fn run(
        &mut self,
        mut turns: Turns,
        requests: usize,
        time: Duration,
    ) -> Result<Vec<u64>, String> {
        if self.producers.acks == 0 && self.kind == Answers::Broker {
            return self.run_unanswered(turns, requests, time);
        }
        let begun = Instant::now();
        let mut unanswered = VecDeque::with_capacity(self.producers.in_flight);
        let mut latencies = Vec::new();
        let mut left = requests;
        loop {
            while left > 0 && unanswered.len() < self.producers.in_flight {
                if begun.elapsed() > time {
                    left = 0;
                    break;
                }
                unanswered.push_back(Instant::now());
                self.send(&mut turns.frames)?;
                left -= 1;
            }
            let Some(sent_at) = unanswered.pop_front() else { return Ok(latencies) };
            self.take_answer(&turns)?;
            latencies.push(sent_at.elapsed().as_micros() as u64);
        }
    }

    /// With acks=0. One last request is answered, and tells that all before it have come.
    fn run_unanswered(
        &mut self,
        mut turns: Turns,
        requests: usize,
        time: Duration,
    ) -> Result<Vec<u64>, String> {
        let begun = Instant::now();
        let mut latencies = Vec::new();
        while latencies.len() + 1 < requests && begun.elapsed() < time {
            let sent_at = Instant::now();
            self.send(&mut turns.frames)?;
            latencies.push(sent_at.elapsed().as_micros() as u64);
        }
        let sent_at = Instant::now();
        self.send(&mut turns.answered)?;
        self.answered = self.sent - 1;
        self.take_answer(&turns)?;
        latencies.push(sent_at.elapsed().as_micros() as u64);
        Ok(latencies)
    }

    fn send(&mut self, frames: &mut [BytesMut]) -> Result<(), String> {
        let at = self.sent as usize % frames.len();
        number(&mut frames[at], self.sent);
        self.stream.write_all(&frames[at]).map_err(lost)?;
        self.sent += 1;
        Ok(())
    }

    fn take_answer(&mut self, turns: &Turns) -> Result<(), String> {
        let frame = read_frame(&mut self.answers)?;
        let expected = self.answered;
        self.answered += 1;
        let round = expected / turns.frames.len() as i32;
        check(&frame, self.kind, expected, i64::from(round) * turns.records)
    }
}

/// One answer, behind its size.
pub(crate) fn read_frame(stream: &mut impl Read) -> Result<Bytes, String> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).map_err(lost)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame).map_err(lost)?;
    Ok(frame.into())
}

/// Writes `batch` once to each of the partitions. One that is new may not have its leader yet: it is
/// tried again.
pub(crate) fn write_each(
    port: u16,
    batch: &Batch,
    partitions: impl IntoIterator<Item = i32>,
) -> Result<(), String> {
    /// In one request.
    const PARTITIONS_MAX: usize = 500;
    /// A leader comes sooner.
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut stream = connect(port)?;
    let until = Instant::now() + PATIENCE;
    let mut left: VecDeque<i32> = partitions.into_iter().collect();
    while !left.is_empty() {
        let asked = left.drain(..left.len().min(PARTITIONS_MAX));
        stream.write_all(&batch.frame(asked, ACKS_ALL)).map_err(lost)?;
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

/// Request `expected` is answered, and every batch of it is appended at `base_offset`.
pub(crate) fn check(
    frame: &Bytes,
    kind: Answers,
    expected: i32,
    base_offset: i64,
) -> Result<(), String> {
    if kind == Answers::Bare {
        let is_right = *frame == expected.to_be_bytes().as_slice();
        return is_right
            .then_some(())
            .ok_or_else(|| format!("request {expected} is answered by {frame:02x?}"));
    }
    let (correlation_id, answer) = read_answer(frame);
    let topics = answer.iter().flat_map(|answer| &answer.responses);
    let mut partitions = topics.flat_map(|topic| &topic.partition_responses).peekable();
    if correlation_id != Some(expected) || partitions.peek().is_none() {
        return Err(format!("request {expected} is answered by {correlation_id:?}"));
    }
    let is_wrong = |partition: &&PartitionProduceResponse| {
        partition.error_code != ErrorCode::NONE || partition.base_offset != base_offset
    };
    match partitions.find(is_wrong) {
        Some(wrong) => Err(format!("request {expected} for offset {base_offset}: {wrong:?}")),
        None => Ok(()),
    }
}
