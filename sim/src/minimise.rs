//! Makes a failed run smaller, for a person to read: fewer strikes, clients, requests, faults, and
//! choices, as long as it fails in the same way.

use crate::decisions::{Decisions, Purpose};
use crate::options::Options;
use crate::world::{Failure, World};

/// Runs that a search may take.
pub const RUNS_MAX: usize = 2_000;

/// Events that it may take, in all of them.
const EVENTS_MAX: u64 = 5_000_000;

/// So many times the events of the failed run may each of them take: one without any delay may go on for
/// millions where it does not fail.
const EVENTS_FACTOR: u64 = 2;

/// A smaller run meets other choices, in which the failure may not come about: so many times others
/// are drawn for it.
const DRAWS: u64 = 3;

/// The smallest run that was found to fail like this one. `world` makes the world of options and
/// choices, with whatever layers and programs took part.
pub fn minimise(
    failure: &Failure,
    runs_max: usize,
    world: impl Fn(Options, Decisions) -> World,
) -> Failure {
    let bound_events = failure.events * EVENTS_FACTOR;
    let best = failure.clone();
    let mut search = Search { best, runs_left: runs_max, events: 0, bound_events, world };
    search.calm_down();
    while search.runs_left > 0 && search.improve() {}
    search.best
}

struct Search<W> {
    best: Failure,
    runs_left: usize,
    events: u64,
    bound_events: u64,
    world: W,
}

/// A longer run is no smaller one, whatever a calm run is like.
const NEVER_CALMED: &str = "events_max";

impl<W: Fn(Options, Decisions) -> World> Search<W> {
    /// Many options at once as they are in a calm run, then fewer at once.
    fn calm_down(&mut self) {
        self.attempt(|options| options.strikes.clear());
        let calm = Options::calm();
        let mut at_once = Options::NAMES.len();
        while at_once > 2 {
            for names in Options::NAMES.chunks(at_once) {
                self.attempt(|options| {
                    for name in names.iter().filter(|name| **name != NEVER_CALMED) {
                        let value = calm.value(name).to_string();
                        options.set(name, &value).expect("it is an option");
                    }
                });
            }
            at_once /= 2;
        }
    }

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
            is_smaller |= self.attempt(|options| {
                options.strikes.remove(at);
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
                // Whoever asks picks a topic and a partition: without one there is no run.
                if matches!((*name, value), ("topics" | "partitions", 0))
                    || *name == NEVER_CALMED && value > now
                {
                    continue;
                }
                if value < now || (value == calm.value(name) && value != now) {
                    let eased = self.attempt(|options| {
                        options.set(name, &value.to_string()).expect("it is an option");
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
                let is_cut = count > left && self.cut(purpose, left);
                is_smaller |= is_cut;
                if is_cut {
                    break;
                }
            }
        }
        is_smaller
    }

    fn cut(&mut self, purpose: Purpose, left: usize) -> bool {
        let mut script = self.best.script.clone();
        script.choices.entry(purpose).or_default().truncate(left);
        let failure = self.failure(script.options.clone(), script.decisions());
        // Its own record of choices may be longer, and says no more.
        failure.map(|failure| self.best = Failure { script, ..failure }).is_some()
    }

    /// Keeps the change if the run still fails in the same way, by its choices or by others.
    fn attempt(&mut self, change: impl FnOnce(&mut Options)) -> bool {
        let mut options = self.best.script.options.clone();
        change(&mut options);
        if options == self.best.script.options {
            return false;
        }
        let known = self.best.script.decisions();
        let drawn = (0..DRAWS).map(Decisions::from_seed);
        for decisions in std::iter::once(known).chain(drawn) {
            if let Some(failure) = self.failure(options.clone(), decisions) {
                self.best = failure;
                return true;
            }
        }
        false
    }

    /// How this run fails, if it does so in the same way.
    fn failure(&mut self, options: Options, decisions: Decisions) -> Option<Failure> {
        if self.runs_left == 0 || self.events > EVENTS_MAX {
            self.runs_left = 0;
            return None;
        }
        self.runs_left -= 1;
        match (self.world)(options, decisions).within(self.bound_events).run() {
            Ok(report) => {
                self.events += report.events;
                None
            }
            Err(failure) => {
                self.events += failure.events;
                (kind(&failure.message) == kind(&self.best.message)).then_some(*failure)
            }
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
    use super::{Search, kind, minimise};
    use crate::broken::{Panics, ReusesOffsets};
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
        let smaller =
            minimise(&failure, 200, |options, decisions| broken(World::new(options, decisions)));
        assert_eq!(kind(&smaller.message), kind(&failure.message));
        assert!(smaller.script.options.strikes.is_empty());
        assert!(smaller.script.options.clients < 3);
        assert!(broken(World::from_script(&smaller.script)).run().is_err());
    }

    #[test]
    fn a_run_that_panics_gets_smaller_too() {
        let broken = |world: World| world.with_layer(Box::new(Panics::default()));
        let options = Options { clients: 3, requests: 20, ..Options::calm() };
        let world = World::new(options, Decisions::from_seed(3));
        let failure = broken(world).run().expect_err("it is broken");
        let smaller =
            minimise(&failure, 100, |options, decisions| broken(World::new(options, decisions)));
        assert_eq!(smaller.message, failure.message);
        assert!(smaller.script.options.clients < 3);
    }

    #[test]
    fn a_run_that_does_not_fail_ends_with_the_events_that_it_may_take() {
        let options = Options { requests: 20, ..Options::calm() };
        let world = |options, decisions| World::new(options, decisions);
        let broken = world(options.clone(), Decisions::from_seed(3))
            .with_layer(Box::new(ReusesOffsets::default()));
        let best = *broken.run().expect_err("it is broken");
        let bound_events = 2 * best.events;
        let mut search = Search { best, runs_left: 1, events: 0, bound_events, world };
        let whole = world(options.clone(), Decisions::from_seed(3)).run().expect("it is honest");
        assert!(whole.events > bound_events, "or it tests nothing");
        assert!(search.failure(options, Decisions::from_seed(3)).is_none());
        assert_eq!(search.events, bound_events);
    }
}
