//! What the drivers share: the turn, mailboxes, the request budget, file operations and workers.
//!
//! A driver makes a [`Node`] from a machine and its [`Parts`], starts its [`Threads`], and runs one
//! [`Session`] for each socket. It knows sockets and waiting; nothing else is its own.

#![forbid(unsafe_code)]

mod budget;
mod clock;
pub mod compression;
mod disk;
mod files;
mod handles;
mod lock_file;
mod machine;
mod mailbox;
mod node;
mod queue;
mod recorder;
mod sync;
mod timer;
mod workers;

pub use budget::{Budget, Share};
pub use clock::{Clock, SystemClock, wait_until};
pub use disk::Disk;
pub use files::Files;
pub use machine::{Input, Machine};
pub use mailbox::{Mail, Mailbox, Wake};
pub use node::{Node, Observer, Parts, Place};
pub use recorder::Recorder;
pub use workers::{PanicAlarm, Threads};
