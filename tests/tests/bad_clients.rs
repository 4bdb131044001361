//! Clients that stall, drip, vanish or flood: each driver keeps its limits and serves the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::config::{Config, Limits};
use klamm_runtime::Handle;
use klamm_tests::driver::{Driver, TempDir, api_versions, connect, read_frame, stop};
use klamm_tests::on_each_driver;
use klamm_tests::recorded::{exchanges, topics};

on_each_driver! {
    a_silent_connection_is_closed_and_a_lively_one_stays,
    a_peer_that_never_reads_is_closed_when_nothing_moves,
    a_frame_that_drips_is_cut_off_in_time,
    resets_in_mid_frame_leak_nothing,
    pipelining_clients_share_a_budget_of_two_requests,
    who_goes_away_while_queued_lets_the_next_one_in,
    a_frame_above_the_limit_closes_its_connection,
    beyond_the_most_connections_the_next_waits_for_one_to_end,
}

/// Far above the limits under test, far below a test's patience.
const LATE: Duration = Duration::from_secs(10);

fn served(driver: Driver, dir: &TempDir, limits: Limits) -> Handle {
    driver.serve(Config { limits, ..dir.config() })
}

fn assert_answered(stream: &mut TcpStream, correlation_id: i32) {
    stream.write_all(&api_versions(correlation_id)).expect("sent");
    let answer = read_frame(stream).expect("answered");
    assert_eq!(answer[..4], correlation_id.to_be_bytes());
}

/// Waits for the server's end of the connection; how long it took.
fn wait_for_end(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
    begun.elapsed()
}

fn a_silent_connection_is_closed_and_a_lively_one_stays(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { connection_idle_ms: Some(400), ..Limits::default() };
    let handle = served(driver, &dir, limits);
    let mut lively = connect(&handle);
    let mut silent = connect(&handle);
    assert_answered(&mut silent, 0);
    let waiting = thread::spawn(move || wait_for_end(&mut silent));
    for id in 0..10 {
        assert_answered(&mut lively, id);
        thread::sleep(Duration::from_millis(100));
    }
    let waited = waiting.join().expect("closed");
    assert!(waited > Duration::from_millis(300) && waited < LATE, "{waited:?}");
    assert!(wait_for_end(&mut lively) < LATE);
    stop(handle);
}

