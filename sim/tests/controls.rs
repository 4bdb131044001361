//! Negative controls: each broken broker must be caught, by the check that is there for it, within
//! few seeds, and the same runs must go well without the break.

use klamm_sim::broken::{
    AnswersBeforeSync, EndsPastHole, ForgetsAppendTime, ForgetsDirectorySync, ReordersAnswers,
    SkipsCrcInRecovery,
};
use klamm_sim::decisions::Decisions;
use klamm_sim::disk::Crash;
use klamm_sim::layer::Layer;
use klamm_sim::options::{Options, Strike, StrikeKind};
use klamm_sim::world::World;

/// Seeds that may pass before a break is caught.
const SEEDS: u64 = 40;

fn with_crashes(options: Options, crash: Crash) -> Options {
    let kind = StrikeKind::Crash(crash);
    let strikes = [250, 600, 1000].map(|at_event| Strike { at_event, kind });
    Options { requests: 40, pipeline: 4, strikes: strikes.to_vec(), ..options }
}

/// What the checkers say of a broker that `layer` breaks: the first failures, of so many seeds.
fn caught<L: Layer + Default + 'static>(options: &Options, what: &str) {
    let mut told = Vec::new();
    for seed in 0..SEEDS {
        let honest = World::new(options.clone(), Decisions::from_seed(seed));
        honest.run().expect("the honest broker keeps its promises");
        let broken = World::new(options.clone(), Decisions::from_seed(seed));
        if let Err(failure) = broken.with_layer(Box::new(L::default())).run() {
            if failure.message.contains(what) {
                return;
            }
            told.push(failure.message);
        }
    }
    panic!("not caught in {SEEDS} seeds; told instead: {told:#?}");
}

#[test]
fn an_answer_before_its_sync_is_caught() {
    let options = with_crashes(Options::calm(), Crash::PowerLoss);
    caught::<AnswersBeforeSync>(&options, "was acknowledged");
}

#[test]
fn a_forgotten_directory_sync_is_caught() {
    // Small segments: each one is a new file.
    let options = Options { segment_bytes: 2048, ..Options::calm() };
    caught::<ForgetsDirectorySync>(&with_crashes(options, Crash::PowerLoss), "was acknowledged");
}

#[test]
fn a_log_end_past_a_hole_is_caught() {
    let options = with_crashes(Options::calm(), Crash::Killed);
    caught::<EndsPastHole>(&options, "was acknowledged");
}

#[test]
fn a_crc_skipped_in_recovery_is_caught() {
    let options = Options { value_bytes_max: 4096, ..Options::calm() };
    caught::<SkipsCrcInRecovery>(&with_crashes(options, Crash::PowerLoss), "promise: ");
}

#[test]
fn a_forgotten_append_time_is_caught() {
    let options = Options { append_time_topics: 1, ..Options::calm() };
    // Its type is wrong, or the largest one is when that is the first to be looked at.
    caught::<ForgetsAppendTime>(&options, "timestamp");
}

#[test]
fn reordered_answers_are_caught() {
    let options = Options { requests: 30, pipeline: 6, batch_records_max: 1, ..Options::calm() };
    caught::<ReordersAnswers>(&options, "promise: ");
}
