//! What consumers say to one another through the coordinator: subscriptions and assignments
//! (`ConsumerProtocolSubscription`, `ConsumerProtocolAssignment`), written and read apart from the core.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::history::TopicPartition;

/// What a member wants, and what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    pub topics: Vec<String>,
    /// What makes one member's words differ from another's.
    pub tag: u64,
    /// What it reads now, since which generation: from version 1 and 2 on.
    pub owned: BTreeSet<TopicPartition>,
    pub generation: i32,
}

impl Subscription {
    pub(super) fn encode(&self, version: i16) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(version);
        out.put_i32(self.topics.len() as i32);
        self.topics.iter().for_each(|topic| put_string(&mut out, topic));
        put_tag(&mut out, self.tag);
        if version >= 1 {
            put_partitions(&mut out, &self.owned);
        }
        if version >= 2 {
            out.put_i32(self.generation);
        }
        if version >= 3 {
            out.put_i16(-1);
        }
        out.freeze()
    }

    /// `None` for what nobody of ours has written.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut bytes = bytes.clone();
        let version = bytes.try_get_i16().ok()?;
        let count = bytes.try_get_i32().ok()?;
        let topics = (0..count).map(|_| take_string(&mut bytes)).collect::<Option<Vec<_>>>()?;
        let tag = take_tag(&mut bytes)?;
        let owned = if version >= 1 { take_partitions(&mut bytes)? } else { BTreeSet::new() };
        let generation = if version >= 2 { bytes.try_get_i32().ok()? } else { -1 };
        Some(Self { topics, tag, owned, generation })
    }
}

/// A member's part; `tag` makes one leader's words differ from another's.
pub(crate) fn encode_part(partitions: &BTreeSet<TopicPartition>, tag: u64) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    put_partitions(&mut out, partitions);
    put_tag(&mut out, tag);
    out.freeze()
}

/// An empty part is that of a member that the leader did not know; `None` for what nobody of ours has written.
pub(crate) fn decode_part(bytes: &Bytes) -> Option<BTreeSet<TopicPartition>> {
    if bytes.is_empty() {
        return Some(BTreeSet::new());
    }
    let mut bytes = bytes.clone();
    bytes.try_get_i16().ok()?;
    let partitions = take_partitions(&mut bytes)?;
    take_tag(&mut bytes)?;
    bytes.is_empty().then_some(partitions)
}

fn put_string(out: &mut BytesMut, text: &str) {
    out.put_i16(text.len() as i16);
    out.put_slice(text.as_bytes());
}

fn take_string(bytes: &mut Bytes) -> Option<String> {
    let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
    (length <= bytes.len()).then(|| bytes.split_to(length))?.to_vec().try_into().ok()
}

/// In the room for the assignor's own data.
fn put_tag(out: &mut BytesMut, tag: u64) {
    out.put_i32(8);
    out.put_u64(tag);
}

fn take_tag(bytes: &mut Bytes) -> Option<u64> {
    (bytes.try_get_i32().ok()? == 8).then_some(())?;
    bytes.try_get_u64().ok()
}

fn put_partitions(out: &mut BytesMut, partitions: &BTreeSet<TopicPartition>) {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for target in partitions {
        topics.entry(target.name()).or_default().push(target.partition);
    }
    out.put_i32(topics.len() as i32);
    for (topic, indexes) in topics {
        put_string(out, topic);
        out.put_i32(indexes.len() as i32);
        for index in indexes {
            out.put_i32(index);
        }
    }
}

fn take_partitions(bytes: &mut Bytes) -> Option<BTreeSet<TopicPartition>> {
    let mut partitions = BTreeSet::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let topic = take_string(bytes)?;
        for _ in 0..bytes.try_get_i32().ok()? {
            let partition = bytes.try_get_i32().ok()?;
            partitions.insert(TopicPartition { topic: topic.clone(), partition });
        }
    }
    Some(partitions)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Subscription, decode_part, encode_part};
    use crate::history::TopicPartition;

    #[test]
    fn what_is_said_is_understood() {
        let at = |topic: &str, partition| TopicPartition { topic: topic.to_owned(), partition };
        let owned = BTreeSet::from([at("a", 1), at("b", 0)]);
        let said =
            Subscription { topics: vec!["a".into(), "b".into()], tag: 7, owned, generation: 3 };
        assert_eq!(Subscription::decode(&said.encode(3)), Some(said.clone()));
        let of_first = Subscription { owned: BTreeSet::new(), generation: -1, ..said.clone() };
        assert_eq!(Subscription::decode(&said.encode(0)), Some(of_first));
        assert_eq!(decode_part(&encode_part(&said.owned, 9)), Some(said.owned));
        assert_eq!(Subscription::decode(&b"\0\0\0\0"[..].into()), None);
    }
}
