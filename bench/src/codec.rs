//! Decoding and encoding, API by API, each in its newest version.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::api::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use klamm_core::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_core::api::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use klamm_core::codec::{Message, Reader};
use klamm_core::ids::Uuid;

use crate::Allocations;
use crate::arguments::Plan;
use crate::report::{Cell, Table};
use crate::workload::{Batch, TOPIC};

/// Topics and partitions of each, in the longer messages.
const TOPICS: i32 = 10;
const PARTITIONS: i32 = 10;

/// The clock is read once for so many.
const REPEATS: u32 = 64;

const COLUMNS: &[&str] =
    &["message", "bytes", "decode ns", "decode allocations", "encode ns", "encode allocations"];

/// Measures every message.
pub(crate) fn measure(plan: &Plan, allocations: Allocations) -> Table {
    let about = format!(
        "newest versions; {TOPICS} topics of {PARTITIONS} partitions in Metadata and \
         DescribeTopicPartitions; encoding goes into a buffer that is there; {} ms a figure, {} rounds",
        plan.effort.spin_ms, plan.effort.rounds,
    );
    let mut bench = Bench {
        table: Table::new("codec", about, COLUMNS),
        allocations,
        time: Duration::from_millis(plan.effort.spin_ms) / 4,
        rounds: plan.effort.rounds,
    };
    bench.add(&Batch::new(1024, 64 << 10).request([0]));
    bench.add(&produce_response());
    bench.add(&MetadataRequest { topics: Some(metadata_topics()), ..MetadataRequest::default() });
    bench.add(&metadata_response());
    bench.add(&ApiVersionsRequest {
        client_software_name: "apache-kafka-java".to_owned(),
        client_software_version: "4.3.1".to_owned(),
    });
    let api = |api_key| ApiVersion { api_key, min_version: 0, max_version: 13 };
    bench.add(&ApiVersionsResponse {
        api_keys: (0..60).map(api).collect(),
        ..ApiVersionsResponse::default()
    });
    bench.add(&DescribeTopicPartitionsRequest {
        topics: (0..TOPICS).map(|at| TopicRequest { name: topic_name(at) }).collect(),
        ..DescribeTopicPartitionsRequest::default()
    });
    bench.add(&describe_response());
    bench.table
}

struct Bench {
    table: Table,
    allocations: Allocations,
    time: Duration,
    rounds: usize,
}

impl Bench {
    fn add<M: Message>(&mut self, message: &M) {
        let version = *M::VERSIONS.end();
        let mut output = BytesMut::new();
        message.write(&mut output, version);
        let frame: Bytes = output.clone().freeze();
        let mut decode = Vec::new();
        let mut encode = Vec::new();
        for _ in 0..self.rounds {
            decode.push(self.spin(|| {
                let decoded = M::read(&mut Reader::new(black_box(&frame)), version);
                black_box(decoded).expect("it was encoded here");
            }));
            encode.push(self.spin(|| {
                output.clear();
                black_box(message).write(&mut output, version);
            }));
        }
        assert_eq!(output, frame, "{} reads as it was written", M::NAME);
        let nanos = |figures: &[(f64, f64)]| Cell::rounds(figures.iter().map(|(nanos, _)| *nanos));
        self.table.push(vec![
            Cell::Text(format!("{} v{version}", M::NAME)),
            Cell::Number(frame.len() as f64),
            nanos(&decode),
            Cell::Number(decode[0].1),
            nanos(&encode),
            Cell::Number(encode[0].1),
        ]);
    }

    /// Nanoseconds and allocations of one call.
    fn spin(&self, mut work: impl FnMut()) -> (f64, f64) {
        work();
        let allocations = (self.allocations)();
        let begun = Instant::now();
        let mut count = 0.0;
        while begun.elapsed() < self.time {
            (0..REPEATS).for_each(|_| work());
            count += f64::from(REPEATS);
        }
        let nanos = begun.elapsed().as_nanos() as f64;
        (nanos / count, ((self.allocations)() - allocations) as f64 / count)
    }
}

fn topic_name(at: i32) -> String {
    format!("{TOPIC}-{at}")
}

fn produce_response() -> ProduceResponse {
    let partition = PartitionProduceResponse { base_offset: 1 << 40, ..Default::default() };
    let topic = TopicProduceResponse {
        name: TOPIC.to_owned(),
        topic_id: Uuid([7; 16]),
        partition_responses: vec![partition],
    };
    ProduceResponse { responses: vec![topic], ..ProduceResponse::default() }
}

fn metadata_topics() -> Vec<MetadataRequestTopic> {
    let topic = |at| MetadataRequestTopic { name: Some(topic_name(at)), ..Default::default() };
    (0..TOPICS).map(topic).collect()
}

fn metadata_response() -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |at| MetadataResponseTopic {
        name: Some(topic_name(at)),
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: "localhost".to_owned(),
        port: 9092,
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qk".to_owned()),
        controller_id: 1,
        topics: (0..TOPICS).map(topic).collect(),
        ..Default::default()
    }
}

fn describe_response() -> DescribeTopicPartitionsResponse {
    let partition = |partition_index| DescribeTopicPartitionsResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 3,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |at| DescribeTopicPartitionsResponseTopic {
        name: Some(topic_name(at)),
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    DescribeTopicPartitionsResponse {
        topics: (0..TOPICS).map(topic).collect(),
        ..Default::default()
    }
}
