//! The thread of one connection.

use std::net::TcpStream;
use std::os::fd::AsFd;

use klamm_core::time::Instant;
use klamm_runtime::{Interest, Machine, Next, Node, Readiness, Session, Socket, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::waker::Waker;

/// Serves the connection to its end.
pub(crate) fn serve<M: Machine>(mut session: Session<M>, stream: TcpStream, waker: &Waker) {
    let mut socket = Socket(stream);
    let mut ready = Readiness::default();
    loop {
        match session.step(&mut socket, ready) {
            Next::Wait(interest) => ready = wait(&socket.0, waker, interest, session.node()),
            // The other threads have their turn by the system's scheduler.
            Next::Again => ready = Readiness::default(),
            Next::End => return,
        }
    }
}

fn wait<M: Machine>(
    stream: &TcpStream,
    waker: &Waker,
    interest: Interest,
    node: &Node<M>,
) -> Readiness {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, interest.read);
    events.set(PollFlags::OUT, interest.write);
    let mut fds =
        [PollFd::new(stream, events), PollFd::from_borrowed_fd(waker.as_fd(), PollFlags::IN)];
    poll_until(&mut fds, interest.deadline, node);
    let [socket, mailbox] = fds.map(|fd| fd.revents());
    if !mailbox.is_empty() {
        waker.clear();
    }
    Readiness {
        readable: socket.contains(PollFlags::IN),
        writable: socket.contains(PollFlags::OUT),
        gone: socket.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
    }
}

/// Waits for any of `fds`, or until the deadline, or less.
pub(crate) fn poll_until<M: Machine>(
    fds: &mut [PollFd<'_>],
    deadline: Option<Instant>,
    node: &Node<M>,
) {
    let timeout = deadline.map(|deadline| {
        let wait = wait_until(deadline, node.now());
        Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() }
    });
    // Interrupted: the caller looks at everything anew in any case.
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => panic!("poll with {} descriptors: {error}", fds.len()),
    }
}
