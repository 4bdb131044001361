//! Every crash point of a small history: the same run again and again, and each time the broker
//! ends at another moment, in start-up, in service, in shutdown and in the start-up behind it.
//!
//! A crash point is behind each event that changes what a crash leaves: an operation starts or takes
//! hold on the disk, or bytes leave the process. Between two of those, a crash leaves the same.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::decisions::Decisions;
use crate::disk::Crash;
use crate::options::{Options, Strike, StrikeKind};
use crate::world::{Failure, Report, World};

/// A small history: what it is like, and the seed of its choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallHistory {
    /// What it is about.
    pub about: &'static str,
    /// Its options, with a stop near its end.
    pub options: Options,
    /// Of its choices.
    pub seed: u64,
}

/// Small histories that are about the same.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about.
    pub about: &'static str,
    /// How many there are.
    pub histories: u64,
    /// The options of one of them, by its number in the group.
    options: fn(u64) -> Options,
    /// What happens in the middle, before the crash or behind it.
    interlude: Option<StrikeKind>,
}

/// All of them.
pub const GROUPS: &[Group] = &[
    group("produces", 8, of_produces),
    group("two log directories", 6, with_two_directories),
    group("compressed and transformed batches", 4, with_formats),
    group("idempotent producers", 4, with_sequences),
    group("logs that roll and are cut by retention", 4, with_rolls),
    group("deleted records", 4, with_deletions),
    group("topics that come and go", 8, with_topics),
    group("metadata snapshots", 4, with_snapshots),
    group("topics that are made by looks", 2, with_auto_creation),
    group("logs that are compacted", 4, with_compaction),
    group("failing disks", 6, with_failing_disks),
    Group {
        interlude: Some(StrikeKind::Stop),
        ..group("a stop in good order, and the start behind it", 3, with_a_bit_of_all)
    },
    Group {
        interlude: Some(StrikeKind::Crash(Crash::PowerLoss)),
        ..group("a power loss, and the recovery behind it", 3, with_a_bit_of_all)
    },
    group("members of groups", 4, with_members),
];

const fn group(about: &'static str, histories: u64, options: fn(u64) -> Options) -> Group {
    Group { about, histories, options, interlude: None }
}

/// How many small histories there are.
pub const SMALL_HISTORIES: u64 = {
    let (mut count, mut at) = (0, 0);
    while at < GROUPS.len() {
        count += GROUPS[at].histories;
        at += 1;
    }
    count
};

impl SmallHistory {
    /// History `number` of [`SMALL_HISTORIES`]. Fails when the run does without any crash.
    pub fn new(number: u64) -> Result<Self, Box<Failure>> {
        let (group, place) = place_of(number);
        let (options, seed) = ((group.options)(place), 1_000 + number);
        let mut history = Self { about: group.about, options, seed };
        if let Some(kind) = group.interlude {
            history.strike_at(kind, |events| events / 2)?;
        }
        history.strike_at(StrikeKind::Stop, |events| events.saturating_sub(1))?;
        Ok(history)
    }

    fn strike_at(
        &mut self,
        kind: StrikeKind,
        place: impl FnOnce(u64) -> u64,
    ) -> Result<(), Box<Failure>> {
        let at_event = place(self.calm()?.safety_events);
        self.options.strikes.push(Strike { at_event, kind });
        Ok(())
    }

    /// The run without a crash.
    pub fn calm(&self) -> Result<Report, Box<Failure>> {
        World::new(self.options.clone(), Decisions::from_seed(self.seed)).run()
    }

    /// The run with a crash before event `at_event`.
    pub fn with_crash(&self, at_event: u64, crash: Crash) -> World {
        let mut options = self.options.clone();
        options.strikes.push(Strike { at_event, kind: StrikeKind::Crash(crash) });
        options.strikes.sort_by_key(|strike| strike.at_event);
        World::new(options, Decisions::from_seed(self.seed))
    }

    /// Tries every `step`-th crash point from `first` on, both kinds. Gives how many were tried.
    pub fn try_crash_points(&self, first: usize, step: usize) -> Result<u64, Box<Failure>> {
        let mut tried = 0;
        let points = self.calm()?.crash_points;
        for at_event in points.into_iter().skip(first).step_by(step) {
            for crash in [Crash::Killed, Crash::PowerLoss] {
                self.with_crash(at_event, crash).run()?;
                tried += 1;
            }
        }
        Ok(tried)
    }
}

