//! Alone in its process, so that its threads and descriptors are the server's.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::Exit;
use klamm_core::config::{Config, Durability, Limits, Listener, TopicConfig};
use klamm_core::effect::Path;
use klamm_std::{Options, Server};

#[test]
fn connections_leave_no_thread_and_no_descriptor() {
    let dir = std::env::temp_dir().join(format!("klamm-std-leaks-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let listener = Listener { name: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 0 };
    let config = Config {
        node_id: 1,
        listeners: vec![listener.clone()],
        advertised: vec![listener],
        log_dirs: vec![Path::new(dir.to_str().unwrap())],
        durability: Durability::Durable,
        topic_defaults: TopicConfig::default(),
        limits: Limits::default(),
    };
    let before = counts();
    let handle = Server::start(config, Options::default()).unwrap();
    let address = handle.addresses()[0].1;
    // The first one is served, so start-up is over.
    drop(TcpStream::connect(address).unwrap());
    let served = settled(|counts| counts.threads > before.threads);
    for n in 0..200 {
        let mut stream = TcpStream::connect(address).unwrap();
        if n % 2 == 0 {
            // Half of a request, so that something is held when the peer goes.
            stream.write_all(&[0, 0, 1, 0, 0]).unwrap();
        }
    }
    let after = settled(|counts| counts.threads <= served.threads && counts.files <= served.files);
    assert!(after.threads <= served.threads && after.files <= served.files, "{served:?} {after:?}");

    handle.shutdown();
    assert_eq!(handle.wait(), Exit::Clean);
    let ended = settled(|counts| *counts == before);
    assert_eq!(ended, before);
    fs::remove_dir_all(&dir).unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    threads: usize,
    files: usize,
}

fn counts() -> Counts {
    let count = |path| fs::read_dir(path).map_or(0, Iterator::count);
    Counts { threads: count("/proc/self/task"), files: count("/proc/self/fd") }
}

/// The counts as soon as they are as wanted and stay so, or after five seconds.
fn settled(wanted: impl Fn(&Counts) -> bool) -> Counts {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        thread::sleep(Duration::from_millis(100));
        let now = counts();
        if wanted(&now) || Instant::now() > end {
            return now;
        }
    }
}
