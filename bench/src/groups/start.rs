//! Starts with many committed offsets: how long until the first and until all groups are told theirs.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use klamm_core::api::offset_commit::OffsetCommitRequest;
use klamm_core::config::Durability;

use super::client::Client;
use crate::arguments::Plan;
use crate::connections::Asker;
use crate::nodes::{Node, Subject};
use crate::process::Served;
use crate::report::{Cell, Table};
use crate::samples::{Spread, turns};

/// Of [`TOPIC`](crate::batches::TOPIC); each group commits for all of them.
const PARTITIONS: i32 = 1_000;

/// In one request.
const PARTITIONS_PER_COMMIT: usize = 500;

/// What is freed soon after the start is no memory at rest.
const REST: Duration = Duration::from_millis(500);

const COLUMNS: &[&str] = &[
    "who",
    "offsets",
    "start after",
    "answered ms",
    "first offset ms",
    "of Kafka",
    "all groups ms",
    "all of Kafka",
    "CPU ms",
    "CPU of Kafka",
    "RSS at rest MiB",
    "RSS of Kafka",
    "B/offset",
    "stopped in ms",
];

/// The figures of one start.
struct Start {
    answered_ms: f64,
    first_ms: f64,
    all_ms: f64,
    cpu_ms: f64,
    rss_bytes: f64,
    stop_ms: f64,
}

/// The starts of one subject.
#[derive(Default)]
struct Starts {
    clean: Vec<Start>,
    unclean: Vec<Start>,
}

/// Measures starts after a clean stop and after a kill, first without offsets.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let groups: Vec<String> =
        (0..plan.effort.groups).map(|number| format!("offsets-{number}")).collect();
    let mut table = Table::new("offsets", about(plan, groups.len()), COLUMNS);
    let subjects = Subject::all(plan);
    let place = scratch.join("offsets");
    fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let nodes = subjects.iter().map(|it| prepare(*it, &place.join(it.name()), &groups));
    let nodes = nodes.collect::<Result<Vec<Node>, _>>()?;
    let mut empty_bytes = vec![0.0; subjects.len()];
    for offset in [-1, 0] {
        if offset >= 0 {
            nodes.iter().try_for_each(|node| commit(node, &groups, offset))?;
        }
        let mut starts: Vec<Starts> = nodes.iter().map(|_| Starts::default()).collect();
        for at in turns(plan.effort.rounds, nodes.len()) {
            take(&nodes[at], &groups, offset, &mut starts[at])?;
        }
        if offset < 0 {
            for (held, starts) in empty_bytes.iter_mut().zip(&starts) {
                let spread = Spread::of(starts.clean.iter().map(|start| start.rss_bytes));
                *held = spread.map_or(0.0, |spread| spread.median);
            }
        }
        let offsets = if offset < 0 { 0 } else { groups.len() * PARTITIONS as usize };
        let none = Starts::default();
        let kafka = subjects.iter().position(Subject::is_kafka).map_or(&none, |at| &starts[at]);
        for (at, subject) in subjects.iter().enumerate() {
            let row = |after: &str, own: &[Start], kafka: &[Start]| {
                let mut row =
                    Vec::from([subject.name(), &offsets.to_string(), after].map(Cell::name));
                let share = |start: &Start| (start.rss_bytes - empty_bytes[at]) / offsets as f64;
                row.extend(cells(own, kafka, share));
                row
            };
            table.push(row("clean stop", &starts[at].clean, &kafka.clean));
            table.push(row("kill", &starts[at].unclean, &kafka.unclean));
        }
    }
    fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(table)
}

fn about(plan: &Plan, groups: usize) -> String {
    format!(
        "{groups} groups with an offset for each of {PARTITIONS} partitions, {PARTITIONS_PER_COMMIT} in a commit; \
         from before exec until ApiVersions is answered, until the first group is told an offset, and until all \
         are; memory {} ms later, with what is told; an offset's bytes are what a start without any does not \
         hold; {} rounds",
        REST.as_millis(),
        plan.effort.rounds,
    )
}

fn cells(own: &[Start], kafka: &[Start], share_bytes: impl Fn(&Start) -> f64) -> [Cell; 11] {
    let each = |figure: fn(&Start) -> f64| Cell::rounds(own.iter().map(figure));
    let ratio = |figure: fn(&Start) -> f64| Cell::ratios(own, kafka, figure);
    [
        each(|start| start.answered_ms),
        each(|start| start.first_ms),
        ratio(|start| start.first_ms),
        each(|start| start.all_ms),
        ratio(|start| start.all_ms),
        each(|start| start.cpu_ms),
        ratio(|start| start.cpu_ms),
        each(|start| start.rss_bytes / f64::from(1 << 20)),
        ratio(|start| start.rss_bytes),
        Cell::rounds(own.iter().map(share_bytes)),
        each(|start| start.stop_ms),
    ]
}

/// Starts twice: behind a clean stop, and behind a kill.
fn take(node: &Node, groups: &[String], offset: i64, starts: &mut Starts) -> Result<(), String> {
    let served = node.start()?;
    let start = watch(&served, groups, offset)?;
    served.kill();
    starts.clean.push(start);
    let served = node.start()?;
    let mut start = watch(&served, groups, offset)?;
    start.stop_ms = served.stop()?.as_secs_f64() * 1e3;
    starts.unclean.push(start);
    Ok(())
}

fn watch(served: &Served, groups: &[String], offset: i64) -> Result<Start, String> {
    let since = || served.begun.elapsed().as_secs_f64() * 1e3;
    Asker::connect(served.port)?.ask()?;
    let answered_ms = since();
    let mut client = Client::connect(served.port)?;
    let mut told = client.wait_for_offsets(&groups[..1], 0)?;
    let first_ms = since();
    told.extend(client.wait_for_offsets(groups, PARTITIONS - 1)?);
    let all_ms = since();
    if told.iter().any(|told| *told != offset) {
        return Err(format!("offset {offset} was committed; {told:?} are told"));
    }
    thread::sleep(REST);
    let usage = served.usage()?;
    Ok(Start {
        answered_ms,
        first_ms,
        all_ms,
        cpu_ms: usage.cpu.as_secs_f64() * 1e3,
        rss_bytes: usage.rss_bytes as f64,
        stop_ms: f64::NAN,
    })
}

/// Makes the directory, with logs in which nothing is committed yet, and stops cleanly.
fn prepare(subject: Subject<'_>, directory: &Path, groups: &[String]) -> Result<Node, String> {
    let (node, served) = subject.serve(directory, PARTITIONS, Durability::PageCache, &[])?;
    Client::connect(served.port)?.wait_for_coordinators(groups)?;
    served.stop()?;
    Ok(node)
}

/// Every group commits for every partition, without members.
fn commit(node: &Node, groups: &[String], offset: i64) -> Result<(), String> {
    let served = node.start()?;
    let mut client = Client::connect(served.port)?;
    client.wait_for_coordinators(groups)?;
    for group in groups {
        let member = OffsetCommitRequest { group_id: group.clone(), ..Default::default() };
        for first in (0..PARTITIONS).step_by(PARTITIONS_PER_COMMIT) {
            let partitions = first..first + PARTITIONS_PER_COMMIT as i32;
            client.commit(&member, partitions, offset)?;
        }
    }
    served.stop()?;
    Ok(())
}
