//! Apache Kafkas that stay from load to load. One takes seconds to start, and longer until Java has compiled
//! what runs often: each is put under load before it is measured, and gets a new topic for each load.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use klamm_core::config::Durability;

use crate::admin::Admin;
use crate::batches::TOPIC;
use crate::kafka::Kafka;
use crate::process::Served;
use crate::producers::Lanes;
use crate::readers::Readers;
use crate::session::{Answers, Bounds, Session};
use crate::workloads::{FILLERS, Settings};

/// A topic that is deleted would keep its room for a minute.
const SOON_GONE: &[(&str, &str)] = &[("file.delete.delay.ms", "1000")];

/// The Kafkas of one table.
pub(crate) struct Kept {
    directory: PathBuf,
    /// What one writes, and reads again, before the first load.
    warm_up: Bounds,
    /// How many there have been.
    count: usize,
    running: Vec<Running>,
}

struct Running {
    durability: Durability,
    settings: Settings,
    /// Goes with it.
    directory: PathBuf,
    kafka: Kafka,
    served: Rc<Served>,
    has_topic: bool,
}

impl Kept {
    /// None yet; their directories will be made in one that is there.
    pub(crate) fn new(directory: &Path, warm_up: Bounds) -> Self {
        Self { directory: directory.to_owned(), warm_up, count: 0, running: Vec::new() }
    }

    /// One that serves a new [`TOPIC`], and where its logs lie. Those with other settings end.
    pub(crate) fn serve(
        &mut self,
        jars: &Path,
        durability: Durability,
        settings: Settings,
        partitions: i32,
    ) -> Result<(Rc<Served>, PathBuf), String> {
        let is_other = |running: &Running| running.settings != settings;
        while let Some(at) = self.running.iter().position(is_other) {
            self.running.remove(at).stop()?;
        }
        let found = self.running.iter().position(|running| running.durability == durability);
        let at = if let Some(at) = found {
            at
        } else {
            let started = self.start(jars, durability, settings)?;
            self.running.push(started);
            self.running.len() - 1
        };
        let running = &mut self.running[at];
        running.has_topic = true;
        running.kafka.create_topic(partitions, SOON_GONE)?;
        Ok((Rc::clone(&running.served), running.kafka.logs()))
    }

    /// The topic is not needed any more. One that cannot be asked is killed, and the next load gets another.
    pub(crate) fn clear(&mut self) -> Result<(), String> {
        let mut result = Ok(());
        self.running.retain_mut(|running| match running.clear() {
            Ok(()) => true,
            Err(error) => {
                result = Err(error);
                false
            }
        });
        result
    }

    /// All end.
    pub(crate) fn stop(self) -> Result<(), String> {
        self.running.into_iter().try_for_each(Running::stop)
    }

    fn start(
        &mut self,
        jars: &Path,
        durability: Durability,
        settings: Settings,
    ) -> Result<Running, String> {
        /// Syncs would leave little time for anything else.
        const UNSYNCED: &[(&str, &str)] =
            &[("flush.messages", "9223372036854775807"), ("file.delete.delay.ms", "1000")];
        self.count += 1;
        let directory = self.directory.join(format!("kafka-{}", self.count));
        let kafka = Kafka::format(jars, &directory)?;
        let served = Rc::new(kafka.start(durability, settings)?);
        kafka.create_topic(1, UNSYNCED)?;
        let mut producers = Lanes::connect(served.port, &FILLERS, Answers::Broker)?;
        producers.run(self.warm_up)?;
        Readers::new(served.port, Answers::Broker, 1, producers.end_offset()).run(self.warm_up)?;
        Admin::connect(served.port)?.delete(TOPIC)?;
        Ok(Running { durability, settings, directory, kafka, served, has_topic: false })
    }
}

impl Running {
    fn clear(&mut self) -> Result<(), String> {
        if self.has_topic {
            Admin::connect(self.served.port)?.delete(TOPIC)?;
            self.has_topic = false;
        }
        Ok(())
    }

    fn stop(self) -> Result<(), String> {
        let served = Rc::into_inner(self.served).ok_or("a Kafka is still in use")?;
        served.stop()?;
        fs::remove_dir_all(&self.directory)
            .map_err(|error| format!("{}: {error}", self.directory.display()))
    }
}
