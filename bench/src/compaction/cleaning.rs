//! How fast a log is compacted, and what that costs.

use std::fs;
use std::path::Path;

use klamm_core::config::Durability;

use super::load::{BATCH_BYTES, KEY_BYTES, LOADS, Load, RECORDS_PER_KEY};
use super::survivors;
use super::target::{ABOUT_SETTINGS, SEGMENTS, Target};
use crate::arguments::Plan;
use crate::nodes::Subject;
use crate::report::{Cell, Table};
use crate::samples::turns;

const COLUMNS: &[&str] = &[
    "records",
    "who",
    "MB/s",
    "of Kafka",
    "CPU s/GiB",
    "CPU of Kafka",
    "peak RSS MiB",
    "RSS of Kafka",
    "grown by MiB",
    "B grown/key",
    "bytes after/before",
];

/// One log.
struct Cleaned {
    seconds: f64,
    bytes: f64,
    cpu_s: f64,
    rss_before_bytes: f64,
    rss_peak_bytes: f64,
    keys: f64,
    bytes_after: f64,
}

impl Cleaned {
    fn mb_per_s(&self) -> f64 {
        self.bytes / 1e6 / self.seconds
    }

    fn cpu_s_per_gib(&self) -> f64 {
        self.cpu_s / (self.bytes / f64::from(1 << 30))
    }

    fn grown_bytes(&self) -> f64 {
        self.rss_peak_bytes - self.rss_before_bytes
    }
}

/// Measures every load.
pub(crate) fn measure<'a>(plan: &'a Plan, scratch: &Path) -> Result<Table, String> {
    let mut table = Table::new("cleaning", about(plan), COLUMNS);
    let subjects = Subject::all(plan);
    let place = scratch.join("cleaning");
    fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let start = |it: Subject<'a>| Target::start(it, &place.join(it.name()), Durability::PageCache);
    let mut targets =
        subjects.iter().copied().map(start).collect::<Result<Vec<Target<'_>>, _>>()?;
    for load in LOADS.iter().filter(|load| plan.wants(load.name)) {
        eprintln!("cleaning: {}", load.name);
        let mut taken: Vec<Vec<Cleaned>> = targets.iter().map(|_| Vec::new()).collect();
        // The first of each warms up: Java compiles what runs often.
        for at in turns(plan.effort.rounds + 1, targets.len()) {
            taken[at].push(take(&mut targets[at], load, plan.effort.compacted_mib << 20)?);
        }
        for rounds in &mut taken {
            rounds.remove(0);
        }
        let kafka = subjects.iter().position(Subject::is_kafka);
        let kafka = kafka.map_or(&[][..], |at| &taken[at]);
        for (subject, own) in subjects.iter().zip(&taken) {
            let mut row = vec![Cell::name(load.name), Cell::name(subject.name())];
            row.extend(cells(own, kafka));
            table.push(row);
        }
    }
    targets.into_iter().try_for_each(Target::stop)?;
    fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(table)
}

fn about(plan: &Plan) -> String {
    format!(
        "a log of {} MiB before a codec in {SEGMENTS} segments, in batches of {} KiB; keys of \
         {KEY_BYTES} B, of a key {RECORDS_PER_KEY} records on the average, half of a value random; it lies in \
         memory and on the disk; from the answer to cleanup.policy=compact until cleaner-offset-checkpoint names \
         the active segment; bytes are those of the finished segments, as stored, once; each log is read and must \
         hold the last record of each key; {ABOUT_SETTINGS}, no limit of bytes a second; page-cache; {} rounds \
         behind one that warms up",
        plan.effort.compacted_mib,
        BATCH_BYTES >> 10,
        plan.effort.rounds,
    )
}

fn cells(own: &[Cleaned], kafka: &[Cleaned]) -> [Cell; 9] {
    let each = |figure: fn(&Cleaned) -> f64| Cell::rounds(own.iter().map(figure));
    let ratio = |figure: fn(&Cleaned) -> f64| Cell::ratios(own, kafka, figure);
    [
        each(Cleaned::mb_per_s),
        ratio(Cleaned::mb_per_s),
        each(Cleaned::cpu_s_per_gib),
        ratio(Cleaned::cpu_s_per_gib),
        each(|it| it.rss_peak_bytes / f64::from(1 << 20)),
        ratio(|it| it.rss_peak_bytes),
        each(|it| it.grown_bytes() / f64::from(1 << 20)),
        each(|it| it.grown_bytes() / it.keys),
        each(|it| it.bytes_after / it.bytes),
    ]
}

fn take(target: &mut Target<'_>, load: &Load, bytes: usize) -> Result<Cleaned, String> {
    let log = target.write(load, bytes)?;
    target.served.forget_peak()?;
    let before = target.served.usage()?;
    target.begin(&log)?;
    let elapsed = log.wait_until_clean()?;
    let used = target.served.usage()?.since(&before);
    let survivors = survivors::check(&log)
        .map_err(|error| format!("{}, {}: {error}", target.subject.name(), load.name))?;
    let cleaned = Cleaned {
        seconds: elapsed.as_secs_f64(),
        bytes: log.bytes as f64,
        cpu_s: used.cpu.as_secs_f64(),
        rss_before_bytes: before.rss_bytes as f64,
        rss_peak_bytes: used.rss_peak_bytes as f64,
        keys: survivors.keys as f64,
        bytes_after: survivors.bytes as f64,
    };
    target.delete(log)?;
    Ok(cleaned)
}
