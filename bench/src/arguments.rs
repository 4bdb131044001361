//! The command line.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use klamm_core::config::Durability;

use crate::bare::Sync;
use crate::drivers::{self, Driver};
use crate::kafka;
use crate::session::Bounds;

/// How to call it.
pub(crate) const HELP: &str = "\
Benchmarks of Klamm beside a bare loop.

Usage: klamm-bench COMMAND ... [OPTIONS]

Commands:
  ready         from exec to ready, and memory at rest
  produce       throughput, latency, processor time, memory, system calls under load
  latency       a record's way to its acknowledgement and to its readers, at a steady pace
  fetch         reading a large partition, from memory and from disk, by one reader and by 16, and
                behind a producer
  fairness      slow consumers, alone and beside a producer at full speed
  programs      the same with clients of others': librdkafka (takes a C compiler), and Apache Kafka's
  idle          what a broker costs that has nothing to do
  partitions    starts with 1,000 and 10,000 partitions, after a clean stop and a kill; memory, open files
  topics        making 1,000 topics alone and in one request; 10,000 partitions: making, telling, starting
  groups        the next four
  rebalances    100 members of a group agree, and once more when another joins
  commits       offsets committed by 16 members, of a group each and of one
  heartbeats    what 1,000 groups of 10 members cost that only say they are alive
  offsets       starts with a million committed offsets, after a clean stop and a kill
  compaction    the next two
  cleaning      how fast logs are compacted, and what it takes
  disturbance   a record's way to its acknowledgement while another log is compacted
  connections   what 1,000 idle connections cost
  core          the state machines alone, without sockets and disk
  codec         decoding and encoding, API by API
  checks        what it costs to look at a produced batch, codec by codec
  all           all of these but groups, compaction and programs
  compare       those of produce to idle, `partitions` and `core`, beside Apache Kafka, and the bar
                that Klamm is to reach

Options:
  --quick            a small run, under 30 s for `all`
  --rounds N         how often each figure is taken
  --mib N            MiB sent for each figure of `produce`, in the partition of `fetch`, and in each log of
                     `compaction`
  --only TEXT        only the loads whose name holds this
  --partitions N     only this number of them in `partitions`; in `topics`, and a tenth of it in topics
  --against LIST     whom to measure: some of kafka,std,smol (default: std,smol; of `compare`, all)
  --kafka DIR        where the jars of Apache Kafka are (default: where `.ci/exchange` puts them)
  --directory DIR    where log directories are made (default: the system's for temporary files)
  --json FILE        write the figures
  --markdown FILE    write the tables
  -h, --help         print this
";

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    /// Take figures.
    Measure(Box<Plan>),
    /// Be the broker that is measured.
    Serve(Broker),
    /// Be the bare loop, with files in a directory.
    Bare(Sync, PathBuf),
    /// Be the bare loop that sends a partition's files.
    Send(PathBuf),
}

/// A broker in a process of its own.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) driver: &'static Driver,
    pub(crate) durability: Durability,
    pub(crate) directory: PathBuf,
    /// `key=value` of server.properties.
    pub(crate) settings: Vec<String>,
}

/// What is measured, and how thoroughly.
pub(crate) struct Plan {
    pub(crate) suites: Vec<Suite>,
    /// The figures are to be judged.
    pub(crate) has_bar: bool,
    pub(crate) effort: Effort,
    pub(crate) only: Option<String>,
    /// How many partitions `partitions` starts with.
    pub(crate) partitions: Vec<i32>,
    pub(crate) drivers: Vec<&'static Driver>,
    /// Where the jars of the Apache Kafka are that is measured too.
    pub(crate) kafka: Option<PathBuf>,
    pub(crate) directory: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) markdown: Option<PathBuf>,
}

/// How much is done for one figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Sent at most for one figure of `produce`.
    pub(crate) mib: usize,
    /// In the partition that `fetch` reads.
    pub(crate) fetch_mib: usize,
    /// In a log that is compacted.
    pub(crate) compacted_mib: usize,
    /// A figure ends after this time, however little was done.
    pub(crate) figure_ms: u64,
    /// Sent at most before the first figure, and for how long: Java compiles what runs often.
    pub(crate) warm_mib: usize,
    pub(crate) warm_ms: u64,
    /// The same of an Apache Kafka that stays from load to load, before the first of them.
    pub(crate) kept_mib: usize,
    pub(crate) kept_ms: u64,
    /// How long idle connections are watched.
    pub(crate) idle_ms: u64,
    /// How long one figure of `core` and `codec` is taken.
    pub(crate) spin_ms: u64,
    /// That have heartbeats, or offsets.
    pub(crate) groups: usize,
    /// What all that are compared hold together at most, with some to spare: a full disk stops a Kafka.
    pub(crate) room_mib: u64,
}

