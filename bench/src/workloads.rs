//! Every load that a broker is put under, in one table.

use klamm_core::batch::Codec;
use klamm_core::config::Durability;

use crate::arguments::Suite;
use crate::batches::{Payload, Shape};
use crate::groups::Timed;

/// A load, by its name.
pub(crate) struct Workload {
    /// The table that its figures stand in.
    pub(crate) suite: Suite,
    pub(crate) name: &'static str,
    pub(crate) clients: Clients,
    pub(crate) durabilities: &'static [Durability],
    /// Of every broker, beside what it comes with.
    pub(crate) settings: Settings,
}

/// Keys and values of server.properties.
pub(crate) type Settings = &'static [(&'static str, &'static str)];

/// Who is connected, and does what.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clients {
    /// Producers at full speed.
    Produce(Producers),
    /// Readers of a large partition, each from its begin.
    Fetch { place: Place, readers: usize },
    /// Producers at full speed of one partition, and readers who follow.
    Follow { producers: Producers, readers: usize },
    /// Records one by one, each when it is due.
    Pace { value_bytes: usize, per_second: u32, until: Until },
    /// Consumers who now and then ask for the same record, alone or beside a producer at full speed.
    Visit { consumers: usize, flood: Option<Producers> },
    /// A client of others', in a process of its own.
    Program(Program),
    /// Nothing.
    Idle,
    /// Members who join, are joined by one more, and leave.
    Rebalance { members: usize, timed: Timed },
    /// Members of each group who commit one offset after the other.
    Commit { groups: usize, members: usize },
    /// Members of many groups, who say that they are alive over a few connections.
    Heartbeat { members: usize, connections: usize },
}

/// Connections that send one Produce after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Producers {
    pub(crate) shape: Shape,
    /// Each with partitions of its own.
    pub(crate) connections: usize,
    /// Of each connection.
    pub(crate) partitions: usize,
    /// A request has a batch for each; the next one goes to those that follow. Divides `partitions`.
    pub(crate) partitions_per_request: usize,
    /// Unanswered requests of a connection.
    pub(crate) in_flight: usize,
    pub(crate) acks: i16,
}

/// Where the bytes of a subject's logs are when a figure begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Disk,
    /// Nobody reads them.
    Nowhere,
}

/// Where a record's way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Acknowledged,
    /// By each of so many readers.
    Read {
        readers: usize,
    },
}

/// A client of others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// librdkafka, as the crate rdkafka builds it; so many times what one figure of others sends.
    RdkafkaProduce { codec: &'static str, payload: Payload, times: usize },
    /// The same, reading a large partition.
    RdkafkaConsume,
    /// `kafka-producer-perf-test.sh`.
    JavaProduce,
}

const BOTH: &[Durability] = &[Durability::PageCache, Durability::Durable];
const PAGE_CACHE: &[Durability] = &[Durability::PageCache];

/// A flood goes on for as long as it is measured, and may not fill the disk.
const FORGETFUL: Settings = &[
    ("log.segment.bytes", "67108864"),
    ("log.retention.bytes", "268435456"),
    ("log.retention.check.interval.ms", "500"),
    ("log.segment.delete.delay.ms", "500"),
];

const SHAPE: Shape =
    Shape { value_bytes: 1024, batch_bytes: 64 << 10, payload: Payload::Random, codec: None };

/// As many requests under way as a Java producer's default.
const PRODUCERS: Producers = Producers {
    shape: SHAPE,
    connections: 1,
    partitions: 1,
    partitions_per_request: 1,
    in_flight: 5,
    acks: -1,
};

const fn produce(name: &'static str, producers: Producers) -> Workload {
    let clients = Clients::Produce(producers);
    Workload { suite: Suite::Produce, name, clients, durabilities: BOTH, settings: &[] }
}

const fn compressed(name: &'static str, codec: Codec, payload: Payload) -> Workload {
    produce(name, Producers { shape: Shape { payload, codec: Some(codec), ..SHAPE }, ..PRODUCERS })
}

