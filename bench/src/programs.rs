//! Clients of others', each figure a process: librdkafka by a small program beside this crate, which is
//! built on demand, and Apache Kafka's own load generator.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::arguments::Plan;
use crate::batches::TOPIC;
use crate::session::{Bounds, Done, Session};
use crate::workloads::Program;

const VALUE_BYTES: usize = 1024;

/// Where they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// The jars of Apache Kafka.
    kafka: Option<PathBuf>,
    /// The load generator over librdkafka.
    rdkafka: Option<PathBuf>,
}

impl Tools {
    /// Makes those that can be made here: one needs a C compiler, the other Kafka's jars. What is not there
    /// fails where it is used.
    pub(crate) fn make(plan: &Plan) -> Self {
        let rdkafka = build_rdkafka();
        if let Err(error) = &rdkafka {
            eprintln!("{error}");
        }
        Self { kafka: plan.kafka.clone(), rdkafka: rdkafka.ok() }
    }
}

/// A program that is run for each figure.
pub(crate) struct Runs {
    pub(crate) program: Program,
    pub(crate) port: u16,
    /// Of the partition that is read.
    pub(crate) end_offset: i64,
    pub(crate) tools: Tools,
}

impl Session for Runs {
    /// A program ends by its count of records alone. It tells how long it took, so that its own start is
    /// not measured.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let records = match self.program {
            Program::RdkafkaConsume => self.end_offset as usize,
            Program::RdkafkaProduce { times, .. } => times * bounds.bytes / VALUE_BYTES,
            Program::JavaProduce => bounds.bytes / VALUE_BYTES,
        };
        let said = run(&mut self.command(records)?)?;
        let seconds = match self.program {
            Program::JavaProduce => java_seconds(&said, records)?,
            _ => rdkafka_seconds(&said)?,
        };
        Ok(Done {
            elapsed: Duration::from_secs_f64(seconds),
            requests: records,
            bytes: records * VALUE_BYTES,
            ..Done::default()
        })
    }
}

impl Runs {
    fn command(&self, records: usize) -> Result<Command, String> {
        let server = format!("127.0.0.1:{}", self.port);
        let rdkafka = || {
            let path =
                self.tools.rdkafka.as_ref().ok_or("the program over librdkafka is not there")?;
            let mut command = Command::new(path);
            command.args([&server, TOPIC, &records.to_string()]);
            Ok::<_, String>(command)
        };
        match self.program {
            Program::RdkafkaConsume => rdkafka().map(|mut command| {
                command.arg("consume");
                command
            }),
            Program::RdkafkaProduce { codec, payload, .. } => rdkafka().map(|mut command| {
                command.args(["produce", codec, payload.name(), &VALUE_BYTES.to_string()]);
                command
            }),
            Program::JavaProduce => {
                let jars =
                    self.tools.kafka.as_ref().ok_or("the jars of Apache Kafka are not there")?;
                let mut command = Command::new("java");
                command.arg("-Xmx512M").arg("-cp").arg(jars.join("*"));
                command.arg("org.apache.kafka.tools.ProducerPerformance");
                command.args(["--topic", TOPIC, "--throughput", "-1"]);
                command.args(["--record-size", &VALUE_BYTES.to_string()]);
                command.args(["--num-records", &records.to_string()]);
                command.args(["--bootstrap-server", &server, "--command-property", "acks=all"]);
                Ok(command)
            }
        }
    }
}

/// Builds the program over librdkafka, which takes a C compiler, and gives its path.
fn build_rdkafka() -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("rdkafka/Cargo.toml");
    let this = env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let built = this.with_file_name("rdkafka");
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    run(command.env("CARGO_TARGET_DIR", &built))?;
    Ok(built.join("release/klamm-bench-rdkafka"))
}

/// What it has written.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let line: Vec<OsString> = command.get_args().map(Into::into).collect();
    Err(format!("{line:?}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// `seconds 1.25`.
fn rdkafka_seconds(said: &str) -> Result<f64, String> {
    let seconds = said.trim_end().strip_prefix("seconds ").and_then(|text| text.parse().ok());
    seconds.ok_or_else(|| format!("no time in {said:?}"))
}

/// The last line: `262144 records sent, 123456.7 records/sec (120.56 MB/sec), ...`.
fn java_seconds(said: &str, records: usize) -> Result<f64, String> {
    let last = said.lines().rfind(|line| line.starts_with(&format!("{records} records sent, ")));
    let rate = last
        .and_then(|line| line.split(", ").nth(1))
        .and_then(|rate| rate.split(' ').next())
        .and_then(|rate| rate.parse::<f64>().ok());
    rate.map(|rate| records as f64 / rate).ok_or_else(|| format!("no rate in {said:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_how_long_it_took() {
        assert_eq!(rdkafka_seconds("seconds 1.25\n"), Ok(1.25));
        assert!(rdkafka_seconds("a failure\n").is_err());
        let said = "40000 records sent, 8000.0 records/sec (7.8 MB/sec), 1.0 ms avg latency.\n\
                    100000 records sent, 50000.000000 records/sec (48.83 MB/sec), 20.1 ms avg latency, \
                    180.00 ms max latency, 1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.\n";
        assert_eq!(java_seconds(said, 100_000), Ok(2.0));
        assert!(java_seconds(said, 1).is_err());
    }
}
