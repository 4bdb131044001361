//! What a broker's answers promise of its disk, whoever has asked: read off the answers themselves,
//! so that a client needs no history, and held against what a power loss has left.
//!
//! | answered | promised |
//! |---|---|
//! | Produce | the batches lie where the answer says |
//! | Fetch | so does everything below the high watermark |
//! | CreateTopics, Metadata | the topic is there, with so many partitions |
//! | DeleteTopics | it is not |
//! | DeleteRecords | the log starts no earlier |
//! | OffsetCommit | `__consumer_offsets` has the offset, or one that was asked for later |
//!
//! A batch *lies there* when the segment's bytes up to its end are those that the driver had written
//! when the answer was given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use klamm_core::broker::image::Image;
use klamm_core::effect::Path;
use klamm_core::ids::{ConnectionId, RequestNumber, Uuid};
use klamm_core::request::{Acks, RequestBody, ResponseBody};

use crate::disk::Disk;
use crate::groups::Committed;
use crate::groups_log::read_groups;
use crate::history::TopicPartition;
use crate::reader::topic_id_in;

/// What a request asks for, as far as the meaning of its answer hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Batches of so many records, by topic and partition.
    Appends(Vec<(Uuid, i32, i64)>),
    /// Topics are to go, by their names or ids.
    Deletion(Vec<(Option<String>, Uuid)>),
    /// What would become of new topics.
    Trial,
    /// Offsets of a group are to be kept.
    Commits(Vec<Commit>),
    /// Offsets of these groups may go.
    Forgetting(Vec<String>),
}

/// What an answer says, as far as it promises something.
#[derive(Clone, Debug)]
pub enum Told {
    /// The first offset of each append, `None` for one that was refused.
    Appended(Vec<Option<i64>>),
    /// High watermarks, by topic and partition.
    Shown(Vec<(Uuid, i32, i64)>),
    /// New topics: name, id, partitions.
    Made(Vec<(String, Uuid, usize)>),
    /// Topics that are gone.
    Gone(Vec<Uuid>),
    /// Where logs start, by the topic's name and the partition.
    Started(Vec<(String, i32, i64)>),
    /// These are kept: topic, id and partition.
    Committed(Vec<(String, Uuid, i32)>),
    /// What there is.
    Seen(Arc<Image>),
}

/// An offset that a group commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    group: String,
    /// Its name, or its id.
    topic: (String, Uuid),
    partition: i32,
    committed: Committed,
}

impl Commit {
    fn all_of(request: &OffsetCommitRequest) -> Vec<Self> {
        let of_topic = |topic: &OffsetCommitRequestTopic| {
            let one = |part: &OffsetCommitRequestPartition| Self {
                group: request.group_id.clone(),
                topic: (topic.name.clone(), topic.topic_id),
                partition: part.partition_index,
                committed: Committed {
                    offset: part.committed_offset,
                    leader_epoch: part.committed_leader_epoch,
                    metadata: part.committed_metadata.clone().unwrap_or_default(),
                },
            };
            topic.partitions.iter().map(one).collect::<Vec<_>>()
        };
        request.topics.iter().flat_map(of_topic).collect()
    }
}

impl Asked {
    /// Of a request; `None` when its answer promises nothing by it.
    pub fn of(request: &RequestBody) -> Option<Self> {
        match request {
            RequestBody::Produce(command) if command.acks != Acks::None => {
                let appends = command.partitions.iter().map(|append| {
                    let count = append
                        .batch
                        .as_ref()
                        .map_or(0, |batch| i64::from(batch.info().last_offset_delta) + 1);
                    (append.topic_id, append.partition, count)
                });
                Some(Self::Appends(appends.collect()))
            }
            RequestBody::DeleteTopics { request, .. } => {
                let named = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
                let stated = request.topics.iter();
                let stated = stated.map(|topic| (topic.name.clone(), topic.topic_id));
                Some(Self::Deletion(named.chain(stated).collect()))
            }
            RequestBody::CreateTopics { request, .. } if request.validate_only => Some(Self::Trial),
            RequestBody::OffsetCommit { request, .. } => {
                Some(Self::Commits(Commit::all_of(request)))
            }
            RequestBody::OffsetDelete { request, .. } => {
                Some(Self::Forgetting(vec![request.group_id.clone()]))
            }
            RequestBody::DeleteGroups { request, .. } => {
                Some(Self::Forgetting(request.groups_names.clone()))
            }
            _ => None,
        }
    }
}

