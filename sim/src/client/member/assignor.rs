//! How a leader divides the partitions among the members.

use std::collections::{BTreeMap, BTreeSet};

use super::protocol::Subscription;
use crate::history::TopicPartition;

/// The ways to divide; each is a protocol that a member may support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assignor {
    /// Of each topic, a run of partitions for each.
    Range,
    /// One after another.
    RoundRobin,
    /// Who has something keeps it; what moves is free for one generation in between (KIP-429).
    Cooperative,
}

type Parts = BTreeMap<String, BTreeSet<TopicPartition>>;

impl Assignor {
    pub(super) const ALL: [Self; 3] = [Self::Range, Self::RoundRobin, Self::Cooperative];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Cooperative => "cooperative-sticky",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Everybody's part, by member id, each partition at most once. `topics`: how many partitions each has.
    pub(super) fn assign(
        self,
        members: &BTreeMap<String, Subscription>,
        topics: &[(String, i32)],
    ) -> Parts {
        let mut parts: Parts = members.keys().map(|id| (id.clone(), BTreeSet::new())).collect();
        match self {
            Self::Range => range(members, topics, &mut parts),
            Self::RoundRobin => round_robin(members, topics, &mut parts),
            Self::Cooperative => cooperative(members, topics, &mut parts),
        }
        parts
    }
}

fn readers<'a>(members: &'a BTreeMap<String, Subscription>, topic: &str) -> Vec<&'a String> {
    let reads = |said: &Subscription| said.topics.iter().any(|name| name == topic);
    members.iter().filter(|(_, said)| reads(said)).map(|(id, _)| id).collect()
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

fn range(members: &BTreeMap<String, Subscription>, topics: &[(String, i32)], parts: &mut Parts) {
    for (topic, count) in topics {
        let readers = readers(members, topic);
        for partition in 0..*count {
            let place = partition as usize * readers.len() / *count as usize;
            if let Some(part) = readers.get(place).and_then(|id| parts.get_mut(*id)) {
                part.insert(at(topic, partition));
            }
        }
    }
}

fn round_robin(
    members: &BTreeMap<String, Subscription>,
    topics: &[(String, i32)],
    parts: &mut Parts,
) {
    let mut next = 0;
    for (topic, count) in topics {
        let readers = readers(members, topic);
        for partition in (0..*count).filter(|_| !readers.is_empty()) {
            if let Some(part) = parts.get_mut(readers[next % readers.len()]) {
                part.insert(at(topic, partition));
            }
            next += 1;
        }
    }
}

fn cooperative(
    members: &BTreeMap<String, Subscription>,
    topics: &[(String, i32)],
    parts: &mut Parts,
) {
    // Of two that say that they have a partition, the one of the later generation has it.
    let mut owners: BTreeMap<&TopicPartition, (&String, i32)> = BTreeMap::new();
    for (id, said) in members {
        for target in &said.owned {
            let known = owners.entry(target).or_insert((id, said.generation));
            if said.generation > known.1 {
                *known = (id, said.generation);
            }
        }
    }
    let all: i32 = topics.iter().map(|(_, count)| count).sum();
    let quota = (all as usize).div_ceil(members.len().max(1));
    let mut left = Vec::new();
    for (topic, count) in topics {
        let readers = readers(members, topic);
        for partition in 0..*count {
            let target = at(topic, partition);
            let owner = owners.get(&target).map(|(id, _)| *id).filter(|id| readers.contains(id));
            match owner.and_then(|id| parts.get_mut(id)).filter(|part| part.len() < quota) {
                Some(part) => drop(part.insert(target)),
                None => left.push((target, readers.clone())),
            }
        }
    }
    let mut planned: BTreeMap<String, usize> =
        parts.iter().map(|(id, part)| (id.clone(), part.len())).collect();
    for (target, readers) in left {
        let least = readers.into_iter().min_by_key(|id| planned.get(*id).copied().unwrap_or(0));
        let Some(id) = least else { continue };
        *planned.entry(id.clone()).or_default() += 1;
        // Whoever says that it has it must hear first that it has not.
        let is_claimed =
            members.iter().any(|(other, said)| other != id && said.owned.contains(&target));
        if let Some(part) = parts.get_mut(id).filter(|_| !is_claimed) {
            part.insert(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Assignor, at};
    use crate::client::member::protocol::Subscription;

    fn member(owned: &[i32]) -> Subscription {
        let owned = owned.iter().map(|partition| at("t", *partition)).collect();
        Subscription { topics: vec!["t".to_owned()], owned, ..Subscription::default() }
    }

    #[test]
    fn each_partition_has_one_reader() {
        let members =
            BTreeMap::from([("a".to_owned(), member(&[])), ("b".to_owned(), member(&[]))]);
        for assignor in Assignor::ALL {
            let parts = assignor.assign(&members, &[("t".to_owned(), 5)]);
            let sizes: BTreeSet<usize> = parts.values().map(BTreeSet::len).collect();
            assert_eq!(sizes, BTreeSet::from([2, 3]), "{assignor:?}");
            assert_eq!(parts.values().flatten().collect::<BTreeSet<_>>().len(), 5);
        }
    }

    #[test]
    fn what_moves_is_free_for_one_generation() {
        let said = |of_a: &[i32], of_b: &[i32]| {
            BTreeMap::from([("a".to_owned(), member(of_a)), ("b".to_owned(), member(of_b))])
        };
        let topics = [("t".to_owned(), 4)];
        let parts = Assignor::Cooperative.assign(&said(&[0, 1, 2, 3], &[]), &topics);
        assert_eq!((parts["a"].len(), parts["b"].len()), (2, 0));
        let parts = Assignor::Cooperative.assign(&said(&[0, 1], &[]), &topics);
        assert_eq!((parts["a"].len(), parts["b"].len()), (2, 2));
    }
}
