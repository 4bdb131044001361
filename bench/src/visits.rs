//! Consumers who ask now and then, alone or beside a producer at full speed: does a flood on one connection
//! starve the others?

use std::thread;
use std::time::{Duration, Instant};

use crate::batches::Batch;
use crate::producers::{Lanes, write_each};
use crate::readers::Fetcher;
use crate::session::{Answers, Bounds, Done, Session};
use crate::workloads::Producers;

/// Each consumer asks ten times a second, each at a time of its own.
const INTERVAL: Duration = Duration::from_millis(100);

/// The flood goes to partition 0; what they ask for lies here.
const VISITED: i32 = 1;
const VALUE_BYTES: usize = 128;

pub(crate) struct Visits {
    consumers: Vec<Fetcher>,
    flood: Option<Lanes>,
}

impl Visits {
    pub(crate) fn connect(
        port: u16,
        consumers: usize,
        flood: Option<&Producers>,
    ) -> Result<Self, String> {
        write_each(port, &Batch::new(VALUE_BYTES, 0), [VISITED])?;
        let consumers = (0..consumers).map(|_| Fetcher::connect(port, Answers::Broker));
        let flood = flood.map(|producers| Lanes::connect(port, producers, Answers::Broker));
        Ok(Self { consumers: consumers.collect::<Result<_, _>>()?, flood: flood.transpose()? })
    }
}

impl Session for Visits {
    /// For the whole time. Bytes are those of the flood, requests and latencies those of the consumers,
    /// from when each is due.
    fn run(&mut self, bounds: Bounds) -> Result<Done, String> {
        let begun = Instant::now();
        let count = self.consumers.len() as u32;
        let flood = self.flood.as_mut();
        let (flooded, visits) = thread::scope(|scope| {
            let flooding = Bounds { bytes: usize::MAX, ..bounds };
            let flood = flood.map(|lanes| scope.spawn(move || lanes.run(flooding)));
            let visiting: Vec<_> = (0..)
                .zip(&mut self.consumers)
                .map(|(at, consumer)| {
                    let first = begun + INTERVAL * at / count;
                    scope.spawn(move || visit(consumer, first, begun + bounds.time))
                })
                .collect();
            let visits = visiting.into_iter().map(|one| one.join().expect("no consumer panics"));
            let visits = visits.collect::<Result<Vec<_>, String>>();
            (flood.map(|flood| flood.join().expect("no producer panics")), visits)
        });
        let flooded = flooded.transpose()?.unwrap_or_default();
        let mut latencies = visits?.concat();
        latencies.sort_unstable();
        Ok(Done {
            elapsed: begun.elapsed(),
            requests: latencies.len(),
            latencies,
            // Retention may have taken it.
            stored: 0,
            ..flooded
        })
    }
}

fn visit(consumer: &mut Fetcher, first: Instant, until: Instant) -> Result<Vec<u64>, String> {
    let mut latencies = Vec::new();
    let mut due = first;
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        consumer.visit(VISITED, 0)?;
        latencies.push(due.elapsed().as_micros() as u64);
        due += INTERVAL;
    }
    Ok(latencies)
}
