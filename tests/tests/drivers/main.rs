//! Each driver with the real broker, over real sockets and a real directory.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail like the test itself")]

mod cluster;
mod disk;
mod fetch;
mod groups;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::broker::image::Image;
use klamm_core::effect::{FileRef, IoError, Operation, OperationResult, Path};
use klamm_core::ids::{ConnectionId, EffectId};
use klamm_core::request::Response;
use klamm_core::time::Now;
use klamm_core::{Exit, Output};
use klamm_runtime::{Input, Machine, Options, Recorder, StartError};
use klamm_tests::driver::{Driver, TempDir, api_versions, connect, read_frame, stop};
use klamm_tests::on_each_driver;

on_each_driver! {
    api_versions_is_answered_pipelined_and_half_closed,
    port_zero_becomes_a_number_and_a_taken_port_is_known_at_once,
    many_connections_are_served_at_once,
    a_request_in_single_bytes_is_answered,
    a_bad_frame_closes_after_the_answers_before_it,
    answers_reach_a_peer_whose_last_bytes_are_not_read,
    connections_that_share_a_small_budget_are_all_served,
    shutdown_does_not_wait_for_a_peer_that_does_not_read,
    a_second_broker_in_the_same_directory_is_refused,
    a_directory_that_cannot_be_used_ends_the_server,
    a_recorder_sees_operations_end_before_answers_leave,
}

fn api_versions_is_answered_pipelined_and_half_closed(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    stream.write_all(&api_versions(7)).unwrap();
    assert_eq!(&read_frame(&mut stream).unwrap()[..4], 7_i32.to_be_bytes());

    let requests: Vec<u8> = (0..500).flat_map(api_versions).collect();
    stream.write_all(&requests).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for id in 0..500_i32 {
        assert_eq!(&read_frame(&mut stream).unwrap()[..4], id.to_be_bytes());
    }
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0, "closed after the last answer");
    stop(handle);
}

fn port_zero_becomes_a_number_and_a_taken_port_is_known_at_once(driver: Driver) {
    let (dir, other) = (TempDir::new(), TempDir::new());
    let handle = driver.serve(dir.config());
    let (name, address) = handle.addresses()[0].clone();
    assert_eq!(name, "PLAINTEXT");
    assert_ne!(address.port(), 0);

    let mut config = other.config();
    config.listeners[0].port = address.port();
    let Err(StartError::Bind { port, error, .. }) = driver.start(config, Options::default()) else {
        panic!("the port is taken");
    };
    assert_eq!((port, error.kind()), (address.port(), ErrorKind::AddrInUse));
    stop(handle);
}

fn many_connections_are_served_at_once(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut streams: Vec<_> = (0..60).map(|_| connect(&handle)).collect();
    for round in 0..5 {
        for (stream, id) in streams.iter_mut().zip(round..) {
            stream.write_all(&api_versions(id)).unwrap();
        }
        for (stream, id) in streams.iter_mut().zip(round..) {
            assert_eq!(read_frame(stream).unwrap()[..4], id.to_be_bytes());
        }
    }
    stop(handle);
}

