//! What Klamm is to reach, beside what it has reached: each row is a figure of another table and a bound.

use crate::report::{Cell, Table};

/// A bound.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

use Target::{AtLeast, AtMost};

/// A figure that is to reach something.
struct Goal {
    what: &'static str,
    /// Where the figure stands: a table, the first cells of a row, a column. `$` is each driver; `*` any
    /// name, of which the worst counts.
    table: &'static str,
    row: &'static [&'static str],
    column: &'static str,
    target: Target,
}

const fn goal(
    what: &'static str,
    table: &'static str,
    row: &'static [&'static str],
    column: &'static str,
    target: Target,
) -> Goal {
    Goal { what, table, row, column, target }
}

const MB: &str = "MB/s of Kafka";
const CPU: &str = "CPU of Kafka";
const RSS: &str = "RSS of Kafka";
const P99: &str = "p99 of Kafka";

const PAGE_CACHE: &str = "$ page-cache";
const DURABLE: &str = "$ durable";

/// Ratios are those to Apache Kafka of the same durability.
#[rustfmt::skip]
const GOALS: &[Goal] = &[
    goal("1 KiB, throughput", "produce", &["1 KiB", PAGE_CACHE], MB, AtLeast(4.0)),
    goal("1 KiB, CPU", "produce", &["1 KiB", PAGE_CACHE], CPU, AtMost(0.15)),
    goal("1 KiB, throughput", "produce", &["1 KiB", DURABLE], MB, AtLeast(3.0)),
    goal("1 KiB, CPU", "produce", &["1 KiB", DURABLE], CPU, AtMost(0.2)),
    goal("lz4, repetitive, throughput", "produce", &["1 KiB lz4, repetitive", PAGE_CACHE], MB, AtLeast(1.5)),
    goal("lz4, repetitive, CPU", "produce", &["1 KiB lz4, repetitive", PAGE_CACHE], CPU, AtMost(0.4)),
    goal("lz4, half random, throughput", "produce", &["1 KiB lz4, half random", PAGE_CACHE], MB, AtLeast(1.5)),
    goal("lz4, half random, CPU", "produce", &["1 KiB lz4, half random", PAGE_CACHE], CPU, AtMost(0.4)),
    goal("librdkafka, 1 KiB, throughput", "programs", &["librdkafka, produce 1 KiB", PAGE_CACHE], MB, AtLeast(4.0)),
    goal("librdkafka, 1 KiB, CPU", "programs", &["librdkafka, produce 1 KiB", PAGE_CACHE], CPU, AtMost(0.15)),
    goal("librdkafka, 1 KiB, throughput", "programs", &["librdkafka, produce 1 KiB", DURABLE], MB, AtLeast(3.0)),
    goal("librdkafka, 1 KiB, CPU", "programs", &["librdkafka, produce 1 KiB", DURABLE], CPU, AtMost(0.2)),
    goal("librdkafka, lz4, repetitive, throughput", "programs", &["librdkafka, produce 1 KiB lz4, repetitive", PAGE_CACHE], MB, AtLeast(1.5)),
    goal("librdkafka, lz4, repetitive, CPU", "programs", &["librdkafka, produce 1 KiB lz4, repetitive", PAGE_CACHE], CPU, AtMost(0.4)),
    goal("librdkafka, lz4, half random, throughput", "programs", &["librdkafka, produce 1 KiB lz4, half random", PAGE_CACHE], MB, AtLeast(1.5)),
    goal("librdkafka, lz4, half random, CPU", "programs", &["librdkafka, produce 1 KiB lz4, half random", PAGE_CACHE], CPU, AtMost(0.4)),
    goal("fetch, hot, 1 reader, throughput", "fetch", &["hot, 1 reader", PAGE_CACHE], MB, AtLeast(1.0)),
    goal("fetch, hot, 1 reader, CPU", "fetch", &["hot, 1 reader", PAGE_CACHE], CPU, AtMost(0.5)),
    goal("fetch, hot, 16 readers, throughput", "fetch", &["hot, 16 readers", PAGE_CACHE], MB, AtLeast(1.0)),
    goal("fetch, hot, 16 readers, CPU", "fetch", &["hot, 16 readers", PAGE_CACHE], CPU, AtMost(0.5)),
    goal("fetch, cold, 1 reader, throughput", "fetch", &["cold, 1 reader", PAGE_CACHE], MB, AtLeast(1.0)),
    goal("fetch, cold, 1 reader, CPU", "fetch", &["cold, 1 reader", PAGE_CACHE], CPU, AtMost(0.5)),
    goal("fetch, cold, 16 readers, throughput", "fetch", &["cold, 16 readers", PAGE_CACHE], MB, AtLeast(1.0)),
    goal("fetch, cold, 16 readers, CPU", "fetch", &["cold, 16 readers", PAGE_CACHE], CPU, AtMost(0.5)),
    goal("librdkafka, consume, throughput", "programs", &["librdkafka, consume 1 KiB", PAGE_CACHE], MB, AtLeast(1.0)),
    goal("librdkafka, consume, CPU", "programs", &["librdkafka, consume 1 KiB", PAGE_CACHE], CPU, AtMost(0.5)),
    goal("10,000/s, p99", "latency", &["10,000/s of 1 KiB, to its acknowledgement", PAGE_CACHE], P99, AtMost(0.3)),
    goal("10,000/s, CPU", "latency", &["10,000/s of 1 KiB, to its acknowledgement", PAGE_CACHE], CPU, AtMost(0.3)),
    goal("10,000/s, p99", "latency", &["10,000/s of 1 KiB, to its acknowledgement", DURABLE], P99, AtMost(0.3)),
    goal("10,000/s, CPU", "latency", &["10,000/s of 1 KiB, to its acknowledgement", DURABLE], CPU, AtMost(0.3)),
    goal("end to end, 128 B, p99", "latency", &["1,000/s of 128 B, to its reader", PAGE_CACHE], P99, AtMost(0.3)),
    goal("end to end, 128 B, p99", "latency", &["1,000/s of 128 B, to its reader", DURABLE], P99, AtMost(0.3)),
    goal("64 partitions, throughput", "produce", &["64 partitions, 16 KiB to each", DURABLE], MB, AtLeast(3.0)),
    goal("1,000 partitions, throughput", "produce", &["1,000 partitions, 8 KiB to 100 of them", DURABLE], MB, AtLeast(3.0)),
    goal("peak RSS, producing, worst", "produce", &["*", PAGE_CACHE], RSS, AtMost(0.07)),
    goal("peak RSS, producing, worst", "produce", &["*", DURABLE], RSS, AtMost(0.07)),
    goal("peak RSS, 500 producers of 1 MiB", "produce", &["500 connections, 1 MiB batches, 16 MiB of requests", PAGE_CACHE], RSS, AtMost(0.07)),
    goal("peak RSS, 500 producers of 1 MiB", "produce", &["500 connections, 1 MiB batches, 16 MiB of requests", DURABLE], RSS, AtMost(0.07)),
    goal("peak RSS, reading, worst", "fetch", &["*", PAGE_CACHE], RSS, AtMost(0.07)),
    goal("start with 1,000 partitions", "partitions", &["$", "1000", "clean stop"], "of Kafka", AtMost(0.02)),
    goal("start with 10,000 partitions, ms", "partitions", &["$", "10000", "clean stop"], "answered ms", AtMost(1_000.0)),
    // `top` tells tenths.
    goal("idle, CPU %", "idle", &["1 topic, 1 connection", PAGE_CACHE], "CPU %", AtMost(0.05)),
    goal("idle, RSS MiB", "idle", &["1 topic, 1 connection", PAGE_CACHE], "RSS MiB", AtMost(8.0)),
    goal("core alone, batches/s", "core", &["produce, 200 B to each of 10", "durable"], "batches/s", AtLeast(1e6)),
    goal("core alone, batches/s", "core", &["fetch, 200 B of each of 10", "durable"], "batches/s", AtLeast(1e6)),
    // Two decimals: a further batch's share is none of a record's.
    goal("core alone, allocations/record", "core", &["produce, 600 x 100 B", "durable"], "allocations/record", AtMost(0.01)),
];

