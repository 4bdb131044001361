//! The thread that accepts connections, and sees to it that everything ends.

use std::any::Any;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use klamm_core::event::{Event, Severity};
use klamm_core::time::{Instant, Millis};
use klamm_core::{Exit, Peer};
use klamm_runtime::{
    Bound, Launched, Lifecycle, Machine, Node, Observer, PanicAlarm, Session, Stage, Threads, Wake,
};
use rustix::event::{PollFd, PollFlags};

use crate::connection::{poll_until, serve};
use crate::waker::Waker;

/// See the module.
pub(crate) struct Supervisor<M: Machine> {
    node: Arc<Node<M>>,
    lifecycle: Arc<Lifecycle>,
    waker: Waker,
    listeners: Vec<Bound>,
    threads: Threads,
    connections: HashMap<u64, JoinHandle<()>>,
    spawned: u64,
    /// Threads of connections tell their numbers here when they end.
    ended: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
    panic: Option<Box<dyn Any + Send>>,
    /// No accepting before this; set after a failure.
    paused_until: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepting {
    Yes,
    No,
}

/// Connections taken from one listener before the others are looked at.
const ACCEPTS_MAX: usize = 64;

impl<M: Machine> Supervisor<M> {
    pub(crate) fn new(launched: Launched<M>, lifecycle: Arc<Lifecycle>, waker: Waker) -> Self {
        Self {
            node: launched.node,
            lifecycle,
            waker,
            listeners: launched.listeners,
            threads: launched.threads,
            connections: HashMap::new(),
            spawned: 0,
            ended: mpsc::channel(),
            panic: None,
            paused_until: None,
        }
    }

    /// Serves until the node has stopped, then ends every thread.
    pub(crate) fn run(mut self) -> Exit {
        let exit = loop {
            self.waker.clear();
            self.join_ended();
            match self.lifecycle.stage() {
                Stage::Starting => self.wait_and_accept(Accepting::No),
                Stage::Ready => self.wait_and_accept(Accepting::Yes),
                Stage::Stopping => {
                    self.listeners.clear();
                    self.wait_and_accept(Accepting::No);
                }
                Stage::Stopped(exit) => break exit,
            }
        };
        self.listeners.clear();
        self.node.stop_connections();
        for (_, thread) in self.connections.drain() {
            keep_panic(&mut self.panic, thread.join());
        }
        self.node.stop_threads();
        keep_panic(&mut self.panic, self.threads.join());
        match self.panic {
            Some(panic) => resume_unwind(panic),
            None => exit,
        }
    }

    fn wait_and_accept(&mut self, accepting: Accepting) {
        let has_room = self.connections.len() < self.node.limits().connections_max;
        let now = self.node.now().mono;
        let pause = self.paused_until.filter(|until| *until > now);
        let mut fds = vec![PollFd::from_borrowed_fd(self.waker.as_fd(), PollFlags::IN)];
        if accepting == Accepting::Yes && has_room && pause.is_none() {
            let listeners = self.listeners.iter();
            fds.extend(listeners.map(|bound| PollFd::new(&bound.listener, PollFlags::IN)));
        }
        poll_until(&mut fds, pause, &self.node);
        let found = fds[1..].iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>();
        for (index, _) in found.into_iter().enumerate().filter(|(_, has_some)| *has_some) {
            self.accept(index);
        }
    }

    fn accept(&mut self, index: usize) {
        for _ in 0..ACCEPTS_MAX {
            if self.connections.len() >= self.node.limits().connections_max {
                return;
            }
            let accepted = match self.listeners[index].listener.accept() {
                Ok((stream, address)) => self.spawn(index, stream, address),
                Err(error) => Err(error),
            };
            match accepted {
                Ok(()) => self.paused_until = None,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The peer has gone already.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return self.pause(index, &error),
            }
        }
    }

    fn spawn(&mut self, index: usize, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let waker = Waker::new()?;
        let peer = Peer {
            listener: Arc::clone(&self.listeners[index].name),
            address: address.to_string(),
        };
        let number = self.spawned;
        let (node, lifecycle) = (Arc::clone(&self.node), Arc::clone(&self.lifecycle));
        let supervisor = self.waker.clone();
        let ended = self.ended.0.clone();
        let body = move || {
            let _ended = Farewell { number, ended, waker: supervisor };
            let _alarm = PanicAlarm::new(lifecycle);
            let session = Session::open(node, peer, Box::new(waker.clone()));
            serve(session, stream, &waker);
        };
        let thread = thread::Builder::new().name(format!("connection-{number}")).spawn(body)?;
        self.connections.insert(number, thread);
        self.spawned += 1;
        Ok(())
    }

    /// Without descriptors or threads the next attempt would fail at once too.
    fn pause(&mut self, index: usize, error: &io::Error) {
        if self.paused_until.is_none() {
            let name = &self.listeners[index].name;
            let text = format!("listener {name} does not get its next connection: {error}");
            self.lifecycle.event(&Event::Notice { severity: Severity::Warning, text });
        }
        let pause = Millis(self.node.limits().accept_pause_ms);
        self.paused_until = Some(self.node.now().mono + pause);
    }

    fn join_ended(&mut self) {
        while let Ok(number) = self.ended.1.try_recv() {
            if let Some(thread) = self.connections.remove(&number) {
                keep_panic(&mut self.panic, thread.join());
            }
        }
    }
}

fn keep_panic(first: &mut Option<Box<dyn Any + Send>>, ended: thread::Result<()>) {
    if let Err(panic) = ended {
        first.get_or_insert(panic);
    }
}

/// Tells the supervisor that a connection's thread is at its end.
struct Farewell {
    number: u64,
    ended: mpsc::Sender<u64>,
    waker: Waker,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens when the supervisor itself joins the rest.
        self.ended.send(self.number).ok();
        self.waker.wake();
    }
}
