//! Kafka's keys of `server.properties` that are taken and change nothing here: their values are
//! checked and told as Kafka does. Names, types, bounds and defaults are those of Kafka 4.3.

mod coordinators;
mod replication;
mod rest;
mod security;

use super::Key;

pub(super) const KEYS: [&[Key]; 4] =
    [coordinators::KEYS, replication::KEYS, rest::KEYS, security::KEYS];