impl Effort {
    const FULL: Self = Self {
        rounds: 5,
        mib: 192,
        fetch_mib: 1024,
        compacted_mib: 256,
        figure_ms: 1_000,
        warm_mib: 128,
        warm_ms: 2_000,
        kept_mib: 1 << 10,
        kept_ms: 15_000,
        idle_ms: 2_000,
        spin_ms: 200,
        groups: 1_000,
        room_mib: 8 << 10,
    };
    const QUICK: Self = Self {
        rounds: 2,
        mib: 8,
        fetch_mib: 16,
        compacted_mib: 16,
        figure_ms: 150,
        warm_mib: 2,
        warm_ms: 100,
        kept_mib: 64,
        kept_ms: 1_000,
        idle_ms: 500,
        spin_ms: 20,
        groups: 50,
        room_mib: 1 << 10,
    };

    /// Of one figure.
    pub(crate) fn figure(&self) -> Bounds {
        Bounds { bytes: self.mib << 20, time: Duration::from_millis(self.figure_ms) }
    }

    /// Of what comes before the first one.
    pub(crate) fn warm_up(&self) -> Bounds {
        Bounds { bytes: self.warm_mib << 20, time: Duration::from_millis(self.warm_ms) }
    }

    /// Of a Kafka that stays.
    pub(crate) fn kept_warm_up(&self) -> Bounds {
        Bounds { bytes: self.kept_mib << 20, time: Duration::from_millis(self.kept_ms) }
    }

    /// Of the partition that `fetch` reads: all of it, however long that takes.
    pub(crate) fn fill(&self) -> Bounds {
        Bounds { bytes: self.fetch_mib << 20, time: Duration::MAX }
    }
}

impl Plan {
    /// A load of this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

/// A table of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Ready,
    Produce,
    Latency,
    Fetch,
    Fairness,
    Programs,
    Idle,
    Partitions,
    Topics,
    Rebalances,
    Commits,
    Heartbeats,
    Offsets,
    Cleaning,
    Disturbance,
    Connections,
    Core,
    Codec,
    Checks,
}

const COMPARE: &str = "compare";
const COMPARED: &[Suite] = &[
    Suite::Produce,
    Suite::Latency,
    Suite::Fetch,
    Suite::Fairness,
    Suite::Programs,
    Suite::Idle,
    Suite::Partitions,
    Suite::Core,
];

const GROUPS: &[Suite] = &[Suite::Rebalances, Suite::Commits, Suite::Heartbeats, Suite::Offsets];

const COMPACTION: &[Suite] = &[Suite::Cleaning, Suite::Disturbance];

/// What `all` leaves out takes more than Rust.
const ALL: &[Suite] = &[
    Suite::Ready,
    Suite::Produce,
    Suite::Latency,
    Suite::Fetch,
    Suite::Fairness,
    Suite::Idle,
    Suite::Partitions,
    Suite::Topics,
    Suite::Connections,
    Suite::Core,
    Suite::Codec,
    Suite::Checks,
];

const SUITES: &[(&str, Suite)] = &[
    ("ready", Suite::Ready),
    ("produce", Suite::Produce),
    ("latency", Suite::Latency),
    ("fetch", Suite::Fetch),
    ("fairness", Suite::Fairness),
    ("programs", Suite::Programs),
    ("idle", Suite::Idle),
    ("partitions", Suite::Partitions),
    ("topics", Suite::Topics),
    ("rebalances", Suite::Rebalances),
    ("commits", Suite::Commits),
    ("heartbeats", Suite::Heartbeats),
    ("offsets", Suite::Offsets),
    ("cleaning", Suite::Cleaning),
    ("disturbance", Suite::Disturbance),
    ("connections", Suite::Connections),
    ("core", Suite::Core),
    ("codec", Suite::Codec),
    ("checks", Suite::Checks),
];

const DURABILITIES: &[(&str, Durability)] =
    &[("durable", Durability::Durable), ("page-cache", Durability::PageCache)];

