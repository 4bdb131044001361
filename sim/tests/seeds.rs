//! A fixed set of runs, in which anything may go wrong and no promise may be broken.

use klamm_sim::broken::ReordersAnswers;
use klamm_sim::decisions::Decisions;
use klamm_sim::marks::{Group, Marks};
use klamm_sim::options::Options;
use klamm_sim::script::Script;
use klamm_sim::world::World;

/// What must happen somewhere in the fixed set, or it tests less than it seems to.
const MARKS: &[(Group, &[&str])] = &[
    (Group::CarriedOut, &["create", "write", "read", "set length", "sync", "sync set"]),
    (Group::CarriedOut, &["sync directory", "rename", "make directory", "list", "lock", "close"]),
    (Group::CarriedOut, &["open", "unlink", "remove directory", "space"]),
    (Group::Failed, &["write", "read", "create", "rename", "sync", "sync set", "sync directory"]),
    (Group::Failure, &["disk full", "operation failed", "sync failed"]),
    (Group::CutShort, &["write", "sync set", "read", "create", "list", "make directory"]),
    (Group::CutShort, &["rename", "unlink"]),
    (Group::Crash, &["killed in start-up", "killed in service", "killed in shutdown"]),
    (Group::Crash, &["power loss in start-up", "power loss in service", "power loss in shutdown"]),
    (Group::Phase, &["turn in start-up", "turn in service", "turn in shutdown"]),
    (Group::Phase, &["ended as asked", "failed in start-up", "failed in service"]),
    (Group::Phase, &["failed in shutdown"]),
    (Group::Crash, &["crash of what is down"]),
    (Group::Event, &["directory offline", "partition offline", "torn tail cut"]),
    (Group::Event, &["stray directory", "metadata log ends early", "peer misbehaved", "notice"]),
    (Group::Answer, &["NONE", "KAFKA_STORAGE_ERROR", "UNKNOWN_TOPIC_OR_PARTITION", "no answer"]),
    (Group::Answer, &["sent again", "UNKNOWN_TOPIC_ID"]),
    (Group::Told, &["records", "no records", "offset", "no offset", "records deleted"]),
    (Group::Told, &["producer id", "producers", "epoch end", "OFFSET_OUT_OF_RANGE"]),
    (Group::Asked, &["create", "try to create", "delete by name", "delete by id", "grow", "look"]),
    (Group::Asked, &["alter a topic", "alter a broker", "replace a topic's settings"]),
    (Group::Asked, &["replace a broker's settings"]),
    (Group::Changed, &["made", "done", "seen", "absent", "no answer", "TOPIC_ALREADY_EXISTS"]),
    (Group::Changed, &["INVALID_PARTITIONS", "UNKNOWN_TOPIC_ID", "UNKNOWN_TOPIC_OR_PARTITION"]),
    (Group::Topic, &["made", "made again", "grown", "told other settings", "gone"]),
    (Group::GroupAsked, &["join", "join again", "join as an instance", "sync", "sync as leader"]),
    (Group::GroupAsked, &["heartbeat", "leave", "commit", "commit of a static member"]),
    (Group::GroupAsked, &["commit of nobody", "offsets", "all offsets", "delete", "describe"]),
    (Group::GroupAsked, &["delete offsets", "list", "list some", "commit of a topic that goes"]),
    (Group::GroupTold, &["leads itself", "leads others", "follows", "part", "no answer", "NONE"]),
    (Group::GroupTold, &["offset", "no offset", "Empty", "Stable", "PreparingRebalance"]),
    (Group::GroupTold, &["MEMBER_ID_REQUIRED", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"]),
    (Group::GroupTold, &["ILLEGAL_GENERATION", "NON_EMPTY_GROUP", "GROUP_SUBSCRIBED_TO_TOPIC"]),
    (Group::GroupTold, &["COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR"]),
    (Group::GroupTold, &["OFFSET_METADATA_TOO_LARGE", "GROUP_MAX_SIZE_REACHED"]),
    (Group::GroupTold, &["FENCED_INSTANCE_ID", "UNKNOWN_TOPIC_OR_PARTITION", "listed"]),
    (Group::Stored, &["uncompressed", "gzip", "snappy", "lz4", "zstd", "stamped", "keyed"]),
    (Group::Other, &["bit flipped at rest", "connection reset", "damage found", "half-closed"]),
    (Group::Other, &["range sent", "wall clock stepped back", "wall clock stepped on"]),
    (Group::Other, &["request budget spent", "segment rolled", "stopped in good order"]),
    (Group::Other, &["stopped by a failed disk", "directory formatted", "segments replaced"]),
    (Group::Other, &["metadata snapshot written", "metadata snapshot given up"]),
    (Group::Other, &["metadata segment given up", "unfinished metadata snapshot removed"]),
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
                panic!("SEED={seed}\n{options}{failure}\nto replay: klamm-sim --replay {seed}")
            }
        }
    }
    for (group, names) in MARKS {
        for name in *names {
            assert!(marks.count(*group, name) > 0, "nowhere: {group:?} {name}\n{marks}");
        }
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

/// The digest holds every event with its time, every byte that a client received, and every byte of
/// the disk at the end.
#[test]
fn two_runs_of_a_seed_agree_to_the_byte() {
    for seed in [1, 17, 42] {
        let (one, other) = (World::from_seed(seed).run(), World::from_seed(seed).run());
        assert_eq!(one.expect("it goes well"), other.expect("it goes well"));
    }
}

/// Fault kinds, sizes, topics, clients, durability, settings, limits: with what is printed before a
/// run, and the choices within it, it is the same run.
#[test]
fn all_that_a_run_is_like_is_printed_before_it() {
    for seed in [2, 18, 43] {
        let world = World::from_seed(seed);
        let mut options = Options::default();
        for word in world.options().summary().split_whitespace() {
            if let Some((name, value)) = word.split_once('=') {
                options.set(name, value).expect("it is an option");
            }
        }
        let printed = World::new(options, Decisions::from_seed(seed)).run();
        assert_eq!(printed.expect("it goes well"), world.run().expect("it goes well"));
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
        assert_eq!(report.acknowledged, 23, "{codec}");
    }
}

#[test]
fn a_calm_run_acknowledges_everything() {
    let options = Options { requests: 20, clients: 2, ..Options::calm() };
    let report = World::new(options, Decisions::from_seed(5)).run().expect("nothing fails");
    assert_eq!(report.acknowledged, 46, "and three more of each client at the end");
}

#[test]
fn sessions_that_wait_are_woken_for_whatever_comes() {
    let options = Options {
        requests: 20,
        topics: 2,
        partitions: 2,
        consumers: 2,
        consumer_requests: 10,
        session_per_mille: 1000,
        ..Options::calm()
    };
    for seed in 0..10 {
        World::new(options.clone(), Decisions::from_seed(seed)).run().expect("all are woken");
    }
}
