//! What the drivers share: the turn, mailboxes, the request budget, file operations and workers.
//!
//! A driver [`start`]s a server with a supervisor of its own, which accepts connections by an [`Acceptor`] and has
//! one [`Session`] run for each. It knows how to wait for sockets; nothing else is its own.

#![forbid(unsafe_code)]

mod accept;
mod bind;
mod budget;
mod clock;
pub mod compression;
mod descriptors;
mod disk;
mod files;
mod handles;
mod launch;
mod lifecycle;
mod lock_file;
mod machine;
mod mailbox;
mod node;
mod outgoing;
mod queue;
mod recorder;
mod server;
mod session;
mod sync;
#[cfg(test)]
mod testing;
mod timer;
mod transport;
mod workers;

pub use accept::{Acceptor, Admission};
pub use bind::Bound;
pub use budget::{Budget, Share};
pub use clock::{Clock, SystemClock, wait_until};
pub use descriptors::fit_descriptors;
pub use disk::Disk;
pub use files::Files;
pub use launch::{Launched, Options, StartError, launch};
pub use lifecycle::{Lifecycle, Stage, Stopper};
pub use machine::{Input, Machine};
pub use mailbox::{Mail, Mailbox, Wake};
pub use node::{Node, Observer, Parts, Place};
pub use recorder::Recorder;
pub use server::{Handle, Panic, Supervised, start};
pub use session::{Interest, Next, Readiness, Session};
pub use transport::{Follow, Socket, Transport};
pub use workers::{PanicAlarm, Threads};