impl Told {
    /// By an answer; `None` when it promises nothing.
    pub fn by(answer: &ResponseBody) -> Option<Self> {
        match answer {
            ResponseBody::Produce(outcomes) => {
                let base = outcomes
                    .iter()
                    .map(|outcome| (outcome.error.0 == 0).then_some(outcome.base_offset));
                Some(Self::Appended(base.collect()))
            }
            ResponseBody::Fetch(response) => {
                let of_topic = |topic: &klamm_core::api::fetch::FetchableTopicResponse| {
                    let id = topic.topic_id;
                    let parts = topic.partitions.iter().filter(|part| part.error_code.0 == 0);
                    parts
                        .map(|part| (id, part.partition_index, part.high_watermark))
                        .collect::<Vec<_>>()
                };
                Some(Self::Shown(response.responses.iter().flat_map(of_topic).collect()))
            }
            ResponseBody::CreateTopics(response) => {
                let made = response.topics.iter();
                let made =
                    made.filter(|topic| topic.error_code.0 == 0 && topic.topic_id != Uuid::ZERO);
                let made = made.map(|topic| {
                    (topic.name.clone(), topic.topic_id, topic.num_partitions.max(1) as usize)
                });
                Some(Self::Made(made.collect()))
            }
            ResponseBody::DeleteTopics(response) => {
                let gone = response.responses.iter().filter(|topic| topic.error_code.0 == 0);
                Some(Self::Gone(gone.map(|topic| topic.topic_id).collect()))
            }
            ResponseBody::DeleteRecords(response) => {
                let of_topic =
                    |topic: &klamm_core::api::delete_records::DeleteRecordsTopicResult| {
                        let done = topic.partitions.iter().filter(|part| part.error_code.0 == 0);
                        let name = topic.name.clone();
                        done.map(|part| (name.clone(), part.partition_index, part.low_watermark))
                            .collect::<Vec<_>>()
                    };
                Some(Self::Started(response.topics.iter().flat_map(of_topic).collect()))
            }
            ResponseBody::OffsetCommit(response) => {
                let of_topic = |topic: &OffsetCommitResponseTopic| {
                    let kept = topic.partitions.iter().filter(|part| part.error_code.0 == 0);
                    let one = |part: &OffsetCommitResponsePartition| {
                        (topic.name.clone(), topic.topic_id, part.partition_index)
                    };
                    kept.map(one).collect::<Vec<_>>()
                };
                Some(Self::Committed(response.topics.iter().flat_map(of_topic).collect()))
            }
            ResponseBody::Query { image, .. } => Some(Self::Seen(Arc::clone(image))),
            _ => None,
        }
    }
}

/// All that has been promised so far.
#[derive(Debug, Default)]
pub struct Pledges {
    log_dirs: Vec<Path>,
    asked: BTreeMap<(ConnectionId, RequestNumber), Asked>,
    /// Topics that are there: name and number of partitions.
    topics: BTreeMap<Uuid, (String, usize)>,
    gone: BTreeSet<Uuid>,
    /// Topics that somebody has asked to delete.
    doomed: BTreeSet<Uuid>,
    /// Names that somebody has asked to delete, and how many have no answer.
    doomed_names: BTreeMap<String, u32>,
    ends: BTreeMap<(Uuid, i32), i64>,
    starts: BTreeMap<(String, i32), i64>,
    seen: Option<Arc<Image>>,
    /// What may be committed: those that are asked for since the last that was kept before they were, with the time
    /// of both in requests and answers.
    commits: BTreeMap<(String, TopicPartition), Vec<Kept>>,
    /// Groups whose offsets somebody has asked to delete.
    forgotten: BTreeSet<String>,
    steps: u64,
}

