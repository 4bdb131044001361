//! Klamm's core: a Kafka-compatible broker as a pure state machine.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod api;
pub mod batch;
pub mod broker;
pub mod checkpoint;
pub mod codec;
pub mod config;
mod connection;
pub mod effect;
pub mod error_code;
pub mod event;
pub mod frame;
pub mod ids;
pub mod job;
pub mod log;
pub mod query;
pub mod records;
pub mod request;
pub mod rng;
pub mod time;

pub use broker::{Broker, Exit, Output, Peer};
pub use connection::{Chunk, Connection, ConnectionError};
pub use job::{Job, JobOutcome, JobResult};
