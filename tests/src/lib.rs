//! Tests of the whole: wire snapshots, parity, purity; and what real clients need to be run.

#![forbid(unsafe_code)]

pub mod directory;
pub mod driver;
pub mod dump;
pub mod fuzz_batch;
pub mod fuzz_codec;
pub mod fuzz_frames;
pub mod node;
pub mod recorded;
pub mod validator;
pub mod wire;

pub use wire::snapshot;
