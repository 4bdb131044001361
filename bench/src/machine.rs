//! The state machines alone: frames in memory in, answers in memory out. Every effect is complete as
//! soon as it is asked for, and nothing is carried out.

use std::collections::VecDeque;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::batch::Compression;
use klamm_core::config::{self, Config, Durability};
use klamm_core::effect::{Completion, Effect, OperationResult};
use klamm_core::ids::{ConnectionId, EffectId};
use klamm_core::request::{Request, Response};
use klamm_core::time::{Instant as Mono, Now};
use klamm_core::{Broker, Chunk, Connection, Job, JobResult, Output, Peer};
use klamm_runtime::compression::Codecs;
use klamm_runtime::{Disk, Files};

use crate::Allocations;
use crate::arguments::{Plan, durability_name};
use crate::batches::{Batch, make_directory, now_ms, number};
use crate::readers::fetch_frame;
use crate::report::{Cell, Table};

/// Requests that come together. Those to Produce are under way together, and the clock is read once for all
/// of them; any other waits for the answer before it.
const PIPELINE: usize = 16;

const PARTITIONS: i32 = 10;

/// What a request is about.
struct Shape {
    name: &'static str,
    kind: Kind,
    value_bytes: usize,
    /// Of each batch, before records are too many.
    batch_bytes: usize,
    /// A batch to each, or of each.
    partitions: i32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Produce,
    /// Of the last batch in each partition.
    Fetch,
}

/// One record of so many bytes makes a batch of 200.
const SMALL_VALUE_BYTES: usize = 130;

const fn shape(
    name: &'static str,
    kind: Kind,
    value_bytes: usize,
    batch_bytes: usize,
    partitions: i32,
) -> Shape {
    Shape { name, kind, value_bytes, batch_bytes, partitions }
}

const SHAPES: &[Shape] = &[
    shape("produce, 63 x 1 KiB", Kind::Produce, 1024, 64 << 10, 1),
    shape("produce, 600 x 100 B", Kind::Produce, 100, 64 << 10, 1),
    shape("produce, 1 x 100 B", Kind::Produce, 100, 0, 1),
    shape("produce, 200 B to each of 10", Kind::Produce, SMALL_VALUE_BYTES, 0, PARTITIONS),
    shape("fetch, 64 KiB", Kind::Fetch, 1024, 64 << 10, 1),
    shape("fetch, 200 B of each of 10", Kind::Fetch, SMALL_VALUE_BYTES, 0, PARTITIONS),
];

/// What a record costs is told by the difference to this one, of which a request has one.
const ONE_RECORD: &str = "produce, 1 x 100 B";

const COLUMNS: &[&str] = &[
    "requests",
    "durability",
    "requests/s",
    "batches/s",
    "MB/s",
    "connection ns",
    "broker ns",
    "connection allocations",
    "broker allocations",
    "allocations/record",
];

/// What a part of the work has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    time: Duration,
    allocations: u64,
}

/// One figure's work.
#[derive(Clone, Copy, Debug, Default)]
struct Costs {
    requests: usize,
    connection: Cost,
    broker: Cost,
}

/// Measures Produce and Fetch through both machines.
pub(crate) fn measure(
    plan: &Plan,
    scratch: &Path,
    allocations: Allocations,
) -> Result<Table, String> {
    let about = format!(
        "one thread, {PIPELINE} requests at a time, {} ms a figure, {} rounds; times and allocations are \
         those of a request; under the lock is the broker's part alone; a record's allocations are those \
         above one of a single record",
        plan.effort.spin_ms, plan.effort.rounds,
    );
    let mut table = Table::new("core", about, COLUMNS);
    let cases: Vec<(&Shape, Durability)> = SHAPES
        .iter()
        .flat_map(|shape| {
            [Durability::Durable, Durability::PageCache].map(|durability| (shape, durability))
        })
        .collect();
    let mut rounds: Vec<Vec<Costs>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.effort.rounds {
        for ((shape, durability), costs) in cases.iter().zip(&mut rounds) {
            let directory = scratch.join("core");
            make_directory(&directory, PARTITIONS)?;
            let mut stand = Stand::start(&directory, *durability, allocations)?;
            std::fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
            costs.push(stand.spin(shape, Duration::from_millis(plan.effort.spin_ms))?);
        }
    }
    for ((shape, durability), costs) in cases.iter().zip(&rounds) {
        let is_one = |(other, kind): &(&Shape, _)| other.name == ONE_RECORD && kind == durability;
        let one = cases.iter().position(is_one).map_or(&[][..], |at| &rounds[at]);
        table.push(row(shape, *durability, costs, one));
    }
    Ok(table)
}

