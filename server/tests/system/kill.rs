//! `kill -9` in the middle of writing, again and again: what was acknowledged is there.
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
    for _ in 0..kills {
        let server = Server::start(&directory.properties(), driver);
        check(directory, &writers, Tail::Recovered);
        write_until_killed(server, &mut writers, records.div_ceil(kills));
        check(directory, &writers, Tail::Torn);
    }
    let acknowledged: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    assert!(acknowledged >= records, "{acknowledged} of {records}");
    println!("{kills} kills, {acknowledged} acknowledged records, none lost");

    let server = Server::start(&directory.properties(), driver);
    check(directory, &writers, Tail::Recovered);
    server.kill();
}

fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// All write at once; when `count` records are acknowledged in this round, the server is killed.
fn write_until_killed(server: Server, writers: &mut [Writer], count: usize) {
    let acknowledged = AtomicUsize::new(0);
    let port = server.port;
    thread::scope(|scope| {
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
        let (numbers, rest) = numbers_in(&log);
        for (offset, number) in &writer.acknowledged {
            let found = numbers.get(*offset as usize);
            assert_eq!(found, Some(number), "partition {} offset {offset}", writer.partition);
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "a record stands twice or out of order");
        assert!(tail == Tail::Torn || rest == 0, "{rest} bytes behind the last batch");
    }
}

/// The numbers of a segment's records, by offset, and how many bytes lie behind the last batch that
/// follows the one before it.
fn numbers_in(mut log: &[u8]) -> (Vec<u64>, usize) {
    const RECORDS: usize = 61;
    let mut numbers = Vec::new();
    while log.len() >= RECORDS {
        let mut reader = Reader(log);
        let base_offset = reader.i64();
        let size = 12 + reader.i32() as usize;
        let Some((batch, rest)) = log.split_at_checked(size) else { break };
        if base_offset != numbers.len() as i64 || size < RECORDS {
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
