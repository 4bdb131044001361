//! Negative controls: each broken broker must be caught, by the check that is there for it, within
//! few seeds, and the same runs must go well without the break.

use klamm_sim::broken::{
    AnswersBeforeSync, AnswersDuplicatesEarly, EndsPastHole, ForgetsAppendTime,
    ForgetsDirectorySync, ForgetsInSession, ForgetsLogStarts, ForgetsSequences, LeaksSessions,
    LowersHighWatermark, ReordersAnswers, ReusesOffsets, ServesUnsynced, SkipsCrcInRecovery,
    TrustsTornIndex, WakesNobody,
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

/// What the checkers say of a broker that `L` breaks: the first failures, of so many seeds.
fn caught<L: Layer + Default + 'static>(options: &Options, what: &str) {
    caught_when(options, what, |world| world.with_layer(Box::new(L::default())));
}

fn caught_when(options: &Options, what: &str, breaks: impl Fn(World) -> World) {
    let mut told = Vec::new();
    for seed in 0..SEEDS {
        let honest = World::new(options.clone(), Decisions::from_seed(seed));
        honest.run().expect("the honest broker keeps its promises");
        let broken = World::new(options.clone(), Decisions::from_seed(seed));
        if let Err(failure) = breaks(broken).run() {
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

/// Small segments, and consumers that read them again and again.
fn with_consumers() -> Options {
    Options {
        requests: 40,
        segment_bytes: 4096,
        consumers: 2,
        consumer_requests: 40,
        seek_per_mille: 200,
        fetch_wait_ms_max: 10,
        ..Options::calm()
    }
}

#[test]
fn a_torn_index_trusted_is_caught() {
    caught::<TrustsTornIndex>(&with_consumers(), "for a fetch from");
}

#[test]
fn a_read_of_what_is_not_synced_is_caught() {
    let options = Options { seek_per_mille: 0, ..with_consumers() };
    caught::<ServesUnsynced>(&options, "before they were synced");
}

#[test]
fn a_high_watermark_that_falls_is_caught() {
    caught::<LowersHighWatermark>(&with_consumers(), "was told before");
}

#[test]
fn an_offset_given_twice_is_caught() {
    caught::<ReusesOffsets>(&Options { requests: 20, ..Options::calm() }, "was given to record");
}

#[test]
fn a_wait_that_nobody_ends_is_caught() {
    caught::<WakesNobody>(&with_consumers(), "was not woken");
}

#[test]
fn a_session_leaked_is_caught() {
    let options = Options { session_per_mille: 1000, ..with_consumers() };
    caught::<LeaksSessions>(&options, "the broker still keeps");
}

#[test]
fn a_partition_forgotten_in_a_session_is_caught() {
    let options = Options { session_per_mille: 1000, ..with_consumers() };
    caught::<ForgetsInSession>(&options, "promise: ");
}

#[test]
fn a_duplicate_answered_before_it_is_safe_is_caught() {
    let options = Options { idempotent: 1, resent_per_mille: 500, ..Options::calm() };
    let options = Options { disk_micros_max: 20_000, ..options };
    caught::<AnswersDuplicatesEarly>(&with_crashes(options, Crash::PowerLoss), "was acknowledged");
}

#[test]
fn a_sequence_forgotten_is_caught() {
    let kind = StrikeKind::Stop;
    let strikes = [400, 800, 1200].map(|at_event| Strike { at_event, kind }).to_vec();
    let options = Options { requests: 40, idempotent: 1, resent_per_mille: 500, ..Options::calm() };
    caught::<ForgetsSequences>(&Options { strikes, ..options }, "lies at offset");
}

/// An inquirer that deletes, among consumers.
fn with_deletions() -> Options {
    Options { inquirers: 1, inquirer_requests: 40, delete_per_mille: 500, ..with_consumers() }
}

#[test]
fn a_log_start_that_goes_back_is_caught() {
    let options = with_crashes(with_deletions(), Crash::Killed);
    caught::<ForgetsLogStarts>(&options, "was told before");
}

#[test]
fn a_retention_that_deletes_beyond_its_bound_is_caught() {
    let options = Options { retention_bytes: 20_000, task_interval_ms: 20, ..with_consumers() };
    caught_when(&options, "nothing beyond", |world| {
        world.with_config(|config| config.topic_defaults.retention_bytes = 3_000)
    });
}
