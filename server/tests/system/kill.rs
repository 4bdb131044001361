//! `kill -9` in the middle of writing and reading, again and again: what was acknowledged is there, and so is
//! what a reader has seen.
//!
//! `KLAMM_KILLS` and `KLAMM_KILL_RECORDS` set how often and how many acknowledged records in all.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::client::{Client, Reader};
use crate::directory::{Directory, Topic};
use crate::encode::{Bytes, batch_of};
use crate::process::Server;

const TOPIC: Topic = Topic { name: "kept", id: 7, partitions: 3 };

/// Requests of one connection that are out at once: a kill finds some in every stage.
const PIPELINE: usize = 8;

/// One acknowledged record: its offset, and the number that its value tells.
type Acknowledged = (i64, u64);

on_each_driver! {
    no_acknowledged_record_is_lost_by_a_kill,
    no_acknowledged_record_is_lost_by_a_kill_under_page_cache,
}

fn no_acknowledged_record_is_lost_by_a_kill(driver: &str) {
    kill_again_and_again(&Directory::new(&[TOPIC]), driver);
}

/// What the operating system has is there after a kill, too.
fn no_acknowledged_record_is_lost_by_a_kill_under_page_cache(driver: &str) {
    let directory = Directory::new(&[TOPIC]);
    directory.set("klamm.durability", "page-cache");
    kill_again_and_again(&directory, driver);
}

fn kill_again_and_again(directory: &Directory, driver: &str) {
    let kills = setting("KLAMM_KILLS", 3);
    let records = setting("KLAMM_KILL_RECORDS", 600);
    let mut writers: Vec<Writer> = (0..TOPIC.partitions).map(Writer::new).collect();
    let mut followers: Vec<Follower> = (0..TOPIC.partitions).map(Follower::new).collect();
    for _ in 0..kills {
        let server = Server::start(&directory.properties(), driver);
        check(directory, &writers, Tail::Recovered);
        check_by_reading(server.port, &writers, &mut followers);
        work_until_killed(server, &mut writers, &mut followers, records.div_ceil(kills));
        check(directory, &writers, Tail::Torn);
    }
    let acknowledged: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    let seen: usize = followers.iter().map(|follower| follower.numbers.len()).sum();
    assert!(acknowledged >= records && seen > 0, "{acknowledged} of {records}, {seen} read");
    println!("{kills} kills, {acknowledged} acknowledged records, {seen} read, none lost");

    let server = Server::start(&directory.properties(), driver);
    check(directory, &writers, Tail::Recovered);
    check_by_reading(server.port, &writers, &mut followers);
    server.kill();
}

fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// All write and read at once; when `count` records are acknowledged in this round, the server is killed.
fn work_until_killed(
    server: Server,
    writers: &mut [Writer],
    followers: &mut [Follower],
    count: usize,
) {
    let acknowledged = AtomicUsize::new(0);
    let port = server.port;
    thread::scope(|scope| {
        for follower in followers {
            scope.spawn(|| follower.read_until_closed(port));
        }
        let running: Vec<_> = writers
            .iter_mut()
            .map(|writer| scope.spawn(|| writer.write_until_closed(port, &acknowledged)))
            .collect();
        while acknowledged.load(Ordering::Relaxed) < count {
            assert!(running.iter().all(|one| !one.is_finished()), "closed before the kill");
            thread::yield_now();
        }
        server.kill();
    });
}

/// Writes one partition, each record once, with numbers that rise.
struct Writer {
    partition: i32,
    next: u64,
    acknowledged: Vec<Acknowledged>,
}

impl Writer {
    fn new(partition: i32) -> Self {
        Self { partition, next: 0, acknowledged: Vec::new() }
    }

