//! A server: started, stopped, waited for; the same for every driver.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use klamm_core::Exit;
use klamm_core::batch::Compression;
use klamm_core::config::Config;
use klamm_core::time::Now;

use crate::accept::Acceptor;
use crate::bind::Bound;
use crate::launch::{Launched, Options, StartError, launch};
use crate::lifecycle::{Lifecycle, Stopper};
use crate::machine::Machine;
use crate::mailbox::Wake;
use crate::node::Node;
use crate::workers::Threads;

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
    /// With the panic of one of its threads or tasks, if there was one.
    pub fn wait(self) -> Exit {
        self.supervisor.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// What a driver's supervisor has to see to: it accepts from the listeners as the lifecycle says,
/// and ends it all when the node has stopped.
pub struct Supervised<M> {
    /// The node.
    pub node: Arc<Node<M>>,
    /// Where it stands.
    pub lifecycle: Arc<Lifecycle>,
    /// Who accepts.
    pub acceptor: Acceptor<M>,
    /// From where.
    pub listeners: Vec<Bound>,
    ending: Ending,
}

struct Ending {
    threads: Threads,
    panic: Option<Panic>,
}

/// What a thread or task that panicked has left.
pub type Panic = Box<dyn Any + Send>;

impl<M: Machine> Supervised<M> {
    /// A thread or task of a connection has ended. The first panic is kept for who waits.
    pub fn ended(&mut self, result: Result<(), Panic>) {
        if let Err(panic) = result {
            self.ending.panic.get_or_insert(panic);
        }
    }

    /// All connections have ended: ends the node's threads.
    ///
    /// # Panics
    /// With the first panic of a connection or a thread.
    pub fn end(mut self, exit: Exit) -> Exit {
        self.node.stop_threads();
        let Ending { threads, panic } = &mut self.ending;
        if let Err(last) = std::mem::take(threads).join() {
            panic.get_or_insert(last);
        }
        match self.ending.panic {
            Some(panic) => resume_unwind(panic),
            None => exit,
        }
    }
}

/// Binds all listeners and starts the machine that `make` makes; `supervise` is run on a thread of
/// its own and woken by `waker`. `descriptors` is what a connection of the driver needs.
pub fn start<M: Machine>(
    config: Config,
    options: &Options,
    descriptors: usize,
    waker: Box<dyn Wake>,
    make: impl FnOnce(Config, [u8; 32], Arc<dyn Compression>, Now) -> M,
    supervise: impl FnOnce(Supervised<M>) -> Exit + Send + 'static,
) -> Result<Handle, StartError> {
    let lifecycle = Arc::new(Lifecycle::new(Arc::clone(&options.observer), waker));
    let launched = launch(config, options, lifecycle.clone(), descriptors, make)?;
    let Launched { node, listeners, threads } = launched;
    let addresses = listeners.iter().map(|bound| (bound.name.to_string(), bound.address)).collect();
    let stopper = Stopper::new(&node, &lifecycle);
    let supervised = Supervised {
        acceptor: Acceptor::new(Arc::clone(&node), Arc::clone(&lifecycle)),
        node: Arc::clone(&node),
        lifecycle,
        listeners,
        ending: Ending { threads, panic: None },
    };
    let supervisor = thread::Builder::new()
        .name("supervisor".into())
        .spawn(move || supervise(supervised))
        .map_err(|error| {
            node.stop_threads();
            StartError::system("threads")(error)
        })?;
    node.start();
    Ok(Handle { addresses, stopper, supervisor })
}
