//! The judge of what administrators are told, and of who is served after that: each topic's name,
//! and each resource, is held against the model of its states; and a request that names a topic by
//! its id is a look at whether that topic is there.

use std::collections::BTreeMap;

use klamm_core::ids::Uuid;

use super::{Broken, Checker};
use crate::history::{ChangeId, Subject, TopicPartition};
use crate::metadata::{Change, Life, ModelTopic, Outcome};

/// UNKNOWN_TOPIC_OR_PARTITION and UNKNOWN_TOPIC_ID.
const ABSENT: [i16; 2] = [3, 100];

/// What is known of topics that come and go, and of settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    subjects: BTreeMap<Subject, ModelTopic>,
    changes: BTreeMap<ChangeId, Subject>,
    /// Records sent by name to partitions of names that topics come and go by: any topic of the name
    /// may have them.
    pub(super) sent_by_name: BTreeMap<(String, i32), i64>,
}

impl Cluster {
    fn subject(&mut self, subject: &Subject) -> &mut ModelTopic {
        self.subjects.entry(subject.clone()).or_insert_with(|| match subject {
            Subject::Topic(_) => ModelTopic::default(),
            Subject::Broker(_) => ModelTopic::resource(),
        })
    }

    fn topic_of(&self, target: &TopicPartition) -> Option<&ModelTopic> {
        self.subjects.get(&Subject::Topic(target.name().to_owned()))
    }

    /// How sure it is that a topic of a name is there.
    pub(super) fn life_of(&self, name: &str, id: Uuid) -> Life {
        let topic = self.subjects.get(&Subject::Topic(name.to_owned()));
        topic.map_or(Life::Unsure, |topic| topic.life(id))
    }

    /// The topic that has the name since then, for sure.
    pub(super) fn sure_topic(&self, name: &str, micros: u64) -> Option<Uuid> {
        let topic = self.subjects.get(&Subject::Topic(name.to_owned()))?;
        topic.ids().find(|id| topic.sure_since(*id).is_some_and(|since| since <= micros))
    }

    /// Whether the partition's topic was there all the time since then.
    fn was_there_since(&self, target: &TopicPartition, micros: u64) -> bool {
        let Some(id) = target.passing_id() else { return true };
        let since = self.topic_of(target).and_then(|topic| topic.sure_since(id));
        since.is_some_and(|since| since <= micros)
    }

    /// What is wrong with serving a partition to a request of that time.
    pub(super) fn judge_served(
        &self,
        target: &TopicPartition,
        asked_micros: u64,
    ) -> Option<String> {
        let id = target.passing_id()?;
        let over = self.topic_of(target).and_then(|topic| topic.over_since(id))?;
        (over < asked_micros).then(|| "is served though it was deleted".to_owned())
    }

    /// What is wrong with an error to a request of that time.
    pub(super) fn judge_refused(
        &self,
        target: &TopicPartition,
        asked_micros: u64,
        error: i16,
    ) -> Option<String> {
        target.passing_id()?;
        let is_there = ABSENT.contains(&error) && self.was_there_since(target, asked_micros);
        is_there.then(|| format!("error {error} though nobody has deleted it"))
    }

    pub(super) fn broker_gone(&mut self, micros: u64) {
        self.subjects.values_mut().for_each(|subject| subject.broker_gone(micros));
    }
}

impl Checker {
    pub(super) fn change_asked(&mut self, change: ChangeId, subject: &Subject, what: &Change) {
        self.cluster.changes.insert(change, subject.clone());
        self.cluster.subject(subject).asked(change, what.clone());
    }

    pub(super) fn change_ended(&mut self, change: ChangeId, outcome: &Outcome, micros: u64) {
        let Some(subject) = self.cluster.changes.remove(&change) else { return };
        let ended = self.cluster.subject(&subject).ended(change, outcome, micros);
        if let Err(what) = ended {
            self.broken.push(Broken::Metadata { subject, what });
        }
    }

    /// How sure it is that a partition's topic is there.
    pub fn life(&self, target: &TopicPartition) -> Life {
        let Some(id) = target.passing_id() else { return Life::Sure };
        self.cluster.topic_of(target).map_or(Life::Unsure, |topic| topic.life(id))
    }