fn a_request_in_single_bytes_is_answered(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    for byte in api_versions(3) {
        stream.write_all(&[byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(read_frame(&mut stream).unwrap()[..4], 3_i32.to_be_bytes());
    stop(handle);
}

fn a_bad_frame_closes_after_the_answers_before_it(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    let mut bytes = api_versions(1);
    bytes.extend_from_slice(&[0xff; 4]);
    stream.write_all(&bytes).unwrap();
    assert_eq!(read_frame(&mut stream).unwrap()[..4], 1_i32.to_be_bytes());
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    stop(handle);
}

fn answers_reach_a_peer_whose_last_bytes_are_not_read(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    let mut bytes = api_versions(1);
    bytes.extend_from_slice(&[0xff; 4]);
    bytes.resize(4 << 20, 0xee);
    stream.write_all(&bytes).unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(read_frame(&mut stream).unwrap()[..4], 1_i32.to_be_bytes());
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0, "closed, not reset");
    stop(handle);
}

fn connections_that_share_a_small_budget_are_all_served(driver: Driver) {
    let dir = TempDir::new();
    let mut config = dir.config();
    // Room for two requests, while sixteen are begun; some of their peers go away.
    config.limits.request_budget_bytes = 25;
    let handle = driver.serve(config);
    let mut streams: Vec<_> = (0..16).map(|_| connect(&handle)).collect();
    for stream in &mut streams {
        stream.write_all(&api_versions(1)[..9]).unwrap();
    }
    let mut served = Vec::new();
    for (n, mut stream) in streams.into_iter().enumerate() {
        if n % 3 == 0 {
            continue;
        }
        let request = api_versions(1);
        stream.write_all(&[&request[9..], &request].concat()).unwrap();
        served.push(thread::spawn(move || {
            for _ in 0..2 {
                assert_eq!(read_frame(&mut stream).unwrap()[..4], 1_i32.to_be_bytes());
            }
        }));
    }
    for thread in served {
        thread.join().unwrap();
    }
    let mut last = connect(&handle);
    last.write_all(&api_versions(2)).unwrap();
    assert_eq!(read_frame(&mut last).unwrap()[..4], 2_i32.to_be_bytes());
    stop(handle);
}

#[test]
#[should_panic(expected = "the machine's own words")]
fn a_panic_in_a_turn_reaches_who_waits_for_threads() {
    a_panic_in_a_turn(Driver::Std);
}

#[test]
#[should_panic(expected = "the machine's own words")]
fn a_panic_in_a_turn_reaches_who_waits_for_tasks() {
    a_panic_in_a_turn(Driver::Smol);
}

fn a_panic_in_a_turn(driver: Driver) {
    struct Faulty(Arc<Image>, Option<Output>);
    impl Machine for Faulty {
        fn handle(&mut self, _: Input, _: Now) {
            panic!("the machine's own words");
        }
        fn poll_output(&mut self) -> Option<Output> {
            self.1.take()
        }
        fn poll_timeout(&self) -> Option<klamm_core::time::Instant> {
            None
        }
        fn image(&self) -> &Arc<Image> {
            &self.0
        }
    }
    let dir = TempDir::new();
    let machine = |_, _, _, _| Faulty(Arc::default(), Some(Output::Ready));
    let handle = driver.start_machine(dir.config(), Options::default(), machine).unwrap();
    let _other = connect(&handle);
    handle.wait();
}

fn shutdown_does_not_wait_for_a_peer_that_does_not_read(driver: Driver) {
    let dir = TempDir::new();
    let handle = driver.serve(dir.config());
    let mut stream = connect(&handle);
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let requests: Vec<u8> = (0..2_000).flat_map(api_versions).collect();
    // Until the server takes no more, because its answers are not taken.
    while stream.write_all(&requests).is_ok() {}
    let asked = Instant::now();
    handle.shutdown();
    handle.shutdown();
    assert_eq!(handle.wait(), Exit::Clean);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

fn a_second_broker_in_the_same_directory_is_refused(driver: Driver) {
    let dir = TempDir::new();
    let first = driver.serve(dir.config());
    // Whoever locks first wins; once the first answers, it has.
    let mut stream = connect(&first);
    stream.write_all(&api_versions(7)).unwrap();
    read_frame(&mut stream).unwrap();
    let second = driver.serve(dir.config());
    let Exit::Failed(reason) = second.wait() else { panic!("the directory is locked") };
    assert!(reason.contains(".lock"), "{reason}");
    stop(first);
    stop(driver.serve(dir.config()));
}

fn a_directory_that_cannot_be_used_ends_the_server(driver: Driver) {
    let dir = TempDir::new();
    let mut config = dir.config();
    config.log_dirs = vec![Path::new("/dev/null")];
    let handle = driver.serve(config);
    let Exit::Failed(reason) = handle.wait() else { panic!("no log can be there") };
    assert!(reason.contains("/dev/null"), "{reason}");
}

fn a_recorder_sees_operations_end_before_answers_leave(driver: Driver) {
    let dir = TempDir::new();
    let tape = Arc::new(Tape::default());
    let recorder = Some(Arc::clone(&tape) as Arc<dyn Recorder>);
    let handle = driver.start(dir.config(), Options { recorder, ..Options::default() }).unwrap();
    let mut stream = connect(&handle);
    stream.write_all(&api_versions(5)).unwrap();
    let frame = read_frame(&mut stream).unwrap();
    drop(stream);
    stop(handle);

    let lines = tape.0.lock().unwrap().clone();
    let at = |wanted: &str| lines.iter().position(|line| line.starts_with(wanted)).unwrap();
    assert!(at("start Lock") < at("end Lock"));
    assert!(at("end Lock") < at("answered 0"));
    assert!(at("answered 0") < at("sending"));
    let sent = at("sent");
    assert!(at("sending") < sent);
    assert_eq!(lines[sent], format!("sent {}", frame.len() + 4));
}

#[derive(Default)]
struct Tape(Mutex<Vec<String>>);

impl Tape {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Recorder for Tape {
    fn operation_started(&self, _: EffectId, operation: &Operation) {
        self.note(format!("start {operation:?}"));
    }

    fn operation_ended(
        &self,
        _: EffectId,
        operation: &Operation,
        _: &Result<OperationResult, IoError>,
    ) {
        self.note(format!("end {operation:?}"));
    }

    fn answered(&self, _: ConnectionId, response: &Response) {
        self.note(format!("answered {}", response.number.0));
    }

    fn sending(&self, _: ConnectionId, bytes: &[u8]) {
        self.note(format!("sending {}", bytes.len()));
    }

    fn sending_range(&self, _: ConnectionId, file: &FileRef, position: u64, length: u64) {
        self.note(format!("sending {file:?} {position} {length}"));
    }

    fn sent(&self, _: ConnectionId, bytes: u64) {
        self.note(format!("sent {bytes}"));
    }
}
