//! What every driver does before it serves: bind, make the node, start its threads.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use klamm_core::batch::Compression;
use klamm_core::config::Config;
use klamm_core::time::Now;

use crate::bind::{Bound, bind};
use crate::clock::{Clock, SystemClock};
use crate::compression::Codecs;
use crate::descriptors::fit_descriptors;
use crate::disk::Disk;
use crate::files::Files;
use crate::machine::Machine;
use crate::node::{Node, Observer, Parts};
use crate::recorder::Recorder;
use crate::workers::Threads;

/// What a server is given beside its configuration.
#[derive(Clone)]
pub struct Options {
    /// Who hears of what happens. Called from many threads; must not wait.
    pub observer: Arc<dyn Observer>,
    /// Who watches every file operation and every answer.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// What carries out file operations: a test's own, to let a disk fail. `None`: the real files.
    pub disk: Option<Arc<dyn Disk>>,
    /// Where ids and jitter come from; `None` asks the system.
    pub seed: Option<[u8; 32]>,
}

impl Default for Options {
    /// Nobody hears, nobody watches, the system's randomness.
    fn default() -> Self {
        Self { observer: Arc::new(Nobody), recorder: None, disk: None, seed: None }
    }
}

struct Nobody;
impl Observer for Nobody {}

/// Why a server could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken, or is not this machine's.
    #[error("listener {listener}://{host}:{port}: {error}")]
    Bind {
        /// Its name.
        listener: String,
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// The system's words.
        error: io::Error,
    },
    /// The system gives no threads, descriptors or randomness.
    #[error("{what}: {error}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's words.
        error: io::Error,
    },
}

impl StartError {
    /// For `map_err`.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

/// A node that is ready to begin: the driver calls [`Node::start`] when it can hear of the outcome.
pub struct Launched<M> {
    /// The node.
    pub node: Arc<Node<M>>,
    /// Its listeners, bound. To be accepted from when the observer hears that it is ready.
    pub listeners: Vec<Bound>,
    /// Its timer and workers.
    pub threads: Threads,
}

/// Binds, writes the real ports into `config`, and puts the machine that `make` makes of it behind
/// a lock. `observer` is the driver's own; `descriptors` is what a connection of it needs.
pub fn launch<M: Machine>(
    mut config: Config,
    options: &Options,
    observer: Arc<dyn Observer>,
    descriptors: usize,
    make: impl FnOnce(Config, [u8; 32], Arc<dyn Compression>, Now) -> M,
) -> Result<Launched<M>, StartError> {
    let listeners = bind(&mut config)?;
    fit_descriptors(&mut config.limits, descriptors);
    let seed = match options.seed {
        Some(seed) => seed,
        None => random_seed().map_err(StartError::system("randomness"))?,
    };
    let clock = SystemClock::start();
    let open_max = config.limits.open_files_max;
    let compression: Arc<dyn Compression> = Arc::new(Codecs::new(&config.limits));
    let parts = Parts {
        clock: Arc::new(clock),
        disk: options.disk.clone().unwrap_or_else(|| Arc::new(Files::new(open_max))),
        observer,
        recorder: options.recorder.clone(),
        compression: Arc::clone(&compression),
        limits: config.limits.clone(),
    };
    let node = Node::new(make(config, seed, compression, clock.now()), parts);
    let threads = Threads::start(&node).map_err(StartError::system("threads"))?;
    Ok(Launched { node, listeners, threads })
}

fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}
