//! What a load costs, and the columns in which it is told.

use std::time::Duration;

use crate::process::Usage;
use crate::report::Cell;
use crate::samples::percentile;
use crate::session::Done;

/// One round of one subject under one load. What is not known is not a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    seconds: f64,
    requests: f64,
    bytes: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    cpu_s: f64,
    client_cpu_s: f64,
    rss_mib: f64,
    rss_peak_mib: f64,
    switches: f64,
    disk_bytes: f64,
    syscalls: f64,
}

impl Figures {
    pub(crate) fn new(done: &Done, used: &Usage, client_cpu: Duration) -> Self {
        let us = |share| percentile(&done.latencies, share).map_or(f64::NAN, |us| us as f64);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        Self {
            seconds: done.elapsed.as_secs_f64(),
            requests: done.requests as f64,
            bytes: done.bytes as f64,
            p50_us: us(0.5),
            p99_us: us(0.99),
            p999_us: us(0.999),
            cpu_s: used.cpu.as_secs_f64(),
            client_cpu_s: client_cpu.as_secs_f64(),
            rss_mib: mib(used.rss_bytes),
            rss_peak_mib: mib(used.rss_peak_bytes),
            switches: used.switches as f64,
            disk_bytes: used.disk_bytes as f64,
            syscalls: f64::NAN,
        }
    }

    /// The system calls of this round, in a place of their own: counting them takes time.
    pub(crate) fn with_syscalls(self, count: Option<u64>) -> Self {
        Self { syscalls: count.map_or(f64::NAN, |count| count as f64), ..self }
    }
}

/// All rounds of one subject under one load.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) rounds: Vec<Figures>,
    /// One more, in which system calls were counted.
    pub(crate) counted: Option<Figures>,
}

/// A figure, or its ratio to that of another subject in the same round.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    Own(fn(&Figures) -> f64),
    /// Of the round in which system calls were counted.
    Counted(fn(&Figures) -> f64),
    OfBare(fn(&Figures) -> f64),
    OfKafka(fn(&Figures) -> f64),
}

