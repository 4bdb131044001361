//! The real binary on a directory made by hand, spoken to in bytes made by hand.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Client, Reader};
use crate::directory::{Directory, Topic};
use crate::encode::{Bytes, batch_of, placed};
use crate::process::{Server, run_in, run_to_end};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const DESCRIBE_TOPIC_PARTITIONS: i16 = 75;

const FOO: Topic = Topic { name: "foo", id: 0x91, partitions: 1 };
const PAX: Topic = Topic { name: "pax", id: 0x43, partitions: 2 };

/// What an unauthorized cluster lets everybody do with a topic: all eight operations.
const TOPIC_OPERATIONS: i32 = 3576;

on_each_driver! {
    api_versions_lists_what_is_served,
    an_unknown_api_versions_version_is_told_what_is_known,
    topics_of_the_directory_are_described,
    metadata_names_the_address_that_is_listened_on,
    a_produced_batch_is_answered_and_lies_in_the_log_as_sent,
    unknown_topics_and_partitions_are_refused_beside_good_ones,
    pipelined_requests_are_answered_in_their_order,
    connections_at_once_share_a_log,
    bad_input_closes_its_connection_alone,
    a_damaged_batch_is_refused_and_the_connection_stays,
    a_stop_is_clean_and_a_restart_goes_on_where_it_ended,
    the_start_line_says_what_is_served,
    a_directory_has_one_server,
}

fn started(driver: &str) -> (Directory, Server) {
    let directory = Directory::new(&[FOO, PAX]);
    let server = Server::start(&directory.properties(), driver);
    (directory, server)
}

/// A topic's name, with something for each of its partitions.
type OfTopic<'a, T> = (&'a str, &'a [T]);

/// The body of a Produce request, version 11, acks=all: for each topic its partitions with a batch each.
fn produce_body(topics: &[OfTopic<(i32, &[u8])>]) -> Bytes {
    let mut body = Bytes::new().raw(&[0]).i16(-1).i32(30_000).compact_array(topics.len());
    for (name, partitions) in topics {
        body = body.compact_string(name).compact_array(partitions.len());
        for (index, batch) in *partitions {
            body = body.i32(*index).uvarint(batch.len() as u32 + 1).raw(batch).no_tags();
        }
        body = body.no_tags();
    }
    body.no_tags()
}

/// What follows the correlation id of its answer: for each topic (index, error, base offset, log start).
fn produce_answer(topics: &[OfTopic<(i32, i16, i64, i64)>]) -> Vec<u8> {
    let mut body = Bytes::new().no_tags().compact_array(topics.len());
    for (name, partitions) in topics {
        body = body.compact_string(name).compact_array(partitions.len());
        for (index, error, base_offset, log_start) in *partitions {
            body = body.i32(*index).i16(*error).i64(*base_offset).i64(-1).i64(*log_start);
            body = body.compact_array(0).raw(&[0]).no_tags();
        }
        body = body.no_tags();
    }
    body.i32(0).no_tags().0
}

