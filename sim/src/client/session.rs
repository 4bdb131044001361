//! A fetch session as its client sees it (KIP-227): what the broker was told of each partition, and
//! what it has told, so that its silence can be read.

use std::collections::BTreeMap;

use klamm_core::api::fetch::PartitionData;

use crate::history::{Fetched, TopicPartition};

/// One session.
#[derive(Debug)]
pub(super) struct FetchSession {
    pub(super) id: i32,
    /// Of the next request.
    pub(super) epoch: i32,
    parts: BTreeMap<TopicPartition, Part>,
}

/// One partition of it.
#[derive(Clone, Debug)]
struct Part {
    from: i64,
    /// What was told last, without records; `None` for an error, or when nothing was told yet.
    told: Option<Fetched>,
    is_new: bool,
}

/// What an incremental request says of the session's partitions.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// To be fetched from another offset, or anew.
    pub(super) changed: Vec<(TopicPartition, i64)>,
    pub(super) forgotten: Vec<TopicPartition>,
}

impl FetchSession {
    /// A session that was just made by a request for these partitions.
    pub(super) fn new(id: i32, wanted: &BTreeMap<TopicPartition, i64>) -> Self {
        let part = |(target, from): (&TopicPartition, &i64)| {
            (target.clone(), Part { from: *from, told: None, is_new: true })
        };
        Self { id, epoch: 1, parts: wanted.iter().map(part).collect() }
    }

    /// Makes the session want these partitions: what has to be said for that.
    pub(super) fn want(&mut self, wanted: &BTreeMap<TopicPartition, i64>) -> Difference {
        let gone = self.parts.keys().filter(|target| !wanted.contains_key(target));
        let mut difference =
            Difference { forgotten: gone.cloned().collect(), ..Default::default() };
        self.parts.retain(|target, _| wanted.contains_key(target));
        for (target, from) in wanted {
            match self.parts.get_mut(target) {
                Some(part) if part.from == *from => continue,
                Some(part) => part.from = *from,
                None => {
                    let part = Part { from: *from, told: None, is_new: true };
                    self.parts.insert(target.clone(), part);
                }
            }
            difference.changed.push((target.clone(), *from));
        }
        difference
    }

    /// The next request's epoch: they count from 1, and go round.
    pub(super) fn advance(&mut self) {
        self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
    }

    /// The broker has told this.
    pub(super) fn told(&mut self, target: &TopicPartition, data: &PartitionData) {
        let Some(part) = self.parts.get_mut(target) else { return };
        part.is_new = false;
        part.told = (data.error_code.0 == 0).then(|| Fetched {
            high_watermark: data.high_watermark,
            last_stable: data.last_stable_offset,
            log_start: data.log_start_offset,
            ..Fetched::default()
        });
    }

    /// What the broker's silence says: what it said last. `Ok(None)` when that was an error; the
    /// error says what is wrong with being silent.
    pub(super) fn silent(&self, target: &TopicPartition) -> Result<Option<Fetched>, String> {
        match self.parts.get(target) {
            Some(part) if part.is_new => Err(format!("the session says nothing of new {target}")),
            Some(part) => Ok(part.told.clone()),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use klamm_core::api::fetch::PartitionData;

    use super::FetchSession;
    use crate::history::TopicPartition;

    fn target(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition }
    }

    #[test]
    fn only_what_differs_is_said() {
        let wanted = BTreeMap::from([(target(0), 5), (target(1), 6)]);
        let mut session = FetchSession::new(9, &wanted);
        assert!(session.want(&wanted).changed.is_empty());
        let wanted = BTreeMap::from([(target(1), 7), (target(2), 0)]);
        let difference = session.want(&wanted);
        assert_eq!(difference.changed, [(target(1), 7), (target(2), 0)]);
        assert_eq!(difference.forgotten, [target(0)]);
    }

    #[test]
    fn silence_says_what_was_said_last() {
        let mut session = FetchSession::new(9, &BTreeMap::from([(target(0), 5)]));
        assert!(session.silent(&target(0)).is_err());
        let data = PartitionData { high_watermark: 8, ..PartitionData::default() };
        session.told(&target(0), &data);
        assert_eq!(session.silent(&target(0)).unwrap().unwrap().high_watermark, 8);
    }
}
