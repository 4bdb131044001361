//! Logs of partitions that are new: their directories are made before anybody hears of them.
//!
//! Each gets its directory with `partition.metadata` in it, in four steps: the file is written under
//! another name, synced, named, and the directories' entries are synced. Each step is one for all partitions
//! of a wave, so that a thousand topics cost a few syncs that run side by side. A crash leaves directories
//! that the next start completes, or finds to be nobody's; none in which the file is there and empty, which
//! keeps Kafka from starting.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::broker::image::{Image, Topic};
use crate::broker::{Broker, LiveLog, Output, PartitionState, Purpose};
use crate::checkpoint::PartitionMetadata;
use crate::effect::{Completion, Effect, FileRef, Operation, Path, SyncSet};
use crate::event::Event;
use crate::ids::{DirectoryIndex, LogId, Uuid};
use crate::log::{Log, LogConfig, LogParts};

/// Partitions of one wave in a log directory: their files stay open until they are synced, and there are
/// only so many descriptors.
const WAVE_PARTITIONS_MAX: usize = 256;
/// Partitions whose directories one effect makes: many small operations should not keep a worker for long.
const EFFECT_PARTITIONS_MAX: usize = 32;

/// Logs that are being made for the image to come.
#[derive(Debug, Default)]
pub(in crate::broker) struct NewLogs {
    waiting: BTreeMap<DirectoryIndex, VecDeque<NewLog>>,
    waves: BTreeMap<DirectoryIndex, Wave>,
    /// To be taken into use with the image.
    made: Vec<NewLog>,
    /// Their log directory is not there.
    lost: Vec<NewLog>,
}

#[derive(Debug)]
struct NewLog {
    topic: Arc<Topic>,
    partition: i32,
    /// `None`: nowhere.
    home: Option<Home>,
}

#[derive(Debug)]
struct Home {
    directory: DirectoryIndex,
    path: Path,
    /// `partition.metadata` before it has that name.
    unnamed: FileRef,
}

/// The partitions that are being made together in a log directory.
#[derive(Debug)]
struct Wave {
    logs: Vec<NewLog>,
    step: Step,
    /// Effects of the step.
    out: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write,
    Sync,
    Name,
    SyncEntries,
}

impl NewLogs {
    /// Nothing is left to be made.
    pub(in crate::broker) fn are_made(&self) -> bool {
        self.waiting.is_empty() && self.waves.is_empty()
    }

    /// The log directory is offline: what was to be made there will not be.
    pub(in crate::broker) fn forget_directory(&mut self, index: DirectoryIndex) {
        self.lost.extend(self.waiting.remove(&index).unwrap_or_default());
        self.lost.extend(self.waves.remove(&index).into_iter().flat_map(|wave| wave.logs));
    }
}

