//! Who is measured beside whom: each driver, and an Apache Kafka where there is one.

use std::path::{Path, PathBuf};

use klamm_core::config::Durability;

use crate::arguments::{Broker, Plan};
use crate::drivers::{DRIVERS, Driver};
use crate::kafka::Kafka;
use crate::process::Served;

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
        let mut subjects: Vec<Self> = DRIVERS.iter().map(Self::Klamm).collect();
        subjects.extend(plan.kafka.as_deref().map(Self::Kafka));
        subjects
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Klamm(driver) => driver.name,
            Self::Kafka(_) => "Apache Kafka",
        }
    }
}

impl Node {
    pub(crate) fn start(&self) -> Result<Served, String> {
        self.start_with(Durability::Durable)
    }

    /// Kafka knows no other mode than its own.
    pub(crate) fn start_with(&self, durability: Durability) -> Result<Served, String> {
        match self {
            Self::Klamm(driver, directory) => {
                let directory = directory.clone();
                Served::start(&Broker { driver, durability, directory }.arguments())
            }
            Self::Kafka(kafka) => kafka.start(),
        }
    }
}
