//! One script against each driver gives the same bytes: every exchange that was recorded with Kafka,
//! in one piece and in many, then all in a row.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use klamm_core::api::ApiKey;
use klamm_runtime::Handle;
use klamm_tests::driver::{Driver, TempDir, connect, stop};
use klamm_tests::recorded::{Exchange, Given, exchanges, topics};

#[test]
fn each_driver_gives_the_same_bytes() {
    let [std, smol] = Driver::ALL.map(transcript);
    assert_eq!(std.len(), smol.len());
    for (of_std, of_smol) in std.iter().zip(&smol) {
        assert_eq!(of_std, of_smol, "std, smol");
    }
    let answered = std.iter().filter(|line| !line.answer.is_empty()).count();
    assert!(answered > 600, "{answered} answers compared");
}

/// What came back for a part of the script.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    part: String,
    answer: Vec<u8>,
}

fn transcript(driver: Driver) -> Vec<Line> {
    let mut lines = Vec::new();
    on_fresh_broker(driver, |handle| {
        let mut given = Given::default();
        for exchange in exchanges() {
            for pieces in [1, 5] {
                let request = given.request(&exchange);
                let answer = exchanged(handle, &request, request.len().div_ceil(pieces).max(1));
                given.note(&exchange, &answer);
                let part = format!("{} in {pieces}", exchange.name);
                lines.push(Line { part, answer: masked(&exchange, answer) });
            }
        }
    });
    let mut cut = in_a_row_requests();
    cut.truncate(cut.len() - 7);
    let mut bad = in_a_row_requests();
    bad.extend([0xff; 9]);
    for (part, requests, piece_bytes) in [
        ("all in a row", in_a_row_requests(), usize::MAX),
        ("cut off", cut, usize::MAX),
        ("bad at the end", bad, 1_000),
    ] {
        // Topics that earlier requests have created have other ids on each.
        on_fresh_broker(driver, |handle| {
            let answer = exchanged(handle, &requests, piece_bytes.min(requests.len()));
            lines.push(Line { part: part.into(), answer });
        });
    }
    lines
}

fn on_fresh_broker(driver: Driver, ask: impl FnOnce(&Handle)) {
    let dir = TempDir::new();
    dir.put_topics(&topics());
    let mut config = dir.config();
    // One address for both to tell.
    config.advertised[0].port = 19092;
    // The records are years old.
    config.topic_defaults.retention_ms = -1;
    // Which request comes after the topic is there is for the clock to say.
    config.creation.is_automatic = false;
    let handle = driver.serve(config);
    ask(&handle);
    stop(handle);
}

/// Those after which the connection goes on, pipelined on one.
fn in_a_row_requests() -> Vec<u8> {
    let goes_on = |exchange: &Exchange| {
        let is_whole = exchange.response.as_ref().is_some_and(|answer| !answer.is_empty());
        // One that fails after another one may succeed alone, with an id of its own.
        let key = exchange.request.get(4..6);
        let creates = key == Some(&ApiKey::CREATE_TOPICS.0.to_be_bytes()[..]);
        is_whole && exchange.is_open != Some(false) && exchange.varies.is_empty() && !creates
    };
    exchanges().filter(goes_on).flat_map(|exchange| exchange.request).collect()
}

/// Sends, ends the sending half, and takes what comes until the server closes.
fn exchanged(handle: &Handle, bytes: &[u8], piece_bytes: usize) -> Vec<u8> {
    let mut stream = connect(handle);
    let mut reading = stream.try_clone().expect("another handle");
    let sending = bytes.chunks(piece_bytes).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let sender = std::thread::spawn(move || send(&mut stream, &sending));
    let mut answer = Vec::new();
    reading.read_to_end(&mut answer).expect("closed in an orderly way");
    sender.join().expect("sent");
    answer
}

fn send(stream: &mut TcpStream, pieces: &[Vec<u8>]) {
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            // The server has closed at a fault before the end.
            return;
        }
    }
    // Fails when it has closed already, which is the same to us.
    stream.shutdown(Shutdown::Write).ok();
}

/// Times and the ids of sessions and members differ from run to run.
fn masked(exchange: &Exchange, mut answer: Vec<u8>) -> Vec<u8> {
    for range in exchange.own_ranges() {
        if let Some(bytes) = answer.get_mut(range.clone()) {
            bytes.fill(0);
        }
    }
    answer
}