const fn fetch(name: &'static str, place: Place, readers: usize) -> Workload {
    let clients = Clients::Fetch { place, readers };
    Workload { suite: Suite::Fetch, name, clients, durabilities: PAGE_CACHE, settings: &[] }
}

const fn pace(name: &'static str, value_bytes: usize, per_second: u32, until: Until) -> Workload {
    let clients = Clients::Pace { value_bytes, per_second, until };
    Workload { suite: Suite::Latency, name, clients, durabilities: BOTH, settings: &[] }
}

const fn visit(name: &'static str, flood: Option<Producers>) -> Workload {
    let clients = Clients::Visit { consumers: 100, flood };
    Workload { suite: Suite::Fairness, name, clients, durabilities: BOTH, settings: FORGETFUL }
}

/// Groups do not wait for more members than there are.
const UNDELAYED: Settings = &[("group.initial.rebalance.delay.ms", "0")];

const fn group(
    suite: Suite,
    name: &'static str,
    clients: Clients,
    durabilities: &'static [Durability],
) -> Workload {
    Workload { suite, name, clients, durabilities, settings: UNDELAYED }
}

const fn program(
    name: &'static str,
    program: Program,
    durabilities: &'static [Durability],
) -> Workload {
    let clients = Clients::Program(program);
    Workload { suite: Suite::Programs, name, clients, durabilities, settings: &[] }
}