    /// Partitions, of topics that come and go, that are sure to be there.
    pub fn passing_partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.cluster.subjects.iter().flat_map(|(subject, topic)| {
            let Subject::Topic(name) = subject else { return Vec::new() };
            let is_there = |id: &Uuid| topic.life(*id) == Life::Sure;
            let of = |id| move |partition| TopicPartition::new(name, id, partition);
            let partitions = |id| (0..topic.partitions_min()).map(of(id));
            topic.ids().filter(is_there).flat_map(partitions).collect()
        })
    }

    /// Names and resources of which more may be true than can be followed.
    pub fn lost_sight_of(&self) -> usize {
        self.cluster.subjects.values().filter(|subject| subject.is_lost_sight_of()).count()
    }

    /// Whether a request that went by a topic's name is sure to have come to this one.
    pub(super) fn is_meant(
        &self,
        target: &TopicPartition,
        by_name: bool,
        asked_micros: u64,
    ) -> bool {
        !by_name || self.cluster.was_there_since(target, asked_micros)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use klamm_core::ids::Uuid;

    use super::{Broken, Checker};
    use crate::disk::Crash;
    use crate::history::{
        AppendId, ChangeId, Entry, Fetched, Question, QuestionId, SeenRecord, Subject, Told,
        TopicPartition,
    };
    use crate::metadata::{Change, Life, Outcome, Settings};
    use crate::reader::StoredLog;

    const OLD: Uuid = Uuid([1; 16]);
    const NEW: Uuid = Uuid([2; 16]);
    const NAME: &str = "passing0";

    fn target(id: Uuid) -> TopicPartition {
        TopicPartition::new(NAME, id, 0)
    }

    /// What is asked and told, one after another.
    struct Tale {
        checker: Checker,
        now: u64,
    }

    impl Tale {
        /// The old topic is there, and has record 10 at its start.
        fn with_old() -> Self {
            let mut told = Self { checker: Checker::new(false), now: 0 };
            told.make(OLD);
            told.append(1, OLD, false);
            told.tell(Entry::Ok { append: AppendId(1), base_offset: 0, append_ms: -1 });
            told
        }

        fn tell(&mut self, entry: Entry) {
            self.now += 10;
            self.checker.observe(self.now, &entry);
        }

        fn ask_change(&mut self, what: Change) -> ChangeId {
            let (change, subject) = (ChangeId(self.now + 1), Subject::Topic(NAME.to_owned()));
            self.tell(Entry::Changing { change, subject, what });
            change
        }

        fn make(&mut self, id: Uuid) {
            let settings = Settings::new();
            let change = self.ask_change(Change::Create { partitions: 1, settings });
            self.tell(Entry::Changed { change, outcome: Outcome::Made(Some(id)) });
        }

        fn delete(&mut self, outcome: Outcome) {
            let change = self.ask_change(Change::Delete { id: None });
            self.tell(Entry::Changed { change, outcome });
        }

        fn append(&mut self, append: u64, id: Uuid, by_name: bool) {
            let (records, target) = (vec![append * 10], target(id));
            let (append, client, keyed) = (AppendId(append), 0, false);
            let (sent_ms, sequence) = (5, None);
            self.tell(Entry::Invoke {
                append,
                client,
                target,
                records,
                keyed,
                sent_ms,
                sequence,
                by_name,
            });
        }

        fn ask(&mut self, id: Uuid, by_name: bool) -> QuestionId {
            let (question, what) = (QuestionId(self.now + 1), Question::Fetch { from: 0 });
            self.tell(Entry::Asked { question, target: target(id), what, by_name });
            question
        }

        fn fetched(&mut self, question: QuestionId, records: &[u64]) {
            let seen = |(offset, record): (i64, &u64)| SeenRecord {
                offset,
                record: *record,
                key: Bytes::new(),
                timestamp_ms: 5,
                append_time: false,
                codec: 0,
            };
            let end = records.len() as i64;
            let told = Told::Fetched(Fetched {
                high_watermark: end,
                last_stable: end,
                records: (0..).zip(records).map(seen).collect(),
                ..Fetched::default()
            });
            self.tell(Entry::Told { question, told });
        }

        fn broken(&mut self) -> Vec<Broken> {
            self.checker.take_broken()
        }
    }

    fn misread(found: &[Broken], part: &str) -> bool {
        matches!(found, [Broken::Misread { what, .. }] if what.contains(part))
    }

    #[test]
    fn what_a_deleted_topic_had_may_be_gone_and_is_not_served() {
        let mut told = Tale::with_old();
        told.checker.check(&BTreeMap::new(), |_| true);
        assert!(matches!(told.broken()[..], [Broken::Lost { .. }]));
        let under_way = told.ask(OLD, false);
        told.delete(Outcome::Done);
        told.checker.check(&BTreeMap::new(), |_| true);
        assert_eq!(told.broken(), []);
        told.fetched(under_way, &[10]);
        assert_eq!(told.broken(), [], "it was asked before");
        let late = told.ask(OLD, false);
        told.fetched(late, &[10]);
        assert!(misread(&told.broken(), "it was deleted"));
    }

    #[test]
    fn what_a_deleted_topic_has_left_need_not_be_readable() {
        let mut told = Tale::with_old();
        let fault = Some("CRC".to_owned());
        let left = BTreeMap::from([(target(OLD), StoredLog { fault, ..StoredLog::default() })]);
        told.delete(Outcome::Done);
        told.checker.check(&left, |_| true);
        assert_eq!(told.broken(), []);
    }

    #[test]
    fn what_is_appended_to_a_deleted_topic_is_refused() {
        let mut told = Tale::with_old();
        told.delete(Outcome::Done);
        told.append(2, OLD, false);
        told.tell(Entry::Error { append: AppendId(2), error: 100 });
        assert_eq!(told.broken(), []);
        told.append(3, OLD, false);
        told.tell(Entry::Ok { append: AppendId(3), base_offset: 1, append_ms: -1 });
        assert!(misread(&told.broken(), "it was deleted"));
    }

    #[test]
    fn a_topic_that_nobody_deletes_is_served() {
        let mut told = Tale::with_old();
        let question = told.ask(OLD, false);
        told.tell(Entry::Told { question, told: Told::Error(100) });
        assert!(misread(&told.broken(), "nobody has deleted it"));
        let question = told.ask(OLD, false);
        told.delete(Outcome::Unknown);
        told.tell(Entry::Told { question, told: Told::Error(100) });
        assert_eq!(told.broken(), []);
        told.tell(Entry::Crashed(Crash::Killed));
        assert_eq!(told.checker.life(&target(OLD)), Life::Unsure);
    }

    #[test]
    fn the_next_topic_of_a_name_has_nothing_of_the_last() {
        let mut told = Tale::with_old();
        told.delete(Outcome::Done);
        told.make(NEW);
        told.append(2, NEW, false);
        let question = told.ask(NEW, false);
        told.fetched(question, &[10]);
        assert!(matches!(told.broken()[0], Broken::Unasked { why: "was sent elsewhere", .. }));
        let mut told = Tale::with_old();
        told.delete(Outcome::Done);
        told.make(NEW);
        let question = told.ask(NEW, false);
        let ended = Fetched { high_watermark: 1, last_stable: 1, ..Fetched::default() };
        told.tell(Entry::Told { question, told: Told::Fetched(ended) });
        assert!(misread(&told.broken(), "no more than 0"));
        let mut told = Tale::with_old();
        told.delete(Outcome::Done);
        told.make(OLD);
        assert!(matches!(told.broken()[..], [Broken::Metadata { .. }]));
    }

    #[test]
    fn what_goes_by_a_name_comes_to_whoever_has_it() {
        let mut told = Tale::with_old();
        told.append(2, OLD, true);
        let question = told.ask(OLD, true);
        told.delete(Outcome::Done);
        told.make(NEW);
        told.tell(Entry::Ok { append: AppendId(2), base_offset: 0, append_ms: -1 });
        told.fetched(question, &[10]);
        let question = told.ask(NEW, false);
        told.fetched(question, &[20]);
        assert_eq!(told.broken(), []);
    }
}
