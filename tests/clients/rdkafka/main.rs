//! Creates, configures, grows and deletes a topic; writes to it with every codec, with and without
//! idempotence, and reads everything back; finds the next topic of its name empty; reads in groups.

mod groups;

use std::{env, time::Duration};

use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaResult,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    types::RDKafkaErrorCode as Code,
};
use records::{Record, eventually, expect};

const TOPIC: &str = "administered";
const WAIT: Duration = Duration::from_secs(60);
/// Of all kinds, the one of 900 kB that each codec makes smaller.
const TEXT: usize = 7;

#[tokio::main]
async fn main() {
    let client = Client::new();
    client.create(2, &[("segment.bytes", "1048576")]).await.unwrap();
    assert_eq!(client.create(2, &[]).await, Err(Code::TopicAlreadyExists));
    client.expect_partitions(2).await;
    client.check_configs().await;
    client.grow(3).await.unwrap();
    assert_eq!(client.grow(1).await, Err(Code::InvalidPartitions));
    client.expect_partitions(3).await;

    client.check_every_codec().await;

    client.delete().await.unwrap();
    client.expect_partitions(0).await;
    assert_eq!(client.delete().await, Err(Code::UnknownTopicOrPartition));
    client.create(3, &[]).await.unwrap();
    client.expect_partitions(3).await;
    for partition in 0..3 {
        assert_eq!(client.end(partition), 0, "a new topic has old records");
    }
    client.expect_config("segment.bytes", "1073741824").await;
    client.delete().await.unwrap();
    groups::check(&client).await;
    println!("rdkafka: all records read back");
}

struct Client {
    settings: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    options: AdminOptions,
}

impl Client {
    fn new() -> Self {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", env::var("BOOTSTRAP").unwrap());
        let admin = settings.create().unwrap();
        Self { settings, admin, options: AdminOptions::new().operation_timeout(Some(WAIT)) }
    }

    async fn create(&self, partitions: i32, settings: &[(&str, &str)]) -> Result<(), Code> {
        let mut topic = NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        only(self.admin.create_topics(&[topic], &self.options).await)
    }

    async fn grow(&self, count: usize) -> Result<(), Code> {
        let grown = NewPartitions::new(TOPIC, count);
        only(self.admin.create_partitions(&[grown], &self.options).await)
    }

    async fn delete(&self) -> Result<(), Code> {
        only(self.admin.delete_topics(&[TOPIC], &self.options).await)
    }

    async fn expect_partitions(&self, count: usize) {
        let holds = async || {
            let listed = self.admin.inner().fetch_metadata(None, WAIT).unwrap();
            let topic = listed.topics().iter().find(|topic| topic.name() == TOPIC);
            topic.map_or(0, |topic| topic.partitions().len()) == count
        };
        eventually(holds, &format!("{count} partitions")).await;
    }

    /// This crate has only the older call, which sets what it names, and resets everything else.
    async fn check_configs(&self) {
        self.expect_config("segment.bytes", "1048576").await;
        let changes = [("retention.ms", "86400000"), ("cleanup.policy", "delete,compact")];
        self.alter(&changes).await.unwrap();
        self.expect_config("retention.ms", "86400000").await;
        self.expect_config("cleanup.policy", "delete,compact").await;
        self.expect_config("segment.bytes", "1073741824").await;
        self.alter(&[("segment.bytes", "1048576")]).await.unwrap();
        self.expect_config("retention.ms", "604800000").await;
    }

