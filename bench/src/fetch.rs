//! Fetch of one large partition: what comes from its files to readers, and at what price.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klamm_core::config::Durability;
use rustix::fs::{Advice, fadvise};

use crate::arguments::{Broker, Plan};
use crate::drivers::{DRIVERS, Driver};
use crate::kafka::Kafka;
use crate::load::{Answers, Bounds, Lanes, Load};
use crate::process::{Served, Usage};
use crate::reading::{Got, PARTITION_BYTES, Readers, Source};
use crate::report::{Cell, Table};
use crate::samples::turns;
use crate::workload::{Batch, TOPIC, make_directory, segments};

const BATCH_BYTES: usize = 64 << 10;
const VALUE_BYTES: usize = 1024;

/// How long the partition may take to be written.
const FILL_TIME: Duration = Duration::from_mins(10);

/// Where the bytes are when reading begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Memory,
    Disk,
}

const CASES: &[(&str, Place, usize)] = &[
    ("hot, 1 reader", Place::Memory, 1),
    ("hot, 16 readers", Place::Memory, 16),
    ("cold, 1 reader", Place::Disk, 1),
    ("cold, 16 readers", Place::Disk, 16),
];

/// What is compared.
enum Subject {
    /// The bare loop, with the files that Klamm has written.
    Bare,
    Klamm(&'static Driver),
    Kafka(Kafka),
}

/// One figure of each kind.
struct Figures {
    mb_per_s: f64,
    cpu_s_per_gb: f64,
    disk_mb: f64,
    rss_mib: f64,
}

const COLUMNS: &[&str] =
    &["load", "who", "MB/s", "of bare sendfile", "CPU s/GB", "MB read from disk", "RSS MiB"];

/// Measures all cases.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "a partition of {} MiB in batches of {} KiB, {} MiB asked for at a time, each reader from the \
         first offset; up to {} ms a figure, {} rounds; processor time and memory are the broker's \
         alone; cold is what the page cache does not hold when the first reader begins",
        plan.effort.fetch_mib,
        BATCH_BYTES >> 10,
        PARTITION_BYTES >> 20,
        plan.effort.fetch_ms_max,
        plan.effort.rounds,
    );
    let mut table = Table::new("fetch", about, COLUMNS);
    let bench = Bench::prepare(plan, scratch)?;
    let subjects = &bench.subjects;
    let mut figures: Vec<Vec<Vec<Figures>>> =
        CASES.iter().map(|_| subjects.iter().map(|_| Vec::new()).collect()).collect();
    for at in turns(plan.effort.rounds, subjects.len()) {
        bench.take_all(&subjects[at], |case, figure| figures[case][at].push(figure))?;
    }
    for ((name, _, _), figures) in CASES.iter().zip(&figures) {
        for (subject, of_subject) in subjects.iter().zip(figures) {
            table.push(row(name, subject, of_subject, &figures[0]));
        }
    }
    Ok(table)
}

fn row(case: &str, subject: &Subject, figures: &[Figures], bare: &[Figures]) -> Vec<Cell> {
    let each = |figure: fn(&Figures) -> f64| Cell::rounds(figures.iter().map(figure));
    vec![
        Cell::name(case),
        Cell::name(subject.name()),
        each(|figures| figures.mb_per_s),
        Cell::ratios(figures, bare, |figures| figures.mb_per_s),
        each(|figures| figures.cpu_s_per_gb),
        each(|figures| figures.disk_mb),
        each(|figures| figures.rss_mib),
    ]
}

/// The filled directories.
struct Bench {
    subjects: Vec<Subject>,
    /// What Klamm serves.
    klamm: PathBuf,
    end_offset: i64,
    time: Duration,
}

