//! The thread that accepts connections, and sees to it that everything ends.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use klamm_core::{Exit, Peer};
use klamm_runtime::{
    Admission, Lifecycle, Machine, Node, PanicAlarm, Session, Stage, Supervised, Wake,
};
use rustix::event::{PollFd, PollFlags};

use crate::connection::{poll_until, serve};
use crate::waker::Waker;

/// See the module.
pub(crate) struct Supervisor<M: Machine> {
    supervised: Supervised<M>,
    waker: Waker,
    connections: Connections<M>,
}

/// Their threads.
struct Connections<M> {
    node: Arc<Node<M>>,
    lifecycle: Arc<Lifecycle>,
    supervisor: Waker,
    threads: HashMap<u64, JoinHandle<()>>,
    spawned: u64,
    /// They tell their numbers here when they end.
    ended: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
}

impl<M: Machine> Supervisor<M> {
    pub(crate) fn new(supervised: Supervised<M>, waker: Waker) -> Self {
        let connections = Connections {
            node: Arc::clone(&supervised.node),
            lifecycle: Arc::clone(&supervised.lifecycle),
            supervisor: waker.clone(),
            threads: HashMap::new(),
            spawned: 0,
            ended: mpsc::channel(),
        };
        Self { supervised, waker, connections }
    }

    /// Serves until the node has stopped, then ends every thread.
    pub(crate) fn run(mut self) -> Exit {
        let exit = loop {
            self.waker.clear();
            self.join_ended();
            match self.supervised.lifecycle.stage() {
                Stage::Starting => self.wait_and_accept(Admission::Full),
                Stage::Ready => {
                    let open = self.connections.threads.len();
                    self.wait_and_accept(self.supervised.acceptor.admission(open));
                }
                Stage::Stopping => {
                    self.supervised.listeners.clear();
                    self.wait_and_accept(Admission::Full);
                }
                Stage::Stopped(exit) => break exit,
            }
        };
        self.supervised.listeners.clear();
        self.supervised.node.stop_connections();
        for (_, thread) in self.connections.threads.drain() {
            self.supervised.ended(thread.join());
        }
        self.supervised.end(exit)
    }

    fn wait_and_accept(&mut self, admission: Admission) {
        let Supervised { node, listeners, acceptor, .. } = &mut self.supervised;
        let mut fds = vec![PollFd::from_borrowed_fd(self.waker.as_fd(), PollFlags::IN)];
        let mut pause = None;
        match admission {
            Admission::Open => fds
                .extend(listeners.iter().map(|bound| PollFd::new(&bound.listener, PollFlags::IN))),
            Admission::Full => {}
            Admission::PausedUntil(until) => pause = Some(until),
        }
        poll_until(&mut fds, pause, node);
        for (fd, bound) in fds[1..].iter().zip(&*listeners) {
            if !fd.revents().is_empty() {
                let open = self.connections.threads.len();
                acceptor.accept(&bound.name, &bound.listener, open, |stream, peer| {
                    self.connections.spawn(stream, peer)
                });
            }
        }
    }

    fn join_ended(&mut self) {
        while let Ok(number) = self.connections.ended.1.try_recv() {
            if let Some(thread) = self.connections.threads.remove(&number) {
                self.supervised.ended(thread.join());
            }
        }
    }
}

impl<M: Machine> Connections<M> {
    fn spawn(&mut self, stream: TcpStream, peer: Peer) -> io::Result<()> {
        let waker = Waker::new()?;
        let number = self.spawned;
        let (node, lifecycle) = (Arc::clone(&self.node), Arc::clone(&self.lifecycle));
        let supervisor = self.supervisor.clone();
        let ended = self.ended.0.clone();
        let body = move || {
            let _ended = Farewell { number, ended, waker: supervisor };
            let _alarm = PanicAlarm::new(lifecycle);
            let session = Session::open(node, peer, Box::new(waker.clone()));
            serve(session, stream, &waker);
        };
        let thread = thread::Builder::new().name(format!("connection-{number}")).spawn(body)?;
        self.threads.insert(number, thread);
        self.spawned += 1;
        Ok(())
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