fn assert_stops_cleanly(server: Server, signal: Signal) {
    let begun = Instant::now();
    server.signal(signal);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

fn api_versions_lists_what_is_served(driver: &str) {
    let (_directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let body = Bytes::new().compact_string("test").compact_string("1.0").no_tags();
    let answer = client.ask(API_VERSIONS, 4, &body);
    let mut reader = Reader(&answer);
    assert_eq!(reader.i16(), 0);
    let count = reader.uvarint() - 1;
    let mut ranges = Vec::new();
    for _ in 0..count {
        ranges.push((reader.i16(), reader.i16(), reader.i16()));
        assert_eq!(reader.take(), [0]);
    }
    assert_eq!(reader.i32(), 0, "throttle time");
    let served = |key, version| {
        ranges.iter().any(|(k, min, max)| *k == key && (*min..=*max).contains(&version))
    };
    assert!(served(PRODUCE, 11) && served(METADATA, 12), "{ranges:?}");
    assert!(served(API_VERSIONS, 4) && served(DESCRIBE_TOPIC_PARTITIONS, 0), "{ranges:?}");
}

fn an_unknown_api_versions_version_is_told_what_is_known(driver: &str) {
    let (_directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let answer = client.ask(API_VERSIONS, 99, &Bytes::new());
    assert_eq!(answer, Bytes::new().i16(35).i32(1).i16(18).i16(0).i16(4).0);
    let body = Bytes::new().compact_string("test").compact_string("1.0").no_tags();
    assert_eq!(client.ask(API_VERSIONS, 4, &body)[..2], [0, 0], "the connection stays");
}

fn topics_of_the_directory_are_described(driver: &str) {
    let (_directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let names = ["pax", "foo", "unknown"];
    let body = names
        .iter()
        .fold(Bytes::new().compact_array(3), |body, name| body.compact_string(name).no_tags());
    let body = body.i32(100).raw(&[0xff]).no_tags();
    let mut expected = Bytes::new().no_tags().i32(0).compact_array(3);
    for topic in [FOO, PAX] {
        expected = expected.i16(0).compact_string(topic.name).raw(&topic.id_bytes()).i8(0);
        expected = expected.compact_array(topic.partitions as usize);
        for partition in 0..topic.partitions {
            expected = expected.i16(0).i32(partition).i32(1).i32(0);
            expected = expected.compact_i32s(&[1]).compact_i32s(&[1]);
            expected = expected.compact_i32s(&[]).compact_i32s(&[]).compact_i32s(&[]).no_tags();
        }
        expected = expected.i32(TOPIC_OPERATIONS).no_tags();
    }
    expected = expected.i16(3).compact_string("unknown").raw(&[0; 16]).i8(0).compact_array(0);
    expected = expected.i32(TOPIC_OPERATIONS).no_tags().raw(&[0xff]).no_tags();
    assert_eq!(client.ask(DESCRIBE_TOPIC_PARTITIONS, 0, &body), expected.0);
}

fn metadata_names_the_address_that_is_listened_on(driver: &str) {
    let (_directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let body = Bytes::new().compact_array(1).raw(&[0; 16]).compact_string("foo").no_tags();
    let body = body.i8(0).i8(0).no_tags();
    let expected = Bytes::new()
        .no_tags()
        .i32(0)
        .compact_array(1)
        .i32(1)
        .compact_string("localhost")
        .i32(i32::from(server.port))
        .raw(&[0])
        .no_tags()
        .compact_string("IAAAAAAAQACAAAAAAAAAAQ")
        .i32(1)
        .compact_array(1)
        .i16(0)
        .compact_string("foo")
        .raw(&FOO.id_bytes())
        .i8(0)
        .compact_array(1)
        .i16(0)
        .i32(0)
        .i32(1)
        .i32(0)
        .compact_i32s(&[1])
        .compact_i32s(&[1])
        .compact_i32s(&[])
        .no_tags()
        .i32(i32::MIN)
        .no_tags()
        .no_tags();
    assert_eq!(client.ask(METADATA, 12, &body), expected.0);
}

fn a_produced_batch_is_answered_and_lies_in_the_log_as_sent(driver: &str) {
    let (directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let first = batch_of(&[b"Hello World!"]);
    let second = batch_of(&[b"one", b"", b"three"]);
    let answer = client.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &first)])]));
    assert_eq!(answer, produce_answer(&[("foo", &[(0, 0, 0, 0)])]));
    assert_eq!(directory.segment_bytes("foo", 0), placed(&first, 0, 0));
    let answer = client.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &second)])]));
    assert_eq!(answer, produce_answer(&[("foo", &[(0, 0, 1, 0)])]));
    let expected = [placed(&first, 0, 0), placed(&second, 1, 0)].concat();
    assert_eq!(directory.segment_bytes("foo", 0), expected);
}