fn row(shape: &Shape, durability: Durability, rounds: &[Costs], one: &[Costs]) -> Vec<Cell> {
    let batch = shape.batch();
    let batches = f64::from(shape.partitions);
    let bytes = batch.bytes.len() as f64 * batches;
    let further_records = f64::from(batch.records - 1);
    let allocations = |costs: &Costs| {
        (costs.connection.allocations + costs.broker.allocations) as f64 / costs.requests as f64
    };
    let is_comparable = shape.kind == Kind::Produce && shape.partitions == 1;
    let of_records = one.iter().zip(rounds).filter(|_| is_comparable).map(|(one, many)| {
        // Fewer than one record's are none.
        (allocations(many) - allocations(one)).max(0.0) / further_records
    });
    let rate = |costs: &Costs| {
        costs.requests as f64 / (costs.connection.time + costs.broker.time).as_secs_f64()
    };
    let each = |figure: fn(&Costs) -> f64| {
        Cell::rounds(rounds.iter().map(|costs| figure(costs) / costs.requests as f64))
    };
    vec![
        Cell::name(shape.name),
        Cell::name(durability_name(durability)),
        Cell::rounds(rounds.iter().map(rate)),
        Cell::rounds(rounds.iter().map(|costs| rate(costs) * batches)),
        Cell::rounds(rounds.iter().map(|costs| rate(costs) * bytes / 1e6)),
        each(|costs| costs.connection.time.as_nanos() as f64),
        each(|costs| costs.broker.time.as_nanos() as f64),
        each(|costs| costs.connection.allocations as f64),
        each(|costs| costs.broker.allocations as f64),
        Cell::rounds(of_records),
    ]
}

impl Shape {
    fn batch(&self) -> Batch {
        Batch::new(self.value_bytes, self.batch_bytes)
    }
}

/// A broker and one connection, on one thread.
struct Stand {
    broker: Broker,
    connection: Connection,
    now: Now,
    allocations: Allocations,
    outputs: VecDeque<Output>,
}