    async fn alter(&self, changes: &[(&str, &str)]) -> Result<(), Code> {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(TOPIC));
        for (key, value) in changes {
            change = change.set(key, value);
        }
        let mut altered = self.admin.alter_configs(&[change], &self.options).await.unwrap();
        altered.remove(0).map(drop).map_err(|(_, code)| code)
    }

    async fn expect_config(&self, key: &str, value: &str) {
        let holds = async || {
            let topic = ResourceSpecifier::Topic(TOPIC);
            let described = self.admin.describe_configs(&[topic], &self.options).await.unwrap();
            described[0].as_ref().unwrap().get(key).unwrap().value.as_deref() == Some(value)
        };
        eventually(holds, key).await;
    }

    async fn check_every_codec(&self) {
        let all = records::all();
        let mut written = vec![vec![]; 3];
        for (number, codec) in records::CODECS.iter().enumerate() {
            for idempotence in ["false", "true"] {
                let what = format!("{codec}, idempotence {idempotence}");
                let partition = number % 3;
                self.produce(TOPIC, partition as i32, &all, codec, idempotence).await;
                // It sends what a codec does not make smaller without: not the text, nor many small ones.
                let start = written[partition].len();
                for n in [TEXT, all.len() - 1] {
                    let found = records::codec_at(TOPIC, partition, (start + n) as i64);
                    assert_eq!(found, *codec, "{what}: on disk");
                }
                let here: &mut Vec<Record> = &mut written[partition];
                here.extend_from_slice(&all);
                let middle = here.len() - 500;
                for start in [0, middle] {
                    let found = self.consume(partition as i32, start, here.len() - start);
                    expect(&found, start, &here[start..], &what);
                }
                assert_eq!(self.end(partition as i32), here.len() as i64, "{what}: the end");
            }
        }
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(TOPIC, 0, Offset::Offset(all[12].timestamp_ms)).unwrap();
        let found = self.consumer().offsets_for_times(asked, WAIT).unwrap();
        assert_eq!(found.elements()[0].offset(), Offset::Offset(12), "the offset of a timestamp");
    }

    async fn produce(
        &self,
        topic: &str,
        partition: i32,
        all: &[Record],
        codec: &str,
        idempotence: &str,
    ) {
        let producer: FutureProducer = self
            .settings
            .clone()
            .set("compression.type", codec)
            .set("enable.idempotence", idempotence)
            .set("linger.ms", "20")
            .create()
            .unwrap();
        let mut sent = Vec::new();
        for record in all {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: value.as_ref() });
            }
            let mut asked = FutureRecord::<Vec<u8>, Vec<u8>>::to(topic)
                .partition(partition)
                .timestamp(record.timestamp_ms)
                .headers(headers);
            asked.key = record.key.as_ref();
            asked.payload = record.value.as_ref();
            sent.push(producer.send_result(asked).unwrap());
        }
        for report in sent {
            report.await.unwrap().unwrap();
        }
    }

    /// A group id is asked for, and not used: partitions are assigned, nothing is committed.
    fn consumer(&self) -> BaseConsumer {
        let mut settings = self.settings.clone();
        settings.set("group.id", "none").set("enable.auto.commit", "false").create().unwrap()
    }

    fn consume(&self, partition: i32, start: usize, count: usize) -> Vec<(i64, Record)> {
        let consumer = self.consumer();
        let mut places = TopicPartitionList::new();
        places.add_partition_offset(TOPIC, partition, Offset::Offset(start as i64)).unwrap();
        consumer.assign(&places).unwrap();
        (0..count)
            .map(|_| as_record(&consumer.poll(WAIT).expect("a record in time").unwrap()))
            .collect()
    }

    fn end(&self, partition: i32) -> i64 {
        self.consumer().fetch_watermarks(TOPIC, partition, WAIT).unwrap().1
    }
}

fn only<T>(answer: KafkaResult<Vec<Result<T, (String, Code)>>>) -> Result<(), Code> {
    answer.unwrap().remove(0).map(drop).map_err(|(_, code)| code)
}

fn as_record(message: &BorrowedMessage<'_>) -> (i64, Record) {
    let Timestamp::CreateTime(timestamp_ms) = message.timestamp() else {
        panic!("a timestamp of another kind: {:?}", message.timestamp());
    };
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let record = Record {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.into(), header.value.map(<[u8]>::to_vec)))
            .collect(),
        timestamp_ms,
    };
    (message.offset(), record)
}
