//! Klamm's third driver: simulated network, disk and clock around the real machines.
//!
//! A run is a pure function of its [`Decisions`](decisions::Decisions): drawn from a seed, or read
//! back from a script. What a failure has taught is kept as a script in `sim/scripts`, and played
//! by the tests.
//!
//! # To test with it
//!
//! A [`World`](world::World) is one run: the whole broker, a network, a disk, clients that each play
//! a part, and checkers that hold what clients were told, and what lies on the disk, against what
//! was promised.
//!
//! ```
//! use klamm_sim::world::World;
//!
//! if let Err(failure) = World::from_seed(42).run() {
//!     panic!("{failure}\n{}", failure.script.to_text());
//! }
//! ```
//!
//! - Client logic of your own is a [`Program`](program::Program): it joins a run by
//!   [`World::with_program`](world::World::with_program), on the same network and under the same
//!   crashes, and has a check of its own. `sim/examples/outbox.rs` is a whole one, with its test and
//!   its negative control.
//! - [`Options`](options::Options) say what a run is like: [`draw`](options::Options::draw) them from
//!   the seed and change what does not suit, or start from [`calm`](options::Options::calm).
//! - A [`Failure`](world::Failure) has its [`Script`](script::Script), which
//!   [`World::from_script`](world::World::from_script) repeats without the generator;
//!   [`minimise`](minimise::minimise) makes it smaller, and a [`Ladder`](ladder::Ladder) tells it.
//! - A [`Layer`](layer::Layer) stands between the machine and the world, and may lie: a check that
//!   catches no broken broker checks nothing.
//! - The pieces stand alone, too: a [`Disk`](disk::Disk) carries out a storage engine's operations
//!   and loses what a power loss may take; [`read_logs`](reader::read_logs) reads Kafka's files, and
//!   shares no code with the broker; a [`Checker`](checker::Checker) judges any
//!   [`History`](history::History).
//!
//! # The pieces, one concept a file
//!
//! - [`queue`]: the one queue of events, ordered by (time, id); [`decisions`]: every choice;
//!   [`digest`]: a run's fingerprint.
//! - [`options`]: what a run is like; [`script`]: a run as text.
//! - [`disk`]: what files do, and what crashes leave of them.
//! - [`network`]: connections between clients and broker; [`client`]: the model clients; [`calls`]:
//!   their side of the protocol; [`program`]: a tester's own; [`setup`]: what is there before the
//!   first start.
//! - [`crowd`]: the same clients on real sockets, in front of a real server.
//! - [`world`]: all of it around the real machines; [`layer`]: where a run may lie to them.
//! - [`history`]: what clients asked and were told; [`reader`]: what lies on the disk; [`oracle`]:
//!   what a log can be after that; [`metadata`]: what topics and settings can be; [`checker`]:
//!   whether all of it agrees.
//! - [`groups`]: what is asked and told of groups; [`groups_log`]: what lies in `__consumer_offsets`.
//! - [`marks`]: what has happened in a run, so that nothing is tested by runs in which nothing
//!   happens.
//! - [`minimise`]: a failed run made smaller; [`ladder`]: a run to be read.
//! - [`trace`]: what a real driver did, played on the simulated disk; [`pledges`]: what its answers
//!   promised of it; [`restart`]: the start behind a power loss.
//! - [`broken`]: brokers that break their promises, for the checkers to catch; [`enumerate`]: every
//!   crash point of small histories.

#![forbid(unsafe_code)]

pub mod broken;
pub mod calls;
pub mod checker;
pub mod client;
pub mod crowd;
pub mod decisions;
pub mod digest;
pub mod disk;
pub mod enumerate;
pub mod groups;
pub mod groups_log;
pub mod history;
pub mod ladder;
pub mod layer;
pub mod marks;
pub mod metadata;
pub mod minimise;
pub mod network;
pub mod options;
pub mod oracle;
pub mod pledges;
pub mod program;
pub mod queue;
pub mod reader;
pub mod restart;
pub mod script;
pub mod setup;
pub mod trace;
pub mod world;
