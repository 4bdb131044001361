//! A run told as a ladder: the same for the same run, and fit to be read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use klamm_sim::broken::AnswersBeforeSync;
use klamm_sim::decisions::{Decisions, Purpose};
use klamm_sim::disk::Crash;
use klamm_sim::ladder::Ladder;
use klamm_sim::options::{Options, Strike, StrikeKind};
use klamm_sim::world::World;

/// What a run tells from its start to its end.
fn told(world: World) -> String {
    let told = Rc::new(RefCell::new(String::new()));
    let lines = Rc::clone(&told);
    let ladder = Ladder::new(move |line| {
        let mut told = lines.borrow_mut();
        told.push_str(line);
        told.push('\n');
    });
    // How it ends is on the ladder.
    drop(world.with_ladder(ladder).run());
    told.take()
}

/// Everything takes its time, and nobody draws lots: what a seed means may change, and this stays.
fn steady() -> Decisions {
    let record = BTreeMap::from([
        (Purpose::Delay, vec![30; 10_000]),
        (Purpose::Network, vec![200; 10_000]),
        (Purpose::Client, vec![1; 10_000]),
        (Purpose::Crash, vec![1; 10_000]),
    ]);
    Decisions::from_record(record)
}

#[test]
fn a_lost_write_is_told_on_one_page() {
    let kind = StrikeKind::Crash(Crash::PowerLoss);
    let strikes = vec![Strike { at_event: 275, kind }];
    let world = World::new(Options { strikes, ..Options::calm() }, steady());
    let told = told(world.with_layer(Box::new(AnswersBeforeSync)));
    assert!(told.contains("POWER LOSS") && told.contains("FAILED promise: topic0-0 offset 0"));
    assert!(told.lines().count() <= 60, "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn two_runs_of_a_seed_are_told_alike_to_the_byte() {
    for seed in [3, 20, 42] {
        let (one, other) = (told(World::from_seed(seed)), told(World::from_seed(seed)));
        assert!(one.lines().count() > 20, "{one}");
        assert_eq!(one, other);
    }
}
