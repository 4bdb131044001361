//! Negative controls: each broken broker must be caught, by the check that is there for it, within
//! few seeds, and the same runs must go well without the break.

use klamm_sim::broken::{CONTROLS, Control, Search};

/// The table is looked through in so many parts, side by side.
const PARTS: usize = 4;

fn catch(control: &Control) {
    match control.search() {
        Search::Found(..) => {}
        Search::Unfair(seed, failure) => {
            panic!("{}: the honest broker fails in seed {seed}: {failure}", control.name)
        }
        Search::Missed(instead) => {
            let (name, seeds) = (control.name, control.seeds);
            panic!("{name} is not caught in {seeds} seeds; told instead: {instead:#?}")
        }
    }
}

fn catch_part(part: usize) {
    CONTROLS.iter().skip(part).step_by(PARTS).for_each(catch);
}

#[test]
fn each_broken_broker_is_caught() {
    catch_part(0);
}

#[test]
fn each_broken_broker_of_the_second_part_is_caught() {
    catch_part(1);
}

#[test]
fn each_broken_broker_of_the_third_part_is_caught() {
    catch_part(2);
}

#[test]
fn each_broken_broker_of_the_fourth_part_is_caught() {
    catch_part(3);
}

#[test]
fn each_has_a_name_of_its_own() {
    let mut names: Vec<&str> = CONTROLS.iter().map(|control| control.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
