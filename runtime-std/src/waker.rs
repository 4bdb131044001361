//! What ends a thread's poll(2) from outside.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use klamm_runtime::Wake;
use rustix::io::Errno;

/// Wakes one thread; a wake-up that comes before the wait ends the wait at once.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<Ends>);

#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Ends {
    counter: rustix::fd::OwnedFd,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Ends {
    fn open() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self { counter: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    fn reader(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }

    fn writer(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
struct Ends {
    reader: std::os::unix::net::UnixStream,
    writer: std::os::unix::net::UnixStream,
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Ends {
    fn open() -> io::Result<Self> {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer })
    }

    fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Ends::open()?)))
    }

    /// Takes the wake-ups so far. Before looking at what they were about, not after.
    pub(crate) fn clear(&self) {
        let mut wakeups = [0; 64];
        // Empty is what it is to be; there is no other failure.
        while rustix::io::read(self.0.reader(), &mut wakeups).is_ok_and(|n| n == wakeups.len()) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.reader()
    }
}

impl Wake for Waker {
    fn wake(&self) {
        match rustix::io::write(self.0.writer(), &1_u64.to_ne_bytes()) {
            // Full: it is set anyway.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => panic!("waking a thread: {error}"),
        }
    }
}
