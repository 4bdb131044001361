//! Members of a group read each record once while they come and go, eagerly and cooperatively; the next ones
//! go on from where the group stopped; the group is listed and deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    admin::{NewTopic, TopicReplication},
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer},
    types::RDKafkaErrorCode as Code,
};
use records::{Record, eventually, expect};
use tokio::{sync::Notify, task::JoinHandle};

use crate::{Client, WAIT, as_record};

const TOPIC: &str = "grouped";
const PARTITIONS: usize = 3;
/// What a member commits beside an offset.
const METADATA: &str = "as far as this, с приветом";

pub async fn check(client: &Client) {
    let topic = NewTopic::new(TOPIC, PARTITIONS as i32, TopicReplication::Fixed(1));
    client.admin.create_topics(&[topic], &client.options).await.unwrap().remove(0).unwrap();
    let mut story = Story { client, written: vec![vec![]; PARTITIONS] };
    for strategy in ["range", "cooperative-sticky"] {
        story.check(strategy).await;
    }
}

struct Story<'a> {
    client: &'a Client,
    /// To each partition of the topic.
    written: Vec<Vec<Record>>,
}

impl Story<'_> {
    async fn check(&mut self, strategy: &str) {
        let group = format!("readers-{strategy}");
        let settings = self.settings(&group, strategy);
        let join = || Member::join(&settings);
        let all = BTreeSet::from([0, 1, 2]);

        let first = join();
        eventually(async || first.owned() == all, "one owns all").await;
        self.read_on(&[&first]).await;
        let second = join();
        let is_shared = async || {
            let (one, other) = (first.owned(), second.owned());
            !one.is_empty() && !other.is_empty() && one.is_disjoint(&other) && &one | &other == all
        };
        eventually(is_shared, "two share").await;
        self.read_on(&[&first, &second]).await;
        self.check_shared(&group, strategy).await;
        let mut read = second.leave().await;
        assert!(!read.is_empty(), "{strategy}: the second was given nothing");
        eventually(async || first.owned() == all, "one owns all again").await;
        self.write().await;
        let left = self.count() - read.len();
        eventually(async || first.count() >= left, "everything is read").await;
        read.append(&mut first.leave().await);
        // Commits outlive the members.
        let third = join();
        self.write().await;
        let left = self.count() - read.len();
        eventually(async || third.count() >= left, "everything is read").await;
        read.append(&mut third.leave().await);

        for (partition, wanted) in self.written.iter().enumerate() {
            let here = read.iter().filter(|(owner, ..)| *owner == partition as i32);
            let mut found: Vec<_> =
                here.map(|(_, offset, record)| (*offset, record.clone())).collect();
            found.sort_by_key(|(offset, _)| *offset);
            expect(&found, 0, wanted, &format!("{strategy}: partition {partition}"));
        }
        self.check_empty(&group, &settings).await;
    }

    fn settings(&self, group: &str, strategy: &str) -> ClientConfig {
        let mut settings = self.client.settings.clone();
        settings
            .set("group.id", group)
            .set("partition.assignment.strategy", strategy)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500")
            .set("fetch.wait.max.ms", "100");
        settings
    }

    async fn write(&mut self) {
        let all = records::all();
        for partition in 0..PARTITIONS {
            let here: Vec<_> = all.iter().skip(partition).step_by(PARTITIONS).cloned().collect();
            self.client.produce(TOPIC, partition as i32, &here, "lz4", "true").await;
            self.written[partition].extend(here);
        }
    }

    async fn read_on(&mut self, members: &[&Member]) {
        self.write().await;
        let is_read = async || members.iter().map(|one| one.count()).sum::<usize>() >= self.count();
        eventually(is_read, "everything is read").await;
    }

    fn count(&self) -> usize {
        self.written.iter().map(Vec::len).sum()
    }

    /// What administrators see of two members, and may not do to them.
    async fn check_shared(&self, group: &str, strategy: &str) {
        eventually(async || self.state(group) == "Stable", "it is stable").await;
        let listed = self.client.admin.inner().fetch_group_list(Some(group), WAIT).unwrap();
        let [found] = listed.groups() else { panic!("{:?}", listed.groups()) };
        assert_eq!((found.protocol_type(), found.protocol()), ("consumer", strategy));
        assert_eq!(found.members().len(), 2);
        for member in found.members() {
            assert_eq!((member.client_id(), member.client_host()), ("rdkafka", "/127.0.0.1"));
            assert!(member.assignment().is_some_and(|assignment| !assignment.is_empty()));
        }
        assert_eq!(self.delete(group).await, Err(Code::NonEmptyGroup));
    }

    /// What a group leaves, and how it ends.
    async fn check_empty(&self, group: &str, settings: &ClientConfig) {
        eventually(async || self.state(group) == "Empty", "it is empty").await;
        for (partition, wanted) in self.written.iter().enumerate() {
            let end = Offset::Offset(wanted.len() as i64);
            assert_eq!(committed(settings, partition), (end, METADATA.into()), "committed");
        }
        self.delete(group).await.unwrap();
        let listed = self.client.admin.inner().fetch_group_list(None, WAIT).unwrap();
        assert!(!listed.groups().iter().any(|found| found.name() == group), "still listed");
        assert_eq!(committed(settings, 0).0, Offset::Invalid, "committed, behind its end");
        assert_eq!(self.delete(group).await, Err(Code::GroupIdNotFound));
    }

    fn state(&self, group: &str) -> String {
        let listed = self.client.admin.inner().fetch_group_list(Some(group), WAIT).unwrap();
        listed.groups()[0].state().to_owned()
    }

    async fn delete(&self, group: &str) -> Result<(), Code> {
        let mut deleted =
            self.client.admin.delete_groups(&[group], &self.client.options).await.unwrap();
        deleted.remove(0).map(drop).map_err(|(_, code)| code)
    }
}

