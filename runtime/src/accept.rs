//! Taking connections from listeners: how many, and what a failure means.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use klamm_core::Peer;
use klamm_core::event::{Event, Severity};
use klamm_core::time::{Instant, Millis};

use crate::lifecycle::Lifecycle;
use crate::machine::Machine;
use crate::node::{Node, Observer};

/// Accepts, as long as there is room; who finds none waits in the backlog.
pub struct Acceptor<M> {
    node: Arc<Node<M>>,
    lifecycle: Arc<Lifecycle>,
    /// Set after a failure.
    paused_until: Option<Instant>,
}

/// Whether to look at the listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Open,
    /// Not before one of the connections has ended.
    Full,
    /// Not before this.
    PausedUntil(Instant),
}

/// Connections taken from one listener before the others are looked at.
const ACCEPTS_MAX: usize = 64;

impl<M: Machine> Acceptor<M> {
    /// Accepts for `node`; failures are told to `lifecycle`.
    pub fn new(node: Arc<Node<M>>, lifecycle: Arc<Lifecycle>) -> Self {
        Self { node, lifecycle, paused_until: None }
    }

    /// What is to be done while `open` connections are there.
    pub fn admission(&self, open: usize) -> Admission {
        let now = self.node.now().mono;
        let ceiling = self.node.limits().connections_max;
        match self.paused_until {
            _ if open >= ceiling => Admission::Full,
            // The limit may change while nobody leaves.
            _ if open >= self.connections_max() => {
                Admission::PausedUntil(now + Millis(self.node.limits().accept_pause_ms))
            }
            Some(until) if until > now => Admission::PausedUntil(until),
            _ => Admission::Open,
        }
    }

    /// Takes what waits at a listener, which does not block, and gives it to `spawn`, beside the
    /// `open` connections that are there.
    pub fn accept(
        &mut self,
        name: &Arc<str>,
        listener: &TcpListener,
        open: usize,
        mut spawn: impl FnMut(TcpStream, Peer) -> io::Result<()>,
    ) {
        let room = self.connections_max().saturating_sub(open);
        for _ in 0..room.min(ACCEPTS_MAX) {
            let accepted = listener.accept().and_then(|(stream, address)| {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                spawn(stream, Peer { listener: Arc::clone(name), address: address.to_string() })
            });
            match accepted {
                Ok(()) => self.paused_until = None,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The peer has gone already.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return self.pause(name, &error),
            }
        }
    }

    fn connections_max(&self) -> usize {
        self.node.image().connections_max(self.node.limits().connections_max)
    }

    /// Without descriptors or threads the next attempt would fail at once too.
    fn pause(&mut self, name: &str, error: &io::Error) {
        if self.paused_until.is_none() {
            let text = format!("listener {name} does not get its next connection: {error}");
            self.lifecycle.event(&Event::Notice { severity: Severity::Warning, text });
        }
        let pause = Millis(self.node.limits().accept_pause_ms);
        self.paused_until = Some(self.node.now().mono + pause);
    }
}
