//! Topics: how long it takes to make them, to tell of them, and to start with them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::api::create_topics::CreateTopicsRequest;

use crate::admin::{Admin, creation};
use crate::arguments::Plan;
use crate::nodes::Subject;
use crate::process::Served;
use crate::report::{Cell, Table};
use crate::samples::Spread;

/// A broker that has made many topics has more to do, its own checkpoints for one.
const SETTLE: Duration = Duration::from_secs(3);

/// Answers to Metadata that one figure is the median of.
const ANSWERS: usize = 21;

/// Topics that have the many partitions: one request may make no more than 10,000 records
/// (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const LARGE_TOPICS: i32 = 10;

const COLUMNS: &[&str] = &["who", "what", "ms", "broker's CPU ms", "Kafka's ms to these"];

/// What is measured, in the order of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Alone,
    Batched,
    Partitions,
    Metadata,
    CleanStart,
    UncleanStart,
}

/// One figure.
struct Took {
    step: Step,
    ms: f64,
    cpu_ms: f64,
}

/// Measures each subject on directories of its own.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let partitions = plan.partitions.iter().copied().max().unwrap_or(1);
    let topics = (partitions / 10).max(1);
    let about = format!(
        "topics have one partition, {LARGE_TOPICS} large ones share {partitions}; requests one after another on \
         one connection; a start ends when Metadata names every partition's leader; {} rounds",
        plan.effort.rounds,
    );
    let subjects = Subject::all(plan);
    let mut taken: Vec<Vec<Took>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..plan.effort.rounds {
        for (subject, taken) in subjects.iter().zip(&mut taken) {
            let place = |what| scratch.join(format!("{what}-{}-{round}", subject.name()));
            taken.extend(make_topics(*subject, &place("topics"), topics)?);
            taken.extend(make_partitions(*subject, &place("large"), partitions)?);
        }
    }
    let steps = [
        (Step::Alone, format!("{topics} topics, a request each")),
        (Step::Batched, format!("{topics} topics, one request")),
        (Step::Partitions, format!("{partitions} partitions, {LARGE_TOPICS} requests")),
        (Step::Metadata, format!("Metadata of {partitions} partitions")),
        (Step::CleanStart, "start with them after a clean stop".to_owned()),
        (Step::UncleanStart, "start with them after a kill".to_owned()),
    ];
    let mut table = Table::new("topics", about, COLUMNS);
    let median = |at: usize, step| Spread::of(figures(&taken[at], step, |it| it.ms));
    for (step, what) in steps {
        let kafka = subjects.iter().position(Subject::is_kafka);
        let kafka_ms = kafka.and_then(|at| median(at, step)).map(|spread| spread.median);
        for (at, subject) in subjects.iter().enumerate() {
            let own_ms = median(at, step).map(|spread| spread.median);
            let ratio = kafka_ms.zip(own_ms).map(|(kafka, own)| kafka / own);
            table.push(vec![
                Cell::name(subject.name()),
                Cell::name(&what),
                Cell::rounds(figures(&taken[at], step, |it| it.ms)),
                Cell::rounds(figures(&taken[at], step, |it| it.cpu_ms)),
                ratio.map_or(Cell::Nothing, Cell::Number),
            ]);
        }
    }
    Ok(table)
}

fn figures(taken: &[Took], step: Step, figure: fn(&Took) -> f64) -> impl Iterator<Item = f64> {
    taken.iter().filter(move |it| it.step == step).map(figure)
}

/// The same topics alone, and in one request, each on an empty directory.
fn make_topics(subject: Subject<'_>, directory: &Path, count: i32) -> Result<Vec<Took>, String> {
    let mut taken = Vec::new();
    for step in [Step::Alone, Step::Batched] {
        let node = subject.prepare(directory)?;
        let served = node.start()?;
        let mut client = Admin::connect(served.port)?;
        let requests: Vec<CreateTopicsRequest> = match step {
            Step::Alone => (0..count).map(|number| numbered([(number, 1)])).collect(),
            _ => vec![numbered((0..count).map(|number| (number, 1)))],
        };
        taken.push(time(&served, step, || {
            requests.iter().try_for_each(|request| client.create(request))
        })?);
        served.stop()?;
        remove(directory)?;
    }
    Ok(taken)
}

/// A few topics with many partitions, what is told of them, and starts with them.
fn make_partitions(
    subject: Subject<'_>,
    directory: &Path,
    partitions: i32,
) -> Result<Vec<Took>, String> {
    let node = subject.prepare(directory)?;
    let served = node.start()?;
    let mut client = Admin::connect(served.port)?;
    let each = (partitions / LARGE_TOPICS).max(1);
    let requests = (0..LARGE_TOPICS).map(|number| numbered([(number, each)]));
    let partitions = each * LARGE_TOPICS;
    let mut taken = vec![time(&served, Step::Partitions, || {
        requests.into_iter().try_for_each(|request| client.create(&request))
    })?];
    thread::sleep(SETTLE);
    // Kafka answers before its brokers know all of them. The first whole answer has what later ones
    // need not do again.
    let whole = client.wait_for(partitions)?;
    let mut answers = Vec::new();
    for _ in 0..ANSWERS {
        answers.push(time(&served, Step::Metadata, || client.tell_all(whole))?);
    }
    let median = |figure: fn(&Took) -> f64| {
        Spread::of(answers.iter().map(figure)).map_or(0.0, |spread| spread.median)
    };
    let (ms, cpu_ms) = (median(|it| it.ms), median(|it| it.cpu_ms));
    taken.push(Took { step: Step::Metadata, ms, cpu_ms });
    served.stop()?;
    for step in [Step::CleanStart, Step::UncleanStart] {
        let begun = Instant::now();
        let served = node.start()?;
        Admin::connect(served.port)?.wait_for(partitions)?;
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        taken.push(Took { step, ms, cpu_ms: served.usage()?.cpu.as_secs_f64() * 1e3 });
        match step {
            Step::CleanStart => served.kill(),
            _ => drop(served.stop()?),
        }
    }
    remove(directory)?;
    Ok(taken)
}

fn remove(directory: &Path) -> Result<(), String> {
    fs::remove_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}

fn time(
    served: &Served,
    step: Step,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<Took, String> {
    let before = served.usage()?;
    let begun = Instant::now();
    work()?;
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let cpu_ms = served.usage()?.since(&before).cpu.as_secs_f64() * 1e3;
    Ok(Took { step, ms, cpu_ms })
}

/// Topics by number, and how many partitions each.
fn numbered(topics: impl IntoIterator<Item = (i32, i32)>) -> CreateTopicsRequest {
    let named = |(number, partitions)| (format!("topic-{number}"), partitions);
    creation(topics.into_iter().map(named))
}
