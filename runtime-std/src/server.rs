//! The server: started, stopped, waited for.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use klamm_core::config::Config;
use klamm_core::time::Now;
use klamm_core::{Broker, Exit};
use klamm_runtime::{Lifecycle, Machine, Options, StartError, Stopper, launch};

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
        machine: impl FnOnce(Config, [u8; 32], Now) -> M,
    ) -> Result<Handle, StartError> {
        let waker = Waker::new().map_err(StartError::system("an event descriptor"))?;
        let observer = Arc::clone(&options.observer);
        let lifecycle = Arc::new(Lifecycle::new(observer, Box::new(waker.clone())));
        let launched =
            launch(config, &options, lifecycle.clone(), DESCRIPTORS_PER_CONNECTION, machine)?;
        let listeners = launched.listeners.iter();
        let addresses = listeners.map(|bound| (bound.name.to_string(), bound.address)).collect();
        let node = Arc::clone(&launched.node);
        let stopper = Stopper::new(&node, &lifecycle);
        let supervisor = Supervisor::new(launched, lifecycle, waker);
        let supervisor = thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || supervisor.run())
            .map_err(|error| {
                node.stop_threads();
                StartError::system("threads")(error)
            })?;
        node.start();
        Ok(Handle { addresses, stopper, supervisor })
    }
}

/// A running server. Dropping it stops nothing.
#[derive(Debug)]
pub struct Handle {
    addresses: Vec<(String, SocketAddr)>,
    stopper: Stopper,
    supervisor: JoinHandle<Exit>,
}

impl Handle {
    /// Where it listens: each listener's name, and its real address.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Asks it to stop: see [`Stopper::shutdown`].
    pub fn shutdown(&self) {
        self.stopper.shutdown();
    }

    /// What asks it to stop, for another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits for its end, by itself or as asked: all threads have ended, all sockets are closed.
    ///
    /// # Panics
    /// With the panic of one of its threads, if there was one.
    pub fn wait(self) -> Exit {
        self.supervisor.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}
