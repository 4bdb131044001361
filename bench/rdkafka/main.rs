//! Writes records through librdkafka, or reads them, and says how long that took.
//!
//! `klamm-bench-rdkafka SERVER TOPIC RECORDS produce CODEC PAYLOAD VALUE_BYTES` or `... consume`

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

type Failure = Box<dyn std::error::Error>;

/// No record may take this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Different values; a codec that looks far back finds none twice in a batch.
const VALUES: usize = 1_024;

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(elapsed) => {
            println!("seconds {}", elapsed.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("klamm-bench-rdkafka: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<Duration, Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [server, topic, records, work @ ..] = arguments.as_slice() else {
        return Err("SERVER TOPIC RECORDS ...".into());
    };
    let records = records.parse()?;
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", *server);
    match work {
        ["consume"] => consume(settings, topic, records),
        ["produce", codec, payload, value_bytes] => {
            settings.set("compression.type", *codec);
            produce(settings, topic, records, &values(payload, value_bytes.parse()?)?)
        }
        _ => Err("produce CODEC PAYLOAD VALUE_BYTES, or consume".into()),
    }
}

/// Says so when a record is not taken.
struct Watch;

impl ClientContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            // There is nothing to compare with a load that was not taken whole.
            panic!("a record is not taken: {error}");
        }
    }
}

/// As librdkafka comes, with acks=all.
fn produce(
    mut settings: ClientConfig,
    topic: &str,
    records: usize,
    values: &[Vec<u8>],
) -> Result<Duration, Failure> {
    settings.set("acks", "all");
    let producer: BaseProducer<Watch> = settings.create_with_context(Watch)?;
    // Connected before the clock runs.
    producer.client().fetch_metadata(Some(topic), PATIENCE)?;
    let begun = Instant::now();
    for value in values.iter().cycle().take(records) {
        let mut record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(value);
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = back;
            producer.poll(Duration::from_millis(10));
        }
    }
    producer.flush(PATIENCE)?;
    Ok(begun.elapsed())
}

/// Partition 0 from its begin, without a group.
fn consume(
    mut settings: ClientConfig,
    topic: &str,
    records: usize,
) -> Result<Duration, Failure> {
    settings.set("group.id", "none").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = settings.create()?;
    consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, 0, Offset::Beginning)?;
    let begun = Instant::now();
    consumer.assign(&places)?;
    for _ in 0..records {
        consumer.poll(PATIENCE).ok_or("no record in time")??;
    }
    Ok(begun.elapsed())
}

/// The payloads of klamm-bench's own client: random, half random, or one line again and again.
fn values(payload: &str, bytes: usize) -> Result<Vec<Vec<u8>>, Failure> {
    const LINE: &[u8] = b"the quick brown fox jumps over the lazy dog; ";
    let random = match payload {
        "random" => bytes,
        "half" => bytes / 2,
        "repetitive" => 0,
        _ => return Err(format!("there is no payload {payload}").into()),
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let value = |_| {
        let mut value: Vec<u8> = (0..random).map(|_| next()).collect();
        value.extend(LINE.iter().cycle().take(bytes - random));
        value
    };
    Ok((0..VALUES).map(value).collect())
}
