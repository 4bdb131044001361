//! What connections cost that do nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::api::ApiKey;
use klamm_core::api::api_versions::ApiVersionsRequest;
use klamm_core::config::Durability;
use klamm_core::frame::write_request;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::{Broker, Plan};
use crate::batches::header;
use crate::drivers::Driver;
use crate::process::Served;
use crate::report::{Cell, Table};
use crate::session::{connect, lost};

const CONNECTIONS: usize = 1_000;

/// Between the last connection and the first look at it.
const REST: Duration = Duration::from_millis(200);

const COLUMNS: &[&str] = &[
    "who",
    "RSS before MiB",
    "connected in ms",
    "KiB/connection",
    "idle CPU %",
    "idle switches/s",
    "1 request each, ms",
    "KiB/connection after",
];

struct Figures {
    before_mib: f64,
    connect_ms: f64,
    idle_kib: f64,
    cpu_percent: f64,
    switches_per_s: f64,
    ask_ms: f64,
    asked_kib: f64,
}

/// Measures idle connections.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "{CONNECTIONS} connections; processor time over {} ms in which nothing is sent; then each \
         asks for ApiVersions, all before the first answer is read; {} rounds",
        plan.effort.idle_ms, plan.effort.rounds,
    );
    let mut table = Table::new("connections", about, COLUMNS);
    let mut rounds: Vec<Vec<Figures>> = plan.drivers.iter().copied().map(|_| Vec::new()).collect();
    for round in 0..plan.effort.rounds {
        for (driver, figures) in plan.drivers.iter().copied().zip(&mut rounds) {
            let directory = scratch.join(format!("connections-{}-{round}", driver.name));
            figures.push(take(driver, &directory, plan.effort.idle_ms)?);
        }
    }
    for (driver, figures) in plan.drivers.iter().copied().zip(&rounds) {
        let each = |figure: fn(&Figures) -> f64| Cell::rounds(figures.iter().map(figure));
        table.push(vec![
            Cell::name(driver.name),
            each(|figures| figures.before_mib),
            each(|figures| figures.connect_ms),
            each(|figures| figures.idle_kib),
            each(|figures| figures.cpu_percent),
            each(|figures| figures.switches_per_s),
            each(|figures| figures.ask_ms),
            each(|figures| figures.asked_kib),
        ]);
    }
    Ok(table)
}

fn take(driver: &'static Driver, directory: &Path, idle_ms: u64) -> Result<Figures, String> {
    std::fs::create_dir(directory).map_err(|error| error.to_string())?;
    let broker = Broker {
        driver,
        durability: Durability::Durable,
        directory: directory.to_owned(),
        settings: Vec::new(),
    };
    let served = Served::start(&broker.arguments())?;
    Asker::connect(served.port)?.ask()?;
    thread::sleep(REST);
    let before = served.usage()?;
    let begun = Instant::now();
    let connected: Result<Vec<Asker>, String> =
        (0..CONNECTIONS).map(|_| Asker::connect(served.port)).collect();
    let mut askers = connected?;
    let connect_ms = begun.elapsed().as_secs_f64() * 1e3;
    thread::sleep(REST);
    let idle_from = served.usage()?;
    let begun = Instant::now();
    thread::sleep(Duration::from_millis(idle_ms));
    let idle = served.usage()?.since(&idle_from);
    let idle_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    askers.iter_mut().try_for_each(Asker::send)?;
    askers.iter_mut().try_for_each(Asker::receive)?;
    let ask_ms = begun.elapsed().as_secs_f64() * 1e3;
    let asked = served.usage()?;
    drop(askers);
    served.stop()?;
    let kib_each =
        |bytes: u64| bytes.saturating_sub(before.rss_bytes) as f64 / 1024.0 / CONNECTIONS as f64;
    Ok(Figures {
        before_mib: before.rss_bytes as f64 / f64::from(1 << 20),
        connect_ms,
        idle_kib: kib_each(idle.rss_bytes),
        cpu_percent: idle.cpu.as_secs_f64() / idle_s * 100.0,
        switches_per_s: idle.switches as f64 / idle_s,
        ask_ms,
        asked_kib: kib_each(asked.rss_bytes),
    })
}

/// A connection that asks for ApiVersions.
pub(crate) struct Asker(TcpStream);

impl Asker {
    /// Connects.
    pub(crate) fn connect(port: u16) -> Result<Self, String> {
        connect(port).map(Self)
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask(&mut self) -> Result<(), String> {
        self.send()?;
        self.receive()
    }

    fn send(&mut self) -> Result<(), String> {
        let mut frame = BytesMut::new();
        let request = ApiVersionsRequest {
            client_software_name: "bench".to_owned(),
            client_software_version: "1".to_owned(),
        };
        write_request(&mut frame, &header(ApiKey::API_VERSIONS, 3), &request);
        self.0.write_all(&frame).map_err(lost)
    }

    /// The answer's correlation id, error code and nothing else is looked at: both are 0.
    fn receive(&mut self) -> Result<(), String> {
        let mut size = [0; 4];
        self.0.read_exact(&mut size).map_err(lost)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut frame).map_err(lost)?;
        if frame.starts_with(&[0; 6]) { Ok(()) } else { Err("ApiVersions is refused".into()) }
    }
}

/// Both ends of a connection need one, each in its process.
pub(crate) fn raise_descriptors() -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| format!("the limit of descriptors: {error}"))
}
