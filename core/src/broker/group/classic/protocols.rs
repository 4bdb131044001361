//! What members offer to agree by, and what all of them support.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::api::join_group::JoinGroupRequestProtocol;

/// The protocols of one member, best first, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Protocols(Vec<Protocol>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Protocol {
    name: Arc<str>,
    metadata: Bytes,
}

/// How many members support each protocol.
#[derive(Debug, Default)]
pub(super) struct SupportedProtocols {
    members: BTreeMap<Arc<str>, usize>,
    bytes: usize,
}

impl Protocols {
    /// Copies them out of the request's frame, all into one piece. Of a name that comes twice the first counts; Kafka
    /// counts both, and finds then that nobody supports it.
    pub(super) fn copied(sent: &[JoinGroupRequestProtocol]) -> Self {
        let mut metadata = Vec::with_capacity(sent.iter().map(|it| it.metadata.len()).sum());
        let mut names = BTreeSet::new();
        let mut kept = Vec::with_capacity(sent.len());
        for protocol in sent.iter().filter(|protocol| names.insert(protocol.name.as_str())) {
            let start = metadata.len();
            metadata.extend_from_slice(&protocol.metadata);
            kept.push((Arc::from(protocol.name.as_str()), start..metadata.len()));
        }
        let metadata = Bytes::from(metadata);
        let protocols = kept
            .into_iter()
            .map(|(name, range)| Protocol { name, metadata: metadata.slice(range) })
            .collect();
        Self(protocols)
    }

    /// All that a record of the log says of a member.
    pub(super) fn one(name: Arc<str>, metadata: Bytes) -> Self {
        Self([Protocol { name, metadata }].into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of their names and of what the member says.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
    }

    /// What the member says under this name; nothing under one that it does not support.
    pub(super) fn metadata(&self, name: &str) -> Bytes {
        let found = self.0.iter().find(|protocol| &*protocol.name == name);
        found.map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }
}

impl SupportedProtocols {
    /// A member's are counted in. The names of all members share their memory.
    pub(super) fn add(&mut self, protocols: &mut Protocols) {
        for protocol in &mut protocols.0 {
            if let Some((name, _)) = self.members.get_key_value(&protocol.name) {
                protocol.name = Arc::clone(name);
            }
            *self.members.entry(Arc::clone(&protocol.name)).or_default() += 1;
        }
        self.bytes += protocols.bytes();
    }

    pub(super) fn remove(&mut self, protocols: &Protocols) {
        for protocol in &protocols.0 {
            match self.members.get_mut(&protocol.name) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.members.remove(&protocol.name)),
            }
        }
        self.bytes -= protocols.bytes();
    }

    /// Bytes of the protocols of all members.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether some of these is supported by each of so many members.
    pub(super) fn have_common(&self, protocols: &Protocols, members: usize) -> bool {
        protocols.0.iter().any(|protocol| self.is_common(protocol, members))
    }

    /// Each member votes for the first of its protocols that all support; the most votes win
    /// (`ClassicGroup.selectProtocol`). Of equals the first by name, where Kafka has a hash's order.
    pub(super) fn select<'a>(
        &self,
        members: impl ExactSizeIterator<Item = &'a Protocols>,
    ) -> Option<Arc<str>> {
        let count = members.len();
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for protocols in members {
            let vote = protocols.0.iter().find(|protocol| self.is_common(protocol, count));
            debug_assert!(vote.is_some(), "whoever has joined supports what all support");
            if let Some(protocol) = vote {
                *votes.entry(&protocol.name).or_default() += 1;
            }
        }
        let best = votes.iter().rev().max_by_key(|(_, votes)| **votes);
        best.map(|(name, _)| Arc::clone(name))
    }

    fn is_common(&self, protocol: &Protocol, members: usize) -> bool {
        self.members.get(&protocol.name).copied().unwrap_or(0) == members
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::{Protocols, SupportedProtocols};
    use crate::api::join_group::JoinGroupRequestProtocol;

    fn protocols(names: &[&str]) -> Protocols {
        let sent = names.iter().enumerate().map(|(at, name)| JoinGroupRequestProtocol {
            name: name.to_string(),
            metadata: Bytes::from(at.to_string()),
        });
        Protocols::copied(&sent.collect::<Vec<_>>())
    }

    fn selected(members: &[&[&str]]) -> Option<std::string::String> {
        let mut supported = SupportedProtocols::default();
        let mut all: Vec<_> = members.iter().map(|names| protocols(names)).collect();
        for member in &mut all {
            supported.add(member);
        }
        supported.select(all.iter()).map(|name| name.to_string())
    }

    #[test]
    fn what_all_support_and_most_prefer_is_selected() {
        assert_eq!(selected(&[&["b", "a"], &["a", "b"], &["b", "a"]]).as_deref(), Some("b"));
        assert_eq!(selected(&[&["c", "b", "a"], &["c", "a"], &["a", "b"]]).as_deref(), Some("a"));
        assert_eq!(selected(&[&["b", "a"], &["a", "b"]]).as_deref(), Some("a"));
        assert_eq!(selected(&[]), None);
    }

    #[test]
    fn of_a_name_that_comes_twice_the_first_counts() {
        let mut twice = protocols(&["a", "b", "a"]);
        assert_eq!(twice.metadata("a"), "0");
        assert_eq!(twice.metadata("none"), "");
        let mut supported = SupportedProtocols::default();
        supported.add(&mut twice);
        assert!(supported.have_common(&twice, 1) && !supported.have_common(&twice, 2));
        supported.remove(&twice);
        assert!(supported.members.is_empty());
        assert_eq!(supported.bytes(), 0);
    }
}
