//! Every crash point of the small histories, both kinds of crash.
//!
//! All of them take minutes without optimization; here each history tries its share of the points, and `klamm-sim --crash-points` tries them all.

use klamm_sim::enumerate::{SMALL_HISTORIES, SmallHistory};

/// One point in so many, another one in each history.
const STEP: usize = 24;

/// The histories are tried in so many parts, side by side.
const PARTS: usize = 4;

fn try_part(part: u64) {
    let mut tried = 0;
    for number in (part..SMALL_HISTORIES).step_by(PARTS) {
        let first = number as usize % STEP;
        let outcome =
            SmallHistory::new(number).and_then(|history| history.try_crash_points(first, STEP));
        match outcome {
            Ok(count) => tried += count,
            Err(failure) => panic!("history {number}: {failure}\n{}", failure.script.to_text()),
        }
    }
    assert!(tried > 200, "{tried} crashes");
}

#[test]
fn no_crash_point_breaks_a_promise() {
    try_part(0);
}

#[test]
fn no_crash_point_of_the_second_part_breaks_a_promise() {
    try_part(1);
}

#[test]
fn no_crash_point_of_the_third_part_breaks_a_promise() {
    try_part(2);
}

#[test]
fn no_crash_point_of_the_fourth_part_breaks_a_promise() {
    try_part(3);
}
