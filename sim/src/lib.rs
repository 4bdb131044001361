//! Klamm's third driver: simulated network, disk and clock around the real machines.
//!
//! A run is a pure function of its [`Decisions`](decisions::Decisions): drawn from a seed, or read
//! back from a script. What a failure has taught is kept as a script in `sim/scripts`, and played
//! by the tests. The pieces, one concept a file:
//!
//! - [`queue`]: the one queue of events, ordered by (time, id); [`decisions`]: every choice;
//!   [`digest`]: a run's fingerprint.
//! - [`options`]: what a run is like; [`script`]: a run as text.
//! - [`disk`]: what files do, and what crashes leave of them.
//! - [`network`]: connections between clients and broker; [`client`]: the model client; [`setup`]:
//!   what is there before the first start.
//! - [`world`]: all of it around the real machines; [`layer`]: where a run may lie to them.
//! - [`history`]: what clients asked and were told; [`reader`]: what lies on the disk; [`oracle`]:
//!   what a log can be after that; [`metadata`]: what topics and settings can be; [`checker`]:
//!   whether all of it agrees.
//! - [`marks`]: what has happened in a run, so that nothing is tested by runs in which nothing
//!   happens.
//! - [`minimise`]: a failed run made smaller; [`ladder`]: a run to be read.
//! - [`broken`]: brokers that break their promises, for the checkers to catch; [`enumerate`]: every
//!   crash point of small histories.

#![forbid(unsafe_code)]

pub mod broken;
pub mod checker;
pub mod client;
pub mod decisions;
pub mod digest;
pub mod disk;
pub mod enumerate;
pub mod history;
pub mod ladder;
pub mod layer;
pub mod marks;
pub mod metadata;
pub mod minimise;
pub mod network;
pub mod options;
pub mod oracle;
pub mod queue;
pub mod reader;
pub mod script;
pub mod setup;
pub mod trace;
pub mod world;