impl Bench {
    fn prepare(plan: &Plan, scratch: &Path) -> Result<Self, String> {
        let batch = Batch::new(VALUE_BYTES, BATCH_BYTES);
        let batches = (plan.effort.fetch_mib << 20).div_ceil(batch.bytes.len());
        let end_offset = batches as i64 * i64::from(batch.records);
        let klamm = scratch.join("fetch-klamm");
        make_directory(&klamm, 1)?;
        fill(serve(&DRIVERS[0], Durability::PageCache, &klamm)?, &batch, batches)?;
        let mut subjects = vec![Subject::Bare];
        subjects.extend(plan.drivers.iter().copied().map(Subject::Klamm));
        if let Some(jars) = &plan.kafka {
            let kafka = Kafka::format(jars, &scratch.join("fetch-kafka"))?;
            let served = kafka.start(Durability::PageCache)?;
            kafka.create_topic(1)?;
            fill(served, &batch, batches)?;
            subjects.push(Subject::Kafka(kafka));
        }
        let time = Duration::from_millis(plan.effort.fetch_ms_max);
        Ok(Self { subjects, klamm, end_offset, time })
    }

    /// Starts the subject, and takes a figure of each case.
    fn take_all(
        &self,
        subject: &Subject,
        mut found: impl FnMut(usize, Figures),
    ) -> Result<(), String> {
        let partition = self.partition(subject);
        let served = match subject {
            Subject::Bare => Served::start(&["send".into(), (&partition).into()])?,
            Subject::Klamm(driver) => serve(driver, Durability::Durable, &self.klamm)?,
            Subject::Kafka(kafka) => kafka.start(Durability::PageCache)?,
        };
        let connect = |readers| Readers::connect(served.port, subject.source(), readers);
        // Where code is compiled late and memory touched late, it is done behind this.
        warm(&partition)?;
        connect(1)?.run(self.end_offset, self.time)?;
        for (case, (_, place, readers)) in CASES.iter().enumerate() {
            match place {
                Place::Memory => warm(&partition)?,
                Place::Disk => cool(&partition)?,
            }
            // They stay connected: a thread that has ended tells no processor time.
            let mut readers = connect(*readers)?;
            let before = served.usage()?;
            let got = readers.run(self.end_offset, self.time);
            let got = got.map_err(|error| format!("{}: {error}", subject.name()))?;
            found(case, figures(&got, served.usage()?.since(before)));
        }
        served.stop()?;
        Ok(())
    }

    fn partition(&self, subject: &Subject) -> PathBuf {
        let logs = match subject {
            Subject::Kafka(kafka) => kafka.logs(),
            _ => self.klamm.clone(),
        };
        logs.join(format!("{TOPIC}-0"))
    }
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare sendfile",
            Self::Klamm(driver) => driver.name,
            Self::Kafka(_) => "Apache Kafka",
        }
    }

    fn source(&self) -> Source {
        match self {
            Self::Bare => Source::Bare,
            _ => Source::Broker,
        }
    }
}

fn figures(got: &Got, used: Usage) -> Figures {
    let bytes = got.bytes as f64;
    Figures {
        mb_per_s: bytes / 1e6 / got.elapsed.as_secs_f64(),
        cpu_s_per_gb: used.cpu.as_secs_f64() / (bytes / 1e9),
        disk_mb: used.disk_bytes as f64 / 1e6,
        rss_mib: used.rss_bytes as f64 / f64::from(1 << 20),
    }
}

fn serve(
    driver: &'static Driver,
    durability: Durability,
    directory: &Path,
) -> Result<Served, String> {
    let directory = directory.to_owned();
    Served::start(&Broker { driver, durability, directory }.arguments())
}

/// Writes the partition, and stops the broker.
fn fill(served: Served, batch: &Batch, batches: usize) -> Result<(), String> {
    let load = Load::one(batch.clone(), 5);
    let mut lanes = Lanes::connect(served.port, &load, Answers::Produce)?;
    let sent = lanes.run(Bounds { requests: batches, time: FILL_TIME })?;
    drop(lanes);
    served.stop()?;
    if sent.requests == batches { Ok(()) } else { Err("the partition was not filled".into()) }
}

/// Reads the partition's files, so that the page cache holds them.
fn warm(partition: &Path) -> Result<(), String> {
    for path in segments(partition)? {
        let read = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
        read.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Lets the page cache forget the partition's files. What is not written to the disk yet it would keep.
fn cool(partition: &Path) -> Result<(), String> {
    for path in segments(partition)? {
        let forget = |file: File| {
            file.sync_all()?;
            Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
        };
        let forgotten: io::Result<()> = File::open(&path).and_then(forget);
        forgotten.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