fn a_peer_that_never_reads_is_closed_when_nothing_moves(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits {
        connection_idle_ms: Some(400),
        connections_max: 1,
        unsent_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let handle = served(driver, &dir, limits);
    let mut greedy = connect(&handle);
    greedy.set_write_timeout(Some(Duration::from_millis(100))).expect("set");
    let requests: Vec<u8> = (0..2_000).flat_map(api_versions).collect();
    // Until the server takes no more, because its answers are not taken.
    let mut sent = 0;
    while let Ok(count) = greedy.write(&requests[sent % requests.len()..]) {
        sent += count;
        assert!(sent < 256 << 20, "what is unsent has a bound");
    }
    // There is room for one: this one is accepted when the other has ended.
    let mut next = connect(&handle);
    assert_answered(&mut next, 1);
    drop(greedy);
    stop(handle);
}

fn a_frame_that_drips_is_cut_off_in_time(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { frame_timeout_ms: 400, ..Limits::default() };
    let handle = served(driver, &dir, limits);
    let mut stream = connect(&handle);
    let begun = Instant::now();
    stream.write_all(&[0, 1, 0, 0]).expect("a size");
    while stream.write_all(&[0]).is_ok() {
        assert!(begun.elapsed() < LATE, "a drip buys no time");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(begun.elapsed() > Duration::from_millis(300), "{:?}", begun.elapsed());
    let mut size_only = connect(&handle);
    size_only.write_all(&[0, 0]).expect("half a size");
    assert!(wait_for_end(&mut size_only) < LATE);
    stop(handle);
}

fn resets_in_mid_frame_leak_nothing(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { request_budget_bytes: 1_000, ..Limits::default() };
    let handle = served(driver, &dir, limits);
    for sent in 0..60 {
        let mut stream = connect(&handle);
        // It answers one, so it has begun with the next.
        assert_answered(&mut stream, sent);
        stream.write_all(&[&[0, 0, 3, 0x84], &vec![0; sent as usize * 10][..]].concat()).expect("");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("set");
        // Closed without lingering: a reset.
    }
    // This one needs all of the budget.
    let mut whole = vec![0, 0, 3, 0xe8, 0, 18, 0, 0, 0, 0, 0, 7, 3, 0xde];
    whole.resize(4 + 1_000, b'x');
    let mut stream = connect(&handle);
    stream.write_all(&whole).expect("sent");
    assert_eq!(read_frame(&mut stream).expect("answered")[..4], 7_i32.to_be_bytes());
    stop(handle);
}

fn pipelining_clients_share_a_budget_of_two_requests(driver: Driver) {
    let request =
        exchanges().find(|one| one.name == "produce.v11.one-record").expect("recorded").request;
    let dir = TempDir::new();
    dir.put_topics(&topics());
    let limits = Limits { request_budget_bytes: 2 * request.len(), ..Limits::default() };
    let handle = served(driver, &dir, limits);
    thread::scope(|scope| {
        for _ in 0..8 {
            let mut stream = connect(&handle);
            let request = &request;
            scope.spawn(move || {
                stream.write_all(&request.repeat(50)).expect("sent");
                for _ in 0..50 {
                    let answer = read_frame(&mut stream).expect("answered");
                    assert_eq!(answer[..4], request[8..12]);
                    // Tags, one topic `p`, one partition, its index: then its error.
                    assert_eq!(answer[4 + 1 + 1 + 2 + 1 + 4..][..2], [0, 0]);
                }
            });
        }
    });
    stop(handle);
}

fn who_goes_away_while_queued_lets_the_next_one_in(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { request_budget_bytes: 1_000, connections_max: 2, ..Limits::default() };
    let handle = served(driver, &dir, limits);
    let size = 900_u32.to_be_bytes();
    let mut holder = connect(&handle);
    assert_answered(&mut holder, 1);
    holder.write_all(&size).expect("sent");
    thread::sleep(Duration::from_millis(50));
    let mut queued = connect(&handle);
    queued.write_all(&size).expect("sent");
    thread::sleep(Duration::from_millis(50));
    rustix::net::sockopt::set_socket_linger(&queued, Some(Duration::ZERO)).expect("set");
    drop(queued);
    // It needs the place of the one that has gone, and would stand behind it in the queue.
    let mut next = connect(&handle);
    assert_answered(&mut next, 2);
    stop(handle);
}

fn a_frame_above_the_limit_closes_its_connection(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { frame_bytes_max: 200, ..Limits::default() };
    let handle = served(driver, &dir, limits);
    let mut other = connect(&handle);
    let mut stream = connect(&handle);
    let mut largest = vec![0, 0, 0, 200, 0, 18, 0, 0, 0, 0, 0, 9, 0, 190];
    largest.resize(4 + 200, b'x');
    stream.write_all(&largest).expect("sent");
    assert_eq!(read_frame(&mut stream).expect("answered")[..4], 9_i32.to_be_bytes());
    stream.write_all(&[0, 0, 0, 201]).expect("sent");
    assert!(wait_for_end(&mut stream) < LATE);
    assert_answered(&mut other, 1);
    stop(handle);
}

fn beyond_the_most_connections_the_next_waits_for_one_to_end(driver: Driver) {
    let dir = TempDir::new();
    let limits = Limits { connections_max: 3, ..Limits::default() };
    let handle = served(driver, &dir, limits);
    let mut streams: Vec<TcpStream> = (0..3).map(|_| connect(&handle)).collect();
    for stream in &mut streams {
        assert_answered(stream, 1);
    }
    let mut next = connect(&handle);
    next.write_all(&api_versions(2)).expect("it waits in the backlog");
    next.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    let early = next.read(&mut [0]).expect_err("not accepted");
    assert!(matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early}");
    drop(streams.pop());
    next.set_read_timeout(Some(LATE)).expect("set");
    assert_eq!(read_frame(&mut next).expect("answered")[..4], 2_i32.to_be_bytes());
    for stream in &mut streams {
        assert_answered(stream, 3);
    }
    stop(handle);
}