impl Stand {
    /// Starts a broker on a real directory; no file is touched any more from then on.
    fn start(
        directory: &Path,
        durability: Durability,
        allocations: Allocations,
    ) -> Result<Self, String> {
        let config = configuration(directory, durability)?;
        let compression: Arc<dyn Compression> = Arc::new(Codecs::new(&config.limits));
        let for_jobs = Arc::clone(&compression);
        let connection = Connection::new(ConnectionId(1), config.limits.clone(), compression);
        let files = Files::new(config.limits.open_files_max);
        let listener = Arc::from(&*config.listeners[0].name);
        let now = Now { mono: Mono::ZERO, wall_ms: now_ms() };
        let broker = Broker::new(config, [7; 32], for_jobs, now);
        let mut stand = Self { broker, connection, now, allocations, outputs: VecDeque::new() };
        stand.drain();
        while let Some(output) = stand.outputs.pop_front() {
            match output {
                Output::Ready => {
                    let peer = Peer { listener, address: "127.0.0.1:50000".to_owned() };
                    stand.broker.handle_connect(ConnectionId(1), peer, now);
                    stand.drain();
                    return Ok(stand);
                }
                Output::Effect(id, effect) => {
                    let completion = carry_out(&files, effect);
                    stand.broker.handle_completion(id, completion, now);
                }
                Output::Job(id, job) => {
                    let result = finish(&files, job);
                    stand.broker.handle_job(id, result, now);
                }
                Output::Stopped(exit) => return Err(format!("no broker: {exit:?}")),
                Output::Response(..) | Output::Close(_) | Output::Event(_) => {}
            }
            stand.drain();
        }
        Err("the broker waits for something that was not asked for".into())
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            self.outputs.push_back(output);
        }
    }

    /// Sends requests of one shape for this long.
    fn spin(&mut self, shape: &Shape, time: Duration) -> Result<Costs, String> {
        let batch = shape.batch();
        let mut frame = batch.frame(0..shape.partitions, -1);
        // What is asked for first makes what stays, and is there to be fetched.
        self.round(&mut frame, &mut Costs::default())?;
        if shape.kind == Kind::Fetch {
            let last = PIPELINE as i64 - 1;
            frame = fetch_frame(0..shape.partitions, last * i64::from(batch.records));
            let answered = self.round(&mut frame, &mut Costs::default())?;
            let wanted = batch.bytes.len() * shape.partitions as usize * PIPELINE;
            if answered < wanted {
                return Err(format!("{answered} bytes are fetched, not {wanted}"));
            }
        }
        let mut costs = Costs::default();
        let begun = Instant::now();
        // At least once, however busy the machine is.
        loop {
            self.round(&mut frame, &mut costs)?;
            if begun.elapsed() >= time {
                return Ok(costs);
            }
        }
    }

    /// A pipeline of requests from their frames to their answers. Gives the length of these.
    fn round(&mut self, frame: &mut BytesMut, costs: &mut Costs) -> Result<usize, String> {
        let mut input = BytesMut::with_capacity(frame.len() * PIPELINE);
        for at in 0..PIPELINE {
            number(frame, at as i32);
            input.extend_from_slice(frame);
        }
        let meter = Meter(self.allocations);
        let (mut answered, mut bytes) = (0, 0);
        while answered < PIPELINE {
            let requests = meter.run(&mut costs.connection, || self.read(&mut input))?;
            if requests.is_empty() {
                return Err(format!("{answered} answers to {PIPELINE} requests"));
            }
            meter.run(&mut costs.broker, || self.hand_on(requests));
            let mut responses = Vec::with_capacity(PIPELINE);
            loop {
                let completions = self.complete(&mut responses);
                if completions.is_empty() {
                    break;
                }
                meter.run(&mut costs.broker, || self.tell(completions));
            }
            answered += responses.len();
            bytes += meter.run(&mut costs.connection, || self.answer(responses));
        }
        // The answer to ten partitions is longer; none is shorter than this.
        if bytes < PIPELINE * 30 {
            return Err(format!("{answered} answers in {bytes} bytes"));
        }
        costs.requests += PIPELINE;
        Ok(bytes)
    }

    fn read(&mut self, input: &mut BytesMut) -> Result<Vec<Request>, String> {
        let mut requests = Vec::with_capacity(PIPELINE);
        let image = Arc::clone(self.broker.image());
        loop {
            self.connection.handle_bytes(input, self.now).map_err(|error| error.to_string())?;
            if self.connection.wants_charge() > 0 {
                self.connection.handle_charged();
                continue;
            }
            match self.connection.poll_request(&image, self.now) {
                Some(request) => requests.push(request.map_err(|error| error.to_string())?),
                None => return Ok(requests),
            }
        }
    }

    fn hand_on(&mut self, requests: Vec<Request>) {
        for request in requests {
            self.broker.handle_request(ConnectionId(1), request, self.now);
            self.drain();
        }
    }

    /// What completes the effects that are out; responses are put aside.
    fn complete(&mut self, responses: &mut Vec<Response>) -> Vec<(EffectId, Completion)> {
        let mut completions = Vec::new();
        for output in mem::take(&mut self.outputs) {
            match output {
                Output::Effect(id, Effect::Operations(operations)) => {
                    let results = vec![OperationResult::Done; operations.len()];
                    completions.push((id, Completion::Done(results)));
                }
                Output::Effect(id, Effect::Sync(_)) => {
                    completions.push((id, Completion::Done(Vec::new())));
                }
                Output::Response(_, response) => responses.push(response),
                _ => {}
            }
        }
        completions
    }

    fn tell(&mut self, completions: Vec<(EffectId, Completion)>) {
        for (id, completion) in completions {
            self.broker.handle_completion(id, completion, self.now);
            self.drain();
        }
    }

    /// Gives the length of what is sent.
    fn answer(&mut self, responses: Vec<Response>) -> usize {
        for response in responses {
            self.connection.handle_response(response);
        }
        let mut bytes = 0;
        while let Some(chunk) = self.connection.poll_transmit() {
            bytes += match chunk {
                Chunk::Bytes(sent) => sent.len(),
                Chunk::File(range) => range.length as usize,
            };
            self.connection.handle_transmitted(1);
        }
        let _charge = self.connection.poll_discharge();
        bytes
    }
}

fn configuration(directory: &Path, durability: Durability) -> Result<Config, String> {
    let directory = directory.to_str().ok_or("the directory's name is no text")?;
    let settings = [("log.dirs", directory), ("klamm.durability", durability_name(durability))];
    Ok(config::parse(settings).map_err(|error| error.to_string())?.config)
}

/// Adds up what a part of the work costs.
struct Meter(Allocations);

impl Meter {
    fn run<T>(&self, cost: &mut Cost, work: impl FnOnce() -> T) -> T {
        let allocations = (self.0)();
        let begun = Instant::now();
        let result = work();
        cost.time += begun.elapsed();
        cost.allocations += (self.0)() - allocations;
        result
    }
}

fn finish(files: &Files, mut job: Job) -> JobResult {
    loop {
        while let Some((id, effect)) = job.poll_effect() {
            job.handle_completion(id, carry_out(files, effect));
        }
        if let Some(result) = job.poll_done() {
            return result;
        }
    }
}

/// Nothing is kept for long here, so nothing is synced.
fn carry_out(files: &Files, effect: Effect) -> Completion {
    let Effect::Operations(operations) = effect else { return Completion::Done(Vec::new()) };
    let mut done = Vec::new();
    for operation in operations {
        match files.perform(&operation) {
            Ok(result) => done.push(result),
            Err(error) => return Completion::Failed { done, error },
        }
    }
    Completion::Done(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_have_200_bytes() {
        assert_eq!(Batch::new(SMALL_VALUE_BYTES, 0).bytes.len(), 200);
    }
}
