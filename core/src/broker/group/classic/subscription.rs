//! What consumers say to each other, as far as a coordinator listens: the topics that they subscribe to.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use bytes::Bytes;

use crate::codec::{DecodeError, Reader};

/// The topics of all of these subscriptions; `None` when one cannot be read.
///
/// Each is read as version 0, which every later one begins with (`ClassicGroup.computeSubscribedTopics`).
pub(super) fn subscribed_topics(
    subscriptions: impl Iterator<Item = Bytes>,
) -> Option<BTreeSet<Box<str>>> {
    let mut topics = BTreeSet::new();
    let mut before = Bytes::new();
    for subscription in subscriptions {
        let list = topic_list(&subscription).ok()??;
        // Members of a group mostly subscribe to the same.
        if list != before {
            add_topics(&list, &mut topics).ok()?;
            before = list;
        }
    }
    Some(topics)
}

/// The bytes of the array of topics, lengths and all; `None` when a null stands where none may be.
fn topic_list(subscription: &Bytes) -> Result<Option<Bytes>, DecodeError> {
    let mut reader = Reader::new(subscription);
    let _version = reader.i16()?;
    let start = subscription.len() - reader.remaining();
    let count = reader.i32()?;
    if count < 0 {
        return Ok(None);
    }
    for _ in 0..count {
        if string(&mut reader)?.is_none() {
            return Ok(None);
        }
    }
    let end = subscription.len() - reader.remaining();
    // The data of the user's assignor, or null.
    let user_data = usize::try_from(reader.i32()?).unwrap_or(0);
    reader.slice(user_data)?;
    Ok(Some(subscription.slice(start..end)))
}

fn add_topics(list: &Bytes, topics: &mut BTreeSet<Box<str>>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(list);
    let _count = reader.i32()?;
    while reader.remaining() > 0 {
        let topic = String::from_utf8_lossy(string(&mut reader)?.unwrap_or_default());
        if !topics.contains(&*topic) {
            topics.insert(topic.into());
        }
    }
    Ok(())
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    match usize::try_from(reader.i16()?) {
        Ok(length) => reader.slice(length).map(Some),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::subscribed_topics;

    const OWNED: &[u8] = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";

    fn topics(subscriptions: &[&'static [u8]]) -> Option<Vec<std::string::String>> {
        let bytes = subscriptions.iter().map(|it| Bytes::from_static(it));
        subscribed_topics(bytes).map(|topics| topics.into_iter().map(Into::into).collect())
    }

    #[test]
    fn topics_of_every_version_are_read() {
        assert_eq!(topics(&[]), Some(Vec::new()));
        assert_eq!(topics(&[OWNED]).unwrap(), ["a", "bc"]);
        let other = b"\0\0\0\0\0\x01\0\x01d\0\0\0\x01u";
        assert_eq!(topics(&[OWNED, OWNED, other, OWNED]).unwrap(), ["a", "bc", "d"]);
    }

    #[test]
    fn what_is_cut_or_forged_is_not_known() {
        for length in 0..OWNED.len() - 4 {
            assert_eq!(topics(&[&OWNED[..length]]), None, "{length} bytes");
        }
        assert_eq!(topics(&[b"\0\0\xff\xff\xff\xff\0\0\0\0"]), None, "no topics at all");
        assert_eq!(topics(&[b"\0\0\0\0\0\x01\xff\xff\0\0\0\0"]), None, "null for a topic");
        assert_eq!(topics(&[b"\0\0\x7f\xff\xff\xff\0\x01a"]), None, "more than there are");
        assert_eq!(topics(&[OWNED, b""]), None, "one of many");
    }
}