/// A column's name, with its unit last, and what stands in it.
pub(crate) type Column = (&'static str, Value);

const REQUESTS_PER_S: fn(&Figures) -> f64 = |it| it.requests / it.seconds;
const MB_PER_S: fn(&Figures) -> f64 = |it| it.bytes / 1e6 / it.seconds;
const CPU_S_PER_GB: fn(&Figures) -> f64 = |it| it.cpu_s / (it.bytes / 1e9);
const CPU_US_PER_REQUEST: fn(&Figures) -> f64 = |it| it.cpu_s * 1e6 / it.requests;
const CPU_PERCENT: fn(&Figures) -> f64 = |it| it.cpu_s / it.seconds * 100.0;

/// Where bytes count.
pub(crate) const BY_BYTES: &[Column] = &[
    ("MB/s", Value::Own(MB_PER_S)),
    ("MB/s of bare", Value::OfBare(MB_PER_S)),
    ("MB/s of Kafka", Value::OfKafka(MB_PER_S)),
    ("CPU s/GB", Value::Own(CPU_S_PER_GB)),
    ("CPU of bare", Value::OfBare(CPU_S_PER_GB)),
    ("CPU of Kafka", Value::OfKafka(CPU_S_PER_GB)),
    ("p50 us", Value::Own(|it| it.p50_us)),
    ("p99 us", Value::Own(|it| it.p99_us)),
    ("p99.9 us", Value::Own(|it| it.p999_us)),
    ("peak RSS MiB", Value::Own(|it| it.rss_peak_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_peak_mib)),
    ("switches/MB", Value::Own(|it| it.switches / (it.bytes / 1e6))),
    ("system calls/MB", Value::Counted(|it| it.syscalls / (it.bytes / 1e6))),
    ("MB from disk", Value::Own(|it| it.disk_bytes / 1e6)),
    ("client CPU s/GB", Value::Own(|it| it.client_cpu_s / (it.bytes / 1e9))),
];

/// Where each request counts.
pub(crate) const BY_REQUESTS: &[Column] = &[
    ("requests/s", Value::Own(REQUESTS_PER_S)),
    ("MB/s", Value::Own(MB_PER_S)),
    ("p50 us", Value::Own(|it| it.p50_us)),
    ("p99 us", Value::Own(|it| it.p99_us)),
    ("p99.9 us", Value::Own(|it| it.p999_us)),
    ("p99 of bare", Value::OfBare(|it| it.p99_us)),
    ("p50 of Kafka", Value::OfKafka(|it| it.p50_us)),
    ("p99 of Kafka", Value::OfKafka(|it| it.p99_us)),
    ("p99.9 of Kafka", Value::OfKafka(|it| it.p999_us)),
    ("CPU s/million", Value::Own(CPU_US_PER_REQUEST)),
    ("CPU of Kafka", Value::OfKafka(CPU_US_PER_REQUEST)),
    ("peak RSS MiB", Value::Own(|it| it.rss_peak_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_peak_mib)),
    ("switches/request", Value::Own(|it| it.switches / it.requests)),
    ("system calls/request", Value::Counted(|it| it.syscalls / it.requests)),
];

/// Where nothing is done.
pub(crate) const AT_REST: &[Column] = &[
    ("CPU %", Value::Own(CPU_PERCENT)),
    ("CPU of Kafka", Value::OfKafka(CPU_PERCENT)),
    ("RSS MiB", Value::Own(|it| it.rss_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_mib)),
    ("switches/s", Value::Own(|it| it.switches / it.seconds)),
    ("system calls/s", Value::Counted(|it| it.syscalls / it.seconds)),
];

/// Where groups agree: a request is the whole life of one.
pub(crate) const BY_REBALANCES: &[Column] = &[
    ("median ms", Value::Own(|it| it.p50_us / 1e3)),
    ("of Kafka", Value::OfKafka(|it| it.p50_us)),
    ("p99 ms", Value::Own(|it| it.p99_us / 1e3)),
    ("p99 of Kafka", Value::OfKafka(|it| it.p99_us)),
    ("CPU ms/group", Value::Own(|it| it.cpu_s * 1e3 / it.requests)),
    ("CPU of Kafka", Value::OfKafka(CPU_US_PER_REQUEST)),
    ("peak RSS MiB", Value::Own(|it| it.rss_peak_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_peak_mib)),
    ("system calls/group", Value::Counted(|it| it.syscalls / it.requests)),
];

/// Where each request is an offset.
pub(crate) const BY_COMMITS: &[Column] = &[
    ("commits/s", Value::Own(REQUESTS_PER_S)),
    ("of Kafka", Value::OfKafka(REQUESTS_PER_S)),
    ("p50 us", Value::Own(|it| it.p50_us)),
    ("p50 of Kafka", Value::OfKafka(|it| it.p50_us)),
    ("p99 us", Value::Own(|it| it.p99_us)),
    ("p99 of Kafka", Value::OfKafka(|it| it.p99_us)),
    ("CPU s/million", Value::Own(CPU_US_PER_REQUEST)),
    ("CPU of Kafka", Value::OfKafka(CPU_US_PER_REQUEST)),
    ("peak RSS MiB", Value::Own(|it| it.rss_peak_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_peak_mib)),
    ("switches/commit", Value::Own(|it| it.switches / it.requests)),
    ("system calls/commit", Value::Counted(|it| it.syscalls / it.requests)),
];

/// Where little is done, at a given pace.
pub(crate) const BY_HEARTBEATS: &[Column] = &[
    ("requests/s", Value::Own(REQUESTS_PER_S)),
    ("CPU %", Value::Own(CPU_PERCENT)),
    ("CPU of Kafka", Value::OfKafka(CPU_PERCENT)),
    ("CPU s/million", Value::Own(CPU_US_PER_REQUEST)),
    ("p50 us", Value::Own(|it| it.p50_us)),
    ("p99 us", Value::Own(|it| it.p99_us)),
    ("p99 of Kafka", Value::OfKafka(|it| it.p99_us)),
    ("RSS MiB", Value::Own(|it| it.rss_mib)),
    ("RSS of Kafka", Value::OfKafka(|it| it.rss_mib)),
    ("switches/request", Value::Own(|it| it.switches / it.requests)),
    ("system calls/request", Value::Counted(|it| it.syscalls / it.requests)),
];

/// A subject's cell, beside the rounds of a bare loop and of a Kafka.
pub(crate) fn cell(value: Value, own: &Taken, bare: &Taken, kafka: &Taken) -> Cell {
    match value {
        Value::Own(figure) => Cell::rounds(own.rounds.iter().map(figure)),
        Value::Counted(figure) => Cell::rounds(own.counted.iter().map(figure)),
        Value::OfBare(figure) => Cell::ratios(&own.rounds, &bare.rounds, figure),
        Value::OfKafka(figure) => Cell::ratios(&own.rounds, &kafka.rounds, figure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Spread;

    fn taken(seconds: f64, cpu_ms: u64) -> Taken {
        let done = Done {
            elapsed: Duration::from_secs_f64(seconds),
            requests: 10,
            bytes: 1_000_000_000,
            ..Done::default()
        };
        let mut used = Usage::default();
        used.cpu = Duration::from_millis(cpu_ms);
        let figures = Figures::new(&done, &used, Duration::ZERO);
        Taken { rounds: vec![figures; 3], counted: Some(figures.with_syscalls(Some(500))) }
    }

    fn median(column: &str, columns: &[Column]) -> Option<f64> {
        let (own, bare, kafka) = (taken(0.5, 300), taken(0.25, 200), taken(4.0, 2_000));
        let (_, value) = columns.iter().find(|(name, _)| *name == column).expect("a column");
        cell(*value, &own, &bare, &kafka).median()
    }

    #[test]
    fn columns_are_rates_shares_and_ratios() {
        assert_eq!(median("MB/s", BY_BYTES), Some(2_000.0));
        assert_eq!(median("MB/s of bare", BY_BYTES), Some(0.5));
        assert_eq!(median("MB/s of Kafka", BY_BYTES), Some(8.0));
        assert_eq!(median("CPU s/GB", BY_BYTES), Some(0.3));
        assert_eq!(median("CPU of Kafka", BY_BYTES), Some(0.15));
        assert_eq!(median("system calls/MB", BY_BYTES), Some(0.5));
        assert_eq!(median("CPU s/million", BY_REQUESTS), Some(30_000.0));
        assert_eq!(median("CPU %", AT_REST), Some(60.0));
    }

    #[test]
    fn what_is_not_known_leaves_its_cell_empty() {
        assert_eq!(median("p99 us", BY_BYTES), None);
        let unknown = taken(1.0, 1).rounds[0].with_syscalls(None);
        let own = Taken { rounds: vec![unknown], counted: Some(unknown) };
        let column = Value::Counted(|it| it.syscalls);
        assert_eq!(cell(column, &own, &own, &own).median(), None);
        let spread = Spread { median: 1.0, low: 1.0, high: 1.0 };
        assert!(matches!(
            cell(Value::Own(|it| it.seconds), &own, &own, &own),
            Cell::Spread(found) if found == spread
        ));
    }
}
