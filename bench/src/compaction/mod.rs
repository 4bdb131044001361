//! Compaction: how fast it is, and what those notice who produce meanwhile.
//!
//! A log is written as one that is not compacted, and becomes one when the clock starts. It is clean when the
//! broker's `cleaner-offset-checkpoint`, which Klamm and Apache Kafka both keep, has come to its active segment.
//! Then the log's files must hold the last record of each key, all that was not to be looked at, and nothing else.

mod cleaning;
mod disturbance;
mod load;
mod survivors;
mod target;

pub(crate) use cleaning::measure as measure_cleaning;
pub(crate) use disturbance::measure as measure_disturbance;
