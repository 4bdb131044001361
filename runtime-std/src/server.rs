//! The server on threads.

use std::sync::Arc;

use klamm_core::config::Config;
use klamm_core::time::Now;
use klamm_core::{Broker, Compression};
use klamm_runtime::{Handle, Machine, Options, StartError, start};

use crate::supervisor::Supervisor;
use crate::waker::Waker;

/// Descriptors that a connection needs: its socket, and what wakes its thread (two, where that is
/// a pair of sockets).
const DESCRIPTORS_PER_CONNECTION: usize = 3;

/// A broker on threads.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Binds all listeners and starts the broker, which accepts connections once it is ready; until
    /// then they wait in the backlog.
    ///
    /// Raises the process's soft limit of descriptors to its hard one.
    pub fn start(config: Config, options: Options) -> Result<Handle, StartError> {
        Self::start_machine(config, options, Broker::new)
    }

    /// The same with another machine than the broker.
    pub fn start_machine<M: Machine>(
        config: Config,
        options: Options,
        machine: impl FnOnce(Config, [u8; 32], Arc<dyn Compression>, Now) -> M,
    ) -> Result<Handle, StartError> {
        let waker = Waker::new().map_err(StartError::system("an event descriptor"))?;
        let wake = Box::new(waker.clone());
        start(config, &options, DESCRIPTORS_PER_CONNECTION, wake, machine, |supervised| {
            Supervisor::new(supervised, waker).run()
        })
    }
}