impl Broker {
    /// Begins to make the logs that `next` has and the present image has not, of the topics that are
    /// not the same.
    pub(in crate::broker) fn make_new_logs<'a>(
        &mut self,
        next: &Image,
        touched: impl IntoIterator<Item = &'a Uuid>,
    ) {
        let node_id = self.config.node_id;
        let mut placement = None;
        for id in touched {
            let Some(topic) = next.topics_by_id.get(id) else { continue };
            for (index, partition) in &topic.partitions {
                let is_led = partition.leader_here(node_id) == node_id;
                if !is_led || self.partitions.contains_key(&(*id, *index)) {
                    continue;
                }
                let name = format!("{}-{index}", topic.name);
                let home = self.home_of(partition, || self.counted(&mut placement).next()).ok();
                let home = home.map(|directory| {
                    let path = self.directory(directory).path.join(&name);
                    let unnamed = path.join(&format!("{}.tmp", PartitionMetadata::FILE));
                    let unnamed = FileRef { id: self.numbering.file(), path: unnamed };
                    Home { directory, path, unnamed }
                });
                let log = NewLog { topic: Arc::clone(topic), partition: *index, home };
                match &log.home {
                    Some(home) => {
                        self.new_logs.waiting.entry(home.directory).or_default().push_back(log);
                    }
                    None => self.new_logs.lost.push(log),
                }
            }
        }
        self.start_waves();
    }

    /// Starts a wave in each log directory where some wait and none is under way.
    pub(in crate::broker) fn start_waves(&mut self) {
        let waiting: Vec<DirectoryIndex> = self.new_logs.waiting.keys().copied().collect();
        for index in waiting {
            if self.new_logs.waves.contains_key(&index) {
                continue;
            }
            let logs = self.next_wave(index);
            if logs.is_empty() {
                continue;
            }
            self.new_logs.waves.insert(index, Wave { logs, step: Step::Write, out: 0 });
            self.take_step(index);
        }
    }

    /// Those that may be made now: no earlier partition of the name has its directory there.
    fn next_wave(&mut self, index: DirectoryIndex) -> Vec<NewLog> {
        let mut queue = self.new_logs.waiting.remove(&index).unwrap_or_default();
        let mut held_back = VecDeque::new();
        let mut logs = Vec::new();
        while logs.len() < WAVE_PARTITIONS_MAX
            && let Some(log) = queue.pop_front()
        {
            let is_taken =
                log.home.as_ref().is_some_and(|home| self.leaving_logs.has_path(&home.path));
            if is_taken {
                held_back.push_back(log);
            } else {
                logs.push(log);
            }
        }
        held_back.append(&mut queue);
        if !held_back.is_empty() {
            self.new_logs.waiting.insert(index, held_back);
        }
        logs
    }

    pub(in crate::broker) fn handle_new_logs(&mut self, index: DirectoryIndex, result: Completion) {
        if let Err(error) = result.into_result() {
            return self.fail_directory(index, &error);
        }
        let Some(wave) = self.new_logs.waves.get_mut(&index) else { return };
        wave.out -= 1;
        if wave.out > 0 {
            return;
        }
        wave.step = match wave.step {
            Step::Write => Step::Sync,
            Step::Sync => Step::Name,
            Step::Name => Step::SyncEntries,
            Step::SyncEntries => {
                let wave = self.new_logs.waves.remove(&index);
                self.new_logs.made.extend(wave.into_iter().flat_map(|wave| wave.logs));
                return self.start_waves();
            }
        };
        self.take_step(index);
    }

    /// Emits the effects of a wave's step.
    fn take_step(&mut self, index: DirectoryIndex) {
        let directory = self.directory(index).path.clone();
        let Some(wave) = self.new_logs.waves.get_mut(&index) else { return };
        let homes = || wave.logs.iter().filter_map(|log| Some((log, log.home.as_ref()?)));
        let effects = match wave.step {
            Step::Write => in_parts(homes().map(|(log, home)| home.write(log.topic.id))),
            Step::Sync => {
                let files = homes().map(|(_, home)| home.unnamed.clone()).collect();
                vec![Effect::Sync(SyncSet { directory, files, directories: Vec::new() })]
            }
            Step::Name => in_parts(homes().map(|(_, home)| home.name())),
            Step::SyncEntries => {
                let mut directories: Vec<Path> =
                    homes().map(|(_, home)| home.path.clone()).collect();
                directories.push(directory.clone());
                vec![Effect::Sync(SyncSet { directory, files: Vec::new(), directories })]
            }
        };
        wave.out = effects.len();
        for effect in effects {
            self.emit(effect, Purpose::NewLogs(index));
        }
    }

    /// Takes the new logs into use: the image that has them is about to be seen.
    pub(in crate::broker) fn take_new_logs(&mut self) {
        for log in core::mem::take(&mut self.new_logs.made) {
            match &log.home {
                Some(home) if self.directory(home.directory).is_online() => self.add_new_log(log),
                _ => self.new_logs.lost.push(log),
            }
        }
        for NewLog { topic, partition, home } in core::mem::take(&mut self.new_logs.lost) {
            self.partitions.insert((topic.id, partition), PartitionState::Offline);
            let reason = match home {
                Some(home) => format!("{} could not be made", home.path),
                None => "its log directory is not online".into(),
            };
            let partition = format!("{}-{partition}", topic.name);
            self.push(Output::Event(Event::PartitionOffline { partition, reason }));
        }
    }

    fn add_new_log(&mut self, NewLog { topic, partition, home }: NewLog) {
        let Some(Home { directory, path, .. }) = home else { return };
        let log = Log::new(LogParts::empty(path, directory, LogConfig::from(&topic.config)));
        let name = Arc::clone(&topic.name);
        let id: LogId = self.add_log(LiveLog { log, topic_id: topic.id, topic: name, partition });
        self.partitions.insert((topic.id, partition), PartitionState::Online(id));
    }
}

impl Home {
    fn write(&self, topic_id: Uuid) -> Vec<Operation> {
        let content = PartitionMetadata { topic_id }.format();
        let data = vec![content.into()];
        vec![
            Operation::MakeDirectory(self.path.clone()),
            Operation::Create(self.unnamed.clone()),
            Operation::Write { file: self.unnamed.clone(), position: 0, data },
        ]
    }

    fn name(&self) -> Vec<Operation> {
        let from = self.unnamed.path.clone();
        let to = self.path.join(PartitionMetadata::FILE);
        vec![Operation::Close(self.unnamed.clone()), Operation::Rename { from, to }]
    }
}

/// Effects with the operations of a bounded number of partitions each.
fn in_parts(partitions: impl Iterator<Item = Vec<Operation>>) -> Vec<Effect> {
    let partitions: Vec<_> = partitions.collect();
    let parts = partitions.chunks(EFFECT_PARTITIONS_MAX);
    parts.map(|part| Effect::Operations(part.concat())).collect()
}