const COLUMNS: &[&str] = &["what", "who", "figure", "target", "is it met?"];

/// Looks every goal up in the tables of this run, for each of the drivers.
pub(crate) fn table(tables: &[Table], drivers: &[&str]) -> Table {
    let about = "medians from the tables above, beside what they are to be; ratios are those to Apache Kafka of \
                 the same durability, as are p99, CPU and RSS without a unit"
        .to_owned();
    let mut bar = Table::new("bar", about, COLUMNS);
    for goal in GOALS {
        let has_driver = goal.row.iter().any(|name| name.contains('$'));
        let drivers = if has_driver { drivers } else { &[""] };
        for driver in drivers {
            let row: Vec<String> = goal.row.iter().map(|name| name.replace('$', driver)).collect();
            let who = goal.row.iter().position(|name| name.contains('$'));
            let who = who.map_or("core", |at| &row[at]);
            let figure = goal.figure(tables, &row);
            bar.push(vec![
                Cell::name(goal.what),
                Cell::name(who),
                figure.map_or(Cell::Nothing, Cell::Number),
                Cell::Text(goal.target.text()),
                Cell::name(goal.target.judge(figure)),
            ]);
        }
    }
    bar
}

impl Goal {
    /// The worst of the figures that it names.
    fn figure(&self, tables: &[Table], row: &[String]) -> Option<f64> {
        let table = tables.iter().find(|table| table.name() == self.table)?;
        let worse = match self.target {
            AtLeast(_) => f64::min,
            AtMost(_) => f64::max,
        };
        table.find_all(row, self.column).into_iter().reduce(worse)
    }
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}"),
            Self::AtMost(bound) => format!("at most {bound}"),
        }
    }

    fn judge(self, figure: Option<f64>) -> &'static str {
        let is_met = figure.map(|figure| match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        });
        match is_met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not measured",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::WORKLOADS;

    /// A table of `produce`, with these ratios to Kafka.
    fn produce(rows: &[(&'static str, &str, f64, f64)]) -> Table {
        let mut table = Table::new("produce", String::new(), &["load", "who", MB, RSS]);
        for (load, who, mb, rss) in rows {
            let figures = [*mb, *rss].map(Cell::Number);
            table.push([Cell::name(load), Cell::name(who)].into_iter().chain(figures).collect());
        }
        table
    }

    fn judged(tables: &[Table], what: &str, who: &str) -> Vec<String> {
        let text = table(tables, &["std", "smol"]).text();
        let lines = text.lines().filter(|line| line.contains(what));
        let cells =
            lines.map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()));
        cells
            .map(|cells| cells.map(str::to_owned).collect::<Vec<_>>())
            .filter(|cells| cells[1] == who)
            .map(|cells| cells[2..].join(", "))
            .collect()
    }

    #[test]
    fn a_goal_is_met_or_not_for_each_driver() {
        let tables = [produce(&[
            ("1 KiB", "std page-cache", 4.5, 0.01),
            ("1 KiB", "smol page-cache", 3.5, 0.01),
        ])];
        let what = "1 KiB, throughput";
        assert_eq!(judged(&tables, what, "std page-cache")[0], "4.50, at least 4, yes");
        assert_eq!(judged(&tables, what, "smol page-cache")[0], "3.50, at least 4, NO");
        assert_eq!(judged(&tables, what, "std durable")[0], "-, at least 3, not measured");
    }

    #[test]
    fn the_worst_load_counts_where_any_is_meant() {
        let tables = [produce(&[
            ("1 KiB", "std durable", 4.0, 0.02),
            ("100 B", "std durable", 4.0, 0.08),
            ("100 B", "std page-cache", 4.0, 0.5),
        ])];
        let found = judged(&tables, "peak RSS, producing, worst", "std durable");
        assert_eq!(found, ["0.080, at most 0.07, NO"]);
    }

    #[test]
    fn bounds_themselves_are_met() {
        assert_eq!(AtLeast(3.0).judge(Some(3.0)), "yes");
        assert_eq!(AtMost(0.3).judge(Some(0.3)), "yes");
        assert_eq!(AtMost(0.3).judge(Some(0.31)), "NO");
    }

    #[test]
    fn every_load_of_a_goal_is_there() {
        let suites = ["produce", "fetch", "latency", "programs", "idle", "fairness"];
        for goal in GOALS.iter().filter(|goal| suites.contains(&goal.table)) {
            let is_load = WORKLOADS
                .iter()
                .any(|load| load.suite.name() == goal.table && load.name == goal.row[0]);
            assert!(is_load || goal.row[0] == "*", "{} names no load", goal.what);
        }
    }
}
