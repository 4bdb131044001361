//! What the broker makes known of its topics, in memory and on the disk: each image that it
//! publishes is a look at all names at once, and when it has stopped in good order, the directories
//! of its partitions are those of the topics that are there.

use std::collections::BTreeSet;

use klamm_core::broker::image::{ConfigResource, Image};
use klamm_core::ids::Uuid;

use super::World;
use crate::history::{Entry, PASSING, Subject, TopicPartition, is_passing};
use crate::marks::Group;
use crate::metadata::{Change, Life, Outcome, Settings, Sighting};
use crate::reader::target_of;
use crate::setup::NODE_ID;

impl World {
    /// Looks at the image, if it is a new one.
    pub(super) fn look_at_image(&mut self) {
        let Some(process) = self.process.as_ref().filter(|process| process.was_ready) else {
            return;
        };
        let (image, last) = (std::sync::Arc::clone(&process.image), self.metadata_offset);
        if image.metadata_offset < last {
            let offset = image.metadata_offset;
            self.fail(format!("the image goes back to record {offset}, it had {last}"));
        }
        if image.metadata_offset == last {
            return;
        }
        self.metadata_offset = image.metadata_offset;
        if self.options.passing_topics == 0 {
            return;
        }
        for index in 0..self.options.passing_topics {
            let name = format!("{PASSING}{index}");
            let seen = match seen_of_topic(&image, &name) {
                Ok(seen) => seen,
                Err(what) => return self.fail(what),
            };
            self.mark_topic(&name, &seen);
            self.look(Subject::Topic(name), seen);
        }
        for name in [NODE_ID.to_string(), String::new()] {
            let resource =
                ConfigResource { resource_type: ConfigResource::BROKER, name: name.clone() };
            let settings = Some(settings_of(&image, &resource));
            let seen = Outcome::Seen(Sighting { settings, ..Sighting::default() });
            self.look(Subject::Broker(name), seen);
        }
    }

    fn mark_topic(&mut self, name: &str, seen: &Outcome) {
        let Outcome::Seen(now) = seen else {
            if self.seen_topics.get(name).is_some_and(|(_, is_there)| *is_there) {
                self.marks.hit(Group::Topic, "gone");
            }
            self.seen_topics.entry(name.to_owned()).and_modify(|(_, is_there)| *is_there = false);
            return;
        };
        let before = self.seen_topics.insert(name.to_owned(), (now.clone(), true));
        match before {
            None => self.marks.hit(Group::Topic, "made"),
            Some((before, _)) if before.id != now.id => {
                self.marks.hit(Group::Topic, "made again");
            }
            Some((before, _)) => {
                if before.partitions != now.partitions {
                    self.marks.hit(Group::Topic, "grown");
                }
                if before.settings != now.settings {
                    self.marks.hit(Group::Topic, "told other settings");
                }
            }
        }
    }

    fn look(&mut self, subject: Subject, outcome: Outcome) {
        let change = self.history.next_change();
        self.record(Entry::Changing { change, subject, what: Change::Look });
        self.record(Entry::Changed { change, outcome });
    }

    /// Partitions that are sure to be there.
    fn partitions_there(&self) -> impl Iterator<Item = TopicPartition> {
        let always = (0..self.options.topics).flat_map(|topic| {
            let name = format!("topic{topic}");
            (0..self.options.partitions as i32)
                .map(move |partition| TopicPartition::new(&name, Uuid::ZERO, partition))
        });
        always.chain(self.checker.passing_partitions())
    }

    /// The broker has stopped in good order: its partitions' directories are those of the topics
    /// that are there.
    pub(super) fn check_directories(&mut self) {
        self.observe();
        let mut found = Vec::new();
        for log_dir in &self.config.log_dirs {
            for directory in self.disk.directories_in(log_dir) {
                let is_named = TopicPartition::of_directory(directory.name(), || None).is_some()
                    || directory.name().rsplit_once('-').is_some_and(|(topic, partition)| {
                        is_passing(topic) && partition.parse::<i32>().is_ok()
                    });
                match target_of(&self.disk, &directory) {
                    Some(target) => found.push((target, directory)),
                    None if is_named => {
                        return self.fail(format!("{directory} does not say whose it is"));
                    }
                    None => {}
                }
            }
        }
        let dead = found.iter().find(|(target, _)| self.checker.life(target) == Life::Over);
        if let Some((target, directory)) = dead {
            self.fail(format!("{directory} is there, and {target} was deleted"));
            return;
        }
        let there: BTreeSet<TopicPartition> = found.into_iter().map(|(target, _)| target).collect();
        let missing = self.partitions_there().find(|target| {
            !there.contains(target) && !self.offline.contains_key(&target.directory())
        });
        if let Some(target) = missing {
            self.fail(format!("{target} is there, and has no directory"));
        }
    }
}

/// What an image has of a name; an error for half a topic.
fn seen_of_topic(image: &Image, name: &str) -> Result<Outcome, String> {
    let topic = image.topics.get(name);
    let by_id = image.topics_by_id.values().find(|topic| &*topic.name == name);
    if topic != by_id {
        return Err(format!("the image has {name} as {topic:?} and as {by_id:?}"));
    }
    let settings = settings_of(image, &ConfigResource::topic(name));
    let Some(topic) = topic else {
        let is_left = !settings.is_empty();
        let left = || format!("the image has settings {settings:?} of {name}, which is not there");
        return if is_left { Err(left()) } else { Ok(Outcome::Absent) };
    };
    let count = topic.partitions.len() as i32;
    if !topic.partitions.keys().copied().eq(0..count) {
        return Err(format!("the image has partitions {:?} of {name}", topic.partitions.keys()));
    }
    let (id, partitions) = (Some(topic.id), Some(count));
    Ok(Outcome::Seen(Sighting { id, partitions, settings: Some(settings) }))
}

fn settings_of(image: &Image, resource: &ConfigResource) -> Settings {
    image.configs.get(resource).cloned().unwrap_or_default()
}
