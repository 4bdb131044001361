//! A fixed set of runs, in which anything may go wrong and no promise may be broken.

use klamm_sim::broken::ReordersAnswers;
use klamm_sim::decisions::Decisions;
use klamm_sim::marks::Marks;
use klamm_sim::options::Options;
use klamm_sim::script::Script;
use klamm_sim::world::World;

/// What must happen somewhere in the fixed set, or it tests less than it seems to.
const MARKS: [&str; 19] = [
    "bit flipped at rest",
    "connection reset",
    "damage found",
    "directory offline",
    "disk full",
    "half-closed",
    "killed in service",
    "killed in shutdown",
    "killed in start-up",
    "operation failed",
    "power loss in service",
    "power loss in shutdown",
    "power loss in start-up",
    "request budget spent",
    "segment rolled",
    "stopped by a failed disk",
    "stopped in good order",
    "sync failed",
    "torn tail cut",
];

#[test]
fn no_promise_is_broken() {
    let mut marks = Marks::default();
    for seed in 0..100 {
        let world = World::from_seed(seed);
        let options = world.options().clone();
        match world.run() {
            Ok(report) => marks.add(&report.marks),
            Err(failure) => {
                panic!("SEED={seed}\n{options}{failure}\nto repeat: klamm-sim --seed {seed}")
            }
        }
    }
    for name in MARKS {
        assert!(marks.count(name) > 0, "nowhere: {name}\n{marks}");
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");
    let mut scripts = 0;
    for entry in std::fs::read_dir(directory).expect("the scripts are kept there") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let script = Script::parse(&text).expect("a script");
        if let Err(failure) = World::from_script(&script).run() {
            panic!("{}: {failure}", path.display());
        }
        scripts += 1;
    }
    assert!(scripts > 0);
}

#[test]
fn a_script_repeats_its_run() {
    // A run that fails, for its script: no answer may come to a broker that keeps one back.
    let options = Options { requests: 30, pipeline: 6, ..Options::calm() };
    let run = |world: World| world.with_layer(Box::new(ReordersAnswers::default())).run();
    let failure = run(World::new(options, Decisions::from_seed(3))).expect_err("it is broken");
    let script = Script::parse(&failure.script.to_text()).expect("a script");
    let again = run(World::from_script(&script)).expect_err("it is broken");
    assert_eq!((again.events, again.message), (failure.events, failure.message));
}

#[test]
fn one_seed_is_one_run() {
    for seed in [1, 17, 42] {
        let (one, other) = (World::from_seed(seed).run(), World::from_seed(seed).run());
        assert_eq!(one.expect("it goes well"), other.expect("it goes well"));
    }
}

#[test]
fn whatever_a_topic_makes_of_batches_all_are_acknowledged() {
    for codec in 0..6 {
        let options = Options {
            requests: 20,
            batch_records_max: 4,
            compressed_per_mille: 700,
            keyed_per_mille: 500,
            topic_codecs: codec,
            append_time_topics: codec % 2,
            ..Options::calm()
        };
        let report = World::new(options, Decisions::from_seed(codec)).run().expect("all is well");
        assert_eq!(report.acknowledged, 22, "{codec}");
    }
}

#[test]
fn a_calm_run_acknowledges_everything() {
    let options = Options { requests: 20, clients: 2, ..Options::calm() };
    let report = World::new(options, Decisions::from_seed(5)).run().expect("nothing fails");
    assert_eq!(report.acknowledged, 44, "and two more of each client at the end");
}
