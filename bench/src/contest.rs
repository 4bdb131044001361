//! Everybody under one load, in turns.
//!
//! All are started, and put under load until they are warm, before the first round; a round then measures
//! each once. Before each figure what was written is written back, or given up where nobody will read it:
//! nobody pays for the dirty pages of another.

use std::fs;
use std::path::Path;

use crate::arguments::{Plan, Suite};
use crate::figures::{
    self, AT_REST, BY_BYTES, BY_COMMITS, BY_HEARTBEATS, BY_REBALANCES, BY_REQUESTS, Column, Taken,
};
use crate::kept::Kept;
use crate::programs::Tools;
use crate::report::{Cell, Table};
use crate::samples::turns;
use crate::stand::{self, Grounds, Stand, Subject};
use crate::workloads::{WORKLOADS, Workload};

/// Measures the loads of one table. What fails is told in `failures`, and has no row.
pub(crate) fn measure(
    suite: Suite,
    plan: &Plan,
    scratch: &Path,
    failures: &mut Vec<String>,
) -> Table {
    let columns = columns(suite);
    let names = ["load", "who"].into_iter().chain(columns.iter().map(|(name, _)| *name));
    let mut table = Table::new(suite.name(), about(suite, plan), &names.collect::<Vec<_>>());
    let tools = if suite == Suite::Programs { Tools::make(plan) } else { Tools::default() };
    let wanted = |workload: &&Workload| workload.suite == suite && plan.wants(workload.name);
    let mut kafkas = Kept::new(scratch, plan.effort.kept_warm_up());
    for workload in WORKLOADS.iter().filter(wanted) {
        eprintln!("{}: {}", suite.name(), workload.name);
        let directory = scratch.join("contest");
        let mut grounds =
            Grounds { plan, tools: &tools, kafkas: &mut kafkas, directory: &directory };
        match take_all(workload, &mut grounds) {
            Ok(subjects) => add_rows(&mut table, workload, columns, &subjects),
            Err(error) => {
                eprintln!("{}: {error}", workload.name);
                failures.push(format!("{}: {error}", workload.name));
            }
        }
        if let Err(error) = fs::remove_dir_all(&directory) {
            failures.push(format!("{}: {error}", directory.display()));
        }
    }
    failures.extend(kafkas.stop().err());
    table
}

fn columns(suite: Suite) -> &'static [Column] {
    match suite {
        Suite::Latency | Suite::Fairness => BY_REQUESTS,
        Suite::Idle => AT_REST,
        Suite::Rebalances => BY_REBALANCES,
        Suite::Commits => BY_COMMITS,
        Suite::Heartbeats => BY_HEARTBEATS,
        _ => BY_BYTES,
    }
}

fn about(suite: Suite, plan: &Plan) -> String {
    let effort = &plan.effort;
    let what = match suite {
        Suite::Produce => format!(
            "batches of 64 KiB unless said, 5 in flight, acks=all, a partition for each connection; up to {} \
             MiB a figure; latency counts from before a request is sent",
            effort.mib
        ),
        Suite::Latency => {
            "a request for each record, acks=all, one partition; latency counts from when a \
                           record is due"
                .to_owned()
        }
        Suite::Fetch => format!(
            "a partition of {} MiB in batches of 64 KiB, 1 MiB asked for at a time; cold is what the page \
             cache does not hold when the first reader begins; bytes behind a producer are those of both",
            effort.fetch_mib
        ),
        Suite::Fairness => {
            "each consumer fetches a record of 128 B ten times a second, on a connection of its \
                            own; latency counts from when a request is due; MB/s are the producer's"
                .to_owned()
        }
        Suite::Programs => format!(
            "clients of others', acks=all; {} MiB a figure to be written, {} to be read",
            effort.mib, effort.fetch_mib
        ),
        Suite::Rebalances => "in the classic protocol, without a delay, a connection for each member; from when the \
                              last of them has sent its JoinGroup, or the one more its own, until each has the \
                              answer to its SyncGroup; the others hear of one more by a heartbeat, which they \
                              send at once; processor time is that of all this, and of leaving"
            .to_owned(),
        Suite::Commits => "16 connections, one commit of one partition in flight on each, by members of groups"
            .to_owned(),
        Suite::Heartbeats => format!(
            "{} groups; each member sends a heartbeat every 3 s; latency counts from when it is due",
            effort.groups
        ),
        _ => "nothing is sent".to_owned(),
    };
    format!(
        "{what}; up to {} ms a figure, behind a warm-up of up to {} MiB and {} ms, {} rounds; processor time, \
         memory, switches and system calls (perf, raw_syscalls:sys_enter, in a round of their own) are the \
         broker's alone, switches those of threads that live on; bytes are those before a codec; Kafka and bare loop are those of the same durability",
        effort.figure_ms, effort.warm_mib, effort.warm_ms, effort.rounds,
    )
}

fn add_rows(
    table: &mut Table,
    workload: &Workload,
    columns: &[Column],
    subjects: &[(Subject<'_>, Taken)],
) {
    let none = Taken::default();
    for (subject, own) in subjects {
        let bare = subjects.iter().find(|(other, _)| other.is_bare_for(*subject));
        let kafka = subjects.iter().find(|(other, _)| other.is_kafka_for(*subject));
        let [bare, kafka] = [bare, kafka].map(|it| it.map_or(&none, |(_, taken)| taken));
        let mut row = vec![Cell::name(workload.name), Cell::Text(subject.name())];
        row.extend(columns.iter().map(|(_, value)| figures::cell(*value, own, bare, kafka)));
        table.push(row);
    }
}

fn take_all<'a>(
    workload: &Workload,
    grounds: &mut Grounds<'_, 'a>,
) -> Result<Vec<(Subject<'a>, Taken)>, String> {
    let directory = grounds.directory;
    fs::create_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let taken = take_turns(workload, grounds);
    // Also behind a failure: the next load gets a topic of its own.
    let cleared = grounds.kafkas.clear();
    taken.and_then(|taken| cleared.map(|()| taken))
}

fn take_turns<'a>(
    workload: &Workload,
    grounds: &mut Grounds<'_, 'a>,
) -> Result<Vec<(Subject<'a>, Taken)>, String> {
    let effort = grounds.plan.effort;
    let place = workload.clients.place();
    let mut stands = stand::start_all(workload, grounds)?;
    let mut taken: Vec<Taken> = stands.iter().map(|_| Taken::default()).collect();
    for at in turns(effort.rounds, stands.len()) {
        taken[at].rounds.push(stands[at].take(place, effort.figure())?);
    }
    for (stand, taken) in stands.iter_mut().zip(&mut taken) {
        taken.counted = Some(stand.take_counted(place, effort.figure())?);
    }
    let subjects: Vec<_> = stands.iter().map(|stand| stand.subject).collect();
    stands.into_iter().try_for_each(Stand::finish)?;
    Ok(subjects.into_iter().zip(taken).collect())
}