/// All of them.
pub(crate) const WORKLOADS: &[Workload] = &[
    produce("1 KiB", PRODUCERS),
    produce("1 KiB, 1 in flight", Producers { in_flight: 1, ..PRODUCERS }),
    produce("1 KiB, 64 in flight", Producers { in_flight: 64, ..PRODUCERS }),
    produce("1 KiB, acks=1", Producers { acks: 1, ..PRODUCERS }),
    produce("1 KiB, acks=0", Producers { acks: 0, in_flight: 64, ..PRODUCERS }),
    produce("100 B", Producers { shape: Shape { value_bytes: 100, ..SHAPE }, ..PRODUCERS }),
    produce(
        "100 kB",
        Producers {
            shape: Shape { value_bytes: 100_000, batch_bytes: 1_000_000, ..SHAPE },
            ..PRODUCERS
        },
    ),
    compressed("1 KiB lz4, repetitive", Codec::Lz4, Payload::Repetitive),
    compressed("1 KiB lz4, half random", Codec::Lz4, Payload::Half),
    compressed("1 KiB zstd, repetitive", Codec::Zstd, Payload::Repetitive),
    compressed("1 KiB zstd, half random", Codec::Zstd, Payload::Half),
    produce("16 connections", Producers { connections: 16, ..PRODUCERS }),
    produce("500 connections", Producers { connections: 500, in_flight: 1, ..PRODUCERS }),
    produce(
        "64 partitions, 16 KiB to each",
        Producers {
            shape: Shape { batch_bytes: 16 << 10, ..SHAPE },
            partitions: 64,
            partitions_per_request: 64,
            ..PRODUCERS
        },
    ),
    produce(
        "1,000 partitions, 8 KiB to 100 of them",
        Producers {
            shape: Shape { batch_bytes: 8 << 10, ..SHAPE },
            partitions: 1_000,
            partitions_per_request: 100,
            ..PRODUCERS
        },
    ),
    Workload {
        // The least that Kafka takes: no request may be larger than all together.
        settings: &[
            ("queued.max.request.bytes", "16777216"),
            ("socket.request.max.bytes", "16777216"),
        ],
        ..produce(
            "500 connections, 1 MiB batches, 16 MiB of requests",
            Producers {
                shape: Shape { batch_bytes: 1_000_000, ..SHAPE },
                connections: 500,
                in_flight: 1,
                ..PRODUCERS
            },
        )
    },
    pace("10,000/s of 1 KiB, to its acknowledgement", 1024, 10_000, Until::Acknowledged),
    pace("1,000/s of 128 B, to its reader", 128, 1_000, Until::Read { readers: 1 }),
    pace("500/s of 1 KiB, to each of 16 readers", 1024, 500, Until::Read { readers: 16 }),
    fetch("hot, 1 reader", Place::Memory, 1),
    fetch("hot, 16 readers", Place::Memory, 16),
    fetch("cold, 1 reader", Place::Disk, 1),
    fetch("cold, 16 readers", Place::Disk, 16),
    Workload {
        clients: Clients::Follow { producers: PRODUCERS, readers: 1 },
        durabilities: BOTH,
        ..fetch("1 reader behind a producer of 1 KiB", Place::Memory, 1)
    },
    visit("100 slow consumers, alone", None),
    visit("100 slow consumers, beside a producer", Some(PRODUCERS)),
    program(
        "librdkafka, produce 1 KiB",
        Program::RdkafkaProduce { codec: "none", payload: Payload::Random, times: 2 },
        BOTH,
    ),
    program(
        "librdkafka, produce 1 KiB lz4, repetitive",
        Program::RdkafkaProduce { codec: "lz4", payload: Payload::Repetitive, times: 8 },
        PAGE_CACHE,
    ),
    program(
        "librdkafka, produce 1 KiB lz4, half random",
        Program::RdkafkaProduce { codec: "lz4", payload: Payload::Half, times: 4 },
        PAGE_CACHE,
    ),
    program("librdkafka, consume 1 KiB", Program::RdkafkaConsume, PAGE_CACHE),
    program("kafka-producer-perf-test, 1 KiB", Program::JavaProduce, PAGE_CACHE),
    Workload {
        suite: Suite::Idle,
        name: "1 topic, 1 connection",
        clients: Clients::Idle,
        durabilities: PAGE_CACHE,
        settings: &[],
    },
    group(
        Suite::Rebalances,
        "100 members join",
        Clients::Rebalance { members: 100, timed: Timed::Together },
        BOTH,
    ),
    group(
        Suite::Rebalances,
        "1 more joins 100",
        Clients::Rebalance { members: 100, timed: Timed::OneMore },
        BOTH,
    ),
    group(
        Suite::Commits,
        "16 groups of 1 member",
        Clients::Commit { groups: 16, members: 1 },
        BOTH,
    ),
    group(
        Suite::Commits,
        "1 group of 16 members",
        Clients::Commit { groups: 1, members: 16 },
        BOTH,
    ),
    group(
        Suite::Heartbeats,
        "groups of 10 members, 32 connections",
        Clients::Heartbeat { members: 10, connections: 32 },
        PAGE_CACHE,
    ),
];

impl Clients {
    /// Of the topic that they use.
    pub(crate) fn partitions(&self) -> usize {
        match self {
            Self::Produce(producers) => producers.connections * producers.partitions,
            Self::Visit { .. } => 2,
            Self::Commit { groups, members } => groups * members,
            _ => 1,
        }
    }

    /// Partition 0 is full before they come.
    pub(crate) fn need_records(&self) -> bool {
        matches!(self, Self::Fetch { .. } | Self::Program(Program::RdkafkaConsume))
    }

    /// Where what was written is when they come.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Fetch { place, .. } => *place,
            Self::Program(Program::RdkafkaConsume) => Place::Memory,
            Self::Visit { .. } => Place::Disk,
            _ => Place::Nowhere,
        }
    }
}

/// Fills a partition.
pub(crate) const FILLERS: Producers = PRODUCERS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_loads_apart() {
        for (at, load) in WORKLOADS.iter().enumerate() {
            assert!(WORKLOADS[..at].iter().all(|other| other.name != load.name), "{}", load.name);
        }
    }

    #[test]
    fn requests_share_partitions_evenly() {
        for load in WORKLOADS {
            if let Clients::Produce(producers) = load.clients {
                assert_eq!(producers.partitions % producers.partitions_per_request, 0);
            }
        }
    }
}