/// Tries every crash point of all small histories, so many histories at a time, up to the first
/// failure, which is given with its history's number. `told` hears of each history that is over: its
/// number, what it is about, and how many crashes were tried.
pub fn try_all(
    threads: usize,
    told: impl Fn(u64, &'static str, u64) + Sync,
) -> Result<(), (u64, Box<Failure>)> {
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= SMALL_HISTORIES {
            return;
        }
        let tried = SmallHistory::new(number).and_then(|history| history.try_crash_points(0, 1));
        match tried {
            Ok(count) => told(number, place_of(number).0.about, count),
            Err(failure) => {
                next.store(SMALL_HISTORIES, Ordering::Relaxed);
                failed.lock().expect("nobody panics with it").get_or_insert((number, failure));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    failed.into_inner().expect("nobody panics with it").map_or(Ok(()), Err)
}

fn place_of(number: u64) -> (&'static Group, u64) {
    let mut place = number;
    for group in GROUPS {
        if place < group.histories {
            return (group, place);
        }
        place -= group.histories;
    }
    panic!("there are {SMALL_HISTORIES} small histories, from 0 on, and no {number}");
}

/// A few produces, in each mode, with small segments and large ones, in old directories and new ones.
fn of_produces(number: u64) -> Options {
    Options {
        requests: 2 + number % 3,
        partitions: 1 + number % 2,
        request_partitions_max: 1 + number % 2,
        partition_dirs: number / 2 % 2,
        page_cache: u64::from(number % 4 == 3),
        segment_bytes: if number % 4 >= 2 { 2048 } else { 1 << 20 },
        ..Options::calm()
    }
}

/// Two members of a group, some of them static, and one who commits for a group without members.
fn with_members(number: u64) -> Options {
    Options {
        requests: 2,
        partitions: 1 + number % 2,
        page_cache: number / 2,
        members: 2,
        member_requests: 4,
        overseers: number % 2,
        overseer_requests: 4,
        groups: 1,
        offsets_partitions: 1 + number % 2,
        session_ms: 200,
        rebalance_ms: 400,
        static_per_mille: number % 2 * 1000,
        ..Options::calm()
    }
}

fn with_two_directories(number: u64) -> Options {
    Options {
        log_dirs: 1 + number % 2,
        blank_log_dirs: 1 - number % 2,
        partitions: 2,
        request_partitions_max: 2,
        ..of_produces(number)
    }
}

/// What producers send is stored otherwise: compressed, or not any more, or stamped.
fn with_formats(number: u64) -> Options {
    Options {
        requests: 4,
        topic_codecs: number + 2,
        append_time_topics: number % 2,
        compressed_per_mille: 500,
        keyed_per_mille: 500,
        page_cache: number / 2,
        ..Options::calm()
    }
}

/// Producers that send again what they have no answer to, and what they have one to.
fn with_sequences(number: u64) -> Options {
    Options {
        clients: 1 + number % 2,
        idempotent: 1,
        requests: 3,
        resent_per_mille: 500,
        segment_bytes: if number < 2 { 600 } else { 1 << 20 },
        value_bytes_max: 200,
        page_cache: number / 2,
        ..Options::calm()
    }
}

/// A segment for every batch or two, and retention that takes the oldest while others come.
fn with_rolls(number: u64) -> Options {
    Options {
        requests: 6,
        segment_bytes: 600,
        value_bytes_max: 200,
        retention_bytes: 900,
        retention_ms: number % 2 * 20,
        task_interval_ms: 5,
        file_delete_delay_ms: 1,
        checkpoint_interval_ms: 4,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}

/// Two keys, of which all but the last records go.
fn with_compaction(number: u64) -> Options {
    Options {
        requests: 10,
        segment_bytes: 600,
        value_bytes_max: 200,
        compacted_topics: 1,
        compact_keys: 2,
        tombstones_per_mille: number % 2 * 300,
        delete_retention_ms: 1,
        cleaner_backoff_ms: 1,
        task_interval_ms: 5,
        file_delete_delay_ms: 1,
        checkpoint_interval_ms: 2,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}

/// Log starts are moved by clients, and segments go with them.
fn with_deletions(number: u64) -> Options {
    Options {
        requests: 4,
        inquirers: 1,
        inquirer_requests: 5,
        delete_per_mille: 700,
        segment_bytes: 600,
        value_bytes_max: 200,
        task_interval_ms: 10,
        file_delete_delay_ms: 1,
        log_dirs: 1 + number % 2,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}

/// Topics that are made, written to, grown, told what to keep, deleted and made again.
fn with_topics(number: u64) -> Options {
    Options {
        requests: 3,
        log_dirs: 1 + number % 2,
        administrators: 1,
        administrator_requests: 5,
        passing_topics: 1,
        passing_partitions: 2,
        task_interval_ms: 10,
        file_delete_delay_ms: 1,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}

/// Topics that are made because somebody looks at them, and deleted.
fn with_auto_creation(number: u64) -> Options {
    Options { requests: 2, auto_create_per_mille: 1000, ..with_topics(number) }
}

/// The metadata log goes into a snapshot after every few records, and loses the segments before it.
fn with_snapshots(number: u64) -> Options {
    Options {
        requests: 1,
        administrator_requests: 4,
        metadata_snapshot_bytes: 1 + number % 2 * 300,
        metadata_segment_bytes: 256,
        metadata_retention_bytes: 1,
        ..with_topics(number)
    }
}

/// One log directory of two fails, the metadata log's or the other; or everything that there is.
fn with_failing_disks(number: u64) -> Options {
    Options {
        log_dirs: 2,
        partitions: 2,
        administrator_requests: 3,
        faulty_dir: number % 3,
        write_fault_per_mille: 15,
        sync_fault_per_mille: 30,
        entry_fault_per_mille: 15,
        read_fault_per_mille: 5,
        page_cache: number / 3 % 2,
        ..with_topics(number)
    }
}

fn with_a_bit_of_all(number: u64) -> Options {
    match number {
        0 => Options { requests: 4, ..of_produces(1) },
        1 => with_rolls(0),
        _ => with_topics(0),
    }
}
