//! Alone in its process, so that its threads and descriptors are the server's.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use klamm_tests::driver::{Driver, TempDir, stop};

#[test]
fn connections_leave_no_thread_and_no_descriptor() {
    for driver in Driver::ALL {
        let dir = TempDir::new();
        // What a driver keeps for the whole process is there after its first server.
        stop(driver.serve(dir.config()));
        leave_nothing(driver, &dir);
    }
}

fn leave_nothing(driver: Driver, dir: &TempDir) {
    let before = counts();
    let handle = driver.serve(dir.config());
    let address = handle.addresses()[0].1;
    // The first one is served, so start-up is over.
    drop(TcpStream::connect(address).expect("it listens"));
    let served = settled(|counts| counts.threads > before.threads);
    for n in 0..200 {
        let mut stream = TcpStream::connect(address).expect("it listens");
        if n % 2 == 0 {
            // Half of a request, so that something is held when the peer goes.
            stream.write_all(&[0, 0, 1, 0, 0]).expect("sent");
        }
    }
    let after = settled(|counts| counts.threads <= served.threads && counts.files <= served.files);
    assert!(
        after.threads <= served.threads && after.files <= served.files,
        "{driver:?} {served:?} {after:?}"
    );

    stop(handle);
    let ended = settled(|counts| *counts == before);
    assert_eq!(ended, before, "{driver:?}");
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
