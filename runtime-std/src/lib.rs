//! A driver of threads and blocking waits: one thread for each connection, which waits with poll(2)
//! on its socket and on its mailbox.
//!
//! [`Server::start`] binds, starts up and serves; the [`Handle`] that it gives stops the server and
//! waits for its end. Signals, logs and exit codes are the caller's.

#![forbid(unsafe_code)]

mod connection;
mod server;
mod supervisor;
mod waker;

pub use klamm_runtime::{Handle, Options, StartError, Stopper};
pub use server::Server;
