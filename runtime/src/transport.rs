//! The calls that move bytes between a connection and its socket. None of them waits.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};

/// Whether more follows at once: then the last segment need not leave half full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nothing yet: what has been given leaves now.
    Nothing,
    /// A file's range.
    Range,
}

/// A peer's socket, or what lies between it and the connection. `ErrorKind::WouldBlock`: not now.
pub trait Transport {
    /// Reads into the spare capacity of `into`, which is not empty; 0 at the peer's end.
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize>;

    /// Sends a part of `pieces`, as much as it can.
    fn send(&mut self, pieces: &[IoSlice<'_>], follow: Follow) -> io::Result<usize>;

    /// Sends a part of the file's range, as much as it can; 0 when the file ends before it.
    ///
    /// `ErrorKind::Unsupported`: this file cannot be sent so; read it and [`send`](Self::send).
    fn send_file(&mut self, file: &File, position: u64, length: usize) -> io::Result<usize>;

    /// Tells the peer that nothing more will come.
    fn finish(&mut self) -> io::Result<()>;
}

/// A connected, non-blocking stream socket.
#[derive(Debug)]
pub struct Socket<S>(pub S);

impl<S: AsFd> Transport for Socket<S> {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let (count, _) =
            repeat(|| rustix::net::recv(&self.0, spare_capacity(into), RecvFlags::DONTWAIT))?;
        Ok(count)
    }

    fn send(&mut self, pieces: &[IoSlice<'_>], follow: Follow) -> io::Result<usize> {
        let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if follow == Follow::Range {
            flags |= MORE;
        }
        repeat(|| {
            let mut control = SendAncillaryBuffer::default();
            rustix::net::sendmsg(&self.0, pieces, &mut control, flags)
        })
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn send_file(&mut self, file: &File, position: u64, length: usize) -> io::Result<usize> {
        use rustix::io::Errno;
        let mut offset = position;
        match repeat(|| rustix::fs::sendfile(&self.0, file, Some(&mut offset), length)) {
            // Some file systems have no sendfile.
            Err(error)
                if [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
                    .map(|errno| Some(errno.raw_os_error()))
                    .contains(&error.raw_os_error()) =>
            {
                Err(io::ErrorKind::Unsupported.into())
            }
            sent => sent,
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn send_file(&mut self, _: &File, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write)?)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const MORE: SendFlags = SendFlags::MORE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MORE: SendFlags = SendFlags::empty();

fn repeat<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
