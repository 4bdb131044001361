//! Klamm's core: a Kafka-compatible broker as a pure state machine.
//!
//! Nothing in here knows a clock, a file, a socket or a thread. Bytes and completions go in; response
//! bytes and file effects come out; a *driver* brings them to the world and back. Time, randomness
//! and compression are arguments, so the same inputs give the same outputs, byte for byte.
//!
//! ```text
//!             bytes                    requests                     effects, jobs
//!   socket ----------> Connection ------------------>  Broker  --------------------> files
//!          <----------  one per     <----------------  one per   <------------------
//!             chunks    socket         responses       node, behind   completions,
//!                                                      one lock       job results
//!                                                        |    ^
//!                                                        v    |
//!                                                       Job: long work, owned by a worker
//! ```
//!
//! # Three machines
//!
//! - [`Connection`], one for each socket, owned by the thread or task that serves it. It frames,
//!   decodes, checks and decompresses batches, keeps answers in order, and encodes: all that grows
//!   with the payload, under no lock.
//! - [`Broker`], one for each node, the only shared state. Its work is bookkeeping. It emits
//!   [`Output`]s: effects, jobs, responses, events.
//! - [`Job`], a long piece of work with a state of its own, such as to recover a log. No lock is held.
//!
//! # Rules for a driver
//!
//! 1. One mutation, then drain: after each `handle_*` of the broker, poll its outputs to `None` before
//!    the lock is let go, and carry nothing out under it.
//! 2. Each [`Effect`](effect::Effect) is carried out once, completely or up to its first failure, and
//!    answered by one [`Completion`](effect::Completion), whoever caused it and wherever that is now.
//!    Effects that are out together have no order.
//! 3. Each [`Request`](request::Request) gets one [`Response`](request::Response), in any order; it
//!    goes to its connection, which knows the order.
//! 4. A failed operation is an input like any other. Panics are faults of the core itself, or of a
//!    caller that broke a rule; peers and disks cause none.
//!
//! # A connection by hand
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::{Bytes, BytesMut};
//! use klamm_core::batch::{ByteStream, Codec, Compression, CompressionError};
//! use klamm_core::broker::image::Image;
//! use klamm_core::config::Limits;
//! use klamm_core::ids::ConnectionId;
//! use klamm_core::request::{RequestBody, Response, ResponseBody};
//! use klamm_core::time::Now;
//! use klamm_core::{Chunk, Connection};
//!
//! #[derive(Debug)]
//! struct NoCodecs;
//!
//! impl Compression for NoCodecs {
//!     fn decompress(&self, _: Codec, _: Bytes) -> Result<Box<dyn ByteStream>, CompressionError> {
//!         Err(CompressionError::Corrupt("no codecs here".to_owned()))
//!     }
//!
//!     fn compress(
//!         &self,
//!         _: Codec,
//!         _level: i32,
//!         _: &mut dyn ByteStream,
//!         _output_bytes_max: usize,
//!     ) -> Result<Bytes, CompressionError> {
//!         Err(CompressionError::Corrupt("no codecs here".to_owned()))
//!     }
//! }
//!
//! let mut connection = Connection::new(ConnectionId(1), Limits::default(), Arc::new(NoCodecs));
//! let (now, image) = (Now::default(), Arc::new(Image::default()));
//!
//! // A peer asks for ApiVersions: size 10; key 18, version 0, correlation id 7, no client id.
//! let mut input = BytesMut::from(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255][..]);
//! connection.handle_bytes(&mut input, now)?;
//! assert_eq!(connection.wants_charge(), 10); // A driver takes these from its budget.
//! connection.handle_charged();
//! connection.handle_bytes(&mut input, now)?;
//! let request = connection.poll_request(&image, now).expect("a whole frame")?;
//! let RequestBody::Query(query) = request.body else { panic!("ApiVersions is a query") };
//!
//! // In place of a broker:
//! let body = ResponseBody::Query { query, image, listener: Arc::from("PLAINTEXT") };
//! connection.handle_response(Response { number: request.number, body });
//!
//! let Some(Chunk::Bytes(answer)) = connection.poll_transmit() else { panic!("an answer") };
//! assert_eq!(answer[4..10], [0, 0, 0, 7, 0, 0]); // Correlation id 7, no error.
//! connection.handle_transmitted(1);
//! assert_eq!(connection.poll_discharge(), 10);
//! # Ok::<(), klamm_core::ConnectionError>(())
//! ```

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
pub mod partition_name;
pub mod query;
pub mod records;
mod refusal;
pub mod request;
pub mod rng;
pub mod time;

pub use batch::Compression;
pub use broker::{Broker, Exit, Kept, Output, Peer};
pub use connection::{Chunk, Connection, ConnectionError};
pub use job::{Job, JobOutcome, JobResult};
