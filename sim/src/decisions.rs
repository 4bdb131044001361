//! Every choice of a run, in one place: drawn from a seed, or read back from a script.
//!
//! Each purpose has a stream of its own, so that a new draw for one purpose leaves what a seed
//! means for all others as it was. What was chosen is recorded; the record, without the generator,
//! is enough to run the same run again, and an exhausted record answers 0, which is always the
//! mildest choice.

use std::collections::BTreeMap;

use klamm_core::rng::Rng;

/// What a choice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The options of a run.
    Options,
    /// How long events wait in the queue.
    Delay,
    /// How the network cuts, delays and ends connections.
    Network,
    /// What clients send.
    Client,
    /// The order of what has none on the disk.
    DiskOrder,
    /// Which file operations fail, and how.
    DiskFault,
    /// What a crash leaves of what was under way and not yet durable.
    Crash,
    /// The broker's own seed.
    Broker,
    /// How clients encode their batches.
    Format,
    /// What clients read and ask for.
    Reader,
    /// How the wall clock steps.
    Wall,
    /// What administrators do, and who looks at what they did.
    Administrator,
    /// What programs of a tester's own choose.
    Program,
    /// What members of groups do, and those who look after groups.
    Group,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Options,
        Self::Delay,
        Self::Network,
        Self::Client,
        Self::DiskOrder,
        Self::DiskFault,
        Self::Crash,
        Self::Broker,
        Self::Format,
        Self::Reader,
        Self::Wall,
        Self::Administrator,
        Self::Program,
        Self::Group,
    ];

    /// Its name in a script.
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Delay => "delay",
            Self::Network => "network",
            Self::Client => "client",
            Self::DiskOrder => "disk-order",
            Self::DiskFault => "disk-fault",
            Self::Crash => "crash",
            Self::Broker => "broker",
            Self::Format => "format",
            Self::Reader => "reader",
            Self::Wall => "wall",
            Self::Administrator => "administrator",
            Self::Program => "program",
            Self::Group => "group",
        }
    }
}

/// How many there are.
const PURPOSES: usize = Purpose::ALL.len();

/// The choices of one run.
#[derive(Clone, Debug)]
pub struct Decisions {
    source: Source,
    taken: [Vec<u64>; PURPOSES],
}

/// By purpose.
#[derive(Clone, Debug)]
enum Source {
    Seed([Rng; PURPOSES]),
    Record { values: [Vec<u64>; PURPOSES], read: [usize; PURPOSES] },
}

impl Decisions {
    /// Draws from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        let streams = Purpose::ALL.map(|purpose| fork(seed, purpose));
        Self { source: Source::Seed(streams), taken: Default::default() }
    }

    /// Repeats a record.
    pub fn from_record(mut values: BTreeMap<Purpose, Vec<u64>>) -> Self {
        let values = Purpose::ALL.map(|purpose| values.remove(&purpose).unwrap_or_default());
        Self { source: Source::Record { values, read: [0; PURPOSES] }, taken: Default::default() }
    }

    /// What was chosen so far, by purpose; nothing for those that had no choice.
    pub fn record(&self) -> BTreeMap<Purpose, Vec<u64>> {
        let taken = Purpose::ALL.into_iter().zip(&self.taken);
        let taken = taken.filter(|(_, values)| !values.is_empty());
        taken.map(|(purpose, values)| (purpose, values.clone())).collect()
    }

    /// A number below `bound`; 0 without a choice when `bound` is 0 or 1.
    pub fn below(&mut self, purpose: Purpose, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        let place = purpose as usize;
        let value = match &mut self.source {
            Source::Seed(streams) => streams[place].below(bound),
            Source::Record { values, read } => {
                let recorded = values[place].get(read[place]).copied();
                read[place] += 1;
                recorded.unwrap_or(0).min(bound - 1)
            }
        };
        self.taken[place].push(value);
        value
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, purpose: Purpose, low: u64, high: u64) -> u64 {
        low + self.below(purpose, high.saturating_sub(low) + 1)
    }

    /// True in so many of a thousand cases.
    pub fn chance(&mut self, purpose: Purpose, per_mille: u32) -> bool {
        // Counted from the top, so that an exhausted record says no.
        per_mille > 0 && self.below(purpose, 1000) >= 1000 - u64::from(per_mille.min(1000))
    }

    /// One of `items`, which is not empty.
    pub fn pick<'a, T>(&mut self, purpose: Purpose, items: &'a [T]) -> &'a T {
        &items[self.below(purpose, items.len() as u64) as usize]
    }
}

/// A stream that shares nothing with its siblings: splitmix64 of the seed and the purpose.
fn fork(seed: u64, purpose: Purpose) -> Rng {
    let mut state = seed ^ (purpose as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
    let mut bytes = [0_u8; 32];
    for word in bytes.as_chunks_mut::<8>().0 {
        *word = splitmix(&mut state).to_le_bytes();
    }
    Rng::from_seed(bytes)
}

/// The next of splitmix64 (Steele, Lea, Flood; public domain).
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Decisions, Purpose};

    #[test]
    fn a_record_repeats_what_the_seed_drew() {
        let mut drawn = Decisions::from_seed(7);
        let first: Vec<u64> = (2..50).map(|bound| drawn.below(Purpose::Delay, bound)).collect();
        let mut repeated = Decisions::from_record(drawn.record());
        let second: Vec<u64> = (2..50).map(|bound| repeated.below(Purpose::Delay, bound)).collect();
        assert_eq!(first, second);
        assert_eq!(repeated.below(Purpose::Delay, 1000), 0, "an exhausted record is mild");
        assert!(!repeated.chance(Purpose::Delay, 999));
    }

    #[test]
    fn every_purpose_has_its_own_place() {
        for (place, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, place);
        }
    }

    #[test]
    fn streams_do_not_disturb_one_another() {
        let mut one = Decisions::from_seed(7);
        let mut other = Decisions::from_seed(7);
        for _ in 0..10 {
            other.below(Purpose::Client, 100);
        }
        let of_one: Vec<u64> = (0..20).map(|_| one.below(Purpose::Crash, 1 << 40)).collect();
        let of_other: Vec<u64> = (0..20).map(|_| other.below(Purpose::Crash, 1 << 40)).collect();
        assert_eq!(of_one, of_other);
    }
}