/// A commit, and when it was asked for and kept.
#[derive(Clone, Debug)]
struct Kept {
    committed: Committed,
    asked: u64,
    kept: Option<u64>,
}

impl Pledges {
    /// Nothing yet, of logs in these directories.
    pub fn new(log_dirs: Vec<Path>) -> Self {
        Self { log_dirs, ..Self::default() }
    }

    /// Somebody asks; `live` is the disk as it is now.
    pub fn asked(&mut self, at: (ConnectionId, RequestNumber), asked: &Asked, live: &Disk) {
        if let Asked::Deletion(topics) = asked {
            for (name, id) in topics {
                self.doomed.insert(*id);
                let Some(name) = name else { continue };
                *self.doomed_names.entry(name.clone()).or_default() += 1;
                let known = self.topics.iter().filter(|(_, (other, _))| other == name);
                self.doomed.extend(known.map(|(id, _)| *id));
                let homes = homes_of(live, &self.log_dirs).into_iter();
                let of_name = homes.filter(|(_, home)| topic_of(home) == name);
                self.doomed.extend(of_name.map(|((id, _), _)| id));
            }
        }
        self.steps += 1;
        match asked {
            Asked::Commits(commits) => {
                for commit in commits {
                    let committed = commit.committed.clone();
                    let asked = Kept { committed, asked: self.steps, kept: None };
                    self.commits.entry(self.key_of(commit)).or_default().push(asked);
                }
            }
            Asked::Forgetting(groups) => self.forgotten.extend(groups.iter().cloned()),
            _ => {}
        }
        self.asked.insert(at, asked.clone());
    }

    /// The group and the partition of a commit; a topic whose name nobody knows has its id for it.
    fn key_of(&self, commit: &Commit) -> (String, TopicPartition) {
        let (name, id) = &commit.topic;
        let known = || self.topics.get(id).map_or_else(|| id.to_string(), |(name, _)| name.clone());
        let topic = if name.is_empty() { known() } else { name.clone() };
        (commit.group.clone(), TopicPartition { topic, partition: commit.partition })
    }

    /// Of these commits, those that the answer names are kept.
    fn keep(&mut self, commits: &[Commit], told: &[(String, Uuid, i32)]) -> bool {
        self.steps += 1;
        let now = self.steps;
        let is_named = |commit: &&Commit| {
            told.iter().any(|(name, id, partition)| {
                let (own_name, own_id) = &commit.topic;
                let is_same = if own_name.is_empty() { own_id == id } else { own_name == name };
                is_same && *partition == commit.partition
            })
        };
        let mut is_more = false;
        for commit in commits.iter().filter(is_named) {
            let key = self.key_of(commit);
            let Some(all) = self.commits.get_mut(&key) else { continue };
            let is_it = |one: &&mut Kept| one.committed == commit.committed && one.kept.is_none();
            let Some(asked) = all.iter_mut().find(is_it).map(|one| {
                one.kept = Some(now);
                one.asked
            }) else {
                continue;
            };
            all.retain(|one| one.kept.is_none_or(|kept| kept > asked));
            is_more = true;
        }
        is_more
    }

    /// Somebody has asked to delete the group, its offsets, or the topic.
    fn may_be_forgotten(&self, (group, target): &(String, TopicPartition)) -> bool {
        let is_of_name =
            |id: &Uuid| self.topics.get(id).is_some_and(|(name, _)| *name == target.topic);
        self.forgotten.contains(group)
            || self.doomed_names.contains_key(&target.topic)
            || self.doomed.iter().any(is_of_name)
    }

