//! A driver of tasks: one for each connection, on an executor of its own, with readiness from async-io.
//!
//! [`Server::start`] binds, starts up and serves; the [`Handle`] that it gives stops the server and
//! waits for its end. Signals, logs and exit codes are the caller's. Who has an executor can have
//! [`serve`] on it.

#![forbid(unsafe_code)]

mod alarm;
mod bell;
mod connection;
mod pool;
mod server;
mod supervisor;

pub use connection::serve;
pub use klamm_runtime::{Handle, Options, StartError, Stopper};
pub use server::Server;
