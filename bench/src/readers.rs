//! Consumers: one Fetch after the other, each from where the one before it ended; every batch's header is
//! looked at, and nothing else of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, Records};
use klamm_core::batch::BatchHeader;
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{read_response_header, write_request};

use crate::batches::{TOPIC, header};
use crate::session::{Answers, Bounds, Done, Session, connect, lost};

/// The newest version in which topics go by name.
const FETCH_VERSION: i16 = 12;

/// What a Java consumer asks for: of one partition, and in all.
pub(crate) const PARTITION_BYTES: i32 = 1 << 20;
const RESPONSE_BYTES: i32 = 50 << 20;

/// Readers of partition 0, each on a connection of its own, from the begin up to `end_offset`.
pub(crate) struct Readers {
    pub(crate) port: u16,
    pub(crate) answers: Answers,
    pub(crate) count: usize,
    pub(crate) end_offset: i64,
    /// They stay connected until the next ones come: a thread that has ended tells no processor time.
    connected: Vec<Fetcher>,
}

impl Readers {
    pub(crate) fn new(port: u16, answers: Answers, count: usize, end_offset: i64) -> Self {
        Self { port, answers, count, end_offset, connected: Vec::new() }
    }
}

impl Session for Readers {
    /// Each reads once, or until the time is over.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let connected: Result<_, _> =
            (0..self.count).map(|_| Fetcher::connect(self.port, self.answers)).collect();
        self.connected = connected?;
        let end_offset = self.end_offset;
        let begun = Instant::now();
        let results: Vec<Result<Done, String>> = thread::scope(|scope| {
            let fetchers = self.connected.iter_mut();
            let threads: Vec<_> = fetchers
                .map(|fetcher| scope.spawn(move || fetcher.run(end_offset, begun + bounds.time)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a reader does not panic"))
                .collect()
        });
        let mut done = Done { elapsed: begun.elapsed(), ..Done::default() };
        for result in results {
            let of_one = result?;
            done.bytes += of_one.bytes;
            done.requests += of_one.requests;
            done.latencies.extend(of_one.latencies);
        }
        done.latencies.sort_unstable();
        Ok(done)
    }
}

/// A reader of what comes to partition 0.
pub(crate) struct Tail {
    fetcher: Fetcher,
    pub(crate) offset: i64,
}

impl Tail {
    pub(crate) fn connect(port: u16) -> Result<Self, String> {
        Ok(Self { fetcher: Fetcher::connect(port, Answers::Broker)?, offset: 0 })
    }

    /// Waits a little for what comes next; gives its bytes.
    pub(crate) fn read(&mut self) -> Result<usize, String> {
        let records = records_of(&self.fetcher.ask(0, self.offset)?)?;
        let (next, whole) = pass(&records, self.offset)?;
        self.offset = next;
        Ok(whole)
    }
}

/// A connection that fetches.
pub(crate) struct Fetcher {
    stream: TcpStream,
    answers: Answers,
    /// Where answers come to; used again and again.
    buffer: BytesMut,
}

impl Fetcher {
    pub(crate) fn connect(port: u16, answers: Answers) -> Result<Self, String> {
        Ok(Self { stream: connect(port)?, answers, buffer: BytesMut::new() })
    }

    /// Reads partition 0.
    fn run(&mut self, end_offset: i64, until: Instant) -> Result<Done, String> {
        let mut done = Done::default();
        let mut offset = 0;
        while offset < end_offset && Instant::now() < until {
            let asked = Instant::now();
            let answer = self.ask(0, offset)?;
            done.latencies.push(asked.elapsed().as_micros() as u64);
            done.requests += 1;
            match self.answers {
                Answers::Broker => {
                    let (next, whole) = pass(&records_of(&answer)?, offset)?;
                    offset = next;
                    done.bytes += whole;
                }
                Answers::Bare if answer.is_empty() => break,
                Answers::Bare => done.bytes += answer.len(),
            }
        }
        Ok(done)
    }

    /// Asks for what lies at an offset, which must be there.
    pub(crate) fn visit(&mut self, partition: i32, offset: i64) -> Result<(), String> {
        let records = records_of(&self.ask(partition, offset)?)?;
        match pass(&records, offset)? {
            (_, 0) => Err(format!("nothing is at offset {offset}")),
            _ => Ok(()),
        }
    }

    /// The answer to one Fetch, behind its size.
    fn ask(&mut self, partition: i32, offset: i64) -> Result<Bytes, String> {
        let frame = fetch_frame([partition], offset);
        self.stream.write_all(&frame).map_err(lost)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).map_err(lost)?;
        // Takes the room of the answer before, which is gone.
        self.buffer.resize(u32::from_be_bytes(size) as usize, 0);
        self.stream.read_exact(&mut self.buffer).map_err(lost)?;
        Ok(self.buffer.split().freeze())
    }
}

/// A Fetch of partitions from an offset on, without a session; waits for what is not there yet. Give it a
/// correlation id by [`number`](crate::batches::number).
pub(crate) fn fetch_frame(partitions: impl IntoIterator<Item = i32>, offset: i64) -> BytesMut {
    let partition = |partition| FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: PARTITION_BYTES,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: TOPIC.to_owned(),
        partitions: partitions.into_iter().map(partition).collect(),
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: RESPONSE_BYTES,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let mut frame = BytesMut::new();
    write_request(&mut frame, &header(ApiKey::FETCH, FETCH_VERSION), &request);
    frame
}

fn records_of(answer: &Bytes) -> Result<Bytes, String> {
    let api = ApiKey::FETCH.api().ok_or("Fetch is not known")?;
    let mut reader = Reader::new(answer);
    let head = read_response_header(&mut reader, api, FETCH_VERSION);
    let response = FetchResponse::read(&mut reader, FETCH_VERSION);
    let (Ok(_), Ok(mut response)) = (head, response) else {
        return Err("a Fetch is answered by what is none".into());
    };
    let partition = response.responses.pop().and_then(|mut topic| topic.partitions.pop());
    match partition {
        Some(partition) if partition.error_code == ErrorCode::NONE => match partition.records {
            Records::Bytes(records) => Ok(records),
            Records::File(_) => Err("a file on the wire".into()),
        },
        answer => Err(format!("Fetch is answered by {answer:?}")),
    }
}

/// The offset behind the last whole batch, and the bytes of the whole ones. They begin at `offset`, and
/// each where the one before it ends.
fn pass(mut records: &[u8], offset: i64) -> Result<(i64, usize), String> {
    let mut next = offset;
    let mut whole = 0;
    while let Some(batch) = BatchHeader::parse(records) {
        let Some(rest) = records.get(batch.size()..) else { break };
        if batch.base_offset != next {
            return Err(format!("offset {next} is asked for, {} comes", batch.base_offset));
        }
        next = batch.last_offset() + 1;
        whole += batch.size();
        records = rest;
    }
    Ok((next, whole))
}

#[cfg(test)]
mod tests {
    use klamm_core::batch::BatchBuilder;

    use super::*;

    fn batch(base_offset: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.append(0, None, Some(b"one"));
        builder.append(0, None, Some(b"two"));
        builder.encode(base_offset, 0)
    }

    #[test]
    fn a_cut_batch_is_left_for_the_next_fetch() {
        let (first, second) = (batch(4), batch(6));
        let cut = [&first[..], &second[..second.len() - 1]].concat();
        assert_eq!(pass(&cut, 4), Ok((6, first.len())));
    }

    #[test]
    fn batches_that_do_not_follow_are_refused() {
        assert!(pass(&[batch(4), batch(7)].concat(), 4).is_err());
    }
}
