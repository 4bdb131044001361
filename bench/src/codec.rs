//! Decoding and encoding, API by API, each in its newest version.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use klamm_core::codec::{Message, Reader};

use crate::Allocations;
use crate::arguments::Plan;
use crate::batches::Batch;
use crate::messages::{self, PARTITIONS, TOPICS};
use crate::report::{Cell, Table};

/// The clock is read once for so many.
const REPEATS: u32 = 64;

const COLUMNS: &[&str] =
    &["message", "bytes", "decode ns", "decode allocations", "encode ns", "encode allocations"];

/// Measures every message.
pub(crate) fn measure(plan: &Plan, allocations: Allocations) -> Table {
    let about = format!(
        "newest versions; {TOPICS} topics of {PARTITIONS} partitions where there are many; encoding goes into a buffer that is there; {} ms a figure, {} rounds",
        plan.effort.spin_ms, plan.effort.rounds,
    );
    let mut bench = Bench {
        table: Table::new("codec", about, COLUMNS),
        allocations,
        time: Duration::from_millis(plan.effort.spin_ms) / 4,
        rounds: plan.effort.rounds,
    };
    bench.add(&Batch::new(1024, 64 << 10).request([0], -1));
    bench.add(&messages::produce_response());
    bench.add(&messages::fetch_request());
    bench.add(&messages::fetch_response());
    bench.add(&messages::list_offsets_request());
    bench.add(&messages::list_offsets_response());
    bench.add(&messages::metadata_request());
    bench.add(&messages::metadata_response());
    bench.add(&messages::api_versions_request());
    bench.add(&messages::api_versions_response());
    bench.add(&messages::create_topics_request());
    bench.add(&messages::create_topics_response());
    bench.add(&messages::init_producer_id_request());
    bench.add(&messages::init_producer_id_response());
    bench.add(&messages::describe_request());
    bench.add(&messages::describe_response());
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