    fn write_until_closed(&mut self, port: u16, acknowledged: &AtomicUsize) {
        let mut client = Client::connect(port);
        let mut open = std::collections::VecDeque::new();
        loop {
            while open.len() < PIPELINE {
                let number = self.next;
                self.next += 1;
                if client.send(0, 11, &self.request(number)).is_err() {
                    return;
                }
                open.push_back(number);
            }
            let Ok(Some(frame)) = client.receive() else { return };
            let number = open.pop_front().expect("one answer for each request");
            self.acknowledged.push((base_offset(&frame), number));
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn request(&self, number: u64) -> Bytes {
        let batch = batch_of(&[format!("record {number:020}").as_bytes()]);
        Bytes::new()
            .raw(&[0])
            .i16(-1)
            .i32(30_000)
            .compact_array(1)
            .compact_string(TOPIC.name)
            .compact_array(1)
            .i32(self.partition)
            .uvarint(batch.len() as u32 + 1)
            .raw(&batch)
            .no_tags()
            .no_tags()
            .no_tags()
    }
}

/// Reads one partition from its begin on.
struct Follower {
    partition: i32,
    /// Of the records read, by offset.
    numbers: Vec<u64>,
}

impl Follower {
    /// How long a Fetch waits for a record.
    const WAIT_MS: i32 = 10_000;

    fn new(partition: i32) -> Self {
        Self { partition, numbers: Vec::new() }
    }

    fn read_until_closed(&mut self, port: u16) {
        let mut client = Client::connect(port);
        while self.read_on(&mut client, Self::WAIT_MS).is_some() {}
    }

    /// By one Fetch; how many records came, or `None` when the connection has ended.
    fn read_on(&mut self, client: &mut Client, wait_ms: i32) -> Option<usize> {
        client.send(1, 12, &self.request(wait_ms)).ok()?;
        let frame = client.receive().ok()??;
        let numbers = numbers_in(records(&frame), self.numbers.len() as i64).0;
        self.numbers.extend(&numbers);
        Some(numbers.len())
    }

    fn request(&self, wait_ms: i32) -> Bytes {
        Bytes::new()
            .i32(-1)
            .i32(wait_ms)
            .i32(1)
            .i32(1 << 20)
            .i8(0)
            .i32(0)
            .i32(-1)
            .compact_array(1)
            .compact_string(TOPIC.name)
            .compact_array(1)
            .i32(self.partition)
            .i32(-1)
            .i64(self.numbers.len() as i64)
            .i32(-1)
            .i64(-1)
            .i32(1 << 20)
            .no_tags()
            .no_tags()
            .compact_array(0)
            .compact_string("")
            .no_tags()
    }
}

/// The records of a Fetch answer that must be a success.
fn records(frame: &[u8]) -> &[u8] {
    let mut reader = Reader(frame);
    // Correlation id, tags, throttle time.
    reader.skip(4 + 1 + 4);
    assert_eq!(reader.i16(), 0, "an error while reading");
    // Session, one topic, its name, one partition, its index.
    reader.skip(4 + 1 + 1 + TOPIC.name.len() + 1 + 4);
    assert_eq!(reader.i16(), 0, "an error of the partition while reading");
    // High watermark, last stable offset, log start, no aborted transactions, preferred replica.
    reader.skip(8 + 8 + 8 + 1 + 4);
    let size = reader.uvarint();
    assert_ne!(size, 0, "null records");
    &reader.0[..size as usize - 1]
}

/// The offset of an answer that must be a success.
fn base_offset(frame: &[u8]) -> i64 {
    let mut reader = Reader(frame);
    // Correlation id, tags, one topic, its name, one partition, its index.
    reader.skip(4 + 1 + 1 + 1 + TOPIC.name.len() + 1 + 4);
    assert_eq!(reader.i16(), 0, "an error while writing");
    reader.i64()
}

/// What may lie behind the last whole batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Anything: the server was killed there.
    Torn,
    /// Nothing: recovery has cut it off.
    Recovered,
}

/// Reads the logs as files: offsets without a gap, no number twice, each acknowledged one in its place.
fn check(directory: &Directory, writers: &[Writer], tail: Tail) {
    for writer in writers {
        let log = directory.segment_bytes(TOPIC.name, writer.partition);
        let (numbers, rest) = numbers_in(&log, 0);
        for (offset, number) in &writer.acknowledged {
            let found = numbers.get(*offset as usize);
            assert_eq!(found, Some(number), "partition {} offset {offset}", writer.partition);
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "a record stands twice or out of order");
        assert!(tail == Tail::Torn || rest == 0, "{rest} bytes behind the last batch");
    }
}

/// Reads each partition from its begin: it holds what followers have seen before, in its place, and each
/// acknowledged record. Followers then stand at the end.
fn check_by_reading(port: u16, writers: &[Writer], followers: &mut [Follower]) {
    let mut client = Client::connect(port);
    for (writer, follower) in writers.iter().zip(followers) {
        let mut all = Follower::new(follower.partition);
        while all.read_on(&mut client, 0).expect("connected") > 0 {}
        let seen = &follower.numbers;
        assert!(all.numbers.starts_with(seen), "partition {}: seen, then gone", all.partition);
        for (offset, number) in &writer.acknowledged {
            let found = all.numbers.get(*offset as usize);
            assert_eq!(found, Some(number), "partition {} offset {offset} read", all.partition);
        }
        *follower = all;
    }
}

/// The numbers of the records of batches from an offset on, and how many bytes lie behind the last batch
/// that follows the one before it.
fn numbers_in(mut log: &[u8], first_offset: i64) -> (Vec<u64>, usize) {
    const RECORDS: usize = 61;
    let mut numbers = Vec::new();
    while log.len() >= RECORDS {
        let mut reader = Reader(log);
        let base_offset = reader.i64();
        let size = 12 + reader.i32() as usize;
        let Some((batch, rest)) = log.split_at_checked(size) else { break };
        if base_offset != first_offset + numbers.len() as i64 || size < RECORDS {
            break;
        }
        let text = String::from_utf8_lossy(&batch[RECORDS..]);
        let Some((_, number)) = text.split_once("record ") else { break };
        let Some(number) = number.get(..20).and_then(|digits| digits.parse().ok()) else { break };
        numbers.push(number);
        log = rest;
    }
    (numbers, log.len())
}
