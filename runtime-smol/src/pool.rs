//! The threads of the executor.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use klamm_runtime::Panic;
use smol::Executor;
use smol::channel::{Sender, unbounded};

/// An executor with threads that end when asked to.
pub(crate) struct Pool {
    pub(crate) executor: Arc<Executor<'static>>,
    threads: Vec<JoinHandle<()>>,
    /// Closed, it ends the threads.
    going_on: Sender<()>,
}

impl Pool {
    /// As many threads as there are processors, within `threads_max`; two at least, since a task
    /// may hold its thread for a write to a file.
    pub(crate) fn start(threads_max: usize) -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let executor = Arc::new(Executor::new());
        let (going_on, end) = unbounded::<()>();
        let mut pool = Self { executor, threads: Vec::new(), going_on };
        for number in 0..processors.clamp(2, threads_max.max(2)) {
            let (executor, end) = (Arc::clone(&pool.executor), end.clone());
            let body = move || {
                // Nothing is ever sent: this is the error that the channel is closed.
                smol::block_on(executor.run(end.recv())).ok();
            };
            // Dropping the pool ends those that have been started.
            let thread = thread::Builder::new().name(format!("executor-{number}")).spawn(body)?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Ends the threads. Those that panicked outside of a task are told.
    pub(crate) fn end(self) -> Result<(), Panic> {
        self.going_on.close();
        let mut result = Ok(());
        for thread in self.threads {
            let ended = thread.join();
            result = result.and(ended);
        }
        result
    }
}
