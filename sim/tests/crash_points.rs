//! Every crash point of the small histories, both kinds of crash.
//!
//! All of them take minutes without optimization; here each history tries its share of the points, and `klamm-sim --crash-points` tries them all.

use klamm_sim::enumerate::{SMALL_HISTORIES, SmallHistory};

/// One point in so many, another one in each history.
const STEP: usize = 16;

fn try_histories(numbers: std::ops::Range<u64>) {
    let mut tried = 0;
    for number in numbers {
        let outcome = SmallHistory::new(number)
            .and_then(|history| history.try_crash_points(number % STEP as u64, STEP));
        match outcome {
            Ok(count) => tried += count,
            Err(failure) => panic!("history {number}: {failure}\n{}", failure.script.to_text()),
        }
    }
    assert!(tried > 200, "{tried} crashes");
}

#[test]
fn no_crash_point_breaks_a_promise_of_one_log_directory() {
    try_histories(0..10);
}

#[test]
fn no_crash_point_breaks_a_promise_of_two_log_directories() {
    try_histories(10..20);
}

#[test]
fn no_crash_point_breaks_a_promise_of_logs_that_roll_and_are_cut() {
    try_histories(20..24);
}

#[test]
fn no_crash_point_breaks_a_promise_of_topics_that_come_and_go() {
    try_histories(24..SMALL_HISTORIES);
}
