//! The task of one connection.

use std::future::poll_fn;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::Poll;

use async_io::Async;
use klamm_core::Peer;
use klamm_runtime::{Interest, Machine, Next, Node, Readiness, Session, Socket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smol::future::yield_now;

use crate::alarm::Alarm;
use crate::bell::Bell;

/// Serves a connection to its end.
///
/// The future may be dropped wherever it waits: that ends the connection and leaves nothing behind.
/// Whatever the machine asks for in a step is carried out and told to it in the same step, with no
/// wait in between.
pub async fn serve<M: Machine>(node: Arc<Node<M>>, stream: Async<TcpStream>, peer: Peer) {
    let bell = Bell::new();
    let mut session = Session::open(node, peer, Box::new(bell.clone()));
    let mut alarm = Alarm::default();
    let mut ready = Readiness::default();
    loop {
        match session.step(&mut Socket(&stream), ready) {
            Next::Wait(interest) => {
                alarm.set(interest.deadline, session.node().now());
                ready = wait(&stream, &bell, &mut alarm, interest).await;
            }
            Next::Again => {
                yield_now().await;
                ready = Readiness::default();
            }
            Next::End => return,
        }
    }
}

/// Waits for the socket as far as it is of interest, the mailbox and the deadline.
async fn wait(
    stream: &Async<TcpStream>,
    bell: &Bell,
    alarm: &mut Alarm,
    interest: Interest,
) -> Readiness {
    // A peer of which nothing is wanted at present may go away all the same.
    let mut looks_for_end = !interest.read && !interest.write;
    poll_fn(|context| {
        let woken = bell.poll(context).is_ready() | alarm.poll(context).is_ready();
        let mut ready = Readiness {
            readable: interest.read && stream.poll_readable(context).is_ready(),
            writable: interest.write && stream.poll_writable(context).is_ready(),
            gone: false,
        };
        if looks_for_end && stream.poll_readable(context).is_ready() {
            ready.gone = is_gone(stream);
            // If it is no end, it would be told again and again.
            looks_for_end = false;
        }
        if woken || ready.readable || ready.writable || ready.gone {
            return Poll::Ready(ready);
        }
        Poll::Pending
    })
    .await
}

/// True when the connection is broken, or closed in both directions.
fn is_gone(stream: &Async<TcpStream>) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    // It does not wait, so there is no failure but that of a descriptor that is none.
    let found = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let end = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    found.is_err() || fds[0].revents().intersects(end)
}