    /// What lies in the log of groups is what was committed last.
    fn check_commits(&self, left: &Disk) -> Result<(), String> {
        let is_promised = |all: &Vec<Kept>| all.iter().any(|one| one.kept.is_some());
        if !self.commits.values().any(is_promised) {
            return Ok(());
        }
        let stored = read_groups(left, &self.log_dirs)?;
        let sure = self.commits.iter().filter(|(key, _)| !self.may_be_forgotten(key));
        for (key, all) in sure.filter(|(_, all)| is_promised(all)) {
            let found = stored.offsets.get(key);
            if !all.iter().any(|one| Some(&one.committed) == found) {
                let (group, target) = key;
                return Err(format!(
                    "group {group} has {found:?} for {target}, there may be {:?}",
                    all.iter().map(|one| &one.committed).collect::<Vec<_>>()
                ));
            }
        }
        Ok(())
    }

    /// Somebody is told. True when that promises more than was promised before.
    pub fn told(&mut self, at: (ConnectionId, RequestNumber), told: &Told) -> bool {
        let asked = self.asked.remove(&at);
        match told {
            Told::Appended(bases) => {
                let Some(Asked::Appends(appends)) = asked else { return false };
                let ends =
                    appends.iter().zip(bases).filter_map(|((id, partition, count), base)| {
                        Some(((*id, *partition), (*base)? + count))
                    });
                ends.fold(false, |more, (log, end)| self.raise_end(log, end) || more)
            }
            Told::Shown(ends) => {
                let by_id = ends.iter().filter(|(id, ..)| *id != Uuid::ZERO);
                by_id.fold(false, |more, (id, partition, end)| {
                    self.raise_end((*id, *partition), *end) || more
                })
            }
            Told::Made(_) if asked == Some(Asked::Trial) => false,
            Told::Made(topics) => topics.iter().fold(false, |more, (name, id, partitions)| {
                self.make(name, *id, *partitions) || more
            }),
            Told::Gone(ids) => {
                if let Some(Asked::Deletion(topics)) = asked {
                    topics.into_iter().filter_map(|(name, _)| name).for_each(|name| {
                        *self.doomed_names.entry(name).or_insert(1) -= 1;
                    });
                }
                self.gone.extend(ids.iter().filter(|id| **id != Uuid::ZERO));
                !ids.is_empty()
            }
            Told::Started(starts) => {
                for (name, partition, start) in starts {
                    let known = self.starts.entry((name.clone(), *partition)).or_default();
                    *known = (*known).max(*start);
                }
                !starts.is_empty()
            }
            Told::Committed(kept) => {
                let Some(Asked::Commits(commits)) = asked else { return false };
                self.keep(&commits, kept)
            }
            Told::Seen(image) => self.see(image),
        }
    }

    fn raise_end(&mut self, log: (Uuid, i32), end: i64) -> bool {
        let known = self.ends.entry(log).or_default();
        let is_more = end > *known;
        *known = end.max(*known);
        is_more
    }

    fn make(&mut self, name: &str, id: Uuid, partitions: usize) -> bool {
        if self.doomed_names.get(name).is_some_and(|open| *open > 0) {
            self.doomed.insert(id);
        }
        let known = self.topics.entry(id).or_insert_with(|| (name.to_owned(), 0));
        let is_more = partitions > known.1;
        known.1 = partitions.max(known.1);
        is_more
    }

