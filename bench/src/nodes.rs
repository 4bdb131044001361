//! Who is measured beside whom: each driver, and an Apache Kafka where there is one.

use std::fs;
use std::path::{Path, PathBuf};

use klamm_core::config::Durability;

use crate::arguments::{Broker, Plan};
use crate::batches::make_directory;
use crate::drivers::Driver;
use crate::kafka::Kafka;
use crate::process::Served;
use crate::workloads::Settings;

/// Who is started.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    Klamm(&'static Driver),
    /// By its jars.
    Kafka(&'a Path),
}

/// One with its directory.
pub(crate) enum Node {
    Klamm(&'static Driver, PathBuf),
    Kafka(Kafka),
}

impl<'a> Subject<'a> {
    /// All that the plan names.
    pub(crate) fn all(plan: &'a Plan) -> Vec<Self> {
        let mut subjects: Vec<Self> = plan.drivers.iter().copied().map(Self::Klamm).collect();
        subjects.extend(plan.kafka.as_deref().map(Self::Kafka));
        subjects
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Klamm(driver) => driver.name,
            Self::Kafka(_) => "Apache Kafka",
        }
    }

    pub(crate) fn is_kafka(&self) -> bool {
        matches!(self, Self::Kafka(_))
    }

    /// One with a directory that is not there yet and gets no topic.
    pub(crate) fn prepare(self, directory: &Path) -> Result<Node, String> {
        match self {
            Self::Klamm(driver) => {
                let said = |error| format!("{}: {error}", directory.display());
                fs::create_dir(directory).map_err(said)?;
                Ok(Node::Klamm(driver, directory.to_owned()))
            }
            Self::Kafka(jars) => Ok(Node::Kafka(Kafka::format(jars, directory)?)),
        }
    }

    /// One that serves [`TOPIC`](crate::batches::TOPIC) from a directory that is not there yet.
    pub(crate) fn serve(
        self,
        directory: &Path,
        partitions: i32,
        durability: Durability,
        settings: Settings,
    ) -> Result<(Node, Served), String> {
        let node = match self {
            Self::Klamm(driver) => {
                make_directory(directory, partitions)?;
                Node::Klamm(driver, directory.to_owned())
            }
            Self::Kafka(jars) => Node::Kafka(Kafka::format(jars, directory)?),
        };
        let served = node.start_with(durability, settings)?;
        if let Node::Kafka(kafka) = &node
            && partitions > 0
        {
            kafka.create_topic(partitions, &[])?;
        }
        Ok((node, served))
    }
}

impl Node {
    pub(crate) fn start(&self) -> Result<Served, String> {
        match self {
            Self::Klamm(..) => self.start_with(Durability::Durable, &[]),
            Self::Kafka(_) => self.start_with(Durability::PageCache, &[]),
        }
    }

    pub(crate) fn start_with(
        &self,
        durability: Durability,
        settings: Settings,
    ) -> Result<Served, String> {
        match self {
            Self::Klamm(driver, directory) => {
                let directory = directory.clone();
                let settings = settings.iter().map(|(key, value)| format!("{key}={value}"));
                let settings = settings.collect();
                Served::start(&Broker { driver, durability, directory, settings }.arguments())
            }
            Self::Kafka(kafka) => kafka.start(durability, settings),
        }
    }

    /// Where the directories of partitions lie.
    pub(crate) fn logs(&self) -> PathBuf {
        match self {
            Self::Klamm(_, directory) => directory.clone(),
            Self::Kafka(kafka) => kafka.logs(),
        }
    }
}
