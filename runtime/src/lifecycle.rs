//! From the start of a node to its end, as its driver has to see it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use klamm_core::Exit;
use klamm_core::broker::image::Image;
use klamm_core::event::Event;

use crate::machine::{Input, Machine};
use crate::mailbox::Wake;
use crate::node::{Node, Observer, Place};

/// Where a node stands; what it says moves that on, and wakes who accepts its connections.
pub struct Lifecycle {
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
    waker: Box<dyn Wake>,
}

/// What a driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connections wait in the backlog.
    Starting,
    /// Accept them.
    Ready,
    /// Close the listeners.
    Stopping,
    /// End all connections and threads.
    Stopped(Exit),
}

#[derive(Default)]
struct State {
    ready: bool,
    stopping: bool,
    exit: Option<Exit>,
}

impl Lifecycle {
    /// Passes all on to `observer`; `waker` wakes who accepts.
    pub fn new(observer: Arc<dyn Observer>, waker: Box<dyn Wake>) -> Self {
        Self { observer, state: Mutex::default(), waker }
    }

    /// What is to be done now.
    pub fn stage(&self) -> Stage {
        let state = self.state();
        match &state.exit {
            Some(exit) => Stage::Stopped(exit.clone()),
            None if state.stopping => Stage::Stopping,
            None if state.ready => Stage::Ready,
            None => Stage::Starting,
        }
    }

    /// From here on no connection is accepted. True for the first call.
    pub fn stop_accepting(&self) -> bool {
        let first = !std::mem::replace(&mut self.state().stopping, true);
        self.waker.wake();
        first
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Also told of a panic, so it must not fail after one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Lifecycle {
    fn event(&self, event: &Event) {
        self.observer.event(event);
    }

    fn ready(&self, image: &Image) {
        self.state().ready = true;
        self.waker.wake();
        self.observer.ready(image);
    }

    fn stopped(&self, exit: Exit) {
        self.state().exit.get_or_insert_with(|| exit.clone());
        self.waker.wake();
        self.observer.stopped(exit);
    }
}

/// Asks a server to stop.
#[derive(Clone)]
pub struct Stopper(Arc<dyn Fn() + Send + Sync>);

impl Stopper {
    /// Stops this node.
    pub fn new<M: Machine>(node: &Arc<Node<M>>, lifecycle: &Arc<Lifecycle>) -> Self {
        let (node, lifecycle) = (Arc::clone(node), Arc::clone(lifecycle));
        Self(Arc::new(move || {
            if lifecycle.stop_accepting() {
                node.run(&mut vec![Input::Shutdown], Place::Elsewhere);
            }
        }))
    }

    /// Accepts no more connections and lets the broker finish what it has begun. Returns at once; a
    /// second call does nothing.
    pub fn shutdown(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}
