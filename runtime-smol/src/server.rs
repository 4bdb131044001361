//! The server on an executor.

use std::sync::Arc;

use klamm_core::config::Config;
use klamm_core::time::Now;
use klamm_core::{Broker, Compression};
use klamm_runtime::{Handle, Machine, Options, StartError, start};

use crate::bell::Bell;
use crate::pool::Pool;
use crate::supervisor::supervise;

/// Descriptors that a connection needs: its socket.
const DESCRIPTORS_PER_CONNECTION: usize = 1;

/// A broker on an executor.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Binds all listeners and starts the broker, which accepts connections once it is ready; until
    /// then they wait in the backlog.
    ///
    /// Raises the process's soft limit of descriptors to its hard one. All servers of a process
    /// share async-io's reactor, which has a thread and descriptors of its own that stay.
    pub fn start(config: Config, options: Options) -> Result<Handle, StartError> {
        Self::start_machine(config, options, Broker::new)
    }

    /// The same with another machine than the broker.
    pub fn start_machine<M: Machine>(
        config: Config,
        options: Options,
        machine: impl FnOnce(Config, [u8; 32], Arc<dyn Compression>, Now) -> M,
    ) -> Result<Handle, StartError> {
        let pool = Pool::start(config.limits.executor_threads_max)
            .map_err(StartError::system("threads"))?;
        let bell = Bell::new();
        let wake = Box::new(bell.clone());
        start(config, &options, DESCRIPTORS_PER_CONNECTION, wake, machine, |supervised| {
            smol::block_on(supervise(supervised, bell, pool))
        })
    }
}