fn unknown_topics_and_partitions_are_refused_beside_good_ones(driver: &str) {
    let (directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let batch = batch_of(&[b"x"]);
    let unknown = (3, -1, -1);
    let body = produce_body(&[
        ("unknown", &[(0, &batch)]),
        ("pax", &[(1, &batch), (2, &batch), (0, &batch)]),
        ("foo", &[(0, &batch), (-1, &batch)]),
    ]);
    let expected = produce_answer(&[
        ("unknown", &[(0, unknown.0, unknown.1, unknown.2)]),
        ("pax", &[(1, 0, 0, 0), (2, unknown.0, unknown.1, unknown.2), (0, 0, 0, 0)]),
        ("foo", &[(0, 0, 0, 0), (-1, unknown.0, unknown.1, unknown.2)]),
    ]);
    assert_eq!(client.ask(PRODUCE, 11, &body), expected);
    for (topic, partition) in [("pax", 0), ("pax", 1), ("foo", 0)] {
        assert_eq!(directory.segment_bytes(topic, partition), placed(&batch, 0, 0));
    }
    assert!(!directory.logs().join("unknown-0").exists());
}

fn pipelined_requests_are_answered_in_their_order(driver: &str) {
    let (directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let batch = batch_of(&[b"a", b"b"]);
    let ids: Vec<i32> = (0..20)
        .map(|_| client.send(PRODUCE, 11, &produce_body(&[("foo", &[(0, &batch)])])).expect("sent"))
        .collect();
    for (at, id) in ids.iter().enumerate() {
        let frame = client.receive().expect("received").expect("an answer");
        assert_eq!(frame[..4], id.to_be_bytes());
        assert_eq!(frame[4..], produce_answer(&[("foo", &[(0, 0, at as i64 * 2, 0)])]));
    }
    let expected: Vec<u8> = (0..20).flat_map(|at| placed(&batch, at * 2, 0)).collect();
    assert_eq!(directory.segment_bytes("foo", 0), expected);
}

fn connections_at_once_share_a_log(driver: &str) {
    let (directory, server) = started(driver);
    let batch = batch_of(&[b"shared"]);
    let offsets: Vec<i64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| offsets_of_ten(&mut Client::connect(server.port), &batch)))
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect()
    });
    let mut sorted = offsets;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..80).collect::<Vec<_>>());
    let expected: Vec<u8> = (0..80).flat_map(|at| placed(&batch, at, 0)).collect();
    assert_eq!(directory.segment_bytes("pax", 1), expected);
}

fn offsets_of_ten(client: &mut Client, batch: &[u8]) -> Vec<i64> {
    let mut offsets = Vec::new();
    for _ in 0..10 {
        let answer = client.ask(PRODUCE, 11, &produce_body(&[("pax", &[(1, batch)])]));
        // Tags, one topic, its name, one partition, its index and error stand before the offset.
        let mut reader = Reader(&answer);
        reader.skip(1 + 1 + 4 + 1 + 4);
        assert_eq!(reader.i16(), 0);
        offsets.push(reader.i64());
    }
    offsets
}

fn bad_input_closes_its_connection_alone(driver: &str) {
    let (_directory, server) = started(driver);
    let mut good = Client::connect(server.port);
    let bad: [&[u8]; 4] = [
        b"",
        b"\x00",
        b"\x00\xff\x00\x00\x00\x00\x00\x07\xff\xff",
        b"\x00\x00\x00\x0b\x00\x00\x00\x07\xff\xff\x00\x00\xff\xff\xff",
    ];
    for frame in bad {
        let mut client = Client::connect(server.port);
        client.send_frame(frame).expect("sent");
        assert!(client.is_closed_by_server(), "{frame:?}");
    }
    let batch = batch_of(&[b"still here"]);
    let answer = good.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &batch)])]));
    assert_eq!(answer, produce_answer(&[("foo", &[(0, 0, 0, 0)])]));
}

fn a_damaged_batch_is_refused_and_the_connection_stays(driver: &str) {
    let (directory, server) = started(driver);
    let mut client = Client::connect(server.port);
    let mut damaged = batch_of(&[b"damaged"]);
    *damaged.last_mut().expect("bytes") ^= 1;
    let answer = client.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &damaged)])]));
    assert_eq!(answer, produce_answer(&[("foo", &[(0, 2, -1, -1)])]));
    let batch = batch_of(&[b"whole"]);
    let answer = client.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &batch)])]));
    assert_eq!(answer, produce_answer(&[("foo", &[(0, 0, 0, 0)])]));
    assert_eq!(directory.segment_bytes("foo", 0), placed(&batch, 0, 0));
}

