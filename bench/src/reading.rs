//! A consumer: one Fetch after the other, each from where the one before it ended; every batch's header is
//! looked at, and nothing else of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, Records};
use klamm_core::batch::BatchHeader;
use klamm_core::codec::{Message, Reader};
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{read_response_header, write_request};

use crate::workload::{TOPIC, header};

/// The newest version in which topics go by name.
const FETCH_VERSION: i16 = 12;

/// What a Java consumer asks for: of one partition, and in all.
pub(crate) const PARTITION_BYTES: i32 = 1 << 20;
const RESPONSE_BYTES: i32 = 50 << 20;

/// No answer may take this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A broker, which knows offsets.
    Broker,
    /// The bare loop, which knows the next piece.
    Bare,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Got {
    /// Of records, by all readers together.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

/// Readers of partition 0, each on a connection of its own.
pub(crate) struct Readers(Vec<Lane>);

impl Readers {
    /// Connects them.
    pub(crate) fn connect(port: u16, source: Source, count: usize) -> Result<Self, String> {
        (0..count).map(|_| Lane::connect(port, source)).collect::<Result<_, _>>().map(Self)
    }

    /// Each reads from the begin up to `end_offset`, or until `time` is over. Of the bare loop, once.
    pub(crate) fn run(&mut self, end_offset: i64, time: Duration) -> Result<Got, String> {
        let begun = Instant::now();
        let results: Vec<Result<u64, String>> = thread::scope(|scope| {
            let lanes = self.0.iter_mut();
            let threads: Vec<_> =
                lanes.map(|lane| scope.spawn(move || lane.run(end_offset, begun + time))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a reader does not panic"))
                .collect()
        });
        let elapsed = begun.elapsed();
        let bytes = results.into_iter().sum::<Result<u64, String>>()?;
        Ok(Got { bytes, elapsed })
    }
}

/// A reader of what comes.
pub(crate) struct Tail {
    lane: Lane,
    offset: i64,
}

impl Tail {
    pub(crate) fn connect(port: u16) -> Result<Self, String> {
        Ok(Self { lane: Lane::connect(port, Source::Broker)?, offset: 0 })
    }

    /// Waits a little for what comes next; gives the offset behind it.
    pub(crate) fn read(&mut self) -> Result<i64, String> {
        let records = records_of(&self.lane.ask(self.offset)?)?;
        (self.offset, _) = pass(&records, self.offset)?;
        Ok(self.offset)
    }
}

struct Lane {
    stream: TcpStream,
    source: Source,
    /// Where answers come to; used again and again.
    buffer: BytesMut,
}

impl Lane {
    fn connect(port: u16, source: Source) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
        Ok(Self { stream, source, buffer: BytesMut::new() })
    }

    fn run(&mut self, end_offset: i64, until: Instant) -> Result<u64, String> {
        let mut bytes = 0;
        let mut offset = 0;
        while offset < end_offset && Instant::now() < until {
            let answer = self.ask(offset)?;
            let records = match self.source {
                Source::Broker => records_of(&answer)?,
                Source::Bare => answer,
            };
            if records.is_empty() && self.source == Source::Bare {
                break;
            }
            if self.source == Source::Broker {
                let (next, whole) = pass(&records, offset)?;
                offset = next;
                bytes += whole;
            } else {
                bytes += records.len() as u64;
            }
        }
        Ok(bytes)
    }

    /// The answer to one Fetch, behind its size.
    fn ask(&mut self, offset: i64) -> Result<Bytes, String> {
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header(ApiKey::FETCH, FETCH_VERSION), &request(offset));
        self.stream.write_all(&frame).map_err(lost)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).map_err(lost)?;
        // Takes the room of the answer before, which is gone.
        self.buffer.resize(u32::from_be_bytes(size) as usize, 0);
        self.stream.read_exact(&mut self.buffer).map_err(lost)?;
        Ok(self.buffer.split().freeze())
    }
}

/// One partition, without a session; waits for what is not there yet.
fn request(offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: offset,
        partition_max_bytes: PARTITION_BYTES,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: TOPIC.to_owned(),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: RESPONSE_BYTES,
        topics: vec![topic],
        ..FetchRequest::default()
    }
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
fn pass(mut records: &[u8], offset: i64) -> Result<(i64, u64), String> {
    let mut next = offset;
    let mut whole = 0;
    while let Some(batch) = BatchHeader::parse(records) {
        let Some(rest) = records.get(batch.size()..) else { break };
        if batch.base_offset != next {
            return Err(format!("offset {next} is asked for, {} comes", batch.base_offset));
        }
        next = batch.last_offset() + 1;
        whole += batch.size() as u64;
        records = rest;
    }
    Ok((next, whole))
}

fn lost(error: std::io::Error) -> String {
    format!("the measured process does not answer: {error}")
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
        assert_eq!(pass(&cut, 4), Ok((6, first.len() as u64)));
    }

    #[test]
    fn batches_that_do_not_follow_are_refused() {
        assert!(pass(&[batch(4), batch(7)].concat(), 4).is_err());
    }
}