impl Broker {
    /// Makes [`read`] give it again.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let durability = durability_name(self.durability);
        let mut arguments: Vec<OsString> =
            vec!["serve".into(), self.driver.name.into(), durability.into()];
        arguments.push((&self.directory).into());
        arguments.extend(self.settings.iter().map(Into::into));
        arguments
    }
}

impl Suite {
    /// What it is called by.
    pub(crate) fn name(self) -> &'static str {
        let known = SUITES.iter().find(|(_, other)| *other == self);
        known.expect("each suite is in the table").0
    }
}

/// `klamm.durability`'s value.
pub(crate) fn durability_name(durability: Durability) -> &'static str {
    let known = DURABILITIES.iter().find(|(_, other)| *other == durability);
    known.expect("each durability is in the table").0
}

/// Reads the arguments behind the program's name. The error is a sentence.
pub(crate) fn read(arguments: Vec<OsString>) -> Result<Command, String> {
    match arguments.first().and_then(|first| first.to_str()) {
        Some("serve") => read_serve(&arguments[1..]),
        Some("bare") => read_bare(&arguments[1..]),
        Some("send") => read_send(&arguments[1..]),
        _ => read_measure(arguments),
    }
}

fn read_serve(arguments: &[OsString]) -> Result<Command, String> {
    let [driver, durability, directory, settings @ ..] = arguments else {
        return Err("serve DRIVER DURABILITY DIR [KEY=VALUE ...]".into());
    };
    let driver = drivers::find(&driver.to_string_lossy())?;
    let durability = in_table(DURABILITIES, &durability.to_string_lossy())?;
    let settings = settings.iter().map(|setting| setting.to_string_lossy().into_owned()).collect();
    Ok(Command::Serve(Broker { driver, durability, directory: directory.into(), settings }))
}

fn read_bare(arguments: &[OsString]) -> Result<Command, String> {
    let [sync, directory] = arguments else { return Err("bare SYNC DIR".into()) };
    let sync = in_table(Sync::NAMES, &sync.to_string_lossy())?;
    Ok(Command::Bare(sync, directory.into()))
}

fn read_send(arguments: &[OsString]) -> Result<Command, String> {
    let [directory] = arguments else { return Err("send DIR".into()) };
    Ok(Command::Send(directory.into()))
}

fn read_measure(arguments: Vec<OsString>) -> Result<Command, String> {
    let mut arguments = pico_args::Arguments::from_vec(arguments);
    if arguments.contains(["-h", "--help"]) {
        return Ok(Command::Help);
    }
    let said = |error: pico_args::Error| error.to_string();
    let (mut effort, mut partitions) = if arguments.contains("--quick") {
        (Effort::QUICK, vec![100])
    } else {
        (Effort::FULL, vec![1_000, 10_000])
    };
    if let Some(only) = arguments.opt_value_from_str("--partitions").map_err(said)? {
        partitions = vec![only];
    }
    let rounds = arguments.opt_value_from_str("--rounds").map_err(said)?;
    effort.rounds = rounds.unwrap_or(effort.rounds).max(1);
    let mib: Option<usize> = arguments.opt_value_from_str("--mib").map_err(said)?;
    effort.mib = mib.unwrap_or(effort.mib).max(1);
    effort.fetch_mib = mib.unwrap_or(effort.fetch_mib).max(1);
    effort.compacted_mib = mib.unwrap_or(effort.compacted_mib).max(1);
    let directory: Option<PathBuf> = arguments.opt_value_from_str("--directory").map_err(said)?;
    let against: Option<String> = arguments.opt_value_from_str("--against").map_err(said)?;
    let jars: Option<PathBuf> = arguments.opt_value_from_str("--kafka").map_err(said)?;
    let only = arguments.opt_value_from_str("--only").map_err(said)?;
    let json = arguments.opt_value_from_str("--json").map_err(said)?;
    let markdown = arguments.opt_value_from_str("--markdown").map_err(said)?;
    let names = arguments.finish();
    let is_comparison = jars.is_some() || names.iter().any(|name| name == COMPARE);
    let default = if is_comparison { "kafka,std,smol" } else { "std,smol" };
    let (drivers, has_kafka) = contenders(against.as_deref().unwrap_or(default))?;
    let plan = Plan {
        kafka: if has_kafka { Some(jars.map_or_else(kafka::jars, Ok)?) } else { None },
        suites: suites(&names)?,
        has_bar: names.iter().any(|name| name == COMPARE),
        effort,
        partitions,
        only,
        drivers,
        directory: directory.unwrap_or_else(env::temp_dir),
        json,
        markdown,
    };
    Ok(Command::Measure(Box::new(plan)))
}

