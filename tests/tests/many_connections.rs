//! A thousand connections at once, and what they cost when nothing happens. Alone in its process, so
//! that the processor's time is the server's.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::Duration;

use klamm_core::config::{Config, Limits};
use klamm_runtime::fit_descriptors;
use klamm_tests::driver::{Driver, TempDir, api_versions, connect, read_frame, stop};

/// Descriptors that a connection takes here: the client's socket, and up to three of the server's.
const DESCRIPTORS: usize = 4;

#[test]
fn a_thousand_connections_are_answered_and_cost_nothing_when_idle() {
    for driver in Driver::ALL {
        let dir = TempDir::new();
        let mut limits = Limits { connections_max: 1_000, ..Limits::default() };
        fit_descriptors(&mut limits, DESCRIPTORS);
        let count = limits.connections_max;
        assert!(count >= 100, "{count} connections are all that this system's descriptors allow");
        let handle = driver.serve(Config { limits, ..dir.config() });
        let mut streams: Vec<_> = (0..count).map(|_| connect(&handle)).collect();
        for (stream, id) in streams.iter_mut().zip(0..) {
            stream.write_all(&api_versions(id)).expect("sent");
        }
        for (stream, id) in streams.iter_mut().zip(0_i32..) {
            assert_eq!(read_frame(stream).expect("answered")[..4], id.to_be_bytes());
        }
        thread::sleep(Duration::from_millis(200));
        let before = processor_ticks();
        thread::sleep(Duration::from_secs(1));
        let used = processor_ticks() - before;
        println!("{driver:?}: {count} idle connections, {used} ticks of 10 ms in a second");
        assert!(used <= 5, "{driver:?}: {used} ticks of 10 ms in a second");
        drop(streams);
        stop(handle);
    }
}

/// User's and system's time of this process so far.
fn processor_ticks() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name before it may hold blanks; it ends with a bracket.
    let (_, fields) = text.rsplit_once(") ").expect("fields");
    let ticks = |at: usize| -> u64 {
        fields.split(' ').nth(at).and_then(|field| field.parse().ok()).expect("a number")
    };
    ticks(11) + ticks(12)
}
