//! What it costs to look at a produced batch: the CRC alone, and every record in it too, codec by codec.

use std::hint::black_box;
use std::time::{Duration, Instant};

use klamm_core::batch::{Codec, ProduceRules, Step, check_produced, next_batch};
use klamm_core::config::{Limits, TopicConfig};
use klamm_core::time::Now;
use klamm_runtime::compression::Codecs;

use crate::Allocations;
use crate::arguments::Plan;
use crate::batches::{Batch, PRODUCE_VERSION, Payload, Shape, TOPIC, now_ms};
use crate::report::{Cell, Table};

const COLUMNS: &[&str] =
    &["batch", "bytes", "CRC alone us", "all checks us", "all checks MB/s", "allocations"];

const CODECS: [(&str, Option<Codec>); 5] = [
    ("none", None),
    ("gzip", Some(Codec::Gzip)),
    ("snappy", Some(Codec::Snappy)),
    ("lz4", Some(Codec::Lz4)),
    ("zstd", Some(Codec::Zstd)),
];

/// Measures every codec with two payloads.
pub(crate) fn measure(plan: &Plan, allocations: Allocations) -> Table {
    let about = format!(
        "batches of 64 KiB before their codec, records of 1 KiB; MB/s of bytes before the codec; {} ms a figure, {} rounds",
        plan.effort.spin_ms, plan.effort.rounds,
    );
    let mut table = Table::new("checks", about, COLUMNS);
    for payload in [Payload::Repetitive, Payload::Half] {
        for (name, codec) in CODECS {
            let shape = Shape { value_bytes: 1024, batch_bytes: 64 << 10, payload, codec };
            let label = format!("{name}, {}", payload.name());
            table.push(row(label, &Batch::of(shape), plan, allocations));
        }
    }
    table
}

fn row(label: String, batch: &Batch, plan: &Plan, allocations: Allocations) -> Vec<Cell> {
    let (config, limits) = (TopicConfig::default(), Limits::default());
    let codecs = Codecs::new(&limits);
    let rules = ProduceRules {
        version: PRODUCE_VERSION,
        topic: TOPIC,
        partition: 0,
        config: &config,
        decompressed_bytes_max: limits.decompressed_bytes_max,
        converted_bytes_max: limits.converted_bytes_max,
        record_errors_max: limits.record_errors_max,
    };
    let now = Now { wall_ms: now_ms(), ..Now::default() };
    let crc = || {
        let Step::Batch(view) = next_batch(black_box(&batch.bytes), usize::MAX) else {
            panic!("it was built here")
        };
        view.verify_crc().expect("it was built here");
    };
    let all = || {
        let checked = check_produced(Some(black_box(&batch.bytes)), &rules, &codecs, now);
        black_box(checked).expect("it was built here");
    };
    let time = Duration::from_millis(plan.effort.spin_ms) / 4;
    let (mut crc_us, mut all_us) = (Vec::new(), Vec::new());
    for _ in 0..plan.effort.rounds {
        crc_us.push(micros(time, crc));
        all_us.push(micros(time, all));
    }
    let before = allocations();
    all();
    let allocated = (allocations() - before) as f64;
    vec![
        Cell::Text(label),
        Cell::Number(batch.bytes.len() as f64),
        Cell::rounds(crc_us),
        Cell::rounds(all_us.iter().copied()),
        Cell::rounds(all_us.iter().map(|us| batch.raw_bytes as f64 / us)),
        Cell::Number(allocated),
    ]
}

/// Microseconds of one call.
fn micros(time: Duration, work: impl Fn()) -> f64 {
    /// The clock is read once for so many.
    const REPEATS: u32 = 16;
    work();
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < time {
        (0..REPEATS).for_each(|_| work());
        count += REPEATS;
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}