fn a_stop_is_clean_and_a_restart_goes_on_where_it_ended(driver: &str) {
    let (directory, mut server) = started(driver);
    let batch = batch_of(&[b"a", b"b", b"c"]);
    let mut expected = Vec::new();
    for (round, signal) in [(0, Signal::TERM), (1, Signal::INT), (2, Signal::TERM)] {
        let mut client = Client::connect(server.port);
        let answer = client.ask(PRODUCE, 11, &produce_body(&[("foo", &[(0, &batch)])]));
        assert_eq!(answer, produce_answer(&[("foo", &[(0, 0, round * 3, 0)])]));
        assert_stops_cleanly(server, signal);
        assert!(client.is_closed_by_server());
        // Each stop leaves the partition without a leader, and each start elects one.
        expected.extend(placed(&batch, round * 3, round as i32 * 2));
        assert_eq!(directory.segment_bytes("foo", 0), expected);
        server = Server::start(&directory.properties(), driver);
    }
    assert_stops_cleanly(server, Signal::TERM);
}

fn the_start_line_says_what_is_served(driver: &str) {
    let (directory, server) = started(driver);
    let line = server.log.last().expect("the start line").clone();
    for part in [
        env!("CARGO_PKG_VERSION"),
        &format!("driver {driver},"),
        &format!(":{},", server.port),
        &directory.logs().display().to_string(),
        "2 topics, 3 partitions",
        " ms",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let warnings: Vec<_> = server.log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("num.network.threads"), "{warnings:?}");
    assert!(!warnings[0].contains("num.partitions"), "{warnings:?}");
    assert!(!warnings[0].contains("log.retention.hours"), "{warnings:?}");
}

#[test]
fn what_cannot_be_started_says_why_in_one_line() {
    let directory = Directory::new(&[]);
    let properties = directory.properties();
    let path = properties.to_str().expect("a plain path");
    let text = fs::read_to_string(&properties).expect("read");

    directory.set("klamm.durability", "maybe");
    let line = text.lines().count() + 1;
    assert_refused(
        &[path],
        &format!(
            "klamm: {path}:{line}: klamm.durability=maybe cannot be used: allowed is one of \
             durable, page-cache"
        ),
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let changed = format!("{text}listeners=PLAINTEXT://{address}\n");
    fs::write(&properties, changed).expect("written");
    assert_refused(
        &[path],
        &format!("klamm: {path}:{line}: listeners: listener PLAINTEXT://{address}: "),
    );

    assert_refused(&["/no/such/server.properties"], "klamm: /no/such/server.properties: No such");
    assert_refused(
        &["--driver", "tokio"],
        "klamm: driver tokio is not built in: there is std, smol; it is named by --driver",
    );
    assert_refused(&["--what"], "--what is not understood");
}

fn assert_refused(arguments: &[&str], reason: &str) {
    let output = run_to_end(arguments);
    let error = String::from_utf8(output.stderr).expect("text");
    let last = error.lines().last().expect("a line");
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(last.contains(reason), "{reason:?} in {error:?}");
    assert!(error.lines().filter(|line| line.starts_with("klamm: ")).count() == 1, "{error}");
}

fn a_directory_has_one_server(driver: &str) {
    let (directory, server) = started(driver);
    let properties = directory.properties();
    let lock = directory.logs().join(".lock");
    assert_refused(
        &[properties.to_str().expect("a plain path")],
        lock.to_str().expect("a plain path"),
    );
    assert_stops_cleanly(server, Signal::TERM);
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let directory = Directory::new(&[]);
    directory.set("klamm.driver", "three");
    let properties = directory.properties();
    let path = properties.to_str().expect("a plain path");
    let refused = |environment: &str, arguments: &[&str]| {
        let output = run_in(&[("KLAMM_DRIVER", environment)], arguments);
        String::from_utf8(output.stderr).expect("text")
    };
    let error = refused("two", &[path, "--driver", "one"]);
    assert!(error.contains("driver one is not built in"), "{error}");
    assert!(error.contains("named by --driver"), "{error}");
    let error = refused("two", &[path]);
    assert!(error.contains("driver two is not built in"), "{error}");
    assert!(error.contains("named by KLAMM_DRIVER"), "{error}");
    let error = refused("", &[path]);
    assert!(error.contains("driver three is not built in"), "{error}");
    assert!(error.contains(&format!("named by {path}:")), "{error}");
}

#[test]
fn help_and_version_are_printed() {
    let help = run_to_end(&["--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).expect("text").contains("server.properties"));
    let version = run_to_end(&["--version"]);
    assert!(version.status.success());
    let expected = format!("klamm {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).expect("text"), expected);
}
