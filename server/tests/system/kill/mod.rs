//! `kill -9` and SIGSTOP at random moments in the life of the real binary, again and again: the model
//! clients of the simulation work over real sockets, and its checkers judge what they were told, what a
//! later life tells, and what lies in the files.
//!
//! A kill leaves the page cache, so both durabilities promise the same here. The moments, and what clients
//! do, come from a seed that is printed first: it repeats the plan, not the machine's timing.
//!
//! `KLAMM_KILLS` and `KLAMM_KILL_RECORDS` set how many rounds there are and how many appends are acknowledged
//! in all, `KLAMM_KILL_SEED` repeats a plan. `KLAMM_KILL_CLIENT` names a program, by its whole path, that is a real
//! client and tells its history.

mod broken;
mod moments;
mod outside;
mod trial;

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use klamm_sim::client::Client;
use klamm_sim::options::Options;

use crate::directory::{Directory, Topic};
use crate::process::Server;
use broken::Fault;
use outside::Outside;
use trial::Trial;

const KEPT: Topic = Topic { name: "kept", id: 7, partitions: 3 };

/// Only a client outside writes to it: nobody deletes what it is about to read.
const APART: Topic = Topic { name: "apart", id: 8, partitions: 3 };

on_each_driver! {
    promises_outlive_kills,
    promises_outlive_kills_under_page_cache,
}

fn promises_outlive_kills(driver: &str) {
    keep_promises(driver, "durable");
}

fn promises_outlive_kills_under_page_cache(driver: &str) {
    keep_promises(driver, "page-cache");
}

fn keep_promises(driver: &str, durability: &str) {
    let (rounds, appends) = (setting("KLAMM_KILLS", 3), setting("KLAMM_KILL_RECORDS", 600));
    let seed = setting("KLAMM_KILL_SEED", seed_of_now());
    println!("KLAMM_KILL_SEED={seed} KLAMM_KILLS={rounds}: {driver}, {durability}");
    let directory = directory(durability);
    let outside = env::var("KLAMM_KILL_CLIENT").ok().map(|program| {
        let port = free_port();
        directory.set("listeners", &format!("PLAINTEXT://:{port},CONTROLLER://:9093"));
        Outside::start(&program, port, "apart:3", "apart:3,kept:3")
    });
    let command = Server::command(&directory.properties(), driver);
    let trial = Trial::new(directory, command, options(), clients(), seed).with_outside(outside);
    match trial.run(rounds, appends) {
        Ok(report) => println!("{driver}, {durability}: {report}"),
        Err(trouble) => panic!("KLAMM_KILL_SEED={seed}, {driver}, {durability}: {trouble}"),
    }
}

#[test]
fn a_server_that_drops_writes_is_caught() {
    assert_caught(Fault::DropsWrites);
}

#[test]
fn a_server_that_answers_before_it_writes_is_caught() {
    assert_caught(Fault::WritesLate);
}

/// An acknowledged record is missed, a log that nobody has killed has a hole, or the broker itself misses
/// what it wrote.
fn assert_caught(fault: Fault) {
    let directory = directory("durable");
    let command = broken::command(&directory, fault);
    let producers = (0..3).map(|number| Client::new(number, ENDLESS)).collect();
    let trouble = Trial::new(
        directory,
        command,
        Options { acks_none_per_mille: 0, ..options() },
        producers,
        1,
    )
    .run(20, 600)
    .expect_err("a broken server");
    assert!(trouble.is_of_lost_writes(), "{trouble}");
}

/// More requests than any client comes to send.
const ENDLESS: u64 = 1 << 40;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// One that a server may have again and again: clients come back to it.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is one");
    listener.local_addr().expect("it is bound").port()
}

fn seed_of_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::from(since.subsec_nanos()) ^ since.as_secs() << 20
}

/// Logs that roll by time, and whose periodic work falls into every round.
fn directory(durability: &str) -> Directory {
    let directory = Directory::new(&[KEPT, APART]);
    for (key, value) in [
        ("klamm.durability", durability),
        ("log.roll.ms", "300"),
        ("log.initial.task.delay.ms", "20"),
        ("log.retention.check.interval.ms", "50"),
        ("log.segment.delete.delay.ms", "20"),
        ("log.index.interval.bytes", "500"),
        ("log.flush.offset.checkpoint.interval.ms", "40"),
        ("log.flush.start.offset.checkpoint.interval.ms", "40"),
    ] {
        directory.set(key, value);
    }
    directory
}

fn options() -> Options {
    Options {
        pipeline: 8,
        request_partitions_max: 3,
        batch_records_max: 4,
        value_bytes_max: 300,
        acks_none_per_mille: 50,
        query_per_mille: 30,
        compressed_per_mille: 200,
        keyed_per_mille: 300,
        resent_per_mille: 30,
        reset_per_mille: 3,
        session_per_mille: 500,
        seek_per_mille: 30,
        fetch_wait_ms_max: 200,
        tiny_fetches: 1,
        delete_per_mille: 100,
        nonsense_per_mille: 50,
        passing_topics: 2,
        passing_partitions: 2,
        ..Options::default()
    }
}

fn clients() -> Vec<Client> {
    let makers: [fn(usize, u64) -> Client; 8] = [
        Client::new,
        Client::new,
        Client::idempotent,
        Client::idempotent,
        Client::consumer,
        Client::consumer,
        Client::inquirer,
        Client::administrator,
    ];
    (0..).zip(makers).map(|(number, make)| make(number, ENDLESS)).collect()
}
