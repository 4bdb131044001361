//! Tests of the real binary: started, spoken to, killed.
//!
//! The data directory, the requests and the batches are made by hand here, without the core's
//! encoders: what both sides got wrong would cancel out.

mod client;
mod directory;
mod encode;
mod end_to_end;
mod kill;
mod process;
mod start_script;