    fn see(&mut self, image: &Arc<Image>) -> bool {
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, image)) {
            return false;
        }
        self.seen = Some(Arc::clone(image));
        let mut is_more = false;
        for topic in image.topics_by_id.values() {
            is_more |= self.make(&topic.name, topic.id, topic.partitions.len());
        }
        is_more
    }

    /// Holds the disk that a power loss and the start behind it have left against what was promised. `live` is
    /// as it was without them, `image` what is served.
    pub fn check(&self, live: &Disk, left: &Disk, image: &Image) -> Result<(), String> {
        for (id, (name, partitions)) in &self.topics {
            let found = image.topics_by_id.get(id).map_or(0, |topic| topic.partitions.len());
            if found < *partitions && !self.doomed.contains(id) {
                return Err(format!("topic {name} {id} has {found} partitions of {partitions}"));
            }
        }
        if let Some(id) = self.gone.iter().find(|id| image.topics_by_id.contains_key(id)) {
            return Err(format!("topic {id} was deleted, and is there"));
        }
        self.check_commits(left)?;
        let live_homes = homes_of(live, &self.log_dirs);
        let left_homes = homes_of(left, &self.log_dirs);
        for (log, end) in &self.ends {
            if self.doomed.contains(&log.0) {
                continue;
            }
            let home = |homes: &BTreeMap<(Uuid, i32), Path>| homes.get(log).cloned();
            let (Some(live_home), Some(left_home)) = (home(&live_homes), home(&left_homes)) else {
                return Err(format!("{}-{} has no directory", log.0, log.1));
            };
            check_log((live, &live_home), (left, &left_home), *end)?;
        }
        for ((name, partition), start) in &self.starts {
            let of_log = |home: &&Path| {
                topic_of(home) == name && home.name().ends_with(&format!("-{partition}"))
            };
            let is_doomed = self.doomed_names.contains_key(name);
            let home = left_homes.values().find(of_log).filter(|_| !is_doomed);
            let found = home.map(|home| start_of(left, home));
            if found.is_some_and(|found| found < *start) {
                return Err(format!("{name}-{partition} starts at {found:?}, told was {start}"));
            }
        }
        Ok(())
    }
}

/// The name of the topic whose partition lies there.
fn topic_of(home: &Path) -> &str {
    home.name().rsplit_once('-').map_or("", |(topic, _)| topic)
}

/// The directories of partitions, internal topics left out.
fn homes_of(disk: &Disk, log_dirs: &[Path]) -> BTreeMap<(Uuid, i32), Path> {
    let directories = log_dirs.iter().flat_map(|log_dir| disk.directories_in(log_dir));
    let of_partition = |home: Path| {
        let (topic, partition) = home.name().rsplit_once('-')?;
        let partition = partition.parse().ok().filter(|_| !topic.starts_with("__"))?;
        Some(((topic_id_in(disk, &home)?, partition), home))
    };
    directories.filter_map(of_partition).collect()
}

/// A log's segments by their base offsets.
fn segments_of<'a>(disk: &'a Disk, home: &Path) -> BTreeMap<i64, &'a [u8]> {
    let in_home = disk.files().into_iter().filter(|(path, _)| path.parent() == *home);
    let segments = in_home.filter_map(|(path, content)| {
        Some((path.name().strip_suffix(".log")?.parse().ok()?, content))
    });
    segments.collect()
}

/// Where a log starts: by the checkpoint of its log directory, or by its first segment.
fn start_of(disk: &Disk, home: &Path) -> i64 {
    let checkpoint = home.parent().join("log-start-offset-checkpoint");
    let text = disk.content(&checkpoint).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    // Behind the version and the number of lines: topic, partition, offset.
    let of_log = |line: &str| {
        let (log, offset) = line.rsplit_once(' ')?;
        let (topic, partition) = log.rsplit_once(' ')?;
        (format!("{topic}-{partition}") == home.name()).then(|| offset.parse().ok())?
    };
    let told = text.lines().find_map(of_log).unwrap_or(0);
    let first = segments_of(disk, home).keys().next().copied().unwrap_or(0);
    first.max(told)
}

/// The segments hold the same up to the promised end, from the log's start on.
fn check_log(live: (&Disk, &Path), left: (&Disk, &Path), end: i64) -> Result<(), String> {
    let start = start_of(live.0, live.1);
    let (written, found) = (segments_of(live.0, live.1), segments_of(left.0, left.1));
    let home = live.1;
    let mut reached = start;
    for (base, content) in written {
        let (length, next) = span_below(content, base, end);
        if next > start && length > 0 {
            let kept = found.get(&base).and_then(|content| content.get(..length));
            if kept != Some(&content[..length]) {
                return Err(format!(
                    "{home}: the segment from {base} on is not there up to offset {next}, position \
                     {length}"
                ));
            }
        }
        reached = reached.max(next);
    }
    if reached < end {
        return Err(format!("{home}: {end} was promised, and {reached} is written"));
    }
    Ok(())
}