/// The drivers of a list, and whether Kafka is in it.
fn contenders(list: &str) -> Result<(Vec<&'static Driver>, bool), String> {
    let mut drivers = Vec::new();
    let mut has_kafka = false;
    for name in list.split(',') {
        match name {
            "kafka" => has_kafka = true,
            name => drivers.push(drivers::find(name)?),
        }
    }
    Ok((drivers, has_kafka))
}

fn suites(names: &[OsString]) -> Result<Vec<Suite>, String> {
    if names.is_empty() {
        return Err("a command is missing; --help lists them".into());
    }
    let mut suites = Vec::new();
    for name in names {
        match &*name.to_string_lossy() {
            "all" => suites.extend(ALL),
            COMPARE => suites.extend(COMPARED),
            "groups" => suites.extend(GROUPS),
            "compaction" => suites.extend(COMPACTION),
            name => suites.push(in_table(SUITES, name)?),
        }
    }
    Ok(suites)
}

fn in_table<T: Copy>(table: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(known, _)| *known).collect();
        format!("{name} is not understood: there is {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(arguments: &[&str]) -> Result<Command, String> {
        read(arguments.iter().map(Into::into).collect())
    }

    #[test]
    fn a_broker_reads_its_own_arguments() {
        let directory = PathBuf::from("/d");
        let (driver, settings) = (&drivers::DRIVERS[0], vec!["a.key=1".to_owned()]);
        let durability = Durability::PageCache;
        let broker = Broker { driver, durability, directory, settings };
        let Ok(Command::Serve(read)) = read(broker.arguments()) else { panic!("no broker") };
        assert_eq!(read.driver.name, broker.driver.name);
        assert_eq!((read.durability, read.directory), (broker.durability, broker.directory));
        assert_eq!(read.settings, broker.settings);
    }

    #[test]
    fn options_come_in_any_order() {
        let Ok(Command::Measure(plan)) = command(&["--quick", "core", "--rounds", "3", "codec"])
        else {
            panic!("nothing to measure")
        };
        assert_eq!(plan.suites, [Suite::Core, Suite::Codec]);
        assert_eq!((plan.effort.rounds, plan.effort.mib), (3, Effort::QUICK.mib));
    }

    #[test]
    fn a_list_names_who_is_measured() {
        let Ok(Command::Measure(plan)) = command(&["compare", "--against", "smol"]) else {
            panic!("nothing to measure")
        };
        let drivers: Vec<&str> = plan.drivers.iter().map(|driver| driver.name).collect();
        assert_eq!((drivers, plan.kafka, plan.suites.as_slice()), (vec!["smol"], None, COMPARED));
        let Ok(Command::Measure(plan)) = command(&["produce", "--kafka", "/jars"]) else {
            panic!("nothing to measure")
        };
        assert_eq!((plan.drivers.len(), plan.kafka), (2, Some(PathBuf::from("/jars"))));
        assert!(command(&["produce", "--against", "tokio"]).is_err());
    }

    #[test]
    fn groups_are_four_tables() {
        let Ok(Command::Measure(plan)) =
            command(&["groups", "--against", "kafka,std", "--kafka", "/jars"])
        else {
            panic!("nothing to measure")
        };
        assert_eq!((plan.suites.as_slice(), plan.kafka.is_some()), (GROUPS, true));
    }

    #[test]
    fn compaction_is_two_tables() {
        let Ok(Command::Measure(plan)) = command(&["compaction", "--against", "std", "--mib", "3"])
        else {
            panic!("nothing to measure")
        };
        assert_eq!((plan.suites.as_slice(), plan.effort.compacted_mib), (COMPACTION, 3));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for arguments in [&["fly"][..], &["core", "--fast"], &["bare", "never", "/d"]] {
            let Err(error) = command(arguments) else { panic!("{arguments:?} passes") };
            assert!(arguments.iter().any(|argument| error.starts_with(argument)), "{error}");
        }
        assert!(command(&[]).is_err());
    }
}
