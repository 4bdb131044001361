//! A steady pace: how long a record waits for its acknowledgement, and until its readers have it.
//!
//! A record counts from when it is due, not from when it is sent: a broker that keeps its client from
//! sending gains nothing by it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::batches::{Batch, number};
use crate::producers::{check, read_frame};
use crate::readers::Tail;
use crate::session::{Answers, Bounds, Done, Session, connect, lost};
use crate::workloads::Until;

/// As a client's buffer would be: whoever cannot keep the pace is not flooded, and its records are late.
const UNANSWERED_MAX: usize = 500;

/// A producer, and those who wait for its records.
pub(crate) struct Pair {
    stream: TcpStream,
    answers: Answers,
    batch: Batch,
    frame: BytesMut,
    interval: Duration,
    tails: Vec<Tail>,
    sent: i32,
}

impl Pair {
    pub(crate) fn connect(
        port: u16,
        answers: Answers,
        value_bytes: usize,
        per_second: u32,
        until: Until,
    ) -> Result<Self, String> {
        let batch = Batch::new(value_bytes, 0);
        let readers = match until {
            Until::Acknowledged => 0,
            Until::Read { readers } => readers,
        };
        Ok(Self {
            stream: connect(port)?,
            answers,
            frame: batch.frame([0], -1),
            batch,
            interval: Duration::from_secs(1) / per_second,
            tails: (0..readers).map(|_| Tail::connect(port)).collect::<Result<_, _>>()?,
            sent: 0,
        })
    }

    /// Sends as long as `goes_on` says so, once at least. The latencies are those of the readers, where there are
    /// some.
    pub(crate) fn run_while(&mut self, goes_on: impl Fn() -> bool) -> Result<Done, String> {
        let first = self.sent;
        let pace = Pace { first: first.into(), begun: Instant::now(), interval: self.interval };
        let mut answers = self.stream.try_clone().map_err(lost)?;
        let kind = self.answers;
        // Not known before the last record is sent.
        let end_offset = &AtomicI64::new(i64::MAX);
        let (sender, unanswered) = sync_channel(UNANSWERED_MAX);
        let tails = &mut self.tails;
        let (stream, frame, sent) = (&mut self.stream, &mut self.frame, &mut self.sent);
        let (elapsed, mut latencies) = thread::scope(|scope| {
            let answered = scope.spawn(move || pace.take_answers(&mut answers, kind, &unanswered));
            let reading: Vec<_> =
                tails.iter_mut().map(|tail| scope.spawn(|| pace.read(tail, end_offset))).collect();
            let mut sending = || {
                while goes_on() || *sent == first {
                    thread::sleep(pace.due(*sent).saturating_duration_since(Instant::now()));
                    number(frame, *sent);
                    // Ends when the other side has failed, which tells why.
                    if sender.send(*sent).is_err() {
                        break;
                    }
                    stream.write_all(frame).map_err(lost)?;
                    *sent += 1;
                }
                Ok::<_, String>(())
            };
            let all_sent = sending();
            drop(sender);
            end_offset.store((*sent).into(), Ordering::Release);
            let answered = answered.join().expect("who takes answers does not panic");
            let elapsed = pace.begun.elapsed();
            let read =
                reading.into_iter().map(|read| read.join().expect("a reader does not panic"));
            let read = read.collect::<Result<Vec<_>, _>>();
            all_sent?;
            let (answered, read) = (answered?, read?);
            Ok::<_, String>((elapsed, if read.is_empty() { answered } else { read.concat() }))
        })?;
        latencies.sort_unstable();
        let requests = (self.sent - first) as usize;
        let bytes = requests * self.batch.bytes.len();
        Ok(Done { elapsed, requests, bytes, stored: bytes, latencies })
    }
}

impl Session for Pair {
    /// Sends until the time is over.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        self.run_while(|| begun.elapsed() < bounds.time)
    }
}

/// When each record is due. Its number is its offset.
#[derive(Clone, Copy)]
struct Pace {
    first: i64,
    begun: Instant,
    interval: Duration,
}

impl Pace {
    fn due(&self, number: impl Into<i64>) -> Instant {
        self.begun + self.interval * (number.into() - self.first) as u32
    }

    fn late_us(&self, number: impl Into<i64>) -> u64 {
        self.due(number).elapsed().as_micros() as u64
    }

    fn take_answers(
        &self,
        stream: &mut TcpStream,
        kind: Answers,
        unanswered: &Receiver<i32>,
    ) -> Result<Vec<u64>, String> {
        let take = |number: i32| {
            check(&read_frame(stream)?, kind, number, number.into())?;
            Ok(self.late_us(number))
        };
        unanswered.iter().map(take).collect()
    }

    fn read(&self, tail: &mut Tail, end_offset: &AtomicI64) -> Result<Vec<u64>, String> {
        let mut latencies = Vec::new();
        while tail.offset < end_offset.load(Ordering::Acquire) {
            let next = tail.offset;
            tail.read()?;
            latencies.extend((next..tail.offset).map(|at| self.late_us(at)));
        }
        Ok(latencies)
    }
}
