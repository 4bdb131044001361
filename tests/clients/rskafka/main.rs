//! Creates and deletes a topic, writes to it with every codec and reads everything back; finds the next
//! topic of its name empty. This crate sets no configs and adds no partitions.

use std::env;

use chrono::DateTime;
use records::{Record, eventually, expect};
use rskafka::{
    client::{
        Client, ClientBuilder,
        error::{Error, ProtocolError},
        partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling},
    },
    record::Record as Sent,
};

const TOPIC: &str = "administered";
const WAIT_MS: i32 = 30_000;

/// A batch may have a megabyte, and this crate makes one of what it is given.
const BATCH_BYTES: usize = 950_000;

#[tokio::main]
async fn main() {
    let client = ClientBuilder::new(vec![env::var("BOOTSTRAP").unwrap()]).build().await.unwrap();
    create(&client, 3).await.unwrap();
    expect_partitions(&client, 3).await;
    assert_eq!(create(&client, 3).await, Err(ProtocolError::TopicAlreadyExists));

    check_every_codec(&client).await;

    delete(&client).await.unwrap();
    expect_partitions(&client, 0).await;
    assert_eq!(delete(&client).await, Err(ProtocolError::UnknownTopicOrPartition));
    create(&client, 3).await.unwrap();
    expect_partitions(&client, 3).await;
    for partition in 0..3 {
        let end = connect(&client, partition).await.get_offset(OffsetAt::Latest).await.unwrap();
        assert_eq!(end, 0, "a new topic has old records");
    }
    delete(&client).await.unwrap();
    println!("rskafka: all records read back");
}

async fn create(client: &Client, partitions: i32) -> Result<(), ProtocolError> {
    let controller = client.controller_client().unwrap();
    controller.create_topic(TOPIC, partitions, 1, WAIT_MS).await.map_err(code)
}

async fn delete(client: &Client) -> Result<(), ProtocolError> {
    let controller = client.controller_client().unwrap();
    controller.delete_topic(TOPIC, WAIT_MS).await.map_err(code)
}

fn code(error: Error) -> ProtocolError {
    match error {
        Error::ServerError { protocol_error, .. } => protocol_error,
        other => panic!("{other}"),
    }
}

async fn expect_partitions(client: &Client, count: usize) {
    let holds = async || {
        let listed = client.list_topics().await.unwrap();
        let topic = listed.iter().find(|topic| topic.name == TOPIC);
        topic.map_or(0, |topic| topic.partitions.len()) == count
    };
    eventually(holds, &format!("{count} partitions")).await;
}

async fn connect(client: &Client, partition: i32) -> PartitionClient {
    client.partition_client(TOPIC, partition, UnknownTopicHandling::Retry).await.unwrap()
}

async fn check_every_codec(client: &Client) {
    let mut all: Vec<_> = records::all().into_iter().filter(can_be_sent).collect();
    for record in &mut all {
        record.headers.sort();
    }
    let mut written = vec![vec![]; 3];
    let codecs = [
        Compression::NoCompression,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (number, codec) in codecs.into_iter().enumerate() {
        let what = format!("{codec:?}");
        let partition = connect(client, number as i32 % 3).await;
        for batch in batches(&all) {
            partition.produce(batch, codec).await.unwrap();
        }
        let here: &mut Vec<Record> = &mut written[number % 3];
        here.extend_from_slice(&all);
        for start in [0, here.len() - 500] {
            let found = consume(&partition, start, here.len()).await;
            expect(&found, start, &here[start..], &what);
        }
        let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
        assert_eq!(end, here.len() as i64, "{what}: the end");
        assert_eq!(partition.get_offset(OffsetAt::Earliest).await.unwrap(), 0, "{what}: the start");
    }
}

/// Headers are a sorted map here, of names to bytes.
fn can_be_sent(record: &Record) -> bool {
    let mut names: Vec<_> = record.headers.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    names.len() == record.headers.len() && record.headers.iter().all(|(_, value)| value.is_some())
}

fn batches(all: &[Record]) -> Vec<Vec<Sent>> {
    let mut batches = vec![vec![]];
    let mut bytes = 0;
    for record in all {
        let size = record.value.as_ref().map_or(0, Vec::len);
        bytes += size;
        if bytes > BATCH_BYTES {
            batches.push(vec![]);
            bytes = size;
        }
        let headers = record.headers.iter().cloned();
        batches.last_mut().unwrap().push(Sent {
            key: record.key.clone(),
            value: record.value.clone(),
            headers: headers.map(|(name, value)| (name, value.unwrap())).collect(),
            timestamp: DateTime::from_timestamp_millis(record.timestamp_ms).unwrap(),
        });
    }
    batches
}

async fn consume(partition: &PartitionClient, start: usize, end: usize) -> Vec<(i64, Record)> {
    let mut found = Vec::new();
    while found.len() < end - start {
        let next = (start + found.len()) as i64;
        let (records, _) = partition.fetch_records(next, 1..10_000_000, 1000).await.unwrap();
        found.extend(records.into_iter().map(|fetched| {
            let Sent { key, value, headers, timestamp } = fetched.record;
            let headers = headers.into_iter().map(|(name, value)| (name, Some(value))).collect();
            let timestamp_ms = timestamp.timestamp_millis();
            (fetched.offset, Record { key, value, headers, timestamp_ms })
        }));
    }
    found
}
