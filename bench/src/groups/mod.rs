//! Groups: members that agree among themselves, what they commit, and what a broker keeps of both.
//!
//! Members speak as Java's consumers do in the classic protocol, in the newest versions in which topics go by
//! name. They never expire while others are measured: they may be silent for half an hour.

mod client;
mod commits;
mod heartbeats;
mod rebalance;
mod start;
mod team;

pub(crate) use commits::Commits;
pub(crate) use heartbeats::Heartbeats;
pub(crate) use rebalance::{Rebalances, Timed};
pub(crate) use start::measure as measure_starts;
