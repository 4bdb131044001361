//! Makes a failed run smaller, for a person to read: fewer strikes, clients, requests, faults, and
//! choices, as long as it fails in the same way.

use crate::options::Options;
use crate::script::Script;
use crate::world::{Failure, World};

/// Runs that a search may take.
pub const RUNS_MAX: usize = 400;

/// The smallest script that was found to fail like this one, with its failure. `world` makes the
/// world of a script.
pub fn minimise(failure: &Failure, runs_max: usize, world: impl Fn(&Script) -> World) -> Failure {
    let mut search = Search { best: failure.clone(), left: runs_max, world };
    while search.left > 0 && search.improve() {}
    search.best
}

struct Search<W> {
    best: Failure,
    left: usize,
    world: W,
}

impl<W: Fn(&Script) -> World> Search<W> {
    /// Tries every way to make the run smaller, once. True when one of them did.
    fn improve(&mut self) -> bool {
        let drops = self.drop_strikes();
        let eases = self.ease_options();
        let cuts = self.cut_choices();
        drops || eases || cuts
    }

    fn drop_strikes(&mut self) -> bool {
        let mut is_smaller = false;
        for at in (0..self.best.script.options.strikes.len()).rev() {
            is_smaller |= self.attempt(|script| {
                script.options.strikes.remove(at);
            });
        }
        is_smaller
    }

    /// Each option as it is in a calm run, or nothing of it, or half.
    fn ease_options(&mut self) -> bool {
        let calm = Options::calm();
        let mut is_smaller = false;
        for name in Options::NAMES {
            let now = self.best.script.options.value(name);
            for value in [calm.value(name), 0, now / 2] {
                // Whoever asks picks a topic: without one there is no run.
                if (*name, value) == ("topics", 0) {
                    continue;
                }
                if value < now || (value == calm.value(name) && value != now) {
                    let eased = self.attempt(|script| {
                        script.options.set(name, &value.to_string()).expect("it is an option");
                    });
                    is_smaller |= eased && value < now;
                    if eased {
                        break;
                    }
                }
            }
        }
        is_smaller
    }

    /// Of each purpose's choices the first half: what is left out is answered with the mildest one.
    fn cut_choices(&mut self) -> bool {
        let purposes: Vec<_> = self.best.script.choices.keys().copied().collect();
        let mut is_smaller = false;
        for purpose in purposes {
            let count = self.best.script.choices.get(&purpose).map_or(0, Vec::len);
            for left in [0, count / 2] {
                let is_cut = count > left
                    && self.attempt(|script| {
                        script.choices.entry(purpose).or_default().truncate(left);
                    });
                is_smaller |= is_cut;
                if is_cut {
                    break;
                }
            }
        }
        is_smaller
    }

    /// Keeps the change if the run still fails in the same way.
    fn attempt(&mut self, change: impl FnOnce(&mut Script)) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut script = self.best.script.clone();
        change(&mut script);
        match (self.world)(&script).run() {
            Err(failure) if kind(&failure.message) == kind(&self.best.message) => {
                // Its own record of choices may be longer, and says no more.
                self.best = Failure { script, ..*failure };
                true
            }
            _ => false,
        }
    }
}

/// What two failures of one cause have in common: what is said, without names and numbers.
fn kind(message: &str) -> String {
    let words = message.split_whitespace().filter(|word| {
        word.chars().all(|letter| letter.is_alphabetic() || ",.:;'".contains(letter))
    });
    words.take(8).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{kind, minimise};
    use crate::broken::ReusesOffsets;
    use crate::decisions::Decisions;
    use crate::options::{Options, Strike, StrikeKind};
    use crate::world::World;

    #[test]
    fn one_cause_has_one_kind() {
        let one = "promise: topic0-1 offset 3: record 5 was acknowledged, there is record 9";
        let other = "promise: topic2-0 offset 1: record 44 was acknowledged, there is record 7";
        assert_eq!(kind(one), kind(other));
        assert_ne!(kind(one), kind("promise: topic0-1: log start 8, 9 was told before"));
    }

    #[test]
    fn a_run_gets_smaller_and_fails_as_before() {
        let strikes = [400, 800].map(|at_event| Strike { at_event, kind: StrikeKind::Stop });
        let options = Options {
            clients: 3,
            requests: 20,
            consumers: 2,
            consumer_requests: 10,
            inquirers: 1,
            inquirer_requests: 10,
            strikes: strikes.to_vec(),
            ..Options::calm()
        };
        let broken = |world: World| world.with_layer(Box::new(ReusesOffsets::default()));
        let world = World::new(options, Decisions::from_seed(3));
        let failure = broken(world).run().expect_err("it is broken");
        let smaller = minimise(&failure, 60, |script| broken(World::from_script(script)));
        assert_eq!(kind(&smaller.message), kind(&failure.message));
        assert!(smaller.script.options.strikes.is_empty());
        assert!(smaller.script.options.clients < 3);
        assert!(broken(World::from_script(&smaller.script)).run().is_err());
    }
}
