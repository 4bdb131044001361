//! Values that were read from the entries of a properties file.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::value_type::PROTOCOLS;
use crate::config::{Listener, listeners};

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) enum Value {
    Boolean(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
    Listeners(Vec<Listener>),
    /// Protocol by listener name.
    Map(BTreeMap<String, String>),
    Voters(Vec<Voter>),
}

/// A voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Voter {
    /// Its node id.
    pub(in crate::config) id: i64,
    /// Empty when it is left out.
    pub(in crate::config) host: String,
    pub(in crate::config) port: u16,
}

/// The parts of a list, empty ones too; an empty text has none (`ConfigDef.parseType`).
pub(super) fn split(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::trim).collect()
}

/// The parts of a list that are not empty.
pub(in crate::config) fn parts(text: &str) -> Vec<String> {
    split(text).into_iter().filter(|part| !part.is_empty()).map(String::from).collect()
}

pub(super) fn all_differ(list: &[String]) -> bool {
    list.iter().enumerate().all(|(at, part)| !list.iter().skip(at + 1).any(|other| other == part))
}

pub(super) fn protocol_of(part: &str) -> Option<(String, String)> {
    let (name, protocol) = part.split_once(':')?;
    let (name, protocol) = (name.trim().to_uppercase(), protocol.trim().to_uppercase());
    (!name.is_empty() && PROTOCOLS.contains(&protocol.as_str())).then_some((name, protocol))
}

pub(super) fn voter(part: &str) -> Option<Voter> {
    let (id, endpoint) = part.split_once('@')?;
    let (host, port) = listeners::endpoint(endpoint)?;
    let id = id.trim().parse().ok().filter(|id| (0..=i64::from(i32::MAX)).contains(id))?;
    Some(Voter { id, host, port })
}