/// How many bytes of a segment its batches below an offset take, and the offset behind them.
fn span_below(content: &[u8], base: i64, end: i64) -> (usize, i64) {
    const HEADER_BYTES: usize = 61;
    let (mut position, mut next) = (0, base);
    while next < end
        && let Some(header) = content.get(position..).and_then(<[u8]>::first_chunk::<HEADER_BYTES>)
    {
        let offset = header.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes));
        let number = |at: usize| {
            i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let size = usize::try_from(number(8)).map_or(0, |length| length + 12);
        if offset != next || size < HEADER_BYTES || position + size > content.len() {
            break;
        }
        position += size;
        next += i64::from(number(23)) + 1;
    }
    (position, next)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use klamm_core::batch::BatchBuilder;
    use klamm_core::broker::image::{Image, Partition, Topic};
    use klamm_core::checkpoint::PartitionMetadata;
    use klamm_core::config::TopicConfig;
    use klamm_core::effect::Path;
    use klamm_core::ids::{ConnectionId, RequestNumber, Uuid};

    use super::{Asked, Commit, Pledges, Told};
    use crate::disk::Disk;
    use crate::groups::Committed;

    const ID: Uuid = Uuid([7; 16]);
    const AT: (ConnectionId, RequestNumber) = (ConnectionId(1), RequestNumber(1));

    /// Topic `t` with one partition, and batches of one record each from offset 0 to `end`.
    fn disk(end: i64) -> Disk {
        let (mut disk, home) = (Disk::new(), Path::new("/d/t-0"));
        let metadata = PartitionMetadata { topic_id: ID }.format();
        disk.put(&home.join(PartitionMetadata::FILE), metadata.as_bytes());
        let batch = |offset| {
            let mut builder = BatchBuilder::new();
            builder.append(5, None, Some(b"value"));
            builder.encode(offset, 0)
        };
        let log: Vec<u8> = (0..end).flat_map(batch).collect();
        disk.put(&home.join("00000000000000000000.log"), &log);
        disk
    }

    fn image(partitions: i32) -> Image {
        let partitions = (0..partitions).map(|index| (index, Partition::default())).collect();
        let (name, config) = (Arc::from("t"), TopicConfig::default());
        let topic = Arc::new(Topic { name, id: ID, partitions, config });
        let mut image = Image::default();
        image.topics_by_id.insert(ID, topic);
        image
    }

    /// What is wrong with a disk and an image after this answer; `live` has three records.
    fn wrong(told: &Told, left: &Disk, served: &Image) -> Option<String> {
        let mut pledges = Pledges::new(vec![Path::new("/d")]);
        let live = disk(3);
        pledges.asked(AT, &Asked::Appends(vec![(ID, 0, 1)]), &live);
        assert!(pledges.told(AT, told), "it promises something");
        pledges.check(&live, left, served).err()
    }

    #[test]
    fn an_acknowledged_batch_lies_where_it_was_written() {
        let told = Told::Appended(vec![Some(1)]);
        assert_eq!(wrong(&told, &disk(2), &image(1)), None);
        assert!(wrong(&told, &disk(1), &image(1)).is_some_and(|what| what.contains("not there")));
        let unwritten = Told::Appended(vec![Some(3)]);
        let what = wrong(&unwritten, &disk(3), &image(1));
        assert!(what.is_some_and(|what| what.contains("4 was promised, and 3 is written")));
        let mut spoiled = disk(2);
        spoiled.flip(&Path::new("/d/t-0/00000000000000000000.log"), 80, 1);
        assert!(wrong(&told, &spoiled, &image(1)).is_some());
    }

    #[test]
    fn what_a_reader_was_shown_is_promised_too() {
        let told = Told::Shown(vec![(ID, 0, 3)]);
        assert_eq!(wrong(&told, &disk(3), &image(1)), None);
        assert!(wrong(&told, &disk(2), &image(1)).is_some());
    }

    #[test]
    fn topics_are_there_with_their_partitions_or_are_gone() {
        let told = Told::Made(vec![("t".to_owned(), ID, 2)]);
        assert_eq!(wrong(&told, &disk(0), &image(2)), None);
        assert!(wrong(&told, &disk(0), &image(1)).is_some());
        let seen = Told::Seen(Arc::new(image(2)));
        assert!(wrong(&seen, &disk(0), &Image::default()).is_some());
        let gone = Told::Gone(vec![ID]);
        assert_eq!(wrong(&gone, &disk(0), &Image::default()), None);
        assert!(wrong(&gone, &disk(0), &image(1)).is_some());
    }

    #[test]
    fn a_log_starts_no_earlier_than_was_told() {
        let told = Told::Started(vec![("t".to_owned(), 0, 2)]);
        let mut left = disk(3);
        assert!(wrong(&told, &left, &image(1)).is_some());
        left.put(&Path::new("/d/log-start-offset-checkpoint"), b"0\n1\nt 0 2\n");
        assert_eq!(wrong(&told, &left, &image(1)), None);
    }

    #[test]
    fn of_a_topic_that_may_be_deleted_nothing_is_promised() {
        let mut pledges = Pledges::new(vec![Path::new("/d")]);
        let live = disk(3);
        pledges.asked(AT, &Asked::Appends(vec![(ID, 0, 1)]), &live);
        assert!(pledges.told(AT, &Told::Appended(vec![Some(2)])));
        let left = Disk::new();
        assert!(pledges.check(&live, &left, &Image::default()).is_err());
        let deletion = Asked::Deletion(vec![(Some("t".to_owned()), Uuid::ZERO)]);
        pledges.asked((ConnectionId(2), RequestNumber(1)), &deletion, &live);
        assert_eq!(pledges.check(&live, &left, &Image::default()), Ok(()));
    }

    #[test]
    fn what_was_committed_lies_in_the_log_of_groups_unless_it_may_be_forgotten() {
        let commit = |offset| Commit {
            group: "g".to_owned(),
            topic: ("t".to_owned(), Uuid::ZERO),
            partition: 2,
            committed: Committed { offset, leader_epoch: -1, metadata: "m".to_owned() },
        };
        let left = |offset: u8| {
            let value = [&[0, 1, 0, 0, 0, 0, 0, 0, 0, offset, 0, 1, b'm'][..], &[0; 16]].concat();
            let mut builder = BatchBuilder::new();
            builder.append(5, Some(b"\0\x01\0\x01g\0\x01t\0\0\0\x02"), Some(&value));
            let mut disk = Disk::new();
            let log = Path::new("/d/__consumer_offsets-1/00000000000000000000.log");
            disk.put(&log, &builder.encode(0, 0));
            disk
        };
        let mut pledges = Pledges::new(vec![Path::new("/d")]);
        let (live, image) = (Disk::new(), Image::default());
        let told = Told::Committed(vec![("t".to_owned(), ID, 2)]);
        pledges.asked(AT, &Asked::Commits(vec![commit(7)]), &live);
        assert_eq!(pledges.check(&live, &Disk::new(), &image), Ok(()));
        assert!(pledges.told(AT, &told));
        assert_eq!(pledges.check(&live, &left(7), &image), Ok(()));
        assert!(pledges.check(&live, &Disk::new(), &image).is_err());
        pledges.asked(AT, &Asked::Commits(vec![commit(8)]), &live);
        assert_eq!(pledges.check(&live, &left(7), &image), Ok(()));
        assert_eq!(pledges.check(&live, &left(8), &image), Ok(()));
        assert!(pledges.told(AT, &told));
        assert!(pledges.check(&live, &left(7), &image).is_err());
        pledges.asked(AT, &Asked::Forgetting(vec!["g".to_owned()]), &live);
        assert_eq!(pledges.check(&live, &left(7), &image), Ok(()));
    }
}