fn committed(settings: &ClientConfig, partition: usize) -> (Offset, String) {
    let consumer: BaseConsumer = settings.create().unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition(TOPIC, partition as i32);
    let found = consumer.committed_offsets(asked, WAIT).unwrap();
    let [place] = &found.elements()[..] else { panic!("{found:?}") };
    (place.offset(), place.metadata().to_owned())
}

/// A consumer in a task of its own.
struct Member {
    consumer: Arc<StreamConsumer<Places>>,
    read: Arc<Mutex<Vec<(i32, i64, Record)>>>,
    is_leaving: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Member {
    fn join(settings: &ClientConfig) -> Self {
        let consumer: StreamConsumer<Places> =
            settings.create_with_context(Places::default()).unwrap();
        consumer.subscribe(&[TOPIC]).unwrap();
        let consumer = Arc::new(consumer);
        let read = Arc::new(Mutex::new(vec![]));
        let is_leaving = Arc::new(Notify::new());
        let task = tokio::spawn(run(consumer.clone(), read.clone(), is_leaving.clone()));
        Self { consumer, read, is_leaving, task }
    }

    fn owned(&self) -> BTreeSet<i32> {
        self.consumer.context().owned.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.read.lock().unwrap().len()
    }

    /// What it was given: partition, offset, record.
    async fn leave(self) -> Vec<(i32, i64, Record)> {
        self.is_leaving.notify_one();
        self.task.await.unwrap();
        // It leaves when it is dropped.
        tokio::task::spawn_blocking(|| drop(self.consumer)).await.unwrap();
        std::mem::take(&mut self.read.lock().unwrap())
    }
}

async fn run(
    consumer: Arc<StreamConsumer<Places>>,
    read: Arc<Mutex<Vec<(i32, i64, Record)>>>,
    is_leaving: Arc<Notify>,
) {
    loop {
        let message = tokio::select! {
            message = consumer.recv() => message.unwrap(),
            () = is_leaving.notified() => return,
        };
        let (offset, record) = as_record(&message);
        let partition = message.partition();
        consumer.context().positions.lock().unwrap().insert(partition, offset + 1);
        read.lock().unwrap().push((partition, offset, record));
    }
}

/// What a member owns and has read, which it commits before it is taken away.
#[derive(Default)]
struct Places {
    owned: Mutex<BTreeSet<i32>>,
    positions: Mutex<BTreeMap<i32, i64>>,
}

impl ClientContext for Places {}

impl ConsumerContext for Places {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(taken) = rebalance else { return };
        let mut offsets = TopicPartitionList::new();
        for place in taken.elements() {
            if let Some(next) = self.positions.lock().unwrap().remove(&place.partition()) {
                let mut commit = offsets.add_partition(TOPIC, place.partition());
                commit.set_offset(Offset::Offset(next)).unwrap();
                commit.set_metadata(METADATA);
            }
        }
        if offsets.count() > 0 {
            consumer.commit(&offsets, CommitMode::Sync).unwrap();
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut owned = self.owned.lock().unwrap();
        match rebalance {
            Rebalance::Assign(given) => {
                owned.extend(given.elements().iter().map(|one| one.partition()))
            }
            Rebalance::Revoke(taken) => {
                for place in taken.elements() {
                    owned.remove(&place.partition());
                }
            }
            Rebalance::Error(error) => panic!("{error}"),
        }
    }
}
