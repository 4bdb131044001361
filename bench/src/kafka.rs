//! Apache Kafka beside us: a node of its own, from a folder of its jars.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use klamm_core::config::Durability;

use crate::admin::{Admin, configured};
use crate::batches::TOPIC;
use crate::process::Served;

/// Heap and collector as Kafka's own start script sets them.
const FLAGS: &[&str] = &[
    "-Xms1G",
    "-Xmx1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// Partitions that one request makes: Kafka refuses one that makes more than 10,000 records
/// (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const RECORDS_MAX: i32 = 5_000;

/// A formatted directory, and how it is served.
pub(crate) struct Kafka {
    jars: PathBuf,
    directory: PathBuf,
    port: u16,
}

impl Kafka {
    /// Formats `directory/logs`; `directory` must not be there.
    pub(crate) fn format(jars: &Path, directory: &Path) -> Result<Self, String> {
        fs::create_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let (port, quorum_port) = (free_port()?, free_port()?);
        let kafka = Self { jars: jars.to_owned(), directory: directory.to_owned(), port };
        let properties = properties(port, quorum_port, &kafka.logs());
        fs::write(kafka.properties(), properties).map_err(|error| error.to_string())?;
        let format = ["format", "--standalone", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"];
        let mut arguments: Vec<OsString> = format.map(Into::into).to_vec();
        arguments.push(kafka.properties().into());
        kafka.tool("kafka.tools.StorageTool", &arguments)?;
        Ok(kafka)
    }

    /// Starts it as it comes, which leaves syncs to the system; or so that it syncs each batch before
    /// it answers.
    pub(crate) fn start(
        &self,
        durability: Durability,
        settings: &[(&str, &str)],
    ) -> Result<Served, String> {
        let output = File::create(self.directory.join("output")).map_err(|e| e.to_string())?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = self.java();
        command.args(FLAGS).arg("kafka.Kafka").arg(self.properties());
        if durability == Durability::Durable {
            command.args(["--override", "log.flush.interval.messages=1"]);
        }
        for (key, value) in settings {
            command.args(["--override", &format!("{key}={value}")]);
        }
        Served::start_other(command.stdin(Stdio::null()).stdout(output).stderr(errors), self.port)
    }

    /// Creates [`TOPIC`], while it serves.
    pub(crate) fn create_topic(
        &self,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), String> {
        let mut admin = Admin::connect(self.port)?;
        let mut made = partitions.min(RECORDS_MAX);
        admin.create(&configured(TOPIC, made, settings))?;
        while made < partitions {
            made = partitions.min(made + RECORDS_MAX);
            admin.grow(TOPIC, made)?;
        }
        admin.wait_for_leaders(TOPIC, partitions)
    }

    /// Where the partitions lie.
    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    fn properties(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    fn java(&self) -> Command {
        let mut command = Command::new("java");
        command.arg("-cp").arg(self.jars.join("*"));
        command
    }

    fn tool(&self, class: &str, arguments: &[OsString]) -> Result<(), String> {
        let mut command = self.java();
        command.arg(class).args(arguments);
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Where the jars are; they are brought from Maven Central when they are not.
pub(crate) fn jars() -> Result<PathBuf, String> {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/apache-kafka/libs.sh");
    let mut command = Command::new("bash");
    command.args(["-c", r#"set -e; . "$1"; echo "$libs""#, "jars"]).arg(script);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

fn properties(port: u16, quorum_port: u16, logs: &Path) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers=127.0.0.1:{quorum_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}\n\
         inter.broker.listener.name=PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n",
        logs.display()
    )
}

/// One that nobody listens on now.
fn free_port() -> Result<u16, String> {
    let said = |error: std::io::Error| error.to_string();
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(said)?;
    Ok(listener.local_addr().map_err(said)?.port())
}
