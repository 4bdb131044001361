//! A connection's task may be dropped wherever it waits: what it has begun is finished all the same.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use async_io::Async;
use klamm_core::broker::image::Image;
use klamm_core::config::{Config, Limits};
use klamm_core::{Broker, Exit, Peer};
use klamm_runtime::{Input, Launched, Node, Observer, Options, Place, launch};
use klamm_smol::serve;
use klamm_tests::driver::{TempDir, read_frame};
use klamm_tests::recorded::{exchanges, topics};

/// Requests of each connection.
const PIPELINED: usize = 6;

#[test]
fn a_task_dropped_at_any_wait_leaves_no_hole_in_the_log() {
    let dir = TempDir::new();
    dir.put_topics(&topics());
    // One request a turn, some bytes a read: as many waits as can be had.
    let limits = Limits {
        read_bytes: 40,
        read_ahead_bytes_max: 40,
        turn_requests_max: 1,
        ..Limits::default()
    };
    let mut config = Config { limits, ..dir.config() };
    // The recorded record is years old, and this may take longer than until retention looks.
    config.topic_defaults.retention_ms = -1;
    let (launched, news) = started(config);
    let node = &launched.node;
    let request = exchanges().find(|one| one.name == "produce.v11.one-record");
    let request = request.expect("recorded").request;

    let waits = (0..10_000).find(|waits| is_served_within(*waits, node, &request));
    let waits = waits.expect("the task comes to its end");
    println!("dropped at each of {waits} waits");
    assert!(waits > 5, "{waits} waits alone");

    let last = last_offset(node, &request);
    let offsets =
        offsets_in(&fs::read(dir.logs().join("p-0/00000000000000000000.log")).expect("read"));
    assert!(offsets.iter().copied().eq(0..=last), "{offsets:?}, the last {last}");
    assert!(last >= PIPELINED as i64, "the last connection's and the answer's own");
    assert_eq!(node.request_bytes_held(), 0);

    node.run(&mut vec![Input::Shutdown], Place::Elsewhere);
    assert_eq!(news.recv().expect("the end"), Some(Exit::Clean));
    node.stop_threads();
    launched.threads.join().expect("no panic");
}

/// Ready, then its end.
struct News(Sender<Option<Exit>>);

impl Observer for News {
    fn ready(&self, _: &Image) {
        self.0.send(None).expect("the test listens");
    }

    fn stopped(&self, exit: Exit) {
        self.0.send(Some(exit)).expect("the test listens");
    }
}

fn started(config: Config) -> (Launched<Broker>, Receiver<Option<Exit>>) {
    let (news, heard) = channel();
    let observer = Arc::new(News(news));
    let launched = launch(config, &Options::default(), observer, 1, Broker::new).expect("launched");
    launched.node.start();
    assert_eq!(heard.recv().expect("news"), None, "ready");
    (launched, heard)
}

/// Polls the task of a connection with pipelined requests so many times, then drops it. True when
/// it has come to its end before.
fn is_served_within(waits: usize, node: &Arc<Node<Broker>>, request: &[u8]) -> bool {
    let (mut client, server) = connected();
    client.write_all(&request.repeat(PIPELINED)).expect("sent");
    client.shutdown(Shutdown::Write).expect("ended");
    let mut task = Box::pin(serve(Arc::clone(node), server, peer()));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..waits {
        if task.as_mut().poll(&mut context).is_ready() {
            let mut answers = Vec::new();
            client.read_to_end(&mut answers).expect("closed in an orderly way");
            assert!(answers.len() > PIPELINED * 40, "all are answered");
            return true;
        }
        thread::sleep(Duration::from_micros(200));
    }
    false
}

/// The offset that one more record gets, from a task that is left to its end.
fn last_offset(node: &Arc<Node<Broker>>, request: &[u8]) -> i64 {
    let (mut client, server) = connected();
    client.write_all(request).expect("sent");
    client.shutdown(Shutdown::Write).expect("ended");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    smol::block_on(serve(Arc::clone(node), server, peer()));
    let answer = read_frame(&mut client).expect("later produces are answered");
    // Correlation id, tags, one topic `p`, one partition, its index; then error and offset.
    let (error, rest) = answer[4 + 1 + 1 + 2 + 1 + 4..].split_first_chunk().expect("an error");
    assert_eq!(i16::from_be_bytes(*error), 0);
    i64::from_be_bytes(*rest.first_chunk().expect("an offset"))
}

fn connected() -> (TcpStream, Async<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    (client, Async::new(server).expect("watched"))
}

fn peer() -> Peer {
    Peer { listener: "PLAINTEXT".into(), address: "here".into() }
}

/// The base offsets of a segment's batches, of one record each.
fn offsets_in(mut log: &[u8]) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let Some((offset, rest)) = log.split_first_chunk() {
        let (size, rest) = rest.split_first_chunk().expect("a whole batch");
        offsets.push(i64::from_be_bytes(*offset));
        log = rest.get(u32::from_be_bytes(*size) as usize..).expect("a whole batch");
    }
    offsets
}
